"""A series of studies from its file to its folder: every stage, every setting, each in turn."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from fallline import study, tasks
from fallline.analysis import series as reading
from fallline.data.dataset import k_folds
from fallline.engine import arrangement
from fallline.engine.devices import Devices, machine, prepare
from fallline.errors import FalllineError, InputError
from fallline.optimizers import catalogue
from fallline.planning import settings
from fallline.planning.config import StudyConfig
from fallline.planning.settings import Member, Setting
from fallline.planning.studyfile import Changes, Stage, StudyFile, figure_named, stages_of
from fallline.store.series import (
    FORMAT_VERSION,
    Progress,
    SeriesDocument,
    SeriesFolder,
    StoredMember,
    StoredSetting,
)
from fallline.study import Event as StudyEvent
from fallline.task import Task

KEPT_TASKS = 4
"""Tasks with their data that are kept for the members that come next."""


@dataclass(frozen=True)
class MemberBegan:
    """A study of the series begins: the ``number``-th (from 1) of those known of."""

    number: int
    known: int
    title: str
    stored: bool
    """It is complete already."""
    share_done: float
    """Of the work that is known of, by estimate, 0 to 1."""


@dataclass(frozen=True)
class StageChose:
    """A stage is over, and this is what the later ones keep."""

    stage: str
    figure: str
    labels: dict[str, str]


Event = MemberBegan | StageChose | StudyEvent
Listener = Callable[[Event], None]


def silent(event: Event) -> None:
    """A listener that tells nobody."""


def run(
    file: StudyFile,
    folder: Path | str,
    *,
    data_dir: Path | str | None = None,
    listener: Listener = silent,
) -> Path:
    """Train what the series still lacks and store it; returns the series' folder.

    Everything that can be wrong with the file is found before anything is trained. What is
    finished stays, whatever ends it early, and the same call goes on from there.
    """
    prepare()
    work = _Work(file, data_dir, listener)
    work.check()
    work.folder = SeriesFolder.begin(folder, describe(file))
    work.run()
    return work.folder.path


def describe(file: StudyFile) -> SeriesDocument:
    """What the series' folder says of itself."""
    return SeriesDocument(
        format_version=FORMAT_VERSION,
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        file=file,
        versions={
            name: metadata.version(name) for name in ("fallline", "jax", "flax", "optax", "numpy")
        },
        machine=machine(),
    )


