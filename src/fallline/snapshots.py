"""Snapshots of a study's runs under way: when one is worth taking, and what it leaves to do."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from fallline.planning.layout import CALL_SECONDS
from fallline.records import Run, RunState
from fallline.store import logbook
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

    def __init__(
        self, folder: Path, done: Iterable[str], origin: Mapping[str, str] | None = None
    ) -> None:
        """What an earlier process left in ``folder``, the runs in ``done`` apart.

        ``origin`` is written with the states of this process.
        """
        self._folder = folder
        self._origin = origin or {}
        self._ended = set(done)
        found = store.load(folder)
        self._states = {run: state for run, state in found.items() if run not in self._ended}
        self._since: dict[str, float] = {}
        self._seconds = 0.0
        self._asked = False
        self._works = True
        self._waiting: dict[str, RunState] = {}
        self._unwritten: dict[str, float] = {}
        """Of those that wait and are not on the disk, since when they were trained."""
        self._waiting_seconds = 0.0
        self._files: dict[Path, set[str]] = {}
        """The runs whose latest state is in a file of those that wait."""
        for path in store.waiting(folder):
            states = store.load_file(path)
            useful = {run: state for run, state in states.items() if run not in self._ended}
            self._waiting |= useful
            self._lies_in(path, set(useful))

    def of(self, runs: Iterable[Run]) -> dict[str, RunState]:
        """The states that ``runs`` go on from, by run id."""
        self._asked = False
        self._since.clear()
        found = {}
        for run_id in {run.run_id for run in runs}:
            under_way, waiting = (each.get(run_id) for each in (self._states, self._waiting))
            if under_way and not (waiting and waiting.epochs > under_way.epochs):
                found[run_id] = under_way
            elif waiting:
                found[run_id] = waiting
        return found

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
            store.save(self._folder, map(self._told, self._states.values()))
        except Exception as error:
            self._give_up(error)
        else:
            logbook.tell("snapshot of %d runs under way", len(self._states))
        waited = time.perf_counter() - began
        self._seconds = taking_seconds + cost(waited, time.thread_time() - worked)

    def wait(self, state: RunState) -> None:
        """A run waits at a rung: its state is written when much would be lost with those there."""
        now = time.perf_counter()
        since = self._since.pop(state.run_id, now)
        if self._waiting.get(state.run_id) is not state:
            self._waiting[state.run_id] = state
            self._unwritten[state.run_id] = since
        if self._unwritten:
            interval = max(SNAPSHOT_SECONDS, self._waiting_seconds / MOST_SHARE)
            if now - min(self._unwritten.values()) > interval:
                self.write_waiting()

    def write_waiting(self, but: Iterable[str] = ()) -> None:
        """Write the states of the runs that wait, where they are not on the disk.

        Those in ``but`` do not go on.
        """
        for run_id in but:
            self._unwritten.pop(run_id, None)
        if not self._unwritten or not self._works:
            return
        began = time.perf_counter()
        written = list(self._unwritten)
        try:
            path = store.append(self._folder, [self._told(self._waiting[each]) for each in written])
        except Exception as error:
            self._give_up(error)
            return
        logbook.tell("snapshot of %d runs that wait", len(written))
        self._unwritten.clear()
        self._lies_in(path, set(written))
        for run_id in written:
            self._states.pop(run_id, None)
        self._waiting_seconds = time.perf_counter() - began

    def _told(self, state: RunState) -> RunState:
        """The state with its origin."""
        return replace(state, origin=self._origin) if state.origin is None else state

    def _lies_in(self, path: Path, runs: set[str]) -> None:
        """The latest states of ``runs`` are in ``path`` now."""
        self._needless(runs)
        self._files[path] = set(runs)
        self._needless(())

    def _needless(self, runs: Iterable[str]) -> None:
        """Nobody needs the written states of ``runs``; files without any other are removed."""
        for own in self._files.values():
            own.difference_update(runs)
        for path in [path for path, own in self._files.items() if not own]:
            del self._files[path]
            with contextlib.suppress(OSError):
                path.unlink()

    def ended(self, run_ids: Iterable[str]) -> None:
        """These runs are stored: nobody goes on from their states."""
        ended = set(run_ids)
        self._ended |= ended
        kept = {run: state for run, state in self._states.items() if run not in ended}
        emptied = self._states and not kept
        self._states = kept
        for run_id in ended:
            self._since.pop(run_id, None)
            self._waiting.pop(run_id, None)
            self._unwritten.pop(run_id, None)
        self._needless(ended)
        if emptied:
            with contextlib.suppress(OSError):
                store.remove(self._folder)

    def clear(self) -> None:
        """Take the files away."""
        with contextlib.suppress(OSError):
            store.remove(self._folder)
            store.remove_waiting(self._folder)

    def _give_up(self, error: Exception) -> None:
        """A study is worth more than its snapshots: it goes on without them."""
        self._works = False
        log.warning("the runs under way cannot be kept in %s: %s", self._folder, error)


def cost(seconds: float, processor: float) -> float:
    """What writing takes of the training, in seconds: ``seconds`` long, ``processor`` of it work.

    The devices train meanwhile, until the calls that are queued are through.
    """
    return max(processor, seconds - CALL_SECONDS)
