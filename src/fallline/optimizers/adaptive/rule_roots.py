"""Gradients over the root of a sum, or of a centred average, of their squares.

Written here because Optax's Adagrad knows ε under the root only, and its centred RMSprop takes the
root of a difference that rounding can make negative.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from fallline.optimizers.shared.moments import averaged, averaged_square, zeros


class SumState(NamedTuple):
    """The sum of squared gradients."""

    total: optax.Updates


class CentredState(NamedTuple):
    """Running averages of the gradient and of its square."""

    mean: optax.Updates
    square: optax.Updates


def _over_root(grad: jax.Array, square: jax.Array, epsilon: Any, *, inside: bool) -> jax.Array:
    if inside:
        return grad * jax.lax.rsqrt(square + epsilon)
    return grad / (jnp.sqrt(square) + epsilon)


def scale_by_root_of_sum(
    initial: Any, epsilon: Any, *, inside: bool
) -> optax.GradientTransformation:
    """``g / √(s + ε)`` or ``g / (√s + ε)``, with ``s`` the sum of ``initial`` and all squares."""

    def init(params: optax.Params) -> SumState:
        return SumState(jax.tree.map(lambda leaf: jnp.full_like(leaf, initial), params))

    def update(
        grads: optax.Updates, state: SumState, params: optax.Params | None = None
    ) -> tuple[optax.Updates, SumState]:
        del params
        total = jax.tree.map(lambda s, g: s + g * g, state.total, grads)
        updates = jax.tree.map(lambda g, s: _over_root(g, s, epsilon, inside=inside), grads, total)
        return updates, SumState(total)

    return optax.GradientTransformation(init, update)


def scale_by_centred_root(rho: Any, epsilon: Any, *, inside: bool) -> optax.GradientTransformation:
    """``g / √(s - a² + ε)`` or ``g / (√(s - a²) + ε)``, with the averages a of g and s of g²."""

    def init(params: optax.Params) -> CentredState:
        return CentredState(zeros(params), zeros(params))

    def update(
        grads: optax.Updates, state: CentredState, params: optax.Params | None = None
    ) -> tuple[optax.Updates, CentredState]:
        del params
        mean = averaged(state.mean, grads, rho)
        square = averaged_square(state.square, grads, rho)
        updates = jax.tree.map(
            lambda g, a, s: _over_root(g, jnp.maximum(s - a * a, 0.0), epsilon, inside=inside),
            grads,
            mean,
            square,
        )
        return updates, CentredState(mean, square)

    return optax.GradientTransformation(init, update)
