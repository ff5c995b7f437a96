"""Wilcoxon, probability of improvement and equivalence: by hand, against scipy, in simulation."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from fallline.analysis.pairs import (
    equivalence,
    improvement_interval,
    largest_difference,
    probability_of_improvement,
    wilcoxon,
)
from fallline.analysis.statistics import t_interval

FIRST = np.array([0.91, 0.93, 0.94, 0.95, 0.955, 0.96, 0.962, 0.97, 0.975, 0.98])
SECOND = np.array([0.90, 0.935, 0.93, 0.951, 0.94, 0.95, 0.965, 0.953, 0.97, 0.961])

ONE = np.array(
    [
        [0.33, 0.55, 1.44],
        [0.42, 0.82, 0.28],
        [0.78, 0.62, 0.39],
        [0.36, 0.63, 0.90],
        [0.13, 0.28, 0.20],
    ]
)
OTHER = np.array([[0.52, 0.02, 0.15], [0.5, 0.8, 0.62], [0.29, 0.24, 0.31], [0.6, 0.49, 0.28]])


def signs_p_value(differences: np.ndarray) -> float:
    """The two-sided p-value by giving every difference either sign, all equally likely."""
    ranks = stats.rankdata(np.abs(differences))
    seen = min(ranks[differences > 0].sum(), ranks[differences < 0].sum())
    sums = [
        min(ranks @ np.array(signs), ranks @ (1 - np.array(signs)))
        for signs in itertools.product([0, 1], repeat=len(differences))
    ]
    return float(np.mean(np.array(sums) <= seen + 1e-9))


def test_wilcoxon_worked_by_hand():
    # Differences 1, 2, 3, 4, 5, -6 have ranks 1 to 6: the negative sum is 6. Of the 64 patterns of
    # signs 14 give at most 6 on a given side (1 + 1 + 1 + 2 + 2 + 3 + 4 sets of distinct ranks).
    found = wilcoxon([1.0, 2, 3, 4, 5, 0], [0.0, 0, 0, 0, 0, 6])
    assert found == (6.0, 28 / 64, 6)


def test_wilcoxon_is_scipys_and_that_of_all_signs():
    found = wilcoxon(FIRST, SECOND)
    differences = np.round(FIRST - SECOND, 6)
    theirs = stats.wilcoxon(differences)
    assert (found.statistic, found.p_value) == (theirs.statistic, theirs.pvalue)
    assert found.p_value == pytest.approx(signs_p_value(differences))


def test_ties_are_ties_whatever_floating_point_makes_of_them():
    # 0.9 - 0.8, 0.8 - 0.7 and 0.4 - 0.3 differ in the last digit.
    found = wilcoxon([0.9, 0.8, 0.4, 0.1, 0.5, 0.7], [0.8, 0.7, 0.3, 0.2, 0.3, 0.4])
    assert found.p_value == pytest.approx(signs_p_value(np.array([1, 1, 1, -1, 2, 3])))
    assert found.statistic == 2.5


def test_five_pairs_never_reject_and_six_can():
    assert wilcoxon(np.arange(1.0, 6), np.zeros(5)).p_value == 2 / 2**5
    assert wilcoxon(np.arange(1.0, 7), np.zeros(6)).p_value == 2 / 2**6


def test_pairs_that_are_equal_or_not_finite_say_nothing():
    assert wilcoxon([0.5, 0.6], [0.5, 0.6]) == (0.0, 1.0, 0)
    assert wilcoxon([0.0], [0.0]).p_value == 1.0
    assert wilcoxon([math.nan, 3.0, 1.0], [1.0, 1.0, 1.0]).seeds == 1
    assert math.isnan(wilcoxon([math.nan], [1.0]).p_value)
    with pytest.raises(ValueError, match="one shape"):
        wilcoxon([1.0, 2.0], [1.0])


def test_probability_of_improvement_counts_pairs_of_runs():
    # First task: 3 beats both, 1 draws with 1 and loses to 2: 2.5 of 4. Second task: 4 of 4.
    found = probability_of_improvement(
        np.array([[3.0, 9.0], [1.0, 8.0]]), np.array([[1.0, 0.0], [2.0, 1.0]])
    )
    assert found == (2.5 / 4 + 1.0) / 2


def test_probability_of_improvement_and_its_interval_are_rliables():
    # rliable 1.2.0: 0.59166667, and [0.36666667, 0.8] from 20,000 resamples.
    found = improvement_interval(ONE, OTHER, generator=np.random.default_rng(0), resamples=20_000)
    assert found.value == pytest.approx(0.59166667, abs=1e-8)
    assert found.low == pytest.approx(0.36666667, abs=0.02)
    assert found.high == pytest.approx(0.8, abs=0.02)
    assert found.seeds == 4


def test_probability_of_improvement_is_mann_whitneys():
    tasks = [stats.mannwhitneyu(ONE[:, task], OTHER[:, task]).statistic / 20 for task in range(3)]
    assert probability_of_improvement(ONE, OTHER) == pytest.approx(np.mean(tasks))
    assert probability_of_improvement(ONE, OTHER) + probability_of_improvement(
        OTHER, ONE
    ) == pytest.approx(1.0)


def test_a_diverged_run_needs_a_score():
    with pytest.raises(ValueError, match="score of the worst"):
        probability_of_improvement(np.array([[math.nan]]), np.array([[1.0]]))
    # Infinitely bad is a score: it loses against all and draws with its like.
    lost = np.array([[-math.inf]])
    assert probability_of_improvement(lost, np.array([[0.0]])) == 0.0
    assert probability_of_improvement(lost, lost) == 0.5


@pytest.mark.parametrize("margin", [0.004, 0.01, 0.02])
def test_equivalence_is_the_larger_of_scipys_two_tests(margin: float):
    found = equivalence(FIRST, SECOND, margin)
    below = stats.ttest_1samp(FIRST - SECOND, margin, alternative="less").pvalue
    above = stats.ttest_1samp(FIRST - SECOND, -margin, alternative="greater").pvalue
    assert found.p_value == pytest.approx(max(below, above), rel=1e-9)
    turned = equivalence(SECOND, FIRST, margin)
    assert turned.p_value == pytest.approx(found.p_value)


def test_equivalence_is_the_90_percent_interval_within_the_margin():
    narrow = t_interval(FIRST - SECOND, confidence=0.9)
    bound = max(abs(narrow.low), abs(narrow.high))
    assert equivalence(FIRST, SECOND, 1.0).interval == pytest.approx(narrow)
    assert equivalence(FIRST, SECOND, 1.001 * bound).equivalent
    assert not equivalence(FIRST, SECOND, 0.999 * bound).equivalent
    found = largest_difference(FIRST, SECOND)
    assert found.largest == pytest.approx(bound)
    assert found.difference == pytest.approx(np.mean(FIRST - SECOND))


def test_the_bound_in_words_is_rounded_up():
    bound = largest_difference([2.0, 2.0, 2.0], [1.0, 1.0, 1.0])
    assert bound.words() == "no difference larger than 1 (95 % sure)"
    assert bound._replace(largest=0.00301).words(" points", scale=100) == (
        "no difference larger than 0.31 points (95 % sure)"
    )
    assert bound._replace(largest=0.3).words() == "no difference larger than 0.3 (95 % sure)"
    assert bound._replace(largest=0.0).words() == "no difference larger than 0 (95 % sure)"
    assert bound._replace(largest=1234.0).words() == ("no difference larger than 1300 (95 % sure)")
    assert largest_difference([1.0], [2.0]).words() == (
        "1 paired seeds cannot bound the difference"
    )


def test_equal_figures_are_equivalent_as_far_as_they_are_resolved():
    same = np.array([0.9, 0.8, 0.7])
    assert equivalence(same, same, 0.001).p_value == 0.0
    assert equivalence(same + 0.5, same, 0.2).p_value == 1.0
    assert not equivalence(same, same, 0.001, resolution=0.01).equivalent
    assert largest_difference(same, same).largest == 0.0
    # s is 0.01 / sqrt(6); t(0.95, 2) is 2.920.
    step = largest_difference(same, same, resolution=0.01)
    assert step.largest == pytest.approx(2.920 * 0.01 / math.sqrt(6 * 3), rel=1e-3)


def test_of_one_pair_or_without_a_margin_nothing_is_equivalent():
    assert math.isnan(equivalence([1.0], [1.0], 0.5).p_value)
    assert not equivalence([1.0], [1.0], 0.5).equivalent
    with pytest.raises(ValueError, match="margin must be larger than 0"):
        equivalence(FIRST, SECOND, 0.0)


def rejections(test, *, shift: float, studies: int, seeds: int = 10) -> float:
    rng = np.random.default_rng(11)
    shared = rng.normal(size=(studies, seeds))
    first = shared + shift + 0.5 * rng.normal(size=(studies, seeds))
    second = shared + 0.5 * rng.normal(size=(studies, seeds))
    return float(np.mean([test(one, two) for one, two in zip(first, second, strict=True)]))


def test_two_equal_optimizers_are_called_different_in_at_most_one_of_twenty():
    rate = rejections(lambda a, b: wilcoxon(a, b).p_value < 0.05, shift=0.0, studies=600)
    # The exact level of ten pairs is 50 / 1024; three standard errors of 600 studies are 0.026.
    assert 0.022 < rate < 0.075


def test_equivalence_is_false_in_one_of_twenty_at_the_margin_and_rarely_beyond():
    at = rejections(lambda a, b: equivalence(a, b, 0.8).equivalent, shift=0.8, studies=1500)
    assert 0.033 < at < 0.067
    beyond = rejections(lambda a, b: equivalence(a, b, 0.8).equivalent, shift=1.2, studies=300)
    assert beyond < 0.01
    within = rejections(lambda a, b: equivalence(a, b, 0.8).equivalent, shift=0.0, studies=300)
    assert within > 0.7


def test_no_difference_larger_than_d_is_false_in_at_most_one_of_twenty():
    false = rejections(lambda a, b: largest_difference(a, b).largest < 0.8, shift=0.8, studies=1500)
    assert 0.033 < false < 0.067


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(10)))
def test_the_order_of_the_seeds_changes_nothing(order: list[int]):
    untied = SECOND + np.arange(10) / 1e4
    assert wilcoxon(FIRST[order], untied[order]) == wilcoxon(FIRST, untied)
    shuffled = equivalence(FIRST[order], SECOND[order], 0.01)
    assert shuffled == equivalence(FIRST, SECOND, 0.01)
    runs = [place for place in order if place < 5]
    one, two = (
        improvement_interval(rows, OTHER, generator=np.random.default_rng(1), resamples=50)
        for rows in (ONE, ONE[runs])
    )
    assert one == two


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=2, max_size=6))
def test_swapping_the_two_changes_the_sign_alone(pairs: list[tuple[int, int]]):
    one, two = np.array(pairs).T / 40
    assert wilcoxon(one, two) == wilcoxon(two, one)
    bounds = [largest_difference(one, two).largest, largest_difference(two, one).largest]
    assert bounds[0] == pytest.approx(bounds[1])
    assert probability_of_improvement(one[:, None], two[:, None]) == pytest.approx(
        1 - probability_of_improvement(two[:, None], one[:, None])
    )
