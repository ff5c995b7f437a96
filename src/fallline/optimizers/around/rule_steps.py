"""The rules of what is done to an optimizer's steps, and of averages of the parameters.

Averages take the parameters as the next step is given them, so that they hold what was trained,
whatever else changes the steps.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from fallline.optimizers.around.rule_gradients import HoldingState
from fallline.optimizers.shared.moments import averaged, bias_correction, zeros
from fallline.optimizers.wrapping import SHARE, Inner


class SlowState(NamedTuple):
    """Steps since the last meeting (int32), and the slow weights."""

    steps: jax.Array
    slow: optax.Params
    inner: Any


class DecayedState(NamedTuple):
    """Steps taken (int32), and the average of the parameters after all of them but the last."""

    steps: jax.Array
    average: optax.Params
    inner: Any


class MeanState(NamedTuple):
    """Steps taken, and the mean of the parameters after those that count, but the last.

    ``counts`` is 1 if the parameters after the last step count, else 0. All counts are int32.
    """

    steps: jax.Array
    counted: jax.Array
    counts: jax.Array
    mean: optax.Params
    inner: Any


def lookahead(
    inner: Inner, *, step_size: Any, steps: int, inside: str
) -> optax.GradientTransformationExtraArgs:
    """``steps`` fast steps, then back to a point between the slow weights and the fast ones."""
    rule = inner()

    def init(params: optax.Params) -> SlowState:
        # A copy: the same buffer twice could not be donated.
        slow = jax.tree.map(jnp.copy, params)
        return SlowState(jnp.zeros((), jnp.int32), slow, rule.init(params))

    def update(
        grads: optax.Updates,
        state: SlowState,
        params: optax.Params | None = None,
        **extra: Any,
    ) -> tuple[optax.Updates, SlowState]:
        updates, held = rule.update(grads, state.inner, params, **extra)
        count = state.steps + 1
        meet = count == steps

        def met(u: jax.Array, p: jax.Array, slow: jax.Array) -> jax.Array:
            return jnp.where(meet, slow + step_size * (p + u - slow) - p, u)

        updates = jax.tree.map(met, updates, params, state.slow)
        slow = jax.tree.map(
            lambda u, p, slow: jnp.where(meet, p + u, slow), updates, params, state.slow
        )
        if inside == "reset":
            begun = rule.init(params)
            held = jax.tree.map(lambda new, old: jnp.where(meet, new, old), begun, held)
        return updates, SlowState(jnp.where(meet, 0, count), slow, held)

    return optax.GradientTransformationExtraArgs(init, update)


def slow_weights(params: Any, state: SlowState, **settings: Any) -> Any:
    """By which Lookahead is judged."""
    del params, settings
    return state.slow


def weight_decay(
    inner: Inner, *, strength: Any, scaled_by: str, biases: bool
) -> optax.GradientTransformationExtraArgs:
    """``strength`` of the parameters taken away at every step, beside the optimizer's own step."""
    rule = inner()

    def init(params: optax.Params) -> HoldingState:
        return HoldingState(rule.init(params))

    def update(
        grads: optax.Updates,
        state: HoldingState,
        params: optax.Params | None = None,
        **extra: Any,
    ) -> tuple[optax.Updates, HoldingState]:
        updates, held = rule.update(grads, state.inner, params, **extra)
        scale = (
            inner.settings["learning_rate"]
            if scaled_by == "learning_rate"
            else extra.get(SHARE, 1.0)
        )
        updates = jax.tree.map(
            lambda u, p: u - scale * strength * p if biases or p.ndim >= 2 else u, updates, params
        )
        return updates, HoldingState(held)

    return optax.GradientTransformationExtraArgs(init, update)


def ema(inner: Inner, *, decay: Any) -> optax.GradientTransformationExtraArgs:
    """Steps as they are, and an exponential average of the parameters after them."""
    rule = inner()

    def init(params: optax.Params) -> DecayedState:
        return DecayedState(jnp.zeros((), jnp.int32), zeros(params), rule.init(params))

    def update(
        grads: optax.Updates,
        state: DecayedState,
        params: optax.Params | None = None,
        **extra: Any,
    ) -> tuple[optax.Updates, DecayedState]:
        updates, held = rule.update(grads, state.inner, params, **extra)
        begun = state.steps > 0
        average = jax.tree.map(
            lambda new, old: jnp.where(begun, new, old),
            averaged(state.average, params, decay),
            state.average,
        )
        return updates, DecayedState(state.steps + 1, average, held)

    return optax.GradientTransformationExtraArgs(init, update)


def exponential_average(params: Any, state: DecayedState, **settings: Any) -> Any:
    """With the parameters of now, and without the bias towards zero; ``params`` at the start."""
    decay = settings["decay"]
    weight = bias_correction(decay, jnp.maximum(state.steps, 1))
    average = averaged(state.average, params, decay)
    return jax.tree.map(lambda p, a: jnp.where(state.steps > 0, a / weight, p), params, average)


def polyak_average(inner: Inner, *, start: Any) -> optax.GradientTransformationExtraArgs:
    """Steps as they are, and the mean of the parameters after those late enough."""
    rule = inner()

    def init(params: optax.Params) -> MeanState:
        none = jnp.zeros((), jnp.int32)
        return MeanState(none, none, none, zeros(params), rule.init(params))

    def update(
        grads: optax.Updates,
        state: MeanState,
        params: optax.Params | None = None,
        *,
        total_steps: jax.Array,
        **extra: Any,
    ) -> tuple[optax.Updates, MeanState]:
        updates, held = rule.update(grads, state.inner, params, total_steps=total_steps, **extra)
        mean = uniform_average(params, state)
        mean = jax.tree.map(
            lambda new, old: jnp.where(state.counts > 0, new, old), mean, state.mean
        )
        late = (state.steps + 1 > start * total_steps).astype(jnp.int32)
        counted = state.counted + state.counts
        return updates, MeanState(state.steps + 1, counted, late, mean, held)

    return optax.GradientTransformationExtraArgs(init, update)


def uniform_average(params: Any, state: MeanState, **settings: Any) -> Any:
    """With the parameters of now; ``params`` alone before the average begins."""
    del settings

    def mean(p: jax.Array, m: jax.Array) -> jax.Array:
        count = (state.counted + 1).astype(p.dtype)
        return jnp.where(state.counts > 0, m + (p - m) / count, p)

    return jax.tree.map(mean, params, state.mean)


def cautious(inner: Inner, *, rescaled: str) -> optax.GradientTransformationExtraArgs:
    """Steps only where they lead down the gradient, longer for the elements that are left out."""
    rule = inner()

    def init(params: optax.Params) -> HoldingState:
        return HoldingState(rule.init(params))

    def masked(u: jax.Array, g: jax.Array) -> jax.Array:
        # Signs, not products: those of small numbers are zero in float32.
        agrees = (jnp.sign(u) * jnp.sign(g) < 0).astype(u.dtype)
        size = max(u.size, 1)
        if rescaled == "mean":
            return u * agrees / jnp.maximum(jnp.sum(agrees) / size, 1e-3)
        return u * agrees * size / (jnp.sum(agrees) + 1)

    def update(
        grads: optax.Updates,
        state: HoldingState,
        params: optax.Params | None = None,
        **extra: Any,
    ) -> tuple[optax.Updates, HoldingState]:
        updates, held = rule.update(grads, state.inner, params, **extra)
        return jax.tree.map(masked, updates, grads), HoldingState(held)

    return optax.GradientTransformationExtraArgs(init, update)
