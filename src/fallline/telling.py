"""What a study tells while it trains: to its listener, and to its log."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fallline.engine.events import Advanced, Finished, Paused
from fallline.optimizers import Optimizer
from fallline.records import Run, Status
from fallline.store import logbook
from fallline.task import Task


@dataclass(frozen=True)
class Planned:
    """The study begins: what it will train, and what of it is stored already."""

    task: Task
    optimizers: tuple[Optimizer, ...]
    folder: Path
    stored: int


@dataclass(frozen=True)
class PhaseBegan:
    """A phase begins: ``"search"``, ``"widening"``, ``"confirming"``, ``"final"``, ``"timing"``."""

    name: str
    runs: tuple[Run, ...]
    until: int = 0
    """Epochs after which the runs wait at a rung; 0: they train to their end."""


@dataclass(frozen=True)
class Compiling:
    """The study waits for a program to be compiled."""

    optimizers: tuple[str, ...]


Event = Planned | PhaseBegan | Compiling | Advanced | Paused | Finished
Listener = Callable[[Event], None]


def silent(event: Event) -> None:
    """A listener that tells nobody."""


class Logged:
    """A listener that writes the course of a study to its log, and tells another one."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._phase = ""
        self._began = 0.0
        self._ended: Counter[str] = Counter()
        """Runs of the phase, by their statuses."""

    def __call__(self, event: Event) -> None:
        match event:
            case Planned():
                logbook.tell("runs stored already: %d", event.stored)
            case PhaseBegan():
                self.phase_ended()
                until = f", to epoch {event.until}" if event.until else ""
                logbook.tell("%s begins: %d runs%s", event.name, len(event.runs), until)
                self._phase, self._began = event.name, time.monotonic()
            case Compiling():
                logbook.tell("waiting for the program of %s", ", ".join(event.optimizers))
            case Finished():
                self._ended[str(event.result.status)] += 1
            case Paused():
                self._ended[str(Status.WAITING)] += 1
        self._listener(event)

    def phase_ended(self) -> None:
        """Say how the phase under way has ended, if there is one."""
        if not self._phase:
            return
        counts = [f"{count} {status}" for status, count in self._ended.items()]
        seconds = max(0.0, time.monotonic() - self._began)
        what = f": {', '.join(counts)}" if counts else ""
        logbook.tell("%s ended after %.2f s%s", self._phase, seconds, what)
        self._phase = ""
        self._ended.clear()
