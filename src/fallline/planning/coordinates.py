"""The space of a search: one cube for all optimizers, mapped to each one's own ranges.

The axes of the cube are roles: the learning rate, what is like a momentum, epsilon. A point has a
value for each of them, and an optimizer takes those of the roles that it has: so all optimizers
are searched at the same points, each in its own ranges.

Which axes vary follows from how many trials there are. The learning rate decides most, and with few
trials the best thing to do with an adaptive method is to tune it alone (Sivaprasad et al. 2020,
"Optimizer Benchmarking Needs to Account for Hyperparameter Tuning", section 5); with enough of them
momentum and epsilon decide between methods that are special cases of each other (Choi et al. 2019,
"On Empirical Comparisons of Optimizers for Deep Learning", sections 3 and 4). So a trial varies the
learning rate alone up to the 7th, then momentum too, and from the 21st on epsilon too. It is a
rule for a trial, not for a budget: a larger budget tries what a smaller one does, and more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from fallline.optimizers import Optimizer
from fallline.optimizers.spec import HyperParameter
from fallline.records import derived_seed
from fallline.spaces import WRITTEN_DIGITS, Dimension, digits

LEARNING_RATE, MOMENTUM, EPSILON = 0, 1, 2
ROLES = ("learning rate", "momentum", "epsilon")
"""What the axes of the cube stand for, the most important first."""
MOST_WITH_AXES = (7, 20)
"""The last trial that varies one axis, and the last one that varies two."""
POINT_DIGITS = 6
BEYOND = 10.0
"""A range that ends where the best trial lies is widened by this factor."""

Point = tuple[float, ...]


def axes(trial: int) -> int:
    """How many axes the trial varies; ``trial`` counts from 1, the default setting included."""
    return 1 + sum(trial > most for most in MOST_WITH_AXES)


def dimensions(optimizer: Optimizer) -> tuple[Dimension, ...]:
    """What a search can vary of ``optimizer``, in the order of the axes.

    Like a momentum is the first share whose range is searched by the logarithm of ``1 - value``
    and holds its default: ``momentum``, ``beta_1``, ``rho``. What has no effect with the options'
    defaults is left out.
    """
    chosen = optimizer.option_defaults
    active = [
        each
        for each in optimizer.hyperparameters
        if each.range and (not each.only_with or chosen[each.only_with[0]] in each.only_with[1])
    ]
    roles = {LEARNING_RATE: "learning_rate", EPSILON: "epsilon"}
    found = {axis: each for each in active for axis, name in roles.items() if each.name == name}
    momenta = [each for each in active if _like_a_momentum(each)]
    if momenta:
        found[MOMENTUM] = momenta[0]
    return tuple(_dimension(found[axis], axis) for axis in sorted(found))


def _like_a_momentum(each: HyperParameter) -> bool:
    span = each.range
    return bool(span and span.scale == "log_one_minus" and span.low <= each.default <= span.high)


def _dimension(each: HyperParameter, axis: int) -> Dimension:
    span = each.range
    assert span is not None
    return Dimension(each.name, axis, span.low, span.high, span.scale, each.per_learning_rate)


def points(count: int, study_seed: int) -> tuple[Point, ...]:
    """The first ``count`` points of a study: scrambled Sobol, shares of every axis.

    The same for all optimizers; those of a larger count begin with those of a smaller one.
    """
    from scipy.stats import qmc

    seed = derived_seed("search points", study_seed)
    sampler = qmc.Sobol(len(ROLES), scramble=True, seed=seed)
    # Asked for a power of 2, so that it is balanced, and cut.
    drawn = sampler.random_base2(max(count - 1, 0).bit_length())[:count]
    return tuple(tuple(float(share) for share in row) for row in np.round(drawn, POINT_DIGITS))


def setting(
    optimizer: Optimizer, space: Sequence[Dimension], point: Point, varied: int
) -> dict[str, float]:
    """The setting at ``point`` with its first ``varied`` axes; the rest is at its default."""
    values: dict[str, float] = {}
    for each in space:
        if each.axis < varied:
            values[each.name] = each.value(point[each.axis], values.get("learning_rate"))
    return optimizer.complete(values)


def on_border(best: float, tried: Sequence[float]) -> int:
    """1 where ``best`` is the largest learning rate that was tried, -1 the smallest, else 0."""
    if len(set(tried)) < 2:
        return 0
    return int(best == max(tried)) - int(best == min(tried))


def beyond(
    optimizer: Optimizer, rate: Dimension, best: Mapping[str, float], side: int, share: float
) -> dict[str, float]:
    """The best setting with a learning rate further out than all that were tried.

    It lies at ``share`` of the way, on a log scale, from the best one to a factor of 10 beyond the
    range's end, or beyond the best one where that lies further out already.
    """
    tried = best["learning_rate"]
    end = max(rate.high, tried) * BEYOND if side > 0 else min(rate.low, tried) / BEYOND
    value = digits(tried * (end / tried) ** share, WRITTEN_DIGITS)
    return optimizer.complete({**best, "learning_rate": value})
