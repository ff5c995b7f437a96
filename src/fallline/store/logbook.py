"""``fallline.log``: what happened to a study, in its folder. A log never ends a study.

Entries go through the logger ``"fallline"``, which only the command line configures: what a user
of the library sees of it is theirs to decide. The file has them whatever that logger's level is.
"""

from __future__ import annotations

import contextlib
import logging
import os
import platform
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path

from fallline.errors import FalllineError

log = logging.getLogger("fallline")

LOG_FILE = "fallline.log"
MOST_BYTES = 1_000_000
"""Of the file; then it becomes ``fallline.log.1``, and the one before is gone."""
LONGEST_ENTRY = 20_000
"""Characters; what is longer loses its middle."""

COMMAND: ContextVar[str] = ContextVar("command", default="")
"""The command line, where there is one."""
_FOLDER: ContextVar[Path | None] = ContextVar("folder", default=None)
"""Of the study that this thread works on."""


def tell(message: str, *values: object, level: int = logging.INFO) -> None:
    """An entry for the files of the studies under way, and for whoever listens to the logger."""
    record = log.makeRecord(log.name, level, __file__, 0, message, values, None)
    if log.isEnabledFor(level):
        log.handle(record)
    elif level >= logging.INFO:
        _FILES.handle(record)


@contextlib.contextmanager
def kept(folder: Path, asked: str, versions: Mapping[str, str]) -> Iterator[None]:
    """A context whose entries are appended to ``fallline.log`` in ``folder``, its end included.

    What threads say goes to the file of the folder that they are in (:func:`inside`), and to those
    of the folders around it.
    """
    own = _File(folder.absolute())
    _FILES.add(own)
    try:
        with inside(folder):
            tell("asked: %s", asked)
            if COMMAND.get():
                tell("command: %s", COMMAND.get())
            named = {"Python": platform.python_version(), **versions}
            tell("versions: %s", ", ".join(f"{name} {found}" for name, found in named.items()))
            try:
                yield
            except BaseException as error:
                own.handle(_last_words(error))
                raise
            tell("complete")
    finally:
        _FILES.remove(own)


@contextlib.contextmanager
def inside(folder: Path) -> Iterator[None]:
    """A context in which this thread works on the study in ``folder``."""
    before = _FOLDER.set(folder.absolute())
    try:
        yield
    finally:
        _FOLDER.reset(before)


def enter(folder: Path) -> None:
    """From now on this thread works on the study in ``folder``."""
    _FOLDER.set(folder.absolute())


def _last_words(error: BaseException) -> logging.LogRecord:
    """The entry for what ended a study early; only errors have a traceback."""
    if isinstance(error, Exception):
        hint = error.hint if isinstance(error, FalllineError) else None
        text = f"{type(error).__name__}: {error}" + (f" (hint: {hint})" if hint else "")
        about = (type(error), error, error.__traceback__)
        return log.makeRecord(log.name, logging.ERROR, __file__, 0, "%s", (text,), about)
    why = "a signal" if isinstance(error, KeyboardInterrupt) else type(error).__name__
    why = " ".join(map(str, error.args)) or why
    text = f"stopped early by {why}: what is finished is stored"
    return log.makeRecord(log.name, logging.WARNING, __file__, 0, "%s", (text,), None)


class _Lines(logging.Formatter):
    """UTC time, level and message; only the first line of an entry begins at the margin."""

    def __init__(self) -> None:
        super().__init__(
            "%(asctime)s.%(msecs)03dZ %(levelname)-7s %(message)s", "%Y-%m-%dT%H:%M:%S"
        )
        self.converter = time.gmtime

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        if len(text) > LONGEST_ENTRY:
            half = LONGEST_ENTRY // 2
            text = f"{text[:half]}\n...\n{text[-half:]}"
        return "\n  ".join(text.splitlines())


class _File(RotatingFileHandler):
    """The log file in ``folder``: opened when there is something to write, bounded in size."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            folder / LOG_FILE,
            maxBytes=MOST_BYTES,
            backupCount=1,
            encoding="utf-8",
            errors="backslashreplace",
            delay=True,
        )
        self.folder = folder
        self.setFormatter(_Lines())

    def _open(self) -> TextIOWrapper:
        # A folder that came from elsewhere may hold a link, or a pipe that nobody reads.
        safe = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        return open(
            self.baseFilename,
            "a",
            encoding=self.encoding,
            errors=self.errors,
            opener=lambda path, flags: os.open(path, flags | safe, 0o666),
        )

    def handleError(self, record: logging.LogRecord) -> None:
        """The disk is full, or the folder is gone: this entry is lost, and nothing else."""
        stream, self.stream = self.stream, None
        with contextlib.suppress(OSError, ValueError):
            if stream is not None:
                stream.close()

    def close(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            super().close()


class _Files(logging.Handler):
    """Hands entries to the files that are open; on the logger as long as there is one."""

    def __init__(self) -> None:
        super().__init__()
        self._open: tuple[_File, ...] = ()
        self._changing = threading.Lock()

    def add(self, file: _File) -> None:
        with self._changing:
            self._open += (file,)
            log.addHandler(self)

    def remove(self, file: _File) -> None:
        with self._changing:
            self._open = tuple(each for each in self._open if each is not file)
            if not self._open:
                log.removeHandler(self)
        file.close()

    def emit(self, record: logging.LogRecord) -> None:
        at = _FOLDER.get()
        for file in self._open:
            if at is None or file.folder == at or file.folder in at.parents:
                file.handle(record)
        last = logging.lastResort
        # With a handler on the logger, Python no longer shows warnings by itself.
        if last is not None and record.levelno >= last.level and not self._others_listen():
            last.handle(record)

    def _others_listen(self) -> bool:
        logger: logging.Logger | None = log
        while logger is not None:
            if any(handler is not self for handler in logger.handlers):
                return True
            logger = logger.parent if logger.propagate else None
        return False


_FILES = _Files()


class Terminal(logging.Handler):
    """Shows entries on standard error, wherever that goes by then."""

    def emit(self, record: logging.LogRecord) -> None:
        word = f"{record.levelname.lower()}: " if record.levelno >= logging.WARNING else ""
        with contextlib.suppress(OSError, ValueError):
            print(f"fallline: {word}{record.getMessage()}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def shown(level: int) -> Iterator[None]:
    """A context in which entries of ``level`` and above are shown: for the command line alone."""
    terminal, before = Terminal(level), log.level
    log.addHandler(terminal)
    log.setLevel(min(level, logging.INFO))
    try:
        yield
    finally:
        log.removeHandler(terminal)
        log.setLevel(before)
