"""What an optimizer asks of its user: trials, a learning rate, and time."""

from __future__ import annotations

import enum
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fallline.analysis import tunability
from fallline.analysis.reading import Reading
from fallline.analysis.summary import rows_of
from fallline.store.document import TaskDescription

FEWER = 0.5
"""Trials: at most so many times as many count as fewer. Chance alone does not halve them."""
WIDER = 0.5
"""Decades by which a basin of learning rates must be wider to count as such."""
FASTER = 0.8
"""Time: at most so many times as much counts as faster; timings of a machine differ by 10 %."""


class Advantage(enum.StrEnum):
    """What speaks for one of several that are as good."""

    NO_RATE = "no learning rate"
    FEWER_TRIALS = "fewer trials"
    WIDER_BASIN = "wider basin"
    FASTER_STEP = "faster step"
    SOONER = "sooner at the target"


TUNING = (Advantage.NO_RATE, Advantage.FEWER_TRIALS, Advantage.WIDER_BASIN)
"""Those that make tuning cheaper."""


@dataclass(frozen=True)
class Effort:
    """What one optimizer took. NaN for what was not measured."""

    optimizer: str
    needs_rate: bool
    """False where it has no learning rate to choose."""
    trials: float
    """The fewest trials of its search whose best is expected within the margin of its own best."""
    tried: int
    """Trials that its search made."""
    decades: float
    """Width of the basin of learning rates that lose at most 1 % of the best figure."""
    decades_open: bool
    """The basin reaches the end of the rates tried: it is at least so wide."""
    step_seconds: float
    target_seconds: float
    """Steps to the target times seconds per step; infinite where it is not reached."""

    def advantages(self, over: Effort) -> tuple[Advantage, ...]:
        """What this one is clearly better in than ``over``."""
        found = []
        if over.needs_rate and not self.needs_rate:
            found.append(Advantage.NO_RATE)
        if self.trials <= FEWER * over.trials:
            found.append(Advantage.FEWER_TRIALS)
        # A basin that is open may be wider than measured, so only the other one must not be.
        if self.decades >= over.decades + WIDER and not over.decades_open:
            found.append(Advantage.WIDER_BASIN)
        if self.step_seconds <= FASTER * over.step_seconds:
            found.append(Advantage.FASTER_STEP)
        if math.isfinite(self.target_seconds) and (
            self.target_seconds <= FASTER * over.target_seconds
        ):
            found.append(Advantage.SOONER)
        return tuple(found)


def efforts(reading: Reading) -> dict[str, Effort]:
    """The effort of every optimizer, by name, in the summary's order."""
    searched = tunability.budgets(reading)
    basins = tunability.basins(reading).set_index("optimizer")
    found = {}
    for row in rows_of(reading.summary):
        name = row["optimizer"]
        own = searched[searched["optimizer"] == name]["expected"].to_numpy(dtype=float)
        wide = basins.loc[name] if name in basins.index else None
        found[name] = Effort(
            optimizer=name,
            needs_rate=math.isfinite(row["learning_rate"]),
            trials=trials_needed(own, reading.document.task),
            tried=len(own),
            decades=math.nan if wide is None else float(wide["decades"]),
            decades_open=wide is not None and bool(wide["low_open"] or wide["high_open"]),
            step_seconds=row["seconds_per_step"],
            target_seconds=_product(row["steps_to_target"], row["seconds_per_step"]),
        )
    return found


def margin(task: TaskDescription, figure: float) -> float:
    """How far from its best a search may end and still count as there, in the metric's units.

    A hundredth: one percentage point of an accuracy, 1 % of the error ``figure``.
    """
    return 0.01 if task.metric == "accuracy" else 0.01 * abs(figure)


def trials_needed(expected: Sequence[float] | np.ndarray, task: TaskDescription) -> float:
    """The fewest trials whose expected best lies within `margin` of that of all of them.

    ``expected``: the expected best of 1, 2, ... trials, ``(trials,)``. NaN with fewer than two
    trials: then there was no search.
    """
    values = np.asarray(expected, np.float64)
    if len(values) < 2 or not math.isfinite(values[-1]):
        return math.nan
    behind = np.abs(values[-1] - values)
    slack = 1e-9 * abs(values[-1])
    return float(np.argmax(behind <= margin(task, values[-1]) + slack) + 1)


def easiest(candidates: Sequence[Effort]) -> str:
    """The one of ``candidates`` to take with little time for tuning; the first is the best by rank.

    It has no learning rate, or needs the fewest trials, or has the widest basin, in this order of
    weight. Empty where none is clearly easier to tune than the first, and the first is meant.
    """
    first = candidates[0]
    easier = [each for each in candidates[1:] if any(a in TUNING for a in each.advantages(first))]
    # One that has a wider basin but needs more trials is not easier.
    easier = [each for each in easier if not any(a in TUNING for a in first.advantages(each))]
    return min(easier, key=_ease).optimizer if easier else ""


def _ease(effort: Effort) -> tuple[bool, float, float]:
    trials = effort.trials if math.isfinite(effort.trials) else math.inf
    decades = effort.decades if math.isfinite(effort.decades) else 0.0
    return effort.needs_rate, trials, -decades


def _product(steps: float, seconds: float) -> float:
    if math.isinf(steps):
        return math.inf
    return steps * seconds
