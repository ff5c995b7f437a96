"""Snapshots: when one is taken, what is gone on from, and processes that are really killed."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import fallline
from fallline import snapshots
from fallline.records import Run, RunState
from fallline.snapshots import Snapshots
from fallline.store import states as store
from fallline.store.folder import StudyFolder

KILL_SECONDS = 60.0

HASTY = """
    from fallline import snapshots, study
    from fallline.cli.app import main
    from fallline.planning import layout

    # A second of this is as a minute of a real study.
    snapshots.SNAPSHOT_SECONDS, snapshots.MOST_SHARE = 0.05, 1.0
    study.WRITE_SECONDS = 0.1
    layout.CALL_SECONDS = 0.05
    main()
"""


class _Clock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(snapshots.time, "perf_counter", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> _Clock:
    return _Clock(monkeypatch)


def _run(seed: int) -> Run:
    return Run("adam", {"learning_rate": 0.1}, seed, "search", 5)


def _state(run: Run, value: float = 1.0) -> RunState:
    return RunState(run.run_id, "0123", {"carry.params": np.full((2, 3), value, np.float32)})


def test_states_are_written_with_what_they_were_taken_in(tmp_path: Path) -> None:
    Snapshots(tmp_path, (), {"jax": "1"}).keep([_state(_run(0), 1.0)])
    later = Snapshots(tmp_path, (), {"jax": "2"})
    later.keep([_state(_run(1), 2.0)])
    origins = {run: state.origin for run, state in store.load(tmp_path).items()}
    assert origins == {_run(0).run_id: {"jax": "1"}, _run(1).run_id: {"jax": "2"}}


def test_runs_that_are_over_soon_are_never_kept(tmp_path: Path, clock: _Clock) -> None:
    kept = Snapshots(tmp_path, ())
    for seed in range(20):
        assert not kept.due([_run(seed)])
        clock.now += snapshots.SNAPSHOT_SECONDS / 2
        kept.ended([_run(seed).run_id])
    assert not list(tmp_path.iterdir())


def test_a_snapshot_is_due_when_a_run_would_lose_much(tmp_path: Path, clock: _Clock) -> None:
    kept = Snapshots(tmp_path, ())
    assert not kept.due([_run(0)])
    clock.now += snapshots.SNAPSHOT_SECONDS - 1
    assert not kept.due([_run(0), _run(1)])
    clock.now += 2
    assert kept.due([_run(1)])
    assert not kept.due([_run(1)]), "asked for twice"
    kept.keep([_state(_run(0)), _state(_run(1))])
    clock.now += snapshots.SNAPSHOT_SECONDS - 1
    assert not kept.due([_run(0)])
    clock.now += 2
    assert kept.due([_run(0)])


def test_dear_snapshots_become_rare(tmp_path: Path, clock: _Clock) -> None:
    kept = Snapshots(tmp_path, ())
    kept.due([_run(0)])
    kept.keep([_state(_run(0))], taking_seconds=1.0)
    clock.now += 0.9 / snapshots.MOST_SHARE
    assert not kept.due([_run(0)])
    clock.now += 0.2 / snapshots.MOST_SHARE
    assert kept.due([_run(0)])


def test_waiting_for_the_disk_costs_nothing_while_calls_are_queued() -> None:
    assert snapshots.cost(0.5, 0.1) == 0.1
    assert snapshots.cost(1.7, 0.1) == pytest.approx(1.0)


def test_what_is_finished_is_forgotten_and_at_last_the_file(tmp_path: Path) -> None:
    one, two = _run(0), _run(1)
    kept = Snapshots(tmp_path, ())
    kept.keep([_state(one), _state(two)])
    # Killed here, with the first run stored and still in the snapshot.
    again = Snapshots(tmp_path, {one.run_id})
    assert again.of([one, two]).keys() == {two.run_id}
    again.keep([_state(one, 2.0), _state(two, 2.0)])
    assert store.load(tmp_path).keys() == {two.run_id}
    again.ended([two.run_id])
    assert not list(tmp_path.iterdir())
    again.keep([_state(two, 3.0)])
    assert not list(tmp_path.iterdir())


def test_older_states_of_other_runs_stay(tmp_path: Path) -> None:
    kept = Snapshots(tmp_path, ())
    kept.keep([_state(_run(0), 1.0), _state(_run(1), 1.0)])
    kept.keep([_state(_run(1), 2.0)])
    found = Snapshots(tmp_path, ()).of([_run(0), _run(1)])
    values = {run: float(state.arrays["carry.params"][0, 0]) for run, state in found.items()}
    assert values == {_run(0).run_id: 1.0, _run(1).run_id: 2.0}


def _at_rung(run: Run, epochs: int) -> RunState:
    return RunState(run.run_id, "0123", {"figures": np.full((epochs, 4), 0.5, np.float32)})


def _written(folder: Path) -> list[set[str]]:
    """The runs of each file of those that wait."""
    return [set(store.load_file(path)) for path in store.waiting(folder)]


def test_who_waits_is_written_once_when_much_would_be_lost(tmp_path: Path, clock: _Clock) -> None:
    kept = Snapshots(tmp_path, ())
    runs = [_run(seed) for seed in range(4)]
    kept.due(runs)
    kept.wait(_at_rung(runs[0], 2))
    clock.now += snapshots.SNAPSHOT_SECONDS - 1
    kept.wait(_at_rung(runs[1], 2))
    assert _written(tmp_path) == []
    clock.now += 2
    kept.wait(_at_rung(runs[2], 2))
    first = {run.run_id for run in runs[:3]}
    assert _written(tmp_path) == [first]
    kept.wait(_at_rung(runs[3], 2))
    kept.write_waiting()
    assert _written(tmp_path) == [first, {runs[3].run_id}], "each is written once"
    assert Snapshots(tmp_path, ()).of(runs).keys() == {run.run_id for run in runs}


def test_who_stops_at_a_rung_is_not_written_and_what_nobody_needs_goes(tmp_path: Path) -> None:
    kept = Snapshots(tmp_path, ())
    one, two, three = (_run(seed) for seed in range(3))
    for run in (one, two, three):
        kept.wait(_at_rung(run, 2))
    kept.write_waiting(but=[three.run_id])
    kept.ended([three.run_id])
    assert _written(tmp_path) == [{one.run_id, two.run_id}]
    for run in (one, two):
        kept.wait(_at_rung(run, 7))
    kept.write_waiting(but=[two.run_id])
    kept.ended([two.run_id])
    assert _written(tmp_path) == [{one.run_id}], "the state of the rung before is not needed"
    again = Snapshots(tmp_path, [two.run_id, three.run_id])
    assert again.of([one, two, three])[one.run_id].epochs == 7
    again.ended([one.run_id])
    assert _written(tmp_path) == []
    again.clear()
    assert not list(tmp_path.iterdir())


def test_a_run_goes_on_from_where_it_was_last(tmp_path: Path) -> None:
    kept = Snapshots(tmp_path, ())
    run = _run(0)
    kept.wait(_at_rung(run, 2))
    kept.write_waiting()
    kept.keep([_at_rung(run, 5)])
    assert Snapshots(tmp_path, ()).of([run])[run.run_id].epochs == 5
    kept.wait(_at_rung(run, 7))
    kept.write_waiting()
    # Killed here: the snapshot of its fifth epoch is still there.
    assert store.load(tmp_path)[run.run_id].epochs == 5
    assert Snapshots(tmp_path, ()).of([run])[run.run_id].epochs == 7


def test_a_damaged_file_of_those_that_wait_begins_them_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kept = Snapshots(tmp_path, ())
    for seed in range(2):
        kept.wait(_at_rung(_run(seed), 2))
        kept.write_waiting()
    first, _ = store.waiting(tmp_path)
    first.write_bytes(first.read_bytes()[:-3])
    assert Snapshots(tmp_path, ()).of([_run(0), _run(1)]).keys() == {_run(1).run_id}
    assert "begin anew" in caplog.text


def test_a_study_goes_on_where_snapshots_cannot_be_written(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kept = Snapshots(tmp_path / "gone", ())
    kept.keep([_state(_run(0))])
    kept.keep([_state(_run(0))])
    assert len(caplog.records) == 1
    assert "the runs under way cannot be kept" in caplog.text


# -- processes that are killed ----------------------------------------------------------------

ASKED = {"epochs": 150, "batch_size": 16, "seeds": 2, "final_seeds": 2}
OPTIMIZERS = ["adam", "momentum"]
RATES = (0.001, 0.01)


def _started(folder: Path) -> subprocess.Popen[bytes]:
    options = [f"--{name.replace('_', '-')}={value}" for name, value in ASKED.items()]
    return subprocess.Popen(
        [
            *(sys.executable, "-c", textwrap.dedent(HASTY)),
            *("compare", "digits-mlp", "--optimizers", ",".join(OPTIMIZERS)),
            *("--learning-rates", ",".join(map(str, RATES)), *options, "--out", str(folder)),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def _trains(process: subprocess.Popen[bytes], folder: Path, before: int) -> bool:
    """Wait until the process has kept something; False where it ended first."""
    until = time.monotonic() + KILL_SECONDS
    while process.poll() is None:
        if _changed(folder) > before:
            return True
        assert time.monotonic() < until, "nothing was trained for a minute"
        time.sleep(0.005)
    return False


def _changed(folder: Path) -> int:
    """When the study last kept something, in nanoseconds."""
    kept = [folder / store.STATES_FILE, *(folder / "parts").glob("*.parquet")]
    return max((path.stat().st_mtime_ns for path in kept if path.is_file()), default=0)


def _survived(folder: Path, signals: Sequence[signal.Signals], seed: int) -> tuple[int, int]:
    """Kill the study by each signal and let it end; the kills, and the runs gone on with."""
    draw = random.Random(seed)
    killed = resumed = 0
    for how in signals:
        process = _started(folder)
        if not _trains(process, folder, _changed(folder)):
            break
        time.sleep(draw.uniform(0.0, 0.5))
        process.send_signal(how)
        _, said = process.communicate()
        assert b"anew" not in said, said.decode()  # a state was not gone on from
        if process.returncode == 0:
            break
        if how is signal.SIGKILL:
            assert process.returncode == -signal.SIGKILL
        else:
            assert process.returncode == 130, said.decode()
        killed += 1
        stored = {result.run.run_id for result in StudyFolder.open(folder).results()}
        resumed += len(store.load(folder).keys() - stored)
    process = _started(folder)
    _, said = process.communicate()
    assert process.returncode == 0, said.decode()
    assert b"anew" not in said, said.decode()
    return killed, resumed


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    folder = tmp_path_factory.mktemp("study") / "whole"
    fallline.compare("digits-mlp", OPTIMIZERS, learning_rates=RATES, out=folder, **ASKED)
    return _figures(folder)


def _figures(folder: Path) -> pd.DataFrame:
    return StudyFolder.open(folder).runs().set_index("run_id").sort_index()


def check_survived(folder: Path, expected: pd.DataFrame) -> None:
    assert StudyFolder.open(folder).complete
    pd.testing.assert_frame_equal(_figures(folder), expected, check_exact=True)
    written = pq.read_table(folder / "parts")["run_id"].to_pylist()
    assert len(written) == len(set(written)), "a run was stored twice"
    left = {path.name for path in folder.rglob("*")}
    assert not [name for name in left if "states" in name or name.endswith(".tmp")], left


def test_a_killed_study_ends_as_one_that_was_not(
    uninterrupted: pd.DataFrame, tmp_path: Path
) -> None:
    killed, resumed = _survived(tmp_path / "study", [signal.SIGKILL, signal.SIGTERM], seed=1)
    assert killed == 2
    assert resumed >= 1, "no run went on from a snapshot"
    check_survived(tmp_path / "study", uninterrupted)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_a_study_survives_many_kills(
    uninterrupted: pd.DataFrame, tmp_path: Path, seed: int
) -> None:
    killed, resumed = _survived(tmp_path / "study", [signal.SIGKILL] * 5, seed)
    print(f"{killed} kills, {resumed} runs gone on with")
    assert killed >= 2
    assert resumed >= 2
    check_survived(tmp_path / "study", uninterrupted)
