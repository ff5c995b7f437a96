"""AdamP and SGDP: what only lengthens weights whose length has no effect is taken from the step.

Both give the direction for a learning rate of 1.
"""

from __future__ import annotations

import math
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
    """The velocity."""

    velocity: optax.Updates


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

    def init(params: optax.Params) -> MomentsState:
        return MomentsState(jnp.zeros((), jnp.int32), zeros(params), zeros(params))

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

    return optax.GradientTransformation(init, update)


def scale_by_sgdp(
    momentum: Any,
    epsilon: Any,
    weight_decay: Any,
    delta: Any,
    wd_ratio: Any,
    *,
    nesterov: bool,
    channels: str,
    velocity: str,
) -> optax.GradientTransformation:
    """SGDP: the velocity, without what only lengthens weights whose length has no effect."""

    def init(params: optax.Params) -> VelocityState:
        return VelocityState(zeros(params))

    def update(grads: optax.Updates, state: VelocityState, params: optax.Params) -> Steps:
        gathered = jax.tree.map(lambda v, g: momentum * v + g, state.velocity, grads)

        def along(v: jax.Array, grad: jax.Array, param: jax.Array) -> jax.Array:
            step = grad + momentum * v if nesterov else v
            return _projected(step, grad, param, delta, wd_ratio, epsilon, channels)[0]

        def shrinking(grad: jax.Array, param: jax.Array) -> jax.Array:
            share = _projected(grad, grad, param, delta, wd_ratio, epsilon, channels)[1]
            return weight_decay * share / (1 - momentum) * param

        steps = jax.tree.map(along, gathered, grads, params)
        kept = steps if velocity == "projected" and not nesterov else gathered
        updates = jax.tree.map(jnp.add, steps, jax.tree.map(shrinking, grads, params))
        return updates, VelocityState(kept)

    return optax.GradientTransformation(init, update)
