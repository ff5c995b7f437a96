"""Across tasks: profiles, the integrated score, average ranks with their tests, wins.

Every matrix has the shape ``(tasks, optimizers)``. A time that was not reached is infinite; a
figure that is not finite (the run diverged) counts as the worst of its task.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from fallline.analysis.statistics import LEVEL


class Profile(NamedTuple):
    """A performance profile: which share of the tasks is solved within a factor of the fastest."""

    factors: np.ndarray
    """``(points,)``, from 1, without a unit."""
    shares: np.ndarray
    """``(points, optimizers)``, between 0 and 1."""


class Friedman(NamedTuple):
    """Friedman's test that all optimizers rank the same on average."""

    statistic: float
    """Chi-squared with ``optimizers - 1`` degrees of freedom, corrected for ties."""
    p_value: float
    f_statistic: float
    """Iman and Davenport's less conservative form, F with ``k - 1`` and ``(k - 1)(n - 1)``."""
    f_p_value: float


@dataclass(frozen=True, eq=False)
class CriticalDifference:
    """The data of a critical-difference diagram (Demsar 2006)."""

    order: tuple[int, ...]
    """Optimizers' columns, best average rank first."""
    ranks: np.ndarray
    """Average ranks ``(optimizers,)`` by column, 1 the best."""
    distance: float
    """Average ranks that differ by at least this much differ at the level."""
    cliques: tuple[tuple[int, ...], ...]
    """The largest groups of columns that cannot be told apart, best first; none of one alone."""
    friedman: Friedman
    tasks: int


class Wins(NamedTuple):
    """How often the optimizer of a row stands so to that of a column; ``(optimizers, optimizers)``.

    Counts of tasks, int64; ``losses`` is ``wins`` transposed, and the diagonals are 0, the number
    of tasks, and 0.
    """

    wins: np.ndarray
    ties: np.ndarray
    losses: np.ndarray


def performance_ratios(times: np.ndarray) -> np.ndarray:
    """Each time over the smallest of its task, ``(tasks, optimizers)``, from 1 to infinity.

    ``times`` are positive (seconds, steps or epochs, all one unit within a task); infinite or NaN
    where the target was not reached, also for all optimizers of a task.
    """
    matrix = _matrix(times)
    if (matrix <= 0).any():
        raise ValueError(f"times must be larger than 0, got {np.nanmin(matrix)}")
    matrix = np.where(np.isnan(matrix), math.inf, matrix)
    fastest = matrix.min(axis=1, keepdims=True)
    return np.divide(matrix, fastest, out=np.full(matrix.shape, math.inf), where=matrix < math.inf)


def performance_profile(
    times: np.ndarray, factors: Sequence[float] | np.ndarray | None = None
) -> Profile:
    """The share of tasks that each optimizer solves within a factor of the fastest there.

    ``times``: as in `performance_ratios`. Without ``factors`` the profile is given at the places
    where it steps (and at 1): it is constant from each to the next. At factor 1 the share is that
    of the tasks where it is the fastest, at the last one that of the tasks it solves at all.

    Source: Dolan and More (2002), Benchmarking optimization software with performance profiles,
    Mathematical Programming 91.
    """
    ratios = performance_ratios(times)
    if factors is None:
        factors = np.unique(np.append(ratios[np.isfinite(ratios)], 1.0))
    points = np.asarray(factors, np.float64)
    return Profile(points, np.mean(ratios <= points[:, None, None], axis=1))


def integrated_score(
    times: np.ndarray, *, smallest: float = 1.0, largest: float = 4.0, points: int | None = None
) -> np.ndarray:
    """AlgoPerf's score ``(optimizers,)``: the mean height of the profile between two factors.

    ``times``: as in `performance_ratios`. 1 is the fastest everywhere, 0 was never within
    ``largest`` times the fastest; a target that was not reached scores 0 on its task. The integral
    is exact, unless ``points`` asks for the trapezoidal rule on so many equally distant factors:
    the competition's leaderboard is computed with 100.

    Source: Dahl et al. (2023), Benchmarking neural network training algorithms, section 4.3.
    """
    if points is not None:
        factors = np.linspace(smallest, largest, points)
        heights = performance_profile(times, factors).shares
        return np.trapezoid(heights, factors, axis=0) / (largest - smallest)
    inside = np.clip(performance_ratios(times), smallest, largest)
    return np.mean(largest - inside, axis=0) / (largest - smallest)


def task_ranks(figures: np.ndarray, *, higher_is_better: bool) -> np.ndarray:
    """Ranks within each task, ``(tasks, optimizers)``: 1 is the best, ties share their mean.

    Figures that are not finite rank last and are tied with each other.
    """
    from scipy.stats import rankdata

    return rankdata(_as_costs(figures, higher_is_better), axis=1)


def average_ranks(figures: np.ndarray, *, higher_is_better: bool) -> np.ndarray:
    """The mean over the tasks of `task_ranks`, shape ``(optimizers,)``."""
    return task_ranks(figures, higher_is_better=higher_is_better).mean(axis=0)


