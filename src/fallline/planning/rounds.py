"""The rounds of a search: what is trained next, as long as there is something."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from fallline.optimizers import Optimizer
from fallline.planning import coordinates, plan
from fallline.planning.config import StudyConfig
from fallline.planning.coordinates import Point
from fallline.planning.protocol import MOST_TIMED_TRIALS
from fallline.planning.search import Search, ends
from fallline.planning.selection import best_trials
from fallline.records import Run, RunResult

Round = tuple[str, list[Run]]
"""A phase (``"search"``, ``"widening"`` or ``"confirming"``) and its runs."""


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

    When the next one is asked for, ``results`` must hold the runs of those before, by run id. They
    are planned from it, so that a study that was interrupted takes the same ones.
    """
    if not config.protocol.sampled:
        return _of_grid(optimizers, config, results, higher_is_better)
    shared = points(config)
    searches = [Search(each, config, shared, results, higher_is_better) for each in optimizers]
    return _of_budget(searches, ends(config.protocol))


def _of_grid(
    optimizers: Sequence[Optimizer],
    config: StudyConfig,
    results: Mapping[str, RunResult],
    higher_is_better: bool,
) -> Iterator[Round]:
    runs = plan.search_runs(optimizers, config)
    yield "search", runs
    for round_ in range(plan.MOST_WIDENINGS):
        searched = [results[run.run_id] for run in runs]
        best = best_trials(searched, higher_is_better=higher_is_better)
        more = plan.widening_runs(optimizers, config, runs, best, round_)
        if not more:
            return
        yield "widening", more
        runs = [*runs, *more]


def _of_budget(searches: Sequence[Search], bounds: Sequence[int]) -> Iterator[Round]:
    for end in bounds:
        yield "search", [run for search in searches for run in search.extend(end)]
    yield "confirming", [run for search in searches for run in search.confirming()]


def expected(optimizers: Sequence[Optimizer], config: StudyConfig) -> int:
    """Runs that an optimizer is expected to have, as far as that can be known."""
    protocol, fresh = config.protocol, len(config.fresh_seeds)
    if not protocol.sampled:
        points = max(len(plan.grid(each, config)) or 1 for each in optimizers)
        return len(config.search_seeds) * points + fresh
    trials = protocol.trials or MOST_TIMED_TRIALS // 8
    confirmed = -(-trials // 10) * (len(config.confirm_seeds) - len(config.search_seeds))
    return trials * len(config.search_seeds) + confirmed + fresh
