"""What is easily wrong about optimizers that turn matrices: shapes, scales, singular gradients."""

from __future__ import annotations

from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax.contrib
import pytest

from fallline import optimizers
from proving import quick


def moved(name: str, grad: Any, settings: Any = None, **options: Any) -> Any:
    """The first update of an array."""
    rule = optimizers.get(name).transformation(settings or {}, **options)
    grad = jnp.asarray(grad)
    extra = {"key": jax.random.key(0)} if optimizers.get(name).needs else {}

    @jax.jit
    def first(grad: jax.Array) -> jax.Array:
        return rule.update(grad, rule.init(grad), jnp.zeros_like(grad), **extra)[0]

    return first(grad)


def drawn(*shape: int) -> np.ndarray:
    return np.random.default_rng(4).normal(size=shape)


def test_muon_steps_by_about_the_same_in_every_singular_direction(x64: None) -> None:
    left, _, right = np.linalg.svd(drawn(6, 4), full_matrices=False)
    grad = left @ np.diag([1.0, 0.5, 0.2, 0.1]) @ right
    values = np.linalg.svd(np.asarray(moved("muon", grad, {"learning_rate": 1.0})))[1]
    assert np.all((values > 0.65) & (values < 1.25))


def test_muon_turns_a_matrix_as_optax_does(x64: None) -> None:
    """Which adds its ε to the norm."""
    grad = jnp.asarray(drawn(7, 3))
    theirs = optax.contrib.muon(0.1, nesterov=False, eps=1e-12)
    update, _ = theirs.update(grad, theirs.init(grad), grad)
    settings = {"learning_rate": 0.1, "epsilon": 1e-12}
    np.testing.assert_allclose(moved("muon", grad, settings, nesterov=False), update, rtol=1e-9)


def test_muon_takes_longer_steps_where_there_are_more_outputs_than_inputs(x64: None) -> None:
    grad = drawn(2, 8)
    wide, tall = moved("muon", grad), moved("muon", grad.T)
    np.testing.assert_allclose(wide, 2 * tall.T, rtol=1e-12)


@pytest.mark.parametrize("name", ["muon", "shampoo", "soap", "kron", "galore"])
def test_the_kernel_of_a_convolution_moves_as_one_matrix(name: str, x64: None) -> None:
    grad = drawn(2, 3, 2, 5)
    as_kernel, as_matrix = moved(name, grad), moved(name, grad.reshape(12, 5))
    np.testing.assert_allclose(as_kernel.reshape(12, 5), as_matrix, rtol=1e-9, atol=1e-15)


def test_shampoo_first_makes_every_singular_value_one(x64: None) -> None:
    """``(g gᵀ)^(-1/4) g (gᵀ g)^(-1/4)`` is U Vᵀ."""
    grad = drawn(5, 3)
    left, _, right = np.linalg.svd(grad, full_matrices=False)
    update = moved("shampoo", grad, {"learning_rate": 1.0, "epsilon": 1e-12})
    np.testing.assert_allclose(update, -left @ right, atol=1e-8)


@cache
def five_steps(name: str) -> Any:
    """From a gradient to what five steps along its multiples lead to."""
    entry = optimizers.get(name)
    options = {"every": 2} if "every" in entry.option_defaults else {}
    rule = entry.transformation({}, **options)

    def step(number: Any, carry: Any) -> Any:
        grad, params, state = carry
        extra = {"key": jax.random.key(number)} if entry.needs else {}
        update, state = rule.update(grad * (1 + number), state, params, **extra)
        return grad, params + update, state

    def whole(grad: jax.Array) -> Any:
        begun = (grad, jnp.zeros_like(grad), rule.init(grad))
        return jax.lax.fori_loop(0, 5, step, begun)[1:]

    return jax.jit(whole, compiler_options=quick())


@pytest.mark.parametrize("name", ["shampoo", "soap", "kron", "galore", "muon"])
@pytest.mark.parametrize("size", [0.0, 1e-30, 1e18])
def test_decompositions_stay_finite_in_float32(name: str, size: float) -> None:
    """Also where a row, as that of a dead unit, never has a gradient."""
    grad = jnp.asarray(size * drawn(40, 20), jnp.float32).at[3].set(0.0)
    reached = five_steps(name)(grad)
    assert all(bool(jnp.all(jnp.isfinite(leaf))) for leaf in jax.tree.leaves(reached))


def test_krons_factors_are_updated_ever_more_rarely() -> None:
    """In every step to 500, then with probability exp(-(n - 500) / 1000), 0.03 at the least."""
    rule = optimizers.get("kron").transformation({})
    grad = jnp.array([0.3, -0.2])

    def step(state: Any, number: jax.Array) -> tuple[Any, jax.Array]:
        key = jax.random.fold_in(jax.random.key(1), number)
        _, after = rule.update(grad, state, grad, key=key)
        before, now = state[0].leaves[0].factors[0], after[0].leaves[0].factors[0]
        return after, jnp.any(before != now)

    steps = 4500
    _, changed = jax.jit(lambda s: jax.lax.scan(step, s, jnp.arange(steps)))(rule.init(grad))
    waited, expected = 0, []
    for n in range(steps):
        often = np.clip(np.exp(np.float32(-1e-3) * np.float32(n - 500)), 0.03, 1.0)
        waited += 1
        expected.append(waited >= 1 / often)
        waited = 0 if expected[-1] else waited
    changed = np.asarray(changed)
    assert changed[:500].all()
    assert abs(int(changed.sum()) - sum(expected)) <= 2
    assert 25 <= 500 / changed[-500:].sum() <= 40


def test_galore_keeps_moments_of_the_rank_it_is_given() -> None:
    state = optimizers.get("galore").transformation({}, rank=2).init(jnp.zeros((30, 10)))
    shapes = sorted(leaf.shape for leaf in jax.tree.leaves(state) if leaf.shape)
    assert shapes == [(10, 2), (30, 2), (30, 2)]
