"""How figures are laid out along an axis: shares, logarithms, or plainly, with round ticks."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

LOG_FROM = 8.0
"""Largest over smallest value from which an error is drawn on a logarithmic scale."""
_SHARE_TICKS = (0.0, 0.2, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 0.9999)
_SMALLEST_ERROR = 1e-4
_SMALLEST_LOSS = 1e-5
_MARGIN = 0.06
_FEW = 4


@dataclass(frozen=True)
class Scale:
    """An axis. ``kind``: ``"share"`` (the distance from 1, logarithmic), ``"log"``, ``"linear"``.

    ``low`` and ``high`` are its ends with a margin, ``ticks`` its marks, all in the figure's units.
    """

    kind: str
    low: float
    high: float
    ticks: tuple[float, ...]

    def texts(self) -> tuple[str, ...]:
        """The ticks' labels."""
        if self.kind == "share":
            return tuple(f"{100 * tick:.6g} %" for tick in self.ticks)
        return tuple(f"{tick:.6g}" for tick in self.ticks)


def scale(values: np.ndarray, *, share: bool) -> Scale:
    """The scale for ``values``, of any shape; what is not finite is left out."""
    known = values[np.isfinite(values)]
    if not len(known):
        known = np.array([0.5, 0.9])
    if share:
        return _shares(known)
    positive = known[known > 0]
    if len(positive) and known.max() > LOG_FROM * positive.min():
        return _log(max(float(positive.min()), _SMALLEST_LOSS), float(known.max()))
    low, high = float(known.min()), float(known.max())
    margin = _MARGIN * (high - low) or max(0.1 * abs(high), 1e-6)
    low, high = low - margin, high + margin
    return Scale("linear", low, high, round_ticks(low, high))


def _shares(known: np.ndarray) -> Scale:
    high = min(float(known.max()), 1.0 - _SMALLEST_ERROR)
    # The error at the lower end is at least twice that at the upper one.
    low = max(min(float(known.min()), 2.0 * high - 1.0), 0.0)
    ends = math.log(1.0 - low), math.log(1.0 - high)
    margin = _MARGIN * (ends[0] - ends[1])
    low, high = 1.0 - math.exp(ends[0] + margin), 1.0 - math.exp(ends[1] - margin)
    ticks = tuple(tick for tick in _SHARE_TICKS if low <= tick <= high)
    if len(ticks) < _FEW:
        ticks = tuple(tick for tick in round_ticks(low, high) if tick < 1.0)
    return Scale("share", low, high, ticks)


def _log(low: float, high: float) -> Scale:
    high = max(high, 1.1 * low)
    margin = (high / low) ** _MARGIN
    low, high = low / margin, high * margin
    decades = math.log10(high / low)
    digits = (1, 2, 5) if decades < 2.5 else (1,)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = (digit * 10.0**power for power in powers for digit in digits)
    return Scale("log", low, high, tuple(tick for tick in ticks if low <= tick <= high))


def round_ticks(low: float, high: float) -> tuple[float, ...]:
    """Three to seven round numbers from ``low`` to ``high``, evenly spaced."""
    rough = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(size * power for size in (1, 2, 5, 10) if size * power >= 0.999 * rough)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return tuple(float(f"{at * step:.9g}") for at in range(first, last + 1))
