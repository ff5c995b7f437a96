"""A training's pictures as files: PNG, SVG or PDF, drawn by matplotlib."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fallline.report import training_classes as classes
from fallline.report import training_figures as figures
from fallline.report import training_interactive
from fallline.report import training_network as drawn
from fallline.report.formats import picture_format
from fallline.report.pictures import COLOURS, save
from fallline.report.training_portrait import Portrait

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_BLUE, _ORANGE, _GREEN = COLOURS[:3]
_GREY, _RED = "#6b7178", "#b3261e"
_COLOURS = {"training": _BLUE, "validation": _ORANGE}
_LINES = {"training": "-", "validation": "--"}
_DPI = 110
_STYLE: dict[Any, Any] = {
    "font.size": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#9aa0a6",
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "text.parse_math": False,
    "svg.fonttype": "none",
}


def write(portrait: Portrait, folder: Path, file_format: str) -> tuple[Path, ...]:
    """Write every picture that there is of ``portrait`` into ``folder``; returns the files."""
    picture_format(file_format)
    import matplotlib

    folder.mkdir(parents=True, exist_ok=True)
    written = []
    with matplotlib.rc_context(_STYLE):
        for name, draw in PICTURES.items():
            figure = draw(portrait)
            if figure is None:
                continue
            path = folder / f"{name}.{file_format}"
            save(figure, path, file_format, dpi=_DPI, tight=True)
            written.append(path)
    return tuple(written)


def history(portrait: Portrait) -> Figure:
    """Loss and metric over the epochs."""
    form = figures.form_of(portrait)
    charts = figures.history_charts(portrait)
    figure, axes = _panels(len(charts), 4.6, 3.2)
    for axis, chart in zip(axes, charts, strict=True):
        places = training_interactive.drawn(chart, form)["layout"]["yaxis"]
        for series in chart.series:
            axis.plot(
                series.x,
                chart.axis.place(series.mean),
                _LINES[series.optimizer],
                color=_COLOURS[series.optimizer],
                label=series.optimizer,
                marker="o" if len(series.x) <= 30 else None,
                markersize=3.5,
            )
        axis.set_yscale("log")
        axis.set_ylim(*(10.0**end for end in places["range"]))
        axis.minorticks_off()
        axis.set_yticks(places["tickvals"], places["ticktext"])
        _epochs(axis, portrait, chart.title)
    if charts[0].series:
        axes[0].legend(frameon=False)
    return figure


def gap(portrait: Portrait) -> Figure | None:
    """Validation minus training figures, with the diagnosis above."""
    series = figures.gap_series(portrait)
    if not series:
        return None
    figure, axes = _panels(len(series), 4.6, 2.8)
    for axis, (name, values) in zip(axes, series, strict=True):
        points = portrait.share and name != "loss"
        axis.axhline(0, color="#9aa0a6", linewidth=0.8)
        shown = 100 * values if points else values
        axis.set_ylim(*figures.gap_range(shown))
        axis.plot(
            np.arange(1, portrait.epochs + 1),
            shown,
            color=_GREEN,
            marker="o" if portrait.epochs <= 30 else None,
            markersize=3.5,
        )
        unit = " (percentage points)" if points else ""
        _epochs(axis, portrait, f"{name[0].upper()}{name[1:]}: validation − training{unit}")
    diagnosis = portrait.diagnosis
    figure.suptitle(_wrapped(f"{diagnosis.headline.capitalize()}. {diagnosis.reason}", 110))
    return figure


def examples(portrait: Portrait) -> Figure | None:
    """Training examples with their labels."""
    return _gallery(portrait, figures.example_tiles(portrait), predicted=False)


def predictions(portrait: Portrait) -> Figure | None:
    """Held-out examples with actual and predicted label, wrong ones in red."""
    return _gallery(portrait, figures.prediction_tiles(portrait), predicted=True)


def confusion(portrait: Portrait) -> Figure | None:
    """The confusion matrix: a row per actual class."""
    matrix = classes.confusion(portrait)
    if matrix is None:
        return None
    count = len(matrix)
    numbered = count <= classes.MOST_NUMBERED
    side = max(3.2, 0.5 * count) if numbered else 7.0
    figure, (axis,) = _panels(1, side + 0.8, side)
    axis.imshow(classes.pixels(matrix))
    axis.set(xlabel="predicted", ylabel="actual", title="Confusion matrix")
    axis.spines[:].set_visible(False)
    if numbered:
        names = [portrait.class_name(at) for at in range(count)]
        long = max(map(len, names)) > 3
        axis.set_xticks(range(count), names, rotation=40 if long else 0)
        if long:
            for label in axis.get_xticklabels():
                label.set(ha="right", rotation_mode="anchor")
        axis.set_yticks(range(count), names)
        axis.tick_params(length=0)
        shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
        for (row, column), examples in np.ndenumerate(matrix):
            if examples:
                dark = shares[row, column] > (0.75 if row == column else 0.5)
                axis.text(
                    column,
                    row,
                    f"{examples:,}",
                    ha="center",
                    va="center",
                    color="white" if dark else "#1b1f24",
                )
    return figure


def report(portrait: Portrait) -> Figure | None:
    """Precision, recall and F1 of every class, as a table."""
    matrix = classes.confusion(portrait)
    if matrix is None:
        return None
    rows = classes.report_rows(matrix, portrait.classes)
    cells = [[row["name"], *row["figures"], row["support"]] for row in rows]
    columns = ["class", "precision", "recall", "F1", "support"]
    return _table(cells, columns, "Classification report", strong={len(rows) - 2, len(rows) - 1})


def scatter(portrait: Portrait) -> Figure | None:
    """A regression's predictions against the actual values, and its errors."""
    found = figures.residuals(portrait)
    if found is None:
        return None
    figure, (left, right) = _panels(2, 4.4, 3.6)
    ends = [f(np.concatenate([found.actual, found.predicted])) for f in (np.min, np.max)]
    left.plot(ends, ends, "--", color=_GREY, linewidth=1)
    left.scatter(found.actual, found.predicted, s=10, alpha=0.4, color=_BLUE, linewidths=0)
    left.set(xlabel="actual", ylabel="predicted", title="Predicted against actual")
    right.stairs(found.counts, found.edges, fill=True, color=_BLUE, alpha=0.8)
    right.axvline(0, color=_GREY, linewidth=1)
    right.set(xlabel="predicted minus actual", ylabel="examples")
    right.set_title(f"Errors: mean {found.mean:+.3g}, RMSE {found.rmse:.3g}")
    return figure


