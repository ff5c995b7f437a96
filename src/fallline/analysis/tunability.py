"""How hard an optimizer is to tune: expected best of k trials, who leads, width of the basin."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fallline.analysis.measures import (
    basin,
    counted_as_worst,
    expected_best,
    expected_best_curve,
)
from fallline.analysis.reading import Reading
from fallline.analysis.trials import trials
from fallline.planning.selection import EQUAL_DIGITS
from fallline.records import derived_seed

if TYPE_CHECKING:
    import pandas as pd

WITHIN = 1.0
"""Percent of the best figure that a learning rate may lose and still count as good."""

_BUDGETS = ("optimizer", "trials", "seconds", "expected", "low", "high")
_BASINS = (
    "optimizer",
    "best_rate",
    "best",
    "low",
    "high",
    "decades",
    "low_open",
    "high_open",
)


@dataclass(frozen=True)
class Leader:
    """Who is expected to be the best with ``first`` to ``last`` trials, both included."""

    first: int
    last: int
    optimizer: str


def trial_figures(reading: Reading) -> dict[str, np.ndarray]:
    """Validation figures of each optimizer's search trials, ``(trials,)``, in the order tried.

    The order is that in which the trials' first runs were stored. A figure is the mean over the
    trial's seeds, in the metric's units. A trial with a diverged seed has the worst figure of the
    study's trials: a search takes it only where there is no other. NaN if all of them diverged.
    Optimizers stand in the order of the summary; those without a search are left out.
    """
    higher = reading.document.task.higher_is_better
    figures: dict[str, list[float]] = {}
    for trial in trials(reading.runs, "search"):
        own = figures.setdefault(trial.optimizer, [])
        own.append(math.nan if trial.diverged else trial.mean_metric)
    if not figures:
        return {}
    known = counted_as_worst(np.concatenate(list(figures.values())), higher_is_better=higher)
    ends = np.cumsum([len(own) for own in figures.values()])
    parts = dict(zip(figures, np.split(known, ends[:-1]), strict=True))
    return {name: parts[name] for name in reading.summary["optimizer"] if name in parts}


def budgets(reading: Reading) -> pd.DataFrame:
    """The best validation figure to expect of so many trials: a row per optimizer and number.

    Columns ``optimizer, trials`` (1, 2, ... as many as were made)``, seconds, expected, low,
    high``. ``expected`` is the closed form over all subsets of the trials made
    (`fallline.analysis.measures.expected_best`), ``low`` and ``high`` the ends of its 95 %
    bootstrap interval over trials, all in the metric's units. ``seconds`` is what so many trials
    take on average, one run after the other, by the steps taken and the time per step measured
    alone, without compiling; NaN where that is not known. The generator follows from the study's
    seed and the optimizer's name, so the same runs give the same figures, whoever else takes part.
    """
    import pandas as pd

    taken = _trial_seconds(reading)
    tables = []
    for name, figures in trial_figures(reading).items():
        curve = expected_best_curve(
            figures,
            taken[name],
            higher_is_better=reading.document.task.higher_is_better,
            generator=generator(reading, "expected best", name),
        )
        columns = (curve.trials, curve.seconds, curve.value, curve.low, curve.high)
        tables.append(pd.DataFrame(dict(zip(_BUDGETS, (name, *columns), strict=True))))
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=list(_BUDGETS))


def leaders(reading: Reading) -> tuple[Leader, ...]:
    """Who has the best expected figure with 1, 2, ... trials, as spans; empty without a search.

    An optimizer with fewer trials (nothing to vary, or its range was not widened) keeps its last
    expectation. Of equal ones, to six digits, the one that the summary ranks first leads.
    """
    higher = reading.document.task.higher_is_better
    curves = {
        name: expected_best(figures, higher_is_better=higher)
        for name, figures in trial_figures(reading).items()
    }
    found: list[Leader] = []
    for count in range(1, max((len(curve) for curve in curves.values()), default=0) + 1):
        costs = {
            name: _cost(curve[min(count, len(curve)) - 1], higher) for name, curve in curves.items()
        }
        best = min(costs, key=costs.__getitem__)
        if not math.isfinite(costs[best]):
            continue
        if found and found[-1].optimizer == best and found[-1].last == count - 1:
            found[-1] = Leader(found[-1].first, count, best)
        else:
            found.append(Leader(count, count, best))
    return tuple(found)


def basins(reading: Reading, within: float = WITHIN) -> pd.DataFrame:
    """The learning rates nearly as good as the best one: a row per optimizer, best first.

    ``within``: percent of the best figure that may be lost. Columns ``optimizer, best_rate, best``
    (validation figure there)``, low, high`` (ends of the basin, learning rates)``, decades`` (its
    width in powers of ten)``, low_open, high_open`` (whether it reaches the smallest or largest
    rate tried: it is at least so wide). A rate at which a seed diverged ends the basin. Rates are
    those of ``reading.sensitivity``; an optimizer with a single one has no row.
    """
    import pandas as pd

    rows = []
    for name in reading.summary["optimizer"]:
        own = reading.sensitivity[reading.sensitivity["optimizer"] == name]
        if len(own) < 2:
            continue
        found = basin(
            own["learning_rate"].to_numpy(dtype=float),
            own["mean"].mask(own["diverged"] > 0).to_numpy(dtype=float),
            within=within,
            higher_is_better=reading.document.task.higher_is_better,
        )
        rows.append({"optimizer": name, **found._asdict(), "decades": found.decades})
    return pd.DataFrame(rows, columns=list(_BASINS))


def generator(reading: Reading, *purpose: str) -> np.random.Generator:
    """A generator that follows from the study's seed and what it is for."""
    return np.random.default_rng(derived_seed(reading.document.protocol.study_seed, *purpose))


def _trial_seconds(reading: Reading) -> dict[str, np.ndarray]:
    """What each search trial took, all its seeds together, in the order of `trial_figures`."""
    searched = reading.runs[reading.runs["phase"] == "search"]
    steps = searched.groupby(["optimizer", "hyperparameters"], sort=False)["steps"].sum()
    each = reading.timing.step if reading.timing else {}
    return {
        str(name): own.to_numpy(dtype=float) * each.get(str(name), math.nan)
        for name, own in steps.groupby(level="optimizer", sort=False)
    }


def _cost(value: float, higher_is_better: bool) -> float:
    """Smaller is better; figures that agree to six digits are equal."""
    if not math.isfinite(value):
        return math.inf
    return float(f"{-value if higher_is_better else value:.{EQUAL_DIGITS}g}")
