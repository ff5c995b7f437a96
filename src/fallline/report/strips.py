"""Figures of one bar per optimizer on a common axis: intervals, differences, basins.

They are drawn by the page's template alone, so they are there without JavaScript and in print.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fallline.report import formats
from fallline.report.formats import MetricFormat
from fallline.report.scales import Scale, round_ticks, scale

if TYPE_CHECKING:
    import pandas as pd

_USUAL = 5.0
"""Times the median difference: bars that lie further out end in an arrow."""
_MARGIN = 0.04


@dataclass(frozen=True)
class Bar:
    """From ``low`` over ``middle`` to ``high``: percent of the axis, ascending."""

    low: float
    middle: float
    high: float
    low_open: bool = False
    """It goes on beyond: what is drawn is the axis's end, or the last that was tried."""
    high_open: bool = False


@dataclass(frozen=True)
class Row:
    """An optimizer: its bar, and the figure in words."""

    name: str
    kind: str
    """How it stands to the best, as a class of the page's style."""
    bar: Bar | None
    text: str


@dataclass(frozen=True)
class Strip:
    """The rows on their axis."""

    rows: tuple[Row, ...]
    ticks: tuple[tuple[float, str], ...]
    """Places in percent of the axis, with their labels."""
    zero: float | None = None
    """Where a line stands for "no difference"."""


def ranking(table: pd.DataFrame, form: MetricFormat) -> Strip | None:
    """Test figures with their intervals, from the figure table ``ranking``; None without any."""
    columns = table[["test_metric", "test_low", "test_high"]].to_numpy(dtype=float)
    if not np.isfinite(columns[:, 0]).any():
        return None
    axis = scale(columns.ravel(), share=form.share)
    names = table[["optimizer", "relation"]].itertuples(index=False)
    rows = [
        Row(str(name), _kind(relation), _bar(axis, low, mean, high), form.figure(mean))
        for (name, relation), (mean, low, high) in zip(names, columns.tolist(), strict=True)
    ]
    return Strip(tuple(rows), _ticks(axis))


def differences(table: pd.DataFrame, best: str, form: MetricFormat) -> Strip | None:
    """Every optimizer against the best one, from the figure table ``pairwise``.

    Paired by seed, so bars may keep clear of zero where the optimizers' own intervals overlap. None
    where no pair has a difference.
    """
    own = table[table["other"] == best]
    columns = own[["difference", "low", "high"]].to_numpy(dtype=float)
    finite = np.abs(columns[:, 0][np.isfinite(columns[:, 0])])
    if not len(finite):
        return None
    most = _USUAL * float(np.median(finite)) or 1e-6
    ends = np.clip(columns[np.isfinite(columns)], -most, most)
    low, high = min(float(ends.min()), 0.0), max(float(ends.max()), 0.0)
    margin = _MARGIN * (high - low) or most
    axis = Scale("linear", low - margin, high + margin, round_ticks(low - margin, high + margin))
    names = own[["optimizer", "relation"]].itertuples(index=False)
    rows = [
        Row(
            str(name),
            _kind(relation),
            _bar(axis, low, mean, high),
            form.difference(mean) if math.isfinite(mean) else str(relation),
        )
        for (name, relation), (mean, low, high) in zip(names, columns.tolist(), strict=True)
    ]
    ticks = tuple((_place(axis, tick), _signed(tick, form)) for tick in axis.ticks)
    return Strip(tuple(rows), ticks, zero=_place(axis, 0.0))


def basins(table: pd.DataFrame, rates: pd.Series) -> Strip | None:
    """The learning rates nearly as good as the best, on an axis over all ``rates`` that were tried.

    ``table`` is from `fallline.analysis.tunability.basins`. None without any.
    """
    if table.empty:
        return None
    low, high = float(rates.min()), float(rates.max())
    room = (high / low) ** _MARGIN
    powers = range(math.ceil(math.log10(low / room)), math.floor(math.log10(high * room)) + 1)
    every = 1 if len(powers) <= 8 else 2
    axis = Scale("log", low / room, high * room, tuple(10.0**power for power in powers[::every]))
    rows = []
    for row in table.to_dict("records"):
        ends = (row["low"], row["best_rate"], row["high"])
        bar, text = None, "every rate diverged"
        if math.isfinite(row["decades"]):
            smallest, best, largest = (_place(axis, end) for end in ends)
            bar = Bar(smallest, best, largest, low_open=row["low_open"], high_open=row["high_open"])
            least = "at least " if row["low_open"] or row["high_open"] else ""
            text = f"{least}{decades(row['decades'])}"
        rows.append(Row(row["optimizer"], "search", bar, text))
    ticks = tuple((_place(axis, tick), formats.learning_rate(tick)) for tick in axis.ticks)
    return Strip(tuple(rows), ticks)


def decades(width: float) -> str:
    """``1.3 decades``: a width in powers of ten."""
    if not math.isfinite(width):
        return formats.NONE
    return f"{width:.1f} {'decade' if f'{width:.1f}' == '1.0' else 'decades'}"


def _bar(axis: Scale, low: float, middle: float, high: float) -> Bar | None:
    if not math.isfinite(middle):
        return None
    ends = [end if math.isfinite(end) else middle for end in (low, high)]
    return Bar(
        _place(axis, ends[0]),
        _place(axis, middle),
        _place(axis, ends[1]),
        low_open=ends[0] < axis.low,
        high_open=ends[1] > axis.high,
    )


def _place(axis: Scale, value: float) -> float:
    """Percent of the axis; what lies beyond it is at its end."""
    low, here, high = (
        _along(axis, min(max(each, axis.low), axis.high)) for each in (axis.low, value, axis.high)
    )
    return round(100 * (here - low) / (high - low), 2)


def _along(axis: Scale, value: float) -> float:
    if axis.kind == "share":
        return -math.log(1.0 - value)
    return math.log(value) if axis.kind == "log" else value


def _ticks(axis: Scale) -> tuple[tuple[float, str], ...]:
    return tuple(
        (_place(axis, tick), text) for tick, text in zip(axis.ticks, axis.texts(), strict=True)
    )


def _signed(value: float, form: MetricFormat) -> str:
    shown = 100 * value if form.share else value
    return f"{shown:+.4g}" if value else "0"


def _kind(relation: object) -> str:
    return str(relation).replace(" ", "-") or "search"
