"""Figures that are tables of coloured cells: every pair of optimizers, and where runs diverged."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fallline.report import formats
from fallline.report.formats import MetricFormat

if TYPE_CHECKING:
    import pandas as pd

FACES = ("difference", "p-value", "chance", "at most")
"""What the cells of a pair can show, one at a time."""
LEVELS = 4
"""Steps of colour from "some diverged" to "all diverged"."""
_MOST_BINS = 16


@dataclass(frozen=True)
class Cell:
    """A cell: its class in the page's style, what it shows, and what it says under the pointer."""

    kind: str
    texts: tuple[str, ...]
    title: str


@dataclass(frozen=True)
class Grid:
    """Rows of cells; None where there is nothing."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell | None, ...]], ...]


def matrix(table: pd.DataFrame, form: MetricFormat) -> Grid:
    """Every pair of optimizers, from the figure table ``pairwise``; a text for each of `FACES`."""
    names = list(dict.fromkeys(table["optimizer"]))
    pairs = {(row["optimizer"], row["other"]): row for row in table.to_dict("records")}
    rows = [
        (
            name,
            tuple(
                _pair(pairs[name, other], form) if (name, other) in pairs else None
                for other in names
            ),
        )
        for name in names
    ]
    return Grid(tuple(names), tuple(rows))


def _pair(row: Mapping[Any, Any], form: MetricFormat) -> Cell:
    chance = _percent(row["improvement"])
    bound = _bound(row["bound"], form)
    named = f"{row['optimizer']} against {row['other']}: {row['relation']}"
    if math.isfinite(row["difference"]):
        low, high = form.difference(row["low"]), form.difference(row["high"])
        named += f", {form.difference(row['difference'])} (95 % interval {low} to {high})"
    if math.isfinite(row["p_value"]):
        named += f", p {formats.p_value(row['p_value'])}; no difference larger than {bound}"
    named += f". A run of {row['optimizer']} beats one of {row['other']} with a chance of {chance}."
    return Cell(
        kind=row["relation"].replace(" ", "-"),
        texts=(form.difference(row["difference"]), formats.p_value(row["p_value"]), chance, bound),
        title=named,
    )


def _bound(value: float, form: MetricFormat) -> str:
    """A largest difference, rounded up to what the metric's figures show."""
    if not math.isfinite(value):
        return formats.NONE
    if form.share:
        return (
            f"{math.ceil(100 * value * 10**form.digits - 1e-9) / 10**form.digits:.{form.digits}f}"
        )
    unit = 10.0 ** (math.floor(math.log10(value)) - 1) if value > 0 else 1.0
    return f"{math.ceil(value / unit - 1e-9) * unit:.2g}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if math.isfinite(share) else formats.NONE


def diverged(table: pd.DataFrame) -> Grid | None:
    """Where runs of the search diverged, from the figure table ``diverged``; None if none did.

    Learning rates are taken together by half decades, or by decades where that makes too many
    columns. A cell of ``l0`` had no divergence, one of ``l4`` nothing else.
    """
    if table.empty or not table["diverged"].sum():
        return None
    places = np.log10(table["learning_rate"].to_numpy(dtype=float))
    size = 0.5
    if (places.max() - places.min()) / size >= _MOST_BINS:
        size = 1.0
    bins = np.round(places / size).astype(int)
    columns = range(bins.min(), bins.max() + 1)
    counted = table.assign(bin=bins).groupby(["optimizer", "bin"])[["runs", "diverged"]].sum()
    rows = []
    for name in dict.fromkeys(table["optimizer"]):
        cells = [
            _broken(name, at * size, *counted.loc[(name, at)].tolist())
            if (name, at) in counted.index
            else None
            for at in columns
        ]
        rows.append((str(name), tuple(cells)))
    return Grid(tuple(_rate(at * size) for at in columns), tuple(rows))


def _broken(name: str, place: float, runs: int, gone: int) -> Cell:
    level = 0 if not gone else min(1 + int((LEVELS - 1) * gone / runs), LEVELS)
    return Cell(
        kind=f"l{level}",
        texts=(f"{gone}/{runs}" if gone else "0",),
        title=f"{name} near {_rate(place)}: {gone} of {runs} runs diverged",
    )


def _rate(place: float) -> str:
    return formats.learning_rate(float(f"{10.0**place:.1e}"))
