"""Searches that are limited by time: each optimizer alone on the machine, as long as the others."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from fallline.planning.search import Search
from fallline.records import Run
from fallline.store import clock as store

Train = Callable[[str, Sequence[Run]], None]
"""Trains the runs of a phase that are not stored yet, and returns when all of them are."""


class Failed(Exception):
    """Raised out of a search whose optimizer turns out to have failed."""


def search(
    one: Search,
    seconds: float,
    folder: Path,
    *,
    at_once: int,
    compiled: Callable[[], None],
    train: Train,
    now: Callable[[], float] = time.perf_counter,
) -> None:
    """Search the settings of one optimizer for ``seconds`` of wall time, compiling included.

    The trials go in rounds, the first one of ``at_once``. A round has at most twice the trials so
    far, and takes half of the time that is left, by what they took; time is kept for confirming the
    best. The first round is trained whatever it takes. A study that was interrupted goes on with
    its time: what was under way then is not counted, nor is compiling again. Where ``compiled`` or
    ``train`` raises :class:`Failed` it ends, and its last round is known, to be tried again.
    """
    name, clock = one.optimizer.name, store.load(folder)
    began, spent = now(), clock.spent.get(name, 0.0)
    for end in clock.rounds.get(name, ()):
        train("search", one.extend(end))
    if name in clock.over:
        train("confirming", one.confirming())
        return
    compiled()
    if one.taken:
        began = now()
    training, trained = now(), 0
    while not one.exhausted:
        count = at_once
        if one.taken:
            taken = (now() - training) / trained if trained else spent / one.taken
            count = next_round(seconds - spent - (now() - began), taken, one, at_once)
        if not count:
            break
        end = min(one.taken + count, len(one.points) + 1)
        trained += end - one.taken
        try:
            train("search", one.extend(end))
        except Failed:
            store.save(folder, clock.advanced(name, spent + now() - began, end))
            raise
        clock = clock.advanced(name, spent + now() - began, end)
        store.save(folder, clock)
    train("confirming", one.confirming())
    store.save(folder, clock.stopped(name, spent + now() - began))


def next_round(left: float, each: float, one: Search, at_once: int) -> int:
    """Trials of the next round, where ``left`` seconds are left and a trial takes ``each``."""
    seeds, confirmed = (len(own) for own in (one.config.search_seeds, one.config.confirm_seeds))
    kept = -(-one.taken // 10) * (confirmed - seeds) / seeds
    fitting = int(left / max(each, 1e-9) - kept)
    return 0 if fitting < 1 else min(fitting, max(at_once, min(fitting // 2, 2 * one.taken)))
