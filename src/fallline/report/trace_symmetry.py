"""Symmetry breaking as a picture: equal beside random first weights, neuron by neuron."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fallline.report.trace_saving import BACKWARD, FAINT, FORWARD, INK, SERIES, blank

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from fallline.tracing.symmetry import Symmetry

TEXT = 9.0
BARS = ("#0072B2", "#56B4E9", "#999999")
WEIGHTS = ("from x1", "from x2", "bias")


def symmetry_picture(shown: Symmetry, floor: float | None = None) -> Figure:
    """Incoming weights over the steps and at the end, and the losses, of both starts.

    ``floor`` is a loss below which one neuron cannot come, drawn as a line.
    """
    figure = blank(7.2, 7.4)
    grid = figure.add_gridspec(
        3,
        2,
        height_ratios=(1.25, 1.0, 1.0),
        left=0.09,
        right=0.955,
        top=0.925,
        bottom=0.07,
        hspace=0.5,
        wspace=0.2,
    )
    both = (shown.equal, shown.random)
    titles = ("equal first weights", "random first weights")
    for column, (training, title) in enumerate(zip(both, titles, strict=True)):
        axes = figure.add_subplot(grid[0, column])
        _paths(axes, training.incoming)
        axes.set_title(title, fontsize=TEXT + 2, fontweight="bold", color=INK, pad=18)
        bars = figure.add_subplot(grid[1, column])
        _bars(bars, training.incoming[-1])
        if column == 0:
            axes.set_ylabel("weight from x1", fontsize=TEXT)
            bars.set_ylabel("after training", fontsize=TEXT)
            _legend_of_bars(bars)
    _share(figure.axes[0], figure.axes[2])
    _share(figure.axes[1], figure.axes[3])
    _losses(figure.add_subplot(grid[2, :]), shown, floor)
    return figure


def _plain(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#b5b5b5")
    axes.tick_params(labelsize=TEXT - 1, color="#b5b5b5", labelcolor=INK)
    axes.grid(axis="y", color="#ececec", lw=0.8)
    axes.set_axisbelow(True)


def _share(first: Axes, second: Axes) -> None:
    """The same span of heights in both."""
    low = min(first.get_ylim()[0], second.get_ylim()[0])
    high = max(first.get_ylim()[1], second.get_ylim()[1])
    for axes in (first, second):
        axes.set_ylim(low, high)


def _paths(axes: Axes, incoming: NDArray[Any]) -> None:
    """Each neuron's weight from x1 over the steps; equal ones lie on each other, wider below."""
    from matplotlib.ticker import MaxNLocator

    _plain(axes)
    steps = np.arange(len(incoming))
    neurons = incoming.shape[1]
    ends: list[tuple[float, list[int]]] = []
    for neuron in range(neurons):
        values = incoming[:, neuron, 0]
        below = [at for at in range(neuron) if np.array_equal(incoming[:, at, 0], values)]
        hidden = sum(
            np.array_equal(incoming[:, at, 0], values) for at in range(neuron + 1, neurons)
        )
        color = SERIES[neuron % len(SERIES)]
        axes.plot(steps, values, color=color, lw=1.8 + 1.7 * hidden, solid_capstyle="butt")
        if below:
            next(names for _, names in ends if below[0] + 1 in names).append(neuron + 1)
        else:
            ends.append((float(values[-1]), [neuron + 1]))
    axes.set_xlim(0, steps[-1])
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.margins(y=0.08)
    axes.set_xlabel("step", fontsize=TEXT, labelpad=1)
    _names_at_ends(axes, float(steps[-1]), ends)


def parted(heights: Sequence[float], apart: float) -> list[float]:
    """Ascending heights moved as little as parts neighbours by ``apart``, each group evenly."""
    groups: list[tuple[float, int]] = []
    for height in heights:
        middle, count = height, 1
        while groups and middle - groups[-1][0] < apart * (count + groups[-1][1]) / 2:
            other, more = groups.pop()
            middle = (middle * count + other * more) / (count + more)
            count += more
        groups.append((middle, count))
    return [
        middle + (at - (count - 1) / 2) * apart for middle, count in groups for at in range(count)
    ]


