"""Wrappers of steps and averages: their equations by hand, and what torch makes of the same."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from fallline import optimizers
from proving import Arrays, Golden, Hand, Rule, Step

Settings = dict[str, Any]
Inside = Callable[[Step], Arrays]


def sgd(at: Step) -> Arrays:
    return {n: at.x[n] - at.h["learning_rate"] * at.g[n] for n in at.x}


def adam(at: Step) -> Arrays:
    """Kingma & Ba 2015, algorithm 1; it counts its own steps, so that it can begin anew."""
    h, s = at.h, at.s.setdefault("adam", {})
    t = s["t"] = s.get("t", 0) + 1
    after = {}
    for n, g in at.g.items():
        m, v = s.get(n, (0.0, 0.0))
        m = h["beta_1"] * m + (1 - h["beta_1"]) * g
        v = h["beta_2"] * v + (1 - h["beta_2"]) * g**2
        s[n] = (m, v)
        root = np.sqrt(v / (1 - h["beta_2"] ** t)) + h["epsilon"]
        after[n] = at.x[n] - h["learning_rate"] * m / (1 - h["beta_1"] ** t) / root
    return after


def lookahead(inside: Inside) -> Rule:
    """Zhang et al. 2019, algorithm 1."""

    def rule(at: Step) -> Arrays:
        slow = at.s.setdefault("slow", at.problem.start)
        fast = inside(at)
        if at.t % at.h["lookahead_steps"]:
            return fast
        a = at.h["lookahead_step_size"]
        at.s["slow"] = {n: slow[n] + a * (fast[n] - slow[n]) for n in fast}
        if at.h["lookahead_inside"] == "reset":
            at.s.pop("adam", None)
        return at.s["slow"]

    return rule


def slow(x: Arrays, s: Settings, h: Settings) -> Arrays:
    return s["slow"]


def decaying(inside: Inside, share: Callable[[Step], float] = lambda at: 1.0) -> Rule:
    """AdamW as torch has it, or as the paper: then η is the schedule's share."""

    def rule(at: Step) -> Arrays:
        h = at.h
        scale = share(at)
        if h["weight_decay_scaled_by"] == "learning_rate":
            scale *= h["learning_rate"]
        after = inside(at)
        return {
            n: after[n] - scale * h["weight_decay_strength"] * at.x[n]
            if h["weight_decay_biases"] or at.x[n].ndim > 1
            else after[n]
            for n in after
        }

    return rule


def half_cosine(at: Step) -> float:
    return (1 + math.cos(math.pi * (at.t - 1) / at.total_steps)) / 2


def with_cosine(inside: Inside) -> Inside:
    """A step whose learning rate alone is scheduled."""

    def rule(at: Step) -> Arrays:
        after = inside(at)
        return {n: at.x[n] + half_cosine(at) * (after[n] - at.x[n]) for n in after}

    return rule


def remembering(inside: Inside) -> Rule:
    """Steps as they are; all parameters after them are kept."""

    def rule(at: Step) -> Arrays:
        after = inside(at)
        at.s.setdefault("path", []).append(after)
        at.s["total_steps"] = at.total_steps
        return after

    return rule


def exponential_average(x: Arrays, s: Settings, h: Settings) -> Arrays:
    """Kingma & Ba 2015, section 7.2, as a weighted mean of the whole path."""
    b, path = h["ema_decay"], s["path"]
    weights = [b ** (len(path) - 1 - k) for k in range(len(path))]
    return {n: sum(w * p[n] for w, p in zip(weights, path, strict=True)) / sum(weights) for n in x}


def uniform_average(x: Arrays, s: Settings, h: Settings) -> Arrays:
    late = [
        p
        for t, p in enumerate(s["path"], start=1)
        if t > h["polyak_average_start"] * s["total_steps"]
    ]
    return {n: sum(p[n] for p in late) / len(late) for n in x} if late else x


def cautious(inside: Inside) -> Rule:
    """Liang et al. 2024, algorithm 1 and the authors' code."""

    def rule(at: Step) -> Arrays:
        after = {}
        for n, there in inside(at).items():
            down = at.x[n] - there
            mask = (down * at.g[n] > 0).astype(float)
            if at.h["cautious_rescaled"] == "mean":
                mask /= max(mask.mean(), 1e-3)
            else:
                mask *= mask.size / (mask.sum() + 1)
            after[n] = at.x[n] - down * mask
        return after

    return rule


