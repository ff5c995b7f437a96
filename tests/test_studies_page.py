"""docs/studies.md is true: its keys are those of a study file, and its examples are study files."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from fallline import api, studies
from fallline.data.variants import SETTINGS
from fallline.planning import settings, studyfile

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "studies.md").read_text("utf-8")
WHOLE, *PARTS = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
TABLES = {
    "What a file may hold": [(*studyfile.StudyFile.__struct_fields__, *studyfile.FORMS)],
    "Changes": [studyfile.Changes.__struct_fields__],
    "Protocol": [studyfile.Measuring.__struct_fields__, studyfile.Stopping.__struct_fields__],
    "Stages": [studyfile.Stage.__struct_fields__],
    "Published": [studyfile.Published.__struct_fields__],
    "Claims": [studyfile.Claim.__struct_fields__],
    "Publication": [studyfile.Publication.__struct_fields__],
}


def section(title: str) -> str:
    return re.split(r"^#+ ", PAGE.split(f"# {title}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]


@pytest.mark.parametrize("title", TABLES)
def test_every_key_is_listed_and_none_else(title: str) -> None:
    tables = re.findall(r"(?:^\|.*\n)+", section(title), re.MULTILINE)
    listed = [set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) for table in tables]
    assert listed == [set(fields) for fields in TABLES[title]]


def test_defaults_that_the_page_names_are_the_programs() -> None:
    given = {"protocol": studyfile.Measuring(), "stop": studyfile.Stopping()}
    rows = re.findall(r"^\| `(\w+)` \|.*\((true|\d+)\)", section("Protocol"), re.MULTILINE)
    assert len(rows) == 8
    for key, text in rows:
        holder = given["protocol"] if hasattr(given["protocol"], key) else given["stop"]
        assert getattr(holder, key) == (True if text == "true" else int(text)), key


def test_every_data_setting_and_built_in_study_is_named() -> None:
    assert not [name for name in SETTINGS if f"`{name}`" not in section("Changes")]
    assert re.findall(r"^\| `([a-z-]+)` \|", section("Study files"), re.MULTILINE) == [
        *studies.NAMES
    ]


@pytest.mark.parametrize("text", PARTS, ids=lambda text: text.split("\n", 1)[0])
def test_examples_are_parts_of_a_study_file(text: str) -> None:
    tree = studyfile.merged(tomllib.loads(WHOLE), tomllib.loads(text))
    forms = ((), ("as_published",), studyfile.FORMS) if "as_published" in tree else ((),)
    for form in forms:
        if "as_published" in form:
            tree["claims"] = []
        file = studyfile.parse(tree, forms=form)
        first = {axis: next(iter(labels)) for axis, labels in file.axes.items()}
        assert all(settings.members(file, stage, first) for stage in studyfile.stages_of(file))


def test_the_examples_say_what_the_page_says_of_them() -> None:
    whole = tomllib.loads(WHOLE)
    changed = {name: studyfile.merged(whole, tomllib.loads(text)) for name, text in named().items()}
    assert studyfile.parse(changed["protocol"]).protocol.folds == 5
    joint = studyfile.parse(changed["stages.joint"])
    assert len(settings.settings(joint, joint.stages["joint"])) == 2
    forms = changed["as_published.base"] | {"claims": []}
    published = studyfile.parse(forms, forms=studyfile.FORMS)
    assert (list(published.stages), published.base.data["validation"]) == (["optimizer"], "test")
    assert (published.base.epochs, published.protocol.final_seeds) == (1, 1)


def named() -> dict[str, str]:
    return {text.split("]")[0].strip("["): text for text in PARTS}


def test_the_complete_example_runs(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(WHOLE, encoding="utf-8")
    found = api.run(file, quick=True, out=tmp_path / "mine")
    assert found.complete
    assert list(found.folder.progress.chosen) == ["width"]
    assert set(found.claims()["mode"]) == {"untuned", "tuned"}
    assert found.report().is_file()


@pytest.mark.parametrize("name", studies.NAMES)
def test_a_copy_of_a_built_in_study_is_the_study(name: str, tmp_path: Path) -> None:
    copied = api.write_study_file(name, tmp_path / "mine.toml")
    assert studyfile.read(copied) == studyfile.read(studies.path(name))
