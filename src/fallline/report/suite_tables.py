"""The tables of a suite: as frames, as rows of text, and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fallline.analysis.comparison import Relation
from fallline.analysis.suite import SuiteReading
from fallline.analysis.summary import rows_of
from fallline.report import formats
from fallline.report.formats import MetricFormat, metric_format
from fallline.report.suite_words import number
from fallline.report.tables import TextTable, plain

if TYPE_CHECKING:
    import pandas as pd

LIKE_THE_BEST = "="
"""Behind a figure that cannot be told from the best of its task."""
_ALIKE = (Relation.NOT_DISTINGUISHABLE, Relation.PROBABLY_WORSE, Relation.UNKNOWN)


def frame(reading: SuiteReading) -> pd.DataFrame:
    """One row per optimizer, best average rank first, in plain numbers.

    The columns are those of `fallline.analysis.suite.OVERALL`, then one of each task: the mean
    test figure over the fresh seeds, in the units of the task's metric (``attrs["metrics"]``).
    """
    table = reading.overall.copy()
    figures = by_cell(reading)
    for task in reading.tasks:
        table[task] = [figures[task, name]["test_metric"] for name in reading.optimizers]
    table.attrs = {
        "metrics": {name: each.document.task.metric for name, each in reading.readings.items()}
    }
    return table


def by_cell(reading: SuiteReading) -> dict[tuple[str, str], dict[str, Any]]:
    """The rows of the figures by task and optimizer."""
    return {(row["task"], row["optimizer"]): row for row in rows_of(reading.figures)}


def metric_formats(reading: SuiteReading) -> dict[str, MetricFormat]:
    """How the figures of each task are written."""
    return {name: metric_format(each.document.task) for name, each in reading.readings.items()}


def text_table(reading: SuiteReading) -> TextTable:
    """The optimizers by the tasks as people read it, best average rank first."""
    columns = ("optimizer", "average rank", *reading.tasks, "score", "IQM", "won", "tied", "lost")
    forms, cells = metric_formats(reading), by_cell(reading)
    rows = tuple(
        (
            row["optimizer"],
            number(row["average_rank"]),
            *(cell(cells[task, row["optimizer"]], forms[task]) for task in reading.tasks),
            number(row["score"]),
            number(row["iqm"]),
            *(formats.count(row[key]) for key in ("wins", "ties", "losses")),
        )
        for row in rows_of(reading.overall)
    )
    return TextTable(columns, (False, *(True for _ in columns[1:])), rows, _notes(reading))


def cell(row: Mapping[str, Any], form: MetricFormat) -> str:
    """A figure with its rank: ``95.3 % (1)``, with a sign where it cannot be told from the best."""
    rank = f"({row['rank']:g})"
    if row["relation"] == Relation.DIVERGED:
        return f"{row['diverged']} of {row['seeds']} diverged {rank}"
    sign = LIKE_THE_BEST if row["relation"] in _ALIKE else " "
    return f"{form.figure(row['test_metric'])} {rank}{sign}"


def _notes(reading: SuiteReading) -> tuple[str, ...]:
    words = [
        f"{task} {metric_format(each.document.task).title}"
        for task, each in reading.readings.items()
    ]
    return (
        f"Test figures ({', '.join(words)}): means over the fresh seeds, with the rank on the "
        f"task; {LIKE_THE_BEST}: not told from the best by the task's own test.",
        "Score: AlgoPerf's, of the times to the tasks' targets. IQM: of normalised test figures. "
        "Won, tied, lost: against each other optimizer on each task.",
    )


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """A frame as JSON-able records: None for what there is not and for a target not reached."""
    return [plain(row) for row in rows_of(table)]


def ranks(reading: SuiteReading) -> dict[str, Any] | None:
    """The tests of average ranks in what JSON knows; None where there are none."""
    found = reading.difference
    if found is None:
        return None
    return plain(
        {
            "friedman_statistic": found.friedman.statistic,
            "friedman_p_value": found.friedman.p_value,
            "least_p_value": reading.least_p_value,
            "critical_difference": found.distance,
            "groups": [[reading.optimizers[at] for at in members] for members in found.cliques],
        }
    )
