"""Pooling as maxima and sums of shifted slices, one axis after the other.

XLA's CPU ``reduce_window`` and its gradient are slow. Windows of any size, stride, padding and
dilation are covered, in the layout of ``lax.reduce_window``: every axis has an entry.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax


def max_pool(
    x: jax.Array,
    window_dimensions: Sequence[int],
    window_strides: Sequence[int],
    padding: Sequence[tuple[int, int]],
    base_dilation: Sequence[int] | None = None,
    window_dilation: Sequence[int] | None = None,
) -> jax.Array:
    """The maximum of every window; NaN where a window holds one.

    The gradient goes to the first maximum in reading order, as in XLA's own, torch and cuDNN:
    where background pixels tie, trainings part if the rule is another. Axis by axis, the last
    first, the first of the maxima of a row meets those of the other rows.
    """
    lowest = -np.inf if jnp.issubdtype(x.dtype, jnp.floating) else jnp.iinfo(x.dtype).min
    settings = (window_dimensions, window_strides, padding, base_dilation, window_dilation)
    return _reduced(x, lowest, _first_larger, *settings)


def sum_pool(
    x: jax.Array,
    window_dimensions: Sequence[int],
    window_strides: Sequence[int],
    padding: Sequence[tuple[int, int]],
    base_dilation: Sequence[int] | None = None,
    window_dilation: Sequence[int] | None = None,
) -> jax.Array:
    """The sum of every window."""
    settings = (window_dimensions, window_strides, padding, base_dilation, window_dilation)
    return _reduced(x, 0, jnp.add, *settings)


def _reduced(
    x: jax.Array,
    identity: float,
    combine: Callable[[jax.Array, jax.Array], jax.Array],
    dimensions: Sequence[int],
    strides: Sequence[int],
    padding: Sequence[tuple[int, int]],
    base_dilation: Sequence[int] | None,
    window_dilation: Sequence[int] | None,
) -> jax.Array:
    base = base_dilation or (1,) * x.ndim
    dilation = window_dilation or (1,) * x.ndim
    layout = [(low, high, by - 1) for (low, high), by in zip(padding, base, strict=True)]
    if any(layout_of != (0, 0, 0) for layout_of in layout):
        x = lax.pad(x, jnp.asarray(identity, x.dtype), layout)
    for axis in reversed(range(x.ndim)):
        taps, stride, by = dimensions[axis], strides[axis], dilation[axis]
        if taps == 1 and stride == 1:
            continue
        if combine is jnp.add and taps == x.shape[axis] and by == 1:
            x = jnp.sum(x, axis=axis, keepdims=True)
            continue
        count = (x.shape[axis] - (taps - 1) * by - 1) // stride + 1
        slices = [
            lax.slice_in_dim(x, at * by, at * by + (count - 1) * stride + 1, stride, axis)
            for at in range(taps)
        ]
        x = _folded(slices, combine)
    return x


def _folded(
    slices: list[jax.Array], combine: Callable[[jax.Array, jax.Array], jax.Array]
) -> jax.Array:
    """``slices`` combined in order, in pairs, so that the chain of operations stays short."""
    while len(slices) > 1:
        pairs = [slices[at : at + 2] for at in range(0, len(slices), 2)]
        slices = [combine(*pair) if len(pair) == 2 else pair[0] for pair in pairs]
    return slices[0]


def _first_larger(first: jax.Array, second: jax.Array) -> jax.Array:
    if not jnp.issubdtype(first.dtype, jnp.floating):
        return jnp.where(first >= second, first, second)
    return jnp.where((first >= second) | (first != first), first, second)
