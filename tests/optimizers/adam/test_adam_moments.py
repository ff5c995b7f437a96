"""Adam with other averages: by hand from the papers, against recorded peers and Optax."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from fallline import optimizers
from proving import Golden, Hand, Problem, Run, flat, leafwise, record, tree


@leafwise
def nadamw(x: Any, g: Any, s: Any, t: int, h: Any) -> Any:
    def rounded(value: float) -> float:
        return float(np.float32(value)) if h["betas"] == "float32" else value

    def momentum(beta: float, base: float, k: int) -> float:
        return beta * (1 - 0.5 * base ** (k * h["momentum_decay"])) if h["warm_up"] else beta

    b1, b2 = rounded(h["beta_1"]), rounded(h["beta_2"])
    now, then = (momentum(b1, rounded(0.96), k) for k in (t, t + 1))
    # Keras multiplies what it has not rounded.
    s["p"] = s.get("p", 1.0) * momentum(h["beta_1"], 0.96, t)
    s["m"] = b1 * s.get("m", 0) + (1 - b1) * g
    s["v"] = b2 * s.get("v", 0) + (1 - b2) * g**2
    mean = then * s["m"] / (1 - s["p"] * then) + (1 - now) * g / (1 - s["p"])
    size = np.sqrt(s["v"] / (1 - b2**t)) + h["epsilon"]
    return x - h["learning_rate"] * (mean / size + h["weight_decay"] * x)


@leafwise
def yogi(x: Any, g: Any, s: Any, t: int, h: Any) -> Any:
    first = h["initial_accumulator"] if h["first_moment"] == "accumulator" else 0.0
    s["m"] = h["beta_1"] * s.get("m", first) + (1 - h["beta_1"]) * g
    v = s.get("v", h["initial_accumulator"])
    s["v"] = v - (1 - h["beta_2"]) * np.sign(v - g**2) * g**2
    c1, c2 = (1 - h["beta_1"] ** t, 1 - h["beta_2"] ** t) if h["bias_correction"] else (1, 1)
    return x - h["learning_rate"] * (s["m"] / c1) / (np.sqrt(s["v"] / c2) + h["epsilon"])


@leafwise
def laprop(x: Any, g: Any, s: Any, t: int, h: Any) -> Any:
    if h["decay"] == "coupled":
        g = g + h["weight_decay"] * x
    s["n"] = h["beta_2"] * s.get("n", 0) + (1 - h["beta_2"]) * g**2
    correction = 1 - h["beta_2"] ** t
    size = np.sqrt(s["n"] / correction) + h["epsilon"]
    if h["epsilon_place"] == "uncorrected":
        size = (np.sqrt(s["n"] + 1e-15) + h["epsilon"]) / np.sqrt(correction)
    s["m"] = h["beta_1"] * s.get("m", 0) + (1 - h["beta_1"]) * g / size
    new = x - h["learning_rate"] * s["m"] / (1 - h["beta_1"] ** t)
    shrink = h["learning_rate"] * h["weight_decay"] if h["decay"] == "decoupled" else 0.0
    return new * (1 - shrink)


@leafwise
def adopt(x: Any, g: Any, s: Any, t: int, h: Any) -> Any:
    if t == 1:
        s["v"] = g**2
        return x
    ratio = g / np.maximum(np.sqrt(s["v"]), h["epsilon"])
    if h["clipping"] != "none":
        bound = (t - 1 if h["clipping"] == "fourth_root" else t) ** 0.25
        ratio = np.clip(ratio, -bound, bound)
    s["m"] = h["beta_1"] * s.get("m", 0) + (1 - h["beta_1"]) * ratio
    s["v"] = h["beta_2"] * s["v"] + (1 - h["beta_2"]) * g**2
    return x - h["learning_rate"] * s["m"]


@leafwise
def acprop(x: Any, g: Any, s: Any, t: int, h: Any) -> Any:
    before = s.get("m", 0)
    s["m"] = h["beta_1"] * before + (1 - h["beta_1"]) * g
    centre = s["m"] if h["deviation"] == "new" else before
    step = g
    if t > 1:
        step = g / (np.sqrt(s["s"] / (1 - h["beta_2"] ** (t - 1))) + h["epsilon"])
    square = (1 - h["beta_2"]) * (g - centre) ** 2
    s["s"] = h["beta_2"] * s.get("s", 0) + square + h["epsilon"]
    return x - h["learning_rate"] * step


@leafwise
def qhadam(x: Any, g: Any, s: Any, t: int, h: Any) -> Any:
    b1, b2, nu_1, nu_2 = (h[name] for name in ("beta_1", "beta_2", "nu_1", "nu_2"))
    s["m"] = b1 * s.get("m", 0) + (1 - b1) * g
    s["v"] = b2 * s.get("v", 0) + (1 - b2) * g**2
    mean = nu_1 * s["m"] / (1 - b1**t) + (1 - nu_1) * g
    square = nu_2 * s["v"] / (1 - b2**t) + (1 - nu_2) * g**2
    return x - h["learning_rate"] * mean / (np.sqrt(square) + h["epsilon"])


@leafwise
def rounded_qhadam(x: Any, g: Any, s: Any, t: int, h: Any) -> Any:
    """Averages whose newest part is 1 over a float32 sum of powers of a float32 β."""

    def part(name: str) -> float:
        weight = np.float32(np.float32(s.get(name, 0) * np.float32(h[name])) + np.float32(1))
        s[name] = weight
        return float(np.float32(1) / weight)

    new_1, new_2 = part("beta_1"), part("beta_2")
    s["m"] = (1 - new_1) * s.get("m", 0) + new_1 * g
    s["v"] = (1 - new_2) * s.get("v", 0) + new_2 * g**2
    mean = h["nu_1"] * s["m"] + (1 - h["nu_1"]) * g
    square = h["nu_2"] * s["v"] + (1 - h["nu_2"]) * g**2
    return x - h["learning_rate"] * mean / (np.sqrt(square) + h["epsilon"])


@leafwise
def optimistic_adam(x: Any, g: Any, s: Any, t: int, h: Any) -> Any:
    b1, b2 = h["beta_1"], h["beta_2"]
    s["m"] = b1 * s.get("m", 0) + (1 - b1) * g
    s["v"] = b2 * s.get("v", 0) + (1 - b2) * g**2
    mean = s["m"] / (1 - b1**t)
    if h["nesterov"]:
        mean = b1 * s["m"] / (1 - b1 ** (t + 1)) + (1 - b1) * g / (1 - b1**t)
    r = mean / (np.sqrt(s["v"] / (1 - b2**t)) + h["epsilon"])
    last = s.get("r", r if h["first_step"] == "plain" else 0.0)
    s["r"] = r
    return x - h["learning_rate"] * ((1 + h["optimism"]) * r - h["optimism"] * last)


@leafwise
def madgrad(x: Any, g: Any, s: Any, t: int, h: Any) -> Any:
    # Algorithm 1 with the authors' ε in the learning rate.
    rate = h["learning_rate"] + h["epsilon"]
    if h["decay"] == "coupled":
        g = g + h["weight_decay"] * x
    start = s.setdefault("x0", x)
    s["s"] = s.get("s", 0) + rate * np.sqrt(t) * g
    s["v"] = s.get("v", 0) + rate * np.sqrt(t) * g**2
    z = start - s["s"] / (np.cbrt(s["v"]) + h["epsilon"])
    pull = rate * h["weight_decay"] * x if h["decay"] == "decoupled" else 0.0
    return h["momentum"] * x + (1 - h["momentum"]) * z - pull


@leafwise
def exadam(x: Any, g: Any, s: Any, t: int, h: Any) -> Any:
    b1, b2, epsilon = h["beta_1"], h["beta_2"], h["epsilon"]
    m = s["m"] = b1 * s.get("m", 0) + (1 - b1) * g
    v = s["v"] = b2 * s.get("v", 0) + (1 - b2) * g**2
    d1 = 1 + v / (v + epsilon) * b2**t
    d2 = 1 + m**2 / (m**2 + epsilon) * b1**t
    mean, newest = m / (1 - b1**t) * d1, g / (1 - b1**t) * d1
    return x - h["learning_rate"] * (mean + newest) / (np.sqrt(v / (1 - b2**t) * d2) + epsilon)


BETAS = {"beta_1": 0.8, "beta_2": 0.97}
RATE = {"learning_rate": 0.07, **BETAS}
_NADAMW = {**RATE, "epsilon": 0.01, "weight_decay": 0.3}
_YOGI = {**RATE, "epsilon": 0.02, "initial_accumulator": 0.5}
_LAPROP = {**RATE, "epsilon": 0.03}
_ADOPT = {**RATE, "epsilon": 0.4}
_ACPROP = {**RATE, "epsilon": 0.02}
_QHADAM = {**RATE, "nu_1": 0.6, "nu_2": 0.8, "epsilon": 0.01}
_OPTIMISTIC = {**RATE, "optimism": 0.7, "epsilon": 0.01}
_MADGRAD = {"learning_rate": 0.05, "momentum": 0.7, "epsilon": 0.02}
_DECAYING = {"weight_decay": 0.2}

HAND = (
    ("nadamw", Hand(nadamw, {**_NADAMW, "momentum_decay": 0.5}, steps=3)),
    ("nadamw", Hand(nadamw, _NADAMW, {"warm_up": False}, steps=3)),
    ("nadamw", Hand(nadamw, {**_NADAMW, "momentum_decay": 1.0}, {"betas": "float32"}, steps=3)),
    ("yogi", Hand(yogi, _YOGI, steps=3)),
    ("yogi", Hand(yogi, _YOGI, {"first_moment": "accumulator"}, steps=3)),
    ("yogi", Hand(yogi, _YOGI, {"bias_correction": False}, steps=3)),
    ("laprop", Hand(laprop, _LAPROP, steps=3)),
    ("laprop", Hand(laprop, _LAPROP, {"epsilon_place": "uncorrected"}, steps=3)),
    ("laprop", Hand(laprop, {**_LAPROP, **_DECAYING}, {"decay": "decoupled"}, steps=3)),
    ("laprop", Hand(laprop, {**_LAPROP, **_DECAYING}, {"decay": "coupled"}, steps=3)),
    *(
        ("adopt", Hand(adopt, _ADOPT, {"clipping": clipping}, steps=4))
        for clipping in ("fourth_root", "ahead", "none")
    ),
    ("acprop", Hand(acprop, _ACPROP, steps=3)),
    ("acprop", Hand(acprop, _ACPROP, {"deviation": "old"}, steps=3)),
    ("qhadam", Hand(qhadam, _QHADAM, steps=3)),
    ("qhadam", Hand(rounded_qhadam, _QHADAM, {"weights": "float32"}, steps=6)),
    ("optimistic_adam", Hand(optimistic_adam, _OPTIMISTIC, steps=3)),
    ("optimistic_adam", Hand(optimistic_adam, _OPTIMISTIC, {"first_step": "longer"}, steps=3)),
    ("optimistic_adam", Hand(optimistic_adam, _OPTIMISTIC, {"nesterov": True}, steps=3)),
    ("madgrad", Hand(madgrad, _MADGRAD, steps=3)),
    ("madgrad", Hand(madgrad, {**_MADGRAD, **_DECAYING}, {"decay": "decoupled"}, steps=3)),
    ("madgrad", Hand(madgrad, {**_MADGRAD, **_DECAYING}, {"decay": "coupled"}, steps=3)),
    ("exadam", Hand(exadam, {**RATE, "epsilon": 0.1}, steps=3)),
)


def called(pair: tuple[str, Hand]) -> str:
    """A name for a test: the entry and the options that it is proven with."""
    name, hand = pair
    return "-".join([name, *(f"{option}={value}" for option, value in hand.options.items())])


@pytest.mark.parametrize("pair", HAND, ids=called)
def test_follows_its_equation_by_hand(pair: tuple[str, Hand], prove: Any) -> None:
    prove.by_hand(*pair)


_ACCUMULATOR = {"first_moment": "accumulator"}
_AHEAD = {"clipping": "ahead"}
_PLACE = {"epsilon_place": "uncorrected"}

GOLDEN = (
    Golden("more", "nadamw", "nadamw", {"learning_rate": 0.05, "weight_decay": 0.1}),
    Golden("torch", "yogi", "yogi", {"learning_rate": 0.02}, _ACCUMULATOR),
    Golden(
        "more",
        "yogi_settings",
        "yogi",
        {
            "learning_rate": 0.05,
            "beta_1": 0.8,
            "beta_2": 0.99,
            "initial_accumulator": 0.1,
            "epsilon": 0.01,
        },
        _ACCUMULATOR,
    ),
    Golden(
        "torch",
        "laprop",
        "laprop",
        {"learning_rate": 0.02},
        _PLACE,
        tolerance=5e-9,
        why="its 1/(1-β₁ᵗ) is rounded to float32; the paper divides m by 1-β₁ᵗ (algorithm 1)",
    ),
    Golden(
        "more",
        "laprop_decay",
        "laprop",
        {"learning_rate": 0.02, "beta_1": 0.8, "beta_2": 0.99, "weight_decay": 0.01},
        {**_PLACE, "decay": "decoupled"},
    ),
    Golden("torch", "adopt", "adopt", {"learning_rate": 0.02}, _AHEAD),
    Golden(
        "more",
        "adopt_decay",
        "adopt",
        {"learning_rate": 0.02, "weight_decay": 0.1},
        {**_AHEAD, "decay": "decoupled"},
    ),
    Golden(
        "torch",
        "qhadam",
        "qhadam",
        {"learning_rate": 0.05, "beta_1": 0.9, "nu_1": 0.7, "nu_2": 1.0},
        {"weights": "float32"},
    ),
    Golden("torch", "madgrad", "madgrad", {"learning_rate": 0.02}),
    Golden(
        "more",
        "madgrad_decoupled",
        "madgrad",
        {"learning_rate": 0.02, "momentum": 0.8, "weight_decay": 0.01},
        {"decay": "decoupled"},
    ),
    Golden("more", "exadam", "exadam", {"learning_rate": 0.02}),
)


@pytest.mark.parametrize("golden", GOLDEN, ids=str)
def test_follows_the_recorded_trajectory(golden: Golden, prove: Any) -> None:
    prove.follows(golden)


def test_what_parts_laprop_from_its_record_is_one_rounding_to_float32(golden_dir: Path) -> None:
    recorded = record("torch", golden_dir)
    problem, path = Problem.of(recorded["problem"]), recorded["cases"]["laprop"]["trajectory"]
    x, m, v, found = problem.x0, 0.0, 0.0, {}
    for t in range(1, 61):
        g = flat(problem.gradient(tree(x)))
        v = 0.999 * v + 0.001 * g**2
        m = 0.9 * m + 0.1 * g / ((np.sqrt(v + 1e-15) + 1e-15) / np.sqrt(1 - 0.999**t))
        found[t] = x = x - 0.02 * float(np.float32(1 / (1 - 0.9**t))) * m
    for t, expected in path:
        np.testing.assert_allclose(found[t], expected, rtol=0, atol=1e-13)


OPTAX = {
    "nadamw": (optax.nadamw(0.05, weight_decay=1e-4), 1e-12),
    "yogi": (optax.yogi(0.05), 1e-12),
    "adopt": (optax.contrib.adopt(0.05), 1e-12),
    "acprop": (optax.contrib.acprop(0.05), 1e-12),
    "optimistic_adam": (optax.optimistic_adam_v2(0.05), 1e-12),
    # Optax takes the root of the count of steps in float32.
    "madgrad": (optax.contrib.madgrad(0.05), 1e-7),
}


def furthest_from(name: str, theirs: Any, steps: int = 12) -> float:
    """The largest difference between our steps at α = 0.05 and those of Optax's own."""
    problem = Problem.drawn()
    ours = Run(name, {"learning_rate": 0.05}, {}, problem, steps)
    params, worst = jax.tree.map(jnp.asarray, problem.start), 0.0
    state = theirs.init(params)
    for number in range(1, steps + 1):
        grads = jax.tree.map(jnp.asarray, problem.gradient(params))
        updates, state = theirs.update(grads, state, params)
        params = optax.apply_updates(params, updates)
        ours.step(number)
        worst = max(worst, float(np.max(np.abs(flat(ours.params) - flat(params)))))
    return worst


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("name", OPTAX)
def test_the_form_of_optax_is_optaxs(name: str) -> None:
    theirs, tolerance = OPTAX[name]
    assert furthest_from(f"{name}:optax", theirs) < tolerance


