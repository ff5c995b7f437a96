"""Bars on a common axis: where they lie, where they go on beyond, what is said beside them."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from fallline.analysis.tunability import basins
from fallline.report import figure_tables, strips
from fallline.report.formats import MetricFormat

ACCURACY = MetricFormat("accuracy", "accuracy", 1)
RMSE = MetricFormat("rmse", "RMSE", 3)


def ranked(*rows):
    columns = ["optimizer", "learning_rate", "test_metric", "test_low", "test_high", "relation"]
    return pd.DataFrame([(name, 0.1, *figures) for name, *figures in rows], columns=columns)


def paired(*rows):
    return pd.DataFrame(
        rows, columns=["optimizer", "other", "difference", "low", "high", "relation"]
    )


def test_errors_lie_on_a_plain_axis_with_round_ticks():
    strip = strips.ranking(
        ranked(("a", 0.60, 0.58, 0.62, "best"), ("b", 0.70, 0.66, 0.74, "worse")), RMSE
    )
    # The axis goes from 0.58 to 0.74 with 6 % of its length as a margin at either end.
    low, length = 0.58 - 0.06 * 0.16, 0.16 * 1.12
    a = strip.rows[0].bar
    for place, value in ((a.low, 0.58), (a.middle, 0.60), (a.high, 0.62)):
        assert place == pytest.approx(100 * (value - low) / length, abs=0.01)
    assert (a.low_open, a.high_open) == (False, False)
    assert [row.text for row in strip.rows] == ["0.600", "0.700"]
    assert [row.kind for row in strip.rows] == ["best", "worse"]
    assert [text for _, text in strip.ticks] == ["0.6", "0.65", "0.7"]
    assert strip.ticks[0][0] == pytest.approx(a.middle)


def test_shares_lie_by_their_errors():
    strip = strips.ranking(
        ranked(("a", 0.99, 0.99, 0.99, "best"), ("b", 0.9, 0.9, 0.9, "worse"),
               ("c", 1 - math.sqrt(0.001), math.nan, math.nan, "cannot tell")), ACCURACY
    )  # fmt: skip
    a, b, c = (row.bar for row in strip.rows)
    # c's error is the geometric mean of the others': it lies in the middle between them.
    assert c.middle == pytest.approx((a.middle + b.middle) / 2, abs=0.02)
    assert (c.low, c.high) == (c.middle, c.middle)
    assert strip.rows[2].text == "96.8 %"


def test_an_optimizer_without_a_figure_has_no_bar():
    nothing = ("b", math.nan, math.nan, math.nan, "diverged")
    strip = strips.ranking(ranked(("a", 0.6, 0.5, 0.7, "best"), nothing), RMSE)
    assert strip.rows[1].bar is None
    assert strip.rows[1].text == "—"
    assert strips.ranking(ranked(nothing), RMSE) is None


def test_differences_are_those_to_the_best_with_a_line_at_zero():
    table = paired(
        ("a", "b", 0.01, 0.005, 0.015, "better"),
        ("b", "a", -0.01, -0.015, -0.005, "worse"),
        ("c", "a", -0.002, -0.006, 0.002, "not distinguishable"),
        ("c", "b", 0.5, 0.4, 0.6, "better"),
        ("d", "a", math.nan, math.nan, math.nan, "diverged"),
    )
    strip = strips.differences(table, "a", ACCURACY)
    assert [row.name for row in strip.rows] == ["b", "c", "d"]
    b, c, d = strip.rows
    assert b.bar.high < strip.zero
    assert c.bar.low < strip.zero < c.bar.high
    assert d.bar is None
    assert [row.text for row in strip.rows] == ["-1.0", "-0.2", "diverged"]
    assert c.kind == "not-distinguishable"
    assert (strip.zero, "0") in strip.ticks
    assert all(text == "0" or text[0] in "+-" for _, text in strip.ticks)


def test_a_far_outlier_does_not_flatten_the_others():
    rows = [(name, "a", -0.001 * k, -0.001 * k - 0.001, -0.001 * k + 0.001, "worse")
            for k, name in enumerate("bcde", start=1)]  # fmt: skip
    strip = strips.differences(paired(*rows, ("z", "a", -0.8, -0.9, -0.7, "worse")), "a", ACCURACY)
    far = strip.rows[-1].bar
    assert far.low_open
    assert not far.high_open
    assert far.low == far.middle == 0
    assert strip.rows[0].bar.high - strip.rows[0].bar.low > 10
    assert strip.rows[-1].text == "-80.0"


def test_no_difference_is_no_figure():
    assert strips.differences(paired(), "a", ACCURACY) is None
    only = paired(("b", "a", math.nan, math.nan, math.nan, "diverged"))
    assert strips.differences(only, "a", ACCURACY) is None
    equal = strips.differences(
        paired(("b", "a", 0.0, 0.0, 0.0, "not distinguishable")), "a", ACCURACY
    )
    assert equal.rows[0].bar.middle == pytest.approx(equal.zero)


def test_basins_lie_on_an_axis_of_rates():
    columns = ["optimizer", "best_rate", "best", "low", "high", "decades", "low_open", "high_open"]
    table = pd.DataFrame(
        [
            ("a", 0.01, 0.9, 0.001, 0.1, 2.0, False, False),
            ("b", 0.1, 0.9, 0.01, 0.1, 1.0, False, True),
            ("c", math.nan, math.nan, math.nan, math.nan, math.nan, False, False),
        ],
        columns=columns,
    )
    strip = strips.basins(table, pd.Series([1e-4, 1e-3, 0.01, 0.1, 1.0]))
    a, b, c = strip.rows
    assert a.bar.middle == pytest.approx(50, abs=0.01)
    assert a.bar.high - a.bar.middle == pytest.approx(a.bar.middle - a.bar.low, abs=0.02)
    assert (b.bar.low_open, b.bar.high_open) == (False, True)
    assert [row.text for row in strip.rows] == [
        "2.0 decades", "at least 1.0 decade", "every rate diverged",
    ]  # fmt: skip
    assert c.bar is None
    assert [text for _, text in strip.ticks] == ["1e-4", "1e-3", "0.01", "0.1", "1"]
    assert strips.basins(table[:0], pd.Series([], dtype=float)) is None


def test_the_whole_study_has_its_strips(reading):
    tables = figure_tables.tables(reading)
    strip = strips.ranking(tables["ranking"], ACCURACY)
    assert [row.name for row in strip.rows] == reading.summary["optimizer"].tolist()
    best = reading.summary["optimizer"][0]
    assert len(strips.differences(tables["pairwise"], best, ACCURACY).rows) == 16
    wide = strips.basins(basins(reading), reading.sensitivity["learning_rate"])
    for row in (*strip.rows, *wide.rows):
        assert 0 <= row.bar.low <= row.bar.middle <= row.bar.high <= 100
    assert len(strip.ticks) >= 3
