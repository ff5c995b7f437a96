"""Study files: what they say, their forms, and what is told of a wrong one."""

from __future__ import annotations

import re

import pytest

from fallline import studies
from fallline.errors import DataError, InputError
from fallline.planning import studyfile
from fallline.planning.studyfile import Changes

FILE = """
name = "small"
[base]
task = "digits-mlp"
epochs = 3
model = { hidden = [8] }
[protocol]
final_seeds = 2
[axes.optimizer]
"a" = { optimizer = "sgd" }
"b" = { optimizer = "adam(learning_rate=0.01)" }
[axes.width]
"8" = {}
"16" = { model = { hidden = [16] } }
[[published]]
where = { optimizer = "a" }
figures = { test_accuracy = 0.9 }
[[claims]]
text = "b is better"
better = { optimizer = "b" }
[as_published.protocol]
final_seeds = 1
[as_published.axes]
width = false
[as_published.quick.base]
epochs = 2
[quick.base]
epochs = 1
"""


@pytest.fixture
def written(tmp_path):
    def write(text: str = FILE):
        path = tmp_path / "study.toml"
        path.write_text(text)
        return path

    return write


def test_a_file_is_read_as_it_is_written(written):
    file = studyfile.read(written())
    assert (file.name, file.base.task, file.base.epochs) == ("small", "digits-mlp", 3)
    assert list(file.axes) == ["optimizer", "width"]
    assert file.axes["optimizer"]["b"].optimizer == "adam(learning_rate=0.01)"
    assert file.protocol.final_seeds == 2
    assert list(studyfile.stages_of(file)) == ["settings"]


def test_forms_change_what_they_name_and_nothing_else(written):
    plain = studyfile.read(written())
    published = studyfile.read(written(), forms=("as_published",))
    quick = studyfile.read(written(), forms=("quick",))
    both = studyfile.read(written(), forms=("as_published", "quick"))
    assert [f.base.epochs for f in (plain, published, quick, both)] == [3, 3, 1, 2]
    assert [f.protocol.final_seeds for f in (plain, published, quick, both)] == [2, 1, 2, 1]
    assert list(published.axes) == list(both.axes) == ["optimizer"]
    assert both.base.model == {"hidden": [8]}
    assert (plain.form, both.form) == ("as it should be", "as published, quick")


def test_what_is_left_out_stays_out():
    changed = studyfile.merged(
        studyfile.merged({"stages": {"a": {"x": 1}, "b": {}}}, {"stages": {"a": False}}),
        {"stages": {"a": {"x": 2}}},
    )
    assert list(studyfile._kept(changed)["stages"]) == ["b"]


def test_changes_are_laid_one_over_the_other():
    first = Changes(task="digits-mlp", model={"hidden": [8], "activation": "tanh"}, l2=0.1)
    second = Changes(model={"hidden": [16]}, epochs=2)
    assert first.then(second) == Changes(
        task="digits-mlp", model={"hidden": [16], "activation": "tanh"}, l2=0.1, epochs=2
    )


def test_seeds_go_before_those_of_the_stages(written):
    text = FILE + '[stages.one]\nvary = ["width"]\nprotocol = { final_seeds = 7, seeds = 2 }\n'
    text = text.replace('where = { optimizer = "a" }', 'where = { width = "8" }')
    text = text.replace('better = { optimizer = "b" }', 'better = { width = "16" }')
    file = studyfile.with_seeds(studyfile.read(written(text)), 4)
    measured = studyfile.measuring(file, studyfile.stages_of(file)["one"])
    assert (measured.final_seeds, measured.seeds) == (4, 2)
    with pytest.raises(InputError, match="seeds must be a whole number of at least 1"):
        studyfile.with_seeds(file, 0)


def test_a_file_survives_being_written(written):
    file = studyfile.read(written(), forms=("quick",))
    assert studyfile.read(written(studyfile.as_toml(file))) == file


@pytest.mark.parametrize(
    ("wrong", "right", "said", "hint"),
    [
        ("final_seeds = 2", "final_sedes = 2", "'final_sedes'", "final_seeds"),
        ('task = "digits-mlp"', "tsk = 1", "'tsk'", "task"),
        ("epochs = 3", 'epochs = "three"', "base.epochs", "docs/studies.md"),
        ('where = { optimizer = "a" }', 'where = { optimiser = "a" }', "'optimiser'", "optimizer"),
        ('where = { optimizer = "a" }', 'where = { optimizer = "c" }', "'c'", "there are a, b"),
        ("test_accuracy", "test_acuracy", "'test_acuracy'", "test_"),
        ('name = "small"', 'name = "../up"', "'../up'", "letters"),
        ("[quick.base]", "[quik.base]", "'quik'", "quick"),
        ("final_seeds = 2", "untuned = false\ntuned = false", "measures nothing", "tuned = true"),
        ('"8" = {}\n"16" = { model = { hidden = [16] } }', "", "no settings", "give it some"),
    ],
)
def test_a_wrong_file_is_told_what_is_wrong(written, wrong, right, said, hint):
    assert wrong in FILE
    with pytest.raises(InputError) as raised:
        studyfile.read(written(FILE.replace(wrong, right, 1)))
    assert said in str(raised.value)
    assert hint in raised.value.hint


@pytest.mark.parametrize(
    ("axes", "protocol", "number"),
    [
        (4, {"tuned": False}, "10,000"),
        (3, {}, "2,001"),
        (3, {"tuned": False, "folds": 3}, "3,003"),
        (300, {}, "10^300"),
    ],
)
def test_more_settings_than_anybody_trains_are_refused(axes, protocol, number):
    labels = {str(each): {"l2": each / 10} for each in range(10)}
    names = [f"axis{at}" for at in range(axes)]
    tree = {
        "name": "wide",
        "base": {"task": "digits-mlp"},
        "protocol": protocol,
        "axes": dict.fromkeys(names, labels),
        "stages": {"all": {"vary": names}},
    }
    if axes == 3:
        tree["stages"]["one"] = {"vary": [], "protocol": {"tuned": False}}
    with pytest.raises(InputError, match=rf"asks for {re.escape(number)} settings") as raised:
        studyfile.parse(tree)
    assert "at most 2,000" in str(raised.value)
    assert "only" in raised.value.hint
    tree["stages"] = {"all": {"vary": names[:1]}}
    assert studyfile.parse(tree).name == "wide"


def test_what_is_no_file_is_told_so(written, tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        studyfile.read(tmp_path / "none.toml")
    with pytest.raises(DataError, match="is no TOML"):
        studyfile.read(written("name = "))
    with pytest.raises(DataError, match="holds no tables"):
        studyfile.parse([])
    with pytest.raises(InputError, match=r"has no table \[quick\]"):
        studyfile.read(written('name = "x"'), forms=("quick",))


@pytest.mark.parametrize("name", studies.NAMES)
@pytest.mark.parametrize("forms", [(), ("as_published",), ("quick",), ("as_published", "quick")])
def test_built_in_files_are_right_in_every_form(name, forms):
    file = studyfile.read(studies.path(name), forms=forms)
    assert file.name == name
    assert file.title
    assert file.flaw
    assert file.claims
