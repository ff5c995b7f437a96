"""The table of all measures as people read it: its columns explained, its cells as text."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fallline.analysis.summary import rows_of
from fallline.report import formats
from fallline.report.formats import MetricFormat
from fallline.units import in_bytes

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Column:
    """A measure: its heading, what it means, and its name in the frame of measures."""

    title: str
    meaning: str
    name: str
    descending: bool = False
    """Large is good, so a reader who sorts wants the large ones first."""


@dataclass(frozen=True)
class Measure:
    """A cell: the figure, a second line, and the number that it is sorted by."""

    text: str
    detail: str
    value: float


def columns(form: MetricFormat, *, higher_is_better: bool) -> tuple[Column, ...]:
    """The measures in reading order."""
    title = form.title
    seeds = "over the fresh seeds that did not diverge"
    up = higher_is_better
    return (
        Column(
            f"mean test {title}",
            f"{seeds}, with Student's 95 % interval of the mean",
            "test_mean",
            up,
        ),
        Column(
            "median",
            "of the same figures: half of the seeds are better; with a 95 % bootstrap interval",
            "test_median",
            up,
        ),
        Column(
            "IQM",
            "interquartile mean: the mean of the middle half of the seeds, which one wild seed "
            "cannot move; with a 95 % bootstrap interval",
            "test_iqm",
            up,
        ),
        Column(
            "best epoch",
            f"mean of each seed's best validation {title}, and the median epoch at which it was "
            "reached: much better than the last epoch's figure means that it stops too late",
            "validation_best",
            up,
        ),
        Column(
            "area",
            f"mean height of the validation curve over all epochs, diverged runs as the worst: "
            f"{'high' if up else 'low'} where the {title} is good from early on",
            "area",
            up,
        ),
        Column(
            "gap",
            "by how much the figure is better on training than on test data: large where the "
            "network learns its examples by heart",
            "gap",
        ),
        Column(
            "to the target",
            "median time of training until the validation target is reached, of one run alone, and "
            "the same in epochs and steps",
            "seconds_to_target",
        ),
        Column("time per step", "of one run trained alone on this machine", "seconds_per_step"),
        Column("diverged", "share of all its runs, the search included", "diverged_share"),
        Column(
            "basin",
            "width of the learning rates that lose at most 1 % of the best figure of the search; "
            "a decade is a factor of 10; wide is easy to tune",
            "basin_decades",
            True,
        ),
        Column("memory", "that the optimizer keeps beside the weights", "state_bytes"),
    )


def rows(
    table: pd.DataFrame, shown: tuple[Column, ...], form: MetricFormat
) -> list[tuple[str, list[Measure]]]:
    """Each optimizer's cells, a cell for each of the columns ``shown``.

    ``table`` is from `fallline.analysis.detail.measures`.
    """
    return [
        (
            row["optimizer"],
            [_cell(column.name, row, form) for column in shown],
        )
        for row in rows_of(table)
    ]


def known(shown: tuple[Column, ...], table: pd.DataFrame) -> tuple[Column, ...]:
    """The columns that hold a number, or infinity, for any optimizer."""
    return tuple(column for column in shown if table[column.name].notna().any())


def _cell(name: str, row: dict[str, Any], form: MetricFormat) -> Measure:
    value = float(row[name])
    write: Callable[[float], str] = {
        "seconds_to_target": _reached,
        "seconds_per_step": formats.duration,
        "diverged_share": lambda share: f"{100 * share:.{0 < share < 0.1:d}f} %",
        "basin_decades": lambda width: f"{'≥ ' if row['basin_open'] else ''}{width:.1f}",
        "state_bytes": lambda size: in_bytes(int(size)),
        "gap": lambda gap: form.difference(gap, beside=row["test_mean"]),
    }.get(name, form.figure)
    text = formats.NONE if math.isnan(value) else write(value)
    return Measure(text, _detail(name, row, form), value)


def _detail(name: str, row: dict[str, Any], form: MetricFormat) -> str:
    """The second line of a cell: an interval, an epoch, other units; or nothing."""
    if name.startswith("test_") and math.isfinite(row[f"{name}_low"]):
        return f"{form.number(row[f'{name}_low'])} to {form.number(row[f'{name}_high'])}"
    if name == "validation_best" and math.isfinite(row["best_epoch"]):
        return f"epoch {formats.reached(row['best_epoch'])}"
    if name == "seconds_to_target" and math.isfinite(row["epochs_to_target"]):
        epochs = formats.reached(row["epochs_to_target"])
        return f"{epochs} epochs, {formats.reached(row['steps_to_target'])} steps"
    if name == "basin_decades" and math.isfinite(row[name]):
        return "decade" if f"{row[name]:.1f}" == "1.0" else "decades"
    return ""


def _reached(seconds: float) -> str:
    return formats.reached(seconds) if math.isinf(seconds) else formats.duration(seconds)
