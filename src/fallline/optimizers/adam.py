"""Adam and its kin: adam, adamw, amsgrad, adamax, nadam, adabound, adabelief, eadam, adam_atan2."""

from __future__ import annotations

from typing import Any

import optax

from fallline.optimizers import _rule_adam as rules
from fallline.optimizers import citations
from fallline.optimizers._parameters import (
    DECAY,
    STUDIES,
    WEIGHT_DECAY,
    chained,
    epsilon,
    learning_rate,
    share,
)
from fallline.optimizers.spec import HyperParameter, Optimizer, Option
from fallline.spaces import Range

FAMILY = "adam"

_BETAS = (
    share("beta_1", 0.9, "β₁", "share of the average gradient that is kept", 0.5),
    share("beta_2", 0.999, "β₂", "share of the average of squares that is kept", 0.9),
)
_AVERAGES = "m ← β₁ m + (1-β₁) g,   m̂ = m / (1-β₁ᵗ)\nv ← β₂ v + (1-β₂) g²,   v̂ = v / (1-β₂ᵗ)\n"
_EPSILON_PLACE = Option(
    "epsilon_place",
    "outside",
    ("outside", "inside", "uncorrected"),
    "ε beside the root of v̂ (paper, torch), under it, or beside the root of v before its "
    "correction (Keras, and the paper's faster form)",
)
_ROUNDED = Option(
    "betas",
    "exact",
    ("exact", "float32"),
    "β of the bias correction as given, or rounded to float32 as Keras on TensorFlow has it "
    "(the same in float32)",
)


def adam(
    *,
    learning_rate: Any,
    beta_1: Any,
    beta_2: Any,
    epsilon: Any,
    weight_decay: Any,
    epsilon_place: str,
    betas: str,
    decay: str = "decoupled",
) -> optax.GradientTransformationExtraArgs:
    """Adam; with ``decay="decoupled"`` it is AdamW."""
    rule = rules.scale_by_adam(
        beta_1, beta_2, epsilon, place=epsilon_place, float32=betas == "float32"
    )
    return chained(learning_rate, rule, weight_decay, decay)


def amsgrad(
    *, learning_rate: Any, beta_1: Any, beta_2: Any, epsilon: Any
) -> optax.GradientTransformationExtraArgs:
    """AMSGrad."""
    return chained(learning_rate, rules.scale_by_amsgrad(beta_1, beta_2, epsilon))


def adamax(
    *,
    learning_rate: Any,
    beta_1: Any,
    beta_2: Any,
    epsilon: Any,
    epsilon_place: str,
    betas: str,
) -> optax.GradientTransformationExtraArgs:
    """Adamax."""
    rule = rules.scale_by_adamax(
        beta_1, beta_2, epsilon, place=epsilon_place, float32=betas == "float32"
    )
    return chained(learning_rate, rule)


def nadam(
    *,
    learning_rate: Any,
    beta_1: Any,
    beta_2: Any,
    epsilon: Any,
    momentum_decay: Any,
    betas: str,
) -> optax.GradientTransformationExtraArgs:
    """Nadam."""
    rule = rules.scale_by_nadam(beta_1, beta_2, epsilon, momentum_decay, float32=betas == "float32")
    return chained(learning_rate, rule)


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


