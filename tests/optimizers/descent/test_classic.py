"""Gradient descent and its kin against their papers, and what Optax's Rprop does otherwise."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import optax
import pytest

from fallline import optimizers
from proving import Arrays, Hand, Step, leafwise

DECAYED = {"learning_rate": 0.07, "weight_decay": 0.3}


@leafwise
def robbins(x: Any, g: Any, s: Any, t: int, h: Any) -> Any:
    """``θ ← θ - α g``; decay of either kind adds ``λ θ`` to what α scales."""
    pull = 0.0 if h["decay"] == "none" else h["weight_decay"] * x
    return x - h["learning_rate"] * (g + pull)


@leafwise
def polyak(x: Any, g: Any, s: Any, t: int, h: Any) -> Any:
    """``x[k+1] = x[k] - α g + μ (x[k] - x[k-1])`` (Polyak 1964, equation 9), g with ``λ x``."""
    if h["decay"] == "coupled":
        g = g + h["weight_decay"] * x
    new = x - h["learning_rate"] * g + h["momentum"] * (x - s.get("last", x))
    s["last"] = x
    return new


@leafwise
def decaying_outside(x: Any, g: Any, s: Any, t: int, h: Any) -> Any:
    """Momentum whose velocity knows nothing of the decay."""
    s["v"] = h["momentum"] * s.get("v", 0.0) + g
    return x - h["learning_rate"] * s["v"] - h["learning_rate"] * h["weight_decay"] * x


@leafwise
def sutskever(x: Any, g: Any, s: Any, t: int, h: Any) -> Any:
    """``v ← μ v - ε ∇f(θ + μ v), θ ← θ + v`` (Sutskever et al. 2013, equations 3 and 4).

    What is trained is the point at which the gradient was taken, ``θ + μ v``.
    """
    if h["decay"] == "coupled":
        g = g + h["weight_decay"] * x
    theta = s.get("theta", x)
    v = h["momentum"] * s.get("v", 0.0) - h["learning_rate"] * g
    s["theta"], s["v"] = theta + v, v
    return s["theta"] + h["momentum"] * v


@leafwise
def looking_ahead_outside(x: Any, g: Any, s: Any, t: int, h: Any) -> Any:
    """Nesterov's momentum whose velocity knows nothing of the decay."""
    s["v"] = h["momentum"] * s.get("v", 0.0) + g
    step = g + h["momentum"] * s["v"]
    return x - h["learning_rate"] * step - h["learning_rate"] * h["weight_decay"] * x


def riedmiller(step: Step) -> Arrays:
    """Each weight by itself, as the algorithm box of Riedmiller and Braun (1993) goes through it.

    With ``overshot="rest"`` a change of sign is answered by no step (iRprop-, Igel and Hüsken).
    """
    h, after = step.h, {}
    for name, x in step.x.items():
        memory = step.s.setdefault(
            name,
            {
                "length": np.full(x.size, h["learning_rate"]),
                "before": np.zeros(x.size),
                "moved": np.zeros(x.size),
            },
        )
        new = x.ravel().copy()
        for i, slope in enumerate(step.g[name].ravel()):
            product = slope * memory["before"][i]
            if product > 0:
                memory["length"][i] = min(memory["length"][i] * h["eta_plus"], h["step_max"])
            if product < 0:
                memory["length"][i] = max(memory["length"][i] * h["eta_minus"], h["step_min"])
                move = -memory["moved"][i] if h["overshot"] == "back" else 0.0
                slope = 0.0
            else:
                move = -np.sign(slope) * memory["length"][i]
            memory["before"][i], memory["moved"][i] = slope, move
            new[i] += move
        after[name] = new.reshape(x.shape)
    return after


ALL_OF_RPROP = {
    "learning_rate": 0.3,
    "eta_minus": 0.4,
    "eta_plus": 1.3,
    "step_min": 0.02,
    "step_max": 0.6,
}
SWIFT = {"learning_rate": 0.07, "momentum": 0.8}
STEPS = {"velocity": "of_steps"}
HAND = {
    "gd": ("gd", Hand(robbins, {"learning_rate": 0.07})),
    "gd, coupled": ("gd", Hand(robbins, DECAYED, {"decay": "coupled"})),
    "gd, decoupled": ("gd", Hand(robbins, DECAYED, {"decay": "decoupled"})),
    "sgd": ("sgd", Hand(robbins, {"learning_rate": 0.07})),
    "sgd, coupled": ("sgd", Hand(robbins, DECAYED, {"decay": "coupled"})),
    "sgd, decoupled": ("sgd", Hand(robbins, DECAYED, {"decay": "decoupled"})),
    "rprop": ("rprop", Hand(riedmiller, ALL_OF_RPROP, steps=25)),
    "rprop, back": ("rprop", Hand(riedmiller, ALL_OF_RPROP, {"overshot": "back"}, steps=25)),
} | {
    f"{name}, {decay}, {velocity}": (
        name,
        Hand(
            outside if decay == "decoupled" else rule,
            SWIFT if decay == "none" else SWIFT | DECAYED,
            {"decay": decay, "velocity": velocity},
            steps=4,
        ),
    )
    for name, rule, outside in (
        ("momentum", polyak, decaying_outside),
        ("nesterov", sutskever, looking_ahead_outside),
    )
    for decay in ("none", "coupled", "decoupled")
    for velocity in ("of_gradients", "of_steps")
}


