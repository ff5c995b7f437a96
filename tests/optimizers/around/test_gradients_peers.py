"""Wrappers of gradients: what Optax makes of the same, and traps."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from fallline import optimizers
from fallline.optimizers.around import rule_gradients as rules

Settings = dict[str, Any]

# --- against Optax, on arrays of every rank


def drawn(seed: int) -> dict[str, jax.Array]:
    draw = np.random.default_rng(seed)
    shapes = {"gain": (), "bias": (4,), "dense": (5, 4), "kernel": (3, 3, 2, 4)}
    return {name: jnp.asarray(draw.normal(0, 1, shape)) for name, shape in shapes.items()}


OPTAX = [
    ("clip_value", {"clip_value_limit": 0.4}, {}, optax.clip(0.4)),
    ("clip_norm", {"clip_norm_limit": 2.0}, {}, optax.clip_by_global_norm(2.0)),
    ("clip_norm", {"clip_norm_limit": 50.0}, {}, optax.clip_by_global_norm(50.0)),
    ("agc", {"agc_limit": 0.3, "agc_epsilon": 0.1}, {}, optax.adaptive_grad_clip(0.3, 0.1)),
    ("centralize", {}, {"centralize_outputs": "first"}, optax.centralize()),
    ("l2", {"l2_strength": 0.2}, {}, optax.add_decayed_weights(0.2)),
]


@pytest.mark.parametrize(("name", "settings", "options", "peer"), OPTAX, ids=lambda e: str(e)[:10])
def test_agrees_with_optax(
    name: str, settings: Settings, options: Settings, peer: Any, x64: None
) -> None:
    params, grads = drawn(1), drawn(2)
    rule = optimizers.get(f"sgd+{name}").transformation(
        {"learning_rate": 1.0, **settings}, **options
    )
    found, _ = jax.jit(rule.update)(grads, rule.init(params), params)
    expected, _ = jax.jit(peer.update)(grads, peer.init(params), params)
    for key in params:
        np.testing.assert_allclose(-found[key], expected[key], rtol=1e-12)


# --- traps


def test_optax_takes_the_inputs_of_a_flax_kernel_for_outputs_when_it_centralizes() -> None:
    grads = drawn(3)
    rule = optimizers.get("sgd+centralize").transformation({"learning_rate": 1.0})
    ours, _ = rule.update(grads, rule.init(grads), grads)
    theirs, _ = optax.centralize().update(grads, optax.EmptyState())
    for name in ("dense", "kernel"):
        axes = tuple(range(grads[name].ndim - 1))
        np.testing.assert_allclose(jnp.mean(ours[name], axis=axes), 0, atol=1e-6)
        assert np.max(np.abs(jnp.mean(theirs[name], axis=axes))) > 1e-2
    np.testing.assert_array_equal(ours["bias"], -grads["bias"])


def test_only_kernels_are_centralized_where_asked() -> None:
    grads = drawn(3)
    rule = optimizers.get("sgd+centralize").transformation(
        {"learning_rate": 1.0}, centralize_arrays="kernels"
    )
    found, _ = rule.update(grads, rule.init(grads), grads)
    np.testing.assert_array_equal(found["dense"], -grads["dense"])
    np.testing.assert_allclose(jnp.mean(found["kernel"], axis=(0, 1, 2)), 0, atol=1e-6)


@pytest.mark.parametrize("name", ["clip_norm", "agc", "sam"])
def test_a_norm_whose_square_overflows_is_still_a_norm(name: str) -> None:
    grads = {"W": jnp.full((4, 3), 3e25, jnp.float32)}
    assert float(rules.norm(grads)) == pytest.approx(3e25 * math.sqrt(12), rel=1e-6)
    entry = optimizers.get(f"sgd+{name}")
    rule = entry.transformation({"learning_rate": 1.0})
    params = {"W": jnp.ones((4, 3), jnp.float32)}
    extra = {"value_fn": lambda p: jnp.sum(p["W"] ** 2)} if entry.needs else {}
    updates, _ = rule.update(grads, rule.init(params), params, **extra)
    lengths = {"clip_norm": 1.0, "agc": 0.01 * math.sqrt(12), "sam": 2 * math.sqrt(12) + 0.1}
    assert float(jnp.linalg.norm(updates["W"])) == pytest.approx(lengths[name], rel=1e-5)


def test_noise_is_of_the_key_and_falls_as_the_paper_says() -> None:
    rule = optimizers.get("sgd+noise").transformation({"learning_rate": 1.0})
    params = {"W": jnp.zeros((200, 200))}
    state = rule.init(params)
    spreads = []
    for number in range(4):
        key = jax.random.key(number)
        updates, after = rule.update(params, state, params, key=key)
        again, _ = rule.update(params, state, params, key=key)
        np.testing.assert_array_equal(updates["W"], again["W"])
        spreads.append(float(jnp.std(updates["W"])))
        state = after
    expected = [0.1 / (1 + t) ** 0.275 for t in range(4)]
    np.testing.assert_allclose(spreads, expected, rtol=0.02)


def test_nothing_moves_between_accumulated_steps() -> None:
    rule = optimizers.get("adam+accumulate").transformation({}, accumulate_batches=3)
    params = {"W": jnp.ones((2, 2))}
    state = rule.init(params)
    moved = []
    for _ in range(6):
        updates, state = rule.update(params, state, params)
        moved.append(bool(jnp.any(updates["W"] != 0)))
    assert moved == [False, False, True, False, False, True]


def test_what_is_inside_of_accumulate_is_told_the_mean_loss() -> None:
    settings = {"learning_rate": 1.0, "plateau_window": 0.0, "plateau_patience": 0.0}
    rule = optimizers.get("sgd+plateau+accumulate").transformation(settings, accumulate_batches=2)
    one, total = jnp.ones(()), jnp.asarray(10, jnp.int32)
    state = rule.init(one)
    steps = []
    # Means 2, 1.9, 1.8, 2.5, 1: of the first losses 1.6, of the last 3.4 would be no improvement.
    for loss in (1.0, 3.0, 1.6, 2.2, 0.2, 3.4, 2.5, 2.5, 1.0, 1.0):
        updates, state = rule.update(one, state, one, value=jnp.asarray(loss), total_steps=total)
        steps.append(float(-updates))
    np.testing.assert_allclose(steps, [0, 1, 0, 1, 0, 1, 0, 1, 0, 0.1], rtol=1e-6)


def test_a_penalty_is_part_of_the_loss_that_is_told() -> None:
    seen: dict[str, Any] = {}

    def update(grads: Any, state: Any, params: Any = None, **extra: Any) -> Any:
        seen.update(extra, grads=grads, at=extra["value_fn"](params))
        return grads, state

    def listening() -> Any:
        return optax.GradientTransformationExtraArgs(lambda params: (), update)

    params = {"W": jnp.full((2, 2), 3.0), "b": jnp.full((2,), 5.0)}
    grads = jax.tree.map(jnp.ones_like, params)
    for biases, penalty in ((True, 0.1 * (4 * 4.5 + 2 * 12.5)), (False, 0.1 * 4 * 4.5)):
        rule = rules.l2(listening, strength=0.1, biases=biases)
        rule.update(grads, rule.init(params), params, value=7.0, grad=grads, value_fn=lambda p: 7.0)
        assert float(seen["value"]) == pytest.approx(7 + penalty)
        assert float(seen["at"]) == pytest.approx(7 + penalty)
        np.testing.assert_allclose(seen["grad"]["W"], 1.3)
        np.testing.assert_allclose(seen["grad"]["b"], 1.5 if biases else 1.0)
        np.testing.assert_allclose(seen["grads"]["W"], 1.3)
