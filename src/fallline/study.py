"""A study from its plan to its folder: the only place that knows both the engine and the store."""

from __future__ import annotations

import contextlib
import time
from collections import ChainMap
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from fallline import failing, stepping, timed
from fallline import optimizers as catalogue
from fallline.description import describe
from fallline.engine import arrangement
from fallline.engine.devices import Devices, prepare
from fallline.engine.events import Finished, Paused, UnderWay
from fallline.engine.faults import DeviceError
from fallline.engine.population import Population
from fallline.optimizers import Optimizer
from fallline.planning import plan, rounds, tpe
from fallline.planning.config import StudyConfig
from fallline.planning.search import Search
from fallline.planning.selection import best_trials
from fallline.populations import Populations, compile_threads
from fallline.records import Run, RunResult, Status
from fallline.signals import insist, terminable, undisturbed
from fallline.snapshots import PATIENCE_SECONDS, Snapshots
from fallline.store import clock, logbook
from fallline.store.document import Timing
from fallline.store.folder import StudyFolder
from fallline.task import Task
from fallline.telling import Compiling as Compiling
from fallline.telling import Event as Event
from fallline.telling import Listener as Listener
from fallline.telling import Logged
from fallline.telling import PhaseBegan as PhaseBegan
from fallline.telling import Planned as Planned
from fallline.telling import silent as silent
from fallline.tested import Tested

WRITE_SECONDS = 2.0
"""Finished runs wait at most about this long before they are written."""


def compare(
    task: Task,
    config: StudyConfig,
    folder: Path | str,
    *,
    listener: Listener = silent,
    devices: Devices | None = None,
) -> Path:
    """Train what the study still lacks and store it; returns the study's folder.

    Whatever ends it early, Ctrl-C included, every finished run is stored first, and the same call
    goes on from there, with the runs under way from where a snapshot has them. It trains on
    ``devices``, by default on all; no number depends on how many there are.
    """
    prepare()
    devices = devices or Devices.all()
    task = task.with_budget(epochs=config.epochs, batch_size=config.batch_size)
    task = task.with_precision(config.precision)
    task.require_batch(config.batch_size)
    task.require("test", *config.splits_needed)
    arrangement.warn_of_precision(task, devices)
    if config.protocol.method == "tpe":
        tpe.require()
    chosen = catalogue.resolve(config.optimizers)
    document = describe(task, chosen, config)
    study = StudyFolder.begin(folder, document)
    try:
        if not study.complete or study.failed:  # what failed is tried again
            asked = f"{task.name}, {config}"
            kept = logbook.kept(study.path, asked, document.versions)
            with terminable(), kept, failing.told(task, study.path):
                told = Logged(_insisting(listener))
                _Work(task, chosen, config, study, told, devices).run()
                told.phase_ended()
    finally:
        study.close()
    return study.path


def _insisting(listener: Listener) -> Listener:
    """The listener, before whom it is seen to that nobody who stops the study is ignored."""

    def told(event: Event) -> None:
        insist()
        listener(event)

    return told


def since(began: float) -> float:
    """Seconds since ``time.perf_counter()`` was ``began``; clocks that go back count as none."""
    return max(0.0, time.perf_counter() - began)


