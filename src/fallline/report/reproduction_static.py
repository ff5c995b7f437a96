"""The charts of a series as files: PNG, SVG or PDF, drawn by matplotlib from the page's data."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fallline.analysis.published import Findings
from fallline.report.formats import picture_format
from fallline.report.pictures import COLOURS, lay_out, save
from fallline.report.reproduction_figures import panels
from fallline.report.reproduction_panels import Chart, Panel
from fallline.report.reproduction_tables import MODES, stage_title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_CHARTS = 4
"""Of a panel, side by side."""
ROLES = {
    "theirs": ("published", "D", "none", "#111111"),
    "ours": ("ours", "o", COLOURS[0], COLOURS[0]),
    "untuned": (MODES["untuned"], "o", "white", COLOURS[1]),
    "tuned": (MODES["tuned"], "o", COLOURS[0], COLOURS[0]),
}
"""Of dots: label, marker, face, edge."""
TITLES = {
    "published": "Published figures beside ours",
    "tuning": "Tuned beside untuned (ranks in brackets)",
    "ranking": "Settings",
    "axis": "Settings",
    "curves": "Epoch by epoch",
}
_DPI = 110
_ROW, _HEAD, _WIDTH = 0.27, 0.95, 4.3
_STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#9aa0a6",
    "axes.titlesize": 10,
    "text.parse_math": False,
    "svg.fonttype": "none",
}


def write(
    findings: Findings,
    folder: Path,
    file_format: str,
    *,
    prefix: str = "",
    kinds: Collection[str] = tuple(TITLES),
) -> dict[tuple[str, str], Path]:
    """Write the page's panels of these ``kinds`` into ``folder``: their files by kind and stage."""
    picture_format(file_format)
    import matplotlib

    folder.mkdir(parents=True, exist_ok=True)
    written = {}
    with matplotlib.rc_context(_STYLE):
        for panel in panels(findings):
            if panel.kind not in kinds:
                continue
            path = folder / f"{prefix}{panel.key}.{file_format}"
            save(draw(findings, panel), path, file_format, dpi=_DPI, tight=True)
            written[panel.kind, panel.stage] = path
    return written


def draw(findings: Findings, panel: Panel) -> Figure:
    """A panel's charts side by side."""
    from matplotlib.figure import Figure

    charts = panel.charts[:MOST_CHARTS]
    rows = max(len(chart.labels) if chart.dots else 0 for chart in charts)
    height = _HEAD + (_ROW * rows if rows else 2.4)
    figure = Figure(figsize=(_WIDTH * len(charts), height), layout="constrained")
    axes = figure.subplots(1, len(charts), squeeze=False)[0]
    for at, (axis, chart) in enumerate(zip(axes, charts, strict=True)):
        if chart.dots:
            _dots(axis, chart, named=at == 0)
        else:
            _lines(axis, chart, panel)
        axis.set_title(", ".join(chart.choices.values()) or chart.title)
    heading = stage_title(findings, panel.stage)
    title = f"{TITLES[panel.kind]}: {heading}" if heading else TITLES[panel.kind]
    figure.suptitle(title, fontsize=11, fontweight="bold", x=0.01, ha="left")
    handles, labels = _legend(axes)
    if len(labels) > 1:
        figure.legend(
            handles, labels, loc="outside lower left", ncols=min(len(labels), 6), frameon=False
        )
    return figure


def _legend(axes: np.ndarray) -> tuple[list[Any], list[str]]:
    """The labels of all axes, each once."""
    found: dict[str, Any] = {}
    for axis in axes:
        for handle, label in zip(*axis.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    return list(found.values()), list(found)


def _dots(axis: Axes, chart: Chart, *, named: bool) -> None:
    """Rows of dots with their intervals, the first row at the top."""
    rows = np.arange(len(chart.labels), dtype=float)
    spread = 0.14 if len(chart.dots) > 1 and "theirs" not in {d.role for d in chart.dots} else 0.0
    for at, dots in enumerate(chart.dots):
        label, marker, face, edge = ROLES[dots.role]
        places = rows + spread * (2 * at - 1)
        known = np.isfinite(dots.low) & np.isfinite(dots.high)
        axis.hlines(
            places[known], dots.low[known], dots.high[known], color=edge, lw=1.6, alpha=0.55
        )
        axis.plot(
            *(dots.values, places),
            linestyle="none",
            marker=marker,
            markersize=5.5,
            markerfacecolor=face,
            markeredgecolor=edge,
            label=label,
            zorder=3,
        )
    lay_out(axis, chart.scale, "x")
    axis.set_ylim(len(chart.labels) - 0.4, -0.6)
    axis.set_yticks(rows, chart.labels if named else [""] * len(rows))
    axis.tick_params(axis="y", length=0)
    axis.grid(axis="y", color="#eceff1", lw=0.8)


def _lines(axis: Axes, chart: Chart, panel: Panel) -> None:
    """Lines with bands; those that are not bright are grey."""
    from matplotlib.ticker import MaxNLocator

    for line in chart.lines:
        bright = not panel.bright or line.name in panel.bright
        colour = COLOURS[line.style % len(COLOURS)] if bright else "#c7ccd1"
        name = f"{line.name}, {MODES[line.mode]}" if line.mode else line.name
        axis.plot(
            *(line.x, line.mean),
            linestyle="--" if line.mode == "untuned" else "-",
            color=colour,
            lw=1.6,
            marker="o" if chart.labels or len(line.x) == 1 else "",
            markersize=3.5,
            label=name if bright else None,
        )
        axis.fill_between(line.x, line.low, line.high, color=colour, alpha=0.15, lw=0)
        if line.theirs is not None:
            axis.plot(
                *(line.x, line.theirs),
                linestyle="none",
                marker="D",
                markersize=6,
                markerfacecolor="none",
                markeredgecolor=colour,
                label=f"{line.name}, published",
            )
    if chart.labels:
        axis.set_xticks(np.arange(len(chart.labels)), chart.labels)
    else:
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.set_xlabel(chart.x_title)
    lay_out(axis, chart.scale, "y")
    axis.grid(axis="y", color="#eceff1", lw=0.8)
