"""Mechanic, the learned factor of any optimizer's steps: by its paper's algorithm."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import proving
from fallline import optimizers
from fallline.optimizers.around.mechanic import MECHANIC
from proving import Golden, flat

SETTINGS = {"weight_decay": 0.1, "first_factor": 1e-2, "first_product": 0.2, "epsilon": 1e-3}
OWN_OPTIONS = ("tuners", "form")

AUTHORS = {
    "learning_rate": 1.0,
    "mechanic_first_factor": 1e-3,
    "mechanic_first_product": 1e-6,
}
GOLDEN = (
    Golden("more", "mechanic_sgd", "sgd+mechanic", AUTHORS, {"mechanic_form": "code"}),
    Golden(
        "more",
        "mechanic_adamw",
        "adamw+mechanic",
        {**AUTHORS, "mechanic_weight_decay": 0.1},
        {"mechanic_form": "code"},
        tolerance=1e-8,
        why="9e-11 here: the peer divides the rounding of its parameters by factors of 1e-3 to get "
        "the sum of the inner steps, which the paper's algorithm keeps",
    ),
)


def around(name: str, own: dict[str, Any], **inside: float) -> Any:
    """The transformation of an entry at ``inside``, mechanised at ``own``."""
    entry = MECHANIC.around(optimizers.get(name))
    named = {f"mechanic_{key}": value for key, value in own.items()}
    options = {key: named.pop(key) for key in [f"mechanic_{k}" for k in OWN_OPTIONS if k in own]}
    return entry.transformation({**inside, **named}, **options)


def by_hand(
    x0: np.ndarray, gradient: Any, steps: int, n: int, rate: float, form: str
) -> list[np.ndarray]:
    """Cutkosky et al. 2023, algorithm 1, around gradient descent of length ``rate``."""
    beta = 1 - 10.0 ** -np.arange(1, n + 1)
    s, m, v, r = np.zeros((4, n))
    m = m + SETTINGS["first_product"]
    x, moved, path = x0, 0 * x0, []
    for _ in range(steps):
        g = gradient(x)
        there = x
        if form == "code":
            there = x - rate * g
            moved = (x - x0) / (s.sum() + SETTINGS["epsilon"])
        unit = there / np.linalg.norm(there)
        decay = SETTINGS["weight_decay"] * s.sum() * np.linalg.norm(g) * unit
        h = float(moved @ (g + decay))
        moved = moved - rate * g
        m = np.maximum(beta * m, abs(h))
        v = beta**2 * v + h**2
        r = np.maximum(0, beta * r - s * h)
        s = (SETTINGS["first_factor"] * m / n + r) / (np.sqrt(v) + SETTINGS["epsilon"])
        x = x0 + s.sum() * moved
        path.append(x)
    return path


@pytest.mark.parametrize(
    ("tuners", "form"), [(1, "paper"), (3, "paper"), (6, "paper"), (6, "code")]
)
def test_follows_the_papers_algorithm_by_hand(tuners: int, form: str, prove: Any) -> None:
    problem = proving.Problem.drawn()
    rule = around("sgd", {**SETTINGS, "tuners": tuners, "form": form}, learning_rate=0.3)
    params = jax.tree.map(jnp.asarray, problem.start)
    state = rule.init(params)

    def gradient(x: np.ndarray) -> np.ndarray:
        return flat(problem.gradient(proving.tree(x)))

    apart = 0.0
    for expected in by_hand(problem.x0, gradient, 12, tuners, 0.3, form):
        grads = jax.tree.map(jnp.asarray, problem.gradient(params))
        updates, state = rule.update(grads, state, params)
        params = optax.apply_updates(params, updates)
        apart = max(apart, float(np.max(np.abs(flat(params) - expected))))
    prove.agrees("sgd+mechanic", "12 steps by hand", apart, 1e-12)


@pytest.mark.parametrize("golden", GOLDEN, ids=str)
def test_follows_the_recorded_trajectory(golden: Golden, prove: Any) -> None:
    prove.follows(golden)


@pytest.mark.parametrize("rate", [1e-4, 1.0, 1e4])
def test_finds_a_factor_for_learning_rates_of_any_size(rate: float) -> None:
    rule = around("sgd", {}, learning_rate=rate)
    params = {"w": jnp.array([1.0, -2.0, 3.0])}

    def step(carry: Any, _: None) -> tuple[Any, jax.Array]:
        params, state = carry
        loss, grads = jax.value_and_grad(lambda p: jnp.sum(p["w"] ** 2))(params)
        updates, state = rule.update(grads, state, params)
        return (optax.apply_updates(params, updates), state), loss

    _, losses = jax.jit(lambda p: jax.lax.scan(step, (p, rule.init(p)), None, length=1500))(params)
    assert np.all(np.isfinite(losses))
    assert losses[-1] < 1e-2 * losses[0]


def test_what_the_inner_optimizer_needs_is_handed_on() -> None:
    rule = around("momo", {})
    params = {"w": jnp.array([1.0, -2.0])}
    grads = {"w": jnp.array([1.0, -2.0])}
    _, state = rule.update(grads, rule.init(params), params, value=jnp.asarray(2.5))
    assert float(state.inner.value) == 2.5


def test_nothing_moves_without_a_gradient_and_huge_ones_stay_finite() -> None:
    for size, still in ((0.0, True), (1e18, False)):
        rule = around("sgd", {}, learning_rate=0.1)
        params = {"w": jnp.array([1.0, -2.0]), "none": jnp.zeros((0,))}
        state = rule.init(params)
        update = jax.jit(rule.update)
        for _ in range(12):
            grads = jax.tree.map(lambda p, size=size: size * jnp.sign(p), params)
            updates, state = update(grads, state, params)
            params = optax.apply_updates(params, updates)
        assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves((params, state)))
        assert bool(np.all(np.asarray(params["w"]) == [1.0, -2.0])) == still
