"""Folders of studies, suites and series: made once, around a document that says what they hold."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec

from fallline.errors import StudyError
from fallline.store.folder import read_record, write_record


def opened(folder: Path, name: str, kind: type[msgspec.Struct], what: str, hint: str) -> Any:
    """The document ``name`` of ``folder``; a StudyError where there is none: it is no ``what``."""
    if not os.path.isfile(folder / name):
        raise StudyError(f"{str(folder)!r} holds no {name}: it is no {what}", hint=hint)
    return read_record(folder / name, kind)


def make(folder: Path, name: str, document: msgspec.Struct, what: str) -> None:
    """Make ``folder`` with its ``document``. It must be new, or empty but for a torn document."""
    names = os.listdir(folder) if os.path.isdir(folder) else []
    if set(names) - {f"{name}.tmp"}:
        raise StudyError(
            f"the folder {str(folder)!r} is not empty and holds no {what}",
            hint="give --out a folder that is new or empty",
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_record(folder / name, document)
    except OSError as error:
        raise StudyError(
            f"cannot write to {str(folder)!r}: {error.strerror or error}",
            hint="give --out a folder that can be written to, on a disk with room",
        ) from error
