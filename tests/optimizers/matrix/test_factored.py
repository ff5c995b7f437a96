"""Adafactor, CAME and SM3 against their papers, and against those who have them too."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import proving
from fallline import optimizers
from proving import Golden, Hand, leafwise


def rms(x: np.ndarray) -> float:
    return float(np.sqrt(np.mean(x**2)))


def estimate(s: dict[str, Any], name: str, squares: np.ndarray, keep: float) -> np.ndarray:
    """The average of squares: of a matrix from its rows and columns (Adafactor, algorithm 1)."""
    if squares.ndim == 1:
        s[name] = keep * s.get(name, 0.0) + (1 - keep) * squares
        return s[name]
    rows, columns = squares.mean(1, keepdims=True), squares.mean(0, keepdims=True)
    s[f"{name}_r"] = keep * s.get(f"{name}_r", 0.0) + (1 - keep) * rows
    s[f"{name}_c"] = keep * s.get(f"{name}_c", 0.0) + (1 - keep) * columns
    return s[f"{name}_r"] @ s[f"{name}_c"] / s[f"{name}_r"].mean()


@leafwise
def adafactor(x: np.ndarray, g: np.ndarray, s: dict[str, Any], t: int, h: dict[str, Any]) -> Any:
    keep, least = 1 - t ** h["beta_2_decay"], h["epsilon_1"] or 2.0**-52
    if h["epsilon_place"] == "square":
        root = np.sqrt(estimate(s, "v", g**2 + least, keep))
    else:
        v = estimate(s, "v", g**2, keep)
        if g.ndim == 2:
            v = v * s["v_r"].mean() / max(s["v_r"].mean(), least)
        root = np.maximum(np.sqrt(v), least)
    u = g / root
    u = u / max(1.0, rms(u) / h["clip_threshold"])
    rate = min(h["learning_rate"], t**-0.5) if h["relative_step"] else h["learning_rate"]
    u = u * rate * (max(h["epsilon_2"], rms(x)) if h["parameter_scale"] else 1.0)
    if h["first_moment"]:
        u = s["m"] = h["beta_1"] * s.get("m", 0.0) + (1 - h["beta_1"]) * u
    if h["decay_rate"] == "step":
        return x - u - rate * max(h["epsilon_2"], rms(x)) * h["weight_decay"] * x
    return x - u - h["learning_rate"] * h["weight_decay"] * x


@leafwise
def came(x: np.ndarray, g: np.ndarray, s: dict[str, Any], t: int, h: dict[str, Any]) -> Any:
    u = g / np.sqrt(estimate(s, "v", g**2 + h["epsilon_1"], h["beta_2"]))
    u = u / max(1.0, rms(u) / h["clip_threshold"])
    m = s["m"] = h["beta_1"] * s.get("m", 0.0) + (1 - h["beta_1"]) * u
    if g.ndim == 2:
        m = m / np.sqrt(estimate(s, "s", (u - m) ** 2 + h["epsilon_2"], h["beta_3"]))
    return x - h["learning_rate"] * (m + h["weight_decay"] * x)


@leafwise
def sm3(x: np.ndarray, g: np.ndarray, s: dict[str, Any], t: int, h: dict[str, Any]) -> Any:
    covers = [(1,), (0,)] if g.ndim == 2 else [()]
    bounds = s.setdefault("bounds", [np.zeros_like(g) for _ in covers])
    nu = np.min(bounds, axis=0)
    kept, new = (1, 1) if h["squares"] == "sum" else (h["beta_2"], 1 - h["beta_2"])
    nu = kept * nu + new * g**2
    for place, axes in enumerate(covers):
        bound = np.broadcast_to(nu.max(axes, keepdims=True) if axes else nu, g.shape)
        grown = np.maximum(bounds[place], bound)
        bounds[place] = bound if h["squares"] == "sum" else grown
    m = s["m"] = h["momentum"] * s.get("m", 0.0) + (1 - h["momentum"]) * g / np.sqrt(
        nu + h["epsilon"]
    )
    return x - h["learning_rate"] * m


# 0.55 lies between 1/√3 and 1/√4; roots, sizes and updates lie on both sides of their bounds.
ADAFACTOR = {
    "learning_rate": 0.55,
    "beta_2_decay": -0.7,
    "epsilon_1": 0.8,
    "epsilon_2": 0.9,
    "clip_threshold": 0.7,
    "weight_decay": 0.1,
}
CAME = {
    "learning_rate": 0.1,
    "beta_1": 0.8,
    "beta_2": 0.9,
    "beta_3": 0.95,
    "epsilon_1": 0.01,
    "epsilon_2": 0.02,
    "clip_threshold": 0.9,
    "weight_decay": 0.1,
}
SM3 = {"learning_rate": 0.1, "momentum": 0.7, "epsilon": 0.01}
HAND = (
    ("adafactor", Hand(adafactor, ADAFACTOR, steps=4)),
    ("adafactor", Hand(adafactor, ADAFACTOR, {"epsilon_place": "square"}, steps=4)),
    ("adafactor", Hand(adafactor, ADAFACTOR, {"relative_step": False}, steps=4)),
    ("adafactor", Hand(adafactor, ADAFACTOR, {"parameter_scale": False}, steps=4)),
    ("adafactor", Hand(adafactor, {**ADAFACTOR, "beta_1": 0.8}, {"first_moment": True}, steps=4)),
    ("adafactor", Hand(adafactor, ADAFACTOR, {"decay_rate": "step"}, steps=4)),
    ("adafactor", Hand(adafactor, {**ADAFACTOR, "epsilon_1": 0.0}, steps=4)),
    ("came", Hand(came, CAME, steps=4)),
    ("sm3", Hand(sm3, SM3, steps=4)),
    ("sm3", Hand(sm3, {**SM3, "beta_2": 0.6}, {"squares": "average"}, steps=4)),
)


@pytest.mark.parametrize(
    ("name", "hand"), HAND, ids=lambda part: getattr(part, "options", None) or str(part)[:9]
)
def test_follows_its_equation_by_hand(name: str, hand: Hand, prove: Any) -> None:
    prove.by_hand(name, hand)


GOLDEN = (
    Golden("torch", "adafactor", "adafactor", {"learning_rate": 0.02}),
    Golden("more", "adafactor_defaults", "adafactor"),
    Golden(
        "more",
        "adafactor_settings",
        "adafactor",
        {
            "learning_rate": 0.05,
            "beta_2_decay": -0.5,
            "epsilon_1": 1e-6,
            "epsilon_2": 0.7,
            "clip_threshold": 1.1,
            "weight_decay": 0.1,
        },
    ),
    Golden(
        "more",
        "adafactor_second",
        "adafactor",
        {"learning_rate": 0.02, "epsilon_1": 1e-30, "weight_decay": 0.01},
        {
            "epsilon_place": "square",
            "relative_step": False,
            "first_moment": True,
            "decay_rate": "step",
        },
    ),
    Golden(
        # Its scale_parameter is the wrong way round: true, it does not scale.
        "more",
        "adafactor_first_moment",
        "adafactor",
        {"learning_rate": 0.02, "epsilon_1": 1e-30, "weight_decay": 0.01},
        {
            "epsilon_place": "square",
            "parameter_scale": False,
            "relative_step": False,
            "first_moment": True,
        },
        tolerance=1.0,
        why=(
            "the peer cuts a vector's average of squares off at β₂ = 0.999, which is in no "
            "equation of the paper (algorithm 5); matrices agree to 1e-10"
        ),
    ),
    Golden(
        "more",
        "came",
        "came",
        {"learning_rate": 0.01, "weight_decay": 0.01},
        tolerance=1.0,
        why=(
            "the peer multiplies a vector's average of updates by the learning rate, in place, "
            "where algorithm 2 multiplies the step alone; matrices agree to 1e-10"
        ),
    ),
    Golden("more", "sm3", "sm3", {"learning_rate": 0.1, "momentum": 0.0, "epsilon": 1e-30}),
    Golden(
        "more",
        "sm3_momentum",
        "sm3",
        {"learning_rate": 0.1, "momentum": 0.9, "beta_2": 0.9, "epsilon": 1e-30},
        {"squares": "average"},
    ),
)


@pytest.mark.parametrize("golden", GOLDEN, ids=str)
def test_follows_another_framework(golden: Golden, prove: Any) -> None:
    prove.follows(golden)


def adafactor_with_a_ceiling(x: np.ndarray, g: np.ndarray, s: dict[str, Any], t: int) -> np.ndarray:
    """A vector as pytorch_optimizer's AdaFactor moves it: its average of squares is cut off."""
    keep = 1 - t**-0.8
    s["v"] = np.minimum(keep * s.get("v", 0.0) + (1 - keep) * (g**2 + 1e-30), 0.999)
    u = g / np.sqrt(s["v"])
    s["m"] = 0.9 * s.get("m", 0.0) + 0.1 * 0.02 * u / max(1.0, rms(u))
    return x * (1 - 0.01 * 0.02) - s["m"]


