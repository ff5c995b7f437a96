"""Convolution and pooling as slices and one matrix product: fast inside a scan on the CPU.

XLA's CPU convolution inside a ``lax.scan`` body falls to a naive kernel, up to 60 times slower
than a product over patches (docs/decisions/0003). The functions here have the numbers of
``lax.conv_general_dilated`` and ``lax.reduce_window``; what the fast form does not cover goes to
them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax


def conv_general_dilated(
    lhs: jax.Array,
    rhs: jax.Array,
    window_strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    lhs_dilation: Sequence[int] | None = None,
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers: Any = None,
    feature_group_count: int = 1,
    **options: Any,
) -> jax.Array:
    """A stand-in for ``lax.conv_general_dilated``, to be injected into Flax's ``Conv``.

    ``lhs`` has shape ``(batch, height, width, channels)``, ``rhs`` ``(height, width, channels,
    features)``; the result has shape ``(batch, height, width, features)``. Other layouts, dilated
    inputs and grouped convolutions take XLA's own convolution.
    """
    dimensions = lax.conv_dimension_numbers(lhs.shape, rhs.shape, dimension_numbers)
    channels_last = dimensions == ((0, 3, 1, 2), (3, 2, 0, 1), (0, 3, 1, 2))
    dilated_input = lhs_dilation is not None and any(d != 1 for d in lhs_dilation)
    if not channels_last or dilated_input or feature_group_count != 1:
        return lax.conv_general_dilated(
            lhs,
            rhs,
            window_strides,
            padding,
            lhs_dilation=lhs_dilation,
            rhs_dilation=rhs_dilation,
            dimension_numbers=dimension_numbers,
            feature_group_count=feature_group_count,
            **options,
        )
    dilation = tuple(rhs_dilation or (1, 1))
    taps = rhs.shape[:2]
    reach = [(taps[axis] - 1) * dilation[axis] + 1 for axis in range(2)]
    if isinstance(padding, str):
        padding = lax.padtype_to_pads(lhs.shape[1:3], reach, window_strides, padding)
    padded = jnp.pad(lhs, ((0, 0), tuple(padding[0]), tuple(padding[1]), (0, 0)))
    patches = _patches(padded, taps, reach, tuple(window_strides), dilation)
    kernel = rhs.reshape(-1, rhs.shape[-1])
    return lax.dot_general(
        patches, kernel, (((3,), (0,)), ((), ())), precision=options.get("precision")
    )


def _patches(
    padded: jax.Array,
    taps: Sequence[int],
    reach: Sequence[int],
    strides: Sequence[int],
    dilation: Sequence[int],
) -> jax.Array:
    """Shape ``(batch, out height, out width, taps x channels)``, in the kernel's own order."""
    batch, height, width, channels = padded.shape
    last = [size - span for size, span in zip((height, width), reach, strict=True)]
    slices = [
        lax.slice(
            padded,
            (0, row * dilation[0], column * dilation[1], 0),
            (batch, row * dilation[0] + last[0] + 1, column * dilation[1] + last[1] + 1, channels),
            (1, strides[0], strides[1], 1),
        )
        for row in range(taps[0])
        for column in range(taps[1])
    ]
    return jnp.concatenate(slices, axis=3)


def max_pool_2x2(x: jax.Array) -> jax.Array:
    """Maximum over windows of 2 x 2, stride 2; an odd last row or column is left out.

    ``x`` has shape ``(batch, height, width, channels)``. Where values tie the gradient goes to the
    first of them in reading order, as in torch and cuDNN.
    """
    height, width = x.shape[1] // 2 * 2, x.shape[2] // 2 * 2
    corners = [x[:, row:height:2, column:width:2] for row in (0, 1) for column in (0, 1)]
    top, bottom = _first_larger(*corners[:2]), _first_larger(*corners[2:])
    return _first_larger(top, bottom)


def _first_larger(first: jax.Array, second: jax.Array) -> jax.Array:
    return jnp.where(first >= second, first, second)