@dataclass
class _Work:
    """One process's work on a series."""

    file: StudyFile
    data_dir: Path | str | None
    listener: Listener
    folder: SeriesFolder = field(init=False)
    _chosen: dict[str, str] = field(default_factory=dict)
    _done: float = 0.0
    _began: int = 0

    def __post_init__(self) -> None:
        self._task = lru_cache(maxsize=KEPT_TASKS)(self._made)

    # -- checking ---------------------------------------------------------------------------

    def check(self) -> None:
        """Raise where a setting cannot be trained; chosen settings are taken to be the first."""
        self._work: dict[str, float] = {}
        guessed: dict[str, str] = {}
        for name, stage in stages_of(self.file).items():
            for member in settings.members(self.file, name, guessed):
                try:
                    task, config = self._prepared(member)
                    task.require_batch(config.batch_size)
                    task.require("test", *config.splits_needed)
                    if stage.choose.startswith("validation"):
                        task.require("validation")
                    self._work[member.folder] = _seconds(task, config)
                except FalllineError as error:
                    raise type(error)(f"{member.title}: {error}", hint=error.hint) from error
            for axis in stage.vary if stage.choose else ():
                guessed.setdefault(axis, next(iter(stage.only.get(axis, self.file.axes[axis]))))

    def _prepared(self, member: Member) -> tuple[Task, StudyConfig]:
        task = self._task(_frozen(member.changes), member.protocol.folds)[max(member.fold - 1, 0)]
        asked = member.changes.batch_size
        batch = len(task.dataset.train) if asked == "all" else asked or task.batch_size
        config = member.config(epochs=member.changes.epochs or task.epochs, batch_size=batch)
        return task, config

    def _made(self, changes: bytes, folds: int) -> tuple[Task, ...]:
        """The task of some changes, or one of its folds each."""
        asked = msgspec.json.decode(changes, type=Changes)
        if asked.task is None:
            raise InputError("a setting has no task", hint='give [base] one: task = "mnist-mlp"')
        task = tasks.varied(
            asked.task,
            data_dir=self.data_dir,
            model=asked.model or None,
            data=asked.data or None,
            loss=asked.loss,
            l1=asked.l1,
            l2=asked.l2,
        )
        if not folds:
            return (task,)
        return tuple(replace(task, data=fold) for fold in k_folds(task.dataset, folds))

    # -- training ---------------------------------------------------------------------------

    def run(self) -> None:
        """Every stage in turn."""
        stored = {member.folder: member for member in self.folder.progress.members}
        kept: dict[str, StoredMember] = {}
        chosen: dict[str, dict[str, str]] = {}
        for name, stage in stages_of(self.file).items():
            for member in settings.members(self.file, name, self._chosen):
                there, lacking = _parted(member, stored.values())
                kept |= there
                self._tell(member, lacking is None)
                if lacking is not None:
                    task, config = self._prepared(lacking)
                    study.compare(
                        task, config, self.folder.path / lacking.folder, listener=self.listener
                    )
                    kept[lacking.folder] = _stored(lacking)
                    self._write(kept, stored, chosen)
                self._done += self._work.get(member.folder, 0.0)
            stored = {folder: each for folder, each in stored.items() if each.stage != name}
            if stage.choose:
                self._write(kept, stored, chosen)
                chosen[name] = self._choose(name, stage)
        self._write(kept, {}, chosen, complete=True)

    def _write(
        self,
        kept: Mapping[str, StoredMember],
        later: Mapping[str, StoredMember],
        chosen: Mapping[str, dict[str, str]],
        *,
        complete: bool = False,
    ) -> None:
        """Say what is there: the members ``kept``, and those of stages that come later."""
        members = tuple({**later, **kept}.values())
        self.folder.write(Progress(members, dict(chosen), complete))

    def _tell(self, member: Member, complete: bool) -> None:
        self._began += 1
        known = max(len(self._work), self._began)
        total = max(sum(self._work.values()), 1e-9)
        self.listener(
            MemberBegan(self._began, known, member.title, complete, min(self._done / total, 1.0))
        )

    def _choose(self, name: str, stage: Stage) -> dict[str, str]:
        """Keep the best setting of a stage for those after it; returns its labels."""
        figure = figure_named(stage.choose)
        runs = reading.runs_of(self.folder)
        runs = runs[runs["stage"] == name]
        runs = runs[runs["mode"] == reading.modes_of(runs)[-1]]
        labels = {row["setting"]: row["labels"] for row in runs.to_dict("records")}
        means = {setting: _mean(own[figure].to_numpy(float)) for setting, own in _groups(runs)}
        chosen = settings.best(means, higher_is_better=reading.higher_is_better(runs, figure))
        self._chosen |= labels[chosen]
        self.listener(StageChose(name, stage.choose, labels[chosen]))
        return labels[chosen]


def _groups(runs: Any) -> Iterator[tuple[str, Any]]:
    for setting, own in runs.groupby("setting", sort=False):
        yield str(setting), own


def _mean(figures: np.ndarray) -> float:
    """The mean over the seeds; NaN where one of them diverged."""
    return float(figures.mean()) if len(figures) else float("nan")


def _frozen(changes: Changes) -> bytes:
    """What makes the task, as a key."""
    plain = msgspec.structs.replace(changes, epochs=None, batch_size=None, optimizer=None)
    return msgspec.json.encode(plain)


def _seconds(task: Task, config: StudyConfig) -> float:
    """An estimate of a member's time, in no unit that anybody should rely on."""
    chosen = catalogue.resolve(config.optimizers)
    planned = arrangement.groups(
        task.with_budget(epochs=config.epochs), chosen, config, Devices.all()
    )
    return sum(group.runs * group.run_seconds for group in planned)


def _parted(
    member: Member, stored: Iterable[StoredMember]
) -> tuple[dict[str, StoredMember], Member | None]:
    """What is stored of a member's settings, by folder, and a member of those that lack."""
    wanted = {_key(each): each for each in member.settings}
    there: dict[str, StoredMember] = {}
    for one in stored:
        same = (one.stage, one.mode, one.fold, one.trains) == (
            *(member.stage, member.mode, member.fold),
            member.trains,
        )
        found = tuple(each for each in one.settings if _key(each) in wanted) if same else ()
        if found:
            there[one.folder] = msgspec.structs.replace(one, settings=found)
    known = {_key(each) for one in there.values() for each in one.settings}
    lacking = tuple(each for key, each in wanted.items() if key not in known)
    return there, replace(member, settings=lacking) if lacking else None


def _key(setting: Setting | StoredSetting) -> tuple[frozenset[tuple[str, str]], str]:
    """What tells the settings of a member apart."""
    return frozenset(setting.labels.items()), setting.optimizer


def _stored(member: Member) -> StoredMember:
    """What is stored of a member."""
    return StoredMember(
        stage=member.stage,
        mode=member.mode,
        fold=member.fold,
        trains=member.trains,
        folder=member.folder,
        title=member.title,
        settings=tuple(StoredSetting(each.labels, each.optimizer) for each in member.settings),
    )
