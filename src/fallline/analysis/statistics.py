"""Intervals, the paired test and Holm's correction: the statistics behind a verdict."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

CONFIDENCE = 0.95
LEVEL = 1.0 - CONFIDENCE

_FLOAT32_RESOLUTION = 1e-6


class Interval(NamedTuple):
    """A mean with its confidence interval; ``low`` and ``high`` are NaN for a single value."""

    mean: float
    low: float
    high: float
    seeds: int

    @property
    def half_width(self) -> float:
        return (self.high - self.low) / 2


def t_interval(values: Sequence[float] | np.ndarray, *, confidence: float = CONFIDENCE) -> Interval:
    """Student's interval of the mean of ``values``, shape ``(seeds,)``; NaN values are left out.

    The mean plus and minus ``t * s / sqrt(n)``, with ``s`` the sample's standard deviation and
    ``t`` the quantile of Student's distribution with ``n - 1`` degrees of freedom.
    """
    sample = _finite(values)
    if len(sample) == 0:
        return Interval(math.nan, math.nan, math.nan, 0)
    mean = float(sample.mean())
    if len(sample) == 1:
        return Interval(mean, math.nan, math.nan, 1)
    half = _t_quantile(len(sample), confidence) * float(sample.std(ddof=1)) / math.sqrt(len(sample))
    return Interval(mean, mean - half, mean + half, len(sample))


def prediction_interval(
    values: Sequence[float] | np.ndarray, *, confidence: float = CONFIDENCE
) -> Interval:
    """Where one further value like ``values``, shape ``(seeds,)``, lies with that confidence.

    The mean plus and minus ``t * s * sqrt(1 + 1 / n)``, wider than `t_interval` of the mean: it
    is what a single run of somebody else is held against. NaN values are left out.
    """
    of_mean = t_interval(values, confidence=confidence)
    half = of_mean.half_width * math.sqrt(of_mean.seeds + 1)
    return of_mean._replace(low=of_mean.mean - half, high=of_mean.mean + half)


class PairedTest(NamedTuple):
    """The mean of paired differences, its interval, and the two-sided p-value of "it is zero"."""

    interval: Interval
    p_value: float


def paired_test(
    first: Sequence[float] | np.ndarray,
    second: Sequence[float] | np.ndarray,
    *,
    resolution: float = 0.0,
) -> PairedTest:
    """Student's paired test of ``first - second``, both of shape ``(seeds,)``, paired by place.

    Pairs with a value that is not finite are left out; with fewer than two pairs the p-value is
    NaN. ``resolution`` is the smallest step by which the figures can differ (one test example for
    an accuracy, 0 for a continuous figure). Rounded figures may differ by the same amount on
    every seed; the standard deviation is therefore taken to be at least what rounding both
    figures to that step causes, ``resolution / sqrt(6)``, or no constant difference, however
    small, would ever be put down to chance.
    """
    one, two = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if one.shape != two.shape or one.ndim != 1:
        raise ValueError(f"paired values need one shape (seeds,), got {one.shape} and {two.shape}")
    differences = _finite(one - two)
    count = len(differences)
    plain = t_interval(differences)
    if count < 2:
        return PairedTest(plain, math.nan)
    scale = float(np.nanmax(np.abs(np.concatenate([one, two]))))
    spread = max(float(differences.std(ddof=1)), resolution / math.sqrt(6.0))
    if spread <= scale * _FLOAT32_RESOLUTION:
        same = abs(plain.mean) <= scale * _FLOAT32_RESOLUTION
        return PairedTest(plain, 1.0 if same else 0.0)
    error = spread / math.sqrt(count)
    half = _t_quantile(count, CONFIDENCE) * error
    interval = Interval(plain.mean, plain.mean - half, plain.mean + half, count)
    return PairedTest(interval, _two_sided(plain.mean / error, count))


def holm(p_values: Sequence[float] | np.ndarray) -> np.ndarray:
    """Holm's step-down adjustment of ``p_values``, shape ``(tests,)``, in the order given.

    An adjusted value below 5 % rejects with a chance of at most 5 % that any rejection of the
    family is false. NaN (no test was made) stays NaN and does not count.

    Source: Holm (1979), A simple sequentially rejective multiple test procedure, Scandinavian
    Journal of Statistics 6.
    """
    raw = np.asarray(p_values, np.float64)
    adjusted = np.full(raw.shape, math.nan)
    made = np.flatnonzero(np.isfinite(raw))
    order = made[np.argsort(raw[made], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(raw[order] * factors), 1.0)
    return adjusted


def fold_interval(
    values: Sequence[float] | np.ndarray, held_out: float, *, confidence: float = CONFIDENCE
) -> Interval:
    """Student's interval of the mean over folds, widened because folds share their examples.

    ``values``: ``(folds,)``; NaN values are left out. ``held_out``: validation examples per
    training example, 1 / (k - 1) for k folds. The variance of the mean is taken to be
    ``s^2 (1/k + held_out)``; without the second term, folds would count as independent samples,
    and the interval would be too narrow.

    Source: Nadeau and Bengio (2003), Inference for the generalization error, Machine Learning 52:
    the corrected resampled t.
    """
    sample = _finite(values)
    plain = t_interval(sample, confidence=confidence)
    if len(sample) < 2:
        return plain
    half = plain.half_width * math.sqrt(1.0 + len(sample) * held_out)
    return Interval(plain.mean, plain.mean - half, plain.mean + half, len(sample))


def _finite(values: Sequence[float] | np.ndarray) -> np.ndarray:
    sample = np.asarray(values, np.float64)
    # Sorted, so that the order of the seeds does not change the last digit of a sum.
    return np.sort(sample[np.isfinite(sample)])


def _t_quantile(count: int, confidence: float) -> float:
    # scipy.special holds the same functions as scipy.stats and is imported in a fifth of the time.
    from scipy.special import stdtrit

    return float(stdtrit(count - 1, 0.5 + confidence / 2))


def _two_sided(statistic: float, count: int) -> float:
    from scipy.special import stdtr

    return float(2.0 * stdtr(count - 1, -abs(statistic)))
