"""The rules of Adam's family: two averages, a step of the first in units of the second.

Each returns the direction for a learning rate of 1, to be scaled by ``-learning_rate``; only
AdaBound, whose bounds hold for the whole step, takes the learning rate itself.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from fallline.optimizers.shared.angle import angle
from fallline.optimizers.shared.moments import (
    as_float32,
    averaged,
    averaged_square,
    bias_correction,
    zeros,
)


class MomentsState(NamedTuple):
    """Steps taken (int32), and the averages of the gradient and of its square."""

    steps: jax.Array
    mu: optax.Updates
    nu: optax.Updates


class LargestState(NamedTuple):
    """As :class:`MomentsState`, with the largest average of squares so far."""

    steps: jax.Array
    mu: optax.Updates
    nu: optax.Updates
    largest: optax.Updates


class NadamState(NamedTuple):
    """As :class:`MomentsState`, with the product of the momenta of all steps."""

    steps: jax.Array
    product: jax.Array
    mu: optax.Updates
    nu: optax.Updates


def _begin(params: optax.Params) -> MomentsState:
    return MomentsState(jnp.zeros((), jnp.int32), zeros(params), zeros(params))


def _corrections(
    beta_1: Any, beta_2: Any, count: jax.Array, *, float32: bool = False
) -> tuple[jax.Array, jax.Array]:
    if float32:
        beta_1, beta_2 = as_float32(beta_1), as_float32(beta_2)
    return bias_correction(beta_1, count), bias_correction(beta_2, count)


def _ratio(
    mu: optax.Updates, nu: optax.Updates, first: Any, second: Any, epsilon: Any, place: str
) -> optax.Updates:
    """``μ̂ / (√ν̂ + ε)`` with the averages corrected by ``first`` and ``second``."""
    if place == "uncorrected":
        scale = jnp.sqrt(second) / first
        return jax.tree.map(lambda m, v: scale * m / (jnp.sqrt(v) + epsilon), mu, nu)
    scale, inverse = 1 / first, 1 / second
    if place == "inside":
        return jax.tree.map(lambda m, v: scale * m / jnp.sqrt(v * inverse + epsilon), mu, nu)
    root = jnp.sqrt(inverse)
    return jax.tree.map(lambda m, v: scale * m / (jnp.sqrt(v) * root + epsilon), mu, nu)


def scale_by_adam(
    beta_1: Any, beta_2: Any, epsilon: Any, *, place: str, float32: bool
) -> optax.GradientTransformation:
    """Adam. Optax's knows no ε beside the uncorrected root, and loses digits in float32."""

    def update(
        grads: optax.Updates, state: MomentsState, params: optax.Params | None = None
    ) -> tuple[optax.Updates, MomentsState]:
        del params
        count = state.steps + 1
        mu = averaged(state.mu, grads, beta_1)
        nu = averaged_square(state.nu, grads, beta_2)
        first, second = _corrections(beta_1, beta_2, count, float32=float32)
        return _ratio(mu, nu, first, second, epsilon, place), MomentsState(count, mu, nu)

    return optax.GradientTransformation(_begin, update)


def scale_by_amsgrad(
    beta_1: Any, beta_2: Any, epsilon: Any, *, correction: str, place: str, float32: bool
) -> optax.GradientTransformation:
    """AMSGrad: Adam with the largest average of squares so far.

    ``correction``: of the bias ``"after"`` the maximum, ``"before"`` it, or ``"none"``.
    """

    def init(params: optax.Params) -> LargestState:
        return LargestState(*_begin(params), zeros(params))

    def update(
        grads: optax.Updates, state: LargestState, params: optax.Params | None = None
    ) -> tuple[optax.Updates, LargestState]:
        del params
        count = state.steps + 1
        mu = averaged(state.mu, grads, beta_1)
        nu = averaged_square(state.nu, grads, beta_2)
        first, second = _corrections(beta_1, beta_2, count, float32=float32)
        if correction == "none":
            first, second = jnp.ones_like(first), jnp.ones_like(second)
        seen = nu
        if correction == "before":
            inverse = 1 / second
            seen = jax.tree.map(lambda v: v * inverse, nu)
            second = jnp.ones_like(second)
        largest = jax.tree.map(jnp.maximum, state.largest, seen)
        updates = _ratio(mu, largest, first, second, epsilon, place)
        return updates, LargestState(count, mu, nu, largest)

    return optax.GradientTransformation(init, update)


