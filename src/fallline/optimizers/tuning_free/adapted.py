"""Step lengths by D-Adaptation: dadapt_adamw, dadapt_sgd, dadapt_adagrad."""

from __future__ import annotations

from typing import Any

import optax

from fallline.optimizers.dialects import Dialect, Fixed
from fallline.optimizers.shared.parameters import epsilon, share
from fallline.optimizers.spec import HyperParameter, Optimizer, Option
from fallline.optimizers.tuning_free import citations_tuning_free as citations
from fallline.optimizers.tuning_free import rule_adapted as rules
from fallline.optimizers.tuning_free.distances import COUPLED, FACTOR
from fallline.optimizers.tuning_free.momo import FAMILY
from fallline.spaces import Range


def dadapt_adamw(
    *,
    learning_rate: Any,
    beta_1: Any,
    beta_2: Any,
    epsilon: Any,
    first_distance: Any,
    weight_decay: Any,
    growth_rate: Any,
    bias_correction: bool,
    growth: str,
) -> optax.GradientTransformationExtraArgs:
    """AdamW with D-Adaptation."""
    rule = rules.adapted_adam(
        learning_rate,
        beta_1,
        beta_2,
        epsilon,
        first_distance,
        weight_decay,
        growth_rate if growth == "limited" else None,
        corrected=bias_correction,
    )
    return optax.with_extra_args_support(rule)


def dadapt_sgd(
    *,
    learning_rate: Any,
    momentum: Any,
    first_distance: Any,
    weight_decay: Any,
    growth_rate: Any,
    growth: str,
) -> optax.GradientTransformationExtraArgs:
    """SGD with D-Adaptation."""
    limit = growth_rate if growth == "limited" else None
    rule = rules.adapted_descent(learning_rate, momentum, first_distance, weight_decay, limit)
    return optax.with_extra_args_support(rule)


def dadapt_adagrad(
    *,
    learning_rate: Any,
    momentum: Any,
    epsilon: Any,
    first_distance: Any,
    initial_accumulator: Any,
    growth_rate: Any,
    growth: str,
) -> optax.GradientTransformationExtraArgs:
    """Adagrad with D-Adaptation."""
    limit = growth_rate if growth == "limited" else None
    rule = rules.adapted_adagrad(
        learning_rate, momentum, epsilon, first_distance, initial_accumulator, limit
    )
    return optax.with_extra_args_support(rule)


BETAS = (
    share("beta_1", 0.9, "β₁", "share of the average gradient that is kept", 0.5),
    share("beta_2", 0.999, "β₂", "share of the average of squares that is kept", 0.9),
)
FIRST_DISTANCE = HyperParameter(
    "first_distance",
    1e-6,
    "d₀",
    "the distance to begin with, to be smaller than the true one",
    Range(1e-8, 1e-2),
    above=0.0,
)
DECOUPLED = HyperParameter(
    "weight_decay",
    0.0,
    "λ",
    "pull of the weights towards zero, per unit of the step length",
    Range(1e-4, 1e0),
    at_least=0.0,
)
GROWTH_RATE = HyperParameter(
    "growth_rate",
    1.02,
    "κ",
    "the largest factor by which the distance may grow in a step",
    Range(1.001, 2.0),
    at_least=1.0,
    only_with=("growth", ("limited",)),
)
GROWTH = Option(
    "growth",
    "free",
    ("free", "limited"),
    "the distance may grow by any factor in a step, or by growth_rate at most",
)
BIAS_CORRECTION = Option(
    "bias_correction",
    False,
    (False, True),
    "multiplies the step by √(1-β₂ᵗ)/(1-β₁ᵗ), as Adam does",
)
SCHEDULE_WANTED = "The step does not shrink by itself: end with a schedule, or average."
NAN = "gives NaN if the first gradient is zero everywhere."

