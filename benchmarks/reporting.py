"""Measurements as people and programs read them: medians with spread, Markdown, JSON, the docs."""

from __future__ import annotations

import argparse
import datetime
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import Any

import machine

LIBRARIES = ("fallline", "jax", "flax", "optax", "numpy")
HEADING = """# Performance

Measured by the scripts in [`benchmarks/`](../benchmarks/README.md), which write this page: do not
edit the sections between the markers, run `make bench`.
"""


@dataclass(frozen=True)
class Spread:
    """The median of repeated measurements, with their smallest and largest."""

    median: float
    least: float
    most: float

    def text(self, digits: int = 1, unit: str = "") -> str:
        """For example ``31.2 s (30.8 to 33.0)``; the range only where it shows."""
        middle, least, most = (f"{x:.{digits}f}" for x in (self.median, self.least, self.most))
        unit = f" {unit}" if unit else ""
        return f"{middle}{unit}" + (f" ({least} to {most})" if least != most else "")


def spread(values: Sequence[float]) -> Spread:
    """The spread of at least one value."""
    return Spread(median(values), min(values), max(values))


def percent(share: Spread) -> str:
    """A share's spread in per cent."""
    return Spread(100 * share.median, 100 * share.least, 100 * share.most).text()


def disturbed(others: Sequence[float | None]) -> list[float]:
    """Of the cores that other processes took, those that disturb a measurement."""
    return [cores for cores in others if cores is not None and cores > machine.BUSY]


def quietness(others: Sequence[float | None]) -> str:
    """A sentence on what else the machine did."""
    known = [cores for cores in others if cores is not None]
    if not known:
        return "What else the machine did meanwhile is not known."
    loud = disturbed(known)
    if not loud:
        return f"Other processes took {max(known):.2f} cores at most meanwhile."
    return (
        f"**Disturbed: in {len(loud)} of {len(known)} measurements other processes took up to "
        f"{max(loud):.2f} cores. Run it again on a quiet machine.**"
    )


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, the first column to the left, the others to the right."""
    rule = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in [list(header), rule, *rows])


def text_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table of words, every column to the left."""
    rule = ["---"] * len(header)
    return "\n".join(f"| {' | '.join(row)} |" for row in [list(header), rule, *rows])


def origin(peers: Mapping[str, str] | None = None) -> str:
    """A sentence on machine, versions and date."""
    about = machine.description()
    versions = {name: metadata.version(name) for name in LIBRARIES} | dict(peers or {})
    named = ", ".join(f"{name} {version}" for name, version in versions.items())
    return (
        f"{about['processor']}, {about['cores']} cores, {about['memory_gib']} GiB, "
        f"{about['system']}, Python {about['python']}; {named}; {datetime.date.today()}."
    )


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options that every benchmark has."""
    parser.add_argument(
        "--patience",
        type=float,
        default=60,
        help="seconds to wait before a round for other processes to end",
    )
    parser.add_argument("--results", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument(
        "--table", type=Path, help="a Markdown page to put the results into, docs/performance.md"
    )


def parsed(parser: argparse.ArgumentParser, **quick: Any) -> argparse.Namespace:
    """The command line's options; ``--quick`` puts these values in place of the defaults.

    What was measured so is never put into a page.
    """
    parser.add_argument(
        "--quick",
        action="store_true",
        help="the least that runs all the code; its figures mean nothing",
    )
    options = parser.parse_args()
    if options.quick:
        parser.set_defaults(**{"patience": 0.0, **quick})
        options = parser.parse_args()
        options.table = None
    return options


def failed(name: str, error: Exception) -> int:
    """Say on stderr why nothing was measured; the exit code for that."""
    hint = getattr(error, "hint", None)
    print(f"{name}: {error}" + (f"\n  hint: {hint}" if hint else ""), file=sys.stderr)
    return 2


def publish(
    name: str, figures: Any, text: str, options: argparse.Namespace, *, heading: str = HEADING
) -> None:
    """Print the text; write ``name.json``, ``name.md``, and the section of the page asked for.

    ``heading`` begins a page that is not there yet.
    """
    folder: Path = options.results
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(figures, indent=2, default=str) + "\n")
    (folder / f"{name}.md").write_text(text + "\n")
    if options.table:
        write_section(options.table, name, text, heading=heading)
    print(text)


def write_section(page: Path, name: str, text: str, *, heading: str = HEADING) -> None:
    """Put ``text`` between the markers of section ``name``; the rest of the page stays as it is.

    The page is made where there is none, the section is added at its end where it is new.
    """
    begin, end = _markers(name)
    section = f"{begin}\n{text.strip()}\n{end}\n"
    old = page.read_text() if page.is_file() else heading
    before, found, rest = old.partition(begin)
    if found:
        _, closed, after = rest.partition(f"{end}\n")
        if not closed:
            raise ValueError(f"{page} has {begin!r} without {end!r}")
        new = before + section + after
    else:
        new = f"{old.rstrip()}\n\n{section}"
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(new)


def section(page: Path, name: str) -> str:
    """What stands between the markers of section ``name``; empty where there is none."""
    begin, end = _markers(name)
    text = page.read_text() if page.is_file() else ""
    return text.partition(begin)[2].partition(end)[0].strip()


def _markers(name: str) -> tuple[str, str]:
    return f"<!-- {name}: made by benchmarks/{name}.py -->", f"<!-- end of {name} -->"