@dataclass
class _Work:
    """One process's work on a study."""

    task: Task
    optimizers: tuple[Optimizer, ...]
    config: StudyConfig
    study: StudyFolder
    listener: Listener
    devices: Devices
    done: dict[str, RunResult] = field(default_factory=dict)
    trained_seconds: float = 0.0
    phases: dict[str, float] = field(default_factory=dict)
    _waiting: dict[str, RunResult] = field(default_factory=dict)
    """What runs had come to at the last rung where they waited."""
    _written: float = 0.0
    _stored_before: int = 0
    _planned: set[str] = field(default_factory=set)
    """The runs that this study asked for, by id, stored ones included."""
    _failed_before: set[str] = field(default_factory=set)
    """Runs that are stored as failed, by id."""

    def __post_init__(self) -> None:
        self._tested = Tested(self.task.dataset.test)

    def run(self) -> None:
        began = time.perf_counter()
        with ThreadPoolExecutor(
            compile_threads(), initializer=logbook.enter, initargs=(self.study.path,)
        ) as compiler:
            # What needs no program is done while the first one is compiled.
            self._populations = Populations(
                self.task, self.optimizers, self.config, self.devices, compiler, self.study.path
            )
            try:
                self._populations.initial()
                for result in self.study.results():
                    if result.status is Status.FAILED:  # they are tried again
                        self._failed_before.add(result.run.run_id)
                    else:
                        self.done[result.run.run_id] = result
                self._stored_before = len(self.done)
                self._snapshots = Snapshots(self.study.path, self.done, self.study.origin)
                self.listener(
                    Planned(self.task, self.optimizers, self.study.path, self._stored_before)
                )
                self.phases["prepare"] = since(began)
                self._search()
                best = best_trials(self._of("search"), higher_is_better=self.task.higher_is_better)
                self._train("final", plan.final_runs(self.optimizers, self.config, best))
                steps = self._time_steps()
            except BaseException:
                compiler.shutdown(wait=False, cancel_futures=True)
                raise
        self._snapshots.clear()
        compiled = self._populations.compiled()
        searched = clock.load(self.study.path).spent
        self.study.finish(
            Timing(
                total=since(began),
                compile=sum(max(0.0, each.compile_seconds) for each in set(compiled.values())),
                train=self.trained_seconds,
                phases=self.phases,
                step=steps,
                stored_before=self._stored_before,
                peak_memory=self.devices.peak_memory(),
                searched=searched,
                state_bytes={
                    name: population.state_bytes(name) for name, population in compiled.items()
                },
                not_counted=tuple(
                    sorted(
                        run for run in {*self.done, *self._failed_before} if not self._counts(run)
                    )
                ),
            )
        )
        clock.remove(self.study.path)

    def _of(self, phase: str) -> list[RunResult]:
        return [
            result
            for run_id, result in self.done.items()
            if result.run.phase == phase and self._counts(run_id)
        ]

    def _counts(self, run_id: str) -> bool:
        """Whether a stored run is one of the study's, and not of what it was before.

        Where runs had failed another setting may have been chosen, without them.
        """
        before = self.study.document.widened or self._failed_before
        return not before or run_id in self._planned

    def _search(self) -> None:
        higher = self.task.higher_is_better
        if self.config.protocol.kind == "time":
            self._search_by_time(higher)
            return
        known = ChainMap(self.done, self._waiting)
        try:
            for each in rounds.rounds(self.optimizers, self.config, known, higher_is_better=higher):
                self._stop(each.stopped)
                self._train(each.phase, each.runs, each.until)
        except BaseException:
            self._snapshots.write_waiting()
            raise

    def _stop(self, runs: Sequence[Run]) -> None:
        """Store the runs that go no further than the rung where they wait.

        The states of those that go on are written first: what is decided can be gone on with.
        """
        self._snapshots.write_waiting(but=[run.run_id for run in runs])
        results = [
            replace(self._waiting[run.run_id], status=Status.STOPPED_AT_RUNG) for run in runs
        ]
        self._append(results, [self._populations.batch_size(run) for run in runs])

    def _search_by_time(self, higher_is_better: bool) -> None:
        """Each optimizer's search in turn, its program compiled when its time begins."""
        self._populations.initial()
        points = rounds.points(self.config)
        for each in self.optimizers:
            one = Search(each, self.config, points, self.done, higher_is_better)
            try:
                timed.search(
                    one,
                    self.config.protocol.seconds,
                    self.study.path,
                    at_once=self.devices.count,
                    compiled=partial(self._compiled, each.name),
                    train=partial(self._train_while_it_works, each.name),
                )
            except timed.Failed:
                self._train("search", one.extend(1))

    def _compiled(self, name: str) -> None:
        self._waits((name,))
        if self._populations.of(name) is None:
            raise timed.Failed

    def _train_while_it_works(self, name: str, phase: str, runs: Sequence[Run]) -> None:
        """Train the runs of one optimizer; raises where it has failed."""
        self._train(phase, runs)
        if name in self._populations.failed:
            raise timed.Failed

    def _train(self, phase: str, runs: Sequence[Run], until: int = 0) -> None:
        self._planned.update(run.run_id for run in runs)
        lacking = [run for run in runs if run.run_id not in self.done]
        if not lacking:
            return
        began = time.perf_counter()
        self.listener(PhaseBegan(phase, tuple(lacking), until))
        left = lacking
        while left:
            left = self._train_once(left, until)
        self._fail(lacking)
        self._spent(phase, began)

    def _train_once(self, runs: Sequence[Run], until: int) -> list[Run]:
        """Train ``runs``; returns those that a device's error has ended, to be tried again."""
        again: list[Run] = []
        for population, members in self._populations.together(runs, self._waits):
            name = members[0].optimizer
            try:
                self._train_in(population, members, until)
            except DeviceError as error:
                left = [run for run in members if self._lacks(run, until)]
                self._populations.broke(name, error, progress=len(left) < len(members))
                again += left
            else:
                self._populations.went_well(name)
        return again

    def _lacks(self, run: Run, until: int) -> bool:
        """Whether a run is neither trained to its end nor waits at its rung."""
        waiting = self._waiting.get(run.run_id)
        paused = until and waiting is not None and waiting.epochs_trained >= until
        return run.run_id not in self.done and not paused

    def _waits(self, names: tuple[str, ...]) -> None:
        self.listener(Compiling(names))

    def _fail(self, runs: Iterable[Run]) -> None:
        """Store the runs whose optimizer failed as failed, those that wait at a rung included.

        These could go on, but who stops there is not to be decided without the others.
        """
        failed, batch_size = self._populations.failed, self._populations.batch_size
        asked = {run.run_id: run for run in runs}
        asked |= {run_id: result.run for run_id, result in self._waiting.items()}
        gone = [
            run for run in asked.values() if run.optimizer in failed and run.run_id not in self.done
        ]
        results = [failing.result_of(run, failed[run.optimizer]) for run in gone]
        self._append(results, [batch_size(run) for run in gone])

    def _spent(self, phase: str, began: float) -> None:
        self.phases[phase] = self.phases.get(phase, 0.0) + since(began)

    def _train_in(self, population: Population, runs: Sequence[Run], until: int) -> None:
        final = runs[0].phase == "final"
        batch_size = population.program.batch_size
        waiting: list[Finished] = []
        resume = self._snapshots.of(runs)
        began = self._written = time.perf_counter()
        try:
            for event in population.train(runs, keep_weights=final, resume=resume, until=until):
                if isinstance(event, UnderWay):
                    self._store(population, waiting, batch_size)
                    self._snapshots.keep(event.states, event.seconds)
                elif isinstance(event, Finished):
                    waiting.append(event)
                elif isinstance(event, Paused):
                    self._waiting[event.result.run.run_id] = event.result
                    self._snapshots.wait(event.state)
                    self.listener(event)
                else:
                    self.listener(event)
                    if self._snapshots.due(event.runs):
                        population.hand_out()
                if time.perf_counter() - self._written > WRITE_SECONDS:
                    self._store(population, waiting, batch_size)
            self._store(population, waiting, batch_size)
        except BaseException:
            # Also on Ctrl-C: what is finished is kept, and what is under way.
            with contextlib.suppress(DeviceError):
                self._store(population, waiting, batch_size)
            self._snapshots.keep(population.states(PATIENCE_SECONDS))
            raise
        finally:
            self.trained_seconds += since(began)

    def _store(self, population: Population, finished: list[Finished], batch_size: int) -> None:
        """Write finished runs, the final ones with their test figures, and empty the list.

        Raises a device's error where test figures cannot be measured: then nothing is written, so
        that the runs are trained again.
        """
        try:
            results = self._tested.results(population, finished)
        except DeviceError:
            finished.clear()
            raise
        with undisturbed():
            self._append(results, [batch_size] * len(results))
            finished.clear()
        self._written = time.perf_counter()

    def _append(self, results: Sequence[RunResult], batch_sizes: Sequence[int]) -> None:
        """Write what became of runs, and tell of it."""
        self.study.append(results, batch_sizes)
        self.done |= {result.run.run_id: result for result in results}
        self._snapshots.ended([result.run.run_id for result in results])
        for result in results:
            self.listener(Finished(result))

    def _time_steps(self) -> dict[str, float]:
        """Seconds per step of each optimizer, measured alone."""
        compiled = self._populations.compiled()
        finals = {
            result.run.optimizer: result.run
            for result in self._of("final")
            if result.run.optimizer in compiled
        }
        began = time.perf_counter()
        self.listener(PhaseBegan("timing", tuple(finals.values())))
        found = stepping.measured(finals, compiled)
        self._spent("timing", began)
        return found
