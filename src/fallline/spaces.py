"""Ranges of hyper-parameters, and the grids that a search walks over."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from fallline.errors import InputError

HALF_DECADE = math.sqrt(10.0)
WRITTEN_DIGITS = 3
"""Values that a search finds are rounded to what people would write down."""
MOST_POINTS = 99
"""Half decades to either side that no figure of a training outlives."""


Scale = Literal["log", "linear", "log_one_minus"]


@dataclass(frozen=True)
class Range:
    """The values that a hyper-parameter may sensibly take.

    ``scale`` says in which coordinate a search moves: ``"log"`` (learning rates, epsilon),
    ``"linear"``, or ``"log_one_minus"`` (momenta: the logarithm of ``1 - value``).
    """

    low: float
    high: float
    scale: Scale = "log"

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ValueError(f"a range needs low < high, got {self.low} and {self.high}")
        if self.scale == "log" and self.low <= 0:
            raise ValueError(f"a range on a log scale needs low > 0, got {self.low}")
        if self.scale == "log_one_minus" and self.high >= 1:
            raise ValueError(f"a range of 1 - value on a log scale needs high < 1, got {self.high}")

    def at(self, share: float) -> float:
        """The value at ``share`` of the way from ``low`` (0) to ``high`` (1), in the scale.

        Shares beyond 0 and 1 give values beyond the ends.
        """
        if self.scale == "linear":
            return self.low + share * (self.high - self.low)
        if self.scale == "log":
            return self.low * (self.high / self.low) ** share
        rest_low, rest_high = 1.0 - self.low, 1.0 - self.high
        return 1.0 - rest_low * (rest_high / rest_low) ** share

    def share(self, value: float) -> float:
        """Where ``value`` lies from ``low`` (0) to ``high`` (1): the inverse of :meth:`at`.

        A value that the scale does not know (0 on a log scale) lies at the nearer end.
        """
        if self.scale == "linear":
            return (value - self.low) / (self.high - self.low)
        if self.scale == "log":
            return _log_share(value, self.low, self.high) if value > 0 else 0.0
        return _log_share(1.0 - value, 1.0 - self.low, 1.0 - self.high) if value < 1 else 1.0


@dataclass(frozen=True)
class Dimension:
    """A hyper-parameter that a search varies: its range, and its axis of the cube."""

    name: str
    axis: int
    low: float
    high: float
    scale: Scale
    per_learning_rate: bool = False
    """The range is of its ratio to the learning rate."""

    @property
    def range(self) -> Range:
        return Range(self.low, self.high, self.scale)

    def value(self, share: float, learning_rate: float | None) -> float:
        """The value at ``share`` of the range, rounded."""
        found = self.range.at(share)
        if self.per_learning_rate and learning_rate is not None:
            found *= learning_rate
        if self.scale == "log_one_minus":
            return round(1.0 - digits(1.0 - found, WRITTEN_DIGITS), 12)
        return digits(found, WRITTEN_DIGITS)

    def share(self, setting: Mapping[str, float]) -> float:
        """Where a setting lies in the range, 0 to 1."""
        value = setting[self.name]
        if self.per_learning_rate and "learning_rate" in setting:
            value /= setting["learning_rate"]
        return min(1.0, max(0.0, self.range.share(value)))


def _log_share(value: float, low: float, high: float) -> float:
    return math.log(value / low) / math.log(high / low)


def digits(value: float, count: int) -> float:
    """``value`` to ``count`` significant digits."""
    return float(f"{value:.{count - 1}e}")


def two_digits(value: float) -> float:
    """``value`` to two significant digits, as people write learning rates."""
    return digits(value, 2)


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
