"""A study's folder with real damage: what is read, what is said, what is trained again."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import pandas as pd
import pytest

from fallline.errors import StudyError
from fallline.results import open_study
from fallline.store import manifest
from fallline.store.contents import State
from fallline.store.document import Timing
from fallline.store.folder import StudyFolder

TIMING = Timing(total=3.0, compile=1.0, train=1.5, step={"adam": 3e-5})
ALL = list(range(6))


@pytest.fixture
def finished(tmp_path: Path, document, a_run) -> Path:
    """A complete study of six runs in three parts."""
    study = StudyFolder.begin(tmp_path / "study", document)
    for first in (0, 2, 4):
        study.append([a_run(first), a_run(first + 1)], [32, 32])
    study.finish(TIMING)
    study.close()
    return study.path


def _seeds(folder: Path) -> list[int]:
    return sorted(result.run.seed for result in StudyFolder.open(folder).results())


def _part(folder: Path, number: int) -> Path:
    return folder / "parts" / f"{number:06d}.parquet"


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-200])


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0b100
    path.write_bytes(data)


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _replace(path: Path) -> None:
    pd.DataFrame({"run_id": ["a"]}).to_parquet(path)


def _other_part(path: Path) -> None:
    shutil.copy(path.with_name("000001.parquet"), path)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGE: dict[str, tuple[Callable[[Path], None], str]] = {
    "truncated": (_truncate, "is damaged (it has "),
    "flipped": (_flip, "is damaged (its checksum is not the one that was written)"),
    "empty": (_empty, "is damaged (it has 0 bytes of "),
    "replaced": (_replace, "is damaged (it has "),
    "another part": (_other_part, "is damaged ("),
    "a folder": (_folder, "is damaged (it is not a file)"),
    "missing": (Path.unlink, "is missing"),
}


@pytest.fixture(params=DAMAGE)
def harm(request: pytest.FixtureRequest) -> tuple[Callable[[Path], None], str]:
    return DAMAGE[request.param]


def test_readers_leave_it_out_and_say_so(finished: Path, harm) -> None:
    damage, said = harm
    damage(_part(finished, 2))
    study = StudyFolder.open(finished)
    assert _seeds(finished) == [0, 1, 4, 5]
    (problem,) = study.problems
    assert said in problem
    assert problem.startswith("parts/000002.parquet")
    assert "its 2 runs do not count" in problem
    assert not study.complete
    assert study.timing is None


def test_a_study_with_damage_does_not_say_it_is_finished(finished: Path) -> None:
    assert open_study(finished).complete
    _flip(_part(finished, 3))
    shown = open_study(finished)
    assert not shown.complete
    assert shown.warnings[0] == shown.problems[0]
    assert shown.warnings[0].startswith("parts/000003.parquet is damaged")
    assert "the study is not finished" in shown.verdict


def test_going_on_sets_it_aside_and_counts_nothing_twice(
    finished: Path, document, a_run, harm, caplog: pytest.LogCaptureFixture
) -> None:
    damage, said = harm
    part = _part(finished, 2)
    damage(part)
    there = part.read_bytes() if part.is_file() else None
    with caplog.at_level(logging.WARNING, logger="fallline"):
        study = StudyFolder.begin(finished, document)
    assert said in caplog.text
    assert not study.complete
    assert [result.run.seed for result in study.results()] == [0, 1, 4, 5]
    lacking = [seed for seed in ALL if seed not in _seeds(finished)]
    study.append([a_run(seed) for seed in lacking], [32, 32])
    study.finish(TIMING)
    study.close()
    after = StudyFolder.open(finished)
    assert after.complete
    assert after.problems == ()
    assert _seeds(finished) == ALL
    assert len(after.runs()) == 6
    # No number is used twice, and what was damaged is kept.
    assert sorted(path.name for path in (finished / "parts").iterdir()) == [
        "000001.parquet",
        "000003.parquet",
        "000004.parquet",
    ]
    if there is not None:
        assert (finished / "set-aside" / "000002.parquet.damaged").read_bytes() == there
    assert (finished / "set-aside" / "timing.toml").is_file()


def test_a_writer_killed_at_any_step_of_putting_in_order_is_followed_by_the_next(
    finished: Path, document, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At no step the study says that it is finished; the next writer does the rest."""
    whole, steps = finished.with_name("whole"), 0
    _flip(_part(finished, 2))
    shutil.copytree(finished, whole)

    class Killed(BaseException):
        pass

    for kill_at in range(1, 10):
        shutil.rmtree(finished)
        shutil.copytree(whole, finished)
        calls, rename = [], os.replace

        def counted(source, target, calls=calls, kill_at=kill_at, rename=rename):
            calls.append(source)
            if len(calls) == kill_at:
                raise Killed
            rename(source, target)

        with monkeypatch.context() as patch:
            patch.setattr(os, "replace", counted)
            try:
                StudyFolder.begin(finished, document).close()
            except Killed:
                steps += 1
            else:
                break
        assert not StudyFolder.open(finished).complete
        assert _seeds(finished) == [0, 1, 4, 5]
        StudyFolder.begin(finished, document).close()
        assert _seeds(finished) == [0, 1, 4, 5]
        assert StudyFolder.open(finished).problems == ()
        assert (finished / "set-aside" / "000002.parquet.damaged").is_file()
        assert not StudyFolder.open(finished).complete
    assert steps == 3  # the timing, the part, the manifest


