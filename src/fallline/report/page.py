"""The page of a study: one HTML file that opens offline, made of a reading."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from fallline.analysis.detail import measures
from fallline.analysis.reading import Reading
from fallline.analysis.summary import rows_of
from fallline.analysis.tunability import basins
from fallline.report import (
    budget_figures,
    cells,
    figure_tables,
    figures,
    formats,
    interactive,
    measure_cells,
    origin,
    protocol,
    recommendation,
    strips,
    tables,
    templates,
    verdict,
)
from fallline.report.figures import Chart
from fallline.report.formats import MetricFormat
from fallline.units import in_bytes

if TYPE_CHECKING:
    import pandas as pd

CURVES = ("validation_metric", "validation_loss", "train_metric", "train_loss")


def render(reading: Reading) -> str:
    """The whole page. Nothing in it is loaded from elsewhere."""
    form = formats.metric_format(reading.document.task)
    found = figure_tables.tables(reading)
    charts = charts_of(reading, found)
    return templates.page(
        "page.html.jinja",
        document=reading.document,
        complete=reading.complete,
        created=reading.document.created[:16].replace("T", " "),
        metric=form.title,
        better="descending" if reading.document.task.higher_is_better else "ascending",
        sentence=_capital(verdict.verdict(reading)),
        recommendation=recommendation.content(reading),
        tiles=tiles(reading, form),
        rows=rows(reading, form),
        notes=tables.text_table(reading).notes,
        **drawn(reading, form, found, charts),
        **measured(reading, form),
        paragraphs=protocol.sentences(reading),
        spent=spent(reading),
        memory=memory(reading),
        **origins(reading),
        plotly=interactive.plotly_script() if charts else "",
        content=templates.for_script(charts_content(reading, form, charts)),
    )


def charts_of(reading: Reading, found: dict[str, pd.DataFrame]) -> dict[str, Chart]:
    """The charts that the page's script draws, by key, of the figure tables ``found``."""
    charts: list[Chart | None] = [*figures.curve_charts(reading)]
    charts.append(figures.sensitivity_chart(reading))
    if "expected_best" in found:
        charts += budget_figures.expected_best(reading, found["expected_best"])
    if "profile" in found:
        charts.append(budget_figures.profile(found["profile"]))
    return {chart.key: chart for chart in charts if chart is not None}


def charts_content(
    reading: Reading, form: MetricFormat, charts: dict[str, Chart]
) -> dict[str, Any]:
    """What the page's script draws: the charts, and how each optimizer is drawn in them."""
    return {
        "charts": [interactive.figure(chart, form) for chart in charts.values()],
        "styles": [asdict(style) for style in figures.styles(reading.summary)],
    }


def drawn(
    reading: Reading,
    form: MetricFormat,
    found: dict[str, pd.DataFrame],
    charts: dict[str, Chart],
) -> dict[str, Any]:
    """The figures: those that need no script, and which charts there are."""
    best = str(found["ranking"]["optimizer"][0]) if "ranking" in found else ""
    pairs = found.get("pairwise")
    expected = [("expected_trials", "number of trials"), ("expected_seconds", "time")]
    wide = basins(reading)
    return {
        "best": best,
        "ranking": strips.ranking(found["ranking"], form) if best else None,
        "differences": None if pairs is None else strips.differences(pairs, best, form),
        "charts": [key for key in charts if key in CURVES],
        "searched": "sensitivity" in charts,
        "expected": [(key, label) for key, label in expected if key in charts],
        "leading": budget_figures.leading(reading),
        "basins": strips.basins(wide, reading.sensitivity["learning_rate"]),
        "broken": cells.diverged(found["diverged"]) if "diverged" in found else None,
        "matrix": None if pairs is None else cells.matrix(pairs, form),
        "faces": cells.FACES,
        "profile": "profile" in charts,
        "target": form.figure(reading.target),
        "full_batch": bool(reading.summary["full_batch"].any()),
        "time": time_rows(found["time"]) if "time" in found else [],
    }


def measured(reading: Reading, form: MetricFormat) -> dict[str, Any]:
    """The table of all measures: its columns, and a row per optimizer; none without final runs."""
    table = measures(reading)
    higher = reading.document.task.higher_is_better
    shown = measure_cells.known(measure_cells.columns(form, higher_is_better=higher), table)
    rows = measure_cells.rows(table, shown, form) if len(reading.measured) else []
    return {"measured": shown, "measures": rows}


def origins(reading: Reading) -> dict[str, Any]:
    """Configuration, command, other hyper-parameters and BibTeX."""
    described = reading.document.optimizers.values()
    entries = dict.fromkeys(each.bibtex.strip() for each in described if each.bibtex.strip())
    return {
        "configuration": origin.configuration(reading),
        "command": origin.command(reading),
        "settings": [
            (row["optimizer"], protocol.setting_text(row["hyperparameters"]))
            for row in rows_of(reading.summary)
        ],
        "bibtex": "\n\n".join(entries),
    }


