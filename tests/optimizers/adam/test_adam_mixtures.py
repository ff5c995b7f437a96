"""Adan, AdEMAMix, AdaPNM and MARS: by hand from the papers, against recorded peers and Optax."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from fallline import optimizers
from fallline.optimizers.adam.rule_adam_mixtures import at_most_one, slow_decay
from fallline.optimizers.wrapping import SHARE
from proving import Golden, Hand, Problem, Run, Step, flat, key_of, leafwise

TALL = float(np.sqrt(4 / 3))


@leafwise
def adan(x: Any, g: Any, s: Any, t: int, h: Any) -> Any:
    # Algorithm 1 in the β of the authors' code, one minus the paper's, with its corrections.
    b1, b2, b3 = h["beta_1"], h["beta_2"], h["beta_3"]
    change = g - s.get("g", g)
    s["g"] = g
    s["m"] = b1 * s.get("m", 0) + (1 - b1) * g
    s["v"] = b2 * s.get("v", 0) + (1 - b2) * change
    s["n"] = b3 * s.get("n", 0) + (1 - b3) * (g + b2 * change) ** 2
    ahead = s["m"] / (1 - b1**t) + b2 * s["v"] / (1 - b2**t)
    step = h["learning_rate"] * ahead / (np.sqrt(s["n"] / (1 - b3**t)) + h["epsilon"])
    pull = h["learning_rate"] * h["weight_decay"]
    return (x - step) / (1 + pull) if h["decay"] == "proximal" else x * (1 - pull) - step


@leafwise
def ademamix(x: Any, g: Any, s: Any, t: int, h: Any) -> Any:
    b1, b2, b3, a = h["beta_1"], h["beta_2"], h["beta_3"], h["alpha"]
    if h["decay"] == "coupled":
        g = g + h["weight_decay"] * x
    if h["schedules"]:
        part = min(t / h["warm_up_steps"], 1.0)
        a = part * a
        if part < 1:
            low, high = np.log(b1), np.log(b3)
            b3 = np.exp(low * high / ((1 - part) * high + part * low))
    s["m"] = b1 * s.get("m", 0) + (1 - b1) * g
    s["slow"] = b3 * s.get("slow", 0) + (1 - b3) * g
    s["v"] = b2 * s.get("v", 0) + (1 - b2) * g**2
    mean = s["m"] / (1 - b1**t) + a * s["slow"]
    if h["corrected"] == "both":
        mean = (s["m"] + a * s["slow"]) / (1 - b1**t)
    step = mean / (np.sqrt(s["v"] / (1 - b2**t)) + h["epsilon"])
    pull = h["weight_decay"] * x if h["decay"] == "decoupled" else 0.0
    return x - h["learning_rate"] * (step + pull)


@leafwise
def simplified_ademamix(x: Any, g: Any, s: Any, t: int, h: Any) -> Any:
    b1, b2 = h["beta_1"], h["beta_2"]
    part = 1.0 if h["momentum"] == "sum" else 1 - b1
    s["m"] = b1 * s.get("m", 0) + part * g
    s["v"] = b2 * s.get("v", 0) + (1 - b2) * g**2
    step = (s["m"] + h["alpha"] * g) / (np.sqrt(s["v"] / (1 - b2**t)) + h["epsilon"])
    if h["momentum"] == "average":
        step = step / (1 - b2**t)
    return x - h["learning_rate"] * step


@leafwise
def adapnm(x: Any, g: Any, s: Any, t: int, h: Any) -> Any:
    b0, b1, b2 = h["beta_0"], h["beta_1"], h["beta_2"]
    # Of odd and of even steps.
    s[t % 2] = b1**2 * s.get(t % 2, 0) + (1 - b1**2) * g
    s["v"] = b2 * s.get("v", 0) + (1 - b2) * g**2
    s["n"] = np.maximum(s.get("n", 0), s["v"]) if h["amsgrad"] else s["v"]
    mean = (1 + b0) * s[t % 2] - b0 * s.get((t + 1) % 2, 0)
    mean = mean / np.sqrt((1 + b0) ** 2 + b0**2) / (1 - b1**t)
    size = np.sqrt(s["n"] / (1 - b2**t)) + h["epsilon"]
    if h["epsilon_place"] == "uncorrected":
        size = (np.sqrt(s["n"] + 1e-15) + h["epsilon"]) / np.sqrt(1 - b2**t)
    return x - h["learning_rate"] * mean / size


def turned(matrix: np.ndarray) -> np.ndarray:
    """What five of Jordan's quintic iterations make of the singular values, the rest kept."""
    u, values, vt = np.linalg.svd(matrix, full_matrices=False)
    values = values / np.sqrt(np.sum(values**2))
    for _ in range(5):
        values = 3.4445 * values - 4.7750 * values**3 + 2.0315 * values**5
    rows, columns = matrix.shape
    return np.sqrt(max(1.0, columns / rows)) * (u * values) @ vt


