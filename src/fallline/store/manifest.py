"""``manifest.jsonl``: the parts of a study, a line for each, with size and checksum.

A part is named after it has its own name and is on the disk: what is listed was whole. The file is
appended to, flushed with every part; each line carries a checksum of its own, so that a line that
was torn by a kill, or damaged, is known as such and harms no other.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from fallline.store import durable

MANIFEST_FILE = "manifest.jsonl"
PART_NAME = re.compile(r"[0-9]{6,12}\.parquet")
_LARGEST = 64 * 2**20
"""Bytes: some 400,000 parts. A file that is larger was not written by fallline."""


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the manifest says of a part."""

    part: str
    """Its file's name in ``parts/``."""
    rows: int
    """The runs in it."""
    size: int
    """Of the file, in bytes."""
    blake2b: str
    """Of the whole file: 32 hex digits (a digest of 16 bytes)."""

    @classmethod
    def of(cls, part: str, data: bytes, rows: int) -> Entry:
        """The entry of a part whose file holds ``data``."""
        return cls(part, rows, len(data), checksum(data))

    @property
    def line(self) -> bytes:
        """Its line in the file: JSON, and at its end the checksum of what is before that."""
        body = msgspec.json.encode(self)
        check = hashlib.blake2b(body, digest_size=4).hexdigest()
        return body[:-1] + b',"check":"' + check.encode() + b'"}\n'


class _Line(Entry, frozen=True, forbid_unknown_fields=True):
    check: str


@dataclass(frozen=True)
class Manifest:
    """What is read of the file."""

    entries: dict[str, Entry]
    """By the part's name."""
    damaged: tuple[int, ...] = ()
    """The lines, from 1, that are not what was written."""
    torn: bool = False
    """The last line is not at its end: its writer was killed, or is writing."""


def checksum(data: bytes) -> str:
    """Of a part's whole file."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def read(folder: Path) -> Manifest:
    """The manifest in a study's ``folder``; one without entries where there is none.

    Raises ``OSError`` where the file cannot be read.
    """
    try:
        with open(folder / MANIFEST_FILE, "rb") as file:
            data = file.read(_LARGEST)
    except FileNotFoundError:
        return Manifest({})
    lines = data.split(b"\n")
    rest = lines.pop()
    entries, damaged = {}, []
    for number, line in enumerate(lines, start=1):
        entry = _entry(line + b"\n")
        if entry is not None:
            entries[entry.part] = entry
        elif line:
            damaged.append(number)
    return Manifest(entries, tuple(damaged), bool(rest))


def _entry(line: bytes) -> Entry | None:
    """What a line says; None where it is not what was written."""
    try:
        found = msgspec.json.decode(line, type=_Line)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    entry = Entry(found.part, found.rows, found.size, found.blake2b)
    whole = entry.line == line and PART_NAME.fullmatch(entry.part) and entry.rows >= 0
    return entry if whole else None


def append(folder: Path, entries: Iterable[Entry]) -> None:
    """Add ``entries``: on return they are on the disk. Their parts must be there."""
    path = folder / MANIFEST_FILE
    new = not path.exists()
    with open(path, "ab+") as file:
        text = b"".join(each.line for each in entries)
        if file.tell() and not _ends_a_line(file.fileno(), file.tell()):
            # Torn by a disk that was full: what follows must be a line of its own.
            text = b"\n" + text
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    if new:
        durable.flush_folder(folder)


def _ends_a_line(handle: int, size: int) -> bool:
    os.lseek(handle, size - 1, os.SEEK_SET)
    return os.read(handle, 1) == b"\n"


def write(folder: Path, entries: Iterable[Entry]) -> None:
    """Write the file anew with ``entries`` alone; complete or not at all."""
    path = folder / MANIFEST_FILE
    durable.write(path, b"".join(each.line for each in entries))
