"""Processes that are made to fail: fallline's command line, forked from one that imported it.

A server imports everything once, without starting JAX, and forks a process for every command; so
a process costs what it trains. What a process is to suffer is in its :class:`Order`.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faults_inside

LONGEST_SECONDS = 240.0
"""A process that takes longer hangs."""
NOBODY = 65534
PRELOADED = (
    "fallline.api",
    "fallline.cli.app",
    "fallline.cli.progress",
    "fallline.cli.suite",
    "fallline.report.page",
    "fallline.report.recommendation",
    "fallline.standings",
    "fallline.store.checking",
    "fallline.store.states",
    "fallline.study",
    "fallline.suite",
    "faults_inside",
    "optax",
    "pandas",
    "pyarrow.parquet",
    "safetensors.numpy",
    "sklearn.datasets",
    "tomllib",
)


@dataclass(frozen=True)
class Order:
    """A command, and what is done to the process that carries it out."""

    arguments: Sequence[str]
    said: Path
    """Standard error goes there, and standard output to the same name with ``.out``."""
    acknowledged: Path
    """The ids of the runs that it said were on the disk, a line each, are added here."""
    suffers: Sequence[Any] = ()
    """Names of :data:`faults_inside.FAULTS`, and :class:`faults_inside.Point`."""
    hasty: bool = True
    """A second of it is as a minute of a real study."""
    nobody: bool = False
    """It runs as a user who may write nothing."""


class Process:
    """A command that runs."""

    def __init__(self, order: Order) -> None:
        context = multiprocessing.get_context("forkserver")
        self.order = order
        self.began = time.monotonic()
        self._process = context.Process(target=_carried_out, args=(order,), daemon=True)
        self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def runs(self) -> bool:
        return self._process.is_alive()

    def send(self, number: signal.Signals) -> None:
        """Send a signal; nothing where it has ended meanwhile."""
        if self.runs:
            os.kill(self.pid, number)

    def wait(self, seconds: float = LONGEST_SECONDS) -> int:
        """Its exit code, negative for the signal that ended it; a process that hangs is killed."""
        self._process.join(seconds)
        if self.runs:
            self._process.kill()
            self._process.join()
            raise TimeoutError(f"it took longer than {seconds:.0f} s\n{self.said[-1000:]}")
        assert self._process.exitcode is not None
        return self._process.exitcode

    def pause(self, seconds: float) -> None:
        """Wait so long, or until it ends."""
        self._process.join(seconds)

    def until(self, happened: Callable[[], bool]) -> bool:
        """Wait for something; False where the process ended before."""
        while self.runs:
            if happened():
                return True
            if time.monotonic() - self.began > LONGEST_SECONDS:
                self._process.kill()
                raise TimeoutError("what was waited for did not happen")
            time.sleep(0.004)
        return False

    @property
    def said(self) -> str:
        """Its standard error."""
        return self.order.said.read_text("utf-8") if self.order.said.is_file() else ""

    @property
    def printed(self) -> str:
        """Its standard output."""
        return self.order.said.with_suffix(".out").read_text("utf-8")


def preload() -> None:
    """Start the server that processes are forked from."""
    here = str(Path(__file__).parent)
    if here not in sys.path:
        sys.path.insert(0, here)
    multiprocessing.get_context("forkserver").set_forkserver_preload([__name__, *PRELOADED])


def _carried_out(order: Order) -> None:
    """In the process: do what is ordered, as ``fallline`` does; never returns."""
    sys.argv = ["fallline", *order.arguments]
    for stream, path in ((sys.stderr, order.said), (sys.stdout, order.said.with_suffix(".out"))):
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        os.dup2(handle, stream.fileno())
        os.close(handle)
    from fallline.cli.app import main

    # A shell's job in the background has Ctrl-C switched off, and its children inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    faults_inside.acknowledge(order.acknowledged)
    if order.hasty:
        faults_inside.hurry()
    for each in order.suffers:
        faults_inside.suffer(each)
    if order.nobody:
        os.setegid(NOBODY)
        os.seteuid(NOBODY)
    main()
    sys.exit(0)