def test_a_part_without_its_entry_counts_and_the_next_writer_adds_it(
    tmp_path: Path, document, a_run, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = StudyFolder.begin(tmp_path / "study", document)
    study.append([a_run(0)], [32])

    class Killed(BaseException):
        pass

    def killed(folder, entries):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(manifest, "append", killed)
        with pytest.raises(Killed):
            study.append([a_run(1)], [32])
    study.close()
    found = StudyFolder.open(study.path).contents()
    assert [part.state for part in found.parts] == [State.WHOLE, State.UNLISTED]
    assert found.problems == ()
    assert _seeds(study.path) == [0, 1]
    study = StudyFolder.begin(study.path, document)
    assert list(manifest.read(study.path).entries) == ["000001.parquet", "000002.parquet"]
    study.append([a_run(2)], [32])
    study.close()
    found = StudyFolder.open(study.path).contents()
    assert [part.state for part in found.parts] == [State.WHOLE] * 3


def test_without_its_entry_a_damaged_part_is_still_found(finished: Path) -> None:
    lines = (finished / "manifest.jsonl").read_bytes().splitlines(keepends=True)
    (finished / "manifest.jsonl").write_bytes(b"".join(lines[:2]))
    _flip(_part(finished, 3))
    study = StudyFolder.open(finished)
    (part, *_) = study.contents().lost
    assert part.state is State.DAMAGED
    assert "what was in it does not count" in study.problems[0]
    # Neither the manifest nor a part knows of them: the timing does.
    assert "2 runs of the finished study are not in any part" in study.problems[1]
    assert not study.complete


def test_a_manifest_that_lost_a_line_with_its_part_is_not_finished(finished: Path) -> None:
    lines = (finished / "manifest.jsonl").read_bytes().splitlines(keepends=True)
    (finished / "manifest.jsonl").write_bytes(lines[0] + lines[2])
    _part(finished, 2).unlink()
    assert not StudyFolder.open(finished).complete


@pytest.mark.parametrize(
    "damage", [Path.unlink, _empty, _truncate, _flip], ids=lambda f: f.__name__
)
def test_a_damaged_manifest_loses_no_run(finished: Path, document, damage) -> None:
    damage(finished / "manifest.jsonl")
    study = StudyFolder.open(finished)
    assert _seeds(finished) == ALL
    assert study.complete
    StudyFolder.begin(finished, document).close()
    after = StudyFolder.open(finished)
    assert [part.state for part in after.contents().parts] == [State.WHOLE] * 3
    assert after.problems == ()
    assert after.complete


def test_a_folder_of_the_time_before_manifests_opens_and_goes_on(
    finished: Path, document, a_run
) -> None:
    (finished / "manifest.jsonl").unlink()
    timing = (finished / "timing.toml").read_text("utf-8")
    (finished / "timing.toml").write_text(timing.replace("runs = 6\n", ""), "utf-8")
    assert StudyFolder.open(finished).complete
    assert StudyFolder.open(finished).problems == ()
    study = StudyFolder.begin(finished, document)
    study.append([a_run(6)], [32])
    study.close()
    assert _seeds(finished) == [*ALL, 6]
    assert len(manifest.read(finished).entries) == 4


def test_what_is_no_part_is_ignored_and_named(finished: Path, document) -> None:
    names = ("notes.txt", "000002 (1).parquet", "7.parquet", "000009.parquet.bak")
    for name in names:
        shutil.copy(_part(finished, 2), finished / "parts" / name)
    study = StudyFolder.open(finished)
    assert study.complete
    assert len(study.runs()) == 6
    assert sorted(study.problems) == sorted(
        f"parts/{name} is not a part of the study and is ignored." for name in names
    )
    StudyFolder.begin(finished, document).close()
    assert all((finished / "parts" / name).is_file() for name in names)
    assert len(StudyFolder.open(finished).results()) == 6


def test_a_part_of_another_study_does_not_count(finished: Path, document, a_run) -> None:
    task = msgspec.structs.replace(document.task, fingerprint="fedcba9876543210")
    other = StudyFolder.begin(
        finished.with_name("other"), msgspec.structs.replace(document, task=task)
    )
    other.append([a_run(77)], [32])
    other.close()
    shutil.copy(_part(other.path, 1), _part(finished, 9))
    study = StudyFolder.open(finished)
    assert _seeds(finished) == ALL
    assert "parts/000009.parquet is damaged (it is a part of another study)" in study.problems[0]


def test_a_pipe_in_a_parts_place_does_not_hang(finished: Path) -> None:
    _part(finished, 2).unlink()
    os.mkfifo(_part(finished, 2))
    assert _seeds(finished) == [0, 1, 4, 5]


def test_a_damaged_timing_is_said_and_the_runs_are_read(finished: Path, document) -> None:
    (finished / "timing.toml").write_bytes(b"\xff\x00")
    study = StudyFolder.open(finished)
    assert _seeds(finished) == ALL
    assert not study.complete
    assert study.problems[0].startswith("timing.toml is damaged")
    study = StudyFolder.begin(finished, document)
    assert (study.path / "set-aside" / "timing.toml").read_bytes() == b"\xff\x00"
    study.finish(TIMING)
    study.close()
    assert StudyFolder.open(finished).complete


def test_set_aside_twice_keeps_both(finished: Path, document, a_run) -> None:
    for content in (b"one", b"two"):
        _part(finished, 9).write_bytes(content)
        StudyFolder.begin(finished, document).close()
    kept = {path.name: path.read_bytes() for path in (finished / "set-aside").iterdir()}
    assert kept["000009.parquet.damaged"] == b"one"
    assert kept["000009.parquet.2.damaged"] == b"two"
    study = StudyFolder.begin(finished, document)
    study.append([a_run(9)], [32])
    study.close()
    assert _part(finished, 10).is_file()


def test_pandas_reads_the_folder_of_parts_after_damage_and_a_kill(finished: Path, document) -> None:
    _flip(_part(finished, 2))
    StudyFolder.begin(finished, document).close()
    (finished / "parts" / ".000004.parquet.tmp").write_bytes(b"PAR1 and then")
    assert sorted(pd.read_parquet(finished / "parts")["seed"]) == [0, 1, 4, 5]


def test_a_folder_moved_or_copied_opens_and_goes_on(finished: Path, document, a_run) -> None:
    copy = shutil.copytree(finished, finished.with_name("copy"))
    moved = finished.rename(finished.with_name("moved"))
    for place in (copy, moved):
        assert StudyFolder.open(place).complete
        study = StudyFolder.begin(place, document)
        study.append([a_run(6)], [32])
        study.close()
        assert _seeds(place) == [*ALL, 6]


def test_a_folder_copied_while_it_is_written_can_be_written_at_once(
    tmp_path: Path, document, a_run
) -> None:
    study = StudyFolder.begin(tmp_path / "study", document)
    study.append([a_run(0)], [32])
    copy = shutil.copytree(study.path, tmp_path / "copy")
    other = StudyFolder.begin(copy, document)
    other.append([a_run(1)], [32])
    study.append([a_run(2)], [32])
    other.close()
    study.close()
    assert (_seeds(copy), _seeds(study.path)) == ([0, 1], [0, 2])


def test_parts_that_cannot_be_listed_are_an_error_with_advice(
    finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "listdir", refused)
    with pytest.raises(StudyError, match="cannot be read: Permission denied"):
        StudyFolder.open(finished).results()
