"""What is read from a suite: how the optimizers stand on each task, and over all of them.

Matrices have the shape ``(tasks, optimizers)``: the tasks in the suite's order, the optimizers by
their average rank, best first.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from fallline.analysis import across
from fallline.analysis.bootstrap import Estimate, aggregate, stratified_interval
from fallline.analysis.comparison import Relation
from fallline.analysis.matrix import pairwise
from fallline.analysis.measures import counted_as_worst
from fallline.analysis.reading import Reading
from fallline.analysis.statistics import LEVEL
from fallline.planning.selection import EQUAL_DIGITS
from fallline.spaces import digits
from fallline.store.suite import SuiteDocument

if TYPE_CHECKING:
    import pandas as pd

LEAST_FOR_RANKS = 3
"""Optimizers that Friedman's test compares at least."""

FIGURES = (
    "task",
    "optimizer",
    "learning_rate",
    "test_metric",
    "test_low",
    "test_high",
    "seeds",
    "diverged",
    "rank",
    "relation",
    "difference",
    "p_value",
    "epochs_to_target",
    "steps_to_target",
    "ratio",
    "normalised",
)
OVERALL = (
    "optimizer",
    "average_rank",
    "best_on",
    "iqm",
    "iqm_low",
    "iqm_high",
    "score",
    "wins",
    "ties",
    "losses",
    "diverged",
)

_RESAMPLING_SEED = 0


@dataclass(frozen=True, eq=False)
class SuiteReading:
    """A suite as its readers see it. Frames and arrays are shared: do not write into them."""

    document: SuiteDocument
    readings: Mapping[str, Reading]
    """Of the tasks whose studies are complete, in the suite's order."""
    unfinished: tuple[str, ...]
    """The tasks whose studies are not complete; they count nowhere."""
    optimizers: tuple[str, ...]
    """Measured on every complete task; best average rank first."""
    missing: Mapping[str, tuple[str, ...]]
    """Optimizers that are left out here, with the tasks that lack them."""
    figures: pd.DataFrame
    """A row per task and optimizer, best rank first: `FIGURES`. ``relation`` and ``difference``
    are those to the best of the task, by the task's own test."""
    overall: pd.DataFrame
    """A row per optimizer, best first: `OVERALL`."""
    ranks: np.ndarray
    """By test figure, 1 the best, ``(tasks, optimizers)``."""
    won: np.ndarray
    """Whether a row's optimizer beats a column's on a task by that task's own test,
    ``(tasks, optimizers, optimizers)``, bool."""
    wins: across.Wins
    """The same over the tasks; a tie is what a task's test cannot tell apart."""
    profile: across.Profile
    """Of the epochs to each task's target."""
    difference: across.CriticalDifference | None
    """Average ranks with Friedman's test; None with fewer than 3 optimizers or 2 tasks."""
    problems: tuple[str, ...] = ()
    """What is wrong with the folders of the tasks' studies, a sentence each."""
    failed: Mapping[str, str] = field(default_factory=dict)
    """By optimizer and task (``"sgd on digits-mlp"``), why it could not be trained there."""

    @property
    def complete(self) -> bool:
        """True when every run of every task is stored."""
        return not self.unfinished

    @property
    def tasks(self) -> tuple[str, ...]:
        """The complete ones, in the suite's order."""
        return tuple(self.readings)

    @property
    def least_p_value(self) -> float:
        """What Friedman's test would say if all tasks agreed entirely; NaN without a test."""
        from scipy.special import chdtrc

        if self.difference is None:
            return math.nan
        others = len(self.optimizers) - 1
        return float(chdtrc(others, len(self.tasks) * others))

    @property
    def ranks_reject(self) -> bool:
        """Whether Friedman's test says that the optimizers do not all rank the same."""
        return self.difference is not None and self.difference.friedman.p_value < LEVEL


