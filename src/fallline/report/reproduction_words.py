"""What the page of a series says in words: its form, its claims, how each stage was measured."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from fallline.analysis.published import FEW, HOLDS, OPEN, REVERSED, Findings
from fallline.analysis.summary import rows_of
from fallline.planning.studyfile import Changes, Measuring, Stage, measuring, stages_of
from fallline.report import formats
from fallline.report.reproduction_tables import (
    MODES,
    figure_word,
    number,
    overall,
    stage_title,
)

MOST_SHOWN = 3
"""Comparisons of a claim that its card shows at once."""
_SIGNS = {HOLDS: "holds", REVERSED: "reversed", OPEN: "open", FEW: "open"}
_FORMS = {
    "as published": (
        "As published: the data handling, the settings and the seeds of the publication, its "
        "flaws included."
    ),
    "quick": "Quick: a short form, to see that everything works. Its figures stand for no more.",
    "as it should be": (
        "As it should be: validation data chooses, fresh seeds measure, and what differs by "
        "chance is called so."
    ),
}


@dataclass(frozen=True)
class Judgement:
    """A claim in one mode."""

    measured: str
    verdict: str
    sign: str
    """``"holds"``, ``"reversed"`` or ``"open"``: how it is coloured."""
    summary: str
    """Over many comparisons, how many say what; else empty."""
    evidence: tuple[str, ...]


@dataclass(frozen=True)
class Card:
    """A claim, and what the runs say of it."""

    text: str
    stage: str
    about: str
    judgements: tuple[Judgement, ...]

    @property
    def last(self) -> Judgement:
        """The judgement that counts: at searched learning rates where there are some."""
        return self.judgements[-1]


def form_sentences(findings: Findings) -> str:
    """Which form of the study was run, and what is special to its budget."""
    file = findings.file
    parts = [_FORMS[part] for part in file.form.split(", ") if part in _FORMS]
    if file.publication is None and file.form == "as it should be":
        parts = ["In full, as its file says."]
    budget = changes_text(msgspec.structs.replace(file.base, task=None, optimizer=None, model={}))
    if "quick" in file.form and budget:
        parts.append(f"Here that is: {budget}.")
    return " ".join(parts or [f"Form: {file.form}."])


# -- claims -----------------------------------------------------------------------------------


def cards(findings: Findings) -> tuple[Card, ...]:
    """A card for each claim that was measured, in the file's order."""
    found = []
    for _, rows in findings.claims.groupby("claim", sort=False):
        first = rows.iloc[0]
        metric = _metric(findings, str(first["stage"]))
        judged = tuple(
            _judgement(str(mode), rows_of(own), metric)
            for mode, own in rows.groupby("mode", sort=False)
        )
        title = stage_title(findings, str(first["stage"]))
        found.append(Card(str(first["text"]), title, str(first["about"]), judged))
    return tuple(found)


def _metric(findings: Findings, stage: str) -> str:
    rows = findings.settings[findings.settings["stage"] == stage]
    return str(rows.iloc[0]["metric"])


def _judgement(mode: str, rows: list[dict[str, Any]], metric: str) -> Judgement:
    verdict = overall([row["verdict"] for row in rows])
    evidence = tuple(evidence_text(row, metric) for row in rows)
    return Judgement(MODES[mode], verdict, _SIGNS[verdict], _counted(rows), evidence)


def _counted(rows: list[dict[str, Any]]) -> str:
    """Of many comparisons, how many say what."""
    if len(rows) <= MOST_SHOWN:
        return ""
    verdicts = [row["verdict"] for row in rows]
    words = {HOLDS: "better than {}", REVERSED: "worse than {}", OPEN: "{} cannot be told"}
    words[FEW] = "{} with too few seeds"
    parts = [word.format(verdicts.count(key)) for key, word in words.items() if key in verdicts]
    return f"Against {len(rows)} others: {', '.join(parts)}."


def evidence_text(row: Mapping[str, Any], metric: str) -> str:
    """One comparison of a claim in words, with its interval and p-value."""
    figure, difference = row["figure"], row["difference"]
    word = figure_word(figure, metric)
    if not math.isfinite(difference):
        return f"{word}: no run that both have, against {row['second']}"
    size = number(abs(difference), figure, metric).removesuffix(" %")
    unit = " points" if figure.endswith("_metric") and metric == "accuracy" else ""
    more = "higher" if difference > 0 else "lower"
    told = f"{size}{unit} {more} than" if difference else "the same as"
    text = f"{row['first']}: {word} {told} {row['second']}"
    if not math.isfinite(row["low"]):
        return text
    low, high = (_signed(row[end], figure, metric) for end in ("low", "high"))
    p_value = formats.p_value(row["p_value"])
    return f"{text} (95 % interval {low} to {high}, p {p_value})"


