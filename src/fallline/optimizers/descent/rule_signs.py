"""Rules of signs that Optax lacks, each the direction for a learning rate of 1.

Only :func:`adapted_lion_step`, which finds the learning rate, gives the whole step.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from fallline.optimizers.shared.lengths import over
from fallline.optimizers.shared.moments import averaged, zeros


class AverageState(NamedTuple):
    """The running average of the gradient."""

    average: optax.Updates


class AdaptedState(NamedTuple):
    """The distance found, the sum that finds it, the average of the scaled gradient, and that of
    the steps."""

    distance: jax.Array
    numerator: jax.Array
    average: optax.Updates
    travelled: optax.Updates


def scale_by_sign_of_average(beta: Any) -> optax.GradientTransformation:
    """Signum: the sign of the running average of the gradient."""

    def init(params: optax.Params) -> AverageState:
        return AverageState(zeros(params))

    def update(
        grads: optax.Updates, state: AverageState, params: optax.Params | None = None
    ) -> tuple[optax.Updates, AverageState]:
        del params
        average = averaged(state.average, grads, beta)
        return jax.tree.map(jnp.sign, average), AverageState(average)

    return optax.GradientTransformation(init, update)


def scale_by_cautious_lion(
    beta_1: Any, beta_2: Any, *, rescaled: str
) -> optax.GradientTransformation:
    """Lion's signs where they agree with the gradient's, the others 0, and larger for it."""

    def init(params: optax.Params) -> AverageState:
        return AverageState(zeros(params))

    def signed(average: jax.Array, grad: jax.Array) -> jax.Array:
        sign = jnp.sign(beta_1 * average + (1 - beta_1) * grad)
        kept = (sign * grad > 0).astype(grad.dtype)
        agreeing = jnp.sum(kept)
        if rescaled == "count":
            return sign * kept * (grad.size / (agreeing + 1))
        return sign * kept / jnp.maximum(agreeing / max(grad.size, 1), 1e-3)

    def update(
        grads: optax.Updates, state: AverageState, params: optax.Params | None = None
    ) -> tuple[optax.Updates, AverageState]:
        del params
        updates = jax.tree.map(signed, state.average, grads)
        return updates, AverageState(averaged(state.average, grads, beta_2))

    return optax.GradientTransformation(init, update)


def adapted_lion_step(
    learning_rate: Any, beta_1: Any, beta_2: Any, first_distance: Any, weight_decay: Any
) -> optax.GradientTransformation:
    """The whole step of Lion, as long as the distance to the minimum that its steps point to."""
    root = jnp.sqrt(beta_2)

    def init(params: optax.Params) -> AdaptedState:
        begun = jnp.asarray(first_distance, jnp.result_type(*jax.tree.leaves(params)))
        return AdaptedState(begun, jnp.zeros_like(begun), zeros(params), zeros(params))

    def update(
        grads: optax.Updates, state: AdaptedState, params: optax.Params
    ) -> tuple[optax.Updates, AdaptedState]:
        rate = state.distance * learning_rate
        signs = jax.tree.map(
            lambda m, g: jnp.sign(beta_1 * m + (1 - beta_1) * g), state.average, grads
        )
        average = jax.tree.map(
            lambda m, g: beta_2 * m + (1 - beta_2) * rate * g, state.average, grads
        )
        agreed = jax.tree.map(lambda u, s: jnp.sum(u * s), signs, state.travelled)
        travelled = averaged(state.travelled, jax.tree.map(lambda u: rate * u, signs), root)
        numerator = root * state.numerator + (1 - root) * rate * sum(jax.tree.leaves(agreed))
        size = (1 - root) * sum(jnp.sum(jnp.abs(leaf)) for leaf in jax.tree.leaves(travelled))
        distance = jnp.maximum(state.distance, over(numerator, size))
        updates = jax.tree.map(lambda u, p: -rate * (u + weight_decay * p), signs, params)
        return updates, AdaptedState(distance, numerator, average, travelled)

    return optax.GradientTransformation(init, update)
