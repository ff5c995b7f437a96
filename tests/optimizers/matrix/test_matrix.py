"""Muon, Shampoo, SOAP, Kron and GaLore against their papers, and against those who have them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import proving
from fallline.optimizers.matrix import rule_kron
from proving import Arrays, Golden, Hand, Step, leafwise

TALL = float(np.sqrt(4 / 3))
OUT_BY_IN = (
    "torch takes W, 4 by 3, for (out, in) and makes its step √(4/3) times as long; a kernel of "
    "ours is (in, out), so that the factor goes into the learning rate, and out of the decay"
)
EXACTLY = "; the record was made in float64 throughout, where torch rounds to bfloat16"


def average(s: dict[str, Any], name: str, new: np.ndarray, keep: float) -> np.ndarray:
    s[name] = keep * s.get(name, np.zeros_like(new)) + (1 - keep) * new
    return s[name]


def shortened(x: np.ndarray) -> np.ndarray:
    """Float32 to bfloat16, to the nearest, ties to even."""
    bits = np.asarray(x, np.float32).view(np.uint32)
    return ((bits + ((bits >> 16) & 1) + 0x7FFF) & 0xFFFF0000).astype(np.uint32).view(np.float32)


def newton_schulz(u: np.ndarray, h: dict[str, Any]) -> np.ndarray:
    rounded = shortened if h["precision"] == "bfloat16" else np.asarray
    a, b, c = (rounded(1.0).dtype.type(each) for each in (3.4445, -4.7750, 2.0315))
    x = rounded(u.T)
    x = rounded(x / max(rounded(np.sqrt(np.sum(x * x))), h["epsilon"]))
    for _ in range(h["iterations"]):
        product = rounded(x @ x.T)
        x = rounded(a * x + rounded(b * product + c * (product @ product)) @ x)
    return x.T.astype(float)


@leafwise
def muon(x: np.ndarray, g: np.ndarray, s: dict[str, Any], t: int, h: dict[str, Any]) -> Any:
    rate, decay = h["learning_rate"], h["weight_decay"]
    if g.ndim == 1:
        if h["others"] == "none":
            return x
        m = average(s, "m", g, h["beta_1"]) / (1 - h["beta_1"] ** t)
        v = average(s, "v", g**2, h["beta_2"]) / (1 - h["beta_2"] ** t)
        step = m / (np.sqrt(v) + h["adam_epsilon"])
        return x - rate * h["adam_ratio"] * (step + decay * x)
    m = average(s, "m", g, h["momentum"])
    u = h["momentum"] * m + (1 - h["momentum"]) * g if h["nesterov"] else m
    long = {"original": 1.0, "match_rms_adamw": 0.2 * 4**0.5, "none": 1.0}[h["scale"]]
    return x - rate * (long * newton_schulz(u, h) + decay * x)


def power(matrix: np.ndarray, exponent: float) -> np.ndarray:
    left, values, right = np.linalg.svd(matrix)
    return left @ np.diag(values**exponent) @ right


@leafwise
def shampoo(x: np.ndarray, g: np.ndarray, s: dict[str, Any], t: int, h: dict[str, Any]) -> Any:
    sides = [g, g.T] if g.ndim == 2 else [g[:, None]]
    due, moved = t <= h["every"] or (t - 1) % h["every"] == 0, sides[0]
    for place, rows in enumerate(sides):
        n = len(rows)
        whole = n <= h["largest"] and (g.ndim == 2 or h["vectors"] == "full")
        s.setdefault(place, h["epsilon"] * np.eye(n))
        s[place] = s[place] + rows @ rows.T
        if not whole:
            s[place] = np.diag(np.diag(s[place]))
        if due or not whole:
            s["root", place] = power(s[place], -1 / (2 * len(sides)))
        moved = s["root", place] @ moved if place == 0 else moved @ s["root", place]
    return x - h["learning_rate"] * moved.reshape(g.shape)


@leafwise
def soap(x: np.ndarray, g: np.ndarray, s: dict[str, Any], t: int, h: dict[str, Any]) -> Any:
    n = t - 1 if h["first_step"] == "uncounted" else t
    keep, after = h["beta_products"], x
    left, right = s.get("left", np.eye(len(g))), s.get("right", np.eye(3))

    def turned(y: np.ndarray, *, back: bool = False) -> np.ndarray:
        if y.ndim == 1:
            return y
        return left @ y @ right.T if back else left.T @ y @ right

    if t > 1:
        m = average(s, "m", g, h["beta_1"])
        v = average(s, "v", turned(g) ** 2, h["beta_2"])
        rate = h["learning_rate"] * np.sqrt(1 - h["beta_2"] ** n) / (1 - h["beta_1"] ** n)
        after = x - rate * turned(turned(m) / (np.sqrt(v) + h["epsilon"]), back=True)
        after = after - h["learning_rate"] * h["weight_decay"] * after
    if g.ndim == 1:
        return after
    for axis, (name, rows) in enumerate({"left": g, "right": g.T}.items()):
        if len(rows) > h["largest"]:
            continue
        products = average(s, f"{name} products", rows @ rows.T, keep)
        if t == 1:
            s[name] = np.linalg.eigh(products)[1][:, ::-1]
        elif n % h["every"] == 0:
            order = np.argsort(-np.diag(s[name].T @ products @ s[name]))
            s["v"] = np.take(s["v"], order, axis)
            s[name] = np.linalg.qr(products @ s[name][:, order])[0]
    return after


def bound_of_norm(a: np.ndarray) -> float:
    """Of the spectral norm of a symmetric matrix, from below."""
    row = a[np.argmax(np.sum(a * a, axis=0))]
    x = a @ row
    return float(np.linalg.norm(a @ (x / np.linalg.norm(x))))


def kron(step: Step) -> Arrays:
    h, after = step.h, {}
    for index, (name, x) in enumerate(step.x.items()):
        s, g = step.s.setdefault(name, {}), step.g[name].reshape(len(x), -1)
        m = average(s, "m", g, h["momentum"]) / (1 - h["momentum"] ** step.t)
        noise = np.asarray(jax.random.normal(jax.random.fold_in(step.key, index), g.shape))
        sides = g.shape if x.ndim == 2 else (len(x),)
        whole = [x.ndim == 2 and n <= h["largest"] for n in sides]
        q = s.setdefault("q", [np.eye(n) for n in sides])
        left, right = q[0], (q[1] if len(q) == 2 else np.eye(1))
        a = left @ m @ right.T
        b = np.linalg.inv(left).T @ noise @ np.linalg.inv(right)
        for place, (seen, wanted) in enumerate(((a @ a.T, b @ b.T), (a.T @ a, b.T @ b))[: len(q)]):
            if whole[place]:
                move = np.triu(seen - wanted) / bound_of_norm(seen + wanted)
            else:
                move = np.diag(np.diag(seen - wanted)) / np.diag(seen + wanted).max()
            q[place] = q[place] - h["factor_rate"] * move @ q[place]
        left, right = q[0], (q[1] if len(q) == 2 else np.eye(1))
        u = (left.T @ left @ m @ right.T @ right).reshape(x.shape)
        u = u * min(1.0, 1.1 / (np.sqrt(np.mean(u**2)) + 1e-6))
        decay = h["weight_decay"] if x.ndim == 2 else 0.0
        after[name] = x - h["learning_rate"] * (u + decay * x)
    return after


@leafwise
def galore(x: np.ndarray, g: np.ndarray, s: dict[str, Any], t: int, h: dict[str, Any]) -> Any:
    low, back = g, 1.0
    if g.ndim == 2:
        every = h["every"]
        due = (t - 1) % every == 0 if h["refresh"] == "after_every" else t == 1 or t % every == 0
        if due:
            s["svd"] = np.linalg.svd(g, full_matrices=False)
        columns = h["side"] == "shorter"
        p = (s["svd"][2].T if columns else s["svd"][0])[:, : h["rank"]]
        low = g @ p if columns else p.T @ g
    m = average(s, "m", low, h["beta_1"]) / (1 - h["beta_1"] ** t)
    v, root = average(s, "v", low**2, h["beta_2"]), np.sqrt(1 - h["beta_2"] ** t)
    beside = h["epsilon"] * (root if h["epsilon_place"] == "outside" else 1.0)
    u = m * root / (np.sqrt(v) + beside)
    if g.ndim == 2:
        u, back = (u @ p.T if columns else p @ u), h["scale"]
    return x - h["learning_rate"] * back * u


MUON = {
    "learning_rate": 0.1,
    "momentum": 0.8,
    "weight_decay": 0.1,
    "epsilon": 1e-3,
    "adam_ratio": 0.3,
    "beta_1": 0.7,
    "beta_2": 0.9,
    "adam_epsilon": 0.01,
}
STILL = {name: MUON[name] for name in ("learning_rate", "momentum", "weight_decay", "epsilon")}
SHAMPOO = {"learning_rate": 0.1, "epsilon": 0.05}
SOAP = {
    "learning_rate": 0.1,
    "beta_1": 0.8,
    "beta_2": 0.9,
    "beta_products": 0.7,
    "epsilon": 0.01,
    "weight_decay": 0.1,
}
KRON = {"learning_rate": 0.1, "momentum": 0.7, "factor_rate": 0.3, "weight_decay": 0.1}
GALORE = {"learning_rate": 0.1, "beta_1": 0.8, "beta_2": 0.9, "epsilon": 0.01, "scale": 0.4}
HAND = (
    ("muon", Hand(muon, MUON, steps=3)),
    ("muon", Hand(muon, MUON, {"nesterov": False, "scale": "match_rms_adamw"}, 3)),
    ("muon", Hand(muon, MUON, {"iterations": 2, "scale": "none"}, 3)),
    ("muon", Hand(muon, MUON, {"precision": "bfloat16"}, 3)),
    ("muon", Hand(muon, STILL, {"others": "none"}, 3)),
    ("muon", Hand(muon, {**MUON, "epsilon": 100.0}, {}, 3)),
    ("shampoo", Hand(shampoo, SHAMPOO, {"every": 1, "vectors": "full"}, 3)),
    ("shampoo", Hand(shampoo, SHAMPOO, {"every": 2}, 6)),
    ("shampoo", Hand(shampoo, SHAMPOO, {"every": 1, "largest": 3}, 3)),
    ("soap", Hand(soap, SOAP, {"every": 2}, 6)),
    ("soap", Hand(soap, SOAP, {"every": 3, "first_step": "counted"}, 7)),
    ("soap", Hand(soap, SOAP, {"every": 2, "largest": 3}, 6)),
    ("kron", Hand(kron, KRON, steps=4)),
    ("kron", Hand(kron, KRON, {"largest": 3, "updates": "always"}, 4)),
    ("galore", Hand(galore, GALORE, {"rank": 2, "every": 2}, 5)),
    ("galore", Hand(galore, GALORE, {"rank": 2, "every": 3, "side": "longer"}, 5)),
    ("galore", Hand(galore, GALORE, {"rank": 1, "every": 2, "refresh": "at_multiples"}, 5)),
    ("galore", Hand(galore, GALORE, {"epsilon_place": "outside"}, 3)),
)


@pytest.mark.parametrize(
    ("name", "hand"), HAND, ids=lambda part: getattr(part, "options", None) or str(part)[:7]
)
def test_follows_its_equation_by_hand(name: str, hand: Hand, prove: Any) -> None:
    prove.by_hand(name, hand)


WHOLE = (
    "takes powers of -1/k where the paper's algorithm 2 has -1/(2k), with the second side's sum "
    "of the gradient that the first has changed: another direction from the first step on"
)
GOLDEN = (
    Golden(
        "torch",
        "muon",
        "muon",
        {"learning_rate": 0.02 * TALL},
        {"precision": "bfloat16", "others": "none"},
        why=OUT_BY_IN,
    ),
    Golden(
        "more",
        "muon_heavy_ball",
        "muon",
        {"learning_rate": 0.05 * TALL, "momentum": 0.9, "weight_decay": 0.1 / TALL},
        {"nesterov": False, "others": "none"},
        why=OUT_BY_IN + EXACTLY,
    ),
    Golden(
        "more",
        "muon_match_rms",
        "muon",
        {"learning_rate": 0.02, "weight_decay": 0.1},
        {"scale": "match_rms_adamw", "others": "none"},
        why=EXACTLY,
    ),
    Golden(
        "torch",
        "shampoo",
        "shampoo",
        {"learning_rate": 0.02},
        {"every": 1, "vectors": "full"},
        tolerance=2e-9,
        why=(
            "the vector's sum (algorithm 2, k = 1) has eigenvalues of 1e-6 beside 36, of which "
            "float64 leaves 1e-9 open: with its entries in another order it ends elsewhere by as "
            "much. The matrix agrees to 1e-12"
        ),
    ),
    Golden(
        "torch",
        "soap",
        "soap",
        {"learning_rate": 0.02},
        tolerance=3e-5,
        why=(
            "the peer orthogonalises L Q (algorithm 4, line 6) in float32; to step 10, before it "
            "does so for the first time, the two agree to 1e-8. It leaves the first step, which "
            "moves nothing, uncounted as the authors do"
        ),
    ),
    Golden(
        "more",
        "shampoo_periodic",
        "shampoo",
        {"learning_rate": 0.1, "epsilon": 0.5},
        {"every": 3, "vectors": "full"},
        tolerance=2.0,
        why=f"the peer has no root before step 3, and {WHOLE}",
    ),
    Golden(
        "more",
        "shampoo_second",
        "shampoo",
        {"learning_rate": 0.1, "epsilon": 0.1},
        {"every": 3, "vectors": "full"},
        tolerance=2.0,
        why=f"the peer averages gradients with its last step, and {WHOLE}",
    ),
    Golden("more", "kron", "kron", {"learning_rate": 0.05}, {"updates": "always"}),
    Golden(
        "more",
        "soap_frequent",
        "soap",
        {"learning_rate": 0.02, "weight_decay": 0.1},
        {"every": 3, "first_step": "counted", "largest": 10000},
        tolerance=1e-8,
        why=(
            "the second gradient is the first, whose basis makes it diagonal: the rest of Qᵀ g Q "
            "is rounding, which m / (√v + ε) (algorithm 3) multiplies by 1/ε = 1e8"
        ),
    ),
    Golden(
        "more",
        "galore",
        "galore",
        {"learning_rate": 0.02, "scale": 0.5},
        {"rank": 2, "every": 10, "refresh": "at_multiples"},
    ),
)


@pytest.mark.parametrize("golden", GOLDEN, ids=str)
def test_follows_another_framework(
    golden: Golden, prove: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The record's probe is all ones, so that it needs no random numbers of torch.
    monkeypatch.setattr(rule_kron, "probe", lambda key, like: jnp.ones_like(like))
    prove.follows(golden)


def test_soap_agrees_with_its_peer_until_that_rounds(x64: None, golden_dir: Path) -> None:
    recorded = proving.record("torch", golden_dir)
    problem = proving.Problem.of(recorded["problem"])
    run = proving.Run("soap", {"learning_rate": 0.02}, {}, problem, 60)
    expected = dict(recorded["cases"]["soap"]["trajectory"])
    for number in range(1, 11):
        run.step(number)
        if number in expected:
            np.testing.assert_allclose(proving.flat(run.params), expected[number], atol=1e-8)


def test_shampoo_moves_a_matrix_as_recorded(x64: None, golden_dir: Path) -> None:
    recorded = proving.record("torch", golden_dir)
    problem = proving.Problem.of(recorded["problem"])
    run = proving.Run("shampoo", {"learning_rate": 0.02}, {"every": 1}, problem, 60)
    for number in range(1, 61):
        run.step(number)
    expected = dict(recorded["cases"]["shampoo"]["trajectory"])[60][:12]
    np.testing.assert_allclose(run.params["W"].ravel(), expected, rtol=0, atol=1e-12)


def shampoo_of_torch(x: np.ndarray, g: np.ndarray, s: dict[str, Any], t: int, case: str) -> Any:
    """What the packages for torch make of Shampoo: see WHOLE, and the cases' own reasons."""
    second, turned = case == "shampoo_second", g.ndim == 2
    g = (g + s.setdefault("step", g)) / 2 if second else g + 0.01 * x
    epsilon, due = (0.1, (t - 1) % 3 == 0) if second else (0.5, t % 3 == 0)
    moved = g if turned else g[:, None]
    for side in range(g.ndim):
        rows = moved if side == 0 else moved.T
        s[side] = s.get(side, epsilon * np.eye(len(rows))) + rows @ rows.T
        if due:
            s["root", side] = power(s[side], -1 / g.ndim)
        root = s.get(("root", side), np.zeros_like(s[side]))
        moved = root @ moved if side == 0 else moved @ root
    s["step"] = moved.reshape(g.shape)
    return x - 0.1 * s["step"]


@pytest.mark.parametrize("case", ["shampoo_periodic", "shampoo_second"])
def test_the_packages_for_torch_have_another_shampoo(case: str, golden_dir: Path) -> None:
    recorded = proving.record("more", golden_dir)
    problem = proving.Problem.of(recorded["problem"])
    x, memory = problem.start, {"W": {}, "b": {}}
    expected = dict(recorded["cases"][case]["trajectory"])
    for number in range(1, 61):
        g = problem.gradient(x)
        x = {name: shampoo_of_torch(x[name], g[name], memory[name], number, case) for name in x}
        if number in expected:
            np.testing.assert_allclose(proving.flat(x), expected[number], rtol=0, atol=1e-9)
