"""The tables behind the figures: keys, columns, and figures worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from fallline.report import figure_tables

COLUMNS = {
    "ranking": [
        "optimizer", "learning_rate", "test_metric", "test_low", "test_high", "relation",
    ],
    "expected_best": ["optimizer", "trials", "seconds", "expected", "low", "high"],
    "profile": ["optimizer", "factor", "share"],
    "pairwise": [
        "optimizer", "other", "difference", "low", "high", "p_value", "improvement", "bound",
        "relation", "seeds",
    ],
    "diverged": ["optimizer", "learning_rate", "runs", "diverged", "share"],
    "time": [
        "optimizer", "seconds_per_step", "steps_per_epoch", "epoch_seconds", "seconds_to_target",
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def found(reading):
    return figure_tables.tables(reading)


def test_every_figure_has_its_table_in_reading_order(found):
    assert tuple(found) == figure_tables.KEYS
    for key, columns in COLUMNS.items():
        assert list(found[key].columns) == columns, key
        assert found[key].index.tolist() == list(range(len(found[key])))


def test_what_cannot_be_drawn_has_no_table(make_reading):
    searched = make_reading(complete=False, edit=lambda runs: runs[runs["phase"] == "search"])
    assert list(figure_tables.tables(searched)) == ["sensitivity", "expected_best", "diverged"]
    empty = make_reading(complete=False, edit=lambda runs: runs[:0])
    assert figure_tables.tables(empty) == {}
    defaults = make_reading(searched=False, edit=lambda runs: runs[runs["phase"] == "final"])
    assert list(figure_tables.tables(defaults)) == [
        "ranking", "curves", "profile", "pairwise", "time",
    ]  # fmt: skip


@pytest.fixture(scope="module")
def few(make_reading):
    """Three optimizers on two seeds, with curves that reach 0.9 where it is said."""
    reached = {"adam": (2, 4), "sgd": (4, 2), "gd": (8, None)}

    def edit(runs):
        rows = runs[(runs["phase"] == "final") & (runs["seed"] < 1002)].to_dict("records")
        for row in rows:
            epoch = reached[row["optimizer"]][row["seed"] - 1000]
            curve = np.full(30, 0.5, np.float32)
            if epoch:
                curve[epoch - 1 :] = 0.9
            row["validation_metric"] = curve
        return type(runs)(rows)

    return make_reading(optimizers=("adam", "sgd", "gd"), edit=edit, target=0.9)


def test_the_profile_counts_seeds_within_a_factor_of_the_fastest(few):
    table = figure_tables.profile(few)
    profiles = {
        name: list(zip(own["factor"], own["share"], strict=True))
        for name, own in table.groupby("optimizer")
    }
    # Steps: adam 68 and 136, sgd 136 and 68, gd (one step an epoch) 8 and never.
    assert profiles == {
        "adam": [(1.0, 0.0), (2.0, 0.5), (8.5, 1.0), (17.0, 1.0)],
        "sgd": [(1.0, 0.5), (17.0, 1.0)],
        "gd": [(1.0, 0.5), (17.0, 0.5)],
    }


def test_times_are_of_one_run_alone(few):
    table = figure_tables.times(few).set_index("optimizer")
    step = few.timing.step
    assert table.loc["adam", "seconds_per_step"] == step["adam"]
    assert table.loc["adam", "steps_per_epoch"] == 34
    assert table.loc["adam", "epoch_seconds"] == pytest.approx(34 * step["adam"])
    # The median of 68 and 136 steps.
    assert table.loc["adam", "seconds_to_target"] == pytest.approx(102 * step["adam"])
    assert table.loc["gd", "seconds_to_target"] == np.inf


def test_divergences_are_counted_by_learning_rate(reading, found):
    table = found["diverged"].set_index(["optimizer", "learning_rate"])
    searched = reading.runs[reading.runs["phase"] == "search"]
    assert table["runs"].sum() == searched["learning_rate"].notna().sum()
    assert table["diverged"].sum() == searched["diverged"].sum() == 7
    assert table.loc[("sgd", 10.0)].tolist() == [3, 2, pytest.approx(2 / 3)]
    assert "gd_exact" not in table.index


def test_the_ranking_is_the_summarys(reading, found):
    assert found["ranking"]["optimizer"].tolist() == reading.summary["optimizer"].tolist()
    assert found["ranking"]["relation"][0] == "best"
