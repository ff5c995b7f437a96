"""Step lengths without tuning: by their papers' equations, and against other frameworks."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import proving
from fallline import optimizers
from proving import Golden, Hand, flat, leafwise, tree


def prodigy(corrected: bool = False, safeguarded: bool = False):
    """Mishchenko & Defazio 2023 in Adam's form, all parameters as one vector."""

    def rule(step):
        x, g, s, h = flat(step.x), flat(step.g), step.s, step.h
        if step.t == 1:
            s |= {"x0": x, "d": h["first_distance"], "m": 0 * x, "v": 0 * x, "r": 0.0, "s": 0 * x}
        d, b1, b2 = s["d"], h["beta_1"], h["beta_2"]
        rate = h["learning_rate"]
        if corrected:
            rate *= math.sqrt(1 - b2**step.t) / (1 - b1**step.t)
        root = h["beta_3"] if h["sums"] == "beta_3" else math.sqrt(b2)
        s["m"] = b1 * s["m"] + (1 - b1) * d * g
        s["v"] = b2 * s["v"] + (1 - b2) * d**2 * g**2
        s["r"] = root * s["r"] + (1 - root) * rate * d**2 * float(g @ (s["x0"] - x))
        s["s"] = root * s["s"] + (1 - root) * (1 if safeguarded else rate) * d**2 * g
        found = s["most"] = max(
            s.get("most", d), h["coefficient"] * s["r"] / np.sum(np.abs(s["s"]))
        )
        s["d"] = found
        if h["growth"] == "limited" and d > h["first_distance"]:
            s["d"] = min(found, d * h["growth_rate"])
        # The authors' code has the new distance beside the root, the paper the old one.
        move = s["m"] / (np.sqrt(s["v"]) + s["d"] * h["epsilon"])
        return tree(x - rate * d * (move + h["weight_decay"] * x))

    return rule


def grown(d, found, h):
    return max(d, min(found, d * h["growth_rate"]) if h["growth"] == "limited" else found)


def dadapt_adamw(corrected: bool = False):
    """Defazio & Mishchenko 2023, Adam; the product's weights are those before the gradient."""

    def rule(step):
        x, g, s, h = flat(step.x), flat(step.g), step.s, step.h
        if step.t == 1:
            s |= {"d": h["first_distance"], "m": 0 * x, "v": 0 * x, "r": 0.0, "s": 0 * x}
        b1, b2 = h["beta_1"], h["beta_2"]
        rate = s["d"] * h["learning_rate"]
        if corrected:
            rate *= math.sqrt(1 - b2**step.t) / (1 - b1**step.t)
        root = math.sqrt(b2)
        product = float(g @ (s["s"] / (np.sqrt(s["v"]) + h["epsilon"])))
        s["r"] = root * s["r"] + (1 - root) * rate * product
        s["m"] = b1 * s["m"] + (1 - b1) * rate * g
        s["v"] = b2 * s["v"] + (1 - b2) * g**2
        s["s"] = root * s["s"] + (1 - root) * rate * g
        s["d"] = grown(s["d"], s["r"] / ((1 - root) * np.sum(np.abs(s["s"]))), h)
        move = s["m"] / (np.sqrt(s["v"]) + h["epsilon"])
        return tree(x - move - rate * h["weight_decay"] * x)

    return rule


def dadapt_sgd(step):
    """Defazio & Mishchenko 2023, SGD: z descends, x follows it."""
    x, g, s, h = flat(step.x), flat(step.g), step.s, step.h
    if step.t == 1:
        s |= {"z": x, "d": h["first_distance"], "G": np.linalg.norm(g), "r": 0.0, "s": 0 * x}
    rate = s["d"] * h["learning_rate"] / s["G"]
    g = g + h["weight_decay"] * x
    s["r"] += rate * float(g @ s["s"])
    s["s"] = s["s"] + rate * g
    s["z"] = s["z"] - rate * g
    s["d"] = grown(s["d"], 2 * s["r"] / np.linalg.norm(s["s"]), h)
    return tree(h["momentum"] * x + (1 - h["momentum"]) * s["z"])


