"""Optimizers whose step is measured by the norm of each array of parameters.

A layer is an array here. LARS, NovoGrad, AdamP and SGDP give the direction for a learning rate of
1; LAMB and Fromage, which shrink the weights apart from it, the whole step.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from fallline.optimizers._length import length, over
from fallline.optimizers._rule_adam import MomentsState
from fallline.optimizers._rule_moments import averaged, averaged_square, bias_correction, zeros

Steps = tuple[optax.Updates, Any]
"""The updates, and the state after them."""

LARGEST_NORM = 10.0
"""Of weights, for LAMB without correction: γᵤ of the paper's φ(z) = clip(z, γₗ, γᵤ)."""


class VelocityState(NamedTuple):
    """Steps taken (int32), and the velocity."""

    steps: jax.Array
    velocity: optax.Updates


class RootState(NamedTuple):
    """Steps taken (int32), the momentum, and of each array the root of its average of squares."""

    steps: jax.Array
    mu: optax.Updates
    root: optax.Updates


def _resting(params: optax.Params) -> VelocityState:
    return VelocityState(jnp.zeros((), jnp.int32), zeros(params))


def _moments(params: optax.Params) -> MomentsState:
    return MomentsState(jnp.zeros((), jnp.int32), zeros(params), zeros(params))


def scale_by_lars(
    momentum: Any,
    trust: Any,
    weight_decay: Any,
    *,
    nesterov: bool,
    layers: str,
    denominator: str,
    velocity_start: str,
) -> optax.GradientTransformation:
    """LARS: the gradient with decay, as long as a share of the weights; then momentum."""

    def scaled(grad: jax.Array, param: jax.Array) -> jax.Array:
        if layers == "matrices" and param.ndim < 2:
            return grad
        decayed = grad + weight_decay * param
        size = length(param)
        if denominator == "sum":
            below = length(grad) + weight_decay * size
        else:
            below = length(decayed if denominator == "decayed" else grad)
        ratio = jnp.where(size > 0, over(trust * size, below, 1.0), 1.0)
        return ratio * decayed

    def update(grads: optax.Updates, state: VelocityState, params: optax.Params) -> Steps:
        before = state.velocity
        if velocity_start == "gradient":
            begins = state.steps == 0
            before = jax.tree.map(lambda g, v: jnp.where(begins, g, v), grads, before)
        pushed = jax.tree.map(scaled, grads, params)
        velocity = jax.tree.map(lambda v, g: momentum * v + g, before, pushed)
        updates = velocity
        if nesterov:
            updates = jax.tree.map(lambda g, v: g + momentum * v, pushed, velocity)
        return updates, VelocityState(state.steps + 1, velocity)

    return optax.GradientTransformation(_resting, update)


def lamb_step(
    learning_rate: Any,
    beta_1: Any,
    beta_2: Any,
    epsilon: Any,
    weight_decay: Any,
    *,
    averages: str,
    decay_place: str,
) -> optax.GradientTransformation:
    """The whole step of LAMB: Adam's direction, as long as the weights times the learning rate."""
    corrected, inside = averages == "corrected", decay_place == "inside"

    def update(grads: optax.Updates, state: MomentsState, params: optax.Params) -> Steps:
        count = state.steps + 1
        mu = averaged(state.mu, grads, beta_1)
        nu = averaged_square(state.nu, grads, beta_2)
        first = bias_correction(beta_1, count)
        root = jnp.sqrt(1 / bias_correction(beta_2, count)) if corrected else 1.0
        rate = learning_rate if corrected else learning_rate / first

        def stepped(m: jax.Array, v: jax.Array, param: jax.Array) -> jax.Array:
            average = m / first if corrected else m
            direction = average / (jnp.sqrt(v) * root + epsilon)
            shrinking = weight_decay * param
            if inside:
                direction = direction + shrinking
            size = length(param if inside else param - learning_rate * shrinking)
            below = length(direction)
            if not corrected:
                size = jnp.minimum(size, LARGEST_NORM)
                below = jnp.where(below > 0, below + epsilon, 0.0)
            ratio = jnp.where(size > 0, over(size, below, 1.0), 1.0)
            step = -rate * ratio * direction
            return step if inside else step - learning_rate * shrinking

        return jax.tree.map(stepped, mu, nu, params), MomentsState(count, mu, nu)

    return optax.GradientTransformation(_moments, update)


def fromage_step(learning_rate: Any, min_norm: Any, *, at_zero: str) -> optax.GradientTransformation:
    """The whole step of Fromage: as long as a share of the weights, then shortened to a circle."""
    root = jnp.sqrt(1 + learning_rate * learning_rate)
    # 1/root - 1, which in float32 would lose the digits of a small learning rate.
    shrinking = learning_rate * learning_rate / (root * (1 + root))

    def stepped(grad: jax.Array, param: jax.Array) -> jax.Array:
        size, below = length(param), length(grad)
        if at_zero == "floor":
            ratio = jnp.maximum(size, min_norm) / jnp.maximum(below, min_norm)
        else:
            ratio = jnp.where(size > 0, over(size, below, 1.0), 1.0)
        return -learning_rate / root * ratio * grad - shrinking * param

    def update(grads: optax.Updates, state: optax.EmptyState, params: optax.Params) -> Steps:
        return jax.tree.map(stepped, grads, params), state

    return optax.GradientTransformation(lambda params: optax.EmptyState(), update)


