"""Traps of Adam's kin with another length of the step, one by one."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fallline import optimizers
from fallline.optimizers.adam.rule_adam_steps import lengths_of_average


@pytest.mark.parametrize("beta_2", [0.5, 0.9, 0.99, 0.999, 0.9999])
def test_the_length_of_the_average_keeps_its_digits_in_float32(beta_2: float) -> None:
    # ρ∞ = 1999 for β₂ = 0.999: the difference of two such numbers would be off by 1e-3.
    b = float(np.float32(beta_2))
    for t in (1, 2, 5, 6, 30, 1000, 20_000):
        found = [float(x) for x in lengths_of_average(jnp.float32(beta_2), jnp.int32(t))]
        limit = 2 / (1 - b) - 1
        due = [limit - 2 * t * b**t / (1 - b**t), limit]
        np.testing.assert_allclose(found, due, rtol=3e-6)


def test_radam_takes_five_steps_of_momentum_first_in_float32() -> None:
    rule = optimizers.get("radam").transformation({"learning_rate": 1.0, "beta_2": 0.9999})
    x = {"x": jnp.zeros(1, jnp.float32)}
    state, lengths = rule.init(x), []
    for _ in range(8):
        updates, state = rule.update({"x": jnp.full(1, 100.0)}, state, x)
        lengths.append(float(-updates["x"][0]))
    np.testing.assert_allclose(lengths[:5], 100.0, rtol=1e-6)
    assert max(lengths[5:]) < 1


def test_swats_never_settles_in_its_first_step() -> None:
    # There the corrected average is the estimate itself.
    rule = optimizers.get("swats").transformation({"tolerance": 1e9})
    x = {"x": jnp.ones(3)}
    state, switched = rule.init(x), []
    for _ in range(4):
        _, state = rule.update({"x": jnp.array([1.0, -2.0, 0.5])}, state, x)
        switched.append(int(state.switched))
    assert switched == [0, 1, 1, 1]


def test_swats_does_not_settle_on_climbing() -> None:
    # Where momentum points against the gradient, the learning rate of SGD would be negative.
    rule = optimizers.get("swats").transformation({"tolerance": 1e9, "beta_2": 0.5})
    x = {"x": jnp.ones(1)}
    _, state = rule.update({"x": jnp.array([1.0])}, rule.init(x), x)
    _, state = rule.update({"x": jnp.array([-0.1])}, state, x)
    assert float(state.rate) < 0
    assert int(state.switched) == 0


def test_diffgrad_remembers_the_gradient_itself() -> None:
    # The authors' first code kept a view of it, so that the friction was always 1/2.
    rule = optimizers.get("diffgrad").transformation({"learning_rate": 1.0, "beta_1": 0.0})
    x = {"x": jnp.zeros(1)}
    state, steps = rule.init(x), []
    for g in (1.0, 1.0, 4.0):
        updates, state = rule.update({"x": jnp.array([g])}, state, x)
        steps.append(float(-updates["x"][0]))
    root = np.sqrt((0.999**2 + 0.999 + 16) * 0.001 / (1 - 0.999**3))
    expected = [1 / (1 + np.exp(-1)), 0.5, 4 / root / (1 + np.exp(-3))]
    np.testing.assert_allclose(steps, expected, rtol=1e-5)


def test_adashift_waits_until_its_queue_is_full() -> None:
    rule = optimizers.get("adashift").transformation({"learning_rate": 0.5}, history=3)
    x = {"x": jnp.zeros(2)}
    state, steps = rule.init(x), []
    for _ in range(5):
        updates, state = rule.update({"x": jnp.array([3.0, -1.0])}, state, x)
        steps.append(np.asarray(updates["x"]))
    np.testing.assert_array_equal(steps[:3], 0)
    np.testing.assert_allclose(steps[3:], [[-0.5, 0.5 / 3]] * 2, rtol=1e-5)


def test_adanorm_lengthens_what_is_shorter_than_usual() -> None:
    settings = {"learning_rate": 1.0, "beta_1": 0.0, "beta_2": 0.0, "gamma": 0.5}
    rule = optimizers.get("adanorm").transformation(settings)
    x = {"x": jnp.zeros(2)}
    state, steps = rule.init(x), []
    for scale in (2.0, 1.0, 1e-20):
        updates, state = rule.update({"x": scale * jnp.array([3.0, 4.0])}, state, x)
        steps.append(-np.asarray(updates["x"]))
    # Norms 10, 5, 5e-20 have the averages 5, 5, 2.5.
    np.testing.assert_allclose(steps[:2], 1, rtol=1e-5)
    assert np.all(steps[2] > 1e6)


def test_a_surprising_gradient_shrinks_the_step_of_stableadamw_and_its_decay() -> None:
    settings = {"learning_rate": 0.1, "beta_1": 0.0, "weight_decay": 0.5, "epsilon": 1e-12}
    rule = optimizers.get("stableadamw").transformation(settings)
    x = {"x": jnp.full(4, 2.0)}
    state = rule.init(x)
    for _ in range(200):
        updates, state = rule.update({"x": jnp.full(4, 1e-3)}, state, x)
    np.testing.assert_allclose(updates["x"], -0.1 * (1 + 0.5 * 2), rtol=1e-4)
    updates, _ = rule.update({"x": jnp.full(4, 1e3)}, state, x)
    share = 1 / (1 - 0.99**201)
    surprise = 1 / np.sqrt(0.01 * share)
    np.testing.assert_allclose(updates["x"], -0.1 * (surprise + 0.5 * 2) / surprise, rtol=1e-4)


def test_cautious_adamw_stays_where_nothing_agrees() -> None:
    rule = optimizers.get("cautious_adamw").transformation({"weight_decay": 0.0})
    x = {"x": jnp.zeros(3)}
    _, state = rule.update({"x": jnp.array([1.0, 1.0, 1.0])}, rule.init(x), x)
    updates, _ = rule.update({"x": jnp.array([-0.1, -0.1, -0.1])}, state, x)
    np.testing.assert_array_equal(updates["x"], 0)


@pytest.mark.parametrize("outputs", ["last", "first"])
def test_ranger_centres_over_what_leads_to_an_output(outputs: str) -> None:
    rule = optimizers.get("ranger").transformation(
        {"learning_rate": 0.1}, centred="all", outputs=outputs
    )
    draw = np.random.default_rng(3)
    x = {"kernel": jnp.zeros((3, 3, 2, 4)), "dense": jnp.zeros((5, 4)), "bias": jnp.zeros(4)}
    grads = {
        key: jnp.asarray(draw.normal(size=each.shape) + 1, jnp.float32) for key, each in x.items()
    }
    updates, _ = rule.update(grads, rule.init(x), x)
    inputs = {
        "last": {"kernel": (0, 1, 2), "dense": 0},
        "first": {"kernel": (1, 2, 3), "dense": 1},
    }[outputs]
    for key, axes in inputs.items():
        assert np.all(np.asarray(updates[key]) != 0)
        np.testing.assert_allclose(np.mean(updates[key], axis=axes), 0, atol=1e-7)
    assert np.all(np.asarray(updates["bias"]) != 0)
    assert abs(float(np.mean(updates["bias"]))) > 1e-3


def test_ranger_centres_kernels_of_convolutions_alone_unless_asked() -> None:
    rule = optimizers.get("ranger").transformation({"learning_rate": 0.1})
    x = {"kernel": jnp.zeros((3, 3, 2, 4)), "dense": jnp.zeros((5, 4))}
    updates, _ = rule.update(jax.tree.map(jnp.ones_like, x), rule.init(x), x)
    np.testing.assert_allclose(updates["kernel"], 0, atol=1e-7)
    np.testing.assert_allclose(updates["dense"], -0.1, rtol=1e-5)