def friedman(figures: np.ndarray, *, higher_is_better: bool) -> Friedman:
    """Friedman's test of ``figures``, shape ``(tasks, optimizers)``, with at least 3 optimizers.

    Where all are tied on every task the p-values are 1; where all tasks agree entirely, F is
    infinite.

    Source: Friedman (1937), The use of ranks to avoid the assumption of normality implicit in the
    analysis of variance, JASA 32; Iman and Davenport (1980), Approximations of the critical region
    of the Friedman statistic, Communications in Statistics 9.
    """
    from scipy.special import fdtrc
    from scipy.stats import friedmanchisquare

    ranks = task_ranks(figures, higher_is_better=higher_is_better)
    tasks, optimizers = ranks.shape
    if optimizers < 3:
        raise ValueError(f"Friedman's test compares at least 3 optimizers, got {optimizers}")
    if (ranks == ranks[:, :1]).all():
        return Friedman(0.0, 1.0, 0.0, 1.0)
    chi, p_value = (float(value) for value in friedmanchisquare(*ranks.T))
    left = tasks * (optimizers - 1) - chi
    # A perfect agreement leaves nothing but rounding below the line.
    agreed = left <= 1e-9 * chi
    f = math.inf if agreed else (tasks - 1) * chi / left
    degrees = (optimizers - 1, (optimizers - 1) * (tasks - 1))
    f_p = math.nan if tasks < 2 else 0.0 if agreed else float(fdtrc(*degrees, f))
    return Friedman(chi, p_value, f, f_p)


def nemenyi_distance(optimizers: int, tasks: int, *, level: float = LEVEL) -> float:
    """The difference of two average ranks from which on they differ at ``level``.

    ``q sqrt(k (k + 1) / (6 n))``, with ``q`` the studentised range's quantile over ``sqrt(2)``;
    all pairs of ``k`` optimizers over ``n`` tasks are compared at once.

    Source: Nemenyi (1963), Distribution-free multiple comparisons, Princeton; Demsar (2006),
    Statistical comparisons of classifiers over multiple data sets, JMLR 7.
    """
    from scipy.stats import studentized_range

    quantile = float(studentized_range.ppf(1 - level, optimizers, math.inf)) / math.sqrt(2)
    return quantile * _rank_error(optimizers, tasks)


def nemenyi(figures: np.ndarray, *, higher_is_better: bool) -> np.ndarray:
    """Nemenyi's p-values of all pairs, ``(optimizers, optimizers)``, 1 on the diagonal."""
    from scipy.stats import studentized_range

    ranks = average_ranks(figures, higher_is_better=higher_is_better)
    tasks, optimizers = np.shape(figures)
    apart = np.abs(ranks[:, None] - ranks) / _rank_error(optimizers, tasks)
    above = np.triu_indices(optimizers, 1)
    p_values = np.ones((optimizers, optimizers))
    p_values[above] = studentized_range.sf(apart[above] * math.sqrt(2), optimizers, math.inf)
    return np.minimum(p_values, p_values.T)


def critical_difference(
    figures: np.ndarray, *, higher_is_better: bool, level: float = LEVEL
) -> CriticalDifference:
    """Average ranks, Nemenyi's distance and the cliques of ``figures``, ``(tasks, optimizers)``.

    A clique is a run of neighbours in rank whose ends differ by less than the distance. The
    distance means something only where Friedman's test rejects; it is given beside.
    """
    ranks = average_ranks(figures, higher_is_better=higher_is_better)
    tasks, optimizers = np.shape(figures)
    order = tuple(int(column) for column in np.argsort(ranks, kind="stable"))
    distance = nemenyi_distance(optimizers, tasks, level=level)
    return CriticalDifference(
        order=order,
        ranks=ranks,
        distance=distance,
        cliques=cliques(ranks, distance),
        friedman=friedman(figures, higher_is_better=higher_is_better),
        tasks=tasks,
    )


def cliques(ranks: Sequence[float] | np.ndarray, distance: float) -> tuple[tuple[int, ...], ...]:
    """The largest groups of columns whose average ``ranks`` lie within less than ``distance``.

    ``ranks``: ``(optimizers,)``. Groups overlap: being indistinguishable is not transitive. None
    has one member, none lies inside another; the best rank first.
    """
    values = np.asarray(ranks, np.float64)
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    found: list[tuple[int, ...]] = []
    reached = 0
    for start in range(len(order)):
        stop = int(np.searchsorted(ordered, ordered[start] + distance, side="left"))
        if stop > reached and stop - start > 1:
            found.append(tuple(int(column) for column in order[start:stop]))
        reached = max(reached, stop)
    return tuple(found)


def win_matrix(figures: np.ndarray, *, higher_is_better: bool, tie: float = 0.0) -> Wins:
    """Wins, ties and losses between all pairs of ``figures``, shape ``(tasks, optimizers)``.

    Figures that differ by at most ``tie`` (in their units) are a tie. One that is not finite loses
    against every finite one and ties with its like. With seeds in place of tasks it counts seeds.
    """
    costs = _as_costs(figures, higher_is_better)
    mine, other = costs[:, :, None], costs[:, None, :]
    both = np.isfinite(mine) & np.isfinite(other)
    # 0.91 - 0.90 is a little more than 0.01 in floating point.
    margin = np.where(both, tie * (1 + 1e-9), 0.0)
    wins = (mine + margin < other).sum(axis=0)
    losses = wins.T.copy()
    return Wins(wins, len(costs) - wins - losses, losses)


def _rank_error(optimizers: int, tasks: int) -> float:
    return math.sqrt(optimizers * (optimizers + 1) / (6 * tasks))


def _as_costs(figures: np.ndarray, higher_is_better: bool) -> np.ndarray:
    matrix = _matrix(figures)
    signed = -matrix if higher_is_better else matrix
    return np.where(np.isfinite(matrix), signed, math.inf)


def _matrix(values: np.ndarray) -> np.ndarray:
    matrix = np.asarray(values, np.float64)
    if matrix.ndim != 2 or not matrix.size:
        raise ValueError(f"the shape must be (tasks, optimizers), got {matrix.shape}")
    return matrix
