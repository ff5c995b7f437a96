"""Charts as Plotly figures: dictionaries of traces and layout, without the page's colours.

The page's script adds colours for light and dark. Plotly reads a part of HTML in its labels, so
every name is escaped here, as the page's template escapes it elsewhere.
"""

from __future__ import annotations

import html
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from fallline.report import formats
from fallline.report.figures import Axis, Chart, Series, Unit
from fallline.report.formats import MetricFormat

_SHARE_TICKS = (0.0, 0.2, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 0.9999)
_DIGITS = 6
_WRITTEN: dict[Unit, Callable[[float], str]] = {
    "epochs": formats.count,
    "trials": formats.count,
    "learning rates": formats.learning_rate,
    "seconds": formats.duration,
    "factors": lambda factor: f"{factor:.3g}",
}
"""How a place on the x axis is written."""


def plotly_script() -> str:
    """The source of plotly.js, to be put into the page so that it opens offline."""
    from plotly.offline import get_plotlyjs

    return get_plotlyjs()


def figure(chart: Chart, form: MetricFormat) -> dict[str, Any]:
    """``{"key", "data", "layout"}``: a Plotly figure; each trace's ``meta`` tells what it is.

    ``meta.optimizer`` is the optimizer's name as it is, for the script to look it up;
    ``meta.role`` is ``"band"`` (``"interval"`` where bands are too wide to lie over each other),
    ``"line"`` or ``"diverged"``.
    """
    traces = []
    write = form.figure if chart.metric else _share if chart.axis.kind == "linear" else _loss
    for series in chart.series:
        if np.isfinite(series.low).any():
            traces.append(_band(series, chart))
        traces.append(_line(series, chart, write))
        if series.diverged.any():
            traces.append(_diverged(series, chart))
    return {"key": chart.key, "data": traces, "layout": _layout(chart)}


def _trace(series: Series, role: str, **changes: Any) -> dict[str, Any]:
    return {
        "type": "scatter",
        "name": html.escape(series.optimizer),
        "meta": {"optimizer": series.optimizer, "role": role},
        "showlegend": False,
        **changes,
    }


def _band(series: Series, chart: Chart) -> dict[str, Any]:
    """The seeds' spread, as the outline of an area."""
    known = np.isfinite(series.low) & np.isfinite(series.high)
    x = series.x[known]
    low, high = (chart.axis.place(values[known]) for values in (series.low, series.high))
    return _trace(
        series,
        "band" if chart.band == "seeds" else "interval",
        x=_numbers(np.concatenate([x, x[::-1]])),
        y=_numbers(np.concatenate([high, low[::-1]])),
        mode="lines",
        fill="toself",
        hoverinfo="skip",
        line={"width": 0},
    )


def _line(series: Series, chart: Chart, write: Callable[[float], str]) -> dict[str, Any]:
    where = _WRITTEN[chart.x_unit]
    texts = []
    for x, mean, low, high, gone, seeds in zip(
        series.x,
        series.mean,
        series.low,
        series.high,
        series.diverged,
        series.seeds,
        strict=True,
    ):
        text = f"{chart.x_title} {where(x)}: {write(mean)}"
        if low != high and math.isfinite(low):
            text += f"<br>{chart.band} {write(low)} to {write(high)}"
        if gone:
            text += f"<br>{gone:.0f} of {seeds:.0f} seeds diverged"
        texts.append(text)
    return _trace(
        series,
        "line",
        x=_numbers(series.x),
        y=_numbers(chart.axis.place(series.mean)),
        text=texts,
        mode="lines+markers" if chart.x_unit in ("learning rates", "trials") else "lines",
        line={"shape": "hv" if chart.stepped else "linear"},
        hovertemplate=f"<b>{html.escape(series.optimizer)}</b><br>%{{text}}<extra></extra>",
    )


