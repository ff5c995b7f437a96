"""How figures for a paper look: widths of a column, text of 8 points, lines told apart in grey.

An optimizer has the colour and the dashes that it has on the page (`fallline.report.figures`), and
a marker, so that a print without colours can be read. Text in an SVG is drawn as paths: it looks
the same wherever it is opened, whichever fonts are there; a PDF holds the font, and text that can
be searched.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fallline.errors import unknown
from fallline.report.figures import Style, styles
from fallline.report.formats import learning_rate
from fallline.report.pictures import COLOURS
from fallline.report.scales import Scale, scale

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTHS = {"single": 3.4, "double": 7.0}
"""Inches: of a column, and of a page with two of them."""
POINTS = 8.0
SMALLEST_POINTS = 6.0
DPI = 300
INK, SOFT, GRID, FAINT = "#1b1f24", "#59616b", "#e8eaec", "#b9bec4"
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
DASHES: dict[str, Any] = {
    "solid": "-",
    "dash": (0, (4.5, 1.8)),
    "dot": (0, (1.2, 1.5)),
    "dashdot": (0, (5, 1.6, 1.2, 1.6)),
}
TEXT: dict[Any, Any] = {
    # Comes with matplotlib: the same on every machine.
    "font.family": "DejaVu Sans",
    "font.size": POINTS,
    **{f"{part}.labelsize": POINTS for part in ("axes", "xtick", "ytick")},
    "axes.titlesize": POINTS,
    "legend.fontsize": POINTS,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": SOFT,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.6,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.2,
    "lines.markersize": 3.4,
    "patch.linewidth": 0.5,
    **{f"{which}tick.major.width": 0.6 for which in "xy"},
    **{f"{which}tick.major.size": 2.5 for which in "xy"},
    **{f"{which}tick.major.pad": 2.0 for which in "xy"},
    "axes.labelpad": 3.0,
    "text.parse_math": False,
    "svg.fonttype": "path",
}
"""What matplotlib is told before it draws."""
_CHARACTER = 0.55 * POINTS / 72
"""Inches that a character of a label takes, on average."""
_LINE = 1.35 * POINTS / 72


@dataclass(frozen=True)
class Sheet:
    """The width that a figure is drawn for: ``"single"`` or ``"double"``."""

    name: str

    @property
    def width(self) -> float:
        """In inches."""
        return WIDTHS[self.name]

    @property
    def double(self) -> bool:
        return self.name == "double"


def sheet(name: str) -> Sheet:
    """The width of that name; an InputError with near matches for another."""
    if name not in WIDTHS:
        raise unknown("width", name, WIDTHS)
    return Sheet(name)


def panels(
    on: Sheet, across: int, down: int, height: float, **options: Any
) -> tuple[Figure, np.ndarray]:
    """A figure of ``across`` times ``down`` axes; ``height`` of it in inches."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(on.width, height), layout="constrained")
    engine: Any = figure.get_layout_engine()
    engine.set(w_pad=0.02, h_pad=0.02, wspace=0.03, hspace=0.03)
    return figure, figure.subplots(down, across, squeeze=False, **options)


