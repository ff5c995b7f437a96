"""Preconditioned by matrices: muon, shampoo, soap, kron, galore."""

from __future__ import annotations

from typing import Any

import optax

from fallline.optimizers.matrix import citations_matrix as citations
from fallline.optimizers.matrix import dialects_matrix as dialects
from fallline.optimizers.matrix import rule_kron, rule_matrix, rule_shampoo, rule_soap
from fallline.optimizers.shared.parameters import chained, epsilon, learning_rate, share
from fallline.optimizers.spec import HyperParameter, Optimizer, Option
from fallline.spaces import Range

FAMILY = "matrix"

_OF_ADAM = ("others", ("adam",))
_AVERAGE = "share of the average gradient that is kept"
_SQUARES = "share of the average of squares that is kept"


def _weight_decay(default: float) -> HyperParameter:
    return HyperParameter(
        "weight_decay",
        default,
        "λ",
        "pull of the weights towards zero, per unit of the learning rate",
        Range(1e-5, 1e0),
        at_least=0.0,
    )


def _largest(default: int, longer: str) -> Option:
    return Option("largest", default, (), f"longest side of a matrix that is {longer}")


def muon(
    *,
    learning_rate: Any,
    momentum: Any,
    weight_decay: Any,
    epsilon: Any,
    adam_ratio: Any,
    beta_1: Any,
    beta_2: Any,
    adam_epsilon: Any,
    nesterov: bool,
    iterations: int,
    scale: str,
    precision: str,
    others: str,
) -> optax.GradientTransformationExtraArgs:
    """Muon."""
    return rule_matrix.muon(
        learning_rate,
        momentum,
        weight_decay,
        epsilon,
        adam_ratio,
        beta_1,
        beta_2,
        adam_epsilon,
        nesterov=nesterov,
        iterations=iterations,
        scale=scale,
        precision=precision,
        others=others,
    )


def shampoo(
    *, learning_rate: Any, epsilon: Any, every: int, largest: int, vectors: str
) -> optax.GradientTransformationExtraArgs:
    """Shampoo."""
    rule = rule_shampoo.scale_by_shampoo(epsilon, every=every, largest=largest, vectors=vectors)
    return chained(learning_rate, rule)


def soap(
    *,
    learning_rate: Any,
    beta_1: Any,
    beta_2: Any,
    beta_products: Any,
    epsilon: Any,
    weight_decay: Any,
    every: int,
    largest: int,
    first_step: str,
) -> optax.GradientTransformationExtraArgs:
    """SOAP."""
    return rule_soap.soap(
        learning_rate,
        beta_1,
        beta_2,
        beta_products,
        epsilon,
        weight_decay,
        every=every,
        largest=largest,
        first_step=first_step,
    )


def kron(
    *,
    learning_rate: Any,
    momentum: Any,
    factor_rate: Any,
    weight_decay: Any,
    updates: str,
    largest: int,
) -> optax.GradientTransformationExtraArgs:
    """PSGD Kron."""
    rule = rule_kron.scale_by_kron(
        momentum, factor_rate, weight_decay, updates=updates, largest=largest
    )
    return chained(learning_rate, rule)


def galore(
    *,
    learning_rate: Any,
    beta_1: Any,
    beta_2: Any,
    epsilon: Any,
    scale: Any,
    rank: int,
    every: int,
    side: str,
    refresh: str,
    epsilon_place: str,
) -> optax.GradientTransformationExtraArgs:
    """GaLore."""
    rule = rule_matrix.scale_by_galore(
        beta_1,
        beta_2,
        epsilon,
        scale,
        rank=rank,
        every=every,
        side=side,
        refresh=refresh,
        epsilon_place=epsilon_place,
    )
    return chained(learning_rate, rule)


