"""Gradient descent that looks back, adds noise, or takes the length of its step from the loss."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from fallline.optimizers.shared.moments import zeros

Steps = tuple[optax.Updates, Any]
"""The updates, and the state after them."""


class LastState(NamedTuple):
    """Steps taken (int32), and the last gradient."""

    steps: jax.Array
    last: optax.Updates


class StepsState(NamedTuple):
    """Steps taken (int32)."""

    steps: jax.Array


def scale_by_optimism(alpha: Any, beta: Any) -> optax.GradientTransformation:
    """``(a + b) g - b g'``, with ``g'`` the last gradient; at first it is ``g``.

    Optax has the same rule with a boolean in its state, which an average or a checkpoint of the
    state in the parameters' dtype cannot hold.
    """

    def init(params: optax.Params) -> LastState:
        return LastState(jnp.zeros((), jnp.int32), zeros(params))

    def update(grads: optax.Updates, state: LastState, params: optax.Params | None = None) -> Steps:
        del params
        begins = state.steps == 0
        updates = jax.tree.map(
            lambda g, last: alpha * g + beta * jnp.where(begins, 0.0, g - last), grads, state.last
        )
        return updates, LastState(state.steps + 1, grads)

    return optax.GradientTransformation(init, update)


def with_noise(eta: Any, gamma: Any) -> optax.GradientTransformationExtraArgs:
    """The gradient and normal noise of variance ``η / t^γ``, from the ``key`` of the step."""

    def init(params: optax.Params) -> StepsState:
        del params
        return StepsState(jnp.zeros((), jnp.int32))

    def update(
        grads: optax.Updates,
        state: StepsState,
        params: optax.Params | None = None,
        *,
        key: jax.Array,
        **extra: Any,
    ) -> Steps:
        del params, extra
        count = state.steps + 1
        deviation = jnp.sqrt(eta / count**gamma)
        leaves, structure = jax.tree.flatten(grads)
        keys = jax.random.split(key, len(leaves))
        noisy = [
            leaf + deviation * jax.random.normal(each, leaf.shape, leaf.dtype)
            for leaf, each in zip(leaves, keys, strict=True)
        ]
        return jax.tree.unflatten(structure, noisy), StepsState(count)

    return optax.GradientTransformationExtraArgs(init, update)


def polyak_step(
    longest: Any, c: Any, f_min: Any, epsilon: Any, *, variant: str
) -> optax.GradientTransformationExtraArgs:
    """The whole step down to where the slope would meet ``f_min``, from the ``value`` of the loss.

    Optax's rule upcasts float32 where float64 is enabled, and its ``scaling`` divides the step.
    """

    def init(params: optax.Params) -> optax.EmptyState:
        del params
        return optax.EmptyState()

    def update(
        grads: optax.Updates,
        state: optax.EmptyState,
        params: optax.Params | None = None,
        *,
        value: jax.Array,
        **extra: Any,
    ) -> Steps:
        del params, extra
        squared = sum(jnp.sum(jnp.square(leaf)) for leaf in jax.tree.leaves(grads))
        gap = jnp.asarray(value, jnp.result_type(longest)) - f_min
        if variant == "sps+":
            gap = jnp.maximum(gap, 0.0)
        moves = squared > 0
        below = jnp.where(moves, c * squared + epsilon, 1.0)
        step = jnp.where(moves, jnp.minimum(gap / below, longest), 0.0)
        return jax.tree.map(lambda g: -step * g, grads), state

    return optax.GradientTransformationExtraArgs(init, update)