@leafwise
def mars(x: Any, g: Any, s: Any, t: int, h: Any) -> Any:
    b1, b2, rate, seen = h["beta_1"], h["beta_2"], h["learning_rate"], g
    adamw = x.ndim < 2 and not h["mars_vectors"]
    if adamw:
        b1, b2 = h["vector_beta_1"], h["vector_beta_2"]
        rate = h["vector_learning_rate"]
    else:
        seen = g + h["gamma"] * b1 / (1 - b1) * (g - s.get("g", 0))
        seen = seen / max(1.0, float(np.sqrt(np.sum(seen**2))))
    s["g"] = g
    s["m"] = b1 * s.get("m", 0) + (1 - b1) * seen
    s["v"] = b2 * s.get("v", 0) + (1 - b2) * seen**2
    mean = s["m"]
    if h["cautious"]:
        agree = mean * g > 0
        mean = mean * agree * (agree.size / (agree.sum() + 1))
    step = mean / (1 - b1**t) / (np.sqrt(s["v"] / (1 - b2**t)) + h["epsilon"])
    if h["epsilon_place"] == "uncorrected":
        size = (np.sqrt(s["v"] + 1e-15) + h["epsilon"]) / np.sqrt(1 - b2**t)
        step = mean / (1 - b1**t) / size
    if h["step"] == "lion" and not adamw:
        step = np.sign(mean)
    if h["step"] == "shampoo" and not adamw:
        step = turned(mean / (1 - b1))
    return x - rate * (step + h["weight_decay"] * x)


RATE = {"learning_rate": 0.07, "beta_1": 0.8, "beta_2": 0.97}
_ADAN = {**RATE, "beta_3": 0.9, "epsilon": 0.02, "weight_decay": 0.3}
_ADEMAMIX = {**RATE, "beta_3": 0.99, "alpha": 3.0, "epsilon": 0.02}
_SIMPLIFIED = {**RATE, "alpha": 2.0, "epsilon": 0.02}
_ADAPNM = {**RATE, "beta_0": 0.6, "epsilon": 0.02}
_MARS = {
    **RATE,
    "gamma": 0.1,
    "epsilon": 0.02,
    "vector_learning_rate": 0.03,
    "vector_beta_1": 0.7,
    "vector_beta_2": 0.9,
    "weight_decay": 0.3,
}
_MARS_ALIKE = {name: value for name, value in _MARS.items() if not name.startswith("vector")}
_DECAYING = {**_ADEMAMIX, "weight_decay": 0.2}

HAND = (
    ("adan", Hand(adan, _ADAN, steps=3)),
    ("adan", Hand(adan, _ADAN, {"decay": "decoupled"}, steps=3)),
    ("ademamix", Hand(ademamix, _ADEMAMIX, steps=3)),
    ("ademamix", Hand(ademamix, _ADEMAMIX, {"corrected": "both"}, steps=3)),
    ("ademamix", Hand(ademamix, {**_ADEMAMIX, "warm_up_steps": 3.0}, {"schedules": True}, steps=5)),
    ("ademamix", Hand(ademamix, _DECAYING, {"decay": "decoupled"}, steps=3)),
    ("ademamix", Hand(ademamix, _DECAYING, {"decay": "coupled"}, steps=3)),
    ("simplified_ademamix", Hand(simplified_ademamix, _SIMPLIFIED, steps=3)),
    (
        "simplified_ademamix",
        Hand(simplified_ademamix, _SIMPLIFIED, {"momentum": "average"}, steps=3),
    ),
    ("adapnm", Hand(adapnm, _ADAPNM, steps=5)),
    ("adapnm", Hand(adapnm, _ADAPNM, {"amsgrad": False}, steps=5)),
    ("adapnm", Hand(adapnm, _ADAPNM, {"epsilon_place": "uncorrected"}, steps=5)),
    ("mars", Hand(mars, _MARS, steps=3)),
    ("mars", Hand(mars, _MARS_ALIKE, {"mars_vectors": True}, steps=3)),
    ("mars", Hand(mars, _MARS, {"step": "lion"}, steps=3)),
    ("mars", Hand(mars, _MARS, {"step": "shampoo"}, steps=3)),
    ("mars", Hand(mars, _MARS, {"cautious": True}, steps=3)),
    ("mars", Hand(mars, _MARS, {"epsilon_place": "uncorrected"}, steps=3)),
)


