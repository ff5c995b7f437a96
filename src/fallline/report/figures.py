"""The data of the page's charts: what is drawn, computed without drawing.

A chart's series are in the metric's own units; `Axis` says how they are laid out. Shares
(accuracies) are laid out by their distance from 1 on a logarithmic scale, so that 98 % and 99 %
are as far apart as 80 % and 90 %, and the slowest optimizer does not flatten the best.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from fallline.analysis.comparison import Relation
from fallline.analysis.reading import Reading
from fallline.report import formats

if TYPE_CHECKING:
    import pandas as pd

EMPHASISED_AT_LEAST = 4
EMPHASISED_AT_MOST = 6
COLOURS = 8
DASHES = ("solid", "dash", "dot", "dashdot")
Unit = Literal["epochs", "learning rates", "trials", "seconds", "factors"]
"""What a chart's x axis counts."""

_SMALLEST_ERROR = 1e-4
_SMALLEST_LOSS = 1e-6


@dataclass(frozen=True)
class Style:
    """How an optimizer is drawn, the same in every chart."""

    optimizer: str
    colour: int
    """Index into the page's palette of `COLOURS`."""
    dash: str
    emphasised: bool
    """Drawn in its colour from the start; the others are grey until they are asked for."""


@dataclass(frozen=True)
class Axis:
    """A chart's y axis. ``kind``: ``"share"`` (towards 1, logarithmic), ``"log"``, ``"linear"``."""

    kind: str
    low: float
    """The smallest value that is drawn; smaller ones are drawn there."""
    high: float

    def place(self, values: np.ndarray) -> np.ndarray:
        """Positions on the axis, shape as given: ``1 - share``, or the value."""
        clipped = np.clip(values, self.low, self.high)
        return 1.0 - clipped if self.kind == "share" else clipped


@dataclass(frozen=True)
class Series:
    """One optimizer's line: arrays of shape ``(points,)``, NaN where there is no value."""

    optimizer: str
    x: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    diverged: np.ndarray
    """How many seeds diverged at each point."""
    seeds: np.ndarray


@dataclass(frozen=True)
class Chart:
    """One chart: its words, its axis, and a series per optimizer, best first."""

    key: str
    title: str
    x_title: str
    x_log: bool
    y_title: str
    metric: bool
    """True where the values are the task's metric, False where they are losses or shares."""
    axis: Axis
    series: tuple[Series, ...]
    x_unit: Unit = "epochs"
    band: str = "seeds"
    """What lies between a series' ``low`` and ``high``, in a word or two."""
    stepped: bool = False
    """Constant from each point to the next."""


