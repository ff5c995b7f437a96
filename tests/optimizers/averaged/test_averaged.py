"""Averages of the parameters, and FTRL: by their papers' equations, and against peers."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import proving
from fallline import optimizers
from proving import Golden, Hand, leafwise


@leafwise
def asgd(x, g, s, t, h):
    """Polyak & Juditsky 1992, the mean of iterates, with Xu 2011's learning rates."""
    rate = h["learning_rate"] * (1 + h["lambd"] * h["learning_rate"] * (t - 1)) ** -h["power"]
    x = x - rate * (g + h["lambd"] * x)
    if t <= h["average_from"] + 2:
        s["iterates"] = []
    s["iterates"].append(x)
    return x


def mean_of_iterates(x, s, h):
    return {name: np.mean(s[name]["iterates"], axis=0) for name in x}


@leafwise
def schedule_free_sgd(x, g, s, t, h):
    """Defazio et al. 2024: the three sequences, y being what is trained."""
    y = x
    z, average = s.get("z", x), s.get("x", x)
    rates = s.setdefault("rates", [])
    rates.append(h["learning_rate"] * min(1.0, t / h["warmup_steps"]))
    weights = [(i + 1) ** h["r"] * max(rates[: i + 1]) ** h["weight_lr_power"] for i in range(t)]
    share = weights[-1] / sum(weights)
    z = z - rates[-1] * (g + h["weight_decay"] * y)
    average = (1 - share) * average + share * z
    s["z"], s["x"] = z, average
    return (1 - h["momentum"]) * z + h["momentum"] * average


def rectified(t, h):
    """Liu et al. 2020, the variance rectification term; 0 where it is not defined."""
    most = 2 / (1 - h["beta_2"]) - 1
    length = most - 2 * t * h["beta_2"] ** t / (1 - h["beta_2"] ** t)
    if length <= 4:
        return 0.0
    return np.sqrt((length - 4) * (length - 2) * most / ((most - 4) * (most - 2) * length))


def adam_steps(rate_of, root_of):
    @leafwise
    def rule(x, g, s, t, h):
        y = x
        z, average = s.get("z", x), s.get("x", x)
        s["v"] = h["beta_2"] * s.get("v", 0) + (1 - h["beta_2"]) * g**2
        bias = 1 - h["beta_2"] ** t
        rates = s.setdefault("rates", [])
        rates.append(h["learning_rate"] * min(1.0, t / h["warmup_steps"]) * rate_of(t, h))
        weights = [
            (i + 1) ** h["r"] * max(rates[: i + 1]) ** h["weight_lr_power"] for i in range(t)
        ]
        share = weights[-1] / sum(weights) if sum(weights) else 0.0
        step = g / (root_of(s["v"], bias) + h["epsilon"]) + h["weight_decay"] * y
        z = z - rates[-1] * step
        average = (1 - share) * average + share * z
        s["z"], s["x"] = z, average
        return (1 - h["beta_1"]) * z + h["beta_1"] * average

    return rule


def the_average(x, s, h):
    return {name: s[name]["x"] for name in x}


def leader(begin):
    """McMahan et al. 2013, algorithm 1, with any power in place of the root."""

    @leafwise
    def rule(x, g, s, t, h):
        power = -h["learning_rate_power"]
        if t == 1:
            s["n"] = np.full_like(x, h["initial_accumulator"])
            s["z"] = begin(x, (s["n"] ** power + h["beta"]) / h["learning_rate"] + h["l2"], h["l1"])
        sigma = ((s["n"] + g**2) ** power - s["n"] ** power) / h["learning_rate"]
        s["z"] = s["z"] + g - sigma * x
        s["n"] = s["n"] + g**2
        curve = (h["beta"] + s["n"] ** power) / h["learning_rate"] + h["l2"]
        moved = -(s["z"] - np.sign(s["z"]) * h["l1"]) / curve
        return np.where(np.abs(s["z"]) <= h["l1"], 0.0, moved)

    return rule


