"""The recommendation as the page, the terminal and JSON have it."""

from __future__ import annotations

import enum
import math
import textwrap
from dataclasses import fields, is_dataclass
from typing import Any

from fallline.analysis.effort import Effort
from fallline.analysis.reading import Reading
from fallline.analysis.recommendation import Certainty, Recommendation, recommend
from fallline.report import change_words, formats, tables, verdict
from fallline.report import code as pasting
from fallline.report import recommendation_words as words
from fallline.report.code import Code
from fallline.report.formats import MetricFormat

LINE = 100
"""Characters of a line in the terminal; the verdict and the code are not broken."""
_LABEL = 17


def content(reading: Reading) -> dict[str, Any]:
    """What the page's partial ``recommendation.html.jinja`` is filled with."""
    advice = recommend(reading)
    form = formats.metric_format(reading.document.task)
    codes = _codes(advice, reading)
    return {
        "chosen": advice.chosen is not None and advice.certainty is not Certainty.UNFINISHED,
        "parts": [
            (heading, " ".join(sentences))
            for heading, sentences in (
                ("What to use", words.use(advice, reading)),
                ("How sure", words.sureness(advice, reading)),
                ("What else may do as well", words.alternatives(advice, reading)),
            )
            if sentences
        ],
        "equals": equals(advice, form),
        "close": "a point" if form.share else "1 %",
        "changes": change_words.changes(advice, reading),
        "warnings": verdict.warnings(reading),
        "codes": codes,
        "shown": pasting.first(codes).framework if codes else "",
    }


def equals(advice: Recommendation, form: MetricFormat) -> list[dict[str, str]]:
    """A row for the chosen one and for each that is as good; none where there is no such one."""
    if advice.chosen is None or not advice.equals:
        return []
    chosen = advice.chosen
    first = advice.efforts[chosen.optimizer]
    rows = [_row(first, chosen.learning_rate, "the best")]
    for each in advice.equals:
        most = words.amount_at_most(each.bound, form)
        rows.append(_row(advice.efforts[each.optimizer], each.learning_rate, most))
    return rows


def _row(effort: Effort, rate: float, differs: str) -> dict[str, str]:
    least = "≥ " if effort.decades_open else ""
    return {
        "optimizer": effort.optimizer,
        "rate": formats.learning_rate(rate) if effort.needs_rate else "needs none",
        "differs": differs,
        "trials": formats.count(effort.trials),
        "span": f"{least}{words.factor(effort.decades)}"
        if math.isfinite(effort.decades)
        else formats.NONE,
        "step": formats.duration(effort.step_seconds),
        "target": "not reached"
        if math.isinf(effort.target_seconds)
        else formats.duration(effort.target_seconds),
    }


def lines(reading: Reading) -> list[str]:
    """For the terminal: the verdict, its limits, its reasons, and a line of code."""
    advice = recommend(reading)
    found = [verdict.verdict(reading)]
    found += [f"  note: {warning}" for warning in verdict.warnings(reading)]
    if advice.certainty is Certainty.NOTHING:
        return [*found, "", *_hanging("what to do", " ".join(words.sureness(advice, reading)))]
    if advice.chosen is None or advice.certainty is Certainty.UNFINISHED:
        return found
    parts = [
        ("how sure", " ".join(words.sureness(advice, reading))),
        ("maybe as good", " ".join(words.alternatives(advice, reading))),
        *((heading.lower(), text) for heading, text in change_words.changes(advice, reading)),
    ]
    found.append("")
    for heading, text in parts:
        if text:
            found += _hanging(heading, text)
    return [*found, *_code_lines(_codes(advice, reading))]


def _hanging(heading: str, text: str) -> list[str]:
    """``text`` beside its heading, in lines of `LINE` characters."""
    return textwrap.wrap(
        text,
        LINE,
        initial_indent=f"{heading + ':':<{_LABEL}} ",
        subsequent_indent=" " * (_LABEL + 1),
        break_long_words=False,
        break_on_hyphens=False,
    )


def _code_lines(codes: tuple[Code, ...]) -> list[str]:
    if not codes:
        return []
    shown = pasting.first(codes)
    rest = formats.listed([each.title for each in codes if each.framework != shown.framework])
    label = f"{shown.title}:"
    return [f"{label:<{_LABEL}} {shown.call}", f"{'':<{_LABEL}} ({rest}: in the report)"]


def _codes(advice: Recommendation, reading: Reading) -> tuple[Code, ...]:
    return () if advice.chosen is None else pasting.codes(reading, advice.chosen)


def as_json(reading: Reading) -> dict[str, Any]:
    """The recommendation as data and in words, for JSON: None for what there is not."""
    advice = recommend(reading)
    data = {
        **_data(advice),
        "efforts": [_data(each) for each in advice.efforts.values()],
        "as_good": [each.optimizer for each in advice.equals],
        "words": {
            "use": words.use(advice, reading),
            "how_sure": words.sureness(advice, reading),
            "as_good": words.alternatives(advice, reading),
            "changes": [
                f"{heading}: {text}" for heading, text in change_words.changes(advice, reading)
            ],
            "mind": verdict.warnings(reading),
        },
        "code": {each.framework: each.text for each in _codes(advice, reading)},
    }
    plain: dict[str, Any] = tables.plain(data)
    return plain


def _data(value: Any) -> Any:
    """Records as mappings by the names of their fields, members of enumerations as texts."""
    if isinstance(value, enum.Enum):
        return str(value.value)
    if is_dataclass(value):
        return {each.name: _data(getattr(value, each.name)) for each in fields(value)}
    if hasattr(value, "_asdict"):
        return {name: _data(each) for name, each in value._asdict().items()}
    if isinstance(value, dict):
        return {str(key): _data(each) for key, each in value.items()}
    return [_data(each) for each in value] if isinstance(value, (list, tuple)) else value
