"""Gradient descent and its kin: gd, sgd, momentum, nesterov, rprop."""

from __future__ import annotations

from typing import Any

import optax

from fallline.optimizers.descent import dialects_classic as dialects
from fallline.optimizers.descent.rule_rprop import scale_by_rprop
from fallline.optimizers.shared import citations
from fallline.optimizers.shared.parameters import (
    DECAY,
    STUDIES,
    VELOCITY,
    WEIGHT_DECAY,
    chained,
    learning_rate,
    share,
    with_velocity,
)
from fallline.optimizers.spec import HyperParameter, Optimizer, Option
from fallline.spaces import Range

FAMILY = "gradient descent"


def descent(
    *, learning_rate: Any, weight_decay: Any, decay: str
) -> optax.GradientTransformationExtraArgs:
    """Gradient descent: ``θ ← θ - α g``."""
    return chained(learning_rate, None, weight_decay, decay)


def heavy_ball(
    *, learning_rate: Any, momentum: Any, weight_decay: Any, velocity: str, decay: str
) -> optax.GradientTransformationExtraArgs:
    """Gradient descent with momentum: ``v ← μ v + g``, ``θ ← θ - α v``."""
    trace = optax.trace(momentum)
    return with_velocity(learning_rate, trace, velocity, None, weight_decay, decay)


def look_ahead(
    *, learning_rate: Any, momentum: Any, weight_decay: Any, velocity: str, decay: str
) -> optax.GradientTransformationExtraArgs:
    """Nesterov's momentum: ``v ← μ v + g``, ``θ ← θ - α (g + μ v)``."""
    trace = optax.trace(momentum, nesterov=True)
    return with_velocity(learning_rate, trace, velocity, None, weight_decay, decay)


def resilient(
    *,
    learning_rate: Any,
    eta_minus: Any,
    eta_plus: Any,
    step_min: Any,
    step_max: Any,
    overshot: str,
) -> optax.GradientTransformationExtraArgs:
    """Rprop: the sign of the gradient with a step length of its own for every parameter."""
    rule = scale_by_rprop(
        learning_rate, eta_minus, eta_plus, step_min, step_max, back=overshot == "back"
    )
    return optax.with_extra_args_support(rule)


_PRIOR = "length of the step; the range is the middle 95 % of the source's prior"
_KEPT = "share of the last velocity that is kept"
_MOMENTUM_NOTES = (
    "The form of torch: the learning rate scales the velocity. Keras lets it scale the gradient "
    "that enters the velocity (velocity='of_steps'); with a constant learning rate both take the "
    "same steps, and under a schedule torch's follows it at once."
)

GD = Optimizer(
    name="gd",
    title="Gradient descent (full batch)",
    family=FAMILY,
    equation="θ ← θ - α g,   g the gradient over all training examples",
    citation=citations.CAUCHY,
    hyperparameters=(learning_rate(0.1, 1e-4, 1e2), WEIGHT_DECAY),
    options=(DECAY,),
    build=descent,
    slots=0,
    full_batch=True,
    groups=STUDIES,
    notes="One step an epoch: compare it by epochs, and by what those epochs cost.",
    dialects=dialects.GD,
)
SGD = Optimizer(
    name="sgd",
    title="Stochastic gradient descent",
    family=FAMILY,
    equation="θ ← θ - α g,   g the gradient over a batch",
    citation=citations.ROBBINS,
    hyperparameters=(
        learning_rate(0.01, 2e-5, 3.0, meaning=_PRIOR, source=citations.SIVAPRASAD),
        WEIGHT_DECAY,
    ),
    options=(DECAY,),
    build=descent,
    slots=0,
    groups=STUDIES,
    notes="Coupled and decoupled weight decay are the same here: there is nothing between.",
    dialects=dialects.SGD,
)
MOMENTUM = Optimizer(
    name="momentum",
    title="SGD with momentum",
    family=FAMILY,
    equation="v ← μ v + g\nθ ← θ - α v",
    citation=citations.POLYAK,
    hyperparameters=(
        learning_rate(0.01, 7e-6, 2.5, meaning=_PRIOR, source=citations.SIVAPRASAD),
        share("momentum", 0.9, "μ", _KEPT, 0.5),
        WEIGHT_DECAY,
    ),
    options=(VELOCITY, DECAY),
    build=heavy_ball,
    slots=1,
    groups=STUDIES,
    notes=_MOMENTUM_NOTES,
    dialects=dialects.MOMENTUM,
)
NESTEROV = Optimizer(
    name="nesterov",
    title="SGD with Nesterov momentum (NAG)",
    family=FAMILY,
    equation="v ← μ v + g\nθ ← θ - α (g + μ v)",
    citation=citations.SUTSKEVER,
    hyperparameters=(
        learning_rate(0.01, 1e-5, 1e1),
        share("momentum", 0.9, "μ", _KEPT, 0.7, 0.995, source=citations.DAHL),
        WEIGHT_DECAY,
    ),
    options=(VELOCITY, DECAY),
    build=look_ahead,
    slots=1,
    groups=STUDIES,
    notes=(
        "The gradient is taken at the parameters that are trained, and the look-ahead is folded "
        f"into the step. {_MOMENTUM_NOTES}"
    ),
    dialects=dialects.NESTEROV,
)
RPROP = Optimizer(
    name="rprop",
    title="Rprop (resilient backpropagation, full batch)",
    family=FAMILY,
    equation=(
        "Δ ← min(η⁺ Δ, Δmax)   where g g' > 0   (g' the gradient of the last step)\n"
        "Δ ← max(η⁻ Δ, Δmin)   where g g' < 0,  and there g ← 0\n"
        "θ ← θ - Δ sign(g),   Δ starts at α"
    ),
    citation=citations.RIEDMILLER,
    hyperparameters=(
        learning_rate(0.01, 1e-5, 1e0, meaning="length of every parameter's first step"),
        HyperParameter(
            "eta_minus",
            0.5,
            "η⁻",
            "factor of the step length where the gradient's sign changed",
            Range(0.1, 0.9, "linear"),
            above=0.0,
            below=1.0,
        ),
        HyperParameter(
            "eta_plus",
            1.2,
            "η⁺",
            "factor of the step length where the gradient kept its sign",
            Range(1.01, 2.0, "linear"),
            above=1.0,
        ),
        HyperParameter("step_min", 1e-6, "Δmin", "shortest step", Range(1e-9, 1e-3), above=0.0),
        HyperParameter("step_max", 50.0, "Δmax", "longest step", Range(1e-1, 1e2), above=0.0),
    ),
    options=(
        Option(
            "overshot",
            "rest",
            ("rest", "back"),
            "where the gradient's sign changed the parameter rests for this step (torch), or goes "
            "back by its last one (paper)",
        ),
    ),
    build=resilient,
    slots=2,
    full_batch=True,
    groups=STUDIES,
    notes=(
        "The form of torch, known as iRprop- (Igel and Hüsken 2003): after a change of sign the "
        "parameter rests for one step instead of going back. The sign of a batch's gradient is "
        "noise where batches disagree, hence the full batch. Optax 0.2.8 applies every update one "
        "step late."
    ),
    dialects=dialects.RPROP,
)

ENTRIES = (GD, SGD, MOMENTUM, NESTEROV, RPROP)
