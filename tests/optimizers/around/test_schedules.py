"""Schedules: their closed forms by hand, and what Optax, torch and Keras make of the same."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from proving import Arrays, Hand, Rule, Step

Settings = dict[str, Any]

# --- closed forms: the share of the peak at step t (from 0) of T


def step(t: int, T: int, h: Settings) -> float:
    return h["step_factor"] ** math.floor(Fraction(t, T) / Fraction(h["step_every"]))


def exponential(t: int, T: int, h: Settings) -> float:
    return math.exp(math.log(h["exponential_final"]) * t / T)


def polynomial(t: int, T: int, h: Settings) -> float:
    f = h["polynomial_final"]
    return f + (1 - f) * ((T - t) / T) ** h["polynomial_power"]


def inverse_time(t: int, T: int, h: Settings) -> float:
    return 1 / (1 + h["inverse_time_rate"] * t / T) ** h["inverse_time_power"]


def half_cosine(begin: float, end: float, part: float) -> float:
    return end + (begin - end) * (1 + math.cos(math.pi * part)) / 2


def cosine(t: int, T: int, h: Settings) -> float:
    return half_cosine(1, h["cosine_final"], t / T)


def cosine_restarts(t: int, T: int, h: Settings) -> float:
    m, n = h["cosine_restarts_multiplier"], h["cosine_restarts_cycles"]
    length = T / sum(m**i for i in range(n))
    height, begin = 1.0, 0.0
    while t >= begin + length:
        begin, length, height = begin + length, m * length, h["cosine_restarts_peak"] * height
    f = h["cosine_restarts_final"]
    return f + (1 - f) * height * half_cosine(1, 0, (t - begin) / length)


def warmup(t: int, T: int, h: Settings) -> float:
    return min(1.0, (t + 1) / (h["warmup_share"] * T))


def one_cycle(t: int, T: int, h: Settings) -> float:
    first, top = h["one_cycle_initial"], h["one_cycle_rise"] * T - 1
    last = first * h["one_cycle_final"]
    begin, end, part = (first, 1, t / top) if t <= top else (1, last, (t - top) / (T - 1 - top))
    if h["one_cycle_anneal"] == "cosine":
        return half_cosine(begin, end, part)
    return begin + (end - begin) * part


def wsd(t: int, T: int, h: Settings) -> float:
    f, d = h["wsd_final"], h["wsd_decay"]
    ramp = min(1.0, (t + 1) / (h["wsd_warmup"] * T))
    part = max(0.0, (t / T - (1 - d)) / d)
    curves = {
        "sqrt": 1 - (1 - f) * math.sqrt(part),
        "linear": 1 - (1 - f) * part,
        "exponential": math.exp(part * math.log(f)),
        "cosine": half_cosine(1, f, part),
    }
    return ramp * curves[h["wsd_shape"]]


Closed = Callable[[int, int, Settings], float]


def descending(*shares: Closed) -> Rule:
    """Gradient descent whose learning rate is multiplied by the shares."""

    def rule(at: Step) -> Arrays:
        rate = at.h["learning_rate"]
        for share in shares:
            rate *= share(at.t - 1, at.total_steps, at.h)
        return {name: at.x[name] - rate * at.g[name] for name in at.x}

    return rule


def adam_scheduled(*shares: Closed) -> Rule:
    """Adam (Kingma & Ba 2015, algorithm 1) whose α is multiplied by the shares."""

    def rule(at: Step) -> Arrays:
        h, after = at.h, {}
        rate = h["learning_rate"]
        for share in shares:
            rate *= share(at.t - 1, at.total_steps, h)
        for name, g in at.g.items():
            m, v = at.s.get(name, (0.0, 0.0))
            m, v = (
                h["beta_1"] * m + (1 - h["beta_1"]) * g,
                h["beta_2"] * v + (1 - h["beta_2"]) * g**2,
            )
            at.s[name] = (m, v)
            first, second = m / (1 - h["beta_1"] ** at.t), v / (1 - h["beta_2"] ** at.t)
            after[name] = at.x[name] - rate * first / (np.sqrt(second) + h["epsilon"])
        return after

    return rule


def plateau(at: Step) -> Arrays:
    """Windows of means; what torch does at the end of an epoch, at the end of each."""
    h, s = at.h, at.s
    if not s:
        s.update(share=1.0, window=[], best=math.inf, bad=0, rest=0)
    share = s["share"]
    s["window"].append(at.value)
    if len(s["window"]) == max(1, round(h["plateau_window"] * at.total_steps)):
        mean, s["window"] = sum(s["window"]) / len(s["window"]), []
        if mean < s["best"] * (1 - h["plateau_threshold"]):
            s["best"], s["bad"] = mean, 0
        else:
            s["bad"] += 1
        if s["rest"] > 0:
            s["rest"], s["bad"] = s["rest"] - 1, 0
        if s["bad"] > h["plateau_patience"]:
            s["share"] = max(share * h["plateau_factor"], h["plateau_final"])
            s["rest"], s["bad"] = h["plateau_cooldown"], 0
    rate = h["learning_rate"] * share
    return {name: at.x[name] - rate * at.g[name] for name in at.x}


RATE = {"learning_rate": 0.05}
HAND = [
    ("sgd+step", Hand(descending(step), {**RATE, "step_every": 0.25, "step_factor": 0.4})),
    ("sgd+exponential", Hand(descending(exponential), {**RATE, "exponential_final": 0.03})),
    (
        "sgd+polynomial",
        Hand(descending(polynomial), {**RATE, "polynomial_power": 2.5, "polynomial_final": 0.1}),
    ),
    (
        "sgd+inverse_time",
        Hand(
            descending(inverse_time),
            {**RATE, "inverse_time_rate": 7.0, "inverse_time_power": 0.6},
        ),
    ),
    ("sgd+cosine", Hand(descending(cosine), {**RATE, "cosine_final": 0.2})),
    (
        "sgd+cosine_restarts",
        Hand(
            descending(cosine_restarts),
            {
                **RATE,
                "cosine_restarts_final": 0.1,
                "cosine_restarts_multiplier": 1.5,
                "cosine_restarts_peak": 0.8,
            },
            {"cosine_restarts_cycles": 4},
        ),
    ),
    ("sgd+warmup", Hand(descending(warmup), {**RATE, "warmup_share": 0.45})),
    *(
        (
            "sgd+one_cycle",
            Hand(
                descending(one_cycle),
                {
                    **RATE,
                    "one_cycle_rise": 0.4,
                    "one_cycle_initial": 0.1,
                    "one_cycle_final": 0.3,
                },
                {"one_cycle_anneal": anneal},
            ),
        )
        for anneal in ("cosine", "linear")
    ),
    *(
        (
            "sgd+wsd",
            Hand(
                descending(wsd),
                {**RATE, "wsd_warmup": 0.25, "wsd_decay": 0.42, "wsd_final": 0.1},
                {"wsd_shape": shape},
            ),
        )
        for shape in ("sqrt", "linear", "cosine", "exponential")
    ),
    (
        "sgd+plateau",
        Hand(
            plateau,
            {
                "learning_rate": 0.02,
                "plateau_factor": 0.5,
                "plateau_patience": 1.0,
                "plateau_cooldown": 2.0,
                "plateau_threshold": 0.3,
                "plateau_window": 2 / 30,
                "plateau_final": 0.2,
            },
            steps=30,
        ),
    ),
    ("adam+cosine", Hand(adam_scheduled(cosine), {"learning_rate": 0.1, "cosine_final": 0.1})),
    (
        "adam+cosine+warmup",
        Hand(
            adam_scheduled(cosine, warmup),
            {"learning_rate": 0.1, "cosine_final": 0.1, "warmup_share": 0.4},
        ),
    ),
]


def called(pair: tuple[str, Hand]) -> str:
    return "-".join([pair[0], *map(str, pair[1].options.values())])


@pytest.mark.parametrize("pair", HAND, ids=called)
def test_follows_its_closed_form(pair: tuple[str, Hand], prove: Any) -> None:
    name, hand = pair
    steps = max(hand.steps, 12)
    # Longer trainings repeat the rounding of a share of the learning rate.
    whole = Hand(hand.rule, hand.settings, hand.options, steps, 1e-12)
    prove.by_hand(name, whole)
