"""Settings in an optimizer's name."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from fallline import optimizers
from fallline.errors import InputError
from fallline.optimizers.settings import listed


def test_named_settings_are_the_defaults():
    entry = optimizers.get("adam(learning_rate=0.01, beta_1=0.8)")
    assert entry.name == "adam(learning_rate=0.01, beta_1=0.8)"
    assert entry.defaults == optimizers.get("adam").defaults | {
        "learning_rate": 0.01,
        "beta_1": 0.8,
    }
    assert optimizers.get(entry.name) is entry


def test_it_steps_with_them():
    given = optimizers.get("sgd(learning_rate=0.5)")
    transformation = given.transformation({})
    params = jnp.asarray([1.0, 2.0])
    state = transformation.init(params)
    updates, _ = transformation.update(jnp.asarray([1.0, -2.0]), state, params)
    np.testing.assert_allclose(updates, [-0.5, 1.0])


def test_a_setting_asks_for_the_option_that_it_needs():
    plain = optimizers.get("sgd")
    asked = optimizers.get("sgd(weight_decay=0.1)")
    (parameter,) = [each for each in plain.hyperparameters if each.name == "weight_decay"]
    option, values = parameter.only_with
    assert plain.option_defaults[option] not in values
    assert asked.option_defaults[option] == values[0]


def test_options_are_written_as_their_choices():
    assert optimizers.get("rmsprop(centered=true)").option_defaults["centered"] is True
    static = optimizers.get("adam+sparse(sparse_growth=none, sparse_density=0.1)")
    assert static.option_defaults["sparse_growth"] == "none"
    assert static.name == "adam+sparse(sparse_growth=none, sparse_density=0.1)"
    with pytest.raises(InputError, match="cannot be 'some'"):
        optimizers.get("rmsprop(centered=some)")


def test_dialects_and_wrappers_take_them_too():
    entry = optimizers.get("rmsprop:torch(learning_rate=0.02)+cosine(cosine_final=0.1)")
    assert entry.defaults["learning_rate"] == 0.02
    assert entry.defaults["cosine_final"] == 0.1
    assert entry.defaults["rho"] == optimizers.get("rmsprop:torch").defaults["rho"]


def test_a_selection_keeps_parentheses_whole():
    assert listed("a(x=1, y=2), b,") == ["a(x=1, y=2)", "b"]
    chosen = optimizers.resolve("adam(learning_rate=0.01, beta_1=0.8),sgd")
    assert [each.name for each in chosen] == ["adam(learning_rate=0.01, beta_1=0.8)", "sgd"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("adam(learning_rat=0.1)", "learning_rat"),
        ("adam(0.1)", "is no setting"),
        ("adam()", "sets nothing"),
        ("adam(learning_rate=1, learning_rate=2)", "twice"),
        ("adam(learning_rate=-1)", "cannot be -1"),
        ("adan2(learning_rate=1)", "unknown optimizer 'adan2'"),
    ],
)
def test_wrong_settings_are_refused(name, said):
    with pytest.raises(InputError) as raised:
        optimizers.get(name)
    assert said in str(raised.value)
    assert raised.value.hint
