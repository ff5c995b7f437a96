"""What passes between the host and the compiled program of a run."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax

from fallline.engine import health
from fallline.engine.branches import Slots


class Row(NamedTuple):
    """What is particular to a run."""

    branch: jax.Array
    """int32: which of the program's optimizers."""
    hyperparameters: jax.Array
    """``(width,)``: the optimizer's floats, in its own order."""
    seed: jax.Array
    """int32: which of the study's seeds (its initial weights and orders)."""
    key: jax.Array
    """``(2,)`` uint32: for dropout, and for the noise of an optimizer that draws some."""
    total_steps: jax.Array
    """int32: the steps of its whole training, for schedules."""
    active: jax.Array
    """bool: False for a place of the population that no run takes."""
    measured: jax.Array
    """bool: False where only the steps are wanted (timing), without validation figures."""


class Turn(NamedTuple):
    """What a call asks of a run: which part of its training comes next."""

    fresh: jax.Array
    """bool: the run begins with this call."""
    order: jax.Array
    """int32: its row of the call's orders."""
    parts: jax.Array
    """int32: how many of the call's parts it trains, 0 to ``epochs_per_call``."""
    steps: jax.Array
    """int32: the steps of each part."""
    ends: jax.Array
    """bool: an epoch ends with each part; False where a call is a part of an epoch."""


class Sums(NamedTuple):
    """What an epoch has summed up so far: loss and score over ``seen`` examples."""

    loss: jax.Array
    score: jax.Array
    seen: jax.Array


class Carry(NamedTuple):
    """A run between two segments."""

    params: Any
    state: Any
    slots: Slots
    health: health.Health
    sums: Sums
    best: Any = ()
    """Parameters and state after the best epoch, where a program keeps them."""


class Arrays(NamedTuple):
    """One split on the device."""

    x: jax.Array
    y: jax.Array


class Figures(NamedTuple):
    """What a segment measured: one entry per part, NaN where nothing was trained."""

    epochs: jax.Array
    """``(parts, 4)``: in the order of :data:`health.MONITORS`; scores, not yet metrics."""
    ended: jax.Array
    """``(parts,)``, bool: an epoch ended with the part, and its figures are there."""
    steps: jax.Array
    """``(parts, steps)``: the loss of every step, or ``(parts, 0)`` where not recorded."""
