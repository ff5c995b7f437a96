"""Expected best of k trials, who leads with how many, and the basin, on frames worked by hand."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fallline.analysis.tunability import Leader, basins, budgets, leaders, trial_figures

RATES = (0.001, 0.01, 0.1, 1.0)


@pytest.fixture
def searched(run_row) -> list[dict[str, Any]]:
    """Optimizer a is flat, b is sharp and diverges at its largest rate, c has a single trial."""
    figures = {"a": (0.70, 0.72, 0.74, 0.76), "b": (0.20, 0.30, 0.90, 0.0)}
    rows = [
        run_row(
            name,
            seed,
            metric + (0.02 if seed else 0.0),
            rate=rate,
            phase="search",
            status="diverged" if name == "b" and rate == 1.0 and seed else "done",
        )
        for name, own in figures.items()
        for rate, metric in zip(RATES, own, strict=True)
        for seed in (0, 1)
    ]
    rows.append(run_row("c", 0, 0.73, rate=None, phase="search"))
    return rows


def test_trials_have_their_mean_and_diverged_ones_the_worst(searched, make_reading):
    figures = trial_figures(make_reading(searched))
    assert figures["a"] == pytest.approx([0.71, 0.73, 0.75, 0.77])
    # The last trial of b diverged on one seed: it counts as the study's worst, 0.21.
    assert figures["b"] == pytest.approx([0.21, 0.31, 0.91, 0.21])
    assert figures["c"] == pytest.approx([0.73])
    errors = trial_figures(make_reading(searched, metric="rmse"))
    assert errors["b"] == pytest.approx([0.21, 0.31, 0.91, 0.91])


def test_expected_best_is_the_mean_over_all_subsets(searched, make_reading):
    reading = make_reading(searched, step={"a": 1e-3, "b": 2e-3})
    table = budgets(reading).set_index(["optimizer", "trials"])
    for name, figures in trial_figures(reading).items():
        for count in range(1, len(figures) + 1):
            subsets = [max(subset) for subset in itertools.combinations(figures, count)]
            assert table.loc[(name, count), "expected"] == pytest.approx(np.mean(subsets))
    # A trial is two runs of 10 steps each.
    assert table.loc["a", "seconds"].tolist() == pytest.approx([0.02, 0.04, 0.06, 0.08])
    assert table.loc[("b", 2), "seconds"] == pytest.approx(0.08)
    assert math.isnan(table.loc[("c", 1), "seconds"])
    assert (table["low"] <= table["expected"] + 1e-12).all()
    assert (table["expected"] <= table["high"] + 1e-12).all()
    assert table.loc[("b", 2), "low"] < table.loc[("b", 2), "high"]


def test_the_same_runs_give_the_same_figures(searched, make_reading):
    once = budgets(make_reading(searched))
    pd.testing.assert_frame_equal(budgets(make_reading(searched)), once)
    ordered = ["optimizer", "trials"]
    other_way = budgets(make_reading(searched[::-1])).sort_values(ordered, ignore_index=True)
    pd.testing.assert_frame_equal(other_way, once.sort_values(ordered, ignore_index=True))
    alone = budgets(make_reading([row for row in searched if row["optimizer"] == "a"]))
    pd.testing.assert_frame_equal(alone, once[once["optimizer"] == "a"].reset_index(drop=True))


def test_another_study_seed_draws_other_resamples(run_row, make_reading):
    figures = np.random.default_rng(3).uniform(0.3, 0.9, 14)
    rows = [run_row("a", 0, m, rate=10.0**-k, phase="search") for k, m in enumerate(figures)]
    one, other = (budgets(make_reading(rows, study_seed=seed)) for seed in (0, 1))
    assert one["expected"].equals(other["expected"])
    assert not one["low"].equals(other["low"])


def test_the_leader_changes_with_the_number_of_trials(searched, make_reading):
    # Expected of a: 0.74, 0.757, 0.765, 0.77; of b: 0.41, 0.593, 0.76, 0.91.
    # Of c there is one trial: 0.73.
    assert leaders(make_reading(searched)) == (Leader(1, 3, "a"), Leader(4, 4, "b"))
    # As errors the sharp one leads with any number of trials: 0.585, 0.36, 0.235, 0.21.
    assert leaders(make_reading(searched, metric="rmse")) == (Leader(1, 4, "b"),)


def test_an_optimizer_with_one_trial_keeps_its_figure(run_row, make_reading):
    rows = [run_row("a", 0, m, rate=r, phase="search") for r, m in ((0.1, 0.5), (1.0, 0.6))]
    rows.append(run_row("c", 0, 0.58, rate=None, phase="search"))
    assert leaders(make_reading(rows)) == (Leader(1, 1, "c"), Leader(2, 2, "a"))


def test_without_a_search_nobody_leads(run_row, make_reading):
    reading = make_reading([run_row("a", 1000, 0.5, test=0.5)])
    assert trial_figures(reading) == {}
    assert leaders(reading) == ()
    assert list(budgets(reading).columns) == [
        "optimizer", "trials", "seconds", "expected", "low", "high",
    ]  # fmt: skip
    assert basins(reading).empty


def test_where_every_trial_diverged_nobody_leads(run_row, make_reading):
    rows = [run_row("a", 0, 0.5, rate=r, phase="search", status="diverged") for r in RATES]
    reading = make_reading(rows)
    assert np.isnan(trial_figures(reading)["a"]).all()
    assert leaders(reading) == ()
    assert basins(reading)["decades"].isna().all()


def test_the_basin_is_interpolated_between_rates(run_row, make_reading):
    figures = dict(zip(RATES, (0.60, 0.79, 0.80, 0.76), strict=True))
    rows = [run_row("a", 0, metric, rate=rate, phase="search") for rate, metric in figures.items()]
    found = basins(make_reading(rows), within=2.5).iloc[0]
    # Good is 0.78 and more: 1/19 of the way from 0.01 to 0.001, and half of that from 0.1 to 1.
    assert found["best_rate"] == pytest.approx(0.1)
    assert found["best"] == pytest.approx(0.8)
    assert found["low"] == pytest.approx(10 ** (-2 - 1 / 19), rel=1e-4)
    assert found["high"] == pytest.approx(10**-0.5, rel=1e-4)
    assert found["decades"] == pytest.approx(1.5 + 1 / 19, rel=1e-4)
    assert not found["low_open"]
    assert not found["high_open"]


def test_a_rate_with_a_diverged_seed_ends_the_basin(searched, make_reading):
    table = basins(make_reading(searched), within=50).set_index("optimizer")
    assert table.loc["b", "high"] == pytest.approx(0.1)
    assert not table.loc["b", "high_open"]
    assert table.loc["a", "decades"] == pytest.approx(3.0)
    assert table.loc["a", "low_open"]
    assert table.loc["a", "high_open"]
    assert "c" not in table.index
