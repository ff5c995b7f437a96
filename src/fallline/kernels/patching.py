"""The patches of a convolution of stride 1 on part of a batch, and products with them.

Two forms. Rows: every output place has a row of ``taps x channels`` values. Columns, where few
channels make such rows slow to gather and a pool follows: every *window* of the pool has the
``(taps + 1)^2`` places that its four outputs see, one matrix gives all four side by side, and the
values of one tap for all windows lie together.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import jax
import jax.numpy as jnp
from jax import lax

from fallline.kernels.products import Narrow

FEW_CHANNELS = 8
"""Up to which the columns form is used: their runs of neighbouring values are too short to copy."""
CORNERS = ((0, 0), (0, 1), (1, 0), (1, 1))


@dataclass(frozen=True)
class Geometry:
    """Sizes of a convolution of stride 1: what is read, what is computed, what comes out."""

    batch: int
    input: tuple[int, int, int]
    """Height, width, channels."""
    taps: tuple[int, int]
    features: int
    low: tuple[int, int]
    """Padding before the first row and column."""
    places: tuple[int, int]
    """The outputs of the convolution that are computed."""
    pooled: bool

    @classmethod
    def of(
        cls,
        x: Sequence[int],
        kernel: Sequence[int],
        padding: Sequence[tuple[int, int]],
        *,
        pooled: bool,
        whole: bool,
    ) -> Geometry:
        """``whole``: also what the pool leaves out, an odd last row or column, is computed."""
        places = [
            size + sum(pair) - tap + 1
            for size, pair, tap in zip(x[1:3], padding, kernel[:2], strict=True)
        ]
        if pooled and not whole:
            places = [place // 2 * 2 for place in places]
        return cls(
            x[0],
            (x[1], x[2], x[3]),
            (kernel[0], kernel[1]),
            kernel[3],
            (padding[0][0], padding[1][0]),
            (places[0], places[1]),
            pooled,
        )

    @property
    def depth(self) -> int:
        """Values that an output is made of."""
        return self.taps[0] * self.taps[1] * self.input[2]

    @property
    def windows(self) -> tuple[int, int]:
        """The pool's outputs."""
        return self.places[0] // 2, self.places[1] // 2

    @property
    def result(self) -> tuple[int, int, int]:
        """The shape of one image's result."""
        height, width = self.windows if self.pooled else self.places
        return height, width, self.features

    def padded(self, x: jax.Array) -> jax.Array:
        """The part of the padded input that the computed places see."""
        layout = [(0, 0, 0)]
        for axis in range(2):
            size = self.places[axis] + self.taps[axis] - 1
            layout.append((self.low[axis], size - self.low[axis] - self.input[axis], 0))
        if all(each == (0, 0, 0) for each in layout):
            return x
        return lax.pad(x, jnp.zeros((), x.dtype), [*layout, (0, 0, 0)])


class Patches(Protocol):
    """One form of patches. ``columns`` and ``slopes`` are in the form's own order.

    ``slopes``, the gradient to the convolution's outputs, is a list of arrays with the features
    last: XLA's loops over one are vectorised.
    """

    @property
    def geometry(self) -> Geometry: ...
    @property
    def bytes_per_image(self) -> int: ...
    def matrix(self, kernel: jax.Array) -> jax.Array: ...
    def to_kernel(self, to_matrix: jax.Array) -> jax.Array: ...
    def bias(self, bias: jax.Array) -> jax.Array: ...
    def of(self, x: jax.Array) -> jax.Array: ...
    def product(self, columns: jax.Array, matrix: jax.Array) -> jax.Array: ...
    def convolved(self, x: jax.Array, matrix: jax.Array) -> jax.Array: ...
    def to_matrix(self, columns: jax.Array, slopes: list[jax.Array]) -> jax.Array: ...
    def to_bias(self, slopes: list[jax.Array]) -> jax.Array: ...
    def to_input(self, slopes: list[jax.Array], matrix: jax.Array, x: jax.Array) -> jax.Array: ...
    def corners(self, a: jax.Array) -> list[jax.Array]: ...
    def total(self, a: jax.Array) -> jax.Array: ...
    def scattered(self, slope: jax.Array, codes: jax.Array) -> list[jax.Array]: ...
    def apart(self, a: jax.Array) -> list[jax.Array]: ...