@pytest.mark.parametrize("case", HAND)
def test_follows_its_paper_by_hand(case: str, prove: Any) -> None:
    prove.by_hand(*HAND[case])


def falling_rates(name: str, velocity: str, decay: str) -> np.ndarray:
    """Three steps at learning rates 0.1, 0.1 and 0.01 with gradient 1, from 2."""
    entry, x, state = optimizers.get(name), jnp.array([2.0]), None
    for rate in (0.1, 0.1, 0.01):
        settings = {"learning_rate": rate, "momentum": 0.5}
        if decay != "none":
            settings["weight_decay"] = 0.3
        rule = entry.transformation(settings, velocity=velocity, decay=decay)
        state = rule.init(x) if state is None else state
        updates, state = rule.update(jnp.ones(1), state, x)
        x = x + updates
    return np.asarray(x)


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("decay", ["none", "coupled", "decoupled"])
@pytest.mark.parametrize("nesterov", [False, True])
def test_a_velocity_of_steps_remembers_the_learning_rates_that_were(
    decay: str, nesterov: bool
) -> None:
    name = "nesterov" if nesterov else "momentum"

    def moved(of_steps: bool) -> float:
        x, v = 2.0, 0.0
        for rate in (0.1, 0.1, 0.01):
            g = 1.0 + (0.3 * x if decay == "coupled" else 0.0)
            pull = rate * 0.3 * x if decay == "decoupled" else 0.0
            enters = rate * g if of_steps else g
            v = 0.5 * v + enters
            step = 0.5 * v + enters if nesterov else v
            x = x - (step if of_steps else rate * step) - pull
        return x

    steps, gradients = (falling_rates(name, each, decay) for each in ("of_steps", "of_gradients"))
    np.testing.assert_allclose(steps, moved(True), rtol=1e-14)
    np.testing.assert_allclose(gradients, moved(False), rtol=1e-14)
    assert np.all(np.abs(steps - gradients) > 0.02)


def test_rprop_starts_at_once_and_halves_where_the_sign_changed(descend: Any) -> None:
    # Weight 0 steps 1, 1.2, 1.44 down from 2: 1, -0.2 (past the minimum), rests there with the
    # length halved to 0.6, and comes back by it.
    path = descend("rprop", lambda x: jnp.sum(x**2), np.array([2.0]), 4, {"learning_rate": 1.0})
    np.testing.assert_allclose(path.params[:, 0], [1.0, -0.2, -0.2, 0.4], rtol=1e-6)


def test_rprop_of_the_paper_goes_back_where_the_sign_changed(descend: Any) -> None:
    settings = {"learning_rate": 1.0}
    path = descend("rprop", lambda x: jnp.sum(x**2), np.array([2.0]), 4, settings, overshot="back")
    np.testing.assert_allclose(path.params[:, 0], [1.0, -0.2, 1.0, 0.4], rtol=1e-6)


@pytest.mark.usefixtures("x64")
def test_optax_applies_each_update_of_rprop_one_step_late() -> None:
    ours, theirs = optimizers.get("rprop").transformation({"learning_rate": 1.0}), optax.rprop(1.0)
    grads = jnp.array([2.0, -3.0])
    our_state, their_state = ours.init(grads), theirs.init(grads)
    our_steps, their_steps = [], []
    for _ in range(6):
        update, our_state = ours.update(grads, our_state, grads)
        our_steps.append(update)
        update, their_state = theirs.update(grads, their_state, grads)
        their_steps.append(update)
    np.testing.assert_array_equal(their_steps[0], [0.0, 0.0])
    np.testing.assert_allclose(their_steps[1:], our_steps[:-1], rtol=1e-14)
    np.testing.assert_allclose(our_steps[0], [-1.0, 1.0])
