"""Steps measured by the size of each layer: by their papers' equations, and against peers."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from fallline import optimizers
from proving import Golden, Hand, leafwise

norm = np.linalg.norm


@leafwise
def lars(x, g, s, t, h):
    """You et al. 2017, algorithm 1, with the local rate of equation 6."""
    lam = h["weight_decay"]
    before = s.get("v", g if h["velocity_start"] == "gradient" else 0 * g)
    if x.ndim == 1 and h["layers"] == "matrices":
        pushed = g
    else:
        below = {
            "sum": norm(g) + lam * norm(x),
            "gradient": norm(g),
            "decayed": norm(g + lam * x),
        }[h["denominator"]]
        pushed = h["trust_coefficient"] * norm(x) / below * (g + lam * x)
    s["v"] = h["momentum"] * before + pushed
    step = pushed + h["momentum"] * s["v"] if h["nesterov"] else s["v"]
    return x - h["learning_rate"] * step


@leafwise
def lamb(x, g, s, t, h):
    """You et al. 2020, algorithm 2; with what its earlier version and the peers have instead."""
    b1, b2, lam = h["beta_1"], h["beta_2"], h["weight_decay"]
    s["m"] = b1 * s.get("m", 0) + (1 - b1) * g
    s["v"] = b2 * s.get("v", 0) + (1 - b2) * g**2
    m, v, rate, beside = s["m"], s["v"], h["learning_rate"], 0.0
    if h["correction"] == "averages":
        m, v = m / (1 - b1**t), v / (1 - b2**t)
    if h["correction"] == "first":
        rate, beside = rate / (1 - b1**t), h["epsilon"]
    if h["correction"] == "step":
        rate *= np.sqrt(1 - b2**t) / (1 - b1**t)
    d = m / (np.sqrt(v) + h["epsilon"])
    if h["decay_place"] == "inside":
        d = d + lam * x
    else:
        x = x * (1 - h["learning_rate"] * lam)
    size = min(norm(x), h["norm_limit"]) if h["norm"] == "limited" else norm(x)
    return x - rate * size / (norm(d) + beside) * d


@leafwise
def fromage(x, g, s, t, h):
    """Bernstein et al. 2020, algorithm 1, with the bound of their code."""
    first = s.setdefault("first", norm(x))
    size, below = norm(x), norm(g)
    if h["at_zero"] == "floor":
        size, below = max(size, h["min_norm"]), max(below, h["min_norm"])
    x = (x - h["learning_rate"] * size / below * g) / np.sqrt(1 + h["learning_rate"] ** 2)
    if h["bounded"] and norm(x) > h["norm_bound"] * first:
        x = x * h["norm_bound"] * first / norm(x)
    return x


@leafwise
def novograd(x, g, s, t, h):
    """Ginsburg et al. 2019, algorithm 1; ``corrected`` as pytorch_optimizer has it."""
    b1, b2 = h["beta_1"], h["beta_2"]
    square = np.sum(g**2)
    s["s"] = square if t == 1 else b2 * s["s"] + (1 - b2) * square
    pushed = g / (np.sqrt(s["s"]) + h["epsilon"]) + h["weight_decay"] * x
    taken = (1 - b1) * pushed if h["averaging"] else pushed
    rate = h["learning_rate"]
    if h["form"] == "corrected":
        s.setdefault("m", pushed)
        rate *= np.sqrt(1 - b2**t) / (1 - b1**t)
    s["m"] = b1 * s.get("m", 0) + taken
    return x - rate * s["m"]


def projected(x, g, d, h):
    """Heo et al. 2021, equation 12: the step, and the share of the decay."""
    if x.ndim == 1:
        return d, 1.0
    units = x.shape[1] if h["channels"] == "last" else x.shape[0]
    for count in (units, 1):
        # Columns are units, or all weights are one.
        if count == 1:
            columns = [a.reshape(-1, 1) for a in (x, g, d)]
        else:
            columns = [a if h["channels"] == "last" else a.T for a in (x, g, d)]
        xs, gs, ds = columns
        sizes = np.sqrt(np.sum(xs**2, axis=0))
        cosines = np.sum(xs * gs, axis=0) / sizes / np.sqrt(np.sum(gs**2, axis=0))
        if np.max(np.abs(cosines)) < h["delta"] / np.sqrt(len(xs)):
            unit = xs / (sizes + h["epsilon"])
            ds = ds - unit * np.sum(unit * ds, axis=0)
            back = ds.T if count > 1 and h["channels"] == "first" else ds
            return back.reshape(x.shape), h["wd_ratio"]
    return d, 1.0


def adamp(x, g, s, t, h):
    """Heo et al. 2021, algorithm 2 of the appendix, with Adam's correction as in its code."""
    b1, b2 = h["beta_1"], h["beta_2"]
    s["m"] = b1 * s.get("m", 0) + (1 - b1) * g
    s["v"] = b2 * s.get("v", 0) + (1 - b2) * g**2
    m = b1 * s["m"] + (1 - b1) * g if h["nesterov"] else s["m"]
    d = m / (1 - b1**t) / (np.sqrt(s["v"] / (1 - b2**t)) + h["epsilon"])
    d, part = projected(x, g, d, h)
    return x - h["learning_rate"] * (d + h["weight_decay"] * part * x)


