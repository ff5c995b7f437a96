"""One run as a pure function: begin, train a segment of epochs, measure. No files, no printing.

Everything that differs between the runs of a group is traced (a :class:`Row`); everything else is
part of the :class:`Program` and compiled once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from fallline.data.dataset import Split
from fallline.engine import health
from fallline.engine.branches import Branch, Slots, Union
from fallline.engine.ordering import steps_per_epoch
from fallline.task import Task

MICRO_BATCH = 4096
"""Larger batches are passed in parts of at most this many examples, their gradients averaged."""
EVALUATION_BATCH = 1000


class Row(NamedTuple):
    """What is particular to a run."""

    branch: jax.Array
    """int32: which of the program's optimizers."""
    hyperparameters: jax.Array
    """``(width,)``: the optimizer's floats, in its own order."""
    seed: jax.Array
    """int32: which of the study's seeds (its initial weights and orders)."""
    key: jax.Array
    """``(2,)`` uint32: for dropout."""
    active: jax.Array
    """bool: False for a place of the population that no run takes."""
    measured: jax.Array
    """bool: False where only the steps are wanted (timing), without validation figures."""


class Carry(NamedTuple):
    """A run between two segments."""

    params: Any
    state: Any
    slots: Slots
    health: health.Health


class Arrays(NamedTuple):
    """One split on the device."""

    x: jax.Array
    y: jax.Array


class Figures(NamedTuple):
    """What a segment measured: one entry per epoch, NaN for epochs that were not trained."""

    epochs: jax.Array
    """``(epochs, 4)``: in the order of :data:`health.MONITORS`; scores, not yet metrics."""
    steps: jax.Array
    """``(epochs, steps)``: the loss of every step, or ``(epochs, 0)`` where not recorded."""


