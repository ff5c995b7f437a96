"""The rules of the schedules: which share of its peak the learning rate has at a step.

Every share is a function of a :class:`Moment` and of the schedule's own settings, all of them
perhaps traced, and gives a scalar of the parameters' dtype.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from fallline.optimizers.wrapping import SHARE, Inner

ROUNDINGS = 8
"""A step that a boundary falls on, up to so many roundings, lies behind it."""


class Moment(NamedTuple):
    """When a step is taken: both are scalars of the parameters' dtype."""

    steps: jax.Array
    """Steps taken before this one."""
    total: jax.Array
    """Steps of the whole training, at least 1."""

    @property
    def progress(self) -> jax.Array:
        """The part of the training that is over: 0 at the first step, below 1 at the last."""
        return jnp.minimum(self.steps / self.total, 1.0)


Share = Callable[..., jax.Array]
"""``share(moment, **own)``."""


class ScheduledState(NamedTuple):
    """Steps taken (int32), and the state of the optimizer inside."""

    steps: jax.Array
    inner: Any


class PlateauState(NamedTuple):
    """What is known of the window, of the best one, and of those since; counts are int32."""

    in_window: jax.Array
    mean: jax.Array
    """Of the losses of this window so far."""
    best: jax.Array
    """The lowest mean of a window. The largest number there is before the first."""
    bad: jax.Array
    cooldown: jax.Array
    share: jax.Array
    inner: Any


def moment(steps: jax.Array, total_steps: jax.Array, dtype: Any) -> Moment:
    """Both counts as floats of ``dtype``."""
    total = jnp.maximum(total_steps, 1)
    return Moment(steps.astype(dtype), jnp.asarray(total).astype(dtype))


def stepped(
    inner: Inner, share: Any, grads: Any, state: Any, params: Any, extra: dict[str, Any]
) -> tuple[optax.Updates, Any]:
    """A step of the optimizer inside with ``share`` of its learning rate, and its new state.

    What is inside is told the shares of all schedules around it, multiplied.
    """
    rule = inner(learning_rate=inner.settings["learning_rate"] * share)
    told = {**extra, SHARE: share * extra.get(SHARE, 1.0)}
    return rule.update(grads, state, params, **told)


def following(share: Share) -> Callable[..., optax.GradientTransformationExtraArgs]:
    """A wrapper's ``wrap`` that gives the optimizer inside ``share`` of its learning rate."""

    def wrap(inner: Inner, **own: Any) -> optax.GradientTransformationExtraArgs:
        def init(params: optax.Params) -> ScheduledState:
            return ScheduledState(jnp.zeros((), jnp.int32), inner().init(params))

        def update(
            grads: optax.Updates,
            state: ScheduledState,
            params: optax.Params | None = None,
            *,
            total_steps: jax.Array,
            **extra: Any,
        ) -> tuple[optax.Updates, ScheduledState]:
            dtype = jnp.result_type(*jax.tree.leaves(grads))
            now = share(moment(state.steps, total_steps, dtype), **own)
            extra["total_steps"] = total_steps
            updates, held = stepped(inner, now, grads, state.inner, params, extra)
            return updates, ScheduledState(state.steps + 1, held)

        return optax.GradientTransformationExtraArgs(init, update)

    return wrap


def _reached(position: jax.Array) -> jax.Array:
    """``position`` with what rounding may have kept just below a whole number lifted over it."""
    return position * (1 + ROUNDINGS * jnp.finfo(position.dtype).eps)


def _between(begin: Any, end: Any, part: jax.Array, curve: str) -> jax.Array:
    """From ``begin`` to ``end`` as ``part`` goes from 0 to 1, straight or as half a cosine."""
    if curve == "cosine":
        return end + (begin - end) * 0.5 * (1 + jnp.cos(jnp.pi * part))
    return begin + (end - begin) * part


def step(at: Moment, *, every: Any, factor: Any) -> jax.Array:
    """``factor ** floor(progress / every)``."""
    return factor ** jnp.floor(_reached(at.progress / every))


def exponential(at: Moment, *, final: Any) -> jax.Array:
    """``final ** progress``."""
    return final**at.progress


def polynomial(at: Moment, *, power: Any, final: Any) -> jax.Array:
    """From 1 to ``final`` by a power of what remains."""
    return final + (1 - final) * (1 - at.progress) ** power


def inverse_time(at: Moment, *, rate: Any, power: Any) -> jax.Array:
    """``(1 + rate progress) ** -power``."""
    return (1 + rate * at.progress) ** -power


def cosine(at: Moment, *, final: Any) -> jax.Array:
    """Half a cosine from 1 to ``final``."""
    return _between(1, final, at.progress, "cosine")


