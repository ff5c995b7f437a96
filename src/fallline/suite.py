"""A suite: several tasks compared by one protocol, a study for each, one after another."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

from fallline import failing, study, tasks
from fallline.engine import arrangement
from fallline.engine.devices import Devices, machine, prepare
from fallline.errors import InputError
from fallline.optimizers import catalogue
from fallline.planning import tpe
from fallline.planning.config import StudyConfig
from fallline.signals import terminable
from fallline.store import logbook
from fallline.store.suite import FORMAT_VERSION, Asked, SuiteDocument, SuiteFolder, SuiteTask
from fallline.study import Event as StudyEvent
from fallline.task import Task

LEAST_TASKS = 2


@dataclass(frozen=True)
class TaskBegan:
    """The study of a task begins: the ``number``-th (from 1) of those ``known``."""

    number: int
    known: int
    title: str
    stored: bool
    """It is complete already."""
    share_done: float
    """Of the suite's work, by estimate, 0 to 1."""


Event = TaskBegan | StudyEvent
Listener = Callable[[Event], None]


def silent(event: Event) -> None:
    """A listener that tells nobody."""


@dataclass(frozen=True)
class Member:
    """A task of the suite before its data is read, and what is asked of it."""

    make: Callable[[], Task]
    configure: Callable[[Task], StudyConfig]


@dataclass(frozen=True)
class Planned:
    """A suite of which everything is checked, and nothing is trained."""

    members: tuple[Member, ...]
    document: SuiteDocument
    work: tuple[float, ...]
    """Of each member, by estimate, in no unit that anybody should rely on."""

    @property
    def name(self) -> str:
        """Of its folder, where none was given: the same for the same question."""
        return f"suite-of-{len(self.members)}-{self.document.digest}"


def members(
    given: Sequence[str | Path | Task],
    configure: Callable[[Task], StudyConfig],
    *,
    data_dir: Path | str | None = None,
    target: str | None = None,
    kind: str | None = None,
) -> tuple[Member, ...]:
    """The tasks that a user names; ``target`` and ``kind`` are for the one that is a table."""
    tables = [each for each in given if tasks.is_table(each)]
    if len(tables) > 1:
        raise InputError(
            f"{len(tables)} of the tasks are tables ({', '.join(map(str, tables))}), and --target "
            "names the column of one",
            hint="in Python, make a task of each: "
            "compare([tasks.from_csv('a.csv', 'price'), tasks.from_csv('b.csv', 'age')])",
        )
    for option, value in (("--target", target), ("--kind", kind)):
        if value is not None and not tables:
            raise InputError(
                f"{option} is for a CSV file, and none of the tasks is one",
                hint=f"leave {option} out, or give the path of a .csv file",
            )
    about_table = {"target": target, "kind": kind}
    return tuple(
        Member(
            partial(
                tasks.resolve,
                each,
                data_dir=data_dir,
                **(about_table if tasks.is_table(each) else {}),
            ),
            configure,
        )
        for each in given
    )


def plan(given: Sequence[Member]) -> Planned:
    """Check every task with its data, and say what the suite's folder will say of itself.

    The data of one task is read at a time. Raises :class:`fallline.errors.FalllineError` for the
    first task that cannot be trained as it is asked.
    """
    if len(given) < LEAST_TASKS:
        raise InputError(
            f"a suite compares at least {LEAST_TASKS} tasks, got {len(given)}",
            hint="give a single task by itself, not in a list",
        )
    prepare()
    found: list[SuiteTask] = []
    work = []
    for member in given:
        task = member.make()
        if task.name in {other.name for other in found}:
            raise InputError(
                f"two of the tasks are named {task.name!r}",
                hint="name every task once; a task of your own takes another name: Task(name=...)",
            )
        config = member.configure(task)
        _check(task, config)
        found.append(
            SuiteTask(
                name=task.name,
                folder=_folder_name(task.name, [other.folder for other in found]),
                epochs=config.epochs,
                batch_size=config.batch_size,
                fingerprint=task.with_precision(config.precision).fingerprint,
                table=task.table.path if task.table else "",
                column=task.table.column if task.table else "",
                kind=(task.table.kind if task.table else None) or "",
            )
        )
        work.append(_seconds(task, config))
    return Planned(tuple(given), _document(found, config), tuple(work))


def train(planned: Planned, folder: Path | str, *, listener: Listener = silent) -> Path:
    """Train what the suite still lacks and store it; returns the suite's folder.

    Whatever ends it early, every finished run is stored, and the same call goes on from there.
    """
    stored = SuiteFolder.begin(folder, planned.document)
    document = planned.document
    asked = f"{', '.join(task.name for task in document.tasks)}, {document.asked}"
    with terminable(), logbook.kept(stored.path, asked, document.versions):
        _train_each(planned, stored, listener)
    return stored.path


def _train_each(planned: Planned, stored: SuiteFolder, listener: Listener) -> None:
    done, total = 0.0, max(sum(planned.work), 1e-9)
    failed: dict[str, failing.AllFailed] = {}
    known = zip(planned.members, planned.document.tasks, planned.work, strict=True)
    for number, (member, described, work) in enumerate(known, start=1):
        begun = stored.study(described.name)
        complete = begun is not None and begun.complete and not begun.failed
        share = min(done / total, 1.0)
        listener(TaskBegan(number, len(planned.members), described.name, complete, share))
        task = member.make()
        place = stored.path_of(described.name)
        try:
            study.compare(task, member.configure(task), place, listener=listener)
        except failing.AllFailed as error:
            failed[described.name] = error  # the other tasks may do better
        done += work
    failing.require_none(failed, stored.path)


def _check(task: Task, config: StudyConfig) -> None:
    """What a study checks before it trains."""
    task.require_batch(config.batch_size)
    task.require("test", *config.splits_needed)
    if config.protocol.method == "tpe":
        tpe.require()


def _document(found: Iterable[SuiteTask], config: StudyConfig) -> SuiteDocument:
    asked = Asked(
        optimizers=config.optimizers,
        rule=str(config.protocol),
        seeds=len(config.search_seeds),
        final_seeds=config.final_seeds,
        learning_rates=config.learning_rates,
        precision=config.precision,
        study_seed=config.study_seed,
        left_out=config.left_out,
    )
    packages: Iterable[str] = ("fallline", "jax", "flax", "optax", "numpy")
    versions: dict[str, str] = {name: metadata.version(name) for name in packages}
    about: dict[str, Any] = machine()
    created = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    return SuiteDocument(FORMAT_VERSION, created, tuple(found), asked, versions, about)


def _folder_name(name: str, taken: Sequence[str]) -> str:
    """A task's name as a folder's: no separators, nothing hidden, none twice."""
    plain = re.sub(r"[^\w.+-]+", "-", name).strip("-.") or "task"
    return plain if plain not in taken else f"{plain}-{len(taken) + 1}"


def _seconds(task: Task, config: StudyConfig) -> float:
    chosen = catalogue.resolve(config.optimizers)
    asked = task.with_budget(epochs=config.epochs, batch_size=config.batch_size)
    groups = arrangement.groups(asked, chosen, config, Devices.all())
    return sum(group.runs * group.run_seconds for group in groups)