def dadapt_adagrad(step):
    """Defazio & Mishchenko 2023, Adagrad, as their code has it: twice the paper's distance."""
    x, g, s, h = flat(step.x), flat(step.g), step.s, step.h
    if step.t == 1:
        begun = np.full_like(x, h["initial_accumulator"])
        s |= {"x0": x, "d": h["first_distance"], "v": begun, "r": 0.0, "s": 0 * x}
    rate = s["d"] * h["learning_rate"]
    s["v"] = s["v"] + g**2
    scale = np.sqrt(s["v"]) + h["epsilon"]
    s["s"] = s["s"] + rate * g
    s["r"] += rate**2 * float(g @ (g / scale))
    s["d"] = grown(s["d"], (s["s"] @ (s["s"] / scale) - s["r"]) / np.sum(np.abs(s["s"])), h)
    z = s["x0"] - s["s"] / scale
    return tree(h["momentum"] * x + (1 - h["momentum"]) * z)


def dog(parts):
    """Ivgi et al. 2023; ``parts`` of the vector have a step length each."""

    def rule(step):
        x, g, s, h = flat(step.x), flat(step.g), step.s, step.h
        g, after = g + h["weight_decay"] * x, x.copy()
        if step.t == 1:
            first = [h["first_share"] * (1 + np.linalg.norm(x[part])) for part in parts]
            s |= {"x0": x, "r": first, "G": [h["epsilon"] for _ in parts]}
        for i, part in enumerate(parts):
            s["r"][i] = max(s["r"][i], np.linalg.norm((x - s["x0"])[part]))
            s["G"][i] += float(g[part] @ g[part])
            after[part] -= h["learning_rate"] * s["r"][i] / math.sqrt(s["G"][i]) * g[part]
        return tree(after)

    return rule


def dowg(step):
    """Khaled et al. 2023, algorithm 1, with an epsilon beside the root."""
    x, g, s, h = flat(step.x), flat(step.g), step.s, step.h
    if step.t == 1:
        s |= {"x0": x, "r": math.sqrt(h["first_square"]), "v": 0.0}
    s["r"] = max(s["r"], np.linalg.norm(x - s["x0"]))
    s["v"] += s["r"] ** 2 * float(g @ g)
    rate = s["r"] ** 2 / (math.sqrt(s["v"]) + h["epsilon"])
    return tree(x - h["learning_rate"] * rate * g)


@leafwise
def cocob(x, g, s, t, h):
    """Orabona & Tommasi 2017, algorithm 2, of negative gradients."""
    if t == 1:
        s |= {"x0": x, "L": np.full_like(x, h["epsilon"]), "G": 0 * x, "R": 0 * x, "theta": 0 * x}
    c = -g
    s["L"] = np.maximum(s["L"], np.abs(c))
    s["G"] = s["G"] + np.abs(c)
    s["R"] = np.maximum(s["R"] + (x - s["x0"]) * c, 0)
    s["theta"] = s["theta"] + c
    share = s["theta"] / (s["L"] * np.maximum(s["G"] + s["L"], h["alpha"] * s["L"]))
    return s["x0"] + share * (s["L"] + s["R"])


def kt(step):
    """Orabona & Pál 2016, algorithm 1, of gradients over the largest norm so far, or over 1."""
    x, g, s = flat(step.x), flat(step.g), step.s
    if step.t == 1:
        s |= {"x0": x, "coins": [], "wealth": step.h["first_wealth"], "norms": [1.0]}
    s["norms"].append(np.linalg.norm(g))
    s["coins"].append(-g / max(s["norms"]))
    s["wealth"] += float(s["coins"][-1] @ (x - s["x0"]))
    return tree(s["x0"] + s["wealth"] * np.sum(s["coins"], axis=0) / (step.t + 1))


def momo(adam: bool = False, adapt: bool = False):
    """Schaipp et al. 2023: the model of past losses, weighted, and its step by the definition."""

    def rule(step):
        x, g, s, h = flat(step.x), flat(step.g), step.s, step.h
        past = s.setdefault("past", [])
        past.append((step.value, float(g @ x), g))
        b = h["beta_1"] if adam else h["beta"]
        weights = np.array([(1 - b) * b ** (step.t - 1 - j) for j in range(step.t)])
        if not adam and not h["bias_correction"]:
            weights[0] = b ** (step.t - 1)
        rho = weights.sum()
        f, gamma = (float(weights @ [p[i] for p in past]) for i in (0, 1))
        d = sum(w * p[2] for w, p in zip(weights, past, strict=True))
        scale = np.ones_like(x)
        if adam:
            b2 = h["beta_2"]
            v = sum((1 - b2) * b2 ** (step.t - 1 - j) * p[2] ** 2 for j, p in enumerate(past))
            scale = np.sqrt(v / (1 - b2**step.t)) + h["epsilon"]
        rate, least = h["learning_rate"], h["lower_bound"]
        grow = 1 + rate * h["weight_decay"]
        bound = s.get("bound", least)
        if adapt and grow * (f - gamma) + d @ x < grow * rho * bound:
            bound = max((grow * (f - gamma) + d @ x) / (2 * grow * rho), least)
        square = d @ (d / scale)
        tau = min(rate / rho, max(grow * (f - rho * bound - gamma) + d @ x, 0) / square)
        if adapt:
            s["bound"] = max((f + d @ x - gamma - tau * square / 2) / rho, least)
        return tree((x - tau * d / scale) / grow)

    return rule


