"""A series' folder: ``series.toml``, ``members.toml``, and a study's folder for each member."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from fallline.errors import StudyError
from fallline.planning.extending import require_same
from fallline.planning.studyfile import StudyFile
from fallline.store import gathering
from fallline.store.folder import StudyFolder, inside, read_record, write_record

FORMAT_VERSION = 1
DOCUMENT = "series.toml"
WHAT = "series of studies"
_PROGRESS = "members.toml"


class SeriesDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``series.toml``: written once, when the series' folder is made."""

    format_version: int
    created: str
    """UTC, ISO 8601."""
    file: StudyFile
    """The study file in the form that is run."""
    versions: dict[str, str]
    machine: dict[str, Any]


class StoredSetting(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One setting of a member: its labels by axis, and the optimizer's name in its study."""

    labels: dict[str, str]
    optimizer: str


class StoredMember(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A study of the series, and what its optimizers stand for."""

    stage: str
    mode: str
    fold: int
    trains: str
    """Hash of what its settings train, the optimizers apart."""
    folder: str
    title: str
    settings: tuple[StoredSetting, ...]


class Progress(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``members.toml``: the studies that are complete, and what the stages chose."""

    members: tuple[StoredMember, ...] = ()
    chosen: dict[str, dict[str, str]] = {}
    """By stage: the setting of each of its axes that later stages keep."""
    complete: bool = False


@dataclass(frozen=True)
class SeriesFolder:
    """The folder of a series. Make it with :meth:`begin` to write, :meth:`open` to read."""

    path: Path
    document: SeriesDocument

    @classmethod
    def open(cls, path: Path | str) -> SeriesFolder:
        """The series in the folder ``path``."""
        folder = Path(path)
        hint = "give the folder that 'fallline run' or 'fallline reproduce' named"
        return cls(folder, gathering.opened(folder, DOCUMENT, SeriesDocument, WHAT, hint))

    @classmethod
    def begin(cls, path: Path | str, document: SeriesDocument) -> SeriesFolder:
        """The folder ``path``, to be written: made, or gone on with where it holds the same."""
        folder = Path(path)
        if cls.holds(folder):
            held = cls.open(folder)
            require_same(held.document.file, document.file, folder)
            return held._with_texts(document.file)
        gathering.make(folder, DOCUMENT, document, WHAT)
        return cls(folder, document)

    def _with_texts(self, file: StudyFile) -> SeriesFolder:
        """The same series with the file's claims, published figures and words of today."""
        if file == self.document.file:
            return self
        document = msgspec.structs.replace(self.document, file=file)
        write_record(self.path / DOCUMENT, document)
        return SeriesFolder(self.path, document)

    @staticmethod
    def holds(folder: Path | str) -> bool:
        """Whether there is a series in ``folder``."""
        return os.path.isfile(Path(folder) / DOCUMENT)

    @property
    def progress(self) -> Progress:
        """What is complete of it."""
        file = self.path / _PROGRESS
        return read_record(file, Progress) if file.is_file() else Progress()

    @property
    def members(self) -> tuple[StoredMember, ...]:
        """The members whose study is complete, as it is now: a part may be gone since."""
        return tuple(each for each in self.progress.members if self.is_whole(each))

    @property
    def complete(self) -> bool:
        """True when the series was finished and the studies of all members are complete."""
        progress = self.progress
        return progress.complete and all(map(self.is_whole, progress.members))

    def is_whole(self, member: StoredMember) -> bool:
        """Whether the study of a member is there and complete."""
        try:
            return self.has(member) and self.study(member).complete
        except StudyError:
            return False

    def has(self, member: StoredMember) -> bool:
        """Whether the study of a member is there."""
        return os.path.isfile(inside(self.path, member.folder) / "study.toml")

    def write(self, progress: Progress) -> None:
        """Say what is complete."""
        write_record(self.path / _PROGRESS, progress)

    def study(self, member: StoredMember) -> StudyFolder:
        """The study of a member."""
        return StudyFolder.open(inside(self.path, member.folder))
