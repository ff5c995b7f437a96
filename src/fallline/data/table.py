"""Tables in CSV: delimiter, header, columns of numbers and of categories, kind of problem."""

from __future__ import annotations

import csv
import io
import math
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from fallline.data.checks import inferred_kind
from fallline.errors import DataError, InputError, near_matches

if TYPE_CHECKING:
    from fallline.data.dataset import Dataset

MOST_CATEGORIES = 50
"""A column of text with more different values is refused: names and ids are no categories."""

_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs"}
_MISSING = frozenset({"", "na", "n/a", "nan", "null", "?"})
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")


@dataclass(frozen=True, eq=False)
class Table:
    """A CSV file as arrays: ``x`` ``(rows, features)`` float64, ``y`` ``(rows,)``.

    ``y`` holds text (a classification), int64 labels (a classification) or float64. A column
    of categories becomes one feature of 0 and 1 for each, ``column=category``; the categories
    are those of the whole file. ``notes`` say what was inferred.
    """

    x: np.ndarray
    y: np.ndarray
    kind: Literal["classification", "regression"]
    features: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Cells:
    """The rows of a file as text, and the line on which each begins (the first line is 1)."""

    path: Path
    header: tuple[str, ...]
    rows: list[list[str]]
    lines: list[int]

    def column(self, index: int) -> list[str]:
        return [row[index].strip() for row in self.rows]


def read_csv(path: Path | str, target: str, *, kind: str | None = None, **options: Any) -> Dataset:
    """A data set of a CSV file: every other column is there to predict ``target``.

    Features are z-scored; a regression's target is standardised for the training and reported
    in its own units. ``options`` are those of ``make_dataset``. Raises DataError for a file or
    field that cannot be used, naming line and column; InputError for an unknown target.
    """
    from fallline.data.dataset import make_dataset

    path = Path(path)
    table = read_table(path, target, kind=kind)
    settings: dict[str, Any] = {
        "name": path.stem,
        "scaling": "zscore",
        "target_scaling": table.kind == "regression",
        "source": path.name,
    }
    settings |= options
    return make_dataset(
        table.x,
        table.y,
        kind=table.kind,
        features=table.features,
        notes=table.notes,
        **settings,
    )


def read_table(path: Path | str, target: str, *, kind: str | None = None) -> Table:
    """The columns of a CSV file as arrays: delimiter, types and kind of problem are inferred.

    Fields are separated by commas, semicolons or tabs, may be quoted, and have names in the
    first line. Every field needs a value.
    """
    if kind not in (None, "classification", "regression"):
        raise InputError(f"kind is {kind!r}", hint="give 'classification' or 'regression'")
    cells = _cells(Path(path))
    if target not in cells.header:
        near = near_matches(target, cells.header)
        asked = f"did you mean {' or '.join(repr(name) for name in near)}? " if near else ""
        raise InputError(
            f"{cells.path.name} has no column {target!r}",
            hint=f"{asked}its columns are {', '.join(cells.header)}",
        )
    y, found, notes = _target(cells, target, kind)
    features: list[str] = []
    columns: list[np.ndarray] = []
    for index, name in enumerate(cells.header):
        if name == target:
            continue
        names, block, note = _feature(cells, index)
        features += names
        columns.append(block)
        notes += (note,) if note else ()
    if not features:
        raise DataError(
            f"{cells.path.name}: no column but {target!r} tells the rows apart",
            hint="a task needs at least one other column, with different values",
        )
    return Table(np.concatenate(columns, axis=1), y, found, tuple(features), notes)


def _cells(path: Path) -> _Cells:
    text = _text(path)
    first = next(filter(str.strip, text.splitlines()), "")
    delimiter = max(_DELIMITERS, key=lambda d: _fields(first, d))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    rows: list[list[str]] = []
    lines: list[int] = []
    try:
        header = tuple(name.strip() for name in next(filter(None, reader), []))
        _check_header(header, path)
        begin = reader.line_num + 1
        for row in reader:
            if len(row) != len(header):
                if row:
                    _refuse_row(row, header, begin, delimiter, path)
            else:
                rows.append(row)
                lines.append(begin)
            begin = reader.line_num + 1
    except csv.Error as error:
        raise DataError(
            f"{path.name}, line {max(reader.line_num, 1)}: {error}",
            hint="is a quotation mark missing?",
        ) from None
    if not rows:
        raise DataError(f"{path.name} has a header and no rows", hint="give it rows of data")
    return _Cells(path, header, rows, lines)


def _fields(line: str, delimiter: str) -> int:
    """How many fields a line has; 0 where it cannot be read so."""
    try:
        return len(next(csv.reader([line], delimiter=delimiter), []))
    except csv.Error:
        return 0


def _text(path: Path) -> str:
    try:
        raw = path.read_bytes()
    except (OSError, ValueError) as error:  # a ValueError: a zero byte in the path
        reason = getattr(error, "strerror", None) or error
        raise DataError(
            f"{path}: cannot be read: {reason}", hint="check the path and its permissions"
        ) from None
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{path.name}, line {line}: byte 0x{raw[error.start]:02X} is not UTF-8",
            hint=f"save it as UTF-8, for example: iconv -f latin1 -t utf-8 {path.name}",
        ) from None
    if "\0" in text:
        raise DataError(f"{path.name} holds zero bytes: it is no text", hint="give a CSV file")
    return text


