"""PSGD Kron: a preconditioner that is learnt as the Kronecker product of two triangular factors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.scipy.linalg import solve_triangular

from fallline.optimizers.shared.leaves import (
    as_matrix,
    is_matrix,
    mean,
    root_mean_square,
    scaled,
    tamed,
)
from fallline.optimizers.shared.lengths import length
from fallline.optimizers.shared.moments import bias_correction

LONGEST = 1.1
"""The root mean square to which a step is shortened."""


class KronLeaf(NamedTuple):
    """The average gradient, and a factor per side: upper triangular (n, n), or diagonal (n,)."""

    mu: jax.Array
    factors: tuple[jax.Array, ...]


class KronState(NamedTuple):
    """Steps taken, steps since the factors were last updated (both int32), and the arrays."""

    steps: jax.Array
    since: jax.Array
    leaves: tuple[KronLeaf, ...]


def probe(key: jax.Array, like: jax.Array) -> jax.Array:
    """A standard normal array."""
    return jax.random.normal(key, like.shape, like.dtype)


def _norm_below(matrix: jax.Array) -> jax.Array:
    """A bound of a symmetric matrix's spectral norm from below, at most √2 too small."""
    unit, largest = scaled(matrix)
    onward = unit @ unit[jnp.argmax(jnp.sum(unit * unit, axis=1))]
    size = length(onward)
    return largest * length(unit @ (onward / jnp.where(size > 0, size, 1.0)))


def _on_each_side(
    factors: tuple[jax.Array, ...], matrix: jax.Array, act: Callable[..., jax.Array]
) -> jax.Array:
    """``act(factor, rows)`` on the matrix, then on its transpose if there are two factors."""
    for factor in factors:
        matrix = act(factor, matrix).T
    return matrix if len(factors) == 2 else matrix.T


def _applied(factors: tuple[jax.Array, ...], matrix: jax.Array) -> jax.Array:
    """``Q_L M Q_Rᵀ``."""
    return _on_each_side(factors, matrix, lambda q, m: q[:, None] * m if q.ndim == 1 else q @ m)


def _applied_back(factors: tuple[jax.Array, ...], matrix: jax.Array) -> jax.Array:
    """``Q_Lᵀ M Q_R``."""
    return _on_each_side(factors, matrix, lambda q, m: q[:, None] * m if q.ndim == 1 else q.T @ m)


def _solved(factors: tuple[jax.Array, ...], matrix: jax.Array) -> jax.Array:
    """``Q_L⁻ᵀ M Q_R⁻¹``."""
    return _on_each_side(
        factors,
        matrix,
        lambda q, m: m / q[:, None] if q.ndim == 1 else solve_triangular(q, m, trans="T"),
    )


def _moved(factor: jax.Array, one: jax.Array, other: jax.Array, rate: Any) -> jax.Array:
    """The factor after a step; ``one`` and ``other`` have its side first."""
    tiny = jnp.finfo(jnp.bfloat16).tiny.astype(factor.dtype)
    if factor.ndim == 1:
        seen, wanted = jnp.sum(one * one, axis=1), jnp.sum(other * other, axis=1)
        return factor - rate * (seen - wanted) / (jnp.max(seen + wanted) + tiny) * factor
    seen, wanted = one @ one.T, other @ other.T
    direction = jnp.triu(seen - wanted) / (_norm_below(seen + wanted) + tiny)
    return factor - rate * direction @ factor


