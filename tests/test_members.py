"""What of a series has to be trained, what other studies have of it, and how it fills devices."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from fallline import members
from fallline.planning import settings, studyfile

FILE = {
    "name": "stages",
    "base": {"task": "digits-mlp", "epochs": 2, "optimizer": "sgd"},
    "protocol": {"final_seeds": 1, "tuned": False},
    "axes": {
        "width": {"4": {"model": {"hidden": [4]}}, "16": {"model": {"hidden": [16]}}},
        "optimizer": {
            "SGD": {"optimizer": "sgd"},
            "Adam": {"optimizer": "adam"},
            "momentum": {"optimizer": "momentum"},
        },
    },
    "stages": {
        "width": {"vary": ["width"], "fixed": {"optimizer": "Adam"}},
        "optimizer": {"vary": ["optimizer"], "fixed": {"width": "16"}},
    },
}


def _file(**stages: Any) -> studyfile.StudyFile:
    return studyfile.parse(studyfile.merged(FILE, {"stages": stages}))


def _entered(file: studyfile.StudyFile) -> list[tuple[Any, Any]]:
    """Every member's entries and what it lacks, in the file's order."""
    entries: list[Any] = []
    found = []
    for name in studyfile.stages_of(file):
        for member in settings.members(file, name):
            own, lacks = members.parted(member, entries, file)
            entries += own
            found.append((own, lacks))
    return found


def _labels(entries: Any) -> list[str]:
    return [label for one in entries for each in one.settings for label in each.labels.values()]


def test_what_another_stage_trains_is_not_trained_again() -> None:
    _, (own, adam), (entries, lacks) = _entered(_file())
    assert [each.optimizer for each in adam.settings] == ["adam"]
    assert [each.optimizer for each in lacks.settings] == ["sgd", "momentum"]
    # Adam's figures come from the width's study, and stay where the file has Adam.
    assert _labels(entries) == ["SGD", "Adam", "momentum"]
    assert [one.folder for one in entries] == [lacks.folder, own[0].folder, lacks.folder]
    assert {one.stage for one in entries} == {"optimizer"}


def test_another_protocol_is_another_study() -> None:
    *_, (_, lacks) = _entered(_file(optimizer={"protocol": {"final_seeds": 2}}))
    assert len(lacks.settings) == 3
    searched = {"protocol": {"learning_rates": 3, "widen": False}}
    *_, (_, lacks) = _entered(_file(optimizer=searched))
    assert len(lacks.settings) == 2, "untuned settings know no search"


def test_studies_wait_for_choices_alone() -> None:
    file = _file(width={"choose": "validation_loss"}, more={"vary": ["width"]})
    assert members.stretches(file) == [["width"], ["optimizer", "more"]]
    assert members.stretches(_file()) == [["width", "optimizer"]]


def _group(*optimizers: str, runs: int, shards: int = 1) -> Any:
    return SimpleNamespace(optimizers=optimizers, runs=runs, layout=SimpleNamespace(shards=shards))


def test_a_study_wants_devices_for_its_runs() -> None:
    assert members.wanted([_group("adam", runs=1)], 2) == 1
    assert members.wanted([_group("adam", runs=5)], 2) == 2
    assert members.wanted([_group("adam", runs=1, shards=2)], 2) == 2
    assert members.wanted([_group("adam", runs=1), _group("sgd", runs=3)], 16) == 3


def test_programs_that_leave_devices_idle_are_studies_of_their_own(tmp_path: Path) -> None:
    (*_, member) = settings.members(_file(), "optimizer")
    alone = [_group(each.optimizer, runs=1) for each in member.settings]
    parts = members.parts(member, alone, 2, tmp_path)
    assert [[each.optimizer for each in part.settings] for part in parts] == [
        *(["sgd"], ["adam"], ["momentum"])
    ]
    assert len({part.folder for part in parts}) == 3
    assert members.parts(member, alone, 1, tmp_path) == [member]
    together = [_group("sgd", "adam", "momentum", runs=1)]
    assert members.parts(member, together, 2, tmp_path) == [member]
    filling = [_group(each.optimizer, runs=2) for each in member.settings]
    assert members.parts(member, filling, 2, tmp_path) == [member]


def test_what_was_begun_stays_as_it_was_begun(tmp_path: Path) -> None:
    (*_, member) = settings.members(_file(), "optimizer")
    groups = [_group(each.optimizer, runs=1) for each in member.settings]
    parts = members.parts(member, groups, 2, tmp_path)
    (tmp_path / member.folder).mkdir(parents=True)
    assert members.parts(member, groups, 2, tmp_path) == [member]
    (tmp_path / parts[1].folder).mkdir(parents=True)
    assert members.parts(member, groups, 1, tmp_path) == parts