def scale_by_adamax(
    beta_1: Any, beta_2: Any, epsilon: Any, *, place: str, float32: bool
) -> optax.GradientTransformation:
    """Adamax: ``μ̂ / u`` with ``u`` the largest, slowly forgotten, size of the gradient."""
    inner, outer = (epsilon, 0.0) if place == "inside" else (0.0, epsilon)

    def update(
        grads: optax.Updates, state: MomentsState, params: optax.Params | None = None
    ) -> tuple[optax.Updates, MomentsState]:
        del params
        count = state.steps + 1
        mu = averaged(state.mu, grads, beta_1)
        nu = jax.tree.map(lambda u, g: jnp.maximum(beta_2 * u, jnp.abs(g) + inner), state.nu, grads)
        scale = 1 / bias_correction(as_float32(beta_1) if float32 else beta_1, count)
        updates = jax.tree.map(lambda m, u: scale * m / (u + outer), mu, nu)
        return updates, MomentsState(count, mu, nu)

    return optax.GradientTransformation(_begin, update)


def scale_by_nadam(
    beta_1: Any, beta_2: Any, epsilon: Any, momentum_decay: Any, *, float32: bool
) -> optax.GradientTransformation:
    """Nadam with the warm-up of the momentum that Dozat, torch and Keras have and Optax lacks."""

    def init(params: optax.Params) -> NadamState:
        start = _begin(params)
        dtype = jnp.result_type(*jax.tree.leaves(params))
        return NadamState(start.steps, jnp.ones((), dtype), start.mu, start.nu)

    def momentum(beta: Any, base: Any, count: jax.Array) -> jax.Array:
        return beta * (1 - 0.5 * jnp.exp(count * momentum_decay * jnp.log(base)))

    def update(
        grads: optax.Updates, state: NadamState, params: optax.Params | None = None
    ) -> tuple[optax.Updates, NadamState]:
        del params
        count = state.steps + 1
        base = jnp.full((), 0.96, state.product.dtype)
        product = state.product * momentum(beta_1, base, count)
        # Keras rounds what its step uses, but not the product that it carries.
        first, second, base = (
            tuple(map(as_float32, (beta_1, beta_2, base))) if float32 else (beta_1, beta_2, base)
        )
        now, then = momentum(first, base, count), momentum(first, base, count + 1)
        mu = averaged(state.mu, grads, first)
        nu = averaged_square(state.nu, grads, second)
        of_average, of_gradient = then / (1 - product * then), (1 - now) / (1 - product)
        root = jax.lax.rsqrt(bias_correction(second, count))
        updates = jax.tree.map(
            lambda m, g, v: (of_average * m + of_gradient * g) / (jnp.sqrt(v) * root + epsilon),
            mu,
            grads,
            nu,
        )
        return updates, NadamState(count, product, mu, nu)

    return optax.GradientTransformation(init, update)


def scale_by_steady_nadam(
    beta_1: Any, beta_2: Any, epsilon: Any, *, float32: bool
) -> optax.GradientTransformation:
    """Nadam whose momentum is ``beta_1`` in every step, as in Optax."""

    def update(
        grads: optax.Updates, state: MomentsState, params: optax.Params | None = None
    ) -> tuple[optax.Updates, MomentsState]:
        del params
        count = state.steps + 1
        mu = averaged(state.mu, grads, beta_1)
        nu = averaged_square(state.nu, grads, beta_2)
        first, second = _corrections(beta_1, beta_2, count, float32=float32)
        next_first, _ = _corrections(beta_1, beta_2, count + 1, float32=float32)
        of_average, of_gradient = beta_1 / next_first, (1 - beta_1) / first
        ahead = jax.tree.map(lambda m, g: of_average * m + of_gradient * g, mu, grads)
        one = jnp.ones_like(second)
        return _ratio(ahead, nu, one, second, epsilon, "outside"), MomentsState(count, mu, nu)

    return optax.GradientTransformation(_begin, update)


