"""A study's lines for a paper: curves, learning rates, expected best of k, performance profile.

Each function takes a reading, the table of its figure (`fallline.report.figure_tables`) and the
width that it is drawn for.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from fallline.report import figures, formats
from fallline.report.paper import Line, Sheet, decades, legend, lines, metric_scale, panels
from fallline.report.pictures import lay_out

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from fallline.analysis.reading import Reading
    from fallline.report.scales import Scale

_APART = 0.17
"""Inches between the labels of an upright axis, at least."""
_BAND = 0.16
_PANEL = 1.62
_LEGEND_ROW = 0.16
_MOST_BANDS = 2
"""Of expectations: of more optimizers, the best one alone has its interval."""
_TIMES = tuple(
    (digit * size, f"{digit} {unit}")
    for size, unit, digits in (
        (1e-6, "µs", (1, 3, 10, 30, 100, 300)),
        (1e-3, "ms", (1, 3, 10, 30, 100, 300)),
        (1.0, "s", (1, 3, 10, 30)),
        (60.0, "min", (1, 3, 10, 30)),
        (3600.0, "h", (1, 3, 10, 30, 100)),
    )
    for digit in digits
)
"""Round times, each a few times the one before it: seconds, and as people write them."""


def validation_curves(reading: Reading, table: pd.DataFrame, on: Sheet) -> Figure | None:
    """Metric and loss on validation data over the epochs, with the seeds' smallest and largest."""
    return _curves(reading, on, "validation")


def training_curves(reading: Reading, table: pd.DataFrame, on: Sheet) -> Figure | None:
    """Metric and loss on training data over the epochs, with the seeds' smallest and largest."""
    return _curves(reading, on, "train")


def _curves(reading: Reading, on: Sheet, split: str) -> Figure | None:
    charts = [each for each in figures.curve_charts(reading) if each.key.startswith(split)]
    if not charts:
        return None
    drawn = lines(reading.summary)
    figure, axes = _side_by_side(on, len(charts), drawn)
    bright = {line.optimizer for line in drawn if line.bright}
    for axis, chart in zip(axes, charts, strict=True):
        whole = _worth_drawing(chart, bright)
        by_name = {each.optimizer: each for each in chart.series}
        for line in drawn:
            if line.optimizer in by_name:
                own = by_name[line.optimizer]
                _line(axis, line, whole, own.x, own.mean, own.low, own.high)
        _upright(axis, whole, chart.title)
        _whole_numbers(axis, "epoch", max(each.x.max() for each in chart.series))
    _only_below(axes, on)
    legend(figure, on, [line for line in drawn if _has(charts, line)])
    return figure


def _worth_drawing(chart: figures.Chart, bright: set[str]) -> Scale:
    """The scale of a chart of curves.

    Grey lines have their last figure in it: a spike of one must not flatten those in colour.
    """
    share = chart.axis.kind == "share"
    held = []
    for each in chart.series:
        whole = share or each.optimizer in bright
        held += [each.mean, each.low, each.high] if whole else [each.mean[-1:]]
    return metric_scale(np.clip(np.concatenate(held), chart.axis.low, chart.axis.high), share=share)


def _has(charts: list[figures.Chart], line: Line) -> bool:
    return any(line.optimizer == each.optimizer for chart in charts for each in chart.series)


