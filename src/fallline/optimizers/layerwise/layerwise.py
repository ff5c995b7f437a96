"""Steps measured by the size of each layer: LARS, LAMB, Fromage and NovoGrad."""

from __future__ import annotations

from typing import Any

import optax

from fallline.optimizers.layerwise import dialects_layerwise as dialects
from fallline.optimizers.layerwise import projected
from fallline.optimizers.layerwise import rule_layerwise as rules
from fallline.optimizers.shared import citations_steps as citations
from fallline.optimizers.shared.parameters import chained, epsilon, learning_rate, share
from fallline.optimizers.spec import HyperParameter, Optimizer, Option
from fallline.spaces import Range

FAMILY = "layer-wise"


def lars(
    *,
    learning_rate: Any,
    momentum: Any,
    trust_coefficient: Any,
    weight_decay: Any,
    nesterov: bool,
    layers: str,
    denominator: str,
    velocity_start: str,
) -> optax.GradientTransformationExtraArgs:
    """LARS."""
    rule = rules.scale_by_lars(
        momentum,
        trust_coefficient,
        weight_decay,
        nesterov=nesterov,
        layers=layers,
        denominator=denominator,
        velocity_start=velocity_start,
    )
    return chained(learning_rate, rule)


def lamb(
    *,
    learning_rate: Any,
    beta_1: Any,
    beta_2: Any,
    epsilon: Any,
    weight_decay: Any,
    norm_limit: Any,
    correction: str,
    decay_place: str,
    norm: str,
) -> optax.GradientTransformationExtraArgs:
    """LAMB."""
    rule = rules.lamb_step(
        learning_rate,
        beta_1,
        beta_2,
        epsilon,
        weight_decay,
        norm_limit,
        correction=correction,
        decay_place=decay_place,
        limited=norm == "limited",
    )
    return optax.with_extra_args_support(rule)


def fromage(
    *, learning_rate: Any, min_norm: Any, norm_bound: Any, at_zero: str, bounded: bool
) -> optax.GradientTransformationExtraArgs:
    """Fromage."""
    rule = rules.fromage_step(learning_rate, min_norm, norm_bound, at_zero=at_zero, bounded=bounded)
    return optax.with_extra_args_support(rule)


def novograd(
    *,
    learning_rate: Any,
    beta_1: Any,
    beta_2: Any,
    epsilon: Any,
    weight_decay: Any,
    form: str,
    averaging: bool,
) -> optax.GradientTransformationExtraArgs:
    """NovoGrad."""
    rule = rules.scale_by_novograd(
        beta_1, beta_2, epsilon, weight_decay, form=form, averaging=averaging
    )
    return chained(learning_rate, rule)


def _decay(meaning: str, low: float = 1e-6, high: float = 1e-1) -> HyperParameter:
    return HyperParameter("weight_decay", 0.0, "λ", meaning, Range(low, high), at_least=0.0)


_MOMENTUM = share("momentum", 0.9, "μ", "share of the last velocity that is kept", 0.5)
_BETAS = (
    share("beta_1", 0.9, "β₁", "share of the average gradient that is kept", 0.5),
    share("beta_2", 0.999, "β₂", "share of the average of squares that is kept", 0.9),
)
_NESTEROV = Option("nesterov", False, (False, True), "look ahead: the momentum counts once more")