def called(pair: tuple[str, Hand]) -> str:
    """A name for a test: the entry and the options that it is proven with."""
    name, hand = pair
    return "-".join([name, *(f"{option}={value}" for option, value in hand.options.items())])


@pytest.mark.parametrize("pair", HAND, ids=called)
def test_follows_its_equation_by_hand(pair: tuple[str, Hand], prove: Any) -> None:
    prove.by_hand(*pair)


_PLACE = {"epsilon_place": "uncorrected"}

GOLDEN = (
    Golden("torch", "adan", "adan", {"learning_rate": 0.02}),
    Golden(
        "more",
        "adan_decay",
        "adan",
        {
            "learning_rate": 0.02,
            "beta_1": 0.9,
            "beta_2": 0.95,
            "beta_3": 0.98,
            "weight_decay": 0.1,
        },
    ),
    Golden(
        "more",
        "adan_decoupled",
        "adan",
        {"learning_rate": 0.02, "weight_decay": 0.1},
        {"decay": "decoupled"},
    ),
    Golden("torch", "ademamix", "ademamix", {"learning_rate": 0.02}),
    Golden(
        "more",
        "ademamix_schedules",
        "ademamix",
        {"learning_rate": 0.02, "alpha": 8.0, "warm_up_steps": 40.0, "weight_decay": 0.01},
        {"corrected": "both", "schedules": True, "decay": "coupled"},
    ),
    Golden(
        "more",
        "simplified_ademamix",
        "simplified_ademamix",
        {"learning_rate": 0.002, "alpha": 5.0},
        {"momentum": "average"},
    ),
    Golden(
        "more",
        "adapnm",
        "adapnm",
        {"learning_rate": 0.01, "weight_decay": 0.01},
        {**_PLACE, "decay": "decoupled"},
    ),
    Golden(
        "more",
        "mars",
        "mars",
        {"learning_rate": 0.02, "vector_learning_rate": 0.01, "weight_decay": 0.01},
        _PLACE,
    ),
    Golden(
        "more",
        "mars_vectors",
        "mars",
        {"learning_rate": 0.02},
        {**_PLACE, "mars_vectors": True, "cautious": True},
    ),
    Golden("more", "mars_lion", "mars", {"learning_rate": 0.01}, {**_PLACE, "step": "lion"}),
    Golden(
        "more",
        "mars_shampoo",
        "mars",
        {"learning_rate": 0.01 * TALL},
        {**_PLACE, "step": "shampoo"},
        why=(
            "the peer takes W, 4 by 3, for (out, in) and makes its step √(4/3) times as long, "
            "where a kernel of ours is (in, out)"
        ),
    ),
)


@pytest.mark.parametrize("golden", GOLDEN, ids=str)
def test_follows_the_recorded_trajectory(golden: Golden, prove: Any) -> None:
    prove.follows(golden)


