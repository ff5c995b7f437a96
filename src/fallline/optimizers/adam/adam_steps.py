"""Adam with another length of the step: rectified, bounded, shifted, remembered, normalised.

radam, amsbound, padam, adamod, adanorm, stableadamw, adamaxw, cautious_adamw, grams, adamg; and
those that look back: swats, diffgrad, adashift, ranger.
"""

from __future__ import annotations

from fallline.optimizers.adam import adam_history
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
    decay,
    epsilon_place,
)
from fallline.optimizers.shared import citations
from fallline.optimizers.shared.parameters import DECAY, WEIGHT_DECAY, epsilon, learning_rate, share
from fallline.optimizers.spec import HyperParameter, Optimizer, Option
from fallline.spaces import Range

RADAM = Optimizer(
    name="radam",
    title="RAdam",
    family=FAMILY,
    equation=f"{M}{V}{RECTIFIED}θ ← θ - α u",
    citation=cited.LIU,
    hyperparameters=(RATE, *BETAS, epsilon(1e-8), THRESHOLD, WEIGHT_DECAY),
    options=(
        epsilon_place("uncorrected", "outside", "ε beside the root of v (torch), or of v̂ (Optax)"),
        DECAY,
    ),
    build=build.radam,
    slots=2,
    notes=(
        "The form of torch. The paper rectifies from ρ > 4 on and has no ε. With β₂ = 0.999 the "
        "first five steps are momentum of length α, however large the gradient is."
    ),
    dialects=dialects.RADAM,
)
AMSBOUND = Optimizer(
    name="amsbound",
    title="AMSBound",
    family=FAMILY,
    equation=(
        "m ← β₁ m + (1-β₁) g,   v ← β₂ v + (1-β₂) g²,   n ← max(n, v)\n"
        "l = α_f (1 - 1/(γ t + 1)),   u = α_f (1 + 1/(γ t))\n"
        "η = clip(α √(1-β₂ᵗ) / (1-β₁ᵗ) / (√n + ε), l, u)\nθ ← θ - η m"
    ),
    citation=citations.LUO,
    hyperparameters=(
        learning_rate(0.001, 1e-6, 1e0, meaning="length of the step while it is AMSGrad"),
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
    build=build.amsbound,
    slots=3,
    notes=(
        "The form of the authors' code with amsbound=True: AdaBound with the largest average of "
        "squares so far, taken before its correction. α_f does not follow α."
    ),
    dialects=dialects.AMSBOUND,
)
PADAM = Optimizer(
    name="padam",
    title="Padam",
    family=FAMILY,
    equation=(
        "m ← β₁ m + (1-β₁) g,   v ← β₂ v + (1-β₂) g²,   n ← max(n, v)\n"
        "θ ← θ - α √(1-β₂ᵗ) / (1-β₁ᵗ) · m / (√n + ε)^(2p)"
    ),
    citation=cited.CHEN,
    hyperparameters=(
        learning_rate(0.1, 1e-4, 1e1),
        *BETAS,
        epsilon(1e-8),
        HyperParameter(
            "partial",
            0.25,
            "p",
            "how adaptive it is: 1/2 is AMSGrad, towards 0 it becomes SGD with momentum",
            Range(0.0625, 0.5),
            above=0.0,
        ),
    ),
    options=(
        Option(
            "amsgrad",
            True,
            (False, True),
            "divide by the largest average of squares so far (paper, authors), or by the average",
        ),
    ),
    build=build.padam,
    slots=3,
    notes=(
        "The form of the authors' code. Its correction is √(1-β₂ᵗ) whatever p is. The paper "
        "corrects nothing and recommends p = 1/8. amsgrad=False is pytorch_optimizer's form and "
        "needs two slots."
    ),
    dialects=dialects.PADAM,
)
ADAMOD = Optimizer(
    name="adamod",
    title="AdaMod",
    family=FAMILY,
    equation=(
        "m ← β₁ m + (1-β₁) g,   v ← β₂ v + (1-β₂) g²\n"
        "η = α √(1-β₂ᵗ) / (1-β₁ᵗ) / (√v + ε),   s ← β₃ s + (1-β₃) η\nθ ← θ - min(η, s) m"
    ),
    citation=cited.DING,
    hyperparameters=(
        RATE,
        *BETAS,
        share("beta_3", 0.999, "β₃", "share of the average length of the step that is kept", 0.9),
        epsilon(1e-8),
    ),
    build=build.adamod,
    slots=3,
    notes=(
        "The form and defaults of the authors' code. s starts at zero and is not corrected, which "
        "warms the steps up over 1/(1-β₃) of them: the paper's β₃ = 0.9999 is for long trainings."
    ),
    dialects=dialects.ADAMOD,
)
ADANORM = Optimizer(
    name="adanorm",
    title="AdaNorm of Adam",
    family=FAMILY,
    equation=(
        "e ← γ e + (1-γ) ‖g‖,   s = g e / ‖g‖ if e > ‖g‖, else g\n"
        f"m ← β₁ m + (1-β₁) s,   m̂ = m / (1-β₁ᵗ)\n{V}θ ← θ - α (m̂ / (√v̂ + ε) + λ θ)"
    ),
    citation=cited.DUBEY_NORM,
    hyperparameters=(
        RATE,
        *BETAS,
        share("gamma", 0.95, "γ", "share of the average norm that is kept", 0.5),
        epsilon(1e-8),
        decay(0.0),
    ),
    options=(epsilon_place("outside", "uncorrected", "ε beside the root of v̂, or of v"),),
    build=build.adanorm,
    slots=2,
    notes=(
        "AdamNorm in the paper. Norms are those of each array by itself, as in the authors' code, "
        "which adds ε to v at every step besides."
    ),
    dialects=dialects.ADANORM,
)
STABLEADAMW = Optimizer(
    name="stableadamw",
    title="StableAdamW",
    family=FAMILY,
    equation=(
        f"{M}{V}R = √mean(g² / max(v̂, ε²)) over each array\n"
        "θ ← θ - α / max(1, R) · (m̂ / (√v̂ + ε) + λ θ)"
    ),
    citation=cited.WORTSMAN,
    hyperparameters=(RATE, beta_1(), beta_2(0.99), epsilon(1e-8), decay(0.01)),
    build=build.stableadamw,
    slots=2,
    notes=(
        "The form of the paper, whose step shrinks with its decay; its authors' code lets the "
        "decay as it is. λ = 0.01 as pytorch_optimizer has it; theirs is 0.2."
    ),
    dialects=dialects.STABLEADAMW,
)
ADAMAXW = Optimizer(
    name="adamaxw",
    title="AdamaxW",
    family=FAMILY,
    equation=("m ← β₁ m + (1-β₁) g\nu ← max(β₂ u, |g| + ε)\nθ ← θ - α (m / (1-β₁ᵗ) / u + λ θ)"),
    citation=citations.LOSHCHILOV,
    hyperparameters=(
        learning_rate(0.002, 1e-6, 1e0),
        *BETAS,
        epsilon(1e-8),
        decay(1e-4),
    ),
    options=(
        epsilon_place(
            "inside", "outside", "ε added to |g| before the maximum (Optax), or to u (Keras)"
        ),
    ),
    build=build.adamaxw,
    slots=2,
    notes=(
        "Adamax (Kingma and Ba 2015) with the decay of AdamW, in the form of Optax. The learning "
        "rate is that of Adamax. torch.optim has the coupled decay only."
    ),
    dialects=dialects.ADAMAXW,
)
CAUTIOUS_ADAMW = Optimizer(
    name="cautious_adamw",
    title="C-AdamW",
    family=FAMILY,
    equation=(
        f"{M}{V}u = m̂ / (√v̂ + ε),   φ = 1 where u g > 0, else 0\n"
        "θ ← θ - α (u φ / max(mean φ, 0.001) + λ θ)"
    ),
    citation=cited.LIANG,
    hyperparameters=(RATE, *BETAS, epsilon(1e-8), decay(0.01)),
    options=(
        Option(
            "scaling",
            "mean",
            ("mean", "count"),
            "what is left is divided by its share, or multiplied by d / (Σφ + 1) of d entries",
        ),
    ),
    build=build.cautious_adamw,
    slots=2,
    notes=(
        "The form of timm, whose scaling the authors' code has taken over; scaling='count' is "
        "that of the paper's first version. The means are those of each array."
    ),
    dialects=dialects.CAUTIOUS_ADAMW,
)
GRAMS = Optimizer(
    name="grams",
    title="Grams",
    family=FAMILY,
    equation=f"{M}{V}θ ← θ - α (sign(g) |m̂| / (√v̂ + ε) + λ θ)",
    citation=cited.CAO,
    hyperparameters=(RATE, *BETAS, epsilon(1e-6), decay(0.0)),
    build=build.grams,
    slots=2,
    notes=(
        "The form of the paper, with the ε of its authors' code. An entry whose gradient is "
        "exactly zero stays."
    ),
    dialects=dialects.GRAMS,
)
ADAMG = Optimizer(
    name="adamg",
    title="AdamG (no learning rate to tune)",
    family=FAMILY,
    equation=(
        "v ← β₂ v + (1-β₂) g²,   v̂ = v / (1-β₂ᵗ)\nr ← β₃ r + (1-β₃) p v^q\n"
        "m ← β₁ m + (1-β₁) r g,   m̂ = m / (1-β₁ᵗ)\nθ ← θ - min(α, 1/√t) m̂ / (√v̂ + ε)"
    ),
    citation=cited.PANG,
    hyperparameters=(
        learning_rate(1.0, 1e-3, 1e0, meaning="most of the step's factor, which falls as 1/√t"),
        beta_1(0.95),
        beta_2(),
        share("beta_3", 0.95, "β₃", "share of the average numerator that is kept", 0.5),
        HyperParameter("scale", 0.2, "p", "factor of the numerator", Range(0.02, 2.0), above=0.0),
        HyperParameter(
            "exponent",
            0.24,
            "q",
            "power of v in the numerator, below 1/2",
            Range(0.1, 0.5, "linear"),
            above=0.0,
        ),
        epsilon(1e-8),
    ),
    build=build.adamg,
    slots=3,
    notes=(
        "Adam with the golden step size, made to be used with its defaults: α = 1 is no more than "
        "a bound, and a schedule may lower it."
    ),
    dialects=dialects.ADAMG,
)

ENTRIES = (
    RADAM,
    AMSBOUND,
    PADAM,
    ADAMOD,
    ADANORM,
    STABLEADAMW,
    ADAMAXW,
    CAUTIOUS_ADAMW,
    GRAMS,
    ADAMG,
    *adam_history.ENTRIES,
)
