"""Files that are on the disk when it is said so: flushed, renamed, and their folder flushed."""

from __future__ import annotations

import os
from pathlib import Path


def write(path: Path, data: bytes, *, temporary: Path | None = None) -> None:
    """Write ``data``; whatever ends the process, the file is there as a whole or as it was."""
    temporary = temporary or path.with_name(f"{path.name}.tmp")
    with open(temporary, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    rename(temporary, path)


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