MUON = Optimizer(
    name="muon",
    title="Muon",
    family=FAMILY,
    equation=(
        "m ← μ m + (1-μ) g,   u = (1-μ) g + μ m\n"
        "X = u / max(‖u‖, ε),   5 times  X ← a X + (b X Xᵀ + c (X Xᵀ)²) X\n"
        "θ ← θ - α (√max(1, out/in) X + λ θ)\n"
        "vectors and scalars: Adam with learning rate α ρ"
    ),
    citation=citations.JORDAN,
    hyperparameters=(
        learning_rate(0.02, 1e-5, 1e0, meaning="length of the step in every singular direction"),
        share("momentum", 0.95, "μ", _AVERAGE, 0.5),
        _weight_decay(0.0),
        epsilon(1e-7, "least norm that a matrix is divided by"),
        HyperParameter(
            "adam_ratio",
            0.015,
            "ρ",
            "learning rate of Adam, which moves vectors and scalars, per unit of α",
            Range(1e-3, 1e0),
            at_least=0.0,
            only_with=_OF_ADAM,
        ),
        share("beta_1", 0.9, "β₁", f"{_AVERAGE} by Adam", 0.5, only_with=_OF_ADAM),
        share("beta_2", 0.95, "β₂", f"{_SQUARES} by Adam", 0.9, only_with=_OF_ADAM),
        HyperParameter(
            "adam_epsilon",
            1e-10,
            "ε_A",
            "keeps Adam's denominator from zero",
            Range(1e-12, 1e-3),
            at_least=0.0,
            only_with=_OF_ADAM,
        ),
    ),
    options=(
        Option("nesterov", True, (True, False), "whether u looks ahead, or is m"),
        Option("iterations", 5, (), "how often X is brought nearer to orthogonal"),
        Option(
            "scale",
            "original",
            ("original", "match_rms_adamw", "none"),
            "X times √max(1, out/in) (authors), times 0.2 √max(in, out), which is about as long as "
            "AdamW's step (Moonshot), or X itself",
        ),
        Option(
            "precision",
            "parameters",
            ("parameters", "bfloat16"),
            "X in the dtype of the parameters (Keras, Optax), or rounded to bfloat16 after each "
            "product (authors, torch)",
        ),
        Option(
            "others",
            "adam",
            ("adam", "none"),
            "what moves vectors and scalars: Adam, or nothing (torch wants an optimizer of their "
            "own for them)",
        ),
    ),
    build=muon,
    slots=1,
    more_state="Adam's average of squares for each vector and scalar",
    notes=(
        "The authors' form with ρ, β₁, β₂ and ε_A of their example; they leave the first and the "
        "last layer to Adam as well, here every matrix is turned. torch has α = 0.001 and "
        "λ = 0.1. The step never becomes shorter than α lets it: a schedule has to end it. Weight "
        "decay of vectors is scaled by ρ too."
    ),
    dialects=dialects.MUON,
)
SHAMPOO = Optimizer(
    name="shampoo",
    title="Shampoo",
    family=FAMILY,
    equation=(
        "L ← L + g gᵀ,   R ← R + gᵀ g,   both from ε I\nθ ← θ - α L^(-1/4) g R^(-1/4)\n"
        "vectors: s ← s + g²,   θ ← θ - α g / √s"
    ),
    citation=citations.GUPTA,
    hyperparameters=(
        learning_rate(0.1, 1e-4, 1e1),
        epsilon(1e-6, "the sums before the first gradient", Range(1e-12, 1e-1), above=0.0),
    ),
    options=(
        Option("every", 20, (), "steps between two computations of the roots, after as many"),
        _largest(1024, "taken whole; a longer one has the diagonal of its sum alone"),
        Option(
            "vectors",
            "diagonal",
            ("diagonal", "full"),
            "AdaGrad's diagonal for vectors, or the whole sum of g gᵀ, whose root is its own "
            "power -1/2",
        ),
    ),
    build=shampoo,
    slots=0,
    more_state="two square arrays for each side of a matrix, a number per entry of a vector",
    notes=(
        "The paper's form: no momentum, no averages, no grafting of step lengths, and "
        "powers -1/(2k) for a tensor of order k. Later work (-1/k, averages, grafting) is another "
        "optimizer under the same name. The paper computes roots in every step: every=1."
    ),
    dialects=dialects.SHAMPOO,
)
SOAP = Optimizer(
    name="soap",
    title="SOAP",
    family=FAMILY,
    equation=(
        "g' = Qᴸᵀ g Qᴿ,   m ← β₁ m + (1-β₁) g,   v ← β₂ v + (1-β₂) g'²\n"
        "n = (Qᴸᵀ m Qᴿ) / (√v + ε),   θ ← θ - α √(1-β₂ᵗ) / (1-β₁ᵗ) Qᴸ n Qᴿᵀ,   "
        "θ ← (1 - α λ) θ\n"
        "L ← β L + (1-β) g gᵀ,   R ← β R + (1-β) gᵀ g\n"
        "every 10 steps  Q ← orthonormal columns of L Q, or R Q"
    ),
    citation=citations.VYAS,
    hyperparameters=(
        learning_rate(3e-3, 1e-6, 1e0),
        share("beta_1", 0.95, "β₁", _AVERAGE, 0.5),
        share("beta_2", 0.95, "β₂", _SQUARES, 0.9),
        share("beta_products", 0.95, "β", "share of the average products that is kept", 0.9),
        epsilon(1e-8),
        _weight_decay(0.01),
    ),
    options=(
        Option("every", 10, (), "steps from one turn of the basis to the next"),
        _largest(1024, "turned; a longer one keeps its own coordinates"),
        Option(
            "first_step",
            "uncounted",
            ("uncounted", "counted"),
            "whether t counts the first gradient, which moves nothing (pytorch_optimizer), or not "
            "(authors)",
        ),
    ),
    build=soap,
    slots=2,
    more_state="two square arrays for each side of a matrix",
    notes=(
        "The form of the authors' code: the first gradient only makes the first basis, ε stands "
        "beside the root of v before its correction, decay follows the step. Their largest side is "
        "10000, which is slow on a CPU. Vectors have Adam. Decompositions are computed in the "
        "dtype of the parameters."
    ),
    dialects=dialects.SOAP,
)
KRON = Optimizer(
    name="kron",
    title="PSGD Kron",
    family=FAMILY,
    equation=(
        "m ← μ m + (1-μ) g,   m̂ = m / (1-μᵗ),   V normal of the shape of m\n"
        "A = Qᴸ m̂ Qᴿᵀ,   B = Qᴸ⁻ᵀ V Qᴿ⁻¹\n"
        "Qᴸ ← Qᴸ - γ triu(A Aᵀ - B Bᵀ) Qᴸ / ‖A Aᵀ + B Bᵀ‖,   Qᴿ with Aᵀ and Bᵀ\n"
        "u = Qᴸᵀ Qᴸ m̂ Qᴿᵀ Qᴿ,   û = u min(1, 1.1 / rms(u))\nθ ← θ - α (û + λ θ)"
    ),
    citation=citations.LI,
    hyperparameters=(
        learning_rate(1e-3, 1e-5, 1e0),
        share("momentum", 0.9, "μ", _AVERAGE, 0.5),
        HyperParameter(
            "factor_rate",
            0.1,
            "γ",
            "length of the factors' steps, relative to the factors",
            Range(1e-3, 1e0),
            above=0.0,
            below=1.0,
        ),
        _weight_decay(0.0),
    ),
    options=(
        Option(
            "updates",
            "annealed",
            ("annealed", "always"),
            "the factors are updated in every step until step 500 and then ever more rarely, down "
            "to 3 in 100, or always",
        ),
        _largest(8192, "given a triangular factor; a longer one has a diagonal factor"),
    ),
    build=kron,
    slots=1,
    more_state="a square array for each side of a matrix, a number per entry of a vector",
    needs=frozenset({"key"}),
    notes=(
        "The form of the packages called Kron. Factors are brought to the same size after every "
        "update, where those do it at random; their product is the same. Only matrices decay."
    ),
    dialects=dialects.KRON,
)
GALORE = Optimizer(
    name="galore",
    title="GaLore with Adam",
    family=FAMILY,
    equation=(
        "every 200 steps  P = the first r singular vectors of g, of its shorter side\n"
        "p = g P,   m ← β₁ m + (1-β₁) p,   v ← β₂ v + (1-β₂) p²\n"
        "θ ← θ - α s √(1-β₂ᵗ) / (1-β₁ᵗ) m / (√v + ε) Pᵀ"
    ),
    citation=citations.ZHAO,
    hyperparameters=(
        learning_rate(0.01, 1e-6, 1e0),
        share("beta_1", 0.9, "β₁", _AVERAGE, 0.5),
        share("beta_2", 0.999, "β₂", _SQUARES, 0.9),
        epsilon(1e-6),
        HyperParameter(
            "scale", 0.25, "s", "length of matrices' steps", Range(1e-2, 1e1), above=0.0
        ),
    ),
    options=(
        Option("rank", 128, (), "singular vectors that are kept, at most as many as there are"),
        Option("every", 200, (), "steps from one projection to the next"),
        Option(
            "side",
            "shorter",
            ("shorter", "longer"),
            "the side of a matrix whose singular vectors are taken: the shorter (paper), or the "
            "longer (Optax)",
        ),
        Option(
            "refresh",
            "after_every",
            ("after_every", "at_multiples"),
            "new projections in steps 1, 201, 401 (authors, Optax), or 1, 200, 400",
        ),
        Option(
            "epsilon_place",
            "uncorrected",
            ("uncorrected", "outside"),
            "ε beside the root of v (authors), or of v after its correction",
        ),
    ),
    build=galore,
    slots=2,
    more_state=(
        "a projection per matrix; both averages are shorter than it where the rank is below its "
        "shorter side"
    ),
    notes=(
        "The form of the authors' code. A network whose matrices have no side above the rank keeps "
        "all of its gradient: Adam in other coordinates. The averages stay as they are when their "
        "coordinates change. Vectors have Adam's step without s."
    ),
    dialects=dialects.GALORE,
)

ENTRIES = (MUON, SHAMPOO, SOAP, KRON, GALORE)