SETTINGS = {"learning_rate": 0.8, "beta_1": 0.8, "beta_2": 0.95, "epsilon": 1e-2}
PRODIGY = {**SETTINGS, "first_distance": 1e-2, "coefficient": 1.3, "weight_decay": 0.1}
DADAPT = {**SETTINGS, "first_distance": 1e-2, "weight_decay": 0.1}
DESCENT = {"learning_rate": 0.8, "momentum": 0.7, "first_distance": 1e-2, "weight_decay": 0.1}
ADAGRAD = {
    "learning_rate": 0.8,
    "momentum": 0.3,
    "epsilon": 1e-2,
    "first_distance": 1e-2,
    "initial_accumulator": 0.1,
}
DOG = {"learning_rate": 0.8, "first_share": 1e-2, "epsilon": 0.1, "weight_decay": 0.05}
# The drawn problem's losses are near -0.5 at their least.
MOMO = {"learning_rate": 0.5, "beta": 0.7, "lower_bound": -4.0, "weight_decay": 0.2}
MOMO_ADAM = {**SETTINGS, "lower_bound": -4.0, "weight_decay": 0.2}
HAND = {
    "prodigy": ("prodigy", Hand(prodigy(), PRODIGY, steps=6)),
    "prodigy, bias corrected": (
        "prodigy",
        Hand(prodigy(corrected=True), PRODIGY, {"bias_correction": True}, steps=6),
    ),
    "prodigy, safeguarded": (
        "prodigy",
        Hand(prodigy(safeguarded=True), PRODIGY, {"safeguard_warmup": True}, steps=6),
    ),
    "dadapt_adamw": ("dadapt_adamw", Hand(dadapt_adamw(), DADAPT, steps=6)),
    "dadapt_adamw, bias corrected": (
        "dadapt_adamw",
        Hand(dadapt_adamw(corrected=True), DADAPT, {"bias_correction": True}, steps=6),
    ),
    "prodigy, its sums and growth its own": (
        "prodigy",
        Hand(
            prodigy(),
            {**PRODIGY, "beta_3": 0.9, "growth_rate": 1.1},
            {"sums": "beta_3", "growth": "limited"},
            steps=8,
        ),
    ),
    "dadapt_adamw, growth limited": (
        "dadapt_adamw",
        Hand(dadapt_adamw(), {**DADAPT, "growth_rate": 1.1}, {"growth": "limited"}, steps=6),
    ),
    "dadapt_sgd": ("dadapt_sgd", Hand(dadapt_sgd, DESCENT, steps=6)),
    "dadapt_sgd, growth limited": (
        "dadapt_sgd",
        Hand(dadapt_sgd, {**DESCENT, "growth_rate": 1.1}, {"growth": "limited"}, steps=6),
    ),
    "dadapt_adagrad": ("dadapt_adagrad", Hand(dadapt_adagrad, ADAGRAD, steps=6)),
    "dadapt_adagrad, growth limited": (
        "dadapt_adagrad",
        Hand(dadapt_adagrad, {**ADAGRAD, "growth_rate": 1.1}, {"growth": "limited"}, steps=6),
    ),
    "dog": ("dog", Hand(dog([slice(0, 17)]), DOG, steps=4)),
    "dog, layer by layer": (
        "dog",
        Hand(dog([slice(0, 12), slice(12, 17)]), DOG, {"layerwise": True}, steps=4),
    ),
    "dowg": (
        "dowg",
        Hand(dowg, {"learning_rate": 0.8, "first_square": 1e-2, "epsilon": 0.1}, steps=4),
    ),
    "cocob": ("cocob", Hand(cocob, {"alpha": 2.5, "epsilon": 0.7}, steps=5)),
    "kt": ("kt", Hand(kt, {"first_wealth": 0.3}, steps=6)),
    "momo": ("momo", Hand(momo(), MOMO, steps=5)),
    "momo, bound adapted": (
        "momo",
        Hand(momo(adapt=True), {**MOMO, "learning_rate": 2.0}, {"adapt_lower_bound": True}, 8),
    ),
    "momo, bound above the loss": (
        "momo",
        Hand(momo(adapt=True), {**MOMO, "lower_bound": 40.0}, {"adapt_lower_bound": True}, 3),
    ),
    "momo, bias corrected": ("momo", Hand(momo(), MOMO, {"bias_correction": True}, steps=5)),
    "momo_adam": ("momo_adam", Hand(momo(adam=True), MOMO_ADAM, steps=5)),
    "momo_adam, bound adapted": (
        "momo_adam",
        Hand(momo(adam=True, adapt=True), MOMO_ADAM, {"adapt_lower_bound": True}, steps=8),
    ),
}
DECAY = {"weight_decay": 0.01}
NEAR = {"first_distance": 0.01}
GOLDEN = (
    Golden("torch", "prodigy", "prodigy", {"learning_rate": 1.0}),
    Golden(
        "more",
        "prodigy_settings",
        "prodigy",
        {**NEAR, **DECAY, "coefficient": 0.7, "beta_3": 0.98, "growth_rate": 1.05},
        {
            "sums": "beta_3",
            "growth": "limited",
            "bias_correction": True,
            "safeguard_warmup": True,
        },
    ),
    Golden("more", "dadapt_adam", "dadapt_adamw", {**NEAR, "learning_rate": 0.3}),
    Golden(
        "more",
        "dadapt_adamw",
        "dadapt_adamw",
        {**NEAR, **DECAY, "growth_rate": 1.5},
        {"growth": "limited", "bias_correction": True},
    ),
    Golden("more", "dadapt_sgd", "dadapt_sgd", {**NEAR, **DECAY, "momentum": 0.9}),
    Golden(
        "more",
        "dadapt_adagrad",
        "dadapt_adagrad",
        NEAR,
        tolerance=5e-6,
        why="5e-15 until step 40; behind it d grows to 2.9, the steps overshoot and rounding grows "
        "2.5 times a step: the same rule in NumPy strays as far when its start moves by 3e-16",
    ),
    Golden("more", "dog", "dog", {"first_share": 0.01}),
    Golden("more", "dog_layerwise", "dog", {"first_share": 0.01, **DECAY}, {"layerwise": True}),
    Golden("more", "dowg", "dowg", {"first_square": 1 - 0.9999, "epsilon": 1 - 0.9999}),
    Golden("more", "cocob", "cocob", {"alpha": 20.0}),
    Golden("more", "kt", "kt+clip_norm", {"first_wealth": 0.1, "clip_norm_epsilon": 1e-6}),
    Golden("more", "momo", "momo", {"learning_rate": 0.5, "lower_bound": -9.0, **DECAY}),
    Golden(
        "more",
        "momo_bias_corrected",
        "momo",
        {"learning_rate": 0.3, "lower_bound": -4.0},
        {"bias_correction": True, "adapt_lower_bound": True},
    ),
    Golden("more", "momo_adam", "momo_adam", {"learning_rate": 0.5, "lower_bound": -2.0, **DECAY}),
)


