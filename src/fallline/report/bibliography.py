"""A study's references as a BibTeX file: its optimizers, its statistics, and fallline itself."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from fallline.analysis.summary import rows_of
from fallline.report import references

if TYPE_CHECKING:
    from fallline.analysis.reading import Reading

AUTHOR = "The fallline developers"
_KEY = re.compile(r"@\w+\{([^,\s]+),")
_ENTRY = re.compile(r"(?=^@)", re.MULTILINE)


def render(reading: Reading, tables: Collection[str]) -> str:
    """The file. ``tables``: the keys of the tables that go with it.

    A study of an earlier version holds no BibTeX of its optimizers: they are left out. An entry
    stands once, however many optimizers come from the same publication.
    """
    described = reading.document.optimizers
    names = [str(row["optimizer"]) for row in rows_of(reading.summary)]
    optimizers = [
        entry for name in names if name in described for entry in entries(described[name].bibtex)
    ]
    sources = [references.SOURCES[key] for key in references.used(reading, tables)]
    parts = {
        "The optimizers.": optimizers,
        "The statistics and the search.": sources,
        "The program that trained, measured and compared.": [program(reading)],
    }
    taken: set[str] = set()
    written = []
    for comment, texts in parts.items():
        own = _once(texts, taken)
        if own:
            written.append("\n\n".join([f"% {comment}", *own]))
    return "\n\n".join(written) + "\n"


def program(reading: Reading) -> str:
    """The entry of the version of fallline that made the study."""
    version = reading.document.versions.get("fallline", "")
    edition = f"  version = {{{version}}},\n" if version else ""
    return (
        f"@misc{{fallline,\n  author = {{{{{AUTHOR}}}}},\n  title = {{{{fallline}}}},\n{edition}"
        f"  howpublished = {{Computer program{f', version {version}' if version else ''}}},\n"
        "  note = {Apache-2.0 licence}\n}"
    )


def entries(text: str) -> list[str]:
    """The entries of a piece of BibTeX, each beginning with its ``@``."""
    return [part.strip() for part in _ENTRY.split(text) if part.strip().startswith("@")]


def _once(texts: Iterable[str], taken: set[str]) -> list[str]:
    """``texts`` without those whose key is in ``taken``, which grows."""
    kept = []
    for text in texts:
        found = _KEY.match(text)
        key = found[1] if found else text
        if key not in taken:
            taken.add(key)
            kept.append(text)
    return kept
