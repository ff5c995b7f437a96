"""Bootstrap intervals against scipy's own, rliable's figures, closed forms and simulations."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from fallline.analysis.bootstrap import (
    aggregate,
    expanded_confidence,
    interquartile_mean,
    paired_interval,
    stratified_difference,
    stratified_interval,
)
from fallline.analysis.statistics import t_interval

FIRST = np.array([0.91, 0.93, 0.94, 0.95, 0.955, 0.96, 0.962, 0.97, 0.975, 0.98])
SECOND = np.array([0.90, 0.935, 0.93, 0.951, 0.94, 0.95, 0.965, 0.953, 0.97, 0.961])

# Five runs of three tasks, with the aggregates and intervals that rliable 1.2.0 gives for them
# (50,000 resamples, arch 7.2.0).
SCORES = np.array(
    [
        [0.33, 0.55, 1.44],
        [0.42, 0.82, 0.28],
        [0.78, 0.62, 0.39],
        [0.36, 0.63, 0.90],
        [0.13, 0.28, 0.20],
    ]
)
RLIABLE = {
    "mean": (0.542, 0.39266667, 0.706),
    "median": (0.58, 0.352, 0.69),
    "iqm": (0.48444444, 0.34666667, 0.66222222),
    "optimality_gap": (0.48733333, 0.35933333, 0.60933333),
}


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("statistic", ["mean", "median", "iqm"])
@pytest.mark.parametrize("method", ["percentile", "bca"])
def test_the_interval_is_scipys(statistic: str, method: str):
    of = {
        "mean": np.mean,
        "median": np.median,
        "iqm": lambda values, axis: stats.trim_mean(values, 0.25, axis=axis),
    }[statistic]
    theirs = stats.bootstrap(
        (FIRST, SECOND),
        lambda a, b, axis: of(a, axis=axis) - of(b, axis=axis),
        paired=True,
        vectorized=True,
        n_resamples=500,
        method={"percentile": "percentile", "bca": "BCa"}[method],
        rng=rng(),
    ).confidence_interval
    ours = paired_interval(
        FIRST, SECOND, generator=rng(), statistic=statistic, method=method, resamples=500
    )
    assert (ours.low, ours.high) == (theirs.low, theirs.high)
    assert ours.value == pytest.approx(of(FIRST, axis=0) - of(SECOND, axis=0))
    assert ours.low < ours.value < ours.high
    assert ours.seeds == 10


def test_the_expanded_interval_of_a_mean_is_close_to_students():
    differences = rng(1).normal(size=40)
    ours = paired_interval(differences, np.zeros(40), generator=rng(), resamples=20_000)
    student = t_interval(differences)
    assert ours.low == pytest.approx(student.low, abs=0.05 * student.half_width)
    assert ours.high == pytest.approx(student.high, abs=0.05 * student.half_width)


def test_the_expansion_worked_for_ten_values():
    # t(0.975, 9) is 2.262; times sqrt(10 / 9) it is 2.385; 2 Phi(2.385) - 1 is 0.9829.
    assert expanded_confidence(10) == pytest.approx(0.9829, abs=5e-5)
    assert expanded_confidence(10**7) == pytest.approx(0.95, abs=1e-6)


def test_equal_differences_are_a_point():
    for method in ("expanded", "percentile", "bca"):
        found = paired_interval([1.5, 2.5, 3.5], [1.0, 2.0, 3.0], generator=rng(), method=method)
        assert found == pytest.approx((0.5, 0.5, 0.5, 3))


def test_seeds_without_a_pair_are_left_out():
    whole = paired_interval(FIRST[1:], SECOND[1:], generator=rng())
    holed = paired_interval([math.nan, *FIRST[1:]], SECOND, generator=rng())
    assert holed == whole
    assert holed.seeds == 9


def test_of_one_pair_there_is_no_interval():
    one = paired_interval([0.9], [0.8], generator=rng())
    assert one.value == pytest.approx(0.1)
    assert math.isnan(one.low)
    assert paired_interval([], [], generator=rng()).seeds == 0


def coverage(method: str, *, studies: int, seeds: int = 10) -> float:
    """How often the interval holds the true mean difference of normal figures."""
    draw, true = rng(3), 0.2
    covered = 0
    for _ in range(studies):
        shared = draw.normal(size=seeds)
        first = shared + true + 0.5 * draw.normal(size=seeds)
        found = paired_interval(first, shared, generator=draw, method=method, resamples=400)
        covered += found.low <= true <= found.high
    return covered / studies


def test_the_expanded_interval_covers_what_it_promises():
    assert 0.93 < coverage("expanded", studies=1000) < 0.97


def test_the_plain_one_does_not_and_so_is_not_what_one_gets_unasked():
    assert coverage("percentile", studies=400) < 0.93


@pytest.mark.parametrize("kind", RLIABLE)
def test_aggregates_and_their_intervals_are_rliables(kind: str):
    value, low, high = RLIABLE[kind]
    found = stratified_interval(SCORES, kind, generator=rng(), resamples=20_000)
    assert found.value == pytest.approx(value, abs=1e-8)
    assert found.low == pytest.approx(low, abs=0.01)
    assert found.high == pytest.approx(high, abs=0.01)


def test_interquartile_mean_by_hand():
    # Of nine values two are cut at each end (a quarter of nine is 2.25).
    assert interquartile_mean(np.array([0, 0, 1, 2, 3, 4, 5, 100, 900])) == 3.0
    assert interquartile_mean(np.array([1.0, 2.0, 9.0])) == 4.0


def test_aggregates_of_many_matrices_at_once():
    many = np.stack([SCORES, 2 * SCORES])
    for kind in RLIABLE:
        assert aggregate(many, kind).tolist() == [
            aggregate(SCORES, kind),
            aggregate(2 * SCORES, kind),
        ]


def test_the_stratified_interval_of_one_task_is_scipys_percentile_interval():
    task = np.sort(SCORES[:, :1], axis=0)
    theirs = stats.bootstrap(
        (task[:, 0],), np.mean, n_resamples=20_000, method="percentile", rng=rng(5)
    ).confidence_interval
    ours = stratified_interval(task, "mean", generator=rng(6), resamples=20_000)
    assert ours.low == pytest.approx(theirs.low, abs=0.006)
    assert ours.high == pytest.approx(theirs.high, abs=0.006)


def test_in_parts_or_at_once_the_resamples_are_the_same(monkeypatch: pytest.MonkeyPatch):
    at_once = stratified_interval(SCORES, generator=rng(), resamples=100)
    monkeypatch.setattr("fallline.analysis.bootstrap._IN_MEMORY", 7 * SCORES.size)
    assert stratified_interval(SCORES, generator=rng(), resamples=100) == at_once


def test_pairing_by_seed_narrows_the_difference_of_aggregates():
    better = SCORES + 0.05
    paired = stratified_difference(better, SCORES, "mean", generator=rng())
    assert paired.value == pytest.approx(0.05)
    assert (paired.low, paired.high) == pytest.approx((0.05, 0.05))
    shuffled = stratified_difference(better[::-1], SCORES, "mean", generator=rng())
    assert shuffled.high - shuffled.low > 0.1


def test_scores_of_diverged_runs_are_asked_for():
    with pytest.raises(ValueError, match="diverged run needs the score"):
        stratified_interval(np.array([[0.5, math.nan]]), generator=rng())
    with pytest.raises(ValueError, match="paired values need one shape"):
        paired_interval([1.0, 2.0], [1.0], generator=rng())
    with pytest.raises(ValueError, match="unknown statistic 'mode'"):
        paired_interval([1.0, 2.0], [1.0, 3.0], generator=rng(), statistic="mode")


@settings(max_examples=15, deadline=None)
@given(st.permutations(range(10)))
def test_the_order_of_the_seeds_changes_nothing(order: list[int]):
    same = paired_interval(FIRST[order], SECOND[order], generator=rng(), resamples=50)
    assert same == paired_interval(FIRST, SECOND, generator=rng(), resamples=50)
    rows = [place for place in order if place < 5]
    assert stratified_interval(SCORES[rows], generator=rng(), resamples=50) == (
        stratified_interval(SCORES, generator=rng(), resamples=50)
    )
    assert stratified_difference(SCORES[rows], 1 - SCORES[rows], generator=rng(), resamples=50) == (
        stratified_difference(SCORES, 1 - SCORES, generator=rng(), resamples=50)
    )
