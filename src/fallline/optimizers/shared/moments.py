"""Running averages of gradients, and what takes their bias towards zero away."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax


def averaged(average: optax.Updates, new: optax.Updates, decay: Any) -> optax.Updates:
    """``decay * average + (1 - decay) * new``, leaf by leaf."""
    return jax.tree.map(lambda a, n: decay * a + (1 - decay) * n, average, new)


def averaged_square(average: optax.Updates, new: optax.Updates, decay: Any) -> optax.Updates:
    """``decay * average + (1 - decay) * new²``, leaf by leaf."""
    return jax.tree.map(lambda a, n: decay * a + (1 - decay) * n * n, average, new)


def bias_correction(decay: Any, count: jax.Array) -> jax.Array:
    """``1 - decay ** count``: the weight that an average has gathered after ``count`` steps.

    By way of the logarithm, because in float32 the difference to 1 of ``0.999 ** t`` is off by up
    to 8e-6 of itself, and of ``0.9999 ** t`` by 5e-5.
    """
    return -jnp.expm1(count * jnp.log(decay))


def zeros(params: optax.Params) -> optax.Updates:
    """An average before its first gradient."""
    return jax.tree.map(jnp.zeros_like, params)


def as_float32(value: jax.Array) -> jax.Array:
    """``value`` rounded to what float32 can hold, its dtype kept."""
    if value.dtype == jnp.float64:
        return jax.lax.reduce_precision(value, exponent_bits=8, mantissa_bits=23)
    return value
