"""Rules that turn a matrix's gradient as a whole: Muon, GaLore.

Both fall back to Adam for what is no matrix.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from fallline.optimizers.shared.leaves import as_matrix, is_matrix, leaf_by_leaf, scaled
from fallline.optimizers.shared.moments import bias_correction

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
"""Jordan's a, b, c: as steep as possible at 0 while singular values stay near 1."""


class Moments(NamedTuple):
    """Averages of the gradient and of its square."""

    mu: jax.Array
    nu: jax.Array


def no_moments(leaf: jax.Array) -> Moments:
    """Both averages before the first gradient."""
    return Moments(jnp.zeros_like(leaf), jnp.zeros_like(leaf))


def gathered(moments: Moments, grad: jax.Array, beta_1: Any, beta_2: Any) -> Moments:
    """The averages with one more gradient."""
    return Moments(
        beta_1 * moments.mu + (1 - beta_1) * grad,
        beta_2 * moments.nu + (1 - beta_2) * grad * grad,
    )


def corrected(
    moments: Moments, beta_1: Any, beta_2: Any, epsilon: Any, count: jax.Array, *, place: str
) -> jax.Array:
    """Adam's direction, with ε beside the root of v̂ (``outside``) or of v (``uncorrected``)."""
    first = bias_correction(beta_1, count)
    root = jnp.sqrt(bias_correction(beta_2, count))
    inner, outer = (epsilon, 0.0) if place == "uncorrected" else (0.0, epsilon)
    return (moments.mu / first) / ((jnp.sqrt(moments.nu) + inner) / root + outer)


def _rounded(values: jax.Array) -> jax.Array:
    """``values`` as bfloat16 holds them, in float32."""
    return jax.lax.reduce_precision(values, exponent_bits=8, mantissa_bits=7)


def _exact(values: jax.Array) -> jax.Array:
    return values


def orthogonalised(
    matrix: jax.Array, epsilon: Any, iterations: int, *, bfloat16: bool
) -> jax.Array:
    """``U Vᵀ`` of the matrix ``U S Vᵀ``, roughly: singular values of 0.7 to 1.2 instead of 1.

    By iterations of ``X ← a X + (b X Xᵀ + c (X Xᵀ)²) X``. ``bfloat16`` rounds after each product,
    the sum within a product in float32, as a matrix unit does.
    """
    a, b, c = NEWTON_SCHULZ
    rounded = _rounded if bfloat16 else _exact
    x = rounded(matrix.astype(jnp.float32) if bfloat16 else matrix)
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    x, unit = scaled(x)  # So that squares neither overflow nor vanish.
    norm = rounded(jnp.sqrt(jnp.sum(x * x)))
    x = rounded(x / jnp.maximum(norm, epsilon.astype(x.dtype) / unit))
    for _ in range(iterations):
        gram = rounded(x @ x.T)
        polynomial = rounded(b * gram + c * (gram @ gram))
        x = rounded(a * x + polynomial @ x)
    return (x.T if tall else x).astype(matrix.dtype)


def _length_for(shape: tuple[int, ...], scale: str) -> float:
    """By what Muon multiplies the step of a matrix of shape (in, out)."""
    rows, columns = shape
    if scale == "original":
        return math.sqrt(max(1.0, columns / rows))
    return 0.2 * math.sqrt(max(rows, columns)) if scale == "match_rms_adamw" else 1.0


