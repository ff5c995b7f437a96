"""SOAP: Adam in the eigenbasis of Shampoo's products."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from fallline.optimizers.matrix.rule_matrix import Moments, no_moments
from fallline.optimizers.shared.leaves import as_matrix, is_matrix, leaf_by_leaf, scaled, tamed
from fallline.optimizers.shared.moments import bias_correction


class Side(NamedTuple):
    """One side of a matrix, of length n: the average of its products and their eigenvectors.

    Both of shape (n, n), eigenvectors in columns, the largest first; () for a side that is too
    long.
    """

    products: Any
    basis: Any


def _whole(side: Side) -> bool:
    """Whether the side has a basis."""
    return not isinstance(side.basis, tuple)


class SoapLeaf(NamedTuple):
    """The moments, that of squares in the eigenbasis, and the sides: none of a vector."""

    moments: Moments
    sides: tuple[Side, ...]


def _eigenvectors(products: jax.Array) -> jax.Array:
    return jnp.linalg.eigh(scaled(products)[0])[1][:, ::-1]


def _iterated(side: Side) -> tuple[jax.Array, jax.Array]:
    """One power iteration of the eigenvectors, and the order that these are put into before."""
    products, basis = scaled(side.products)[0], side.basis
    values = jnp.sum(basis * (products @ basis), axis=0)
    order = jnp.argsort(-values)
    return jnp.linalg.qr(products @ basis[:, order])[0], order


def _renewed(side: Side, index: jax.Array) -> tuple[Side, jax.Array]:
    """The side with its basis kept (0), iterated (1) or new (2), and the order of the old one."""
    same = jnp.arange(side.products.shape[0])
    branches = (
        lambda: (side.basis, same),
        lambda: _iterated(side),
        lambda: (_eigenvectors(side.products), same),
    )
    basis, order = jax.lax.switch(index, branches)
    return Side(side.products, basis), order


def _turned(matrix: jax.Array, sides: tuple[Side, ...], *, back: bool) -> jax.Array:
    """``Q_Lᵀ M Q_R``, or ``back``: ``Q_L M Q_Rᵀ``; a side without a basis stays as it is."""
    for side in sides:
        if _whole(side):
            matrix = (side.basis if back else side.basis.T) @ matrix
        matrix = matrix.T
    return matrix


def soap(
    learning_rate: Any,
    beta_1: Any,
    beta_2: Any,
    beta_products: Any,
    epsilon: Any,
    weight_decay: Any,
    *,
    every: int,
    largest: int,
    first_step: str,
) -> optax.GradientTransformationExtraArgs:
    """SOAP (Vyas et al. 2024, algorithm 3), the whole step; what is no matrix has Adam's.

    The first gradient makes the first basis and moves nothing.
    """

    def begin(leaf: jax.Array) -> SoapLeaf:
        if not is_matrix(leaf):
            return SoapLeaf(no_moments(leaf), ())
        sizes = as_matrix(leaf).shape
        sides = tuple(
            Side(jnp.zeros((n, n), leaf.dtype), jnp.eye(n, dtype=leaf.dtype))
            if n <= largest
            else Side((), ())
            for n in sizes
        )
        return SoapLeaf(no_moments(leaf), sides)

    def gathered(sides: tuple[Side, ...], matrix: jax.Array) -> tuple[Side, ...]:
        rows = (matrix, matrix.T)
        return tuple(
            side._replace(
                products=beta_products * side.products + (1 - beta_products) * (one @ one.T)
            )
            if _whole(side)
            else side
            for side, one in zip(sides, rows, strict=False)
        )

    def renewed(leaf: SoapLeaf, like: tuple[int, ...], index: jax.Array) -> SoapLeaf:
        """The leaf with its bases renewed, and the squares in the order of the new ones."""
        squares, sides = leaf.moments.nu.reshape(like), []
        for side in leaf.sides:
            if _whole(side):
                side, order = _renewed(side, index)
                squares = squares[order]
            sides.append(side)
            squares = squares.T
        moments = leaf.moments._replace(nu=squares.reshape(leaf.moments.nu.shape))
        return SoapLeaf(moments, tuple(sides))

    def step(
        grad: jax.Array, kept: SoapLeaf, param: jax.Array, count: jax.Array
    ) -> tuple[jax.Array, SoapLeaf]:
        first = count == 1
        number = count - 1 if first_step == "uncounted" else count
        safe = tamed(grad)
        matrix = as_matrix(safe) if kept.sides else safe

        turned = _turned(matrix, kept.sides, back=False)
        nu = kept.moments.nu.reshape(matrix.shape)
        mu = jnp.where(first, kept.moments.mu, beta_1 * kept.moments.mu + (1 - beta_1) * safe)
        nu = jnp.where(first, nu, beta_2 * nu + (1 - beta_2) * turned * turned)
        average = _turned(mu.reshape(matrix.shape), kept.sides, back=False)
        direction = _turned(average / (jnp.sqrt(nu) + epsilon), kept.sides, back=True)

        taken = jnp.maximum(number, 1)
        rate = jnp.sqrt(bias_correction(beta_2, taken)) / bias_correction(beta_1, taken)
        update = -learning_rate * rate * direction.reshape(grad.shape)
        update = update - learning_rate * weight_decay * (param + update)
        update = jnp.where(first, jnp.zeros_like(update), update)

        after = SoapLeaf(Moments(mu, nu.reshape(grad.shape)), gathered(kept.sides, matrix))
        if kept.sides:
            index = jnp.where(first, 2, jnp.where(number % every == 0, 1, 0))
            after = renewed(after, matrix.shape, index)
        return update, after

    return leaf_by_leaf(begin, step)