@pytest.mark.usefixtures("x64")
def test_optax_measures_acprops_deviation_from_the_average_before_which_shortens_every_step() -> (
    None
):
    # g - m with the new average is β₁ times g - m with the old one, and so is the root of its
    # square: the same steps at β₁ times the learning rate, but for the first, a plain gradient.
    rule = optimizers.get("acprop")
    settings = {"learning_rate": 1.0, "beta_1": 0.5, "epsilon": 0.0}
    new, old = (
        steps_of(rule.transformation(settings, deviation=which), [1.0, 3.0, -2.0, 0.7])
        for which in ("new", "old")
    )
    assert new[0] == old[0] == -1.0
    np.testing.assert_allclose(old[1:], 0.5 * np.array(new[1:]), rtol=1e-12)


def steps_of(rule: Any, gradients: list[float]) -> list[float]:
    """What the rule moves one parameter by, gradient after gradient."""
    params = jnp.zeros((1,))
    state, moved = rule.init(params), []
    for gradient in gradients:
        updates, state = rule.update(jnp.full((1,), gradient), state, params)
        params = params + updates
        moved.append(float(updates[0]))
    return moved


@pytest.mark.usefixtures("x64")
def test_adopt_stands_still_first_and_its_bound_counts_moves_not_gradients() -> None:
    moved = steps_of(
        optimizers.get("adopt").transformation({"learning_rate": 1.0, "beta_1": 0.0}),
        [1.0, 5.0, -5.0],
    )
    assert moved == [0.0, -1.0, pytest.approx(2**0.25)]


