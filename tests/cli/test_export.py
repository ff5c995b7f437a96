"""``fallline export`` and ``Study.export`` on folders made by hand; nothing is trained."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from fallline.cli.export import export
from fallline.errors import InputError, StudyError
from fallline.report import study_static
from fallline.results import open_study
from fallline.store.folder import StudyFolder
from fallline.store.parts import result_of
from fallline.store.suite import Asked, SuiteDocument, SuiteFolder, SuiteTask
from made_study import OPTIMIZERS, document, frame, timing

FEW = ("adam", "sgd")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished study of two optimizers."""
    path = tmp_path_factory.mktemp("studies") / "made"
    few = {name: OPTIMIZERS[name] for name in FEW}
    runs = frame(optimizers=few)
    held = StudyFolder.begin(path, document(optimizers=FEW))
    held.append([result_of(row) for row in runs.to_dict("records")], list(runs["batch_size"]))
    held.finish(timing(few))
    held.close()
    return path


def test_the_files_are_listed_and_lie_in_the_study(study: Path, capsys) -> None:
    export(str(study), out=None, formats="csv,bib", width="single")
    told = capsys.readouterr().out
    assert "csv  summary, measures, ranking, curves" in told
    assert "bib  references" in told
    folder = study / "export"
    files = list(folder.iterdir())
    assert f"export: {folder} ({len(files)} files)" in told
    assert all(path.stat().st_size for path in files)
    assert "note:" not in told


def test_pictures_are_as_wide_as_was_asked(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = {"ranking": study_static.PICTURES["ranking"]}
    monkeypatch.setattr(study_static, "PICTURES", one)
    export(str(study), out=str(tmp_path / "wide"), formats="svg", width="double")
    (picture,) = (tmp_path / "wide").iterdir()
    assert picture.name == "ranking.svg"
    assert f'width="{72 * 7}pt"' in picture.read_text("utf-8")[:2000]


def test_what_there_is_not_is_refused_with_near_matches(study: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="unknown format of an export 'latex'") as caught:
        export(str(study), out=None, formats="latex", width="single")
    assert "tex" in (caught.value.hint or "")
    with pytest.raises(InputError, match="unknown width 'singel'") as caught:
        export(str(study), out=None, formats=None, width="singel")
    assert "did you mean 'single'" in (caught.value.hint or "")
    with pytest.raises(StudyError, match="is no study"):
        export(str(tmp_path), out=None, formats=None, width="single")


def test_a_series_has_its_own_pictures(tmp_path: Path) -> None:
    (tmp_path / "series.toml").write_text("", "utf-8")
    with pytest.raises(InputError, match="is a series of studies") as caught:
        export(str(tmp_path), out=None, formats=None, width="single")
    assert "--pictures" in (caught.value.hint or "")


def test_of_several_tasks_every_study_is_exported(study: Path, tmp_path: Path) -> None:
    asked = Asked(FEW, "grid", seeds=3, final_seeds=5, learning_rates=7)
    tasks = tuple(SuiteTask(name, name, 30, 32, "") for name in ("digits-mlp", "not-begun"))
    SuiteFolder.begin(
        tmp_path / "suite",
        SuiteDocument(1, "2026-05-01T10:20:30+00:00", tasks, asked, versions={}, machine={}),
    )
    shutil.copytree(study, tmp_path / "suite" / "digits-mlp")
    export(str(tmp_path / "suite"), out=None, formats="bib", width="single")
    folder = tmp_path / "suite" / "export"
    assert [path.name for path in folder.iterdir()] == ["digits-mlp"]
    assert [path.name for path in (folder / "digits-mlp").iterdir()] == ["references.bib"]


def test_python_gets_the_paths(study: Path, tmp_path: Path) -> None:
    written = open_study(study).export(tmp_path / "out", formats=["md", "bib"])
    assert {path.parent for path in written} == {tmp_path / "out"}
    assert written[-1].name == "references.bib"
    assert "adam" in written[0].read_text("utf-8")
