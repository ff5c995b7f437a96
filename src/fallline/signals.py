"""Signals that ask a study to stop: taken as Ctrl-C, and obeyed where nothing is left half done."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

_USUAL: dict[signal.Signals, Any] = {
    signal.SIGTERM: signal.SIG_DFL,
    signal.SIGINT: signal.default_int_handler,
}
_asked: list[str] = []
"""The signals to stop, by name, that came since the context was entered."""
_kept_waiting: list[bool] = []
"""One for each part of the program that is not to be ended half way, in the main thread."""


@contextlib.contextmanager
def terminable() -> Iterator[None]:
    """A context in which the signal to terminate is taken as Ctrl-C: what is finished is kept.

    Changes nothing outside of the main thread, or where somebody has a handler already.
    """
    ours = threading.current_thread() is threading.main_thread()
    taken = [number for number, usual in _USUAL.items() if signal.getsignal(number) is usual]
    if not ours or not taken:
        yield
        return
    for number in taken:
        signal.signal(number, _stopped)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, _USUAL[number])
        _asked.clear()


def insist() -> None:
    """Stop now where a signal asked for it and was ignored; never while it is obeyed.

    What is raised inside of a callback of the interpreter (JAX has one for garbage collection) goes
    nowhere.
    """
    ours = threading.current_thread() is threading.main_thread()
    obeyed = isinstance(sys.exc_info()[1], KeyboardInterrupt)
    if ours and _asked and not obeyed and not _kept_waiting:
        raise KeyboardInterrupt(_asked[0])


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """A context that a signal to stop does not end half way: it is obeyed at its end.

    What is stored must be known to be stored, or who is stopped stores it again.
    """
    ours = threading.current_thread() is threading.main_thread()
    if ours:
        _kept_waiting.append(True)
    try:
        yield
    finally:
        if ours:
            _kept_waiting.pop()
    insist()


def _stopped(number: int, frame: FrameType | None) -> None:
    """As Ctrl-C does, with the signal's name for the log."""
    _asked.append(signal.Signals(number).name)
    if not _kept_waiting:
        raise KeyboardInterrupt(_asked[0])