def came_that_shrinks(x: np.ndarray, g: np.ndarray, s: dict[str, Any], t: int) -> np.ndarray:
    """A vector as pytorch_optimizer's CAME moves it: the average of updates is itself multiplied
    by the learning rate, in place, before it is subtracted."""
    s["v"] = 0.999 * s.get("v", 0.0) + 0.001 * (g**2 + 1e-30)
    u = g / np.sqrt(s["v"])
    s["m"] = 0.01 * (0.9 * s.get("m", 0.0) + 0.1 * u / max(1.0, rms(u)))
    return x * (1 - 0.01 * 0.01) - s["m"]


OF_VECTORS = {"adafactor_first_moment": adafactor_with_a_ceiling, "came": came_that_shrinks}


@pytest.mark.parametrize("golden", [each for each in GOLDEN if each.case in OF_VECTORS], ids=str)
def test_follows_a_peer_but_for_what_that_makes_of_vectors(
    golden: Golden, x64: None, golden_dir: Path, record_property: Callable[[str, object], None]
) -> None:
    recorded = proving.record("more", golden_dir)
    case = recorded["cases"][golden.case]
    expected = {number: proving.tree(np.array(x)) for number, x in case["trajectory"]}
    problem = proving.Problem.of(recorded["problem"])
    run = proving.Run(golden.entry, golden.settings, golden.options, problem, 60)
    vector, memory, worst = problem.start["b"], {}, 0.0
    for number in range(1, 61):
        gradient = problem.gradient({"W": problem.start["W"], "b": vector})["b"]
        vector = OF_VECTORS[golden.case](vector, gradient, memory, number)
        run.step(number)
        if number in expected:
            worst = max(worst, float(np.abs(run.params["W"] - expected[number]["W"]).max()))
            np.testing.assert_allclose(vector, expected[number]["b"], rtol=0, atol=1e-10)
    peer = ".".join(case["peer"].split())
    record_property("proof", f"{golden.entry}|{peer} (matrices), 60 steps|{worst:.1e}|1e-10")
    assert worst <= 1e-10


