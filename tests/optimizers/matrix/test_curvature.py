"""AdaHessian, Sophia, Apollo and L-BFGS against their papers, and against those who have them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import proving
from fallline import optimizers
from proving import Arrays, Golden, Hand, Step, flat, leafwise, tree


def adahessian(step: Step) -> Arrays:
    """With signs the estimate of a diagonal Hessian is that diagonal."""
    h, diagonal, after = step.h, step.problem.hessian_diagonal(step.x), {}
    for name, x in step.x.items():
        s = step.s.setdefault(name, {"m": 0.0, "v": 0.0})
        s["m"] = h["beta_1"] * s["m"] + (1 - h["beta_1"]) * step.g[name]
        s["v"] = h["beta_2"] * s["v"] + (1 - h["beta_2"]) * diagonal[name] ** 2
        m = s["m"] / (1 - h["beta_1"] ** step.t)
        d = np.sqrt(s["v"] / (1 - h["beta_2"] ** step.t))
        over = m / (d ** h["power"] + h["epsilon"])
        after[name] = x - h["learning_rate"] * (over + h["weight_decay"] * x)
    return after


def sophia(step: Step) -> Arrays:
    h, diagonal, after = step.h, step.problem.hessian_diagonal(step.x), {}
    for index, (name, x) in enumerate(step.x.items()):
        s = step.s.setdefault(name, {"m": 0.0, "h": 0.0})
        s["m"] = h["beta_1"] * s["m"] + (1 - h["beta_1"]) * step.g[name]
        if (step.t - 1) % h["every"] == 0:
            key = jax.random.fold_in(step.key, index)
            z = 1.0 if h["probe"] == "signs" else np.asarray(jax.random.normal(key, x.shape))
            s["h"] = h["beta_2"] * s["h"] + (1 - h["beta_2"]) * z * z * diagonal[name]
        ratio = s["m"] / np.maximum(h["gamma"] * s["h"], h["epsilon"])
        after[name] = (1 - h["learning_rate"] * h["weight_decay"]) * x - h[
            "learning_rate"
        ] * np.clip(ratio, -1, 1)
    return after


@leafwise
def apollo(x: np.ndarray, g: np.ndarray, s: dict[str, Any], t: int, h: dict[str, Any]) -> Any:
    """Algorithm 1 with d = -last step direction, and the denominators of the authors' code."""
    g = g + h["weight_decay"] * x if h["decay"] == "coupled" else g
    m, b, d = (s.get(name, np.zeros_like(x)) for name in "mbd")
    a = (1 - h["beta"]) / (1 - h["beta"] ** t)
    y = g - m
    belief = h["rebound"] == "belief"
    sigma = np.abs(y).max() if belief else h["sigma"]
    m = m + a * y
    n = np.sum(d**4) ** 0.25 + (h["epsilon"] if belief else h["epsilon"] / sigma)
    # With u = d/n, the secant's  -(uᵀ B u + a uᵀ y / n): the last step was against d.
    u = d / n
    b = b - (np.sum(b * u * u) + a * np.sum(u * y) / n) * u * u
    d = m / (np.maximum(np.abs(b), sigma) + (h["epsilon"] / a if belief else 0.0))
    s.update(m=m, b=b, d=d)
    warm = min(1.0, t / h["warmup"])
    return x - (h["initial_rate"] + (h["learning_rate"] - h["initial_rate"]) * warm) * d


def lbfgs(step: Step) -> Arrays:
    """The inverse Hessian written out as a matrix, and a step that needs no search."""
    h, x, g = step.h, flat(step.x), flat(step.g)
    pairs = step.s.setdefault("pairs", [])
    if step.t == 1:
        size = np.abs(g).sum() if h["first_step"] == "manhattan" else np.linalg.norm(g)
        inverse = np.eye(17) * min(1.0, 1.0 / size)
    else:
        pairs.append((x - step.s["x"], g - step.s["g"]))
        del pairs[: -h["memory_size"]]
        s, y = pairs[-1]
        inverse = np.eye(17) * (s @ y) / (y @ y)
        for s, y in pairs:
            side = np.eye(17) - np.outer(s, y) / (s @ y)
            inverse = side @ inverse @ side.T + np.outer(s, s) / (s @ y)
    step.s.update(x=x, g=g)
    d = -inverse @ g
    after = x + h["learning_rate"] * d
    if h["line_search"] == "zoom":
        new = step.problem.value(tree(after))
        slope, left = g @ d, flat(step.problem.gradient(tree(after))) @ d
        assert new <= step.value + h["c1"] * h["learning_rate"] * slope
        assert abs(left) <= h["c2"] * abs(slope)
    return tree(after)


