"""Coloured cells: what the pairs say, and where runs diverged."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from fallline.report import cells, figure_tables
from fallline.report.formats import MetricFormat

ACCURACY = MetricFormat("accuracy", "accuracy", 1)
RMSE = MetricFormat("rmse", "RMSE", 3)
PAIR = ["optimizer", "other", "difference", "low", "high", "p_value", "improvement", "bound",
        "relation", "seeds"]  # fmt: skip


def test_a_pair_has_a_text_for_every_face():
    table = pd.DataFrame(
        [
            ("a", "b", 0.012, 0.004, 0.02, 0.0131, 0.96, 0.01804, "better", 5),
            ("b", "a", -0.012, -0.02, -0.004, 0.0131, 0.04, 0.01804, "worse", 5),
        ],
        columns=PAIR,
    )
    grid = cells.matrix(table, ACCURACY)
    assert grid.columns == ("a", "b")
    (one, (empty, ahead)), (other, (behind, also_empty)) = grid.rows
    assert (one, other) == ("a", "b")
    assert empty is None
    assert also_empty is None
    assert len(ahead.texts) == len(cells.FACES)
    # The bound is rounded up: 1.804 points are not "no more than 1.8".
    assert ahead.texts == ("+1.2", "0.013", "96 %", "1.9")
    assert behind.texts == ("-1.2", "0.013", "4 %", "1.9")
    assert (ahead.kind, behind.kind) == ("better", "worse")
    assert ahead.title == (
        "a against b: better, +1.2 (95 % interval +0.4 to +2.0), p 0.013; "
        "no difference larger than 1.9. A run of a beats one of b with a chance of 96 %."
    )


def test_a_pair_without_a_test_says_so():
    nan = math.nan
    table = pd.DataFrame(
        [
            ("a", "b", nan, nan, nan, nan, 0.7, nan, "better", 0),
            ("b", "a", nan, nan, nan, nan, 0.3, nan, "diverged", 0),
        ],
        columns=PAIR,
    )
    cell = cells.matrix(table, RMSE).rows[1][1][0]
    assert cell.texts == ("—", "—", "30 %", "—")
    assert cell.kind == "diverged"
    assert cell.title == "b against a: diverged. A run of b beats one of a with a chance of 30 %."


@pytest.mark.parametrize(("bound", "text"), [(0.0341, "0.035"), (0.03, "0.03"), (0.0, "0")])
def test_bounds_of_errors_are_rounded_up(bound, text):
    row = ("a", "b", 0.01, 0.0, 0.02, 0.5, 0.5, bound, "not distinguishable", 5)
    pair = pd.DataFrame([row, ("b", "a", *row[2:])], columns=PAIR)
    assert cells.matrix(pair, RMSE).rows[0][1][1].texts[3] == text


def test_diverged_runs_are_counted_by_half_decades():
    table = pd.DataFrame(
        [
            ("a", 0.1, 3, 0, 0.0),
            ("a", 0.09, 3, 1, 1 / 3),
            ("a", 1.0, 3, 3, 1.0),
            ("b", 0.0316, 2, 0, 0.0),
        ],
        columns=["optimizer", "learning_rate", "runs", "diverged", "share"],
    )
    grid = cells.diverged(table)
    assert grid.columns == ("0.032", "0.1", "0.32", "1")
    (_, a), (_, b) = grid.rows
    assert a[0] is None
    assert (a[1].texts, a[1].kind) == (("1/6",), "l1")
    assert a[2] is None
    assert (a[3].texts, a[3].kind) == (("3/3",), "l4")
    assert (b[0].texts, b[0].kind) == (("0",), "l0")
    assert b[1:] == (None, None, None)
    assert a[1].title == "a near 0.1: 1 of 6 runs diverged"


def test_many_rates_are_taken_together_by_decades():
    rates = [10.0**k for k in range(-6, 4)]
    table = pd.DataFrame(
        [("a", rate, 1, int(rate > 100), float(rate > 100)) for rate in rates],
        columns=["optimizer", "learning_rate", "runs", "diverged", "share"],
    )
    grid = cells.diverged(table)
    assert len(grid.columns) == 10
    assert grid.columns[0] == "1e-6"
    assert grid.rows[0][1][-1].kind == "l4"


def test_where_nothing_diverged_there_is_no_figure(reading):
    table = figure_tables.tables(reading)["diverged"]
    assert cells.diverged(table[table["diverged"] == 0]) is None
    assert cells.diverged(table[:0]) is None
    assert [name for name, _ in cells.diverged(table).rows] == list(dict.fromkeys(table.optimizer))
