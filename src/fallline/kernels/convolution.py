"""Convolution as products of matrices, in any rank and layout.

XLA's CPU convolution inside a ``lax.scan`` body falls to a naive kernel, and vmapped over runs it
becomes a slow grouped one (docs/decisions/0003). Here the shifted slices of the padded input are
one operand of a product; its gradients are JAX's own, of slices and product, to any order.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from fallline.kernels import products
from fallline.kernels.products import Narrow

Padding = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Window:
    """How a kernel passes over the spatial axes; one entry per axis."""

    strides: tuple[int, ...]
    padding: Padding
    input_dilation: tuple[int, ...]
    kernel_dilation: tuple[int, ...]
    groups: int = 1

    def padded(self, sizes: Sequence[int]) -> list[int]:
        """The sizes of the input after its dilation and padding."""
        return [
            (size - 1) * dilation + 1 + low + high
            for size, dilation, (low, high) in zip(
                sizes, self.input_dilation, self.padding, strict=True
            )
        ]

    def outputs(self, sizes: Sequence[int], taps: Sequence[int]) -> tuple[int, ...]:
        """The result's spatial sizes."""
        return tuple(
            max(0, (size - (tap - 1) * dilation - 1) // stride + 1)
            for size, tap, dilation, stride in zip(
                self.padded(sizes), taps, self.kernel_dilation, self.strides, strict=True
            )
        )


def conv_general_dilated(
    lhs: jax.Array,
    rhs: jax.Array,
    window_strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    lhs_dilation: Sequence[int] | None = None,
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers: Any = None,
    feature_group_count: int = 1,
    batch_group_count: int = 1,
    precision: Any = None,
    preferred_element_type: Any = None,
    out_sharding: Any = None,
    *,
    narrow: Narrow | None = None,
) -> jax.Array:
    """``lax.conv_general_dilated``, to rounding; ``batch_group_count`` above 1 goes to it.

    ``narrow``: how float32 operands of the product are rounded. A depthwise
    convolution is no product of matrices, and stays in its own type.
    """
    numbers = lax.conv_dimension_numbers(lhs.shape, rhs.shape, dimension_numbers)
    dilation = lhs_dilation if isinstance(padding, str) else None
    window = None
    if batch_group_count == 1 and out_sharding is None and max(dilation or (1,)) == 1:
        window = window_of(
            numbers, lhs.shape, rhs.shape, window_strides, padding, lhs_dilation, rhs_dilation
        )
        window = replace(window, groups=feature_group_count)
    x, kernel = channels_last(lhs, rhs, numbers)
    if window is None or 0 in (*lhs.shape, *window.outputs(x.shape[1:-1], kernel.shape[:-2])):
        return lax.conv_general_dilated(
            lhs,
            rhs,
            window_strides,
            padding,
            lhs_dilation,
            rhs_dilation,
            dimension_numbers,
            feature_group_count,
            batch_group_count,
            precision,
            preferred_element_type,
            out_sharding,
        )
    out = _convolve(
        x,
        kernel,
        window,
        precision=precision,
        preferred_element_type=preferred_element_type,
        narrow=narrow,
    )
    batch, features, *spatial = numbers.out_spec
    where = [batch, *spatial, features]
    return jnp.transpose(out, [where.index(axis) for axis in range(out.ndim)])


def window_of(
    numbers: lax.ConvDimensionNumbers,
    lhs_shape: Sequence[int],
    rhs_shape: Sequence[int],
    strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    lhs_dilation: Sequence[int] | None,
    rhs_dilation: Sequence[int] | None,
) -> Window:
    """The window of a convolution given as ``lax`` takes it."""
    rank = len(lhs_shape) - 2
    kernel_dilation = tuple(rhs_dilation or (1,) * rank)
    input_dilation = tuple(lhs_dilation or (1,) * rank)
    if isinstance(padding, str):
        sizes = [lhs_shape[axis] for axis in numbers.lhs_spec[2:]]
        sizes = [(size - 1) * by + 1 for size, by in zip(sizes, input_dilation, strict=True)]
        taps = [rhs_shape[axis] for axis in numbers.rhs_spec[2:]]
        reach = [(tap - 1) * by + 1 for tap, by in zip(taps, kernel_dilation, strict=True)]
        padding = lax.padtype_to_pads(sizes, reach, strides, padding)
    pairs = tuple((int(low), int(high)) for low, high in padding)
    return Window(tuple(strides), pairs, input_dilation, kernel_dilation)


def channels_last(
    lhs: jax.Array, rhs: jax.Array, numbers: lax.ConvDimensionNumbers
) -> tuple[jax.Array, jax.Array]:
    """``(batch, spatial..., channels)`` and ``(spatial..., channels, features)``."""
    batch, channels, *spatial = numbers.lhs_spec
    x = jnp.transpose(lhs, (batch, *spatial, channels))
    features, inputs, *taps = numbers.rhs_spec
    return x, jnp.transpose(rhs, (*taps, inputs, features))


def _convolve(x: jax.Array, kernel: jax.Array, window: Window, **options: Any) -> jax.Array:
    """``x`` with channels last, ``kernel`` of shape ``(taps..., channels / groups, features)``."""
    depthwise = kernel.shape[-2] == 1 and window.groups == x.shape[-1] > 1
    transposed = any(by > 1 for by in window.input_dilation)
    if transposed and not depthwise and all(by == 1 for by in window.strides):
        return _spread(x, kernel, window, **options)
    padded = lax.pad(
        x,
        jnp.zeros((), x.dtype),
        [
            (0, 0, 0),
            *(
                (low, high, by - 1)
                for (low, high), by in zip(window.padding, window.input_dilation, strict=True)
            ),
            (0, 0, 0),
        ],
    )
    slices = _slices(padded, kernel.shape[:-2], window)
    if depthwise:
        return _depthwise(slices, kernel, options["preferred_element_type"])
    return _grouped(slices, kernel, window.groups, **options)


def _slices(padded: jax.Array, taps: Sequence[int], window: Window) -> list[jax.Array]:
    """For every tap, in the kernel's order, the input that it meets: ``(batch, out..., c)``."""
    reach = [(tap - 1) * by for tap, by in zip(taps, window.kernel_dilation, strict=True)]
    sizes = padded.shape[1:-1]
    found = []
    for tap in itertools.product(*map(range, taps)):
        start = [at * by for at, by in zip(tap, window.kernel_dilation, strict=True)]
        limit = [
            max(begin, size - span + begin)
            for begin, size, span in zip(start, sizes, reach, strict=True)
        ]
        found.append(
            lax.slice(
                padded,
                (0, *start, 0),
                (padded.shape[0], *limit, padded.shape[-1]),
                (1, *window.strides, 1),
            )
        )
    return found


def _depthwise(slices: list[jax.Array], kernel: jax.Array, dtype: Any) -> jax.Array:
    """One input channel per group: sums of scaled slices, where a product would have one row."""
    channels = slices[0].shape[-1]
    weights = kernel.reshape(len(slices), channels, -1)
    if dtype is not None:
        slices, weights = [each.astype(dtype) for each in slices], weights.astype(dtype)
    total = sum(each[..., None] * weights[at] for at, each in enumerate(slices))
    return jnp.reshape(total, (*slices[0].shape[:-1], -1))


def _grouped(slices: list[jax.Array], kernel: jax.Array, groups: int, **options: Any) -> jax.Array:
    """Patches by kernel, one product per group."""
    taps, features = len(slices), kernel.shape[-1]
    if groups == 1:
        patches = slices[0] if taps == 1 else jnp.concatenate(slices, axis=-1)
        return products.matmul(patches, kernel.reshape(-1, features), **options)
    *shape, channels = slices[0].shape
    inputs = channels // groups
    split = [each.reshape(*shape, groups, inputs) for each in slices]
    patches = jnp.concatenate(split, axis=-1).reshape(math.prod(shape), groups, taps * inputs)
    weights = kernel.reshape(taps * inputs, groups, features // groups)
    out = products.dot_general(patches, weights, (((2,), (0,)), ((1,), (1,))), **options)
    return jnp.moveaxis(out, 0, 1).reshape(*shape, features)


def _spread(x: jax.Array, kernel: jax.Array, window: Window, **options: Any) -> jax.Array:
    """A dilated input (a transposed convolution): every input makes its share of the outputs.

    One product gives what every input adds for every tap; each tap's part is then laid out with
    the dilation's gaps, and the parts are summed. No product meets the gaps.
    """
    *taps, inputs, features = kernel.shape
    outputs = window.outputs(x.shape[1:-1], taps)
    count = math.prod(taps)
    slices = [x]
    weights = jnp.moveaxis(kernel.reshape(count, inputs, features), 0, -2)
    groups = window.groups
    # Within a group: (inputs, taps x features of the group).
    weights = weights.reshape(inputs, count, groups, features // groups)
    weights = jnp.moveaxis(weights, 2, 1).reshape(inputs, -1)
    parts = _grouped(slices, weights, groups, **options)
    parts = parts.reshape(*x.shape[:-1], groups, count, features // groups)
    total = None
    for at, tap in enumerate(itertools.product(*map(range, taps))):
        part = parts[..., at, :].reshape(*x.shape[:-1], features)
        layout = []
        for axis, size in enumerate(outputs):
            by = window.input_dilation[axis]
            low = window.padding[axis][0] - tap[axis] * window.kernel_dilation[axis]
            layout.append((low, size - ((x.shape[axis + 1] - 1) * by + 1) - low, by - 1))
        laid = lax.pad(part, jnp.zeros((), part.dtype), [(0, 0, 0), *layout, (0, 0, 0)])
        total = laid if total is None else total + laid
    assert total is not None
    return total
