"""Time to a target, area, basins and the expected best of k: by hand and by brute force."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fallline.analysis.measures import (
    area_under,
    basin,
    counted_as_worst,
    derived_target,
    diverged_share,
    expected_best,
    expected_best_curve,
    expected_best_within,
    generalisation_gap,
    time_to,
)

inf, nan = math.inf, math.nan

TRIALS = [0.91, 0.35, 0.88, 0.95, 0.60, 0.95]


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_epochs_steps_and_seconds_to_a_target():
    reached = time_to(
        [0.5, 0.8, 0.9], 0.8, higher_is_better=True, steps_per_epoch=40, seconds_per_step=0.01
    )
    assert reached == pytest.approx((2.0, 80.0, 0.8))
    never = time_to([0.5, 0.8], 0.9, higher_is_better=True, steps_per_epoch=40)
    assert (never.epochs, never.steps) == (inf, inf)
    assert math.isnan(never.seconds)


def test_the_target_is_the_median_of_the_best_optimizer():
    # The second has the best mean, 0.9; its median is 0.93. The first has the better median.
    figures = np.array([[0.94, 0.93], [0.94, 0.95], [0.20, 0.82]])
    assert derived_target(figures, higher_is_better=True) == 0.93
    assert derived_target(figures, higher_is_better=False) == 0.94


def test_an_optimizer_that_diverged_sets_the_target_only_if_all_did():
    figures = np.array([[0.99, 0.5, inf], [nan, 0.7, nan]])
    assert derived_target(figures, higher_is_better=True) == pytest.approx(0.6)
    assert derived_target(figures[:, [0, 2]], higher_is_better=True) == 0.99
    assert math.isnan(derived_target(figures[:, 2:], higher_is_better=True))


def test_area_by_hand():
    # Trapezia 0.4 and 0.7 of two epochs.
    assert area_under([0.2, 0.6, 0.8]) == pytest.approx(0.55)
    assert area_under([0.2, 0.6], epochs=4) == pytest.approx((0.4 + 0.6 + 0.6) / 3)
    assert area_under([0.7]) == 0.7
    assert math.isnan(area_under([]))


def test_a_diverged_curve_is_the_worst_from_there_on():
    assert area_under([0.6, inf, 0.9], worst=0.1) == pytest.approx((0.35 + 0.1) / 2)
    assert area_under([0.6, nan], epochs=3, worst=0.1) == pytest.approx((0.35 + 0.1) / 2)
    assert math.isnan(area_under([0.6, nan]))


def test_a_basin_by_hand():
    # The best is 1.0 at 0.1; 10 % less is 0.9. To 0.01 the figure falls by 0.2 in a decade: half a
    # decade is good. To 1 it falls by 0.4: a quarter is good.
    found = basin([0.01, 0.1, 1.0], [0.8, 1.0, 0.6], within=10, higher_is_better=True)
    assert (found.best_rate, found.best) == (0.1, 1.0)
    assert found.low == pytest.approx(10**-1.5)
    assert found.high == pytest.approx(10**-0.75)
    assert found.decades == pytest.approx(0.75)
    assert not found.low_open
    assert not found.high_open


def test_a_basin_of_errors_has_its_threshold_above():
    # The best is 0.5, 20 % more is 0.6: to 1e-3 the error rises by 0.4 in two decades.
    found = basin([1e-1, 1e-3], [0.5, 0.9], within=20, higher_is_better=False)
    assert found.low == pytest.approx(10**-1.5)
    assert (found.high, found.high_open, found.low_open) == (pytest.approx(0.1), True, False)
    assert found.decades == pytest.approx(0.5)


def test_a_basin_ends_where_it_first_ends():
    # A second good rate beyond a bad one is another basin.
    found = basin([1e-4, 1e-3, 1e-2, 1e-1], [0.99, 0.5, 1.0, 0.99], within=5, higher_is_better=True)
    assert found.low == pytest.approx(10**-2.1)
    assert (found.high, found.high_open) == (pytest.approx(0.1), True)


def test_beside_a_divergence_a_basin_ends_at_the_last_rate_that_trained():
    found = basin([0.01, 0.1, 1.0], [0.99, 1.0, nan], within=5, higher_is_better=True)
    assert (found.low_open, found.high_open) == (True, False)
    assert (found.low, found.high) == (pytest.approx(0.01), pytest.approx(0.1))
    assert found.decades == pytest.approx(1.0)


def test_without_a_rate_that_trained_there_is_no_basin():
    found = basin([0.1, 1.0], [nan, inf], within=5, higher_is_better=False)
    assert math.isnan(found.best_rate)
    assert math.isnan(found.decades)
    with pytest.raises(ValueError, match="positive and distinct"):
        basin([0.1, 0.1], [1.0, 2.0], within=5, higher_is_better=True)
    with pytest.raises(ValueError, match="a figure for each rate"):
        basin([0.1, 0.2], [1.0], within=5, higher_is_better=True)


@pytest.mark.parametrize("higher", [True, False])
def test_the_expected_best_is_the_mean_over_all_subsets(higher: bool):
    best = max if higher else min
    expected = [
        np.mean([best(chosen) for chosen in itertools.combinations(TRIALS, size)])
        for size in range(1, 7)
    ]
    assert expected_best(TRIALS, higher_is_better=higher) == pytest.approx(expected)


def test_with_replacement_it_is_the_mean_over_all_draws():
    few = TRIALS[:4]
    expected = [
        np.mean([max(drawn) for drawn in itertools.product(few, repeat=size)])
        for size in range(1, 5)
    ]
    found = expected_best(few, higher_is_better=True, replacement=True)
    assert found == pytest.approx(expected)
    assert (found[1:] < expected_best(few, higher_is_better=True)[1:]).all()


def test_the_expected_best_of_uniform_trials_is_their_order_statistic():
    # Unbiased: of k uniform figures the best is k / (k + 1) on average, also for k = n.
    draw = rng(4).uniform(size=(4000, 5))
    found = np.mean([expected_best(row, higher_is_better=True) for row in draw], axis=0)
    assert found == pytest.approx(np.arange(1, 6) / np.arange(2, 7), abs=0.01)


def test_diverged_trials_are_infinitely_bad_until_they_are_outnumbered():
    found = expected_best([0.9, nan, 0.5, inf], higher_is_better=True)
    assert found[[0, 1, 3]].tolist() == [-inf, -inf, 0.9]
    # Of the four subsets of three, two hold both finite figures, one each holds 0.9 and 0.5.
    assert found[2] == pytest.approx((2 * 0.9 + 0.9 + 0.5) / 4)
    errors = expected_best([0.9, nan], higher_is_better=False)
    assert errors.tolist() == [inf, 0.9]
    with pytest.raises(ValueError, match="at least one trial"):
        expected_best([], higher_is_better=True)


def test_the_curve_against_time_and_its_interval():
    found = expected_best_curve(
        TRIALS, [2.0, 4, 2, 4, 2, 4], higher_is_better=True, generator=rng()
    )
    assert found.trials.tolist() == [1, 2, 3, 4, 5, 6]
    assert found.seconds.tolist() == [3.0, 6, 9, 12, 15, 18]
    assert found.value == pytest.approx(expected_best(TRIALS, higher_is_better=True))
    assert (found.low <= found.value).all()
    assert (found.value <= found.high).all()
    # Of one trial it is the bootstrap of a mean: about 2 standard errors to either side.
    error = np.std(TRIALS) / math.sqrt(6)
    assert found.low[0] == pytest.approx(np.mean(TRIALS) - 1.96 * error, abs=0.05)
    assert found.high[0] == pytest.approx(np.mean(TRIALS) + 1.96 * error, abs=0.05)


def test_the_curve_of_errors_mirrors_that_of_their_negatives():
    errors = [1 - figure for figure in TRIALS]
    one = expected_best_curve(errors, higher_is_better=False, generator=rng(3))
    assert (one.low <= one.value).all()
    assert (one.value <= one.high).all()
    assert np.isnan(one.seconds).all()
    without = expected_best_curve(errors, higher_is_better=False)
    assert np.isnan(without.low).all()
    assert without.value == pytest.approx(one.value)


def test_the_interval_of_a_search_that_diverges_is_infinite_on_one_side():
    found = expected_best_curve(
        [0.9, 0.8, 0.7, 0.85, nan], higher_is_better=True, generator=rng(), resamples=500
    )
    assert found.low[0] == -inf
    assert found.high[-1] == 0.9


def test_the_interval_of_the_expected_best_covers_it():
    # Best of two of ten uniform figures: 2 / 3 on average.
    draw = rng(8)
    studies, covered = 300, 0
    for _ in range(studies):
        found = expected_best_curve(
            draw.uniform(size=10), higher_is_better=True, generator=draw, resamples=200
        )
        covered += found.low[1] <= 2 / 3 <= found.high[1]
    assert 0.85 < covered / studies < 0.97


def test_within_a_time_of_equal_trials_it_is_the_closed_form():
    found = expected_best_within(
        TRIALS,
        [0.1] * 6,
        [0.05, 0.1, 0.2, 0.3, 0.6, 99.0],
        higher_is_better=True,
        generator=rng(),
        orders=20_000,
    )
    assert math.isnan(found[0])
    exact = expected_best(TRIALS, higher_is_better=True)
    assert found[1:] == pytest.approx(exact[[0, 1, 2, 5, 5]], abs=0.006)
    assert found[5] == pytest.approx(0.95)


def test_within_a_time_only_finished_trials_count():
    # Within 1 the long trial is not done if it is first; within 4 it alone is done if it is.
    found = expected_best_within(
        [0.1, 0.5], [1.0, 4.0], [1.0, 4.0, 5.0], higher_is_better=False, generator=rng()
    )
    assert math.isnan(found[0])
    assert found[1:] == pytest.approx([0.3, 0.1], abs=0.03)


def test_a_divergence_counts_as_the_worst():
    assert counted_as_worst([0.9, nan, 0.3], higher_is_better=True).tolist() == [0.9, 0.3, 0.3]
    assert counted_as_worst([0.9, inf, 0.3], higher_is_better=False).tolist() == [0.9, 0.9, 0.3]
    chance = counted_as_worst([0.9, nan], higher_is_better=True, worst=0.1)
    assert chance.tolist() == [0.9, 0.1]
    # No divergence is better than a run that ended below chance.
    below = counted_as_worst([0.05, nan], higher_is_better=True, worst=0.1)
    assert below.tolist() == [0.05, 0.05]
    above = counted_as_worst([9.0, nan, 2.0], higher_is_better=False, worst=3.0)
    assert above.tolist() == [9.0, 9.0, 2.0]
    assert counted_as_worst([nan], higher_is_better=True, worst=0.1).tolist() == [0.1]
    assert np.isnan(counted_as_worst([nan], higher_is_better=True)).all()


def test_shares_and_gaps():
    assert diverged_share([True, False, False, True, True]) == 0.6
    assert math.isnan(diverged_share([]))
    accuracy = generalisation_gap([1.0, 0.9], [0.9, 0.95], higher_is_better=True)
    assert accuracy == pytest.approx([0.1, -0.05])
    assert generalisation_gap([0.2], [0.5], higher_is_better=False) == pytest.approx([0.3])


@settings(max_examples=25, deadline=None)
@given(st.permutations(range(6)), st.booleans())
def test_the_order_of_trials_and_rates_changes_nothing(order: list[int], higher: bool):
    trials, seconds = np.array(TRIALS), np.array([1.0, 2, 3, 4, 5, 6])
    rates = 10.0 ** -np.arange(6)
    options = {"higher_is_better": higher}
    assert (expected_best(trials[order], **options) == expected_best(trials, **options)).all()
    one, two = (
        expected_best_curve(made, generator=rng(), resamples=20, **options)
        for made in (trials, trials[order])
    )
    assert (one.low.tolist(), one.high.tolist()) == (two.low.tolist(), two.high.tolist())
    assert (
        expected_best_within(
            trials[order], seconds[order], [7.0], generator=rng(), orders=20, **options
        )
        == expected_best_within(trials, seconds, [7.0], generator=rng(), orders=20, **options)
    ).all()
    assert basin(rates[order], trials[order], within=5, **options) == (
        basin(rates, trials, within=5, **options)
    )
    table = np.stack([trials, trials**2], axis=1)
    assert derived_target(table[order], **options) == derived_target(table, **options)
    assert derived_target(table[:, ::-1], **options) == derived_target(table, **options)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 20), min_size=1, max_size=9))
def test_the_expected_best_rises_to_the_best(trials: list[int]):
    found = expected_best(np.array(trials) / 20, higher_is_better=True)
    assert (np.diff(found) >= -1e-12).all()
    assert found[0] == pytest.approx(np.mean(trials) / 20)
    assert found[-1] == max(trials) / 20


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 20), min_size=2, max_size=6), st.integers(1, 30))
def test_a_laxer_threshold_widens_the_basin(figures: list[int], within: int):
    rates = 10.0 ** np.arange(len(figures))
    narrow = basin(rates, figures, within=within, higher_is_better=True)
    wide = basin(rates, figures, within=2 * within, higher_is_better=True)
    assert 0 <= narrow.decades <= wide.decades <= len(figures) - 1 + 1e-12
