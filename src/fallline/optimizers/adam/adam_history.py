"""Adam's kin that look back: swats, diffgrad, adashift, ranger."""

from __future__ import annotations

from fallline.optimizers.adam import build_adam_steps as build
from fallline.optimizers.adam import citations_adam_steps as cited
from fallline.optimizers.adam import dialects_adam_steps as dialects
from fallline.optimizers.adam.parameters_adam_steps import (
    BETAS,
    FAMILY,
    RATE,
    RECTIFIED,
    THRESHOLD,
    M,
    V,
    beta_1,
    beta_2,
)
from fallline.optimizers.shared.parameters import epsilon, learning_rate
from fallline.optimizers.spec import HyperParameter, Optimizer, Option
from fallline.spaces import Range

SWATS = Optimizer(
    name="swats",
    title="SWATS",
    family=FAMILY,
    equation=(
        f"{M}v ← β₂ v + (1-β₂) g²,   s = -α √(1-β₂ᵗ) m̂ / (√v + ε),   θ ← θ + s\n"
        "γ = s·s / (-s·g),   l ← β₂ l + (1-β₂) γ,   Λ = l / (1-β₂ᵗ)\n"
        "if t > 1 and Λ > 0 and |Λ - γ| < τ, from the next step on, b = 0:\n"
        "b ← β₁ b + g,   θ ← θ - (1-β₁) Λ b"
    ),
    citation=cited.KESKAR,
    hyperparameters=(
        learning_rate(0.001, 1e-6, 1e0, meaning="length of the step while it is Adam"),
        *BETAS,
        epsilon(1e-9),
        HyperParameter(
            "tolerance",
            1e-9,
            "τ",
            "how near the estimated learning rate of SGD must be to its average",
            Range(1e-10, 1e-2),
            above=0.0,
        ),
    ),
    build=build.swats,
    slots=2,
    notes=(
        "The form of the paper, one estimate for all parameters, but a learning rate of SGD that "
        "is not positive is never switched to, as in all known code. After the switch Λ alone "
        "says how long steps are, so that a schedule of α has no effect any more. τ is absolute: "
        "with small Λ the switch comes at once, with large Λ perhaps never."
    ),
    dialects=dialects.SWATS,
)
DIFFGRAD = Optimizer(
    name="diffgrad",
    title="diffGrad",
    family=FAMILY,
    equation=(
        f"{M}v ← β₂ v + (1-β₂) g²\nξ = 1 / (1 + exp(-|g - g'|)),   g' ← g\n"
        "θ ← θ - α ξ √(1-β₂ᵗ) m̂ / (√v + ε)"
    ),
    citation=cited.DUBEY_DIFFERENCE,
    hyperparameters=(RATE, *BETAS, epsilon(1e-8)),
    build=build.diffgrad,
    slots=3,
    notes=(
        "The form of the authors' second code. Their first one, with which the paper's figures "
        "were made, kept g' as a view of g, so that ξ was always 1/2. ξ lies between 1/2 and 1 "
        "and depends on the scale of the loss."
    ),
    dialects=dialects.DIFFGRAD,
)
ADASHIFT = Optimizer(
    name="adashift",
    title="AdaShift",
    family=FAMILY,
    equation=(
        "m = Σᵢ β₁ⁱ gₜ₋ᵢ / Σᵢ β₁ⁱ,   i = 0 … n-1\n"
        "v ← β₂ v + (1-β₂) max(gₜ₋ₙ²),   v̂ = v / (1-β₂ᵗ⁻ⁿ)\nθ ← θ - α m / (√v̂ + ε),   t > n"
    ),
    citation=cited.ZHOU,
    hyperparameters=(RATE, *BETAS, epsilon(1e-10)),
    options=(
        Option("history", 10, (), "how many of the last gradients are kept, n"),
        Option(
            "reduction",
            "max",
            ("max", "mean", "none"),
            "what of an array's old squares enters v: the largest, their mean, or each its own",
        ),
    ),
    build=build.adashift,
    slots=10,
    more_state="an average of squares per array",
    notes=(
        "The form of the authors' code, which moves from step n + 1 on: the steps before fill the "
        "queue. A slot per step of history; reduction='none' takes one more."
    ),
    dialects=dialects.ADASHIFT,
)
RANGER = Optimizer(
    name="ranger",
    title="Ranger",
    family=FAMILY,
    equation=(
        f"g ← g - mean g over the inputs of each output\n{M}{V}{RECTIFIED}θ ← θ - α u\n"
        "at every k-th step: φ ← φ + η (θ - φ),   θ ← φ"
    ),
    citation=cited.WRIGHT,
    hyperparameters=(
        RATE,
        beta_1(0.95),
        beta_2(),
        epsilon(1e-5),
        THRESHOLD,
        HyperParameter(
            "slow_step",
            0.5,
            "η",
            "how far the slow weights follow",
            Range(0.1, 1.0, "linear"),
            above=0.0,
        ),
    ),
    options=(
        Option("period", 6, (), "steps from one return to the slow weights to the next, k"),
        Option(
            "centred",
            "convolutions",
            ("all", "convolutions", "none"),
            "whose gradients are centred: kernels of two axes and more, of four, or none",
        ),
        Option(
            "outputs",
            "last",
            ("last", "first"),
            "the axis of a kernel that counts its outputs: the last (Flax) or the first (torch)",
        ),
    ),
    build=build.ranger,
    slots=3,
    notes=(
        "RAdam, Lookahead and gradient centralisation in one. It is judged by the weights that it "
        "trains, as by its author. His default is centred='all', with which the mean of an "
        "output's weights never changes: harmless before a normalisation, but the bottom of a "
        "bowl is out of reach, so that here convolutions alone are centred (his gc_conv_only)."
    ),
    dialects=dialects.RANGER,
)

ENTRIES = (SWATS, DIFFGRAD, ADASHIFT, RANGER)
