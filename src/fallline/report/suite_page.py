"""The page of a suite: one HTML file that opens offline, with links to its tasks' own pages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from fallline.analysis.comparison import Relation
from fallline.analysis.suite import SuiteReading
from fallline.analysis.summary import rows_of
from fallline.report import (
    formats,
    interactive,
    suite_figures,
    suite_tables,
    suite_words,
    templates,
)
from fallline.report import verdict as study_words
from fallline.report.formats import MetricFormat, learning_rate

DEEPEST_SHADE = 22
"""Percent of the accent colour behind the best rank of a task."""


def render(reading: SuiteReading, links: Mapping[str, str]) -> str:
    """The whole page. ``links``: the address of each task's own report, from where the page lies.

    Nothing in it is loaded from elsewhere.
    """
    chart = suite_figures.profile_chart(reading)
    styles = suite_figures.styles(reading)
    sentence = suite_words.verdict(reading)
    return templates.page(
        "suite.html.jinja",
        document=reading.document,
        complete=reading.complete,
        created=reading.document.created[:16].replace("T", " "),
        sentence=sentence[:1].upper() + sentence[1:],
        warnings=suite_words.warnings(reading),
        tiles=tiles(reading),
        columns=columns(reading, links),
        rows=rows(reading),
        overall=overall(reading),
        diagram=suite_figures.diagram(reading),
        ranks_reject=reading.ranks_reject,
        charts=[] if chart is None else [chart["key"]],
        matrix=matrix(reading),
        tasks=tasks(reading, links),
        unfinished=reading.unfinished,
        paragraphs=suite_words.paragraphs(reading),
        citations=citations(reading),
        plotly=interactive.plotly_script() if chart else "",
        content=templates.for_script(
            {"charts": [chart] if chart else [], "styles": [asdict(style) for style in styles]}
        ),
    )


def tiles(reading: SuiteReading) -> list[dict[str, str]]:
    """The figures beside the verdict: a number, and what it is."""
    runs = sum(len(each.runs) for each in reading.readings.values())
    trained = {
        "figure": formats.count(runs),
        "label": "runs",
        "detail": f"{len(reading.optimizers)} optimizers on {len(reading.tasks)} tasks",
    }
    if reading.overall.empty:
        return [trained]
    first = rows_of(reading.overall)[0]
    name = first["optimizer"]
    pairs = first["wins"] + first["ties"] + first["losses"]
    return [
        {
            "figure": suite_words.number(first["average_rank"], 1),
            "label": f"average rank of {name}",
            "detail": f"of {len(reading.optimizers)}; best on {first['best_on']} of "
            f"{len(reading.tasks)} tasks",
        },
        {
            "figure": f"{first['wins']} of {pairs}",
            "label": f"comparisons that {name} wins",
            "detail": f"{first['ties']} cannot be told, {first['losses']} lost",
        },
        {
            "figure": suite_words.number(first["score"]),
            "label": f"AlgoPerf's score of {name}",
            "detail": "1: the fastest to every target",
        },
        trained,
    ]


def columns(reading: SuiteReading, links: Mapping[str, str]) -> list[dict[str, Any]]:
    """The tasks as the heads of the table's columns."""
    return [
        {
            "name": name,
            "metric": form.title,
            "link": links.get(name),
            "first": "descending"
            if reading.readings[name].document.task.higher_is_better
            else "ascending",
        }
        for name, form in suite_tables.metric_formats(reading).items()
    ]


def rows(reading: SuiteReading) -> list[dict[str, Any]]:
    """An optimizer a row: its average rank, and a cell for each task."""
    forms, cells = suite_tables.metric_formats(reading), suite_tables.by_cell(reading)
    return [
        {
            "optimizer": row["optimizer"],
            "colour": style.colour if style.emphasised else None,
            "average_rank": row["average_rank"],
            "rank": suite_words.number(row["average_rank"]),
            "cells": [
                _cell(cells[task, row["optimizer"]], forms[task], len(reading.optimizers))
                for task in reading.tasks
            ],
        }
        for row, style in zip(rows_of(reading.overall), suite_figures.styles(reading), strict=True)
    ]


def _cell(row: Mapping[str, Any], form: MetricFormat, optimizers: int) -> dict[str, Any]:
    best = row["relation"] == Relation.BEST
    share = (optimizers - row["rank"]) / max(optimizers - 1, 1)
    told = f"{row['diverged']} of {row['seeds']} diverged" if row["diverged"] else row["relation"]
    return {
        "raw": row["test_metric"],
        "figure": form.with_interval(row["test_metric"], row["test_low"], row["test_high"]),
        "rank": f"{row['rank']:g}",
        "best": best,
        "standing": "best" if best and not row["diverged"] else told,
        "bad": row["diverged"] > 0,
        "at": learning_rate(row["learning_rate"]),
        "shade": round(DEEPEST_SHADE * share),
    }


def overall(reading: SuiteReading) -> list[dict[str, Any]]:
    """An optimizer a row: ranks, scores and wins over all tasks."""
    bars, styles = suite_figures.score_bars(reading), suite_figures.styles(reading)
    return [
        {
            "raw": row,
            "optimizer": row["optimizer"],
            "colour": style.colour if style.emphasised else None,
            "rank": suite_words.number(row["average_rank"]),
            "iqm": suite_words.number(row["iqm"]),
            "interval": f"{suite_words.number(row['iqm_low'])} to "
            f"{suite_words.number(row['iqm_high'])}"
            if row["iqm_low"] == row["iqm_low"]
            else "",
            "bar": bar,
            "score": suite_words.number(row["score"]),
        }
        for row, bar, style in zip(rows_of(reading.overall), bars, styles, strict=True)
    ]


def matrix(reading: SuiteReading) -> list[dict[str, Any]]:
    """Every optimizer against every other: wins, ties and losses over the tasks."""
    names, wins = reading.optimizers, reading.wins
    found = []
    for at, name in enumerate(names):
        cells: list[dict[str, Any] | None] = []
        for column, other in enumerate(names):
            if column == at:
                cells.append(None)
                continue
            counts = [int(part[at, column]) for part in (wins.wins, wins.ties, wins.losses)]
            net = counts[0] - counts[2]
            cells.append(
                {
                    "text": "–".join(map(str, counts)),
                    "words": suite_words.pair_words(name, other, counts),
                    "sign": "ahead" if net > 0 else "behind" if net < 0 else "even",
                }
            )
        found.append({"optimizer": name, "cells": cells})
    return found


def tasks(reading: SuiteReading, links: Mapping[str, str]) -> list[dict[str, Any]]:
    """What each task is, what its own study says, and where its report lies."""
    found = []
    for name, each in reading.readings.items():
        task, protocol = each.document.task, each.document.protocol
        sentence = study_words.verdict(each)
        found.append(
            {
                "name": name,
                "link": links.get(name),
                "title": task.title,
                "budget": f"{formats.count(task.parameters)} parameters, "
                f"{formats.count(task.train_examples)} training examples, "
                f"{formats.count(protocol.epochs)} epochs in batches of "
                f"{formats.count(protocol.batch_size)}",
                "verdict": sentence[:1].upper() + sentence[1:],
                "source": task.source,
                "licence": task.licence,
                "fingerprint": task.fingerprint,
            }
        )
    return found


def citations(reading: SuiteReading) -> list[tuple[str, str]]:
    """The optimizers' sources, each once."""
    found = {
        name: described.citation
        for each in reading.readings.values()
        for name, described in each.document.optimizers.items()
        if described.citation
    }
    return list(found.items())
