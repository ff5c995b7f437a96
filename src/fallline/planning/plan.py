"""From a study's configuration to its runs: the search, its widening, and the final runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from fallline import optimizers as catalogue
from fallline.errors import InputError
from fallline.optimizers import Optimizer
from fallline.planning.config import StudyConfig
from fallline.planning.protocol import Protocol
from fallline.planning.selection import Trial
from fallline.records import Run
from fallline.spaces import log_grid, widened

MOST_WIDENINGS = 4
"""Times that a grid is widened before its border is taken as the answer, with a warning."""


def selected(
    optimizers: Sequence[Optimizer], protocol: Protocol
) -> tuple[tuple[Optimizer, ...], tuple[Optimizer, ...]]:
    """The optimizers that the protocol is for, and those that it leaves out.

    Raises InputError where it leaves out all of them.
    """
    if protocol.kind != "self-tuning":
        return tuple(optimizers), ()
    chosen = tuple(each for each in optimizers if each.self_tuning)
    if not chosen:
        asked = ", ".join(each.name for each in optimizers)
        able = ", ".join(each.name for each in catalogue.resolve("all") if each.self_tuning)
        raise InputError(
            f"the protocol self-tuning is for optimizers that find their step length: not {asked}",
            hint=f"give some of {able}, or put a tuner around one: {optimizers[0].name}+mechanic",
        )
    return chosen, tuple(each for each in optimizers if not each.self_tuning)


def grid(optimizer: Optimizer, config: StudyConfig) -> tuple[float, ...]:
    """The learning rates to try first; empty where the optimizer has none, or no grid is asked."""
    rate = optimizer.learning_rate
    if rate is None or config.protocol.sampled:
        return ()
    if config.defaults:
        return (rate.default,)
    if isinstance(config.learning_rates, tuple):
        return config.learning_rates
    return log_grid(rate.default, config.learning_rates)


def search_runs(optimizers: Sequence[Optimizer], config: StudyConfig) -> list[Run]:
    """Every optimizer at every learning rate of its grid, on every search seed."""
    return [
        run
        for optimizer in optimizers
        for rate in grid(optimizer, config) or (None,)
        for run in _runs(optimizer, rate, config)
    ]


def _runs(optimizer: Optimizer, rate: float | None, config: StudyConfig) -> list[Run]:
    setting = optimizer.complete({} if rate is None else {"learning_rate": rate})
    return [
        Run(optimizer.name, setting, seed, "search", config.epochs, optimizer.full_batch)
        for seed in config.search_seeds
    ]


def widening_runs(
    optimizers: Sequence[Optimizer],
    config: StudyConfig,
    searched: Iterable[Run],
    best: Mapping[str, Trial],
    round_: int,
) -> list[Run]:
    """The runs that go on beyond a grid's border where the best point lies on it.

    ``round_`` counts from 0. Learning rates that the user named are never widened, nor a grid of
    a single point.
    """
    if not config.widen or isinstance(config.learning_rates, tuple) or round_ >= MOST_WIDENINGS:
        return []
    tried: dict[str, set[float]] = {}
    for run in searched:
        if "learning_rate" in run.hyperparameters:
            tried.setdefault(run.optimizer, set()).add(run.hyperparameters["learning_rate"])
    return [
        run
        for optimizer in optimizers
        if len(tried.get(optimizer.name, ())) > 1
        for rate in widened(
            sorted(tried[optimizer.name]), best[optimizer.name].hyperparameters["learning_rate"]
        )
        for run in _runs(optimizer, rate, config)
    ]


def final_runs(
    optimizers: Sequence[Optimizer], config: StudyConfig, best: Mapping[str, Trial]
) -> list[Run]:
    """The chosen setting of every optimizer (or its defaults) on the fresh seeds."""
    runs = []
    for optimizer in optimizers:
        chosen = optimizer.defaults
        if not config.defaults:
            chosen = dict(best[optimizer.name].hyperparameters)
        runs += [
            Run(optimizer.name, chosen, seed, "final", config.epochs, optimizer.full_batch)
            for seed in config.fresh_seeds
        ]
    return runs
