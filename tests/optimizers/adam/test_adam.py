"""Adam and its kin against their papers, and the traps in which implementations part."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import optax
import pytest

from fallline import optimizers
from fallline.optimizers.shared.moments import bias_correction
from proving import Hand, leafwise


def moments(s: Any, g: Any, h: Any) -> tuple[Any, Any]:
    """The two averages (Kingma and Ba 2015, algorithm 1), kept in ``s``."""
    s["m"] = h["beta_1"] * s.get("m", 0.0) + (1 - h["beta_1"]) * g
    s["v"] = h["beta_2"] * s.get("v", 0.0) + (1 - h["beta_2"]) * g**2
    return s["m"], s["v"]


def weights(h: Any, t: int) -> tuple[float, float]:
    """What the averages have gathered: ``1 - β₁ᵗ`` and ``1 - β₂ᵗ``."""
    rounded = h.get("betas") == "float32"
    one, two = (float(np.float32(h[b])) if rounded else h[b] for b in ("beta_1", "beta_2"))
    return 1 - one**t, 1 - two**t


def quotient(m: Any, v: Any, of_m: float, of_v: float, h: Any) -> Any:
    """``m̂ / √v̂`` with ε where ``epsilon_place`` says."""
    eps, place = h["epsilon"], h.get("epsilon_place", "outside")
    if place == "inside":
        return (m / of_m) / np.sqrt(v / of_v + eps)
    if place == "uncorrected":
        return np.sqrt(of_v) / of_m * m / (np.sqrt(v) + eps)
    return (m / of_m) / (np.sqrt(v / of_v) + eps)


@leafwise
def kingma(x: Any, g: Any, s: Any, t: int, h: Any) -> Any:
    """Adam, with L2 in its gradient where decay is coupled."""
    if h["decay"] == "coupled":
        g = g + h["weight_decay"] * x
    step = quotient(*moments(s, g, h), *weights(h, t), h)
    if h["decay"] == "decoupled":
        step = step + h["weight_decay"] * x
    return x - h["learning_rate"] * step


@leafwise
def loshchilov(x: Any, g: Any, s: Any, t: int, h: Any) -> Any:
    """AdamW (Loshchilov and Hutter 2019, algorithm 2, line 12, α on the decay too)."""
    step = quotient(*moments(s, g, h), *weights(h, t), h) + h["weight_decay"] * x
    return x - h["learning_rate"] * step


@leafwise
def reddi(x: Any, g: Any, s: Any, t: int, h: Any) -> Any:
    """AMSGrad (Reddi et al. 2018, algorithm 2), with the corrections of the frameworks."""
    m, v = moments(s, g, h)
    of_m, of_v = weights(h, t)
    if h["correction"] == "none":
        of_m = of_v = 1.0
    if h["correction"] == "before":
        v, of_v = v / of_v, 1.0
    s["n"] = np.maximum(s.get("n", 0.0), v)
    return x - h["learning_rate"] * quotient(m, s["n"], of_m, of_v, h)


@leafwise
def adamax(x: Any, g: Any, s: Any, t: int, h: Any) -> Any:
    """Algorithm 2 of Kingma and Ba (2015), ε where torch or Keras has it."""
    s["m"] = h["beta_1"] * s.get("m", 0.0) + (1 - h["beta_1"]) * g
    inner, outer = (h["epsilon"], 0) if h["epsilon_place"] == "inside" else (0, h["epsilon"])
    s["u"] = np.maximum(h["beta_2"] * s.get("u", 0.0), np.abs(g) + inner)
    return x - h["learning_rate"] / weights(h, t)[0] * s["m"] / (s["u"] + outer)


@leafwise
def dozat(x: Any, g: Any, s: Any, t: int, h: Any) -> Any:
    """Nadam (Dozat 2016, algorithm 2), its averages by β₁ and β₂ as torch and Keras have them.

    With rounded betas the product of the momenta stays exact, as in Keras.
    """
    rounded = h["betas"] == "float32"

    def mu(t: int, exact: bool = True) -> float:
        if not h["warm_up"]:
            return h["beta_1"]
        beta, base = h["beta_1"], 0.96
        if rounded and not exact:
            beta, base = float(np.float32(beta)), float(np.float32(base))
        return beta * (1 - 0.5 * base ** (t * h["momentum_decay"]))

    given = h
    if rounded:
        given = h | {b: float(np.float32(h[b])) for b in ("beta_1", "beta_2")}
    m, v = moments(s, g, given)
    product = np.prod([mu(i) for i in range(1, t + 1)])
    now, then = mu(t, exact=False), mu(t + 1, exact=False)
    ahead = then * m / (1 - product * then) + (1 - now) * g / (1 - product)
    return x - h["learning_rate"] * ahead / (np.sqrt(v / weights(h, t)[1]) + h["epsilon"])


@leafwise
def luo(x: Any, g: Any, s: Any, t: int, h: Any) -> Any:
    """AdaBound (Luo et al. 2019, algorithm 2), bias corrected as in the authors' code."""
    m, v = moments(s, g, h)
    of_m, of_v = weights(h, t)
    low = h["final_lr"] * (1 - 1 / (h["gamma"] * t + 1))
    high = h["final_lr"] * (1 + 1 / (h["gamma"] * t))
    length = h["learning_rate"] * np.sqrt(of_v) / of_m / (np.sqrt(v) + h["epsilon"])
    return x - np.minimum(np.maximum(length, low), high) * m