LARS = Optimizer(
    name="lars",
    title="LARS (layer-wise adaptive rate scaling)",
    family=FAMILY,
    equation=(
        "r = η ‖θ‖ / (‖g‖ + λ ‖θ‖)   for each array; 1 where θ = 0\n"
        "v ← μ v + r (g + λ θ)\nθ ← θ - α v"
    ),
    citation=citations.LARS,
    hyperparameters=(
        learning_rate(1.0, 1e-2, 1e2),
        _MOMENTUM,
        HyperParameter(
            "trust_coefficient",
            1e-3,
            "η",
            "share of the weights' norm that a gradient of any size is given",
            Range(1e-4, 1e-1),
            above=0.0,
        ),
        _decay("pull of the weights towards zero, before the scaling"),
    ),
    options=(
        _NESTEROV,
        Option(
            "layers",
            "matrices",
            ("matrices", "all"),
            "what is scaled and decays: matrices and kernels, so that biases take steps of plain "
            "momentum, or every array (paper, Optax)",
        ),
        Option(
            "denominator",
            "sum",
            ("sum", "gradient", "decayed"),
            "of r: ‖g‖ + λ‖θ‖ (paper), ‖g‖ (pytorch_optimizer), or ‖g + λθ‖ (Optax)",
        ),
        Option(
            "velocity_start",
            "zero",
            ("zero", "gradient"),
            "v begins with 0, or with the first gradient, not scaled (pytorch_optimizer)",
        ),
    ),
    build=lars,
    slots=1,
    notes=(
        "The learning rate scales the velocity; the paper lets it scale what enters the velocity, "
        "the same while it is constant. α η is the relative change of a layer that a gradient "
        "asks for, so α = 1 here means 0.1 %, and with momentum 1 % a step; large batches take α "
        "of 1 to 30. Biases begin at zero, where r would hold them: hence the option layers."
    ),
    dialects=dialects.LARS,
)
LAMB = Optimizer(
    name="lamb",
    title="LAMB (layer-wise adaptive moments)",
    family=FAMILY,
    equation=(
        "m ← β₁ m + (1-β₁) g,   m̂ = m / (1-β₁ᵗ)\nv ← β₂ v + (1-β₂) g²,   v̂ = v / (1-β₂ᵗ)\n"
        "d = m̂ / (√v̂ + ε) + λ θ\nθ ← θ - α ‖θ‖/‖d‖ d   for each array; α d where θ = 0"
    ),
    citation=citations.LAMB,
    hyperparameters=(
        learning_rate(0.01, 1e-5, 1e0, meaning="change of a layer relative to its norm"),
        *_BETAS,
        epsilon(1e-6),
        _decay("pull of the weights towards zero", 1e-5, 1e0),
        HyperParameter(
            "norm_limit",
            10.0,
            "γᵤ",
            "what a larger norm of weights counts as",
            Range(1e-1, 1e2),
            above=0.0,
            only_with=("norm", ("limited",)),
        ),
    ),
    options=(
        Option(
            "correction",
            "averages",
            ("averages", "none", "first", "step"),
            "m̂ and v̂ as above; or m and v as they are (the paper's third version); or these with "
            "α / (1-β₁ᵗ), and ε beside ‖d‖ (pytorch_optimizer); or these with α √(1-β₂ᵗ) / (1-β₁ᵗ)",
        ),
        Option("norm", "whole", ("whole", "limited"), "‖θ‖ as it is, or at most γᵤ"),
        Option(
            "decay_place",
            "inside",
            ("inside", "outside"),
            "λθ inside of d (paper, Optax), or θ shrunk by αλ before the step (Keras, "
            "pytorch_optimizer)",
        ),
    ),
    build=lamb,
    slots=2,
    notes=(
        "The paper's Algorithm 2 with φ(z) = z. α = 0.001, the default of torch and Keras, lets a "
        "layer that starts near zero grow by a factor e in 1000 steps at most; here 0.01. Biases "
        "count as layers: those that start at zero take Adam's first step, then grow by shares."
    ),
    dialects=dialects.LAMB,
)
FROMAGE = Optimizer(
    name="fromage",
    title="Fromage (Frobenius matched gradient descent)",
    family=FAMILY,
    equation="θ ← (θ - α ‖θ‖/‖g‖ g) / √(1 + α²)   for each array; α g where θ = 0",
    citation=citations.FROMAGE,
    hyperparameters=(
        learning_rate(0.01, 1e-4, 1e0, meaning="change of a layer relative to its norm"),
        HyperParameter(
            "min_norm",
            1e-6,
            "γ",
            "what a smaller norm of weights or gradient counts as",
            Range(1e-8, 1e-2),
            above=0.0,
            only_with=("at_zero", ("floor",)),
        ),
        HyperParameter(
            "norm_bound",
            2.0,
            "ρ",
            "largest norm of an array, in units of the norm that it began with",
            Range(5e-1, 1e1),
            above=0.0,
            only_with=("bounded", (True,)),
        ),
    ),
    options=(
        Option(
            "at_zero",
            "gradient",
            ("gradient", "floor"),
            "where ‖θ‖ or ‖g‖ is 0: a step of α g (the authors' code), or both norms at least γ "
            "(Optax)",
        ),
        Option("bounded", False, (False, True), "weights kept within ρ times their first norm"),
    ),
    build=fromage,
    slots=0,
    notes=(
        "The form of the authors' code, where bounded is p_bound. With Optax's floor of 1e-6 an "
        "array that starts at zero grows from α γ: biases need hundreds of steps to matter. Steps "
        "do not shrink with the gradient, so the learning rate must fall to settle."
    ),
    dialects=dialects.FROMAGE,
)
NOVOGRAD = Optimizer(
    name="novograd",
    title="NovoGrad",
    family=FAMILY,
    equation=(
        "s ← β₂ s + (1-β₂) ‖g‖²   for each array; ‖g‖² at first\n"
        "m ← β₁ m + g / (√s + ε) + λ θ\nθ ← θ - α m"
    ),
    citation=citations.NOVOGRAD,
    hyperparameters=(
        learning_rate(0.001, 1e-6, 1e0),
        share("beta_1", 0.95, "β₁", "share of the momentum that is kept", 0.5),
        share("beta_2", 0.98, "β₂", "share of the average squared norm that is kept", 0.1),
        epsilon(1e-8),
        _decay("pull of the weights towards zero, inside of the momentum"),
    ),
    options=(
        Option(
            "form",
            "paper",
            ("paper", "corrected"),
            "as above; corrected (pytorch_optimizer): the first gradient counts twice, and the "
            "step is multiplied by Adam's √(1-β₂ᵗ) / (1-β₁ᵗ)",
        ),
        Option("averaging", False, (False, True), "m takes in 1-β₁ of what it is given"),
    ),
    build=novograd,
    slots=1,
    more_state="a scalar per array",
    notes=(
        "m is a sum, not an average: in the long run it is 1/(1-β₁) gradients long. The first "
        "gradient sets s, so nothing needs correction. β₁, β₂: paper and torch 0.95, 0.98; Optax "
        "0.9, 0.25, as in the speech model it was made for."
    ),
    dialects=dialects.NOVOGRAD,
)

ENTRIES = (LARS, LAMB, FROMAGE, NOVOGRAD, *projected.ENTRIES)
