"""Steps of the gradient's sign: by their papers' equations, and against peers."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from fallline import optimizers
from proving import Golden, Hand, flat, leafwise, tree


@leafwise
def signsgd(x, g, s, t, h):
    """Bernstein et al. 2018, algorithm 1, with the decay of its algorithm 3."""
    return x - h["learning_rate"] * (np.sign(g) + h["weight_decay"] * x)


@leafwise
def signum(x, g, s, t, h):
    """Bernstein et al. 2018, algorithm 2, with the decay of its algorithm 3; Su 2023 likewise."""
    s["m"] = h["beta"] * s.get("m", 0) + (1 - h["beta"]) * g
    return x - h["learning_rate"] * (np.sign(s["m"]) + h["weight_decay"] * x)


def sign_of_lion(g, s, h):
    before = s.get("m", 0 * g)
    s["m"] = h["beta_2"] * before + (1 - h["beta_2"]) * g
    return np.sign(h["beta_1"] * before + (1 - h["beta_1"]) * g)


@leafwise
def lion(x, g, s, t, h):
    """Chen et al. 2023, algorithm 2."""
    u = sign_of_lion(g, s, h)
    return x - h["learning_rate"] * (u + h["weight_decay"] * x)


@leafwise
def cautious_lion(x, g, s, t, h):
    """Liang et al. 2024, algorithm 1 around Lion."""
    u = sign_of_lion(g, s, h)
    agrees = u * g > 0
    s["against"] = s.get("against", 0) + np.sum(~agrees)
    if h["rescaled"] == "count":
        scale = g.size / (np.count_nonzero(agrees) + 1)
    else:
        scale = 1 / max(np.mean(agrees), 1e-3)
    return x - h["learning_rate"] * (scale * u * agrees + h["weight_decay"] * x)


def dadapt_lion(step):
    """The authors' code of Defazio & Mishchenko 2023, there being no paper of it."""
    x, g, s, h = flat(step.x), flat(step.g), step.s, step.h
    if step.t == 1:
        s |= {"m": 0 * x, "s": 0 * x, "r": 0.0, "d": h["first_distance"]}
    rate, root = s["d"] * h["learning_rate"], np.sqrt(h["beta_2"])
    u = np.sign(h["beta_1"] * s["m"] + (1 - h["beta_1"]) * g)
    s["m"] = h["beta_2"] * s["m"] + (1 - h["beta_2"]) * rate * g
    s["r"] = root * s["r"] + (1 - root) * rate * float(u @ s["s"])
    s["s"] = root * s["s"] + (1 - root) * rate * u
    s["d"] = max(s["d"], s["r"] / ((1 - root) * np.sum(np.abs(s["s"]))))
    s.setdefault("distances", []).append(s["d"])
    return tree(x * (1 - rate * h["weight_decay"]) - rate * u)


SIGN = {"learning_rate": 0.2, "weight_decay": 0.3}
LION = {**SIGN, "beta_1": 0.6, "beta_2": 0.8}
HAND = {
    "signsgd": ("signsgd", Hand(signsgd, SIGN)),
    "signum": ("signum", Hand(signum, {**SIGN, "beta": 0.7}, steps=6)),
    "tiger": ("tiger", Hand(signum, {**SIGN, "beta": 0.7}, steps=6)),
    "lion": ("lion", Hand(lion, LION, steps=6)),
    "cautious_lion": ("cautious_lion", Hand(cautious_lion, LION, steps=6)),
    "cautious_lion, mean": (
        "cautious_lion",
        Hand(cautious_lion, LION, {"rescaled": "mean"}, steps=6),
    ),
    "dadapt_lion": (
        "dadapt_lion",
        Hand(dadapt_lion, {**LION, "learning_rate": 0.7, "first_distance": 0.01}, steps=8),
    ),
}
DECAY = {"weight_decay": 0.01}
GOLDEN = (
    Golden("more", "signsgd", "signsgd", {"learning_rate": 0.02}),
    Golden("more", "signum", "signum", {"learning_rate": 0.05, "beta": 0.9, "weight_decay": 0.1}),
    Golden("torch", "lion", "lion", {"learning_rate": 0.01}),
    Golden(
        "keras",
        "lion",
        "lion",
        # Rounded to float32 in all of the rule, as in Keras on TensorFlow.
        {
            "learning_rate": 0.01,
            "beta_1": float(np.float32(0.9)),
            "beta_2": float(np.float32(0.99)),
        },
    ),
    Golden("more", "cautious_lion", "cautious_lion", {"learning_rate": 0.01, **DECAY}),
    Golden("more", "tiger", "tiger", {"learning_rate": 0.01}),
    Golden(
        "more",
        "dadapt_lion",
        "dadapt_lion",
        {"learning_rate": 1.0, "first_distance": 0.005, **DECAY},
    ),
)


@pytest.mark.parametrize("case", HAND)
def test_follows_its_equation_by_hand(case: str, prove: Any) -> None:
    prove.by_hand(*HAND[case])


@pytest.mark.parametrize("golden", GOLDEN, ids=str)
def test_follows_another_framework(golden: Golden, prove: Any) -> None:
    prove.follows(golden)


def steps_of(name: str, settings: dict[str, float], gradients: Any, **options: Any) -> np.ndarray:
    """The steps that a row of gradients asks for, from parameters of zero."""
    rule = optimizers.get(name).transformation({"learning_rate": 1.0, **settings}, **options)
    params = jnp.zeros(np.shape(gradients)[1:])
    state, steps = rule.init(params), []
    for gradient in gradients:
        updates, state = rule.update(jnp.asarray(gradient), state, params)
        steps.append(np.asarray(updates))
    return np.array(steps)


def test_lion_steps_by_one_average_and_keeps_another() -> None:
    found = steps_of("lion", {"beta_1": 0.5, "beta_2": 0.9}, [[1.0], [-0.12], [-0.08]])
    # 0.5 * 0.1 - 0.5 * 0.12 < 0, and then m = 0.9 * 0.1 - 0.1 * 0.12 = 0.078 < 0.08.
    assert found.ravel().tolist() == [-1.0, 1.0, 1.0]
    averaged = steps_of("lion", {"beta_1": 0.9, "beta_2": 0.9}, [[1.0], [-0.12], [-0.08]])
    assert averaged.ravel().tolist() == [-1.0, -1.0, -1.0]


def test_signum_remembers_its_average_between_the_steps() -> None:
    gradients = [[1.0], [-0.5], [-0.3], [-3.0]]
    assert steps_of("signum", {"beta": 0.9}, gradients).ravel().tolist() == [-1, -1, -1, 1]
    assert steps_of("signsgd", {}, gradients).ravel().tolist() == [-1, 1, 1, 1]


@pytest.mark.parametrize(("rescaled", "expected"), [("count", 4 / 4), ("mean", 4 / 3)])
def test_cautious_lion_rests_where_the_gradient_turned_and_goes_further_elsewhere(
    rescaled: str, expected: float
) -> None:
    gradients = [[1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, -0.001]]
    found = steps_of("cautious_lion", {}, gradients, rescaled=rescaled)
    np.testing.assert_allclose(found[1], [-expected, -expected, -expected, 0.0], rtol=1e-6)
