"""A series of studies from its file to its folder: stage after stage, studies side by side."""

from __future__ import annotations

import datetime
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from importlib import metadata
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from fallline import failing, members, pool, study, tasks
from fallline.analysis import series as reading
from fallline.data.dataset import Dataset, k_folds
from fallline.engine import arrangement
from fallline.engine.devices import Devices, machine, prepare
from fallline.errors import FalllineError, InputError
from fallline.optimizers import catalogue
from fallline.planning import settings
from fallline.planning.config import StudyConfig
from fallline.planning.grouping import Group
from fallline.planning.settings import Member
from fallline.planning.studyfile import Changes, Stage, StudyFile, figure_named, stages_of
from fallline.signals import insist, terminable
from fallline.store import logbook
from fallline.store.series import (
    FORMAT_VERSION,
    Progress,
    SeriesDocument,
    SeriesFolder,
    StoredMember,
)
from fallline.study import Event as StudyEvent
from fallline.task import Task

KEPT_TASKS = 4
"""Tasks that are kept for the members that come next."""
KEPT_DATA = 2
"""Data sets that are kept for the tasks that come next."""


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
    same_as: int = 0
    """The number of the study that trains all of it, where an earlier one does."""


@dataclass(frozen=True)
class MemberTold:
    """What a study of the series says while it is trained; several may be, side by side."""

    number: int
    event: StudyEvent


@dataclass(frozen=True)
class MemberEnded:
    """A study of the series is trained and stored."""

    number: int


@dataclass(frozen=True)
class StageChose:
    """A stage is over, and this is what the later ones keep."""

    stage: str
    figure: str
    labels: dict[str, str]


