"""Scaling of inputs and targets, fitted on training rows: offsets and scales, or normed rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, get_args

import numpy as np

from fallline.errors import DataError, InputError, unknown

Scaling = Literal["unit", "zscore", "global_zscore", "row_norm", "none"]

_CHUNK = 4096
"""Rows taken into float64 at a time: statistics of images need no float copy of them all."""


def fit_inputs(
    x: np.ndarray, how: Scaling, *, unit_max: float = 255.0, dtype: np.dtype | type = np.float32
) -> tuple[np.ndarray, np.ndarray]:
    """Offset and scale, of ``dtype``, so that ``(x - offset) * scale`` is scaled as asked.

    ``x``: ``(n, ...)`` training rows. The two have an example's shape (``unit`` of floats,
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
        low, high = x.min(axis=0).astype(np.float64), x.max(axis=0).astype(np.float64)
        offset, scale = low, 1.0 / np.where(high > low, high - low, 1.0)
    elif how == "zscore":
        offset, deviation = _moments(x)
        constant = (x.max(axis=0) == x.min(axis=0)) | (deviation == 0)
        scale = 1.0 / np.where(constant, 1.0, deviation)
    elif how == "global_zscore":
        offset, deviation = _moments(x.reshape(-1, 1))
        offset, deviation = offset[0], deviation[0]
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


def _moments(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation (of the population) over the rows, in float64, in two passes.

    The second pass subtracts the mean first: a sum of squares would lose a small deviation
    beside a large mean.
    """
    size = max(_CHUNK, 2**22 // max(1, x[0].size))
    mean = np.zeros(x.shape[1:])
    for rows in _chunks(len(x), size):
        mean += x[rows].sum(axis=0, dtype=np.float64)
    mean /= len(x)
    square = np.zeros(x.shape[1:])
    for rows in _chunks(len(x), size):
        square += np.square(x[rows] - mean).sum(axis=0)
    return mean, np.sqrt(square / len(x))
