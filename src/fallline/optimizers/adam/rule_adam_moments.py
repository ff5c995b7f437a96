"""Rules that change Adam's averages one at a time: what they gather, when, and in what order.

Each returns the direction for a learning rate of 1, to be scaled by ``-learning_rate``; only
MADGRAD, whose sums hold the learning rate of their time, takes it itself.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from fallline.errors import InputError
from fallline.optimizers.adam.rule_adam import MomentsState
from fallline.optimizers.shared.moments import (
    as_float32,
    averaged,
    averaged_square,
    bias_correction,
    zeros,
)

FLOOR = 1e-15
"""What pytorch_optimizer adds under the root besides ε."""


class WeightedState(NamedTuple):
    """The weights that two averages have gathered, in units of the newest gradient's."""

    first: jax.Array
    second: jax.Array
    mu: optax.Updates
    nu: optax.Updates


class LastState(NamedTuple):
    """Steps taken (int32), and the direction of the step before."""

    steps: jax.Array
    last: optax.Updates


class SumsState(NamedTuple):
    """Steps taken (int32), weighted sums of gradients and of squares, and the first parameters."""

    steps: jax.Array
    total: optax.Updates
    squares: optax.Updates
    origin: optax.Params


def no_steps() -> jax.Array:
    """The count of steps before the first."""
    return jnp.zeros((), jnp.int32)


def begun(params: optax.Params) -> MomentsState:
    """Both averages at zero."""
    return MomentsState(no_steps(), zeros(params), zeros(params))


def denominator(nu: optax.Updates, correction: Any, epsilon: Any, place: str) -> optax.Updates:
    """``√(ν / correction) + ε``, or uncorrected: ``(√(ν + 10⁻¹⁵) + ε) / √correction``."""
    inverse = jax.lax.rsqrt(correction)
    if place == "uncorrected":
        return jax.tree.map(lambda v: (jnp.sqrt(v + FLOOR) + epsilon) * inverse, nu)
    return jax.tree.map(lambda v: jnp.sqrt(v) * inverse + epsilon, nu)


def scale_by_yogi(
    beta_1: Any, beta_2: Any, epsilon: Any, initial: Any, *, first_moment: str, corrected: bool
) -> optax.GradientTransformation:
    """Yogi: the average of squares moves by a share of g², whatever its distance to it."""

    def init(params: optax.Params) -> MomentsState:
        def full() -> optax.Updates:
            return jax.tree.map(lambda leaf: jnp.full_like(leaf, initial), params)

        return MomentsState(
            no_steps(), full() if first_moment == "accumulator" else zeros(params), full()
        )

    def update(
        grads: optax.Updates, state: MomentsState, params: optax.Params | None = None
    ) -> tuple[optax.Updates, MomentsState]:
        del params
        count = state.steps + 1
        mu = averaged(state.mu, grads, beta_1)
        nu = jax.tree.map(
            lambda v, g: v - (1 - beta_2) * jnp.sign(v - g * g) * g * g, state.nu, grads
        )
        scale: Any = 1.0
        inverse: Any = 1.0
        if corrected:
            scale = 1 / bias_correction(beta_1, count)
            inverse = jax.lax.rsqrt(bias_correction(beta_2, count))
        updates = jax.tree.map(lambda m, v: scale * m / (jnp.sqrt(v) * inverse + epsilon), mu, nu)
        return updates, MomentsState(count, mu, nu)

    return optax.GradientTransformation(init, update)


def scale_by_laprop(
    beta_1: Any, beta_2: Any, epsilon: Any, *, place: str
) -> optax.GradientTransformation:
    """LaProp: the average of gradients that are each in units of their own time's size."""

    def update(
        grads: optax.Updates, state: MomentsState, params: optax.Params | None = None
    ) -> tuple[optax.Updates, MomentsState]:
        del params
        count = state.steps + 1
        nu = averaged_square(state.nu, grads, beta_2)
        sizes = denominator(nu, bias_correction(beta_2, count), epsilon, place)
        mu = averaged(state.mu, jax.tree.map(jnp.divide, grads, sizes), beta_1)
        scale = 1 / bias_correction(beta_1, count)
        return jax.tree.map(lambda m: scale * m, mu), MomentsState(count, mu, nu)

    return optax.GradientTransformation(begun, update)


