"""What an optimizer asks of its user: trials, rates and time, worked by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from fallline.analysis.effort import Advantage, Effort, easiest, efforts, margin, trials_needed

USUAL = Effort("usual", True, 4.0, 8, 1.0, False, 1e-3, 2.0)


@pytest.fixture
def accuracy(run_row, make_reading):
    return make_reading([run_row("a", 0, 0.5)]).document.task


@pytest.fixture
def error(run_row, make_reading):
    return make_reading([run_row("a", 0, 0.5)], metric="rmse").document.task


def test_the_margin_is_a_point_or_a_hundredth(accuracy, error):
    assert margin(accuracy, 0.5) == 0.01
    assert margin(error, 0.6) == pytest.approx(0.006)


def test_trials_are_counted_until_the_margin(accuracy, error):
    assert trials_needed([0.80, 0.90, 0.941, 0.95], accuracy) == 3
    assert trials_needed([0.945, 0.948, 0.949, 0.95], accuracy) == 1
    assert trials_needed([0.80, 0.93, 0.939, 0.95], accuracy) == 4
    assert trials_needed([1.0, 0.7, 0.605, 0.6], error) == 3
    assert math.isnan(trials_needed([0.9], accuracy))
    assert math.isnan(trials_needed([], accuracy))


@pytest.mark.parametrize(
    ("change", "advantage"),
    [
        ({"needs_rate": False}, Advantage.NO_RATE),
        ({"trials": 2.0}, Advantage.FEWER_TRIALS),
        ({"decades": 1.5}, Advantage.WIDER_BASIN),
        ({"step_seconds": 0.8e-3}, Advantage.FASTER_STEP),
        ({"target_seconds": 1.6}, Advantage.SOONER),
    ],
)
def test_what_is_clearly_better_is_an_advantage(change, advantage):
    better = replace(USUAL, **change)
    assert better.advantages(USUAL) == (advantage,)
    assert USUAL.advantages(better) == ()


@pytest.mark.parametrize(
    "change",
    [
        {"trials": 3.0},
        {"decades": 1.4},
        {"step_seconds": 0.9e-3},
        {"target_seconds": 1.7},
        {"trials": math.nan, "decades": math.nan, "step_seconds": math.nan},
    ],
)
def test_what_is_hardly_better_is_none(change):
    assert replace(USUAL, **change).advantages(USUAL) == ()


def test_an_open_basin_may_be_as_wide_as_any():
    wide = replace(USUAL, decades=3.0)
    assert wide.advantages(replace(USUAL, decades_open=True)) == ()
    assert wide.advantages(USUAL) == (Advantage.WIDER_BASIN,)


def test_who_reaches_the_target_is_sooner_than_who_does_not():
    late = replace(USUAL, target_seconds=math.inf)
    assert USUAL.advantages(late) == (Advantage.SOONER,)
    assert late.advantages(late) == ()


def test_the_easiest_needs_no_rate_or_the_fewest_trials():
    free = replace(USUAL, optimizer="free", needs_rate=False, trials=math.nan)
    two = replace(USUAL, optimizer="two", trials=2.0)
    one = replace(USUAL, optimizer="one", trials=1.0)
    wide = replace(USUAL, optimizer="wide", decades=3.0)
    assert easiest([USUAL, two, one, wide]) == "one"
    assert easiest([USUAL, two, free]) == "free"
    assert easiest([USUAL, wide]) == "wide"
    assert easiest([USUAL, replace(USUAL, optimizer="same")]) == ""
    assert easiest([USUAL]) == ""
    # Faster steps do not make tuning cheaper.
    assert easiest([USUAL, replace(USUAL, optimizer="fast", step_seconds=1e-5)]) == ""


def test_one_that_is_wider_but_needs_more_trials_is_not_easier():
    mixed = replace(USUAL, optimizer="mixed", decades=3.0, trials=8.0)
    assert easiest([USUAL, mixed]) == ""


def test_efforts_are_read_from_search_and_final_runs(run_row, make_reading):
    rates = (0.001, 0.01, 0.1)
    rows = [
        run_row("a", 0, figure, rate=rate, phase="search")
        for rate, figure in zip(rates, (0.902, 0.91, 0.905), strict=True)
    ]
    rows += [
        run_row("b", 0, figure, rate=rate, phase="search")
        for rate, figure in zip(rates, (0.30, 0.91, 0.30), strict=True)
    ]
    rows.append(run_row("c", 0, 0.9, rate=None, phase="search"))
    for name, curve in (("a", [0.5, 0.9]), ("b", [0.9, 0.91]), ("c", [0.1, 0.2])):
        for seed in (1000, 1001):
            rate = None if name == "c" else 0.01
            rows.append(run_row(name, seed, 0.0, rate=rate, curve=curve, test=0.9))
    found = efforts(make_reading(rows, target=0.9, step={"a": 1e-3, "b": 2e-3, "c": 1e-4}))
    assert list(found) == ["b", "a", "c"]
    # One trial: (0.902 + 0.91 + 0.905) / 3 lies within a point of 0.91; of b, all three are needed
    # but for one subset of two in three.
    assert found["a"].trials == 1
    assert found["b"].trials == 3
    assert found["b"].tried == 3
    assert math.isnan(found["c"].trials)
    assert not found["c"].needs_rate
    assert found["a"].decades == pytest.approx(2.0)
    assert found["a"].decades_open
    assert not found["b"].decades_open
    # Steps: 10 an epoch; a reaches it after 2 epochs, b after 1.
    assert found["a"].target_seconds == pytest.approx(0.02)
    assert found["b"].target_seconds == pytest.approx(0.02)
    assert found["c"].target_seconds == math.inf
    assert np.isfinite(found["c"].step_seconds)
