"""Steps of the gradient's sign: signSGD, Signum, Lion and its kin, Tiger."""

from __future__ import annotations

from typing import Any

import optax

from fallline.optimizers.descent import dialects_signs as dialects
from fallline.optimizers.descent import rule_signs as rules
from fallline.optimizers.shared import citations_steps as citations
from fallline.optimizers.shared.parameters import chained, learning_rate, share
from fallline.optimizers.spec import HyperParameter, Optimizer, Option
from fallline.spaces import Range

FAMILY = "signs"


def signsgd(*, learning_rate: Any, weight_decay: Any) -> optax.GradientTransformationExtraArgs:
    """signSGD."""
    return chained(learning_rate, optax.scale_by_sign(), weight_decay, "decoupled")


def signum(
    *, learning_rate: Any, beta: Any, weight_decay: Any
) -> optax.GradientTransformationExtraArgs:
    """Signum, and Tiger."""
    rule = rules.scale_by_sign_of_average(beta)
    return chained(learning_rate, rule, weight_decay, "decoupled")


def lion(
    *, learning_rate: Any, beta_1: Any, beta_2: Any, weight_decay: Any
) -> optax.GradientTransformationExtraArgs:
    """Lion."""
    return chained(learning_rate, optax.scale_by_lion(beta_1, beta_2), weight_decay, "decoupled")


def cautious_lion(
    *, learning_rate: Any, beta_1: Any, beta_2: Any, weight_decay: Any, rescaled: str
) -> optax.GradientTransformationExtraArgs:
    """Cautious Lion."""
    rule = rules.scale_by_cautious_lion(beta_1, beta_2, rescaled=rescaled)
    return chained(learning_rate, rule, weight_decay, "decoupled")


def dadapt_lion(
    *, learning_rate: Any, beta_1: Any, beta_2: Any, first_distance: Any, weight_decay: Any
) -> optax.GradientTransformationExtraArgs:
    """Lion with D-Adaptation."""
    rule = rules.adapted_lion_step(learning_rate, beta_1, beta_2, first_distance, weight_decay)
    return optax.with_extra_args_support(rule)


def _decay(default: float = 0.0) -> HyperParameter:
    return HyperParameter(
        "weight_decay",
        default,
        "λ",
        "pull of the weights towards zero, per unit of the learning rate",
        Range(1e-4, 1e1),
        at_least=0.0,
    )


_KEPT = share("beta", 0.9, "β", "share of the average gradient that is kept", 0.5)
_LION = (
    learning_rate(3e-4, 1e-6, 1e-1),
    share("beta_1", 0.9, "β₁", "share of the average in the sign that is stepped", 0.5),
    share("beta_2", 0.99, "β₂", "share of the average gradient that is kept", 0.8),
    _decay(),
)
_LION_RATE = (
    "Good learning rates are 3 to 10 times smaller than Adam's, and λ as much larger, since every "
    "step has the full length. α = 3e-4 here; paper's code and torch 1e-4, Keras 1e-3."
)