RATE = {"learning_rate": 0.1}
LOOKAHEAD = {**RATE, "lookahead_step_size": 0.3}
SCHEDULED = {"learning_rate": 0.1, "weight_decay_strength": 0.2}
HAND = [
    (
        "sgd+lookahead",
        Hand(lookahead(sgd), LOOKAHEAD, {"lookahead_steps": 3}, steps=8, evaluated=slow),
    ),
    *(
        (
            "adam+lookahead",
            Hand(
                lookahead(adam),
                LOOKAHEAD,
                {"lookahead_steps": 2, "lookahead_inside": inside},
                steps=7,
                evaluated=slow,
            ),
        )
        for inside in ("kept", "reset")
    ),
    *(
        (
            "adam+weight_decay",
            Hand(
                decaying(adam),
                {**RATE, "weight_decay_strength": 0.3},
                {"weight_decay_scaled_by": scaled, "weight_decay_biases": biases},
            ),
        )
        for scaled in ("learning_rate", "schedule")
        for biases in (True, False)
    ),
    ("sgd+weight_decay", Hand(decaying(sgd), {**RATE, "weight_decay_strength": 0.3})),
    *(
        (
            "adam+weight_decay+cosine",
            Hand(
                decaying(with_cosine(adam), half_cosine),
                SCHEDULED,
                {"weight_decay_scaled_by": scaled},
                steps=6,
            ),
        )
        for scaled in ("learning_rate", "schedule")
    ),
    (
        "adam+cosine+weight_decay",
        Hand(decaying(with_cosine(adam)), SCHEDULED, steps=6),
    ),
    (
        "sgd+ema",
        Hand(remembering(sgd), {**RATE, "ema_decay": 0.8}, steps=6, evaluated=exponential_average),
    ),
    (
        "adam+ema",
        Hand(
            remembering(adam), {**RATE, "ema_decay": 0.95}, steps=6, evaluated=exponential_average
        ),
    ),
    *(
        (
            f"{name}+polyak_average",
            Hand(
                remembering(inside),
                {**RATE, "polyak_average_start": start},
                steps=10,
                evaluated=uniform_average,
            ),
        )
        for name, inside in (("sgd", sgd), ("adam", adam))
        for start in (0.0, 0.4, 0.75)
    ),
    # Whatever changes the steps behind it, the average is of what was trained.
    (
        "sgd+ema+lookahead",
        Hand(
            remembering(lookahead(sgd)),
            {**LOOKAHEAD, "ema_decay": 0.7},
            {"lookahead_steps": 2},
            steps=6,
            evaluated=slow,
        ),
    ),
    (
        "sgd+lookahead+ema",
        Hand(
            remembering(lookahead(sgd)),
            {**LOOKAHEAD, "ema_decay": 0.7},
            {"lookahead_steps": 2},
            steps=6,
            evaluated=exponential_average,
        ),
    ),
    (
        "adam+ema+cautious",
        Hand(
            remembering(cautious(adam)),
            {"learning_rate": 0.6, "ema_decay": 0.7},
            steps=8,
            evaluated=exponential_average,
        ),
    ),
    *(
        (
            "adam+cautious",
            Hand(
                cautious(adam),
                {"learning_rate": 0.6},
                {"cautious_rescaled": rescaled},
                steps=8,
            ),
        )
        for rescaled in ("mean", "count")
    ),
]


def called(pair: tuple[str, Hand]) -> str:
    return "-".join([pair[0], *map(str, pair[1].options.values())])


@pytest.mark.parametrize("pair", HAND, ids=called)
def test_follows_its_equation_by_hand(pair: tuple[str, Hand], prove: Any) -> None:
    prove.by_hand(*pair)


GOLDEN = (
    Golden(
        "more",
        "lookahead",
        "sgd+lookahead",
        {"learning_rate": 0.1, "lookahead_step_size": 0.4},
        {"lookahead_steps": 3},
    ),
    Golden(
        "more",
        "cautious_adamw",
        "adam+cautious+weight_decay",
        {"learning_rate": 0.02, "weight_decay_strength": 0.1},
        {"cautious_rescaled": "count"},
    ),
    Golden(
        "torch",
        "adamw",
        "adam+weight_decay",
        {"learning_rate": 0.05, "weight_decay_strength": 0.01},
    ),
)