def styles(summary: pd.DataFrame) -> tuple[Style, ...]:
    """The style of every optimizer of ``summary``, in its order.

    Emphasised are the best and those that are not distinguishable from it, at least
    `EMPHASISED_AT_LEAST` and at most `EMPHASISED_AT_MOST`.
    """
    equal = [Relation.BEST.value, Relation.NOT_DISTINGUISHABLE.value]
    close = int(summary["relation"].isin(equal).sum())
    bright = min(max(close, EMPHASISED_AT_LEAST), EMPHASISED_AT_MOST)
    return tuple(
        Style(name, rank % COLOURS, DASHES[rank // COLOURS % len(DASHES)], rank < bright)
        for rank, name in enumerate(summary["optimizer"])
    )


def curve_charts(reading: Reading) -> tuple[Chart, ...]:
    """Validation and training curves of metric and loss; empty without final runs."""
    title = formats.metric_format(reading.document.task).title
    charts = []
    for split, word in (("validation", "Validation"), ("train", "Training")):
        for figure, name in (("metric", title), ("loss", "loss")):
            chart = _curve_chart(reading, f"{split}_{figure}", f"{word} {name}", figure == "metric")
            if chart.series:
                charts.append(chart)
    return tuple(charts)


def _curve_chart(reading: Reading, figure: str, title: str, metric: bool) -> Chart:
    table = reading.curves
    series = []
    for name in reading.summary["optimizer"]:
        own = table[table["optimizer"] == name]
        mean, low, high, epochs, seeds = (
            own[column].to_numpy(dtype=float)
            for column in (figure, f"{figure}_low", f"{figure}_high", "epoch", "seeds")
        )
        if np.isfinite(mean).any():
            series.append(Series(name, epochs, mean, low, high, np.zeros(len(own)), seeds))
    task = reading.document.task
    examples = task.train_examples if figure.startswith("train") else task.validation_examples
    return Chart(
        key=figure,
        title=title,
        x_title="epoch",
        x_log=False,
        y_title=title.lower() if not metric else title.split(" ", 1)[1],
        metric=metric,
        axis=axis_of(reading, metric, series, examples, most=_ceiling(series)),
        series=tuple(series),
    )


def _ceiling(series: list[Series]) -> float:
    """The largest value worth drawing: spikes and explosions must not flatten the curves.

    Most curves are drawn from their first epoch, and every one near its lowest point, unless
    that is thirty times what the others start from.
    """
    usual = _median(np.array([line.mean[0] for line in series]))
    lowest = [np.nanmin(line.mean) for line in series]
    return min(max(2.0 * usual, 1.5 * max(lowest, default=0.0)), 30.0 * usual)


def sensitivity_chart(reading: Reading) -> Chart | None:
    """Last validation metric over the learning rates of the search; None without a search."""
    table = reading.sensitivity
    series = []
    for name in reading.summary["optimizer"]:
        own = table[table["optimizer"] == name]
        if own.empty:
            continue
        columns = ("learning_rate", "mean", "low", "high", "diverged", "seeds")
        series.append(Series(name, *(own[column].to_numpy(dtype=float) for column in columns)))
    if not series:
        return None
    title = formats.metric_format(reading.document.task).title
    means = np.concatenate([line.mean for line in series])
    examples = reading.document.task.validation_examples
    return Chart(
        key="sensitivity",
        title=f"Validation {title} by learning rate",
        x_title="learning rate",
        x_log=True,
        y_title=title,
        metric=True,
        axis=axis_of(reading, True, series, examples, most=4.0 * _median(means)),
        series=tuple(series),
        x_unit="learning rates",
    )


def axis_of(
    reading: Reading, metric: bool, series: list[Series], examples: int, *, most: float
) -> Axis:
    """The axis over all ``series``. ``most`` bounds values without an upper bound of their own."""
    values = [end for line in series for end in (line.mean, line.low, line.high)]
    flat = np.concatenate(values) if values else np.array([])
    flat = flat[np.isfinite(flat)]
    if metric and reading.document.task.metric == "accuracy":
        # The smallest error that is drawn is half an example, where there is none at all.
        closest = max(0.5 / max(examples, 1), _SMALLEST_ERROR)
        high = min(float(flat.max()) if len(flat) else 1.0, 1.0 - closest)
        low = float(flat.min()) if len(flat) else 0.0
        return Axis("share", max(min(low, 2.0 * high - 1.0), 0.0), high)
    positive = flat[flat > 0]
    low = max(float(positive.min()), _SMALLEST_LOSS) if len(positive) else _SMALLEST_LOSS
    high = float(flat.max()) if len(flat) else 1.0
    if math.isfinite(most) and most > low:
        high = min(high, most)
    return Axis("log", low, max(high, 1.1 * low))


def interval_bars(summary: pd.DataFrame, axis: Axis) -> list[tuple[float, float, float] | None]:
    """Where each row's test figure and interval lie on ``axis``: shares of its length, 0 to 1.

    ``(low, mean, high)`` in the direction of growing values; None where there is no figure. With
    a single seed the three are equal.
    """
    span = np.log(axis.place(np.array([axis.low, axis.high])))
    bars: list[tuple[float, float, float] | None] = []
    for mean, low, high in summary[["test_metric", "test_low", "test_high"]].itertuples(
        index=False
    ):
        if not math.isfinite(mean):
            bars.append(None)
            continue
        ends = [end if math.isfinite(end) else mean for end in (low, mean, high)]
        places = (np.log(axis.place(np.array(ends))) - span[0]) / (span[1] - span[0])
        bars.append((float(places[0]), float(places[1]), float(places[2])))
    return bars


def intervals_axis(reading: Reading) -> Axis | None:
    """The axis of the test figures' intervals; None without any."""
    summary = reading.summary
    known = summary[np.isfinite(summary["test_metric"].astype(float))]
    if known.empty:
        return None
    ends = known[["test_metric", "test_low", "test_high"]].to_numpy(dtype=float).T
    line = Series("", ends[0], ends[0], ends[1], ends[2], ends[0], ends[0])
    most = 4.0 * _median(ends[0])
    return axis_of(reading, True, [line], reading.document.task.test_examples, most=most)


def _median(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if len(finite) else math.nan