def sensitivity(reading: Reading, table: pd.DataFrame, on: Sheet) -> Figure | None:
    """The validation figure over the learning rates tried, crosses where seeds diverged."""
    from matplotlib.lines import Line2D

    chart = figures.sensitivity_chart(reading)
    if chart is None:
        return None
    drawn = [line for line in lines(reading.summary) if _has([chart], line)]
    figure, (axis,) = _side_by_side(on, 1, drawn)
    ends = (chart.axis.low, chart.axis.high)
    values = [np.clip(s, *ends) for each in chart.series for s in (each.mean, each.low, each.high)]
    whole = metric_scale(np.concatenate(values), share=chart.axis.kind == "share")
    worst = whole.low if chart.axis.kind == "share" else whole.high
    crossed = False
    for line in drawn:
        own = next(each for each in chart.series if each.optimizer == line.optimizer)
        _line(axis, line, whole, own.x, own.mean, own.low, own.high, every=1)
        some = own.diverged > 0
        level = np.where(np.isfinite(own.mean), _inside(own.mean, whole), worst)
        if some.any():
            (crosses,) = axis.plot(
                own.x[some],
                level[some],
                "x",
                color=line.colour,
                markersize=5.5 if line.bright else 4.0,
                markeredgewidth=1.3 if line.bright else 0.8,
                zorder=4,
                clip_on=False,
            )
            # Unclipped, they would take room for themselves beside the axis.
            crosses.set_in_layout(False)
        crossed = crossed or bool(some.any())
    _upright(axis, whole, chart.title.removesuffix(" by learning rate"))
    decades(axis, np.concatenate([each.x for each in chart.series]), on)
    cross = Line2D([], [], linestyle="none", marker="x", color="#59616b", markersize=5)
    legend(figure, on, drawn, **({"some seeds diverged": cross} if crossed else {}))
    return figure


def expected_best(reading: Reading, table: pd.DataFrame, on: Sheet) -> Figure | None:
    """The best validation figure to expect of so many trials; with the time too on two columns."""
    drawn = [line for line in lines(reading.summary) if line.optimizer in set(table["optimizer"])]
    if not drawn:
        return None
    timed = on.double and bool(np.isfinite(table["seconds"].astype(float)).any())
    figure, axes = _side_by_side(on, 2 if timed else 1, drawn, share_y=True)
    title = formats.metric_format(reading.document.task).title
    share = reading.document.task.metric == "accuracy"
    whole = metric_scale({name: table[name] for name in ("expected", "low", "high")}, share=share)
    for axis, over in zip(axes, ("trials", "seconds"), strict=False):
        for line in drawn:
            own = table[table["optimizer"] == line.optimizer]
            columns = (own[name].to_numpy(float) for name in (over, "expected", "low", "high"))
            x, mean, low, high = columns
            every = 1 if len(x) == 1 else None
            # Wide as they are, the bands of more would hide each other.
            banded = len(drawn) <= _MOST_BANDS or line is drawn[0]
            ends = (low, high) if banded else (mean, mean)
            _line(axis, line, whole, x, mean, *ends, every=every)
        _upright(axis, whole, f"expected best {title}")
    _whole_numbers(axes[0], "trials", float(table["trials"].max()), least=1)
    if timed:
        axes[1].set_ylabel("")
        _seconds(axes[1], table["seconds"].to_numpy(float))
    legend(figure, on, drawn)
    return figure


def profile(reading: Reading, table: pd.DataFrame, on: Sheet) -> Figure | None:
    """The share of fresh seeds that reach the target within a factor of the fastest's steps."""
    from matplotlib.ticker import NullLocator

    drawn = [line for line in lines(reading.summary) if line.optimizer in set(table["optimizer"])]
    if not drawn:
        return None
    figure, (axis,) = _side_by_side(on, 1, drawn)
    factors = table["factor"].to_numpy(float)
    most = max(float(factors[np.isfinite(factors)].max(initial=1.0)), 1.1)
    end = 1.06 * most
    for line in drawn:
        own = table[table["optimizer"] == line.optimizer].sort_values("factor", kind="stable")
        known = own[np.isfinite(own["factor"].astype(float))]
        x = np.concatenate([known["factor"].to_numpy(float), [end]])
        share = known["share"].to_numpy(float)
        y = np.concatenate([share, [share[-1] if len(share) else 0.0]])
        axis.plot(
            x,
            100 * y,
            drawstyle="steps-post",
            markevery=_at_changes(y),
            **line.look,
            label=line.optimizer,
        )
    axis.set_ylim(-3, 103)
    axis.set_yticks([0, 25, 50, 75, 100], [f"{each} %" for each in (0, 25, 50, 75, 100)])
    axis.set_ylabel("seeds that reached the target")
    axis.set_xscale("log")
    ticks = [
        each for each in (1, 1.2, 1.5, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000) if each <= end
    ]
    ticks = ticks if most > 2 else [each for each in (1, 1.05, 1.1, 1.2, 1.5, 2) if each <= end]
    axis.set_xticks(ticks, [f"{each:g}" for each in ticks])
    axis.xaxis.set_minor_locator(NullLocator())
    axis.set_xlim(1 / (most**0.02), end)
    axis.set_xlabel("steps, as a multiple of the fastest's")
    axis.grid(axis="y")
    legend(figure, on, drawn)
    return figure


