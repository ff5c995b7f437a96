"""What a picture of a landscape is made of, computed without drawing: axes, levels, segments.

A landscape of two variables is seen from above, with contours. One of a single variable is seen
from the side: its curve, and every path as points ``(x, f(x))`` on it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fallline.landscapes.paths import Path, Walk

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#AA4499", "#000000", "#B8860B", "#56B4E9", "#882255")
"""Told apart by the colour-blind; a path's place in the walk says which is its own."""
MARKERS = ("circle", "square", "triangle", "diamond")
DASHES = ("", "7 4", "2 4")
"""A second and third round through the colours is dashed."""

GRID = 141
CURVE = 801
LEVELS = 15
_STEEP = 0.12
"""Contours go by even ratios where half of the heights lie below this share of the highest."""
_HIGHEST = 1e200
"""Heights that are drawn: differences of larger ones overflow."""
_MARGIN = 0.6
"""Segments are cut this many boxes outside of what is seen, so that none ends in sight."""


@dataclass(frozen=True)
class Axis:
    """An axis with its ticks; ``log`` ones have their ends and ticks as powers of ten."""

    low: float
    high: float
    log: bool
    title: str
    ticks: tuple[tuple[float, str], ...]

    def share(self, values: np.ndarray) -> np.ndarray:
        """Where ``values`` lie: 0 at the low end, 1 at the high one."""
        if self.log:
            with np.errstate(all="ignore"):
                values = np.log10(np.maximum(values, 10.0**self.low))
        return (values - self.low) / (self.high - self.low)


@dataclass(frozen=True)
class Style:
    """How a path is drawn."""

    colour: str
    marker: str
    dash: str


