"""The rules of what is done to gradients before an optimizer sees them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from fallline.optimizers.shared.moments import averaged, zeros
from fallline.optimizers.wrapping import Inner

Wrap = Callable[..., optax.GradientTransformationExtraArgs]
STREAM = 977_231
"""Folded into the step's key, so that noise here is not that of an optimizer inside."""


class HoldingState(NamedTuple):
    """The state of the optimizer inside, where the wrapper has none."""

    inner: Any


class CountingState(NamedTuple):
    """Steps taken (int32), and the state of the optimizer inside."""

    steps: jax.Array
    inner: Any


class AveragingState(NamedTuple):
    """Steps taken (int32), and the average of the gradients."""

    steps: jax.Array
    average: optax.Updates
    inner: Any


class AccumulatedState(NamedTuple):
    """Batches since the last step (int32), and the means of their gradients and losses."""

    batches: jax.Array
    mean: optax.Updates
    value: jax.Array
    inner: Any


def norm(arrays: Any) -> jax.Array:
    """The Euclidean norm of all arrays together; squares of large elements do not overflow."""
    leaves = jax.tree.leaves(arrays)
    largest = jnp.stack([jnp.max(jnp.abs(leaf), initial=0) for leaf in leaves]).max()
    unit = jnp.where(largest > 0, largest, 1)
    return unit * jnp.sqrt(sum(jnp.sum((leaf / unit) ** 2) for leaf in leaves))


def changing(change: Callable[..., optax.Updates]) -> Wrap:
    """A wrapper's ``wrap`` from ``change(grads, params, **own)``, the gradients to use instead."""

    def wrap(inner: Inner, **own: Any) -> optax.GradientTransformationExtraArgs:
        rule = inner()

        def init(params: optax.Params) -> HoldingState:
            return HoldingState(rule.init(params))

        def update(
            grads: optax.Updates,
            state: HoldingState,
            params: optax.Params | None = None,
            **extra: Any,
        ) -> tuple[optax.Updates, HoldingState]:
            updates, held = rule.update(change(grads, params, **own), state.inner, params, **extra)
            return updates, HoldingState(held)

        return optax.GradientTransformationExtraArgs(init, update)

    return wrap


def clip_value(grads: optax.Updates, params: Any, *, limit: Any) -> optax.Updates:
    """Every element within ``±limit``."""
    del params
    return jax.tree.map(lambda g: jnp.clip(g, -limit, limit), grads)


def clip_norm(grads: optax.Updates, params: Any, *, limit: Any, epsilon: Any) -> optax.Updates:
    """All gradients scaled so that their norm together is at most ``limit``."""
    del params
    scale = jnp.minimum(limit / (norm(grads) + epsilon), 1.0)
    return jax.tree.map(lambda g: g * scale, grads)


def _inputs(array: jax.Array, outputs: str) -> tuple[int, ...]:
    """The axes over which one output's weights lie; all of a vector's."""
    if array.ndim < 2:
        return tuple(range(array.ndim))
    return tuple(range(array.ndim - 1)) if outputs == "last" else tuple(range(1, array.ndim))


def _unit_norm(array: jax.Array, outputs: str) -> jax.Array:
    """The norm of each output's weights, kept as axes of length 1."""
    axes = _inputs(array, outputs)
    largest = jnp.max(jnp.abs(array), axis=axes, keepdims=True, initial=0)
    unit = jnp.where(largest > 0, largest, 1)
    return unit * jnp.sqrt(jnp.sum((array / unit) ** 2, axis=axes, keepdims=True))


def agc(
    grads: optax.Updates, params: Any, *, limit: Any, epsilon: Any, outputs: str
) -> optax.Updates:
    """The gradient of each unit at most ``limit`` times as long as its weights."""

    def clipped(g: jax.Array, p: jax.Array) -> jax.Array:
        most = limit * jnp.maximum(_unit_norm(p, outputs), epsilon)
        length = _unit_norm(g, outputs)
        over = length > most
        return g * jnp.where(over, most / jnp.where(over, length, 1), 1)

    return jax.tree.map(clipped, grads, params)


