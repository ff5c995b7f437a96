"""``clock.toml``: how far a search that is limited by time has come, while its study trains.

How many trials fit into a time is the one thing of a study that its document and its runs do not
say; a study that was interrupted goes on with what is written here.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

import msgspec

from fallline.store.folder import read_record, write_record

CLOCK_FILE = "clock.toml"


class Clock(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What each optimizer's search has taken, by its name."""

    spent: dict[str, float] = {}
    """Seconds of wall time, compiling included."""
    rounds: dict[str, tuple[int, ...]] = {}
    """How many trials there were at the end of each round."""
    over: tuple[str, ...] = ()
    """The optimizers whose time is up."""

    def advanced(self, name: str, spent: float, trials: int) -> Clock:
        """The clock after a round of ``name`` that ended with so many trials."""
        rounds = (*self.rounds.get(name, ()), trials)
        return Clock(self.spent | {name: spent}, self.rounds | {name: rounds}, self.over)

    def stopped(self, name: str, spent: float) -> Clock:
        """The clock after the search of ``name``."""
        return Clock(self.spent | {name: spent}, self.rounds, (*self.over, name))


def load(folder: Path) -> Clock:
    """The clock of the study in ``folder``; one that has not begun where there is none.

    Raises StudyError where it is damaged.
    """
    path = folder / CLOCK_FILE
    return read_record(path, Clock) if path.is_file() else Clock()


def save(folder: Path, clock: Clock) -> None:
    """Write ``clock``; complete or not at all."""
    write_record(folder / CLOCK_FILE, clock)


def remove(folder: Path) -> None:
    """Take the file away: the study is complete."""
    with contextlib.suppress(FileNotFoundError):
        (folder / CLOCK_FILE).unlink()
