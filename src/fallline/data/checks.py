"""What arrays must be before they are a data set: each fault named with its place and value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from fallline.data.streamed import Shards, as_streamed
from fallline.errors import DataError, InputError, near_matches

MANY_CODES = 20
"""Whole numbers that count from 0 or 1 are class codes up to this many, else measurements."""


@dataclass(frozen=True, eq=False)
class Targets:
    """Targets as a data set stores them, and the names of the classes they index."""

    y: np.ndarray
    kind: Literal["classification", "regression"]
    classes: tuple[str, ...] = ()
    labels: tuple[Any, ...] = ()
    """What was found in the data for each class: text, or whole numbers."""
    notes: tuple[str, ...] = ()


def float_type(dtype: DTypeLike) -> np.dtype:
    """The float type that inputs are stored in: float32 or float64."""
    found = np.dtype(dtype)
    if found not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise InputError(f"dtype is {found}", hint="give float32 or float64; uint8 stays uint8")
    return found


def inputs(x: ArrayLike | Shards, dtype: np.dtype, *, what: str = "x") -> np.ndarray | Shards:
    """``x`` as ``(n, ...)`` uint8 or ``dtype``, finite and not empty; on disk where it was."""
    shards = as_streamed(x)
    array = _array(x, what) if shards is None else shards
    if array.ndim < 2:
        raise DataError(
            f"{what} has shape {array.shape}: one axis of examples and one or more of features "
            "are needed",
            hint=f"for a single feature give {what}.reshape(-1, 1)",
        )
    if 0 in array.shape:
        raise DataError(f"{what} has shape {array.shape}: it holds no data")
    if array.dtype == np.uint8:
        return array
    if isinstance(array, Shards):
        return _streamed_floats(array, dtype, what)
    return _floats(array, dtype, what)


def feature_names(names: Sequence[str], x: np.ndarray | Shards) -> tuple[str, ...]:
    """The names of a table's columns; none is fine."""
    if names and (x.ndim != 2 or len(names) != x.shape[1]):
        raise InputError(f"{len(names)} names of features for x of shape {x.shape}")
    return tuple(str(name) for name in names)


def targets(
    y: ArrayLike,
    rows: int,
    *,
    kind: str | None = None,
    classes: Sequence[str] = (),
    dtype: np.dtype,
    what: str = "y",
) -> Targets:
    """``y`` as class indices or as numbers; ``kind`` is inferred where it is None."""
    array = _array(y, what, labels=True)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim not in (1, 2):
        raise DataError(f"{what} has shape {array.shape}: it must be (n,), or (n, k) numbers")
    same_length(rows, len(array), what)
    if kind not in (None, "classification", "regression"):
        raise InputError(f"kind is {kind!r}", hint="give 'classification' or 'regression'")
    notes: tuple[str, ...] = ()
    if kind is None:
        kind, why = ("classification", "") if classes else inferred_kind(array)
        notes = (f"{what} holds {why}: a {kind}; give kind= to change that",) if why else ()
    if kind == "classification":
        return _classified(array, classes, what, notes)
    if array.dtype.kind not in "fiub":
        raise DataError(
            f"{what} holds text such as {str(array.flat[0])!r}: no numbers to regress on",
            hint="use kind='classification', or give numbers",
        )
    return Targets(_floats(array, dtype, what), "regression", notes=notes)


def inferred_kind(y: np.ndarray) -> tuple[Literal["classification", "regression"], str]:
    """The kind of problem, and what in the values of ``y`` says so.

    Text and booleans are classes; whole numbers are where there are exactly 2 of them, or
    where they count from 0 or 1 without a gap to at most 20; all else is a regression.
    """
    if y.ndim == 2:
        return "regression", f"{y.shape[1]} columns"
    if y.dtype.kind not in "fiu":
        what = "booleans" if y.dtype.kind == "b" else "text"
        return "classification", what
    if y.dtype.kind == "f":
        return "regression", "numbers with fractions"
    return _kind_of_integers(np.unique(y))


