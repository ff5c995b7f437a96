"""The panels of a series' page in what JSON knows; the page's script draws them with Plotly.

Plotly reads a part of HTML in its labels: every label is escaped here. ``name`` is a name as it
is, for the script's buttons, which take it as text.
"""

from __future__ import annotations

import html
import math
from typing import Any

import numpy as np

from fallline.report.reproduction_panels import Chart, Dots, Line, Panel
from fallline.report.scales import Scale

NARROW_LABEL = 18
"""Characters of a label where the page is narrow."""
WIDE_LABEL = 44
_DIGITS = 5


def content(panels: tuple[Panel, ...]) -> list[dict[str, Any]]:
    """Every panel, in their order."""
    return [
        {
            "key": panel.key,
            "kind": panel.kind,
            "bright": list(panel.bright),
            "charts": [_chart(chart) for chart in panel.charts],
        }
        for panel in panels
    ]


def _chart(chart: Chart) -> dict[str, Any]:
    return {
        "choices": chart.choices,
        "title": html.escape(chart.title),
        "scale": _scale(chart.scale),
        "labels": [_label(label, WIDE_LABEL) for label in chart.labels],
        "short": [_label(label, NARROW_LABEL) for label in chart.labels],
        "dots": [_dots(dots, chart.labels) for dots in chart.dots],
        "lines": [_line(line, index) for index, line in enumerate(chart.lines)],
        "x_title": html.escape(chart.x_title),
    }


def _scale(scale: Scale) -> dict[str, Any]:
    return {
        "kind": scale.kind,
        "low": scale.low,
        "high": scale.high,
        "ticks": list(scale.ticks),
        "texts": list(scale.texts()),
    }


def _label(text: str, most: int) -> str:
    return html.escape(text if len(text) <= most else f"{text[: most - 1]}…")


def _dots(dots: Dots, labels: tuple[str, ...]) -> dict[str, Any]:
    texts = [
        f"<b>{html.escape(label)}</b><br>{html.escape(text)}"
        for label, text in zip(labels, dots.texts, strict=True)
    ]
    arrays = {name: _numbers(getattr(dots, name)) for name in ("values", "low", "high")}
    return {"role": dots.role, **arrays, "texts": texts}


def _line(line: Line, index: int) -> dict[str, Any]:
    made = {
        "name": line.name,
        "label": html.escape(line.name),
        "mode": line.mode,
        "style": line.style,
        "index": index,
        "x": _numbers(line.x),
        "mean": _numbers(line.mean),
    }
    if not np.array_equal(line.low, line.high, equal_nan=True):
        made |= {"low": _numbers(line.low), "high": _numbers(line.high)}
    if line.theirs is not None:
        made["theirs"] = _numbers(line.theirs)
    return made


def _numbers(values: np.ndarray) -> list[float | None]:
    """Plain numbers to `_DIGITS` significant digits (a share to as many of its error); or None."""
    return [_number(value) for value in values.tolist()]


def _number(value: float) -> float | int | None:
    if not math.isfinite(value):
        return None
    if 0.5 < value < 1.0:
        return round(1.0 - float(f"{1.0 - value:.{_DIGITS - 1}g}"), 9)
    short = float(f"{value:.{_DIGITS}g}")
    return int(short) if short == int(short) and abs(short) < 1e9 else short
