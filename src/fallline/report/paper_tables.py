"""A study's tables for a paper: headings with units, rounded cells, captions.

Each table stands for a frame of plain numbers: the summary, all measures, and the data of every
figure. The frames are exported as they are (CSV); this is what is read (Markdown, LaTeX).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fallline.report import formats, tables
from fallline.report.formats import MetricFormat
from fallline.report.latex import Column
from fallline.units import in_bytes

if TYPE_CHECKING:
    import pandas as pd

    from fallline.analysis.reading import Reading

STUDENTS = ("test_metric", "validation_metric", "test_mean", "difference")
"""Figures whose interval is Student's: it is written ± half of it; others by their ends."""
_OWN_ENDS = {
    "difference": ("low", "high"),
    "expected": ("low", "high"),
    "mean": ("low", "high"),
    "test_metric": ("test_low", "test_high"),
    "validation_metric": ("validation_low", "validation_high"),
}
_HEADINGS = {
    "mean": "validation {metric}",
    "expected": "expected validation {metric}",
    "test_mean": "mean test {metric}",
    "test_median": "median test {metric}",
    "test_iqm": "IQM of test {metric}",
    "test_metric": "test {metric}",
    "train_metric": "training {metric}",
    "validation_metric": "validation {metric}",
    "validation_best": "best epoch's validation {metric}",
    "area": "mean validation {metric} over the epochs",
    "gap": "gap to training",
    "train_loss": "training loss",
    "p_value": "p",
    "relation": "against the best",
    "other": "against",
    "improvement": "chance to be better",
    "bound": "no difference larger than",
    "factor": "multiple of the fewest steps",
    "diverged_share": "runs diverged",
    "share": "share",
    "seconds": "time",
    "seconds_per_step": "time per step",
    "epoch_seconds": "time per epoch",
    "seconds_to_target": "time to target",
    "basin_decades": "good learning rates (decades)",
    "state_bytes": "state",
}
_METRICS = {
    *("mean", "expected", "test_mean", "test_median", "test_iqm", "test_metric", "train_metric"),
    *("validation_metric", "validation_best", "area"),
}
_POINTS = {"difference", "gap", "bound"}
_TIMES = {"seconds", "seconds_per_step", "epoch_seconds", "seconds_to_target"}
_SHARES = {"share", "improvement", "diverged_share"}
_REACHED = {"epochs_to_target", "steps_to_target"}
_TEXTS = {"optimizer", "other", "relation"}
_LEFT_OUT = {"basin_open"}
"""Said by another column."""


@dataclass(frozen=True)
class PaperTable:
    """A table: its caption and its columns, all of as many cells."""

    caption: str
    columns: tuple[Column, ...]


def frames(reading: Reading) -> dict[str, pd.DataFrame]:
    """The tables of a study in plain numbers, by the name of their file; empty ones are left out.

    ``summary``, ``measures``, and the data of every figure (`fallline.report.figure_tables`).
    """
    from fallline.analysis.detail import measures
    from fallline.report.figure_tables import tables as figure_tables

    found = {"summary": tables.frame(reading), "measures": measures(reading)}
    found |= figure_tables(reading)
    return {name: frame for name, frame in found.items() if len(frame)}


def table(reading: Reading, name: str, frame: pd.DataFrame) -> PaperTable:
    """The table of that name as it is read, from its frame."""
    form = formats.metric_format(reading.document.task)
    columns = _summary(reading, form) if name == "summary" else _columns(frame, form, name)
    return PaperTable(caption(reading, name), tuple(columns))


def caption(reading: Reading, name: str) -> str:
    """What the table of that name holds, in sentences."""
    task, protocol = reading.document.task, reading.document.protocol
    title = formats.metric_format(task).title
    seeds, fresh = len(protocol.final_seeds), "fresh seed"
    over = f"{seeds} {fresh}{'s' if seeds != 1 else ''}"
    half = "± half of Student's 95 % interval"
    said = {
        "summary": f"Mean {title} over {over}, {half}; differences to the best on test data, "
        "paired by seed; p after Holm's correction",
        "measures": f"All measures of the optimizers over {over}; 95 % intervals",
        "ranking": f"Mean test {title} over {over}, {half}",
        "curves": f"Mean figures of {over} after each epoch, the smallest and the largest in "
        "brackets",
        "sensitivity": "Last validation figure by learning rate: mean over the seeds of the search "
        "that did not diverge, the smallest and the largest in brackets",
        "expected_best": f"Best validation {title} to expect of so many trials, bootstrap 95 % "
        "interval in brackets",
        "profile": f"Share of {over} on which an optimizer reaches the target within a multiple of "
        "the fewest steps of any",
        "pairwise": f"Differences of mean test {title} between all pairs over {over}, {half}; p "
        "after Holm's correction over all pairs",
        "diverged": "Runs of the search that diverged, by learning rate",
        "time": "Time of one run, trained alone, without compiling and evaluating",
    }
    text = said.get(name, name.replace("_", " ").capitalize())
    machine = "" if name != "time" else f" ({_machine(reading)})"
    return f"{task.title}: {text[0].lower()}{text[1:]}{machine}."


def _machine(reading: Reading) -> str:
    machine = reading.document.machine
    return str(machine.get("processor") or machine.get("system") or "one machine")