ADAHESSIAN = {
    "learning_rate": 0.1,
    "beta_1": 0.8,
    "beta_2": 0.9,
    "epsilon": 0.05,
    "power": 0.7,
    "weight_decay": 0.1,
}
SOPHIA = {
    "learning_rate": 0.1,
    "beta_1": 0.7,
    "beta_2": 0.8,
    "epsilon": 0.2,
    "gamma": 0.5,
    "weight_decay": 0.1,
}
APOLLO = {"learning_rate": 0.1, "beta": 0.8, "epsilon": 1e-2, "initial_rate": 0.02, "warmup": 3.0}
HAND = (
    ("adahessian", Hand(adahessian, ADAHESSIAN, steps=3)),
    ("sophia", Hand(sophia, SOPHIA, {"every": 2}, steps=4)),
    ("sophia", Hand(sophia, SOPHIA, {"every": 2, "probe": "signs"}, steps=4)),
    ("apollo", Hand(apollo, {**APOLLO, "sigma": 0.7}, steps=5)),
    ("apollo", Hand(apollo, {**APOLLO, "weight_decay": 0.1}, {"decay": "coupled"}, steps=5)),
    ("apollo", Hand(apollo, APOLLO, {"rebound": "belief"}, steps=5)),
    ("lbfgs", Hand(lbfgs, {"learning_rate": 0.5}, {"line_search": "none", "memory_size": 2}, 6)),
    (
        "lbfgs",
        Hand(
            lbfgs,
            {"learning_rate": 0.5},
            {"line_search": "none", "memory_size": 2, "first_step": "manhattan"},
            6,
        ),
    ),
    ("lbfgs", Hand(lbfgs, {}, {"memory_size": 3}, 6)),
)


@pytest.mark.parametrize(
    ("name", "hand"), HAND, ids=lambda part: getattr(part, "options", None) or str(part)[:10]
)
def test_follows_its_equation_by_hand(name: str, hand: Hand, prove: Any) -> None:
    prove.by_hand(name, hand)


APOLLO_RECORD = {"learning_rate": 0.01, "initial_rate": 0.001, "warmup": 10.0}
GOLDEN = (
    Golden("more", "adahessian", "adahessian", {"learning_rate": 0.1, "epsilon": 1e-16}),
    Golden(
        "more",
        "adahessian_power",
        "adahessian",
        {"learning_rate": 0.1, "epsilon": 1e-16, "power": 0.5, "weight_decay": 0.01},
    ),
    Golden(
        # Its step is lr clip(m / max(h, ε), p): α = lr p, γ = p, and λ and ε are scaled alike.
        "more",
        "sophia",
        "sophia",
        {
            "learning_rate": 0.5 * 0.1,
            "gamma": 0.1,
            "epsilon": 1e-13,
            "weight_decay": 0.01 / 0.1,
        },
        {"probe": "signs"},
    ),
    Golden(
        "more",
        "apollo",
        "apollo",
        APOLLO_RECORD,
        tolerance=0.1,
        why=(
            "the peer divides its ε by σ once more for every array, so that the second has ε/σ² "
            "where algorithm 1 has one ε; the first agrees to 1e-10"
        ),
    ),
    Golden(
        "more",
        "apollo_belief",
        "apollo",
        {"learning_rate": 0.05, "initial_rate": 0.01, "warmup": 10.0},
        {"rebound": "belief"},
    ),
    Golden(
        # Its warm-up counts from 0, which makes a longer one of a smaller first rate.
        "more",
        "apollo_second",
        "apollo",
        {
            "learning_rate": 0.05,
            "sigma": 1.0,
            "initial_rate": 0.05 - (0.05 - 0.01) * 1.1,
            "warmup": 11.0,
            "weight_decay": 0.01,
        },
        {"decay": "coupled"},
    ),
    Golden(
        "more",
        "lbfgs",
        "lbfgs",
        {"learning_rate": 0.3},
        {"memory_size": 4, "line_search": "none", "first_step": "manhattan"},
        tolerance=1e-4,
        why=(
            "the peer rests where a step promises to gain less than its tolerance_change of 1e-9, "
            "which algorithm 2.1 does not; to step 20 the two agree to 1e-10"
        ),
    ),
    Golden(
        "more",
        "lbfgs_strong_wolfe",
        "lbfgs",
        {},
        {"first_step": "manhattan"},
        tolerance=1.0,
        why=(
            "algorithm 2.1 asks for any step that meets Wolfe's conditions: the peer extrapolates "
            "by cubics, Optax doubles; both come to the same minimum, where the peer rests early"
        ),
    ),
)


@pytest.mark.parametrize("golden", GOLDEN, ids=str)
def test_follows_another_framework(golden: Golden, prove: Any) -> None:
    prove.follows(golden)


def followed(
    golden_dir: Path, case: str, entry: str, settings: Any, **options: Any
) -> dict[int, tuple[Arrays, Arrays]]:
    """Our parameters and the recorded ones, by step."""
    recorded = proving.record("more", golden_dir)
    run = proving.Run(entry, settings, options, proving.Problem.of(recorded["problem"]), 60)
    expected, both = dict(recorded["cases"][case]["trajectory"]), {}
    for number in range(1, 61):
        run.step(number)
        if number in expected:
            both[number] = run.params, tree(np.array(expected[number]))
    return both


