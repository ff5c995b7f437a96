"""A run's health inside the compiled program: divergence and early stopping, as traced state."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from fallline.planning.stopping import MONITORS, EarlyStopping

EXPLODED = 1e4
"""A loss this many times larger than the first one (or than 1) has exploded."""


class Health(NamedTuple):
    """Scalars per run, carried from step to step."""

    step: jax.Array
    """int32: optimizer steps taken."""
    epoch: jax.Array
    """int32: epochs trained."""
    first_loss: jax.Array
    last_finite_loss: jax.Array
    diverged_step: jax.Array
    """int32: the first step with a bad loss, -1 if none."""
    stopped: jax.Array
    """bool: no longer trained."""
    best: jax.Array
    """The monitored figure at its best, signed so that smaller is better."""
    waited: jax.Array
    """int32: epochs since the best."""


def reason_of(health: Health) -> str:
    """Why a run diverged, in one line."""
    step, loss = int(health.diverged_step), float(health.last_finite_loss)
    return f"the loss was not finite or exploded at step {step}; the last finite one was {loss:.3g}"


def healthy(dtype: str) -> Health:
    """The health of a run that has not begun."""
    zero, nan = jnp.zeros((), jnp.int32), jnp.full((), jnp.nan, dtype)
    return Health(
        step=zero,
        epoch=zero,
        first_loss=nan,
        last_finite_loss=nan,
        diverged_step=jnp.full((), -1, jnp.int32),
        stopped=jnp.zeros((), bool),
        best=jnp.full((), jnp.inf, dtype),
        waited=zero,
    )


def after_step(health: Health, loss: jax.Array) -> Health:
    """Take the loss of one step in: shape ``()``."""
    first = jnp.where(health.step == 0, loss, health.first_loss)
    limit = EXPLODED * jnp.maximum(first, 1.0)
    fine = jnp.isfinite(loss) & (jnp.abs(loss) <= limit)
    begins = (~fine) & (health.diverged_step < 0)
    return health._replace(
        step=health.step + 1,
        first_loss=first,
        last_finite_loss=jnp.where(
            jnp.isfinite(loss) & (health.diverged_step < 0), loss, health.last_finite_loss
        ),
        diverged_step=jnp.where(begins, health.step, health.diverged_step),
    )


def after_epoch(
    health: Health,
    figures: jax.Array,
    stopping: EarlyStopping | None,
    *,
    higher_is_better: bool,
) -> Health:
    """Take the epoch's figures in, shape ``(4,)`` in the order of ``MONITORS``; maybe stop."""
    stopped = health.diverged_step >= 0
    if stopping is None:
        return health._replace(epoch=health.epoch + 1, stopped=stopped)
    sign = -1.0 if stopping.monitor.endswith("metric") and higher_is_better else 1.0
    figure = sign * figures[MONITORS.index(stopping.monitor)]
    improved = figure < health.best - stopping.min_delta
    waited = jnp.where(improved, 0, health.waited + 1)
    return health._replace(
        epoch=health.epoch + 1,
        best=jnp.where(improved, figure, health.best),
        waited=waited,
        stopped=stopped | (waited >= stopping.patience),
    )