def scale_by_adopt(
    beta_1: Any, beta_2: Any, epsilon: Any, *, clipping: str
) -> optax.GradientTransformation:
    """ADOPT: the size that divides a gradient knows only the gradients before it.

    The first step stands still and takes the size from its gradient. ``clipping`` by
    ``fourth_root`` of the moves so far, by one more (``ahead``), or ``none``.
    """

    def update(
        grads: optax.Updates, state: MomentsState, params: optax.Params | None = None
    ) -> tuple[optax.Updates, MomentsState]:
        del params
        first = state.steps == 0
        moves = state.steps + 1 if clipping == "ahead" else state.steps

        def normed(grad: jax.Array, v: jax.Array) -> jax.Array:
            ratio = grad / jnp.maximum(jnp.sqrt(v), epsilon)
            if clipping == "none":
                return ratio
            limit = jnp.sqrt(jnp.sqrt(moves.astype(ratio.dtype)))
            return jnp.clip(ratio, -limit, limit)

        moved = averaged(state.mu, jax.tree.map(normed, grads, state.nu), beta_1)
        mu = jax.tree.map(lambda old, new: jnp.where(first, old, new), state.mu, moved)
        nu = jax.tree.map(
            lambda g, v: jnp.where(first, g * g, v),
            grads,
            averaged_square(state.nu, grads, beta_2),
        )
        return mu, MomentsState(state.steps + 1, mu, nu)

    return optax.GradientTransformation(begun, update)


def scale_by_acprop(
    beta_1: Any, beta_2: Any, epsilon: Any, *, deviation: str
) -> optax.GradientTransformation:
    """ACProp: the gradient over the root of the last step's variance; first the gradient itself.

    ``deviation`` from the ``new`` average, the gradient counted in, or from the ``old`` one.
    """

    def update(
        grads: optax.Updates, state: MomentsState, params: optax.Params | None = None
    ) -> tuple[optax.Updates, MomentsState]:
        del params
        first = state.steps == 0
        inverse = jax.lax.rsqrt(bias_correction(beta_2, jnp.maximum(state.steps, 1)))
        updates = jax.tree.map(
            lambda g, v: jnp.where(first, g, g / (jnp.sqrt(v) * inverse + epsilon)),
            grads,
            state.nu,
        )
        mu = averaged(state.mu, grads, beta_1)
        centre = state.mu if deviation == "old" else mu
        away = jax.tree.map(jnp.subtract, grads, centre)
        nu = jax.tree.map(lambda v: v + epsilon, averaged_square(state.nu, away, beta_2))
        return updates, MomentsState(state.steps + 1, mu, nu)

    return optax.GradientTransformation(begun, update)


def scale_by_qhadam(
    beta_1: Any, beta_2: Any, nu_1: Any, nu_2: Any, epsilon: Any, *, float32: bool
) -> optax.GradientTransformation:
    """QHAdam: each average mixed with its newest value; unbiased from the first step on."""

    def rounded(value: jax.Array) -> jax.Array:
        return as_float32(value) if float32 else value

    def init(params: optax.Params) -> WeightedState:
        dtype = jnp.result_type(*jax.tree.leaves(params))
        nothing = jnp.zeros((), dtype)
        return WeightedState(nothing, jnp.zeros_like(nothing), zeros(params), zeros(params))

    def update(
        grads: optax.Updates, state: WeightedState, params: optax.Params | None = None
    ) -> tuple[optax.Updates, WeightedState]:
        del params

        def gathered(weight: jax.Array, decay: Any) -> jax.Array:
            return rounded(rounded(weight * rounded(jnp.asarray(decay, weight.dtype))) + 1)

        first, second = gathered(state.first, beta_1), gathered(state.second, beta_2)
        new_1, new_2 = rounded(1 / first), rounded(1 / second)
        mu = jax.tree.map(lambda m, g: (1 - new_1) * m + new_1 * g, state.mu, grads)
        nu = jax.tree.map(lambda v, g: (1 - new_2) * v + new_2 * g * g, state.nu, grads)
        updates = jax.tree.map(
            lambda m, v, g: (
                (nu_1 * m + (1 - nu_1) * g) / (jnp.sqrt(nu_2 * v + (1 - nu_2) * g * g) + epsilon)
            ),
            mu,
            nu,
            grads,
        )
        return updates, WeightedState(first, second, mu, nu)

    return optax.GradientTransformation(init, update)


