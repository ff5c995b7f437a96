"""Intervals, the paired test and Holm's correction against worked numbers and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fallline.analysis.statistics import holm, paired_test, t_interval


def test_interval_of_five_values_worked_by_hand():
    # Mean 3, s^2 = 10 / 4, s / sqrt(5) = sqrt(0.5); the table's t(0.975, 4) is 2.776.
    interval = t_interval([1.0, 2.0, 3.0, 4.0, 5.0])
    assert interval.mean == 3.0
    assert interval.high - 3.0 == pytest.approx(2.776 * math.sqrt(0.5), abs=5e-4)
    assert 3.0 - interval.low == pytest.approx(interval.high - 3.0)
    assert interval.seeds == 5


def test_interval_of_two_values_in_closed_form():
    # With one degree of freedom Student's distribution is Cauchy's: t = tan(0.475 pi).
    interval = t_interval([0.0, 2.0])
    assert interval.half_width == pytest.approx(math.tan(0.475 * math.pi), rel=1e-9)


def test_a_single_value_has_no_interval_and_none_no_mean():
    one = t_interval([0.5])
    assert (one.mean, one.seeds) == (0.5, 1)
    assert math.isnan(one.low)
    assert math.isnan(one.high)
    none = t_interval([math.nan, math.nan])
    assert math.isnan(none.mean)
    assert none.seeds == 0


def test_values_that_are_not_finite_are_left_out():
    assert t_interval([1.0, math.nan, 3.0]) == t_interval([1.0, 3.0])


def test_paired_test_with_two_pairs_in_closed_form():
    # Differences 1 and 3: t = 2 / (sqrt(2) / sqrt(2)) = 2; Cauchy's tails: 1 - 2 atan(2) / pi.
    result = paired_test([1.0, 4.0], [0.0, 1.0])
    assert result.interval.mean == 2.0
    assert result.p_value == pytest.approx(1 - 2 * math.atan(2.0) / math.pi, rel=1e-9)


def test_paired_test_with_three_pairs_in_closed_form():
    # Two degrees of freedom: the two-sided p-value is 1 - t / sqrt(t^2 + 2).
    differences = np.array([0.1, 0.4, 0.25])
    t = differences.mean() / (differences.std(ddof=1) / math.sqrt(3))
    result = paired_test(0.5 + differences, np.full(3, 0.5))
    assert result.p_value == pytest.approx(1 - t / math.sqrt(t**2 + 2), rel=1e-9)


def test_pairing_takes_out_what_the_seeds_share():
    shared = np.array([0.1, 0.5, 0.9, 0.3])
    result = paired_test(shared + np.array([0.010, 0.011, 0.009, 0.010]), shared)
    assert result.p_value < 0.001


def test_identical_figures_are_no_evidence():
    assert paired_test([0.9, 0.8, 0.7], [0.9, 0.8, 0.7]).p_value == 1.0
    assert paired_test([0.9, 0.8], [0.9, 0.8], resolution=0.01).p_value == 1.0


def test_a_constant_difference_is_beyond_doubt_only_where_figures_are_continuous():
    first, second = np.array([1.5, 2.5, 3.5]), np.array([1.0, 2.0, 3.0])
    sure = paired_test(first, second)
    assert sure.p_value == 0.0
    assert sure.interval[:3] == (0.5, 0.5, 0.5)


def test_one_example_on_every_seed_may_be_rounding():
    # t = q sqrt(2) / (q / sqrt(6)) = sqrt(12), whatever the resolution q: p = 1 - 2 atan(t) / pi.
    step = 1 / 360
    result = paired_test([0.9 + step, 0.8 + step], [0.9, 0.8], resolution=step)
    assert result.p_value == pytest.approx(1 - 2 * math.atan(math.sqrt(12)) / math.pi, rel=1e-6)
    assert result.interval.low < 0 < result.interval.high


def test_pairs_with_a_missing_figure_are_left_out():
    first, second = [1.0, 4.0, math.nan, 2.0], [0.0, 1.0, 5.0, math.nan]
    assert paired_test(first, second) == paired_test([1.0, 4.0], [0.0, 1.0])


def test_one_pair_tells_nothing():
    result = paired_test([0.9, math.nan], [0.8, 0.7])
    assert result.interval.mean == pytest.approx(0.1)
    assert math.isnan(result.p_value)


def test_shapes_that_do_not_pair_are_refused():
    with pytest.raises(ValueError, match=r"\(2,\) and \(3,\)"):
        paired_test([1.0, 2.0], [1.0, 2.0, 3.0])


def test_holm_worked_by_hand():
    # Sorted 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1: 0.02, 0.03, 0.06, and 0.04 raised to 0.06.
    adjusted = holm([0.01, 0.04, 0.03, 0.005])
    assert adjusted == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_stops_at_one_and_leaves_out_tests_that_were_not_made():
    assert holm([0.7, 0.9]) == pytest.approx([1.0, 1.0])
    adjusted = holm([0.02, math.nan, 0.03])
    assert adjusted[[0, 2]] == pytest.approx([0.04, 0.04])
    assert math.isnan(adjusted[1])
    assert holm([]).shape == (0,)