def style(place: int) -> Style:
    """The style of the path at ``place`` of a walk."""
    rounds = place // len(COLOURS) % len(DASHES)
    marker = MARKERS[(place + place // len(COLOURS)) % len(MARKERS)]
    return Style(COLOURS[place % len(COLOURS)], marker, DASHES[rounds])


@dataclass(frozen=True)
class Picture:
    """A walk as it is drawn."""

    walk: Walk

    @property
    def flat(self) -> bool:
        """Whether it is seen from above."""
        return self.walk.landscape.dimensions == 2

    @cached_property
    def x(self) -> np.ndarray:
        """The grid's first coordinates, or the curve's."""
        box = self.walk.landscape.box
        return np.linspace(box.low[0], box.high[0], GRID if self.flat else CURVE)

    @cached_property
    def y(self) -> np.ndarray:
        """The grid's second coordinates, or the curve's heights (NaN where there is none)."""
        ground = self.walk.landscape
        if self.flat:
            return np.linspace(ground.box.low[1], ground.box.high[1], GRID)
        return _finite(ground.values(self.x))

    @cached_property
    def z(self) -> np.ndarray:
        """Heights over the grid, shape ``(GRID, GRID)``, the second variable first."""
        assert self.flat
        return _finite(self.walk.landscape.values(*np.meshgrid(self.x, self.y)))

    @cached_property
    def levels(self) -> np.ndarray:
        """The heights of the contours, rising; none where the function is the same everywhere."""
        return levels(self.z, self.walk.landscape.lowest)

    @cached_property
    def axes(self) -> tuple[Axis, Axis]:
        """Horizontal and vertical."""
        ground = self.walk.landscape
        names = ground.variables
        first = linear_axis(ground.box.low[0], ground.box.high[0], names[0])
        if self.flat:
            return first, linear_axis(ground.box.low[1], ground.box.high[1], names[1])
        start = float(ground.values(*ground.start))
        low, high = visible(self.y, reach=4.0)
        low, high = min(low, start), max(high, start)
        edge = 0.06 * (high - low)
        return first, linear_axis(low - edge, high + edge, f"f({names[0]})")

    def seen(self, points: np.ndarray) -> np.ndarray:
        """Points of the landscape, ``(count, dimensions)``, as points of the picture,
        ``(count, 2)``."""
        if self.flat:
            return points
        return np.stack([points[:, 0], self.walk.landscape.values(points[:, 0])], axis=1)

    def placed(self, points: np.ndarray) -> np.ndarray:
        """Points of the landscape as shares of the picture's width and height, from below."""
        seen = self.seen(points)
        return np.stack([axis.share(seen[:, at]) for at, axis in enumerate(self.axes)], axis=1)

    def segments(self, path: Path) -> np.ndarray:
        """Where each step is drawn: ``(steps, 4)``, its two ends as shares; NaN if out of sight."""
        return clipped(self.placed(path.points), -_MARGIN, 1 + _MARGIN)

    @cached_property
    def height_axis(self) -> Axis:
        """The axis of the heights by step."""
        return _height_axis(self.walk, self.axes[1] if not self.flat else None, self._in_box)

    @property
    def _in_box(self) -> list[np.ndarray]:
        """The heights of each path until it first leaves what is seen."""
        found = []
        for path in self.walk.paths:
            placed = self.placed(path.points)
            with np.errstate(invalid="ignore"):
                out = np.asarray(~((placed >= -0.02) & (placed <= 1.02)).all(axis=1))
            end = int(np.argmax(out)) if out.any() else len(out)
            found.append(path.values[: max(1, end)])
        return found

    def heights(self, path: Path) -> np.ndarray:
        """What is drawn over the steps, in the units of :attr:`height_axis`."""
        return path.values - (self.walk.landscape.lowest or 0.0)


def _finite(values: np.ndarray) -> np.ndarray:
    """``values``, NaN where there is none that can be drawn."""
    return np.where(np.abs(values) < _HIGHEST, values, np.nan)


def levels(z: np.ndarray, lowest: float | None) -> np.ndarray:
    """Rising heights of contours, closer below where most of the land is low.

    Half of the area lies below the middle one; where the edges are much steeper than the middle,
    they go by even ratios above the lowest height.
    """
    known = z[np.isfinite(z)]
    if not known.size or known.min() == known.max():
        return np.zeros(0)
    low, high = visible(known)
    if lowest is not None and lowest > low:
        lowest = None
    middle = (float(np.median(known)) - low) / (high - low)
    if middle > _STEEP:
        bend = max(1.0, math.log(middle) / math.log(0.5)) if middle < 1 else 1.0
        return low + (high - low) * np.linspace(0, 1, LEVELS + 1)[1:-1] ** bend
    base = low if lowest is None else lowest
    above = known - base
    least = max(float(np.quantile(above, 0.003)), 1e-5 * (high - base))
    return base + np.geomspace(least, high - base, LEVELS)[:-1]


def visible(values: np.ndarray, reach: float = 50.0) -> tuple[float, float]:
    """The lowest and highest of ``values``, which differ; without the outermost 3 % where these
    go ``reach`` times as far as the rest, as at a pole."""
    known = values[np.isfinite(values)]
    if not known.size:
        return -1.0, 1.0
    low, high = float(known.min()), float(known.max())
    inner_low, inner_high = (float(each) for each in np.quantile(known, (0.03, 0.97)))
    if high - low > reach * (inner_high - inner_low) > 0:
        low, high = inner_low, inner_high
    if not high > low:
        low, high = low - max(1.0, abs(low)) / 2, high + max(1.0, abs(high)) / 2
    return low, high


def linear_axis(low: float, high: float, title: str) -> Axis:
    """An axis with about six round ticks."""
    step = 10.0 ** math.floor(math.log10((high - low) / 5))
    step *= next(each for each in (1, 2, 5, 10) if (high - low) / (step * each) <= 7)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    ticks = tuple((each * step, written(each * step)) for each in range(first, last + 1))
    return Axis(low, high, False, title, ticks)


def log_axis(low: float, high: float, title: str) -> Axis:
    """An axis of the positive numbers from ``low`` to ``high``, ticks at powers of ten, or
    closer ones where it spans few."""
    edge = 0.03 * max(math.log10(high / low), 0.3)
    bottom, top = math.log10(low) - edge, math.log10(high) + edge
    if top - bottom < 2.2:
        steps = (1, 2, 5) if top - bottom > 0.7 else (1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9)
        powers = range(math.floor(bottom), math.ceil(top) + 1)
        numbers = [each * 10.0**power for power in powers for each in steps]
        ticks = [(math.log10(each), written(each)) for each in numbers]
    else:
        every = math.ceil((top - bottom) / 7)
        first, last = math.ceil(bottom / every), math.floor(top / every)
        ticks = [(float(each * every), _power(each * every)) for each in range(first, last + 1)]
    seen = tuple((at, text) for at, text in ticks if bottom <= at <= top)
    return Axis(bottom, top, True, title, seen)


def written(number: float) -> str:
    """A tick's number, with a true minus."""
    return f"{number + 0.0:.6g}".replace("-", "\N{MINUS SIGN}")


def _power(exponent: int) -> str:
    if -3 <= exponent <= 3:
        return f"{10.0**exponent:g}"
    raised = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
    return f"10{str(exponent).translate(raised)}"


def _height_axis(walk: Walk, seen: Axis | None, in_box: list[np.ndarray]) -> Axis:
    """Logarithmic above the lowest known height, or where all are positive and far apart."""
    lowest = walk.landscape.lowest
    everything = np.concatenate(in_box)
    everything = everything[np.isfinite(everything)]
    names = ", ".join(walk.landscape.variables)
    above = everything - (lowest or 0.0)
    positive = above[above > 0]
    wide = positive.size and above.min() > 0 and above.max() > 100 * above.min()
    if (lowest is not None and positive.size) or wide:
        high = float(positive.max())
        low = max(float(positive.min()), 1e-10 * high)
        title = f"f({names})" if not lowest else f"f({names}) above its minimum"
        return log_axis(low, high, title)
    if seen is not None:
        return seen
    low, high = visible(everything)
    edge = 0.05 * (high - low)
    return linear_axis(low - edge, high + edge, f"f({names})")


def clipped(points: np.ndarray, low: float, high: float) -> np.ndarray:
    """The parts of the lines from each of ``points (count, 2)`` to the next that lie between
    ``low`` and ``high`` in both coordinates: ``(count - 1, 4)``, NaN where there is none.

    Liang and Barsky (1984): along ``a + t (b - a)``, each edge bounds t.
    """
    begin, change = points[:-1], np.diff(points, axis=0)
    with np.errstate(all="ignore"):
        ends = np.stack([(low - begin) / change, (high - begin) / change])
        still = change == 0
        enter = np.where(still, -np.inf, ends.min(axis=0)).max(axis=1).clip(0, 1)
        leave = np.where(still, np.inf, ends.max(axis=0)).min(axis=1).clip(0, 1)
        resting = (~still | ((begin >= low) & (begin <= high))).all(axis=1)
        inside = resting & (enter <= leave) & np.isfinite(change).all(axis=1)
        # A line that only touches the box from outside has both bounds at one end.
        first, last = begin + enter[:, None] * change, begin + leave[:, None] * change
        tolerance = 1e-6 * (high - low)
        for each in (first, last):
            inside &= ((each >= low - tolerance) & (each <= high + tolerance)).all(axis=1)
    return np.where(inside[:, None], np.concatenate([first, last], axis=1), np.nan)
