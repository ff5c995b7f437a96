"""The summary of a study: one row per optimizer, best first."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fallline.analysis.comparison import Comparison, Relation, compare_to_best
from fallline.analysis.curves import epochs_to
from fallline.analysis.statistics import Interval, t_interval
from fallline.analysis.trials import on_border, ranked, trials
from fallline.planning.selection import Trial, best_of_each
from fallline.records import Status
from fallline.store.document import StudyDocument, Timing

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    "optimizer",
    "learning_rate",
    "hyperparameters",
    "full_batch",
    "measured_on",
    "seeds",
    "validation_metric",
    "validation_low",
    "validation_high",
    "test_metric",
    "test_low",
    "test_high",
    "epochs_to_target",
    "steps_to_target",
    "seconds_per_step",
    "runs",
    "diverged",
    "final_diverged",
    "difference",
    "difference_low",
    "difference_high",
    "p_value",
    "relation",
    "border",
)


def leaders(runs: pd.DataFrame, document: StudyDocument) -> tuple[list[Trial], list[Trial]]:
    """The chosen trial of each optimizer, best first: those with final runs, and those without.

    Final runs are ranked by their own validation figures. An optimizer without any (the study
    was interrupted) is ranked by its best search trial.
    """
    higher = document.task.higher_is_better
    final = ranked(trials(runs, "final"), higher_is_better=higher)
    measured = {trial.optimizer for trial in final}
    best = best_of_each(trials(runs, "search"), higher_is_better=higher)
    rest = [trial for name, trial in best.items() if name not in measured]
    return final, ranked(rest, higher_is_better=higher)


def target_of(runs: pd.DataFrame, document: StudyDocument) -> float:
    """The validation figure to be reached: the task's own, or else derived from the runs.

    Derived, it is the median last validation figure of the best optimizer's final runs; NaN
    where no final run has one. ``runs`` is a frame from
    `fallline.analysis.trials.with_last_figures`.
    """
    if document.task.target is not None:
        return document.task.target
    final, _ = leaders(runs, document)
    if not final:
        return math.nan
    own = _runs_of(runs, final[0].optimizer, "final")["last_metric"].dropna()
    return float(own.median()) if len(own) else math.nan


def summarise(
    runs: pd.DataFrame, document: StudyDocument, timing: Timing | None = None
) -> pd.DataFrame:
    """One row per optimizer with any run, best first; the columns are `COLUMNS`.

    ``runs`` is a frame from `fallline.analysis.trials.with_last_figures`. Figures are means over
    the seeds that did not diverge, of the final runs, or of the chosen search trial where there
    is no final run (``measured_on`` says which: ``"final"`` or ``"search"``); ``_low`` and
    ``_high`` are the ends of the 95 % interval. ``epochs_to_target`` and ``steps_to_target`` are
    medians over the final seeds, infinite where the median seed does not reach it, NaN without
    final runs. ``seconds_per_step`` is in seconds. ``runs`` and ``diverged`` count every run of
    the optimizer. ``border`` is ``"largest"``, ``"smallest"`` or empty.
    """
    import pandas as pd

    final, rest = leaders(runs, document)
    searched = trials(runs, "search")
    target = target_of(runs, document)
    failed = set(runs.loc[runs["status"] == Status.FAILED.value, "optimizer"])
    compared = {
        comparison.optimizer: comparison
        for comparison in compare_to_best(
            runs,
            [trial.optimizer for trial in final],
            higher_is_better=document.task.higher_is_better,
            resolution=resolution_of(document),
        )
    }
    rows = []
    for phase, found in (("final", final), ("search", rest)):
        for trial in found:
            row = _row(runs, trial, phase, target, document)
            row["seconds_per_step"] = timing.step.get(trial.optimizer, math.nan) if timing else None
            row["border"] = on_border(trial, searched) if document.protocol.searched else ""
            row |= _compared(compared.get(trial.optimizer))
            if phase == "final" and trial.optimizer in failed:
                row["relation"] = Relation.FAILED.value
            rows.append(row)
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    frame["seconds_per_step"] = frame["seconds_per_step"].astype(float)
    return frame


def rows_of(summary: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a summary as records by column name, in its order."""
    return [{str(name): value for name, value in row.items()} for row in summary.to_dict("records")]


