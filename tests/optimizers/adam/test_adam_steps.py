"""Adam's kin with another length of the step, by hand and against other frameworks."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from fallline import optimizers
from proving import Arrays, Golden, Hand, Problem, Step, flat, leafwise


def moments(g: np.ndarray, s: dict[str, Any], h: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Adam's averages after ``g``."""
    s["m"] = h["beta_1"] * s.get("m", 0.0) + (1 - h["beta_1"]) * g
    s["v"] = h["beta_2"] * s.get("v", 0.0) + (1 - h["beta_2"]) * g**2
    return s["m"], s["v"]


def corrected(g: np.ndarray, s: dict[str, Any], t: int, h: dict[str, Any]) -> Any:
    """Adam's averages after ``g``, their bias taken away."""
    m, v = moments(g, s, h)
    return m / (1 - h["beta_1"] ** t), v / (1 - h["beta_2"] ** t)


def rectified(g: np.ndarray, s: dict[str, Any], t: int, h: dict[str, Any]) -> np.ndarray:
    """RAdam's direction."""
    m, v = moments(g, s, h)
    b2 = h["beta_2"]
    limit = 2 / (1 - b2) - 1
    rho = limit - 2 * t * b2**t / (1 - b2**t)
    m_hat = m / (1 - h["beta_1"] ** t)
    if rho <= h["threshold"]:
        return m_hat
    r = np.sqrt((rho - 4) * (rho - 2) * limit / ((limit - 4) * (limit - 2) * rho))
    if h.get("epsilon_place") == "outside":
        return r * m_hat / (np.sqrt(v / (1 - b2**t)) + h["epsilon"])
    return r * m_hat * np.sqrt(1 - b2**t) / (np.sqrt(v) + h["epsilon"])


@leafwise
def radam(x: Any, g: Any, s: Any, t: int, h: Any) -> np.ndarray:
    if h["decay"] == "coupled":
        g = g + h["weight_decay"] * x
    pull = h["weight_decay"] * x if h["decay"] == "decoupled" else 0.0
    return x - h["learning_rate"] * (rectified(g, s, t, h) + pull)


@leafwise
def amsbound(x: Any, g: Any, s: Any, t: int, h: Any) -> np.ndarray:
    m, v = moments(g, s, h)
    s["n"] = np.maximum(s.get("n", 0.0), v)
    lower = h["final_lr"] * (1 - 1 / (h["gamma"] * t + 1))
    upper = h["final_lr"] * (1 + 1 / (h["gamma"] * t))
    rate = h["learning_rate"] * np.sqrt(1 - h["beta_2"] ** t) / (1 - h["beta_1"] ** t)
    return x - np.clip(rate / (np.sqrt(s["n"]) + h["epsilon"]), lower, upper) * m


@leafwise
def padam(x: Any, g: Any, s: Any, t: int, h: Any) -> np.ndarray:
    m, v = moments(g, s, h)
    s["n"] = np.maximum(s.get("n", 0.0), v) if h["amsgrad"] else v
    rate = h["learning_rate"] * np.sqrt(1 - h["beta_2"] ** t) / (1 - h["beta_1"] ** t)
    return x - rate * m / (np.sqrt(s["n"]) + h["epsilon"]) ** (2 * h["partial"])


def swats(step: Step) -> Arrays:
    """Algorithm 1 of the paper: all parameters are one vector."""
    g, x, s, t, h = flat(step.g), flat(step.x), step.s, step.t, step.h
    if "rate" in s:
        s["b"] = h["beta_1"] * s["b"] + g
        x = x - (1 - h["beta_1"]) * s["rate"] * s["b"]
    else:
        m, v = moments(g, s, h)
        rate = h["learning_rate"] * np.sqrt(1 - h["beta_2"] ** t) / (1 - h["beta_1"] ** t)
        p = -rate * m / (np.sqrt(v) + h["epsilon"])
        x = x + p
        if p @ g != 0:
            estimate = (p @ p) / -(p @ g)
            s["l"] = h["beta_2"] * s.get("l", 0.0) + (1 - h["beta_2"]) * estimate
            settled = s["l"] / (1 - h["beta_2"] ** t)
            if t > 1 and settled > 0 and abs(settled - estimate) < h["tolerance"]:
                s["rate"], s["b"], s["at"] = settled, 0.0, t
    s["switched"] = "rate" in s
    return {"W": x[:12].reshape(4, 3), "b": x[12:]}


@leafwise
def adamod(x: Any, g: Any, s: Any, t: int, h: Any) -> np.ndarray:
    m, v = moments(g, s, h)
    rate = h["learning_rate"] * np.sqrt(1 - h["beta_2"] ** t) / (1 - h["beta_1"] ** t)
    length = rate / (np.sqrt(v) + h["epsilon"])
    s["s"] = h["beta_3"] * s.get("s", 0.0) + (1 - h["beta_3"]) * length
    return x - np.minimum(length, s["s"]) * m


