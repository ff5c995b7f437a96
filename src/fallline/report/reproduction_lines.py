"""The lines on a series' page: figures by epoch, and over an ordered axis such as batch sizes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fallline.analysis.published import Findings
from fallline.analysis.series import CURVES
from fallline.planning.studyfile import figure_named
from fallline.report.reproduction_panels import Chart, Line, Panel, interval_of, is_share, scale_of
from fallline.report.reproduction_tables import MODES, figure_word
from fallline.report.scales import Scale, scale

if TYPE_CHECKING:
    import pandas as pd

BRIGHT = 6
"""Settings in colour from the start; the others are grey until they are asked for."""
MOST_POINTS = 80
"""Epochs of a curve that are drawn."""
MOST_LINES = 12
"""Lines over an ordered axis; with more of them there is no such chart."""
LEAST_LABELS = 3
"""Settings of an axis before it is one that figures are drawn over."""
WHOLE = "all"
"""The label of a batch of all examples: the last one of an ordered axis."""


def ordered_axis(labels: Sequence[Mapping[str, str]]) -> tuple[str, tuple[str, ...]] | None:
    """The axis that settings are drawn over, and its labels in order: numbers, then ``WHOLE``."""
    best: tuple[str, tuple[str, ...]] | None = None
    for axis in labels[0] if labels else ():
        found = list(dict.fromkeys(each[axis] for each in labels))
        places = {label: _place(label) for label in found}
        if len(found) < LEAST_LABELS or any(math.isnan(place) for place in places.values()):
            continue
        if best is None or len(found) > len(best[1]):
            best = axis, tuple(sorted(found, key=lambda label: places[label]))
    return best


def _place(label: str) -> float:
    if label == WHOLE:
        return math.inf
    try:
        return float(label)
    except ValueError:
        return math.nan


def axis_panel(findings: Findings, stage: str, key: str) -> Panel | None:
    """Figures over the stage's ordered axis, such as batch sizes; None without one."""
    rows = findings.settings[findings.settings["stage"] == stage]
    found = ordered_axis(list(rows["labels"]))
    if found is None:
        return None
    axis, order = found
    groups = _groups_beside(rows, axis)
    if len(groups) > MOST_LINES:
        return None
    metric, ranked = str(rows.iloc[0]["metric"]), str(rows.iloc[0]["ranked_by"])
    figures = [name for name in dict.fromkeys([ranked, "test_metric", *CURVES]) if name in rows]
    charts = []
    for figure in figures:
        if not rows[figure].notna().any():
            continue
        lines = tuple(_over(findings, groups, stage, axis, order, figure))
        given = [line.theirs for line in lines if line.theirs is not None]
        mean, low, high = (
            np.concatenate([getattr(line, name) for line in lines])
            for name in ("mean", "low", "high")
        )
        theirs = np.concatenate(given) if given else np.empty(0)
        word = figure_word(figure, metric)
        charts.append(
            Chart(
                choices={"figure": word},
                title=word,
                scale=scale_of(theirs, mean, low, high, share=is_share(figure, metric)),
                labels=order,
                lines=lines,
                x_title=axis,
            )
        )
    names = dict.fromkeys(name for name, _ in groups)
    return Panel(key, "axis", stage, tuple(charts), tuple(names))


def _over(
    findings: Findings,
    groups: Mapping[tuple[str, str], pd.DataFrame],
    stage: str,
    axis: str,
    order: tuple[str, ...],
    figure: str,
) -> Iterator[Line]:
    """A figure's line over the axis for each group of settings."""
    names = list(dict.fromkeys(name for name, _ in groups))
    x = np.arange(len(order), dtype=float)
    for (name, mode), own in groups.items():
        labelled = own.assign(label=[each[axis] for each in own["labels"]])
        by_label = labelled.drop_duplicates("label").set_index("label").reindex(order)
        theirs = None
        if mode in ("", "untuned"):
            labels = own.iloc[0]["labels"]
            theirs = _published_over(findings, stage, axis, order, labels, figure)
        yield Line(name, mode, names.index(name), x, *interval_of(by_label, figure), theirs)