def sgdp(x, g, s, t, h):
    """Heo et al. 2021, algorithm 1 of the appendix."""
    s["v"] = h["momentum"] * s.get("v", 0) + g
    d = g + h["momentum"] * s["v"] if h["nesterov"] else s["v"]
    d, part = projected(x, g, d, h)
    if h["velocity"] == "projected" and not h["nesterov"]:
        s["v"] = d
    decay = h["weight_decay"] * part / (1 - h["momentum"])
    return x - h["learning_rate"] * (d + decay * x)


LARS = {"learning_rate": 0.7, "momentum": 0.8, "trust_coefficient": 0.2, "weight_decay": 0.3}
ADAM = {"learning_rate": 0.1, "beta_1": 0.8, "beta_2": 0.95, "epsilon": 1e-3, "weight_decay": 0.2}
FREE = {"delta": 1.2, "wd_ratio": 0.4}
UNITS = {"delta": 2.0, "wd_ratio": 0.4}
SGDP = {"learning_rate": 0.1, "momentum": 0.8, "epsilon": 1e-3, "weight_decay": 0.2}
HAND = {
    "lars": ("lars", Hand(lars, LARS)),
    "lars, all": ("lars", Hand(lars, LARS, {"layers": "all"})),
    "lars, Nesterov": ("lars", Hand(lars, LARS, {"nesterov": True})),
    "lars, over the gradient": (
        "lars",
        Hand(lars, LARS, {"denominator": "gradient", "velocity_start": "gradient"}),
    ),
    "lars, over what decays": ("lars", Hand(lars, LARS, {"denominator": "decayed"})),
    "lamb": ("lamb", Hand(lamb, ADAM)),
    "lamb, decay outside": ("lamb", Hand(lamb, ADAM, {"decay_place": "outside"})),
    "lamb, uncorrected": (
        "lamb",
        Hand(lamb, {**ADAM, "norm_limit": 1.5}, {"correction": "none", "norm": "limited"}),
    ),
    "lamb, first": (
        "lamb",
        Hand(lamb, ADAM, {"correction": "first", "decay_place": "outside"}, steps=3),
    ),
    "lamb, step": ("lamb", Hand(lamb, ADAM, {"correction": "step"}, steps=3)),
    "fromage": ("fromage", Hand(fromage, {"learning_rate": 0.3})),
    "fromage, floor": (
        "fromage",
        Hand(fromage, {"learning_rate": 0.3, "min_norm": 4.0}, {"at_zero": "floor"}),
    ),
    "fromage, bounded": (
        "fromage",
        Hand(fromage, {"learning_rate": 0.3, "norm_bound": 0.9}, {"bounded": True}),
    ),
    "novograd": ("novograd", Hand(novograd, ADAM, steps=3)),
    "novograd, corrected": ("novograd", Hand(novograd, ADAM, {"form": "corrected"}, steps=3)),
    "novograd, averaging": ("novograd", Hand(novograd, ADAM, {"averaging": True}, steps=3)),
    "novograd, corrected and averaging": (
        "novograd",
        Hand(novograd, ADAM, {"form": "corrected", "averaging": True}, steps=3),
    ),
    "adamp": ("adamp", Hand(leafwise(adamp), {**ADAM, **FREE}, steps=3)),
    "adamp, units": ("adamp", Hand(leafwise(adamp), {**ADAM, **UNITS}, steps=3)),
    "adamp, units first": (
        "adamp",
        Hand(leafwise(adamp), {**ADAM, **UNITS}, {"channels": "first"}, steps=3),
    ),
    "adamp, Nesterov": (
        "adamp",
        Hand(leafwise(adamp), {**ADAM, **FREE}, {"nesterov": True}, steps=3),
    ),
    "sgdp": ("sgdp", Hand(leafwise(sgdp), {**SGDP, **FREE}, steps=3)),
    "sgdp, units": ("sgdp", Hand(leafwise(sgdp), {**SGDP, **UNITS}, steps=3)),
    "sgdp, units first": (
        "sgdp",
        Hand(leafwise(sgdp), {**SGDP, **UNITS}, {"channels": "first"}, steps=3),
    ),
    "sgdp, projected velocity": (
        "sgdp",
        Hand(leafwise(sgdp), {**SGDP, **UNITS}, {"velocity": "projected"}, steps=3),
    ),
    "sgdp, Nesterov": ("sgdp", Hand(leafwise(sgdp), {**SGDP, **FREE}, {"nesterov": True}, steps=3)),
}
DECAY = {"weight_decay": 0.01}
AS_LARS = {"denominator": "gradient", "velocity_start": "gradient"}
AS_LAMB = {"correction": "first", "norm": "limited", "decay_place": "outside"}
FIRST = {"channels": "first"}
PROJECTED = {"learning_rate": 0.02, "delta": 1.72, "wd_ratio": 0.3, **DECAY}
GOLDEN = (
    Golden("torch", "lars", "lars", {"learning_rate": 0.5}, {"denominator": "gradient"}),
    Golden(
        "more",
        "lars_settings",
        "lars",
        {"learning_rate": 0.05, "trust_coefficient": 0.3, **DECAY},
        {**AS_LARS, "nesterov": True},
    ),
    Golden("torch", "lamb", "lamb", {"learning_rate": 0.02, **DECAY}, AS_LAMB),
    Golden(
        "more",
        "lamb_clipless",
        "lamb",
        {"learning_rate": 0.02},
        AS_LAMB,
        tolerance=1e-6,
        why="grad_averaging=False makes m 1/(1-β₁) times as large, which the ratio ‖θ‖/‖d‖ of the "
        "paper's line 12 undoes, all but the peer's ε beside ‖d‖",
    ),
    Golden(
        "more",
        "lamb_uncorrected",
        "lamb",
        {"learning_rate": 0.02, "norm_limit": 2.5, **DECAY},
        {"correction": "none", "norm": "limited"},
    ),
    Golden(
        "more",
        "lamb_corrected",
        "lamb",
        {"learning_rate": 0.02, **DECAY},
        {"correction": "step", "norm": "limited"},
    ),
    Golden("more", "fromage", "fromage", {"learning_rate": 0.02}),
    Golden(
        "more",
        "fromage_bound",
        "fromage",
        {"learning_rate": 0.02, "norm_bound": 0.8},
        {"bounded": True},
    ),
    Golden("torch", "novograd", "novograd", {"learning_rate": 0.02}),
    Golden(
        "more",
        "novograd_averaging",
        "novograd",
        {"learning_rate": 0.02, **DECAY},
        {"form": "corrected", "averaging": True},
    ),
    Golden(
        "more",
        "novograd_second",
        "novograd",
        {"learning_rate": 0.02, "beta_1": 0.95, "beta_2": 0.0, **DECAY},
        {"averaging": True},
    ),
    Golden("more", "adamp", "adamp", {"learning_rate": 0.02, **DECAY}, FIRST),
    Golden("more", "adamp_projected", "adamp", PROJECTED, FIRST),
    Golden("more", "adamp_nesterov", "adamp", PROJECTED, {**FIRST, "nesterov": True}),
    Golden(
        "more",
        "sgdp",
        "sgdp",
        {"learning_rate": 0.02, **DECAY},
        {**FIRST, "velocity": "projected"},
    ),
    Golden("more", "sgdp_projected", "sgdp", PROJECTED, {**FIRST, "nesterov": True}),
)


