"""The rules that find their step length from distances and bets: Prodigy, DoG, DoWG, COCOB, KT.

Each gives the whole step, learning rate and sign included. Optax's forms are not used: zero
gradients make its Prodigy NaN, its DoG keeps a boolean in the state, and its sums of squares and
products of bets overflow early.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from fallline.optimizers.shared.moments import averaged, averaged_square, bias_correction, zeros


class ProdigyState(NamedTuple):
    """Steps taken (int32), the distance in use and the largest that was found, the sum that finds
    it, the averages of the scaled gradient and of its square, the weighted sum of gradients, and
    the first parameters."""

    steps: jax.Array
    distance: jax.Array
    largest: jax.Array
    numerator: jax.Array
    mu: optax.Updates
    nu: optax.Updates
    total: optax.Updates
    start: optax.Params


class DistanceState(NamedTuple):
    """The largest distance from the first parameters, the root of the (weighted) sum of squared
    gradients (of each array, or of all), and the first parameters."""

    distance: Any
    root: Any
    start: optax.Params


class BettingState(NamedTuple):
    """Of every coordinate: the largest gradient, the sums of their sizes and of their negatives,
    the reward, and the first value."""

    largest: optax.Updates
    sizes: optax.Updates
    total: optax.Updates
    reward: optax.Updates
    start: optax.Params


class KrichevskyTrofimovState(NamedTuple):
    """Steps taken (int32), the wealth, the largest norm of a gradient (at least 1), the sum of
    negative gradients, and the first parameters."""

    steps: jax.Array
    wealth: jax.Array
    largest: jax.Array
    total: optax.Updates
    start: optax.Params


def quotient(numerator: jax.Array, denominator: jax.Array) -> jax.Array:
    """``numerator / denominator``, 0 where the denominator is 0."""
    nothing = denominator == 0
    return jnp.where(nothing, 0, numerator / jnp.where(nothing, 1, denominator))


def _added(parts: Any) -> jax.Array:
    return functools.reduce(jnp.add, jax.tree.leaves(parts))


def dot(left: Any, right: Any) -> jax.Array:
    """The inner product of two trees, a scalar."""
    return _added(jax.tree.map(lambda a, b: jnp.sum(a * b), left, right))


def norm(tree: Any) -> jax.Array:
    """The Euclidean norm of a tree, a scalar; its squares do not overflow."""
    largest = jax.tree.map(lambda leaf: jnp.max(jnp.abs(leaf), initial=0), tree)
    scale = jnp.stack(jax.tree.leaves(largest)).max()
    parts = jax.tree.map(lambda leaf: quotient(leaf, scale), tree)
    return scale * jnp.sqrt(dot(parts, parts))


def sum_of_sizes(tree: Any) -> jax.Array:
    """The sum of absolute values of a tree, a scalar."""
    return _added(jax.tree.map(lambda leaf: jnp.sum(jnp.abs(leaf)), tree))


def scalar(value: Any, params: optax.Params) -> jax.Array:
    """``value`` in the dtype of ``params``."""
    return jnp.asarray(value, jnp.result_type(*jax.tree.leaves(params)))


def correction(beta_1: Any, beta_2: Any, count: jax.Array, wanted: bool) -> Any:
    """Adam's bias correction as a factor of the learning rate."""
    if not wanted:
        return 1
    return jnp.sqrt(bias_correction(beta_2, count)) / bias_correction(beta_1, count)


def prodigy(
    learning_rate: Any,
    beta_1: Any,
    beta_2: Any,
    epsilon: Any,
    first_distance: Any,
    coefficient: Any,
    weight_decay: Any,
    beta_3: Any = None,
    growth_rate: Any = None,
    *,
    corrected: bool,
    safeguarded: bool,
) -> optax.GradientTransformation:
    """Prodigy in Adam's form (Mishchenko & Defazio 2023), decay decoupled.

    The weights of both sums are divided by the first distance, which their ratio does not see.
    ``beta_3``: what the sums keep, None for √β₂. ``growth_rate``: by which factor the distance may
    grow in a step behind the one in which it first grows, None for any.
    """

    def init(params: optax.Params) -> ProdigyState:
        return ProdigyState(
            jnp.zeros((), jnp.int32),
            scalar(first_distance, params),
            scalar(first_distance, params),
            scalar(0, params),
            zeros(params),
            zeros(params),
            zeros(params),
            params,
        )

    def update(
        grads: optax.Updates, state: ProdigyState, params: optax.Params
    ) -> tuple[optax.Updates, ProdigyState]:
        count, d = state.steps + 1, state.distance
        length = d * learning_rate * correction(beta_1, beta_2, count, corrected)
        scaled = jax.tree.map(lambda g: d * g, grads)
        mu = averaged(state.mu, scaled, beta_1)
        nu = averaged_square(state.nu, scaled, beta_2)
        kept, relative = jnp.sqrt(beta_2) if beta_3 is None else beta_3, d / first_distance
        travelled = jax.tree.map(jnp.subtract, state.start, params)
        numerator = kept * state.numerator + relative * length * dot(grads, travelled)
        weight = relative * (d if safeguarded else length)
        total = jax.tree.map(lambda s, g: kept * s + weight * g, state.total, grads)
        found = coefficient * quotient(numerator, sum_of_sizes(total))
        largest = jnp.maximum(state.largest, found)
        distance = largest
        if growth_rate is not None:
            begun = jnp.where(d == first_distance, jnp.maximum(d, found), d)
            distance = jnp.minimum(largest, begun * growth_rate)
        updates = jax.tree.map(
            lambda m, v, p: (
                -length * (quotient(m, jnp.sqrt(v) + distance * epsilon) + weight_decay * p)
            ),
            mu,
            nu,
            params,
        )
        return updates, ProdigyState(
            count, distance, largest, numerator, mu, nu, total, state.start
        )

    return optax.GradientTransformation(init, update)