def _balanced(factors: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
    """The same product of factors of equal size, each bounded."""
    sizes = [jnp.max(jnp.abs(factor)) for factor in factors]
    common = jnp.exp(mean(jnp.log(jnp.stack(sizes))))
    # Without any gradient factors would grow for ever; their fourth power must stay finite.
    bound = float(jnp.finfo(common.dtype).max) ** (0.25 / len(factors))
    goal = jnp.minimum(common, bound)
    return tuple(factor * (goal / size) for factor, size in zip(factors, sizes, strict=True))


def _learnt(
    factors: tuple[jax.Array, ...], grad: jax.Array, noise: jax.Array, rate: Any
) -> tuple[jax.Array, ...]:
    """The factors after one look at a gradient and a random matrix of its shape."""
    one, other = _applied(factors, grad), _solved(factors, noise)
    moved = []
    for factor in factors:
        moved.append(_moved(factor, one, other, rate))
        one, other = one.T, other.T
    return _balanced(tuple(moved))


def _due(state: KronState, updates: str) -> jax.Array:
    """Whether this step updates the factors: always, or ever more rarely from step 500 on."""
    if updates == "always":
        return jnp.asarray(True)
    often = jnp.clip(jnp.exp(-1e-3 * (state.steps.astype(jnp.float32) - 500)), 0.03, 1.0)
    return (state.since + 1).astype(jnp.float32) >= 1 / often


def scale_by_kron(
    momentum: Any, factor_rate: Any, weight_decay: Any, *, updates: str, largest: int
) -> optax.GradientTransformationExtraArgs:
    """PSGD with Kronecker factors in Q of the preconditioner QᵀQ (Li 2018; 2024), for a rate of 1.

    Sides longer than ``largest``, or of length 1, and vectors have diagonal factors.
    """

    def factor_of(side: int, whole: bool, dtype: Any) -> jax.Array:
        if whole and 1 < side <= largest:
            return jnp.eye(side, dtype=dtype)
        return jnp.ones((side,), dtype)

    def begin(leaf: jax.Array) -> KronLeaf:
        sides = as_matrix(leaf).shape if is_matrix(leaf) else (leaf.size,)
        factors = tuple(factor_of(side, is_matrix(leaf), leaf.dtype) for side in sides)
        return KronLeaf(jnp.zeros_like(leaf), factors)

    def init(params: optax.Params) -> KronState:
        nothing = jnp.zeros((), jnp.int32)
        return KronState(nothing, nothing, tuple(map(begin, jax.tree.leaves(params))))

    def step(
        grad: jax.Array, kept: KronLeaf, param: jax.Array, count: Any, due: Any, key: Any
    ) -> tuple[jax.Array, KronLeaf]:
        mu = momentum * kept.mu + (1 - momentum) * tamed(grad)
        if grad.size == 0:
            return mu, kept
        matrix = mu / bias_correction(momentum, count)
        matrix = as_matrix(matrix) if is_matrix(grad) else matrix.reshape(-1, 1)
        factors = jax.lax.cond(
            due,
            lambda: _learnt(kept.factors, matrix, probe(key, matrix), factor_rate),
            lambda: kept.factors,
        )
        update = _applied_back(factors, _applied(factors, matrix)).reshape(grad.shape)
        update = update * jnp.minimum(1.0, LONGEST / (root_mean_square(update) + 1e-6))
        if grad.ndim >= 2:
            update = update + weight_decay * param
        return update, KronLeaf(mu, factors)

    def update(
        grads: optax.Updates,
        state: KronState,
        params: optax.Params | None = None,
        *,
        key: jax.Array,
        **extra: Any,
    ) -> tuple[optax.Updates, KronState]:
        del extra
        count, due = state.steps + 1, _due(state, updates)
        gradients, tree = jax.tree.flatten(grads)
        each = zip(gradients, state.leaves, jax.tree.leaves(params), strict=True)
        moved = [
            step(grad, kept, param, count, due, jax.random.fold_in(key, index))
            for index, (grad, kept, param) in enumerate(each)
        ]
        since = jnp.where(due, 0, state.since + 1).astype(jnp.int32)
        directions = jax.tree.unflatten(tree, [one for one, _ in moved])
        return directions, KronState(count, since, tuple(kept for _, kept in moved))

    return optax.GradientTransformationExtraArgs(init, update)