@leafwise
def zhuang(x: Any, g: Any, s: Any, t: int, h: Any) -> Any:
    """AdaBelief (Zhuang et al. 2020, algorithm 2)."""
    s["m"] = h["beta_1"] * s.get("m", 0.0) + (1 - h["beta_1"]) * g
    deviation = (g - s["m"]) ** 2
    s["s"] = h["beta_2"] * s.get("s", 0.0) + (1 - h["beta_2"]) * deviation + h["epsilon"]
    return x - h["learning_rate"] * quotient(s["m"], s["s"], *weights(h, t), h)


@leafwise
def yuan(x: Any, g: Any, s: Any, t: int, h: Any) -> Any:
    """EAdam (Yuan and Gao 2020): ε is added to v in every step, and stays in it."""
    s["m"] = h["beta_1"] * s.get("m", 0.0) + (1 - h["beta_1"]) * g
    s["v"] = h["beta_2"] * s.get("v", 0.0) + (1 - h["beta_2"]) * g**2 + h["epsilon"]
    of_m, of_v = weights(h, t)
    return x - h["learning_rate"] * (s["m"] / of_m) / np.sqrt(s["v"] / of_v)


@leafwise
def everett(x: Any, g: Any, s: Any, t: int, h: Any) -> Any:
    """Adam-atan2 (Everett et al. 2024): the angle of the corrected averages."""
    (m, v), (of_m, of_v) = moments(s, g, h), weights(h, t)
    return x - h["learning_rate"] * np.arctan2(m / of_m, np.sqrt(v / of_v))


BETAS = {"learning_rate": 0.1, "beta_1": 0.8, "beta_2": 0.97}
BOUNDED = BETAS | {"epsilon": 0.02, "final_lr": 0.05, "gamma": 0.3}
ALL = BETAS | {"epsilon": 0.02}
DECAYED = ALL | {"weight_decay": 0.3}
PLACES = ("outside", "inside", "uncorrected")
ROUNDINGS = ("exact", "float32")
HAND: dict[str, tuple[str, Hand]] = {
    "adam, coupled": ("adam", Hand(kingma, DECAYED, {"decay": "coupled"})),
    "adam, decoupled": ("adam", Hand(kingma, DECAYED, {"decay": "decoupled"})),
    "nadam": ("nadam", Hand(dozat, ALL | {"momentum_decay": 0.5}, steps=4)),
    "nadam, float32": (
        "nadam",
        Hand(dozat, ALL | {"momentum_decay": 0.5}, {"betas": "float32"}, steps=4),
    ),
    "nadam, steady": ("nadam", Hand(dozat, ALL, {"warm_up": False}, steps=4)),
    "adabound": ("adabound", Hand(luo, BOUNDED, steps=6)),
    "adabelief": ("adabelief", Hand(zhuang, ALL)),
    "eadam": ("eadam", Hand(yuan, ALL)),
    "adam_atan2": ("adam_atan2", Hand(everett, BETAS)),
}
for _place in PLACES:
    for _betas in ROUNDINGS:
        _form = {"epsilon_place": _place, "betas": _betas}
        HAND[f"adam, {_place}, {_betas}"] = ("adam", Hand(kingma, ALL, _form))
        HAND[f"adamw, {_place}, {_betas}"] = ("adamw", Hand(loshchilov, DECAYED, _form))
        if _place != "uncorrected":
            HAND[f"adamax, {_place}, {_betas}"] = ("adamax", Hand(adamax, ALL, _form, steps=4))
        for _correction in ("after", "before", "none"):
            HAND[f"amsgrad, {_correction}, {_place}, {_betas}"] = (
                "amsgrad",
                # Twelve steps, so that some gradients shrink and the maximum matters.
                Hand(reddi, ALL, {"correction": _correction, **_form}, steps=12),
            )


@pytest.mark.parametrize("case", HAND)
def test_follows_its_paper_by_hand(case: str, prove: Any) -> None:
    prove.by_hand(*HAND[case])


