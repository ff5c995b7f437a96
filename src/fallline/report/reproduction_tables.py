"""The tables of a series as text: what a terminal, a Markdown file and the page print."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fallline.analysis.published import FEW, HOLDS, OPEN, REVERSED, Findings
from fallline.planning.studyfile import stages_of
from fallline.report import formats
from fallline.report.tables import TextTable

if TYPE_CHECKING:
    import pandas as pd

MODES = {"untuned": "at the file's settings", "tuned": "at searched learning rates"}
AS_PUBLISHED = "as published"
SHOWN = ("train_loss", "train_metric", "validation_loss", "validation_metric", "test_metric")
_WORDS = {
    "train_loss": "training loss",
    "validation_loss": "validation loss",
    "test_loss": "test loss",
    "epochs_trained": "epochs",
}
_PLACES = {"train": "training", "validation": "validation", "test": "test"}


@dataclass(frozen=True)
class Section:
    """A table with its heading."""

    kind: str
    """``"settings"``, ``"tuning"``, ``"published"`` or ``"claims"``."""
    stage: str
    """Empty where it is of all stages."""
    title: str
    table: TextTable


def sections(findings: Findings) -> list[Section]:
    """Every table of the report, in the order in which it is read."""
    return [
        *_published(findings),
        *_claims(findings),
        *_settings(findings),
        *_tuning(findings),
    ]


def stage_title(findings: Findings, stage: str) -> str:
    """A stage as people call it; nothing where it is the only one and has no title."""
    stages = stages_of(findings.file)
    return stages[stage].title or ("" if len(stages) == 1 else stage)


def figure_word(figure: str, metric: str) -> str:
    """``validation accuracy``, ``training loss``."""
    if figure in _WORDS:
        return _WORDS[figure]
    place = _PLACES[figure.removesuffix("_metric")]
    return f"{place} {'RMSE' if metric == 'rmse' else metric}"


def number(value: float, figure: str, metric: str) -> str:
    """A figure as people write it: a share in percent, a loss to four digits."""
    if not math.isfinite(value):
        return formats.NONE
    if figure == "epochs_trained":
        return f"{value:.4g}"
    if figure.endswith("_metric") and metric == "accuracy":
        return f"{100 * value:.2f} %"
    return f"{value:.4f}"


def _spread(value: float, low: float, high: float, figure: str, metric: str) -> str:
    """``97.93 % ± 0.12``."""
    text = number(value, figure, metric)
    if text == formats.NONE or not (math.isfinite(low) and math.isfinite(high)):
        return text
    half = max(high - value, value - low)
    if text.endswith("%"):
        return f"{text} ± {100 * half:.2f}"
    return f"{text} ± {half:.1f}" if figure == "epochs_trained" else f"{text} ± {half:.4f}"


def _signed(value: float, figure: str, metric: str) -> str:
    """A difference with its sign; of shares in percentage points."""
    text = number(abs(value), figure, metric).removesuffix(" %")
    return text if text == formats.NONE else f"{'-' if value < 0 else '+'}{text}"


def _settings(findings: Findings) -> Iterator[Section]:
    several = findings.settings["mode"].nunique() > 1 if len(findings.settings) else False
    for (stage, mode), rows in _groups(findings.settings, ["stage", "mode"]):
        metric = rows.iloc[0]["metric"]
        shown = [name for name in SHOWN if rows[name].notna().any()]
        trained = rows["epochs_trained"].nunique() > 1
        columns = [("setting", False), *((figure_word(name, metric), True) for name in shown)]
        columns += [("against the best", False), ("learning rate", True)]
        columns += [*([("epochs", True)] if trained else []), ("time of a training", True)]
        texts = []
        for row in rows.to_dict("records"):
            cells = [row["setting"] + _diverged(row)]
            cells += [
                _spread(row[name], row[f"{name}_low"], row[f"{name}_high"], name, metric)
                for name in shown
            ]
            cells += [_standing(row, metric), formats.learning_rate(row["learning_rate"])]
            cells += [*([f"{row['epochs_trained']:.4g}"] if trained else [])]
            texts.append((*cells, formats.duration(row["seconds"])))
        heading = stage_title(findings, stage) or "Settings"
        ranked = figure_word(rows.iloc[0]["ranked_by"], metric)
        notes = (f"Best first, by {ranked}; ± half of the 95 % interval over {_seeds(rows)}.",)
        yield Section(
            "settings",
            stage,
            f"{heading}, {MODES[mode]}" if several else heading,
            _table(columns, texts, notes),
        )


def _groups(frame: pd.DataFrame, names: list[str]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if len(frame):
        for key, rows in frame.groupby(names, sort=False):
            yield tuple(map(str, key)), rows


def _seeds(rows: pd.DataFrame) -> str:
    seeds = sorted({int(value) for value in rows["seeds"]})
    return f"{seeds[-1]} seeds" if seeds[-1] > 1 else "1 seed (no interval)"


def _diverged(row: dict[str, Any]) -> str:
    return f" ({row['diverged']} of {row['seeds']} diverged)" if row["diverged"] else ""


def _standing(row: dict[str, Any], metric: str) -> str:
    if row["relation"] in ("best", "diverged", "cannot tell", "not distinguishable"):
        return str(row["relation"])
    return f"{row['relation']} ({_signed(row['difference'], row['ranked_by'], metric)})"


def _tuning(findings: Findings) -> Iterator[Section]:
    for (stage,), rows in _groups(findings.tuning, ["stage"]):
        metric, figure = rows.iloc[0]["metric"], rows.iloc[0]["figure"]
        word = figure_word(figure, metric)
        columns = [
            ("setting", False),
            ("the file's rate", True),
            (f"{word} there", True),
            ("rank", True),
            ("searched rate", True),
            (f"{word} there", True),
            ("rank", True),
            ("gained by tuning (95 % interval)", False),
        ]
        texts = [
            (
                row["setting"],
                formats.learning_rate(row["untuned_rate"]),
                number(row["untuned"], figure, metric),
                str(row["untuned_rank"]),
                formats.learning_rate(row["tuned_rate"]),
                number(row["tuned"], figure, metric),
                str(row["tuned_rank"]),
                _difference(row, figure, metric),
            )
            for row in rows.to_dict("records")
        ]
        heading = stage_title(findings, stage)
        title = f"Tuned beside untuned{': ' + heading if heading else ''}"
        yield Section("tuning", stage, title, _table(columns, texts))


def _points(figure: str, metric: str) -> str:
    """The unit of a difference of figures."""
    return " points" if figure.endswith("_metric") and metric == "accuracy" else ""


def _difference(row: dict[str, Any], figure: str, metric: str) -> str:
    text = _signed(row["difference"], figure, metric)
    if text != formats.NONE:
        text += _points(figure, metric)
    if not math.isfinite(row["low"]):
        return text
    low, high = (_signed(row[end], figure, metric) for end in ("low", "high"))
    p_value = formats.p_value(row["p_value"])
    return f"{text} ({low} to {high}; p {p_value})"


def _published(findings: Findings) -> Iterator[Section]:
    measured = findings.published[findings.published["ours"].notna()]
    for (stage,), rows in _groups(measured, ["stage"]):
        columns = [("setting", False), ("figure", False), ("theirs", True), ("ours", True)]
        columns += [("a further run of ours", True), ("ours less theirs", True), ("fits", False)]
        texts = []
        for row in rows.to_dict("records"):
            figure, metric = row["figure"], row["metric"]
            word = figure_word(figure, metric)
            texts.append(
                (
                    row["setting"],
                    f"{word}, epoch {row['epoch']}" if row["epoch"] else word,
                    number(row["theirs"], figure, metric),
                    number(row["ours"], figure, metric),
                    _range(row, figure, metric),
                    _signed(row["difference"], figure, metric),
                    {None: "one seed", True: "yes", False: "no"}[row["inside"]],
                )
            )
        heading = stage_title(findings, stage)
        fit = [row for row in rows["inside"] if row is not None]
        notes = [f"{sum(fit)} of {len(fit)} published figures fit."] if fit else []
        notes.append(
            "A further run: where 95 of 100 single runs like ours lie; theirs is one run. "
            "Differences of shares are in percentage points."
        )
        if AS_PUBLISHED not in findings.file.form:
            notes.append(
                "This form of the study trains and splits otherwise than the publication did: its "
                "form as published, where it has one, is to be held against it."
            )
        title = f"Published and reproduced{': ' + heading if heading else ''}"
        yield Section("published", stage, title, _table(columns, texts, tuple(notes)))


def _range(row: dict[str, Any], figure: str, metric: str) -> str:
    if not math.isfinite(row["low"]):
        return formats.NONE
    return f"{number(row['low'], figure, metric)} to {number(row['high'], figure, metric)}"


def _claims(findings: Findings) -> Iterator[Section]:
    if not len(findings.claims):
        return
    columns = [("claim", False), ("measured", False), ("verdict", False), ("evidence", False)]
    metrics = findings.settings.drop_duplicates("stage").set_index("stage")["metric"]
    texts = []
    for (_, mode), rows in _groups(findings.claims, ["claim", "mode"]):
        first = rows.iloc[0]
        metric = str(metrics[first["stage"]])
        texts.append(
            (
                first["text"],
                MODES[mode],
                overall(rows["verdict"].tolist()),
                "; ".join(_evidence(row, metric) for row in rows.to_dict("records")),
            )
        )
    notes = (
        "Paired by seed, with Holm's correction over the comparisons of a claim; "
        "differences are the first setting's figure less the other's.",
    )
    yield Section("claims", "", "What becomes of the claims", _table(columns, texts, notes))


def overall(verdicts: list[str]) -> str:
    """A claim's verdict over all that it compares with: as strong as its weakest part."""
    for verdict in (REVERSED, FEW, OPEN):
        if verdict in verdicts:
            return verdict
    return HOLDS


def _evidence(row: dict[str, Any], metric: str) -> str:
    word = figure_word(row["figure"], metric)
    return f"{word} {_difference(row, row['figure'], metric)} against {row['second']}"


def _table(
    columns: Sequence[tuple[str, bool]],
    rows: Sequence[tuple[str, ...]],
    notes: tuple[str, ...] = (),
) -> TextTable:
    return TextTable(
        columns=tuple(name for name, _ in columns),
        numeric=tuple(numeric for _, numeric in columns),
        rows=tuple(rows),
        notes=notes,
    )
