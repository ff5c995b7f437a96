"""Writes docs/dependencies.md: what fallline needs, for what, and under which licences.

Versions are those of ``requirements.lock`` and ``requirements-dev.lock``, licences are what the
installed packages say of themselves. ``python docs/dependencies.py`` writes the page; with
``--check`` it writes nothing. Both end with exit code 1 where a licence is not on the list of
those that are allowed.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata
from pathlib import Path

from writing import code, page, table

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "dependencies.md"
LOCK, DEV_LOCK = ROOT / "requirements.lock", ROOT / "requirements-dev.lock"

ALLOWED = {
    *("0BSD", "Apache-2.0", "BSD", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "HPND", "ISC"),
    *("MIT", "MIT-0", "MIT-CMU", "MPL-2.0", "PSF-2.0", "Python-2.0", "Unlicense", "Zlib"),
}
"""SPDX names; ``BSD`` where a package does not say which of them."""
USES = {
    "jax": "arrays, gradients, compilation: all training",
    "flax": "layers of the built-in networks, and models of one's own",
    "optax": "most optimizers' rules",
    "numpy": "data on the host",
    "scipy": "tests and intervals; quasi-random points",
    "scikit-learn": "the digits data, splits",
    "pandas": "tables; CSV files",
    "pyarrow": "Parquet: the finished runs",
    "safetensors": "weights and snapshots, without pickle",
    "msgspec": "the study's documents, checked as they are read",
    "tomli-w": "writing TOML",
    "platformdirs": "where the caches are",
    "threadpoolctl": "one thread per run in the libraries below",
    "filelock": "one writer per study",
    "pooch": "downloads with checksums",
    "jinja2": "the report's page, every name escaped",
    "plotly": "the report's charts",
    "matplotlib": "pictures for papers",
    "typer": "the command line",
    "rich": "progress and tables on a terminal",
    "optuna": "TPE, the extra `search`",
    "duckdb": "reads the Parquet parts in the tests, without fallline",
    "pytest": "the tests",
    "pytest-xdist": "the tests on all cores",
    "hypothesis": "property-based and fuzz tests",
    "playwright": "the pages in a real browser",
    "axe-playwright-python": "contrast and names of the pages",
    "ruff": "lint and format",
    "mypy": "types",
    "import-linter": "the layers",
    "pandas-stubs": "types of pandas",
}
ELSEWHERE = {"colorama": "BSD-3-Clause", "nest-asyncio": "BSD-2-Clause"}
"""What only other systems install, with the licences that those packages state."""

_SPDX = (
    (r"apache", "Apache-2.0"),
    (r"(3-clause|new|modified) bsd|bsd.?3|3-clause", "BSD-3-Clause"),
    (r"(2-clause|simplified) bsd|bsd.?2|2-clause", "BSD-2-Clause"),
    (r"mozilla|mpl", "MPL-2.0"),
    (r"python software foundation|psf", "PSF-2.0"),
    (r"unlicense", "Unlicense"),
    (r"\bisc\b", "ISC"),
    (r"\bbsd\b", "BSD"),
    (r"\bmit\b", "MIT"),
)
_PINNED = re.compile(r"^([a-z0-9][a-z0-9._-]*)==(\S+)(?: ; (.+?))? \\$", re.MULTILINE)


def direct(extra: str | None = None) -> dict[str, str]:
    """The version ranges that pyproject.toml asks for, by normalised name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    asked = project["dependencies"] if extra is None else project["optional-dependencies"][extra]
    parted = (re.fullmatch(r"([\w.-]+)\s*(.*)", each) for each in asked)
    return {normalised(match[1]): match[2] for match in parted if match}


def normalised(name: str) -> str:
    """A package's name as registries compare names."""
    return re.sub(r"[-_.]+", "-", name).lower()


