"""The judges of the fault suite: they must see a run that is lost, doubled or changed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

import faults
import faults_inside
import faults_judge
import made_study
from fallline.records import RunResult
from fallline.store import parts
from fallline.store.document import Timing
from fallline.store.folder import StudyFolder
from faults_judge import Expected
from faults_trial import Bench, Record, Trial

NAMES = ("adam", "sgd")
TIMING = Timing(total=3.0, compile=1.0, train=1.5, step={"adam": 3e-5, "sgd": 2e-5})


@pytest.fixture(scope="module")
def results() -> list[RunResult]:
    chosen = {name: made_study.OPTIMIZERS[name] for name in NAMES}
    rows = made_study.frame(optimizers=chosen, fresh=3).to_dict("records")
    return [parts.result_of(row) for row in rows]


def _write(folder: Path, results: Sequence[RunResult], *, finished: bool = True) -> Path:
    study = StudyFolder.begin(folder, made_study.document(optimizers=NAMES, fresh=3))
    half = len(results) // 2
    for some in (results[:half], results[half:]):
        study.append(some, [32] * len(some))
    if finished:
        study.finish(TIMING)
    study.close()
    return folder


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, results: list[RunResult]) -> Path:
    return _write(tmp_path_factory.mktemp("faults") / "whole", results)


@pytest.fixture(scope="module")
def expected(whole: Path) -> Expected:
    return Expected.of(whole)


def _ids(results: Sequence[RunResult]) -> list[str]:
    return [each.run.run_id for each in results]


def test_the_same_study_in_other_parts_and_of_other_times_is_the_same(
    tmp_path: Path, results, expected
) -> None:
    study = StudyFolder.begin(tmp_path / "other", made_study.document(optimizers=NAMES, fresh=3))
    for each in reversed(results):
        study.append([each], [32])
    slower = {"adam": 9.0, "sgd": 0.1}
    study.finish(msgspec.structs.replace(TIMING, total=99.0, step=slower))
    study.close()
    found = faults_judge.ended(study.path, expected)
    assert found == faults_judge.Judgement()


def test_a_lost_run_is_seen(tmp_path: Path, results, expected) -> None:
    folder = _write(tmp_path / "study", results[1:])
    found = faults_judge.ended(folder, expected)
    assert found.lost == 1
    assert results[0].run.run_id in " ".join(found.wrong)
    assert any("complete with" in text for text in found.wrong)


def test_a_lost_part_is_seen(tmp_path: Path, whole: Path, results, expected) -> None:
    folder = shutil.copytree(whole, tmp_path / "study")
    (folder / "parts" / "000001.parquet").unlink()
    found = faults_judge.ended(folder, expected)
    assert found.lost == len(results) // 2
    assert "is missing" in " ".join(found.wrong)


def test_a_doubled_run_is_seen_though_readers_count_it_once(
    tmp_path: Path, results, expected
) -> None:
    folder = _write(tmp_path / "study", [*results, results[3]])
    assert len(StudyFolder.open(folder).results()) == len(results)
    found = faults_judge.ended(folder, expected)
    assert (found.lost, found.doubled) == (0, 1)
    assert "stored more than once" in " ".join(found.wrong)


@pytest.mark.parametrize("figure", ["test_loss", "steps", "curve", "status"])
def test_a_changed_figure_is_seen(tmp_path: Path, results, expected, figure: str) -> None:
    at = next(at for at, each in enumerate(results) if each.run.phase == "final")
    one = results[at]
    if figure == "curve":
        loss = one.curves.train_loss.copy()
        loss[2] = np.nextafter(loss[2], np.float32(np.inf))
        one = replace(one, curves=replace(one.curves, train_loss=loss))
    elif figure == "test_loss":
        one = replace(one, test_loss=float(np.nextafter(one.test_loss, 1.0)))
    elif figure == "steps":
        one = replace(one, steps=one.steps + 1)
    else:
        one = replace(one, status=type(one.status)("stopped early"))
    folder = _write(tmp_path / "study", [*results[:at], one, *results[at + 1 :]])
    found = faults_judge.ended(folder, expected)
    assert (found.lost, found.doubled) == (0, 0)
    assert "1 runs have other figures" in " ".join(found.wrong)


def test_a_run_that_nobody_asked_for_is_seen(tmp_path: Path, results, expected) -> None:
    other = replace(results[0], run=replace(results[0].run, seed=77))
    found = faults_judge.ended(_write(tmp_path / "study", [*results, other]), expected)
    assert "of no study that was asked for" in " ".join(found.wrong)


def test_what_is_left_over_is_seen(tmp_path: Path, whole: Path, expected) -> None:
    folder = shutil.copytree(whole, tmp_path / "study")
    names = (".writer", "clock.toml", "parts/.000009.parquet.tmp", "states.safetensors")
    for name in names:
        (folder / name).write_bytes(b"{}")
    found = faults_judge.ended(folder, expected).wrong
    assert found[: len(names)] == tuple(f"{name} was left" for name in names)


def test_another_verdict_is_seen(whole: Path, expected) -> None:
    other = replace(expected, result=expected.result | {"verdict": "use sgd"})
    (text,) = faults_judge.ended(whole, other).wrong
    assert "verdict or table differ" in text


def test_an_unfinished_study_is_no_end(tmp_path: Path, results, expected) -> None:
    folder = _write(tmp_path / "study", results, finished=False)
    assert "the study is not complete" in faults_judge.ended(folder, expected).wrong


def test_a_study_under_way_must_have_what_it_acknowledged(
    tmp_path: Path, results, expected
) -> None:
    folder = _write(tmp_path / "study", results[:6], finished=False)
    assert faults_judge.under_way(folder, expected, _ids(results[:6])).wrong == ()
    found = faults_judge.under_way(folder, expected, _ids(results[:8]))
    assert found.lost == 2
    assert faults_judge.under_way(tmp_path / "nothing", expected, ()).wrong == ()
    assert faults_judge.under_way(tmp_path / "nothing", expected, ["a"]).lost == 1


# -- records ---------------------------------------------------------------------------------


def _bench(tmp_path: Path, whole: Path, expected: Expected) -> Bench:
    return Bench(tmp_path, expected, whole, 0, 3, 1.0, 2.0)


def test_a_record_passes_when_every_fault_was_survived(tmp_path: Path, whole, expected) -> None:
    bench = _bench(tmp_path, whole, expected)
    trial = Trial(bench, "one", whole)
    trial.injected += 2
    trial.judge()
    assert trial.record("a kind", "what").passed
    idle = Trial(bench, "idle", whole).record("a kind", "what")
    assert idle.wrong == ["the fault did not happen"]
    assert not idle.passed


def test_a_record_fails_with_the_reason(tmp_path: Path, whole: Path, results, expected) -> None:
    trial = Trial(_bench(tmp_path, whole, expected), "one")
    _write(trial.folder, [*results[2:], results[5]])
    trial.injected += 2
    trial.judge()
    record = trial.record("a kind", "what")
    assert (record.survived, record.lost, record.doubled) == (1, 2, 1)
    assert not record.passed
    summary = faults.verdict([Record("fine", "", 1, 1), record])
    assert summary["verdict"] == "not all survived"
    assert summary["failed"] == ["a kind: what"]
    assert (summary["injected"], summary["lost"]) == (3, 2)


def test_a_scenario_that_breaks_is_a_failure(tmp_path: Path, whole, expected, monkeypatch) -> None:
    def broken(bench):
        raise TimeoutError("it hangs")
        yield

    monkeypatch.setitem(faults.SCENARIOS, "broken", broken)
    (record,) = faults.carried_out("broken", _bench(tmp_path, whole, expected))
    assert not record.passed
    assert "it hangs" in record.wrong[0]


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="asks the system for names")
@pytest.mark.parametrize(("when", "left"), [("before", "a"), ("after", "b")])
def test_a_process_kills_itself_at_its_point(tmp_path: Path, when: str, left: str) -> None:
    (tmp_path / "a").write_text("x")
    script = (
        "import os, faults_inside\n"
        f"faults_inside.suffer(faults_inside.Point('rename', 'b', {when!r}))\n"
        "os.replace('a', 'b')\n"
    )
    place = {**os.environ, "PYTHONPATH": str(Path(faults_inside.__file__).parent)}
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=place)
    assert done.returncode == -signal.SIGKILL
    assert [path.name for path in tmp_path.iterdir()] == [left]
