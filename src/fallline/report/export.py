"""A study's figures, tables and references as files for a paper.

Every picture in PNG, SVG or PDF; every table in CSV (plain numbers), Markdown or LaTeX (rounded,
with units); the references as BibTeX. The same study gives the same bytes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from fallline.errors import InputError, StudyError, unknown
from fallline.report import bibliography, latex, paper, paper_tables, study_static
from fallline.report.formats import PICTURE_FORMATS
from fallline.report.paper_tables import PaperTable

if TYPE_CHECKING:
    import pandas as pd

    from fallline.analysis.reading import Reading

FORMATS = (*PICTURE_FORMATS, "csv", "md", "tex", "bib")
REFERENCES = "references.bib"


def chosen(formats: str | Iterable[str] | None) -> tuple[str, ...]:
    """The formats asked for, in the order of `FORMATS`: separated by commas, or as a list.

    None is all of them. Raises InputError, with near matches, for one that there is not.
    """
    if formats is None:
        return FORMATS
    parts = [formats] if isinstance(formats, str) else list(formats)
    names = [name.strip().lower().removeprefix(".") for part in parts for name in part.split(",")]
    asked = [name for name in names if name]
    for name in asked:
        if name not in FORMATS:
            raise unknown("format of an export", name, FORMATS)
    if not asked:
        raise InputError("no format was given", hint=f"there are {', '.join(FORMATS)}")
    return tuple(name for name in FORMATS if name in asked)


def write(
    reading: Reading,
    folder: Path,
    *,
    formats: str | Iterable[str] | None = None,
    width: str = "single",
) -> tuple[Path, ...]:
    """Write everything that there is of ``reading`` into ``folder``; returns the files.

    A file that is there is replaced as a whole; where one cannot be written, those before it
    stay. Raises StudyError for a study without runs, or a folder that cannot be written.
    """
    asked = chosen(formats)
    paper.sheet(width)
    if reading.summary.empty:
        raise StudyError(
            "the study holds no run yet, so there is nothing to export",
            hint="the command that began it goes on with it",
        )
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files(reading, asked, width=width):
            written.append(_replaced(folder / name, content))
    except OSError as error:
        raise StudyError(
            f"cannot write the export to {str(folder)!r}: {error.strerror or error}",
            hint="give --out a folder that can be written to, on a disk with room",
        ) from error
    return tuple(written)


def files(
    reading: Reading, formats: tuple[str, ...], *, width: str = "single"
) -> Iterator[tuple[str, bytes]]:
    """The name and the content of every file, pictures first."""
    frames = paper_tables.frames(reading)
    pictures = tuple(each for each in formats if each in PICTURE_FORMATS)
    if pictures:
        yield from study_static.render(reading, frames, pictures, width=width)
    for name, frame in frames.items():
        own = name.replace("_", "-")
        for file_format, text in _texts(reading, name, frame, formats):
            yield f"{own}.{file_format}", text.encode("utf-8")
    if "bib" in formats:
        yield REFERENCES, bibliography.render(reading, frames).encode("utf-8")


def _texts(
    reading: Reading, name: str, frame: pd.DataFrame, formats: tuple[str, ...]
) -> Iterator[tuple[str, str]]:
    """A table in each of the ``formats`` that are text."""
    if "csv" in formats:
        yield "csv", csv(frame)
    if {"md", "tex"} & set(formats):
        table = paper_tables.table(reading, name, frame)
        if "md" in formats:
            yield "md", markdown(table)
        if "tex" in formats:
            label = f"tab:{_plain(reading.document.task.name)}-{_plain(name)}"
            yield "tex", latex.table(table.columns, caption=table.caption, label=label)


def csv(frame: pd.DataFrame) -> str:
    """``frame`` in plain numbers to their last digit; nothing for NaN, JSON for settings."""
    held = frame.copy()
    for name in held.columns:
        if held[name].map(lambda value: isinstance(value, Mapping)).any():
            held[name] = [json.dumps(value, sort_keys=True) for value in held[name]]
    return str(held.to_csv(index=False, lineterminator="\n"))


def markdown(table: PaperTable) -> str:
    """A table that forges show, its caption below; intervals stand in their figure's cell."""
    columns = [
        [" ".join(filter(None, pair)) for pair in zip(c.cells, c.spreads, strict=True)]
        if c.spreads
        else list(c.cells)
        for c in table.columns
    ]
    head = [_cell(column.heading) for column in table.columns]
    rules = ["---:" if column.numeric else "---" for column in table.columns]
    rows = [[_cell(text) for text in row] for row in zip(*columns, strict=True)]
    lines = [f"| {' | '.join(row)} |" for row in [head, rules, *rows]]
    return "\n".join([*lines, "", _marked(table.caption)]) + "\n"


def _cell(text: str) -> str:
    return _marked(text).replace("|", "\\|")


def _marked(text: str) -> str:
    """``text`` on one line, with nothing that Markdown would take for a mark."""
    for mark in ("\\", "*", "_", "`", "<", "["):
        text = text.replace(mark, f"\\{mark}")
    return " ".join(text.split())


def _plain(name: str) -> str:
    """``name`` as a part of a label: letters, digits and dashes."""
    return "".join(mark if mark.isascii() and mark.isalnum() else "-" for mark in name)


def _replaced(path: Path, content: bytes) -> Path:
    """Write a file as a whole: a reader sees the old one or the new one."""
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    return path
