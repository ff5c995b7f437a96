"""Products of arrays, with their operands in a narrower type where that is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax


@dataclass(frozen=True)
class Narrow:
    """The type to which float32 operands of products are rounded; sums stay float32."""

    dtype: str
    cast: bool = True
    """False where the rounded values are to be kept in float32: XLA's CPU products take only some
    layouts of bfloat16, and are no faster."""

    def round(self, x: jax.Array) -> jax.Array:
        """``x`` rounded, where it is float32."""
        if x.dtype != jnp.float32:
            return x
        if self.cast:
            return x.astype(self.dtype)
        kind = jnp.finfo(self.dtype)
        return lax.reduce_precision(x, exponent_bits=kind.nexp, mantissa_bits=kind.nmant)


Dimensions = tuple[
    tuple[Sequence[int], Sequence[int]],
    tuple[Sequence[int], Sequence[int]],
]


def dot_general(
    lhs: jax.Array,
    rhs: jax.Array,
    dimensions: Dimensions,
    *,
    precision: Any = None,
    preferred_element_type: Any = None,
    narrow: Narrow | None = None,
) -> jax.Array:
    """``lax.dot_general``; with ``narrow`` float32 operands are rounded to its type.

    Sums and results stay float32, and the products of both gradients round their operands too,
    the cotangent among them. Operands of other types are left as they are.
    """
    of_floats = lhs.dtype == rhs.dtype == jnp.float32
    if narrow is not None and of_floats and preferred_element_type in (None, jnp.float32):
        (lc, rc), (lb, rb) = dimensions
        fixed = ((tuple(lc), tuple(rc)), (tuple(lb), tuple(rb)))
        return _narrow(lhs, rhs, fixed, narrow)
    return lax.dot_general(
        lhs, rhs, dimensions, precision=precision, preferred_element_type=preferred_element_type
    )


def matmul(lhs: jax.Array, rhs: jax.Array, **options: Any) -> jax.Array:
    """The last axis of ``lhs`` with the first of ``rhs``: ``(..., k)`` by ``(k, n)``."""
    return dot_general(lhs, rhs, (((lhs.ndim - 1,), (0,)), ((), ())), **options)


@partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def _narrow(lhs: jax.Array, rhs: jax.Array, dimensions: Dimensions, narrow: Narrow) -> jax.Array:
    return lax.dot_general(
        narrow.round(lhs), narrow.round(rhs), dimensions, preferred_element_type=jnp.float32
    )


def _narrow_forward(
    lhs: jax.Array, rhs: jax.Array, dimensions: Dimensions, narrow: Narrow
) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    lhs, rhs = narrow.round(lhs), narrow.round(rhs)
    return lax.dot_general(lhs, rhs, dimensions, preferred_element_type=jnp.float32), (lhs, rhs)


def _narrow_backward(
    dimensions: Dimensions, narrow: Narrow, kept: tuple[jax.Array, jax.Array], cotangent: jax.Array
) -> tuple[jax.Array, jax.Array]:
    lhs, rhs = kept
    (lc, rc), (lb, rb) = dimensions
    slope = narrow.round(cotangent)
    batch, free = len(lb), lhs.ndim - len(lc) - len(lb)
    of_lhs = range(batch, batch + free)
    of_rhs = range(batch + free, cotangent.ndim)
    to_lhs = _gradient(slope, of_rhs, rhs, (lc, rc), (lb, rb))
    swapped = (rc, lc), (rb, lb)
    to_rhs = _gradient(slope, of_lhs, lhs, *swapped)
    return to_lhs, to_rhs


_narrow.defvjp(_narrow_forward, _narrow_backward)


def _gradient(
    cotangent: jax.Array,
    summed: Sequence[int],
    other: jax.Array,
    contracting: tuple[Sequence[int], Sequence[int]],
    batch: tuple[Sequence[int], Sequence[int]],
) -> jax.Array:
    """The gradient to one operand; the first of each pair of axes is its own, the second
    ``other``'s; ``summed`` are the cotangent's axes that came from ``other``."""
    own_contracting, other_contracting = contracting
    own_batch, other_batch = batch
    taken = {*other_contracting, *other_batch}
    free = tuple(axis for axis in range(other.ndim) if axis not in taken)
    leading = tuple(range(len(own_batch)))
    found = lax.dot_general(
        cotangent,
        other,
        ((tuple(summed), free), (leading, tuple(other_batch))),
        preferred_element_type=jnp.float32,
    )
    # Axes now: batch, the operand's own free ones, then the contracted in ``other``'s order.
    rank = found.ndim
    own_of = dict(zip(other_contracting, own_contracting, strict=True))
    last = [own_of[axis] for axis in sorted(other_contracting)]
    fixed = {*own_batch, *own_contracting}
    order = [*own_batch, *(axis for axis in range(rank) if axis not in fixed), *last]
    return jnp.transpose(found, [order.index(axis) for axis in range(rank)])
