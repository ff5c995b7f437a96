"""The Euclidean norm of an array, also of one whose squares are too large for its dtype."""

from __future__ import annotations

import jax
import jax.numpy as jnp


def length(array: jax.Array, axes: tuple[int, ...] | None = None) -> jax.Array:
    """``√Σ x²`` over ``axes``, which are kept with size 1; over all axes, a scalar, without."""
    kept = axes is not None
    # Squares of 1e18 sum up to more than float32 holds from a few hundred entries on.
    largest = jnp.max(jnp.abs(array), axis=axes, keepdims=kept, initial=0.0)
    unit = jnp.where(largest > 0, largest, 1.0)
    return largest * jnp.sqrt(jnp.sum(jnp.square(array / unit), axis=axes, keepdims=kept))


def over(above: jax.Array, below: jax.Array, otherwise: float = 0.0) -> jax.Array:
    """``above / below``, and ``otherwise`` where ``below`` is not positive."""
    positive = below > 0
    return jnp.where(positive, above / jnp.where(positive, below, 1.0), otherwise)
