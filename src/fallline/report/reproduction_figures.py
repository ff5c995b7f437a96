"""The data of the charts on a series' page: what is drawn, as tables, computed without drawing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from fallline.analysis.published import Findings
from fallline.analysis.summary import rows_of
from fallline.planning.studyfile import stages_of
from fallline.report.reproduction_lines import axis_panel, curves_panel
from fallline.report.reproduction_panels import Chart, Dots, Panel, interval_of, is_share, scale_of
from fallline.report.reproduction_tables import MODES, figure_word, number
from fallline.report.scales import scale


def panels(findings: Findings) -> tuple[Panel, ...]:
    """Every panel that the findings have something for, in the order of the stages."""
    found: list[Panel | None] = []
    for at, stage in enumerate(_stages(findings)):
        found += [
            published_panel(findings, stage, f"published-{at}"),
            axis_panel(findings, stage, f"axis-{at}")
            or ranking_panel(findings, stage, f"rank-{at}"),
            curves_panel(findings, stage, f"curves-{at}"),
            tuning_panel(findings, stage, f"tuning-{at}"),
        ]
    return tuple(panel for panel in found if panel is not None)


def _stages(findings: Findings) -> list[str]:
    return [name for name in stages_of(findings.file) if (findings.runs["stage"] == name).any()]


# -- rows with dots ---------------------------------------------------------------------------


def published_panel(findings: Findings, stage: str, key: str) -> Panel | None:
    """The published figures of a stage beside ours; None without any."""
    table = findings.published
    own = table[(table["stage"] == stage) & table["ours"].notna()]
    charts = []
    for figure, rows in own.groupby("figure", sort=False):
        metric = str(rows.iloc[0]["metric"])
        records = rows_of(rows)
        word = figure_word(str(figure), metric)
        theirs, ours, low, high = (
            rows[name].to_numpy(float) for name in ("theirs", "ours", "low", "high")
        )
        none = np.full(len(rows), math.nan)
        charts.append(
            Chart(
                choices={"figure": word},
                title=word,
                scale=scale_of(theirs, ours, low, high, share=is_share(str(figure), metric)),
                labels=tuple(map(_published_label, records)),
                dots=(
                    Dots("ours", ours, low, high, tuple(map(_ours_text, records))),
                    Dots("theirs", theirs, none, none, tuple(map(_theirs_text, records))),
                ),
            )
        )
    return Panel(key, "published", stage, tuple(charts)) if charts else None


def _published_label(row: Mapping[str, Any]) -> str:
    return f"{row['setting']}, epoch {row['epoch']}" if row["epoch"] else str(row["setting"])


def _theirs_text(row: Mapping[str, Any]) -> str:
    return f"published: {number(row['theirs'], row['figure'], row['metric'])}"


def _ours_text(row: Mapping[str, Any]) -> str:
    ours, low, high = (
        number(row[n], row["figure"], row["metric"]) for n in ("ours", "low", "high")
    )
    if not math.isfinite(row["low"]):
        return f"ours: {ours}, {row['seeds']} seed"
    return f"ours: {ours}, {row['seeds']} seeds; a further run: {low} to {high}"


def tuning_panel(findings: Findings, stage: str, key: str) -> Panel | None:
    """Each setting untuned and tuned, with its ranks; None where one of the modes is missing."""
    rows = findings.tuning[findings.tuning["stage"] == stage]
    if rows.empty:
        return None
    first = rows.iloc[0]
    figure, metric = str(first["figure"]), str(first["metric"])
    none = np.full(len(rows), math.nan)
    records = rows_of(rows)
    dots = []
    for mode in MODES:
        texts = tuple(
            f"{MODES[mode]}: {number(row[mode], figure, metric)}, rank {row[f'{mode}_rank']}"
            for row in records
        )
        dots.append(Dots(mode, rows[mode].to_numpy(float), none, none, texts))
    chart = Chart(
        choices={},
        title=figure_word(figure, metric),
        scale=scale(np.concatenate([each.values for each in dots]), share=is_share(figure, metric)),
        labels=tuple(
            f"{row['setting']} ({row['untuned_rank']} → {row['tuned_rank']})" for row in records
        ),
        dots=tuple(dots),
    )
    return Panel(key, "tuning", stage, (chart,))


def ranking_panel(findings: Findings, stage: str, key: str) -> Panel | None:
    """Each setting's figure with its interval, in the file's order; None for a single setting."""
    rows = findings.settings[findings.settings["stage"] == stage]
    order = list(dict.fromkeys(findings.runs.loc[findings.runs["stage"] == stage, "setting"]))
    if len(order) < 2:
        return None
    figure, metric = str(rows.iloc[0]["ranked_by"]), str(rows.iloc[0]["metric"])
    modes = [mode for mode in MODES if (rows["mode"] == mode).any()]
    dots = []
    for mode in modes:
        own = rows[rows["mode"] == mode].set_index("setting").reindex(order)
        mean, low, high = interval_of(own, figure)
        texts = tuple(
            f"{MODES[mode]}: {number(one, figure, metric)}"
            + (
                f", 95 % interval {number(two, figure, metric)} to {number(three, figure, metric)}"
                if math.isfinite(two)
                else ""
            )
            for one, two, three in zip(mean, low, high, strict=True)
        )
        dots.append(Dots(mode if len(modes) > 1 else "ours", mean, low, high, texts))
    every = [np.concatenate([getattr(d, n) for d in dots]) for n in ("values", "low", "high")]
    chart = Chart(
        choices={},
        title=figure_word(figure, metric),
        scale=scale_of(every[0], every[0], *every[1:], share=is_share(figure, metric)),
        labels=tuple(order),
        dots=tuple(dots),
    )
    return Panel(key, "ranking", stage, (chart,))