def muon(
    learning_rate: Any,
    momentum: Any,
    weight_decay: Any,
    epsilon: Any,
    adam_ratio: Any,
    beta_1: Any,
    beta_2: Any,
    adam_epsilon: Any,
    *,
    nesterov: bool,
    iterations: int,
    scale: str,
    precision: str,
    others: str,
) -> optax.GradientTransformationExtraArgs:
    """Muon (Jordan et al. 2024), the whole step; Adam, or nothing, for what is no matrix."""

    def begin(leaf: jax.Array) -> Any:
        if is_matrix(leaf):
            return jnp.zeros_like(leaf)
        return no_moments(leaf) if others == "adam" else ()

    def step(
        grad: jax.Array, kept: Any, param: jax.Array, count: jax.Array
    ) -> tuple[jax.Array, Any]:
        if not is_matrix(grad):
            return other(grad, kept, param, count)
        mu = momentum * kept + (1 - momentum) * grad
        ahead = momentum * mu + (1 - momentum) * grad if nesterov else mu
        matrix = as_matrix(ahead)
        turned = orthogonalised(matrix, epsilon, iterations, bfloat16=precision == "bfloat16")
        long = _length_for(matrix.shape, scale)
        update = long * turned.reshape(grad.shape) + weight_decay * param
        return -learning_rate * update, mu

    def other(
        grad: jax.Array, kept: Any, param: jax.Array, count: jax.Array
    ) -> tuple[jax.Array, Any]:
        if others == "none":
            return jnp.zeros_like(grad), kept
        kept = gathered(kept, grad, beta_1, beta_2)
        update = corrected(kept, beta_1, beta_2, adam_epsilon, count, place="outside")
        return -learning_rate * adam_ratio * (update + weight_decay * param), kept

    return leaf_by_leaf(begin, step)


class GaloreLeaf(NamedTuple):
    """The projection of a matrix, with orthonormal columns, and the averages beyond it."""

    projection: jax.Array
    moments: Moments


def scale_by_galore(
    beta_1: Any,
    beta_2: Any,
    epsilon: Any,
    scale: Any,
    *,
    rank: int,
    every: int,
    side: str,
    refresh: str,
    epsilon_place: str,
) -> optax.GradientTransformationExtraArgs:
    """Adam on gradients projected to ``rank`` (GaLore: Zhao et al. 2024, algorithm 2)."""

    def on_the_right(matrix: jax.Array) -> bool:
        """Whether the columns are projected, G P, and not the rows, Pᵀ G."""
        return (matrix.shape[0] >= matrix.shape[1]) == (side == "shorter")

    def project(matrix: jax.Array, projection: jax.Array) -> jax.Array:
        return matrix @ projection if on_the_right(matrix) else projection.T @ matrix

    def singular(matrix: jax.Array) -> jax.Array:
        """The first ``rank`` singular vectors, shape (in or out, rank)."""
        left, _, right = jnp.linalg.svd(scaled(matrix)[0], full_matrices=False)
        return (right.T if on_the_right(matrix) else left)[:, :rank]

    def begin(leaf: jax.Array) -> Any:
        if not is_matrix(leaf):
            return no_moments(leaf)
        matrix = as_matrix(leaf)
        rows = matrix.shape[1] if on_the_right(matrix) else matrix.shape[0]
        projection = jnp.zeros((rows, min(rank, *matrix.shape)), leaf.dtype)
        return GaloreLeaf(projection, no_moments(project(matrix, projection)))

    def due(count: jax.Array) -> jax.Array:
        if refresh == "after_every":
            return (count - 1) % every == 0
        return (count == 1) | (count % every == 0)

    def step(
        grad: jax.Array, kept: Any, param: jax.Array, count: jax.Array
    ) -> tuple[jax.Array, Any]:
        del param

        def direction(moments: Moments) -> jax.Array:
            return corrected(moments, beta_1, beta_2, epsilon, count, place=epsilon_place)

        if not is_matrix(grad):
            moments = gathered(kept, grad, beta_1, beta_2)
            return direction(moments), moments
        matrix = as_matrix(grad)
        projection = jax.lax.cond(due(count), lambda: singular(matrix), lambda: kept.projection)
        moments = gathered(kept.moments, project(matrix, projection), beta_1, beta_2)
        low = direction(moments)
        full = low @ projection.T if on_the_right(matrix) else projection @ low
        return (scale * full).reshape(grad.shape), GaloreLeaf(projection, moments)

    return leaf_by_leaf(begin, step)