def _kind_of_integers(values: np.ndarray) -> tuple[Literal["classification", "regression"], str]:
    low, high = int(values[0]), int(values[-1])
    if len(values) == 2:
        return "classification", f"the two values {low} and {high}"
    counted = low in (0, 1) and high - low + 1 == len(values)
    if counted and 2 <= len(values) <= MANY_CODES:
        return "classification", f"the codes {low} to {high}"
    return "regression", f"whole numbers from {low} to {high}"


def held_out(
    pair: tuple[ArrayLike | Shards, ArrayLike],
    what: str,
    x: np.ndarray | Shards,
    known: Targets,
) -> tuple[np.ndarray | Shards, np.ndarray]:
    """Given validation or test arrays, in the form and with the classes of the training ones."""
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        raise InputError(f"{what} must be a pair (x, y)")
    dtype = known.y.dtype if known.kind == "regression" else np.dtype(np.float32)
    more = inputs(pair[0], x.dtype if x.dtype != np.uint8 else dtype, what=f"{what}'s x")
    if more.shape[1:] != x.shape[1:] or more.dtype != x.dtype:
        raise DataError(
            f"{what} has examples of {more.shape[1:]} {more.dtype}, the training data of "
            f"{x.shape[1:]} {x.dtype}",
            hint="give both in the same form",
        )
    name = f"{what}'s y"
    if known.kind == "regression":
        y = targets(pair[1], len(more), kind="regression", dtype=dtype, what=name).y
        if y.shape[1:] != known.y.shape[1:]:
            raise DataError(f"{name} has shape {y.shape}, the training target {known.y.shape}")
        return more, y
    labels = _label_array(_array(pair[1], name, labels=True), name)
    same_length(len(more), len(labels), name)
    return more, _indices(labels, known.labels, name)


def same_length(examples: int, targets: int, what: str = "y") -> None:
    """Raise DataError unless there is a target for every example."""
    if examples != targets:
        raise DataError(
            f"x has {examples} examples and {what} {targets} targets",
            hint="give one target for every example",
        )


