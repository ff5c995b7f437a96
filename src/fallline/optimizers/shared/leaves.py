"""Rules that treat every array of the parameters by itself, and arrays as the matrices they are.

A kernel of shape (in, out) is a matrix; that of a convolution, (height, width, in, out), is one of
shape (height · width · in, out). Vectors, scalars and empty arrays are no matrices.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from fallline.optimizers.shared.lengths import length


class LeavesState(NamedTuple):
    """Steps taken (int32), and what a rule keeps for each array, in the order of the arrays."""

    steps: jax.Array
    leaves: tuple[Any, ...]


Begin = Callable[[jax.Array], Any]
"""From an array of the parameters to what is kept for it."""
Step = Callable[[jax.Array, Any, jax.Array, jax.Array], tuple[jax.Array, Any]]
"""From gradient, what is kept, the parameters and the number of the step (from 1, int32) to the
update and what is kept then."""


def leaf_by_leaf(begin: Begin, step: Step) -> optax.GradientTransformationExtraArgs:
    """The rule that starts each array with ``begin`` and moves it by ``step``."""

    def init(params: optax.Params) -> LeavesState:
        kept = tuple(begin(leaf) for leaf in jax.tree.leaves(params))
        return LeavesState(jnp.zeros((), jnp.int32), kept)

    def update(
        grads: optax.Updates,
        state: LeavesState,
        params: optax.Params | None = None,
        **extra: Any,
    ) -> tuple[optax.Updates, LeavesState]:
        del extra
        count = state.steps + 1
        gradients, tree = jax.tree.flatten(grads)
        each = zip(gradients, state.leaves, jax.tree.leaves(params), strict=True)
        moved = [step(grad, kept, param, count) for grad, kept, param in each]
        updates = jax.tree.unflatten(tree, [one for one, _ in moved])
        return updates, LeavesState(count, tuple(kept for _, kept in moved))

    return optax.GradientTransformationExtraArgs(init, update)


def is_matrix(leaf: jax.Array) -> bool:
    """Whether it has two axes or more, and anything in it."""
    return leaf.ndim >= 2 and leaf.size > 0


def as_matrix(leaf: jax.Array) -> jax.Array:
    """All axes but the last taken together: shape (in, out)."""
    return leaf.reshape(-1, leaf.shape[-1])


def mean(values: jax.Array, axis: int | None = None) -> jax.Array:
    """The mean of what may sum up to more than the dtype holds; of nothing, 0."""
    entries = values.size if axis is None else values.shape[axis]
    return jnp.sum(values / max(entries, 1), axis=axis)


def root_mean_square(values: jax.Array) -> jax.Array:
    """``√(Σ x² / n)``; of nothing, 0."""
    return length(values) / math.sqrt(max(values.size, 1))


def tamed(grad: jax.Array) -> jax.Array:
    """The gradient, cut off where 10,000 sums of its squares would be too large for its dtype.

    In float32, for a matrix of 100,000 entries, that is at 6e14.
    """
    limit = math.sqrt(float(jnp.finfo(grad.dtype).max) / max(grad.size, 1)) / 100
    return jnp.clip(grad, -limit, limit)


def scaled(matrix: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The matrix with its largest entry between 1/2 and 1, and the power of two taken from it.

    Exact; a matrix of zeros stays.
    """
    _, exponent = jnp.frexp(jnp.max(jnp.abs(matrix), initial=0.0))
    return jnp.ldexp(matrix, -exponent), jnp.ldexp(jnp.ones((), matrix.dtype), exponent)