def _groups_beside(rows: pd.DataFrame, axis: str) -> dict[tuple[str, str], Any]:
    """Rows by the labels of their other axes, and by mode where there are both."""
    several = rows["mode"].nunique() > 1
    names = [", ".join(v for a, v in each.items() if a != axis) or axis for each in rows["labels"]]
    keyed = rows.assign(line=names, shown=rows["mode"] if several else "")
    return {(str(name), str(mode)): own for (name, mode), own in keyed.groupby(["line", "shown"])}


def _published_over(
    findings: Findings,
    stage: str,
    axis: str,
    order: Sequence[str],
    labels: Mapping[str, str],
    figure: str,
) -> np.ndarray | None:
    """Published figures along an ordered axis, of the setting that has the other ``labels``."""
    found = np.full(len(order), math.nan)
    for entry in findings.file.published:
        others = {name: label for name, label in entry.where.items() if name != axis}
        here = (entry.stage or stage) == stage and entry.epoch == 0
        if not here or any(labels.get(name) != label for name, label in others.items()):
            continue
        for named, value in entry.figures.items():
            if figure_named(named) == figure and entry.where.get(axis) in order:
                found[order.index(entry.where[axis])] = value
    return found if np.isfinite(found).any() else None


def curves_panel(findings: Findings, stage: str, key: str) -> Panel | None:
    """Training and validation figures by epoch, with the seeds' band; None without epochs."""
    runs = findings.runs[findings.runs["stage"] == stage]
    ranked = findings.settings[findings.settings["stage"] == stage]
    best = list(ranked.loc[ranked["mode"] == ranked["mode"].iloc[-1], "setting"])
    names = list(dict.fromkeys(runs["setting"]))
    if len(names) > BRIGHT:
        # Those that are in colour from the start have colours of their own.
        names = [*best, *(name for name in names if name not in best)]
    metric = str(runs.iloc[0]["metric"])
    charts = []
    for figure in (*CURVES[2:], *CURVES[:2]):
        for mode in (mode for mode in MODES if (runs["mode"] == mode).any()):
            own = runs[runs["mode"] == mode]
            lines = tuple(_curves(own, names, figure))
            if not lines:
                continue
            word = figure_word(figure, metric)
            charts.append(
                Chart(
                    choices={"figure": word, "measured": MODES[mode]},
                    title=word,
                    scale=_scale_of_curves(lines, share=is_share(figure, metric)),
                    lines=lines,
                    x_title="epoch",
                )
            )
    if not any(len(line.x) > 1 for chart in charts for line in chart.lines):
        return None
    return Panel(key, "curves", stage, tuple(charts), tuple(best[:BRIGHT]))


def _curves(runs: pd.DataFrame, names: list[str], figure: str) -> Iterator[Line]:
    """A setting's curve over the seeds that trained so far, for each of ``names`` that has one."""
    for style, name in enumerate(names):
        curves = [
            np.asarray(c, float) for c in runs.loc[runs["setting"] == name, f"{figure}_curve"]
        ]
        longest = max((len(curve) for curve in curves), default=0)
        table = np.full((len(curves), longest), math.nan)
        for row, curve in zip(table, curves, strict=True):
            row[: len(curve)] = np.where(np.isfinite(curve), curve, math.nan)
        known = np.isfinite(table).any(axis=0)
        if not known.any():
            continue
        epochs = np.flatnonzero(known)
        if len(epochs) > MOST_POINTS:
            epochs = epochs[np.linspace(0, len(epochs) - 1, MOST_POINTS).round().astype(int)]
        shown = table[:, epochs]
        mean, low, high = (f(shown, axis=0) for f in (np.nanmean, np.nanmin, np.nanmax))
        yield Line(name, "", style, epochs + 1.0, mean, low, high)


def _scale_of_curves(lines: Sequence[Line], *, share: bool) -> Scale:
    """The scale over the curves' means; of an error, no higher than most curves begin."""
    values = np.concatenate([line.mean for line in lines])
    if share:
        return scale(values, share=True)
    usual = float(np.median([line.mean[0] for line in lines]))
    lowest = max(float(line.mean.min()) for line in lines)
    most = min(max(2.0 * usual, 1.5 * lowest), 30.0 * usual)
    return scale(np.minimum(values, most), share=False)
