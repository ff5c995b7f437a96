"""Hyper-parameters and options that several entries share."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import optax

from fallline.optimizers.dialects import Dialect
from fallline.optimizers.shared import citations
from fallline.optimizers.spec import HyperParameter, Option
from fallline.spaces import Range

STUDIES = frozenset({"studies"})


def learning_rate(default: float, low: float, high: float, **other: Any) -> HyperParameter:
    """The learning rate, searched on a log scale from ``low`` to ``high``."""
    meaning = other.pop("meaning", "length of the step")
    return HyperParameter(
        "learning_rate", default, "α", meaning, Range(low, high), above=0.0, **other
    )


def share(
    name: str,
    default: float,
    symbol: str,
    meaning: str,
    low: float,
    high: float = 0.9999,
    **other: Any,
) -> HyperParameter:
    """A decay rate or momentum in [0, 1), searched by the logarithm of ``1 - value``."""
    span = Range(low, high, "log_one_minus")
    return HyperParameter(name, default, symbol, meaning, span, at_least=0.0, below=1.0, **other)


def epsilon(
    default: float,
    meaning: str = "keeps the denominator from zero",
    span: Range | None = None,
    **other: Any,
) -> HyperParameter:
    """The small constant beside or under a root."""
    span = span or Range(min(1e-10, default), 1e-3)
    return HyperParameter("epsilon", default, "ε", meaning, span, at_least=0.0, **other)


WEIGHT_DECAY = HyperParameter(
    "weight_decay",
    0.0,
    "λ",
    "pull of the weights towards zero",
    Range(1e-5, 1e-1),
    citations.SIVAPRASAD,
    at_least=0.0,
    only_with=("decay", ("coupled", "decoupled")),
)
DECAY = Option(
    "decay",
    "none",
    ("none", "coupled", "decoupled"),
    "weight decay: coupled adds λθ to the gradient (L2), decoupled adds it to the step (AdamW)",
)


VELOCITY = Option(
    "velocity",
    "of_gradients",
    ("of_gradients", "of_steps"),
    "what the velocity gathers: gradients, and the learning rate scales it (torch), or steps, each "
    "with the learning rate of its time (Polyak, Keras); the same at a constant learning rate",
)


def decaying(dialect: Dialect, *decays: str) -> tuple[Dialect, ...]:
    """``dialect``, and its forms whose argument ``weight_decay`` is decay of these kinds."""
    arguments = {**dialect.arguments, "weight_decay": "weight_decay"}
    return (
        dialect,
        *(
            replace(dialect, arguments=arguments, options={**dialect.options, "decay": decay})
            for decay in decays
        ),
    )


def chained(
    learning_rate: Any,
    rule: optax.GradientTransformation | None,
    weight_decay: Any = None,
    decay: str = "none",
) -> optax.GradientTransformationExtraArgs:
    """``rule``, scaled by ``-learning_rate``, with weight decay before or behind the rule."""
    parts = [] if rule is None else [rule]
    if decay == "coupled":
        parts.insert(0, optax.add_decayed_weights(weight_decay))
    if decay == "decoupled":
        parts.append(optax.add_decayed_weights(weight_decay))
    parts.append(optax.scale_by_learning_rate(learning_rate))
    return optax.with_extra_args_support(optax.chain(*parts))


def with_velocity(
    learning_rate: Any,
    trace: optax.GradientTransformation,
    velocity: str,
    rule: optax.GradientTransformation | None = None,
    weight_decay: Any = None,
    decay: str = "none",
) -> optax.GradientTransformationExtraArgs:
    """``rule``, then a velocity (``trace``) before or behind the learning rate."""
    if velocity == "of_gradients":
        both = trace if rule is None else optax.chain(rule, trace)
        return chained(learning_rate, both, weight_decay, decay)
    kept = "none" if decay == "decoupled" else decay
    parts = [chained(learning_rate, rule, weight_decay, kept), trace]
    if decay == "decoupled":
        parts.append(optax.add_decayed_weights(-learning_rate * weight_decay))
    return optax.with_extra_args_support(optax.chain(*parts))