def test_apollo_agrees_with_its_peer_where_that_has_the_same_epsilon(
    x64: None, golden_dir: Path
) -> None:
    for name, epsilon in {"W": 1e-4, "b": 1e-4 / 0.01}.items():
        settings = {**APOLLO_RECORD, "epsilon": epsilon}
        for ours, theirs in followed(golden_dir, "apollo", "apollo", settings).values():
            np.testing.assert_allclose(ours[name], theirs[name], rtol=0, atol=1e-10)


def test_lbfgs_agrees_with_its_peer_until_that_rests(x64: None, golden_dir: Path) -> None:
    options = {"memory_size": 4, "line_search": "none", "first_step": "manhattan"}
    both = followed(golden_dir, "lbfgs", "lbfgs", {"learning_rate": 0.3}, **options)
    for step in (1, 2, 3, 5, 10, 20):
        np.testing.assert_allclose(*map(flat, both[step]), rtol=0, atol=1e-10)


def test_lbfgs_comes_to_its_peers_minimum(x64: None, golden_dir: Path) -> None:
    both = followed(golden_dir, "lbfgs_strong_wolfe", "lbfgs", {}, first_step="manhattan")
    np.testing.assert_allclose(*map(flat, both[60]), rtol=0, atol=2e-5)


FULL = np.array([[2.0, 0.7, -0.3], [0.7, 1.5, 0.4], [-0.3, 0.4, 1.0]])


def bent(x: jax.Array) -> jax.Array:
    """A quadratic whose Hessian is not diagonal."""
    return x @ jnp.asarray(FULL) @ x / 2


@pytest.mark.parametrize(
    ("name", "settings", "options", "draw"),
    [
        ("adahessian", {"epsilon": 0.1}, {}, jax.random.rademacher),
        ("sophia", {"beta_1": 0.0, "gamma": 50.0}, {}, jax.random.normal),
        ("sophia", {"beta_1": 0.0, "gamma": 50.0}, {"probe": "signs"}, jax.random.rademacher),
    ],
)
def test_a_probe_is_multiplied_with_the_whole_hessian(
    name: str, settings: Any, options: Any, draw: Any, x64: None
) -> None:
    x, key = jnp.array([0.3, -0.2, 0.5]), jax.random.key(5)
    rule = optimizers.get(name).transformation({**settings, "weight_decay": 0.0}, **options)
    update, _ = rule.update(FULL @ x, rule.init(x), x, value_fn=bent, key=key)
    z = np.asarray(draw(jax.random.fold_in(key, 0), (3,), np.float64))
    d, g = z * (FULL @ z), FULL @ np.asarray(x)
    if name == "adahessian":
        expected = -0.15 * g / (np.abs(d) + 0.1)
    else:
        expected = -6e-4 * np.clip(g / np.maximum(50 * 0.01 * d, 1e-12), -1, 1)
    np.testing.assert_allclose(update, expected, rtol=1e-12)


def test_adahessian_averages_over_the_window_of_a_convolution(x64: None) -> None:
    shape = (2, 3, 2, 2)
    curvature = np.random.default_rng(1).uniform(-1, 2, shape)

    def loss(x: jax.Array) -> jax.Array:
        return jnp.sum(jnp.asarray(curvature) * x * x) / 2

    x = jnp.ones(shape)
    rule = optimizers.get("adahessian").transformation({"epsilon": 0.0})
    update, _ = rule.update(x, rule.init(x), x, value_fn=loss, key=jax.random.key(0))
    mean = np.abs(curvature).mean((0, 1), keepdims=True)
    np.testing.assert_allclose(update, -0.15 / np.broadcast_to(mean, shape), rtol=1e-12)


def rosenbrock(x: jax.Array) -> jax.Array:
    return jnp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def test_lbfgs_is_through_rosenbrocks_valley_in_fifty_steps(descend: Any, x64: None) -> None:
    path = descend("lbfgs", rosenbrock, np.array([-1.2, 1.0, -0.5, 2.0]), 50)
    np.testing.assert_allclose(path.params[-1], np.ones(4), atol=1e-8)


def test_lbfgs_takes_steps_that_meet_wolfes_conditions(descend: Any, x64: None) -> None:
    start = np.array([-1.2, 1.0])
    path = descend("lbfgs", rosenbrock, start, 20, {"c1": 0.01, "c2": 0.5})
    points = np.concatenate([[start], path.params])
    grads = np.array([jax.grad(rosenbrock)(jnp.asarray(x)) for x in points])
    for before, after, g, new in zip(points, points[1:], grads, grads[1:], strict=False):
        step = after - before
        assert rosenbrock(after) <= rosenbrock(before) + 0.01 * g @ step
        assert abs(new @ step) <= 0.5 * abs(g @ step)


def test_lbfgs_traces_the_loss_a_few_times_only() -> None:
    traced = []

    def loss(x: jax.Array) -> jax.Array:
        traced.append(1)
        return jnp.sum(x**2)

    rule = optimizers.get("lbfgs").transformation({})
    x = jnp.ones(3)
    state = rule.init(x)
    assert traced == []

    def step(x: Any, state: Any) -> Any:
        grad = 2 * x
        return rule.update(grad, state, x, value=jnp.sum(x**2), grad=grad, value_fn=loss)

    jax.make_jaxpr(step)(x, state)
    assert len(traced) <= 4
