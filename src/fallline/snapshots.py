"""Snapshots of a study's runs under way: when one is worth taking, and what it leaves to do."""

from __future__ import annotations

import contextlib
import logging
import signal
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from fallline.planning.layout import CALL_SECONDS
from fallline.records import Run, RunState
from fallline.store import states as store

log = logging.getLogger("fallline")

SNAPSHOT_SECONDS = 12.0
"""A run is never further than about this ahead of what is kept of it."""
MOST_SHARE = 0.02
"""Of the time, that snapshots may take: where they are dear they become rarer."""
PATIENCE_SECONDS = 5.0
"""Who is stopped waits at most this long for the calls under way, to keep what they trained."""


class Snapshots:
    """The states of one study's runs under way, in its folder."""

    def __init__(self, folder: Path, done: Iterable[str]) -> None:
        """What an earlier process left in ``folder``, the runs in ``done`` apart."""
        self._folder = folder
        self._ended = set(done)
        found = store.load(folder)
        self._states = {run: state for run, state in found.items() if run not in self._ended}
        self._since: dict[str, float] = {}
        self._seconds = 0.0
        self._asked = False
        self._works = True

    def of(self, runs: Iterable[Run]) -> dict[str, RunState]:
        """The states that ``runs`` go on from, by run id."""
        self._asked = False
        self._since.clear()
        wanted = {run.run_id for run in runs}
        return {run_id: self._states[run_id] for run_id in wanted & self._states.keys()}

    def due(self, runs: Sequence[Run]) -> bool:
        """Whether a snapshot should be taken, now that ``runs`` have advanced; True once each."""
        now = time.perf_counter()
        for run in runs:
            self._since.setdefault(run.run_id, now)
        if self._asked or not self._works or not self._since:
            return False
        interval = max(SNAPSHOT_SECONDS, self._seconds / MOST_SHARE)
        self._asked = now - min(self._since.values()) > interval
        return self._asked

    def keep(self, states: Sequence[RunState], taking_seconds: float = 0.0) -> None:
        """Keep ``states`` in the folder, with the older ones of other runs.

        What is finished must be stored before: a snapshot forgets it.
        """
        began, worked = time.perf_counter(), time.thread_time()
        self._asked = False
        self._states |= {each.run_id: each for each in states if each.run_id not in self._ended}
        self._since |= dict.fromkeys((state.run_id for state in states), began)
        self._since = {run: at for run, at in self._since.items() if run not in self._ended}
        if not self._states or not self._works:
            return
        try:
            store.save(self._folder, self._states.values())
        except Exception as error:
            # A study is worth more than its snapshots: it goes on without them.
            self._works = False
            log.warning("the runs under way cannot be kept in %s: %s", self._folder, error)
        waited = time.perf_counter() - began
        self._seconds = taking_seconds + cost(waited, time.thread_time() - worked)

    def ended(self, run_ids: Iterable[str]) -> None:
        """These runs are stored: nobody goes on from their states."""
        ended = set(run_ids)
        self._ended |= ended
        kept = {run: state for run, state in self._states.items() if run not in ended}
        emptied = self._states and not kept
        self._states = kept
        for run_id in ended:
            self._since.pop(run_id, None)
        if emptied:
            self.clear()

    def clear(self) -> None:
        """Take the file away."""
        with contextlib.suppress(OSError):
            store.remove(self._folder)


def cost(seconds: float, processor: float) -> float:
    """What writing takes of the training, in seconds: ``seconds`` long, ``processor`` of it work.

    The devices train meanwhile, until the calls that are queued are through.
    """
    return max(processor, seconds - CALL_SECONDS)


@contextlib.contextmanager
def terminable() -> Iterator[None]:
    """A context in which the signal to terminate is taken as Ctrl-C: what is finished is kept.

    Changes nothing outside of the main thread, or where somebody has a handler already.
    """
    ours = threading.current_thread() is threading.main_thread()
    if not ours or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
