"""When the answer would be another one, in words."""

from __future__ import annotations

import math
from collections.abc import Sequence

from fallline.analysis.reading import Reading
from fallline.analysis.recommendation import Certainty, Recommendation
from fallline.analysis.tunability import Leader
from fallline.report import formats
from fallline.report.formats import MetricFormat, count, duration, listed
from fallline.report.recommendation_words import amount

_SPANS = 3
"""Leaders by budget that are named; where more take turns, the first two and the last."""


def changes(advice: Recommendation, reading: Reading) -> list[tuple[str, str]]:
    """When the answer would be another one: headings and sentences."""
    if advice.chosen is None or advice.certainty is Certainty.UNFINISHED:
        return []
    form, chosen = formats.metric_format(reading.document.task), advice.chosen.optimizer
    compared = bool(advice.others)
    found = [
        ("Fewer trials", _budget(advice.changes.budget, chosen) if compared else ""),
        ("Fewer epochs", _early(advice, reading, form) if compared else ""),
        ("Counting seconds", _seconds(advice, reading, form) if compared else ""),
        ("Other batch size", _batch(reading)),
    ]
    return [(heading, text) for heading, text in found if text]


def _budget(leaders: Sequence[Leader], chosen: str) -> str:
    """Who is to be expected ahead with how many trials."""
    if not leaders or leaders[-1].last < 2:
        return ""
    last = leaders[-1].last
    if len(leaders) == 1:
        alone = f"{leaders[0].optimizer} is ahead on average, with 1 to {last} trials"
        if leaders[0].optimizer == chosen:
            return f"{alone}."
        return f"{alone}. On the fresh seeds: {chosen}."
    shown = list(leaders) if len(leaders) <= _SPANS else [*leaders[:2], leaders[-1]]
    parts = [f"{each.optimizer} with {_span(each, last)}" for each in shown]
    if len(leaders) > _SPANS:
        parts.insert(2, "others between")
    text = f"Ahead on average: {', '.join(parts)}."
    return text if leaders[-1].optimizer == chosen else f"{text} On the fresh seeds: {chosen}."


def _span(leader: Leader, last: int) -> str:
    if leader.last == last and leader.first < last:
        return f"{leader.first} or more"
    unit = " trials" if leader.first == 1 else ""
    if leader.first == leader.last:
        return "1 trial" if leader.first == 1 else f"{leader.first}"
    between = "or" if leader.last == leader.first + 1 else "to"
    return f"{leader.first} {between} {leader.last}{unit}"


def _early(advice: Recommendation, reading: Reading, form: MetricFormat) -> str:
    assert advice.chosen is not None
    chosen, epochs = advice.chosen.optimizer, reading.document.protocol.epochs
    same = [each for each in advice.changes.early if each.optimizer == chosen]
    other = [each for each in advice.changes.early if each.optimizer != chosen]
    parts = [
        f"after {each.epoch} of {epochs} {each.optimizer} is ahead of {chosen}, by "
        f"{amount(each.difference, form, beside=advice.chosen.validation.mean)} on validation data"
        for each in other
    ]
    if same:
        after = listed([f"{each.epoch}" for each in same])
        of = "" if other else f" of {epochs}"
        parts.append(f"after {after}{of} nobody is surely ahead of {chosen}")
    text = "; ".join(parts)
    return f"{text[0].upper()}{text[1:]}." if text else ""


def _seconds(advice: Recommendation, reading: Reading, form: MetricFormat) -> str:
    assert advice.chosen is not None
    first, chosen = advice.changes.sooner, advice.chosen.optimizer
    own = advice.efforts[chosen].target_seconds
    figure = f"{form.figure(reading.target)} validation {form.title}"
    if first is None:
        if not math.isfinite(own):
            return ""
        return (
            f"Nobody reaches {figure} clearly sooner than {chosen} ({duration(own)} of training)."
        )
    late = (
        f"after {duration(first.chosen_seconds)}"
        if math.isfinite(first.chosen_seconds)
        else "not at all"
    )
    return (
        f"{first.optimizer} reaches {figure} after {duration(first.seconds)} of training, "
        f"{chosen} {late}."
    )


def _batch(reading: Reading) -> str:
    protocol, task = reading.document.protocol, reading.document.task
    other = 2 * protocol.batch_size
    if other > task.train_examples:
        other = max(1, protocol.batch_size // 2)
    return (
        f"Not known: this holds for batches of {count(protocol.batch_size)} and "
        f"{count(protocol.epochs)} epochs. The same command with --batch-size {other} finds out, "
        "as a study of its own."
    )