@pytest.mark.parametrize(("name", "hand"), HAND.values(), ids=HAND)
def test_follows_its_equation_by_hand(name: str, hand: Hand, prove: Any) -> None:
    prove.by_hand(name, hand)


@pytest.mark.parametrize("golden", GOLDEN, ids=str)
def test_follows_the_recorded_trajectory(golden: Golden, prove: Any) -> None:
    prove.follows(golden)


OPTAX = {
    "prodigy": (
        lambda: optax.contrib.prodigy(
            0.8, (0.8, 0.95), eps=1e-2, estim_lr0=1e-2, estim_lr_coef=1.3, weight_decay=0.1
        ),
        PRODIGY,
    ),
    "dadapt_adamw": (
        lambda: optax.contrib.dadapt_adamw(
            0.8, (0.8, 0.95), eps=1e-2, estim_lr0=1e-2, weight_decay=0.1
        ),
        DADAPT,
    ),
    "dog": (
        lambda: optax.contrib.dog(0.8, ("heuristic", 1e-2), eps=0.1, weight_decay=0.05),
        DOG,
    ),
    "dowg": (
        lambda: optax.contrib.dowg(0.8, 1e-2, eps=0.1),
        {"learning_rate": 0.8, "first_square": 1e-2, "epsilon": 0.1},
    ),
    "cocob": (lambda: optax.contrib.cocob(alpha=2.5, eps=0.7), {"alpha": 2.5, "epsilon": 0.7}),
    "momo": (
        lambda: optax.contrib.momo(0.5, 0.7, -4.0),
        {"learning_rate": 0.5, "beta": 0.7, "lower_bound": -4.0},
    ),
    "momo_adam": (
        lambda: optax.contrib.momo_adam(0.8, 0.8, 0.95, 1e-2, -4.0),
        {**SETTINGS, "lower_bound": -4.0},
    ),
}