@leafwise
def diffgrad(x: Any, g: Any, s: Any, t: int, h: Any) -> np.ndarray:
    m, v = moments(g, s, h)
    friction = 1 / (1 + np.exp(-np.abs(s.get("g", 0.0) - g)))
    s["g"] = g
    rate = h["learning_rate"] * np.sqrt(1 - h["beta_2"] ** t) / (1 - h["beta_1"] ** t)
    return x - rate * friction * m / (np.sqrt(v) + h["epsilon"])


@leafwise
def adashift(x: Any, g: Any, s: Any, t: int, h: Any) -> np.ndarray:
    n = h["history"]
    past = s.setdefault("past", [])
    past.append(g)
    if t <= n:
        return x
    old = past[-1 - n] ** 2
    reduced = {"max": np.max, "mean": np.mean, "none": lambda squares: squares}
    v = s["v"] = h["beta_2"] * s.get("v", 0.0) + (1 - h["beta_2"]) * reduced[h["reduction"]](old)
    shares = [h["beta_1"] ** i for i in range(n)]
    m = sum(share * past[-1 - i] for i, share in enumerate(shares)) / sum(shares)
    v_hat = v / (1 - h["beta_2"] ** (t - n))
    return x - h["learning_rate"] * m / (np.sqrt(v_hat) + h["epsilon"])


@leafwise
def adanorm(x: Any, g: Any, s: Any, t: int, h: Any) -> np.ndarray:
    size = np.linalg.norm(g)
    s["e"] = h["gamma"] * s.get("e", 0.0) + (1 - h["gamma"]) * size
    s["short"] = s.get("short", False) or bool(s["e"] > size)
    v = h["beta_2"] * s.get("v", 0.0) + (1 - h["beta_2"]) * g**2
    m, _ = moments(g * s["e"] / size if s["e"] > size else g, s, h)
    s["v"] = v
    b1, b2 = 1 - h["beta_1"] ** t, 1 - h["beta_2"] ** t
    if h["epsilon_place"] == "outside":
        step = m / b1 / (np.sqrt(v / b2) + h["epsilon"])
    else:
        step = m / b1 * np.sqrt(b2) / (np.sqrt(v) + h["epsilon"])
    return x - h["learning_rate"] * (step + h["weight_decay"] * x)


@leafwise
def stableadamw(x: Any, g: Any, s: Any, t: int, h: Any) -> np.ndarray:
    """Algorithm 2 of the paper, whose averages have another β in each step."""
    b1, b2 = (b * (1 - b ** (t - 1)) / (1 - b**t) for b in (h["beta_1"], h["beta_2"]))
    v = s["v"] = b1 * s.get("v", 0.0) + (1 - b1) * g
    u = s["u"] = b2 * s.get("u", 0.0) + (1 - b2) * g**2
    rms = np.sqrt(np.mean(g**2 / np.maximum(u, h["epsilon"] ** 2)))
    rate = h["learning_rate"] / max(1.0, rms)
    return x - rate * h["weight_decay"] * x - rate * v / (np.sqrt(u) + h["epsilon"])


@leafwise
def adamaxw(x: Any, g: Any, s: Any, t: int, h: Any) -> np.ndarray:
    m = s["m"] = h["beta_1"] * s.get("m", 0.0) + (1 - h["beta_1"]) * g
    inside = h["epsilon"] if h["epsilon_place"] == "inside" else 0.0
    u = s["u"] = np.maximum(h["beta_2"] * s.get("u", 0.0), np.abs(g) + inside)
    step = m / (1 - h["beta_1"] ** t) / (u + h["epsilon"] - inside)
    return x - h["learning_rate"] * (step + h["weight_decay"] * x)


@leafwise
def cautious_adamw(x: Any, g: Any, s: Any, t: int, h: Any) -> np.ndarray:
    m_hat, v_hat = corrected(g, s, t, h)
    u = m_hat / (np.sqrt(v_hat) + h["epsilon"])
    agrees = (u * g > 0).astype(float)
    s["against"] = s.get("against", 0) + np.sum(agrees == 0)
    if h["scaling"] == "count":
        agrees *= agrees.size / (agrees.sum() + 1)
    else:
        agrees /= max(agrees.mean(), 1e-3)
    return x - h["learning_rate"] * (u * agrees + h["weight_decay"] * x)


@leafwise
def grams(x: Any, g: Any, s: Any, t: int, h: Any) -> np.ndarray:
    m_hat, v_hat = corrected(g, s, t, h)
    size = m_hat / (np.sqrt(v_hat) + h["epsilon"])
    return x - h["learning_rate"] * (np.sign(g) * np.abs(size) + h["weight_decay"] * x)


