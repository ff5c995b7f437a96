"""What a series says, against figures worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from fallline.analysis import published, series
from fallline.analysis.statistics import prediction_interval
from fallline.planning import studyfile

FILE = studyfile.parse(
    {
        "name": "x",
        "axes": {"optimizer": {"a": {}, "b": {}, "c": {}}},
        "published": [
            {"where": {"optimizer": "a"}, "figures": {"test_accuracy": 0.91}},
            {"where": {"optimizer": "a"}, "epoch": 1, "figures": {"train_loss": 1.0}},
            {"where": {"optimizer": "b"}, "figures": {"test_accuracy": 0.91}},
        ],
        "claims": [
            {"text": "a beats all", "better": {"optimizer": "a"}},
            {"text": "b beats a", "better": {"optimizer": "b"}, "than": {"optimizer": "a"}},
            {"text": "a beats c", "better": {"optimizer": "a"}, "than": {"optimizer": "c"}},
        ],
    }
)

A, B, C = (0.90, 0.91, 0.92, 0.93), (0.80, 0.81, 0.82, 0.84), (0.91, 0.91, 0.92, 0.92)


def _runs(figures=None, mode="untuned", rate=0.1):
    rows = []
    for setting, values in (figures or {"a": A, "b": B, "c": C}).items():
        for seed, value in enumerate(values):
            row = dict.fromkeys(series.COLUMNS, math.nan)
            row |= {
                "stage": "settings",
                "mode": mode,
                "setting": setting,
                "labels": {"optimizer": setting},
                "fold": 0,
                "seed": 1000 + seed,
                "status": "done" if math.isfinite(value) else "diverged",
                "diverged": not math.isfinite(value),
                "metric": "accuracy",
                "higher_is_better": True,
                "test_examples": 10_000,
                "hyperparameters": f'{{"learning_rate": {rate}}}',
                "seconds": 2.0,
                "test_metric": value,
                "train_loss_curve": np.asarray([1.0 - value, 0.5]),
            }
            row |= {f"{n}_curve": np.empty(0) for n in series.CURVES if n != "train_loss"}
            rows.append(row)
    return pd.DataFrame(rows)


def test_settings_are_ranked_with_their_intervals():
    table = published.settings(_runs())
    assert list(table["setting"]) == ["a", "c", "b"] or list(table["setting"])[2] == "b"
    row = table.set_index("setting").loc["a"]
    low, high = stats.t.interval(0.95, 3, loc=np.mean(A), scale=stats.sem(A))
    assert row["test_metric"] == pytest.approx(np.mean(A))
    assert (row["test_metric_low"], row["test_metric_high"]) == pytest.approx((low, high))
    assert table.set_index("setting").loc["b", "relation"] == "worse"


def test_a_diverged_setting_is_the_last():
    table = published.settings(_runs({"a": A, "b": (0.99, 0.99, 0.99, math.nan)}))
    assert list(table["setting"]) == ["a", "b"]
    assert list(table["diverged"]) == [0, 1]


def test_theirs_is_held_against_a_further_run_of_ours():
    table = published.beside_published(_runs(), FILE)
    first = table.iloc[0]
    half = stats.t.ppf(0.975, 3) * np.std(A, ddof=1) * math.sqrt(1 + 1 / 4)
    assert first["ours"] == pytest.approx(np.mean(A))
    assert (first["low"], first["high"]) == pytest.approx((np.mean(A) - half, np.mean(A) + half))
    assert list(table["inside"]) == [True, False, False]
    assert table.iloc[1]["ours"] == pytest.approx(1.0 - np.mean(A))


def test_a_single_run_has_no_interval():
    table = published.beside_published(_runs({"a": (0.9,), "b": (0.8,), "c": (0.7,)}), FILE)
    assert list(table["inside"]) == [None, None, None]


def test_claims_are_tested_by_seed_with_holms_correction():
    rows = published.judged(_runs(), FILE).set_index(["claim", "second"])
    raw = {name: stats.ttest_rel(A, other).pvalue for name, other in (("b", B), ("c", C))}
    assert rows.loc[(0, "b"), "p_value"] == pytest.approx(2 * raw["b"], rel=1e-6)
    assert rows.loc[(0, "b"), "verdict"] == published.HOLDS
    assert rows.loc[(0, "c"), "verdict"] == published.OPEN
    assert rows.loc[(1, "a"), "verdict"] == published.REVERSED
    assert rows.loc[(2, "c"), "p_value"] == pytest.approx(raw["c"], rel=1e-6)


def test_too_few_seeds_say_so():
    rows = published.judged(_runs({"a": (0.9,), "b": (0.8,), "c": (0.7,)}), FILE)
    assert set(rows["verdict"]) == {published.FEW}


def test_tuning_is_paired_with_what_it_started_from():
    better = tuple(value + 0.05 for value in B)
    runs = pd.concat([_runs(), _runs({"a": A, "b": better, "c": C}, mode="tuned", rate=0.3)])
    table = published.tuned_beside_untuned(runs).set_index("setting")
    assert table.loc["b", "difference"] == pytest.approx(0.05)
    assert (table.loc["b", "untuned_rate"], table.loc["b", "tuned_rate"]) == (0.1, 0.3)
    assert (table.loc["b", "untuned_rank"], table.loc["b", "tuned_rank"]) == (3, 3)
    assert table.loc["a", "difference"] == 0.0


def test_published_figures_are_held_against_the_files_own_settings():
    runs = pd.concat([_runs({"a": B, "b": B, "c": C}, mode="tuned"), _runs()])
    table = published.beside_published(runs, FILE)
    assert table.iloc[0]["ours"] == pytest.approx(np.mean(A))


def test_the_interval_of_a_further_run_covers_it():
    random = np.random.default_rng(0)
    inside = []
    for _ in range(2000):
        *known, further = random.normal(size=6)
        interval = prediction_interval(known)
        inside.append(interval.low <= further <= interval.high)
    assert np.mean(inside) == pytest.approx(0.95, abs=0.02)