def locked(path: Path) -> dict[str, list[tuple[str, str]]]:
    """By package: its pinned versions, each with the marker of where it is installed."""
    found: dict[str, list[tuple[str, str]]] = {}
    for name, version, marker in _PINNED.findall(path.read_text("utf-8")):
        found.setdefault(name, []).append((version, marker))
    return found


def licence(name: str) -> str:
    """The licence of a package by what it says of itself, in SPDX's names; else as it is said."""
    if name in ELSEWHERE:
        return ELSEWHERE[name]
    try:
        about = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return "not installed"
    if about.get("License-Expression"):
        return str(about["License-Expression"])
    stated = (about.get("License") or "").strip()
    if stated and _allowed(stated):
        return stated
    classifiers = [each for each in about.get_all("Classifier") or () if "License ::" in each]
    said = [stated] if stated and len(stated) < 60 else []
    said += [each.rsplit(" :: ", 1)[-1] for each in classifiers]
    said = said or _heading(metadata.distribution(name))
    named = [spdx for each in said for spdx in _spdx(each)]
    return named[0] if named else "; ".join(said) or "not stated"


def _heading(installed: metadata.Distribution) -> list[str]:
    """The first line of a package's licence file."""
    files = [each for each in installed.files or () if each.name.startswith("LICENSE")]
    return [str(files[0].read_text()).split("\n", 1)[0]] if files else []


def _spdx(words: str) -> list[str]:
    return [spdx for pattern, spdx in _SPDX if re.search(pattern, words.lower())][:1]


def refused(licences: Mapping[str, str]) -> dict[str, str]:
    """The packages whose licences are not on the list; of alternatives one is enough."""
    return {name: each for name, each in licences.items() if not _allowed(each)}


def _allowed(expression: str) -> bool:
    plain = re.sub(r"[()]", "", expression)
    return any(
        all(term.split(" WITH ")[0].strip() in ALLOWED for term in way.split(" AND "))
        for way in plain.split(" OR ")
    )


def text(licences: Mapping[str, str]) -> str:
    """The page."""
    main, dev = locked(LOCK), locked(DEV_LOCK)
    own, extra = direct(), direct("dev")
    rest = set(main) - set(own)
    tools = set(dev) - set(main) - set(extra)
    about = (
        "Versions are those of `requirements.lock` and `requirements-dev.lock`, which have the "
        "checksum of every file; `pip install --require-hashes -r requirements.lock` installs "
        "nothing else. Where two stand, the later is for newer Pythons. Licences are what the "
        "packages state; `python docs/dependencies.py` makes this page and fails for a licence "
        f"that is not one of {', '.join(sorted(ALLOWED))}."
    )
    return page(
        "What fallline needs",
        about,
        "## Directly",
        _table(own, main, licences, uses=True),
        "## Through these",
        _table(rest, main, licences),
        "## For development",
        _table(extra, dev, licences, uses=True),
        "## Through those",
        _table(tools, dev, licences),
    ).replace("docs/generate.py", "docs/dependencies.py")


def _table(
    names: Iterable[str],
    held: Mapping[str, list[tuple[str, str]]],
    licences: Mapping[str, str],
    *,
    uses: bool = False,
) -> str:
    rows = []
    for name in sorted(names):
        versions = ", ".join(version for version, _ in held[name])
        where = " (Windows)" if all("== 'win32'" in marker for _, marker in held[name]) else ""
        row = (code(name), f"{versions}{where}", licences[name])
        rows.append((*row, USES[name]) if uses else row)
    columns = ("package", "version", "licence")
    return table((*columns, "used for") if uses else columns, rows)


def main(arguments: Sequence[str]) -> int:
    """Write or check; returns the exit code."""
    licences = {name: licence(name) for name in locked(DEV_LOCK)}
    for name, found in (wrong := refused(licences)).items():
        print(f"{name}: the licence {found!r} is not on the list of those allowed", file=sys.stderr)
    if not wrong and "--check" not in arguments:
        PAGE.write_text(text(licences), encoding="utf-8", newline="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