def network(portrait: Portrait) -> Figure:
    """The network layer by layer, six blocks a row."""
    from matplotlib.patches import Rectangle

    blocks = drawn.blocks(portrait)
    across = min(6, len(blocks))
    down = math.ceil(len(blocks) / across)
    figure, (axis,) = _panels(1, 1.75 * across, 2.5 * down)
    axis.set(xlim=(0, across), ylim=(-1.45 * down, 0))
    axis.set_axis_off()
    for at, block in enumerate(blocks):
        left, top = at % across, -1.45 * (at // across)
        edge = _GREY if not block.trainable else _BLUE if block.sheets else _ORANGE
        for x, y, width, height in drawn.drawing(block):
            place = (left + (x + 12) / 134, top - (y + height) / 134)
            axis.add_patch(
                Rectangle(
                    place,
                    width / 134,
                    height / 134,
                    facecolor=_pale(edge),
                    edgecolor=edge,
                    linestyle="--" if block.trainable is False else "-",
                )
            )
        frozen = ["frozen"] if block.trainable is False else []
        lines = [block.kind, block.shape, block.detail, *frozen]
        axis.text(left + 0.5, top - 0.86, block.name, ha="center", va="top", weight="bold")
        below = "\n".join(line for line in lines if line)
        axis.text(left + 0.5, top - 0.97, below, ha="center", va="top", color="#3b4148")
        if at % across:
            axis.text(left, top - 0.41, "→", ha="center", va="center", color=_GREY, size=14)
    return figure


def weights(portrait: Portrait) -> Figure | None:
    """The first layer's weights, blue below zero and red above."""
    found = figures.weights_figure(portrait)
    if found is None:
        return None
    title = f"{found.layer}: {found.detail} (strongest colour ±{found.limit:.2g})"
    if found.rows:
        figure, (axis,) = _panels(1, 7.5, max(1.8, 0.24 * len(found.rows) + 0.7))
        axis.imshow(found.tiles[0].picture, aspect="auto", interpolation="nearest")
        axis.set_yticks(range(len(found.rows)), found.rows)
        axis.set(xlabel="unit", title=title)
        axis.tick_params(length=0)
        return figure
    across = 8 if len(found.tiles) > 16 else 4
    down = math.ceil(len(found.tiles) / across)
    figure, (axis,) = _panels(1, 0.78 * across, 0.78 * down + 0.5)
    for at, tile in enumerate(found.tiles):
        _picture(axis, tile.picture, at % across, at // across, 0.9, "#d9dcdf", 0.8)
    axis.set(xlim=(-0.05, across - 0.05), ylim=(down - 0.05, -0.05), aspect="equal")
    axis.set_title(_wrapped(title, 13 * across))
    return figure


PICTURES: dict[str, Callable[[Portrait], Figure | None]] = {
    "history": history,
    "gap": gap,
    "examples": examples,
    "predictions": predictions,
    "confusion": confusion,
    "report": report,
    "scatter": scatter,
    "network": network,
    "weights": weights,
}
"""Every picture by the name of its file; None where the training has no such picture."""


def _gallery(
    portrait: Portrait, tiles: tuple[figures.Tile, ...], *, predicted: bool
) -> Figure | None:
    """Five pictures a row, or a table where the examples are rows of one."""
    if not tiles:
        return None
    if tiles[0].picture is None:
        return _rows(portrait, tiles, predicted=predicted)
    across = 5
    down = math.ceil(len(tiles) / across)
    figure, (axis,) = _panels(1, 1.3 * across, 1.62 * down)
    for at, tile in enumerate(tiles):
        left, top = at % across, 1.25 * (at // across)
        wrong = tile.right is False
        edge, width = (_RED, 2.0) if wrong else ("#d9dcdf", 0.8)
        if tile.picture is not None:
            _picture(axis, tile.picture, left, top, 0.9, edge, width)
        text = tile.actual
        if predicted:
            text = f"✗ {tile.predicted}, is {tile.actual}" if wrong else tile.predicted
        colour = _RED if wrong else "#1b1f24"
        axis.text(left + 0.45, top + 0.96, _wrapped(text, 18), color=colour, ha="center", va="top")
    axis.set(xlim=(-0.05, across - 0.05), ylim=(1.25 * down, -0.05), aspect="equal")
    axis.set_title(_gallery_title(portrait, tiles, predicted))
    return figure


def _gallery_title(portrait: Portrait, tiles: tuple[figures.Tile, ...], predicted: bool) -> str:
    held = portrait.predictions
    if not predicted or held is None:
        return "Training examples with their labels"
    wrong = sum(tile.right is False for tile in tiles)
    split = "training" if held.split == "train" else held.split
    return f"Predictions of {len(tiles)} {split} examples, {wrong} wrong (✗)"


def _picture(
    axis: Axes, pixels: np.ndarray, left: float, top: float, side: float, edge: str, width: float
) -> None:
    """Pixels in a frame, in an axes of units that go down; without the axes' own frame."""
    from matplotlib.patches import Rectangle

    axis.set_axis_off()
    tall = max(pixels.shape[:2])
    height, across = (side * each / tall for each in pixels.shape[:2])
    x, y = left + (side - across) / 2, top + (side - height) / 2
    axis.imshow(pixels, extent=(x, x + across, y + height, y), interpolation="nearest")
    axis.add_patch(Rectangle((x, y), across, height, fill=False, edgecolor=edge, linewidth=width))


def _rows(portrait: Portrait, tiles: tuple[figures.Tile, ...], *, predicted: bool) -> Figure:
    names = figures.columns(portrait)[:6]
    what = "error" if portrait.predictions and not portrait.classification else "probability"
    head = (
        ["predicted", "actual", what]
        if predicted
        else ["label" if portrait.classification else "target"]
    )
    cells = []
    for tile in tiles:
        mark = "✗ " if tile.right is False else ""
        own = [mark + tile.predicted, tile.actual, tile.detail] if predicted else [tile.actual]
        cells.append([*own, *tile.values[: len(names)]])
    wrong = {at for at, tile in enumerate(tiles) if tile.right is False}
    title = "Predictions" if predicted else "Training examples"
    return _table(cells, [*head, *names], title, red=wrong)


def _table(
    cells: list[list[str]],
    columns: list[str],
    title: str,
    *,
    strong: set[int] | frozenset[int] = frozenset(),
    red: set[int] | frozenset[int] = frozenset(),
) -> Figure:
    """Text in columns: the first aligned at its left, the others at their right."""
    lengths = [
        max(len(str(row[at])) for row in [columns, *cells]) + 2 for at in range(len(columns))
    ]
    ends = np.cumsum(lengths)
    figure, (axis,) = _panels(1, 0.085 * ends[-1] + 0.3, 0.235 * (len(cells) + 1) + 0.4)
    axis.set(xlim=(0, ends[-1]), ylim=(len(cells) + 0.6, -0.6), title=title)
    axis.set_axis_off()
    axis.axhline(0.5, color="#9aa0a6", linewidth=0.8)
    for number, row in enumerate([columns, *cells]):
        colour = _GREY if number == 0 or number - 1 in strong else "#1b1f24"
        colour = _RED if number - 1 in red else colour
        for at, text in enumerate(row):
            place = 0 if at == 0 else ends[at] - 1
            side = "left" if at == 0 else "right"
            axis.text(place, number, text, ha=side, va="center", color=colour, size=9)
    return figure


def _epochs(axis: Axes, portrait: Portrait, title: str) -> None:
    from matplotlib.ticker import MaxNLocator

    axis.set(xlabel="epoch", title=title, xlim=(0.5, max(portrait.epochs, 1) + 0.5))
    axis.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axis.grid(axis="y", color="#ecedea")
    axis.set_axisbelow(True)
    best = portrait.diagnosis.best_epoch
    if best is not None:
        axis.axvline(best, color=_GREY, linestyle=":", linewidth=1)


def _panels(count: int, width: float, height: float) -> tuple[Figure, list[Any]]:
    figure = _figure(width * count, height)
    return figure, [figure.add_subplot(1, count, at + 1) for at in range(count)]


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _pale(colour: str) -> str:
    parts = [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
    return "#" + "".join(f"{round(255 - 0.25 * (255 - part)):02x}" for part in parts)


def _wrapped(text: str, width: int) -> str:
    import textwrap

    return "\n".join(textwrap.wrap(text, width)) or text
