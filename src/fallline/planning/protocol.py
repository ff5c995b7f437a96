"""How optimizers are given their settings before they are compared: the protocol of a study."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

from fallline.errors import InputError, near_matches, unknown
from fallline.planning.halving import FACTOR, LEAST_FACTOR

Kind = Literal["grid", "defaults", "budget", "time", "self-tuning"]
Method = Literal["sobol", "tpe"]

FORMS: dict[str, str] = {
    "grid": "grid",
    "defaults": "defaults",
    "budget": "budget 15",
    "time": "time 60s",
    "self-tuning": "self-tuning",
}
"""Every kind of protocol with an example of how it is written."""
METHODS: dict[str, str] = {
    "sobol": "quasi-random points, the same for all optimizers",
    "tpe": "each optimizer's next points where its best ones lie (Optuna)",
}
MOST_TRIALS = 512
"""Trials of an optimizer; their points are written into the study's file."""
MOST_TIMED_TRIALS = 256
"""Trials of an optimizer whose search is limited by time."""
CONFIRMED_SEEDS = 3
"""Seeds that the best tenth of the trials have at least, before one is chosen."""
CONFIRMED_SHARE = 0.1
"""Of an optimizer's trials, rounded up, that are confirmed."""
FRESH_SEEDS = 10
"""On which the chosen settings are measured, unless another number is asked for."""
HALVING = "halving"
_UNITS = {
    **dict.fromkeys(("s", "sec", "second", "seconds"), 1.0),
    **dict.fromkeys(("m", "min", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hour", "hours"), 3600.0),
}
_DIGITS = 18
"""Of a whole number, beyond which it is not read."""
_PARTED = re.compile(r"[\s:]+")
_TIME = re.compile(r"(?P<number>[0-9]*\.?[0-9]+(?:e[+-]?[0-9]+)?) *(?P<unit>[a-z]*)")


@dataclass(frozen=True)
class Protocol:
    """A rule by which every optimizer gets its setting, and the same effort for it.

    ``"grid"``: a grid of learning rates, widened. ``"defaults"``: no search. ``"budget"``: so many
    ``trials`` each. ``"time"``: so many ``seconds`` of wall time each, compiling included.
    ``"self-tuning"``: optimizers that need no learning rate, at their defaults.
    """

    kind: Kind = "grid"
    trials: int = 0
    """Of each optimizer, its default setting included; 0 where trials are not counted."""
    seconds: float = 0.0
    """Of wall time for the search of each optimizer; 0 where time is not limited."""
    method: Method = "sobol"
    halving: int = 0
    """Of a budget's trials, one in so many goes on at each rung; 0: all are trained to the end."""

    def __post_init__(self) -> None:
        if self.kind not in FORMS:
            raise unknown("protocol", self.kind, FORMS)
        if self.method not in METHODS:
            raise unknown("search method", self.method, METHODS)
        if self.kind == "budget" and not 1 <= self.trials <= MOST_TRIALS:
            raise InputError(
                f"a budget is 1 to {MOST_TRIALS} trials of each optimizer, got {self.trials}",
                hint="for example --protocol 'budget 15'",
            )
        if self.kind == "time" and not (math.isfinite(self.seconds) and self.seconds > 0):
            raise InputError(
                f"the time of an optimizer must be more than 0 s, got {self.seconds:g} s",
                hint="for example --protocol 'time 60s'",
            )
        if self.halving:
            self._can_halve()

    def _can_halve(self) -> None:
        if self.kind != "budget":
            raise InputError(
                f"successive halving is of a budget of trials, not of the protocol {self.kind}",
                hint="for example --protocol 'budget 30 halving'",
            )
        if self.method != "sobol":
            raise InputError(
                f"successive halving goes with the shared points alone, not with {self.method}",
                hint=f"give 'budget {self.trials} halving', or 'budget {self.trials} tpe'",
            )
        if not LEAST_FACTOR <= self.halving <= self.trials:
            raise InputError(
                f"with {self.trials} trials one in {LEAST_FACTOR} to {self.trials} can go on at "
                f"a rung of successive halving, got one in {self.halving}",
                hint="for example 'budget 30 halving' (one in 3) or 'budget 30 halving 4'",
            )

    def __str__(self) -> str:
        """As it is written, and read again by :func:`parse`."""
        if self.kind == "budget":
            words = [f"budget {self.trials}", self.method if self.method != "sobol" else ""]
            words += [HALVING] if self.halving else []
            words += [f"{self.halving}"] if self.halving not in (0, FACTOR) else []
            return " ".join(filter(None, words))
        if self.kind != "time":
            return self.kind
        short = f"{self.seconds:g}"
        return f"time {short if float(short) == self.seconds else repr(self.seconds)} s"

    @property
    def searches(self) -> bool:
        """Whether it chooses settings on validation data."""
        return self.kind not in ("defaults", "self-tuning")

    @property
    def sampled(self) -> bool:
        """Whether its trials are points of the ranges, scored in two stages."""
        return self.kind in ("budget", "time")

    @property
    def search_seeds(self) -> int:
        """Seeds of every trial, unless another number is asked for."""
        return 1 if self.sampled else 3

    @property
    def final_seeds(self) -> int:
        """Fresh seeds, unless another number is asked for."""
        return 5 if self.kind in ("grid", "defaults") else FRESH_SEEDS


GRID, DEFAULTS = Protocol(), Protocol("defaults")


def parse(text: str) -> Protocol:
    """The protocol that ``text`` asks for: ``"budget 15"``, ``"budget:30 tpe"``, ``"time 60s"``."""
    word, *rest = [part for part in _PARTED.split(text.strip().lower()) if part] or [""]
    if not word:
        raise InputError("no protocol was given", hint=f"there are {_listed()}")
    kind = word.replace("_", "-")
    if kind == "self" and rest[:1] == ["tuning"]:
        kind, rest = "self-tuning", rest[1:]
    if kind not in FORMS:
        near = near_matches(kind, FORMS)
        asked = f"did you mean {' or '.join(repr(FORMS[each]) for each in near)}? " if near else ""
        raise InputError(f"unknown protocol {text!r}", hint=f"{asked}there are {_listed()}")
    if kind == "budget":
        return _budget(text, rest)
    if kind == "time":
        return _time(text, rest)
    if rest:
        raise InputError(
            f"the protocol {kind} takes nothing more, got {' '.join(rest)!r}",
            hint=f"write --protocol {kind}",
        )
    return Protocol(cast("Kind", kind))


def _listed() -> str:
    return ", ".join(repr(form) for form in FORMS.values())


def _budget(text: str, rest: Sequence[str]) -> Protocol:
    if not rest or not re.fullmatch("[+-]?[0-9]+", rest[0]):
        raise InputError(
            f"the protocol {text!r} does not say how many trials",
            hint="give a whole number: --protocol 'budget 15'",
        )
    if len(rest[0]) > _DIGITS:
        raise InputError(
            f"a budget is 1 to {MOST_TRIALS} trials of each optimizer, got a number of "
            f"{len(rest[0])} digits",
            hint="for example --protocol 'budget 15'",
        )
    words, factor = list(rest[1:]), 0
    if HALVING in words:
        at = words.index(HALVING)
        given = re.fullmatch("[1-9][0-9]{0,8}", " ".join(words[at + 1 : at + 2]))
        factor = int(given[0]) if given else FACTOR
        del words[at : at + (2 if given else 1)]
    if len(words) > 1:
        raise InputError(
            f"a budget takes a number of trials, a method and halving, got {' '.join(rest)!r}",
            hint="for example 'budget 15', 'budget 30 tpe' or 'budget 30 halving'; methods: "
            f"{', '.join(METHODS)}",
        )
    method = words[0] if words else "sobol"
    if method not in METHODS:
        raise unknown("search method", method, [*METHODS, HALVING])
    return Protocol("budget", int(rest[0]), method=cast("Method", method), halving=factor)


def _time(text: str, rest: Sequence[str]) -> Protocol:
    if rest[-1:] == [HALVING]:
        return Protocol("time", seconds=1.0, halving=FACTOR)  # which the record refuses
    found = _TIME.fullmatch(" ".join(rest))
    if not found:
        raise InputError(
            f"the protocol {text!r} does not say how long",
            hint="give a number with its unit: --protocol 'time 60s', '2min' or '1h'",
        )
    number, unit = found["number"], found["unit"]
    if not unit:
        raise InputError(
            f"the time {number} of the protocol {text!r} has no unit",
            hint=f"write time {number}s, {number}min or {number}h",
        )
    if unit not in _UNITS:
        raise InputError(
            f"the time of the protocol {text!r} has an unknown unit, {unit!r}",
            hint="there are s, min and h",
        )
    return Protocol("time", seconds=float(number) * _UNITS[unit])