def paths(name: str, theirs: Any, steps: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """Where we are at α = 0.05 and where Optax's own is, after each step; shape (steps, 17)."""
    problem = Problem.drawn()
    ours = Run(name, {"learning_rate": 0.05}, {}, problem, steps)
    params, found = jax.tree.map(jnp.asarray, problem.start), []
    state = theirs.init(params)
    for number in range(1, steps + 1):
        grads = jax.tree.map(jnp.asarray, problem.gradient(params))
        updates, state = theirs.update(grads, state, params)
        params = optax.apply_updates(params, updates)
        ours.step(number)
        found.append((flat(ours.params), flat(params)))
    here, there = zip(*found, strict=True)
    return np.array(here), np.array(there)


OPTAX = {
    "ademamix": optax.contrib.ademamix(0.05),
    "simplified_ademamix": optax.contrib.simplified_ademamix(0.05),
}


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("name", OPTAX)
def test_the_form_of_optax_is_optaxs(name: str) -> None:
    here, there = paths(f"{name}:optax", OPTAX[name])
    np.testing.assert_allclose(here, there, rtol=0, atol=1e-12)


@leafwise
def optaxs_adan(x: Any, g: Any, s: Any, t: int, h: Any) -> Any:
    """Adan with 0.08 where the paper has 0.92."""
    change = g - s.get("g", g)
    s["g"] = g
    s["m"] = 0.98 * s.get("m", 0) + 0.02 * g
    s["v"] = 0.92 * s.get("v", 0) + 0.08 * change
    s["n"] = 0.99 * s.get("n", 0) + 0.01 * (g + h["weight"] * change) ** 2
    ahead = s["m"] / (1 - 0.98**t) + h["weight"] * s["v"] / (1 - 0.92**t)
    return x - 0.05 * ahead / (np.sqrt(s["n"] / (1 - 0.99**t)) + 1e-8)


@pytest.mark.usefixtures("x64")
def test_optax_0_2_8_weighs_the_change_of_the_gradient_by_0_08_and_adan_by_0_92() -> None:
    here, there = paths("adan", optax.adan(0.05, eps_root=0.0), steps=5)

    def by_hand(weight: float) -> np.ndarray:
        problem, path = Problem.drawn(), []
        memory: dict[str, Any] = {}
        x, settings = problem.start, {"weight": weight}
        for t in range(1, 6):
            given = Step(x, problem.gradient(x), memory, t, settings, problem, key_of(t), 5)
            x = optaxs_adan(given)
            path.append(flat(x))
        return np.array(path)

    np.testing.assert_allclose(here, by_hand(0.92), rtol=0, atol=1e-12)
    np.testing.assert_allclose(there, by_hand(0.08), rtol=0, atol=1e-12)
    assert np.max(np.abs(here - there)) > 1e-2


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize(("steps", "tolerance"), [(1, 1e-15), (30, 1e-12)])
def test_ademamix_without_a_slow_average_is_adam(steps: int, tolerance: float) -> None:
    problem = Problem.drawn()
    mixed = Run("ademamix", {"alpha": 0.0}, {}, problem, steps)
    adam = Run("adam", {}, {}, problem, steps)
    for number in range(1, steps + 1):
        mixed.step(number)
        adam.step(number)
    np.testing.assert_allclose(flat(mixed.params), flat(adam.params), rtol=0, atol=tolerance)


@pytest.mark.usefixtures("x64")
def test_the_slow_averages_half_life_grows_evenly() -> None:
    def half_life(decay: Any) -> float:
        return float(np.log(0.5) / np.log(float(decay)))

    beta_1, beta_3 = jnp.asarray(0.9), jnp.asarray(0.9999)
    lives = [half_life(slow_decay(beta_1, beta_3, jnp.asarray(p))) for p in (0.0, 0.25, 0.5, 1.0)]
    first, last = half_life(0.9), half_life(0.9999)
    expected = [first, 0.75 * first + 0.25 * last, (first + last) / 2, last]
    np.testing.assert_allclose(lives, expected, rtol=1e-9)
    assert np.isfinite(slow_decay(jnp.asarray(0.0), beta_3, jnp.asarray(0.5)))


def test_mars_cuts_the_norm_of_an_array_whose_squares_overflow() -> None:
    cut = at_most_one(jnp.full((40, 40), 1e18, jnp.float32))
    np.testing.assert_allclose(cut, 1 / 40, rtol=1e-5)
    short = jnp.asarray([0.3, -0.4], jnp.float32)
    np.testing.assert_array_equal(at_most_one(short), short)


@pytest.mark.usefixtures("x64")
def test_a_schedule_moves_both_learning_rates_of_mars() -> None:
    params = {"W": jnp.ones((2, 2)), "b": jnp.ones((2,))}
    grads = jax.tree.map(lambda leaf: 0.1 * leaf, params)
    entry = optimizers.get("mars")

    def moved(rate: float, share: float) -> Any:
        rule = entry.transformation({"learning_rate": rate, "vector_learning_rate": 0.01})
        return rule.update(grads, rule.init(params), params, **{SHARE: share})[0]

    whole, half = moved(0.02, 1.0), moved(0.01, 0.5)
    for name in params:
        np.testing.assert_allclose(half[name], whole[name] / 2, rtol=1e-12)
