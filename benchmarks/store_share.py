"""The seconds of a study that pass in calls of the store."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import fallline
import machine

SHORT = {"optimizers": "sgd,adam", "learning_rates": 4, "seeds": 3, "epochs": 4}
LONG = {"optimizers": "adam", "defaults": True, "seeds": 8, "epochs": 24}


@dataclass
class Kept:
    """What a study spent on keeping, in seconds."""

    what: str
    runs: int = 0
    seconds: float = 0.0
    """The whole study, compiling included, without its page."""
    store: float = 0.0
    """In calls of the store."""
    parts: list[float] = field(default_factory=list)
    """Of each part, until it and its line in the manifest were on the disk."""
    snapshots: list[float] = field(default_factory=list)
    """Of each snapshot of runs under way, to write it."""
    others: float | None = None
    """Cores that other processes took."""

    @property
    def share(self) -> float:
        return self.store / self.seconds


def kept_of(what: str, asked: dict[str, Any], folder: Path) -> Kept:
    """Train mnist-mlp as ``asked`` and see what keeping takes."""
    kept = Kept(what)
    with machine.watched() as watch, clocked(kept):
        study = fallline.compare("mnist-mlp", out=folder, **asked)
    kept.seconds, kept.others = watch.seconds, watch.others
    kept.runs = len(study.runs)
    return kept


@contextmanager
def clocked(kept: Kept) -> Iterator[None]:
    """Count the seconds of the store's calls; one inside of another counts once."""
    from fallline.engine.states import Handing
    from fallline.snapshots import Snapshots
    from fallline.store.folder import StudyFolder

    inside = 0

    def counted(call: Callable[..., Any], each: list[float]) -> Callable[..., Any]:
        @functools.wraps(call)
        def timed(*args: Any, **named: Any) -> Any:
            nonlocal inside
            inside += 1
            began = time.perf_counter()
            try:
                return call(*args, **named)
            finally:
                inside -= 1
                each.append(time.perf_counter() - began)
                kept.store += 0.0 if inside else each[-1]

        return timed

    other: list[float] = []
    with mock.patch.object(StudyFolder, "begin", counted(StudyFolder.begin, other)):
        patches = [
            (StudyFolder, "_append", kept.parts),
            *((StudyFolder, name, other) for name in ("append", "results", "finish")),
            (Snapshots, "keep", kept.snapshots),
            *((Snapshots, name, other) for name in ("__init__", "of", "ended", "clear")),
            *((Handing, name, other) for name in ("collect", "complete")),
        ]
        for owner, name, each in patches:
            patch = mock.patch.object(owner, name, counted(vars(owner)[name], each))
            patch.start()
        try:
            yield
        finally:
            mock.patch.stopall()