@dataclass(frozen=True, eq=False)
class Program:
    """What one compiled program trains: a task with some optimizers, at one batch size."""

    task: Task
    branches: tuple[Branch, ...]
    batch_size: int
    epochs_per_call: int
    stopping: health.EarlyStopping | None = None
    record_steps: bool = False

    @property
    def width(self) -> int:
        """Columns of a run's hyper-parameters."""
        return max([1, *(len(branch.names) for branch in self.branches)])

    @property
    def steps_per_epoch(self) -> int:
        return steps_per_epoch(len(self.task.dataset.train), self.batch_size)

    @cached_property
    def union(self) -> Union:
        return Union(self.branches, self.task.pure.shapes(), self.width, self.task.dtype)

    def begin(self, row: Row, initial: Any) -> Carry:
        """The run before its first step; ``initial`` holds every seed's ``(params, state)``."""
        params, state = jax.tree.map(lambda leaf: leaf[row.seed], initial)
        slots = self.union.init(row.branch, row.hyperparameters, params)
        return Carry(params, state, slots, health.healthy(self.task.dtype))

    def segment(
        self,
        row: Row,
        carry: Carry,
        epochs: jax.Array,
        train: Arrays,
        validation: Arrays | None,
        orders: jax.Array,
    ) -> tuple[Carry, Figures]:
        """Train up to ``epochs`` further epochs (traced, at most ``epochs_per_call``).

        ``orders`` has shape ``(seeds, epochs_per_call, steps, batch_size)``, -1 where a batch is
        not full.
        """

        def epoch(carry: Carry, index: jax.Array) -> tuple[Carry, Figures]:
            live = row.active & ~carry.health.stopped & (index < epochs)
            order = orders[row.seed, index]
            return lax.cond(live, self._epoch, self._no_epoch, row, carry, train, validation, order)

        return lax.scan(epoch, carry, jnp.arange(self.epochs_per_call, dtype=jnp.int32))

    def _no_epoch(
        self, row: Row, carry: Carry, train: Arrays, validation: Any, order: jax.Array
    ) -> tuple[Carry, Figures]:
        recorded = self.steps_per_epoch if self.record_steps else 0
        nothing = jnp.full((4,), jnp.nan, self.task.dtype)
        return carry, Figures(nothing, jnp.full((recorded,), jnp.nan, self.task.dtype))

    def _epoch(
        self, row: Row, carry: Carry, train: Arrays, validation: Arrays | None, order: jax.Array
    ) -> tuple[Carry, Figures]:
        zero = jnp.zeros((), self.task.dtype)

        def step(state: Any, batch: jax.Array) -> tuple[Any, jax.Array | None]:
            carry, loss_sum, score_sum = state
            carry, loss, score = self._step(row, carry, train, batch)
            count = jnp.sum(batch >= 0).astype(loss.dtype)
            state = carry, loss_sum + count * loss, score_sum + count * score
            return state, loss if self.record_steps else None

        (carry, loss_sum, score_sum), losses = lax.scan(step, (carry, zero, zero), order)
        examples = jnp.asarray(train.x.shape[0], loss_sum.dtype)
        figures = jnp.stack(
            [loss_sum / examples, score_sum / examples, *self._validate(row, carry, validation)]
        )
        after = health.after_epoch(
            carry.health, figures, self.stopping, higher_is_better=self.task.higher_is_better
        )
        steps = losses if losses is not None else jnp.zeros((0,), self.task.dtype)
        return carry._replace(health=after), Figures(figures, steps)

    def _validate(self, row: Row, carry: Carry, split: Arrays | None) -> tuple[Any, Any]:
        nothing = jnp.full((), jnp.nan, self.task.dtype)
        if split is None:
            return nothing, nothing
        return lax.cond(
            row.measured,
            lambda: self.evaluate(carry.params, carry.state, split),
            lambda: (nothing, nothing),
        )

    def _step(
        self, row: Row, carry: Carry, train: Arrays, batch: jax.Array
    ) -> tuple[Carry, jax.Array, jax.Array]:
        """One step on the examples with the indices ``batch``, shape ``(batch_size,)``."""
        key = None
        if self.task.pure.needs_key:
            key = jax.random.fold_in(jax.random.wrap_key_data(row.key), carry.health.step)
        params, state = carry.params, carry.state
        (loss, (score, state)), grads = self._gradient(params, state, key, train, batch)

        def value_fn(other: Any) -> jax.Array:
            return self._objective(other, carry.state, key, train, batch)[0]

        extra = {"value": loss, "grad": grads, "value_fn": value_fn}
        params, slots = self.union.update(
            row.branch, row.hyperparameters, params, carry.slots, grads, extra
        )
        after = health.after_step(carry.health, loss)
        return Carry(params, state, slots, after), loss, score

    def _gradient(
        self, params: Any, state: Any, key: Any, train: Arrays, batch: jax.Array
    ) -> tuple[tuple[jax.Array, tuple[jax.Array, Any]], Any]:
        """The objective with its gradient, in parts where the batch is large."""
        parts = self._parts(batch)
        if parts is None:
            return jax.value_and_grad(self._mean, has_aux=True)(params, state, key, train, batch)
        total = jnp.sum(batch >= 0).astype(self.task.dtype)

        def add(sums: Any, part: jax.Array) -> tuple[Any, None]:
            share = jnp.sum(part >= 0).astype(self.task.dtype) / total
            (loss, (score, _)), grads = jax.value_and_grad(self._mean, has_aux=True)(
                params, state, key, train, part
            )
            return jax.tree.map(lambda a, b: a + share * b, sums, (loss, score, grads)), None

        zero = jnp.zeros((), self.task.dtype)
        start = (zero, zero, jax.tree.map(jnp.zeros_like, params))
        (loss, score, grads), _ = lax.scan(add, start, parts)
        return (loss, (score, state)), grads

    def _objective(
        self, params: Any, state: Any, key: Any, train: Arrays, batch: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        """The objective alone, for line searches: mean loss and mean score."""
        parts = self._parts(batch)
        if parts is None:
            loss, (score, _) = self._mean(params, state, key, train, batch)
            return loss, score
        total = jnp.sum(batch >= 0).astype(self.task.dtype)

        def add(sums: Any, part: jax.Array) -> tuple[Any, None]:
            share = jnp.sum(part >= 0).astype(self.task.dtype) / total
            loss, (score, _) = self._mean(params, state, key, train, part)
            return (sums[0] + share * loss, sums[1] + share * score), None

        zero = jnp.zeros((), self.task.dtype)
        (loss, score), _ = lax.scan(add, (zero, zero), parts)
        return loss, score

    def _parts(self, batch: jax.Array) -> jax.Array | None:
        """``batch`` in rows of at most ``MICRO_BATCH``; None where it is small enough whole."""
        # A network with running means must see the batch whole.
        if batch.shape[0] <= MICRO_BATCH or self.task.pure.stateful:
            return None
        count = -(-batch.shape[0] // MICRO_BATCH)
        size = -(-batch.shape[0] // count)
        filled = jnp.full((count * size,), -1, batch.dtype).at[: batch.shape[0]].set(batch)
        return filled.reshape(count, size)

    def _mean(
        self, params: Any, state: Any, key: Any, train: Arrays, batch: jax.Array
    ) -> tuple[jax.Array, tuple[jax.Array, Any]]:
        """Mean loss with penalty, mean score and new state over the batch's real examples."""
        x, y = self._examples(train, jnp.maximum(batch, 0))
        outputs, state = self.task.pure.apply(params, state, key, x, True)
        per_example = self.task.loss_terms.per_example(outputs, y)
        scores = self.task.score(lax.stop_gradient(outputs), y)
        full = len(self.task.dataset.train) % self.batch_size == 0
        if full and batch.shape[0] == self.batch_size:
            loss, score = jnp.mean(per_example), jnp.mean(scores)
        else:
            weights = (batch >= 0).astype(per_example.dtype)
            weights = weights / jnp.sum(weights)
            loss, score = jnp.sum(weights * per_example), jnp.sum(weights * scores)
        return loss + self.task.penalty(params), (score, state)

    def _examples(self, arrays: Arrays, indices: jax.Array) -> tuple[jax.Array, jax.Array]:
        return self._scaled(arrays.x[indices]), self._targets(arrays.y[indices])

    def _scaled(self, x: jax.Array) -> jax.Array:
        """Raw examples as the network sees them; uint8 becomes floating only here."""
        data = self.task.dataset
        x = x.astype(self.task.dtype)
        if data.input_offset.any():
            x = x - jnp.asarray(data.input_offset, self.task.dtype)
        if (data.input_scale != 1).any():
            x = x * jnp.asarray(data.input_scale, self.task.dtype)
        return x

    def _targets(self, y: jax.Array) -> jax.Array:
        data = self.task.dataset
        if data.kind == "classification":
            return y
        return (y.astype(self.task.dtype) - data.target_offset) / data.target_scale

    def outputs(self, params: Any, state: Any, x: jax.Array) -> jax.Array:
        """The network's raw outputs for raw examples ``(batch, ...)``: ``(batch, outputs)``."""
        return self.task.pure.apply(params, state, None, self._scaled(x), False)[0]

    def evaluate(self, params: Any, state: Any, split: Arrays) -> tuple[jax.Array, jax.Array]:
        """Mean loss (with penalty) and mean score over a whole split."""
        examples = split.x.shape[0]
        count = -(-examples // EVALUATION_BATCH)
        size = -(-examples // count)

        def sums(part: jax.Array) -> jax.Array:
            indices = part * size + jnp.arange(size)
            real = (indices < examples).astype(self.task.dtype)
            x, y = self._examples(split, jnp.minimum(indices, examples - 1))
            outputs = self.task.pure.apply(params, state, None, x, False)[0]
            losses = self.task.loss_terms.per_example(outputs, y)
            scores = self.task.score(outputs, y)
            return jnp.stack([jnp.sum(real * losses), jnp.sum(real * scores)])

        if count == 1:
            loss, score = sums(jnp.zeros((), jnp.int32)) / examples
        else:
            loss, score = jnp.sum(lax.map(sums, jnp.arange(count)), axis=0) / examples
        return loss + self.task.penalty(params), score


def arrays(split: Split, put: Callable[[Any], Any]) -> Arrays:
    """A split's arrays, put on the devices by ``put``."""
    return Arrays(*put((split.x, split.y)))
