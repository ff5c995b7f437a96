"""The line searches against their papers, and against Optax's."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from proving import Arrays, Hand, Problem, Run, Step, flat, tree


def armijo(step: Step) -> Arrays:
    """The first length ``α βᵏ`` with ``f(x - t g) - f(x) <= -c₁ t |g|²`` (Armijo 1966, thm 2)."""
    x, g, length = flat(step.x), flat(step.g), step.h["learning_rate"]
    while step.problem.value(tree(x - length * g)) - step.value > -step.h["c1"] * length * (g @ g):
        length *= step.h["shrink"]
    return tree(x - length * g)


def cauchy(step: Step) -> Arrays:
    """The nearest minimum along ``-g``: where the slope along it first turns, by bisection."""
    x, g = flat(step.x), flat(step.g)

    def rising(length: float) -> bool:
        return flat(step.problem.gradient(tree(x - length * g))) @ g < 0

    low = next(k * 1e-3 for k in range(1, 100_000) if rising(k * 1e-3)) - 1e-3
    high = low + 1e-3
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if rising(middle) else (middle, high)
    return tree(x - low * g)


ARMIJO = {"learning_rate": 3.0, "c1": 0.3, "shrink": 0.6}
HAND = {
    "gd_backtracking": Hand(armijo, ARMIJO, steps=4),
    # Values of the loss tell the place of its minimum to the root of their precision only.
    "gd_exact": Hand(cauchy, steps=2, tolerance=1e-7),
}


@pytest.mark.parametrize("name", HAND)
def test_follows_its_paper_by_hand(name: str, prove: Any) -> None:
    prove.by_hand(name, HAND[name])


@pytest.mark.usefixtures("x64")
def test_optax_backtracks_to_the_same_steps_where_it_forgets_the_last_length() -> None:
    problem = Problem.drawn()
    run = Run("gd_backtracking", ARMIJO, {}, problem, 10)
    theirs = optax.chain(
        optax.sgd(1.0),
        optax.scale_by_backtracking_linesearch(
            max_backtracking_steps=30,
            slope_rtol=ARMIJO["c1"],
            decrease_factor=ARMIJO["shrink"],
            increase_factor=np.inf,
            max_learning_rate=ARMIJO["learning_rate"],
        ),
    )
    x = jax.tree.map(jnp.asarray, problem.start)
    state = theirs.init(x)
    for number in range(1, 11):
        run.step(number)
        value, grad = jax.value_and_grad(problem.traced)(x)
        updates, state = theirs.update(
            grad, state, x, value=value, grad=grad, value_fn=problem.traced
        )
        x = jax.tree.map(jnp.add, x, updates)
        np.testing.assert_allclose(flat(run.params), flat(x), rtol=0, atol=1e-12)
