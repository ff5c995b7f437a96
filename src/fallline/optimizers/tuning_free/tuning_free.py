"""Step lengths found from distances and losses: prodigy, dadapt_*, dog, dowg, cocob, kt, momo*."""

from __future__ import annotations

from typing import Any

import optax

from fallline.optimizers.dialects import Dialect, Fixed
from fallline.optimizers.shared.parameters import epsilon
from fallline.optimizers.spec import HyperParameter, Optimizer, Option
from fallline.optimizers.tuning_free import citations_tuning_free as citations
from fallline.optimizers.tuning_free import rule_tuning_free as rules
from fallline.optimizers.tuning_free.adapted import (
    BETAS,
    BIAS_CORRECTION,
    DADAPT_ADAGRAD,
    DADAPT_ADAMW,
    DADAPT_SGD,
    DECOUPLED,
    FIRST_DISTANCE,
    GROWTH,
    GROWTH_RATE,
    NAN,
    SCHEDULE_WANTED,
)
from fallline.optimizers.tuning_free.distances import COCOB, DOG, DOWG, FACTOR, KT
from fallline.optimizers.tuning_free.momo import FAMILY, MOMO, MOMO_ADAM
from fallline.spaces import Range


def prodigy(
    *,
    learning_rate: Any,
    beta_1: Any,
    beta_2: Any,
    epsilon: Any,
    first_distance: Any,
    coefficient: Any,
    weight_decay: Any,
    beta_3: Any,
    growth_rate: Any,
    bias_correction: bool,
    safeguard_warmup: bool,
    sums: str,
    growth: str,
) -> optax.GradientTransformationExtraArgs:
    """Prodigy."""
    rule = rules.prodigy(
        learning_rate,
        beta_1,
        beta_2,
        epsilon,
        first_distance,
        coefficient,
        weight_decay,
        beta_3 if sums == "beta_3" else None,
        growth_rate if growth == "limited" else None,
        corrected=bias_correction,
        safeguarded=safeguard_warmup,
    )
    return optax.with_extra_args_support(rule)


PRODIGY = Optimizer(
    name="prodigy",
    title="Prodigy",
    family=FAMILY,
    equation=(
        "m ← β₁ m + (1-β₁) d g,   v ← β₂ v + (1-β₂) d² g²\n"
        "r ← √β₂ r + α d² ⟨g, θ₀ - θ⟩,   s ← √β₂ s + α d² g\n"
        "d' = max(d, c r / ‖s‖₁)\nθ ← θ - α d (m / (√v + d' ε) + λ θ),   d ← d'"
    ),
    citation=citations.MISHCHENKO,
    hyperparameters=(
        FACTOR,
        *BETAS,
        epsilon(1e-8),
        FIRST_DISTANCE,
        HyperParameter(
            "coefficient",
            1.0,
            "c",
            "factor of the distance that is found: what to tune, if anything",
            Range(1e-1, 1e1),
            above=0.0,
        ),
        DECOUPLED,
        HyperParameter(
            "beta_3",
            0.9995,
            "β₃",
            "share of r and s that is kept",
            Range(0.9, 0.99999, "log_one_minus"),
            at_least=0.0,
            below=1.0,
            only_with=("sums", ("beta_3",)),
        ),
        GROWTH_RATE,
    ),
    options=(
        BIAS_CORRECTION,
        Option(
            "safeguard_warmup",
            False,
            (False, True),
            "leaves α out of s, so that a warm-up does not inflate the distance",
        ),
        Option(
            "sums",
            "sqrt_beta_2",
            ("sqrt_beta_2", "beta_3"),
            "what r and s keep: √β₂ as in the paper, or a β₃ of their own",
        ),
        GROWTH,
    ),
    build=prodigy,
    slots=4,
    notes=(f"The form and defaults of the authors' code. {SCHEDULE_WANTED}"),
    dialects=(
        Dialect(
            framework="paper",
            form="No bias correction; ε is multiplied by the distance before the step, d.",
            differs="d ε in the denominator, where the authors' code and this entry have d' ε.",
        ),
        Dialect(
            framework="torch",
            call="pytorch_optimizer.Prodigy",
            arguments={
                "lr": "learning_rate",
                "betas": ("beta_1", "beta_2"),
                "d0": "first_distance",
                "d_coef": "coefficient",
                "weight_decay": "weight_decay",
                "weight_decouple": Fixed(True),
                "safeguard_warmup": "safeguard_warmup",
                "eps": "epsilon",
            },
            form=(
                "As here; its further arguments are beta3 and growth_rate. The authors' own is "
                "prodigyopt.Prodigy."
            ),
            differs=(
                "its bias_correction counts every step behind the first twice, and is left out."
            ),
        ),
        Dialect(
            framework="optax",
            call="optax.contrib.prodigy",
            arguments={
                "learning_rate": "learning_rate",
                "betas": ("beta_1", "beta_2"),
                "eps": "epsilon",
                "estim_lr0": "first_distance",
                "estim_lr_coef": "coefficient",
                "weight_decay": "weight_decay",
                "safeguard_warmup": "safeguard_warmup",
            },
            options={"bias_correction": True},
            form="Always with bias correction.",
            differs=NAN,
        ),
    ),
)
ENTRIES: tuple[Optimizer, ...] = (
    PRODIGY,
    DADAPT_ADAMW,
    DADAPT_SGD,
    DADAPT_ADAGRAD,
    DOG,
    DOWG,
    COCOB,
    KT,
    MOMO,
    MOMO_ADAM,
)
