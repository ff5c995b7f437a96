"""Hyper-parameters and lines of equations that Adam's kin share."""

from __future__ import annotations

from fallline.optimizers.shared.parameters import learning_rate, share
from fallline.optimizers.spec import HyperParameter, Option
from fallline.spaces import Range

FAMILY = "adam"
M = "m ← β₁ m + (1-β₁) g,   m̂ = m / (1-β₁ᵗ)\n"
V = "v ← β₂ v + (1-β₂) g²,   v̂ = v / (1-β₂ᵗ)\n"
RECTIFIED = (
    "ρ = ρ∞ - 2 t β₂ᵗ / (1-β₂ᵗ),   ρ∞ = 2 / (1-β₂) - 1\n"
    "r = √((ρ-4)(ρ-2) ρ∞ / ((ρ∞-4)(ρ∞-2) ρ))\n"
    "u = r √(1-β₂ᵗ) m̂ / (√v + ε) if ρ > ρ₀, else m̂\n"
)
RATE = learning_rate(0.001, 1e-6, 1e0)


def beta_1(default: float = 0.9) -> HyperParameter:
    return share("beta_1", default, "β₁", "share of the average gradient that is kept", 0.5)


def beta_2(default: float = 0.999) -> HyperParameter:
    return share("beta_2", default, "β₂", "share of the average of squares that is kept", 0.9)


BETAS = (beta_1(), beta_2())
THRESHOLD = HyperParameter(
    "threshold",
    5.0,
    "ρ₀",
    "length of the average of squares from which on the step is divided by its root",
    Range(4.0, 6.0, "linear"),
    at_least=4.0,
)


def decay(default: float) -> HyperParameter:
    meaning = "pull of the weights towards zero, per unit of the learning rate"
    return HyperParameter("weight_decay", default, "λ", meaning, Range(1e-5, 1e0), at_least=0.0)


def epsilon_place(default: str, other: str, meaning: str) -> Option:
    return Option("epsilon_place", default, (default, other), meaning)
