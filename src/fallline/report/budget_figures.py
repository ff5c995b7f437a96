"""Charts of effort: the expected best of so many trials, and how soon the target is reached."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fallline.analysis.reading import Reading
from fallline.analysis.tunability import leaders
from fallline.report import formats
from fallline.report.figures import Axis, Chart, Series, Unit, axis_of

if TYPE_CHECKING:
    import pandas as pd

_LONGEST = 100.0
"""Times the steps of the fastest: the profile is drawn as far as this."""


def expected_best(reading: Reading, table: pd.DataFrame) -> tuple[Chart, ...]:
    """From the figure table ``expected_best``: against trials, and against time where it is known.

    An optimizer with a single trial is a point; none is drawn where no optimizer has two.
    """
    if table.empty or table["trials"].max() < 2:
        return ()
    title = formats.metric_format(reading.document.task).title
    axes: tuple[tuple[str, str, Unit], ...] = (
        ("trials", "trials", "trials"),
        ("seconds", "time of training", "seconds"),
    )
    found = []
    for column, x_title, unit in axes:
        series = [
            _series(reading, table, name, column) for name in dict.fromkeys(table["optimizer"])
        ]
        series = [line for line in series if np.isfinite(line.x).any()]
        if not series:
            continue
        # The band's worst end may be a diverged trial's: the lines alone make the axis.
        bare = [
            Series(s.optimizer, s.x, s.mean, s.mean, s.mean, s.diverged, s.seeds) for s in series
        ]
        chart = Chart(
            key=f"expected_{column}",
            title=f"Expected best validation {title}",
            x_title=x_title,
            x_log=unit == "seconds",
            y_title=title,
            metric=True,
            axis=axis_of(
                reading,
                True,
                bare,
                reading.document.task.validation_examples,
                most=4.0 * float(np.median(np.concatenate([line.mean for line in bare]))),
            ),
            series=tuple(series),
            x_unit=unit,
            band="95 % interval",
        )
        found.append(chart)
    return tuple(found)


def _series(reading: Reading, table: pd.DataFrame, name: str, column: str) -> Series:
    own = table[(table["optimizer"] == name) & np.isfinite(table["expected"].astype(float))]
    x, mean, low, high = (
        own[each].to_numpy(dtype=float) for each in (column, "expected", "low", "high")
    )
    none = np.zeros(len(own))
    return Series(name, x, mean, low, high, none, none + 1)


def leading(reading: Reading) -> str:
    """Who is expected to lead: ``gd with 1 trial, adam with 2 to 7``; empty without a search."""
    found = []
    for at, leader in enumerate(leaders(reading)):
        count = str(leader.first)
        if leader.last > leader.first:
            count += f" to {leader.last}"
        noun = "" if at else " trial" if count == "1" else " trials"
        found.append(f"{leader.optimizer} with {count}{noun}")
    return formats.listed(found, most=8)


def profile(table: pd.DataFrame) -> Chart:
    """From the figure table ``profile``."""
    last = min(float(table["factor"].max()), _LONGEST)
    series = []
    for name in dict.fromkeys(table["optimizer"]):
        own = table[(table["optimizer"] == name) & (table["factor"] <= last)]
        factors, shares = (own[each].to_numpy(dtype=float) for each in ("factor", "share"))
        # Held to the same end as the others; a study where all are as fast has an axis, too.
        factors = np.append(factors, max(1.05 * last, 2.0))
        shares = np.append(shares, shares[-1])
        none = np.full(len(factors), np.nan)
        series.append(Series(str(name), factors, shares, none, none, 0 * shares, 0 * shares + 1))
    return Chart(
        key="profile",
        title="Share of the fresh seeds on which the target is reached",
        x_title="times the steps of the fastest",
        x_log=True,
        y_title="share of the seeds",
        metric=False,
        axis=Axis("linear", 0.0, 1.0),
        series=tuple(series),
        x_unit="factors",
        stepped=True,
    )
