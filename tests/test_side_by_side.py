"""Studies of a series side by side: the same numbers, in the same order, and nothing is lost."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fallline import api, members, series
from fallline.engine.events import Advanced
from fallline.errors import StudyError
from fallline.planning import layout, studyfile
from fallline.store import states
from fallline.store.folder import StudyFolder
from fallline.store.series import SeriesFolder

FILE = {
    "name": "splits",
    "base": {
        "task": "digits-mlp",
        "epochs": 200,
        "data": {"rows": 300},
        "model": {"hidden": [4]},
        "batch_size": 50,
        "optimizer": "adam",
    },
    "protocol": {"final_seeds": 1, "tuned": False},
    # The same network twice: what is compiled once is had from the disk.
    "axes": {"split": {"one": {}, "two": {"data": {"split_seed": 1}}}},
}
PATIENCE = 20.0


@pytest.fixture(scope="module", autouse=True)
def _two_devices() -> Iterator[None]:
    """However many there are; and calls of few epochs, so that there is something to interrupt."""
    two = series.Devices.first(2)
    if two.count < 2:
        pytest.skip("with a single device nothing goes side by side")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(series.Devices, "all", lambda: two)
        patch.setattr(layout, "CALL_SECONDS", 1e-3)
        yield


@pytest.fixture(scope="module")
def in_turn(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """The runs of studies that had all devices, one after the other."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(members, "wanted", lambda groups, devices: devices)
        return api.run(FILE, out=tmp_path_factory.mktemp("turn") / "series").runs


def _same(ours: pd.DataFrame, theirs: pd.DataFrame) -> None:
    """Whether two tables of runs are equal to the bit, order included."""
    assert list(ours.columns) == list(theirs.columns)
    curves = [name for name in ours if name.endswith("_curve")]
    for name in curves:
        np.testing.assert_array_equal(np.stack(ours[name]), np.stack(theirs[name]), strict=True)
    left = [*curves, "seconds"]
    pd.testing.assert_frame_equal(ours.drop(columns=left), theirs.drop(columns=left))


def _kinds(told: list[Any]) -> list[str]:
    return [type(event).__name__ for event in told if not isinstance(event, series.MemberTold)]


def test_numbers_are_those_of_one_after_the_other(in_turn: pd.DataFrame, tmp_path: Path) -> None:
    told: list[Any] = []
    runs = api.run(FILE, out=tmp_path / "series", listener=told.append).runs
    assert _kinds(told) == ["MemberBegan"] * 2 + ["MemberEnded"] * 2
    assert {event.number for event in told if isinstance(event, series.MemberTold)} == {1, 2}
    _same(runs, in_turn)


def test_terminated_all_of_them_go_on_from_where_they_were(
    in_turn: pd.DataFrame, tmp_path: Path
) -> None:
    advanced = set()

    def terminate(event: Any) -> None:
        if isinstance(event, series.MemberTold) and isinstance(event.event, Advanced):
            advanced.add(event.number)
            if advanced == {1, 2}:
                os.kill(os.getpid(), signal.SIGTERM)

    folder = tmp_path / "series"
    with pytest.raises(KeyboardInterrupt):
        api.run(FILE, out=folder, listener=terminate)
    assert not [each for each in threading.enumerate() if "ThreadPoolExecutor" in each.name]
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    studies = [path.parent for path in folder.glob("*/*/study.toml")]
    under_way = [each for each in studies if states.load(each)]
    assert len(studies) == 2
    assert under_way, "both ended before they were stopped"
    assert all(each in under_way or StudyFolder.open(each).results() for each in studies)
    _same(api.run(FILE, out=folder).runs, in_turn)


def _split(task: Any) -> str:
    return "two" if "split_seed" in task.title else "one"


def _listed(folder: Path) -> list[dict[str, str]]:
    stored = SeriesFolder.open(folder).progress.members
    return [each.labels for member in stored for each in member.settings]


def test_studies_are_listed_in_the_files_order(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other_ended = threading.Event()
    listed = []

    def compare(task: Any, *rest: Any, **how: Any) -> None:
        assert _split(task) == "two" or other_ended.wait(PATIENCE)

    def listen(event: Any) -> None:
        if isinstance(event, series.MemberEnded):
            listed.append((event.number, _listed(folder)))
            other_ended.set()

    monkeypatch.setattr(series.study, "compare", compare)
    folder = tmp_path / "series"
    series.run(studyfile.parse(FILE), folder, listener=listen)
    assert listed == [(2, [{"split": "two"}]), (1, [{"split": "one"}, {"split": "two"}])]


def test_an_error_of_one_keeps_what_is_finished(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other_ended = threading.Event()

    def compare(task: Any, *rest: Any, **how: Any) -> None:
        if _split(task) == "one":
            assert other_ended.wait(PATIENCE)
            raise StudyError("the disk is full")

    def listen(event: Any) -> None:
        if isinstance(event, series.MemberEnded):
            other_ended.set()

    monkeypatch.setattr(series.study, "compare", compare)
    folder = tmp_path / "series"
    with pytest.raises(StudyError, match="the disk is full"):
        series.run(studyfile.parse(FILE), folder, listener=listen)
    assert _listed(folder) == [{"split": "two"}]
    assert not SeriesFolder.open(folder).progress.complete
