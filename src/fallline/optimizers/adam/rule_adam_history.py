"""The rules of Adam's kin that look back: at gradients, weights and the first part of training."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from fallline.optimizers.adam.rule_adam_steps import advance, begin, mean
from fallline.optimizers.shared.moments import averaged_square, bias_correction, zeros


class SwitchState(NamedTuple):
    """Steps taken and 1 after the switch (int32), the learning rate of SGD, the averages.

    ``rate`` is the uncorrected average of the estimates, after the switch what came of it. ``mu``
    is Adam's first average, after the switch the momentum of SGD.
    """

    steps: jax.Array
    switched: jax.Array
    rate: jax.Array
    mu: optax.Updates
    nu: optax.Updates


class DifferenceState(NamedTuple):
    """Steps taken (int32), both averages, and the gradient before."""

    steps: jax.Array
    mu: optax.Updates
    nu: optax.Updates
    before: optax.Updates


class QueueState(NamedTuple):
    """Steps taken (int32), the average of old squares, and the last gradients, oldest first."""

    steps: jax.Array
    nu: optax.Updates
    queue: tuple[optax.Updates, ...]


class SlowState(NamedTuple):
    """Steps taken (int32), the slow weights, and the state of the optimizer inside."""

    steps: jax.Array
    slow: optax.Params
    inner: optax.OptState


def _dot(left: optax.Updates, right: optax.Updates) -> jax.Array:
    products: list[Any] = jax.tree.leaves(jax.tree.map(lambda a, b: jnp.sum(a * b), left, right))
    return sum(products[1:], start=products[0])


def _chosen(which: jax.Array, yes: optax.Updates, no: optax.Updates) -> optax.Updates:
    return jax.tree.map(lambda a, b: jnp.where(which, a, b), yes, no)


def adam_then_sgd(
    learning_rate: Any, beta_1: Any, beta_2: Any, epsilon: Any, tolerance: Any
) -> optax.GradientTransformation:
    """SWATS: Adam until the learning rate that SGD would need has settled, then SGD with it."""

    def init(params: optax.Params) -> SwitchState:
        start = begin(params)
        dtype = jnp.result_type(*jax.tree.leaves(params))
        no = jnp.zeros((), jnp.int32)
        return SwitchState(start.steps, no, jnp.zeros((), dtype), start.mu, start.nu)

    def update(
        grads: optax.Updates, state: SwitchState, params: optax.Params | None = None
    ) -> tuple[optax.Updates, SwitchState]:
        del params
        by_sgd = state.switched > 0
        momentum = jax.tree.map(lambda b, g: beta_1 * b + g, state.mu, grads)
        of_sgd = jax.tree.map(lambda b: -(1 - beta_1) * state.rate * b, momentum)

        now = advance(state, grads, beta_1, beta_2)
        scale = learning_rate * jnp.sqrt(now.second) / now.first
        of_adam = jax.tree.map(lambda m, v: -scale * m / (jnp.sqrt(v) + epsilon), now.mu, now.nu)
        slope = -_dot(of_adam, grads)
        known = slope != 0
        estimate = _dot(of_adam, of_adam) / jnp.where(known, slope, 1)
        gathered = jnp.where(known, beta_2 * state.rate + (1 - beta_2) * estimate, state.rate)
        settled = gathered / now.second
        turns = known & (now.steps > 1) & (settled > 0) & (abs(settled - estimate) < tolerance)

        rate = jnp.where(by_sgd, state.rate, jnp.where(turns, settled, gathered))
        mu = _chosen(by_sgd, momentum, _chosen(turns, zeros(now.mu), now.mu))
        nu = _chosen(by_sgd, state.nu, now.nu)
        switched = jnp.maximum(state.switched, turns.astype(jnp.int32))
        return _chosen(by_sgd, of_sgd, of_adam), SwitchState(now.steps, switched, rate, mu, nu)

    return optax.GradientTransformation(init, update)


def scale_by_friction(beta_1: Any, beta_2: Any, epsilon: Any) -> optax.GradientTransformation:
    """diffGrad: Adam times the logistic function of the change of the gradient."""

    def init(params: optax.Params) -> DifferenceState:
        return DifferenceState(*begin(params), zeros(params))

    def update(
        grads: optax.Updates, state: DifferenceState, params: optax.Params | None = None
    ) -> tuple[optax.Updates, DifferenceState]:
        del params
        now = advance(state, grads, beta_1, beta_2)
        scale = jnp.sqrt(now.second) / now.first

        def step(m: jax.Array, v: jax.Array, g: jax.Array, before: jax.Array) -> jax.Array:
            return scale * jax.nn.sigmoid(jnp.abs(g - before)) * m / (jnp.sqrt(v) + epsilon)

        updates = jax.tree.map(step, now.mu, now.nu, grads, state.before)
        return updates, DifferenceState(now.steps, now.mu, now.nu, grads)

    return optax.GradientTransformation(init, update)


def scale_by_shifted_adam(
    beta_1: Any, beta_2: Any, epsilon: Any, *, history: int, reduction: str
) -> optax.GradientTransformation:
    """AdaShift: the mean of the last gradients in units of squares older than those.

    The first ``history`` steps only fill the queue.
    """
    reduced = {
        "max": lambda g: jnp.max(jnp.abs(g), initial=0.0),
        "mean": lambda g: jnp.sqrt(mean(g * g)),
        "none": lambda g: g,
    }[reduction]

    def init(params: optax.Params) -> QueueState:
        queue = tuple(zeros(params) for _ in range(history))
        nu = jax.tree.map(lambda p: jnp.zeros_like(reduced(p)), params)
        return QueueState(jnp.zeros((), jnp.int32), nu, queue)

    def update(
        grads: optax.Updates, state: QueueState, params: optax.Params | None = None
    ) -> tuple[optax.Updates, QueueState]:
        del params
        count = state.steps + 1
        nu = averaged_square(state.nu, jax.tree.map(reduced, state.queue[0]), beta_2)
        queue = (*state.queue[1:], grads)
        shares = [beta_1 ** (history - 1 - age) for age in range(history)]
        whole = sum(shares)
        correction = bias_correction(beta_2, jnp.maximum(count - history, 1))

        def step(v: jax.Array, *last: jax.Array) -> jax.Array:
            m = sum(s * g for s, g in zip(shares, last, strict=True)) / whole
            return jnp.where(count > history, m / (jnp.sqrt(v / correction) + epsilon), 0)

        return jax.tree.map(step, nu, *queue), QueueState(count, nu, queue)

    return optax.GradientTransformation(init, update)


def centralized(grads: optax.Updates, kernels: str, outputs: str) -> optax.Updates:
    """Kernels' gradients less their mean over all that leads to the same output.

    ``kernels``: ``all`` with more than one axis, those of ``convolutions`` (more than three), or
    ``none``. ``outputs``: which axis counts them, the ``last`` (Flax) or the ``first`` (torch).
    """
    least = {"all": 2, "convolutions": 4, "none": math.inf}[kernels]

    def centred(g: jax.Array) -> jax.Array:
        if g.ndim < least:
            return g
        inputs = tuple(range(g.ndim - 1) if outputs == "last" else range(1, g.ndim))
        return g - jnp.mean(g, axis=inputs, keepdims=True)

    return jax.tree.map(centred, grads)


def looking_ahead(
    inner: optax.GradientTransformation, slow_step: Any, period: int
) -> optax.GradientTransformation:
    """``inner``; every ``period`` steps slow weights follow, and the others return to them."""

    def init(params: optax.Params) -> SlowState:
        slow = jax.tree.map(jnp.copy, params)
        return SlowState(jnp.zeros((), jnp.int32), slow, inner.init(params))

    def update(
        grads: optax.Updates, state: SlowState, params: optax.Params | None = None
    ) -> tuple[optax.Updates, SlowState]:
        count = state.steps + 1
        updates, after = inner.update(grads, state.inner, params)
        followed = jax.tree.map(
            lambda s, p, u: s + slow_step * (p + u - s), state.slow, params, updates
        )
        meets = count % period == 0
        back = jax.tree.map(jnp.subtract, followed, params)
        slow = _chosen(meets, followed, state.slow)
        return _chosen(meets, back, updates), SlowState(count, slow, after)

    return optax.GradientTransformation(init, update)