def _check_header(header: tuple[str, ...], path: Path) -> None:
    name = path.name
    if not header or header == ("",):
        raise DataError(f"{name} is empty", hint="give a header line and rows of data")
    if all(_number(cell) is not None for cell in header):
        raise DataError(
            f"{name}: the first line holds numbers only: {', '.join(header[:4])}",
            hint="write the columns' names into the first line",
        )
    if "" in header:
        raise DataError(
            f"{name}: column {header.index('') + 1} of the header has no name",
            hint="give every column a name, or leave the column out",
        )
    for column, count in Counter(header).items():
        if count > 1:
            raise DataError(
                f"{name}: {count} columns are called {column!r}", hint="rename all but one"
            )


def _refuse_row(
    row: list[str], header: tuple[str, ...], line: int, delimiter: str, path: Path
) -> None:
    where = f"{path.name}, line {line}: "
    if len(row) < len(header):
        what = f"column {header[len(row)]!r} is missing: "
    else:
        what = f"field {row[len(header)]!r} follows the last column, {header[-1]!r}: "
    raise DataError(
        f"{where}{what}the row has {len(row)} fields and the header {len(header)}",
        hint=f"fields are separated by {_DELIMITERS[delimiter]}; quote a field that holds one",
    )


def _number(cell: str) -> float | None:
    """The finite number that a cell holds, or None. Python's 1_000 is no number in a file."""
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if math.isfinite(value) and "_" not in cell else None


def _numbers(cells: _Cells, index: int) -> np.ndarray | None:
    """A column of numbers as float64, or None where it holds categories.

    A column in which 9 of 10 cells or more are numbers is one of numbers: any other cell in it
    is an error, as is a missing one in any column.
    """
    column = cells.column(index)
    values = [_number(cell) for cell in column]
    found = np.array([value is not None for value in values])
    if found.all():
        return np.array(values, np.float64)
    empty = next((row for row, cell in enumerate(column) if cell == ""), None)
    if empty is not None:
        _refuse_cell(cells, index, empty, "is missing")
    missing = np.array([cell.lower() in _MISSING for cell in column])
    if missing.any() and found.any() and (found | missing).all():
        row = int(missing.argmax())
        _refuse_cell(cells, index, row, f"is missing ({column[row]!r})")
    if found.mean() >= 0.9:
        row = int(found.argmin())
        _refuse_cell(cells, index, row, f"is {column[row]!r} in a column of numbers")
    return None


def _refuse_cell(cells: _Cells, index: int, row: int, what: str) -> None:
    raise DataError(
        f"{cells.path.name}, line {cells.lines[row]}: column {cells.header[index]!r} {what}",
        hint="fill in the value, or leave the row or the column out",
    )


def _feature(cells: _Cells, index: int) -> tuple[list[str], np.ndarray, str]:
    """The features that a column becomes: their names, ``(rows, count)`` values, and a note."""
    name = cells.header[index]
    numbers = _numbers(cells, index)
    if numbers is not None:
        if numbers.min() == numbers.max():
            return [], np.empty((len(numbers), 0)), _constant(name, cells.rows[0][index])
        return [name], numbers[:, None], ""
    column = np.array(cells.column(index))
    categories, codes = np.unique(column, return_inverse=True)
    if len(categories) == 1:
        return [], np.empty((len(column), 0)), _constant(name, str(categories[0]))
    if len(categories) > MOST_CATEGORIES:
        raise DataError(
            f"{cells.path.name}: column {name!r} has {len(categories)} different texts, such as "
            f"{str(column[0])!r}; at most {MOST_CATEGORIES} can be categories",
            hint="write numbers with a decimal point"
            if _DECIMAL_COMMA.fullmatch(str(column[0]))
            else "leave the column out, or join its values to fewer groups",
        )
    names = [f"{name}={category}" for category in categories]
    note = f"{name!r} is a column of {len(categories)} categories"
    return names, np.eye(len(categories))[codes], note


def _constant(name: str, value: str) -> str:
    return f"{name!r} is {value.strip()!r} in every row and was left out"


def _target(
    cells: _Cells, target: str, kind: str | None
) -> tuple[np.ndarray, Literal["classification", "regression"], tuple[str, ...]]:
    """The target as text, int64 labels or float64, its kind, and the note that says why."""
    index = cells.header.index(target)
    numbers = _numbers(cells, index)
    if numbers is None:
        text = np.array(cells.column(index))
        if kind == "regression":
            raise DataError(
                f"{cells.path.name}: the target {target!r} holds text such as {str(text[0])!r}: no "
                "numbers to regress on",
                hint="--kind classification",
            )
        note = () if kind else (f"{target!r} holds text: a classification",)
        return text, "classification", note
    whole = bool((numbers == np.floor(numbers)).all()) and np.abs(numbers).max() < 2**53
    found, why = inferred_kind(numbers.astype(np.int64) if whole else numbers)
    if whole and (kind or found) == "classification":
        numbers = numbers.astype(np.int64)
    if kind is None:
        other = "classification" if found == "regression" else "regression"
        return numbers, found, (f"{target!r} holds {why}: a {found}; --kind {other} changes that",)
    return numbers, "classification" if kind == "classification" else "regression", ()
