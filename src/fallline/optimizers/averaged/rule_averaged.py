"""The rules of ASGD, schedule-free learning and FTRL-Proximal.

Each gives the whole step, learning rate and sign included. Written here because Optax lacks ASGD
and FTRL; its schedule-free rule divides by β at every step, which costs digits in float32, and
its warm-up begins with a learning rate of zero.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from fallline.optimizers.shared.moments import averaged_square, bias_correction, zeros


class AveragedState(NamedTuple):
    """Steps taken (int32), and the average of the parameters."""

    steps: jax.Array
    average: optax.Params


class ScheduleFreeState(NamedTuple):
    """Steps taken (int32), the largest learning rate and the sum of the weights so far, the
    iterate z that is averaged, and Adam's average of squares (or nothing)."""

    steps: jax.Array
    largest: jax.Array
    total: jax.Array
    z: optax.Params
    nu: optax.Updates


class LeaderState(NamedTuple):
    """The sums of squared gradients and of the linear terms."""

    n: optax.Updates
    z: optax.Updates


def _quotient(numerator: jax.Array, denominator: jax.Array) -> jax.Array:
    """``numerator / denominator``, 0 where the denominator is 0."""
    nothing = denominator == 0
    return jnp.where(nothing, 0, numerator / jnp.where(nothing, 1, denominator))


def averaged_descent(
    learning_rate: Any, lambd: Any, power: Any, average_from: Any
) -> optax.GradientTransformation:
    """SGD with a learning rate that falls as ``(1 + λ α t)^-power``, and its running mean.

    Polyak & Juditsky 1992 with the schedule of Xu 2011, as torch has it: the mean begins with
    the iterate of step ``average_from + 2``; until then it is the last iterate.
    """

    def init(params: optax.Params) -> AveragedState:
        return AveragedState(jnp.zeros((), jnp.int32), params)

    def update(
        grads: optax.Updates, state: AveragedState, params: optax.Params
    ) -> tuple[optax.Updates, AveragedState]:
        before = state.steps.astype(jnp.result_type(learning_rate))
        length = learning_rate / (1 + lambd * learning_rate * before) ** power
        updates = jax.tree.map(lambda g, p: -length * (g + lambd * p), grads, params)
        share = 1 / jnp.maximum(before - average_from, 1)
        average = jax.tree.map(
            lambda a, p, u: a + share * (p + u - a), state.average, params, updates
        )
        return updates, AveragedState(state.steps + 1, average)

    return optax.GradientTransformation(init, update)


def _schedule_free(
    learning_rate: Any,
    beta: Any,
    warmup_steps: Any,
    r: Any,
    weight_lr_power: Any,
    direction: Callable[..., tuple[Any, optax.Updates, optax.Updates]],
    squares: Callable[[optax.Params], optax.Updates],
) -> optax.GradientTransformation:
    """Schedule-free learning (Defazio et al. 2024, algorithm 1), the trained parameters being y.

    ``direction(grads, nu, params, count)`` gives a factor of the learning rate, the step of z for
    a learning rate of 1, and the new ``nu``.
    """

    def init(params: optax.Params) -> ScheduleFreeState:
        nothing = jnp.zeros((), jnp.result_type(*jax.tree.leaves(params)))
        return ScheduleFreeState(
            jnp.zeros((), jnp.int32), nothing, nothing, params, squares(params)
        )

    def update(
        grads: optax.Updates, state: ScheduleFreeState, params: optax.Params
    ) -> tuple[optax.Updates, ScheduleFreeState]:
        count = state.steps + 1
        number = count.astype(state.total.dtype)
        factor, step, nu = direction(grads, state.nu, params, count)
        warmed = jnp.minimum(number / jnp.maximum(warmup_steps, 1), 1)
        length = learning_rate * warmed * factor
        largest = jnp.maximum(state.largest, length)
        weight = number**r * largest**weight_lr_power
        total = state.total + weight
        share = _quotient(weight, total)
        # y moves without x, which would come out of a division by β.
        updates = jax.tree.map(
            lambda y, z, s: share * (z - y) - length * (1 - beta * (1 - share)) * s,
            params,
            state.z,
            step,
        )
        z = jax.tree.map(lambda z, s: z - length * s, state.z, step)
        return updates, ScheduleFreeState(count, largest, total, z, nu)

    return optax.GradientTransformation(init, update)


