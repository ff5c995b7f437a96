"""Which elements of arrays are the largest, where how many of them is known while training only.

No sorting: thresholds are found bit by bit, in as many passes as an element has bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

Scores = Sequence[jax.Array]
"""Arrays of unsigned integers, all of one dtype; larger ones go first."""


class Bar(NamedTuple):
    """What an element must reach: a score and, where the score is equal, a place.

    Places count down to 1, which the last element has. Both are scalars, for all arrays together,
    or of shape ``(arrays,)``, for each array by itself.
    """

    score: jax.Array
    place: jax.Array


def magnitudes(array: jax.Array) -> jax.Array:
    """Unsigned integers in the order of absolute values; NaN is above everything."""
    width = array.dtype.itemsize * 8
    return lax.bitcast_convert_type(jnp.abs(array), jnp.dtype(f"uint{width}"))


def lowest(scores: Scores, shape: tuple[int, ...]) -> Bar:
    """The bar that every element passes; its shape is that of the counts."""
    return Bar(jnp.zeros(shape, scores[0].dtype), jnp.zeros(shape, jnp.uint32))


def bar(scores: Scores, count: jax.Array) -> Bar:
    """The bar that ``count`` elements pass, int32; of equal ones the first in order.

    A scalar: so many of all arrays together. Shape ``(arrays,)``: so many of each.
    """
    bits, places = scores[0].dtype.itemsize * 8, sum(each.size for each in scores) + 1
    begun = lowest(scores, count.shape)
    last = bits + places.bit_length() - 1

    def with_bit(number: jax.Array, found: Bar) -> Bar:
        # Bits of the score, from the highest, then those of the place: one loop to compile.
        shifts = jnp.maximum(bits - 1 - number, 0), last - jnp.maximum(number, bits)
        of_score = jnp.where(number < bits, 1, 0), jnp.where(number < bits, 0, 1)
        probe = Bar(
            *(
                held | (one.astype(held.dtype) << shift.astype(held.dtype))
                for held, one, shift in zip(found, of_score, shifts, strict=True)
            )
        )
        enough = _sums(passing(scores, probe), count.shape) >= count
        return Bar(*(jnp.where(enough, new, old) for new, old in zip(probe, found, strict=True)))

    return lax.fori_loop(0, last + 1, with_bit, begun)


def passing(scores: Scores, least: Bar) -> list[jax.Array]:
    """For every array, which of its elements pass the bar."""
    bars = zip(_of_each(scores, least.score), _of_each(scores, least.place), strict=True)
    return [
        (one > score) | ((one == score) & (place >= last))
        for one, place, (score, last) in zip(scores, _places(scores), bars, strict=True)
    ]


def largest(scores: Scores, count: jax.Array) -> list[jax.Array]:
    """For every array, which of its elements are among the ``count`` largest: see :func:`bar`."""
    return passing(scores, bar(scores, count))


def _of_each(scores: Scores, number: jax.Array) -> list[jax.Array]:
    return [number[i] if number.ndim else number for i in range(len(scores))]


def _sums(masks: Sequence[jax.Array], shape: tuple[int, ...]) -> jax.Array:
    of_each = jnp.stack([jnp.sum(mask, dtype=jnp.int32) for mask in masks])
    return of_each if shape else jnp.sum(of_each, dtype=jnp.int32)


def _places(scores: Scores) -> list[jax.Array]:
    left = sum(each.size for each in scores)
    places = []
    for each in scores:
        index = lax.iota(jnp.uint32, each.size).reshape(each.shape)
        places.append(jnp.uint32(left) - index)
        left -= each.size
    return places
