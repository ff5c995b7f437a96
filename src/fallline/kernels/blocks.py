"""A convolution with what follows it, in parts of a batch that stay in the core's cache.

Whole-batch patches and activations are as large as main memory is slow. A block passes a few
images at a time through convolution, bias, ReLU and 2 x 2 max-pool, forward in one loop and
backward in another; it keeps its input and one byte per pooled value, and makes the patches again.
Batch normalisation between ReLU and pool needs sums over the batch, which the same loop makes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_derivatives import SymbolicZero

from fallline.kernels import patching
from fallline.kernels.patching import Geometry, Patches
from fallline.kernels.products import Narrow

CACHE = 2 << 20
"""Bytes that a part of the batch may take: half of a core's L2 cache of 2 MB, or all of 1 MB."""
CHEAP = 64
"""Taps x channels up to which a convolution is made again rather than read back from memory."""

DEAD = 4
"""The code of a window that passes no gradient; 0 to 3 are the places in reading order."""


@dataclass(frozen=True)
class Block:
    """What a block does after its convolution of stride 1, and how it computes."""

    padding: tuple[tuple[int, int], tuple[int, int]]
    relu: bool = True
    pooled: bool = True
    signed: bool = False
    """The pool chooses by ``sign`` times value."""
    summed: bool = False
    """Sums and sums of squares of what goes into the pool are wanted: batch normalisation."""
    narrow: Narrow | None = None


class Results(NamedTuple):
    """``values``: ``(batch, height, width, features)``; sums over all but the features, or None."""

    values: jax.Array
    sums: jax.Array | None
    squares: jax.Array | None


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def block(how: Block, x: jax.Array, kernel: jax.Array, bias: jax.Array, sign: jax.Array) -> Results:
    """The block's results for ``x`` of shape ``(batch, height, width, channels)``.

    ``kernel``: ``(taps, taps, channels, features)``; ``bias``: ``(features,)``.

    ``sign``, one per feature: a pooled value is the one of its window that is largest after
    multiplication with it, the first where several are. A following normalisation by a negative
    scale makes maxima of minima; its gradient is zero.
    """
    return _forward(how, x, kernel, bias, sign)[0]


def _make(how: Block, x_shape: tuple[int, ...], kernel_shape: tuple[int, ...]) -> Patches:
    geometry = Geometry.of(x_shape, kernel_shape, how.padding, pooled=how.pooled, whole=how.summed)
    return patching.chosen(geometry, how.narrow)


def _keeps(how: Block, patches: Patches) -> bool:
    """Whether the activations are kept for the way back."""
    if how.summed:
        return patches.geometry.depth > CHEAP
    return how.relu and not how.pooled


def _forward(
    how: Block, x: jax.Array, kernel: jax.Array, bias: jax.Array, sign: jax.Array
) -> tuple[Results, jax.Array | None, jax.Array | None]:
    """The results, the codes of the pooled values, and the activations where they are kept."""
    patches = _make(how, x.shape, kernel.shape)
    keeps = _keeps(how, patches)
    matrix = patches.matrix(kernel)

    def part(sums: Any, x: jax.Array) -> tuple[Any, Any]:
        a = patches.convolved(x, matrix) + patches.bias(bias)
        if how.relu and (how.signed or how.summed or not how.pooled):
            a = jnp.maximum(a, 0)
        if how.summed:
            sums = (sums[0] + patches.total(a), sums[1] + patches.total(a * a))
        if not how.pooled:
            return sums, (a, None, None)
        values, codes = _pooled(patches.corners(a), sign if how.signed else None)
        if how.relu and not how.summed:
            codes = jnp.where(values > 0, codes, jnp.uint8(DEAD))
            values = jnp.maximum(values, 0)
        return sums, (values, codes, a if keeps else None)

    zero = jnp.zeros(kernel.shape[-1:], x.dtype)
    sums, (values, codes, kept) = _over_parts(
        patches, part, (zero, zero) if how.summed else None, x
    )
    if keeps and not how.pooled:
        kept = values
    return Results(values, *(sums or (None, None))), codes, kept


def _pooled(corners: list[jax.Array], sign: jax.Array | None) -> tuple[jax.Array, jax.Array]:
    """The chosen value of each window, and its place; NaN wins where there is no sign."""
    best = corners[0]
    codes = jnp.zeros(best.shape, jnp.uint8)
    for place, other in enumerate(corners[1:], 1):
        if sign is None:
            larger = other > best
            codes = jnp.where(larger, jnp.uint8(place), codes)
            best = jnp.maximum(best, other)
        else:
            larger = sign * other > sign * best
            codes = jnp.where(larger, jnp.uint8(place), codes)
            best = jnp.where(larger, other, best)
    return best, codes