def resolution_of(document: StudyDocument) -> float:
    """The smallest step between two test figures: an example for an accuracy, else none."""
    examples = document.task.test_examples
    return 1.0 / examples if document.task.metric == "accuracy" and examples else 0.0


def _row(
    runs: pd.DataFrame, trial: Trial, phase: str, target: float, document: StudyDocument
) -> dict[str, Any]:
    own = runs[runs["optimizer"] == trial.optimizer]
    measured = _runs_of(own, trial.optimizer, phase)
    if phase == "search":
        settings = [json.loads(text) for text in measured["hyperparameters"]]
        measured = measured[[setting == trial.hyperparameters for setting in settings]]
    validation = _bounded(t_interval(measured["last_metric"].to_numpy(dtype=float)), document)
    test = _bounded(t_interval(measured["test_metric"].to_numpy(dtype=float)), document)
    epochs, steps = _time_to(measured if phase == "final" else measured[:0], target, document)
    return {
        "optimizer": trial.optimizer,
        "learning_rate": trial.learning_rate,
        "hyperparameters": trial.hyperparameters,
        "full_batch": bool(own["full_batch"].any()),
        "measured_on": phase,
        "seeds": len(measured),
        "validation_metric": validation.mean,
        "validation_low": validation.low,
        "validation_high": validation.high,
        "test_metric": test.mean,
        "test_low": test.low,
        "test_high": test.high,
        "epochs_to_target": epochs,
        "steps_to_target": steps,
        "runs": len(own),
        "diverged": int(own["diverged"].sum()),
        "final_diverged": int(measured["diverged"].sum()) if phase == "final" else 0,
    }


def _time_to(final: pd.DataFrame, target: float, document: StudyDocument) -> tuple[float, float]:
    """Median epochs and steps to ``target`` over the rows of ``final``."""
    if final.empty or not math.isfinite(target):
        return math.nan, math.nan
    higher = document.task.higher_is_better
    epochs, steps = [], []
    columns = (final["validation_metric"], final["steps"], final["epochs_trained"])
    for curve, taken, trained in zip(*columns, strict=True):
        reached = epochs_to(curve, target, higher)
        epochs.append(reached)
        steps.append(reached * taken / trained if math.isfinite(reached) else math.inf)
    return _median(epochs), _median(steps)


def _median(values: Sequence[float]) -> float:
    """The median, infinite as soon as one of the middle values is."""
    ordered = sorted(values)
    middle = ordered[(len(ordered) - 1) // 2 : len(ordered) // 2 + 1]
    return float(np.mean(middle))


def _compared(comparison: Comparison | None) -> dict[str, Any]:
    if comparison is None:
        return dict.fromkeys(
            ("difference", "difference_low", "difference_high", "p_value"), math.nan
        ) | {"relation": ""}
    return {
        "difference": comparison.difference,
        "difference_low": comparison.low,
        "difference_high": comparison.high,
        "p_value": comparison.p_value,
        "relation": comparison.relation.value,
    }


def _bounded(interval: Interval, document: StudyDocument) -> Interval:
    """No interval leaves the values that the metric can take."""
    top = 1.0 if document.task.metric == "accuracy" else math.inf
    if interval.seeds < 2:
        return interval
    return interval._replace(low=max(interval.low, 0.0), high=min(interval.high, top))


def _runs_of(runs: pd.DataFrame, optimizer: str, phase: str) -> pd.DataFrame:
    return runs[(runs["optimizer"] == optimizer) & (runs["phase"] == phase)]
