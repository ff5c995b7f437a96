"""The data of the charts, and the Plotly figures made of them, without drawing."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fallline.report import figures, formats, interactive
from fallline.report.figures import Axis


@pytest.fixture(scope="module")
def charts(reading):
    return {chart.key: chart for chart in figures.curve_charts(reading)}


@pytest.fixture(scope="module")
def sensitivity(reading):
    return figures.sensitivity_chart(reading)


def test_every_optimizer_has_its_curve_in_every_chart(reading, charts):
    assert list(charts) == ["validation_metric", "validation_loss", "train_metric", "train_loss"]
    for chart in charts.values():
        assert [line.optimizer for line in chart.series] == reading.summary["optimizer"].tolist()
        assert all(len(line.x) == 30 for line in chart.series)


def test_a_series_is_the_mean_of_the_runs(reading, charts):
    line = charts["train_loss"].series[0]
    runs = reading.runs
    own = runs[(runs["optimizer"] == line.optimizer) & (runs["phase"] == "final")]
    matrix = np.stack(own["train_loss"].tolist()).astype(np.float64)
    np.testing.assert_allclose(line.mean, matrix.mean(axis=0), rtol=1e-12)
    np.testing.assert_array_equal(line.low, matrix.min(axis=0))
    np.testing.assert_array_equal(line.high, matrix.max(axis=0))


def test_styles_emphasise_the_best_and_its_equals(reading):
    styles = figures.styles(reading.summary)
    assert [style.emphasised for style in styles] == [True] * 6 + [False] * 11
    assert len({(style.colour, style.dash) for style in styles}) == 17
    alone = reading.summary.assign(relation=["best"] + ["worse"] * 16)
    assert sum(style.emphasised for style in figures.styles(alone)) == 4


def test_shares_are_placed_by_their_errors():
    axis = Axis("share", 0.5, 0.999)
    placed = axis.place(np.array([0.9, 0.99, 1.0, 0.1, math.nan]))
    np.testing.assert_allclose(placed, [0.1, 0.01, 0.001, 0.5, math.nan])


def test_a_perfect_accuracy_is_drawn_half_an_example_from_the_top(make_reading):
    def perfect(runs):
        return runs.assign(validation_metric=[np.ones_like(c) for c in runs["validation_metric"]])

    reading = make_reading(optimizers=("adam", "sgd"), edit=perfect)
    chart = next(iter(figures.curve_charts(reading)))
    assert chart.axis.high == 1 - 0.5 / 360
    assert 0 <= chart.axis.low < chart.axis.high
    drawn = interactive.figure(chart, formats.metric_format(reading.document.task))
    low, high = drawn["layout"]["yaxis"]["range"]
    assert math.isfinite(low)
    assert math.isfinite(high)


def test_an_exploding_loss_does_not_flatten_the_others(make_reading):
    def explode(runs):
        wild = runs["optimizer"] == "sgd"
        losses = [c * (1e9 if w else 1) for c, w in zip(runs["validation_loss"], wild, strict=True)]
        return runs.assign(validation_loss=losses)

    reading = make_reading(optimizers=("adam", "nadam", "sgd"), edit=explode)
    chart = next(c for c in figures.curve_charts(reading) if c.key == "validation_loss")
    usual = [line.mean[0] for line in chart.series if line.optimizer != "sgd"]
    assert max(usual) < chart.axis.high <= 40 * max(usual)


def test_a_slow_optimizer_is_drawn_among_fast_ones(make_reading):
    def slow(runs):
        losses = [
            np.full_like(c, 2.2) if name == "sgd" else c / 10
            for c, name in zip(runs["validation_loss"], runs["optimizer"], strict=True)
        ]
        return runs.assign(validation_loss=losses)

    reading = make_reading(optimizers=("adam", "nadam", "eadam", "sgd"), edit=slow)
    chart = next(c for c in figures.curve_charts(reading) if c.key == "validation_loss")
    line = next(line for line in chart.series if line.optimizer == "sgd")
    assert chart.axis.high >= 2.2
    np.testing.assert_allclose(chart.axis.place(line.mean), line.mean)


def test_losses_of_zero_have_a_place(make_reading):
    reading = make_reading(
        optimizers=("adam", "sgd"),
        edit=lambda runs: runs.assign(train_loss=[np.zeros_like(c) for c in runs["train_loss"]]),
    )
    chart = next(c for c in figures.curve_charts(reading) if c.key == "train_loss")
    assert np.isfinite(np.log10(chart.axis.place(chart.series[0].mean))).all()


def test_sensitivity_has_the_rates_and_the_diverged_seeds(sensitivity):
    lines = {line.optimizer: line for line in sensitivity.series}
    assert "gd_exact" not in lines
    np.testing.assert_allclose(lines["adam"].x, [3.2e-5, 1e-4, 3.2e-4, 1e-3, 3.2e-3, 0.01, 0.032])
    assert lines["sgd"].diverged.tolist() == [0, 0, 0, 0, 0, 0, 2]
    assert lines["gd"].diverged[-1] == lines["gd"].seeds[-1] == 3
    assert math.isnan(lines["gd"].mean[-1])


def test_diverged_rates_are_crosses_on_the_line_or_at_the_bottom(reading, sensitivity):
    drawn = interactive.figure(sensitivity, formats.metric_format(reading.document.task))
    crosses = {
        trace["meta"]["optimizer"]: trace
        for trace in drawn["data"]
        if trace["meta"]["role"] == "diverged"
    }
    assert sorted(crosses) == ["gd", "momentum", "sgd"]
    lowest = sensitivity.axis.place(np.array([sensitivity.axis.low]))[0]
    assert crosses["gd"]["y"] == pytest.approx([lowest], rel=1e-5)
    assert crosses["sgd"]["y"][0] < lowest
    assert "2 of 3 seeds diverged" in crosses["sgd"]["text"][0]


def test_without_a_search_there_is_no_sensitivity(make_reading):
    reading = make_reading(searched=False, edit=lambda runs: runs[runs["phase"] == "final"])
    assert figures.sensitivity_chart(reading) is None


def test_without_final_runs_there_are_no_curves(make_reading):
    reading = make_reading(complete=False, edit=lambda runs: runs[runs["phase"] == "search"])
    assert figures.curve_charts(reading) == ()
    assert figures.intervals_axis(reading) is None


def test_interval_bars_grow_with_the_figure(reading):
    bars = figures.interval_bars(reading.summary, figures.intervals_axis(reading))
    assert all(0 <= low <= mean <= high <= 1 for low, mean, high in bars)
    means = reading.summary["test_metric"].to_numpy()
    order = np.argsort(means, kind="stable")
    assert np.all(np.diff([bars[k][1] for k in order]) >= 0)
    assert max(high for *_, high in bars) == pytest.approx(1.0)


def test_plotly_takes_the_figures_as_they_are(reading, charts, sensitivity):
    graph_objects = pytest.importorskip("plotly.graph_objects")
    form = formats.metric_format(reading.document.task)
    for chart in [*charts.values(), sensitivity]:
        drawn = interactive.figure(chart, form)
        checked = graph_objects.Figure(data=drawn["data"], layout=drawn["layout"])
        assert len(checked.data) == len(drawn["data"]) >= 2 * len(chart.series)


def test_hovering_tells_the_figure_and_the_seeds(reading, charts):
    chart = charts["validation_metric"]
    drawn = interactive.figure(chart, formats.metric_format(reading.document.task))
    line = next(trace for trace in drawn["data"] if trace["meta"]["role"] == "line")
    series = chart.series[0]
    assert line["text"][29] == (
        f"epoch 30: {100 * series.mean[29]:.1f} %<br>"
        f"seeds {100 * series.low[29]:.1f} % to {100 * series.high[29]:.1f} %"
    )