@pytest.mark.parametrize(
    ("theirs", "name", "settings", "options", "tolerance"),
    [
        (optax.sm3(0.1, 0.8), "sm3", {"learning_rate": 0.1, "momentum": 0.8}, {}, 1e-12),
        (
            # Its t^τ is computed in float32.
            optax.adafactor(0.05, min_dim_size_to_factor=0, eps=1e-6, momentum=0.8),
            "adafactor",
            {"learning_rate": 0.05, "epsilon_1": 1e-6, "beta_1": 0.8},
            {"epsilon_place": "square", "relative_step": False, "first_moment": True},
            1e-6,
        ),
    ],
    ids=["sm3", "adafactor"],
)
def test_optax_takes_the_same_steps_but_for_its_rounding(
    theirs: Any, name: str, settings: Any, options: Any, tolerance: float, x64: None
) -> None:
    problem = proving.Problem.drawn()
    run = proving.Run(name, settings, options, problem, 20)
    params = jax.tree.map(jnp.asarray, problem.start)
    state = theirs.init(params)
    for number in range(1, 21):
        run.step(number)
        grads = problem.gradient({name: np.asarray(leaf) for name, leaf in params.items()})
        updates, state = theirs.update(jax.tree.map(jnp.asarray, grads), state, params)
        params = optax.apply_updates(params, updates)
    np.testing.assert_allclose(proving.flat(run.params), proving.flat(params), atol=tolerance)


@pytest.mark.parametrize("name", ["adafactor", "came"])
def test_rows_and_columns_are_exact_for_squares_of_rank_one(name: str, x64: None) -> None:
    """Then a matrix moves as the vector of its entries does."""
    rows, columns = np.array([1.0, 0.2, 3.0]), np.array([0.5, 2.0])
    grad = jnp.asarray(np.outer(rows, columns))
    settings = {"epsilon_1": 1e-30, "learning_rate": 1e-3}
    rule = optimizers.get(name).transformation(settings)
    if name == "adafactor":
        moved = [
            rule.update(each, rule.init(each), jnp.ones_like(each))[0]
            for each in (grad, grad[:, 0])
        ]
        np.testing.assert_allclose(moved[0], moved[1][0] * np.ones((3, 2)), rtol=1e-12)
    else:
        moved = rule.update(grad, rule.init(grad), jnp.zeros_like(grad))[0]
        # Each entry of û is 1: s is 0.81 of it, and m / √s is 0.1 / (0.9 √(1 - 0.9999)).
        np.testing.assert_allclose(moved, -1e-3 * np.full((3, 2), 0.1 / 0.9 * 100), rtol=1e-9)


@pytest.mark.parametrize("name", ["adafactor", "came", "sm3"])
def test_the_state_of_a_matrix_is_smaller_than_the_matrix(name: str) -> None:
    kernel = {"W": jnp.zeros((3, 3, 20, 50))}
    entry = optimizers.get(name)
    state = entry.transformation(entry.defaults).init(kernel)
    held = sum(leaf.size for leaf in jax.tree.leaves(state)) - entry.slots * 9000
    assert 0 < held < 600


def test_sm3_bounds_the_sum_of_squares_of_every_entry(x64: None) -> None:
    draw = np.random.default_rng(3)
    grads = draw.normal(size=(6, 4, 3))
    rule = optimizers.get("sm3").transformation({"momentum": 0.0})
    state = rule.init(jnp.zeros((4, 3)))
    for count, grad in enumerate(grads, 1):
        _, state = rule.update(jnp.asarray(grad), state, jnp.zeros((4, 3)))
        leaves = [leaf for leaf in jax.tree.leaves(state) if 1 in leaf.shape]
        rows, columns = sorted(leaves, key=lambda leaf: leaf.shape[0], reverse=True)
        assert np.all(np.minimum(rows, columns) >= np.sum(grads[:count] ** 2, 0) - 1e-12)
