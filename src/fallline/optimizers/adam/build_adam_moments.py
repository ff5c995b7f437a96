"""The transformations of Adam's kin with other averages, from their settings."""

from __future__ import annotations

from typing import Any

import optax

from fallline.optimizers.adam import rule_adam_mixtures as mixtures
from fallline.optimizers.adam import rule_adam_moments as rules
from fallline.optimizers.adam.rule_adam import scale_by_adam, scale_by_nadam, scale_by_steady_nadam
from fallline.optimizers.shared.parameters import chained


def nadamw(
    *,
    learning_rate: Any,
    beta_1: Any,
    beta_2: Any,
    epsilon: Any,
    momentum_decay: Any,
    weight_decay: Any,
    warm_up: bool,
    betas: str,
) -> optax.GradientTransformationExtraArgs:
    """NAdamW."""
    rounded = betas == "float32"
    if warm_up:
        rule = scale_by_nadam(beta_1, beta_2, epsilon, momentum_decay, float32=rounded)
    else:
        rule = scale_by_steady_nadam(beta_1, beta_2, epsilon, float32=rounded)
    return chained(learning_rate, rule, weight_decay, "decoupled")


def yogi(
    *,
    learning_rate: Any,
    beta_1: Any,
    beta_2: Any,
    epsilon: Any,
    initial_accumulator: Any,
    weight_decay: Any,
    first_moment: str,
    bias_correction: bool,
    decay: str,
) -> optax.GradientTransformationExtraArgs:
    """Yogi."""
    rule = rules.scale_by_yogi(
        beta_1,
        beta_2,
        epsilon,
        initial_accumulator,
        first_moment=first_moment,
        corrected=bias_correction,
    )
    return chained(learning_rate, rule, weight_decay, decay)


def laprop(
    *,
    learning_rate: Any,
    beta_1: Any,
    beta_2: Any,
    epsilon: Any,
    weight_decay: Any,
    epsilon_place: str,
    decay: str,
) -> optax.GradientTransformationExtraArgs:
    """LaProp."""
    rule = rules.scale_by_laprop(beta_1, beta_2, epsilon, place=epsilon_place)
    if decay != "decoupled":
        return chained(learning_rate, rule, weight_decay, decay)
    # The decay takes its share of the parameters after the step: (θ - α m̂)(1 - α λ).
    shrunk = optax.chain(rule, optax.scale(1 - learning_rate * weight_decay))
    return chained(learning_rate, shrunk, weight_decay, decay)


def adopt(
    *,
    learning_rate: Any,
    beta_1: Any,
    beta_2: Any,
    epsilon: Any,
    weight_decay: Any,
    clipping: str,
    decay: str,
) -> optax.GradientTransformationExtraArgs:
    """ADOPT."""
    rule = rules.scale_by_adopt(beta_1, beta_2, epsilon, clipping=clipping)
    return chained(learning_rate, rule, weight_decay, decay)


def acprop(
    *,
    learning_rate: Any,
    beta_1: Any,
    beta_2: Any,
    epsilon: Any,
    weight_decay: Any,
    deviation: str,
    decay: str,
) -> optax.GradientTransformationExtraArgs:
    """ACProp."""
    rule = rules.scale_by_acprop(beta_1, beta_2, epsilon, deviation=deviation)
    return chained(learning_rate, rule, weight_decay, decay)


def qhadam(
    *,
    learning_rate: Any,
    beta_1: Any,
    beta_2: Any,
    nu_1: Any,
    nu_2: Any,
    epsilon: Any,
    weight_decay: Any,
    weights: str,
    decay: str,
) -> optax.GradientTransformationExtraArgs:
    """QHAdam."""
    rule = rules.scale_by_qhadam(beta_1, beta_2, nu_1, nu_2, epsilon, float32=weights == "float32")
    return chained(learning_rate, rule, weight_decay, decay)


def optimistic_adam(
    *,
    learning_rate: Any,
    beta_1: Any,
    beta_2: Any,
    epsilon: Any,
    optimism: Any,
    nesterov: bool,
    first_step: str,
) -> optax.GradientTransformationExtraArgs:
    """Optimistic Adam."""
    if nesterov:
        rule = scale_by_steady_nadam(beta_1, beta_2, epsilon, float32=False)
    else:
        rule = scale_by_adam(beta_1, beta_2, epsilon, place="outside", float32=False)
    ahead = rules.optimistic(optimism, first_step=first_step)
    return chained(learning_rate, optax.chain(rule, ahead))