def bounded_adam(
    learning_rate: Any, beta_1: Any, beta_2: Any, epsilon: Any, final_lr: Any, gamma: Any
) -> optax.GradientTransformation:
    """AdaBound: every parameter's step length clipped to bounds that close in on ``final_lr``."""

    def update(
        grads: optax.Updates, state: MomentsState, params: optax.Params | None = None
    ) -> tuple[optax.Updates, MomentsState]:
        del params
        count = state.steps + 1
        mu = averaged(state.mu, grads, beta_1)
        nu = averaged_square(state.nu, grads, beta_2)
        first, second = _corrections(beta_1, beta_2, count)
        length = learning_rate * jnp.sqrt(second) / first
        progress = gamma * count
        lower, upper = final_lr * progress / (progress + 1), final_lr * (1 + 1 / progress)
        updates = jax.tree.map(
            lambda m, v: -jnp.clip(length / (jnp.sqrt(v) + epsilon), lower, upper) * m, mu, nu
        )
        return updates, MomentsState(count, mu, nu)

    return optax.GradientTransformation(_begin, update)


def scale_by_belief(beta_1: Any, beta_2: Any, epsilon: Any) -> optax.GradientTransformation:
    """AdaBelief: Adam with the squared deviation from the average; ε enters ν at every step."""

    def update(
        grads: optax.Updates, state: MomentsState, params: optax.Params | None = None
    ) -> tuple[optax.Updates, MomentsState]:
        del params
        count = state.steps + 1
        mu = averaged(state.mu, grads, beta_1)
        deviation = jax.tree.map(jnp.subtract, grads, mu)
        nu = averaged_square(state.nu, deviation, beta_2)
        nu = jax.tree.map(lambda v: v + epsilon, nu)
        updates = _ratio(mu, nu, *_corrections(beta_1, beta_2, count), epsilon, "outside")
        return updates, MomentsState(count, mu, nu)

    return optax.GradientTransformation(_begin, update)


def scale_by_eadam(beta_1: Any, beta_2: Any, epsilon: Any) -> optax.GradientTransformation:
    """EAdam: Adam with ε added to ν at every step, where it gathers, and to nothing else."""

    def update(
        grads: optax.Updates, state: MomentsState, params: optax.Params | None = None
    ) -> tuple[optax.Updates, MomentsState]:
        del params
        count = state.steps + 1
        mu = averaged(state.mu, grads, beta_1)
        nu = jax.tree.map(lambda v: v + epsilon, averaged_square(state.nu, grads, beta_2))
        first, second = _corrections(beta_1, beta_2, count)
        scale = jnp.sqrt(second) / first
        updates = jax.tree.map(lambda m, v: scale * m * jax.lax.rsqrt(v), mu, nu)
        return updates, MomentsState(count, mu, nu)

    return optax.GradientTransformation(_begin, update)


def scale_by_angle(beta_1: Any, beta_2: Any) -> optax.GradientTransformation:
    """Adam-atan2: the angle of ``(μ̂, √ν̂)`` instead of their ratio, which needs no ε."""

    def update(
        grads: optax.Updates, state: MomentsState, params: optax.Params | None = None
    ) -> tuple[optax.Updates, MomentsState]:
        del params
        count = state.steps + 1
        mu = averaged(state.mu, grads, beta_1)
        nu = averaged_square(state.nu, grads, beta_2)
        first, second = _corrections(beta_1, beta_2, count)
        scale = jnp.sqrt(second) / first
        updates = jax.tree.map(lambda m, v: angle(scale * m, jnp.sqrt(v)), mu, nu)
        return updates, MomentsState(count, mu, nu)

    return optax.GradientTransformation(_begin, update)
