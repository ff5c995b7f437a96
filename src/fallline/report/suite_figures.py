"""The data of a suite's pictures: the critical-difference diagram, scores, and the profile."""

from __future__ import annotations

import html
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from fallline.analysis.suite import SuiteReading
from fallline.analysis.summary import rows_of
from fallline.report.figures import COLOURS, DASHES, EMPHASISED_AT_MOST, Style

MOST_TICKS = 9
LEAST_FACTOR = 4.0
"""The profile is drawn at least as far as AlgoPerf's score looks."""
_APART = 0.006
"""Lines of the profile that coincide are drawn so much of its height apart."""


@dataclass(frozen=True)
class DiagramRow:
    """An optimizer in the diagram: its average rank, and where that lies, 0 to 1."""

    optimizer: str
    rank: float
    place: float


@dataclass(frozen=True)
class Group:
    """Optimizers that average ranks cannot tell apart: rows ``first`` to ``last``, from 0."""

    first: int
    last: int


@dataclass(frozen=True)
class Diagram:
    """The critical-difference diagram (Demsar 2006), an optimizer a row, best first."""

    rows: tuple[DiagramRow, ...]
    ticks: tuple[tuple[int, float], ...]
    """Ranks that the axis names, with their places from 0 to 1."""
    distance: float
    length: float
    """Of the critical difference, as a share of the axis; 1 at most."""
    too_long: bool
    """The critical difference is larger than any two ranks can differ."""
    groups: tuple[Group, ...]


def styles(reading: SuiteReading) -> tuple[Style, ...]:
    """How every optimizer is drawn, in their order; the first few in colour from the start."""
    return tuple(
        Style(
            name, rank % COLOURS, DASHES[rank // COLOURS % len(DASHES)], rank < EMPHASISED_AT_MOST
        )
        for rank, name in enumerate(reading.optimizers)
    )


def diagram(reading: SuiteReading) -> Diagram | None:
    """The critical-difference diagram; None where there is no test of ranks."""
    found = reading.difference
    if found is None:
        return None
    most = len(reading.optimizers)
    span = most - 1

    def place(rank: float) -> float:
        return round((rank - 1) / span, 4)

    rows = tuple(
        DiagramRow(reading.optimizers[at], float(found.ranks[at]), place(float(found.ranks[at])))
        for at in found.order
    )
    positions = {column: row for row, column in enumerate(found.order)}
    step = math.ceil(span / (MOST_TICKS - 1))
    return Diagram(
        rows=rows,
        ticks=tuple((rank, place(rank)) for rank in range(1, most + 1, step)),
        distance=found.distance,
        length=min(found.distance / span, 1.0),
        too_long=found.distance > span,
        groups=tuple(
            Group(positions[members[0]], positions[members[-1]]) for members in found.cliques
        ),
    )


def score_bars(reading: SuiteReading) -> list[tuple[float, float, float] | None]:
    """Where each optimizer's normalised score and its interval lie, percent of 0 to the largest.

    ``(low, value, high)`` in the order of the rows; None where there is no score.
    """
    rows = rows_of(reading.overall)
    ends = [[row[key] for key in ("iqm_low", "iqm", "iqm_high")] for row in rows]
    flat = [end for three in ends for end in three if math.isfinite(end)]
    low, high = min([0.0, *flat]), max([1.0, *flat])
    bars: list[tuple[float, float, float] | None] = []
    for three in ends:
        if not math.isfinite(three[1]):
            bars.append(None)
            continue
        known = [end if math.isfinite(end) else three[1] for end in three]
        places = [round(100 * (end - low) / (high - low), 2) for end in known]
        bars.append((places[0], places[1], places[2]))
    return bars


def profile_chart(reading: SuiteReading) -> dict[str, Any] | None:
    """The performance profile as a Plotly figure; None where no target was reached."""
    factors, shares = reading.profile
    if not shares.size or not (shares > 0).any():
        return None
    end = max(float(factors[-1]) * 1.05, LEAST_FACTOR)
    traces = [
        _line(name, *_steps(factors, shares[:, at], end), len(reading.tasks), at, len(shares.T))
        for at, name in enumerate(reading.optimizers)
    ]
    return {"key": "profile", "data": traces, "layout": _layout(end)}


def _steps(factors: np.ndarray, shares: np.ndarray, end: float) -> tuple[np.ndarray, np.ndarray]:
    """A step function as the corners of its line, up to ``end``."""
    x = np.append(np.repeat(factors, 2)[1:], end)
    return x, np.repeat(shares, 2)


def _line(
    name: str, x: np.ndarray, y: np.ndarray, tasks: int, at: int, count: int
) -> dict[str, Any]:
    shown = y + _APART * ((count - 1) / 2 - at)
    texts = [
        f"{round(share * tasks)} of {tasks} tasks within {factor:.3g} times the fastest"
        for factor, share in zip(x, y, strict=True)
    ]
    return {
        "type": "scatter",
        "mode": "lines",
        "name": html.escape(name),
        "meta": {"optimizer": name, "role": "line"},
        "showlegend": False,
        "x": [float(f"{value:.6g}") for value in x],
        "y": [float(f"{value:.6g}") for value in shown],
        "text": texts,
        "hovertemplate": f"<b>{html.escape(name)}</b><br>%{{text}}<extra></extra>",
    }


def _layout(end: float) -> dict[str, Any]:
    ticks = [factor for factor in _FACTORS if factor <= end]
    shares = (0.0, 0.25, 0.5, 0.75, 1.0)
    return {
        "xaxis": {
            "title": {"text": "factor of the fastest time"},
            "type": "log",
            "range": [-0.01, round(math.log10(end), 4)],
            "tickmode": "array",
            "tickvals": ticks,
            "ticktext": [f"{factor:g}" for factor in ticks],
        },
        "yaxis": {
            "title": {"text": "share of the tasks"},
            "range": [-0.06, 1.06],
            "tickmode": "array",
            "tickvals": list(shares),
            "ticktext": [f"{100 * share:g} %" for share in shares],
        },
    }


_FACTORS = (1, 1.5, 2, 3, 4, 6, 10, 20, 50, 100, 1000)