def schedule_free_descent(
    learning_rate: Any,
    momentum: Any,
    weight_decay: Any,
    warmup_steps: Any,
    r: Any,
    weight_lr_power: Any,
) -> optax.GradientTransformation:
    """Schedule-free SGD; the decay is taken at y."""

    def direction(grads: Any, nu: Any, params: Any, count: jax.Array) -> tuple[Any, Any, Any]:
        del count
        return 1, jax.tree.map(lambda g, y: g + weight_decay * y, grads, params), nu

    return _schedule_free(
        learning_rate, momentum, warmup_steps, r, weight_lr_power, direction, lambda params: ()
    )


def schedule_free_adam(
    learning_rate: Any,
    beta_1: Any,
    beta_2: Any,
    epsilon: Any,
    weight_decay: Any,
    warmup_steps: Any,
    r: Any,
    weight_lr_power: Any,
    *,
    corrected: str,
) -> optax.GradientTransformation:
    """Schedule-free AdamW; the decay is taken at y.

    ``corrected``: ``"average"`` takes the bias out of v, ``"rate"`` puts ``√(1-β₂ᵗ)`` into the
    learning rate, and so into the weights of the average; ``"rectified"`` does as ``"average"``
    and multiplies the learning rate by RAdam's rectification, zero while v knows too little.
    """

    def direction(grads: Any, nu: Any, params: Any, count: jax.Array) -> tuple[Any, Any, Any]:
        nu = averaged_square(nu, grads, beta_2)
        root = jnp.sqrt(bias_correction(beta_2, count))
        factor, inverse = (root, 1) if corrected == "rate" else (1, 1 / root)
        if corrected == "rectified":
            factor = _rectification(beta_2, count)
        step = jax.tree.map(
            lambda g, v, y: g / (jnp.sqrt(v) * inverse + epsilon) + weight_decay * y,
            grads,
            nu,
            params,
        )
        return factor, step, nu

    return _schedule_free(learning_rate, beta_1, warmup_steps, r, weight_lr_power, direction, zeros)


def _rectification(beta_2: Any, count: jax.Array) -> jax.Array:
    """RAdam's factor (Liu et al. 2020); 0 while the average has fewer than 4 degrees of freedom."""
    most = 2 / (1 - beta_2) - 1
    kept = jnp.exp(count * jnp.log(beta_2))
    length = most - 2 * count * kept / bias_correction(beta_2, count)
    known = length > 4
    length = jnp.where(known, length, most)
    share = (length - 4) * (length - 2) * most / ((most - 4) * (most - 2) * length)
    return jnp.where(known, jnp.sqrt(share), 0)


def averaged_iterate(params: optax.Params, z: optax.Params, beta: Any) -> optax.Params:
    """x, of which the trained parameters are ``y = (1 - β) z + β x``."""
    return jax.tree.map(lambda y, each: each + (y - each) / beta, params, z)


def follow_the_leader(
    learning_rate: Any,
    learning_rate_power: Any,
    initial_accumulator: Any,
    beta: Any,
    l1: Any,
    l2: Any,
    *,
    origin: str,
) -> optax.GradientTransformation:
    """FTRL-Proximal (McMahan et al. 2013, algorithm 1), coordinate by coordinate.

    ``origin="zero"`` begins at the leader of no data, which is 0; ``"start"`` adds the linear
    term that makes the given parameters that leader.
    """

    def curvature(n: jax.Array) -> jax.Array:
        return (n**-learning_rate_power + beta) / learning_rate + l2

    def init(params: optax.Params) -> LeaderState:
        n = jax.tree.map(lambda leaf: jnp.full_like(leaf, initial_accumulator), params)
        if origin == "zero":
            return LeaderState(n, zeros(params))
        # The l1 part is what the leader's step takes off again.
        return LeaderState(
            n, jax.tree.map(lambda p, m: -(curvature(m) * p + l1 * jnp.sign(p)), params, n)
        )

    def update(
        grads: optax.Updates, state: LeaderState, params: optax.Params
    ) -> tuple[optax.Updates, LeaderState]:
        n = jax.tree.map(lambda m, g: m + g * g, state.n, grads)

        def linear(z: Any, g: Any, p: Any, new: Any, old: Any) -> jax.Array:
            grown = new**-learning_rate_power - old**-learning_rate_power
            return z + g - grown / learning_rate * p

        z = jax.tree.map(linear, state.z, grads, params, n, state.n)

        def towards_leader(p: Any, total: Any, m: Any) -> jax.Array:
            curve = curvature(m)
            leader = _quotient(jnp.clip(total, -l1, l1) - total, curve)
            # Without a gradient and a regulariser every point is a leader.
            return jnp.where(curve == 0, 0, leader - p)

        return jax.tree.map(towards_leader, params, z, n), LeaderState(n, z)

    return optax.GradientTransformation(init, update)
