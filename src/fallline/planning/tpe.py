"""The next points of a search by the tree-structured Parzen estimator of Optuna.

Optuna is asked with everything that is known so far and keeps nothing: the same trials give the
same points. It sees shares of the ranges, and one figure per trial.
"""

from __future__ import annotations

import importlib.util
import math
import warnings
from collections.abc import Sequence
from typing import Any

from fallline.errors import InputError
from fallline.planning.coordinates import ROLES, Point
from fallline.planning.selection import Trial
from fallline.records import derived_seed
from fallline.spaces import Dimension


def require() -> None:
    """Raise where Optuna is not installed."""
    if importlib.util.find_spec("optuna") is None:
        raise InputError(
            "the search method tpe needs Optuna, which is not installed",
            hint="pip install 'fallline[search]', or leave out tpe: the points are then the "
            "quasi-random ones",
        )


def ask(
    space: Sequence[Dimension],
    told: Sequence[Trial],
    count: int,
    *,
    seed: object,
    higher_is_better: bool,
) -> list[Point]:
    """``count`` points to try next, after the trials ``told``.

    Optimizers that were told alike are given the same points. Axes that are not in ``space`` are
    at 0.5.
    """
    require()
    import optuna

    known = figures(told, higher_is_better=higher_is_better)
    axis = {each.name: optuna.distributions.FloatDistribution(0.0, 1.0) for each in space}
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what is asked for is marked as experimental
            sampler = optuna.samplers.TPESampler(
                n_startup_trials=1,
                multivariate=True,
                constant_liar=True,
                seed=derived_seed("tpe", seed),
            )
            direction = "maximize" if higher_is_better else "minimize"
            study = optuna.create_study(direction=direction, sampler=sampler)
            for trial, figure in zip(told, known, strict=True):
                shares = {each.name: each.share(trial.hyperparameters) for each in space}
                study.add_trial(
                    optuna.trial.create_trial(params=shares, distributions=axis, value=figure)
                )
            return [_point(space, study.ask(axis).params) for _ in range(count)]
    finally:
        optuna.logging.set_verbosity(before)


def figures(told: Sequence[Trial], *, higher_is_better: bool) -> list[float]:
    """A finite figure for each trial: of those that diverged the worst of the others.

    0 for all where every one of them diverged.
    """
    means = [math.nan if trial.diverged else trial.mean_metric for trial in told]
    finite = [mean for mean in means if math.isfinite(mean)]
    worst = (min(finite) if higher_is_better else max(finite)) if finite else 0.0
    return [mean if math.isfinite(mean) else worst for mean in means]


def _point(space: Sequence[Dimension], shares: dict[str, Any]) -> Point:
    found = [0.5] * len(ROLES)
    for each in space:
        found[each.axis] = float(shares[each.name])
    return tuple(found)