def _signed(value: float, figure: str, metric: str) -> str:
    text = number(abs(value), figure, metric).removesuffix(" %")
    return f"{'-' if value < 0 else '+'}{text}"


def tally(found: tuple[Card, ...]) -> dict[str, int]:
    """How many claims hold, are reversed and are open, as their last judgements say."""
    signs = [card.last.sign for card in found]
    return {sign: signs.count(sign) for sign in ("holds", "reversed", "open")}


# -- protocol ---------------------------------------------------------------------------------


def changes_text(changes: Changes) -> str:
    """What ``changes`` say, in words: ``20 epochs, batches of 64, data: rows 6000``."""
    parts = []
    if changes.task:
        parts.append(f"task {changes.task}")
    if changes.epochs:
        parts.append("1 epoch" if changes.epochs == 1 else f"{changes.epochs} epochs")
    if changes.batch_size:
        whole = changes.batch_size == "all"
        parts.append("all examples in a batch" if whole else f"batches of {changes.batch_size}")
    if changes.loss:
        parts.append(f"loss {changes.loss}")
    for name in ("l1", "l2"):
        if getattr(changes, name):
            parts.append(f"{name.upper()} penalty {getattr(changes, name):g}")
    for word, table in (("network", changes.model), ("data", changes.data)):
        if table:
            said = ", ".join(f"{key.replace('_', ' ')} {_said(v)}" for key, v in table.items())
            parts.append(f"{word}: {said}")
    if changes.optimizer:
        parts.append(f"optimizer {changes.optimizer}")
    return ", ".join(parts)


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return " × ".join(map(_said, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def protocol(findings: Findings) -> list[tuple[str, list[str]]]:
    """For each stage its title and how it was measured, in sentences."""
    file = findings.file
    found = []
    for name, stage in stages_of(file).items():
        base = changes_text(file.base.then(stage.base))
        said = [f"Trained: {base}."] if base else []
        said += [_varied(findings, stage), *_measured(measuring(file, stage))]
        if stage.choose:
            said.append(f"Chosen by the mean {stage.choose.replace('_', ' ')}, for later stages.")
        if not (findings.runs["stage"] == name).any():
            said.append("Not yet measured.")
        found.append((stage_title(findings, name) or "The settings", [s for s in said if s]))
    return found


def _varied(findings: Findings, stage: Stage) -> str:
    axes = stage.vary or ([] if findings.file.stages else list(findings.file.axes))
    parts = []
    for axis in axes:
        labels = list(stage.only.get(axis, findings.file.axes[axis]))
        parts.append(f"{axis} ({'; '.join(labels)})")
    held = [f"{axis} {label}" for axis, label in stage.fixed.items()]
    text = f"Varied: {', and '.join(parts)}" if parts else ""
    if held:
        text += f"{'; ' if text else ''}held: {', '.join(held)}"
    return f"{text}." if text else ""


def _measured(given: Measuring) -> list[str]:
    seeds = "a single seed" if given.final_seeds == 1 else f"{given.final_seeds} fresh seeds"
    where = f"on {given.folds} folds, with {seeds} each" if given.folds else f"on {seeds}"
    said = [f"Each setting is measured {where}."]
    if given.tuned:
        rates = given.learning_rates
        points = (
            f"{rates} learning rates"
            if isinstance(rates, int)
            else (f"the learning rates {', '.join(map(formats.learning_rate, rates))}")
        )
        wider = ", with more beyond the end where the best one lies there" if given.widen else ""
        searched = f"{points} on {given.seeds} {'seed' if given.seeds == 1 else 'seeds'}{wider}"
        also = "At the file's settings, and at" if given.untuned else "At"
        said.append(f"{also} the learning rate that is best on validation data of {searched}.")
    else:
        said.append("At the file's own settings; nothing is searched.")
    if given.stop:
        stop = given.stop
        said.append(
            f"Stopped early when the {stop.monitor.replace('_', ' ')} has not improved by more "
            f"than {stop.min_delta:g} for {stop.patience} epochs."
        )
    return said


def citation(findings: Findings) -> str:
    """The publication, as one line; empty without one."""
    publication = findings.file.publication
    if publication is None:
        return ""
    year = str(publication.year) if publication.year else ""
    return ", ".join(filter(None, [publication.authors, publication.title, year])) + "."


def warnings(problems: Iterable[str], failed: Mapping[str, str]) -> list[str]:
    """What is wrong with a series' studies, a sentence each: damage first, then what failed."""
    again = "its runs count as diverged. The same command tries it again."
    return [*problems, *(f"{name} failed: {reason}; {again}" for name, reason in failed.items())]
