"""The populations of a study: compiled in the background, without the optimizers that fail."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

from fallline import failing
from fallline import optimizers as catalogue
from fallline.engine import arrangement
from fallline.engine.branches import Branch
from fallline.engine.devices import Devices, usable_cores
from fallline.engine.faults import DeviceError, reason_of
from fallline.engine.feeding import Resident, Seeds
from fallline.engine.population import Population
from fallline.errors import FalllineError
from fallline.optimizers import Optimizer
from fallline.planning.config import StudyConfig
from fallline.planning.grouping import Group
from fallline.records import Run
from fallline.store import logbook
from fallline.task import Task

log = logging.getLogger("fallline")

MOST_COMPILERS = 8


def compile_threads() -> int:
    """Programs that are compiled at once while others train: more than half the cores slow both."""
    return max(1, min(MOST_COMPILERS, usable_cores() // 2))


class Coming:
    """A population that is compiled in the background: from now on, or from when it is asked for.

    ``submit`` has it compiled.
    """

    def __init__(
        self, group: Group, submit: Callable[[], Future[Population]], *, begin: bool
    ) -> None:
        self.group = group
        self._submit = submit
        self._future = submit() if begin else None

    def done(self) -> bool:
        """Whether it can be had without waiting."""
        return self._future is not None and self._future.done()

    def result(self) -> Population:
        """The population, when it is compiled; raises what went wrong with it."""
        self._future = self._future or self._submit()
        return self._future.result()


@dataclass
class Populations:
    """A population per optimizer (shared by a group), compiled in turn by ``compiler``."""

    task: Task
    optimizers: tuple[Optimizer, ...]
    config: StudyConfig
    devices: Devices
    compiler: ThreadPoolExecutor
    folder: Path
    """The study's, to say how it goes on."""
    failed: dict[str, str] = field(default_factory=dict)
    """By optimizer, why it cannot be trained: known when its population was asked for, or when it
    was trained."""
    _coming: dict[str, Coming] = field(default_factory=dict)
    _broken: set[tuple[str, ...]] = field(default_factory=set)
    """The optimizers of the programs that a device's error has ended, and that are tried again."""

    def __post_init__(self) -> None:
        self._seeds = Seeds(
            self.task.name,
            (*self.config.confirm_seeds, *self.config.fresh_seeds),
            self.config.study_seed,
        )
        self.initial: Callable[[], Any] = cache(partial(self._seeds.initial, self.task.pure))
        """Every seed's first weights."""
        groups = self._groups()
        # Made here, not by whichever thread comes first: the data goes to the devices once.
        self._data = {
            group.layout.shards: Resident.of(
                self.task,
                self.devices.shared_by(group.layout.shards),
                streamed=not group.layout.resident,
            )
            for group in {each.layout.shards: each for each in groups}.values()
        }
        for group in groups:
            self._add(group)

    def of(self, name: str) -> Population | None:
        """The optimizer's population, when it is compiled; None where the optimizer failed.

        Who shares its program goes on without it. Raises InputError where the task is at fault,
        StudyError where every optimizer failed.
        """
        while name not in self.failed:
            coming = self._coming[name]
            try:
                return coming.result()
            except FalllineError:
                raise
            except DeviceError as error:
                self.broke(name, error)
                if name not in self.failed and self._coming[name] is coming:
                    self._add(coming.group)
            except Exception as error:
                self._regroup(coming.group, error)
        return None

    def broke(self, name: str, error: Exception, *, progress: bool = False) -> None:
        """A device reported ``error`` for the program of the optimizer ``name``: what to do now.

        The first time the same is tried again. The next time optimizers that share the program get
        one each, so that the guilty one is found; one that is alone has failed, unless there was
        ``progress`` since. Raises StudyError where every optimizer failed, and where the devices
        are gone.
        """
        group = self._coming[name].group
        names, reason = group.optimizers, reason_of(error)
        if names not in self._broken or (progress and len(names) == 1):
            self._broken.add(names)
            log.warning("%s: %s; what was under way begins again", ", ".join(names), reason)
        elif len(names) > 1:
            log.warning("%s: %s again; each is trained apart now", ", ".join(names), reason)
            for each in names:
                self._add(replace(group, optimizers=(each,), runs=group.runs // len(names)))
        else:
            failing.require_devices(self.devices, self.folder)
            log.warning("%s failed and is left out: %s", name, reason)
            self.failed[name] = reason
            failing.require_any(self.optimizers, self.failed, failing.goes_on(self.folder))

    def went_well(self, name: str) -> None:
        """The program of the optimizer ``name`` has trained what was asked of it."""
        self._broken.discard(self._coming[name].group.optimizers)

    def batch_size(self, run: Run) -> int:
        """Examples per step of a run, whether its optimizer can be trained or not."""
        return len(self.task.dataset.train) if run.full_batch else self.config.batch_size

    def together(
        self, runs: Iterable[Run], waits: Callable[[tuple[str, ...]], None]
    ) -> Iterator[tuple[Population, list[Run]]]:
        """Each population with its runs, in the order in which they are compiled.

        ``waits`` is told of whose runs are waited for, where they are. Runs of optimizers that
        failed are left out, also where that is found out meanwhile.
        """
        left = list(runs)
        for name in list(self._coming):
            if not any(run.optimizer == name for run in left):
                continue
            if not self._coming[name].done():
                members = self._coming[name].group.optimizers
                waits(tuple(dict.fromkeys(r.optimizer for r in left if r.optimizer in members)))
            population = self.of(name)
            if population is not None:
                members = self._coming[name].group.optimizers
                yield population, [run for run in left if run.optimizer in members]
                left = [run for run in left if run.optimizer not in members]

    def compiled(self) -> dict[str, Population]:
        """The populations by the optimizers that can be trained."""
        return {
            each.name: population
            for each in self.optimizers
            if (population := self.of(each.name)) is not None
        }

    def _groups(self) -> list[Group]:
        left = list(self.optimizers)
        while True:
            try:
                return arrangement.groups(self.task, left, self.config, self.devices)
            except FalllineError:
                raise
            except Exception as error:
                self._leave_out(left, error)
                left = [each for each in left if each.name not in self.failed]

    def _leave_out(self, among: Iterable[Optimizer], error: Exception) -> None:
        self.failed |= failing.at_fault(self.task, among, error)
        failing.require_any(self.optimizers, self.failed)

    def _regroup(self, group: Group, error: Exception) -> None:
        """A program without those of the group that are at fault."""
        self._leave_out([catalogue.get(name) for name in group.optimizers], error)
        left = tuple(name for name in group.optimizers if name not in self.failed)
        if left:
            self._add(replace(group, optimizers=left))

    def _add(self, group: Group) -> None:
        # Where time is limited each program is compiled in its optimizer's own.
        begin = self.config.protocol.kind != "time"
        submit = partial(self.compiler.submit, self._build, group)
        self._coming |= dict.fromkeys(group.optimizers, Coming(group, submit, begin=begin))

    def _build(self, group: Group) -> Population:
        population = arrangement.population(
            self.task,
            group,
            [Branch(catalogue.get(name)) for name in group.optimizers],
            self._seeds,
            self.devices,
            initial=self.initial,
            resident=lambda devices, streamed: self._data[devices.shards],
            stopping=self.config.stopping,
        )
        population.compile()
        names = ", ".join(group.optimizers)
        logbook.tell("compiled %s in %.2f s", names, population.compile_seconds)
        return population
