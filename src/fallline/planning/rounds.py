"""The rounds of a search: what is trained next, as long as there is something."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from fallline.optimizers import Optimizer
from fallline.planning import coordinates, plan
from fallline.planning.config import StudyConfig
from fallline.planning.coordinates import Point
from fallline.planning.protocol import MOST_TIMED_TRIALS
from fallline.planning.search import Search, ends
from fallline.planning.selection import best_trials
from fallline.records import Run, RunResult


class Round(NamedTuple):
    """What is trained together, after a decision of whom to stop."""

    phase: str
    """``"search"``, ``"widening"`` or ``"confirming"``."""
    runs: list[Run]
    until: int = 0
    """Epochs after which the runs wait at a rung; 0: they train to their end."""
    stopped: tuple[Run, ...] = ()
    """Runs that wait at the rung before and do not go on."""


def points(config: StudyConfig) -> tuple[Point, ...]:
    """The shared points of a study: one for each trial but the first, which is the default."""
    protocol = config.protocol
    if not protocol.sampled:
        return ()
    most = protocol.trials if protocol.kind == "budget" else MOST_TIMED_TRIALS
    return coordinates.points(most - 1, config.study_seed)


def rounds(
    optimizers: Sequence[Optimizer],
    config: StudyConfig,
    results: Mapping[str, RunResult],
    *,
    higher_is_better: bool,
) -> Iterator[Round]:
    """The rounds of a grid, or of a budget of trials, in turn.

    When the next one is asked for, ``results`` must hold the runs of those before, by run id, those
    that wait at a rung included. They are planned from it, so that a study that was interrupted
    takes the same ones.
    """
    if not config.protocol.sampled:
        return _of_grid(optimizers, config, results, higher_is_better)
    shared = points(config)
    searches = [Search(each, config, shared, results, higher_is_better) for each in optimizers]
    return _of_budget(searches, ends(config.protocol), config.rungs)


def _of_grid(
    optimizers: Sequence[Optimizer],
    config: StudyConfig,
    results: Mapping[str, RunResult],
    higher_is_better: bool,
) -> Iterator[Round]:
    runs = plan.search_runs(optimizers, config)
    yield Round("search", runs)
    for round_ in range(plan.MOST_WIDENINGS):
        searched = [results[run.run_id] for run in runs]
        best = best_trials(searched, higher_is_better=higher_is_better)
        more = plan.widening_runs(optimizers, config, runs, best, round_)
        if not more:
            return
        yield Round("widening", more)
        runs = [*runs, *more]


def _of_budget(
    searches: Sequence[Search], bounds: Sequence[int], rungs: Sequence[int]
) -> Iterator[Round]:
    untils = (*rungs, 0)
    for end in bounds:
        runs = [run for search in searches for run in search.extend(end)]
        yield Round("search", runs, untils[0])
    for number, rung in enumerate(rungs, start=1):
        decided = [search.pause(number, rung) for search in searches]
        runs = [run for on, _ in decided for run in on]
        stopped = tuple(run for _, out in decided for run in out)
        yield Round("search", runs, untils[number], stopped)
    yield Round("confirming", [run for search in searches for run in search.confirming()])


def expected(optimizers: Sequence[Optimizer], config: StudyConfig) -> int:
    """Runs that an optimizer is expected to have, as far as that can be known."""
    protocol, fresh = config.protocol, len(config.fresh_seeds)
    if not protocol.sampled:
        points = max(len(plan.grid(each, config)) or 1 for each in optimizers)
        return len(config.search_seeds) * points + fresh
    trials = protocol.trials or MOST_TIMED_TRIALS // 8
    confirmed = -(-trials // 10) * (len(config.confirm_seeds) - len(config.search_seeds))
    return trials * len(config.search_seeds) + confirmed + fresh