def followed(rule: Any, problem: proving.Problem, steps: int) -> np.ndarray:
    """Where a rule of Optax gets to."""
    params = jax.tree.map(jnp.asarray, problem.start)
    state = rule.init(params)
    update = jax.jit(optax.with_extra_args_support(rule).update)
    for _ in range(steps):
        grads = jax.tree.map(jnp.asarray, problem.gradient(params))
        value = jnp.asarray(problem.value(params))
        updates, state = update(grads, state, params, value=value)
        params = optax.apply_updates(params, updates)
    return flat(params)


@pytest.mark.parametrize("name", OPTAX)
def test_optax_takes_the_same_steps(name: str, x64: None) -> None:
    peer, settings = OPTAX[name]
    problem = proving.Problem.drawn()
    run = proving.Run(f"{name}:optax", settings, {}, problem, 40)
    for number in range(1, 41):
        run.step(number)
    np.testing.assert_allclose(flat(run.params), followed(peer(), problem, 40), atol=1e-10)


def test_optax_divides_the_decay_of_momo_but_not_its_step(x64: None) -> None:
    problem = proving.Problem.drawn()
    run = proving.Run("momo", MOMO, {}, problem, 1)
    run.step(1)
    grow = 1 + 0.5 * 0.2
    theirs = followed(optax.contrib.momo(0.5, 0.7, -4.0, 0.2), problem, 1) - problem.x0
    step = theirs + (grow - 1) / grow * problem.x0
    ours = flat(run.params) - problem.x0
    np.testing.assert_allclose(ours, step / grow - (grow - 1) / grow * problem.x0, atol=1e-12)
    assert np.max(np.abs(ours - theirs)) > 1e-3


@pytest.mark.parametrize("name", ["prodigy", "dadapt_adamw", "dadapt_sgd", "dog", "dowg"])
def test_a_first_gradient_of_zero_does_not_keep_it_from_starting_later(name: str) -> None:
    params = {"w": jnp.array([1.0, -2.0])}
    rule = optimizers.get(name).transformation({})
    state = rule.init(params)
    for grads in (jnp.zeros(2), jnp.zeros(2), jnp.array([1.0, -1.0]), jnp.array([1.0, -1.0])):
        updates, state = rule.update({"w": grads}, state, params)
        params = optax.apply_updates(params, updates)
    moved = np.asarray(params["w"]) - [1.0, -2.0]
    assert moved[0] < 0 < moved[1]


@pytest.mark.parametrize(
    ("name", "field"), [("prodigy", "distance"), ("dadapt_adamw", "distance"), ("dog", "distance")]
)
def test_the_distance_grows_from_a_millionth_to_the_size_of_the_problem(
    name: str, field: str, x64: None
) -> None:
    problem = proving.Problem.drawn()
    run = proving.Run(name, {}, {}, problem, 300)
    for number in range(1, 301):
        run.step(number)
    assert 1e-2 < float(getattr(run.state, field)) < np.sum(np.abs(problem.x0))


def test_momo_takes_polyaks_step_where_the_bound_is_reached(x64: None) -> None:
    """On ``‖x‖²/2`` with f* = 0 and no momentum the step is half the way, to rounding."""
    rule = optimizers.get("momo").transformation({"beta": 0.0, "learning_rate": 10.0})
    params = {"w": jnp.array([3.0, -4.0])}
    updates, _ = rule.update(params, rule.init(params), params, value=jnp.asarray(12.5))
    np.testing.assert_allclose(updates["w"], [-1.5, 2.0], rtol=1e-14)


def test_cocob_does_not_see_the_scale_of_the_loss(x64: None) -> None:
    rule = optimizers.get("cocob").transformation({"epsilon": 0.0})
    draw = np.random.default_rng(3)
    grads = draw.normal(size=(6, 4))

    def path(scale: float) -> np.ndarray:
        params = {"w": jnp.ones(4)}
        state = rule.init(params)
        for g in grads:
            updates, state = rule.update({"w": jnp.asarray(scale * g)}, state, params)
            params = optax.apply_updates(params, updates)
        return np.asarray(params["w"])

    np.testing.assert_allclose(path(1e6), path(1.0), rtol=1e-12)
    assert np.max(np.abs(path(1.0) - 1)) > 1e-3
