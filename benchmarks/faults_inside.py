"""What is done to a process from inside, before fallline's command line begins in it."""

from __future__ import annotations

import itertools
import os
import re
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TORN_BYTES = 40
"""What the end of a manifest loses: less than a line."""
JUMPS = (0.0, 7200.0, -7200.0, 30.0, -1e6, 1e6)
"""Seconds that a clock jumps by, one after the other."""


@dataclass(frozen=True)
class Point:
    """A moment at which a process kills itself with SIGKILL."""

    call: str
    """``rename``, ``fsync`` or ``unlink``."""
    file: str
    """Of the name of the file that it is about, a regular expression."""
    when: str
    """``before`` it, ``after`` it, or ``torn``: the file is half of what was written."""
    nth: int = 1
    """Of the process's calls on such files."""


def hurry() -> None:
    """Snapshots, parts and calls every moment: a second is as a minute of a real study."""
    from fallline import snapshots, study
    from fallline.planning import layout

    snapshots.SNAPSHOT_SECONDS, snapshots.MOST_SHARE = 0.05, 1.0
    study.WRITE_SECONDS = 0.1
    layout.CALL_SECONDS = 0.05


def acknowledge(path: Path) -> None:
    """Add to ``path`` the ids of the runs that the store has said are on the disk."""
    from fallline.store.folder import StudyFolder

    append = StudyFolder.append
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)

    def told(study: Any, results: Any, batch_sizes: Any) -> None:
        append(study, results, batch_sizes)
        os.write(handle, b"".join(each.run.run_id.encode() + b"\n" for each in results))

    StudyFolder.append = told


def suffer(fault: Point | str) -> None:
    """Have ``fault`` happen to this process."""
    if isinstance(fault, Point):
        _kill_at(fault)
    else:
        FAULTS[fault]()


# -- killed at a point --------------------------------------------------------------------------


def _kill_at(point: Point) -> None:
    names: dict[str, Callable[..., str]] = {
        "rename": lambda source, target: Path(target).name,
        "unlink": lambda path, **_: Path(path).name,
        "fsync": lambda handle: Path(os.readlink(f"/proc/self/fd/{handle}")).name,
    }
    attribute = {"rename": "replace"}.get(point.call, point.call)
    real, named, seen = getattr(os, attribute), names[point.call], itertools.count(1)

    def call(*args: Any, **options: Any) -> Any:
        here = re.fullmatch(point.file, named(*args, **options)) and next(seen) == point.nth
        if here and point.when == "torn":
            _tear(args[0])
        if here and point.when != "after":
            os.kill(os.getpid(), signal.SIGKILL)
        found = real(*args, **options)
        if here:
            os.kill(os.getpid(), signal.SIGKILL)
        return found

    setattr(os, attribute, call)


def _tear(handle: int) -> None:
    """Take the end of an open file away."""
    size = os.fstat(handle).st_size
    manifest = os.readlink(f"/proc/self/fd/{handle}").endswith("manifest.jsonl")
    os.ftruncate(handle, max(0, size - TORN_BYTES) if manifest else size // 2)


# -- other faults ------------------------------------------------------------------------------


def _clock_jumps() -> None:
    jumps = itertools.cycle(JUMPS)
    for clock in (time.time, time.monotonic, time.perf_counter):
        setattr(time, clock.__name__, lambda clock=clock: clock() + next(jumps))


def _memory_runs_out() -> None:
    """XLA is asked for more than there is, in place of a call that trains several runs at once."""
    from fallline.planning import layout

    layout.CALL_SECONDS = 3.0  # for which a device has several runs

    def allocate() -> None:
        import jax

        jax.block_until_ready(jax.jit(lambda x: jax.numpy.full((2**22, 2**22), x))(1.0))

    _in_place_of_a_call(allocate, 2)


def _device_fails() -> None:
    """A compiled program of XLA ends in an error, in place of a call that trains."""

    def fail() -> None:
        import jax
        import numpy as np

        def broken(x: Any) -> Any:
            raise RuntimeError("the device lost its program")

        shape = jax.ShapeDtypeStruct((), np.float32)
        call = jax.jit(lambda x: jax.pure_callback(broken, shape, x))
        jax.block_until_ready(call(np.float32(1.0)))

    _in_place_of_a_call(fail, 3)


def _in_place_of_a_call(fail: Callable[[], None], nth: int) -> None:
    """The ``nth`` call that trains is ``fail``, once."""
    from fallline.engine.calling import Calls

    queue, seen = Calls.queue, itertools.count(1)

    def queued(calls: Any, flight: Any, *, measured: bool = True) -> None:
        if measured and next(seen) == nth:
            fail()
            raise AssertionError("the fault did not happen")
        queue(calls, flight, measured=measured)

    Calls.queue = queued


def _files_limited() -> None:
    """No file may be larger than a part, from the second on: where no disk can be filled."""
    import resource

    from fallline.store.folder import StudyFolder

    append, seen = StudyFolder.append, itertools.count(1)

    def limited(study: Any, results: Any, batch_sizes: Any) -> None:
        if next(seen) == 2:
            most = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
            resource.setrlimit(resource.RLIMIT_FSIZE, (2000, most))
        append(study, results, batch_sizes)

    StudyFolder.append = limited


FAULTS: dict[str, Callable[[], None]] = {
    "a clock that jumps": _clock_jumps,
    "a device error": _device_fails,
    "a limit on files": _files_limited,
    "out of memory": _memory_runs_out,
}
