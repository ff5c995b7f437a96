"""Gradient descent that looks back, adds noise, or measures its step: optimistic, noisy, Polyak."""

from __future__ import annotations

from typing import Any

import optax

from fallline.optimizers.descent import dialects_momenta as dialects
from fallline.optimizers.descent import rule_descents as rules
from fallline.optimizers.shared import citations_steps as citations
from fallline.optimizers.shared.parameters import chained, learning_rate
from fallline.optimizers.spec import HyperParameter, Optimizer, Option
from fallline.spaces import Range

FAMILY = "gradient descent"


def optimistic_gd(
    *, learning_rate: Any, alpha: Any, beta: Any
) -> optax.GradientTransformationExtraArgs:
    """Optimistic gradient descent."""
    return chained(learning_rate, rules.scale_by_optimism(alpha, beta))


def noisy_sgd(*, learning_rate: Any, eta: Any, gamma: Any) -> optax.GradientTransformationExtraArgs:
    """Gradient descent with noise."""
    return chained(learning_rate, rules.with_noise(eta, gamma))


def polyak(
    *, learning_rate: Any, c: Any, f_min: Any, epsilon: Any, variant: str
) -> optax.GradientTransformationExtraArgs:
    """Gradient descent with the Polyak step size."""
    return rules.polyak_step(learning_rate, c, f_min, epsilon, variant=variant)


OPTIMISTIC_GD = Optimizer(
    name="optimistic_gd",
    title="Optimistic gradient descent",
    family=FAMILY,
    equation="θ ← θ - α ((a + b) g - b g'),   g' the gradient of the last step, g at first",
    citation=citations.OPTIMISTIC,
    hyperparameters=(
        learning_rate(0.01, 1e-5, 1e1),
        HyperParameter("alpha", 1.0, "a", "weight of the gradient", Range(1e-1, 1e1), at_least=0.0),
        HyperParameter(
            "beta",
            1.0,
            "b",
            "weight of the gradient's change, which foretells the next one",
            Range(1e-2, 1e1),
            at_least=0.0,
        ),
    ),
    build=optimistic_gd,
    slots=1,
    notes=(
        "Made for games of a minimum against a maximum, where gradient descent circles; on a loss "
        "it is gradient descent with a damping derivative. a = b = 1 is the classical form."
    ),
    dialects=dialects.OPTIMISTIC_GD,
)
NOISY_SGD = Optimizer(
    name="noisy_sgd",
    title="SGD with gradient noise",
    family=FAMILY,
    equation="θ ← θ - α (g + n),   n ~ N(0, σ²),   σ² = η / tᵞ,   t = 1, 2, …",
    citation=citations.NOISE,
    hyperparameters=(
        learning_rate(0.01, 1e-5, 1e1),
        HyperParameter(
            "eta",
            0.01,
            "η",
            "variance of the noise at the first step",
            Range(1e-4, 1e0),
            at_least=0.0,
        ),
        HyperParameter(
            "gamma",
            0.55,
            "γ",
            "how fast the variance falls",
            Range(0.1, 1.0, "linear"),
            at_least=0.0,
        ),
    ),
    build=noisy_sgd,
    slots=0,
    needs=frozenset({"key"}),
    notes=(
        "The noise comes from the key of the step, so that a training repeats. It does not scale "
        "with the gradient: parameters move even where the gradient is 0. The paper tries η = "
        "0.01, 0.3 and 1."
    ),
    dialects=dialects.NOISY_SGD,
)
POLYAK = Optimizer(
    name="polyak",
    title="Gradient descent with the Polyak step size",
    family=FAMILY,
    equation="θ ← θ - min((f(θ) - f*) / (c ‖g‖² + ε), α) g",
    citation=citations.SPS,
    hyperparameters=(
        learning_rate(1.0, 1e-3, 1e3, meaning="longest step"),
        HyperParameter(
            "c",
            1.0,
            "c",
            "what the step is divided by; below 1/2 it can overshoot even on a parabola",
            Range(1e-1, 1e1),
            above=0.0,
        ),
        HyperParameter(
            "f_min",
            0.0,
            "f*",
            "the least loss that there is, or a bound below it",
            Range(1e-3, 1e1),
        ),
        HyperParameter(
            "epsilon",
            0.0,
            "ε",
            "keeps the step short where the gradient vanishes",
            Range(1e-12, 1e-3),
            at_least=0.0,
        ),
    ),
    options=(
        Option(
            "variant",
            "sps",
            ("sps", "sps+"),
            "sps+ rests where the loss is below f*; sps goes uphill there",
        ),
    ),
    build=polyak,
    slots=0,
    needs=frozenset({"value"}),
    notes=(
        "The step of a batch to where its slope would meet f*: it needs the loss of the batch, and "
        "that f* can be reached, as by networks that fit their data. ‖g‖ is over all parameters."
    ),
    dialects=dialects.POLYAK,
)

ENTRIES = (OPTIMISTIC_GD, NOISY_SGD, POLYAK)