def _array(values: ArrayLike, what: str, *, labels: bool = False) -> np.ndarray:
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise DataError(f"{what} is no array: {error}", hint="give rows of equal length") from None
    if labels and isinstance(values, np.memmap):
        array = array.copy()
    if labels and array.dtype == object and array.ndim:
        # Python's own mixtures, and the text columns of pandas.
        width = max(1, array.size // max(1, len(array)))
        plain = [_plain(value, place // width, what) for place, value in enumerate(array.flat)]
        array = np.asarray(plain).reshape(array.shape)
    if array.dtype.kind not in ("fiubUST" if labels else "fiub"):
        raise _no_numbers(what, array.dtype)
    return array


def _no_numbers(what: str, dtype: np.dtype) -> DataError:
    return DataError(
        f"{what} holds values of type {dtype}",
        hint="give numbers; write text columns as numbers or as one column per category",
    )


def _plain(value: Any, row: int, what: str) -> Any:
    if value is None or (isinstance(value, float) and value != value):
        raise DataError(f"{what} has no value in row {row}", hint="fill it in or drop the row")
    return value


def _floats(array: np.ndarray, dtype: np.dtype, what: str) -> np.ndarray:
    """``array`` as ``dtype``; raises where a value is NaN or infinite, before or after."""
    with np.errstate(over="ignore"):
        cast = array.astype(dtype, copy=False)
    finite = np.isfinite(cast)
    if not finite.all():
        place = np.unravel_index(int(finite.argmin()), array.shape)
        count = int((~finite).sum())
        raise _not_finite(what, array[place], tuple(map(int, place)), count, dtype)
    return np.ascontiguousarray(cast)


def _streamed_floats(x: Shards, dtype: np.dtype, what: str) -> Shards:
    """``x`` as ``dtype`` once it is read; the same checks as in memory, in a pass over it."""
    if x.dtype.kind not in "fiub":
        raise _no_numbers(what, x.dtype)
    cast = x.astype(dtype)
    if x.dtype.kind != "f":
        return cast
    place: tuple[int, ...] | None = None
    count = 0
    for rows in cast.chunks():
        finite = np.isfinite(cast[rows])
        count += int(finite.size - np.count_nonzero(finite))
        if count and place is None:
            row, *column = map(int, np.unravel_index(int(finite.argmin()), finite.shape))
            place = (rows.start + row, *column)
    if place is not None:
        raise _not_finite(what, x[place[0]][place[1:]], place, count, dtype)
    return cast


def _not_finite(
    what: str, value: Any, place: tuple[int, ...], count: int, dtype: np.dtype
) -> DataError:
    column = f", column {', '.join(map(str, place[1:]))}" if place[1:] else ""
    return DataError(
        f"{what} is {value} in row {place[0]}{column} (counted from 0); {count} such values in all",
        hint=f"fill in or drop rows with NaN, infinite, or too large values for {dtype}",
    )


def _classified(
    array: np.ndarray, classes: Sequence[str], what: str, notes: tuple[str, ...]
) -> Targets:
    array = _label_array(array, what)
    names = tuple(str(name) for name in classes)
    if len(array) == 0:
        raise DataError(f"{what} holds no labels")
    if names:
        labels: tuple[Any, ...] = names if array.dtype.kind == "U" else tuple(range(len(names)))
        if len(set(names)) < max(2, len(names)):
            raise InputError(f"classes are {list(names)}", hint="give 2 or more different names")
        return Targets(_indices(array, labels, what), "classification", names, labels, notes)
    values = np.unique(array)
    labels = tuple(values.tolist())
    names = tuple(str(label) for label in labels)
    if len(labels) < 2:
        raise DataError(
            f"{what} holds the one class {names[0]!r}",
            hint="a classification needs 2 classes or more",
        )
    if array.dtype.kind != "U" and labels != tuple(range(len(labels))):
        notes += (f"{what}'s labels {_some(names)} are classes 0 to {len(labels) - 1}",)
    indices = np.searchsorted(values, array).astype(np.int32)
    return Targets(indices, "classification", names, labels, notes)


def _label_array(array: np.ndarray, what: str) -> np.ndarray:
    """Labels as ``(n,)`` text or int64; whole floats become integers, booleans 'False', 'True'."""
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise DataError(
            f"{what} has shape {array.shape}: one label for each example is needed",
            hint=f"for one-hot rows give {what}.argmax(axis=1)",
        )
    if array.dtype.kind in "USTb":
        return array.astype(str)
    if array.dtype.kind == "f":
        with np.errstate(invalid="ignore"):
            whole = np.isfinite(array) & (array == np.floor(array))
        if not whole.all():
            row = int(whole.argmin())
            raise DataError(
                f"{what} is {array[row]} in row {row} (counted from 0): class labels are whole "
                "numbers or text",
                hint="use kind='regression', or give labels",
            )
    return array.astype(np.int64)


def _indices(array: np.ndarray, labels: tuple[Any, ...], what: str) -> np.ndarray:
    """The place of each label among the known ``labels``, int32."""
    known = np.asarray(labels)
    if (known.dtype.kind == "U") != (array.dtype.kind == "U"):
        raise DataError(
            f"{what} holds labels such as {array[0].item()!r}, not such as {labels[0]!r}"
        )
    order = np.argsort(known)
    place = order[np.minimum(np.searchsorted(known, array, sorter=order), len(known) - 1)]
    wrong = known[place] != array
    if wrong.any():
        row = int(wrong.argmax())
        label = str(array[row])
        near = near_matches(label, map(str, labels)) if known.dtype.kind == "U" else []
        raise DataError(
            f"{what} has the label {label!r} in row {row} (counted from 0), which is not among "
            f"the {len(labels)} classes {_some(tuple(map(str, labels)))}",
            hint=f"did you mean {near[0]!r}?" if near else "correct the label, or drop its rows",
        )
    return place.astype(np.int32)


def _some(names: tuple[str, ...]) -> str:
    shown = names if len(names) <= 6 else (*names[:3], "...", names[-1])
    return ", ".join(shown)