WARMED = {
    "learning_rate": 0.3,
    "weight_decay": 0.05,
    "warmup_steps": 3.0,
    "r": 0.7,
    "weight_lr_power": 1.5,
}
LEADER = {
    "learning_rate": 0.4,
    "learning_rate_power": -0.6,
    "initial_accumulator": 0.2,
    "beta": 0.8,
    "l1": 0.5,
    "l2": 0.3,
}
HAND = {
    "asgd": (
        "asgd",
        Hand(
            asgd,
            {"learning_rate": 0.1, "lambd": 0.3, "power": 0.7, "average_from": 2.0},
            steps=6,
            evaluated=mean_of_iterates,
        ),
    ),
    "asgd from the start": (
        "asgd",
        Hand(asgd, {"learning_rate": 0.1}, steps=4, evaluated=mean_of_iterates),
    ),
    "schedule_free_sgd": (
        "schedule_free_sgd",
        Hand(schedule_free_sgd, {**WARMED, "momentum": 0.8}, steps=5, evaluated=the_average),
    ),
    "schedule_free_adamw": (
        "schedule_free_adamw",
        Hand(
            adam_steps(lambda t, h: 1.0, lambda v, bias: np.sqrt(v / bias)),
            {**WARMED, "beta_1": 0.8, "beta_2": 0.9, "epsilon": 1e-3},
            steps=5,
            evaluated=the_average,
        ),
    ),
    "schedule_free_adamw with the paper's rate": (
        "schedule_free_adamw",
        Hand(
            adam_steps(lambda t, h: np.sqrt(1 - h["beta_2"] ** t), lambda v, bias: np.sqrt(v)),
            {**WARMED, "beta_1": 0.8, "beta_2": 0.9, "epsilon": 1e-3},
            {"corrected": "rate"},
            steps=5,
            evaluated=the_average,
        ),
    ),
    "schedule_free_adamw, rectified": (
        "schedule_free_adamw",
        Hand(
            adam_steps(rectified, lambda v, bias: np.sqrt(v / bias)),
            {**WARMED, "beta_1": 0.8, "beta_2": 0.9, "epsilon": 1e-3},
            {"corrected": "rectified"},
            steps=9,
            evaluated=the_average,
        ),
    ),
    "ftrl": ("ftrl", Hand(leader(lambda x, curve, l1: 0 * x), LEADER, steps=3)),
    "ftrl from the start": (
        "ftrl",
        Hand(
            leader(lambda x, curve, l1: -(curve * x + l1 * np.sign(x))),
            LEADER,
            {"origin": "start"},
            steps=3,
        ),
    ),
}
DRAWN = proving.Problem.drawn()
ASGD = {"learning_rate": 0.05, "lambd": 0.1, "power": 0.6, "average_from": 5.0}
FREE_ADAMW = {"learning_rate": 0.05, "warmup_steps": 10.0, "weight_decay": 0.01}
GOLDEN = (
    Golden("torch", "schedulefree_sgd", "schedule_free_sgd", {"learning_rate": 0.05}),
    Golden("torch", "schedulefree_adamw", "schedule_free_adamw", {"learning_rate": 0.02}),
    # Keras keeps the first sum of squares in float32.
    Golden(
        "keras",
        "ftrl",
        "ftrl",
        {"learning_rate": 0.1, "initial_accumulator": float(np.float32(0.1))},
    ),
    Golden("more", "asgd", "asgd", ASGD),
    Golden("more", "asgd_judged", "asgd", ASGD, judged=True),
    Golden(
        "more",
        "schedulefree_sgd_warmup",
        "schedule_free_sgd",
        {"learning_rate": 0.2, "warmup_steps": 10.0, "r": 0.5, "weight_decay": 0.01},
    ),
    Golden("more", "schedulefree_adamw_warmup", "schedule_free_adamw", FREE_ADAMW),
    Golden("more", "schedulefree_adamw_judged", "schedule_free_adamw", FREE_ADAMW, judged=True),
    Golden(
        "more",
        "schedulefree_radam",
        "schedule_free_adamw",
        {"learning_rate": 0.05, "weight_decay": 0.01},
        {"corrected": "rectified"},
    ),
    Golden(
        "more",
        "ftrl",
        "ftrl",
        {"learning_rate": 0.1, "beta": 0.5, "l1": 0.01, "l2": 0.01, "initial_accumulator": 0.0},
    ),
)


@pytest.mark.parametrize(("name", "hand"), HAND.values(), ids=HAND)
def test_follows_its_equation_by_hand(name: str, hand: Hand, prove: Any) -> None:
    prove.by_hand(name, hand)


@pytest.mark.parametrize("golden", GOLDEN, ids=str)
def test_follows_the_recorded_trajectory(golden: Golden, prove: Any) -> None:
    prove.follows(golden)


