"""Files that are on the disk when it is said so: flushed, renamed, and their folder flushed."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

_LEFT_SECONDS = 3600.0


def write(path: Path, data: bytes, *, temporary: Path | None = None) -> None:
    """Write ``data``; whatever ends the process, the file is there as a whole or as it was."""
    temporary = temporary or path.with_name(f"{path.name}.tmp")
    with removed_if_refused(temporary):
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        rename(temporary, path)


@contextlib.contextmanager
def removed_if_refused(temporary: Path) -> Iterator[None]:
    """A context that takes ``temporary`` away where writing is refused: others need the room."""
    try:
        yield
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def write_page(path: Path, text: str) -> None:
    """Write a page, which can always be made anew: as a whole or not at all, but not flushed.

    Several processes may do so at once. A link in its place is replaced and not followed.
    """
    for left in path.parent.glob(f".{path.name}.*.tmp"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > _LEFT_SECONDS:
                left.unlink()
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def rename(source: Path, target: Path) -> None:
    """Rename, and flush the folder: after a power cut the new name is there or the old state."""
    os.replace(source, target)
    flush_folder(target.parent)


def flush_folder(folder: Path) -> None:
    """Have the names in ``folder`` on the disk, where the system can say so."""
    if hasattr(os, "O_DIRECTORY"):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
