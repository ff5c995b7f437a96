"""Hyper-parameters and options that several entries share."""

from __future__ import annotations

from typing import Any

import optax

from fallline.optimizers.spec import HyperParameter, Option
from fallline.spaces import Range

STUDIES = frozenset({"studies"})


def learning_rate(default: float, low: float, high: float, **other: Any) -> HyperParameter:
    """The learning rate, searched on a log scale from ``low`` to ``high``."""
    meaning = other.pop("meaning", "length of the step")
    return HyperParameter(
        "learning_rate", default, "α", meaning, Range(low, high), above=0.0, **other
    )


def share(name: str, default: float, symbol: str, meaning: str, low: float) -> HyperParameter:
    """A decay rate or momentum in [0, 1), searched by the logarithm of ``1 - value``."""
    span = Range(low, 0.9999, "log_one_minus")
    return HyperParameter(name, default, symbol, meaning, span, at_least=0.0, below=1.0)


def epsilon(default: float, meaning: str = "keeps the denominator from zero") -> HyperParameter:
    """The small constant beside or under a root."""
    span = Range(min(1e-10, default), 1e-3)
    return HyperParameter("epsilon", default, "ε", meaning, span, at_least=0.0)


WEIGHT_DECAY = HyperParameter(
    "weight_decay",
    0.0,
    "λ",
    "pull of the weights towards zero",
    Range(1e-6, 1e-1),
    at_least=0.0,
    only_with=("decay", ("coupled", "decoupled")),
)
DECAY = Option(
    "decay",
    "none",
    ("none", "coupled", "decoupled"),
    "weight decay: coupled adds λθ to the gradient (L2), decoupled adds it to the step (AdamW)",
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
