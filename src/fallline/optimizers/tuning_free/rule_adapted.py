"""The rules of D-Adaptation: step lengths from a lower bound of the distance to the solution.

Each gives the whole step, learning rate and sign included. Optax has Adam's alone, and zero
gradients make it NaN. ``growth_rate``: by which factor the distance may grow in a step, None for
any.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from fallline.optimizers.shared.moments import averaged, averaged_square, zeros
from fallline.optimizers.tuning_free.rule_tuning_free import (
    correction,
    dot,
    norm,
    quotient,
    scalar,
    sum_of_sizes,
)


class AdaptedAdamState(NamedTuple):
    """Steps taken (int32), the distance found, the sum that finds it, the averages of the scaled
    gradient and of the squared one, and the weighted sum of gradients."""

    steps: jax.Array
    distance: jax.Array
    numerator: jax.Array
    mu: optax.Updates
    nu: optax.Updates
    total: optax.Updates


class AdaptedDescentState(NamedTuple):
    """The distance found, the sum that finds it, the norm of the first gradient that was not zero
    (0 before it), the weighted sum of gradients, and the first parameters."""

    distance: jax.Array
    numerator: jax.Array
    first: jax.Array
    total: optax.Updates
    start: optax.Params


class AdaptedAdagradState(NamedTuple):
    """The distance found, the sum of weighted squared gradients, and for every parameter the sum of
    squares, the weighted sum of gradients and the first value."""

    distance: jax.Array
    gained: jax.Array
    squares: optax.Updates
    total: optax.Updates
    start: optax.Params


def _grown(distance: jax.Array, found: jax.Array, growth_rate: Any) -> jax.Array:
    if growth_rate is not None:
        found = jnp.minimum(found, distance * growth_rate)
    return jnp.maximum(distance, found)


def adapted_adam(
    learning_rate: Any,
    beta_1: Any,
    beta_2: Any,
    epsilon: Any,
    first_distance: Any,
    weight_decay: Any,
    growth_rate: Any = None,
    *,
    corrected: bool,
) -> optax.GradientTransformation:
    """Adam with D-Adaptation (Defazio & Mishchenko 2023), decay decoupled.

    The learning rate is inside of the averages.
    """

    def init(params: optax.Params) -> AdaptedAdamState:
        return AdaptedAdamState(
            jnp.zeros((), jnp.int32),
            scalar(first_distance, params),
            scalar(0, params),
            zeros(params),
            zeros(params),
            zeros(params),
        )

    def update(
        grads: optax.Updates, state: AdaptedAdamState, params: optax.Params
    ) -> tuple[optax.Updates, AdaptedAdamState]:
        count, d = state.steps + 1, state.distance
        length = d * learning_rate * correction(beta_1, beta_2, count, corrected)
        kept = jnp.sqrt(beta_2)

        def over_root(each: Any, v: Any) -> jax.Array:
            return quotient(each, jnp.sqrt(v) + epsilon)

        gain = length * dot(grads, jax.tree.map(over_root, state.total, state.nu))
        numerator = kept * state.numerator + (1 - kept) * gain
        scaled = jax.tree.map(lambda g: length * g, grads)
        mu = averaged(state.mu, scaled, beta_1)
        nu = averaged_square(state.nu, grads, beta_2)
        total = averaged(state.total, scaled, kept)
        distance = _grown(d, quotient(numerator, (1 - kept) * sum_of_sizes(total)), growth_rate)
        updates = jax.tree.map(
            lambda m, v, p: -over_root(m, v) - length * weight_decay * p, mu, nu, params
        )
        return updates, AdaptedAdamState(count, distance, numerator, mu, nu, total)

    return optax.GradientTransformation(init, update)


def adapted_descent(
    learning_rate: Any,
    momentum: Any,
    first_distance: Any,
    weight_decay: Any,
    growth_rate: Any = None,
) -> optax.GradientTransformation:
    """SGD with D-Adaptation (Defazio & Mishchenko 2023): averaged dual averaging.

    The decay is coupled; as in the authors' code it is no part of the first gradient's norm.
    """

    def init(params: optax.Params) -> AdaptedDescentState:
        nothing = scalar(0, params)
        return AdaptedDescentState(
            scalar(first_distance, params), nothing, nothing, zeros(params), params
        )

    def update(
        grads: optax.Updates, state: AdaptedDescentState, params: optax.Params
    ) -> tuple[optax.Updates, AdaptedDescentState]:
        first = jnp.where(state.first > 0, state.first, norm(grads))
        length = quotient(state.distance * learning_rate, first)
        grads = jax.tree.map(lambda g, p: g + weight_decay * p, grads, params)
        numerator = state.numerator + length * dot(grads, state.total)
        total = jax.tree.map(lambda s, g: s + length * g, state.total, grads)
        found = quotient(2 * numerator, norm(total))
        distance = _grown(state.distance, found, growth_rate)
        updates = jax.tree.map(
            lambda x0, s, p: (1 - momentum) * (x0 - s - p), state.start, total, params
        )
        return updates, AdaptedDescentState(distance, numerator, first, total, state.start)

    return optax.GradientTransformation(init, update)


def adapted_adagrad(
    learning_rate: Any,
    momentum: Any,
    epsilon: Any,
    first_distance: Any,
    initial_accumulator: Any,
    growth_rate: Any = None,
) -> optax.GradientTransformation:
    """Adagrad with D-Adaptation (Defazio & Mishchenko 2023): dual averaging, then momentum."""

    def init(params: optax.Params) -> AdaptedAdagradState:
        squares = jax.tree.map(lambda leaf: jnp.full_like(leaf, initial_accumulator), params)
        return AdaptedAdagradState(
            scalar(first_distance, params), scalar(0, params), squares, zeros(params), params
        )

    def update(
        grads: optax.Updates, state: AdaptedAdagradState, params: optax.Params
    ) -> tuple[optax.Updates, AdaptedAdagradState]:
        length = state.distance * learning_rate
        squares = jax.tree.map(lambda v, g: v + g * g, state.squares, grads)
        total = jax.tree.map(lambda s, g: s + length * g, state.total, grads)

        def scaled(each: Any, v: Any) -> jax.Array:
            return quotient(each, jnp.sqrt(v) + epsilon)

        reached = jax.tree.map(scaled, total, squares)
        gain = length * length * dot(grads, jax.tree.map(scaled, grads, squares))
        gained = state.gained + gain
        found = quotient(dot(total, reached) - gained, sum_of_sizes(total))
        distance = _grown(state.distance, found, growth_rate)
        updates = jax.tree.map(
            lambda x0, r, p: (1 - momentum) * (x0 - r - p), state.start, reached, params
        )
        return updates, AdaptedAdagradState(distance, gained, squares, total, state.start)

    return optax.GradientTransformation(init, update)
