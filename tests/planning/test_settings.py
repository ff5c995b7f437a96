"""From a study file to settings and to the studies that measure them."""

from __future__ import annotations

import math

import pytest

from fallline.errors import InputError
from fallline.planning import settings, studyfile
from fallline.planning.stopping import EarlyStopping

TREE = {
    "name": "small",
    "base": {"task": "digits-mlp", "epochs": 3, "optimizer": "sgd"},
    "protocol": {"final_seeds": 2, "seeds": 3, "learning_rates": [0.01, 0.1]},
    "axes": {
        "width": {"8": {"model": {"hidden": [8]}}, "16": {"model": {"hidden": [16]}}},
        "optimizer": {
            "one": {"optimizer": "sgd"},
            "two": {"optimizer": "adam(learning_rate=0.010)"},
            "again": {"optimizer": "sgd"},
        },
    },
    "stages": {
        "width": {"vary": ["width"], "choose": "validation_accuracy"},
        "optimizer": {
            "vary": ["optimizer"],
            "base": {"epochs": 5, "batch_size": "all"},
            "protocol": {"tuned": False, "stop": {"monitor": "train_loss", "patience": 2}},
        },
        "both": {"vary": ["width", "optimizer"], "only": {"optimizer": ["one", "two"]}},
    },
}


def _file(**changes):
    return studyfile.parse(studyfile.merged(TREE, changes))


def test_a_stage_varies_its_axes_alone():
    file = _file()
    found = settings.settings(file, file.stages["width"])
    assert [each.labels for each in found] == [{"width": "8"}, {"width": "16"}]
    assert {each.optimizer for each in found} == {"sgd"}


def test_what_was_chosen_holds_for_later_stages():
    file = _file()
    found = settings.settings(file, file.stages["optimizer"], {"width": "16"})
    assert [each.changes.model for each in found] == [{"hidden": [16]}] * 3
    assert [each.optimizer for each in found] == ["sgd", "adam(learning_rate=0.01)", "sgd"]
    assert {(each.changes.epochs, each.changes.batch_size) for each in found} == {(5, "all")}


def test_settings_of_one_task_share_a_study():
    members = settings.members(_file(), "both")
    assert [member.mode for member in members] == ["untuned", "tuned"] * 2
    assert [member.shared for member in members] == [{"width": "8"}] * 2 + [{"width": "16"}] * 2
    assert [[s.labels["optimizer"] for s in m.settings] for m in members] == [["one", "two"]] * 4
    assert len({member.folder for member in members}) == 4


def test_equal_optimizers_are_told_apart():
    members = settings.members(_file(), "optimizer")
    labels = [[each.labels["optimizer"] for each in member.settings] for member in members]
    assert labels == [["one", "two"], ["again"]]
    assert len({member.folder for member in members}) == 2


def test_a_members_configuration():
    (untuned, tuned) = settings.members(_file(), "both")[:2]
    config = tuned.config(epochs=3, batch_size=32)
    assert config.optimizers == ("sgd", "adam(learning_rate=0.01)")
    assert (config.seeds, config.final_seeds, config.learning_rates) == (3, 2, (0.01, 0.1))
    assert not config.defaults
    assert untuned.config(epochs=3, batch_size=32).defaults
    (stopped, _) = settings.members(_file(), "optimizer")
    stopping = stopped.config(epochs=5, batch_size=9).stopping
    assert stopping == EarlyStopping("train_loss", 0.0, 2)


def test_folds_are_members_each():
    members = settings.members(_file(protocol={"folds": 3, "tuned": False}), "width")
    assert [member.fold for member in members] == [1, 2, 3, 1, 2, 3]
    assert len({member.folder for member in members}) == 6


def test_folders_are_plain_names():
    tree = studyfile.merged(TREE, {"axes": {"width": {"../../a b": {}}}})
    for member in settings.members(studyfile.parse(tree), "both"):
        assert ".." not in member.folder
        assert member.folder.count("/") == 1
        assert set(member.folder) <= set("abcdefghijklmnopqrstuvwxyz0123456789-/")


def test_a_setting_needs_a_task():
    tree = {**TREE, "base": {"epochs": 1}}
    with pytest.raises(InputError, match="has no task"):
        settings.members(studyfile.parse(tree), "width")


@pytest.mark.parametrize(
    ("figures", "higher", "chosen"),
    [
        ({"a": 0.1, "b": 0.2}, True, "b"),
        ({"a": 0.1, "b": 0.2}, False, "a"),
        ({"a": math.nan, "b": 0.2}, True, "b"),
        ({"a": 0.2, "b": 0.2}, True, "a"),
    ],
)
def test_the_best_setting(figures, higher, chosen):
    assert settings.best(figures, higher_is_better=higher) == chosen
