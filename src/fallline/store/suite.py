"""A suite's folder: ``suite.toml``, and a study's folder for each of its tasks."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from fallline.errors import StudyError
from fallline.records import stable_hash
from fallline.store import gathering
from fallline.store.folder import StudyFolder, inside

FORMAT_VERSION = 1
DOCUMENT = "suite.toml"
WHAT = "suite of tasks"


class SuiteTask(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A task of the suite, and where its study is."""

    name: str
    folder: str
    """Of its study, inside of the suite's."""
    epochs: int
    batch_size: int
    fingerprint: str
    """Hash of data, splits, model and loss."""
    table: str = ""
    """The path of the CSV file that it was made of; empty for any other task."""
    column: str = ""
    kind: str = ""
    """As it was said; empty: inferred."""


class Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is asked of every task alike."""

    optimizers: tuple[str, ...]
    rule: str
    """The protocol as it is written: ``"grid"``, ``"budget 15"``."""
    seeds: int
    """Of every trial; 0 where nothing is searched."""
    final_seeds: int
    learning_rates: int | tuple[float, ...]
    """Points of a grid, or the values."""
    precision: str = "float32"
    study_seed: int = 0
    left_out: tuple[str, ...] = ()
    """Optimizers that were asked for and that the protocol is not for."""


class SuiteDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``suite.toml``: written once, when the suite's folder is made."""

    format_version: int
    created: str
    """UTC, ISO 8601."""
    tasks: tuple[SuiteTask, ...]
    asked: Asked
    versions: dict[str, str]
    machine: dict[str, Any]

    @property
    def digest(self) -> str:
        """Eight hex digits that stand for what is asked, whichever the order of the tasks."""
        tasks = sorted((t.name, t.fingerprint, t.epochs, t.batch_size) for t in self.tasks)
        return stable_hash(tasks, msgspec.to_builtins(self.asked), digits=8)


@dataclass(frozen=True)
class SuiteFolder:
    """The folder of a suite. Make it with :meth:`begin` to write, :meth:`open` to read."""

    path: Path
    document: SuiteDocument

    @classmethod
    def open(cls, path: Path | str) -> SuiteFolder:
        """The suite in the folder ``path``."""
        folder = Path(path)
        hint = "give the folder that 'fallline compare' named for several tasks"
        return cls(folder, gathering.opened(folder, DOCUMENT, SuiteDocument, WHAT, hint))

    @classmethod
    def begin(cls, path: Path | str, document: SuiteDocument) -> SuiteFolder:
        """The folder ``path``, to be written: made, or gone on with where it holds the same."""
        folder = Path(path)
        if cls.holds(folder):
            held = cls.open(folder)
            _require_same(held.document, document, folder)
            return held
        gathering.make(folder, DOCUMENT, document, WHAT)
        return cls(folder, document)

    @staticmethod
    def holds(folder: Path | str) -> bool:
        """Whether there is a suite in ``folder``."""
        return os.path.isfile(Path(folder) / DOCUMENT)

    def path_of(self, name: str) -> Path:
        """The folder of a task's study, whether it is there or not."""
        own = next(each.folder for each in self.document.tasks if each.name == name)
        return inside(self.path, own)

    def study(self, name: str) -> StudyFolder | None:
        """The study of a task; None where it has not begun."""
        path = self.path_of(name)
        return StudyFolder.open(path) if os.path.isfile(path / "study.toml") else None


def _require_same(held: SuiteDocument, asked: SuiteDocument, folder: Path) -> None:
    """Raise unless both documents ask for the same studies, with the differences named."""
    before, now = ({task.name: task for task in each.tasks} for each in (held, asked))
    if before.keys() != now.keys():
        raise StudyError(
            f"the folder {str(folder)!r} holds a suite of other tasks: {_named(held.tasks)} "
            f"there, {_named(asked.tasks)} asked",
            hint="give --out another folder",
        )
    differences = [*_differences(held.asked, asked.asked, "")]
    for name, task in now.items():
        # The folder's name is for the suite to choose, and it has been chosen.
        same = msgspec.structs.replace(before[name], **_asked_of(task))
        differences += _differences(before[name], same, f" of {name!r}")
    if differences:
        raise StudyError(
            f"the folder {str(folder)!r} holds another suite ({'; '.join(differences)})",
            hint="give --out another folder, or ask for the same suite to go on with it",
        )


def _asked_of(task: SuiteTask) -> dict[str, Any]:
    """What decides the numbers: not where the task's files are."""
    return {name: getattr(task, name) for name in ("epochs", "batch_size", "fingerprint")}


def _named(tasks: Sequence[SuiteTask]) -> str:
    return ", ".join(task.name for task in tasks)


def _differences(held: msgspec.Struct, asked: msgspec.Struct, whose: str) -> Iterator[str]:
    for name in held.__struct_fields__:
        old, new = getattr(held, name), getattr(asked, name)
        if old != new:
            yield f"{name}{whose}: {_short(old)} there, {_short(new)} asked"


def _short(value: Any) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
