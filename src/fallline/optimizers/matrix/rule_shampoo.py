"""Shampoo: a matrix's gradient between the inverse roots of its rows' and columns' products."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from fallline.optimizers.shared.leaves import as_matrix, is_matrix, leaf_by_leaf, scaled, tamed


class Side(NamedTuple):
    """One side of a matrix, of length n: its sum of products without ε I, and the inverse root.

    Of shape (n, n); a side that is too long, or a vector, has the diagonal alone, of shape (n,),
    and no root that is kept: ().
    """

    products: jax.Array
    root: Any


def inverse_root(products: jax.Array, epsilon: Any, power: float) -> jax.Array:
    """``(ε I + products)`` to the power ``-power``."""
    unit, size = scaled(products)
    values, vectors = jnp.linalg.eigh(unit)
    # A value of 0 is rounding, of either sign: ε joins it after that is cut off. Where even ε is
    # below rounding, that is the least that there can be.
    values = jnp.maximum(values, 0.0) + epsilon / size
    values = jnp.maximum(values, jnp.finfo(products.dtype).eps)
    return (vectors * (values**-power * size**-power)) @ vectors.T


def scale_by_shampoo(
    epsilon: Any, *, every: int, largest: int, vectors: str
) -> optax.GradientTransformationExtraArgs:
    """Shampoo (Gupta et al. 2018, algorithms 1 and 2) for a learning rate of 1.

    A tensor of order k has roots of power 1/(2k): 1/4 for a matrix, 1/2 for a vector. Roots of
    whole sides are taken anew in each of the first ``every`` steps, then in every such one.
    """

    def start(length: int, dtype: Any, whole: bool) -> Side:
        if whole and 0 < length <= largest:
            return Side(jnp.zeros((length, length), dtype), jnp.eye(length, dtype=dtype))
        return Side(jnp.zeros((length,), dtype), ())

    def begin(leaf: jax.Array) -> tuple[Side, ...]:
        if is_matrix(leaf):
            return tuple(start(each, leaf.dtype, True) for each in as_matrix(leaf).shape)
        return (start(leaf.size, leaf.dtype, vectors == "full"),)

    def gathered(side: Side, rows: jax.Array, power: float, due: jax.Array) -> Side:
        """The side with one more gradient, ``rows`` of shape (n, anything)."""
        if side.products.ndim == 1:
            return side._replace(products=side.products + jnp.sum(rows * rows, axis=1))
        products = side.products + rows @ rows.T
        root = jax.lax.cond(due, lambda: inverse_root(products, epsilon, power), lambda: side.root)
        return Side(products, root)

    def applied(side: Side, rows: jax.Array, power: float) -> jax.Array:
        if side.products.ndim == 1:
            return rows * (side.products[:, None] + epsilon) ** -power
        return side.root @ rows

    def step(
        grad: jax.Array, kept: tuple[Side, ...], param: jax.Array, count: jax.Array
    ) -> tuple[jax.Array, tuple[Side, ...]]:
        del param
        # Old roots are dangerous while every gradient still has a new direction, which they would
        # magnify by the root of 1/ε.
        due = (count <= every) | ((count - 1) % every == 0)
        safe = tamed(grad)
        matrix = as_matrix(safe) if is_matrix(grad) else safe.reshape(-1, 1)
        power = 0.5 / len(kept)
        sides = tuple(
            gathered(side, rows, power, due)
            for side, rows in zip(kept, (matrix, matrix.T), strict=False)
        )
        for side in sides:
            matrix = applied(side, matrix, power).T
        # Turned over once per side: a vector, which has one, is a column again by its reshaping.
        return matrix.reshape(grad.shape), sides

    return leaf_by_leaf(begin, step)
