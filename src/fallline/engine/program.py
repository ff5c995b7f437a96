"""One run as a pure function: begin, train a segment, measure. No files, no printing.

Everything that differs between the runs of a group is traced (a
:class:`~fallline.engine.interface.Row`); everything else is part of the :class:`Program` and
compiled once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from fallline.engine import health
from fallline.engine.branches import Branch, Union
from fallline.engine.interface import Arrays, Carry, Figures, Row, Sums, Turn
from fallline.engine.ordering import steps_per_epoch
from fallline.kernels import rewriting
from fallline.planning.stopping import EarlyStopping
from fallline.task import Task

MICRO_BATCH = 4096
"""Larger batches are passed in parts of at most this many examples, unless a plan says fewer."""
EVALUATION_BATCH = 1000
OPTIMIZERS_OWN = 1
"""Folded into a step's key for the optimizer's noise, so that it is not the dropout's."""


_Stepping = tuple[jax.Array, Carry, jax.Array]
"""Inside a part: the next step, the run, and the losses of its steps."""


@dataclass(frozen=True, eq=False)
class Program:
    """What one compiled program trains: a task with some optimizers, at one batch size."""

    task: Task
    branches: tuple[Branch, ...]
    batch_size: int
    epochs_per_call: int
    stopping: EarlyStopping | None = None
    record_steps: bool = False
    keep_best: bool = False
    """With ``stopping``: a run leaves the weights of its best epoch, not of its last."""
    calls_per_epoch: int = 1
    """More than 1 where an epoch is cut into several calls; then ``epochs_per_call`` is 1."""
    shards: int = 1
    """Devices that share every step of a run, each with its part of the batch."""
    micro_batch: int = MICRO_BATCH

    @property
    def width(self) -> int:
        """Columns of a run's hyper-parameters."""
        return max([1, *(len(branch.names) for branch in self.branches)])

    @property
    def steps_per_epoch(self) -> int:
        return steps_per_epoch(len(self.task.dataset.train), self.batch_size)

    @property
    def steps_per_part(self) -> int:
        """Steps of a part of a call: of an epoch, or of a call's share of one."""
        return -(-self.steps_per_epoch // self.calls_per_epoch)

    @cached_property
    def union(self) -> Union:
        pure = self.task.pure
        return Union(self.branches, pure.trained(pure.shapes()), self.width, self.task.dtype)

    @cached_property
    def _apply(self) -> Any:
        """The model, with what is slow in XLA replaced."""
        return rewriting.fast(
            self.task.pure.apply,
            platform=jax.default_backend(),
            matrix_dtype=self.task.matrix_dtype,
        )

    def begin(self, row: Row, initial: Any) -> Carry:
        """The run before its first step; ``initial`` holds every seed's ``(params, state)``."""
        params, state = jax.tree.map(lambda leaf: leaf[row.seed], initial)
        trained = self.task.pure.trained(params)
        slots = self.union.init(row.branch, row.hyperparameters, trained)
        carry = Carry(params, state, slots, health.healthy(self.task.dtype), self._no_sums())
        kept = (self.judged(row, carry), state) if self.keep_best else ()
        return carry._replace(best=kept)

    def _no_sums(self) -> Sums:
        zero = jnp.zeros((), self.task.dtype)
        return Sums(zero, zero, zero)

    def segment(
        self,
        row: Row,
        turn: Turn,
        carry: Carry,
        train: Arrays,
        validation: Arrays | None,
        orders: jax.Array,
    ) -> tuple[Carry, Figures]:
        """Train what ``turn`` asks for.

        ``orders`` has shape ``(rows, epochs_per_call, steps, batch_size)``: indices into
        ``train``, -1 where a batch is not full.
        """

        def part(carry: Carry, index: jax.Array) -> tuple[Carry, Figures]:
            live = row.active & ~carry.health.stopped & (index < turn.parts)
            order = orders[turn.order, index]
            return lax.cond(
                live, self._part, self._no_part, row, turn, carry, train, validation, order
            )

        return lax.scan(part, carry, jnp.arange(self.epochs_per_call, dtype=jnp.int32))

    def _no_part(
        self, row: Row, turn: Turn, carry: Carry, train: Arrays, validation: Any, order: jax.Array
    ) -> tuple[Carry, Figures]:
        nothing = jnp.full((4,), jnp.nan, self.task.dtype)
        return carry, Figures(nothing, jnp.zeros((), bool), self._no_losses())

    def _no_losses(self) -> jax.Array:
        recorded = self.steps_per_part if self.record_steps else 0
        return jnp.full((recorded,), jnp.nan, self.task.dtype)

    def _part(
        self,
        row: Row,
        turn: Turn,
        carry: Carry,
        train: Arrays,
        validation: Arrays | None,
        order: jax.Array,
    ) -> tuple[Carry, Figures]:
        """Steps until the part is over or the run has diverged."""

        def goes_on(state: _Stepping) -> jax.Array:
            index, carry, _ = state
            return (index < turn.steps) & (carry.health.diverged_step < 0)

        def step(state: _Stepping) -> _Stepping:
            index, carry, losses = state
            batch = order[index]
            carry, loss, score = self._step(row, carry, train, batch)
            count = jnp.sum(batch >= 0).astype(loss.dtype)
            sums = carry.sums
            sums = Sums(sums.loss + count * loss, sums.score + count * score, sums.seen + count)
            if self.record_steps:
                losses = losses.at[index].set(loss)
            return index + 1, carry._replace(sums=sums), losses

        start = (jnp.zeros((), jnp.int32), carry, self._no_losses())
        _, carry, losses = lax.while_loop(goes_on, step, start)
        after, sums, figures, ended = self._end_of_part(row, turn, carry, validation)
        if self.keep_best:
            best = ended & (after.waited == 0) & (after.diverged_step < 0)
            now = (self.judged(row, carry), carry.state)
            kept = jax.tree.map(lambda new, old: jnp.where(best, new, old), now, carry.best)
            carry = carry._replace(best=kept)
        return carry._replace(health=after, sums=sums), Figures(figures, ended, losses)

    def _end_of_part(
        self, row: Row, turn: Turn, carry: Carry, validation: Arrays | None
    ) -> tuple[health.Health, Sums, jax.Array, jax.Array]:
        """Health, sums and figures after a part, and whether an epoch ended with it."""

        def ending() -> tuple[health.Health, Sums, jax.Array]:
            sums = carry.sums
            trained = (sums.loss / sums.seen, sums.score / sums.seen)
            figures = jnp.stack([*trained, *self._validate(row, carry, validation)])
            seen, better = self._monitored(figures), self.task.higher_is_better
            after = health.after_epoch(carry.health, seen, self.stopping, higher_is_better=better)
            return after, self._no_sums(), figures

        def going_on() -> tuple[health.Health, Sums, jax.Array]:
            return carry.health, carry.sums, jnp.full((4,), jnp.nan, self.task.dtype)

        if self.calls_per_epoch == 1:
            return *ending(), jnp.ones((), bool)
        # What diverged inside an epoch ends there.
        ended = turn.ends | (carry.health.diverged_step >= 0)
        return *lax.cond(ended, ending, going_on), ended

    def _monitored(self, figures: jax.Array) -> jax.Array:
        """An epoch's figures as they are reported: an RMSE in the target's units, or a share."""
        data = self.task.dataset
        if data.kind != "regression":
            return figures
        return figures.at[1::2].set(jnp.sqrt(figures[1::2]) * data.target_scale)

    def _validate(self, row: Row, carry: Carry, split: Arrays | None) -> tuple[Any, Any]:
        nothing = jnp.full((), jnp.nan, self.task.dtype)
        if split is None:
            return nothing, nothing
        return lax.cond(
            row.measured,
            lambda: self.evaluate(self.judged(row, carry), carry.state, split),
            lambda: (nothing, nothing),
        )

    def judged(self, row: Row, carry: Carry) -> Any:
        """The parameters by which a run is judged, and which it leaves behind."""
        pure, params = self.task.pure, carry.params
        trained = pure.trained(params)
        judged = self.union.evaluated(row.branch, row.hyperparameters, trained, carry.slots)
        return pure.whole(judged, params)

    def _step(
        self, row: Row, carry: Carry, train: Arrays, batch: jax.Array
    ) -> tuple[Carry, jax.Array, jax.Array]:
        """One step on the examples with the indices ``batch``, shape ``(batch_size,)``."""
        drawn = jax.random.fold_in(jax.random.wrap_key_data(row.key), carry.health.step)
        key = drawn if self.task.pure.needs_key else None
        params, state = carry.params, carry.state
        (loss, (score, state)), grads = self._gradient(params, state, key, train, batch)

        extra = {
            "value": loss,
            "grad": grads,
            "value_fn": self._value_fn(params, carry.state, key, train, batch),
            "key": jax.random.fold_in(drawn, OPTIMIZERS_OWN),
            "total_steps": row.total_steps,
        }
        pure = self.task.pure
        trained, slots = self.union.update(
            row.branch, row.hyperparameters, pure.trained(params), carry.slots, grads, extra
        )
        params = pure.whole(trained, params)
        after = health.after_step(carry.health, loss)
        return carry._replace(params=params, state=state, slots=slots, health=after), loss, score

    def _gradient(
        self, params: Any, state: Any, key: Any, train: Arrays, batch: jax.Array
    ) -> tuple[tuple[jax.Array, tuple[jax.Array, Any]], Any]:
        """The objective with its gradient by what is trained of ``params``.

        In parts where the batch is large or shared.
        """
        trained = self.task.pure.trained(params)

        def objective(trained: Any, key: Any, part: jax.Array) -> Any:
            whole = self.task.pure.whole(trained, params)
            return self._mean(whole, state, key, train, part)

        mean = jax.value_and_grad(objective, has_aux=True)
        parts = self._parts(batch)
        if parts is None:
            return mean(trained, key, batch)

        def of(part: jax.Array, key: Any) -> Any:
            (loss, (score, _)), grads = mean(trained, key, part)
            return loss, score, grads

        loss, score, grads = self._weighted(of, parts, key, batch)
        return (loss, (score, state)), grads

    def _objective(
        self, params: Any, state: Any, key: Any, train: Arrays, batch: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        """The objective alone, for line searches: mean loss and mean score."""

        def of(part: jax.Array, key: Any) -> tuple[jax.Array, jax.Array]:
            loss, (score, _) = self._mean(params, state, key, train, part)
            return loss, score

        parts = self._parts(batch)
        return of(batch, key) if parts is None else self._weighted(of, parts, key, batch)

    def _value_fn(
        self, params: Any, state: Any, key: Any, train: Arrays, batch: jax.Array
    ) -> Callable[[Any], jax.Array]:
        """The objective as a function of what is trained, which may be differentiated."""
        whole = self.task.pure.whole

        def value(trained: Any) -> jax.Array:
            return self._objective(whole(trained, params), state, key, train, batch)[0]

        if self.shards == 1:
            return value

        def forward(trained: Any) -> tuple[jax.Array, Any]:
            (loss, _), grads = self._gradient(whole(trained, params), state, key, train, batch)
            return loss, grads

        def backward(grads: Any, slope: jax.Array) -> tuple[Any]:
            return (jax.tree.map(lambda leaf: slope * leaf, grads),)

        # The sum over devices, transposed, would count every device's share on each of them.
        shared = jax.custom_vjp(value)
        shared.defvjp(forward, backward)
        return shared

    def _weighted(
        self, of: Callable[[jax.Array, Any], Any], parts: jax.Array, key: Any, batch: jax.Array
    ) -> Any:
        """The mean of ``of`` over the parts, each weighing as many examples as it holds."""
        total = jnp.sum(batch >= 0).astype(self.task.dtype)

        def add(sums: Any, numbered: tuple[jax.Array, jax.Array]) -> tuple[Any, None]:
            index, part = numbered
            share = jnp.sum(part >= 0).astype(self.task.dtype) / total
            own = None if key is None else jax.random.fold_in(key, index)
            return jax.tree.map(lambda a, b: a + share * b, sums, of(part, own)), None

        shapes = jax.eval_shape(of, parts[0], key)
        start = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
        sums, _ = lax.scan(add, start, (jnp.arange(len(parts)), parts))
        return lax.psum(sums, "examples") if self.shards > 1 else sums

    def _parts(self, batch: jax.Array) -> jax.Array | None:
        """This device's share of ``batch`` in rows of at most ``micro_batch``, filled with -1.

        None where the batch is taken whole.
        """
        # A network with running means must see the batch whole.
        small = batch.shape[0] <= self.micro_batch or self.task.pure.stateful
        if small and self.shards == 1:
            return None
        own = -(-batch.shape[0] // self.shards)
        count = -(-own // self.micro_batch)
        size = -(-own // count)
        filled = jnp.full((self.shards * count * size,), -1, batch.dtype)
        filled = filled.at[: batch.shape[0]].set(batch).reshape(self.shards, count, size)
        return filled[lax.axis_index("examples")] if self.shards > 1 else filled[0]

    def _mean(
        self, params: Any, state: Any, key: Any, train: Arrays, batch: jax.Array
    ) -> tuple[jax.Array, tuple[jax.Array, Any]]:
        """Mean loss with penalty, mean score and new state over the batch's real examples."""
        x, y = self._examples(train, jnp.maximum(batch, 0))
        outputs, state = self._apply(params, state, key, x, True)
        per_example = self.task.loss_terms.per_example(outputs, y)
        scores = self.task.score(lax.stop_gradient(outputs), y)
        full = len(self.task.dataset.train) % self.batch_size == 0
        if full and batch.shape[0] == self.batch_size:
            loss, score = jnp.mean(per_example), jnp.mean(scores)
        else:
            weights = (batch >= 0).astype(per_example.dtype)
            weights = weights / jnp.maximum(jnp.sum(weights), 1)  # a share may be empty
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
        return self._apply(params, state, None, self._scaled(x), False)[0]

    def evaluate(self, params: Any, state: Any, split: Arrays) -> tuple[jax.Array, jax.Array]:
        """Mean loss (with penalty) and mean score over a whole split."""
        examples = split.x.shape[0]
        count = -(-examples // EVALUATION_BATCH)
        count = -(-count // self.shards) * self.shards
        size = -(-examples // count)

        def sums(part: jax.Array) -> jax.Array:
            indices = part * size + jnp.arange(size)
            real = (indices < examples).astype(self.task.dtype)
            x, y = self._examples(split, jnp.minimum(indices, examples - 1))
            outputs = self._apply(params, state, None, x, False)[0]
            losses = self.task.loss_terms.per_example(outputs, y)
            scores = self.task.score(outputs, y)
            return jnp.stack([jnp.sum(real * losses), jnp.sum(real * scores)])

        parts = jnp.arange(count)
        if self.shards > 1:
            parts = parts.reshape(self.shards, -1)[lax.axis_index("examples")]
        total = sums(parts[0]) if len(parts) == 1 else jnp.sum(lax.map(sums, parts), axis=0)
        if self.shards > 1:
            total = lax.psum(total, "examples")
        loss, score = total / examples
        return loss + self.task.penalty(params), score
