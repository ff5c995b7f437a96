"""Successive halving: after how many epochs trials are compared, and how many of them go on.

Jamieson and Talwalkar 2016, "Non-stochastic Best Arm Identification and Hyperparameter
Optimization"; the factor of 3 is that of Li et al. 2018, "Hyperband".
"""

from __future__ import annotations

FACTOR = 3
"""One trial in so many goes on at a rung, unless another number is asked for."""
LEAST_FACTOR = 2


def rungs(epochs: int, trials: int, factor: int) -> tuple[int, ...]:
    """The epochs after which ``trials`` trials are compared, ascending, without the last one.

    ``epochs`` is divided by the factor, by its square and so on, and rounded: 30 trials of 20
    epochs are compared after 2 and 7. There are as many rungs as both the epochs and the trials can
    be divided by the factor and not fall below 1. Empty with a factor of 0.
    """
    found: list[int] = []
    power = factor
    while factor >= LEAST_FACTOR and power <= min(epochs, trials):
        found.insert(0, (2 * epochs + power) // (2 * power))
        power *= factor
    return tuple(found)


def going_on(trials: int, factor: int, number: int) -> int:
    """How many of an optimizer's ``trials`` go on from its ``number``-th rung, counted from 1.

    A share of one in ``factor`` at each, rounded up, so never none.
    """
    return -(-trials // factor**number)