SIGNSGD = Optimizer(
    name="signsgd",
    title="signSGD",
    family=FAMILY,
    equation="θ ← θ - α (sign(g) + λ θ)",
    citation=citations.SIGNSGD,
    hyperparameters=(learning_rate(0.001, 1e-6, 1e-1), _decay()),
    build=signsgd,
    slots=0,
    notes=(
        "Every parameter moves by α, however small its gradient, and rests where that is exactly "
        "0. To settle it needs a falling learning rate. λ is the paper's, in its vote of workers."
    ),
    dialects=dialects.SIGNSGD,
)
SIGNUM = Optimizer(
    name="signum",
    title="Signum (signSGD with momentum)",
    family=FAMILY,
    equation="m ← β m + (1-β) g\nθ ← θ - α (sign(m) + λ θ)",
    citation=citations.SIGNSGD,
    hyperparameters=(learning_rate(0.001, 1e-6, 1e-1), _KEPT, _decay()),
    build=signum,
    slots=1,
    notes=(
        "The momentum is that of the gradients, not of their signs. The scale of m has no effect, "
        "so it needs no bias correction. SignSGD of pytorch_optimizer 3.9 empties m before every "
        "step, and so is signSGD with any momentum; it ignores its weight decay."
    ),
    dialects=dialects.SIGNUM,
)
LION = Optimizer(
    name="lion",
    title="Lion (evolved sign momentum)",
    family=FAMILY,
    equation="θ ← θ - α (sign(β₁ m + (1-β₁) g) + λ θ)\nm ← β₂ m + (1-β₂) g",
    citation=citations.LION,
    hyperparameters=_LION,
    build=lion,
    slots=1,
    notes=(
        f"The average is updated after the step, which mixes the gradient in once more. "
        f"{_LION_RATE} Keras on TensorFlow rounds β to float32, which only shows in float64."
    ),
    dialects=dialects.LION,
)
CAUTIOUS_LION = Optimizer(
    name="cautious_lion",
    title="Cautious Lion (C-Lion)",
    family=FAMILY,
    equation=(
        "u = sign(β₁ m + (1-β₁) g)\n"
        "u ← u n / (k + 1) where u g > 0, else 0   for each array of n, k of which agree\n"
        "θ ← θ - α (u + λ θ)\nm ← β₂ m + (1-β₂) g"
    ),
    citation=citations.CAUTIOUS,
    hyperparameters=_LION,
    options=(
        Option(
            "rescaled",
            "count",
            ("count", "mean"),
            "what is left is multiplied by n / (k + 1) (paper and its C-Lion), or by 1 / max(k/n, "
            "0.001) (its C-AdamW)",
        ),
    ),
    build=cautious_lion,
    slots=1,
    notes=f"The form of the authors' code, whose β are 0.95 and 0.98. {_LION_RATE}",
    dialects=dialects.CAUTIOUS_LION,
)
TIGER = Optimizer(
    name="tiger",
    title="Tiger",
    family=FAMILY,
    equation="m ← β m + (1-β) g\nθ ← θ - α (sign(m) + λ θ)",
    citation=citations.TIGER,
    hyperparameters=(
        learning_rate(0.001, 1e-6, 1e-1),
        share("beta", 0.965, "β", "share of the average gradient that is kept", 0.5),
        _decay(0.01),
    ),
    build=signum,
    slots=1,
    notes=(
        "Lion with β₁ = β₂, which is Signum with weight decay. The author's code also multiplies α "
        "by the root mean square of each matrix, halves it for biases, spares these from decay, "
        "and folds gradient accumulation into m: none of that is here, nor in torch's form."
    ),
    dialects=dialects.TIGER,
)

DADAPT_LION = Optimizer(
    name="dadapt_lion",
    title="Lion with D-Adaptation",
    family=FAMILY,
    equation=(
        "u = sign(β₁ m + (1-β₁) g),   γ = α d\n"
        "r ← √β₂ r + (1-√β₂) γ ⟨u, s⟩\nm ← β₂ m + (1-β₂) γ g,   s ← √β₂ s + (1-√β₂) γ u\n"
        "θ ← θ - γ (u + λ θ)\nd ← max(d, r / ((1-√β₂) ‖s‖₁)),   d starts at d₀"
    ),
    citation=citations.ADAPTATION,
    hyperparameters=(
        learning_rate(0.1, 1e-3, 1e1, meaning="factor of the step length that is found"),
        *_LION[1:3],
        HyperParameter(
            "first_distance",
            1e-6,
            "d₀",
            "the step length to begin with, to be smaller than the right one",
            Range(1e-8, 1e-2),
            above=0.0,
        ),
        _decay(),
    ),
    build=dadapt_lion,
    slots=2,
    notes=(
        "Not in the paper: the authors added it to their code (dadaptation 3), whose form this is, "
        "and call it experimental. m holds gradients times γ, while the gradient in u does not, so "
        "that u is nearly the gradient's own sign. d never falls, and signs do not shrink: with α "
        "= 1, their default, it circles the minimum at the distance d. Hence 0.1 here; on networks "
        "without weight decay d can still grow beyond what they bear."
    ),
    dialects=dialects.DADAPT_LION,
)

ENTRIES = (SIGNSGD, SIGNUM, LION, CAUTIOUS_LION, TIGER, DADAPT_LION)
