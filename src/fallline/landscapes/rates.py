"""With which learning rates and settings optimizers walk: given, the source's, or tuned.

A learning rate is tuned by walking with each of :data:`TRIED` and the catalogue's own: of those
that come down to within a millionth of the start's height and stay there, the one that is there
first is taken; if none does, the one whose last tenth stays lowest. Only walks that neither leave
the box nor rise above the start count; where there is none, all those that stay near do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fallline.errors import InputError, unknown
from fallline.landscapes.surface import Landscape
from fallline.optimizers import Optimizer

Given = float | str | Mapping[str, float | Sequence[float]] | None

TUNED, DEFAULT, GIVEN, SOURCE = "tuned", "default", "given", "source"
TRIED = (*(float(f"{digit}e{power}") for power in range(-4, 1) for digit in (1, 2, 5)), 10.0)
CLOSE = 1e-6
"""The share of the start's height above the lowest value at which a walk has come down."""
INSIDE, NEARBY = 0.55, 3.0
"""How many boxes from the middle a tuned walk may go, and where none stays there."""


@dataclass(frozen=True)
class Plan:
    """An optimizer with the settings that it walks with, a row of hyper-parameters each."""

    entry: Optimizer
    options: tuple[tuple[str, Any], ...]
    rows: tuple[Mapping[str, float], ...]
    chosen_by: str

    @property
    def tuned(self) -> bool:
        """Whether only the best of the rows is meant."""
        return self.chosen_by == TUNED


def planned(
    entries: Sequence[Optimizer],
    ground: Landscape,
    given: Given,
    settings: Mapping[str, float],
) -> list[Plan]:
    """A plan per optimizer; an :class:`InputError` for what none of them takes."""
    if isinstance(given, str) and given not in (TUNED, DEFAULT):
        raise unknown("learning rate", given, (TUNED, DEFAULT))
    if isinstance(given, Mapping):
        for name in given:
            if name not in {entry.name for entry in entries}:
                raise unknown("optimizer of a learning rate", name, [e.name for e in entries])
    own = _shared_out(entries, settings)
    return [_plan(entry, ground, given, own[entry.name]) for entry in entries]


def _plan(entry: Optimizer, ground: Landscape, given: Given, settings: Mapping[str, float]) -> Plan:
    asked = given.get(entry.name) if isinstance(given, Mapping) else given
    source = ground.learning_rates.get(entry.name) if given is None else None
    fixed: tuple[float, ...]
    if entry.learning_rate is None:
        if isinstance(given, Mapping) and asked is not None:
            raise InputError(
                f"{entry.name} has no learning rate, got {asked}", hint="leave it out for this one"
            )
        fixed, chosen_by = (), ""
    elif "learning_rate" in settings:
        fixed, chosen_by = (settings["learning_rate"],), GIVEN
    elif isinstance(asked, str) and asked == DEFAULT:
        fixed, chosen_by = (entry.learning_rate.default,), DEFAULT
    elif asked is not None and not isinstance(asked, str):
        numbers = (asked,) if isinstance(asked, int | float) else tuple(asked)
        fixed, chosen_by = tuple(dict.fromkeys(numbers)), GIVEN
    elif source is not None:
        fixed, chosen_by = (source,), SOURCE
    else:
        fixed, chosen_by = _candidates(entry), TUNED
    rest = {name: value for name, value in settings.items() if name != "learning_rate"}
    asked_for = [{**rest, "learning_rate": rate} for rate in fixed] or [rest]
    rows = tuple(entry.complete(each) for each in asked_for)
    options = entry.options_for(rows[0])
    return Plan(entry, tuple(sorted(options.items())), rows, chosen_by)


def _candidates(entry: Optimizer) -> tuple[float, ...]:
    """The learning rates to try: those of :data:`TRIED` that the entry takes, and its own."""
    rate = entry.learning_rate
    assert rate is not None
    tried = sorted({*TRIED, rate.default})
    return tuple(each for each in tried if each > rate.above and rate.at_least <= each < rate.below)


def _shared_out(
    entries: Sequence[Optimizer], settings: Mapping[str, float]
) -> dict[str, dict[str, float]]:
    """The settings of each optimizer by its name; those for one go before those for all."""
    own: dict[str, dict[str, float]] = {entry.name: {} for entry in entries}
    for written in sorted(settings, key=lambda name: "." in name):
        owner, _, name = written.rpartition(".")
        if owner and owner not in own:
            raise unknown("optimizer of a setting", owner, own)
        having = [e for e in entries if e.name == (owner or e.name) and name in e.defaults]
        if not having:
            named = [e for e in entries if e.name == (owner or e.name)]
            known = sorted({each for entry in named for each in entry.defaults})
            raise unknown(f"hyper-parameter of {', '.join(e.name for e in named)}:", name, known)
        for entry in having:
            own[entry.name][name] = settings[written]
    return own


def away(points: np.ndarray, ground: Landscape, boxes: float) -> np.ndarray:
    """Which of the points ``(..., dimensions)`` are not within ``boxes`` boxes of the middle."""
    low, size = np.asarray(ground.box.low), np.asarray(ground.box.size)
    with np.errstate(all="ignore"):
        outside = ~(np.abs(points - (low + size / 2)) <= boxes * size)
    return np.asarray(outside.any(axis=-1))


def best(plan: Plan, points: np.ndarray, values: np.ndarray, ground: Landscape) -> int:
    """The row of ``plan`` that is taken; ``points (rows, steps, dimensions)``, ``values (rows,
    steps)``."""
    known = np.isfinite(values).all(axis=1)
    inside = known & ~away(points, ground, INSIDE).any(axis=1)
    with np.errstate(invalid="ignore"):
        rises = (values > values[:, :1]).any(axis=1)
    near = known & ~away(points, ground, NEARBY).any(axis=1)
    stays = next((each for each in (inside & ~rises, inside, near) if each.any()), None)
    if stays is None:
        return 0  # the smallest: the last to leave
    tail = max(1, values.shape[1] // 10)
    ends = np.where(stays, values[:, -tail:].max(axis=1), np.inf)
    lowest = ground.lowest if ground.lowest is not None else float(ends.min())
    close = lowest + CLOSE * (values[0, 0] - lowest)
    with np.errstate(invalid="ignore"):
        above = ~(values <= close)
    # The first step from which on a walk is never above.
    down = np.where(above.any(axis=1), values.shape[1] - np.argmax(above[:, ::-1], axis=1), 0)
    arrived = stays & ~above[:, -1]
    if arrived.any():
        return int(np.argmin(np.where(arrived, down, values.shape[1] + 1)))
    return int(np.argmin(ends))
