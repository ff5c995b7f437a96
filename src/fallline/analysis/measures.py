"""What a curve or a search comes to: time to a target, area, sensitivity, expected best of k."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from fallline.analysis.bootstrap import RESAMPLES
from fallline.analysis.curves import epochs_to
from fallline.analysis.statistics import CONFIDENCE


class TimeTo(NamedTuple):
    """When a curve reaches a target; infinite where it does not."""

    epochs: float
    steps: float
    seconds: float


class Basin(NamedTuple):
    """The learning rates around the best one that are nearly as good."""

    best_rate: float
    """NaN where every rate diverged, and so are the ends."""
    best: float
    low: float
    high: float
    low_open: bool
    """The smallest rate tried is still inside: the basin is at least this wide."""
    high_open: bool

    @property
    def decades(self) -> float:
        """The width in powers of ten: 1 where a tenth of the largest good rate is still good."""
        return math.log10(self.high / self.low) if self.low > 0 else math.nan


class ExpectedBest(NamedTuple):
    """The best figure to expect of ``trials`` trials; all of shape ``(trials,)``."""

    trials: np.ndarray
    """1, 2, ... up to the number that was made."""
    seconds: np.ndarray
    """How long so many take on average; NaN where their durations were not given."""
    value: np.ndarray
    low: np.ndarray
    """Ends of the bootstrap interval over trials; NaN without a generator."""
    high: np.ndarray


def derived_target(figures: np.ndarray, *, higher_is_better: bool) -> float:
    """The median final figure of the best optimizer of ``figures``, ``(seeds, optimizers)``.

    The best has the best mean over its finite figures among those with the fewest that are not
    finite (runs that diverged); the median is over its finite figures. NaN if there is none.
    """
    # Sorted, so that the order of the seeds does not change the last digit of a sum.
    matrix = _sign(higher_is_better) * np.sort(np.asarray(figures, np.float64), axis=0)
    finite = np.isfinite(matrix)
    if not finite.any():
        return math.nan
    columns = [column[whole] for column, whole in zip(matrix.T, finite.T, strict=True)]
    best = max((column for column in columns if len(column)), key=_standing)
    return _sign(higher_is_better) * float(np.median(best))


def time_to(
    curve: Sequence[float] | np.ndarray,
    target: float,
    *,
    higher_is_better: bool,
    steps_per_epoch: float = math.nan,
    seconds_per_step: float = math.nan,
) -> TimeTo:
    """Epochs, steps and seconds after which ``curve``, ``(epochs trained,)``, reaches ``target``.

    The epochs are those of `fallline.analysis.curves.epochs_to`. ``seconds_per_step`` is measured
    alone, so the seconds are those of training by itself, without compilation and evaluation.
    """
    epochs = epochs_to(curve, target, higher_is_better)
    steps = epochs * steps_per_epoch
    return TimeTo(epochs, steps, steps * seconds_per_step)


def area_under(
    curve: Sequence[float] | np.ndarray, *, epochs: int | None = None, worst: float = math.nan
) -> float:
    """The mean height of ``curve``, ``(epochs trained,)``, in the figure's units.

    The trapezoidal area over the length of the curve. With ``epochs`` the last figure is held
    until there, as for a run that stopped early. From the first figure on that is not finite the
    run counts as ``worst``.
    """
    values = np.array(curve, np.float64)
    if epochs is not None and 0 < len(values) < epochs:
        values = np.append(values, np.full(epochs - len(values), values[-1]))
    if not len(values):
        return math.nan
    broken = np.flatnonzero(~np.isfinite(values))
    if len(broken):
        values[broken[0] :] = worst
    if len(values) == 1:
        return float(values[0])
    return float(np.trapezoid(values) / (len(values) - 1))


def basin(
    rates: Sequence[float] | np.ndarray,
    figures: Sequence[float] | np.ndarray,
    *,
    within: float,
    higher_is_better: bool,
) -> Basin:
    """The interval of learning rates whose figure stays within ``within`` percent of the best.

    ``rates``: positive and distinct, ``(rates,)`` in any order; ``figures``: one each. Figures are
    interpolated linearly in ``log10(rate)`` between neighbours, starting from the best rate (the
    smallest of equal ones) to either side, as far as they stay good. Next to a rate that diverged
    (not finite) nothing can be interpolated: there the basin ends at the last rate that did not.
    """
    places, values = _by_rate(rates, figures)
    costs = np.where(np.isfinite(values), -values if higher_is_better else values, math.inf)
    best = int(np.argmin(costs))
    if not math.isfinite(costs[best]):
        return Basin(math.nan, math.nan, math.nan, math.nan, False, False)
    most = costs[best] + within / 100 * abs(costs[best])
    low, low_open = _edge(places[best::-1], costs[best::-1], most)
    high, high_open = _edge(places[best:], costs[best:], most)
    return Basin(
        float(10 ** places[best]), float(values[best]), 10**low, 10**high, low_open, high_open
    )


def expected_best(
    figures: Sequence[float] | np.ndarray, *, higher_is_better: bool, replacement: bool = False
) -> np.ndarray:
    """The expected best of ``k`` trials for every ``k`` from 1 to ``n``, in closed form.

    ``figures``: the trials' figures ``(n,)``, in any order; the result is ``(n,)``. Without
    ``replacement`` it is the mean over all subsets of ``k`` trials, which does not err on average:
    the ``i``-th worst is the best of ``C(i - 1, k - 1)`` of the ``C(n, k)`` subsets (Tang et al.
    2020). With it, the ``k`` trials are drawn from the ``n`` with repetition (Dodge et al. 2019),
    which promises too little, the more so the nearer ``k`` is to ``n``.

    Figures that are not finite (diverged) count as infinitely bad, and so does the expectation
    until ``k`` is larger than their number; give them the figure of the worst
    (`counted_as_worst`) for a finite one.

    Source: Dodge et al. (2019), Show your work: improved reporting of experimental results, EMNLP;
    Tang et al. (2020), Showing your work doesn't always work, ACL.
    """
    ordered = _worst_first(figures, higher_is_better)
    weights = _best_of_k_weights(ordered.shape[-1], replacement)
    return _sign(higher_is_better) * _weighted(ordered, weights)


def expected_best_curve(
    figures: Sequence[float] | np.ndarray,
    seconds: Sequence[float] | np.ndarray | None = None,
    *,
    higher_is_better: bool,
    generator: np.random.Generator | None = None,
    confidence: float = CONFIDENCE,
    resamples: int = RESAMPLES,
) -> ExpectedBest:
    """`expected_best` against trials and against time, with its percentile bootstrap interval.

    ``figures`` and ``seconds`` (what each trial took): ``(n,)``. ``k`` trials take ``k`` times the
    mean duration on average, in whatever order they are tried. Trials are drawn with replacement
    for the interval, which is too narrow where ``k`` is near ``n``: no resample holds a trial
    better than the best one that was made.
    """
    value = expected_best(figures, higher_is_better=higher_is_better)
    count = len(value)
    trials = np.arange(1, count + 1)
    each = math.nan if seconds is None else float(np.mean(np.asarray(seconds, np.float64)))
    low = high = np.full(count, math.nan)
    if generator is not None:
        rows = generator.integers(count, size=(resamples, count))
        made = _sign(higher_is_better) * _worst_first(figures, higher_is_better)
        ordered = _worst_first(made[rows], higher_is_better)
        drawn = _weighted(ordered, _best_of_k_weights(count, False))
        ends = [(1 - confidence) / 2, (1 + confidence) / 2]
        # Between an infinite and a finite value there is nothing to interpolate.
        low, high = np.quantile(drawn, ends, axis=0, method="nearest")
        if not higher_is_better:
            low, high = -high, -low
    return ExpectedBest(trials, trials * each, value, low, high)


def expected_best_within(
    figures: Sequence[float] | np.ndarray,
    seconds: Sequence[float] | np.ndarray,
    budgets: Sequence[float] | np.ndarray,
    *,
    higher_is_better: bool,
    generator: np.random.Generator,
    orders: int = 1000,
) -> np.ndarray:
    """The expected best figure after each of ``budgets`` seconds, ``(budgets,)``, by simulation.

    The trials (``figures`` and ``seconds``, both ``(n,)``) are made one after another in ``orders``
    random orders; a trial counts once it is finished. Unlike `expected_best_curve` it knows that
    some trials take longer than others (successive halving, early stopping). NaN for a budget in
    which some order finishes no trial: left out, those orders would make a short budget look good.
    """
    values = _sign(higher_is_better) * np.asarray(figures, np.float64)
    values = np.where(np.isfinite(values), values, -math.inf)
    taken = np.asarray(seconds, np.float64)
    known = np.lexsort((taken, values))
    values, taken = values[known], taken[known]
    rows = generator.permuted(np.tile(np.arange(len(values)), (orders, 1)), axis=1)
    finished = np.cumsum(taken[rows], axis=1)
    best = np.maximum.accumulate(values[rows], axis=1)
    # The sum of durations in two orders differs by rounding.
    slack = 1e-9 * taken.sum()
    result = np.full(len(np.asarray(budgets)), math.nan)
    for place, budget in enumerate(np.asarray(budgets, np.float64)):
        made = (finished <= budget + slack).sum(axis=1)
        if made.all():
            result[place] = np.mean(best[np.arange(orders), made - 1])
    return _sign(higher_is_better) * result


def counted_as_worst(
    figures: Sequence[float] | np.ndarray, *, higher_is_better: bool, worst: float = math.nan
) -> np.ndarray:
    """``figures`` (any shape) with those that are not finite replaced by ``worst``.

    ``worst`` is what a divergence is worth (chance for an accuracy, a constant answer's error);
    without it, or where a figure is worse still, it is the worst finite figure.
    """
    values = np.asarray(figures, np.float64)
    finite = np.isfinite(values)
    if finite.any():
        last = float(values[finite].min() if higher_is_better else values[finite].max())
        worst = (
            last
            if math.isnan(worst)
            else min(worst, last)
            if higher_is_better
            else max(worst, last)
        )
    return np.where(finite, values, worst)


def diverged_share(diverged: Sequence[bool] | np.ndarray) -> float:
    """The share of runs that diverged, from 0 to 1; NaN of none."""
    runs = np.asarray(diverged, bool)
    return float(runs.mean()) if runs.size else math.nan


def generalisation_gap(
    train: Sequence[float] | np.ndarray,
    held_out: Sequence[float] | np.ndarray,
    *,
    higher_is_better: bool,
) -> np.ndarray:
    """By how much the figure is better on training than on held-out data, run by run.

    Same shape as both, in the figure's units; positive where held-out data are harder.
    """
    one, two = np.asarray(train, np.float64), np.asarray(held_out, np.float64)
    return _sign(higher_is_better) * (one - two)


def _by_rate(
    rates: Sequence[float] | np.ndarray, figures: Sequence[float] | np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """``log10`` of the rates, ascending, and their figures."""
    places, values = np.asarray(rates, np.float64), np.asarray(figures, np.float64)
    if places.shape != values.shape or places.ndim != 1 or not len(places):
        raise ValueError(f"needs a figure for each rate, got {places.shape} and {values.shape}")
    if not (np.isfinite(places) & (places > 0)).all() or len(np.unique(places)) < len(places):
        raise ValueError(f"rates must be positive and distinct, got {places.tolist()}")
    order = np.argsort(places)
    return np.log10(places[order]), values[order]


def _edge(places: np.ndarray, costs: np.ndarray, most: float) -> tuple[float, bool]:
    """How far from the first place the costs stay at most ``most``, and whether to the last."""
    beyond = np.flatnonzero(costs > most)
    if not len(beyond):
        return float(places[-1]), True
    outer = int(beyond[0])
    inner = outer - 1
    # Of an infinite cost the share is 0: the edge is the last place that trained.
    share = (most - costs[inner]) / (costs[outer] - costs[inner])
    return float(places[inner] + share * (places[outer] - places[inner])), False


def _worst_first(figures: Sequence[float] | np.ndarray, higher_is_better: bool) -> np.ndarray:
    """Signed so that larger is better, in ascending order along the last axis."""
    values = np.asarray(figures, np.float64)
    if not values.size:
        raise ValueError("needs the figure of at least one trial")
    signed = _sign(higher_is_better) * values
    return np.sort(np.where(np.isfinite(values), signed, -math.inf), axis=-1)


def _best_of_k_weights(count: int, replacement: bool) -> np.ndarray:
    """``weights[k - 1, i - 1]``: the chance that the ``i``-th worst is the best of ``k``."""
    places, sizes = np.arange(1, count + 1), np.arange(1, count + 1)[:, None]
    if replacement:
        return (places / count) ** sizes - ((places - 1) / count) ** sizes
    chances = [
        [math.comb(place - 1, size - 1) / math.comb(count, size) for place in range(1, count + 1)]
        for size in range(1, count + 1)
    ]
    return np.array(chances)


def _weighted(ordered: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """``ordered @ weights.T`` where an infinite value with no weight counts for nothing."""
    finite = np.isfinite(ordered)
    sums = np.where(finite, ordered, 0.0) @ weights.T
    lost = (~finite).astype(float) @ weights.T > 0
    return np.where(lost, -math.inf, sums)


def _standing(figures: np.ndarray) -> tuple[int, float, float]:
    return len(figures), float(np.mean(figures)), float(np.median(figures))


def _sign(higher_is_better: bool) -> float:
    return 1.0 if higher_is_better else -1.0
