"""Adam with another denominator: adabound, adabelief, eadam, adam_atan2."""

from __future__ import annotations

from typing import Any

import optax

from fallline.optimizers.adam import dialects_adam as dialects
from fallline.optimizers.adam import rule_adam as rules
from fallline.optimizers.adam.adam_parts import AVERAGES, BETAS, FAMILY
from fallline.optimizers.shared import citations
from fallline.optimizers.shared.parameters import STUDIES, chained, epsilon, learning_rate
from fallline.optimizers.spec import HyperParameter, Optimizer
from fallline.spaces import Range


def adabound(
    *,
    learning_rate: Any,
    beta_1: Any,
    beta_2: Any,
    epsilon: Any,
    final_lr: Any,
    gamma: Any,
) -> optax.GradientTransformationExtraArgs:
    """AdaBound."""
    rule = rules.bounded_adam(learning_rate, beta_1, beta_2, epsilon, final_lr, gamma)
    return optax.with_extra_args_support(rule)


def adabelief(
    *, learning_rate: Any, beta_1: Any, beta_2: Any, epsilon: Any
) -> optax.GradientTransformationExtraArgs:
    """AdaBelief."""
    return chained(learning_rate, rules.scale_by_belief(beta_1, beta_2, epsilon))


def eadam(
    *, learning_rate: Any, beta_1: Any, beta_2: Any, epsilon: Any
) -> optax.GradientTransformationExtraArgs:
    """EAdam."""
    return chained(learning_rate, rules.scale_by_eadam(beta_1, beta_2, epsilon))


def adam_atan2(
    *, learning_rate: Any, beta_1: Any, beta_2: Any
) -> optax.GradientTransformationExtraArgs:
    """Adam-atan2."""
    return chained(learning_rate, rules.scale_by_angle(beta_1, beta_2))


ADABOUND = Optimizer(
    name="adabound",
    title="AdaBound",
    family=FAMILY,
    equation=(
        "m ← β₁ m + (1-β₁) g,   v ← β₂ v + (1-β₂) g²\n"
        "l = α_f (1 - 1/(γ t + 1)),   u = α_f (1 + 1/(γ t))\n"
        "η = clip(α √(1-β₂ᵗ) / (1-β₁ᵗ) / (√v + ε), l, u)\nθ ← θ - η m"
    ),
    citation=citations.LUO,
    hyperparameters=(
        learning_rate(0.001, 1e-6, 1e0, meaning="length of the step while it is Adam"),
        *BETAS,
        epsilon(1e-8),
        HyperParameter(
            "final_lr",
            0.1,
            "α_f",
            "learning rate of the SGD that it turns into",
            Range(1e-4, 1e1),
            above=0.0,
        ),
        HyperParameter(
            "gamma", 1e-3, "γ", "how fast the bounds close in", Range(1e-5, 1e-1), above=0.0
        ),
    ),
    build=adabound,
    slots=2,
    groups=STUDIES,
    notes=(
        "The form of the authors' code, with ε beside the uncorrected root. α_f does not follow α: "
        "their code scales it by a schedule alone, so a search over α leaves the SGD of the end as "
        "it is. After 1/γ steps α_f matters more than α; search it too in long trainings."
    ),
    dialects=dialects.ADABOUND,
)
ADABELIEF = Optimizer(
    name="adabelief",
    title="AdaBelief",
    family=FAMILY,
    equation=(
        "m ← β₁ m + (1-β₁) g,   m̂ = m / (1-β₁ᵗ)\n"
        "s ← β₂ s + (1-β₂) (g - m)² + ε,   ŝ = s / (1-β₂ᵗ)\nθ ← θ - α m̂ / (√ŝ + ε)"
    ),
    citation=citations.ZHUANG,
    hyperparameters=(learning_rate(0.001, 1e-6, 1e0), *BETAS, epsilon(1e-16)),
    build=adabelief,
    slots=2,
    groups=STUDIES,
    notes=(
        "The form of the authors' code without rectification; ε = 1e-16 as they recommend for "
        "image classification. torch users often know ε = 1e-8 and more conservative steps."
    ),
    dialects=dialects.ADABELIEF,
)
EADAM = Optimizer(
    name="eadam",
    title="EAdam",
    family=FAMILY,
    equation=(
        "m ← β₁ m + (1-β₁) g,   m̂ = m / (1-β₁ᵗ)\n"
        "v ← β₂ v + (1-β₂) g² + ε,   v̂ = v / (1-β₂ᵗ)\nθ ← θ - α m̂ / √v̂"
    ),
    citation=citations.YUAN,
    hyperparameters=(learning_rate(0.001, 1e-6, 1e0), *BETAS, epsilon(1e-8)),
    build=eadam,
    slots=2,
    groups=STUDIES,
    notes="ε gathers in v, up to ε/(1-β₂): small gradients move less than with Adam.",
    dialects=dialects.EADAM,
)
ADAM_ATAN2 = Optimizer(
    name="adam_atan2",
    title="Adam-atan2 (no ε)",
    family=FAMILY,
    equation=f"{AVERAGES}θ ← θ - α atan2(m̂, √v̂)",
    citation=citations.EVERETT,
    hyperparameters=(learning_rate(0.001, 1e-6, 1e0), *BETAS),
    build=adam_atan2,
    slots=2,
    groups=STUDIES,
    notes=(
        "Adam with its additional hyper-parameter ε removed. The step does not change when the "
        "loss is multiplied by a constant, and is at most α π/2. For m̂ = √v̂ it is π/4 of Adam's; "
        "some implementations multiply by 4/π, which only rescales α."
    ),
    dialects=dialects.ADAM_ATAN2,
)

ENTRIES = (ADABOUND, ADABELIEF, EADAM, ADAM_ATAN2)