def cosine_restarts(
    at: Moment, *, final: Any, multiplier: Any, peak: Any, cycles: int
) -> jax.Array:
    """``cycles`` half cosines, each ``multiplier`` times as long and ``peak`` times as high."""
    number = jnp.arange(cycles, dtype=at.steps.dtype)
    lengths = multiplier**number
    lengths = lengths / jnp.sum(lengths)
    ends = jnp.cumsum(lengths)
    cycle = jnp.sum(_reached(at.progress) >= ends[:-1])
    begin = ends[cycle] - lengths[cycle]
    part = jnp.clip((at.progress - begin) / lengths[cycle], 0.0, 1.0)
    return final + (1 - final) * peak ** number[cycle] * _between(1, 0, part, "cosine")


def warmup(at: Moment, *, share: Any) -> jax.Array:
    """``(steps + 1) / (share total)``, at most 1."""
    return jnp.minimum((at.steps + 1) / (share * at.total), 1.0)


def one_cycle(at: Moment, *, rise: Any, initial: Any, final: Any, anneal: str) -> jax.Array:
    """Up to the peak, reached one step before ``rise`` of the training is over, and down.

    The last step has ``initial * final``.
    """
    turn = rise * at.total - 1
    up = jnp.clip(at.steps / jnp.where(turn > 0, turn, 1), 0.0, 1.0)
    down = jnp.clip((at.steps - turn) / (at.total - 1 - turn), 0.0, 1.0)
    rising = (at.steps <= turn) & (turn > 0)
    begin, end = jnp.where(rising, initial, 1), jnp.where(rising, 1, initial * final)
    return _between(begin, end, jnp.where(rising, up, down), anneal)


def wsd(at: Moment, *, warmup: Any, decay: Any, final: Any, shape: str) -> jax.Array:
    """A linear warm-up, then the peak, then over the last ``decay`` of the training down."""
    up = jnp.minimum((at.steps + 1) / (warmup * at.total), 1.0)
    over = at.progress - (1 - decay)
    # A root makes 1e-4 of a rounding of 1e-8.
    over = jnp.where(over > ROUNDINGS * jnp.finfo(over.dtype).eps, over, 0)
    part = jnp.minimum(over / decay, 1.0)
    if shape == "exponential":
        return up * final**part
    if shape == "sqrt":
        return up * (1 - (1 - final) * jnp.sqrt(part))
    return up * _between(1, final, part, shape)


def plateau(
    inner: Inner,
    *,
    factor: Any,
    patience: Any,
    cooldown: Any,
    threshold: Any,
    window: Any,
    final: Any,
) -> optax.GradientTransformationExtraArgs:
    """The learning rate times ``factor`` after ``patience`` windows without a lower mean loss."""

    def init(params: optax.Params) -> PlateauState:
        dtype = jnp.result_type(*jax.tree.leaves(params))
        none, zero = jnp.zeros((), jnp.int32), jnp.zeros((), dtype)
        # Not infinity: a state is finite, and so is what is compared with it.
        best = jnp.full((), jnp.finfo(dtype).max, dtype)
        return PlateauState(none, zero, best, none, none, jnp.ones((), dtype), inner().init(params))

    def judged(state: PlateauState) -> PlateauState:
        """After a whole window."""
        better = state.mean < state.best * (1 - threshold)
        cooling = state.cooldown > 0
        bad = jnp.where(better | cooling, 0, state.bad + 1)
        tired = bad > patience
        wait = jnp.where(tired, jnp.round(cooldown), state.cooldown - cooling)
        return state._replace(
            in_window=jnp.zeros_like(state.in_window),
            mean=jnp.zeros_like(state.mean),
            best=jnp.where(better, state.mean, state.best),
            bad=jnp.where(tired, 0, bad).astype(jnp.int32),
            cooldown=wait.astype(jnp.int32),
            share=jnp.where(tired, jnp.maximum(state.share * factor, final), state.share),
        )

    def update(
        grads: optax.Updates,
        state: PlateauState,
        params: optax.Params | None = None,
        *,
        value: jax.Array,
        total_steps: jax.Array,
        **extra: Any,
    ) -> tuple[optax.Updates, PlateauState]:
        dtype = state.mean.dtype
        length = jnp.maximum(jnp.round(window * total_steps), 1)
        count = state.in_window + 1
        mean = state.mean + (jnp.asarray(value).astype(dtype) - state.mean) / count.astype(dtype)
        state = state._replace(in_window=count, mean=mean)
        extra |= {"value": value, "total_steps": total_steps}
        updates, held = stepped(inner, state.share, grads, state.inner, params, extra)
        over = count >= length
        told = jax.tree.map(
            lambda new, old: jnp.where(over, new, old),
            judged(state)._replace(inner=None),
            state._replace(inner=None),
        )
        return updates, told._replace(inner=held)

    return optax.GradientTransformationExtraArgs(init, update)
