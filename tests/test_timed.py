"""Searches by the clock, with a clock that is turned by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fallline import optimizers, timed
from fallline.planning import coordinates
from fallline.planning.config import StudyConfig
from fallline.planning.protocol import parse
from fallline.planning.search import Search
from fallline.records import Curves, Run, RunResult, Status
from fallline.store import clock

COMPILING = 20.0


class Machine:
    """Compiles in 20 s and trains a run in ``each`` seconds, one after the other."""

    def __init__(self, each: float) -> None:
        self.each, self.time = each, 0.0
        self.results: dict[str, RunResult] = {}
        self.phases: list[tuple[str, int]] = []
        self.stop_after = 10**9

    def now(self) -> float:
        return self.time

    def compile(self) -> None:
        self.time += COMPILING

    def train(self, phase: str, runs: list[Run]) -> None:
        lacking = [run for run in runs if run.run_id not in self.results]
        if lacking:
            self.phases.append((phase, len(lacking)))
        for run in lacking:
            if len(self.results) == self.stop_after:
                raise KeyboardInterrupt
            self.time += self.each
            curve = np.array([0.5], np.float32)
            done = RunResult(run, Status.DONE, Curves(curve, curve, curve, curve), steps=1)
            self.results[run.run_id] = done

    def search(self, seconds: float, folder: Path, name: str = "sgd") -> clock.Clock:
        config = StudyConfig((name,), 1, 8, seeds=1, protocol=parse(f"time {seconds}s"))
        points = coordinates.points(255, 0)
        one = Search(optimizers.get(name), config, points, self.results, True)
        timed.search(
            one,
            config.protocol.seconds,
            folder,
            at_once=2,
            compiled=self.compile,
            train=self.train,
            now=self.now,
        )
        return clock.load(folder)

    @property
    def trials(self) -> int:
        return len({result.run.trial for result in self.results.values()})


def test_the_time_is_used_and_not_passed_compiling_and_confirming_included(tmp_path: Path) -> None:
    machine = Machine(each=1.0)
    kept = machine.search(100.0, tmp_path)
    assert kept.over == ("sgd",)
    assert kept.spent["sgd"] == machine.time
    assert 95 <= machine.time <= 100
    phases = [phase for phase, _ in machine.phases]
    assert phases == ["search"] * (len(phases) - 1) + ["confirming"]
    confirmed = machine.phases[-1][1]
    assert confirmed == 2 * -(-machine.trials // 10)
    assert machine.trials + confirmed + COMPILING == machine.time


def test_who_trains_twice_as_fast_tries_twice_as_much(tmp_path: Path) -> None:
    fast, slow = Machine(each=0.5), Machine(each=1.0)
    (tmp_path / "fast").mkdir()
    (tmp_path / "slow").mkdir()
    fast.search(100.0, tmp_path / "fast")
    slow.search(100.0, tmp_path / "slow")
    assert fast.trials / slow.trials == pytest.approx(2.0, rel=0.05)


def test_the_first_round_is_trained_whatever_it_takes(tmp_path: Path) -> None:
    machine = Machine(each=1000.0)
    kept = machine.search(30.0, tmp_path)
    assert kept.rounds["sgd"] == (2,)
    assert machine.phases == [("search", 2), ("confirming", 2)]


def test_a_search_without_more_to_try_ends_before_its_time(tmp_path: Path) -> None:
    machine = Machine(each=0.001)
    machine.search(10_000.0, tmp_path)
    assert machine.trials == 256
    alone = Machine(each=1.0)
    (tmp_path / "alone").mkdir()
    alone.search(10_000.0, tmp_path / "alone", "gd_exact")
    assert alone.phases == [("search", 1)]


def test_an_interrupted_search_goes_on_with_its_time(tmp_path: Path) -> None:
    machine = Machine(each=1.0)
    machine.stop_after = 10
    with pytest.raises(KeyboardInterrupt):
        machine.search(100.0, tmp_path)
    held = clock.load(tmp_path)
    assert held.rounds["sgd"] == (2, 6)
    assert held.spent["sgd"] == COMPILING + 6
    stopped, machine.stop_after = machine.time, 10**9
    kept = machine.search(100.0, tmp_path)
    # 4 runs were trained after the last round that is on the clock, and are there already.
    assert kept.spent["sgd"] == held.spent["sgd"] + machine.time - stopped - COMPILING
    assert 95 <= kept.spent["sgd"] <= 100
    again = clock.load(tmp_path), len(machine.results)
    assert machine.search(100.0, tmp_path) == again[0]
    assert len(machine.results) == again[1], "a search whose time is up was gone on with"


def test_the_round_in_which_an_optimizer_fails_is_known(tmp_path: Path) -> None:
    machine = Machine(each=1.0)
    train = machine.train

    def fails(phase: str, runs: list[Run]) -> None:
        train(phase, runs)
        if len(machine.results) > 2:
            raise timed.Failed

    machine.train = fails  # type: ignore[method-assign]
    with pytest.raises(timed.Failed):
        machine.search(100.0, tmp_path)
    assert clock.load(tmp_path).rounds["sgd"] == (2, 6)
    assert not clock.load(tmp_path).over


def test_a_clock_is_kept_and_taken_away(tmp_path: Path) -> None:
    assert clock.load(tmp_path) == clock.Clock()
    made = clock.Clock().advanced("sgd", 1.5, 4).advanced("sgd", 2.5, 9).stopped("sgd", 3.0)
    assert made == clock.Clock({"sgd": 3.0}, {"sgd": (4, 9)}, ("sgd",))
    clock.save(tmp_path, made)
    assert clock.load(tmp_path) == made
    clock.remove(tmp_path)
    clock.remove(tmp_path)
    assert clock.load(tmp_path) == clock.Clock()