def chosen(geometry: Geometry, narrow: Narrow | None) -> Patches:
    """The form that suits the sizes."""
    even = all(place % 2 == 0 for place in geometry.places)
    if geometry.pooled and even and geometry.input[2] <= FEW_CHANNELS:
        return Columns(geometry, narrow)
    return Rows(geometry, narrow)


def _dot(lhs: jax.Array, rhs: jax.Array, axes: tuple[int, int], narrow: Narrow | None) -> jax.Array:
    """A product of two matrices over one axis of each, its operands rounded by ``narrow``."""
    result = None
    if narrow is not None and lhs.dtype == jnp.float32:
        lhs, rhs, result = narrow.round(lhs), narrow.round(rhs), jnp.float32
    dimensions = (((axes[0],), (axes[1],)), ((), ()))
    return lax.dot_general(lhs, rhs, dimensions, preferred_element_type=result)


@dataclass(frozen=True)
class Rows:
    """A row per output place: ``(images x places, taps x channels)``."""

    geometry: Geometry
    narrow: Narrow | None

    @property
    def bytes_per_image(self) -> int:
        """Patches twice (on the way back their gradient too), activations and slopes."""
        places = math.prod(self.geometry.places)
        return 4 * places * (2 * self.geometry.depth + 3 * self.geometry.features)

    def matrix(self, kernel: jax.Array) -> jax.Array:
        return kernel.reshape(-1, kernel.shape[-1])

    def to_kernel(self, to_matrix: jax.Array) -> jax.Array:
        shape = (*self.geometry.taps, self.geometry.input[2], self.geometry.features)
        return to_matrix.reshape(shape)

    def _patches(self, x: jax.Array) -> jax.Array:
        padded = self.geometry.padded(x)
        height, width = self.geometry.places
        slices = [
            padded[:, row : row + height, column : column + width]
            for row in range(self.geometry.taps[0])
            for column in range(self.geometry.taps[1])
        ]
        return jnp.concatenate(slices, axis=-1)

    def of(self, x: jax.Array) -> jax.Array:
        return self._patches(x).reshape(-1, self.geometry.depth)

    def bias(self, bias: jax.Array) -> jax.Array:
        return bias

    def product(self, columns: jax.Array, matrix: jax.Array) -> jax.Array:
        out = _dot(columns, matrix, (1, 0), self.narrow)
        return out.reshape(-1, *self.geometry.places, self.geometry.features)

    def convolved(self, x: jax.Array, matrix: jax.Array) -> jax.Array:
        return self.product(self.of(x), matrix)

    def to_matrix(self, columns: jax.Array, slopes: list[jax.Array]) -> jax.Array:
        flat = slopes[0].reshape(-1, self.geometry.features)
        return _dot(columns, flat, (0, 0), self.narrow)

    def to_bias(self, slopes: list[jax.Array]) -> jax.Array:
        return jnp.sum(slopes[0].reshape(-1, self.geometry.features), 0)

    def to_input(self, slopes: list[jax.Array], matrix: jax.Array, x: jax.Array) -> jax.Array:
        flat = slopes[0].reshape(-1, self.geometry.features)
        columns = _dot(flat, matrix, (1, 1), self.narrow)
        shape = (x.shape[0], *self.geometry.places, self.geometry.depth)
        (found,) = jax.linear_transpose(self._patches, x)(columns.reshape(shape))
        return found

    def corners(self, a: jax.Array) -> list[jax.Array]:
        height, width = (2 * size for size in self.geometry.windows)
        return [a[:, row:height:2, column:width:2] for row, column in CORNERS]

    def total(self, a: jax.Array) -> jax.Array:
        return jnp.sum(a, (0, 1, 2))

    def scattered(self, slope: jax.Array, codes: jax.Array) -> list[jax.Array]:
        images, (height, width), features = slope.shape[0], self.geometry.windows, slope.shape[-1]
        places = jnp.arange(4, dtype=jnp.uint8).reshape(1, 1, 2, 1, 2, 1)
        spread = jnp.where(
            codes[:, :, None, :, None] == places,
            slope[:, :, None, :, None],
            jnp.zeros((), slope.dtype),
        )
        spread = spread.reshape(images, 2 * height, 2 * width, features)
        rest = [
            place - size
            for place, size in zip(self.geometry.places, spread.shape[1:], strict=False)
        ]
        return [jnp.pad(spread, ((0, 0), (0, rest[0]), (0, rest[1]), (0, 0)))]

    def apart(self, a: jax.Array) -> list[jax.Array]:
        return [a]