@leafwise
def ranger(x: Any, g: Any, s: Any, t: int, h: Any) -> np.ndarray:
    slow = s.setdefault("slow", x)
    if g.ndim > 1 and h["centred"] == "all":
        g = g - g.mean(axis=0 if h["outputs"] == "last" else 1, keepdims=True)
    x = x - h["learning_rate"] * rectified(g, s, t, h)
    if t % h["period"] == 0:
        s["slow"] = x = slow + h["slow_step"] * (x - slow)
    return x


@leafwise
def adamg(x: Any, g: Any, s: Any, t: int, h: Any) -> np.ndarray:
    v = s["v"] = h["beta_2"] * s.get("v", 0.0) + (1 - h["beta_2"]) * g**2
    golden = h["scale"] * v ** h["exponent"]
    r = s["r"] = h["beta_3"] * s.get("r", 0.0) + (1 - h["beta_3"]) * golden
    m = s["m"] = h["beta_1"] * s.get("m", 0.0) + (1 - h["beta_1"]) * r * g
    m_hat, v_hat = m / (1 - h["beta_1"] ** t), v / (1 - h["beta_2"] ** t)
    return x - min(h["learning_rate"], 1 / np.sqrt(t)) * m_hat / (np.sqrt(v_hat) + h["epsilon"])


BETAS = {"beta_1": 0.8, "beta_2": 0.95}
ADAM = {"learning_rate": 0.1, **BETAS, "epsilon": 1e-3}
DECAYED = {**ADAM, "weight_decay": 0.3}
FAST = {**DECAYED, "learning_rate": 0.5}
ADAMG = {"beta_3": 0.7, "scale": 0.5, "exponent": 0.4}
RANGER = {**ADAM, "threshold": 4.5, "slow_step": 0.3}

HAND = [
    ("radam", Hand(radam, {**ADAM, "threshold": 4.5}, steps=10)),
    ("radam", Hand(radam, ADAM, {"epsilon_place": "outside"}, steps=10)),
    ("radam", Hand(radam, DECAYED, {"decay": "coupled"}, steps=10)),
    ("radam", Hand(radam, DECAYED, {"decay": "decoupled"}, steps=10)),
    ("amsbound", Hand(amsbound, {**ADAM, "final_lr": 0.05, "gamma": 0.2}, steps=6)),
    ("amsbound", Hand(amsbound, {**ADAM, "final_lr": 0.5, "gamma": 1.5}, steps=6)),
    ("padam", Hand(padam, {**ADAM, "partial": 0.3}, steps=6)),
    ("padam", Hand(padam, {**ADAM, "partial": 0.3}, {"amsgrad": False}, steps=6)),
    ("swats", Hand(swats, ADAM, steps=6)),
    ("swats", Hand(swats, {**ADAM, "tolerance": 5e-3}, steps=12)),
    ("adamod", Hand(adamod, {**ADAM, "beta_3": 0.6}, steps=6)),
    ("diffgrad", Hand(diffgrad, ADAM, steps=4)),
    ("adashift", Hand(adashift, ADAM, steps=14)),
    ("adashift", Hand(adashift, ADAM, {"history": 3, "reduction": "mean"}, steps=8)),
    ("adashift", Hand(adashift, ADAM, {"history": 1, "reduction": "none"}, steps=6)),
    ("adanorm", Hand(adanorm, {**DECAYED, "gamma": 0.7}, steps=20)),
    ("adanorm", Hand(adanorm, DECAYED, {"epsilon_place": "uncorrected"}, steps=20)),
    ("stableadamw", Hand(stableadamw, {**DECAYED, "epsilon": 0.3}, steps=6)),
    ("stableadamw", Hand(stableadamw, {**DECAYED, "learning_rate": 0.8}, steps=6)),
    ("adamaxw", Hand(adamaxw, DECAYED, steps=4)),
    ("adamaxw", Hand(adamaxw, DECAYED, {"epsilon_place": "outside"}, steps=4)),
    ("cautious_adamw", Hand(cautious_adamw, FAST, steps=8)),
    ("cautious_adamw", Hand(cautious_adamw, FAST, {"scaling": "count"}, steps=8)),
    ("grams", Hand(grams, DECAYED, steps=4)),
    ("ranger", Hand(ranger, RANGER, steps=13)),
    ("ranger", Hand(ranger, RANGER, {"centred": "all"}, steps=13)),
    ("ranger", Hand(ranger, RANGER, {"centred": "all", "outputs": "first", "period": 4}, steps=9)),
    ("ranger", Hand(ranger, RANGER, {"centred": "none", "period": 1}, steps=8)),
    ("adamg", Hand(adamg, {**ADAM, **ADAMG, "learning_rate": 1.0}, steps=4)),
    ("adamg", Hand(adamg, {**ADAM, **ADAMG, "learning_rate": 0.6}, steps=4)),
]  # fmt: skip