@dataclass(frozen=True)
class Line:
    """How the lines of an optimizer are drawn, and its entry in a legend."""

    optimizer: str
    rank: int
    style: Style

    @property
    def bright(self) -> bool:
        """In colour, with a marker and an entry of its own in the legend."""
        return self.style.emphasised

    @property
    def colour(self) -> str:
        return COLOURS[self.style.colour % len(COLOURS)] if self.bright else FAINT

    @property
    def marker(self) -> str:
        return MARKERS[self.rank % len(MARKERS)] if self.bright else ""

    @property
    def look(self) -> dict[str, Any]:
        """For `matplotlib.axes.Axes.plot`."""
        return {
            "color": self.colour,
            "linestyle": DASHES[self.style.dash] if self.bright else "-",
            "linewidth": 1.2 if self.bright else 0.7,
            "marker": self.marker,
            # The best lies above the others, those in colour above the grey ones.
            "zorder": 3.0 - 0.01 * self.rank if self.bright else 2.0,
        }

    def every(self, points: int, *, most: int = 6) -> Any:
        """Which of ``points`` have a marker: ``most`` of them, staggered from line to line."""
        if points <= 2 * most:
            return 1
        step = math.ceil(points / most)
        return (self.rank * step // 6 % step, step)


def lines(summary: pd.DataFrame) -> tuple[Line, ...]:
    """The lines of the optimizers of ``summary``, best first."""
    return tuple(Line(style.optimizer, rank, style) for rank, style in enumerate(styles(summary)))


def legend(figure: Figure, on: Sheet, drawn: Sequence[Line], **extra: Any) -> None:
    """The optimizers in colour and one entry for the others, below; ``extra`` handles by label."""
    from matplotlib.lines import Line2D

    handles: dict[str, Any] = {
        each.optimizer: Line2D([], [], **each.look) for each in drawn if each.bright
    }
    grey = [each for each in drawn if not each.bright]
    if grey:
        name = grey[0].optimizer if len(grey) == 1 else f"{len(grey)} others"
        handles[name] = Line2D([], [], **grey[0].look)
    handles |= extra
    if len(handles) < 2:
        return
    widest = 0.34 + _CHARACTER * max(map(len, handles))
    columns = max(1, min(len(handles), int(on.width / widest)))
    # As even as the number of rows allows.
    columns = math.ceil(len(handles) / math.ceil(len(handles) / columns))
    below(figure, handles, columns)


def below(figure: Figure, handles: Mapping[str, Any], columns: int, **spacing: float) -> None:
    """A legend under everything: ``handles`` by their labels, so many beside each other."""
    spaces = {"handlelength": 1.9, "handletextpad": 0.5, "columnspacing": 1.0, "labelspacing": 0.3}
    options: dict[str, Any] = {"ncols": columns, "frameon": False, "borderaxespad": 0.1}
    options |= spaces | spacing
    figure.legend(list(handles.values()), list(handles), loc="outside lower center", **options)


def names_width(names: Sequence[str]) -> float:
    """Inches that the longest of ``names`` takes beside an axis."""
    return _CHARACTER * max(map(len, names), default=0)


def rows_height(rows: int, *, least: float = 1.2, head: float = 0.55) -> float:
    """The height of a figure with a line of text for each of ``rows``, in inches."""
    return max(least, head + 1.12 * _LINE * rows)


def named_rows(axis: Axes, names: Sequence[str]) -> None:
    """The names beside an axis, the first at the top, a faint line under each row."""
    axis.set_ylim(len(names) - 0.4, -0.6)
    axis.set_yticks(range(len(names)), list(names))
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)
    axis.grid(axis="y")


def decades(axis: Axes, rates: np.ndarray, on: Sheet) -> None:
    """A logarithmic axis of learning rates, every decade a mark, labels as many as fit."""
    axis.set_xscale("log")
    powers = list(
        range(math.floor(math.log10(rates.min())), math.ceil(math.log10(rates.max())) + 1)
    )
    step = math.ceil(len(powers) / (14 if on.double else 7))
    shown = [power for power in powers if power % step == 0]
    axis.set_xticks(
        [10.0**power for power in shown], [learning_rate(10.0**power) for power in shown]
    )
    axis.set_xticks([10.0**power for power in powers if power not in shown], minor=True)
    axis.set_xlim(rates.min() / 1.6, rates.max() * 1.6)
    axis.xaxis.set_tick_params(which="minor", labelbottom=False, width=0.4, size=1.6)
    axis.set_xlabel("learning rate")


def metric_scale(values: Mapping[str, Any] | Any, *, share: bool) -> Scale:
    """The scale of figures of the metric, or of losses; arrays of any shape."""
    arrays = values.values() if isinstance(values, Mapping) else [values]
    flat = np.concatenate([np.ravel(np.asarray(each, float)) for each in arrays])
    return scale(flat, share=share)
