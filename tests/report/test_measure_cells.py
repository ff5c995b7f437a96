"""The table of all measures in words."""

from __future__ import annotations

import math

import pytest

from fallline.analysis.detail import measures
from fallline.report import measure_cells
from fallline.report.formats import MetricFormat

ACCURACY = MetricFormat("accuracy", "accuracy", 1)


@pytest.fixture(scope="module")
def frame(reading):
    return measures(reading)


def shown(table):
    columns = measure_cells.columns(ACCURACY, higher_is_better=True)
    kept = measure_cells.known(columns, table)
    rows = measure_cells.rows(table, kept, ACCURACY)
    titles = [column.title for column in kept]
    return {name: dict(zip(titles, cells, strict=True)) for name, cells in rows}


def test_every_column_is_explained():
    for column in measure_cells.columns(ACCURACY, higher_is_better=True):
        assert len(column.meaning) > 20
        assert not column.meaning.endswith(".")


def test_cells_tell_the_figure_and_its_interval(frame):
    row = frame.set_index("optimizer").loc["nadam"]
    cells = shown(frame)["nadam"]
    mean = cells["mean test accuracy"]
    assert mean.text == f"{100 * row['test_mean']:.1f} %"
    assert mean.detail == f"{100 * row['test_mean_low']:.1f} to {100 * row['test_mean_high']:.1f}"
    assert mean.value == row["test_mean"]
    assert cells["best epoch"].detail.startswith("epoch ")
    assert cells["time per step"].text == "60 µs"
    assert cells["to the target"].detail.endswith(" steps")
    assert cells["basin"].text == f"{row['basin_decades']:.1f}"
    assert cells["diverged"].text == "0 %"


def test_what_is_not_reached_or_not_known_says_so(frame):
    cells = shown(frame)
    assert cells["gd"]["to the target"].text == "not reached"
    assert cells["gd_exact"]["basin"].text == "—"
    assert math.isnan(cells["gd_exact"]["basin"].value)
    # Of gd's 26 runs 3 diverged, of sgd's 2.
    assert cells["gd"]["diverged"].text == "12 %"
    assert cells["sgd"]["diverged"].text == "7.7 %"


def test_columns_without_a_figure_are_left_out(frame):
    titles = next(iter(shown(frame).values()))
    assert "memory" not in titles
    known = shown(frame.assign(state_bytes=38480.0))
    assert known["nadam"]["memory"].text == "38 KB"


def test_an_open_basin_is_at_least_so_wide(frame):
    table = frame.assign(basin_open=True, basin_decades=1.0)
    cell = shown(table)["nadam"]["basin"]
    assert (cell.text, cell.detail) == ("≥ 1.0", "decade")
