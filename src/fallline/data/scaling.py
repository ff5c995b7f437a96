"""Scaling of inputs and targets, fitted on training rows: offsets and scales, or normed rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

import numpy as np

from fallline.errors import DataError, InputError, unknown

if TYPE_CHECKING:
    from fallline.data.streamed import Shards

Scaling = Literal["unit", "zscore", "global_zscore", "row_norm", "none"]

_CHUNK = 4096
"""Rows taken into float64 at a time: statistics of images need no float copy of them all."""
_NUMBERS = 2**22
"""Numbers taken at a time: more rows than a chunk where they are small."""
_WIDE = 4096
"""Of examples with more numbers than this, no more rows are taken than make ``_NUMBERS``."""


def fit_inputs(
    x: np.ndarray | Shards,
    how: Scaling,
    *,
    unit_max: float = 255.0,
    dtype: np.dtype | type = np.float32,
) -> tuple[np.ndarray, np.ndarray]:
    """Offset and scale, of ``dtype``, so that ``(x - offset) * scale`` is scaled as asked.

    ``x``: ``(n, ...)`` training rows, in memory or on disk: read in chunks, and to the same
    numbers, bit by bit. The two have an example's shape (``unit`` of floats,
    ``zscore``) or none. ``row_norm`` is not affine: it is stored in the rows (``row_normed``),
    and its offset and scale are 0 and 1. A feature that never changes gets a scale of 1.
    """
    if how not in get_args(Scaling):
        raise unknown_scaling(how)
    offset, scale = np.zeros(()), np.ones(())
    if how == "unit" and x.dtype == np.uint8:
        if not unit_max > 0:
            raise InputError(f"unit_max is {unit_max}", hint="give the greatest value of a pixel")
        scale = np.asarray(1.0 / unit_max)
    elif how == "unit":
        low, high = _extremes(_by_rows(x))
        offset, scale = low, 1.0 / np.where(high > low, high - low, 1.0)
    elif how == "zscore":
        offset, deviation, constant = _moments(lambda: _by_rows(x), len(x))
        scale = 1.0 / np.where(constant | (deviation == 0), 1.0, deviation)
    elif how == "global_zscore":
        found = _moments(lambda: _by_numbers(x), math.prod(x.shape))
        offset, deviation = found.mean[0], found.deviation[0]
        scale = np.asarray(1.0 / deviation if deviation > 0 else 1.0)
    return np.asarray(offset, dtype), np.asarray(scale, dtype)


def fit_target(y: np.ndarray) -> tuple[float, float]:
    """Mean and deviation of a regression's target, over all its columns; a deviation of 0 is 1."""
    wide = y.astype(np.float64)
    deviation = float(wide.std())
    return float(wide.mean()), deviation if deviation > 0 else 1.0


def row_normed(x: np.ndarray, axis: int, dtype: np.dtype | type = np.float32) -> np.ndarray:
    """``x`` divided by its L2 norm along ``axis`` (1 or more, or negative); zeros stay zeros.

    For images ``(n, height, width)`` axis 1 takes the norm of every column of pixels, and for
    a table ``(n, features)`` that of every row.
    """
    if axis % x.ndim == 0 or not -x.ndim <= axis < x.ndim:
        raise InputError(
            f"norm_axis is {axis} for data of shape {x.shape}",
            hint=f"axes from 1 to {x.ndim - 1} lie within an example",
        )
    normed = np.empty(x.shape, dtype)
    for rows in _chunks(len(x)):
        wide = x[rows].astype(np.float64)
        norm = np.sqrt(np.square(wide).sum(axis=axis, keepdims=True))
        if not np.isfinite(norm).all():
            raise DataError(
                "an example's norm is too large for a float", hint="scale the data before"
            )
        normed[rows] = wide / np.where(norm > 0, norm, 1.0)
    return normed


def unknown_scaling(how: str) -> InputError:
    """The error for a scaling that does not exist."""
    return unknown("scaling", how, get_args(Scaling))


def _chunks(rows: int, size: int = _CHUNK) -> Iterator[slice]:
    return (slice(start, start + size) for start in range(0, rows, size))


def _by_rows(x: np.ndarray | Shards) -> Iterator[np.ndarray]:
    width = max(1, math.prod(x.shape[1:]))
    size = max(1 if width > _WIDE else _CHUNK, _NUMBERS // width)
    return (x[rows] for rows in _chunks(len(x), size))


def _by_numbers(x: np.ndarray | Shards) -> Iterator[np.ndarray]:
    """All numbers of ``x`` in their order, in columns ``(count, 1)``."""
    width = max(1, math.prod(x.shape[1:]))
    total = len(x) * width
    for begin in range(0, total, _NUMBERS):
        end = min(begin + _NUMBERS, total)
        first = begin // width
        column = x[first : -(-end // width)].reshape(-1, 1)
        yield column[begin - first * width : end - first * width]


def _extremes(chunks: Iterator[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The least and the greatest row of every feature, float64."""
    ends = [(chunk.min(axis=0), chunk.max(axis=0)) for chunk in chunks]
    low = np.minimum.reduce([least for least, _ in ends])
    high = np.maximum.reduce([greatest for _, greatest in ends])
    return low.astype(np.float64), high.astype(np.float64)


class _Moments(NamedTuple):
    """Of the rows, for every feature."""

    mean: np.ndarray
    deviation: np.ndarray
    """Of the population."""
    constant: np.ndarray
    """Whether all rows are equal."""


def _moments(chunks: Callable[[], Iterator[np.ndarray]], rows: int) -> _Moments:
    """Mean and deviation of the rows that ``chunks()`` gives, in float64, in two passes.

    The second pass subtracts the mean first: a sum of squares would lose a small deviation
    beside a large mean. One pass over pairs of chunks would not, but give other last bits than
    arrays in memory had, and with them other fingerprints.
    """
    mean, constant, first = np.zeros(()), np.ones((), bool), None
    for chunk in chunks():
        first = chunk[0].copy() if first is None else first
        mean = mean + chunk.sum(axis=0, dtype=np.float64)
        constant = constant & (chunk.min(axis=0) == first) & (chunk.max(axis=0) == first)
    mean = mean / rows
    square = np.zeros(mean.shape)
    for chunk in chunks():
        apart = chunk - mean
        square += np.square(apart, out=apart).sum(axis=0)
    return _Moments(mean, np.sqrt(square / rows), constant)
