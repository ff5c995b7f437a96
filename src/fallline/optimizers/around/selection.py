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

    Places count from the last element (1) of the last array to the first one of the first.
    """

    score: jax.Array
    place: jax.Array


def magnitudes(array: jax.Array) -> jax.Array:
    """Unsigned integers in the order of absolute values; NaN is above everything."""
    width = array.dtype.itemsize * 8
    return lax.bitcast_convert_type(jnp.abs(array), jnp.dtype(f"uint{width}"))


def lowest(scores: Scores) -> Bar:
    """The bar that every element passes."""
    return Bar(jnp.zeros((), scores[0].dtype), jnp.zeros((), jnp.uint32))


def bar(scores: Scores, count: jax.Array) -> Bar:
    """The bar that ``count`` (int32) elements pass; of equal ones the first in order."""
    score = _threshold(scores, count)
    missing = count - _sum([each > score for each in scores])
    tied = [
        jnp.where(each == score, place, 0)
        for each, place in zip(scores, _places(scores), strict=True)
    ]
    return Bar(score, _threshold(tied, missing))


def passing(scores: Scores, least: Bar) -> list[jax.Array]:
    """For every array, which of its elements pass the bar."""
    return [
        (each > least.score) | ((each == least.score) & (place >= least.place))
        for each, place in zip(scores, _places(scores), strict=True)
    ]


def largest(scores: Scores, count: jax.Array) -> list[jax.Array]:
    """For every array, which of its elements are among the ``count`` largest of them all."""
    return passing(scores, bar(scores, count))


def _sum(masks: Sequence[jax.Array]) -> jax.Array:
    zero = jnp.zeros((), jnp.int32)
    return sum((jnp.sum(mask, dtype=jnp.int32) for mask in masks), zero)


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
        enough = _sum([each >= found | bit for each in scores]) >= count
        return jnp.where(enough, found | bit, found)

    return lax.fori_loop(0, bits, with_bit, jnp.zeros((), dtype))
