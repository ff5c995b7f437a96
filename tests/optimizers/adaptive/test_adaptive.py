"""Adagrad, Adadelta and RMSprop against their papers, and what rounding does to a variance."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from fallline import optimizers
from proving import Hand, leafwise


def over_root(g: Any, square: Any, h: Any) -> Any:
    if h["epsilon_place"] == "inside":
        return g / np.sqrt(square + h["epsilon"])
    return g / (np.sqrt(square) + h["epsilon"])


@leafwise
def duchi(x: Any, g: Any, s: Any, t: int, h: Any) -> Any:
    """Every gradient so far, squared and summed: the diagonal form (Duchi et al. 2011)."""
    s.setdefault("all", []).append(g)
    total = h["initial_accumulator"] + sum(each**2 for each in s["all"])
    return x - h["learning_rate"] * over_root(g, total, h)


@leafwise
def zeiler(x: Any, g: Any, s: Any, t: int, h: Any) -> Any:
    """Algorithm 1 of Zeiler (2012), ``RMS[y] = √(E[y²] + ε)``, times a learning rate."""
    rho = h["rho"]
    s["g2"] = rho * s.get("g2", 0.0) + (1 - rho) * g**2
    rms_before = np.sqrt(s.get("x2", 0.0) + h["epsilon"])
    delta = -rms_before / np.sqrt(s["g2"] + h["epsilon"]) * g
    s["x2"] = rho * s.get("x2", 0.0) + (1 - rho) * delta**2
    return x + h["learning_rate"] * delta


@leafwise
def hinton(x: Any, g: Any, s: Any, t: int, h: Any) -> Any:
    """The mean square of slide 29 of Hinton's lecture 6; centred and with momentum by Graves."""
    rho = h["rho"]
    s["square"] = rho * s.get("square", 0.0) + (1 - rho) * g**2
    s["mean"] = rho * s.get("mean", 0.0) + (1 - rho) * g
    square = s["square"] - s["mean"] ** 2 if h["centered"] else s["square"]
    s["last"] = h["momentum"] * s.get("last", 0.0) - h["learning_rate"] * over_root(g, square, h)
    return x + s["last"]


SUM = {"learning_rate": 0.2, "initial_accumulator": 0.3, "epsilon": 0.05}
MEAN = {"learning_rate": 0.05, "rho": 0.8, "epsilon": 0.01}
PLACES = ("inside", "outside")
HAND = (
    {f"adagrad, {p}": ("adagrad", Hand(duchi, SUM, {"epsilon_place": p})) for p in PLACES}
    | {"adadelta": ("adadelta", Hand(zeiler, {"learning_rate": 0.7, "rho": 0.8, "epsilon": 1e-3}))}
    | {
        f"rmsprop, {place}{', centered' * centered}": (
            "rmsprop",
            Hand(hinton, MEAN, {"epsilon_place": place, "centered": centered}, steps=3),
        )
        for place in PLACES
        for centered in (False, True)
    }
    | {
        f"rmsprop with momentum {velocity}": (
            "rmsprop",
            Hand(
                hinton,
                MEAN | {"momentum": 0.7},
                {"with_momentum": True, "velocity": velocity},
                steps=3,
            ),
        )
        for velocity in ("of_gradients", "of_steps")
    }
)


@pytest.mark.parametrize("case", HAND)
def test_follows_its_paper_by_hand(case: str, prove: Any) -> None:
    prove.by_hand(*HAND[case])


def test_adagrads_first_step_depends_on_what_its_sum_begins_with() -> None:
    grads = jnp.array([1.0, 1e-3])
    first = {}
    for framework in ("torch", "keras"):
        entry = optimizers.get("adagrad", dialect=framework)
        rule = entry.transformation({"learning_rate": 1.0}, **entry.option_defaults)
        first[framework] = np.asarray(rule.update(grads, rule.init(grads), grads)[0])
    np.testing.assert_allclose(first["torch"], [-1.0, -1.0], rtol=1e-5)
    np.testing.assert_allclose(first["keras"], [-1 / np.sqrt(1.1), -1e-3 / np.sqrt(0.1)], rtol=1e-4)


@pytest.mark.parametrize("place", PLACES)
def test_centred_rmsprop_survives_a_gradient_that_never_changes(place: str) -> None:
    # Then s and a² are equal, and rounding makes their difference negative: Optax's is NaN.
    grads = jnp.asarray(np.random.default_rng(0).normal(size=500), jnp.float32)
    ours = optimizers.get("rmsprop").transformation(
        {"rho": 0.5, "epsilon": 1e-16}, centered=True, epsilon_place=place
    )
    theirs = optax.rmsprop(1e-3, decay=0.5, eps=1e-16, centered=True, eps_in_sqrt=place == "inside")
    with jax.disable_jit():
        for rule, survives in ((ours, True), (theirs, False)):
            state = rule.init(grads)
            for _ in range(40):
                updates, state = rule.update(grads, state)
            assert bool(jnp.all(jnp.isfinite(updates))) == survives