def madgrad(
    *,
    learning_rate: Any,
    momentum: Any,
    epsilon: Any,
    weight_decay: Any,
    decay: str,
) -> optax.GradientTransformationExtraArgs:
    """MADGRAD."""
    decoupled = weight_decay if decay == "decoupled" else None
    rule = rules.madgrad(learning_rate, momentum, epsilon, decoupled)
    if decay == "coupled":
        rule = optax.chain(optax.add_decayed_weights(weight_decay), rule)
    return optax.with_extra_args_support(rule)


def exadam(
    *,
    learning_rate: Any,
    beta_1: Any,
    beta_2: Any,
    epsilon: Any,
    weight_decay: Any,
    decay: str,
) -> optax.GradientTransformationExtraArgs:
    """EXAdam."""
    rule = rules.scale_by_exadam(beta_1, beta_2, epsilon)
    return chained(learning_rate, rule, weight_decay, decay)


def adan(
    *,
    learning_rate: Any,
    beta_1: Any,
    beta_2: Any,
    beta_3: Any,
    epsilon: Any,
    weight_decay: Any,
    decay: str,
) -> optax.GradientTransformationExtraArgs:
    """Adan."""
    rule = mixtures.scale_by_adan(beta_1, beta_2, beta_3, epsilon)
    if decay == "proximal":
        # (θ - α r) / (1 + α λ) = θ - α / (1 + α λ) (r + λ θ)
        learning_rate = learning_rate / (1 + learning_rate * weight_decay)
    return chained(learning_rate, rule, weight_decay, "decoupled")


def ademamix(
    *,
    learning_rate: Any,
    beta_1: Any,
    beta_2: Any,
    beta_3: Any,
    alpha: Any,
    epsilon: Any,
    warm_up_steps: Any,
    weight_decay: Any,
    schedules: bool,
    corrected: str,
    decay: str,
) -> optax.GradientTransformationExtraArgs:
    """AdEMAMix."""
    warm_up = warm_up_steps if schedules else None
    rule = mixtures.scale_by_ademamix(
        beta_1, beta_2, beta_3, alpha, epsilon, warm_up, corrected=corrected
    )
    return chained(learning_rate, rule, weight_decay, decay)


def simplified_ademamix(
    *,
    learning_rate: Any,
    beta_1: Any,
    beta_2: Any,
    alpha: Any,
    epsilon: Any,
    weight_decay: Any,
    momentum: str,
    decay: str,
) -> optax.GradientTransformationExtraArgs:
    """Simplified AdEMAMix."""
    rule = mixtures.scale_by_simplified_ademamix(beta_1, beta_2, alpha, epsilon, momentum=momentum)
    return chained(learning_rate, rule, weight_decay, decay)


def adapnm(
    *,
    learning_rate: Any,
    beta_1: Any,
    beta_2: Any,
    beta_0: Any,
    epsilon: Any,
    weight_decay: Any,
    amsgrad: bool,
    epsilon_place: str,
    decay: str,
) -> optax.GradientTransformationExtraArgs:
    """AdaPNM."""
    rule = mixtures.scale_by_adapnm(
        beta_1, beta_2, beta_0, epsilon, amsgrad=amsgrad, place=epsilon_place
    )
    return chained(learning_rate, rule, weight_decay, decay)


def mars(
    *,
    learning_rate: Any,
    beta_1: Any,
    beta_2: Any,
    gamma: Any,
    epsilon: Any,
    vector_learning_rate: Any,
    vector_beta_1: Any,
    vector_beta_2: Any,
    weight_decay: Any,
    mars_vectors: bool,
    step: str,
    cautious: bool,
    epsilon_place: str,
) -> optax.GradientTransformationExtraArgs:
    """MARS."""
    matrices = mixtures.Mars(learning_rate, beta_1, beta_2, gamma)
    vectors = mixtures.Mars(vector_learning_rate, vector_beta_1, vector_beta_2, None)
    return mixtures.mars(
        matrices,
        matrices if mars_vectors else vectors,
        epsilon,
        weight_decay,
        step=step,
        cautious=cautious,
        place=epsilon_place,
    )