@pytest.mark.parametrize("golden", GOLDEN, ids=str)
def test_follows_the_record(golden: Golden, prove: Any) -> None:
    prove.follows(golden)


# --- against Optax


def bowl(x: jax.Array) -> jax.Array:
    return jnp.sum(jnp.arange(1.0, 4.0) * x**2) / 2


def test_lookahead_agrees_with_optax(x64: None) -> None:
    peer = optax.lookahead(optax.adam(0.1), sync_period=3, slow_step_size=0.4)
    entry = optimizers.get("adam+lookahead")
    settings = {"learning_rate": 0.1, "lookahead_step_size": 0.4}
    rule = entry.transformation(settings, lookahead_steps=3)
    x = jnp.asarray([1.0, -2.0, 0.5])
    pair = optax.LookaheadParams.init_synced(x)
    held, state = peer.init(pair), rule.init(x)
    for _ in range(8):
        theirs, held = peer.update(jax.grad(bowl)(pair.fast), held, pair)
        pair = optax.apply_updates(pair, theirs)
        ours, state = rule.update(jax.grad(bowl)(x), state, x)
        x = x + ours
        judged = entry.evaluation_params(settings, x, state, lookahead_steps=3)
        np.testing.assert_allclose(x, pair.fast, rtol=1e-12)
        np.testing.assert_allclose(judged, pair.slow, rtol=1e-12)


def test_the_exponential_average_is_that_of_optax(x64: None) -> None:
    peer = optax.ema(0.9, debias=True)
    entry = optimizers.get("sgd+ema")
    settings = {"learning_rate": 0.1, "ema_decay": 0.9}
    rule = entry.transformation(settings)
    x = jnp.asarray([1.0, -2.0, 0.5])
    held, state = peer.init(x), rule.init(x)
    for _ in range(5):
        updates, state = rule.update(jax.grad(bowl)(x), state, x)
        x = x + updates
        expected, held = peer.update(x, held)
        np.testing.assert_allclose(
            entry.evaluation_params(settings, x, state), expected, rtol=1e-12
        )


# --- traps


@pytest.mark.parametrize("name", ["ema", "polyak_average", "lookahead"])
def test_before_the_first_step_the_initial_parameters_are_judged(name: str) -> None:
    entry = optimizers.get(f"adam+{name}")
    params = {"W": jnp.full((2, 3), 0.7), "b": jnp.zeros(())}
    state = entry.transformation({}).init(params)
    judged = entry.evaluation_params({}, params, state)
    for key in params:
        np.testing.assert_array_equal(judged[key], params[key])


def test_averages_are_right_inside_of_accumulate() -> None:
    entry = optimizers.get("sgd+ema+accumulate")
    settings = {"learning_rate": 0.5, "ema_decay": 0.5}
    rule = entry.transformation(settings, accumulate_batches=2)
    x = jnp.asarray(8.0)
    state = rule.init(x)
    judged = []
    for _ in range(5):
        updates, state = rule.update(x, state, x)
        x = x + updates
        judged.append(float(entry.evaluation_params(settings, x, state, accumulate_batches=2)))
    second = (0.5 * 4 + 2) / 1.5
    np.testing.assert_allclose(judged, [8, 4, 4, second, second], rtol=1e-6)


def test_adam_with_weight_decay_is_adamw() -> None:
    settings = {"learning_rate": 0.1}
    ours = optimizers.get("adam+weight_decay").transformation(
        {**settings, "weight_decay_strength": 0.3}
    )
    theirs = optimizers.get("adamw").transformation({**settings, "weight_decay": 0.3})
    params = {"W": jnp.arange(6.0).reshape(2, 3) + 1, "b": jnp.ones(3)}
    one, _ = ours.update(params, ours.init(params), params)
    other, _ = theirs.update(params, theirs.init(params), params)
    for key in params:
        np.testing.assert_allclose(one[key], other[key], rtol=1e-6)


def test_caution_compares_signs_even_where_products_underflow() -> None:
    rule = optimizers.get("sgd+cautious").transformation({"learning_rate": 1.0})
    grads = jnp.asarray([1e-30, -1e-30], jnp.float32)
    updates, _ = rule.update(grads, rule.init(grads), grads)
    np.testing.assert_allclose(updates, -grads, rtol=1e-6)
    assert not np.any(np.isnan(rule.update(jnp.zeros(0), rule.init(grads), jnp.zeros(0))[0]))