@pytest.mark.usefixtures("x64")
def test_yogi_as_frameworks_start_it_moves_what_has_no_gradient() -> None:
    entry = optimizers.get("yogi")
    assert steps_of(entry.transformation({}), [0.0, 0.0]) == [0.0, 0.0]
    assert steps_of(entry.transformation({}, first_moment="accumulator"), [0.0])[0] < 0


@pytest.mark.usefixtures("x64")
def test_yogis_square_grows_by_the_same_share_however_far_it_is() -> None:
    # Adam's average of squares would fall to 0.9 of itself; Yogi's loses a tenth of g² = 1e-4.
    rule = optimizers.get("yogi").transformation({"beta_2": 0.9, "initial_accumulator": 1.0})
    params = jnp.zeros((1,))
    _, state = rule.update(jnp.full((1,), 0.01), rule.init(params), params)
    held = [float(leaf[0]) for leaf in jax.tree.leaves(state) if leaf.shape]
    assert max(held) == pytest.approx(1 - 0.1 * 1e-4, rel=1e-12)


@pytest.mark.usefixtures("x64")
def test_the_first_step_of_optimistic_adam_is_plain_in_optax_and_longer_in_the_paper() -> None:
    settings = {"learning_rate": 1.0, "epsilon": 0.0, "optimism": 2.0}
    entry = optimizers.get("optimistic_adam")
    assert steps_of(entry.transformation(settings), [3.0]) == [pytest.approx(-1.0)]
    longer = entry.transformation(settings, first_step="longer")
    assert steps_of(longer, [3.0]) == [pytest.approx(-3.0)]


@pytest.mark.usefixtures("x64")
def test_qhadam_with_its_frameworks_defaults_is_adam() -> None:
    gradients = [1.0, -0.3, 2.0, 0.1]
    theirs = optimizers.get("qhadam:torch").transformation({}, weights="exact")
    adam = optimizers.get("adam").transformation({})
    np.testing.assert_allclose(steps_of(theirs, gradients), steps_of(adam, gradients), rtol=1e-12)
