"""What a study's folder holds, read at one moment: every part checked, and what is wrong said.

A part that the manifest names counts when its bytes have the checksum that is written there. One
that the manifest does not name (its writer was killed between the rename and the entry, or is
writing now, or the folder is of a version without a manifest) counts when it reads as Parquet with
the columns of a part, its pages have the checksums that they carry, and it has this study's mark
or, as older parts, none. Nothing else counts.
"""

from __future__ import annotations

import enum
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fallline.store import manifest as manifests
from fallline.store import parts
from fallline.store.document import Timing
from fallline.store.manifest import PART_NAME, Entry, Manifest

if TYPE_CHECKING:
    import pyarrow as pa

PARTS_FOLDER = "parts"
ASIDE_FOLDER = "set-aside"


class State(enum.StrEnum):
    """What a part is found to be."""

    WHOLE = "whole"
    UNLISTED = "whole, not in the manifest yet"
    DAMAGED = "damaged"
    MISSING = "missing"


@dataclass(frozen=True)
class Part:
    """A part that is there, or that the manifest names."""

    name: str
    state: State
    entry: Entry | None
    """For the manifest, or of it; None for a part that is damaged and was never listed."""
    reason: str = ""
    """Why it does not count."""

    @property
    def counts(self) -> bool:
        return self.state in (State.WHOLE, State.UNLISTED)

    @property
    def problem(self) -> str:
        """In a sentence, for a part that does not count."""
        runs = f"its {_counted(self.entry.rows)} do" if self.entry else "what was in it does"
        why = f" ({self.reason})" if self.reason else ""
        return (
            f"{PARTS_FOLDER}/{self.name} is {self.state}{why}: {runs} not count; "
            "the command that began the study trains them again."
        )


@dataclass(frozen=True)
class Contents:
    """A study's runs, and what of its folder does not count."""

    timing: Timing | None
    """As it is written; also where parts are gone since."""
    manifest: Manifest
    parts: tuple[Part, ...]
    foreign: tuple[str, ...]
    """What else lies among the parts, by name."""
    torn: tuple[str, ...]
    """Temporary files that a writer left, or that one is writing."""
    table: pa.Table
    """The runs that count, each once, with the columns of :func:`parts.schema`."""
    others: tuple[str, ...] = ()
    """Further problems, a sentence each."""

    @property
    def lost(self) -> tuple[Part, ...]:
        """The parts that do not count."""
        return tuple(part for part in self.parts if not part.counts)

    @property
    def short(self) -> int:
        """Runs that were there when the study was finished and that no part accounts for."""
        known = self.table.num_rows + sum(part.entry.rows for part in self.lost if part.entry)
        return max(0, self.timing.runs - known) if self.timing else 0

    @property
    def complete(self) -> bool:
        """Whether the study was finished and all its runs are there."""
        return self.timing is not None and not self.lost and not self.short

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong, a sentence each; empty for a folder that is sound."""
        found = [*self.others, *(part.problem for part in self.lost)]
        if self.short:
            found.append(
                f"{_counted(self.short)} of the finished study are not in any part; "
                "the command that began the study trains them again."
            )
        found += [
            f"Line {line} of {manifests.MANIFEST_FILE} is damaged: the part that it named counts "
            "if it can be read."
            for line in self.manifest.damaged
        ]
        found += [
            f"{PARTS_FOLDER}/{name} is not a part of the study and is ignored."
            for name in self.foreign
        ]
        return tuple(found)


def look(folder: Path, training: str, timing: Timing | None = None) -> Contents:
    """Read what ``folder`` holds; ``training`` is the mark of its study.

    While another process writes, it is what was there at one moment: the manifest is read before
    the names of the parts, and ``timing`` must be read before both. Raises ``OSError`` where the
    folder cannot be read.
    """
    manifest = manifests.read(folder)
    named, foreign, torn = _listed(folder / PARTS_FOLDER)
    there = set(named)
    # One after the other: parts are so small that threads would wait for each other.
    found = [
        _read(folder / PARTS_FOLDER / name, manifest.entries.get(name), training) for name in named
    ]
    found = list(_with_sound_rows(found))
    gone = [
        Part(name, State.MISSING, entry)
        for name, entry in manifest.entries.items()
        if name not in there
    ]
    together = sorted([*(part for part, _ in found), *gone], key=lambda part: part.name)
    table = parts.joined(table for _, table in found if table is not None)
    return Contents(timing, manifest, tuple(together), foreign, torn, table)


def _listed(folder: Path) -> tuple[list[str], tuple[str, ...], tuple[str, ...]]:
    """The names of parts, of what is none, and of temporary files."""
    try:
        names = sorted(os.listdir(folder), key=lambda name: (len(name), name))
    except FileNotFoundError:
        names = []
    named = [name for name in names if PART_NAME.fullmatch(name)]
    torn = [name for name in names if name.endswith(".tmp") and is_temporary(name)]
    foreign = sorted(set(names) - set(named) - set(torn))
    return named, tuple(foreign), tuple(torn)


def is_temporary(name: str) -> bool:
    """Whether a writer names the file of a part so before it is whole."""
    return bool(PART_NAME.fullmatch(name.removesuffix(".tmp").removeprefix(".")))


def _read(path: Path, entry: Entry | None, training: str) -> tuple[Part, pa.Table | None]:
    """A part with its runs; None in their place where it does not count."""
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise ValueError("it is not a file")
        if entry and found.st_size != entry.size:
            raise ValueError(f"it has {found.st_size} bytes of {entry.size}")
        data = path.read_bytes()
        if entry and manifests.checksum(data) != entry.blake2b:
            raise ValueError("its checksum is not the one that was written")
        table = parts.decode(data, training, vouched=entry.rows if entry else None)
    except (ValueError, OSError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        return Part(path.name, State.DAMAGED, entry, reason), None
    if entry:
        return Part(path.name, State.WHOLE, entry), table
    return Part(path.name, State.UNLISTED, Entry.of(path.name, data, table.num_rows)), table


def _with_sound_rows(
    found: list[tuple[Part, pa.Table | None]],
) -> Iterator[tuple[Part, pa.Table | None]]:
    """The same, with the parts that hold what no study writes as damaged ones."""
    try:
        # All at once first: one by one would take longer than reading them.
        parts.require_sound(parts.joined(table for _, table in found if table is not None))
    except ValueError:
        for part, table in found:
            yield _if_sound(part, table)
    else:
        yield from found


def _if_sound(part: Part, table: pa.Table | None) -> tuple[Part, pa.Table | None]:
    if table is not None:
        try:
            parts.require_sound(table)
        except ValueError as error:
            return Part(part.name, State.DAMAGED, part.entry, str(error)), None
    return part, table


def _counted(runs: int) -> str:
    return f"{runs} run" if runs == 1 else f"{runs} runs"