def centralize(grads: optax.Updates, params: Any, *, outputs: str, arrays: str) -> optax.Updates:
    """From the gradient of each output's weights their mean taken away."""
    del params

    def centred(g: jax.Array) -> jax.Array:
        if g.ndim < (4 if arrays == "kernels" else 2):
            return g
        return g - jnp.mean(g, axis=_inputs(g, outputs), keepdims=True)

    return jax.tree.map(centred, grads)


def noise(inner: Inner, *, variance: Any, decay: Any) -> optax.GradientTransformationExtraArgs:
    """Normal noise added to the gradients, of ``variance / (1 + t) ** decay``."""
    rule = inner()

    def init(params: optax.Params) -> CountingState:
        return CountingState(jnp.zeros((), jnp.int32), rule.init(params))

    def update(
        grads: optax.Updates,
        state: CountingState,
        params: optax.Params | None = None,
        *,
        key: jax.Array,
        **extra: Any,
    ) -> tuple[optax.Updates, CountingState]:
        leaves, form = jax.tree.flatten(grads)
        count = (state.steps + 1).astype(jnp.result_type(*leaves))
        deviation = jnp.sqrt(variance * count**-decay)
        keys = jax.random.split(jax.random.fold_in(key, STREAM), len(leaves))
        noisy = [
            g + deviation * jax.random.normal(own, g.shape, g.dtype)
            for g, own in zip(leaves, keys, strict=True)
        ]
        updates, held = rule.update(
            jax.tree.unflatten(form, noisy), state.inner, params, key=key, **extra
        )
        return updates, CountingState(state.steps + 1, held)

    return optax.GradientTransformationExtraArgs(init, update)


def grokfast(inner: Inner, *, decay: Any, factor: Any) -> optax.GradientTransformationExtraArgs:
    """Gradients with ``factor`` times their average added, which begins as the first of them."""
    rule = inner()

    def init(params: optax.Params) -> AveragingState:
        return AveragingState(jnp.zeros((), jnp.int32), zeros(params), rule.init(params))

    def update(
        grads: optax.Updates,
        state: AveragingState,
        params: optax.Params | None = None,
        **extra: Any,
    ) -> tuple[optax.Updates, AveragingState]:
        first = state.steps == 0
        average = jax.tree.map(
            lambda g, a: jnp.where(first, g, a), grads, averaged(state.average, grads, decay)
        )
        amplified = jax.tree.map(lambda g, a: g + factor * a, grads, average)
        updates, held = rule.update(amplified, state.inner, params, **extra)
        return updates, AveragingState(state.steps + 1, average, held)

    return optax.GradientTransformationExtraArgs(init, update)


def penalised(slope: Callable[[Any], Any], amount: Callable[[Any], Any]) -> Wrap:
    """A wrapper's ``wrap`` that adds ``strength * Σ amount(θ)``, of that ``slope``, to the loss.

    What is inside is told of the loss with its penalty: value, gradient and function.
    """

    def wrap(inner: Inner, *, strength: Any, biases: bool) -> optax.GradientTransformationExtraArgs:
        rule = inner()

        def penalty(params: optax.Params) -> jax.Array:
            counted = [p for p in jax.tree.leaves(params) if biases or p.ndim >= 2]
            return strength * sum(jnp.sum(amount(p)) for p in counted)

        def sloped(g: jax.Array, p: jax.Array) -> jax.Array:
            return g + strength * slope(p) if biases or p.ndim >= 2 else g

        def init(params: optax.Params) -> HoldingState:
            return HoldingState(rule.init(params))

        def update(
            grads: optax.Updates,
            state: HoldingState,
            params: optax.Params | None = None,
            **extra: Any,
        ) -> tuple[optax.Updates, HoldingState]:
            if "grad" in extra:
                extra["grad"] = jax.tree.map(sloped, extra["grad"], params)
            if "value" in extra:
                extra["value"] = extra["value"] + penalty(params)
            if "value_fn" in extra:
                alone = extra["value_fn"]
                extra["value_fn"] = lambda other: alone(other) + penalty(other)
            changed = jax.tree.map(sloped, grads, params)
            updates, held = rule.update(changed, state.inner, params, **extra)
            return updates, HoldingState(held)

        return optax.GradientTransformationExtraArgs(init, update)

    return wrap


