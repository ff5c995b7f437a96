"""Adam and its kin: adam, adamw, amsgrad, adamax, nadam; more in ``_adam_denominators``."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import optax

from fallline.optimizers.adam import dialects_adam as dialects
from fallline.optimizers.adam import rule_adam as rules
from fallline.optimizers.adam.adam_denominators import ENTRIES as OTHER_DENOMINATORS
from fallline.optimizers.adam.adam_parts import (
    AVERAGES,
    BESIDE,
    BETAS,
    FAMILY,
    KEPT_MEAN,
    KEPT_SQUARE,
)
from fallline.optimizers.shared import citations
from fallline.optimizers.shared.parameters import (
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
    *,
    learning_rate: Any,
    beta_1: Any,
    beta_2: Any,
    epsilon: Any,
    correction: str,
    epsilon_place: str,
    betas: str,
) -> optax.GradientTransformationExtraArgs:
    """AMSGrad."""
    rule = rules.scale_by_amsgrad(
        beta_1,
        beta_2,
        epsilon,
        correction=correction,
        place=epsilon_place,
        float32=betas == "float32",
    )
    return chained(learning_rate, rule)


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
    warm_up: bool,
    betas: str,
) -> optax.GradientTransformationExtraArgs:
    """Nadam."""
    float32 = betas == "float32"
    if warm_up:
        rule = rules.scale_by_nadam(beta_1, beta_2, epsilon, momentum_decay, float32=float32)
    else:
        rule = rules.scale_by_steady_nadam(beta_1, beta_2, epsilon, float32=float32)
    return chained(learning_rate, rule)


ADAM = Optimizer(
    name="adam",
    title="Adam",
    family=FAMILY,
    equation=f"{AVERAGES}θ ← θ - α m̂ / (√v̂ + ε)",
    citation=citations.KINGMA,
    hyperparameters=(
        learning_rate(
            0.001,
            3e-6,
            1.2,
            meaning="length of the step; the range is the middle 95 % of the source's prior",
            source=citations.SIVAPRASAD,
        ),
        BETAS[0],
        share("beta_2", 0.999, "β₂", KEPT_SQUARE, 0.9, 0.99999, source=citations.SIVAPRASAD),
        replace(BESIDE, source=citations.SIVAPRASAD),
        WEIGHT_DECAY,
    ),
    options=(_EPSILON_PLACE, _ROUNDED, DECAY),
    build=adam,
    slots=2,
    groups=STUDIES,
    notes=(
        "The form of the paper and of torch. Keras: ε = 1e-7 with epsilon_place='uncorrected' and "
        "betas='float32'. Where ε outweighs √v̂ this is momentum with the learning rate α/ε, hence "
        "a search over the ratio (Choi et al. 2019, arXiv:1910.05446)."
    ),
    dialects=dialects.ADAM,
)
ADAMW = Optimizer(
    name="adamw",
    title="AdamW",
    family=FAMILY,
    equation=f"{AVERAGES}θ ← θ - α (m̂ / (√v̂ + ε) + λ θ)",
    citation=citations.LOSHCHILOV,
    hyperparameters=(
        learning_rate(
            0.001,
            1e-6,
            1e0,
            meaning=(
                "length of the step; the range is the source's, 1e-4 to 1e-2, and two decades more "
                "to either side"
            ),
            source=citations.DAHL,
        ),
        share("beta_1", 0.9, "β₁", KEPT_MEAN, 0.5, 0.98, source=citations.DAHL),
        BETAS[1],
        BESIDE,
        HyperParameter(
            "weight_decay",
            0.01,
            "λ",
            "pull of the weights towards zero, per unit of the learning rate",
            Range(5e-3, 1e0),
            citations.DAHL,
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
    dialects=dialects.ADAMW,
)
AMSGRAD = Optimizer(
    name="amsgrad",
    title="AMSGrad",
    family=FAMILY,
    equation=f"{AVERAGES}n ← max(n, v),   n̂ = n / (1-β₂ᵗ)\nθ ← θ - α m̂ / (√n̂ + ε)",
    citation=citations.REDDI,
    hyperparameters=(learning_rate(0.001, 1e-6, 1e0), *BETAS, BESIDE),
    options=(
        Option(
            "correction",
            "after",
            ("after", "before", "none"),
            "bias is corrected after the maximum is taken (torch, Keras), before it (Optax), or "
            "not at all, in m neither (paper)",
        ),
        _EPSILON_PLACE,
        _ROUNDED,
    ),
    build=amsgrad,
    slots=3,
    notes=(
        "The form of torch: the maximum of the uncorrected averages is corrected. Optax takes the "
        "maximum of the corrected ones, where the first gradients weigh fully and for ever; the "
        "paper corrects nothing."
    ),
    dialects=dialects.AMSGRAD,
)
ADAMAX = Optimizer(
    name="adamax",
    title="Adamax",
    family=FAMILY,
    equation="m ← β₁ m + (1-β₁) g\nu ← max(β₂ u, |g|)\nθ ← θ - α / (1-β₁ᵗ) · m / (u + ε)",
    citation=citations.KINGMA,
    hyperparameters=(
        learning_rate(0.002, 1e-6, 1e0),
        *BETAS,
        epsilon(1e-8, per_learning_rate=True),
    ),
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
    dialects=dialects.ADAMAX,
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
        *BETAS,
        BESIDE,
        HyperParameter(
            "momentum_decay",
            0.004,
            "ψ",
            "how fast the momentum warms up from β₁/2 to β₁",
            Range(1e-4, 1e0),
            at_least=0.0,
            only_with=("warm_up", (True,)),
        ),
    ),
    options=(
        Option(
            "warm_up",
            True,
            (True, False),
            "μₜ grows from β₁/2 to β₁ (paper, torch, Keras), or is β₁ in every step (Optax)",
        ),
        _ROUNDED,
    ),
    build=nadam,
    slots=2,
    groups=STUDIES,
    notes=(
        "ψ = 0.004 is the paper's and torch's warm-up; Keras has ψ = 1 with ε = 1e-7 and "
        "betas='float32'. Learning rate: Keras 0.001, torch 0.002. Optax's Nadam has no warm-up."
    ),
    dialects=dialects.NADAM,
)
ENTRIES = (ADAM, ADAMW, AMSGRAD, ADAMAX, NADAM, *OTHER_DENOMINATORS)
