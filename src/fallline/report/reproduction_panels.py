"""What a chart on a series' page is made of: panels, their charts, rows of dots and lines.

A `Panel` is one place on the page; its charts show the same settings by other figures, one at a
time. Values are in the figures' own units, NaN where there is none; `Scale` lays them out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fallline.report.scales import Scale, scale

if TYPE_CHECKING:
    import pandas as pd

_WIDE = 3.0
"""Times the usual interval: longer ones may run out of the picture."""


@dataclass(frozen=True)
class Dots:
    """Figures of one kind, an array of shape ``(rows,)`` each, drawn at the rows' labels."""

    role: str
    """``"theirs"``, ``"ours"``, ``"untuned"`` or ``"tuned"``."""
    values: np.ndarray
    low: np.ndarray
    high: np.ndarray
    texts: tuple[str, ...]
    """What is told of each under the pointer."""


@dataclass(frozen=True)
class Line:
    """A setting's figure over epochs or over an ordered axis: arrays of shape ``(points,)``."""

    name: str
    mode: str
    """Empty where the chart is of one mode alone."""
    style: int
    """Index of its colour and dash, the same in every chart of a panel."""
    x: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    theirs: np.ndarray | None = None
    """Published figures at ``x``."""


@dataclass(frozen=True)
class Chart:
    """One figure of a panel: either rows with dots, or lines."""

    choices: dict[str, str]
    """What of the panel it shows, by kind of choice (figure, measured)."""
    title: str
    """Its figure in words."""
    scale: Scale
    labels: tuple[str, ...] = ()
    """Of the rows, or of an ordered axis."""
    dots: tuple[Dots, ...] = ()
    lines: tuple[Line, ...] = ()
    x_title: str = ""


@dataclass(frozen=True)
class Panel:
    """One place on the page."""

    key: str
    kind: str
    """``"published"``, ``"tuning"``, ``"ranking"``, ``"axis"`` or ``"curves"``."""
    stage: str
    charts: tuple[Chart, ...]
    bright: tuple[str, ...] = ()
    """Lines drawn in colour from the start."""


def interval_of(rows: pd.DataFrame, figure: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A figure's means and the ends of their intervals, shape ``(rows,)`` each."""
    mean, low, high = (rows[f"{figure}{end}"].to_numpy(float) for end in ("", "_low", "_high"))
    return mean, low, high


def scale_of(
    theirs: np.ndarray, ours: np.ndarray, low: np.ndarray, high: np.ndarray, *, share: bool
) -> Scale:
    """The scale over all points, and over the intervals but for those far wider than usual."""
    width = high - low
    finite = width[np.isfinite(width)]
    usual = _WIDE * float(np.median(finite)) if len(finite) else 0.0
    kept = np.isfinite(width) & (width <= usual)
    points = np.concatenate([theirs, ours])
    ends = np.concatenate([low[kept], high[kept]])
    errors = 1.0 - points[points < 1.0]
    if share and len(errors):
        # An interval up to 1 would take most of a scale that is stretched towards 1.
        ends = np.minimum(ends, 1.0 - 0.5 * float(errors.min()))
    return scale(np.concatenate([points, ends]), share=share)


def is_share(figure: str, metric: str) -> bool:
    """Whether a figure is a share, from 0 to 1."""
    return figure.endswith("_metric") and metric == "accuracy"
