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
    score = _threshold(scores, count)
    each = _of_each(scores, score)
    above = [one > least for one, least in zip(scores, each, strict=True)]
    tied = [
        jnp.where(one == least, place, 0)
        for one, least, place in zip(scores, each, _places(scores), strict=True)
    ]
    return Bar(score, _threshold(tied, count - _sums(above, count.shape)))


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


def _threshold(scores: Scores, count: jax.Array) -> jax.Array:
    """The largest number that at least ``count`` elements reach."""
    dtype = scores[0].dtype
    bits = dtype.itemsize * 8

    def with_bit(number: jax.Array, found: jax.Array) -> jax.Array:
        bit = jnp.asarray(1, dtype) << (bits - 1 - number).astype(dtype)
        probes = _of_each(scores, found | bit)
        reached = [one >= probe for one, probe in zip(scores, probes, strict=True)]
        return jnp.where(_sums(reached, count.shape) >= count, found | bit, found)

    return lax.fori_loop(0, bits, with_bit, jnp.zeros(count.shape, dtype))