l1 = penalised(jnp.sign, jnp.abs)
l2 = penalised(lambda p: p, lambda p: p * p / 2)


def sam(inner: Inner, *, radius: Any, adaptive: bool) -> optax.GradientTransformationExtraArgs:
    """The gradient at the highest point nearby, as the slope here makes it seem."""
    rule = inner()

    def init(params: optax.Params) -> HoldingState:
        return HoldingState(rule.init(params))

    def update(
        grads: optax.Updates,
        state: HoldingState,
        params: optax.Params | None = None,
        *,
        value_fn: Callable[[Any], jax.Array],
        **extra: Any,
    ) -> tuple[optax.Updates, HoldingState]:
        direction = grads
        if adaptive:
            direction = jax.tree.map(lambda g, p: jnp.abs(p) * g, grads, params)
        length = norm(direction)
        scale = radius / jnp.where(length > 0, length, 1)
        if adaptive:
            direction = jax.tree.map(lambda d, p: jnp.abs(p) * d, direction, params)
        there = jax.tree.map(lambda p, d: p + scale * d, params, direction)
        sharp = jax.grad(value_fn)(there)
        updates, held = rule.update(sharp, state.inner, params, value_fn=value_fn, **extra)
        return updates, HoldingState(held)

    return optax.GradientTransformationExtraArgs(init, update)


def accumulate(inner: Inner, *, batches: int) -> optax.GradientTransformationExtraArgs:
    """One step of the optimizer inside for the mean gradient of ``batches`` batches.

    It is told the mean loss, and the number of its own steps in the whole training.
    """
    rule = inner()

    def init(params: optax.Params) -> AccumulatedState:
        nothing = jax.tree.map(jnp.zeros_like, params)
        zero = jnp.zeros((), jnp.result_type(*jax.tree.leaves(params)))
        return AccumulatedState(jnp.zeros((), jnp.int32), nothing, zero, rule.init(params))

    def update(
        grads: optax.Updates,
        state: AccumulatedState,
        params: optax.Params | None = None,
        **extra: Any,
    ) -> tuple[optax.Updates, AccumulatedState]:
        count = state.batches + 1
        part = 1 / count.astype(state.value.dtype)
        mean = jax.tree.map(lambda m, g: m + (g - m) * part, state.mean, grads)
        value = state.value
        if "value" in extra:
            given = jnp.asarray(extra["value"]).astype(value.dtype)
            extra["value"] = value = value + (given - value) * part
        if "grad" in extra:
            extra["grad"] = mean
        if "total_steps" in extra:
            extra["total_steps"] = jnp.maximum(extra["total_steps"] // batches, 1)

        def stepped() -> tuple[optax.Updates, Any]:
            return rule.update(mean, state.inner, params, **extra)

        def waiting() -> tuple[optax.Updates, Any]:
            return jax.tree.map(jnp.zeros_like, grads), state.inner

        full = count == batches
        updates, held = jax.lax.cond(full, stepped, waiting)
        kept = jnp.where(full, 0, 1)
        mean = jax.tree.map(lambda m: jnp.where(full, jnp.zeros_like(m), m), mean)
        value = jnp.where(full, jnp.zeros_like(value), value)
        return updates, AccumulatedState(count * kept, mean, value, held)

    return optax.GradientTransformationExtraArgs(init, update)
