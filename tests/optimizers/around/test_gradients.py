"""Wrappers of gradients: their equations by hand, and what torch and others make of the same."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest

from fallline.optimizers.around import rule_gradients as rules
from proving import Arrays, Golden, Hand, Rule, Step, flat

Settings = dict[str, Any]

# --- what is inside: steps from gradients


def sgd(s: Settings, x: Arrays, g: Arrays, h: Settings) -> Arrays:
    del s
    return {name: x[name] - h["learning_rate"] * g[name] for name in x}


def adam(s: Settings, x: Arrays, g: Arrays, h: Settings) -> Arrays:
    """Kingma & Ba 2015, algorithm 1."""
    t = s["t"] = s.get("t", 0) + 1
    after = {}
    for name in x:
        m, v = s.get(name, (0.0, 0.0))
        m = h["beta_1"] * m + (1 - h["beta_1"]) * g[name]
        v = h["beta_2"] * v + (1 - h["beta_2"]) * g[name] ** 2
        s[name] = (m, v)
        root = np.sqrt(v / (1 - h["beta_2"] ** t)) + h["epsilon"]
        after[name] = x[name] - h["learning_rate"] * m / (1 - h["beta_1"] ** t) / root
    return after


Inside = Callable[[Settings, Arrays, Arrays, Settings], Arrays]
Change = Callable[[Step, Arrays], Arrays]


def with_gradient(change: Change, inside: Inside = sgd) -> Rule:
    """The step of ``inside`` on changed gradients."""

    def rule(at: Step) -> Arrays:
        return inside(at.s.setdefault("inside", {}), at.x, change(at, at.g), at.h)

    return rule


# --- what is done to the gradients


def clip_value(at: Step, g: Arrays) -> Arrays:
    c = at.h["clip_value_limit"]
    return {n: np.where(v > c, c, np.where(v < -c, -c, v)) for n, v in g.items()}


def clip_norm(at: Step, g: Arrays) -> Arrays:
    length = np.linalg.norm(flat(g)) + at.h["clip_norm_epsilon"]
    c = at.h["clip_norm_limit"]
    return {n: v * c / length if length > c else v for n, v in g.items()}


def units(array: np.ndarray, outputs: str) -> list[Any]:
    """An index for the weights of each output; for a vector the whole."""
    if array.ndim < 2:
        return [slice(None)]
    if outputs == "last":
        return [(slice(None), k) for k in range(array.shape[1])]
    return [(k, slice(None)) for k in range(array.shape[0])]


def agc(at: Step, g: Arrays) -> Arrays:
    after = {}
    for name, gradient in g.items():
        after[name] = gradient.copy()
        for unit in units(gradient, at.h["agc_outputs"]):
            weights = max(np.linalg.norm(at.x[name][unit]), at.h["agc_epsilon"])
            ratio = np.linalg.norm(gradient[unit]) / weights
            if ratio > at.h["agc_limit"]:
                after[name][unit] = at.h["agc_limit"] / ratio * gradient[unit]
    return after


def centralize(at: Step, g: Arrays) -> Arrays:
    after = {name: value.copy() for name, value in g.items()}
    for unit in units(g["W"], at.h["centralize_outputs"]):
        after["W"][unit] -= sum(g["W"][unit]) / len(g["W"][unit])
    return after


def noise(at: Step, g: Arrays) -> Arrays:
    deviation = math.sqrt(at.h["noise_variance"] / at.t ** at.h["noise_decay"])
    keys = jax.random.split(jax.random.fold_in(at.key, rules.STREAM), 2)
    return {
        name: value + deviation * np.asarray(jax.random.normal(key, value.shape, float))
        for key, (name, value) in zip(keys, sorted(g.items()), strict=True)
    }


def grokfast(at: Step, g: Arrays) -> Arrays:
    """Lee et al. 2024, algorithm 1, begun as the authors' code begins."""
    b = at.h["grokfast_decay"]
    average = at.s.get("average", g)
    at.s["average"] = {n: b * average[n] + (1 - b) * g[n] for n in g}
    return {n: g[n] + at.h["grokfast_factor"] * at.s["average"][n] for n in g}


