"""Adam with other averages: of other powers or gradients, at several speeds, in another order."""

from __future__ import annotations

from dataclasses import replace

from fallline.optimizers.adam import build_adam_moments as build
from fallline.optimizers.adam import citations_adam_moments as cited
from fallline.optimizers.adam import dialects_adam_moments as dialects
from fallline.optimizers.adam.adam_mixtures import (
    ADAN,
    ADAPNM,
    ADEMAMIX,
    FAMILY,
    KEPT_MEAN,
    KEPT_SQUARE,
    MARS,
    SIMPLIFIED_ADEMAMIX,
    UNCORRECTED,
    betas,
)
from fallline.optimizers.shared import citations
from fallline.optimizers.shared.parameters import DECAY, WEIGHT_DECAY, epsilon, learning_rate, share
from fallline.optimizers.spec import HyperParameter, Optimizer, Option
from fallline.spaces import Range

ABOVE_ONE = 1.0 + 1e-9
"""Below this a share may be 1 too."""

NADAMW = Optimizer(
    name="nadamw",
    title="NAdamW",
    family=FAMILY,
    equation=(
        "μₜ = β₁ (1 - 0.96^(t ψ) / 2),   P ← P μₜ\n"
        "m ← β₁ m + (1-β₁) g\nv ← β₂ v + (1-β₂) g²,   v̂ = v / (1-β₂ᵗ)\n"
        "m̂ = μₜ₊₁ m / (1 - P μₜ₊₁) + (1-μₜ) g / (1-P)\nθ ← θ - α (m̂ / (√v̂ + ε) + λ θ)"
    ),
    citation=citations.DOZAT,
    hyperparameters=(
        learning_rate(0.002, 1e-4, 1e-2, source=citations.DAHL),
        share(
            "beta_1",
            0.9,
            "β₁",
            KEPT_MEAN,
            0.9,
            0.996,
            source=citations.DAHL,
        ),
        betas()[1],
        epsilon(1e-8),
        HyperParameter(
            "momentum_decay",
            0.004,
            "ψ",
            "how fast the momentum warms up from β₁/2 to β₁",
            Range(1e-4, 1e0),
            at_least=0.0,
            only_with=("warm_up", (True,)),
        ),
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
    options=(
        Option(
            "warm_up",
            True,
            (True, False),
            "the momentum of the extrapolation grows to β₁ (Dozat, torch, Keras), or is β₁ from "
            "the first step on (Optax)",
        ),
        Option(
            "betas",
            "exact",
            ("exact", "float32"),
            "β and 0.96 of the step as given, or rounded to float32 as Keras on TensorFlow has "
            "them (the same in float32)",
        ),
    ),
    build=build.nadamw,
    slots=2,
    notes=(
        "The form of torch: NAdam with decoupled_weight_decay. The decay is scaled by the learning "
        "rate. Optax's has no warm-up of the momentum (warm_up=False), which moves the first steps "
        "most. Default λ: torch 0, Keras none, Optax 0.0001; here AdamW's 0.01."
    ),
    dialects=dialects.NADAMW,
)
YOGI = Optimizer(
    name="yogi",
    title="Yogi",
    family=FAMILY,
    equation=(
        "m ← β₁ m + (1-β₁) g,   m̂ = m / (1-β₁ᵗ)\n"
        "v ← v - (1-β₂) sign(v - g²) g²,   v̂ = v / (1-β₂ᵗ),   v starts at v₀\n"
        "θ ← θ - α m̂ / (√v̂ + ε)"
    ),
    citation=cited.ZAHEER,
    hyperparameters=(
        learning_rate(0.01, 1e-5, 1e0),
        *betas(),
        epsilon(1e-3, span=Range(1e-8, 1e-1)),
        HyperParameter(
            "initial_accumulator",
            1e-6,
            "v₀",
            "what the average of squares begins with",
            Range(1e-8, 1e0),
            at_least=0.0,
        ),
        WEIGHT_DECAY,
    ),
    options=(
        Option(
            "first_moment",
            "zero",
            ("zero", "accumulator"),
            "m starts at zero (paper), or at v₀ as v does (TensorFlow Addons, Optax, "
            "pytorch_optimizer), which moves parameters that have no gradient",
        ),
        Option(
            "bias_correction",
            True,
            (True, False),
            "m and v are divided by 1-βᵗ (frameworks), or not (paper)",
        ),
        DECAY,
    ),
    build=build.yogi,
    slots=2,
    notes=(
        "With the bias correction that every framework has and the paper lacks, and with the "
        "paper's m = 0 at the start, where frameworks have m = v₀. The paper suggests squared "
        "gradients of a large batch for v₀."
    ),
    dialects=dialects.YOGI,
)
LAPROP = Optimizer(
    name="laprop",
    title="LaProp",
    family=FAMILY,
    equation=(
        "v ← β₂ v + (1-β₂) g²,   v̂ = v / (1-β₂ᵗ)\n"
        "m ← β₁ m + (1-β₁) g / (√v̂ + ε),   m̂ = m / (1-β₁ᵗ)\nθ ← θ - α m̂"
    ),
    citation=cited.ZIYIN,
    hyperparameters=(learning_rate(4e-4, 1e-6, 1e0), *betas(), epsilon(1e-15), WEIGHT_DECAY),
    options=(UNCORRECTED, DECAY),
    build=build.laprop,
    slots=2,
    notes=(
        "The paper's form. Its authors' code averages g α / (√v̂ + ε), so that a changed learning "
        "rate reaches the step by and by; the same at a constant one. Decoupled decay shrinks the "
        "parameters after the step, (θ - α m̂)(1 - αλ), as pytorch_optimizer does; the authors' "
        "code leaves α out of the decay."
    ),
    dialects=dialects.LAPROP,
)
ADOPT = Optimizer(
    name="adopt",
    title="ADOPT",
    family=FAMILY,
    equation=(
        "first step: v ← g², no move; then with t = 1, 2, …\n"
        "m ← β₁ m + (1-β₁) clip(g / max(√v, ε), -t^¼, t^¼)\nθ ← θ - α m\n"
        "v ← β₂ v + (1-β₂) g²"
    ),
    citation=cited.TANIGUCHI,
    hyperparameters=(
        learning_rate(0.001, 1e-6, 1e0),
        betas()[0],
        share("beta_2", 0.9999, "β₂", KEPT_SQUARE, 0.5),
        epsilon(1e-6, "least size that divides a gradient"),
        WEIGHT_DECAY,
    ),
    options=(
        Option(
            "clipping",
            "fourth_root",
            ("fourth_root", "ahead", "none"),
            "bound of the scaled gradient: t^¼ with t the moves so far (paper, Optax), (t+1)^¼ "
            "(pytorch_optimizer), or none",
        ),
        DECAY,
    ),
    build=build.adopt,
    slots=2,
    notes=(
        "The clipped form that the authors recommend. The first step only measures; nothing is "
        "corrected for bias."
    ),
    dialects=dialects.ADOPT,
)
ACPROP = Optimizer(
    name="acprop",
    title="ACProp",
    family=FAMILY,
    equation=(
        "first step: θ ← θ - α g; then   θ ← θ - α g / (√(s / (1-β₂ᵗ⁻¹)) + ε)\n"
        "m ← β₁ m + (1-β₁) g\ns ← β₂ s + (1-β₂) (g - m)² + ε"
    ),
    citation=cited.ZHUANG_CENTRED,
    hyperparameters=(learning_rate(0.001, 1e-6, 1e0), *betas(), epsilon(1e-16), WEIGHT_DECAY),
    options=(
        Option(
            "deviation",
            "new",
            ("new", "old"),
            "of g from the average that counts it in (paper, authors' code), or from the one of "
            "the step before (Optax), which makes √s larger by 1/β₁",
        ),
        DECAY,
    ),
    build=build.acprop,
    slots=2,
    notes=(
        "The paper's form, which the authors' code has with rectify=False. The step is divided by "
        "the deviation known before it. The first step is the plain gradient times α, however "
        "long it is."
    ),
    dialects=dialects.ACPROP,
)
QHADAM = Optimizer(
    name="qhadam",
    title="QHAdam",
    family=FAMILY,
    equation=(
        "m ← β₁ m + (1-β₁) g,   m̂ = m / (1-β₁ᵗ)\nv ← β₂ v + (1-β₂) g²,   v̂ = v / (1-β₂ᵗ)\n"
        "θ ← θ - α (ν₁ m̂ + (1-ν₁) g) / (√(ν₂ v̂ + (1-ν₂) g²) + ε)"
    ),
    citation=cited.MA,
    hyperparameters=(
        learning_rate(0.001, 1e-6, 1e0),
        share("beta_1", 0.995, "β₁", KEPT_MEAN, 0.5),
        betas()[1],
        HyperParameter(
            "nu_1",
            0.7,
            "ν₁",
            "share of the average in the step; the rest is the gradient itself",
            Range(0.0, 1.0, "linear"),
            at_least=0.0,
            below=ABOVE_ONE,
        ),
        HyperParameter(
            "nu_2",
            1.0,
            "ν₂",
            "share of the average of squares in the size; the rest is g² itself",
            Range(0.0, 1.0, "linear"),
            at_least=0.0,
            below=ABOVE_ONE,
        ),
        epsilon(1e-8),
        WEIGHT_DECAY,
    ),
    options=(
        Option(
            "weights",
            "exact",
            ("exact", "float32"),
            "of the averages as they are, or rounded to float32 as pytorch_optimizer has them "
            "(the same in float32)",
        ),
        DECAY,
    ),
    build=build.qhadam,
    slots=2,
    notes=(
        "With what the paper recommends to begin with, ν₁ = 0.7 and β₁ = 0.995; frameworks have "
        "β₁ = 0.9 and ν = 1, which is Adam. ν₁ = β₁ with ν₂ = 1 is nearly Nadam."
    ),
    dialects=dialects.QHADAM,
)
OPTIMISTIC_ADAM = Optimizer(
    name="optimistic_adam",
    title="Optimistic Adam",
    family=FAMILY,
    equation=(
        "m ← β₁ m + (1-β₁) g,   m̂ = m / (1-β₁ᵗ)\nv ← β₂ v + (1-β₂) g²,   v̂ = v / (1-β₂ᵗ)\n"
        "r = m̂ / (√v̂ + ε)\nθ ← θ - α (r + ω (r - r′)),   r′ ← r"
    ),
    citation=cited.DASKALAKIS,
    hyperparameters=(
        learning_rate(0.001, 1e-6, 1e0),
        *betas(),
        epsilon(1e-8),
        HyperParameter(
            "optimism",
            1.0,
            "ω",
            "weight of the direction's last change, as a guess of its next",
            Range(1e-1, 1e1),
            at_least=0.0,
        ),
    ),
    options=(
        Option("nesterov", False, (False, True), "Optax's Nadam in place of Adam"),
        Option(
            "first_step",
            "plain",
            ("plain", "longer"),
            "before the first step r′ is r (Optax) or zero (paper), which makes it 1+ω times as "
            "long",
        ),
    ),
    build=build.optimistic_adam,
    slots=3,
    notes=(
        "ω = 1 is the paper's: twice the direction minus the one before. Optax has Nesterov's "
        "momentum in it unless told otherwise."
    ),
    dialects=dialects.OPTIMISTIC_ADAM,
)
MADGRAD = Optimizer(
    name="madgrad",
    title="MADGRAD",
    family=FAMILY,
    equation=(
        "w = (α + ε) √t\ns ← s + w g,   v ← v + w g²\nz = θ₀ - s / (∛v + ε)\nθ ← μ θ + (1-μ) z"
    ),
    citation=cited.DEFAZIO,
    hyperparameters=(
        learning_rate(0.01, 1e-5, 1e1),
        share("momentum", 0.9, "μ", "share of the parameters that is kept at each step", 0.5),
        epsilon(1e-6),
        WEIGHT_DECAY,
    ),
    options=(DECAY,),
    build=build.madgrad,
    slots=3,
    notes=(
        "The form of the authors' code, of pytorch_optimizer and of Optax, which add ε to the "
        "learning rate; the paper does not. Default α: the authors' code 0.01, pytorch_optimizer "
        "0.001. Less weight decay than elsewhere is enough, often none."
    ),
    dialects=dialects.MADGRAD,
)
EXADAM = Optimizer(
    name="exadam",
    title="EXAdam",
    family=FAMILY,
    equation=(
        "m ← β₁ m + (1-β₁) g,   v ← β₂ v + (1-β₂) g²\n"
        "d₁ = 1 + β₂ᵗ v / (v + ε),   d₂ = 1 + β₁ᵗ m² / (m² + ε)\n"
        "m̃ = d₁ m / (1-β₁ᵗ),   g̃ = d₁ g / (1-β₁ᵗ),   ṽ = d₂ v / (1-β₂ᵗ)\n"
        "θ ← θ - α (m̃ + g̃) / (√ṽ + ε)"
    ),
    citation=cited.ADLY,
    hyperparameters=(
        learning_rate(0.001, 1e-6, 1e0),
        *betas(),
        replace(epsilon(1e-8), above=0.0),
        WEIGHT_DECAY,
    ),
    options=(DECAY,),
    build=build.exadam,
    slots=2,
    notes=(
        "The form of the paper's second version and of pytorch_optimizer. The paper's first "
        "version let the learning rate grow with the logarithm of the steps besides. g̃ is "
        "divided by 1-β₁ᵗ though it is no average: with the defaults the first step is 16 α long."
    ),
    dialects=dialects.EXADAM,
)

ENTRIES: tuple[Optimizer, ...] = (
    NADAMW,
    YOGI,
    LAPROP,
    ADOPT,
    ACPROP,
    ADAN,
    QHADAM,
    ADEMAMIX,
    SIMPLIFIED_ADEMAMIX,
    ADAPNM,
    MARS,
    OPTIMISTIC_ADAM,
    MADGRAD,
    EXADAM,
)
