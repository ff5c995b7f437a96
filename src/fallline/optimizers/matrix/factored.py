"""Second moments in less memory than the parameters: adafactor, came, sm3."""

from __future__ import annotations

from typing import Any

import optax

from fallline.optimizers.matrix import citations_matrix as citations
from fallline.optimizers.matrix import dialects_factored as dialects
from fallline.optimizers.matrix import rule_factored as rules
from fallline.optimizers.shared.parameters import chained, epsilon, learning_rate, share
from fallline.optimizers.spec import HyperParameter, Optimizer, Option
from fallline.spaces import Range

FAMILY = "factored"

_NO_DECAY = HyperParameter(
    "weight_decay",
    0.0,
    "λ",
    "pull of the weights towards zero, per unit of the learning rate",
    Range(1e-5, 1e0),
    at_least=0.0,
)
_CLIP = HyperParameter(
    "clip_threshold",
    1.0,
    "d",
    "root mean square to which an array's update is shortened before the learning rate",
    Range(0.1, 10.0),
    above=0.0,
)


def adafactor(
    *,
    learning_rate: Any,
    beta_1: Any,
    beta_2_decay: Any,
    epsilon_1: Any,
    epsilon_2: Any,
    clip_threshold: Any,
    weight_decay: Any,
    epsilon_place: str,
    relative_step: bool,
    parameter_scale: bool,
    first_moment: bool,
    decay_rate: str,
) -> optax.GradientTransformationExtraArgs:
    """Adafactor."""
    return rules.adafactor(
        learning_rate,
        beta_1,
        beta_2_decay,
        epsilon_1,
        epsilon_2,
        clip_threshold,
        weight_decay,
        epsilon_place=epsilon_place,
        relative_step=relative_step,
        parameter_scale=parameter_scale,
        first_moment=first_moment,
        decay_rate=decay_rate,
    )


def came(
    *,
    learning_rate: Any,
    beta_1: Any,
    beta_2: Any,
    beta_3: Any,
    epsilon_1: Any,
    epsilon_2: Any,
    clip_threshold: Any,
    weight_decay: Any,
) -> optax.GradientTransformationExtraArgs:
    """CAME."""
    rule = rules.scale_by_came(beta_1, beta_2, beta_3, epsilon_1, epsilon_2, clip_threshold)
    return chained(learning_rate, rule, weight_decay, "decoupled")


def sm3(
    *, learning_rate: Any, momentum: Any, beta_2: Any, epsilon: Any, squares: str
) -> optax.GradientTransformationExtraArgs:
    """SM3-II."""
    return chained(learning_rate, rules.scale_by_sm3(momentum, beta_2, epsilon, squares=squares))