def penalised(name: str, slope: Callable[[np.ndarray], np.ndarray]) -> Change:
    def change(at: Step, g: Arrays) -> Arrays:
        strength, biases = at.h[f"{name}_strength"], at.h[f"{name}_biases"]
        return {
            n: v + strength * slope(at.x[n]) if biases or v.ndim > 1 else v for n, v in g.items()
        }

    return change


l1, l2 = penalised("l1", np.sign), penalised("l2", lambda x: x)


def perturbed(at: Step, g: Arrays) -> Arrays:
    """Where SAM takes its second gradient."""
    if at.h["sam_adaptive"]:
        length = np.linalg.norm(flat({n: np.abs(at.x[n]) * v for n, v in g.items()}))
        g = {n: at.x[n] ** 2 * v for n, v in g.items()}
    else:
        length = np.linalg.norm(flat(g))
    return {n: at.x[n] + at.h["sam_radius"] * v / length for n, v in g.items()}


def sam(at: Step, g: Arrays) -> Arrays:
    return at.problem.gradient(perturbed(at, g))


def sam_then_l2(at: Step, g: Arrays) -> Arrays:
    return l2(at, sam(at, g))


def sam_of_the_loss_with_l2(at: Step, g: Arrays) -> Arrays:
    there = perturbed(at, l2(at, g))
    strength, slope = at.h["l2_strength"], at.problem.gradient(there)
    return {n: slope[n] + strength * there[n] for n in slope}


def accumulating(inside: Inside, name: str = "accumulate_batches") -> Rule:
    def rule(at: Step) -> Arrays:
        held = at.s.setdefault("batches", [])
        held.append(at.g)
        if len(held) < at.h[name]:
            return at.x
        mean = {n: sum(g[n] for g in held) / len(held) for n in at.x}
        held.clear()
        return inside(at.s.setdefault("inside", {}), at.x, mean, at.h)

    return rule


def sgd_with_cosine_of(total: int) -> Inside:
    def inside(s: Settings, x: Arrays, g: Arrays, h: Settings) -> Arrays:
        s["t"] = s.get("t", -1) + 1
        share = (1 + math.cos(math.pi * s["t"] / total)) / 2
        return {n: x[n] - h["learning_rate"] * share * g[n] for n in x}

    return inside


