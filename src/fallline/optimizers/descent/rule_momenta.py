"""Rules of gradient descent with other momenta, each the direction for a learning rate of 1.

Only :func:`accelerated_step`, with two lengths of step, gives the whole step.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from fallline.optimizers.shared.moments import averaged, zeros

Steps = tuple[optax.Updates, Any]
"""The updates, and the state after them."""


class AverageState(NamedTuple):
    """The running average of the gradient."""

    average: optax.Updates


class VelocitiesState(NamedTuple):
    """A velocity for each momentum."""

    velocities: tuple[optax.Updates, ...]


class FarState(NamedTuple):
    """The parameters that take the long steps."""

    far: optax.Params


class PairState(NamedTuple):
    """The average of the last step, and that of the step before it."""

    last: optax.Updates
    older: optax.Updates


class ControlState(NamedTuple):
    """Steps taken (int32), the last gradient, the integral and the derivative."""

    steps: jax.Array
    last: optax.Updates
    integral: optax.Updates
    derivative: optax.Updates


def scale_by_quasi_hyperbolic(momentum: Any, nu: Any) -> optax.GradientTransformation:
    """QHM: the gradient and its running average, mixed."""

    def init(params: optax.Params) -> AverageState:
        return AverageState(zeros(params))

    def update(
        grads: optax.Updates, state: AverageState, params: optax.Params | None = None
    ) -> Steps:
        del params
        average = averaged(state.average, grads, momentum)
        return averaged(average, grads, nu), AverageState(average)

    return optax.GradientTransformation(init, update)


def scale_by_aggregate(betas: tuple[Any, ...]) -> optax.GradientTransformation:
    """AggMo: the mean of velocities with these momenta."""

    def init(params: optax.Params) -> VelocitiesState:
        return VelocitiesState(tuple(zeros(params) for _ in betas))

    def update(
        grads: optax.Updates, state: VelocitiesState, params: optax.Params | None = None
    ) -> Steps:
        del params
        velocities = tuple(
            jax.tree.map(lambda v, g, beta=beta: beta * v + g, velocity, grads)
            for beta, velocity in zip(betas, state.velocities, strict=True)
        )
        mean = jax.tree.map(lambda *leaves: sum(leaves) / len(betas), *velocities)
        return mean, VelocitiesState(velocities)

    return optax.GradientTransformation(init, update)


def accelerated_step(
    learning_rate: Any, kappa: Any, xi: Any, constant: Any
) -> optax.GradientTransformation:
    """The whole step of AccSGD: a short step, drawn towards where long steps lead on average."""
    beta = constant * constant * xi / kappa
    long = learning_rate * kappa / constant
    nearness = constant / (constant + beta)

    def init(params: optax.Params) -> FarState:
        return FarState(jax.tree.map(jnp.asarray, params))

    def update(grads: optax.Updates, state: FarState, params: optax.Params) -> Steps:
        far = jax.tree.map(lambda f, g, p: f + beta * (p - long * g - f), state.far, grads, params)
        updates = jax.tree.map(
            lambda f, g, p: (1 - nearness) * (f - p) - nearness * learning_rate * g,
            far,
            grads,
            params,
        )
        return updates, FarState(far)

    return optax.GradientTransformation(init, update)


def scale_by_positive_negative(beta_0: Any, beta_1: Any) -> optax.GradientTransformation:
    """PNM: two averages that take turns, the newer one extrapolated away from the older."""
    kept = beta_1 * beta_1
    size = jnp.sqrt((1 + beta_0) * (1 + beta_0) + beta_0 * beta_0)

    def init(params: optax.Params) -> PairState:
        return PairState(zeros(params), zeros(params))

    def update(grads: optax.Updates, state: PairState, params: optax.Params | None = None) -> Steps:
        del params
        newer = averaged(state.older, grads, kept)
        updates = jax.tree.map(
            lambda n, last: ((1 + beta_0) * n - beta_0 * last) / size, newer, state.last
        )
        return updates, PairState(newer, state.last)

    return optax.GradientTransformation(init, update)


def scale_by_control(
    momentum: Any, integral: Any, derivative: Any, *, difference: str
) -> optax.GradientTransformation:
    """PID: the gradient, its decaying sum, and the average of its change."""

    def init(params: optax.Params) -> ControlState:
        return ControlState(jnp.zeros((), jnp.int32), zeros(params), zeros(params), zeros(params))

    def update(
        grads: optax.Updates, state: ControlState, params: optax.Params | None = None
    ) -> Steps:
        del params
        begins = state.steps == 0
        change = jax.tree.map(lambda g, last: jnp.where(begins, 0.0, g - last), grads, state.last)
        summed = jax.tree.map(lambda i, g: momentum * i + g, state.integral, grads)
        drift = averaged(state.derivative, change, momentum)
        updates = jax.tree.map(
            lambda g, i, d: g + integral * i + derivative * d, grads, summed, drift
        )
        last = grads
        if difference == "late":
            last = jax.tree.map(lambda g: jnp.where(begins, 0.0, g), grads)
        return updates, ControlState(state.steps + 1, last, summed, drift)

    return optax.GradientTransformation(init, update)
