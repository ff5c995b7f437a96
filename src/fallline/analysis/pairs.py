"""Two optimizers on the same seeds: Wilcoxon's test, probability of improvement, equivalence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from fallline.analysis.bootstrap import RESAMPLES, Estimate
from fallline.analysis.statistics import CONFIDENCE, LEVEL, Interval, paired_test

_FLOAT32_RESOLUTION = 1e-6


class RankTest(NamedTuple):
    """Wilcoxon's signed-rank test of paired figures."""

    statistic: float
    """The smaller of the rank sums of positive and negative differences."""
    p_value: float
    """Two-sided."""
    seeds: int
    """Pairs that differ: the others say nothing here."""


class Equivalence(NamedTuple):
    """Whether two means differ by less than ``margin``, by two one-sided tests."""

    interval: Interval
    """Of the mean difference, at twice the level: 90 % for a test at 5 %."""
    margin: float
    """The largest difference that counts as none, in the figure's units."""
    p_value: float
    """Of "they differ by at least the margin": small means equivalent."""

    @property
    def equivalent(self) -> bool:
        """At the level of 5 %."""
        return self.p_value < LEVEL


class Bound(NamedTuple):
    """The smallest ``d`` for which "no difference larger than ``d``" can be said."""

    difference: float
    """The mean difference measured, in the figure's units."""
    largest: float
    """``d``, in the figure's units; NaN with fewer than two pairs."""
    level: float
    """The chance that the statement is false is at most this."""
    seeds: int

    def words(self, unit: str = "", *, scale: float = 1.0) -> str:
        """The statement, for example ``no difference larger than 0.8 points (95 % sure)``.

        ``scale`` multiplies the figure, 100 for points; ``d`` is rounded up, never down.
        """
        if not math.isfinite(self.largest):
            return f"{self.seeds} paired seeds cannot bound the difference"
        shown = _rounded_up(self.largest * scale)
        return f"no difference larger than {shown}{unit} ({1 - self.level:.0%} sure)".replace(
            "%", " %"
        )


def wilcoxon(
    first: Sequence[float] | np.ndarray,
    second: Sequence[float] | np.ndarray,
) -> RankTest:
    """Wilcoxon's signed-rank test of ``first - second``, both ``(seeds,)`` and paired by place.

    It asks for no normal differences and cannot be moved by one wild seed; with fewer than six
    pairs it never rejects at 5 %. Pairs that are equal (to float32's precision) or not finite are
    left out. The p-value is exact for up to 50 pairs without ties and for up to 13 with ties,
    otherwise from the normal approximation, as in ``scipy.stats.wilcoxon``.

    Source: Wilcoxon (1945), Individual comparisons by ranking methods, Biometrics Bulletin 1.
    """
    from scipy import stats

    one, two = _columns(first, second)
    whole = np.isfinite(one) & np.isfinite(two)
    if not whole.any():
        return RankTest(math.nan, math.nan, 0)
    one, two = one[whole], two[whole]
    # Without rounding, 0.9 - 0.8 and 0.8 - 0.7 would not be tied.
    unit = _FLOAT32_RESOLUTION * float(np.abs(np.concatenate([one, two])).max())
    differences = np.round((one - two) / unit) if unit else np.zeros(len(one))
    differences = differences[differences != 0]
    if not len(differences):
        return RankTest(0.0, 1.0, 0)
    result = stats.wilcoxon(differences)
    return RankTest(float(result.statistic), float(result.pvalue), len(differences))


def probability_of_improvement(first: np.ndarray, second: np.ndarray) -> float:
    """The chance that a run of ``first`` beats one of ``second`` on a task drawn at random.

    Shapes ``(runs, tasks)``, as many tasks but not necessarily as many runs; larger is better.
    Of each task it is the share of all pairs of runs that ``first`` wins, a draw counting half
    (Mann and Whitney's U over the number of pairs), and over the tasks their mean. 0.5 is neither.
    Runs are not paired: it says what to expect of one's next run.

    Source: Agarwal et al. (2021), Deep reinforcement learning at the edge of the statistical
    precipice, NeurIPS 34, section 4.3.
    """
    return float(_improvement(_runs(first)[None], _runs(second)[None])[0])


def improvement_interval(
    first: np.ndarray,
    second: np.ndarray,
    *,
    generator: np.random.Generator,
    confidence: float = CONFIDENCE,
    resamples: int = RESAMPLES,
) -> Estimate:
    """`probability_of_improvement` with its percentile interval; ``(runs, tasks)`` both.

    Runs are drawn with replacement within each task, of each optimizer by themselves (Agarwal et
    al. 2021). Where ``first`` wins every pair the interval is the point 1: of few runs, that is
    not the certainty that it seems.
    """
    one, two = np.sort(_runs(first), axis=0), np.sort(_runs(second), axis=0)
    drawn = [
        _improvement(_draw(one, generator, part), _draw(two, generator, part))
        for part in _parts(resamples, len(one) * len(two) * one.shape[1])
    ]
    low, high = np.quantile(np.concatenate(drawn), [(1 - confidence) / 2, (1 + confidence) / 2])
    value = probability_of_improvement(one, two)
    return Estimate(value, float(low), float(high), min(len(one), len(two)))