@dataclass(frozen=True)
class Columns:
    """The values of every tap, for all windows: ``((taps + 1)^2 x channels, images x windows)``."""

    geometry: Geometry
    narrow: Narrow | None

    @property
    def _taps(self) -> tuple[int, int]:
        return self.geometry.taps[0] + 1, self.geometry.taps[1] + 1

    @property
    def bytes_per_image(self) -> int:
        """Patches (on the way back their gradient too), and four activations and slopes each."""
        windows = math.prod(self.geometry.windows)
        depth = math.prod(self._taps) * self.geometry.input[2]
        return 4 * windows * (2 * depth + 12 * self.geometry.features)

    def matrix(self, kernel: jax.Array) -> jax.Array:
        """``((taps + 1)^2 x channels, 4 x features)``: the kernel at the window's four places."""
        moved = [
            jnp.pad(kernel, ((row, 1 - row), (column, 1 - column), (0, 0), (0, 0)))
            for row, column in CORNERS
        ]
        return jnp.stack(moved, axis=3).reshape(-1, 4 * kernel.shape[-1])

    def to_kernel(self, to_matrix: jax.Array) -> jax.Array:
        rows, columns = self.geometry.taps
        wide = to_matrix.reshape(*self._taps, self.geometry.input[2], 4, self.geometry.features)
        parts = [
            wide[row : row + rows, column : column + columns, :, at]
            for at, (row, column) in enumerate(CORNERS)
        ]
        return parts[0] + parts[1] + parts[2] + parts[3]

    def _patches(self, x: jax.Array) -> jax.Array:
        planes = jnp.moveaxis(self.geometry.padded(x), -1, 0)
        height, width = (2 * size - 1 for size in self.geometry.windows)
        slices = [
            planes[:, :, row : row + height : 2, column : column + width : 2]
            for row in range(self._taps[0])
            for column in range(self._taps[1])
        ]
        return jnp.concatenate(slices, axis=0)

    def of(self, x: jax.Array) -> jax.Array:
        columns = self._patches(x)
        return columns.reshape(columns.shape[0], -1)

    def bias(self, bias: jax.Array) -> jax.Array:
        return jnp.tile(bias, 4)

    def product(self, columns: jax.Array, matrix: jax.Array) -> jax.Array:
        out = _dot(columns, matrix, (0, 0), self.narrow)
        return out.reshape(-1, *self.geometry.windows, 4 * self.geometry.features)

    def convolved(self, x: jax.Array, matrix: jax.Array) -> jax.Array:
        return self.product(self.of(x), matrix)

    def to_matrix(self, columns: jax.Array, slopes: list[jax.Array]) -> jax.Array:
        # A product for each place: side by side, the selections would not be vectorised.
        parts = [
            _dot(columns, each.reshape(-1, self.geometry.features), (1, 0), self.narrow)
            for each in slopes
        ]
        return jnp.concatenate(parts, axis=-1)

    def to_bias(self, slopes: list[jax.Array]) -> jax.Array:
        parts = [jnp.sum(each.reshape(-1, self.geometry.features), 0) for each in slopes]
        return parts[0] + parts[1] + parts[2] + parts[3]

    def to_input(self, slopes: list[jax.Array], matrix: jax.Array, x: jax.Array) -> jax.Array:
        flat = jnp.stack(slopes, axis=-2).reshape(-1, 4 * self.geometry.features)
        columns = _dot(matrix, flat, (1, 1), self.narrow)
        shape = (columns.shape[0], x.shape[0], *self.geometry.windows)
        (found,) = jax.linear_transpose(self._patches, x)(columns.reshape(shape))
        return found

    def corners(self, a: jax.Array) -> list[jax.Array]:
        return jnp.split(a, 4, axis=-1)

    def total(self, a: jax.Array) -> jax.Array:
        return jnp.sum(jnp.sum(a, (0, 1, 2)).reshape(4, -1), 0)

    def scattered(self, slope: jax.Array, codes: jax.Array) -> list[jax.Array]:
        zero = jnp.zeros((), slope.dtype)
        return [jnp.where(codes == jnp.uint8(at), slope, zero) for at in range(4)]

    def apart(self, a: jax.Array) -> list[jax.Array]:
        return self.corners(a)
