"""The table of a study: as a frame, as rows of text, and as JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fallline.analysis.comparison import Relation
from fallline.analysis.reading import Reading
from fallline.analysis.summary import rows_of
from fallline.report import formats

if TYPE_CHECKING:
    import pandas as pd

_FRAME_COLUMNS = (
    "optimizer",
    "learning_rate",
    "validation_metric",
    "validation_low",
    "validation_high",
    "test_metric",
    "test_low",
    "test_high",
    "epochs_to_target",
    "steps_to_target",
    "seconds_per_step",
    "runs",
    "diverged",
    "relation",
    "difference",
    "difference_low",
    "difference_high",
    "p_value",
    "full_batch",
    "hyperparameters",
)

_FULL_BATCH_MARK = "full batch"


@dataclass(frozen=True)
class TextTable:
    """A table as text: what a terminal or a page prints."""

    columns: tuple[str, ...]
    numeric: tuple[bool, ...]
    """Which columns are aligned at their right."""
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()


def frame(reading: Reading) -> pd.DataFrame:
    """One row per optimizer, best first: plain numbers (a rate per row, shares from 0 to 1).

    Not reached is infinite; what there is not is NaN. ``attrs["metric"]`` and
    ``attrs["target"]`` say which metric the figures are of and which figure was to be reached.
    """
    table = reading.summary[list(_FRAME_COLUMNS)].reset_index(drop=True)
    table.attrs = {"metric": reading.document.task.metric, "target": reading.target}
    return table


def text_table(reading: Reading) -> TextTable:
    """The table as people read it, best first."""
    form = formats.metric_format(reading.document.task)
    word = form.title[0].upper() + form.title[1:]
    columns = (
        ("optimizer", False),
        ("learning rate", True),
        (f"validation {form.title}", True),
        (f"test {form.title}", True),
        ("against the best", False),
        ("epochs to target", True),
        ("steps to target", True),
        ("time per step", True),
        ("diverged", True),
    )
    rows = tuple(_text_row(row, form) for row in rows_of(reading.summary))
    return TextTable(
        columns=tuple(name for name, _ in columns),
        numeric=tuple(numeric for _, numeric in columns),
        rows=rows,
        notes=_notes(reading, form, word),
    )


def _text_row(row: Mapping[str, Any], form: formats.MetricFormat) -> tuple[str, ...]:
    name = row["optimizer"]
    return (
        f"{name} ({_FULL_BATCH_MARK})" if row["full_batch"] else name,
        formats.learning_rate(row["learning_rate"]),
        form.with_interval(row["validation_metric"], row["validation_low"], row["validation_high"]),
        form.with_interval(row["test_metric"], row["test_low"], row["test_high"]),
        standing(row, form),
        formats.reached(row["epochs_to_target"]),
        formats.reached(row["steps_to_target"]),
        formats.duration(row["seconds_per_step"]),
        f"{row['diverged']} of {row['runs']}",
    )


def standing(row: Mapping[str, Any], form: formats.MetricFormat) -> str:
    """How a row of the summary stands to the best one: ``-0.9 worse``, ``not distinguishable``."""
    relation = row["relation"]
    if relation == Relation.DIVERGED:
        return f"{row['final_diverged']} of {row['seeds']} diverged"
    if relation in (Relation.WORSE, Relation.PROBABLY_WORSE, Relation.BETTER):
        return f"{relation} ({form.difference(row['difference'], beside=row['test_metric'])})"
    return relation or "not yet measured"


def _notes(reading: Reading, form: formats.MetricFormat, word: str) -> tuple[str, ...]:
    notes = []
    if math.isfinite(reading.target):
        origin = (
            "given by the task"
            if reading.document.task.target is not None
            else "the median of the best optimizer's own runs"
        )
        notes.append(f"Target: validation {form.title} {form.figure(reading.target)}, {origin}.")
    if bool(reading.summary["full_batch"].any()):
        notes.append(
            "Full batch: one step an epoch on all training examples, the same number of epochs."
        )
    notes.append(f"{word} ± half of the 95 % interval over the fresh seeds.")
    return tuple(notes)


def records(reading: Reading) -> list[dict[str, Any]]:
    """The table as JSON-able records: None for what there is not and for a target not reached."""
    return [plain(row) for row in rows_of(frame(reading))]


def plain(value: Any) -> Any:
    """``value`` in what JSON knows: no NaN, no infinity, no NumPy scalar."""
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(each) for each in value]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