def scale_by_exadam(beta_1: Any, beta_2: Any, epsilon: Any) -> optax.GradientTransformation:
    """EXAdam: corrections that fade with the other average, and the gradient added once more."""

    def update(
        grads: optax.Updates, state: MomentsState, params: optax.Params | None = None
    ) -> tuple[optax.Updates, MomentsState]:
        del params
        count = state.steps + 1
        mu = averaged(state.mu, grads, beta_1)
        nu = averaged_square(state.nu, grads, beta_2)
        first, second = bias_correction(beta_1, count), bias_correction(beta_2, count)

        def direction(m: jax.Array, v: jax.Array, g: jax.Array) -> jax.Array:
            by_size = 1 + v / (v + epsilon) * (1 - second)
            by_mean = 1 + m * m / (m * m + epsilon) * (1 - first)
            root = jnp.sqrt(v / second * by_mean)
            return (m + g) / first * by_size / (root + epsilon)

        return jax.tree.map(direction, mu, nu, grads), MomentsState(count, mu, nu)

    return optax.GradientTransformation(begun, update)


def optimistic(optimism: Any, *, first_step: str) -> optax.GradientTransformation:
    """A direction and ``optimism`` times its change since the step before.

    Before the first step there was none: it is taken to be the same (``plain``) or zero
    (``longer``).
    """

    def init(params: optax.Params) -> LastState:
        return LastState(no_steps(), zeros(params))

    def update(
        directions: optax.Updates, state: LastState, params: optax.Params | None = None
    ) -> tuple[optax.Updates, LastState]:
        del params
        last = state.last
        if first_step == "plain":
            first = state.steps == 0
            last = jax.tree.map(lambda old, new: jnp.where(first, new, old), last, directions)
        updates = jax.tree.map(lambda new, old: new + optimism * (new - old), directions, last)
        return updates, LastState(state.steps + 1, directions)

    return optax.GradientTransformation(init, update)


def madgrad(
    learning_rate: Any, momentum: Any, epsilon: Any, weight_decay: Any = None
) -> optax.GradientTransformation:
    """MADGRAD, the whole step, with decoupled weight decay if there is any.

    The distance from the first parameters is the sum of the gradients over the cube root of the
    sum of their squares, step ``t`` counted ``√t`` times.
    """

    def init(params: optax.Params) -> SumsState:
        # A copy: a state that shared its parameters' memory could not be updated in place.
        origin = jax.tree.map(jnp.copy, params)
        return SumsState(no_steps(), zeros(params), zeros(params), origin)

    def update(
        grads: optax.Updates, state: SumsState, params: optax.Params | None = None
    ) -> tuple[optax.Updates, SumsState]:
        if params is None:
            raise InputError("madgrad needs the parameters", hint="update(grads, state, params)")
        count = state.steps + 1
        rate = learning_rate + epsilon

        def weight(leaf: jax.Array) -> jax.Array:
            return rate * jnp.sqrt(count.astype(leaf.dtype))

        total = jax.tree.map(lambda s, g: s + weight(g) * g, state.total, grads)
        squares = jax.tree.map(lambda v, g: v + weight(g) * g * g, state.squares, grads)

        def step(x: jax.Array, origin: jax.Array, s: jax.Array, v: jax.Array) -> jax.Array:
            size = jnp.cbrt(v) + epsilon
            aim = origin - s / jnp.where(size > 0, size, jnp.inf)
            moved = (1 - momentum) * (aim - x)
            return moved if weight_decay is None else moved - rate * weight_decay * x

        updates = jax.tree.map(step, params, state.origin, total, squares)
        return updates, SumsState(count, total, squares, state.origin)

    return optax.GradientTransformation(init, update)
