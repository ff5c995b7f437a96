"""Gradient descent with other momenta: quasi-hyperbolic, aggregated, accelerated, controlled."""

from __future__ import annotations

from typing import Any

import optax

from fallline.optimizers.descent import descents
from fallline.optimizers.descent import dialects_momenta as dialects
from fallline.optimizers.descent import rule_momenta as rules
from fallline.optimizers.shared import citations_steps as citations
from fallline.optimizers.shared.parameters import DECAY, WEIGHT_DECAY, chained, learning_rate, share
from fallline.optimizers.spec import HyperParameter, Optimizer, Option
from fallline.spaces import Range

FAMILY = "momentum"


def qhm(
    *, learning_rate: Any, momentum: Any, nu: Any, weight_decay: Any, decay: str
) -> optax.GradientTransformationExtraArgs:
    """QHM."""
    rule = rules.scale_by_quasi_hyperbolic(momentum, nu)
    return chained(learning_rate, rule, weight_decay, decay)


def aggmo(
    *,
    learning_rate: Any,
    beta_1: Any,
    beta_2: Any,
    beta_3: Any,
    weight_decay: Any,
    velocities: int,
    decay: str,
) -> optax.GradientTransformationExtraArgs:
    """AggMo."""
    rule = rules.scale_by_aggregate((beta_1, beta_2, beta_3)[:velocities])
    return chained(learning_rate, rule, weight_decay, decay)


def accsgd(
    *, learning_rate: Any, kappa: Any, xi: Any, constant: Any
) -> optax.GradientTransformationExtraArgs:
    """AccSGD."""
    rule = rules.accelerated_step(learning_rate, kappa, xi, constant)
    return optax.with_extra_args_support(rule)


def pnm(
    *, learning_rate: Any, beta_0: Any, beta_1: Any, weight_decay: Any, decay: str
) -> optax.GradientTransformationExtraArgs:
    """PNM."""
    rule = rules.scale_by_positive_negative(beta_0, beta_1)
    return chained(learning_rate, rule, weight_decay, decay)


def pid(
    *, learning_rate: Any, momentum: Any, integral: Any, derivative: Any, difference: str
) -> optax.GradientTransformationExtraArgs:
    """PID."""
    rule = rules.scale_by_control(momentum, integral, derivative, difference=difference)
    return chained(learning_rate, rule)