@pytest.mark.parametrize("case", HAND)
def test_follows_its_equation_by_hand(case: str, prove: Any) -> None:
    prove.by_hand(*HAND[case])


@pytest.mark.parametrize("golden", GOLDEN, ids=str)
def test_follows_another_framework(golden: Golden, prove: Any) -> None:
    prove.follows(golden)


@pytest.mark.parametrize("rule", [adamp, sgdp])
@pytest.mark.parametrize("channels", ["last", "first"])
@pytest.mark.parametrize("reached", ["units", "whole", "none"])
def test_units_then_the_array_then_nothing_is_projected(
    rule: Any, channels: str, reached: str, x64: None
) -> None:
    axis = 0 if channels == "last" else 1
    x, noise = np.random.default_rng(3).normal(size=(2, 6, 6))
    squares = np.sum(x**2, axis=axis, keepdims=True)
    across = noise - x * np.sum(x * noise, axis=axis, keepdims=True) / squares
    # Half of the units outwards and half inwards: the whole is at a right angle to the weights.
    signs = np.expand_dims([1, -1, 1, -1, 1, -1.0], axis)
    found = {"units": across, "whole": x * signs / squares + 0.1 * across, "none": x + across}
    grad, settings = found[reached], {"delta": 1.0, "weight_decay": 0.1}
    entry = optimizers.get(rule.__name__)
    known = {**entry.complete(settings), **entry.complete_options({"channels": channels})}
    step, part = projected(x, grad, grad, known)
    outwards = np.sum(x * step, axis=axis)
    assert part == (1.0 if reached == "none" else 0.1)
    assert (np.max(np.abs(outwards)) < 1e-6) == (reached == "units")
    assert (abs(np.sum(outwards)) < 1e-6) == (reached != "none")

    made = entry.transformation(settings, channels=channels)
    updates, _ = made.update(jnp.asarray(grad), made.init(jnp.asarray(x)), jnp.asarray(x))
    np.testing.assert_allclose(x + updates, rule(x, grad, {}, 1, known), rtol=0, atol=1e-14)


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("lars", {"layers": "all"}, [-0.3, 0.4]),
        ("fromage", {}, [-0.3 / np.sqrt(1.01), 0.4 / np.sqrt(1.01)]),
        ("lamb", {}, [-0.1, 0.1]),
        ("fromage", {"at_zero": "floor"}, [-6e-8 / np.sqrt(1.01), 8e-8 / np.sqrt(1.01)]),
    ],
)
def test_weights_at_zero_take_a_plain_step_since_no_share_of_them_is_a_step(
    name: str, options: dict[str, Any], expected: list[float], x64: None
) -> None:
    rule = optimizers.get(name).transformation({"learning_rate": 0.1}, **options)
    params, grads = jnp.zeros(2), jnp.array([3.0, -4.0])
    updates, _ = rule.update(grads, rule.init(params), params)
    np.testing.assert_allclose(updates, expected, rtol=1e-6)


@pytest.mark.parametrize("name", ["lars", "lamb", "fromage", "novograd", "adamp", "sgdp"])
def test_the_norm_of_a_large_array_of_huge_gradients_does_not_overflow(name: str) -> None:
    rule = optimizers.get(name).transformation({})
    params = jnp.ones((60, 60), jnp.float32)
    state = rule.init(params)
    for sign in (1, -1, 1):
        updates, state = rule.update(jnp.full_like(params, sign * 1e18), state, params)
        assert np.all(np.isfinite(updates))
        assert np.all(np.asarray(updates) != 0)
