"""Putting a study's folder in order: what a writer does before it writes. Nothing is deleted.

What does not count is moved into ``set-aside/``, a damaged part as ``000003.parquet.damaged``. Each
step leaves a folder that is read rightly: a study is no longer called finished before a part of it
is moved, and the manifest forgets a part after that.
"""

from __future__ import annotations

from pathlib import Path

from fallline.store import durable, manifest
from fallline.store.contents import ASIDE_FOLDER, PARTS_FOLDER, Contents, State
from fallline.store.manifest import PART_NAME

TIMING_FILE = "timing.toml"
DAMAGED = ".damaged"


def put_in_order(folder: Path, found: Contents) -> None:
    """Mend what ``found`` shows, as the folder's only writer. Raises ``OSError``."""
    for torn in temporaries(folder, found):
        torn.unlink(missing_ok=True)
    if (folder / TIMING_FILE).is_file() and not found.complete:
        set_aside(folder, folder / TIMING_FILE)
    for part in found.lost:
        if part.state is State.DAMAGED:
            set_aside(folder, folder / PARTS_FOLDER / part.name, DAMAGED)
    whole = [part.entry for part in found.parts if part.counts and part.entry]
    new = [part.entry for part in found.parts if part.state is State.UNLISTED and part.entry]
    known = len(whole) - len(new)
    if found.manifest.torn or found.manifest.damaged or known < len(found.manifest.entries):
        manifest.write(folder, whole)
    elif new:
        manifest.append(folder, new)


def set_aside(folder: Path, path: Path, suffix: str = "") -> Path:
    """Move ``path`` out of the way, under a name that is free; returns it."""
    aside = folder / ASIDE_FOLDER
    aside.mkdir(exist_ok=True)
    target, copy = aside / f"{path.name}{suffix}", 2
    while target.exists():
        target = aside / f"{path.name}.{copy}{suffix}"
        copy += 1
    durable.rename(path, target)
    durable.flush_folder(path.parent)
    return target


def temporaries(folder: Path, found: Contents) -> list[Path]:
    """Files that a writer was killed over: what was to be in them was not stored."""
    own = [folder / PARTS_FOLDER / name for name in found.torn]
    return [*own, *folder.glob("*.toml.tmp"), *folder.glob(f"{manifest.MANIFEST_FILE}.tmp")]


def last_number(folder: Path, found: Contents) -> int:
    """Of all parts that there ever were: no number is used twice."""
    aside = folder / ASIDE_FOLDER
    set_apart = [path.name for path in aside.iterdir()] if aside.is_dir() else []
    names = [part.name for part in found.parts] + set_apart
    numbers = (PART_NAME.match(name) for name in names)
    return max((int(number[0].partition(".")[0]) for number in numbers if number), default=0)
