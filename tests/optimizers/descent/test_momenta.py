"""Descents with other momenta: by their papers' equations, and against peers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from fallline import optimizers
from proving import Golden, Hand, Step, flat, leafwise

Rule = Callable[..., np.ndarray]


def decaying(rule: Rule) -> Rule:
    """A leafwise rule with weight decay in the gradient, or beside the step."""

    def decayed(x, g, s, t, h):
        if h["decay"] == "coupled":
            return rule(x, g + h["weight_decay"] * x, s, t, h)
        after = rule(x, g, s, t, h)
        if h["decay"] == "decoupled":
            return after - h["learning_rate"] * h["weight_decay"] * x
        return after

    return leafwise(decayed)


@decaying
def qhm(x, g, s, t, h):
    """Ma & Yarats 2019, equations 3 and 4."""
    s["m"] = h["momentum"] * s.get("m", 0) + (1 - h["momentum"]) * g
    return x - h["learning_rate"] * ((1 - h["nu"]) * g + h["nu"] * s["m"])


@decaying
def aggmo(x, g, s, t, h):
    """Lucas et al. 2019, equation 2, whose velocities point downhill."""
    betas = [h["beta_1"], h["beta_2"], h["beta_3"]][: h["velocities"]]
    s["v"] = [b * v - g for b, v in zip(betas, s.get("v", [0 * g] * 3), strict=False)]
    return x + h["learning_rate"] / len(betas) * np.sum(s["v"], axis=0)


@leafwise
def accsgd(x, g, s, t, h):
    """Kidambi et al. 2018, algorithm 3, with the 0.7 of theirs as a setting."""
    c = h["constant"]
    alpha = 1 - c**2 * h["xi"] / h["kappa"]
    long = x - h["kappa"] * h["learning_rate"] / c * g
    s["w"] = alpha * s.get("w", x) + (1 - alpha) * long
    short = x - h["learning_rate"] * g
    return c / (c + 1 - alpha) * short + (1 - alpha) / (c + 1 - alpha) * s["w"]


@decaying
def pnm(x, g, s, t, h):
    """Xie et al. 2021, algorithm 2."""
    b0, b1 = h["beta_0"], h["beta_1"]
    m = s.setdefault("m", [0 * g, 0 * g])
    m.append(b1**2 * m[-2] + (1 - b1**2) * g)
    step = ((1 + b0) * m[-1] - b0 * m[-2]) / np.sqrt((1 + b0) ** 2 + b0**2)
    return x - h["learning_rate"] * step


@leafwise
def pid(x, g, s, t, h):
    """An et al. 2018, section 3, with the weights of their code."""
    mu = h["momentum"]
    gradients = s.setdefault("g", [])
    gradients.append(g)
    before = g if t == 1 else gradients[-2]
    if t == 2 and h["difference"] == "late":
        before = 0 * g
    s["i"] = mu * s.get("i", 0) + g
    s["d"] = mu * s.get("d", 0) + (1 - mu) * (g - before)
    return x - h["learning_rate"] * (g + h["integral"] * s["i"] + h["derivative"] * s["d"])


@leafwise
def optimistic_gd(x, g, s, t, h):
    """Mokhtari et al. 2020, equation 6."""
    before, s["g"] = s.get("g", g), g
    return x - h["learning_rate"] * ((h["alpha"] + h["beta"]) * g - h["beta"] * before)


def noisy_sgd(step: Step) -> dict[str, np.ndarray]:
    """Neelakantan et al. 2015, equation 1, counted from t = 0."""
    h = step.h
    deviation = np.sqrt(h["eta"] / (1 + (step.t - 1)) ** h["gamma"])
    keys = dict(zip(sorted(step.x), jax.random.split(step.key, len(step.x)), strict=True))
    after = {}
    for name, x in step.x.items():
        noise = np.asarray(jax.random.normal(keys[name], x.shape, np.float64))
        after[name] = x - h["learning_rate"] * (step.g[name] + deviation * noise)
    return after


def polyak(step: Step) -> dict[str, np.ndarray]:
    """Loizou et al. 2021, equation 3 (SPSmax)."""
    h = step.h
    gap = step.value - h["f_min"]
    if h["variant"] == "sps+":
        gap = max(gap, 0.0)
    rate = min(gap / (h["c"] * np.sum(flat(step.g) ** 2) + h["epsilon"]), h["learning_rate"])
    return {name: x - rate * step.g[name] for name, x in step.x.items()}


def decays(name: str, hand: Hand) -> dict[str, tuple[str, Hand]]:
    """``hand`` without weight decay and with each kind."""
    settings = {**hand.settings, "weight_decay": 0.3}
    found = {name: (name, hand)}
    for kind in ("coupled", "decoupled"):
        options = {**hand.options, "decay": kind}
        found[f"{name}, {kind}"] = name, replace(hand, settings=settings, options=options)
    return found


AGGMO = {"learning_rate": 0.1, "beta_1": 0.3, "beta_2": 0.7}
PID = {"learning_rate": 0.02, "momentum": 0.8, "integral": 3.0, "derivative": 7.0}
POLYAK = {"learning_rate": 5.0, "c": 0.7, "f_min": -9.0, "epsilon": 0.3}
HAND = {
    **decays("qhm", Hand(qhm, {"learning_rate": 0.3, "momentum": 0.8, "nu": 0.6}, steps=3)),
    **decays("aggmo", Hand(aggmo, {**AGGMO, "beta_3": 0.95}, steps=3)),
    "aggmo, two": ("aggmo", Hand(aggmo, AGGMO, {"velocities": 2}, steps=3)),
    "accsgd": (
        "accsgd",
        Hand(accsgd, {"learning_rate": 0.1, "kappa": 50.0, "xi": 4.0, "constant": 0.6}, steps=3),
    ),
    **decays("pnm", Hand(pnm, {"learning_rate": 0.3, "beta_0": 0.8, "beta_1": 0.7}, steps=4)),
    "pid": ("pid", Hand(pid, PID, steps=4)),
    "pid, late": ("pid", Hand(pid, PID, {"difference": "late"}, steps=4)),
    "optimistic_gd": (
        "optimistic_gd",
        Hand(optimistic_gd, {"learning_rate": 0.1, "alpha": 0.8, "beta": 0.6}, steps=3),
    ),
    "noisy_sgd": (
        "noisy_sgd",
        Hand(noisy_sgd, {"learning_rate": 0.1, "eta": 0.5, "gamma": 0.7}, steps=3),
    ),
    "polyak": ("polyak", Hand(polyak, POLYAK, steps=3)),
    "polyak, longest step": ("polyak", Hand(polyak, {**POLYAK, "learning_rate": 0.05}, steps=3)),
    "polyak, uphill": ("polyak", Hand(polyak, {**POLYAK, "f_min": 99.0}, steps=2)),
    "polyak, at rest": (
        "polyak",
        Hand(polyak, {**POLYAK, "f_min": 99.0}, {"variant": "sps+"}, steps=2),
    ),
}
DECAY = {"weight_decay": 0.01}
GOLDEN = (
    Golden("torch", "aggmo", "aggmo", {"learning_rate": 0.02}),
    Golden(
        "more",
        "aggmo_settings",
        "aggmo",
        {"learning_rate": 0.01, "beta_1": 0.5, "beta_2": 0.95, **DECAY},
        {"velocities": 2, "decay": "coupled"},
    ),
    Golden(
        "more",
        "qhm",
        "qhm",
        {"learning_rate": 0.05, "momentum": 0.9, "nu": 0.7, **DECAY},
        {"decay": "coupled"},
    ),
    Golden("more", "accsgd", "accsgd", {"learning_rate": 0.02, "kappa": 100.0, "xi": 5.0}),
    Golden("more", "pnm", "pnm", {"learning_rate": 0.02, **DECAY}, {"decay": "decoupled"}),
    Golden("more", "pid", "pid", {"learning_rate": 0.005, "momentum": 0.9}, {"difference": "late"}),
)


@pytest.mark.parametrize("case", HAND)
def test_follows_its_equation_by_hand(case: str, prove: Any) -> None:
    prove.by_hand(*HAND[case])


@pytest.mark.parametrize("golden", GOLDEN, ids=str)
def test_follows_another_framework(golden: Golden, prove: Any) -> None:
    prove.follows(golden)


def one_step(rule: Any, grads: Any, params: Any, **extra: Any) -> np.ndarray:
    updates, _ = rule.update(grads, rule.init(params), params, **extra)
    return np.asarray(updates)


def test_qhm_between_its_ends_is_descent_and_momentum() -> None:
    params, grads = jnp.ones(3), jnp.array([1.0, -2.0, 0.5])
    settings = {"learning_rate": 0.1, "momentum": 0.75}
    plain = optimizers.get("qhm").transformation({**settings, "nu": 0.0})
    heavy = optimizers.get("qhm").transformation({**settings, "nu": 1.0})
    np.testing.assert_allclose(one_step(plain, grads, params), -0.1 * grads, rtol=1e-6)
    np.testing.assert_allclose(one_step(heavy, grads, params), -0.025 * grads, rtol=1e-6)


def test_the_noise_has_the_variance_that_falls_with_the_steps() -> None:
    rule = optimizers.get("noisy_sgd").transformation(
        {"learning_rate": 1.0, "eta": 0.09, "gamma": 1.0}
    )
    params = jnp.zeros(40_000)
    state = rule.init(params)
    deviations = []
    for step in range(4):
        updates, state = rule.update(params, state, params, key=jax.random.key(step))
        deviations.append(float(np.std(updates)))
        assert abs(float(np.mean(updates))) < 0.01
    np.testing.assert_allclose(deviations, 0.3 / np.sqrt([1, 2, 3, 4]), rtol=0.02)


def test_leaves_of_one_shape_get_noise_of_their_own() -> None:
    rule = optimizers.get("noisy_sgd").transformation({"eta": 1.0})
    params = {"a": jnp.zeros(5), "b": jnp.zeros(5)}
    updates, _ = rule.update(params, rule.init(params), params, key=jax.random.key(3))
    assert np.all(np.asarray(updates["a"]) != np.asarray(updates["b"]))


def test_polyaks_step_with_c_a_half_lands_on_the_minimum_of_a_round_bowl() -> None:
    params = jnp.array([3.0, -4.0])
    rule = optimizers.get("polyak").transformation({"c": 0.5, "learning_rate": 10.0})
    updates = one_step(rule, 0.8 * params, params, value=0.4 * jnp.sum(params**2))
    np.testing.assert_allclose(updates, -params, rtol=1e-6)


def test_optax_lets_scaling_divide_polyaks_step_which_is_why_its_code_has_1() -> None:
    params = jnp.array([3.0, -4.0])
    value, grads = 0.5 * jnp.sum(params**2), params
    plain = one_step(optax.polyak_sgd(10.0), grads, params, value=value)
    scaled = one_step(optax.polyak_sgd(10.0, scaling=2.0), grads, params, value=value)
    np.testing.assert_allclose(scaled, plain / 2, rtol=1e-6)


def test_polyaks_step_keeps_float32_where_float64_is_enabled(x64: None) -> None:
    params = jnp.array([3.0, -4.0], jnp.float32)
    rule = optimizers.get("polyak").transformation({})
    found = one_step(rule, params, params, value=jnp.asarray(12.5, jnp.float32))
    assert found.dtype == np.float32
