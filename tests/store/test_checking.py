"""A folder is checked and repaired: every kind of damage is named, nothing finished is deleted."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from fallline.cli.doctor import doctor
from fallline.errors import InputError, StudyError
from fallline.records import RunState
from fallline.store import states
from fallline.store.checking import check
from fallline.store.folder import StudyFolder
from made_suite import THREE, write

GOLDEN = Path(__file__).parents[1] / "golden" / "studies" / "v1"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return shutil.copytree(GOLDEN, tmp_path / "study")


def _wrong(folder: Path) -> dict[str, str]:
    return {each.where: each.what for each in check(folder) if not each.sound}


def _sources(folder: Path) -> set[bytes]:
    return {path.read_bytes() for path in folder.rglob("*.parquet*")}


def test_a_sound_study_is_said_to_be(folder: Path) -> None:
    found = {each.where: each.what for each in check(folder)}
    assert _wrong(folder) == {}
    assert found["study.toml"] == "reads"
    assert found["parts/000001.parquet"] == "whole, 6 runs; the manifest agrees"
    assert found["manifest.jsonl"] == "reads, 3 parts"
    assert found["timing.toml"] == "reads"


def test_checking_changes_nothing(folder: Path) -> None:
    (folder / "parts" / "000002.parquet").write_bytes(b"")
    (folder / "parts" / ".000009.parquet.tmp").write_bytes(b"PAR1")
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    check(folder)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_every_kind_of_damage_is_named_and_repaired(folder: Path) -> None:
    parts = folder / "parts"
    whole = (parts / "000001.parquet").read_bytes()
    (parts / "000002.parquet").write_bytes(whole[:-9])
    (parts / "notes.txt").write_text("mine")
    (parts / "000004.parquet.tmp").write_bytes(b"PAR1")
    with open(folder / "manifest.jsonl", "ab") as file:
        file.write(b'{"part":"0000')
    (folder / "clock.toml").write_text("spent = 3")
    (folder / states.STATES_FILE).write_bytes(b"nothing of ours")
    assert _wrong(folder).keys() == {
        "parts/000002.parquet",
        "parts/notes.txt",
        "parts/000004.parquet.tmp",
        "manifest.jsonl",
        "clock.toml",
        "states.safetensors",
    }
    check(folder, repair=True)
    assert _wrong(folder) == {}
    assert whole[:-9] in _sources(folder / "set-aside")
    assert (folder / "set-aside" / "notes.txt").read_text() == "mine"
    assert (folder / "set-aside" / "states.safetensors.damaged").is_file()
    study = StudyFolder.open(folder)
    assert len(study.results()) == 12
    assert not study.complete
    said = {each.where: each.what for each in check(folder)}
    assert "not finished" in said["timing.toml"]


def test_states_of_finished_runs_go_and_others_stay(folder: Path) -> None:
    done = StudyFolder.open(folder).results()[0].run.run_id
    array = {"weights": np.zeros(3, np.float32)}
    states.save(folder, [RunState(done, "an identity", array)])
    states.append(folder, [RunState("feedfeedfeedfeed", "an identity", array)])
    assert _wrong(folder) == {"states.safetensors": "states of runs that are finished"}
    check(folder, repair=True)
    assert not (folder / "states.safetensors").exists()
    assert len(states.waiting(folder)) == 1
    assert _wrong(folder) == {}


OTHERS = {"training": "another", "epochs": "90"}


@pytest.mark.parametrize("of", OTHERS)
def test_states_of_another_training_go(folder: Path, of: str) -> None:
    own = StudyFolder.open(folder).origin
    array = {"weights": np.zeros(3, np.float32)}
    other = RunState("feedfeedfeedfeed", "an identity", array, {**own, of: OTHERS[of]})
    states.save(folder, [other])
    states.append(folder, [other, RunState("feedfeedfeedfe00", "an identity", array, own)])
    wrong = _wrong(folder)
    assert wrong.keys() == {"states.safetensors"}
    assert wrong["states.safetensors"].startswith("states of another training")
    assert [each.what for each in check(folder) if each.where.startswith("waiting/")] == [
        "reads, 1 run under way"
    ]
    check(folder, repair=True)
    assert not (folder / "states.safetensors").exists()
    assert len(states.waiting(folder)) == 1
    assert _wrong(folder) == {}


def test_states_of_other_versions_are_kept_and_said_to_be(folder: Path) -> None:
    own = StudyFolder.open(folder).origin
    array = {"weights": np.zeros(3, np.float32)}
    states.save(folder, [RunState("feedfeedfeedfeed", "one", array, {**own, "jax": "0.0.9"})])
    check(folder, repair=True)
    said = {each.where: each for each in check(folder)}["states.safetensors"]
    assert said.sound
    assert f"1 run under way, taken with jax 0.0.9 (here {own['jax']})" in said.what


def test_a_missing_part_is_forgotten_once_and_then_trained_again(folder: Path) -> None:
    (folder / "parts" / "000003.parquet").unlink()
    assert _wrong(folder) == {"parts/000003.parquet": "missing, 6 runs"}
    assert any("is missing" in each.what for each in check(folder, repair=True))
    assert _wrong(folder) == {}
    assert not StudyFolder.open(folder).complete


def test_a_damaged_document_is_named(folder: Path) -> None:
    (folder / "study.toml").write_bytes(b"\x00")
    assert "cannot be read" in _wrong(folder)["study.toml"]


def test_a_suite_is_checked_with_the_studies_in_it(tmp_path: Path) -> None:
    suite = write(tmp_path / "suite", THREE)
    assert _wrong(suite.path) == {}
    part = suite.path / "second" / "parts" / "000001.parquet"
    part.write_bytes(part.read_bytes() + b"more")
    assert list(_wrong(suite.path)) == ["second/parts/000001.parquet"]
    check(suite.path, repair=True)
    assert _wrong(suite.path) == {}
    (suite.path / "suite.toml").write_text("format_version = 1")
    assert "suite.toml" in _wrong(suite.path)


def test_a_study_that_is_written_is_not_repaired(folder: Path) -> None:
    study = StudyFolder.open(folder)
    study.take()
    with pytest.raises(StudyError, match="another process is writing"):
        check(folder, repair=True)
    study.close()


@pytest.fixture
def command():
    import typer

    app = typer.Typer()
    app.command()(doctor)
    return lambda *words: CliRunner().invoke(app, [str(word) for word in words])


def test_the_command_says_it_and_its_exit_code(folder: Path, command) -> None:
    sound = command(folder)
    assert sound.exit_code == 0
    assert sound.output.endswith(f"{folder} is sound\n")
    (folder / "parts" / "000002.parquet").unlink()
    wrong = command(folder)
    assert wrong.exit_code == 1
    assert "WRONG parts/000002.parquet: missing, 6 runs\n      mend: bring back" in wrong.output
    assert command(folder, "--repair").exit_code == 0
    assert command(folder).exit_code == 0


def test_the_command_refuses_what_is_no_study(tmp_path: Path, command) -> None:
    for words, kind in (
        ((tmp_path,), StudyError),
        ((tmp_path / "nothing",), StudyError),
        (("--repair",), InputError),
        ((tmp_path, "--plan", "digits-mlp"), InputError),
    ):
        error = command(*words).exception
        assert isinstance(error, kind)
        assert error.exit_code == 2
        assert error.hint
