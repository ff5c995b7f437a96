"""One optimizer's search over the points of a study: its trials in order, and what they ask for.

Everything follows from the protocol, the points and the results so far, so a search that was
interrupted takes the same trials again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from fallline.optimizers import Optimizer
from fallline.planning import coordinates, halving, tpe
from fallline.planning.config import StudyConfig
from fallline.planning.coordinates import LEARNING_RATE, Point
from fallline.planning.protocol import CONFIRMED_SHARE, Protocol
from fallline.planning.selection import Trial, best_share, order, outcome_of, trial_from
from fallline.records import Run, RunResult, Status
from fallline.spaces import Dimension

WIDENING_PART = 5
"""Every fifth trial may go beyond the range, where the best one lies on its border."""
TPE_BEGINS_AFTER = 10
"""Trials of an optimizer that are the shared points before any are chosen by the model."""
TPE_ROUNDS = 5
"""In which the trials that the model chooses are trained: within one they do not know of each
other. It is a number of its own, not the population's size, for the trials must not depend on the
machine."""


@dataclass
class Search:
    """The trials of one optimizer.

    ``results`` holds what is trained, by run id; it grows between calls. With successive halving
    that is also what waits at a rung, with its figures so far.
    """

    optimizer: Optimizer
    config: StudyConfig
    points: Sequence[Point]
    results: Mapping[str, RunResult]
    higher_is_better: bool
    settings: list[dict[str, float]] = field(default_factory=list)
    """The trials' settings, the default first; each once."""
    taken: int = 0
    """Trials that were asked for, those with a setting that was there already included."""
    widened: int = 0
    """Of these, how many went beyond the range."""

    @cached_property
    def space(self) -> tuple[Dimension, ...]:
        return coordinates.dimensions(self.optimizer)

    @property
    def exhausted(self) -> bool:
        """Whether further points give no further setting; never before the first trial."""
        return self.taken > (len(self.points) if self.space else 0)

    def extend(self, end: int) -> list[Run]:
        """The runs of the trials up to the ``end``-th, on the search's seeds."""
        wanted = range(self.taken + 1, end + 1)
        outward = self._outward(len(wanted), end)
        modelled = [trial for trial in wanted[len(outward) :] if self._modelled(trial)]
        asked = self._ask(len(modelled), end) if modelled else []
        new = []
        for trial in wanted:
            if trial == 1:
                found = self.optimizer.complete({})
            elif outward:
                found = outward.pop(0)
            else:
                point = asked.pop(0) if self._modelled(trial) else self.points[trial - 2]
                found = self._at(point, trial)
            if found not in self.settings:
                self.settings.append(found)
                new.append(found)
        self.taken = max(self.taken, end)
        return self._runs(new, self.config.search_seeds)

    def pause(self, number: int, after: int) -> tuple[list[Run], list[Run]]:
        """At the ``number``-th rung, ``after`` so many epochs: who goes on, and who stops there.

        Of the trials that no rung has stopped yet the best go on, by their figures at this one.
        Whoever has ended by then, or has stopped here before the study was interrupted, is not
        among those who stop.
        """
        ranked = sorted(
            (
                trial
                for trial in self._scored(after)
                if not self._stopped_at_rung(trial.hyperparameters)
            ),
            key=self._order,
        )
        count = halving.going_on(len(self.settings), self.config.protocol.halving, number)
        on, out = (
            self._runs([trial.hyperparameters for trial in part], self.config.search_seeds)
            for part in (ranked[:count], ranked[count:])
        )
        waiting = [run for run in out if self.results[run.run_id].status is Status.WAITING]
        return on, waiting

    def confirming(self) -> list[Run]:
        """The best tenth of the trials on the seeds that they lack; none of a single trial.

        With successive halving it is a tenth of those that no rung has stopped.
        """
        trials = [trial for trial in self._scored() if not trial.stopped]
        if len(trials) < 2:
            return []
        best = best_share(trials, CONFIRMED_SHARE, higher_is_better=self.higher_is_better)
        further = self.config.confirm_seeds[len(self.config.search_seeds) :]
        return self._runs([trial.hyperparameters for trial in best], further)

    def _modelled(self, trial: int) -> bool:
        return self.config.protocol.method == "tpe" and trial > TPE_BEGINS_AFTER

    def _at(self, point: Point, trial: int) -> dict[str, float]:
        return coordinates.setting(self.optimizer, self.space, point, coordinates.axes(trial))

    def _outward(self, most: int, end: int) -> list[dict[str, float]]:
        """Settings beyond the range, at most ``most``; none where the best lies inside of it."""
        count = min(most, end // WIDENING_PART - self.widened)
        if not (self.settings and self.space and self.space[0].axis == LEARNING_RATE and count > 0):
            return []
        best = min(self._scored(next(iter(self.config.rungs), None)), key=self._order)
        tried = [each["learning_rate"] for each in self.settings]
        side = coordinates.on_border(best.learning_rate, tried)
        if not side:
            return []
        self.widened += count
        return [
            coordinates.beyond(
                self.optimizer, self.space[0], best.hyperparameters, side, step / count
            )
            for step in range(1, count + 1)
        ]

    def _ask(self, count: int, end: int) -> list[Point]:
        """Points that the model chooses; those of the optimizers that it does not serve apart."""
        varied = [each for each in self.space if each.axis < coordinates.axes(end)]
        if not varied:
            return list(self.points[:count])
        return tpe.ask(
            varied,
            self._scored(),
            count,
            seed=(self.config.study_seed, end),
            higher_is_better=self.higher_is_better,
        )

    def _order(self, trial: Trial) -> tuple[float, ...]:
        return order(trial, higher_is_better=self.higher_is_better)

    def _scored(self, after: int | None = None) -> list[Trial]:
        """The trials with their figures on the search's seeds: the last, or ``after`` epochs."""
        return [
            trial_from(
                self.optimizer.name,
                setting,
                [outcome_of(result, after) for result in self._searched(setting)],
            )
            for setting in self.settings
        ]

    def _stopped_at_rung(self, setting: Mapping[str, float]) -> bool:
        return any(each.status is Status.STOPPED_AT_RUNG for each in self._searched(setting))

    def _searched(self, setting: Mapping[str, float]) -> list[RunResult]:
        """What became of a trial on the search's seeds."""
        return [self.results[run.run_id] for run in self._runs([setting], self.config.search_seeds)]

    def _runs(self, settings: Sequence[Mapping[str, float]], seeds: Sequence[int]) -> list[Run]:
        return [
            Run(
                self.optimizer.name,
                dict(setting),
                seed,
                "search",
                self.config.epochs,
                self.optimizer.full_batch,
            )
            for setting in settings
            for seed in seeds
        ]


def ends(protocol: Protocol) -> list[int]:
    """How far the trials go in each round of a budget, ascending; the last is the whole of it.

    The last fifth comes after the others are known, and may go beyond the ranges.
    """
    first = protocol.trials - protocol.trials // WIDENING_PART
    if protocol.method == "sobol" or first <= TPE_BEGINS_AFTER:
        return sorted({first, protocol.trials})
    each = -(-(first - TPE_BEGINS_AFTER) // TPE_ROUNDS)
    return sorted({*range(TPE_BEGINS_AFTER, first, each), first, protocol.trials})
