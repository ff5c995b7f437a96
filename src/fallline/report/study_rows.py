"""A study's rows for a paper: ranking, pairs, divergence, time; an optimizer in each row.

Each function takes a reading, the table of its figure (`fallline.report.figure_tables`) and the
width that it is drawn for.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from fallline.analysis.comparison import Relation
from fallline.report import formats
from fallline.report.paper import (
    FAINT,
    GRID,
    INK,
    POINTS,
    SMALLEST_POINTS,
    SOFT,
    Sheet,
    below,
    decades,
    metric_scale,
    named_rows,
    names_width,
    panels,
    rows_height,
)
from fallline.report.pictures import COLOURS, lay_out

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from fallline.analysis.reading import Reading

BLUE, ORANGE = COLOURS[:2]
MOST_NUMBERED = {"single": 7, "double": 17}
"""Optimizers whose pairs have their numbers in a matrix of that width; of more, signs alone."""
_LOOKS = {
    # relation: (edge, face, marker)
    Relation.BEST.value: (BLUE, BLUE, "D"),
    Relation.NOT_DISTINGUISHABLE.value: (BLUE, BLUE, "o"),
    Relation.BETTER.value: (BLUE, BLUE, "^"),
    Relation.PROBABLY_WORSE.value: (SOFT, "white", "o"),
    Relation.WORSE.value: (SOFT, SOFT, "o"),
    Relation.DIVERGED.value: (ORANGE, ORANGE, "X"),
    Relation.UNKNOWN.value: (SOFT, "white", "s"),
    "": (FAINT, "white", "s"),
}
_AHEAD = ("better", "probably better")
_SURE = ("better", "worse", "diverged")


def ranking(reading: Reading, table: pd.DataFrame, on: Sheet) -> Figure | None:
    """The test figures with their intervals, the best at the top, and how each stands to it."""
    from matplotlib.lines import Line2D

    if table.empty:
        return None
    names = [str(name) for name in table["optimizer"]]
    form = formats.metric_format(reading.document.task)
    columns = ("test_metric", "test_low", "test_high")
    mean, low, high = (table[name].to_numpy(dtype=float) for name in columns)
    figure, ((axis,),) = panels(on, 1, 1, rows_height(len(names), head=0.75))
    whole = metric_scale(_worth_drawing(mean, low, high), share=form.share)
    low, high = (np.where(np.isfinite(end), end, mean) for end in (low, high))
    handles: dict[str, Any] = {}
    for row, relation in enumerate(map(str, table["relation"])):
        edge, face, marker = _LOOKS.get(relation, _LOOKS[""])
        ends = np.clip([low[row], mean[row], high[row]], whole.low, whole.high)
        look: dict[str, Any] = {
            "color": edge,
            "marker": marker,
            "markerfacecolor": face,
            "markersize": 4.6,
            "linestyle": "none",
        }
        axis.plot(ends[[0, 2]], [row, row], color=edge, linewidth=1.3, solid_capstyle="butt")
        axis.plot(ends[1:2], [row], zorder=3, clip_on=False, **look)
        handles.setdefault(relation or "not yet measured", Line2D([], [], **look))
    named_rows(axis, names)
    lay_out(axis, whole, "x", apart=0.42 / max(on.width - names_width(names) - 0.9, 0.8))
    axis.set_xlabel(f"test {form.title}")
    texts = [
        form.with_interval(*ends).replace(" %", "") for ends in zip(mean, low, high, strict=True)
    ]
    _beside(axis, [_or_diverged(*pair) for pair in zip(texts, table["relation"], strict=True)])
    across = len(handles) if on.double else min(2, len(handles))
    below(figure, handles, across, handletextpad=0.2)
    return figure


def _worth_drawing(mean: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """The values that the axis must hold: an interval far wider than the figures is cut off."""
    known = mean[np.isfinite(mean)]
    if not len(known):
        return known
    most = 4.0 * float(np.median(np.abs(known)))
    ends = np.concatenate([low, high])
    return np.concatenate([known[np.abs(known) <= most], ends[np.abs(ends) <= most]])


def _or_diverged(text: str, relation: str) -> str:
    return "diverged" if text == formats.NONE and relation == Relation.DIVERGED else text


def _beside(axis: Axes, texts: list[str]) -> None:
    """Numbers at the right of each row."""
    right = axis.twinx()
    right.set_ylim(axis.get_ylim())
    right.set_yticks(range(len(texts)), texts)
    right.tick_params(axis="y", length=0, colors=SOFT)
    right.spines[:].set_visible(False)


def pairwise(reading: Reading, table: pd.DataFrame, on: Sheet) -> Figure | None:
    """Each row's test figure minus each column's: in colour where a test tells them apart."""
    names = [str(name) for name in dict.fromkeys(table["optimizer"])]
    if len(names) < 2:
        return None
    count = len(names)
    side = on.width - names_width(names) - 0.3
    cell = min(side / count, 0.62 if on.double else 0.5)
    figure, ((axis,),) = panels(on, 1, 1, cell * count + names_width(names) + 0.45)
    colours = np.ones((count, count, 3))
    colours[np.diag_indices(count)] = 0.94
    places = {name: at for at, name in enumerate(names)}
    numbered = count <= MOST_NUMBERED[on.name]
    largest = float(np.nanmax(np.abs(table["difference"].to_numpy(float)), initial=0.0)) or 1.0
    texts = _difference_texts(reading, table)
    for row, text in zip(table.to_dict("records"), texts, strict=True):
        down, across = places[row["optimizer"]], places[row["other"]]
        sure = row["relation"] in _SURE
        ahead = row["relation"] in _AHEAD
        if sure:
            colours[down, across] = _shade(row["difference"], largest, ahead)
        sign = ("+" if ahead else "−") if sure else "·"
        axis.text(
            across,
            down,
            text if numbered else sign,
            ha="center",
            va="center",
            fontsize=_fitting(texts, cell) if numbered else POINTS,
            color=INK if sure else SOFT,
        )
    axis.imshow(colours, aspect="equal", interpolation="nearest")
    axis.set_xticks(range(count), names, rotation=90 if count > 5 else 35)
    if count <= 5:
        for label in axis.get_xticklabels():
            label.set(ha="right", rotation_mode="anchor")
    axis.set_yticks(range(count), names)
    axis.set_xticks(np.arange(count - 1) + 0.5, minor=True)
    axis.set_yticks(np.arange(count - 1) + 0.5, minor=True)
    axis.grid(which="minor", color=GRID, linewidth=0.6)
    form = formats.metric_format(reading.document.task)
    unit = " (points)" if form.share and numbered else ""
    axis.set_xlabel(f"test {form.title}, row − column{unit}")
    axis.tick_params(which="both", length=0)
    axis.spines[:].set_visible(False)
    return figure


def _shade(difference: float, largest: float, ahead: bool) -> np.ndarray:
    """Blue where the row is ahead, orange where it is behind, stronger with the difference."""
    from matplotlib.colors import to_rgb

    known = math.isfinite(difference)
    # By the root, so that one optimizer far behind leaves the others their shades.
    share = 0.25 + 0.4 * math.sqrt(abs(difference) / largest) if known else 0.65
    return 1.0 - share * (1.0 - np.array(to_rgb(BLUE if ahead else ORANGE)))


def _difference_texts(reading: Reading, table: pd.DataFrame) -> list[str]:
    """Differences as short as they can be told apart: ``+0.9``, in points of a share."""
    form = formats.metric_format(reading.document.task)
    beside = float(reading.summary["test_metric"].astype(float).median())
    texts = []
    for difference, relation in zip(table["difference"], table["relation"], strict=True):
        text = form.difference(float(difference), beside=beside).replace("-", "−")
        if text == formats.NONE:
            text = "div." if relation in (*_AHEAD, Relation.DIVERGED.value) else "?"
        texts.append(text)
    return texts


def _fitting(texts: list[str], cell: float) -> float:
    """The size at which the longest of ``texts`` fits into a cell, in points."""
    longest = max(map(len, texts))
    return min(POINTS, max(SMALLEST_POINTS, 0.9 * 72 * cell / (0.62 * longest)))


def diverged(reading: Reading, table: pd.DataFrame, on: Sheet) -> Figure | None:
    """Where runs diverged: a mark for each learning rate tried, the fuller the more did."""
    from matplotlib.lines import Line2D

    rated = table[np.isfinite(table["learning_rate"].astype(float))]
    if rated.empty:
        return None
    known = set(rated["optimizer"])
    names = [name for name in reading.summary["optimizer"] if name in known]
    figure, ((axis,),) = panels(on, 1, 1, rows_height(len(names), head=0.8))
    places = {name: at for at, name in enumerate(names)}
    rows = np.array([places[name] for name in rated["optimizer"]])
    rates, share = (rated[name].to_numpy(float) for name in ("learning_rate", "share"))
    handles: dict[str, Any] = {}
    for label, chosen, look in (
        ("none diverged", share <= 0, {"marker": "o", "mfc": "white", "mec": FAINT}),
        ("some", (share > 0) & (share < 1), {"marker": "o", "mfc": "#f3b58a", "mec": ORANGE}),
        ("all", share >= 1, {"marker": "X", "mfc": ORANGE, "mec": ORANGE}),
    ):
        style: dict[str, Any] = {"linestyle": "none", "markersize": 5.0, "mew": 0.8, **look}
        if chosen.any():
            axis.plot(rates[chosen], rows[chosen], label=label, **style)
            handles[label] = Line2D([], [], **style)
    named_rows(axis, names)
    decades(axis, rates, on)
    below(figure, handles, 3, handletextpad=0.2)
    return figure


def time(reading: Reading, table: pd.DataFrame, on: Sheet) -> Figure | None:
    """Time per step and per epoch of one run trained alone, a panel each."""
    columns = {"seconds_per_step": "time per step", "epoch_seconds": "time per epoch"}
    shown = {
        name: title
        for name, title in columns.items()
        if name in table and np.isfinite(table[name].astype(float)).any()
    }
    if not shown:
        return None
    names = [str(name) for name in table["optimizer"]]
    figure, axes = panels(on, len(shown), 1, rows_height(len(names)), sharey=True)
    for axis, (column, title) in zip(axes[0], shown.items(), strict=True):
        values = table[column].to_numpy(float)
        known = values[np.isfinite(values) & (values > 0)]
        spread = known.max() > 8 * known.min()
        rows = np.arange(len(names))
        start = 0.6 * known.min() if spread else 0.0
        axis.hlines(rows, start, values, color=FAINT, linewidth=1.4)
        axis.plot(values, rows, "o", color=BLUE, markersize=4.2)
        if spread:
            axis.set_xscale("log")
        # Room for the text behind the longest.
        axis.set_xlim(start, known.max() * ((known.max() / start) ** 0.45 if spread else 1.45))
        for row, value in zip(rows, values, strict=True):
            if math.isfinite(value):
                axis.annotate(
                    formats.duration(value),
                    (value, row),
                    xytext=(4, 0),
                    textcoords="offset points",
                    va="center",
                    fontsize=POINTS - 1,
                    color=SOFT,
                )
        named_rows(axis, names)
        axis.grid(visible=False)
        axis.set_xticks([])
        axis.set_xticks([], minor=True)
        axis.spines["bottom"].set_visible(False)
        axis.set_xlabel(title + (" (log scale)" if spread else ""))
    return figure