Event = MemberBegan | MemberTold | MemberEnded | StageChose
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

    Everything that can be wrong with the file is found before anything is trained. Studies that
    leave devices idle are trained side by side, with the same numbers. What is finished stays,
    whatever ends it early, and the same call goes on from there. ``listener`` is called in the
    calling thread.
    """
    prepare()
    work = _Work(file, Path(folder), data_dir, listener, Devices.all())
    work.check()
    document = describe(file)
    work.folder = SeriesFolder.begin(folder, document)
    asked = f"the series {file.name}: {file.title}"
    with terminable(), logbook.kept(work.folder.path, asked, document.versions):
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


@dataclass(frozen=True)
class _Lacking:
    """What of the ``number``-th member has to be trained."""

    number: int
    member: Member
    lacks: Member


@dataclass
class _Work:
    """One process's work on a series. As a :class:`pool.Watch` it is told of its studies."""

    file: StudyFile
    path: Path
    data_dir: Path | str | None
    listener: Listener
    devices: Devices
    folder: SeriesFolder = field(init=False)
    _programs: dict[tuple[str, StudyConfig], list[Group]] = field(default_factory=dict)
    """How programs lie on all devices, by what they train."""
    _seconds: dict[str, float] = field(default_factory=dict)
    """By folder, of the members that are known of: estimates that nobody should rely on."""
    _chosen: dict[str, str] = field(default_factory=dict)
    """By axis, what stages chose."""
    _chose: dict[str, dict[str, str]] = field(default_factory=dict)
    """By stage."""
    _stored: list[StoredMember] = field(default_factory=list)
    """What earlier processes left."""
    _entries: list[StoredMember] = field(default_factory=list)
    """What the stages up to now consist of, in the file's order."""
    _complete: set[str] = field(default_factory=set)
    """Folders whose studies are complete."""
    _numbers: dict[str, int] = field(default_factory=dict)
    """By folder, the numbers of the members that this process trains."""
    _reached: set[str] = field(default_factory=set)
    """Stages whose members are entered."""
    _failed: dict[str, failing.AllFailed] = field(default_factory=dict)
    """By folder, the members none of whose optimizers could be trained."""
    _done: float = 0.0
    _under_way: dict[int, float] = field(default_factory=dict)
    """Estimates, by number."""

    def __post_init__(self) -> None:
        self._task = lru_cache(maxsize=KEPT_TASKS)(self._made)
        self._dataset = lru_cache(maxsize=KEPT_DATA)(self._read)
        self._making = threading.Lock()
        self._began = 0

    # -- checking ---------------------------------------------------------------------------

    def check(self) -> None:
        """Raise where a setting cannot be trained; chosen settings are taken to be the first."""
        guessed: dict[str, str] = {}
        for name, stage in stages_of(self.file).items():
            for member in settings.members(self.file, name, guessed):
                try:
                    task, config = self._prepared(member)
                    task.require_batch(config.batch_size)
                    task.require("test", *config.splits_needed)
                    if stage.choose.startswith("validation"):
                        task.require("validation")
                    for part in self._parts(member):
                        groups = self._planned(part)
                        seconds = sum(group.runs * group.run_seconds for group in groups)
                        self._seconds[part.folder] = seconds
                except FalllineError as error:
                    raise type(error)(f"{member.title}: {error}", hint=error.hint) from error
            for axis in stage.vary if stage.choose else ():
                guessed.setdefault(axis, next(iter(stage.only.get(axis, self.file.axes[axis]))))

    def _planned(self, member: Member) -> list[Group]:
        """How the member's programs lie on all devices."""
        key = member.trains, member.config(epochs=1, batch_size=1)
        if key not in self._programs:
            task, config = self._prepared(member)
            chosen = catalogue.resolve(config.optimizers)
            task = task.with_budget(epochs=config.epochs)
            self._programs[key] = arrangement.groups(task, chosen, config, self.devices)
        return self._programs[key]

    def _parts(self, member: Member) -> list[Member]:
        """The member, or what it is better cut into."""
        groups = self._planned(member)
        return members.parts(member, groups, self.devices.count, self.path)

    def _prepared(self, member: Member) -> tuple[Task, StudyConfig]:
        with self._making:
            folds = self._task(_frozen(member.changes), member.protocol.folds)
        task = folds[max(member.fold - 1, 0)]
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
            dataset=self._dataset(asked.task, msgspec.json.encode(asked.data)),
        )
        if not folds:
            return (task,)
        return tuple(replace(task, data=fold) for fold in k_folds(task.dataset, folds))

    def _read(self, task: str, data: bytes) -> Dataset:
        return tasks.varied(task, data_dir=self.data_dir, data=msgspec.json.decode(data)).dataset

    # -- training ---------------------------------------------------------------------------

    def run(self) -> None:
        """Stage after stage up to one that chooses, the studies of these side by side."""
        self._stored = self._sound()
        self._complete = {each.folder for each in self._stored}
        for names in members.stretches(self.file):
            pool.work([self._job(each) for each in self._lacking(names)], self.devices, self)
            self._write()
            failing.require_none(self._failed, self.path)
            stage = stages_of(self.file)[names[-1]]
            if stage.choose:
                self._chose[names[-1]] = self._choose(names[-1], stage)
        self._write(complete=True)

    def _sound(self) -> list[StoredMember]:
        """The members that are stored, without those of which runs failed: they are tried again."""
        there = self.folder.members
        failed = {each.folder for each in there if self.folder.study(each).failed}
        return [each for each in there if each.folder not in failed]

    def _lacking(self, names: Iterable[str]) -> list[_Lacking]:
        """Enter the members of some stages; returns what of them has to be trained."""
        found: list[_Lacking] = []
        for name in names:
            for whole in settings.members(self.file, name, self._chosen):
                found += filter(None, map(self._entered, self._parts(whole)))
            self._reached.add(name)
        return found

    def _entered(self, member: Member) -> _Lacking | None:
        """Enter a member; None where nothing of it has to be trained."""
        self._began += 1
        entries, lacks = members.parted(member, [*self._stored, *self._entries], self.file)
        self._entries += entries
        if lacks is not None:
            self._numbers[lacks.folder] = self._began
            return _Lacking(self._began, member, lacks)
        stored = all(each.folder in self._complete for each in entries)
        same = max(self._numbers.get(each.folder, 0) for each in entries)
        self._tell(self._began, member, stored=stored, same_as=same)
        self._done += self._estimate(member)
        return None

    def _estimate(self, member: Member) -> float:
        return self._seconds.get(member.folder, 0.0)

    def _job(self, lacking: _Lacking) -> pool.Job:
        wanted = members.wanted(self._planned(lacking.lacks), self.devices.count)
        return pool.Job(lacking, wanted, partial(self._train, lacking.lacks))

    def _train(self, member: Member, devices: Devices, tell: pool.Tell) -> None:
        task, config = self._prepared(member)
        place = self.path / member.folder
        try:
            study.compare(task, config, place, listener=tell, devices=devices)
        except failing.AllFailed as error:
            self._failed[member.folder] = error  # the other members may do better

    def began(self, job: pool.Job) -> None:
        """A member is trained from now on."""
        self._tell(job.about.number, job.about.member)
        self._under_way[job.about.number] = self._estimate(job.about.member)

    def told(self, job: pool.Job, event: StudyEvent) -> None:
        """A member's study says something."""
        insist()
        self.listener(MemberTold(job.about.number, event))

    def ended(self, job: pool.Job) -> None:
        """A member is trained."""
        if job.about.lacks.folder not in self._failed:
            self._complete.add(job.about.lacks.folder)
        self._done += self._under_way.pop(job.about.number)
        self._write()
        self.listener(MemberEnded(job.about.number))

    def _write(self, *, complete: bool = False) -> None:
        """Say what is there: what is complete of the stages up to now, and of later ones."""
        there = [each for each in self._entries if each.folder in self._complete]
        later = [each for each in self._stored if each.stage not in self._reached]
        listed = tuple(there if complete else [*there, *later])
        self.folder.write(Progress(listed, dict(self._chose), complete))

    def _tell(self, number: int, member: Member, *, stored: bool = False, same_as: int = 0) -> None:
        known = max(len(self._seconds), number)
        total = max(sum(self._seconds.values()), 1e-9)
        done = self._done + sum(self._under_way.values()) / 2  # which are half way, on the average
        share = min(done / total, 1.0)
        self.listener(MemberBegan(number, known, member.title, stored, share, same_as))

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