def _names_at_ends(axes: Axes, x: float, ends: list[tuple[float, list[int]]]) -> None:
    """The neurons' numbers right of their lines, pushed apart where those end close together."""
    low, high = axes.get_ylim()
    apart = (high - low) * 0.085
    ends = sorted(ends, key=lambda each: each[0])
    for y, (_, names) in zip(parted([value for value, _ in ends], apart), ends, strict=True):
        words = str(names[0]) if len(names) == 1 else f"{names[0]}–{names[-1]}"
        color = SERIES[(names[-1] - 1) % len(SERIES)] if len(names) == 1 else INK
        axes.annotate(
            words,
            (x, y),
            xytext=(4, 0),
            textcoords="offset points",
            color=color,
            fontsize=TEXT,
            va="center",
            fontweight="bold",
            annotation_clip=False,
        )
    together = [names for _, names in ends if len(names) > 1]
    words = "one line is one neuron"
    if together:
        words = f"{len(together[0])} neurons, drawn on top of each other: one line"
    axes.text(0, 1.03, words, transform=axes.transAxes, fontsize=TEXT - 0.5, color=FAINT)


def _bars(axes: Axes, weights: NDArray[Any]) -> None:
    """Every neuron's weights and bias after training, side by side."""
    _plain(axes)
    neurons = len(weights)
    width = 0.25
    for at, color in enumerate(BARS):
        places = np.arange(neurons) + (at - 1) * width
        axes.bar(places, weights[:, at], width * 0.92, color=color)
    axes.axhline(0, color=INK, lw=0.8)
    axes.set_xticks(range(neurons), [f"neuron {at + 1}" for at in range(neurons)])
    axes.tick_params(axis="x", length=0)
    if neurons > 4:
        axes.set_xticklabels([str(at + 1) for at in range(neurons)])
        axes.set_xlabel("neuron", fontsize=TEXT, labelpad=1)


def _legend_of_bars(axes: Axes) -> None:
    from matplotlib.patches import Patch

    axes.legend(
        handles=[Patch(color=color, label=name) for name, color in zip(WEIGHTS, BARS, strict=True)],
        fontsize=TEXT - 0.5,
        frameon=False,
        ncols=3,
        loc="lower left",
        bbox_to_anchor=(-0.02, 0.99),
        handlelength=1.0,
        columnspacing=1.2,
        borderaxespad=0.1,
    )


def _losses(axes: Axes, shown: Symmetry, floor: float | None) -> None:
    """Both losses over the steps, named at their ends."""
    _plain(axes)
    curves: Sequence[tuple[Any, str, str]] = (
        (shown.equal, "equal", BACKWARD),
        (shown.random, "random", FORWARD),
    )
    highest = max(float(training.losses.max()) for training, _, _ in curves)
    axes.set_ylim(0, highest * 1.1)
    axes.set_xlim(0, shown.steps)
    axes.set_xlabel("step", fontsize=TEXT, labelpad=1)
    axes.set_ylabel("loss", fontsize=TEXT)
    # Names stand where the curves are far apart, above the end of each.
    for training, name, color in curves:
        axes.plot(training.losses, color=color, lw=2.0)
        end = float(training.losses[-1])
        words = f"{name}: loss {end:.4f}, {training.right} of 4 points right"
        axes.annotate(
            words,
            (shown.steps, end),
            xytext=(-2, 7),
            textcoords="offset points",
            ha="right",
            va="bottom",
            color=color,
            fontsize=TEXT,
            fontweight="bold",
        )
    if floor is not None and floor < highest:
        axes.axhline(floor, color=FAINT, lw=1.0, ls=(0, (4, 3)))
        axes.annotate(
            f"no single neuron comes below {floor:.4f}",
            (shown.steps, floor),
            xytext=(-2, -4),
            textcoords="offset points",
            ha="right",
            va="top",
            color=FAINT,
            fontsize=TEXT - 0.5,
        )
