"""The transformations of Adam's kin that take a step of another length, from their settings."""

from __future__ import annotations

from typing import Any, TypeAlias

import optax

from fallline.optimizers.adam import rule_adam_history as history_rules
from fallline.optimizers.adam import rule_adam_steps as rules
from fallline.optimizers.adam.rule_adam import scale_by_adamax
from fallline.optimizers.shared.parameters import chained

Transformation: TypeAlias = optax.GradientTransformationExtraArgs


def radam(
    *,
    learning_rate: Any,
    beta_1: Any,
    beta_2: Any,
    epsilon: Any,
    threshold: Any,
    weight_decay: Any,
    epsilon_place: str,
    decay: str,
) -> Transformation:
    """RAdam."""
    rule = rules.scale_by_rectified_adam(beta_1, beta_2, epsilon, threshold, place=epsilon_place)
    return chained(learning_rate, rule, weight_decay, decay)


def amsbound(
    *, learning_rate: Any, beta_1: Any, beta_2: Any, epsilon: Any, final_lr: Any, gamma: Any
) -> Transformation:
    """AMSBound."""
    rule = rules.bounded_amsgrad(learning_rate, beta_1, beta_2, epsilon, final_lr, gamma)
    return optax.with_extra_args_support(rule)


def padam(
    *, learning_rate: Any, beta_1: Any, beta_2: Any, epsilon: Any, partial: Any, amsgrad: bool
) -> Transformation:
    """Padam."""
    rule = rules.scale_by_part_of_adam(beta_1, beta_2, epsilon, partial, amsgrad=amsgrad)
    return chained(learning_rate, rule)


def swats(
    *, learning_rate: Any, beta_1: Any, beta_2: Any, epsilon: Any, tolerance: Any
) -> Transformation:
    """SWATS."""
    rule = history_rules.adam_then_sgd(learning_rate, beta_1, beta_2, epsilon, tolerance)
    return optax.with_extra_args_support(rule)


def adamod(
    *, learning_rate: Any, beta_1: Any, beta_2: Any, beta_3: Any, epsilon: Any
) -> Transformation:
    """AdaMod."""
    rule = rules.momentally_bounded_adam(learning_rate, beta_1, beta_2, beta_3, epsilon)
    return optax.with_extra_args_support(rule)


def diffgrad(*, learning_rate: Any, beta_1: Any, beta_2: Any, epsilon: Any) -> Transformation:
    """diffGrad."""
    return chained(learning_rate, history_rules.scale_by_friction(beta_1, beta_2, epsilon))


def adashift(
    *, learning_rate: Any, beta_1: Any, beta_2: Any, epsilon: Any, history: int, reduction: str
) -> Transformation:
    """AdaShift."""
    rule = history_rules.scale_by_shifted_adam(
        beta_1, beta_2, epsilon, history=history, reduction=reduction
    )
    return chained(learning_rate, rule)


def adanorm(
    *,
    learning_rate: Any,
    beta_1: Any,
    beta_2: Any,
    gamma: Any,
    epsilon: Any,
    weight_decay: Any,
    epsilon_place: str,
) -> Transformation:
    """AdaNorm of Adam."""
    rule = rules.scale_by_norm_corrected_adam(beta_1, beta_2, gamma, epsilon, place=epsilon_place)
    return chained(learning_rate, rule, weight_decay, "decoupled")


def stableadamw(
    *, learning_rate: Any, beta_1: Any, beta_2: Any, epsilon: Any, weight_decay: Any
) -> Transformation:
    """StableAdamW."""
    return chained(learning_rate, rules.scale_by_stable_adam(beta_1, beta_2, epsilon, weight_decay))


def adamaxw(
    *,
    learning_rate: Any,
    beta_1: Any,
    beta_2: Any,
    epsilon: Any,
    weight_decay: Any,
    epsilon_place: str,
) -> Transformation:
    """Adamax with decoupled weight decay."""
    rule = scale_by_adamax(beta_1, beta_2, epsilon, place=epsilon_place, float32=False)
    return chained(learning_rate, rule, weight_decay, "decoupled")


def cautious_adamw(
    *,
    learning_rate: Any,
    beta_1: Any,
    beta_2: Any,
    epsilon: Any,
    weight_decay: Any,
    scaling: str,
) -> Transformation:
    """C-AdamW."""
    rule = rules.scale_by_cautious_adam(beta_1, beta_2, epsilon, scaling=scaling)
    return chained(learning_rate, rule, weight_decay, "decoupled")


def grams(
    *, learning_rate: Any, beta_1: Any, beta_2: Any, epsilon: Any, weight_decay: Any
) -> Transformation:
    """Grams."""
    rule = rules.scale_by_grams(beta_1, beta_2, epsilon)
    return chained(learning_rate, rule, weight_decay, "decoupled")


def ranger(
    *,
    learning_rate: Any,
    beta_1: Any,
    beta_2: Any,
    epsilon: Any,
    threshold: Any,
    slow_step: Any,
    period: int,
    centred: str,
    outputs: str,
) -> Transformation:
    """Ranger."""
    rule = rules.scale_by_rectified_adam(beta_1, beta_2, epsilon, threshold, place="uncorrected")
    fast = optax.chain(
        optax.stateless(lambda g, _: history_rules.centralized(g, centred, outputs)),
        rule,
        optax.scale_by_learning_rate(learning_rate),
    )
    return optax.with_extra_args_support(history_rules.looking_ahead(fast, slow_step, period))


def adamg(
    *,
    learning_rate: Any,
    beta_1: Any,
    beta_2: Any,
    beta_3: Any,
    scale: Any,
    exponent: Any,
    epsilon: Any,
) -> Transformation:
    """AdamG."""
    rule = rules.golden_adam(learning_rate, beta_1, beta_2, beta_3, scale, exponent, epsilon)
    return optax.with_extra_args_support(rule)
