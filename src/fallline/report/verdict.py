"""The verdict in one sentence, and the warnings that belong to it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from fallline.analysis.comparison import Relation
from fallline.analysis.reading import Reading
from fallline.analysis.resolution import unresolved
from fallline.analysis.summary import rows_of
from fallline.report import formats, search_words
from fallline.report.formats import MetricFormat, listed

if TYPE_CHECKING:
    import pandas as pd

FEW_SEEDS = 5


def verdict(reading: Reading) -> str:
    """Which optimizer to use, with which learning rate, and how sure that is: one sentence."""
    form = formats.metric_format(reading.document.task)
    measured = rows_of(reading.measured)
    if not reading.complete:
        return _unfinished(reading, form)
    if not measured:
        return "no run is stored, so there is nothing to say"
    best = measured[0]
    others = [row for row in measured[1:] if row["relation"] != Relation.FAILED]
    if best["final_diverged"] == best["seeds"]:
        return "every optimizer diverged on every fresh seed, so none can be recommended"
    figure = f"{form.figure(best['test_metric'])} test {form.title}"
    if math.isfinite(best["test_low"]):
        low, high = form.number(best["test_low"]), form.number(best["test_high"])
        figure += f" (95 % interval {low} to {high})"
    chosen = setting(best, searched=reading.document.protocol.searched) + _others(best, reading)
    against = [_against(others, form)] if others else []
    return "; ".join([f"use {chosen}: {figure}", *against, *_failed(reading)])


def _failed(reading: Reading) -> list[str]:
    """Who could not be trained, in a clause."""
    return [f"{listed(list(reading.failed))} failed"] if reading.failed else []


def setting(row: dict[str, Any], *, searched: bool = True) -> str:
    """``adam at 3.2e-3``, or the name alone where there is no learning rate."""
    if not math.isfinite(row["learning_rate"]):
        return str(row["optimizer"])
    default = "" if searched else ", its default"
    return f"{row['optimizer']} at {formats.learning_rate(row['learning_rate'])}{default}"


def _others(row: dict[str, Any], reading: Reading) -> str:
    """`` (beta_1 0.98)``: what a search chose besides the learning rate; empty where nothing."""
    protocol, described = reading.document.protocol, reading.document.optimizers
    defaults, values = described[row["optimizer"]].defaults, row["hyperparameters"]
    names = [each.name for each in protocol.dimensions.get(row["optimizer"], ())]
    changed = [
        f"{name} {values[name]:g}"
        for name in names
        if name != "learning_rate" and values.get(name) != defaults.get(name)
    ]
    return f" ({', '.join(changed)})" if changed else ""


def _against(others: list[dict[str, Any]], form: MetricFormat) -> str:
    """What the tests say of the others, in one clause."""
    named = {relation: _names(others, relation) for relation in Relation}
    better, equal = named[Relation.BETTER], named[Relation.NOT_DISTINGUISHABLE]
    maybe = named[Relation.PROBABLY_WORSE]
    if named[Relation.UNKNOWN]:
        return "with fewer than two fresh seeds, whether the others differ cannot be told"
    clauses = []
    if better:
        does = "does" if len(better) == 1 else "do"
        clauses.append(f"on test data {listed(better)} {does} better, which validation did not see")
    if equal and len(equal) == len(others):
        clauses.append(
            f"{listed(equal)} {'is' if len(equal) == 1 else 'are'} not distinguishable from it"
            + (", so no optimizer is shown to be better" if len(equal) > 1 else "")
        )
    elif equal:
        verb = "is" if len(equal) == 1 else "are"
        clauses.append(f"{listed(equal)} {verb} not distinguishable from it")
    if maybe:
        verb = "is" if len(maybe) == 1 else "are"
        clauses.append(f"{listed(maybe)} {verb} probably worse")
    if not (better or equal or maybe):
        counted = {1: "the other is", 2: "both others are"}
        worse = counted.get(len(others), f"all {len(others)} others are")
        clauses.append(f"{worse} distinguishably worse")
    return "; ".join(clauses)


def _names(rows: list[dict[str, Any]], relation: Relation) -> list[str]:
    return [row["optimizer"] for row in rows if row["relation"] == relation]


def _unfinished(reading: Reading, form: MetricFormat) -> str:
    stored = len(reading.runs)
    if not stored:
        return "the study is not finished: no run is stored yet"
    runs = "1 run is" if stored == 1 else f"{formats.count(stored)} runs are"
    leader = rows_of(reading.summary)[0]
    if not math.isfinite(leader["validation_metric"]):
        return f"the study is not finished: {runs} stored, and all of them diverged so far"
    figure = form.figure(leader["validation_metric"])
    return (
        f"the study is not finished: {runs} stored; so far {setting(leader)} leads with "
        f"{figure} validation {form.title}"
    )


def warnings(reading: Reading) -> list[str]:
    """What limits the verdict: short sentences, the weightiest first."""
    found = list(reading.problems)
    protocol, form = reading.document.protocol, formats.metric_format(reading.document.task)
    if not reading.complete:
        found.append("The study is not finished; the same command goes on with it.")
    found += _about_versions(reading)
    if protocol.left_out:
        found.append(search_words.left_out(reading))
    if late := search_words.overruns(reading):
        found.append(late)
    if not protocol.searched and not protocol.rule:
        found.append(
            "Every optimizer ran at its default learning rate and none was searched: "
            "this ranks the defaults as much as the optimizers."
        )
    found += [
        f"{name} failed, and ranks last: {reason}. The same command tries it again."
        for name, reason in reading.failed.items()
    ]
    found += _about_seeds(len(protocol.final_seeds))
    found += _about_doubt(reading)
    found += _about_borders(reading)
    found += _about_divergence(reading)
    found += _about_the_target(reading, form)
    found += _about_data(reading, form)
    return found


def _about_versions(reading: Reading) -> list[str]:
    """Whether other versions of the libraries trained a part of the runs."""
    document = reading.document
    others = {
        f"{name} {version}": f"{name} {document.versions.get(name, 'without')}"
        for former in document.history
        for name, version in former.versions.items()
    }
    if not others:
        return []
    return [
        f"A part of the runs was trained by {listed(list(others))}, and the rest by "
        f"{listed(list(dict.fromkeys(others.values())))}: their last digits may differ."
    ]


def _about_seeds(seeds: int) -> list[str]:
    if seeds < 2:
        return ["A single fresh seed gives no interval, and no difference can be told from chance."]
    if seeds < FEW_SEEDS:
        return [f"With only {seeds} fresh seeds the intervals are wide; add seeds to tell more."]
    return []


def _about_doubt(reading: Reading) -> list[str]:
    doubtful = _names(rows_of(reading.measured), Relation.PROBABLY_WORSE)
    if not doubtful:
        return []
    verb = "falls" if len(doubtful) == 1 else "fall"
    return [
        f"{listed(doubtful)} {verb} short of the best by more than the seeds' spread, but not by "
        "enough to be sure among so many optimizers; more fresh seeds would tell."
    ]


def _about_borders(reading: Reading) -> list[str]:
    found = []
    for border in ("largest", "smallest"):
        rows = rows_of(_trained(reading, reading.summary["border"] == border))
        if rows:
            names = [setting(row) for row in rows]
            more = "larger" if border == "largest" else "smaller"
            found.append(
                f"The best learning rate is the {border} tried for {listed(names)}: "
                f"a {more} one may do better."
            )
    return found


def _about_divergence(reading: Reading) -> list[str]:
    summary = _trained(reading)
    found = []
    late = rows_of(summary[summary["final_diverged"] > 0])
    for row in late[:3]:
        found.append(
            f"{setting(row)} diverged on {row['final_diverged']} of its {row['seeds']} fresh seeds."
        )
    if len(late) > 3:
        found.append(f"So did {len(late) - 3} other optimizers on at least one fresh seed.")
    total = int(summary["diverged"].sum())
    if total:
        rows = summary[summary["diverged"] > 0].sort_values("diverged", ascending=False)
        names = [f"{row['optimizer']} {row['diverged']}" for row in rows_of(rows)]
        of = formats.count(int(summary["runs"].sum()))
        found.append(f"{total} of {of} runs diverged and counted as the worst: {listed(names)}.")
    return found


def _trained(reading: Reading, rows: pd.Series[bool] | bool = True) -> pd.DataFrame:
    """Those ``rows`` of the summary whose optimizer did not fail."""
    return reading.summary[~reading.summary["optimizer"].isin(list(reading.failed)) & rows]


def _about_the_target(reading: Reading, form: MetricFormat) -> list[str]:
    measured = rows_of(reading.measured)
    if not reading.complete or not measured or not math.isinf(measured[0]["epochs_to_target"]):
        return []
    nobody = all(math.isinf(row["epochs_to_target"]) for row in measured)
    who = "No optimizer" if nobody and len(measured) > 1 else measured[0]["optimizer"]
    does = "reaches" if nobody and len(measured) > 1 else "does not reach"
    return [
        f"{who} {does} the target of {form.figure(reading.target)} validation {form.title} within "
        f"{formats.count(reading.document.protocol.epochs)} epochs: more of them may."
    ]


def _about_data(reading: Reading, form: MetricFormat) -> list[str]:
    """Splits that are too small for what is said on them."""
    if not reading.complete:
        return []
    found = []
    for each in unresolved(reading):
        size = formats.count(each.examples)
        one = f" (one of them is {form.number(each.step)} points)" if each.step else ""
        if each.split == "test":
            half = form.number(each.half_width) + (" points" if form.share else f" {form.title}")
            found.append(
                f"There are {size} test examples{one}: on as many others the figures could be off "
                f"by {half}, and differences that are smaller may not hold."
            )
        else:
            found.append(
                f"Only {size} validation examples{one} chose the settings and the ranking: others "
                "may choose otherwise."
            )
    return found
