"""How long a step of each optimizer takes, each measured alone."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from fallline.engine.faults import DeviceError, reason_of
from fallline.engine.population import Population
from fallline.records import Run

log = logging.getLogger("fallline")

TIMING_ROUNDS = 3
LONG_CALL_SECONDS = 0.2
"""An epoch that takes longer is thousands of steps: timed once, it is timed well enough."""
LEAST_SECONDS = 1e-6
TIMING_SECONDS = 0.1
"""How long a call should last to be timed, where its epochs allow it."""


def measured(runs: Mapping[str, Run], compiled: Mapping[str, Population]) -> dict[str, float]:
    """As :func:`seconds_per_step`, without the optimizers whose steps a device cannot take.

    After an error it is tried again, then with each alone: a study is not lost for a time.
    """
    found: dict[str, float] = {}
    for asked in (runs, runs, *({name: run} for name, run in runs.items())):
        try:
            found |= seconds_per_step(asked, compiled.__getitem__)
        except DeviceError as error:
            names, reason = ", ".join(asked), reason_of(error)
            log.warning("the steps of %s could not be timed: %s", names, reason)
        if found.keys() >= runs.keys():
            break
    return found


def seconds_per_step(
    runs: Mapping[str, Run], population_of: Callable[[str], Population]
) -> dict[str, float]:
    """Seconds of a step of each optimizer of ``runs``, in turns with the others.

    The time of a call of several parts (epochs, or a share of one where it is long) less that
    of one part, so that the cost of the call itself drops out.
    """
    timed: dict[tuple[str, int], list[float]] = {}
    longer: dict[str, int] = {}
    for round_ in range(TIMING_ROUNDS):
        for name, run in runs.items():
            population = population_of(name)
            if round_ > 0 and timed[name, 1][0] > LONG_CALL_SECONDS:
                continue
            short = _seconds(population, run, 1)
            if name not in longer:
                wanted = 1 + round(TIMING_SECONDS / short)
                longer[name] = min(population.program.epochs_per_call, wanted)
            timed.setdefault((name, 1), []).append(short)
            if longer[name] > 1:
                long = _seconds(population, run, longer[name])
                timed.setdefault((name, longer[name]), []).append(long)
    return {
        name: _step_seconds(
            population_of(name).program.steps_per_part,
            timed[name, 1],
            timed[name, longer[name]],
            longer[name],
        )
        for name in runs
    }


def _seconds(population: Population, run: Run, parts: int) -> float:
    """Of a call: never nothing or less, whatever the clock does meanwhile."""
    return max(population.seconds([run], parts), LEAST_SECONDS)


def _step_seconds(
    steps: int, short_calls: Sequence[float], long_calls: Sequence[float], parts: int
) -> float:
    """A step's seconds, from calls of one part of ``steps`` and calls of ``parts`` of them."""
    short = float(np.median(short_calls))
    difference = float(np.median(long_calls)) - short
    if difference > 0:
        return difference / ((parts - 1) * steps)
    return short / steps  # one part a call, or too short to be told from the call's own cost