def _over_parts(
    patches: Patches,
    part: Callable[[Any, Any], tuple[Any, Any]],
    start: Any,
    arrays: Any,
) -> tuple[Any, Any]:
    """``lax.scan`` of ``part`` over parts of the batch, results laid together again.

    The last part is smaller where the batch cannot be cut evenly.
    """
    batch = patches.geometry.batch
    size = part_size(batch, patches.bytes_per_image)
    count = batch // size
    if count == 1 and size == batch:
        return part(start, arrays)
    cut = jax.tree.map(lambda a: a[: count * size].reshape(count, size, *a.shape[1:]), arrays)
    carry, found = lax.scan(part, start, cut)
    found = jax.tree.map(lambda a: a.reshape(-1, *a.shape[2:]), found)
    if count * size == batch:
        return carry, found
    carry, last = part(carry, jax.tree.map(lambda a: a[count * size :], arrays))
    return carry, jax.tree.map(lambda *pair: jnp.concatenate(pair), found, last)


def part_size(batch: int, bytes_per_image: int) -> int:
    """Images in a part: as many as the cache holds, fewer where that cuts the batch evenly."""
    most = max(1, min(batch, CACHE // max(1, bytes_per_image)))
    even = max(size for size in range(1, most + 1) if batch % size == 0)
    return even if 2 * even > most else most


# -- the way back ------------------------------------------------------------------------------


def _forward_rule(how: Block, x: Any, kernel: Any, bias: Any, sign: Any) -> tuple[Results, Any]:
    values = (x.value, kernel.value, bias.value, sign.value)
    results, codes, kept = _forward(how, *values)
    # Whether the input's gradient is wanted is known here: its absence is a residual's absence.
    wanted = jnp.zeros(()) if x.perturbed else None
    return results, (*values[:3], codes, kept, wanted)


def _backward_rule(how: Block, residuals: Any, cotangents: Results) -> tuple[Any, ...]:
    x, kernel, bias, codes, kept, wanted = residuals
    patches = _make(how, x.shape, kernel.shape)
    geometry = patches.geometry
    matrix = patches.matrix(kernel)
    to_values = _dense(cotangents.values, (geometry.batch, *geometry.result), x.dtype)
    features = kernel.shape[-1:]
    to_sums = _dense(cotangents.sums, features, x.dtype) if how.summed else None
    to_squares = _dense(cotangents.squares, features, x.dtype) if how.summed else None

    def through(slope: jax.Array, a: jax.Array) -> jax.Array:
        """The gradient behind the sums and the ReLU, whose results are ``a``."""
        if to_sums is not None and to_squares is not None:
            slope = slope + to_sums + 2 * to_squares * a
        return jnp.where(a > 0, slope, 0) if how.relu else slope

    def part(sums: Any, arrays: Any) -> tuple[Any, Any]:
        x, slope, codes, a = arrays
        slopes = patches.scattered(slope, codes) if how.pooled else [slope]
        columns = patches.of(x)
        if how.summed and a is None:
            a = patches.product(columns, matrix) + patches.bias(bias)
            a = jnp.maximum(a, 0) if how.relu else a
        if a is not None:
            pairs = zip(slopes, patches.apart(a), strict=True)
            slopes = [through(slope, a) for slope, a in pairs]
        to_matrix = sums[0] + patches.to_matrix(columns, slopes)
        to_bias = sums[1] + patches.to_bias(slopes)
        to_x = None if wanted is None else patches.to_input(slopes, matrix, x)
        return (to_matrix, to_bias), to_x

    start = (jnp.zeros(matrix.shape, x.dtype), jnp.zeros(features, x.dtype))
    (to_matrix, to_bias), to_x = _over_parts(patches, part, start, (x, to_values, codes, kept))
    return to_x, patches.to_kernel(to_matrix), to_bias, jnp.zeros(features, x.dtype)


def _dense(cotangent: Any, shape: tuple[int, ...], dtype: Any) -> jax.Array:
    return jnp.zeros(shape, dtype) if isinstance(cotangent, SymbolicZero) else cotangent


block.defvjp(_forward_rule, _backward_rule, symbolic_zeros=True)
