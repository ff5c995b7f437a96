"""The matrix of pairs: against scipy's tests, both orders, Holm over all pairs, divergence."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from fallline.analysis.matrix import pairwise

FIGURES = {
    "a": (0.90, 0.92, 0.91, 0.93, 0.92),
    "b": (0.89, 0.90, 0.905, 0.90, 0.90),
    "c": (0.80, 0.85, 0.82, 0.84, 0.79),
}


@pytest.fixture
def rows(run_row) -> list[dict[str, Any]]:
    return [
        run_row(name, 1000 + seed, figure, test=figure)
        for name, figures in FIGURES.items()
        for seed, figure in enumerate(figures)
    ]


@pytest.fixture
def table(rows, make_reading):
    return pairwise(make_reading(rows)).set_index(["optimizer", "other"])


def test_all_ordered_pairs_stand_in_the_order_of_the_summary(table):
    assert list(table.index) == [
        ("a", "b"), ("a", "c"), ("b", "a"), ("b", "c"), ("c", "a"), ("c", "b"),
    ]  # fmt: skip
    assert (table["seeds"] == 5).all()


def test_differences_intervals_and_bounds_are_scipys(table):
    for (one, two), row in table.iterrows():
        test = stats.ttest_rel(FIGURES[one], FIGURES[two])
        assert row["difference"] == pytest.approx(np.subtract(FIGURES[one], FIGURES[two]).mean())
        assert (row["low"], row["high"]) == pytest.approx(tuple(test.confidence_interval(0.95)))
        wide = test.confidence_interval(0.90)
        assert row["bound"] == pytest.approx(max(abs(wide.low), abs(wide.high)))


def test_p_values_are_corrected_over_the_unordered_pairs(table):
    raw = {
        pair: stats.ttest_rel(FIGURES[pair[0]], FIGURES[pair[1]]).pvalue
        for pair in (("a", "b"), ("a", "c"), ("b", "c"))
    }
    ordered = sorted(raw, key=raw.__getitem__)
    steps = [raw[pair] * factor for pair, factor in zip(ordered, (3, 2, 1), strict=True)]
    for pair, p_value in zip(ordered, np.maximum.accumulate(steps), strict=True):
        assert table.loc[pair, "p_value"] == pytest.approx(p_value)
        assert table.loc[pair[::-1], "p_value"] == pytest.approx(p_value)


def test_improvement_is_mann_whitneys_share(table):
    for (one, two), row in table.iterrows():
        u = stats.mannwhitneyu(FIGURES[one], FIGURES[two]).statistic
        assert row["improvement"] == pytest.approx(u / 25)
        assert row["improvement"] + table.loc[(two, one), "improvement"] == pytest.approx(1.0)


def test_relations_mirror_each_other(table):
    # a - b: p 0.014, and it is the last step of Holm's; a and b stand above c.
    assert table["relation"].tolist() == ["better", "better", "worse", "better", "worse", "worse"]


def test_an_interval_beside_zero_that_the_correction_takes_back(run_row, make_reading):
    # a - b: mean 0.01, s 0.0071 of 5: p 0.034 alone, and three times that among three pairs.
    differences = (0.0, 0.01, 0.01, 0.02, 0.01)
    noise = (0.0, 0.02, -0.02, 0.01, -0.01)
    rows = []
    for seed, (each, more) in enumerate(zip(differences, noise, strict=True)):
        rows.append(run_row("a", 1000 + seed, 0.9, test=0.90 + each))
        rows.append(run_row("b", 1000 + seed, 0.8, test=0.90))
        rows.append(run_row("c", 1000 + seed, 0.7, test=0.905 + more))
    table = pairwise(make_reading(rows)).set_index(["optimizer", "other"])
    assert table.loc[("a", "b"), "p_value"] == pytest.approx(
        3 * stats.ttest_1samp(differences, 0).pvalue
    )
    assert table.loc[("a", "b"), "p_value"] > 0.05
    assert table.loc[("a", "b"), "relation"] == "probably better"
    assert table.loc[("b", "a"), "relation"] == "probably worse"
    assert table.loc[("b", "c"), "relation"] == "not distinguishable"


def test_a_smaller_error_is_better(rows, make_reading):
    table = pairwise(make_reading(rows, metric="rmse")).set_index(["optimizer", "other"])
    assert table.index[0] == ("c", "b")
    assert table.loc[("c", "a"), "relation"] == "better"
    assert table.loc[("c", "a"), "difference"] < 0
    assert table.loc[("c", "a"), "improvement"] == 1.0
    assert table.loc[("a", "b"), "relation"] == "worse"


def test_rounded_accuracies_cannot_be_surer_than_an_example(run_row, make_reading):
    rows = [
        run_row(name, 1000 + seed, figure, test=figure)
        for name, figure in (("a", 0.91), ("b", 0.90))
        for seed in range(3)
    ]
    alike = pairwise(make_reading(rows, test_examples=100)).iloc[0]
    error = 0.01 / math.sqrt(6) / math.sqrt(3)
    assert alike["p_value"] == pytest.approx(2 * stats.t.sf(0.01 / error, 2))
    assert alike["bound"] == pytest.approx(0.01 + stats.t.ppf(0.95, 2) * error)


def test_a_diverged_seed_decides_without_a_test(rows, make_reading):
    rows[0] = rows[0] | {"status": "diverged"}
    table = pairwise(make_reading(rows)).set_index(["optimizer", "other"])
    ahead, behind = table.loc[("b", "a")], table.loc[("a", "b")]
    assert (ahead["relation"], behind["relation"]) == ("better", "diverged")
    assert math.isnan(ahead["difference"])
    assert math.isnan(ahead["p_value"])
    assert math.isnan(ahead["bound"])
    assert ahead["seeds"] == 0
    # Of the 25 pairs of runs b wins the five against the diverged one, and none but those of
    # 0.905 against nothing lower: all four others of a are larger.
    assert ahead["improvement"] == pytest.approx(5 / 25)
    # The others' correction counts the two tests that were made... of b and c alone: one.
    assert table.loc[("b", "c"), "p_value"] == pytest.approx(
        stats.ttest_rel(FIGURES["b"], FIGURES["c"]).pvalue
    )


def test_a_missing_run_is_no_divergence(rows, make_reading):
    missing = [row for row in rows if (row["optimizer"], row["seed"]) != ("a", 1000)]
    row = pairwise(make_reading(missing)).set_index(["optimizer", "other"]).loc[("a", "b")]
    assert row["seeds"] == 4
    assert row["improvement"] == 1.0
    assert row["relation"] in ("better", "probably better")


def test_one_seed_cannot_tell(run_row, make_reading):
    rows = [run_row(name, 1000, 0.9, test=0.9) for name in ("a", "b")]
    table = pairwise(make_reading(rows))
    assert table["relation"].tolist() == ["cannot tell", "cannot tell"]
    assert table["improvement"].tolist() == [0.5, 0.5]
    # Neither order has a negative zero.
    assert [str(value) for value in table["difference"]] == ["0.0", "0.0"]


def test_without_final_runs_there_is_no_pair(run_row, make_reading):
    rows = [run_row(name, 0, 0.9, phase="search") for name in ("a", "b")]
    table = pairwise(make_reading(rows))
    assert table.empty
    assert table.columns[0] == "optimizer"
