"""Looking entries up, and what happens to names and values that are wrong."""

from __future__ import annotations

import math
from typing import Any

import pytest

from fallline import optimizers
from fallline.errors import InputError
from fallline.optimizers import catalogue
from fallline.optimizers.spec import Optimizer

STUDIES = [
    "gd",
    "gd_exact",
    "gd_backtracking",
    "sgd",
    "momentum",
    "nesterov",
    "adagrad",
    "adadelta",
    "rmsprop",
    "rprop",
    "adam",
    "adamax",
    "nadam",
    "adabound",
    "adabelief",
    "eadam",
    "adam_atan2",
]


def test_the_studies_are_a_group_and_all_is_everything() -> None:
    assert set(optimizers.names("studies")) == set(STUDIES)
    assert set(optimizers.names()) > {*STUDIES, "adamw", "amsgrad"}
    assert len(optimizers.names()) >= 70
    assert optimizers.names("all") == optimizers.names()
    assert optimizers.groups() == ("all", "studies")


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        ("adam", ["adam"]),
        ("sgd, adam", ["sgd", "adam"]),
        (["sgd", "adam,rprop"], ["sgd", "adam", "rprop"]),
        ("adam,adam", ["adam"]),
        ("adamw,studies", ["adamw", *optimizers.names("studies")]),
        ("all", list(optimizers.names())),
    ],
)
def test_a_selection_keeps_its_order_and_drops_duplicates(
    selection: Any, expected: list[str]
) -> None:
    assert [entry.name for entry in optimizers.resolve(selection)] == expected


@pytest.mark.parametrize("selection", ["", " , ", [], [""]])
def test_an_empty_selection_is_an_error(selection: Any) -> None:
    with pytest.raises(InputError, match="no optimizer was given"):
        optimizers.resolve(selection)


def test_a_mistyped_name_gets_the_nearest_ones() -> None:
    with pytest.raises(InputError, match="unknown optimizer 'adem'") as caught:
        optimizers.resolve("sgd,adem")
    assert caught.value.hint is not None
    assert "'adam'" in caught.value.hint
    assert "'fallline optimizers' lists them all" in caught.value.hint
    with pytest.raises(InputError, match="unknown group of optimizers 'study'") as caught:
        optimizers.names("study")
    assert "'studies'" in str(caught.value.hint)


@pytest.mark.parametrize("name", ["adam", "all", "studies"])
def test_a_name_is_taken_once(name: str) -> None:
    adam = optimizers.get("adam")
    fields = {key: getattr(adam, key) for key in Optimizer.__dataclass_fields__}
    with pytest.raises(InputError, match="already"):
        optimizers.register(Optimizer(**fields | {"name": name}))


def test_ones_own_entry_can_be_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "_ENTRIES", dict(catalogue._ENTRIES))
    adam = optimizers.get("adam")
    fields = {key: getattr(adam, key) for key in Optimizer.__dataclass_fields__}
    mine = Optimizer(**fields | {"name": "mine", "groups": frozenset({"house"})})
    assert optimizers.register(mine) is mine
    assert optimizers.get("mine") is mine
    assert optimizers.resolve("house,mine") == (mine,)


def test_entries_are_hashable_and_equal_to_themselves_alone() -> None:
    entries = optimizers.resolve("all")
    assert len(set(entries)) == len(entries)
    assert optimizers.get("adam") == optimizers.get("adam") != optimizers.get("adamw")


def test_defaults_are_filled_in_and_checked() -> None:
    adam = optimizers.get("adam")
    assert adam.complete({"learning_rate": 3}) == {
        "learning_rate": 3.0,
        "beta_1": 0.9,
        "beta_2": 0.999,
        "epsilon": 1e-8,
        "weight_decay": 0.0,
    }
    assert adam.complete({}) == adam.defaults
    assert adam.learning_rate is not None
    assert adam.learning_rate.default == 0.001
    assert optimizers.get("gd_exact").learning_rate is None
    assert optimizers.get("gd_exact").complete({}) == {}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("learning_rate", 0.0, "learning_rate of adam cannot be 0"),
        ("learning_rate", -0.1, "learning_rate of adam cannot be -0.1"),
        ("learning_rate", math.nan, "must be finite, got nan"),
        ("learning_rate", math.inf, "must be finite, got inf"),
        ("learning_rate", "fast", "must be a number, got 'fast'"),
        ("learning_rate", True, "must be a number, got True"),
        ("learning_rate", None, "must be a number, got None"),
        ("beta_1", 1.0, "beta_1 of adam cannot be 1"),
        ("beta_2", -0.5, "beta_2 of adam cannot be -0.5"),
        ("epsilon", -1e-8, "epsilon of adam cannot be -1e-08"),
    ],
)
def test_a_value_that_cannot_be_is_an_error_that_says_what_can(
    name: str, value: Any, message: str
) -> None:
    adam = optimizers.get("adam")
    for use in (adam.complete, adam.transformation):
        with pytest.raises(InputError, match=message) as caught:
            use({name: value})
        if "finite" not in message:
            assert f"the default is {adam.defaults[name]:g}" in str(caught.value.hint)


def test_an_unknown_hyperparameter_or_option_gets_the_nearest_one() -> None:
    adam = optimizers.get("adam")
    for use in (adam.complete, adam.transformation):
        with pytest.raises(
            InputError, match="adam has no hyper-parameter 'lerning_rate'"
        ) as caught:
            use({"lerning_rate": 0.1})
        assert "did you mean 'learning_rate'?" in str(caught.value.hint)
    with pytest.raises(InputError, match="adam has no option 'epsilon_plase'") as caught:
        adam.transformation({}, epsilon_plase="inside")
    assert "did you mean 'epsilon_place'?" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("name", "option", "value"),
    [
        ("adam", "epsilon_place", "below"),
        ("rmsprop", "centered", 1),
        ("gd_exact", "evaluations", 0),
        ("gd_exact", "evaluations", True),
        ("gd_exact", "evaluations", 2.5),
    ],
)
def test_a_wrong_choice_of_an_option_lists_the_right_ones(
    name: str, option: str, value: Any
) -> None:
    with pytest.raises(InputError, match=f"option {option} of {name} cannot be") as caught:
        optimizers.get(name).transformation({}, **{option: value})
    assert "it takes" in str(caught.value.hint)


def test_a_value_without_effect_is_an_error_or_asks_for_its_option() -> None:
    sgd = optimizers.get("sgd")
    decay = {"weight_decay": 0.01}
    with pytest.raises(InputError, match="weight_decay of sgd has no effect with decay='none'"):
        sgd.transformation(decay)
    with pytest.raises(InputError, match="has no effect"):
        sgd.options_for(decay, {"decay": "none"})
    assert sgd.options_for({}) == {"decay": "none"}
    assert sgd.options_for(decay) == {"decay": "coupled"}
    assert sgd.options_for(decay, {"decay": "decoupled"}) == {"decay": "decoupled"}
    sgd.transformation(decay, **sgd.options_for(decay))
    assert optimizers.get("rmsprop").options_for({"momentum": 0.9})["with_momentum"] is True


def test_a_citation_reads_as_one_line_and_as_bibtex() -> None:
    adam = optimizers.get("adam").citation
    assert adam.text == (
        "Kingma, Ba (2015). Adam: A Method for Stochastic Optimization. ICLR 2015. "
        "https://arxiv.org/abs/1412.6980"
    )
    assert adam.bibtex.startswith(
        "@misc{kingma2015,\n  author = {Kingma, Diederik P. and Ba, Jimmy}"
    )
    assert optimizers.get("adabelief").citation.text.startswith("Zhuang et al. (2020)")
