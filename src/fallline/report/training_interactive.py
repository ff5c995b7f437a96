"""A training's charts as Plotly figures: traces and layout; the page's script adds colours."""

from __future__ import annotations

import html
import math
from typing import Any

import numpy as np

from fallline.report import formats, interactive
from fallline.report import training_figures as figures
from fallline.report.figures import Chart
from fallline.report.formats import MetricFormat
from fallline.report.training_portrait import Portrait

_FEW = 30
_LEAST_TICKS = 4
_DIGITS = 6


def charts(portrait: Portrait) -> list[dict[str, Any]]:
    """``{"key", "data", "layout"}`` of every chart; ``meta.role`` of a trace tells its colour."""
    form = figures.form_of(portrait)
    mark = _mark(portrait)
    found = [_lines(drawn(chart, form)) for chart in figures.history_charts(portrait)]
    found += [_gap(portrait, name, values) for name, values in figures.gap_series(portrait)]
    for chart in found:
        chart["layout"] |= {"shapes": mark}
        chart["layout"]["xaxis"] |= {"range": _epochs_range(portrait), "dtick": _tick(portrait)}
        for trace in chart["data"]:
            trace["mode"] = "lines+markers" if portrait.epochs <= _FEW else "lines"
    given = figures.residuals(portrait)
    return found if given is None else [*found, _scatter(given), _histogram(given)]


def drawn(chart: Chart, form: MetricFormat) -> dict[str, Any]:
    """The Plotly figure of a chart, with more ticks where it is so narrow that few are round."""
    made = interactive.figure(chart, form)
    axis, places = chart.axis, made["layout"]["yaxis"]
    ends = [10.0**end for end in places["range"]]
    pairs = zip(places["tickvals"], places["ticktext"], strict=True)
    inside = [(at, text) for at, text in pairs if min(ends) <= at <= max(ends)]
    places["tickvals"], places["ticktext"] = [at for at, _ in inside], [text for _, text in inside]
    if len(inside) < _LEAST_TICKS:
        low, high = sorted(1.0 - end if axis.kind == "share" else end for end in ends)
        share = axis.kind == "share"
        ticks = [tick for tick in _round_ticks(low, high) if not (share and tick >= 1.0)]
        places["tickvals"] = [round(1.0 - t, 9) if share else t for t in ticks]
        places["ticktext"] = [f"{100 * t:g} %" if share else f"{t:g}" for t in ticks]
    return made


def _round_ticks(low: float, high: float) -> list[float]:
    """Three to seven round numbers from ``low`` to ``high``, evenly spaced."""
    rough = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(size * power for size in (1, 2, 5, 10) if size * power >= rough)
    first = math.ceil(low / step - 1e-9)
    return [float(f"{at * step:.9g}") for at in range(first, math.floor(high / step + 1e-9) + 1)]


def _lines(chart: dict[str, Any]) -> dict[str, Any]:
    """A chart of the studies' kind without bands, its series told apart by role."""
    lines = [trace for trace in chart["data"] if trace["meta"]["role"] == "line"]
    for trace in lines:
        trace["meta"] = {"role": trace["meta"]["optimizer"]}
    return {**chart, "data": lines}


def _gap(portrait: Portrait, name: str, values: np.ndarray) -> dict[str, Any]:
    points = portrait.share and name != "loss"
    shown = 100 * values if points else values
    unit = " points" if points else ""
    return {
        "key": f"gap-{'loss' if name == 'loss' else 'metric'}",
        "data": [
            {
                "type": "scatter",
                "name": html.escape(name),
                "meta": {"role": "gap"},
                "x": list(range(1, portrait.epochs + 1)),
                "y": _numbers(shown),
                "hovertemplate": f"epoch %{{x}}: %{{y:+.3g}}{unit}<extra></extra>",
            }
        ],
        "layout": {
            "xaxis": {"title": {"text": "epoch"}},
            "yaxis": {"zeroline": True, "range": list(figures.gap_range(shown))},
        },
    }


def _mark(portrait: Portrait) -> list[dict[str, Any]]:
    """A line at the lowest validation loss."""
    best = portrait.diagnosis.best_epoch
    if best is None:
        return []
    ends = {"x0": best, "x1": best, "y0": 0, "y1": 1}
    return [{"type": "line", "xref": "x", "yref": "paper", "layer": "below", **ends}]


def _epochs_range(portrait: Portrait) -> list[float]:
    margin = max(0.4, 0.02 * portrait.epochs)
    return [1 - margin, max(portrait.epochs, 1) + margin]


def _tick(portrait: Portrait) -> int:
    """Whole epochs between the ticks."""
    rough = max(portrait.epochs / 8, 1.0)
    power = 10.0 ** math.floor(math.log10(rough))
    return max(1, round(power * next(s for s in (1, 2, 5, 10) if s * power >= rough)))


def _scatter(given: figures.Residuals) -> dict[str, Any]:
    low = float(min(given.actual.min(), given.predicted.min()))
    high = float(max(given.actual.max(), given.predicted.max()))
    return {
        "key": "scatter",
        "data": [
            {
                "type": "scatter",
                "meta": {"role": "points"},
                "x": _numbers(given.actual),
                "y": _numbers(given.predicted),
                "mode": "markers",
                "hovertemplate": "actual %{x:.4g}<br>predicted %{y:.4g}<extra></extra>",
            },
            {
                "type": "scatter",
                "meta": {"role": "diagonal"},
                "x": [low, high],
                "y": [low, high],
                "mode": "lines",
                "hoverinfo": "skip",
            },
        ],
        "layout": {
            "xaxis": {"title": {"text": "actual"}},
            "yaxis": {"title": {"text": "predicted"}},
        },
    }


def _histogram(given: figures.Residuals) -> dict[str, Any]:
    edges = given.edges
    texts = [
        f"{formats.significant(float(low), 3)} to {formats.significant(float(high), 3)}: {count}"
        for low, high, count in zip(edges, edges[1:], given.counts.tolist(), strict=False)
    ]
    return {
        "key": "residuals",
        "data": [
            {
                "type": "bar",
                "meta": {"role": "bars"},
                "x": _numbers((edges[:-1] + edges[1:]) / 2),
                "width": _numbers(np.diff(edges)),
                "y": given.counts.tolist(),
                "text": texts,
                "textposition": "none",
                "hovertemplate": "%{text}<extra></extra>",
            }
        ],
        "layout": {
            "xaxis": {"title": {"text": "predicted minus actual"}},
            "yaxis": {"title": {"text": "examples"}, "rangemode": "tozero"},
        },
    }


def _numbers(values: np.ndarray) -> list[float | None]:
    return [float(f"{v:.{_DIGITS}g}") if math.isfinite(v) else None for v in values.tolist()]
