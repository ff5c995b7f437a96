"""Every measure of a row, worked by hand or by scipy."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from fallline.analysis.detail import COLUMNS, measures

CURVES = {
    1000: [0.5, 0.9, 0.8],
    1001: [0.5, 0.7, 0.8],
    1002: [0.6, 0.8, 0.9],
    1003: [0.7, 0.9, 0.9],
    1004: [0.7, 0.9, 1.0],
}
TESTS = dict(zip(CURVES, (0.75, 0.80, 0.82, 0.85, 0.93), strict=True))


@pytest.fixture
def rows(run_row) -> list[dict[str, Any]]:
    search = [
        run_row("a", 0, metric, rate=rate, phase="search")
        for rate, metric in ((0.01, 0.6), (0.1, 0.8), (1.0, 0.7))
    ]
    final = [
        run_row("a", seed, 0, rate=0.1, curve=curve, test=TESTS[seed], steps=30)
        for seed, curve in CURVES.items()
    ]
    final += [run_row("b", seed, 0, rate=None, curve=[0.1, 0.2, 0.4], test=0.4) for seed in CURVES]
    return search + final


@pytest.fixture
def table(rows, make_reading):
    reading = make_reading(rows, target=0.85, step={"a": 1e-3, "b": 1e-3})
    return measures(reading).set_index("optimizer")


def test_a_row_per_optimizer_best_first(rows, make_reading):
    table = measures(make_reading(rows))
    assert tuple(table.columns) == COLUMNS
    assert table["optimizer"].tolist() == ["a", "b"]


def test_test_figures_with_their_intervals(table):
    a, values = table.loc["a"], np.array(list(TESTS.values()))
    assert (a["seeds"], a["learning_rate"]) == (5, 0.1)
    assert a["test_mean"] == pytest.approx(values.mean())
    ends = stats.t.interval(0.95, 4, values.mean(), stats.sem(values))
    assert (a["test_mean_low"], a["test_mean_high"]) == pytest.approx(ends)
    assert a["test_median"] == pytest.approx(0.82)
    # Of five, one is cut at each end.
    assert a["test_iqm"] == pytest.approx((0.80 + 0.82 + 0.85) / 3)
    for name in ("median", "iqm"):
        low, high = a[f"test_{name}_low"], a[f"test_{name}_high"]
        assert 0.75 <= low < a[f"test_{name}"] < high <= 0.93


def test_the_bootstrap_of_the_median_is_scipys(rows, make_reading):
    """Far more resamples from another generator: the ends agree to a step of the sample."""
    from fallline.analysis.bootstrap import expanded_confidence

    a = measures(make_reading(rows)).set_index("optimizer").loc["a"]
    other = stats.bootstrap(
        (list(TESTS.values()),),
        np.median,
        n_resamples=20_000,
        confidence_level=expanded_confidence(5),
        method="percentile",
        rng=np.random.default_rng(5),
    ).confidence_interval
    assert (a["test_median_low"], a["test_median_high"]) == pytest.approx(tuple(other))


def test_figures_of_the_curves(table):
    a = table.loc["a"]
    assert a["validation_best"] == pytest.approx(np.mean([0.9, 0.8, 0.9, 0.9, 1.0]))
    assert a["best_epoch"] == 3.0
    areas = [np.trapezoid(curve) / 2 for curve in CURVES.values()]
    assert a["area"] == pytest.approx(np.mean(areas))
    trained = [curve[-1] for curve in CURVES.values()]
    assert a["gap"] == pytest.approx(np.mean(trained) - np.mean(list(TESTS.values())))


def test_time_to_the_target_in_three_units(table):
    a, b = table.loc["a"], table.loc["b"]
    # 0.85 is reached after 2, never, 3, 2 and 2 epochs of 10 steps.
    assert (a["epochs_to_target"], a["steps_to_target"]) == (2.0, 20.0)
    assert a["seconds_to_target"] == pytest.approx(0.02)
    assert a["seconds_per_step"] == 1e-3
    assert math.isinf(b["seconds_to_target"])


def test_the_basin_and_its_open_end(table):
    assert 0 < table.loc["a", "basin_decades"] < 1
    assert not table.loc["a", "basin_open"]
    assert math.isnan(table.loc["b", "basin_decades"])


def test_diverged_runs_are_the_worst_of_the_area_and_none_of_the_means(rows, make_reading):
    rows[3] = rows[3] | {
        "status": "diverged",
        "epochs_trained": 1,
        "train_metric": np.array([0.5], np.float32),
        "validation_metric": np.array([0.5], np.float32),
    }
    a = measures(make_reading(rows)).set_index("optimizer").loc["a"]
    # The study's worst figure is 0.1, of b: 0.5, 0.1, 0.1.
    areas = [np.trapezoid([0.5, 0.1, 0.1]) / 2]
    areas += [np.trapezoid(curve) / 2 for seed, curve in CURVES.items() if seed != 1000]
    assert a["area"] == pytest.approx(np.mean(areas))
    assert a["test_mean"] == pytest.approx(np.mean([0.80, 0.82, 0.85, 0.93]))
    assert a["diverged_share"] == pytest.approx(1 / 8)


def test_the_order_of_the_runs_changes_nothing(rows, make_reading):
    one, other = measures(make_reading(rows)), measures(make_reading(rows[::-1]))
    pd.testing.assert_frame_equal(one, other, check_exact=True)


def test_errors_are_better_when_they_are_smaller(rows, make_reading):
    table = measures(make_reading(rows, metric="rmse")).set_index("optimizer")
    assert table.loc["b", "validation_best"] == pytest.approx(0.1)
    assert table.loc["b", "best_epoch"] == 1.0
    trained = [curve[-1] for curve in CURVES.values()]
    gap = np.mean(list(TESTS.values())) - np.mean(trained)
    assert table.loc["a", "gap"] == pytest.approx(gap)


def test_without_final_runs_only_the_search_is_measured(rows, make_reading):
    table = measures(make_reading(rows[:3]))
    assert table.loc[0, "seeds"] == 0
    assert math.isnan(table.loc[0, "test_mean"])
    assert math.isnan(table.loc[0, "area"])
    assert table.loc[0, "basin_decades"] > 0
    assert table.loc[0, "diverged_share"] == 0.0


def test_the_optimizers_memory_is_told_where_it_is_known(rows, make_reading):
    reading = make_reading(rows, step={"a": 1e-3})
    assert measures(reading)["state_bytes"].isna().all()
    known = msgspec.structs.replace(reading.timing, state_bytes={"a": 4096})
    object.__setattr__(reading, "timing", known)
    assert measures(reading)["state_bytes"].tolist()[0] == 4096
