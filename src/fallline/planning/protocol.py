"""How optimizers are given their settings before they are compared: the protocol of a study."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

from fallline.errors import InputError, near_matches, unknown

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
_UNITS = {
    **dict.fromkeys(("s", "sec", "second", "seconds"), 1.0),
    **dict.fromkeys(("m", "min", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hour", "hours"), 3600.0),
}
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

    def __str__(self) -> str:
        """As it is written, and read again by :func:`parse`."""
        if self.kind == "budget":
            return f"budget {self.trials}" + (f" {self.method}" if self.method != "sobol" else "")
        return f"time {self.seconds:g} s" if self.kind == "time" else self.kind

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
    if rest[1:2] == ["halving"]:
        raise InputError(
            "successive halving is not there",
            hint="'budget 30' tries points of all ranges, 'budget 30 tpe' moves towards good ones",
        )
    if len(rest) > 2:
        raise InputError(
            f"a budget takes a number of trials and a method, got {' '.join(rest)!r}",
            hint=f"for example 'budget 15' or 'budget 30 tpe'; methods: {', '.join(METHODS)}",
        )
    method = rest[1] if len(rest) > 1 else "sobol"
    # What is no method is refused by the record.
    return Protocol("budget", trials=int(rest[0]), method=cast("Method", method))


def _time(text: str, rest: Sequence[str]) -> Protocol:
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
