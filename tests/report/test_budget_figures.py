"""Charts of effort: expected best against trials and time, and the profile over the seeds."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from fallline.report import budget_figures, figure_tables, formats, interactive


@pytest.fixture(scope="module")
def tables(reading):
    return figure_tables.tables(reading)


def test_expected_best_has_two_axes(reading, tables):
    trials, seconds = budget_figures.expected_best(reading, tables["expected_best"])
    assert (trials.key, seconds.key) == ("expected_trials", "expected_seconds")
    names = list(dict.fromkeys(tables["expected_best"]["optimizer"]))
    for chart in (trials, seconds):
        assert [line.optimizer for line in chart.series] == names
        for line in chart.series:
            assert (np.diff(line.mean) >= -1e-12).all()
    first = trials.series[0]
    assert first.x.tolist() == list(range(1, 8))
    # A trial of nadam: 3 seeds, 30 epochs of 34 steps, at 60 microseconds each.
    assert first.optimizer == "nadam"
    np.testing.assert_allclose(seconds.series[0].x, first.x * 3 * 30 * 34 * 6e-5)


def test_without_times_there_is_no_axis_of_time(make_reading):
    reading = make_reading(optimizers=("adam", "sgd"), complete=False)
    table = figure_tables.tables(reading)["expected_best"]
    charts = budget_figures.expected_best(reading, table)
    assert [chart.key for chart in charts] == ["expected_trials"]


def test_single_trials_are_no_curve(make_reading):
    reading = make_reading(optimizers=("gd_exact", "gd_backtracking"))
    table = figure_tables.tables(reading)["expected_best"]
    assert len(table) == 2
    assert budget_figures.expected_best(reading, table) == ()


def test_who_leads_in_words(make_reading):
    reading = make_reading(optimizers=("adam", "gd_exact"))
    # gd_exact has no learning rate: with a single trial it is at its 90 %, adam anywhere.
    assert budget_figures.leading(reading) == "gd_exact with 1 trial and adam with 2 to 7"
    assert budget_figures.leading(make_reading(edit=lambda runs: runs[:0], complete=False)) == ""


def test_the_profile_is_a_line_of_steps_to_the_same_end():
    table = pd.DataFrame(
        [("a", 1.0, 0.5), ("a", 4.0, 1.0), ("b", 1.0, 0.5), ("b", 2.0, 1.0), ("b", 4.0, 1.0)],
        columns=["optimizer", "factor", "share"],
    )
    chart = budget_figures.profile(table)
    assert chart.stepped
    a, b = chart.series
    assert a.x.tolist() == [1.0, 4.0, pytest.approx(4.2)]
    assert a.mean.tolist() == [0.5, 1.0, 1.0]
    assert b.x[-1] == a.x[-1]
    assert chart.axis.place(a.mean).tolist() == a.mean.tolist()


def test_a_profile_of_equals_has_an_axis_and_a_long_one_an_end():
    alike = pd.DataFrame([("a", 1.0, 1.0)], columns=["optimizer", "factor", "share"])
    assert budget_figures.profile(alike).series[0].x.tolist() == [1.0, 2.0]
    long = pd.DataFrame(
        [("a", 1.0, 1.0), ("a", 900.0, 1.0), ("b", 1.0, 0.0), ("b", 900.0, 1.0)],
        columns=["optimizer", "factor", "share"],
    )
    for line in budget_figures.profile(long).series:
        assert line.x[-1] == pytest.approx(105)
    assert budget_figures.profile(long).series[1].mean.tolist() == [0.0, 0.0]


def test_plotly_takes_them(reading, tables):
    graph_objects = pytest.importorskip("plotly.graph_objects")
    form = formats.metric_format(reading.document.task)
    charts = budget_figures.expected_best(reading, tables["expected_best"])
    for chart in (*charts, budget_figures.profile(tables["profile"])):
        drawn = interactive.figure(chart, form)
        figure = graph_objects.Figure(data=drawn["data"], layout=drawn["layout"])
        assert len(figure.data) >= len(chart.series)


def test_what_is_told_under_the_pointer(reading, tables):
    form = formats.metric_format(reading.document.task)
    trials, seconds = budget_figures.expected_best(reading, tables["expected_best"])
    line = next(t for t in interactive.figure(trials, form)["data"] if t["meta"]["role"] == "line")
    assert line["text"][0].startswith("trials 1: ")
    assert "<br>95 % interval " in line["text"][0]
    told = next(t for t in interactive.figure(seconds, form)["data"] if t["meta"]["role"] == "line")
    assert told["text"][0].startswith("time of training 184 ms: ")
    drawn = interactive.figure(budget_figures.profile(tables["profile"]), form)
    assert {trace["meta"]["role"] for trace in drawn["data"]} == {"line"}
    assert drawn["data"][0]["line"] == {"shape": "hv"}
    assert drawn["layout"]["yaxis"]["type"] == "linear"
    assert drawn["layout"]["yaxis"]["ticktext"][-1] == "100 %"
    assert all(math.isfinite(tick) for tick in drawn["layout"]["xaxis"]["tickvals"])