def read_suite(document: SuiteDocument, readings: Mapping[str, Reading]) -> SuiteReading:
    """The reading of a suite from those of its tasks, by their names; begun ones may lack runs."""
    wanted = [task.name for task in document.tasks]
    whole = {
        name: readings[name] for name in wanted if name in readings and readings[name].complete
    }
    asked = document.asked.optimizers
    lacking = {
        name: tuple(task for task, each in whole.items() if name not in _measured(each))
        for name in asked
    }
    common = [name for name in asked if not lacking[name]] if whole else []
    tables = {task: _Table(reading, common) for task, reading in whole.items()}
    costs = np.array([table.costs() for table in tables.values()]).reshape(len(whole), len(common))
    order = _order(costs, tables, common)
    names = tuple(common[at] for at in order)
    tables = {task: _Table(reading, names) for task, reading in whole.items()}
    costs = costs[:, order]
    ranks = across.task_ranks(costs, higher_is_better=False) if costs.size else costs
    scores = [table.scores() for table in tables.values()]
    won = np.array([table.won() for table in tables.values()]).reshape(*costs.shape, len(names))
    wins = _wins(won)
    times = np.array([table.rows["epochs_to_target"].to_numpy(float) for table in tables.values()])
    times = times.reshape(costs.shape)
    return SuiteReading(
        document=document,
        readings=whole,
        unfinished=tuple(name for name in wanted if name not in whole),
        optimizers=names,
        missing={name: tasks for name, tasks in lacking.items() if tasks},
        figures=_figures(tables, ranks, times, scores),
        overall=_overall(tables, ranks, times, scores, wins),
        ranks=ranks,
        won=won,
        wins=wins,
        profile=across.performance_profile(times) if times.size else _NO_PROFILE,
        difference=_critical(costs),
        problems=tuple(
            f"{task}: {problem}" for task, each in readings.items() for problem in each.problems
        ),
        failed={
            f"{name} on {task}": reason
            for task, each in readings.items()
            for name, reason in each.failed.items()
        },
    )


_NO_PROFILE = across.Profile(np.zeros(0), np.zeros((0, 0)))


@dataclass(frozen=True, eq=False)
class _Table:
    """One task's figures of the optimizers that all tasks have, in their order."""

    reading: Reading
    optimizers: Sequence[str]

    @cached_property
    def rows(self) -> pd.DataFrame:
        """The rows of the summary."""
        return self.reading.measured.set_index("optimizer").loc[list(self.optimizers)]

    @property
    def higher_is_better(self) -> bool:
        return self.reading.document.task.higher_is_better

    def costs(self) -> np.ndarray:
        """Small where better, ``(optimizers,)``: fewer diverged seeds first, then the test mean.

        Places in that order, so that an accuracy and an error can stand in one matrix. Means that
        agree to float32's digits are equal.
        """
        sign = -1.0 if self.higher_is_better else 1.0
        pairs = zip(self.rows["final_diverged"], self.rows["test_metric"], strict=True)
        keys = [
            (int(gone), sign * digits(float(figure), EQUAL_DIGITS))
            if math.isfinite(figure)
            else (int(gone), math.inf)
            for gone, figure in pairs
        ]
        places = {key: place for place, key in enumerate(sorted(set(keys)))}
        return np.array([places[key] for key in keys], np.float64)

    def scores(self) -> np.ndarray:
        """Normalised test figures of the fresh runs, ``(seeds, optimizers)``; see `normalised`."""
        runs = self.reading.runs
        figures = runs[runs["phase"] == "final"].pivot_table(
            index="seed", columns="optimizer", values="test_metric", aggfunc="first", dropna=False
        )
        matrix = figures[list(self.optimizers)].to_numpy(float)
        return normalised(matrix, higher_is_better=self.higher_is_better)

    @cached_property
    def pairs(self) -> dict[tuple[str, str], dict[str, Any]]:
        """The task's own tests of all ordered pairs."""
        rows = pairwise(self.reading).to_dict("records")
        return {
            (row["optimizer"], row["other"]): {str(key): value for key, value in row.items()}
            for row in rows
        }

    def won(self) -> np.ndarray:
        """Whether the optimizer of a row beats that of a column, ``(optimizers, optimizers)``."""
        return np.array(
            [
                [
                    one != other and self.pairs[one, other]["relation"] == Relation.BETTER
                    for other in self.optimizers
                ]
                for one in self.optimizers
            ]
        )


def normalised(figures: np.ndarray, *, higher_is_better: bool) -> np.ndarray:
    """Figures of one task, ``(seeds, optimizers)``, on a scale that all tasks share.

    0 is the mean of the worst and 1 that of the best optimizer of which no run diverged (where all
    have one that did: of the runs that did not). Runs may lie outside. A diverged one (not finite)
    counts as the worst run of the task, and as 0 at most. Where the two means are equal nobody is
    behind, and what is finite counts 1.

    Scores are relative to those that take part: another optimizer at either end moves all of them.
    Source: Agarwal et al. (2021), Deep reinforcement learning at the edge of the statistical
    precipice, NeurIPS 34, normalise with given references in place of the worst and the best.
    """
    values = np.asarray(figures, np.float64) * (1.0 if higher_is_better else -1.0)
    finite = np.isfinite(values)
    whole = finite.all(axis=0) if finite.all(axis=0).any() else finite.any(axis=0)
    if not whole.any():
        return np.zeros(values.shape)
    means = [float(values[finite[:, at], at].mean()) for at in np.flatnonzero(whole)]
    low, high = min(means), max(means)
    scores = (values - low) / (high - low) if high > low else np.ones(values.shape)
    return counted_as_worst(np.where(finite, scores, math.nan), higher_is_better=True, worst=0.0)


