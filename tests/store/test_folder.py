"""A study's folder: begun, gone on with, refused; one writer at a time."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from fallline.errors import StudyError
from fallline.records import Curves, Run, RunResult
from fallline.store.document import StudyDocument
from fallline.store.folder import StudyFolder

CHANGE = msgspec.structs.replace


@pytest.fixture
def begun(tmp_path: Path, document: StudyDocument) -> StudyFolder:
    study = StudyFolder.begin(tmp_path / "study", document)
    yield study
    study.close()


def test_a_new_folder_is_made_with_its_parents(tmp_path: Path, document: StudyDocument) -> None:
    study = StudyFolder.begin(tmp_path / "a" / "b" / "ü", document)
    study.close()
    assert study.results() == []
    assert StudyFolder.open(str(tmp_path / "a" / "b" / "ü")).document.task == document.task


def test_the_same_study_goes_on(begun: StudyFolder, document: StudyDocument, a_run) -> None:
    begun.append([a_run(0), a_run(1)], [32, 32])
    begun.close()
    # Made at another time, on another machine, by another version: the same runs are asked for.
    later = CHANGE(document, created="2027-01-01T00:00:00+00:00", versions={}, machine={})
    later = CHANGE(later, task=CHANGE(later.task, title="White wine", licence="none"))
    again = StudyFolder.begin(begun.path, later)
    assert [result.run.seed for result in again.results()] == [0, 1]
    assert again.document.created == document.created  # what was written first stays
    again.append([a_run(2)], [32])
    again.close()
    assert list(StudyFolder.open(begun.path).runs()["seed"]) == [0, 1, 2]


def test_another_study_is_refused_with_what_differs(begun: StudyFolder, document) -> None:
    before = (begun.path / "study.toml").read_bytes()
    other = CHANGE(
        document,
        task=CHANGE(document.task, fingerprint="fedcba9876543210"),
        protocol=CHANGE(document.protocol, epochs=60, optimizers=("adam",)),
    )
    with pytest.raises(StudyError, match="holds another study") as caught:
        StudyFolder.begin(begun.path, other)
    message = str(caught.value)
    assert "epochs: 50 there, 60 asked" in message
    assert "optimizers: ('adam', 'gd') there, ('adam',) asked" in message
    assert "fingerprint: 0123456789abcdef there" in message
    assert "batch_size" not in message
    assert "--out" in caught.value.hint
    assert (begun.path / "study.toml").read_bytes() == before


def test_a_study_of_another_task_is_refused_by_its_name(begun: StudyFolder, document) -> None:
    other = CHANGE(document, task=CHANGE(document.task, name="digits-mlp"))
    with pytest.raises(StudyError, match="another") as caught:
        StudyFolder.begin(begun.path, other)
    assert "wein-güte" in str(caught.value)


def test_a_folder_of_other_things_is_refused(tmp_path: Path, document: StudyDocument) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(StudyError, match="is not empty and holds no study"):
        StudyFolder.begin(tmp_path, document)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_parts_without_their_document_are_refused(begun: StudyFolder, document, a_run) -> None:
    begun.append([a_run(0)], [32])
    begun.close()
    (begun.path / "study.toml").unlink()
    with pytest.raises(StudyError, match="is not empty and holds no study"):
        StudyFolder.begin(begun.path, document)


def test_a_writer_killed_as_it_began_leaves_no_obstacle(
    tmp_path: Path, document: StudyDocument, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(source, target):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            StudyFolder.begin(tmp_path, document)
    assert (tmp_path / "study.toml.tmp").exists()
    StudyFolder.begin(tmp_path, document).close()
    assert StudyFolder.open(tmp_path).document.task == document.task
    assert not (tmp_path / "study.toml.tmp").exists()


def test_the_next_writer_removes_torn_parts(begun: StudyFolder, document, a_run) -> None:
    begun.append([a_run(0)], [32])
    begun.close()
    torn = begun.path / "parts" / "000002.parquet.tmp"
    torn.write_bytes(b"PAR1 and then the power went")
    assert len(StudyFolder.open(begun.path).results()) == 1
    assert torn.exists()  # a reader changes nothing
    StudyFolder.begin(begun.path, document).close()
    assert not torn.exists()


def test_a_file_in_the_folders_place_is_refused(tmp_path: Path, document: StudyDocument) -> None:
    file = tmp_path / "study"
    file.write_text("not a folder")
    for path in (file, file / "below"):
        with pytest.raises(StudyError, match=r"cannot write to the study's folder") as caught:
            StudyFolder.begin(path, document)
        assert "--out" in caught.value.hint
    assert file.read_text() == "not a folder"


def test_a_folder_that_refuses_is_an_error_with_advice(
    tmp_path: Path, document: StudyDocument, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*arguments, **settings):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refused)
    with pytest.raises(StudyError, match=r"cannot write .*: Permission denied") as caught:
        StudyFolder.begin(tmp_path / "study", document)
    assert "can be written to" in caught.value.hint


def test_a_full_disk_is_an_error_with_advice_and_loses_nothing(
    begun: StudyFolder, a_run, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun.append([a_run(0)], [32])

    def full(handle):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(StudyError, match="No space left on device") as caught:
            begun.append([a_run(1)], [32])
    assert "room" in caught.value.hint
    assert [result.run.seed for result in begun.results()] == [0]
    begun.append([a_run(1)], [32])
    assert [result.run.seed for result in begun.results()] == [0, 1]


def test_the_lock_that_cannot_be_made_is_an_error_with_advice(
    begun: StudyFolder, document, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun.close()

    def refused(lock, *arguments, **settings):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("filelock.FileLock.acquire", refused)
    with pytest.raises(StudyError, match=r"cannot write .*: Permission denied"):
        StudyFolder.begin(begun.path, document)


@pytest.mark.parametrize(
    ("path", "what"), [("nothing", "is not a folder"), (".", r"holds no study\.toml")]
)
def test_what_is_no_study_cannot_be_opened(tmp_path: Path, path: str, what: str) -> None:
    with pytest.raises(StudyError, match=f"is no study: it {what}") as caught:
        StudyFolder.open(tmp_path / path)
    assert caught.value.hint


def test_two_writers_in_two_processes(begun: StudyFolder, document, a_run) -> None:
    second = (
        "import sys; from fallline.store.folder import StudyFolder; "
        "from fallline.errors import StudyError\n"
        "study = StudyFolder.open(sys.argv[1])\n"
        "print(len(study.results()))\n"
        "try: StudyFolder.begin(sys.argv[1], study.document)\n"
        "except StudyError as error: print(error)\n"
        "else: print('taken')\n"
    )

    def ask() -> list[str]:
        command = [sys.executable, "-c", second, str(begun.path)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        return done.stdout.splitlines()

    begun.append([a_run(0)], [32])
    read, said = ask()
    assert read == "1"  # any number of readers
    assert "another process is writing the study" in said
    begun.close()
    assert ask() == ["1", "taken"]


def test_no_runs_write_no_part(begun: StudyFolder) -> None:
    begun.append([], [])
    assert list((begun.path / "parts").iterdir()) == []


def test_every_run_needs_its_batch_size(begun: StudyFolder, a_run) -> None:
    with pytest.raises(ValueError, match="zip"):
        begun.append([a_run(0), a_run(1)], [32])
    assert begun.results() == []


def test_runs_that_the_document_does_not_describe_are_named(begun: StudyFolder, a_run) -> None:
    begun.append([a_run(0), a_run(1, optimizer="nobody")], [32, 32])
    with pytest.raises(StudyError, match=r"holds runs of 'nobody', which its study\.toml"):
        begun.runs()


def test_final_runs_of_a_setting_that_is_not_chosen_any_more_do_not_count(
    begun: StudyFolder, a_run
) -> None:
    """As after a part was lost, where another machine chose otherwise."""

    def runs(rate: float, metric: float, phase: str, seeds: tuple[int, ...]) -> list[RunResult]:
        curve = np.full(50, metric, np.float32)
        return [
            replace(
                a_run(seed, test_metric=metric),
                run=Run("adam", {"learning_rate": rate}, seed, phase, 50),
                curves=Curves(curve, curve, curve, curve),
            )
            for seed in seeds
        ]

    final = [*runs(0.1, 0.5, "final", (1000, 1001)), *runs(0.2, 0.4, "final", (1000, 1001))]
    begun.append(final, [32] * 4)
    assert len(begun.runs()) == 0, "nothing says which setting was chosen"
    begun.append(runs(0.1, 0.5, "search", (0, 1, 2)), [32] * 3)
    begun.append(runs(0.2, 0.4, "search", (0, 1, 2)), [32] * 3)
    counted = begun.runs()
    assert len(counted) == 8
    assert set(counted.loc[counted["phase"] == "final", "learning_rate"]) == {0.2}


def test_a_study_without_search_whose_final_runs_differ_is_not_believed(
    tmp_path: Path, document: StudyDocument, a_run
) -> None:
    plain = CHANGE(document, protocol=CHANGE(document.protocol, searched=False))
    study = StudyFolder.begin(tmp_path / "plain", plain)
    runs = [Run("adam", {"learning_rate": rate}, 1000, "final", 50) for rate in (0.1, 0.2)]
    study.append([replace(a_run(), run=run) for run in runs], [32, 32])
    study.close()
    with pytest.raises(StudyError, match="final runs of 'adam' with several settings"):
        StudyFolder.open(study.path).runs()
