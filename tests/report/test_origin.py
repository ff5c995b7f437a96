"""Configuration and command of a study: what is asked by it is the study itself."""

from __future__ import annotations

import shlex

import msgspec
import pytest

from fallline.data.sources import SOURCES
from fallline.report import origin
from fallline.spaces import Dimension


@pytest.fixture
def digits(make_reading):
    """A study of a built-in data set; ``protocol`` and ``task`` change its document."""

    def make(*, task=None, protocol=None, **changes):
        usual = make_reading(optimizers=("adam", "sgd"), **changes)
        held = usual.document
        changed = {
            "task": {"source": SOURCES["digits"].origin, **(task or {})},
            "protocol": protocol or {},
            "optimizers": {},
        }
        defaults = {"adam": 1e-3, "sgd": 0.32}
        described = {
            name: msgspec.structs.replace(each, defaults={"learning_rate": defaults[name]})
            for name, each in held.optimizers.items()
        }
        document = msgspec.structs.replace(
            held,
            task=msgspec.structs.replace(held.task, **changed["task"]),
            protocol=msgspec.structs.replace(held.protocol, **changed["protocol"]),
            optimizers=described,
        )
        object.__setattr__(usual, "document", document)
        return usual

    return make


def test_the_command_of_a_grid(digits):
    assert origin.command(digits()) == (
        "fallline compare digits-mlp --optimizers adam,sgd --learning-rates 7 --seeds 3 "
        "--final-seeds 5 --epochs 30 --batch-size 32"
    )


def test_named_rates_are_named_again(digits):
    rates = {"adam": (0.001, 0.01), "sgd": (0.001, 0.01)}
    command = origin.command(digits(protocol={"learning_rates": rates}))
    assert "--learning-rates 0.001,0.01 " in command
    single = {"adam": (1.0,), "sgd": (1.0,)}
    command = origin.command(digits(protocol={"learning_rates": single}))
    assert "--learning-rates 1.0 " in command


def test_the_command_of_a_budget_and_of_defaults(digits):
    dimension = Dimension("learning_rate", 0, 1e-4, 1.0, "log")
    changes = {
        "rule": "budget 15",
        "search_seeds": (0,),
        "confirm_seeds": (0, 1, 2),
        "dimensions": {"adam": (dimension,)},
        "precision": "bf16",
    }
    words = shlex.split(origin.command(digits(protocol=changes)))
    assert words[words.index("--protocol") + 1] == "budget 15"
    assert words[words.index("--seeds") + 1] == "1"
    assert words[-2:] == ["--precision", "bf16"]
    assert "--learning-rates" not in words
    command = origin.command(digits(searched=False))
    assert "--defaults" in command
    assert "--seeds" not in command


@pytest.mark.parametrize(
    "change",
    [
        {"task": {"source": "cells.csv"}},
        {"protocol": {"study_seed": 3}},
        {"protocol": {"stopping": {"monitor": "validation_loss", "patience": 3}}},
        {"protocol": {"search_seeds": (5, 7)}},
    ],
)
def test_what_no_command_can_ask_for_has_none(digits, change):
    assert origin.command(digits(**change)) == ""


def test_the_command_takes_what_the_command_line_takes(digits):
    """Every option exists, and the words parse."""
    import typer
    from typer.testing import CliRunner

    from fallline.cli.app import app

    words = shlex.split(origin.command(digits()))
    assert words[:2] == ["fallline", "compare"]
    command = typer.main.get_command(app).commands["compare"]
    known = {name for each in command.params for name in each.opts}
    assert {word for word in words if word.startswith("--")} <= known
    shown = CliRunner().invoke(app, [*words[1:], "--help"])
    assert shown.exit_code == 0


def test_the_configuration_tells_seeds_rule_and_data(digits):
    told = dict(origin.configuration(digits(task={"fingerprint": "abc123", "licence": "CC BY"})))
    assert told["protocol"] == "grid of learning rates"
    assert told["seeds of the search"] == "0 to 2"
    assert told["fresh seeds"] == "1000 to 1004"
    assert told["fingerprint of data, splits, network and loss"] == "abc123"
    assert told["data"].endswith("(CC BY)")
    assert "seeds of the best tenth" not in told
    odd = digits(
        protocol={"final_seeds": (3, 1), "stopping": {"monitor": "validation_loss", "patience": 3}}
    )
    told = dict(origin.configuration(odd))
    assert told["fresh seeds"] == "3, 1"
    assert told["early stopping"] == "monitor validation_loss, patience 3"
