"""A study that any earlier version wrote opens, gives what it gave, and can be gone on with."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from fallline.results import open_study
from fallline.store.contents import State
from fallline.store.folder import StudyFolder

STUDIES = Path(__file__).parents[1] / "golden" / "studies"
VERSIONS = sorted(path.name for path in STUDIES.iterdir() if path.is_dir())


def test_there_is_one_of_every_version() -> None:
    assert VERSIONS == ["v1"]


@pytest.mark.parametrize("version", VERSIONS)
def test_it_gives_the_recorded_table_and_verdict(version: str) -> None:
    expected = json.loads((STUDIES / f"{version}.json").read_text("utf-8"))
    study = open_study(STUDIES / version)
    assert study.problems == ()
    assert study.complete is expected["complete"] is True
    assert study.verdict == expected["verdict"]
    assert list(study.warnings) == expected["warnings"]
    assert study.timing.total == expected["total"]
    recorded = pd.DataFrame(expected["table"])
    pd.testing.assert_frame_equal(
        study.table()[list(recorded.columns)], recorded, check_dtype=False, rtol=1e-9
    )


@pytest.mark.parametrize("version", VERSIONS)
def test_it_can_be_gone_on_with(version: str, tmp_path: Path) -> None:
    copy = shutil.copytree(STUDIES / version, tmp_path / "study")
    before = StudyFolder.open(copy).results()
    study = StudyFolder.begin(copy, StudyFolder.open(copy).document)
    study.close()
    assert study.complete
    assert len(study.results()) == len(before) == 18
    assert all(part.state is State.WHOLE for part in study.contents().parts)


@pytest.mark.parametrize("version", VERSIONS)
def test_it_is_small_and_knows_no_machine(version: str) -> None:
    files = [path for path in (STUDIES / version).rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 60_000
    assert all(str(Path.home()).encode() not in path.read_bytes() for path in files)
