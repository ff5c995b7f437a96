"""How settings were chosen by a protocol, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from fallline.analysis.reading import Reading
from fallline.planning import halving
from fallline.planning.protocol import Protocol, parse
from fallline.report.formats import count, duration, learning_rate, listed

if TYPE_CHECKING:
    import pandas as pd

OVERRUN = 1.1
"""A search that took this much more than its time is worth a sentence."""


def search(reading: Reading) -> str:
    """The search of a study whose document names a rule, as a paragraph."""
    protocol = parse(reading.document.protocol.rule)
    if protocol.kind == "self-tuning":
        return " ".join(_self_tuning(reading))
    chosen = _halving(reading, protocol) if protocol.halving else _scoring(reading)
    return " ".join([*_trials(reading, protocol), *chosen, *_widening(reading, protocol)])


def left_out(reading: Reading) -> str:
    """Who is not in the study though it was asked for, in a sentence; empty where nobody is."""
    names = reading.document.protocol.left_out
    if not names:
        return ""
    them, verb = ("It", "needs") if len(names) == 1 else ("They", "need")
    return (
        f"Left out: {listed(list(names), most=6)}. {them} {verb} a learning rate, and this "
        "protocol searches none."
    )


def overruns(reading: Reading) -> str:
    """Who was searched for longer than was asked, in a sentence; empty where nobody was."""
    rule, timing = reading.document.protocol.rule, reading.timing
    if not rule or timing is None or parse(rule).kind != "time":
        return ""
    limit = parse(rule).seconds
    late = [
        f"{name} ({duration(seconds)})"
        for name, seconds in timing.searched.items()
        if seconds > OVERRUN * limit
    ]
    if not late:
        return ""
    return (
        f"The search took longer than {duration(limit)} for {listed(late)}: compiling and the "
        "first trials alone take more."
    )


def _self_tuning(reading: Reading) -> Iterator[str]:
    yield (
        "There was none: the protocol self-tuning compares optimizers that find their step length "
        "themselves, or have no learning rate, each at its own defaults."
    )
    if out := left_out(reading):
        yield out


def _trials(reading: Reading, protocol: Protocol) -> Iterator[str]:
    if protocol.kind == "budget":
        yield f"Each optimizer tried {count(protocol.trials)} settings, its default first."
    else:
        yield (
            f"Each optimizer was searched for {duration(protocol.seconds)} of wall time, compiling "
            f"included, while no other one trained, its default first{_tried(reading)}."
        )
    points = "The others lie at quasi-random points (Sobol), the same for all optimizers and each "
    points += "in the optimizer's own ranges"
    if protocol.method == "tpe":
        points += ", up to the tenth; then Optuna's TPE chose, for each optimizer, where its best "
        points += "ones lie, in rounds"
    yield f"{points}."
    if reading.document.protocol.points[6:]:
        yield (
            "Up to the 7th trial the learning rate alone varies, then momentum too"
            + (", from the 21st on epsilon too." if reading.document.protocol.points[19:] else ".")
            + " The chart by learning rate shows the trials that vary nothing else."
        )
    dimensions = reading.document.protocol.dimensions
    bare = [name for name, own in dimensions.items() if not own]
    if bare:
        verb = "has" if len(bare) == 1 else "have"
        yield f"{listed(bare)} {verb} none of these, and ran at the default setting alone."


def _tried(reading: Reading) -> str:
    """What became of the time, by optimizer."""
    if reading.timing is None or not reading.timing.searched:
        return ""
    searched = reading.runs[reading.runs["phase"] == "search"]
    trials = searched.groupby("optimizer")["hyperparameters"].nunique()
    found = [
        f"{name} {count(tried)} {'trial' if tried == 1 else 'trials'} in {duration(seconds)}"
        for name, seconds in reading.timing.searched.items()
        if (tried := trials.get(name, 0))
    ]
    return f" ({listed(found, most=len(found))})"


def _scoring(reading: Reading) -> Iterator[str]:
    protocol = reading.document.protocol
    first, confirmed = len(protocol.search_seeds), len(protocol.confirm_seeds)
    seeds = "one seed" if first == 1 else f"{first} seeds"
    figure = "the best mean validation figure after the last epoch"
    if confirmed == first:
        yield f"Every trial ran on {seeds}, and the one with {figure} was chosen."
        return
    yield (
        f"Every trial ran on {seeds}, the best tenth of them on {confirmed} in all, and of these "
        f"the one with {figure} was chosen. A trial that diverged ranks behind all others."
    )


def _halving(reading: Reading, asked: Protocol) -> Iterator[str]:
    protocol = reading.document.protocol
    first, confirmed = len(protocol.search_seeds), len(protocol.confirm_seeds)
    rungs = halving.rungs(protocol.epochs, asked.trials, asked.halving)
    part = {2: "half", 3: "third", 4: "quarter"}.get(asked.halving, f"{asked.halving}th part")
    yield (
        f"Every trial ran on {'one seed' if first == 1 else f'{first} seeds'}, and weak ones were "
        f"stopped early (successive halving): after {_epochs(rungs)} only the best {part} of an "
        "optimizer's trials went on, by their validation figures there; one that diverged was "
        "behind all others."
    )
    if stopped := _stopped(reading, rungs):
        yield stopped
    if confirmed > first:
        yield (
            "Where several were trained to the end, the best tenth of them ran on "
            f"{confirmed} seeds in all."
        )
    yield (
        "Of those trained to the end the one with the best mean validation figure was chosen. "
        "Where a chart shows trials, a stopped one has its figure at the rung. A trial that needs "
        "long to become good may be stopped wrongly: a budget without halving trains all of them."
    )


def _epochs(rungs: Sequence[int]) -> str:
    return f"epoch{'s' if len(rungs) > 1 else ''} {listed([str(each) for each in rungs])}"


def _stopped(reading: Reading, rungs: Sequence[int]) -> str:
    """How many trials were stopped at which rung, and what that saved; empty where none was."""
    seeds = reading.document.protocol.search_seeds
    searched = reading.runs[reading.runs["phase"] == "search"]
    searched = searched[searched["seed"].isin(seeds)]
    out = searched[searched["stopped"]]
    if out.empty:
        return ""
    trials = out.drop_duplicates(["optimizer", "hyperparameters"])
    at = [f"{count(number)} at epoch {rung}" for rung in rungs if (number := _at(trials, rung))]
    saved = int((out["epochs"] - out["epochs_trained"]).sum())
    whole = int(searched["epochs"].sum())
    every = len(searched.drop_duplicates(["optimizer", "hyperparameters"]))
    return (
        f"Of {count(every)} trials {listed(at)} were stopped, which saved {count(saved)} of "
        f"{count(whole)} epochs ({saved / whole:.0%})."
    )


def _at(trials: pd.DataFrame, rung: int) -> int:
    return int((trials["epochs_trained"] == rung).sum())


def _widening(reading: Reading, protocol: Protocol) -> Iterator[str]:
    at = " at the first rung" if protocol.halving else ""
    yield (
        f"Where the best{at} lay at the largest or smallest learning rate, up to a fifth of the "
        "trials went beyond it, out of the same effort."
    )
    if beyond := widened(reading):
        yield f"So ranges were widened: {listed(beyond, most=6)}."


def widened(reading: Reading) -> list[str]:
    """The optimizers whose learning rate was searched beyond its range, and how far."""
    found = []
    searched = reading.runs[reading.runs["phase"] == "search"]
    for name, own in reading.document.protocol.dimensions.items():
        tried = searched[searched["optimizer"] == name]["learning_rate"]
        for each in own:
            if each.name == "learning_rate" and len(tried):
                ends = [tried.min()] if tried.min() < each.low else []
                ends += [tried.max()] if tried.max() > each.high else []
                if ends:
                    found.append(f"{name} to {listed([learning_rate(end) for end in ends])}")
    return found