def distance_over_gradients(
    learning_rate: Any, first_share: Any, epsilon: Any, weight_decay: Any, *, layerwise: bool
) -> optax.GradientTransformation:
    """DoG (Ivgi et al. 2023), starting at a share of ``1 + ‖θ₀‖``; decay coupled.

    ``layerwise``: every array has a distance and a sum of its own (L-DoG).
    """

    def each(function: Callable[..., Any], *trees: Any) -> Any:
        """``function`` of the arrays one by one, or of the trees; a tree of scalars or one."""
        return jax.tree.map(function, *trees) if layerwise else function(*trees)

    def init(params: optax.Params) -> DistanceState:
        distance = each(lambda p: first_share * (1 + norm(p)), params)
        root = each(lambda p: jnp.sqrt(scalar(epsilon, p)), params)
        return DistanceState(distance, root, params)

    def update(
        grads: optax.Updates, state: DistanceState, params: optax.Params
    ) -> tuple[optax.Updates, DistanceState]:
        grads = jax.tree.map(lambda g, p: g + weight_decay * p, grads, params)
        travelled = each(norm, jax.tree.map(jnp.subtract, params, state.start))
        distance = jax.tree.map(jnp.maximum, state.distance, travelled)
        root = jax.tree.map(jnp.hypot, state.root, each(norm, grads))
        length = jax.tree.map(lambda d, r: learning_rate * quotient(d, r), distance, root)
        if not layerwise:
            length = jax.tree.map(lambda g: length, grads)
        updates = jax.tree.map(lambda n, g: -n * g, length, grads)
        return updates, DistanceState(distance, root, state.start)

    return optax.GradientTransformation(init, update)


def distance_over_weighted_gradients(
    learning_rate: Any, first_square: Any, epsilon: Any
) -> optax.GradientTransformation:
    """DoWG (Khaled et al. 2023, algorithm 1), starting at the root of ``first_square``."""

    def init(params: optax.Params) -> DistanceState:
        return DistanceState(jnp.sqrt(scalar(first_square, params)), scalar(0, params), params)

    def update(
        grads: optax.Updates, state: DistanceState, params: optax.Params
    ) -> tuple[optax.Updates, DistanceState]:
        travelled = norm(jax.tree.map(jnp.subtract, params, state.start))
        distance = jnp.maximum(state.distance, travelled)
        root = jnp.hypot(state.root, distance * norm(grads))
        length = learning_rate * quotient(distance * distance, root + epsilon)
        return jax.tree.map(lambda g: -length * g, grads), DistanceState(
            distance, root, state.start
        )

    return optax.GradientTransformation(init, update)


def coin_betting(alpha: Any, epsilon: Any) -> optax.GradientTransformation:
    """COCOB-Backprop (Orabona & Tommasi 2017, algorithm 2), coordinate by coordinate."""

    def init(params: optax.Params) -> BettingState:
        largest = jax.tree.map(lambda leaf: jnp.full_like(leaf, epsilon), params)
        return BettingState(largest, zeros(params), zeros(params), zeros(params), params)

    def update(
        grads: optax.Updates, state: BettingState, params: optax.Params
    ) -> tuple[optax.Updates, BettingState]:
        largest = jax.tree.map(lambda m, g: jnp.maximum(m, jnp.abs(g)), state.largest, grads)
        sizes = jax.tree.map(lambda s, g: s + jnp.abs(g), state.sizes, grads)
        total = jax.tree.map(jnp.subtract, state.total, grads)
        reward = jax.tree.map(
            lambda r, g, p, x0: jnp.maximum(r - g * (p - x0), 0),
            state.reward,
            grads,
            params,
            state.start,
        )

        def bet(p: Any, x0: Any, t: Any, m: Any, s: Any, r: Any) -> jax.Array:
            # Two quotients: the product of their denominators overflows.
            return x0 - p + quotient(t, m) * quotient(m + r, jnp.maximum(s + m, alpha * m))

        updates = jax.tree.map(bet, params, state.start, total, largest, sizes, reward)
        return updates, BettingState(largest, sizes, total, reward, state.start)

    return optax.GradientTransformation(init, update)


def krichevsky_trofimov(first_wealth: Any) -> optax.GradientTransformation:
    """KT (Orabona & Pál 2016, algorithm 1): one coin for all parameters, bet on by its mean.

    A coin is a gradient of norm 1 at most: gradients are divided by the largest norm so far where
    that is above 1.
    """

    def init(params: optax.Params) -> KrichevskyTrofimovState:
        return KrichevskyTrofimovState(
            jnp.zeros((), jnp.int32),
            scalar(first_wealth, params),
            scalar(1, params),
            zeros(params),
            params,
        )

    def update(
        grads: optax.Updates, state: KrichevskyTrofimovState, params: optax.Params
    ) -> tuple[optax.Updates, KrichevskyTrofimovState]:
        count = state.steps + 1
        largest = jnp.maximum(state.largest, norm(grads))
        coin = jax.tree.map(lambda g: -g / largest, grads)
        won = dot(coin, jax.tree.map(jnp.subtract, params, state.start))
        wealth = state.wealth + won
        total = jax.tree.map(jnp.add, state.total, coin)
        stake = wealth / (count + 1)
        updates = jax.tree.map(lambda x0, t, p: x0 + stake * t - p, state.start, total, params)
        return updates, KrichevskyTrofimovState(count, wealth, largest, total, state.start)

    return optax.GradientTransformation(init, update)
