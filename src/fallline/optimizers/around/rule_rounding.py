"""The rule of judging a network by weights of fewer bits than it is trained with."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax

from fallline.optimizers.around.rule_gradients import HoldingState
from fallline.optimizers.wrapping import Inner


def rounded(inner: Inner, **settings: Any) -> optax.GradientTransformationExtraArgs:
    """Steps as they are."""
    del settings
    rule = inner()

    def init(params: optax.Params) -> HoldingState:
        return HoldingState(rule.init(params))

    def update(
        grads: optax.Updates,
        state: HoldingState,
        params: optax.Params | None = None,
        **extra: Any,
    ) -> tuple[optax.Updates, HoldingState]:
        updates, held = rule.update(grads, state.inner, params, **extra)
        return updates, HoldingState(held)

    return optax.GradientTransformationExtraArgs(init, update)


def in_bits(tree: Any, *, bits: Any, scales: str, biases: bool) -> Any:
    """Every array as whole multiples of a step of its own, as many as so many bits tell apart.

    The multiples go from ``-(2 ** (bits - 1) - 1)`` to its opposite, at which the largest
    magnitude lies; halves go to the even one.
    """
    # Shifted, since powers of floating-point numbers need not be whole.
    whole = (1 << (jnp.round(bits).astype(jnp.int32) - 1)) - 1

    def each(array: jax.Array) -> jax.Array:
        if array.ndim < 2 and not biases:
            return array
        axes = tuple(range(array.ndim - 1)) if scales == "output" and array.ndim >= 2 else None
        most = jnp.max(jnp.abs(array), axis=axes, keepdims=True, initial=0)
        levels = whole.astype(array.dtype)
        step = jnp.where(most > 0, most, 1) / levels
        return step * jnp.clip(jnp.round(array / step), -levels, levels)

    return jax.tree.map(each, tree)


def rounded_weights(params: Any, state: HoldingState, **settings: Any) -> Any:
    """What is trained, rounded."""
    del state
    return in_bits(params, **settings)


def rounded_too(judged: Any, params: Any, state: HoldingState, **settings: Any) -> Any:
    """Averages and the like, rounded."""
    del params, state
    return in_bits(judged, **settings)
