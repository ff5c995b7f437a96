"""The page of a series: one HTML file that opens offline, made of its findings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fallline.analysis import series
from fallline.analysis.published import Findings
from fallline.report import (
    formats,
    interactive,
    reproduction_figures,
    reproduction_interactive,
    reproduction_tables,
    reproduction_words,
    templates,
)
from fallline.report.reproduction_panels import Panel
from fallline.report.reproduction_tables import Section
from fallline.report.reproduction_text import chosen

OPEN_ROWS = 14
"""Rows of a table up to which it is shown without being asked for, beside its chart."""
HEADINGS = {
    "published": ("Published beside ours", "published"),
    "settings": ("The settings", "settings"),
    "tuning": ("Tuned beside untuned", "tuning"),
}
PANELS = {
    "published": ("published",),
    "settings": ("axis", "ranking", "curves"),
    "tuning": ("tuning",),
}


@dataclass(frozen=True)
class Part:
    """What a section of the page has of one stage."""

    title: str
    panels: tuple[Panel, ...]
    tables: tuple[Section, ...]


def render(findings: Findings, warnings: Sequence[str] = ()) -> str:
    """The whole page, ``warnings`` (what is wrong) on top; nothing is loaded from elsewhere."""
    panels = reproduction_figures.panels(findings)
    cards = reproduction_words.cards(findings)
    sections = reproduction_tables.sections(findings)
    claims = next((each for each in sections if each.kind == "claims"), None)
    return templates.page(
        "reproduction.html.jinja",
        file=findings.file,
        complete=findings.complete,
        warnings=warnings,
        created=findings.created[:16].replace("T", " "),
        form=reproduction_words.form_sentences(findings),
        tiles=tiles(findings, cards),
        cards=cards,
        claim_notes=(*(claims.table.notes if claims else ()), *_counted(cards)),
        parts={kind: parts(findings, kind, panels, sections) for kind in HEADINGS},
        open_rows=OPEN_ROWS,
        chosen=chosen(findings),
        protocol=reproduction_words.protocol(findings),
        citation=reproduction_words.citation(findings),
        machine=findings.machine,
        versions=findings.versions,
        plotly=interactive.plotly_script() if panels else "",
        content=templates.for_script(reproduction_interactive.content(panels)),
    )


def tiles(findings: Findings, cards: tuple[reproduction_words.Card, ...]) -> list[dict[str, str]]:
    """The figures on top: a number, what it is, and a detail."""
    found = []
    if cards:
        tally = reproduction_words.tally(cards)
        words = (("holds", "claims that hold"), ("reversed", "the reverse holds"))
        for sign, label in (*words, ("open", "cannot be told")):
            detail = f"of {len(cards)} {'claim' if len(cards) == 1 else 'claims'}"
            found.append(
                {"figure": str(tally[sign]), "label": label, "detail": detail, "sign": sign}
            )
    fits = [fit for fit in findings.published["inside"] if fit is not None]
    if findings.published["ours"].notna().any():
        held = f"{sum(fits)} of {len(fits)}" if fits else "—"
        detail = (
            "in the interval of a further run of ours" if fits else "a single seed: no interval"
        )
        found.append(
            {"figure": held, "label": "published figures fit", "detail": detail, "sign": ""}
        )
    trained = series.trained(findings.runs)
    runs, gone = len(trained), int(trained["diverged"].sum())
    settings = f"of {len(findings.settings)} settings"
    if runs < len(findings.runs):
        settings += ", those of several stages trained once"
    found.append(
        {
            "figure": formats.count(runs),
            "label": "run" if runs == 1 else "runs",
            "detail": f"{settings}; {gone} diverged" if gone else settings,
            "sign": "",
        }
    )
    seconds = trained["seconds"].to_numpy(float)
    if np.isfinite(seconds).any():
        found.append(
            {
                "figure": formats.duration(float(np.nansum(seconds))),
                "label": "trained",
                "detail": "the runs' steps, one after another; without the searches",
                "sign": "",
            }
        )
    return found


def _counted(cards: tuple[reproduction_words.Card, ...]) -> tuple[str, ...]:
    """Which verdict of a claim is counted on top, where there are two."""
    if all(len(card.judgements) == 1 for card in cards):
        return ()
    return ("Counted on top is what holds at searched learning rates, where there are some.",)


def parts(
    findings: Findings, kind: str, panels: tuple[Panel, ...], sections: list[Section]
) -> list[Part]:
    """What a section of the page shows, stage by stage."""
    stages = dict.fromkeys(findings.runs["stage"])
    found = []
    for stage in stages:
        own = tuple(p for p in panels if p.stage == stage and p.kind in PANELS[kind])
        tables = tuple(s for s in sections if s.kind == kind and s.stage == stage)
        if own or tables:
            title = reproduction_tables.stage_title(findings, str(stage))
            found.append(Part(title, own, tables))
    return found