def _measured(reading: Reading) -> set[str]:
    return set(reading.measured["optimizer"])


def _order(costs: np.ndarray, tables: Mapping[str, _Table], names: Sequence[str]) -> list[int]:
    """Columns by average rank; equal ones by their aggregated score, then as they were asked."""
    if not costs.size:
        return list(range(len(names)))
    ranks = across.average_ranks(costs, higher_is_better=False)
    scores = np.stack([table.scores() for table in tables.values()], axis=-1)
    iqm = aggregate(np.moveaxis(scores, 1, 0), "iqm")
    keys = np.column_stack([ranks, -iqm]).round(9)
    return [int(at) for at in np.lexsort(keys.T[::-1])]


def _wins(won: np.ndarray) -> across.Wins:
    """Wins, ties and losses over the tasks."""
    wins = won.sum(axis=0).astype(np.int64)
    losses = wins.T.copy()
    return across.Wins(wins, len(won) - wins - losses, losses)


def _figures(
    tables: Mapping[str, _Table],
    ranks: np.ndarray,
    times: np.ndarray,
    scores: Sequence[np.ndarray],
) -> pd.DataFrame:
    import pandas as pd

    rows: list[dict[str, Any]] = []
    if ranks.size:
        ratios = across.performance_ratios(times)
        for at, (task, table) in enumerate(tables.items()):
            best = table.optimizers[int(np.argmin(ranks[at]))]
            known = table.rows.reset_index().to_dict("records")
            for column, row in enumerate(known):
                name = str(row["optimizer"])
                first = ranks[at, column] == ranks[at].min()
                to_best = {} if first else table.pairs[name, best]
                rows.append(
                    {
                        **{key: row.get(key) for key in FIGURES},
                        "task": task,
                        "diverged": row["final_diverged"],
                        "rank": ranks[at, column],
                        "relation": str(Relation.BEST) if first else to_best["relation"],
                        "difference": to_best.get("difference", math.nan),
                        "p_value": to_best.get("p_value", math.nan),
                        "ratio": ratios[at, column],
                        "normalised": float(scores[at][:, column].mean()),
                    }
                )
    frame = pd.DataFrame(rows, columns=list(FIGURES))
    places = {task: at for at, task in enumerate(tables)}
    order = sorted(range(len(frame)), key=lambda at: (places[rows[at]["task"]], rows[at]["rank"]))
    return frame.iloc[order].reset_index(drop=True)


def _overall(
    tables: Mapping[str, _Table],
    ranks: np.ndarray,
    times: np.ndarray,
    scores: Sequence[np.ndarray],
    wins: across.Wins,
) -> pd.DataFrame:
    import pandas as pd

    rows: list[dict[str, Any]] = []
    if ranks.size:
        names = next(iter(tables.values())).optimizers
        integrated = across.integrated_score(times)
        gone = sum(table.rows["final_diverged"].to_numpy(np.int64) for table in tables.values())
        for at, name in enumerate(names):
            estimate = _estimate(np.stack([each[:, at] for each in scores], axis=1))
            rows.append(
                {
                    "optimizer": name,
                    "average_rank": ranks[:, at].mean(),
                    "best_on": int((ranks[:, at] == ranks.min(axis=1)).sum()),
                    "iqm": estimate.value,
                    "iqm_low": estimate.low,
                    "iqm_high": estimate.high,
                    "score": integrated[at],
                    "wins": int(wins.wins[at].sum()),
                    "ties": int(wins.ties[at].sum()) - len(tables),
                    "losses": int(wins.losses[at].sum()),
                    "diverged": int(np.asarray(gone)[at]),
                }
            )
    return pd.DataFrame(rows, columns=list(OVERALL))


def _estimate(scores: np.ndarray) -> Estimate:
    """The interquartile mean of ``scores``, ``(seeds, tasks)``, with its interval over seeds."""
    found = stratified_interval(scores, generator=np.random.default_rng(_RESAMPLING_SEED))
    return found if len(scores) > 1 else found._replace(low=math.nan, high=math.nan)


def _critical(costs: np.ndarray) -> across.CriticalDifference | None:
    tasks, optimizers = costs.shape
    if tasks < 2 or optimizers < LEAST_FOR_RANKS:
        return None
    return across.critical_difference(costs, higher_is_better=False)