def equivalence(
    first: Sequence[float] | np.ndarray,
    second: Sequence[float] | np.ndarray,
    margin: float,
    *,
    resolution: float = 0.0,
) -> Equivalence:
    """Two one-sided paired t-tests of ``|mean difference| < margin``; both ``(seeds,)``.

    The p-value is the larger of the two; it is below 5 % exactly where the 90 % interval of the
    mean difference lies within the margin. That no difference was found is no proof that there is
    none: this is the test whose rejection is one. ``resolution`` as in
    `fallline.analysis.statistics.paired_test`.

    Source: Schuirmann (1987), A comparison of the two one-sided tests procedure and the power
    approach for assessing the equivalence of average bioavailability, Journal of Pharmacokinetics
    and Biopharmaceutics 15.
    """
    from scipy.special import stdtr, stdtrit

    if not margin > 0:
        raise ValueError(f"the margin must be larger than 0, got {margin}")
    mean, error, count = _error(first, second, resolution)
    if count < 2:
        return Equivalence(Interval(mean, math.nan, math.nan, count), margin, math.nan)
    half = float(stdtrit(count - 1, 1 - LEVEL)) * error
    room = margin - abs(mean)
    # The larger p-value is that of the end which the mean is nearer to.
    p_value = float(stdtr(count - 1, -room / error)) if error > 0 else float(room <= 0)
    return Equivalence(Interval(mean, mean - half, mean + half, count), margin, p_value)


def largest_difference(
    first: Sequence[float] | np.ndarray,
    second: Sequence[float] | np.ndarray,
    *,
    level: float = LEVEL,
    resolution: float = 0.0,
) -> Bound:
    """ "No difference larger than d" with the smallest such ``d``; both ``(seeds,)``, paired.

    ``d`` is the smallest margin at which `equivalence` rejects at ``level``: the end of the
    ``1 - 2 level`` interval that lies further from zero.
    """
    from scipy.special import stdtrit

    mean, error, count = _error(first, second, resolution)
    if count < 2:
        return Bound(mean, math.nan, level, count)
    return Bound(mean, abs(mean) + float(stdtrit(count - 1, 1 - level)) * error, level, count)


def _error(
    first: Sequence[float] | np.ndarray, second: Sequence[float] | np.ndarray, resolution: float
) -> tuple[float, float, int]:
    """Mean, its standard error and the number of the paired differences."""
    from scipy.special import stdtrit

    interval = paired_test(first, second, resolution=resolution).interval
    if interval.seeds < 2:
        return interval.mean, math.nan, interval.seeds
    quantile = float(stdtrit(interval.seeds - 1, 0.5 + CONFIDENCE / 2))
    return interval.mean, interval.half_width / quantile, interval.seeds


def _improvement(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Of ``(resamples, runs, tasks)`` each; the result is ``(resamples,)``."""
    one, two = first[:, :, None], second[:, None]
    return (np.mean(one > two, axis=(1, 2, 3)) + np.mean(one >= two, axis=(1, 2, 3))) / 2


def _draw(runs: np.ndarray, generator: np.random.Generator, count: int) -> np.ndarray:
    rows = generator.integers(len(runs), size=(count, *runs.shape))
    return runs[rows, np.arange(runs.shape[1])]


def _parts(resamples: int, each: int, *, most: int = 4_000_000) -> list[int]:
    part = max(1, most // each)
    return [min(part, resamples - start) for start in range(0, resamples, part)]


def _runs(scores: np.ndarray) -> np.ndarray:
    matrix = np.asarray(scores, np.float64)
    if matrix.ndim != 2 or not matrix.size:
        raise ValueError(f"scores need the shape (runs, tasks), got {matrix.shape}")
    if np.isnan(matrix).any():
        raise ValueError("scores must be numbers: a diverged run needs the score of the worst")
    return matrix


def _columns(
    first: Sequence[float] | np.ndarray, second: Sequence[float] | np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    one, two = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if one.shape != two.shape or one.ndim != 1:
        raise ValueError(f"paired values need one shape (seeds,), got {one.shape} and {two.shape}")
    return one, two


def _rounded_up(value: float, digits: int = 2) -> str:
    if value == 0:
        return "0"
    unit = 10.0 ** (math.floor(math.log10(value)) - digits + 1)
    # 0.30 / 0.01 is a little above 30 in floating point.
    return f"{math.ceil(value / unit - 1e-9) * unit:.12g}"