ADAFACTOR = Optimizer(
    name="adafactor",
    title="Adafactor",
    family=FAMILY,
    equation=(
        "R ← (1-t^τ) R + t^τ rowmean(g²),   C ← (1-t^τ) C + t^τ colmean(g²)\n"
        "v = R Cᵀ / max(mean(R), ε₁),   of a vector  v ← (1-t^τ) v + t^τ g²\n"
        "u = g / max(√v, ε₁),   û = u / max(1, rms(u) / d)\n"
        "θ ← θ - min(α, 1/√t) max(ε₂, rms(θ)) û - α λ θ"
    ),
    citation=citations.SHAZEER,
    hyperparameters=(
        learning_rate(0.01, 1e-4, 1e0, meaning="largest step, relative to the size of the array"),
        share(
            "beta_1",
            0.9,
            "β₁",
            "share of the average update that is kept",
            0.5,
            only_with=("first_moment", (True,)),
        ),
        HyperParameter(
            "beta_2_decay",
            -0.8,
            "τ",
            "power with which the part of a new square falls: the average becomes that of all "
            "steps at -1",
            Range(-1.0, -0.5, "linear"),
            below=0.0,
        ),
        HyperParameter(
            "epsilon_1",
            0.0,
            "ε₁",
            "least root of an average square; 0 stands for the spacing of the dtype",
            Range(1e-30, 1e-3),
            at_least=0.0,
        ),
        HyperParameter(
            "epsilon_2",
            1e-3,
            "ε₂",
            "least size that an array is taken to have",
            Range(1e-5, 1e-1),
            at_least=0.0,
        ),
        _CLIP,
        _NO_DECAY,
    ),
    options=(
        Option(
            "epsilon_place",
            "estimate",
            ("estimate", "square"),
            "ε₁ bounds the root of the estimate (torch), or is added to every square (paper, "
            "Keras, Optax: 1e-30 there)",
        ),
        Option(
            "relative_step", True, (True, False), "whether the steps shrink as 1/√t once below α"
        ),
        Option(
            "parameter_scale", True, (True, False), "whether steps are relative to the array's size"
        ),
        Option("first_moment", False, (False, True), "whether updates are averaged with β₁"),
        Option(
            "decay_rate",
            "learning_rate",
            ("learning_rate", "step"),
            "whether λ is scaled by α (torch, Keras), or by all that scales the step",
        ),
    ),
    build=adafactor,
    slots=0,
    more_state="a number per row and one per column of a matrix, one per entry of a vector",
    notes=(
        "The form of torch, whose ε₁ is the spacing of the dtype: 1.2e-7 in float32. A kernel of a "
        "convolution is one matrix, (height · width · in) by out; torch and Keras factor its last "
        "two axes for every index of the others."
    ),
    dialects=dialects.ADAFACTOR,
)
CAME = Optimizer(
    name="came",
    title="CAME",
    family=FAMILY,
    equation=(
        "v ← β₂ v + (1-β₂) (g² + ε₁),   u = g / √v,   û = u / max(1, rms(u) / d)\n"
        "m ← β₁ m + (1-β₁) û\ns ← β₃ s + (1-β₃) ((û - m)² + ε₂)\n"
        "θ ← θ - α (m / √s + λ θ),   of a vector  θ ← θ - α (m + λ θ)\n"
        "v and s of a matrix: row means R and column means C, as R Cᵀ / mean(R)"
    ),
    citation=citations.LUO_CAME,
    hyperparameters=(
        learning_rate(2e-4, 1e-6, 1e-1),
        share("beta_1", 0.9, "β₁", "share of the average update that is kept", 0.5),
        share("beta_2", 0.999, "β₂", "share of the average of squares that is kept", 0.9),
        share(
            "beta_3",
            0.9999,
            "β₃",
            "share of the average instability that is kept",
            0.9,
            0.99999,
        ),
        HyperParameter(
            "epsilon_1", 1e-30, "ε₁", "added to every square", Range(1e-32, 1e-6), above=0.0
        ),
        HyperParameter(
            "epsilon_2",
            1e-16,
            "ε₂",
            "added to every squared deviation",
            Range(1e-20, 1e-6),
            above=0.0,
        ),
        _CLIP,
        _NO_DECAY,
    ),
    build=came,
    slots=1,
    more_state="two numbers per row and two per column of a matrix, one per entry of a vector",
    notes=(
        "The form of the authors' code. No average is corrected for its start at zero: m is too "
        "small for 1/(1-β₁) steps, and s, which it is over, for 1/(1-β₃), so that matrices first "
        "move by up to 10 α, and vectors by α."
    ),
    dialects=dialects.CAME,
)
SM3 = Optimizer(
    name="sm3",
    title="SM3-II",
    family=FAMILY,
    equation=(
        "ν_ij = min(r_i, c_j) + g_ij²,   r_i ← max_j ν_ij,   c_j ← max_i ν_ij\n"
        "m ← μ m + (1-μ) g / √(ν + ε),   0 where ν is 0\nθ ← θ - α m"
    ),
    citation=citations.ANIL,
    hyperparameters=(
        learning_rate(0.1, 1e-4, 1e1),
        share("momentum", 0.9, "μ", "share of the average step that is kept", 0.5),
        share(
            "beta_2",
            0.9,
            "β₂",
            "share of the bound that is kept",
            0.5,
            only_with=("squares", ("average",)),
        ),
        epsilon(1e-8, "added under the root", Range(1e-30, 1e-3)),
    ),
    options=(
        Option(
            "squares",
            "sum",
            ("sum", "average"),
            "ν adds the square to its bound (paper), or averages the two with β₂, below a bound "
            "that never falls",
        ),
    ),
    build=sm3,
    slots=1,
    more_state="a number per row and one per column of a matrix, one per entry of a vector",
    notes=(
        "AdaGrad with a bound of every sum: the least of those of its row and its column, and of "
        "all axes of a tensor. The paper has no ε and takes 0/0 as 0; ε is Optax's, which cannot "
        "be set there. The average of steps is that of the authors' experiments."
    ),
    dialects=dialects.SM3,
)

ENTRIES = (ADAFACTOR, CAME, SM3)