DADAPT_ADAMW = Optimizer(
    name="dadapt_adamw",
    title="AdamW with D-Adaptation",
    family=FAMILY,
    equation=(
        "η = d α,   r ← √β₂ r + (1-√β₂) η ⟨g, s / (√v + ε)⟩\n"
        "m ← β₁ m + (1-β₁) η g,   v ← β₂ v + (1-β₂) g²,   s ← √β₂ s + (1-√β₂) η g\n"
        "θ ← θ - m / (√v + ε) - η λ θ\nd ← max(d, r / ((1-√β₂) ‖s‖₁))"
    ),
    citation=citations.DEFAZIO_2023,
    hyperparameters=(
        FACTOR,
        *BETAS,
        epsilon(1e-8),
        FIRST_DISTANCE,
        DECOUPLED,
        GROWTH_RATE,
    ),
    options=(BIAS_CORRECTION, GROWTH),
    build=dadapt_adamw,
    slots=3,
    notes=(
        "The form of the authors' code (dadaptation 3) with decouple=True. The step length is "
        f"inside of m. {SCHEDULE_WANTED}"
    ),
    dialects=(
        Dialect(
            framework="paper",
            form="Without weight decay and bias correction.",
            differs=(
                "r weighs g and s by the root of v after this gradient; the authors' code and this "
                "entry by the one before."
            ),
        ),
        Dialect(
            framework="torch",
            call="dadaptation.DAdaptAdam",
            arguments={
                "lr": "learning_rate",
                "betas": ("beta_1", "beta_2"),
                "eps": "epsilon",
                "weight_decay": "weight_decay",
                "decouple": Fixed(True),
                "use_bias_correction": "bias_correction",
                "d0": "first_distance",
            },
            form=(
                "As here. pytorch_optimizer.DAdaptAdam multiplies by ‖s‖₁ where the paper and the "
                "authors' code divide by it, and so finds another distance."
            ),
        ),
        Dialect(
            framework="optax",
            call="optax.contrib.dadapt_adamw",
            arguments={
                "learning_rate": "learning_rate",
                "betas": ("beta_1", "beta_2"),
                "eps": "epsilon",
                "estim_lr0": "first_distance",
                "weight_decay": "weight_decay",
            },
            options={"bias_correction": True},
            form="Always with bias correction.",
            differs=NAN,
        ),
    ),
)
DADAPT_SGD = Optimizer(
    name="dadapt_sgd",
    title="SGD with D-Adaptation",
    family=FAMILY,
    equation=(
        "η = d α / ‖g₁‖\nr ← r + η ⟨g, s⟩,   s ← s + η g\n"
        "θ ← β θ + (1-β) (θ₀ - s)\nd ← max(d, 2 r / ‖s‖)"
    ),
    citation=citations.DEFAZIO_2023,
    hyperparameters=(
        FACTOR,
        share("momentum", 0.9, "β", "share of the averaged iterate that is kept", 0.5),
        FIRST_DISTANCE,
        COUPLED,
        GROWTH_RATE,
    ),
    options=(GROWTH,),
    build=dadapt_sgd,
    slots=2,
    notes=(
        "The form of the authors' code (dadaptation 3) with the paper's momentum; their code's "
        "default is none. ‖g₁‖ is the norm of the first gradient that is not zero."
        f" {SCHEDULE_WANTED}"
    ),
    dialects=(
        Dialect(framework="paper", form="As here; ‖g₁‖ stands for the unknown bound of gradients."),
        Dialect(
            framework="torch",
            call="dadaptation.DAdaptSGD",
            arguments={
                "lr": "learning_rate",
                "momentum": "momentum",
                "weight_decay": "weight_decay",
                "d0": "first_distance",
            },
            defaults={"momentum": 0.0},
            form="As here; divides by zero if the first gradient is zero everywhere.",
        ),
    ),
)
DADAPT_ADAGRAD = Optimizer(
    name="dadapt_adagrad",
    title="Adagrad with D-Adaptation",
    family=FAMILY,
    equation=(
        "η = d α,   v ← v + g²,   s ← s + η g,   A = √v + ε\n"
        "r ← r + η² ⟨g, A⁻¹ g⟩\nθ ← β θ + (1-β) (θ₀ - A⁻¹ s)\n"
        "d ← max(d, (⟨s, A⁻¹ s⟩ - r) / ‖s‖₁)"
    ),
    citation=citations.DEFAZIO_2023,
    hyperparameters=(
        FACTOR,
        HyperParameter(
            "momentum",
            0.0,
            "β",
            "share of the averaged iterate that is kept",
            Range(0.5, 0.9999, "log_one_minus"),
            at_least=0.0,
            below=1.0,
        ),
        epsilon(1e-6),
        FIRST_DISTANCE,
        HyperParameter(
            "initial_accumulator",
            1e-6,
            "v₀",
            "what the sum of squares begins with",
            Range(1e-10, 1e0),
            at_least=0.0,
        ),
        GROWTH_RATE,
    ),
    options=(GROWTH,),
    build=dadapt_adagrad,
    slots=3,
    notes=(
        "The form of the authors' code (dadaptation 3) for dense gradients, which starts v at "
        "1e-6. It is dual averaging: the whole way from the start is scaled anew in every step."
    ),
    dialects=(
        Dialect(
            framework="paper",
            defaults={"initial_accumulator": 0.0, "epsilon": 0.0},
            form=("v starts at the square of the known bound of gradients; no ε, no momentum."),
            differs=(
                "the distance found is half of this one, and each ⟨g, A⁻¹ g⟩ has the A before its "
                "gradient."
            ),
        ),
        Dialect(
            framework="torch",
            call="dadaptation.DAdaptAdaGrad",
            arguments={
                "lr": "learning_rate",
                "momentum": "momentum",
                "eps": "epsilon",
                "d0": "first_distance",
            },
            form="As here.",
        ),
    ),
)
