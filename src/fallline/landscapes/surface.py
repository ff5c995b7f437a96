"""A landscape: a function of one or two variables, and where to look at it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from fallline.errors import InputError
from fallline.landscapes.expression import Expression, parse

Point = tuple[float, ...]
"""One number per variable."""

WIDEST = 1e12
"""Coordinates beyond it are no place to look at."""
_HALF = 4.0
"""Half the width of the box of an expression that comes without one."""
_STARTS: tuple[Point, ...] = ((-0.75, 0.75), (0.75, 0.75), (0.75, -0.75), (0.25, 0.25))
"""Places to start from, as parts of the half box; the first where the function has a value."""


@dataclass(frozen=True)
class Box:
    """The part of the plane (or line) that is drawn: its lowest and highest corner."""

    low: Point
    high: Point

    def __post_init__(self) -> None:
        numbers = [*self.low, *self.high]
        usable = all(math.isfinite(each) and abs(each) <= WIDEST for each in numbers)
        if not usable or any(a >= b for a, b in zip(self.low, self.high, strict=True)):
            raise InputError(
                f"a box goes from lower to higher finite numbers, got {_listed(self.low)} to "
                f"{_listed(self.high)}",
                hint="for example --box -2,2 or --box -2,2,-1,3",
            )

    @property
    def size(self) -> Point:
        return tuple(b - a for a, b in zip(self.low, self.high, strict=True))

    def around(self, point: Point) -> Box:
        """This box, made larger where ``point`` is not well inside of it."""
        low = [
            min(a, each - 0.03 * size)
            for a, each, size in zip(self.low, point, self.size, strict=True)
        ]
        high = [
            max(b, each + 0.03 * size)
            for b, each, size in zip(self.high, point, self.size, strict=True)
        ]
        return Box(tuple(low), tuple(high))


@dataclass(frozen=True)
class Minimum:
    """A place where the gradient is zero and no neighbour is lower."""

    at: Point
    value: float


@dataclass(frozen=True)
class Landscape:
    """A function with its start, its view, and what is known of it."""

    name: str
    title: str
    expression: Expression
    start: Point
    box: Box
    minima: tuple[Minimum, ...] = ()
    """All those inside of the box, where they are known; the lowest first."""
    note: str = ""
    source: str = ""
    optimizers: tuple[str, ...] = ("sgd", "momentum", "rmsprop", "adam")
    """Whose paths are shown unless others are chosen."""
    learning_rates: dict[str, float] = field(default_factory=dict)
    """Where the source has them; the others are tuned."""
    steps: int = 200
    """The steps of a walk unless others are asked for."""
    built_in: bool = True

    @property
    def dimensions(self) -> int:
        return len(self.expression.variables)

    @property
    def variables(self) -> tuple[str, ...]:
        return self.expression.variables

    @property
    def equation(self) -> str:
        return f"f({', '.join(self.variables)}) = {self.expression.text}"

    @property
    def lowest(self) -> float | None:
        """The value of the lowest minimum that is known; None if there is none."""
        return min((each.value for each in self.minima), default=None)

    def values(self, *coordinates: Any) -> np.ndarray:
        """f by NumPy, float64, of arrays that fit each other; NaN or infinite where undefined."""
        point = [np.asarray(each, float) for each in coordinates]
        with np.errstate(all="ignore"):
            found = self.expression(point, np)
        return np.broadcast_to(np.asarray(found, float), np.broadcast_shapes(*map(np.shape, point)))

    def at(self, start: Point | None = None, box: tuple[float, ...] | None = None) -> Landscape:
        """The same function from another start, in another box (low, high of each variable)."""
        changed = self
        if box is not None:
            if len(box) != 2 * self.dimensions:
                raise InputError(
                    f"a box of {self.name} has {2 * self.dimensions} numbers, got {len(box)}",
                    hint=f"the lowest and the highest {' and '.join(self.variables)}",
                )
            changed = replace(changed, box=Box(tuple(box[::2]), tuple(box[1::2])))
        if start is None:
            moved = box is not None and not self.built_in
            start = _start(changed) if moved else changed.start
        if len(start) != self.dimensions:
            raise InputError(
                f"a start of {self.name} has {self.dimensions} "
                f"{'number' if self.dimensions == 1 else 'numbers'}, got {len(start)}: "
                f"{_listed(start)}",
                hint=f"give {','.join(self.variables)}: --start {_listed(self.start)}",
            )
        if not all(math.isfinite(each) and abs(each) <= WIDEST for each in start):
            raise InputError(
                f"a start has finite numbers up to {WIDEST:g}, got {_listed(start)}",
                hint=f"for example --start {_listed(self.start)}",
            )
        changed = replace(changed, start=tuple(float(each) for each in start))
        if not np.isfinite(changed.values(*changed.start)):
            raise InputError(
                f"f has no finite value at the start {_listed(changed.start)}",
                hint="choose another one with --start",
            )
        return replace(changed, box=changed.box.around(changed.start))


def of_expression(text: str) -> Landscape:
    """The landscape of an expression that a user typed, from a start that it has a value at."""
    expression = parse(text)
    count = len(expression.variables)
    box = Box((-_HALF,) * count, (_HALF,) * count)
    blank = Landscape(
        name=expression.text,
        title=f"A function of {' and '.join(expression.variables)}",
        expression=expression,
        start=(0.0,) * count,
        box=box,
        built_in=False,
    )
    return replace(blank, start=_start(blank))


def _start(landscape: Landscape) -> Point:
    """The first of the usual starting places, scaled to the box, where f is finite."""
    box = landscape.box
    places = [
        tuple(
            (a + b) / 2 + part * (b - a) / 2
            for a, b, part in zip(box.low, box.high, parts, strict=False)
        )
        for parts in _STARTS
    ]
    return next((each for each in places if np.isfinite(landscape.values(*each))), places[0])


def _listed(point: Any) -> str:
    return ",".join(f"{each:g}" for each in point)
