"""Second moments that are kept as rows and columns: Adafactor, CAME, SM3.

A matrix of squares is estimated by the outer product of its row means and column means over the
mean of all: exact where it has rank one, and in the mean.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from fallline.optimizers.shared.leaves import (
    as_matrix,
    is_matrix,
    leaf_by_leaf,
    mean,
    root_mean_square,
)
from fallline.optimizers.shared.lengths import over


class Factors(NamedTuple):
    """Averages of squares: of each row, shape (in,), and of each column, shape (out,)."""

    rows: jax.Array
    columns: jax.Array


Squares = Factors | jax.Array
"""Factors of a matrix; of anything else the averages themselves."""


def _no_squares(leaf: jax.Array) -> Squares:
    if not is_matrix(leaf):
        return jnp.zeros_like(leaf)
    matrix = as_matrix(leaf)
    return Factors(jnp.zeros_like(matrix[:, 0]), jnp.zeros_like(matrix[0]))


def _with(squares: Squares, new: jax.Array, part: Any) -> Squares:
    """``squares`` with ``part`` of them replaced by ``new``, an array of squares."""
    if not isinstance(squares, Factors):
        return squares + part * (new - squares)
    rows, columns = mean(as_matrix(new), 1), mean(as_matrix(new), 0)
    return Factors(
        squares.rows + part * (rows - squares.rows),
        squares.columns + part * (columns - squares.columns),
    )


def _estimate(squares: Squares, like: jax.Array, least: Any) -> jax.Array:
    """The squares that the factors stand for; ``least`` bounds the mean that they are over."""
    if not isinstance(squares, Factors):
        return squares
    part = over(squares.rows, jnp.maximum(mean(squares.rows), least))
    return (part[:, None] * squares.columns).reshape(like.shape)


def _clipped(update: jax.Array, threshold: Any) -> jax.Array:
    """``update``, shortened to a root mean square of ``threshold`` if it is longer."""
    return update / jnp.maximum(1.0, root_mean_square(update) / threshold)


class AdafactorLeaf(NamedTuple):
    """The squares, and the average of the updates: () without one."""

    squares: Squares
    mu: Any


def adafactor(
    learning_rate: Any,
    beta_1: Any,
    beta_2_decay: Any,
    epsilon_1: Any,
    epsilon_2: Any,
    clip_threshold: Any,
    weight_decay: Any,
    *,
    epsilon_place: str,
    relative_step: bool,
    parameter_scale: bool,
    first_moment: bool,
    decay_rate: str,
) -> optax.GradientTransformationExtraArgs:
    """Adafactor (Shazeer and Stern 2018, algorithms 4 and 5), the whole step."""
    beside = epsilon_place == "estimate"

    def begin(leaf: jax.Array) -> AdafactorLeaf:
        return AdafactorLeaf(_no_squares(leaf), jnp.zeros_like(leaf) if first_moment else ())

    def step(
        grad: jax.Array, kept: AdafactorLeaf, param: jax.Array, count: jax.Array
    ) -> tuple[jax.Array, AdafactorLeaf]:
        t = count.astype(grad.dtype)
        new = grad * grad if beside else grad * grad + epsilon_1
        squares = _with(kept.squares, new, t**beta_2_decay)
        spacing = jnp.finfo(grad.dtype).eps
        least = jnp.where(epsilon_1 > 0, epsilon_1, spacing) if beside else epsilon_1 * 0
        root = jnp.sqrt(_estimate(squares, grad, least))
        update = _clipped(over(grad, jnp.maximum(root, least)), clip_threshold)
        rate = jnp.minimum(learning_rate, jax.lax.rsqrt(t)) if relative_step else learning_rate
        if parameter_scale:
            rate = rate * jnp.maximum(epsilon_2, root_mean_square(param))
        update = rate * update
        mu: Any = ()
        if first_moment:
            update = mu = beta_1 * kept.mu + (1 - beta_1) * update
        pull = weight_decay * (rate if decay_rate == "step" else learning_rate)
        return -update - pull * param, AdafactorLeaf(squares, mu)

    return leaf_by_leaf(begin, step)


class CameLeaf(NamedTuple):
    """Averages of squared gradients, of the updates, and of how far these stray from that."""

    squares: Squares
    mu: jax.Array
    strayed: Any
    """() for what is no matrix."""


def scale_by_came(
    beta_1: Any, beta_2: Any, beta_3: Any, epsilon_1: Any, epsilon_2: Any, clip_threshold: Any
) -> optax.GradientTransformationExtraArgs:
    """CAME (Luo et al. 2023, algorithm 2): Adafactor's average of updates over their instability.

    For a learning rate of 1. What is no matrix moves by the average of the updates itself.
    """

    def begin(leaf: jax.Array) -> CameLeaf:
        squares = _no_squares(leaf)
        return CameLeaf(squares, jnp.zeros_like(leaf), squares if is_matrix(leaf) else ())

    def root(squares: Squares, like: jax.Array) -> jax.Array:
        return jnp.sqrt(_estimate(squares, like, jnp.zeros((), like.dtype)))

    def step(
        grad: jax.Array, kept: CameLeaf, param: jax.Array, count: jax.Array
    ) -> tuple[jax.Array, CameLeaf]:
        del param, count
        squares = _with(kept.squares, grad * grad + epsilon_1, 1 - beta_2)
        update = _clipped(over(grad, root(squares, grad)), clip_threshold)
        mu = beta_1 * kept.mu + (1 - beta_1) * update
        if not is_matrix(grad):
            return mu, CameLeaf(squares, mu, ())
        strayed = _with(kept.strayed, jnp.square(update - mu) + epsilon_2, 1 - beta_3)
        return over(mu, root(strayed, grad)), CameLeaf(squares, mu, strayed)

    return leaf_by_leaf(begin, step)


class Sm3Leaf(NamedTuple):
    """The bounds of squares along each axis, and the average of the updates."""

    bounds: tuple[jax.Array, ...]
    """An array for every axis, its other axes of size 1; of a vector or scalar the sums
    themselves."""
    mu: jax.Array


def scale_by_sm3(
    momentum: Any, beta_2: Any, epsilon: Any, *, squares: str
) -> optax.GradientTransformationExtraArgs:
    """SM3-II (Anil et al. 2019, algorithm 2), with a cover by the slices along every axis."""

    def axes_but(axis: int, leaf: jax.Array) -> tuple[int, ...]:
        return tuple(each for each in range(leaf.ndim) if each != axis)

    def along(leaf: jax.Array) -> tuple[jax.Array, ...]:
        if leaf.ndim < 2:
            return (leaf,)
        return tuple(
            jnp.max(leaf, axis=axes_but(axis, leaf), keepdims=True, initial=0.0)
            for axis in range(leaf.ndim)
        )

    def begin(leaf: jax.Array) -> Sm3Leaf:
        return Sm3Leaf(along(jnp.zeros_like(leaf)), jnp.zeros_like(leaf))

    def step(
        grad: jax.Array, kept: Sm3Leaf, param: jax.Array, count: jax.Array
    ) -> tuple[jax.Array, Sm3Leaf]:
        del param, count
        least = kept.bounds[0]
        for bound in kept.bounds[1:]:
            least = jnp.minimum(least, bound)
        if squares == "sum":
            total = least + grad * grad
            bounds = along(total)
        else:
            total = beta_2 * least + (1 - beta_2) * grad * grad
            bounds = tuple(map(jnp.maximum, kept.bounds, along(total)))
        update = jnp.where(total > 0, grad / jnp.sqrt(total + epsilon), jnp.zeros_like(grad))
        mu = momentum * kept.mu + (1 - momentum) * update
        return mu, Sm3Leaf(bounds, mu)

    return leaf_by_leaf(begin, step)