def _named(name: str, hand: Hand) -> str:
    chosen = {**hand.settings, **hand.options}
    return "-".join([name, *(f"{key}={value}" for key, value in chosen.items())])


@pytest.mark.parametrize(("name", "hand"), HAND, ids=[_named(*each) for each in HAND])
def test_follows_its_equation_by_hand(name: str, hand: Hand, prove: Any) -> None:
    prove.by_hand(name, hand)


GOLDEN = (
    Golden("torch", "radam", "radam", {"learning_rate": 0.05}),
    Golden(
        "more",
        "radamw",
        "radam",
        {"learning_rate": 0.05, "weight_decay": 0.1},
        {"decay": "decoupled"},
    ),
    Golden("torch", "padam", "padam", {"learning_rate": 0.02}, {"amsgrad": False}),
    Golden("torch", "swats", "swats", {"learning_rate": 0.02, "epsilon": 1e-6}),
    Golden(
        "torch", "adamod", "adamod", {"learning_rate": 0.05, "beta_2": 0.99, "beta_3": 0.9999}
    ),
    Golden("torch", "diffgrad", "diffgrad", {"learning_rate": 0.05}),
    Golden(
        "more", "amsbound", "amsbound", {"learning_rate": 0.01, "final_lr": 0.05, "gamma": 0.01}
    ),
    Golden(
        "more",
        "adashift",
        "adashift",
        {"learning_rate": 0.1, "beta_1": 0.8, "beta_2": 0.99, "epsilon": 1e-3},
        {"history": 4},
    ),
    Golden("more", "adashift_mean", "adashift", {"learning_rate": 0.05}, {"reduction": "mean"}),
    Golden(
        "more",
        "adashift_elementwise",
        "adashift",
        {"learning_rate": 0.05},
        {"history": 3, "reduction": "none"},
    ),
    Golden(
        "more",
        "adanorm",
        "adanorm",
        {"learning_rate": 0.1, "beta_2": 0.99, "gamma": 0.9, "weight_decay": 0.01},
        {"epsilon_place": "uncorrected"},
    ),
    Golden("more", "stableadamw", "stableadamw", {"learning_rate": 0.02}),
    Golden(
        "more",
        "cautious_adamw",
        "cautious_adamw",
        {"learning_rate": 0.02, "weight_decay": 0.1},
        {"scaling": "count"},
    ),
    Golden(
        "more",
        "grams",
        "grams",
        {"learning_rate": 0.02, "beta_1": 0.8, "beta_2": 0.99, "weight_decay": 0.01},
    ),
    Golden(
        "more",
        "ranger",
        "ranger",
        {"learning_rate": 0.05},
        {"period": 3, "centred": "all", "outputs": "first"},
    ),
    Golden("more", "adamg", "adamg"),
)  # fmt: skip


@pytest.mark.parametrize("golden", GOLDEN, ids=str)
def test_follows_other_frameworks(golden: Golden, prove: Any) -> None:
    prove.follows(golden)


# --- Optax, step by step


@pytest.mark.parametrize(
    ("name", "peer", "settings", "options"),
    [
        (
            "radam",
            optax.radam(0.1, 0.8, 0.95, 1e-3),
            ADAM,
            {"epsilon_place": "outside"},
        ),
        ("adamaxw", optax.adamaxw(0.1, 0.8, 0.95, 1e-3, 0.3), DECAYED, {}),
    ],
    ids=["radam", "adamaxw"],
)
def test_is_what_optax_has(
    name: str, peer: Any, settings: dict[str, float], options: dict[str, Any], x64: None
) -> None:
    problem = Problem.drawn()
    ours = optimizers.get(name).transformation(settings, **options)

    def walked(rule: Any) -> np.ndarray:
        params = jax.tree.map(jnp.asarray, problem.start)
        state = rule.init(params)
        for _ in range(20):
            grads = problem.gradient({key: np.asarray(each) for key, each in params.items()})
            updates, state = rule.update(jax.tree.map(jnp.asarray, grads), state, params)
            params = optax.apply_updates(params, updates)
        return flat(params)

    np.testing.assert_allclose(walked(ours), walked(peer), rtol=0, atol=1e-11)


def test_swats_switches_within_the_hands() -> None:
    problem = Problem.drawn()
    x, memory, when = problem.start, {}, []
    known = {**optimizers.get("swats").complete({**ADAM, "tolerance": 5e-3})}
    for t in range(1, 13):
        step = Step(x, problem.gradient(x), memory, t, known, problem, jax.random.key(0), 12)
        x = swats(step)
        when.append(memory["switched"])
    assert when[0] is False
    assert when[-3:] == [True, True, True]