def test_a_mean_that_torch_begins_after_a_million_steps_is_the_last_iterate(x64: None) -> None:
    run = proving.Run("asgd:torch", {}, {}, DRAWN, 5)
    for number in range(1, 6):
        run.step(number)
    np.testing.assert_allclose(proving.flat(run.judged), proving.flat(run.params), rtol=1e-14)


@pytest.mark.parametrize("name", ["asgd", "schedule_free_sgd", "schedule_free_adamw"])
def test_before_the_first_step_it_is_judged_by_the_given_parameters(name: str, x64: None) -> None:
    run = proving.Run(name, {}, {}, DRAWN, 5)
    np.testing.assert_array_equal(proving.flat(run.judged), proving.flat(run.params))


@pytest.mark.parametrize(
    ("name", "peer", "settings"),
    [
        (
            "schedule_free_sgd",
            lambda: optax.contrib.schedule_free_sgd(0.1, b1=0.8, weight_decay=0.02),
            {"learning_rate": 0.1, "momentum": 0.8, "weight_decay": 0.02},
        ),
        (
            "schedule_free_adamw",
            lambda: optax.contrib.schedule_free_adamw(
                0.1, b1=0.8, b2=0.95, eps=1e-6, weight_decay=0.02
            ),
            {
                "learning_rate": 0.1,
                "beta_1": 0.8,
                "beta_2": 0.95,
                "epsilon": 1e-6,
                "weight_decay": 0.02,
            },
        ),
    ],
)
def test_optax_takes_the_same_steps_and_finds_the_same_average(
    name: str, peer: Any, settings: dict[str, float], x64: None
) -> None:
    problem = DRAWN
    run = proving.Run(name, settings, {}, problem, 30)
    rule = peer()
    params = jax.tree.map(jnp.asarray, problem.start)
    state = rule.init(params)
    for number in range(1, 31):
        grads = problem.gradient(params)
        updates, state = rule.update(jax.tree.map(jnp.asarray, grads), state, params)
        params = optax.apply_updates(params, updates)
        run.step(number)
    np.testing.assert_allclose(proving.flat(run.params), proving.flat(params), atol=1e-10)
    average = optax.contrib.schedule_free_eval_params(state, params)
    np.testing.assert_allclose(proving.flat(run.judged), proving.flat(average), atol=1e-10)


def test_weights_of_the_average_follow_the_largest_learning_rate_so_far(x64: None) -> None:
    """A falling schedule outside of it leaves the later steps their weight."""
    run = proving.Run("schedule_free_sgd+cosine", {"learning_rate": 0.1}, {}, DRAWN, 6)
    for number in range(1, 7):
        run.step(number)
    assert float(run.state.inner.total) == pytest.approx(6 * 0.1**2)
    assert float(run.state.inner.largest) == 0.1


def test_ftrl_forgets_the_given_parameters_unless_it_starts_at_them(x64: None) -> None:
    params = {"w": jnp.array([1.5, -2.0, 0.0])}
    grads = jax.tree.map(jnp.zeros_like, params)

    def moved(**options: Any) -> np.ndarray:
        rule = optimizers.get("ftrl").transformation({"l1": 0.2, "beta": 0.5}, **options)
        return np.asarray(rule.update(grads, rule.init(params), params)[0]["w"])

    np.testing.assert_array_equal(moved(), [-1.5, 2.0, 0.0])
    np.testing.assert_allclose(moved(origin="start"), 0.0, atol=1e-15)


def test_ftrl_without_regularisers_is_adagrad_from_the_given_parameters(x64: None) -> None:
    problem = DRAWN
    settings = {"learning_rate": 0.3, "initial_accumulator": 0.1}
    leading = proving.Run("ftrl", settings, {"origin": "start"}, problem, 20)
    summing = proving.Run("adagrad", {**settings, "epsilon": 0.0}, {}, problem, 20)
    for number in range(1, 21):
        leading.step(number)
        summing.step(number)
    np.testing.assert_allclose(
        proving.flat(leading.params), proving.flat(summing.params), atol=1e-12
    )


def test_l1_keeps_weights_of_ftrl_at_zero_exactly(x64: None) -> None:
    params = {"w": jnp.zeros(2)}
    rule = optimizers.get("ftrl").transformation({"l1": 1.0})
    state = rule.init(params)
    for _ in range(4):
        updates, state = rule.update({"w": jnp.array([0.2, 2.0])}, state, params)
        params = optax.apply_updates(params, updates)
    assert params["w"][0] == 0
    assert params["w"][1] < 0
