"""The random bits of ``jax.random``, the same to the bit, in one loop over their places.

XLA's CPU form of the generator is a loop of rounds, each of which passes all bits through memory;
a dropout mask then costs more than the layer's products. Written out, the rounds of a place stay
in registers.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from jax import lax

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = 0x1BD11BDA


def takes(key: jax.Array, bit_width: int, shape: tuple[int, ...]) -> bool:
    """Whether :func:`bits` gives what ``jax.random.bits`` gives."""
    return (
        bit_width == 32
        and jnp.shape(key) == ()
        and str(jax.random.key_impl(key)) == "threefry2x32"
        and jax.config.values["jax_threefry_partitionable"]
        and 0 < math.prod(shape) < 2**32
    )


def bits(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """``uint32`` of the shape: every place's number, encrypted with the key.

    Threefry-2x32 with 20 rounds (Salmon et al. 2011, doi:10.1145/2063384.2063405), its two words
    combined by exclusive or.
    """
    first, second = jax.random.key_data(key)
    keys = (first, second, first ^ second ^ jnp.uint32(_PARITY))
    place = jnp.zeros(shape, jnp.uint32)
    stride = 1
    for axis in reversed(range(len(shape))):
        place = place + jnp.uint32(stride) * lax.broadcasted_iota(jnp.uint32, shape, axis)
        stride *= shape[axis]
    left = jnp.broadcast_to(keys[0], shape)
    right = place + keys[1]
    for group in range(5):
        for turn in _ROTATIONS[group % 2]:
            left = left + right
            right = (right << jnp.uint32(turn)) | (right >> jnp.uint32(32 - turn))
            right = right ^ left
        left = left + keys[(group + 1) % 3]
        right = right + keys[(group + 2) % 3] + jnp.uint32(group + 1)
    return left ^ right
