"""What is given damaged input: its good inputs, their pieces, and how it reads one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Reader:
    """What is given damaged input: ``read`` takes it, and an empty folder to put it into."""

    what: str
    """That it reads, in a few words."""
    seeds: Callable[[], list[bytes]]
    read: Callable[[bytes, Path], object]
    words: tuple[bytes, ...] = ()
    """Pieces that are put into inputs: what the format is made of, and what it may not hold."""


def put(data: bytes, folder: Path, name: str) -> Path:
    """The input as a file in ``folder``."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def text(data: bytes) -> str:
    """The input as text, whatever it holds."""
    return data.decode("utf-8", "replace")
