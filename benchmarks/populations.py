"""fallline alone, at several populations, timed in turns by a process that keeps its programs.

What ``scaling.py`` and ``gpu.py`` share.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import inputs
import machine
import workers
from reporting import Spread, spread
from workers import LeftOut, Team

LIMIT = 300.0
SETTLED_STEPS = 50
"""Steps of a run after which how it began no longer counts; fewer where they are long."""
SETTLED_EXAMPLES = 60_000


@dataclass(frozen=True)
class Data:
    """The file of a data set, with how many examples it holds."""

    path: Path
    examples: int

    @classmethod
    def written(cls, name: str, folder: Path) -> Data:
        path = folder / f"{name}.npz"
        return cls(path, inputs.write(path, name))


@dataclass
class Cell:
    """A population of ``runs``: what is asked for, and milliseconds per step of a run per round."""

    asked: dict[str, Any]
    runs: int
    available: int
    """Steps in the data."""
    least: int = 2
    """Steps that each run is to make at least, so that beginning and ending it does not count."""
    steps: tuple[int, int] = (0, 0)
    per_step: list[float] = field(default_factory=list)
    details: dict[str, Any] = field(default_factory=dict)
    left_out: str = ""

    @property
    def spread(self) -> Spread | None:
        return spread(self.per_step) if self.per_step else None


def cell(
    data: Data,
    network: str,
    batch_size: int,
    runs: int,
    *,
    devices: int = 0,
    layout: str = "planned",
    least: int = 2,
) -> Cell:
    """A population on so many devices (0: all); its compiled program is kept for all rounds."""
    asked = {
        "network": network,
        "batch_size": batch_size,
        "data": str(data.path),
        "check": None,
        "keep": True,
        "runs": runs,
        "devices": devices,
        "layout": layout,
    }
    return Cell(asked, runs, data.examples // batch_size, least)


def settled(batch_size: int) -> int:
    """Steps that a run of this batch size is to make at least."""
    return max(2, min(SETTLED_STEPS, SETTLED_EXAMPLES // batch_size))


def prepare(team: Team, cell: Cell, seconds: float, guess: float | None = None) -> float:
    """Compile, choose how long to train, and train; seconds per step of a run.

    ``guess``: a first estimate of them; None: the shortest training gives it.
    """
    team.begin(cell.asked, LIMIT)
    lengths = workers.Lengths(cell.available, seconds, cell.least)
    if guess is None:
        shortest = team.train(*lengths.of(lengths.least), LIMIT)
        guess = shortest.seconds / shortest.steps
    cell.steps = workers.calibrated(team, lengths, guess * cell.runs, LIMIT)
    timed = team.train(*cell.steps, LIMIT)
    cell.details = timed.details
    print(f"{cell.runs} runs: {timed.per_step:.4f} ms", file=sys.stderr, flush=True)
    return timed.seconds / timed.steps


def once(team: Team, cell: Cell) -> None:
    """One measurement more."""
    team.begin(cell.asked, LIMIT)
    cell.per_step.append(team.train(*cell.steps, LIMIT).per_step)


def measure(
    team: Team, cells: Sequence[Cell], *, rounds: int, seconds: float, patience: float
) -> list[float | None]:
    """Fill the cells, smallest population first, then forth and back in turns.

    Where a population cannot be trained (memory, time), it and the larger ones are left out. Gives
    the cores that other processes took, per round.
    """
    guess: float | None = None
    reason = ""
    for each in cells:
        if reason:
            each.left_out = f"a smaller one failed: {reason}"
            continue
        try:
            guess = prepare(team, each, seconds, guess)
        except LeftOut as error:
            reason = each.left_out = str(error)
            team.end()
    others = []
    for number in range(rounds):
        machine.wait_until_quiet(patience)
        living = [each for each in cells if not each.left_out]
        with machine.watched(team.pids()) as watch:
            for each in living if number % 2 == 0 else reversed(living):
                try:
                    once(team, each)
                except LeftOut as error:
                    each.left_out, each.per_step = str(error), []
                    team.end()
        others.append(watch.others)
    return others
