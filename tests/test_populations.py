"""Devices that report errors while a study trains: what is tried again, who fails, what is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pandas as pd
import pytest

import imagined
from fallline import models, stepping, study, tested
from fallline.data.dataset import make_dataset
from fallline.engine import arrangement
from fallline.engine.devices import Devices
from fallline.engine.events import Finished, Paused
from fallline.errors import StudyError
from fallline.planning.config import StudyConfig
from fallline.planning.protocol import parse
from fallline.records import FIGURES, Curves, Run, RunState, Status
from fallline.results import open_study
from fallline.store.folder import StudyFolder
from fallline.task import Task

Error = jax.errors.JaxRuntimeError
Trouble = Callable[[tuple[str, ...], Run], None]
"""Raises what a device reports when a run of a program of some optimizers begins."""


class Troubled(imagined.Imagined):
    """A population that trains nothing, and whose device reports errors."""

    def __init__(self, names: tuple[str, ...], trouble: Trouble, trained: list[str]) -> None:
        self.names, self.trouble, self.trained = names, trouble, trained

    def train(
        self, runs: Sequence[Run], *, until: int = 0, resume: Any = None, **settings: Any
    ) -> Iterator[Any]:
        for run in runs:
            self.trouble(self.names, run)
            (finished,) = super().train([run])
            if not 0 < until < run.epochs:
                self.trained.append(run.run_id)
                yield finished
                continue
            curves = Curves(*(each[:until] for each in vars(finished.result.curves).values()))
            result = replace(finished.result, status=Status.WAITING, curves=curves, steps=until)
            arrays = {FIGURES: np.zeros((until, 4), np.float32)}
            yield Paused(result, RunState(run.run_id, "", arrays))


class Reports:
    """A device that reports an error when any run of ``guilty`` begins, at most ``times``."""

    def __init__(self, guilty: str, times: int = 10**9, *, after: int = 0) -> None:
        self.guilty, self.times, self.after = guilty, times, after

    def __call__(self, names: tuple[str, ...], run: Run) -> None:
        if run.optimizer != self.guilty:
            return
        self.after -= 1
        if self.after < 0 < self.times:
            self.times -= 1
            raise Error("INTERNAL: the fan has stopped")


def _task() -> Task:
    draw = np.random.default_rng(0)
    x = draw.normal(size=(120, 5)).astype(np.float32)
    y = draw.integers(0, 3, 120)
    data = make_dataset(x, y, name="blobs", validation=40, test=40)
    return Task(models.MLP(3, (4,)), data, name="blobs", epochs=4, batch_size=20)


def _config(*names: str, **settings: Any) -> StudyConfig:
    asked: dict[str, Any] = {"seeds": 1, "final_seeds": 2, "learning_rates": 3, "widen": False}
    return StudyConfig(names or ("sgd", "adam"), 4, 20, **(asked | settings))


def _untroubled(names: tuple[str, ...], run: Run) -> None:
    """Nothing happens."""


class Bench:
    """Studies of imagined trainings."""

    def __init__(self, patch: pytest.MonkeyPatch, folder: Path) -> None:
        self.patch, self.folder = patch, folder
        self.trained: list[str] = []

    def compare(
        self, config: StudyConfig, trouble: Trouble = _untroubled, name: str = "study"
    ) -> Path:
        def made(task: Task, group: Any, *given: Any, **more: Any) -> Troubled:
            return Troubled(group.optimizers, trouble, self.trained)

        self.trained.clear()
        self.patch.setattr(arrangement, "population", made)
        return study.compare(_task(), config, self.folder / name)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with imagined.trainings(), pytest.MonkeyPatch.context() as patch:
        yield Bench(patch, tmp_path)


def _runs(folder: Path, *names: str) -> pd.DataFrame:
    runs = open_study(folder).runs.set_index("run_id").sort_index()
    return runs[runs["optimizer"].isin(names)] if names else runs


def _same(one: Path, other: Path, *names: str) -> None:
    pd.testing.assert_frame_equal(_runs(one, *names), _runs(other, *names), check_exact=True)


@pytest.mark.parametrize("after", [0, 3])
def test_one_error_changes_nothing(
    bench: Bench, after: int, caplog: pytest.LogCaptureFixture
) -> None:
    undisturbed = bench.compare(_config(), name="undisturbed")
    whole = sorted(bench.trained)
    disturbed = bench.compare(_config(), Reports("adam", 1, after=after))
    assert sorted(bench.trained) == whole, "what was stored is not trained again"
    _same(disturbed, undisturbed)
    assert open_study(disturbed).verdict == open_study(undisturbed).verdict
    assert "sgd, adam: JaxRuntimeError: INTERNAL: the fan has stopped; what was" in caplog.text


def test_the_guilty_one_is_found_among_those_that_share_a_program(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    undisturbed = bench.compare(_config("sgd", "adam", "rmsprop"), name="undisturbed")
    seen: list[tuple[str, ...]] = []
    trouble = Reports("adam")

    def tell(names: tuple[str, ...], run: Run) -> None:
        if run.optimizer == "adam":
            seen.append(names)
        trouble(names, run)

    disturbed = bench.compare(_config("sgd", "adam", "rmsprop"), tell)
    assert seen == [("sgd", "adam", "rmsprop")] * 2 + [("adam",)] * 2
    _same(disturbed, undisturbed, "sgd", "rmsprop")
    failed = _runs(disturbed, "adam")
    assert set(failed["status"]) == {"failed"}
    assert set(failed["reason"]) == {"JaxRuntimeError: INTERNAL: the fan has stopped"}
    found = open_study(disturbed)
    assert found.complete
    assert found.reading.failed.keys() == {"adam"}
    assert "each is trained apart now" in caplog.text
    assert "adam failed and is left out" in caplog.text
    bench.compare(_config("sgd", "adam", "rmsprop"))
    assert not set(bench.trained) & set(_runs(undisturbed, "sgd", "rmsprop").index)
    _same(disturbed, undisturbed)


def test_errors_with_progress_in_between_are_no_failure(bench: Bench) -> None:
    undisturbed = bench.compare(_config("sgd"), name="undisturbed")
    begun: list[str] = []

    def first_time(names: tuple[str, ...], run: Run) -> None:
        if run.run_id not in begun:
            begun.append(run.run_id)
            if len(begun) > 1:
                raise Error("INTERNAL: again")

    disturbed = bench.compare(_config("sgd"), first_time)
    assert len(begun) > 2, "there was one error at most"
    _same(disturbed, undisturbed)


def test_where_all_fail_it_is_said_how_to_go_on(bench: Bench) -> None:
    undisturbed = bench.compare(_config(), name="undisturbed")
    begun: list[Run] = []

    def gone(names: tuple[str, ...], run: Run) -> None:
        begun.append(run)
        if len(begun) > 4:
            raise Error("INTERNAL: the fan has stopped")

    with pytest.raises(StudyError, match=r"every optimizer failed: .*the fan has stopped") as told:
        bench.compare(_config(), gone)
    folder = bench.folder / "study"
    assert told.value.hint == (
        f"every finished run is stored; go on with: fallline resume {folder}"
    )
    assert not open_study(folder).complete
    assert len(StudyFolder.open(folder).results()) >= 4
    bench.compare(_config())
    _same(folder, undisturbed)


def test_a_device_that_is_gone_fails_nobody(bench: Bench) -> None:
    def dead(names: tuple[str, ...], run: Run) -> None:
        bench.patch.setattr(Devices, "shared", partial(_raise, Error("INTERNAL: no such device")))
        raise Error("INTERNAL: the fan has stopped")

    with pytest.raises(StudyError, match=r"does not answer any more: .* no such device") as told:
        bench.compare(_config("sgd"), dead)
    assert "fallline resume" in (told.value.hint or "")
    assert StudyFolder.open(bench.folder / "study").results() == []


def test_an_error_anywhere_else_is_no_bare_traceback(bench: Bench) -> None:
    def broken(work: Any, phase: str, runs: Any, until: int = 0) -> None:
        raise Error("INTERNAL: somewhere")

    bench.patch.setattr(study._Work, "_train", broken)
    with pytest.raises(StudyError, match=r"the device reported an error: .* somewhere") as told:
        bench.compare(_config())
    assert "fallline resume" in (told.value.hint or "")


def test_a_compilation_is_tried_again_too(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    undisturbed = bench.compare(_config(), name="undisturbed")
    compiled = []

    def once(population: Troubled) -> None:
        compiled.append(population.names)
        if len(compiled) == 1:
            raise Error("INTERNAL: the compiler fell over")

    bench.patch.setattr(Troubled, "compile", once, raising=False)
    _same(bench.compare(_config()), undisturbed)
    assert compiled == [("sgd", "adam")] * 2
    assert "the compiler fell over; what was under way begins again" in caplog.text


def test_an_optimizer_that_cannot_be_compiled_fails_alone(bench: Bench) -> None:
    def never(population: Troubled) -> None:
        if "adam" in population.names:
            raise Error("INTERNAL: the compiler fell over")

    bench.patch.setattr(Troubled, "compile", never, raising=False)
    found = open_study(bench.compare(_config()))
    assert found.complete
    assert found.reading.failed == {"adam": "JaxRuntimeError: INTERNAL: the compiler fell over"}


def test_what_failed_leaves_no_trace_once_it_is_trained(bench: Bench) -> None:
    undisturbed = bench.compare(_config(), name="undisturbed")
    disturbed = bench.compare(_config(), Reports("adam", after=1))
    assert open_study(disturbed).reading.failed.keys() == {"adam"}
    bench.compare(_config())
    left = {each.run.run_id for each in StudyFolder.open(disturbed).results()}
    assert left > set(_runs(undisturbed).index), "finals of another choice had failed"
    found = open_study(disturbed)
    assert found.complete
    assert not found.reading.failed
    _same(disturbed, undisturbed)
    # A study that lost its end has no list of what does not count.
    (disturbed / "timing.toml").unlink()
    assert not open_study(disturbed).failed
    assert open_study(disturbed).table()["optimizer"].is_unique
    bench.compare(_config())
    bench.compare(_config(), Reports("adam"))
    assert not bench.trained


@pytest.mark.parametrize(
    "more", [{"seeds": 2, "final_seeds": 3}, {"optimizers": ("adam", "sgd", "rmsprop")}]
)
def test_extending_trains_again_what_had_failed(bench: Bench, more: dict[str, Any]) -> None:
    names = more.pop("optimizers", ("adam", "sgd"))
    undisturbed = bench.compare(_config(*names, **more), name="undisturbed")
    disturbed = bench.compare(_config("adam", "sgd"), Reports("adam", after=2))
    stored = set(_runs(disturbed).query("status != 'failed'").index)
    assert open_study(disturbed).failed.keys() == {"adam"}
    bench.compare(_config(*names, **more))
    assert not stored & set(bench.trained)
    found = open_study(disturbed)
    assert found.complete
    assert not found.failed
    _same(disturbed, undisturbed)
    bench.compare(_config(*names, **more), Reports("adam"))
    assert not bench.trained


def test_who_fails_twice_has_failed_with_one_setting(bench: Bench) -> None:
    folder = bench.compare(_config(), Reports("adam", after=1))
    bench.patch.setattr(stepping, "measured", partial(_raise, KeyboardInterrupt()))
    # Its search succeeds and chooses another setting, whose final runs fail; then it is stopped.
    with pytest.raises(KeyboardInterrupt):
        bench.compare(_config(), _finals_fail)
    stored = [each.run for each in StudyFolder.open(folder).results()]
    settings = {run.trial for run in stored if (run.optimizer, run.phase) == ("adam", "final")}
    assert len(settings) == 2
    runs = _runs(folder, "adam").query("phase == 'final'")
    assert set(runs["status"]) == {"failed"}
    assert runs["hyperparameters"].nunique() == 1
    assert open_study(folder).table()["optimizer"].is_unique


def _finals_fail(names: tuple[str, ...], run: Run) -> None:
    if run.optimizer == "adam" and run.phase == "final":
        raise Error("INTERNAL: the fan has stopped")


def test_rungs_are_not_decided_without_those_that_failed(bench: Bench) -> None:
    config = _config(protocol=parse("budget 8 halving 2"), learning_rates=7)
    undisturbed = bench.compare(config, name="undisturbed")
    disturbed = bench.compare(config, Reports("sgd", after=7))
    searched = _runs(disturbed, "sgd")
    assert set(searched[searched["phase"] == "search"]["status"]) == {"failed"}
    _same(disturbed, undisturbed, "adam")
    bench.compare(config)
    _same(disturbed, undisturbed)


def test_a_search_by_time_ends_with_its_optimizer(bench: Bench) -> None:
    config = _config(protocol=parse("time 5s"), learning_rates=7)
    found = open_study(bench.compare(config, Reports("sgd", after=2)))
    assert found.complete
    assert found.reading.failed.keys() == {"sgd"}
    assert 3 <= len(_runs(found.path, "sgd")) < 40, "no round is planned for who has failed"
    before = set(_runs(found.path, "sgd").query("phase == 'search'").index)
    bench.compare(config)
    again = _runs(found.path, "sgd")
    assert before <= set(again.index), "its last round is tried again"
    assert set(again["status"]) == {"done"}


def test_finished_runs_that_cannot_be_measured_are_trained_again(bench: Bench) -> None:
    undisturbed = bench.compare(_config(), name="undisturbed")
    whole, asked = len(bench.trained), []
    measured = tested.Tested.results

    def twice_not(own: Any, population: Any, finished: Sequence[Finished]) -> Any:
        if finished and finished[0].result.run.phase == "final":
            asked.append(len(finished))
            if len(asked) == 1:
                raise Error("INTERNAL: no test today")
        return measured(own, population, finished)

    bench.patch.setattr(tested.Tested, "results", twice_not)
    _same(bench.compare(_config()), undisturbed)
    assert asked == [4, 4]
    assert len(bench.trained) == whole + 4


def test_a_time_is_missed_and_nothing_is_lost(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    def timed(runs: dict[str, Run], population_of: Any) -> dict[str, float]:
        if "adam" in runs:
            raise Error("INTERNAL: no clock")
        return dict.fromkeys(runs, 1e-3)

    bench.patch.setattr(stepping, "seconds_per_step", timed)
    found = open_study(bench.compare(_config()))
    assert found.complete
    timing = StudyFolder.open(found.path).timing
    assert timing is not None
    assert timing.step == {"sgd": 1e-3}
    assert "the steps of adam could not be timed" in caplog.text
    assert found.table()["optimizer"].tolist()
    assert found.report().is_file()


def test_who_stops_a_study_is_not_held_up_by_a_device(bench: Bench) -> None:
    def stop(names: tuple[str, ...], run: Run) -> None:
        if run.phase == "final" and run.seed == 1001:
            bench.patch.setattr(tested.Tested, "results", partial(_raise, Error("INTERNAL: gone")))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bench.compare(_config("sgd"), stop)
    assert len(StudyFolder.open(bench.folder / "study").results()) == 3


def _raise(error: BaseException, *given: Any) -> Any:
    raise error
