"""From the frame of runs to trials, ranked by the rule of `fallline.planning.selection`."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

from fallline.planning.selection import Outcome, Trial, last_figure, order, trial_from
from fallline.records import Phase, Status
from fallline.store.document import StudyDocument

if TYPE_CHECKING:
    import pandas as pd

LEARNING_RATE = "learning_rate"


def with_last_figures(runs: pd.DataFrame) -> pd.DataFrame:
    """``runs`` with ``last_metric``, ``last_loss`` (validation), ``diverged`` and ``stopped``.

    One row per run, as in ``runs``. The last figures are those after the last trained epoch, for
    a run that was ``stopped`` at a rung those of the rung; of a diverged run they are NaN, and so
    are its test figures, whatever was stored of them. One that failed counts as diverged.
    """
    frame = runs.copy()
    diverged = frame["status"].isin([Status.DIVERGED.value, Status.FAILED.value])
    for name, validation, train in (
        ("last_metric", "validation_metric", "train_metric"),
        ("last_loss", "validation_loss", "train_loss"),
    ):
        pairs = zip(frame[validation], frame[train], strict=True)
        frame[name] = [last_figure(*pair) for pair in pairs]
        frame[name] = frame[name].astype(float).mask(diverged)
    for name in ("test_metric", "test_loss"):
        frame[name] = frame[name].astype(float).mask(diverged)
    frame["diverged"] = diverged
    frame["stopped"] = frame["status"] == Status.STOPPED_AT_RUNG.value
    return frame


def trials(runs: pd.DataFrame, phase: Phase) -> list[Trial]:
    """Every trial of one phase, in the order of its first run.

    ``runs`` is a frame from `with_last_figures`.
    """
    found = []
    chosen = runs[runs["phase"] == phase]
    for (optimizer, setting), group in chosen.groupby(["optimizer", "hyperparameters"], sort=False):
        names = ("diverged", "last_metric", "last_loss", "stopped")
        columns = zip(*(group[name] for name in names), strict=True)
        outcomes = [
            Outcome(bool(gone), metric, loss, bool(stopped))
            for gone, metric, loss, stopped in columns
        ]
        found.append(trial_from(str(optimizer), json.loads(str(setting)), outcomes))
    return found


def rates_alone(runs: pd.DataFrame, document: StudyDocument) -> pd.DataFrame:
    """The rows of ``runs`` that differ from the defaults by their learning rate alone.

    All of them where nothing else was searched.
    """
    if not document.protocol.dimensions:
        return runs

    def alone(optimizer: str, setting: str) -> bool:
        defaults = document.optimizers[optimizer].defaults
        values = json.loads(setting)
        return all(values[name] == defaults.get(name) for name in values.keys() - {LEARNING_RATE})

    pairs = zip(runs["optimizer"], runs["hyperparameters"], strict=True)
    return runs[[alone(*pair) for pair in pairs]]


def ranked(candidates: Iterable[Trial], *, higher_is_better: bool) -> list[Trial]:
    """The trials, best first."""
    return sorted(candidates, key=lambda trial: order(trial, higher_is_better=higher_is_better))


def on_border(chosen: Trial, tried: Iterable[Trial]) -> str:
    """``"largest"`` or ``"smallest"`` where no rate beyond the chosen one was tried; else ``""``.

    Also empty where the optimizer has no learning rate or a single one was tried.
    """
    rates = {trial.learning_rate for trial in tried if trial.optimizer == chosen.optimizer}
    rates = {rate for rate in rates if math.isfinite(rate)}
    if len(rates) < 2:
        return ""
    if chosen.learning_rate == max(rates):
        return "largest"
    return "smallest" if chosen.learning_rate == min(rates) else ""