def scale_by_novograd(
    beta_1: Any, beta_2: Any, epsilon: Any, weight_decay: Any, *, form: str
) -> optax.GradientTransformation:
    """NovoGrad: momentum of gradients, each in units of its array's average norm."""

    def init(params: optax.Params) -> RootState:
        roots = jax.tree.map(lambda leaf: jnp.zeros((), leaf.dtype), params)
        return RootState(jnp.zeros((), jnp.int32), zeros(params), roots)

    def update(grads: optax.Updates, state: RootState, params: optax.Params) -> Steps:
        begins, count = state.steps == 0, state.steps + 1

        def rooted(grad: jax.Array, root: jax.Array) -> jax.Array:
            size = length(grad)
            # The root itself is kept: a norm's square may be too large for float32.
            later = jnp.hypot(jnp.sqrt(beta_2) * root, jnp.sqrt(1 - beta_2) * size)
            return jnp.where(begins, size, later)

        root = jax.tree.map(rooted, grads, state.root)
        pushed = jax.tree.map(
            lambda g, r, p: over(g, r + epsilon) + weight_decay * p, grads, root, params
        )
        before, scale = state.mu, jnp.ones((), jnp.result_type(beta_1))
        if form == "corrected":
            before = jax.tree.map(lambda m, g: jnp.where(begins, g, m), before, pushed)
            scale = jnp.sqrt(bias_correction(beta_2, count)) / bias_correction(beta_1, count)
        mu = jax.tree.map(lambda m, g: beta_1 * m + g, before, pushed)
        return jax.tree.map(lambda m: scale * m, mu), RootState(count, mu, root)

    return optax.GradientTransformation(init, update)


def _sideways(
    step: jax.Array, grad: jax.Array, param: jax.Array, epsilon: Any, axes: tuple[int, ...]
) -> tuple[jax.Array, jax.Array]:
    """``step`` without its part along the weights, and the largest cosine of both, over ``axes``.

    Each group of weights that ``axes`` span counts as one vector.
    """
    size = length(param, axes)
    along = over(param, size + epsilon)
    radial = jnp.sum(along * step, axis=axes, keepdims=True)
    across = over(grad, jnp.maximum(length(grad, axes), epsilon))
    outwards = over(param, jnp.maximum(size, epsilon))
    cosine = jnp.abs(jnp.sum(across * outwards, axis=axes, keepdims=True))
    return step - along * radial, jnp.max(cosine, initial=0.0)


def _projected(
    step: jax.Array,
    grad: jax.Array,
    param: jax.Array,
    delta: Any,
    wd_ratio: Any,
    epsilon: Any,
    channels: str,
) -> tuple[jax.Array, Any]:
    """``step`` along the sphere, and the share of the decay, where the loss ignores the scale."""
    if param.ndim < 2:
        return step, 1.0
    every = tuple(range(param.ndim))
    by_channel = every[:-1] if channels == "last" else every[1:]
    found = []
    for axes in (by_channel, every):
        entries = math.prod(param.shape[axis] for axis in axes)
        turned, cosine = _sideways(step, grad, param, epsilon, axes)
        found.append((turned, cosine < delta / math.sqrt(max(entries, 1))))
    (by_channel_step, one), (whole_step, other) = found
    chosen = jnp.where(one, by_channel_step, jnp.where(other, whole_step, step))
    return chosen, jnp.where(one | other, wd_ratio, 1.0)


def scale_by_adamp(
    beta_1: Any,
    beta_2: Any,
    epsilon: Any,
    weight_decay: Any,
    delta: Any,
    wd_ratio: Any,
    *,
    nesterov: bool,
    channels: str,
) -> optax.GradientTransformation:
    """AdamP: Adam's direction, without what only lengthens weights whose length has no effect."""

    def update(grads: optax.Updates, state: MomentsState, params: optax.Params) -> Steps:
        count = state.steps + 1
        mu = averaged(state.mu, grads, beta_1)
        nu = averaged_square(state.nu, grads, beta_2)
        scale = 1 / bias_correction(beta_1, count)
        root = jnp.sqrt(1 / bias_correction(beta_2, count))
        ahead = averaged(mu, grads, beta_1) if nesterov else mu

        def stepped(m: jax.Array, v: jax.Array, grad: jax.Array, param: jax.Array) -> jax.Array:
            step = over(scale * m, jnp.sqrt(v) * root + epsilon)
            step, share = _projected(step, grad, param, delta, wd_ratio, epsilon, channels)
            return step + weight_decay * share * param

        return jax.tree.map(stepped, ahead, nu, grads, params), MomentsState(count, mu, nu)

    return optax.GradientTransformation(_moments, update)


def scale_by_sgdp(
    momentum: Any,
    epsilon: Any,
    weight_decay: Any,
    delta: Any,
    wd_ratio: Any,
    *,
    nesterov: bool,
    channels: str,
) -> optax.GradientTransformation:
    """SGDP: the velocity, without what only lengthens weights whose length has no effect."""

    def update(grads: optax.Updates, state: VelocityState, params: optax.Params) -> Steps:
        velocity = jax.tree.map(lambda v, g: momentum * v + g, state.velocity, grads)

        def stepped(v: jax.Array, grad: jax.Array, param: jax.Array) -> jax.Array:
            step = grad + momentum * v if nesterov else v
            step, share = _projected(step, grad, param, delta, wd_ratio, epsilon, channels)
            return step + weight_decay * share / (1 - momentum) * param

        updates = jax.tree.map(stepped, velocity, grads, params)
        return updates, VelocityState(state.steps + 1, velocity)

    return optax.GradientTransformation(_resting, update)
