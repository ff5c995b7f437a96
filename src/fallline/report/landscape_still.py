"""A walk as a still picture: PNG, SVG or PDF, drawn by matplotlib."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np

from fallline.landscapes.paths import Walk
from fallline.report import landscape_words as words
from fallline.report.landscape_figure import Axis, Picture, style
from fallline.report.landscape_page import map_frame, shade_colour
from fallline.report.pictures import save

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 150
_MARKERS = {"circle": "o", "square": "s", "triangle": "^", "diamond": "D"}
_SOFT = "#59616b"
_FONT: dict[Any, Any] = {
    "font.size": 9.5,
    "axes.edgecolor": "#8b939b",
    "xtick.color": _SOFT,
    "ytick.color": _SOFT,
    "axes.labelcolor": "#1b1f24",
}


def render(walk: Walk, form: str) -> bytes:
    """The picture in one of :data:`fallline.report.formats.PICTURE_FORMATS`."""
    import matplotlib

    with matplotlib.rc_context(_FONT):
        figure = draw(walk)
        held = io.BytesIO()
        save(figure, held, form, dpi=DPI)
    return held.getvalue()


def draw(walk: Walk) -> Figure:
    """The way down, and the heights by step beside it."""
    from matplotlib.figure import Figure

    picture = Picture(walk)
    frame = map_frame(picture)
    tall = 5.2 * frame.height / frame.width
    figure = Figure(
        figsize=(10.2, tall + 1.1 + 0.2 * -(-len(walk.paths) // 2)), layout="constrained"
    )
    view, heights = figure.subplots(1, 2, width_ratios=(5.2, 4.2))
    _view(view, picture)
    _heights(heights, picture)
    handles, labels = heights.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
    equation = words.equation(walk.landscape)
    shown = equation if len(equation) <= 110 else equation[:109] + "…"
    # parse_math: a dollar sign in a name is a dollar sign.
    figure.suptitle(
        walk.landscape.title, fontsize=13, x=0.015, ha="left", fontweight="bold", parse_math=False
    )
    view.set_title(shown, fontsize=9, loc="left", color=_SOFT, pad=9, parse_math=False)
    return figure


def _view(axes: Any, picture: Picture) -> None:
    walk = picture.walk
    if picture.flat:
        _contours(axes, picture)
    else:
        axes.plot(picture.x, picture.y, color="#8b96a3", lw=2, zorder=1)
    for place, path in enumerate(walk.paths):
        drawn = style(place)
        cut = picture.segments(path)
        known = cut[np.isfinite(cut).all(axis=1)]
        for width, colour, order in ((3.2, "white", 2), (1.5, drawn.colour, 3)):
            # NaN between the segments lifts the pen.
            lines = np.insert(known.reshape(-1, 2, 2), 2, np.nan, axis=1).reshape(-1, 2)
            x, y = (
                axis.low + lines[:, at] * (axis.high - axis.low)
                for at, axis in enumerate(picture.axes)
            )
            axes.plot(x, y, color=colour, lw=width, zorder=order, solid_capstyle="round")
        seen = picture.seen(path.points)
        axes.plot(*seen.T, ".", color=drawn.colour, ms=4.2, zorder=3)
        axes.plot(
            *seen[-1], _MARKERS[drawn.marker], color=drawn.colour, ms=6, mec="white", zorder=6
        )
    for each in walk.landscape.minima:
        place_of = picture.seen(np.array([each.at]))[0]
        axes.plot(*place_of, "*", color="#ffd400", mec="#1b1f24", mew=0.9, ms=17, zorder=4)
    start = picture.seen(np.array([walk.landscape.start]))[0]
    axes.plot(*start, "o", color="white", mec="#1b1f24", mew=1.6, ms=6.5, zorder=5)
    _axis(axes.xaxis, axes.set_xlim, picture.axes[0])
    _axis(axes.yaxis, axes.set_ylim, picture.axes[1])


def _contours(axes: Any, picture: Picture) -> None:
    axes.set_facecolor("#e9e2da" if picture.levels.size else "#fcfcfa")
    if not picture.levels.size:
        return
    masked = np.ma.masked_invalid(picture.z)
    count = len(picture.levels) + 1
    colours = [shade_colour(at / (count - 1)) for at in range(count)]
    grid = (picture.x, picture.y, masked)
    axes.contourf(*grid, levels=picture.levels, colors=colours, extend="both", zorder=0)
    lines = {"colors": "#8797a6", "linewidths": 0.5, "linestyles": "solid", "zorder": 1}
    axes.contour(*grid, levels=picture.levels, **lines)


def _heights(axes: Any, picture: Picture) -> None:
    walk, axis = picture.walk, picture.height_axis
    for place, path in enumerate(walk.paths):
        drawn = style(place)
        text = words.line(walk, path)
        rate = (
            ""
            if path.learning_rate is None or path.label != path.optimizer
            else f" {text.learning_rate}"
        )
        label = f"{path.label}{rate}: {text.outcome}".replace("$", r"\$")
        levels = axis.low + axis.share(picture.heights(path)) * (axis.high - axis.low)
        axes.plot(
            np.arange(path.steps + 1),
            levels,
            color=drawn.colour,
            lw=1.6,
            marker=_MARKERS[drawn.marker],
            markevery=[path.steps],
            mec="white",
            label=label,
        )
    axes.set_xlim(0, walk.steps * 1.02)
    axes.set_xlabel("step")
    axes.grid(axis="y", color="#e8eaeb")
    axes.set_axisbelow(True)
    _axis(axes.yaxis, axes.set_ylim, axis)


def _axis(ticks: Any, limits: Any, axis: Axis) -> None:
    limits(axis.low, axis.high)
    ticks.set_ticks([at for at, _ in axis.ticks], [text for _, text in axis.ticks])
    ticks.set_label_text(axis.title)
