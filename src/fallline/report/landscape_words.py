"""What a walk's picture says in words: the figures of each path, and how it ended."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from fallline.landscapes.paths import Path, Walk
from fallline.landscapes.surface import Landscape
from fallline.records import Status
from fallline.report import formats

_CHOSEN = {
    "tuned": "tuned: the best of those tried",
    "default": "the catalogue's default",
    "given": "as given",
    "source": "as in the example",
}

AT_REST = 1e-6
"""The share of the first slope below which the last one counts as none."""

_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_LOWERED = str.maketrans("12", "₁₂")


@dataclass(frozen=True)
class Line:
    """A path in a table, every cell as text."""

    label: str
    title: str
    learning_rate: str
    chosen: str
    """Where the learning rate is from, in words."""
    others: str
    """The other hyper-parameters."""
    outcome: str
    diverged: bool


def line(walk: Walk, path: Path) -> Line:
    """The row of ``path`` in a table of ``walk``."""
    rate = path.learning_rate
    others = [
        f"{name.replace('_', ' ')} {number(value)}"
        for name, value in path.hyperparameters.items()
        if name != "learning_rate"
    ]
    return Line(
        label=path.label,
        title=path.title,
        learning_rate=formats.NONE if rate is None else formats.learning_rate(rate),
        chosen=_CHOSEN.get(path.chosen_by, "it has none"),
        others=", ".join(others),
        outcome=outcome(walk, path),
        diverged=path.status is Status.DIVERGED,
    )


def outcome(walk: Walk, path: Path) -> str:
    """How the path ended: ``at the minimum (1, 1)``, ``diverged at step 3``."""
    if path.status is Status.DIVERGED:
        return f"diverged at step {path.steps:,}"
    reached = walk.minimum_of(path)
    if reached is not None:
        lowest = reached.value == walk.landscape.lowest
        kind = "the minimum" if lowest else "a higher minimum"
        return f"at {kind} {point(reached.at)}"
    left = _left(walk, path)
    if left is not None:
        return f"left the box at step {left:,}"
    resting = path.slopes[-1] <= AT_REST * path.slopes[0]
    return f"{'at rest' if resting else 'ended'} at {point(path.points[-1])}"


def _left(walk: Walk, path: Path) -> int | None:
    """The step at which the path left the box for good; None if it ended inside."""
    low, high = (np.asarray(end) for end in (walk.landscape.box.low, walk.landscape.box.high))
    outside = np.asarray(((path.points < low) | (path.points > high)).any(axis=1))
    if not outside[-1]:
        return None
    return len(outside) - int(np.argmin(outside[::-1]))


def point(values: Iterable[float]) -> str:
    """``(1, −0.5)``, or ``x = 1``."""
    numbers = [number(float(each)) for each in values]
    return f"x = {numbers[0]}" if len(numbers) == 1 else f"({', '.join(numbers)})"


def number(value: float) -> str:
    """Four significant digits: ``1.234``, ``−0.5``, ``3.1e-12``."""
    if not math.isfinite(value):
        return "not finite" if math.isnan(value) else "infinite"
    size = abs(value)
    plain = size == 0 or 1e-4 <= size < 1e6
    text = f"{float(f'{value:.4g}'):.6g}" if plain else f"{value:.2e}"
    mantissa, mark, exponent = text.partition("e")
    if mark:
        text = f"{float(mantissa):g}e{int(exponent)}"
    return text.replace("-", "\N{MINUS SIGN}") if text != "-0" else "0"


def equation(ground: Landscape) -> str:
    """``f(x, y) = (1 − x)² + 100 (y − x²)²``: as it is printed, where text has signs for it."""
    text = ground.equation.replace("**", "^")
    text = re.sub(r"\bx([12])\b", lambda found: f"x{found[1].translate(_LOWERED)}", text)
    text = re.sub(r"\^(\d+)(?![\d.]|e[-+\d])", lambda found: found[1].translate(_RAISED), text)
    text = re.sub(r"(?<![0-9.]e)-", "\N{MINUS SIGN}", text)
    text = re.sub(r"\s*\*\s*", "\N{MIDDLE DOT}", text)
    return re.sub(r"\bpi\b", "π", text)


def about(walk: Walk) -> str:
    """What is walked, from where, in one sentence."""
    start = point(walk.landscape.start)
    steps = f"{walk.steps} step" if walk.steps == 1 else f"{walk.steps:,} steps"
    return f"{steps} from {start}, in float64"