QHM = Optimizer(
    name="qhm",
    title="QHM (quasi-hyperbolic momentum)",
    family=FAMILY,
    equation="m ← μ m + (1-μ) g\nθ ← θ - α ((1-ν) g + ν m)",
    citation=citations.QHM,
    hyperparameters=(
        learning_rate(0.1, 1e-4, 1e1),
        share("momentum", 0.999, "μ", "share of the average gradient that is kept", 0.5),
        HyperParameter(
            "nu",
            0.7,
            "ν",
            "share of the average in the step: 0 is gradient descent, 1 momentum",
            Range(0.1, 1.0, "linear"),
            at_least=0.0,
        ),
        WEIGHT_DECAY,
    ),
    options=(DECAY,),
    build=qhm,
    slots=1,
    notes=(
        "m is an average, so that α is that of plain gradient descent: 1/(1-μ) times that of "
        "momentum. ν and μ as the paper recommends; μ = 0.999 remembers a thousand steps."
    ),
    dialects=dialects.QHM,
)
AGGMO = Optimizer(
    name="aggmo",
    title="AggMo (aggregated momentum)",
    family=FAMILY,
    equation="vᵢ ← βᵢ vᵢ + g   for i = 1, 2, 3\nθ ← θ - α (v₁ + v₂ + v₃) / 3",
    citation=citations.AGGMO,
    hyperparameters=(
        learning_rate(0.01, 1e-5, 1e1),
        share("beta_1", 0.0, "β₁", "share of the first velocity that is kept", 0.0, 0.5),
        share("beta_2", 0.9, "β₂", "share of the second velocity that is kept", 0.5, 0.99),
        share(
            "beta_3",
            0.99,
            "β₃",
            "share of the third velocity that is kept",
            0.9,
            only_with=("velocities", (3,)),
        ),
        WEIGHT_DECAY,
    ),
    options=(Option("velocities", 3, (3, 2), "how many, with β₁, β₂ and perhaps β₃"), DECAY),
    build=aggmo,
    slots=3,
    notes=(
        "The paper's β are 1 - 0.1ⁱ for i = 0, 1, 2, as here; more velocities than three gained "
        "little there. A velocity is a sum, so that the third takes steps 100 times the gradient "
        "in the long run: α is that of momentum or larger."
    ),
    dialects=dialects.AGGMO,
)
ACCSGD = Optimizer(
    name="accsgd",
    title="AccSGD (accelerated SGD)",
    family=FAMILY,
    equation=(
        "β = c² ξ / κ,   ζ = c / (c + β)\nw ← (1-β) w + β (θ - (κ α / c) g),   w starts at θ\n"
        "θ ← ζ (θ - α g) + (1-ζ) w"
    ),
    citation=citations.ACCSGD,
    hyperparameters=(
        learning_rate(0.01, 1e-5, 1e1, meaning="length of the short step"),
        HyperParameter(
            "kappa", 1000.0, "κ", "ratio of the long step to the short", Range(1e1, 1e5), above=0.0
        ),
        HyperParameter(
            "xi",
            10.0,
            "ξ",
            "statistical advantage: how much faster than gradient descent, at most √κ",
            Range(1e0, 1e2),
            above=0.0,
        ),
        HyperParameter(
            "constant",
            0.7,
            "c",
            "a constant below 1 that keeps both sequences stable",
            Range(0.1, 0.99, "linear"),
            above=0.0,
            below=1.0,
        ),
    ),
    build=accsgd,
    slots=1,
    notes=(
        "The form of the authors' code. In the long run a gradient moves θ by α (1 + c ξ), and it "
        "takes some κ/(c² ξ) steps: ξ is what momentum's 1/(1-μ) is elsewhere. ξ above √κ is "
        "outside of what the paper proves."
    ),
    dialects=dialects.ACCSGD,
)
PNM = Optimizer(
    name="pnm",
    title="PNM (positive-negative momentum)",
    family=FAMILY,
    equation=("mₜ = β₁² mₜ₋₂ + (1-β₁²) g\nθ ← θ - α ((1+β₀) mₜ - β₀ mₜ₋₁) / √((1+β₀)² + β₀²)"),
    citation=citations.PNM,
    hyperparameters=(
        learning_rate(0.1, 1e-4, 1e1),
        HyperParameter(
            "beta_0",
            1.0,
            "β₀",
            "weight of the negative momentum: more of it is more noise",
            Range(0.0, 3.0, "linear"),
            at_least=0.0,
        ),
        share("beta_1", 0.9, "β₁", "its square is the share of an average that is kept", 0.5),
        WEIGHT_DECAY,
    ),
    options=(DECAY,),
    build=pnm,
    slots=2,
    notes=(
        "Two averages, each of every second gradient. The root keeps the noise of a step that of "
        "one average, so along a steady gradient the step is 1/√((1+β₀)² + β₀²) of α g: 0.45 of "
        "it at the default. The paper's decay is decoupled."
    ),
    dialects=dialects.PNM,
)
PID = Optimizer(
    name="pid",
    title="PID (a controller of the gradient)",
    family=FAMILY,
    equation=(
        "i ← μ i + g\nd ← μ d + (1-μ) (g - g'),   g' the gradient of the last step, g at first\n"
        "θ ← θ - α (g + Kᵢ i + K_d d)"
    ),
    citation=citations.PID,
    hyperparameters=(
        learning_rate(0.001, 1e-5, 1e0),
        share("momentum", 0.9, "μ", "share of the integral and the derivative that is kept", 0.5),
        HyperParameter(
            "integral", 5.0, "Kᵢ", "weight of the decaying sum", Range(1e-1, 1e2), at_least=0.0
        ),
        HyperParameter(
            "derivative",
            10.0,
            "K_d",
            "weight of the gradient's change: damps what the sum overshoots",
            Range(1e-1, 1e3),
            at_least=0.0,
        ),
    ),
    options=(
        Option(
            "difference",
            "exact",
            ("exact", "late"),
            "late: the first gradient is not remembered, so that at the second step g' = 0 "
            "(pytorch_optimizer)",
        ),
    ),
    build=pid,
    slots=3,
    notes=(
        "The weights of the authors' code: with Kᵢ = 5 and μ = 0.9 a steady gradient moves the "
        "parameters 51 times α g, so α is smaller than momentum's. The code that they published "
        "never stores the last gradient, which makes d a second sum."
    ),
    dialects=dialects.PID,
)

ENTRIES = (QHM, AGGMO, ACCSGD, PNM, PID, *descents.ENTRIES)
