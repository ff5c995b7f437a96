"""Jobs side by side: who begins when, what is told, and how all of them are stopped."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fallline import pool
from fallline.pool import Job, Stopped

PATIENCE = 10.0


def _devices(count: int) -> Any:
    """So many devices, of which jobs see the names alone."""
    names = [f"device {number}" for number in range(count)]
    return SimpleNamespace(count=count, mesh=SimpleNamespace(devices=np.array(names, object)))


@pytest.fixture(autouse=True)
def _by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "Devices", SimpleNamespace(of=tuple))


class _Watch:
    """Notes what it is told, and by which thread."""

    def __init__(self, refuses: str | None = None) -> None:
        self.notes: list[tuple[Any, ...]] = []
        self.threads: set[threading.Thread] = set()
        self._refuses = refuses

    def _note(self, *note: Any) -> None:
        self.notes.append(note)
        self.threads.add(threading.current_thread())

    def began(self, job: Job) -> None:
        self._note("began", job.about)

    def told(self, job: Job, event: Any) -> None:
        self._note("told", job.about, event)
        if event == self._refuses:
            self._refuses = None
            raise KeyboardInterrupt

    def ended(self, job: Job) -> None:
        self._note("ended", job.about)


def _workers() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if "ThreadPoolExecutor" in each.name]


def test_jobs_that_leave_devices_idle_are_at_work_together() -> None:
    meeting = threading.Barrier(2, timeout=PATIENCE)
    seen = {}

    def work(devices: Any, tell: pool.Tell) -> None:
        seen[threading.current_thread()] = devices
        meeting.wait()
        tell("met")

    watch = _Watch()
    pool.work([Job("a", 1, work), Job("b", 1, work)], _devices(2), watch)
    assert sorted(seen.values()) == [("device 0",), ("device 1",)]
    assert threading.main_thread() not in seen
    assert watch.threads == {threading.main_thread()}
    assert watch.notes[:2] == [("began", "a"), ("began", "b")]
    for name in "ab":
        own = [note[0] for note in watch.notes if note[1] == name]
        assert own == ["began", "told", "ended"]
    assert not _workers()


def test_who_fills_the_devices_has_them_alone_and_others_go_before() -> None:
    at_work: list[str] = []
    most = []

    def job(name: str, devices: int) -> Job:
        def work(given: Any, tell: pool.Tell) -> None:
            at_work.append(name)
            most.append((name, tuple(at_work), threading.current_thread()))
            tell(name)
            at_work.remove(name)

        return Job(name, devices, work)

    jobs = [job("small", 1), job("whole", 3), job("two", 2), job("other", 1)]
    pool.work(jobs, _devices(3), watch := _Watch())
    (whole,) = [each for each in most if each[0] == "whole"]
    assert whole[1:] == (("whole",), threading.main_thread())
    ended = [note[1] for note in watch.notes if note[0] == "ended"]
    assert sorted(ended) == ["other", "small", "two", "whole"]
    assert [note[1] for note in watch.notes if note[0] == "began"][:2] == ["small", "two"]
    assert ended[-1] == "whole"


def test_one_device_does_everything_in_turn() -> None:
    order = []

    def work(devices: Any, tell: pool.Tell) -> None:
        order.append(threading.current_thread())

    watch = _Watch()
    pool.work([Job("a", 1, work), Job("b", 1, work)], _devices(1), watch)
    assert order == [threading.main_thread()] * 2
    assert [note[:2] for note in watch.notes] == [
        *[("began", "a"), ("ended", "a"), ("began", "b"), ("ended", "b")]
    ]


def _goes_on(stored: list[str], asked: threading.Event) -> Any:
    """Work that goes on until it is stopped, and then stores something and says so."""

    def work(devices: Any, tell: pool.Tell) -> None:
        asked.set()
        try:
            while True:
                tell("going on")
                time.sleep(0.001)
        except Stopped:
            tell("stored")
            stored.append("what was under way")
            raise

    return work


def test_ctrl_c_stops_all_and_keeps_what_they_store() -> None:
    stored: list[str] = []
    both = [Job(name, 1, _goes_on(stored, threading.Event())) for name in "ab"]
    watch = _Watch(refuses="going on")
    with pytest.raises(KeyboardInterrupt):
        pool.work([*both, Job("c", 1, print)], _devices(2), watch)
    assert stored == ["what was under way"] * 2
    assert not _workers()
    told = [note for note in watch.notes if note[-1] == "stored"]
    assert len(told) == 2, "what is stored on the way out is told"
    assert ("began", "c") not in watch.notes
    assert not [note for note in watch.notes if note[0] == "ended"]


def test_an_error_of_one_stops_the_others_and_is_raised() -> None:
    stored: list[str] = []
    asked, done = threading.Event(), threading.Event()

    def fails(devices: Any, tell: pool.Tell) -> None:
        assert asked.wait(PATIENCE)
        raise ValueError("broken")

    def ends(devices: Any, tell: pool.Tell) -> None:
        assert done.wait(PATIENCE)

    def stores(devices: Any, tell: pool.Tell) -> None:
        try:
            _goes_on(stored, asked)(devices, tell)
        finally:
            done.set()

    watch = _Watch()
    jobs = [Job("fails", 1, fails), Job("goes on", 1, stores), Job("ends", 1, ends)]
    with pytest.raises(ValueError, match="broken"):
        pool.work(jobs, _devices(4), watch)
    assert stored == ["what was under way"]
    assert [note for note in watch.notes if note[0] == "ended"] == [("ended", "ends")]
    assert not _workers()