RATE = {"learning_rate": 0.1}
AGC = {**RATE, "agc_limit": 0.4, "agc_epsilon": 0.9}
HAND = [
    ("sgd+clip_value", Hand(with_gradient(clip_value), {**RATE, "clip_value_limit": 0.6})),
    ("adam+clip_value", Hand(with_gradient(clip_value, adam), {"clip_value_limit": 0.6}, steps=4)),
    ("sgd+clip_norm", Hand(with_gradient(clip_norm), {**RATE, "clip_norm_limit": 0.8})),
    (
        "sgd+clip_norm",
        Hand(
            with_gradient(clip_norm),
            {**RATE, "clip_norm_limit": 0.8, "clip_norm_epsilon": 0.1},
        ),
    ),
    *(
        (f"{name}+agc", Hand(with_gradient(agc, inside), AGC, {"agc_outputs": outputs}, steps=4))
        for name, inside in (("sgd", sgd), ("adam", adam))
        for outputs in ("last", "first")
    ),
    *(
        ("sgd+centralize", Hand(with_gradient(centralize), RATE, {"centralize_outputs": outputs}))
        for outputs in ("last", "first")
    ),
    ("adam+centralize", Hand(with_gradient(centralize, adam), RATE)),
    (
        "sgd+noise",
        Hand(with_gradient(noise), {**RATE, "noise_variance": 0.3, "noise_decay": 0.8}, steps=4),
    ),
    *(
        (
            f"{name}+grokfast",
            Hand(
                with_gradient(grokfast, inside),
                {**RATE, "grokfast_decay": 0.7, "grokfast_factor": 1.5},
                steps=4,
            ),
        )
        for name, inside in (("sgd", sgd), ("adam", adam))
    ),
    *(
        (
            f"{name}+{penalty}",
            Hand(
                with_gradient(change, inside),
                {**RATE, f"{penalty}_strength": 0.2},
                {f"{penalty}_biases": biases},
            ),
        )
        for name, inside in (("sgd", sgd), ("adam", adam))
        for penalty, change in (("l1", l1), ("l2", l2))
        for biases in (True, False)
    ),
    *(
        (
            f"{name}+sam",
            Hand(
                with_gradient(sam, inside),
                {**RATE, "sam_radius": 0.3},
                {"sam_adaptive": adaptive},
            ),
        )
        for name, inside in (("sgd", sgd), ("adam", adam))
        for adaptive in (False, True)
    ),
    (
        "sgd+l2+sam",
        Hand(with_gradient(sam_then_l2), {**RATE, "sam_radius": 0.3, "l2_strength": 0.2}),
    ),
    (
        "sgd+sam+l2",
        Hand(
            with_gradient(sam_of_the_loss_with_l2),
            {**RATE, "sam_radius": 0.3, "l2_strength": 0.2},
        ),
    ),
    ("sgd+accumulate", Hand(accumulating(sgd), RATE, {"accumulate_batches": 3}, steps=7)),
    ("adam+accumulate", Hand(accumulating(adam), RATE, {"accumulate_batches": 2}, steps=7)),
    (
        "sgd+cosine+accumulate",
        Hand(accumulating(sgd_with_cosine_of(4)), RATE, {"accumulate_batches": 3}, steps=12),
    ),
    (
        "sgd+centralize+clip_norm",
        Hand(
            with_gradient(lambda at, g: centralize(at, clip_norm(at, g))),
            {**RATE, "clip_norm_limit": 0.8},
        ),
    ),
]


def called(pair: tuple[str, Hand]) -> str:
    return "-".join([pair[0], *map(str, pair[1].options.values())])


@pytest.mark.parametrize("pair", HAND, ids=called)
def test_follows_its_equation_by_hand(pair: tuple[str, Hand], prove: Any) -> None:
    prove.by_hand(*pair)


GOLDEN = (
    Golden("torch", "sgd_l2", "momentum+l2", {"learning_rate": 0.05, "l2_strength": 0.01}),
    Golden(
        "more",
        "clip_norm",
        "sgd+clip_norm",
        {"learning_rate": 0.05, "clip_norm_limit": 1.5, "clip_norm_epsilon": 1e-6},
    ),
    Golden(
        "more",
        "adaptive_clipping",
        "sgd+agc",
        {"learning_rate": 0.05, "agc_limit": 0.2, "agc_epsilon": 0.01},
        {"agc_outputs": "first"},
    ),
    Golden(
        "more",
        "gradient_centralisation",
        "sgd+centralize",
        {"learning_rate": 0.05},
        {"centralize_outputs": "first"},
    ),
    Golden(
        "more",
        "grokfast_ema",
        "sgd+grokfast",
        {"learning_rate": 0.02, "grokfast_decay": 0.9, "grokfast_factor": 2.0},
    ),
    # The peer divides the learning rate by 1 + λ, and takes ε for a lower bound.
    Golden(
        "more",
        "grokfast_adamw",
        "adam+grokfast+weight_decay",
        {
            "learning_rate": 0.02 / 3,
            "beta_2": 0.99,
            "epsilon": 0.0,
            "weight_decay_strength": 0.01,
        },
    ),
    Golden("more", "sam", "sgd+sam", {"learning_rate": 0.05, "sam_radius": 0.3}),
    Golden(
        "more",
        "sam_adaptive",
        "sgd+sam",
        {"learning_rate": 0.05, "sam_radius": 0.3},
        {"sam_adaptive": True},
    ),
)


@pytest.mark.parametrize("golden", GOLDEN, ids=str)
def test_follows_the_record(golden: Golden, prove: Any) -> None:
    prove.follows(golden)
