"""How settings were chosen by a protocol, in words."""

from __future__ import annotations

from collections.abc import Iterator

from fallline.analysis.reading import Reading
from fallline.planning.protocol import Protocol, parse
from fallline.report.formats import count, duration, learning_rate, listed

OVERRUN = 1.1
"""A search that took this much more than its time is worth a sentence."""


def search(reading: Reading) -> str:
    """The search of a study whose document names a rule, as a paragraph."""
    protocol = parse(reading.document.protocol.rule)
    if protocol.kind == "self-tuning":
        return " ".join(_self_tuning(reading))
    return " ".join([*_trials(reading, protocol), *_scoring(reading), *_widening(reading)])


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


def _widening(reading: Reading) -> Iterator[str]:
    yield (
        "Where the best lay at the largest or smallest learning rate, up to a fifth of the trials "
        "went beyond it, out of the same effort."
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
