"""Ranges of hyper-parameters, and the grids that a search walks over."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from fallline.errors import InputError

HALF_DECADE = math.sqrt(10.0)
MOST_POINTS = 99
"""Half decades to either side that no figure of a training outlives."""


@dataclass(frozen=True)
class Range:
    """The values that a hyper-parameter may sensibly take.

    ``scale`` says in which coordinate a search moves: ``"log"`` (learning rates, epsilon),
    ``"linear"``, or ``"log_one_minus"`` (momenta: the logarithm of ``1 - value``).
    """

    low: float
    high: float
    scale: Literal["log", "linear", "log_one_minus"] = "log"

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ValueError(f"a range needs low < high, got {self.low} and {self.high}")
        if self.scale == "log" and self.low <= 0:
            raise ValueError(f"a range on a log scale needs low > 0, got {self.low}")
        if self.scale == "log_one_minus" and self.high >= 1:
            raise ValueError(f"a range of 1 - value on a log scale needs high < 1, got {self.high}")


def two_digits(value: float) -> float:
    """``value`` to two significant digits, as people write learning rates."""
    return float(f"{value:.1e}")


def log_grid(centre: float, points: int, *, step: float = HALF_DECADE) -> tuple[float, ...]:
    """``points`` values around ``centre``, neighbours a factor of ``step`` apart, ascending.

    With an even number of points the additional one lies above the centre. Values are rounded
    to two significant digits.
    """
    if not 1 <= points <= MOST_POINTS:
        raise InputError(f"a grid takes 1 to {MOST_POINTS} points, got {points}")
    below = (points - 1) // 2
    return tuple(two_digits(centre * step**k) for k in range(-below, points - below))


def widened(
    grid: Sequence[float], best: float, *, points: int = 2, step: float = HALF_DECADE
) -> tuple[float, ...]:
    """The ``points`` values to add where ``best`` lies on a border of ``grid``; else none."""
    ordered = sorted(grid)
    if best == ordered[-1]:
        return tuple(two_digits(best * step**k) for k in range(1, points + 1))
    if best == ordered[0]:
        return tuple(two_digits(best * step**-k) for k in range(points, 0, -1))
    return ()