ADAM = Optimizer(
    name="adam",
    title="Adam",
    family=FAMILY,
    equation=f"{_AVERAGES}θ ← θ - α m̂ / (√v̂ + ε)",
    citation=citations.KINGMA,
    hyperparameters=(learning_rate(0.001, 1e-6, 1e0), *_BETAS, epsilon(1e-8), WEIGHT_DECAY),
    options=(_EPSILON_PLACE, _ROUNDED, DECAY),
    build=adam,
    slots=2,
    groups=STUDIES,
    notes=(
        "The form of the paper and of torch. Keras: ε = 1e-7 with epsilon_place='uncorrected' and "
        "betas='float32'."
    ),
)
ADAMW = Optimizer(
    name="adamw",
    title="AdamW",
    family=FAMILY,
    equation=f"{_AVERAGES}θ ← θ - α (m̂ / (√v̂ + ε) + λ θ)",
    citation=citations.LOSHCHILOV,
    hyperparameters=(
        learning_rate(0.001, 1e-6, 1e0),
        *_BETAS,
        epsilon(1e-8),
        HyperParameter(
            "weight_decay",
            0.01,
            "λ",
            "pull of the weights towards zero, per unit of the learning rate",
            Range(1e-5, 1e0),
            at_least=0.0,
        ),
    ),
    options=(_EPSILON_PLACE, _ROUNDED),
    build=adam,
    slots=2,
    notes=(
        "The decay is scaled by the learning rate, as in torch, Keras and Optax; the paper scales "
        "it by the schedule alone. Default λ: torch 0.01 (here), Keras 0.004, Optax 0.0001. Every "
        "parameter decays, biases too."
    ),
)
AMSGRAD = Optimizer(
    name="amsgrad",
    title="AMSGrad",
    family=FAMILY,
    equation=f"{_AVERAGES}n ← max(n, v),   n̂ = n / (1-β₂ᵗ)\nθ ← θ - α m̂ / (√n̂ + ε)",
    citation=citations.REDDI,
    hyperparameters=(learning_rate(0.001, 1e-6, 1e0), *_BETAS, epsilon(1e-8)),
    build=amsgrad,
    slots=3,
    notes=(
        "The form of torch: the maximum of the uncorrected averages is corrected. Optax takes the "
        "maximum of the corrected ones; the paper corrects nothing."
    ),
)
ADAMAX = Optimizer(
    name="adamax",
    title="Adamax",
    family=FAMILY,
    equation="m ← β₁ m + (1-β₁) g\nu ← max(β₂ u, |g|)\nθ ← θ - α / (1-β₁ᵗ) · m / (u + ε)",
    citation=citations.KINGMA,
    hyperparameters=(learning_rate(0.002, 1e-6, 1e0), *_BETAS, epsilon(1e-8)),
    options=(
        Option(
            "epsilon_place",
            "outside",
            ("outside", "inside"),
            "ε added to u (Keras), or to |g| before the maximum (torch)",
        ),
        _ROUNDED,
    ),
    build=adamax,
    slots=2,
    groups=STUDIES,
    notes=(
        "The paper has no ε and divides 0 by 0 where a gradient was always zero. Learning rate: "
        "paper and torch 0.002, Keras 0.001. torch: epsilon_place='inside'. Keras: ε = 1e-7, "
        "betas='float32'."
    ),
)
NADAM = Optimizer(
    name="nadam",
    title="Nadam",
    family=FAMILY,
    equation=(
        "μₜ = β₁ (1 - 0.96^(t ψ) / 2),   P ← P μₜ\n"
        "m ← β₁ m + (1-β₁) g\nv ← β₂ v + (1-β₂) g²,   v̂ = v / (1-β₂ᵗ)\n"
        "m̂ = μₜ₊₁ m / (1 - P μₜ₊₁) + (1-μₜ) g / (1-P)\nθ ← θ - α m̂ / (√v̂ + ε)"
    ),
    citation=citations.DOZAT,
    hyperparameters=(
        learning_rate(0.001, 1e-6, 1e0),
        *_BETAS,
        epsilon(1e-8),
        HyperParameter(
            "momentum_decay",
            0.004,
            "ψ",
            "how fast the momentum warms up from β₁/2 to β₁",
            Range(1e-4, 1e0),
            at_least=0.0,
        ),
    ),
    options=(_ROUNDED,),
    build=nadam,
    slots=2,
    groups=STUDIES,
    notes=(
        "ψ = 0.004 is the paper's and torch's warm-up; Keras has ψ = 1 with ε = 1e-7 and "
        "betas='float32'. Learning rate: Keras 0.001, torch 0.002. Optax's Nadam has no warm-up."
    ),
)
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
        *_BETAS,
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
    hyperparameters=(learning_rate(0.001, 1e-6, 1e0), *_BETAS, epsilon(1e-16)),
    build=adabelief,
    slots=2,
    groups=STUDIES,
    notes=(
        "The form of the authors' code without rectification; ε = 1e-16 as they recommend for "
        "image classification. torch users often know ε = 1e-8 and more conservative steps."
    ),
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
    hyperparameters=(learning_rate(0.001, 1e-6, 1e0), *_BETAS, epsilon(1e-8)),
    build=eadam,
    slots=2,
    groups=STUDIES,
    notes="ε gathers in v, up to ε/(1-β₂): small gradients move less than with Adam.",
)
ADAM_ATAN2 = Optimizer(
    name="adam_atan2",
    title="Adam-atan2 (no ε)",
    family=FAMILY,
    equation=f"{_AVERAGES}θ ← θ - α atan2(m̂, √v̂)",
    citation=citations.EVERETT,
    hyperparameters=(learning_rate(0.001, 1e-6, 1e0), *_BETAS),
    build=adam_atan2,
    slots=2,
    groups=STUDIES,
    notes=(
        "Adam with its additional hyper-parameter ε removed. The step does not change when the "
        "loss is multiplied by a constant, and is at most α π/2. For m̂ = √v̂ it is π/4 of Adam's; "
        "some implementations multiply by 4/π, which only rescales α."
    ),
)

ENTRIES = (ADAM, ADAMW, AMSGRAD, ADAMAX, NADAM, ADABOUND, ADABELIEF, EADAM, ADAM_ATAN2)
