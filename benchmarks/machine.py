"""The machine that is measured on: what it is, and how busy others keep it meanwhile."""

from __future__ import annotations

import os
import platform
import resource
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

BUSY = 0.15
"""Cores: where others used more than this on average, a measurement is marked as disturbed."""


@dataclass
class Watch:
    """A stretch of time: its wall seconds, and the cores that other processes took on average.

    ``others`` is None where the system does not tell (it is read from ``/proc/stat``).
    """

    seconds: float = float("nan")
    others: float | None = None


@contextmanager
def watched(living: Sequence[int] = ()) -> Iterator[Watch]:
    """Time a block that runs child processes, and see how much else the machine did.

    Children are known when they have ended; ``living`` are the process ids of those that go on.
    """
    watch = Watch()
    busy, own, began = _busy_seconds(), _own_seconds(living), time.perf_counter()
    yield watch
    watch.seconds = time.perf_counter() - began
    after = _busy_seconds()
    if busy is not None and after is not None:
        foreign = (after - busy) - (_own_seconds(living) - own)
        watch.others = max(0.0, foreign / watch.seconds)


def wait_until_quiet(most_seconds: float) -> float | None:
    """Wait until the cores idle, at most so long; the cores that are in use then."""
    until = time.monotonic() + most_seconds
    while True:
        with watched() as watch:
            time.sleep(1)
        if watch.others is None or watch.others <= BUSY or time.monotonic() > until:
            return watch.others


def _own_seconds(living: Sequence[int] = ()) -> float:
    """Processor seconds of this process, of its children that have ended, and of the living."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    own = sum(usage.ru_utime + usage.ru_stime for usage in usages)
    return own + sum(_seconds_of(process) for process in living)


def _seconds_of(process: int) -> float:
    """Processor seconds of a process and of its children that have ended; 0 where not told."""
    stat = Path(f"/proc/{process}/stat")
    if not stat.is_file():
        return 0.0
    # The name, in brackets, may hold spaces; user, system and the children's come 11 fields on.
    fields = stat.read_text().rpartition(")")[2].split()[11:15]
    return sum(map(int, fields)) / os.sysconf("SC_CLK_TCK")


def _busy_seconds() -> float | None:
    """Processor seconds that the machine has spent on anything, or that a host took from it."""
    stat = Path("/proc/stat")
    if not stat.is_file():
        return None
    user, nice, system, _idle, _wait, irq, softirq, stolen = map(
        int, stat.read_text().splitlines()[0].split()[1:9]
    )
    return (user + nice + system + irq + softirq + stolen) / os.sysconf("SC_CLK_TCK")


def description() -> dict[str, str | int]:
    """The machine in words and numbers, without its name."""
    return {
        "processor": _processor(),
        "cores": cores(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def cores() -> int:
    """The cores that this process may use."""
    return len(core_numbers())


def core_numbers() -> list[int]:
    """The cores that this process may use, as the system numbers them."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def cache_bytes(level: int) -> int | None:
    """The size of a core's cache of this level, as the system tells it."""
    for index in Path("/sys/devices/system/cpu/cpu0/cache").glob("index*"):
        kind = (index / "type").read_text().strip()
        if kind != "Instruction" and int((index / "level").read_text()) == level:
            return int((index / "size").read_text().strip().rstrip("K")) * 1024
    return None


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