def steps_of(rule: Any, grads: list[float]) -> list[float]:
    """What ``rule`` does with one parameter whose gradients are given."""
    x = jnp.array([0.0])
    state, found = rule.init(x), []
    for g in grads:
        update, state = rule.update(jnp.array([g]), state, x)
        found.append(float(update[0]))
    return found


@pytest.mark.usefixtures("x64")
def test_amsgrads_maximum_is_of_raw_averages_in_torch_and_of_corrected_ones_in_optax() -> None:
    # After 1 comes 0.1. Raw averages have hardly begun to gather: 0.001 and 0.001009, so that the
    # later one is the larger and its correction halves it. Corrected, the first is 1, for good.
    settings = {"learning_rate": 1.0, "beta_1": 0.0, "epsilon": 0.0}
    entry = optimizers.get("amsgrad")
    raw = steps_of(entry.transformation(settings), [1.0, 0.1])
    corrected = steps_of(entry.transformation(settings, correction="before"), [1.0, 0.1])
    theirs = steps_of(optax.amsgrad(1.0, b1=0.0, eps=0.0), [1.0, 0.1])
    later = 0.999 * 0.001 + 0.001 * 0.01
    np.testing.assert_allclose(raw, [-1.0, -0.1 / np.sqrt(later / (1 - 0.999**2))], rtol=1e-12)
    np.testing.assert_allclose(corrected, [-1.0, -0.1], rtol=1e-12)
    np.testing.assert_allclose(theirs, corrected, rtol=1e-12)
    assert raw[1] / corrected[1] > 1.4


@pytest.mark.usefixtures("x64")
def test_nadams_momentum_warms_up_in_torch_and_keras_and_not_in_optax() -> None:
    # One gradient g: m = (1-β₁) g and v̂ = g², so that the step is α times the look-ahead over g.
    def first(psi: float) -> float:
        mu_1, mu_2 = (0.9 * (1 - 0.5 * 0.96 ** (t * psi)) for t in (1, 2))
        return mu_2 * 0.1 / (1 - mu_1 * mu_2) + 1.0

    entry, bare = optimizers.get("nadam"), {"learning_rate": 1.0, "epsilon": 0.0}
    torch_like = steps_of(entry.transformation(bare), [3.0])[0]
    keras_like = steps_of(entry.transformation(bare | {"momentum_decay": 1.0}), [3.0])[0]
    steady = steps_of(entry.transformation(bare, warm_up=False), [3.0])[0]
    theirs = steps_of(optax.nadam(1.0, eps=0.0), [3.0])[0]
    assert torch_like == pytest.approx(-first(0.004), rel=1e-12)
    assert keras_like == pytest.approx(-first(1.0), rel=1e-12)
    assert steady == pytest.approx(-(0.9 * 0.1 / (1 - 0.9**2) + 1.0), rel=1e-12)
    assert theirs == pytest.approx(steady, rel=1e-12)
    assert abs(steady / torch_like) > 1.3


@pytest.mark.parametrize(("beta", "lost"), [(0.99, 5e-7), (0.999, 5e-6), (0.9999, 4e-5)])
def test_the_bias_correction_keeps_the_digits_that_one_minus_a_power_loses_in_float32(
    beta: float, lost: float
) -> None:
    # Of the β that float32 has; that one itself is off, and the averages use it too.
    decay, counts = np.float32(beta), np.array([1, 2, 5, 10, 30, 100, 1000, 10_000])
    exact = 1 - np.float64(decay) ** counts
    ours = np.array([bias_correction(jnp.asarray(decay), jnp.asarray(t)) for t in counts])
    naive = np.array([1 - jnp.asarray(decay) ** jnp.asarray(t) for t in counts])
    assert ours.dtype == naive.dtype == np.float32
    assert np.max(np.abs(ours / exact - 1)) < 4e-7
    assert np.max(np.abs(naive / exact - 1)) > lost


def test_after_one_step_in_float32_the_corrected_average_is_the_gradients_square() -> None:
    # 1 - 0.999 in float32 is off by 1.3e-5 of itself; average and correction are off alike.
    beta = jnp.float32(0.999)
    weight = float(1 - beta)
    assert abs(weight / 0.001 - 1) > 1e-5
    assert float(bias_correction(beta, jnp.int32(1))) / weight == pytest.approx(1, rel=2e-7)


@pytest.mark.usefixtures("x64")
def test_adam_atan2_steps_by_45_degrees_first_and_does_not_notice_the_scale_of_the_loss() -> None:
    rule = optimizers.get("adam_atan2").transformation({"learning_rate": 0.1})
    grads = [0.3, -0.2, 0.5, 0.01]
    one = steps_of(rule, grads)
    assert one[0] == pytest.approx(-0.1 * np.pi / 4, rel=1e-14)
    tiny = steps_of(rule, [1e-30 * g for g in grads])
    np.testing.assert_allclose(tiny, one, rtol=1e-10)