def _summary(reading: Reading, form: MetricFormat) -> Iterator[Column]:
    """The columns of the summary: those of the terminal's table, with differences and p-values."""
    summary = reading.summary
    rows = summary.to_dict("records")
    full = [f"{r['optimizer']} (full batch)" if r["full_batch"] else r["optimizer"] for r in rows]
    yield Column("optimizer", tuple(full), numeric=False)
    for name in ("learning_rate", "validation_metric", "test_metric"):
        yield from _column(summary, name, form)
    difference = summary.rename(columns={"difference_low": "low", "difference_high": "high"})
    yield from _column(difference, "difference", form)
    for name in ("p_value", "relation", "steps_to_target", "seconds_per_step"):
        yield from _column(summary, name, form)
    diverged = tuple(f"{row['diverged']} of {row['runs']}" for row in rows)
    yield Column("diverged", diverged)


def _columns(frame: pd.DataFrame, form: MetricFormat, table_name: str) -> Iterator[Column]:
    """The columns of any frame: what bounds a figure stands beside it."""
    names = [str(name) for name in frame.columns]
    bounds = {end for name in names for end in _ends(name, names)}
    if table_name == "pairwise":
        one, two = (frame[name].to_numpy() for name in ("optimizer", "other"))
        order = {name: at for at, name in enumerate(dict.fromkeys(one))}
        # Both orders of a pair say the same.
        frame = frame[[order[a] < order[b] for a, b in zip(one, two, strict=True)]]
    for name in names:
        if name not in bounds and name not in _LEFT_OUT:
            yield from _column(frame, name, form, heading=_heading(name, form, table_name))


def _ends(name: str, names: list[str]) -> tuple[str, ...]:
    """The columns that bound ``name``, if they are among ``names``."""
    ends = _OWN_ENDS.get(name, (f"{name}_low", f"{name}_high"))
    if not set(ends) <= set(names):
        ends = (f"{name}_low", f"{name}_high")
    return ends if set(ends) <= set(names) else ()


def _heading(name: str, form: MetricFormat, table_name: str = "") -> str:
    if table_name == "pairwise" and name == "relation":
        return "the first is"
    text = _HEADINGS.get(name, name.replace("_", " ")).format(metric=form.title)
    if name in _SHARES or (name in _METRICS and form.share):
        return f"{text} (%)"
    return f"{text} (points)" if name in _POINTS and form.share else text


def _column(
    frame: pd.DataFrame, name: str, form: MetricFormat, *, heading: str = ""
) -> Iterator[Column]:
    heading = heading or _heading(name, form)
    values = list(frame[name])
    if name in _TEXTS or frame[name].dtype == object:
        texts = tuple(str(value) if value != "" else formats.NONE for value in values)
        yield Column(heading, texts, numeric=False)
        return
    numbers = np.array(values, float)
    write = _writer(name, numbers, form)
    ends = _ends(name, [str(each) for each in frame.columns])
    spreads: tuple[str, ...] = ()
    if ends:
        low, high = (frame[end].to_numpy(dtype=float) for end in ends)
        rows = zip(numbers, low, high, strict=True)
        spreads = tuple(_spread(name, *row, write) for row in rows)
    yield Column(heading, tuple(map(write, numbers.tolist())), spreads=spreads)


def _spread(name: str, value: float, low: float, high: float, write: Callable[[float], str]) -> str:
    if not (math.isfinite(low) and math.isfinite(high)) or not math.isfinite(value):
        return ""
    if name in STUDENTS:
        return f"± {write(max(high - value, value - low)).lstrip('+')}"
    return f"[{write(low)}, {write(high)}]"


def _writer(name: str, values: np.ndarray, form: MetricFormat) -> Callable[[float], str]:
    """How the numbers of a column are written: all with as many decimals."""
    known: dict[str, Callable[[float], str]] = {
        "learning_rate": formats.learning_rate,
        "p_value": formats.p_value,
        "state_bytes": lambda value: in_bytes(int(value)),
    }
    known |= dict.fromkeys(
        _TIMES, lambda v: "not reached" if math.isinf(v) else formats.duration(v)
    )
    known |= dict.fromkeys(_REACHED, formats.reached)
    if name in known:
        chosen = known[name]
        return lambda value: formats.NONE if math.isnan(value) else chosen(value)
    if name in _SHARES:
        return lambda value: _fixed(100 * value, 0)
    if name == "bound":
        scale, places = (100.0, form.digits) if form.share else (1.0, _decimals(values, 2))
        return lambda value: _fixed(_rounded_up(scale * value, places), places)
    if (name in _METRICS or name in _POINTS) and form.share:
        sign = "+" if name in ("difference", "gap") else ""
        return lambda value: _fixed(100 * value, form.digits, sign)
    decimals = _decimals(values, 2 if name in _POINTS else 3)
    return lambda value: _fixed(value, decimals, "+" if name in ("difference", "gap") else "")


def _decimals(values: np.ndarray, digits: int) -> int:
    """Decimals that show ``digits`` digits of the usual value; none of whole numbers."""
    known = np.abs(values[np.isfinite(values)])
    if not len(known) or np.array_equal(known, np.round(known)):
        return 0
    usual = float(np.median(known[known > 0]))
    return min(max(digits - 1 - math.floor(math.log10(usual)), 0), 8)


def _rounded_up(value: float, decimals: int) -> float:
    """What a difference is not larger than must not be rounded down."""
    if not math.isfinite(value):
        return value
    # 0.3 / 0.1 is a little below 3 in floating point, and 0.7 / 0.1 a little above 7.
    return math.ceil(value * 10**decimals - 1e-9) / 10**decimals


def _fixed(value: float, decimals: int, sign: str = "") -> str:
    if math.isinf(value):
        return "not reached"
    if math.isnan(value):
        return formats.NONE
    text = f"{value:{sign},.{decimals}f}"
    return text if text.strip("+-0.,") else text.lstrip("+-")
