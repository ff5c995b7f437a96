"""Profiles, scores, ranks and wins over tasks: by hand, published tables, other libraries."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from fallline.analysis.across import (
    average_ranks,
    cliques,
    critical_difference,
    friedman,
    integrated_score,
    nemenyi,
    nemenyi_distance,
    performance_profile,
    performance_ratios,
    task_ranks,
    win_matrix,
)

inf, nan = math.inf, math.nan

# Three tasks (rows), two optimizers: ratios 1 and 2, 1.5 and 1, 1 and never.
TIMES = np.array([[10.0, 20.0], [30.0, 20.0], [5.0, inf]])

# Demsar (2006), table 6: area under the ROC curve of C4.5 (plain, with m, with cf, with both) on 14
# data sets. On "voting" the paper ranks cf before both; the printed digits are equal there.
DEMSAR = np.array(
    [
        [0.763, 0.768, 0.771, 0.798],
        [0.599, 0.591, 0.590, 0.569],
        [0.954, 0.971, 0.968, 0.967],
        [0.628, 0.661, 0.654, 0.657],
        [0.882, 0.888, 0.886, 0.898],
        [0.936, 0.931, 0.916, 0.931],
        [0.661, 0.668, 0.609, 0.685],
        [0.583, 0.583, 0.563, 0.625],
        [0.775, 0.838, 0.866, 0.875],
        [1.000, 1.000, 1.000, 1.000],
        [0.940, 0.962, 0.965, 0.962],
        [0.619, 0.666, 0.614, 0.669],
        [0.972, 0.981, 0.9751, 0.975],
        [0.957, 0.978, 0.946, 0.970],
    ]
)

# AlgoPerf 0.5, external tuning: seconds to the target on Criteo, fastMRI, ResNet, ViT, Conformer,
# DeepSpeech, OGBG and WMT (median of five studies from the published logs, infinite by the rules
# on held-out workloads and on four times the fastest), and the score of the leaderboard.
ALGOPERF = {
    "Distributed Shampoo": ([5043, 1321, inf, 33094, 47445, 34624, 3363, 38656], 0.7784),
    "Schedule Free AdamW": ([5164, 1162, inf, 44005, 56121, 43256, inf, 16013], 0.7077),
    "Generalized Adam": ([6403, 1581, 61257, 64740, inf, 37496, inf, 30284], 0.6383),
    "Cyclic LR": ([5163, 2200, inf, 62445, 57567, 38986, inf, 23562], 0.6301),
    "NadamP": ([6162, 1980, inf, 68105, 57675, 33171, inf, 38684], 0.5909),
    "Baseline": ([7223, 2030, inf, 70197, 54769, 36024, inf, 41189], 0.5707),
    "Amos": ([inf, 2941, inf, 50496, 43293, 31735, inf, 32833], 0.4918),
    "CASPR Adaptive": ([inf, 1119, inf, 44673, inf, 41825, 2192, inf], 0.4722),
    "LAWA Queue": ([inf, 1971, inf, 51189, inf, inf, 4643, 27171], 0.3699),
    "LAWA EMA": ([5303, 2556, inf, 61886, inf, inf, inf, 43034], 0.3384),
    "Schedule Free Prodigy": ([inf] * 8, 0.0),
}


def test_a_profile_worked_by_hand():
    assert performance_ratios(TIMES).tolist() == [[1.0, 2.0], [1.5, 1.0], [1.0, inf]]
    profile = performance_profile(TIMES)
    assert profile.factors.tolist() == [1.0, 1.5, 2.0]
    assert profile.shares == pytest.approx(np.array([[2, 1], [3, 1], [3, 2]]) / 3)
    between = performance_profile(TIMES, [1.49, 1.51, 100.0])
    assert between.shares == pytest.approx(np.array([[2, 1], [3, 1], [3, 2]]) / 3)


def test_a_task_that_nobody_solves_counts_for_nobody():
    profile = performance_profile(np.array([[1.0, 2.0], [inf, nan]]))
    assert profile.shares[-1].tolist() == [0.5, 0.5]
    unsolved = performance_profile(np.array([[inf, inf]]))
    assert (unsolved.factors.tolist(), unsolved.shares.tolist()) == ([1.0], [[0.0, 0.0]])


def test_a_score_worked_by_hand():
    # The profile of the first is 2/3 from 1 to 1.5 and 1 from there to 4: (1/3 + 2.5) / 3. The
    # second has 1/3 from 1 to 2, and 2/3 from there: (1/3 + 4/3) / 3.
    assert integrated_score(TIMES) == pytest.approx([(1 / 3 + 2.5) / 3, (5 / 3) / 3])
    # Up to a factor of 2: (1/3 + 1/2) / 1 and 1/3.
    assert integrated_score(TIMES, largest=2.0) == pytest.approx([5 / 6, 1 / 3])


def test_the_first_of_all_scores_1_and_the_one_beyond_the_largest_factor_0():
    times = np.array([[1.0, 4.0, 5.0, inf], [2.0, 8.0, 9.0, nan]])
    assert integrated_score(times).tolist() == [1.0, 0.0, 0.0, 0.0]


def test_the_published_leaderboard_of_algoperf():
    times = np.array([row for row, _ in ALGOPERF.values()]).T
    published = [score for _, score in ALGOPERF.values()]
    assert np.round(integrated_score(times, points=100), 4).tolist() == published
    # Its sum over 100 factors is off the integral by up to half a step of each profile.
    assert integrated_score(times) == pytest.approx(published, abs=0.002)


def test_the_sum_over_many_factors_tends_to_the_integral():
    fine = integrated_score(TIMES, points=100_001)
    assert fine == pytest.approx(integrated_score(TIMES), abs=1e-4)


def test_times_are_positive_and_have_two_axes():
    with pytest.raises(ValueError, match="larger than 0"):
        performance_ratios(np.array([[1.0, 0.0]]))
    with pytest.raises(ValueError, match="tasks, optimizers"):
        performance_profile(np.array([1.0, 2.0]))


def test_ranks_with_ties_and_divergences():
    figures = np.array([[0.9, 0.8, 0.9, nan], [0.1, -inf, 0.2, inf]])
    assert task_ranks(figures, higher_is_better=True).tolist() == [
        [1.5, 3.0, 1.5, 4.0],
        [2.0, 3.5, 1.0, 3.5],
    ]
    assert task_ranks(figures, higher_is_better=False)[0].tolist() == [2.5, 1.0, 2.5, 4.0]


def test_demsars_worked_example():
    ranks = average_ranks(DEMSAR, higher_is_better=True)
    assert np.round(ranks, 3).tolist() == [3.143, 2.0, 2.893, 1.964]
    assert nemenyi_distance(4, 14) == pytest.approx(1.25, abs=0.005)
    assert nemenyi_distance(4, 14, level=0.1) == pytest.approx(1.12, abs=0.005)
    found = friedman(DEMSAR, higher_is_better=True)
    # The paper's chi-squared, 9.28, is not corrected for ties: three pairs and one tie of four in
    # 14 tasks.
    corrected = 1 - (3 * (2**3 - 2) + (4**3 - 4)) / (14 * (4**3 - 4))
    assert found.statistic * corrected == pytest.approx(9.28, abs=0.005)
    # At 5 % the difference of 1.18 between the best and the worst is not enough; at 10 % it is.
    assert critical_difference(DEMSAR, higher_is_better=True).cliques == ((3, 1, 2, 0),)
    at_10 = critical_difference(DEMSAR, higher_is_better=True, level=0.1)
    assert at_10.cliques == ((3, 1, 2), (2, 0))


def test_demsars_table_of_critical_values():
    # Demsar (2006), table 5a, 5 %: q of 2 to 10 classifiers.
    table = [1.960, 2.343, 2.569, 2.728, 2.850, 2.949, 3.031, 3.102, 3.164]
    for count, value in enumerate(table, start=2):
        unit = math.sqrt(count * (count + 1) / 6)
        assert nemenyi_distance(count, 1) / unit == pytest.approx(value, abs=0.0011)


def test_friedman_is_scipys():
    found = friedman(DEMSAR, higher_is_better=True)
    theirs = stats.friedmanchisquare(*DEMSAR.T)
    assert found.statistic == pytest.approx(theirs.statistic)
    assert found.p_value == pytest.approx(theirs.pvalue)
    f = 13 * found.statistic / (14 * 3 - found.statistic)
    assert found.f_statistic == pytest.approx(f)
    assert found.f_p_value == pytest.approx(stats.f.sf(f, 3, 39))


def test_nemenyi_is_that_of_scikit_posthocs():
    # posthoc_nemenyi_friedman of scikit-posthocs 0.17.1 for the printed digits.
    printed = DEMSAR.copy()
    printed[12, 2] = 0.975
    expected = [
        [1.0, 0.08867271, 0.97168647, 0.06168326],
        [0.08867271, 1.0, 0.22669689, 0.99888234],
        [0.97168647, 0.22669689, 1.0, 0.17005164],
        [0.06168326, 0.99888234, 0.17005164, 1.0],
    ]
    assert nemenyi(printed, higher_is_better=True) == pytest.approx(np.array(expected), abs=1e-6)


def test_of_two_optimizers_the_distance_is_that_of_the_normal_sign_test():
    # Each task adds a difference of ranks of 1 or -1: its mean's deviation is 1 / sqrt(tasks).
    assert nemenyi_distance(2, 16) == pytest.approx(1.959964 / 4, abs=1e-5)


def test_all_tied_or_all_agreed():
    assert friedman(np.ones((4, 3)), higher_is_better=True) == (0.0, 1.0, 0.0, 1.0)
    agreed = friedman(np.tile([3.0, 2.0, 1.0], (4, 1)), higher_is_better=True)
    assert agreed.statistic == pytest.approx(8.0)
    assert (agreed.f_statistic, agreed.f_p_value) == (inf, 0.0)
    with pytest.raises(ValueError, match="at least 3 optimizers, got 2"):
        friedman(TIMES, higher_is_better=False)
    one_task = friedman(np.array([[1.0, 3.0, 2.0]]), higher_is_better=True)
    assert one_task.p_value == pytest.approx(stats.chi2.sf(2.0, 2))
    assert math.isnan(one_task.f_p_value)


def test_cliques_overlap_and_none_lies_in_another():
    assert cliques([1.0, 1.5, 2.2, 3.0, 6.0], 1.3) == ((0, 1, 2), (2, 3))
    assert cliques([3.0, 1.0, 2.2, 1.5, 6.0], 1.3) == ((1, 3, 2), (2, 0))
    assert cliques([1.0, 2.0, 3.0], 1.0) == ()
    assert cliques([2.0, 2.0], 0.5) == ((0, 1),)


def test_a_critical_difference_with_its_order():
    figures = np.array([[0.3, 0.1, 0.2], [0.4, 0.1, 0.2], [0.5, 0.1, 0.2]])
    found = critical_difference(figures, higher_is_better=False)
    assert found.order == (1, 2, 0)
    assert found.ranks.tolist() == [3.0, 1.0, 2.0]
    # Three optimizers on three tasks: 2.343 sqrt(12 / 18).
    assert found.distance == pytest.approx(2.343 * math.sqrt(12 / 18), abs=0.001)
    assert found.cliques == ((1, 2), (2, 0))
    assert (found.tasks, found.friedman.statistic) == (3, pytest.approx(6.0))


def test_wins_by_hand():
    figures = np.array([[0.90, 0.91, nan], [0.80, 0.70, inf], [0.5, 0.5, 0.4]])
    found = win_matrix(figures, higher_is_better=True)
    assert found.wins.tolist() == [[0, 1, 3], [1, 0, 3], [0, 0, 0]]
    assert found.ties.tolist() == [[3, 1, 0], [1, 3, 0], [0, 0, 3]]
    assert found.losses.tolist() == found.wins.T.tolist()
    # 0.91 - 0.90 is a tie, to the last digit of floating point.
    near = win_matrix(figures, higher_is_better=True, tie=0.01)
    assert near.wins.tolist() == [[0, 1, 3], [0, 0, 3], [0, 0, 0]]
    # And so is 0.8 - 0.7.
    far = win_matrix(figures, higher_is_better=True, tie=0.1)
    assert far.ties[0, 1] == 3
    assert far.wins[:, 2].tolist() == [2, 2, 0]
    assert win_matrix(figures, higher_is_better=False).wins[0, 1] == 1


def test_equal_optimizers_are_told_apart_in_one_of_twenty():
    rng = np.random.default_rng(2)
    studies = 800
    p_values = [
        friedman(rng.normal(size=(12, 5)), higher_is_better=True).f_p_value for _ in range(studies)
    ]
    rate = np.mean(np.array(p_values) < 0.05)
    assert abs(rate - 0.05) < 3 * math.sqrt(0.05 * 0.95 / studies)


figures_of_tasks = st.lists(
    st.lists(st.sampled_from([0.1, 0.2, 0.3, 0.4, nan]), min_size=4, max_size=4),
    min_size=2,
    max_size=5,
).map(np.array)


@settings(max_examples=40, deadline=None)
@given(figures_of_tasks, st.permutations(range(4)), st.randoms(use_true_random=False))
def test_the_order_of_tasks_and_optimizers_changes_nothing(figures, columns, random):
    rows = list(range(len(figures)))
    random.shuffle(rows)
    moved = figures[rows][:, columns]
    ranks = average_ranks(figures, higher_is_better=True)
    assert average_ranks(moved, higher_is_better=True) == pytest.approx(ranks[columns])
    test, same = (friedman(matrix, higher_is_better=True) for matrix in (figures, moved))
    assert same.p_value == pytest.approx(test.p_value)
    assert integrated_score(moved) == pytest.approx(integrated_score(figures)[columns])
    wins = win_matrix(figures, higher_is_better=True).wins
    assert (
        win_matrix(moved, higher_is_better=True).wins.tolist()
        == wins[np.ix_(columns, columns)].tolist()
    )
    names = [{columns[place] for place in clique} for clique in cliques(ranks[columns], 0.8)]
    assert sorted(map(sorted, names)) == sorted(map(sorted, cliques(ranks, 0.8)))


@settings(max_examples=40, deadline=None)
@given(figures_of_tasks)
def test_ranks_add_up_and_profiles_rise(figures):
    ranks = task_ranks(figures, higher_is_better=True)
    assert ranks.sum(axis=1).tolist() == [10.0] * len(figures)
    profile = performance_profile(figures)
    assert (np.diff(profile.shares, axis=0) >= 0).all()
    assert profile.shares[-1] == pytest.approx(np.isfinite(figures).mean(axis=0))
    wins = win_matrix(figures, higher_is_better=True)
    assert (wins.wins + wins.ties + wins.losses == len(figures)).all()
