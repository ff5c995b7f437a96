"""The rule by which validation data chooses among the trials of an optimizer.

It exists once: the search that decides where to widen its grid, and the readers of a finished
study, rank with the same function.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from fallline.records import RunResult, Status

EQUAL_DIGITS = 6
"""Figures are stored in float32: those that agree to this many digits count as equal."""


class Outcome(NamedTuple):
    """What a run contributes to the choice: did it diverge, and its last validation figures."""

    diverged: bool
    metric: float
    loss: float
    stopped: bool = False
    """Whether it was stopped at a rung, before its end; the figures are those of the rung."""


@dataclass(frozen=True)
class Trial:
    """One setting of an optimizer, with its validation figures averaged over the seeds.

    The means are over the seeds that did not diverge, and NaN where there is none.
    """

    optimizer: str
    hyperparameters: dict[str, float] = field(hash=False)
    mean_metric: float
    mean_loss: float
    diverged: int
    """How many of the seeds diverged."""
    seeds: int
    """How many seeds were run."""
    stopped: bool = False
    """Whether a run of it was stopped at a rung: others went on, and it did not."""

    @property
    def learning_rate(self) -> float:
        """NaN for an optimizer that has none."""
        return self.hyperparameters.get("learning_rate", math.nan)


def last_figure(
    validation: Sequence[float] | np.ndarray, train: Sequence[float] | np.ndarray
) -> float:
    """The last validation figure, or the last training figure of a task without validation.

    NaN for a run that did not complete an epoch.
    """
    curve = validation if len(validation) else train
    return float(curve[-1]) if len(curve) else math.nan


def trial_from(
    optimizer: str, hyperparameters: Mapping[str, float], outcomes: Iterable[Outcome]
) -> Trial:
    """The trial of one setting, from the outcome of each of its seeds."""
    outcomes = tuple(outcomes)
    finished = [outcome for outcome in outcomes if not outcome.diverged]
    return Trial(
        optimizer=optimizer,
        hyperparameters=dict(hyperparameters),
        mean_metric=_mean([outcome.metric for outcome in finished]),
        mean_loss=_mean([outcome.loss for outcome in finished]),
        diverged=len(outcomes) - len(finished),
        seeds=len(outcomes),
        stopped=any(outcome.stopped for outcome in outcomes),
    )


def order(trial: Trial, *, higher_is_better: bool) -> tuple[float, ...]:
    """Sort key of a trial: the smallest is the best.

    Those that were stopped at a rung come last, but for those that diverged on every seed. Then
    fewer diverged seeds first, the better mean metric, the smaller mean loss, and the smaller
    learning rate. A figure that is not finite counts as the worst.
    """
    sign = -1.0 if higher_is_better else 1.0
    lost = trial.diverged == trial.seeds
    return (
        2 if lost else int(trial.stopped),
        trial.diverged,
        _comparable(sign * trial.mean_metric),
        _comparable(trial.mean_loss),
        _comparable(trial.learning_rate),
    )


def best_trials(results: Iterable[RunResult], *, higher_is_better: bool) -> dict[str, Trial]:
    """The best trial of each optimizer among its search runs, in the order they first appear.

    Runs of other phases are left out: what chooses is never measured on fresh seeds. A trial
    with a diverged seed ranks below every trial without one (see `order`).
    """
    settings: dict[tuple, tuple[dict[str, float], list[Outcome]]] = {}
    for result in results:
        if result.run.phase == "search":
            entry = settings.setdefault(result.run.trial, (result.run.hyperparameters, []))
            entry[1].append(outcome_of(result))
    trials = [
        trial_from(optimizer, hyperparameters, outcomes)
        for (optimizer, _), (hyperparameters, outcomes) in settings.items()
    ]
    return best_of_each(trials, higher_is_better=higher_is_better)


def best_of_each(trials: Iterable[Trial], *, higher_is_better: bool) -> dict[str, Trial]:
    """The best of ``trials`` for each optimizer, in the order the optimizers first appear.

    Only those with the most seeds can be the best: where the best trials of a search are
    confirmed on further seeds, one of them is chosen, and not one that was lucky on a single seed.
    """

    def key(trial: Trial) -> tuple[float, ...]:
        return (-trial.seeds, *order(trial, higher_is_better=higher_is_better))

    best: dict[str, Trial] = {}
    for trial in trials:
        held = best.get(trial.optimizer)
        if held is None or key(trial) < key(held):
            best[trial.optimizer] = trial
    return best


def best_share(trials: Iterable[Trial], share: float, *, higher_is_better: bool) -> list[Trial]:
    """The best ``share`` of one optimizer's trials, rounded up and at least one; best first."""
    ranked = sorted(trials, key=lambda trial: order(trial, higher_is_better=higher_is_better))
    return ranked[: max(1, math.ceil(share * len(ranked) - 1e-9))]


def outcome_of(result: RunResult, after: int | None = None) -> Outcome:
    """The outcome of a run: at its end, or as it was ``after`` so many epochs.

    What became of it later is not known then: neither that it diverged, nor that it was stopped.
    """
    curves = result.curves
    known = after is None or result.epochs_trained <= after
    return Outcome(
        diverged=known and result.status in (Status.DIVERGED, Status.FAILED),
        metric=last_figure(curves.validation_metric[:after], curves.train_metric[:after]),
        loss=last_figure(curves.validation_loss[:after], curves.train_loss[:after]),
        stopped=after is None and result.status is Status.STOPPED_AT_RUNG,
    )


def _mean(values: Sequence[float]) -> float:
    # fsum does not depend on the order of the seeds, so equal trials have equal means.
    return math.fsum(values) / len(values) if values else math.nan


def _comparable(value: float) -> float:
    return float(f"{value:.{EQUAL_DIGITS}g}") if math.isfinite(value) else math.inf
