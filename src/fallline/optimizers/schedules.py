"""Schedules: the learning rate as a share of its peak, over the steps of the training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from fallline.optimizers import citations
from fallline.optimizers.spec import HyperParameter
from fallline.optimizers.wrapping import Inner, Wrapper
from fallline.spaces import Range

FAMILY = "schedule"


class ScheduledState(NamedTuple):
    """Steps taken (int32), and the state of the optimizer inside."""

    steps: jax.Array
    inner: Any


def following(
    share: Callable[..., jax.Array],
) -> Callable[..., optax.GradientTransformationExtraArgs]:
    """A wrapper's ``wrap`` from ``share(progress, **own)``: the part of the peak at ``progress``.

    ``progress``: steps taken over steps of the whole training, 0 at the first step and below 1.
    """

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
            peak = inner.settings["learning_rate"]
            steps = state.steps.astype(jnp.result_type(peak))
            progress = jnp.minimum(steps / total_steps, 1.0)
            rule = inner(learning_rate=peak * share(progress, **own))
            updates, held = rule.update(
                grads, state.inner, params, total_steps=total_steps, **extra
            )
            return updates, ScheduledState(state.steps + 1, held)

        return optax.GradientTransformationExtraArgs(init, update)

    return wrap


def _cosine(progress: jax.Array, *, final: Any) -> jax.Array:
    return final + (1 - final) * 0.5 * (1 + jnp.cos(jnp.pi * progress))


COSINE = Wrapper(
    name="cosine",
    title="cosine decay",
    family=FAMILY,
    equation="αₜ = α (f + (1-f) (1 + cos(π t/T)) / 2)",
    citation=citations.SGDR,
    hyperparameters=(
        HyperParameter(
            "final",
            0.0,
            "f",
            "share of the peak at the end",
            Range(1e-4, 1e-1),
            at_least=0.0,
        ),
    ),
    wrap=following(_cosine),
    needs=frozenset({"total_steps"}),
    takes="learning_rate",
    notes="T is the whole training, t counts the steps before this one.",
)

ENTRIES = (COSINE,)
