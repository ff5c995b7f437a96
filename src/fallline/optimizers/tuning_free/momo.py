"""Step lengths from the loss, part of the family without tuning: momo, momo_adam."""

from __future__ import annotations

from typing import Any

import optax

from fallline.optimizers.dialects import Dialect
from fallline.optimizers.shared.parameters import epsilon, learning_rate, share
from fallline.optimizers.spec import HyperParameter, Optimizer, Option
from fallline.optimizers.tuning_free import citations_tuning_free as citations
from fallline.optimizers.tuning_free import rule_momo as rules
from fallline.spaces import Range

FAMILY = "tuning free"
NEEDS = frozenset({"value"})


def momo(
    *,
    learning_rate: Any,
    beta: Any,
    lower_bound: Any,
    weight_decay: Any,
    bias_correction: bool,
    adapt_lower_bound: bool,
) -> optax.GradientTransformationExtraArgs:
    """MoMo."""
    return rules.momo(
        learning_rate,
        beta,
        lower_bound,
        weight_decay,
        corrected=bias_correction,
        adapt=adapt_lower_bound,
    )


def momo_adam(
    *,
    learning_rate: Any,
    beta_1: Any,
    beta_2: Any,
    epsilon: Any,
    lower_bound: Any,
    weight_decay: Any,
    adapt_lower_bound: bool,
) -> optax.GradientTransformationExtraArgs:
    """MoMo-Adam."""
    return rules.momo_adam(
        learning_rate,
        beta_1,
        beta_2,
        epsilon,
        lower_bound,
        weight_decay,
        adapt=adapt_lower_bound,
    )


_BOUNDS = (
    HyperParameter(
        "lower_bound",
        0.0,
        "f*",
        "a value that the loss does not fall below",
        Range(1e-4, 1e1),
    ),
    HyperParameter(
        "weight_decay",
        0.0,
        "λ",
        "pull of the weights towards zero, as a penalty that the step solves for",
        Range(1e-5, 1e0),
        at_least=0.0,
    ),
)
_ADAPT = Option(
    "adapt_lower_bound",
    False,
    (False, True),
    "f* is estimated as it goes, from below by lower_bound (the paper's MoMo*)",
)
_NOTES = (
    "The form of the authors' code. It needs the loss before the step, of the same batch as the "
    "gradient and with the same penalties. Where f* is the loss that can be reached, the step is "
    "Polyak's and never longer than α; a lower f* makes it the plain optimizer at α."
)
_OPTAX_DIFFERS = (
    "with weight decay it divides the decay by 1 + αλ but not the step, where the paper's proximal "
    "step divides both; it stands still once ⟨d, D⁻¹ d⟩ is below 2.2e-16."
)

MOMO = Optimizer(
    name="momo",
    title="MoMo (momentum with a model of the loss)",
    family=FAMILY,
    equation=(
        "d ← β d + (1-β) g,   f̄ ← β f̄ + (1-β) f,   γ ← β γ + (1-β) ⟨g, θ⟩\n"
        "h = max(0, (1+αλ) (f̄ - f* - γ) + ⟨d, θ⟩),   τ = min(α, h / ‖d‖²)\n"
        "θ ← (θ - τ d) / (1+αλ)"
    ),
    citation=citations.SCHAIPP,
    hyperparameters=(
        learning_rate(1.0, 1e-3, 1e2, meaning="the longest step, in units of d"),
        share("beta", 0.9, "β", "share of the averages that is kept", 0.5),
        *_BOUNDS,
    ),
    options=(
        Option(
            "bias_correction",
            False,
            (False, True),
            "the averages begin at zero and are corrected, not with the first step's values",
        ),
        _ADAPT,
    ),
    build=momo,
    slots=1,
    needs=NEEDS,
    notes=_NOTES,
    dialects=(
        Dialect(
            framework="paper",
            form=(
                "As here: d₀ = g₀, f̄₀ = f₀, γ₀ = ⟨g₀, θ₀⟩, no bias correction; decay by a proximal "
                "step."
            ),
        ),
        Dialect(
            framework="optax",
            call="optax.contrib.momo",
            arguments={
                "learning_rate": "learning_rate",
                "beta": "beta",
                "lower_bound": "lower_bound",
                "weight_decay": "weight_decay",
                "adapt_lower_bound": "adapt_lower_bound",
            },
            form="As here without weight decay; update(..., value=loss).",
            differs=_OPTAX_DIFFERS,
        ),
    ),
)
MOMO_ADAM = Optimizer(
    name="momo_adam",
    title="MoMo-Adam (Adam with a model of the loss)",
    family=FAMILY,
    equation=(
        "d ← β₁ d + (1-β₁) g,   f̄ ← β₁ f̄ + (1-β₁) f,   γ ← β₁ γ + (1-β₁) ⟨g, θ⟩\n"
        "v ← β₂ v + (1-β₂) g²,   D = √(v / (1-β₂ᵗ)) + ε,   ρ = 1-β₁ᵗ\n"
        "h = max(0, (1+αλ) (f̄ - ρ f* - γ) + ⟨d, θ⟩),   τ = min(α/ρ, h / ⟨d, D⁻¹ d⟩)\n"
        "θ ← (θ - τ D⁻¹ d) / (1+αλ)"
    ),
    citation=citations.SCHAIPP,
    hyperparameters=(
        learning_rate(0.01, 1e-5, 1e1, meaning="the longest step, that of Adam"),
        share("beta_1", 0.9, "β₁", "share of the averages that is kept", 0.5),
        share("beta_2", 0.999, "β₂", "share of the average of squares that is kept", 0.9),
        epsilon(1e-8),
        *_BOUNDS,
    ),
    options=(_ADAPT,),
    build=momo_adam,
    slots=2,
    needs=NEEDS,
    notes=_NOTES,
    dialects=(
        Dialect(
            framework="paper",
            form="As here: the bias of d, f̄ and γ is in ρ; decay by a proximal step.",
        ),
        Dialect(
            framework="optax",
            call="optax.contrib.momo_adam",
            arguments={
                "learning_rate": "learning_rate",
                "b1": "beta_1",
                "b2": "beta_2",
                "eps": "epsilon",
                "lower_bound": "lower_bound",
                "weight_decay": "weight_decay",
                "adapt_lower_bound": "adapt_lower_bound",
            },
            form="As here without weight decay; update(..., value=loss).",
            differs=_OPTAX_DIFFERS,
        ),
    ),
)
