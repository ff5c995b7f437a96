"""Optimizers whose step is measured by the norm of each array of parameters.

A layer is an array here. LARS and NovoGrad give the direction for a learning rate of 1; LAMB and
Fromage, which shrink the weights apart from it, the whole step.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from fallline.optimizers.adam.rule_adam import MomentsState
from fallline.optimizers.shared.lengths import length, over
from fallline.optimizers.shared.moments import averaged, averaged_square, bias_correction, zeros

Steps = tuple[optax.Updates, Any]
"""The updates, and the state after them."""


class VelocityState(NamedTuple):
    """Steps taken (int32), and the velocity."""

    steps: jax.Array
    velocity: optax.Updates


class BoundState(NamedTuple):
    """The norm that each array began with; empty if it bounds nothing."""

    first: Any


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
    norm_limit: Any,
    *,
    correction: str,
    decay_place: str,
    limited: bool,
) -> optax.GradientTransformation:
    """The whole step of LAMB: Adam's direction, as long as the weights times the learning rate."""
    inside = decay_place == "inside"

    def update(grads: optax.Updates, state: MomentsState, params: optax.Params) -> Steps:
        count = state.steps + 1
        mu = averaged(state.mu, grads, beta_1)
        nu = averaged_square(state.nu, grads, beta_2)
        first, second = bias_correction(beta_1, count), bias_correction(beta_2, count)
        scale: Any = 1.0
        root: Any = 1.0
        rate = learning_rate
        if correction == "averages":
            scale, root = 1 / first, jnp.sqrt(1 / second)
        if correction == "first":
            rate = learning_rate / first
        if correction == "step":
            rate = learning_rate * jnp.sqrt(second) / first

        def stepped(m: jax.Array, v: jax.Array, param: jax.Array) -> jax.Array:
            direction = scale * m / (jnp.sqrt(v) * root + epsilon)
            shrinking = weight_decay * param
            if inside:
                direction = direction + shrinking
            size = length(param if inside else param - learning_rate * shrinking)
            below = length(direction)
            if limited:
                size = jnp.minimum(size, norm_limit)
            if correction == "first":
                below = jnp.where(below > 0, below + epsilon, 0.0)
            ratio = jnp.where(size > 0, over(size, below, 1.0), 1.0)
            step = -rate * ratio * direction
            return step if inside else step - learning_rate * shrinking

        return jax.tree.map(stepped, mu, nu, params), MomentsState(count, mu, nu)

    return optax.GradientTransformation(_moments, update)


def fromage_step(
    learning_rate: Any, min_norm: Any, norm_bound: Any, *, at_zero: str, bounded: bool
) -> optax.GradientTransformation:
    """The whole step of Fromage: as long as a share of the weights, then shortened to a circle."""
    root = jnp.sqrt(1 + learning_rate * learning_rate)
    # 1 - 1/root, which in float32 would lose the digits of a small learning rate.
    shrinking = learning_rate * learning_rate / (root * (1 + root))

    def init(params: optax.Params) -> BoundState:
        return BoundState(jax.tree.map(length, params) if bounded else ())

    def stepped(grad: jax.Array, param: jax.Array) -> jax.Array:
        size, below = length(param), length(grad)
        if at_zero == "floor":
            ratio = jnp.maximum(size, min_norm) / jnp.maximum(below, min_norm)
        else:
            ratio = jnp.where(size > 0, over(size, below, 1.0), 1.0)
        return -learning_rate / root * ratio * grad - shrinking * param

    def within(step: jax.Array, param: jax.Array, first: jax.Array) -> jax.Array:
        after = param + step
        size, most = length(after), norm_bound * first
        return jnp.where(size > most, over(most, size) * after - param, step)

    def update(grads: optax.Updates, state: BoundState, params: optax.Params) -> Steps:
        steps = jax.tree.map(stepped, grads, params)
        if bounded:
            steps = jax.tree.map(within, steps, params, state.first)
        return steps, state

    return optax.GradientTransformation(init, update)


def scale_by_novograd(
    beta_1: Any, beta_2: Any, epsilon: Any, weight_decay: Any, *, form: str, averaging: bool
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
        before, weight = state.mu, 1 - beta_1 if averaging else 1.0
        if form == "corrected":
            before = jax.tree.map(lambda m, g: jnp.where(begins, g, m), before, pushed)
        updates = mu = jax.tree.map(lambda m, g: beta_1 * m + weight * g, before, pushed)
        if form == "corrected":
            scale = jnp.sqrt(bias_correction(beta_2, count)) / bias_correction(beta_1, count)
            updates = jax.tree.map(lambda m: scale * m, mu)
        return updates, RootState(count, mu, root)

    return optax.GradientTransformation(init, update)
