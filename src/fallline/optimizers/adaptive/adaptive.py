"""A learning rate for every parameter from its squared gradients: adagrad, adadelta, rmsprop."""

from __future__ import annotations

from typing import Any

import optax

from fallline.optimizers.adaptive import dialects_adaptive as dialects
from fallline.optimizers.adaptive.rule_roots import scale_by_centred_root, scale_by_root_of_sum
from fallline.optimizers.shared import citations
from fallline.optimizers.shared.parameters import (
    STUDIES,
    VELOCITY,
    chained,
    epsilon,
    learning_rate,
    share,
    with_velocity,
)
from fallline.optimizers.spec import HyperParameter, Optimizer, Option
from fallline.spaces import Range

FAMILY = "adaptive"

_EPSILON_PLACE = Option(
    "epsilon_place",
    "inside",
    ("inside", "outside"),
    "ε under the root (Keras) or beside it (torch)",
)


def adagrad(
    *, learning_rate: Any, initial_accumulator: Any, epsilon: Any, epsilon_place: str
) -> optax.GradientTransformationExtraArgs:
    """Adagrad: the gradient over the root of the sum of all its squares."""
    inside = epsilon_place == "inside"
    return chained(learning_rate, scale_by_root_of_sum(initial_accumulator, epsilon, inside=inside))


def adadelta(
    *, learning_rate: Any, rho: Any, epsilon: Any
) -> optax.GradientTransformationExtraArgs:
    """Adadelta: the gradient in units of the last updates' size."""
    return chained(learning_rate, optax.scale_by_adadelta(rho, epsilon))


def rmsprop(
    *,
    learning_rate: Any,
    rho: Any,
    epsilon: Any,
    momentum: Any,
    epsilon_place: str,
    centered: bool,
    with_momentum: bool,
    velocity: str,
) -> optax.GradientTransformationExtraArgs:
    """RMSprop: the gradient over the root of the running average of its squares."""
    inside = epsilon_place == "inside"
    if centered:
        rule = scale_by_centred_root(rho, epsilon, inside=inside)
    else:
        rule = optax.scale_by_rms(rho, epsilon, eps_in_sqrt=inside)
    if with_momentum:
        return with_velocity(learning_rate, optax.trace(momentum), velocity, rule)
    return chained(learning_rate, rule)


ADAGRAD = Optimizer(
    name="adagrad",
    title="Adagrad",
    family=FAMILY,
    equation="s ← s + g²,   s starts at s₀\nθ ← θ - α g / √(s + ε)",
    citation=citations.DUCHI,
    hyperparameters=(
        learning_rate(
            0.01,
            4e-5,
            2.3,
            meaning="length of the step; the range is the middle 95 % of the source's prior",
            source=citations.SIVAPRASAD,
        ),
        HyperParameter(
            "initial_accumulator",
            0.1,
            "s₀",
            "what the sum of squares begins with: damps the first steps",
            Range(1e-6, 1e0),
            at_least=0.0,
        ),
        epsilon(1e-7),
    ),
    options=(_EPSILON_PLACE,),
    build=adagrad,
    slots=1,
    groups=STUDIES,
    notes=(
        "Keras: s₀ = 0.1, ε = 1e-7 under the root, α = 0.001. torch: s₀ = 0, ε = 1e-10 beside "
        "the root (epsilon_place='outside'), α = 0.01. Here Keras's form with torch's α, which "
        "lies nearer to where Adagrad works well."
    ),
    dialects=dialects.ADAGRAD,
)
ADADELTA = Optimizer(
    name="adadelta",
    title="Adadelta",
    family=FAMILY,
    equation="s ← ρ s + (1-ρ) g²\nd = g √(u + ε) / √(s + ε)\nu ← ρ u + (1-ρ) d²\nθ ← θ - α d",
    citation=citations.ZEILER,
    hyperparameters=(
        learning_rate(1.0, 1e-3, 1e2),
        share("rho", 0.95, "ρ", "share of the averages that is kept", 0.5),
        epsilon(1e-7, "keeps the ratio from zero, and sets the size of the first steps"),
    ),
    build=adadelta,
    slots=2,
    groups=STUDIES,
    notes=(
        "The paper has no learning rate: that is α = 1, the default of torch and here. Keras's "
        "default is 0.001, which hardly moves. Paper and torch take ε = 1e-6."
    ),
    dialects=dialects.ADADELTA,
)
RMSPROP = Optimizer(
    name="rmsprop",
    title="RMSprop",
    family=FAMILY,
    equation=(
        "s ← ρ s + (1-ρ) g²\n"
        "θ ← θ - α g / √(s + ε)\n"
        "centered: a ← ρ a + (1-ρ) g, and s - a² for s under the root"
    ),
    citation=citations.TIELEMAN,
    hyperparameters=(
        learning_rate(0.001, 1e-6, 1e0),
        share("rho", 0.9, "ρ", "share of the average of squares that is kept", 0.5),
        epsilon(1e-7),
        HyperParameter(
            "momentum",
            0.0,
            "μ",
            "share of the last step that is kept",
            Range(0.5, 0.999, "log_one_minus"),
            at_least=0.0,
            below=1.0,
            only_with=("with_momentum", (True,)),
        ),
    ),
    options=(
        _EPSILON_PLACE,
        Option("centered", False, (False, True), "subtract the squared mean gradient"),
        Option("with_momentum", False, (False, True), "a velocity of the scaled gradients"),
        VELOCITY,
    ),
    build=rmsprop,
    slots=1,
    groups=STUDIES,
    notes=(
        "Keras: ρ = 0.9, ε = 1e-7 under the root, as here. torch: ρ = 0.99, ε = 1e-8 beside the "
        "root (epsilon_place='outside'), α = 0.01. Centered and with momentum each cost one more "
        "array of the parameters' size. The variance s - a² is kept from falling below zero, "
        "where rounding would make the root NaN."
    ),
    dialects=dialects.RMSPROP,
)

ENTRIES = (ADAGRAD, ADADELTA, RMSPROP)
