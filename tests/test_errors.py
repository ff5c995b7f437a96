"""Errors name the value, the nearest ones, and the way out."""

from __future__ import annotations

import pytest

from fallline.errors import (
    DataError,
    FalllineError,
    InputError,
    StudyError,
    near_matches,
    unknown,
)

NAMES = ("adam", "adamax", "nadam", "rmsprop", "Nesterov", "sgd")


@pytest.mark.parametrize(
    ("typed", "nearest"),
    [("adm", "adam"), ("ADAM", "adam"), ("rms-prop", "rmsprop"), ("nestrov", "Nesterov")],
)
def test_the_nearest_comes_first_whatever_its_case(typed: str, nearest: str) -> None:
    assert near_matches(typed, NAMES)[0] == nearest


def test_no_more_than_asked_for_and_none_that_is_far() -> None:
    assert near_matches("adam", NAMES) == ["adam", "nadam", "adamax"]
    assert near_matches("adam", NAMES, count=1) == ["adam"]
    assert near_matches("lbfgs", NAMES) == []
    assert near_matches("adam", []) == []


def test_an_unknown_name_is_told_with_its_neighbours() -> None:
    error = unknown("optimizer", "adan", NAMES, listed_by="fallline optimizers")
    assert isinstance(error, InputError)
    assert str(error) == "unknown optimizer 'adan'"
    assert error.hint.startswith("did you mean 'adam' or 'nadam'")
    assert "'fallline optimizers' lists them all" in error.hint


def test_an_unknown_name_without_neighbours_points_to_the_list() -> None:
    error = unknown("task", "xyz", NAMES, listed_by="fallline tasks")
    assert error.hint == "'fallline tasks' lists them all"


@pytest.mark.parametrize("kind", [InputError, DataError, StudyError])
def test_every_error_of_the_users_is_one_family_with_exit_code_2(kind) -> None:
    error = kind("what was wrong", hint="how to mend it")
    assert isinstance(error, FalllineError)
    assert (str(error), error.hint, error.exit_code) == ("what was wrong", "how to mend it", 2)
    assert kind("alone").hint is None