def _at_changes(y: np.ndarray) -> list[int]:
    """Where a step function rises: the places of its markers; the end is none."""
    return [at for at in range(len(y) - 1) if y[at] > (y[at - 1] if at else 0.0)]


def _side_by_side(
    on: Sheet, count: int, drawn: list[Line] | tuple[Line, ...], *, share_y: bool = False
) -> tuple[Figure, list[Axes]]:
    """Axes beside each other on two columns, one above the other on one; room for the legend."""
    rows = 1 if on.double else count
    entries = sum(line.bright for line in drawn) + 1
    below = _LEGEND_ROW * (math.ceil(entries / (6 if on.double else 3)) + 1)
    tall = (2.0 if on.double or count == 1 else _PANEL) * rows
    across = count if on.double else 1
    figure, axes = panels(on, across, rows, tall + below, sharey=share_y)
    return figure, list(axes.ravel())


def _line(
    axis: Axes,
    line: Line,
    whole: Scale,
    x: np.ndarray,
    mean: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    *,
    every: Any = None,
) -> None:
    """A line with its markers and, in colour, its band; values beyond the axis lie on its end."""
    axis.plot(
        x,
        _inside(mean, whole),
        **line.look,
        markevery=line.every(len(x)) if every is None else every,
        markeredgecolor="white",
        markeredgewidth=0.4,
        label=line.optimizer,
    )
    if line.bright:
        axis.fill_between(
            x,
            _inside(low, whole),
            _inside(high, whole),
            color=line.colour,
            alpha=_BAND,
            linewidth=0,
            zorder=2.5,
        )


def _inside(values: np.ndarray, whole: Scale) -> np.ndarray:
    return np.clip(values, whole.low, whole.high)


def _upright(axis: Axes, whole: Scale, title: str) -> None:
    figure: Any = axis.figure
    place: Any = axis.get_subplotspec()
    tall = 0.75 * figure.get_size_inches()[1] / place.get_gridspec().nrows
    lay_out(axis, whole, "y", apart=_APART / tall)
    axis.set_ylabel(title[:1].lower() + title[1:] if not title.isupper() else title)
    axis.grid(axis="y")


def _whole_numbers(axis: Axes, title: str, last: float, *, least: int = 1) -> None:
    from matplotlib.ticker import MaxNLocator

    axis.set_xlabel(title)
    axis.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True, min_n_ticks=2))
    margin = 0.02 * max(last - least, 1)
    axis.set_xlim(least - margin, max(last, least + 0.5) + margin)


def _seconds(axis: Axes, seconds: np.ndarray) -> None:
    """A logarithmic axis of times, at most six of them named."""
    known = seconds[np.isfinite(seconds) & (seconds > 0)]
    axis.set_xscale("log")
    low, high = 0.9 * known.min(), 1.1 * known.max()
    inside = [(at, text) for at, text in _TIMES if low <= at <= high]
    step = math.ceil(len(inside) / 6) or 1
    axis.set_xticks([at for at, _ in inside[::step]], [text for _, text in inside[::step]])
    axis.set_xticks([], minor=True)
    axis.set_xlabel("training time")


def _only_below(axes: list[Axes], on: Sheet) -> None:
    """Of axes one above the other, the last alone says what is along them."""
    if not on.double:
        for axis in axes[:-1]:
            axis.set_xlabel("")
            axis.tick_params(axis="x", labelbottom=False)