def tiles(reading: Reading, form: MetricFormat) -> list[dict[str, str]]:
    """The figures beside the verdict: a number, and what it is."""
    summary, task = reading.summary, reading.document.task
    found = []
    if len(reading.measured):
        best = rows_of(reading.measured)[0]
        low, high = best["test_low"], best["test_high"]
        interval = f"95 % interval {form.number(low)} to {form.number(high)}"
        found.append(
            {
                "figure": form.figure(best["test_metric"]),
                "label": f"test {form.title} of {best['optimizer']}",
                "detail": interval if math.isfinite(low) else "a single seed: no interval",
            }
        )
        if math.isfinite(best["learning_rate"]):
            searched = reading.document.protocol.searched
            found.append(
                {
                    "figure": formats.learning_rate(best["learning_rate"]),
                    "label": "learning rate",
                    "detail": "chosen on validation data" if searched else "its default",
                }
            )
    runs, diverged = len(reading.runs), int(summary["diverged"].sum())
    found.append(
        {
            "figure": formats.count(runs),
            "label": "run" if runs == 1 else "runs",
            "detail": f"{len(summary)} optimizers, {diverged} runs diverged",
        }
    )
    if reading.timing:
        detail = f"{formats.duration(reading.timing.compile)} of it compiling"
        label = "since it was gone on with" if reading.timing.stored_before else "from start to end"
        took = {"figure": formats.duration(reading.timing.total), "label": label}
        found.append(took | {"detail": detail})
    else:
        parameters = f"{formats.count(task.parameters)} parameters"
        found.append({"figure": "…", "label": "not finished", "detail": parameters})
    return found


def rows(reading: Reading, form: MetricFormat) -> list[dict[str, Any]]:
    """The table's rows: each cell as text, with the place of the test interval's bar."""
    axis = figures.intervals_axis(reading)
    summary = reading.summary
    bars = figures.interval_bars(summary, axis) if axis else [None] * len(summary)
    styles = figures.styles(summary)
    found = []
    for row, bar, style in zip(rows_of(summary), bars, styles, strict=True):
        found.append(
            {
                "optimizer": row["optimizer"],
                "raw": row,
                "title": reading.document.optimizers[row["optimizer"]].title,
                "full_batch": row["full_batch"],
                "colour": style.colour if style.emphasised else None,
                "relation": row["relation"].replace(" ", "-") or "search",
                "rate": formats.learning_rate(row["learning_rate"]),
                "border": row["border"],
                "validation": form.with_interval(
                    row["validation_metric"], row["validation_low"], row["validation_high"]
                ),
                "test": form.with_interval(row["test_metric"], row["test_low"], row["test_high"]),
                "bar": None if bar is None else [round(100 * place, 2) for place in bar],
                "standing": tables.standing(row, form),
                "evidence": _evidence(row, form),
                "epochs": formats.reached(row["epochs_to_target"]),
                "steps": formats.reached(row["steps_to_target"]),
                "step": formats.duration(row["seconds_per_step"]),
                "diverged": f"{row['diverged']} of {row['runs']}",
                "any_diverged": row["diverged"] > 0,
            }
        )
    return found


def _evidence(row: dict[str, Any], form: MetricFormat) -> str:
    """The difference to the best with its interval, and the p-value."""
    if not math.isfinite(row["p_value"]):
        return ""
    low, high = (
        form.difference(row[end], beside=row["test_metric"])
        for end in ("difference_low", "difference_high")
    )
    return f"{low} to {high}, p {formats.p_value(row['p_value'])}"


def time_rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Time per step and per epoch of one run, from the figure table ``time``; bars of the epoch."""
    longest = float(table["epoch_seconds"].max()) or 1.0
    return [
        {
            "optimizer": row["optimizer"],
            "step": formats.duration(row["seconds_per_step"]),
            "epoch": formats.duration(row["epoch_seconds"]),
            "share": round(100 * row["epoch_seconds"] / longest, 2),
        }
        for row in rows_of(table)
    ]


def spent(reading: Reading) -> list[dict[str, Any]]:
    """The parts of the study's time, with their shares of it in percent where they add up."""
    timing = reading.timing
    if timing is None:
        return []
    known = [("training and evaluating", timing.train), ("compiling", timing.compile)]
    rest = timing.total - sum(seconds for _, seconds in known)
    # Compiling runs beside training, so the parts may be longer than the whole.
    whole = max(timing.total, timing.total - rest)
    if rest > 0:
        known.append(("measuring steps, reading and writing", rest))
    return [
        {"label": label, "time": formats.duration(each), "share": round(100 * each / whole, 2)}
        for label, each in known
        if whole > 0
    ]


def memory(reading: Reading) -> str:
    """The most memory that the study took, in words; nothing where it is not known."""
    timing = reading.timing
    return in_bytes(timing.peak_memory) if timing and timing.peak_memory else ""


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
