"""What becomes of an input: it is read, it is refused in words, or the reader failed.

A reader fails where it raises anything but a ``FalllineError``, takes longer than
:data:`LONGEST_SECONDS`, makes the process larger by more than :data:`MOST_BYTES`, touches anything
outside of the folder that it was given, starts a process, opens a connection, or loads a pickle.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import sys
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fallline.errors import FalllineError
from fuzz_reader import Reader

LONGEST_SECONDS = 10.0
"""Of processor time, for one input."""
LONGEST_WAIT = 60.0
"""Of any time: a reader that waits for something uses no processor."""
MOST_BYTES = 256 * 2**20
MOST_KEPT = 3000
"""Bytes of an input that are told with its failure."""


@dataclass
class Outcome:
    """How a reader took its inputs."""

    read: int = 0
    refused: int = 0
    failed: list[str] = field(default_factory=list)
    """What went wrong, a text each, with the input that did it in its last line."""
    seconds: float = 0.0
    """Of processor time."""

    @property
    def tried(self) -> int:
        return self.read + self.refused + len(self.failed)

    @property
    def kinds(self) -> list[str]:
        """The failures that differ by more than their input, the first of each."""
        return list({text.rpartition("\n")[0]: text for text in self.failed}.values())


class Hang(BaseException):
    """An input takes too long. No reader catches it together with errors of its own."""


def judge(reader: Reader, data: bytes, folder: Path, outcome: Outcome) -> None:
    """Give ``reader`` the input, and add to ``outcome`` how it took it.

    ``folder`` is the only thing in the one around it.
    """
    before = _peak(reset=True)
    wrong = None
    found = "failed"
    with _limited(), WATCH.over(folder):
        try:
            reader.read(data, folder)
            found = "read"
        except FalllineError as error:
            found = "refused"
            if not str(error).strip():
                wrong = f"an error without words: {error!r}"
        except (Exception, SystemExit, Hang):
            wrong = traceback.format_exc(limit=-4, chain=False).rstrip()
    grown = _peak() - before
    if grown > MOST_BYTES:
        wrong = f"grew by {grown // 2**20:,} MiB"
    if WATCH.seen:
        wrong = "; ".join(dict.fromkeys(WATCH.seen))
    if os.listdir(folder.parent) != [folder.name]:
        wrong = "wrote outside of its folder"
    if wrong is not None:
        outcome.failed.append(f"{wrong}\n{data[:MOST_KEPT]!r}")
    elif found == "read":
        outcome.read += 1
    else:
        outcome.refused += 1


@contextlib.contextmanager
def _limited() -> Iterator[None]:
    """Raise Hang inside where it takes too long."""
    before = [(each, signal.signal(each, _alarm)) for each in (signal.SIGVTALRM, signal.SIGALRM)]
    signal.setitimer(signal.ITIMER_VIRTUAL, LONGEST_SECONDS)
    signal.setitimer(signal.ITIMER_REAL, LONGEST_WAIT)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, own in before:
            signal.signal(number, own)


def _alarm(number: int, frame: Any) -> None:
    waited = number == signal.SIGALRM
    raise Hang(f"waits {LONGEST_WAIT:g} s" if waited else f"takes {LONGEST_SECONDS:g} s")


def _peak(*, reset: bool = False) -> int:
    """The most memory that the process had, in bytes; after ``reset``, since now."""
    if reset:
        # Elsewhere than on Linux an input is noticed only where it takes more than all before it.
        with contextlib.suppress(OSError), open("/proc/self/clear_refs", "w") as file:
            file.write("5")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


# --- what no reader does


_NEVER = {
    *("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty"),
    *("socket.connect", "socket.getaddrinfo", "socket.bind", "pickle.find_class"),
}
_CHANGING = {
    *("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.truncate"),
    *("os.chmod", "os.chown", "os.utime", "shutil.rmtree", "shutil.move"),
}
_CACHES = ("__pycache__", f"{os.sep}fallline{os.sep}compiled{os.sep}")
"""In the path of what Python and JAX keep of what they compiled meanwhile."""
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def _descriptor(value: Any) -> bool:
    """Of an open folder: its removal, or another change, was heard before."""
    return isinstance(value, int) and value > 2


class Watch:
    """Hears by Python's audit events what is done while a reader has an input.

    What a library does below Python is not heard: that is what the look into the folder is for.
    """

    def __init__(self) -> None:
        self.seen: list[str] = []
        self._folder = ""
        sys.addaudithook(self._hear)

    @contextlib.contextmanager
    def over(self, folder: Path) -> Iterator[None]:
        """Hear what is done inside; ``folder`` alone may be changed."""
        self.seen = []
        self._folder = os.path.realpath(folder)
        try:
            yield
        finally:
            self._folder = ""

    def _hear(self, event: str, about: tuple[Any, ...]) -> None:
        if not self._folder:
            return
        if event in _NEVER:
            self.seen.append(f"{event} {about!r:.200}")
        elif event == "open":
            path, mode, flags = about
            writes = set(mode or "") & set("wax+") if mode else (flags or 0) & _WRITING
            if writes:
                self._changed(event, path)
        elif event in _CHANGING and not any(_descriptor(each) for each in about[1:]):
            for path in about:
                self._changed(event, path)

    def _changed(self, event: str, path: Any) -> None:
        if not isinstance(path, str | bytes | os.PathLike):
            return
        place = os.path.realpath(os.fsdecode(path))
        inside = place == self._folder or place.startswith(self._folder + os.sep)
        if not inside and place != os.devnull and not any(own in place for own in _CACHES):
            self.seen.append(f"{event} of {place!r:.200}")


WATCH = Watch()
