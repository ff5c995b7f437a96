"""The lock of a study's folder: one writer at a time, and who that is.

The system itself lets go of the lock (``flock``) when its process ends, however it ends, and on a
copy of the folder nobody holds it: a lock is never stale. Who holds it is written beside, for the
message to a second writer; without the lock that note means nothing.
"""

from __future__ import annotations

import contextlib
import datetime
import logging
import os
import socket
from pathlib import Path

import filelock
import msgspec

from fallline.errors import StudyError

log = logging.getLogger("fallline")

LOCK_FILE = ".lock"
# Not in the lock's own file: some versions of filelock empty that when they try to take it.
HOLDER_FILE = ".writer"


class Holder(msgspec.Struct, frozen=True):
    """``.writer``: the process that holds the lock, or that held it when it ended."""

    pid: int
    host: str
    since: str
    """UTC, ISO 8601."""

    @classmethod
    def this(cls) -> Holder:
        """This process, from now on."""
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        return cls(os.getpid(), socket.gethostname(), now)

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host[:80]}, since {self.since[:40]}"


class Lock:
    """The right to write into a study's folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = filelock.FileLock(folder / LOCK_FILE, timeout=0)

    @property
    def held(self) -> bool:
        """Whether it is held here."""
        return bool(self._lock.is_locked)

    def take(self) -> None:
        """Take it. Raises StudyError where another process holds it, OSError where it cannot."""
        try:
            self._lock.acquire()
        except filelock.Timeout:
            holder = self.holder()
            who = f": {holder}" if holder else ""
            raise StudyError(
                f"another process is writing the study in {str(self._folder)!r}{who}",
                hint="wait for it to end, or give --out another folder",
            ) from None
        if earlier := self.holder():
            log.info("%s ended without letting go of %s", earlier, self._folder)
        # Worth no more than a message: whatever is wrong with it, the lock is held.
        with contextlib.suppress(OSError):
            (self._folder / HOLDER_FILE).write_bytes(msgspec.json.encode(Holder.this()) + b"\n")

    def release(self) -> None:
        """Let another process write."""
        if self.held:
            with contextlib.suppress(OSError):
                (self._folder / HOLDER_FILE).unlink()
            self._lock.release()

    def holder(self) -> Holder | None:
        """Who says that it holds the lock; None where nobody does or the note cannot be read."""
        try:
            with open(self._folder / HOLDER_FILE, "rb") as file:
                return msgspec.json.decode(file.read(1000), type=Holder)
        except (OSError, msgspec.MsgspecError, ValueError):
            return None