def _diverged(series: Series, chart: Chart) -> dict[str, Any]:
    """A cross at each rate with a diverged seed: on the line, or at the bottom if all diverged."""
    some = series.diverged > 0
    worst = chart.axis.low if chart.axis.kind == "share" else chart.axis.high
    level = np.where(np.isfinite(series.mean), series.mean, worst)
    pairs = zip(series.x[some], series.diverged[some], series.seeds[some], strict=True)
    texts = [
        f"learning rate {formats.learning_rate(x)}: {gone:.0f} of {seeds:.0f} seeds diverged"
        for x, gone, seeds in pairs
    ]
    return _trace(
        series,
        "diverged",
        x=_numbers(series.x[some]),
        y=_numbers(chart.axis.place(level[some])),
        text=texts,
        mode="markers",
        hovertemplate=f"<b>{html.escape(series.optimizer)}</b><br>%{{text}}<extra></extra>",
    )


def _layout(chart: Chart) -> dict[str, Any]:
    x: dict[str, Any] = {"title": {"text": html.escape(chart.x_title)}}
    if chart.x_log:
        x |= {"type": "log"} | _x_ticks(chart)
    elif chart.x_unit == "trials":
        x |= {"tickformat": "d"}
    kind = "linear" if chart.axis.kind == "linear" else "log"
    return {"xaxis": x, "yaxis": {"type": kind} | _y_axis(chart.axis)}


def _y_axis(axis: Axis) -> dict[str, Any]:
    if axis.kind == "linear":
        shown = [0.0, 0.25, 0.5, 0.75, 1.0]
        return {
            "range": [-0.03, 1.03],
            "tickmode": "array",
            "tickvals": shown,
            "ticktext": [_share(tick) for tick in shown],
        }
    if axis.kind == "share":
        shown = [t for t in _SHARE_TICKS if axis.low - 0.2 <= t <= axis.high]
        ends = [math.log10(1 - axis.low) + 0.04, math.log10(1 - axis.high) - 0.06]
        return {
            "range": [round(end, 4) for end in ends],
            "tickmode": "array",
            "tickvals": [round(1 - tick, _DIGITS) for tick in shown],
            "ticktext": [f"{100 * tick:g} %" for tick in shown],
        }
    low, high = math.log10(axis.low), math.log10(axis.high)
    margin = 0.04 * (high - low)
    ticks = [
        digit * 10.0**power
        for power in range(math.floor(low), math.ceil(high) + 1)
        for digit in ((1, 2, 5) if high - low < 2.5 else (1,))
    ]
    shown = [tick for tick in ticks if low - margin <= math.log10(tick) <= high + margin]
    return {
        "range": [round(low - margin, 4), round(high + margin, 4)],
        "tickmode": "array",
        "tickvals": shown,
        "ticktext": [f"{tick:g}" for tick in shown],
    }


def _x_ticks(chart: Chart) -> dict[str, Any]:
    """Ticks at the powers of ten of the places, with others between them where they are few."""
    places = np.concatenate([series.x for series in chart.series])
    places = places[np.isfinite(places) & (places > 0)]
    low, high = math.log10(places.min()), math.log10(places.max())
    digits: tuple[float, ...] = (1,)
    if chart.x_unit != "learning rates" and high - low < 2.5:
        digits = (1, 2, 5) if high - low > 0.7 else (1, 1.2, 1.5, 2, 3, 5, 7)
    ticks = [
        digit * 10.0**power
        for power in range(math.floor(low), math.ceil(high) + 1)
        for digit in digits
    ]
    return {
        "tickmode": "array",
        "tickvals": ticks,
        "ticktext": [_WRITTEN[chart.x_unit](tick) for tick in ticks],
    }


def _share(value: float) -> str:
    return f"{100 * value:.0f} %" if math.isfinite(value) else formats.NONE


def _loss(value: float) -> str:
    return formats.significant(value, 3) if math.isfinite(value) else formats.NONE


def _numbers(values: np.ndarray) -> list[float | None]:
    """Plain numbers to `_DIGITS` significant digits; None, which Plotly skips, for NaN."""
    return [float(f"{v:.{_DIGITS}g}") if math.isfinite(v) else None for v in values.tolist()]
