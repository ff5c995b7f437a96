"""A population: the runs of a group trained together by one compiled program.

Runs are spread over the devices; on a CPU each device trains its runs one after the other, so that
a run's weights stay in its core's cache and its numbers cannot depend on its neighbours; on a GPU
they are vmapped. Training goes in calls of a second or so; between calls results are handed out.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import PartitionSpec

from fallline.adapters import PureModel
from fallline.engine import ordering
from fallline.engine.devices import Devices
from fallline.engine.program import Arrays, Carry, Figures, Program, Row, arrays
from fallline.records import Curves, Run, RunResult, Status, derived_seed
from fallline.task import Task

IN_FLIGHT = 2
"""Calls that are queued at once, so that a device never waits for the host."""


@dataclass(frozen=True)
class Advanced:
    """Runs that went on by a segment; ``epochs`` and ``figures`` have one entry per run."""

    runs: tuple[Run, ...]
    epochs: tuple[int, ...]
    figures: tuple[tuple[float, ...], ...]
    """Of each run's latest epoch: training loss and metric, validation loss and metric."""


@dataclass(frozen=True)
class Finished:
    """A run that is trained to its end, with its weights where they were asked for."""

    result: RunResult
    params: Any = None
    state: Any = None
    step_losses: np.ndarray = field(default_factory=lambda: np.empty(0))


@dataclass(frozen=True)
class Seeds:
    """The seeds of a study and what derives from them: initial weights and orders."""

    task_name: str
    seeds: tuple[int, ...]
    study_seed: int = 0
    shuffle: bool = True

    def index(self, seed: int) -> int:
        return self.seeds.index(seed)

    def initial(self, model: PureModel) -> Any:
        """Every seed's initial ``(params, state)``, stacked along a first axis."""
        keys = [
            jax.random.key(derived_seed("weights", self.study_seed, self.task_name, seed))
            for seed in self.seeds
        ]
        # One seed after the other: vmapped, the random numbers take twice as long to compile.
        return jax.jit(partial(lax.map, model.init))(jnp.stack(keys))

    def noise(self, seed: int) -> int:
        """Where a run's dropout begins: the same masks for every optimizer of a seed."""
        return derived_seed("noise", self.study_seed, self.task_name, seed)

    def orders(self, program: Program, epoch: int) -> np.ndarray:
        """The batches of the epochs from ``epoch`` on: ``(seeds, epochs, steps, batch_size)``."""
        examples = len(program.task.dataset.train)
        shuffle = self.shuffle and program.batch_size < examples
        return np.stack(
            [
                np.stack(
                    [
                        ordering.batches(
                            ordering.epoch_order(
                                self.study_seed, self.task_name, seed, at, examples, shuffle=shuffle
                            ),
                            program.batch_size,
                        )
                        for at in range(epoch, epoch + program.epochs_per_call)
                    ]
                )
                for seed in self.seeds
            ]
        )


class Resident(NamedTuple):
    """A task's data on the devices, once for all the populations that train on it."""

    train: Arrays
    validation: Arrays | None

    @classmethod
    def of(cls, task: Task, devices: Devices) -> Resident:
        data = task.dataset
        validation = None if data.validation is None else arrays(data.validation, devices.shared)
        return cls(arrays(data.train, devices.shared), validation)


@dataclass
class _Flight:
    """Runs under way together: one call queued for them at any time."""

    runs: tuple[Run, ...]
    rows: Row
    carry: Carry
    trained: int = 0
    figures: list[Figures] = field(default_factory=list)


class Population:
    """Trains runs of one :class:`Program`, ``places`` at a time."""

    def __init__(
        self,
        program: Program,
        seeds: Seeds,
        devices: Devices,
        *,
        per_device: int = 1,
        initial: Callable[[], Any] | None = None,
        resident: Resident | None = None,
    ) -> None:
        """A population that trains nothing yet.

        ``initial`` gives every seed's ``(params, state)``; it is asked when training begins.
        ``resident`` is the task's data on the devices, where several populations share it.
        """
        self.program = program
        self.seeds = seeds
        self.devices = devices
        self.places = per_device * devices.count
        self.compile_seconds = 0.0
        data = Resident.of(program.task, devices) if resident is None else resident
        self._train, self._validation = data
        self._initial_of = initial or (lambda: seeds.initial(program.task.pure))
        self._orders_of: dict[int, jax.Array] = {}
        self._call: Any = None

    # -- the compiled program ---------------------------------------------------------------

    def compile(self) -> None:
        """Trace and compile (or load from the disk's cache); the time goes to its own account."""
        if self._call is not None:
            return
        began = time.perf_counter()
        rows, carry = self._rows([]), self._empty_carry()
        asked = self.devices.split(np.zeros(self.places, np.int32))
        fresh = self.devices.split(np.zeros(self.places, bool))
        mapped = jax.shard_map(
            self._device_call,
            mesh=self.devices.mesh,
            in_specs=(*[PartitionSpec("runs")] * 4, *[PartitionSpec()] * 4),
            out_specs=PartitionSpec("runs"),
            check_vma=False,
        )
        initial = self._initial_shapes
        inputs = (rows, carry, fresh, asked, initial, self._train, self._validation)
        self._call = jax.jit(mapped, donate_argnums=(1,)).lower(*inputs, self._orders(0)).compile()
        self.compile_seconds += time.perf_counter() - began

    def _device_call(
        self,
        rows: Row,
        carry: Carry,
        fresh: jax.Array,
        asked: jax.Array,
        initial: Any,
        train: Arrays,
        validation: Arrays | None,
        orders: jax.Array,
    ) -> tuple[Carry, Figures]:
        """One device's runs: train each by the epochs asked of it."""

        def one(args: Any) -> tuple[Carry, Figures]:
            row, carry, fresh, asked = args
            carry = lax.cond(fresh, lambda: self.program.begin(row, initial), lambda: carry)
            return self.program.segment(row, carry, asked, train, validation, orders)

        runs = (rows, carry, fresh, asked)
        if self.devices.maps_runs:
            return lax.map(one, runs)
        return jax.vmap(lambda *args: one(args))(*runs)

    @cached_property
    def _initial(self) -> Any:
        return self.devices.shared(self._initial_of())

    @cached_property
    def _initial_shapes(self) -> Any:
        """Shapes are enough to compile: the weights may be drawn meanwhile."""
        seeds = len(self.seeds.seeds)
        model = self.program.task.pure
        return self.devices.shapes(
            jax.tree.map(
                lambda leaf: jax.ShapeDtypeStruct((seeds, *leaf.shape), leaf.dtype),
                jax.eval_shape(model.init, jax.random.key(0)),
            )
        )

    @cached_property
    def _carry_shapes(self) -> Carry:
        row = jax.eval_shape(lambda rows: jax.tree.map(lambda leaf: leaf[0], rows), self._rows([]))
        return jax.eval_shape(self.program.begin, row, self._initial_shapes)

    def _empty_carry(self) -> Carry:
        empty = jax.tree.map(
            lambda leaf: np.zeros((self.places, *leaf.shape), leaf.dtype), self._carry_shapes
        )
        return self.devices.split(empty)

    def _rows(self, runs: Sequence[Run], *, measured: bool = True) -> Row:
        program, places = self.program, self.places
        index = {branch.optimizer.name: at for at, branch in enumerate(program.branches)}
        branch = np.zeros(places, np.int32)
        hyperparameters = np.zeros((places, program.width), program.task.dtype)
        seed = np.zeros(places, np.int32)
        key = np.zeros((places, 2), np.uint32)
        active = np.zeros(places, bool)
        for place, run in zip(self._spread(len(runs)), runs, strict=True):
            branch[place] = index[run.optimizer]
            hyperparameters[place] = program.branches[branch[place]].row(
                run.hyperparameters, program.width
            )
            seed[place] = self.seeds.index(run.seed)
            key[place, 1] = self.seeds.noise(run.seed)
            active[place] = True
        columns = (branch, hyperparameters, seed, key, active, active & measured)
        return Row(*self.devices.split(columns))

    def _spread(self, count: int) -> list[int]:
        """The places of ``count`` runs: dealt out to the devices in turn."""
        per_device = self.places // self.devices.count
        return [
            (at % self.devices.count) * per_device + at // self.devices.count for at in range(count)
        ]

    def _orders(self, epoch: int) -> jax.Array:
        """The orders of a segment, kept while the calls in flight may need them."""
        if epoch not in self._orders_of:
            if len(self._orders_of) > IN_FLIGHT:
                del self._orders_of[next(iter(self._orders_of))]
            self._orders_of[epoch] = self.devices.shared(self.seeds.orders(self.program, epoch))
        return self._orders_of[epoch]

    # -- training ---------------------------------------------------------------------------

    def train(
        self, runs: Sequence[Run], *, keep_weights: bool = False
    ) -> Iterator[Advanced | Finished]:
        """Train ``runs``, handing out how far they are and, in turn, the finished ones."""
        self.compile()
        waiting = deque(
            tuple(runs[at : at + self.places]) for at in range(0, len(runs), self.places)
        )
        flights: deque[_Flight] = deque()
        while waiting or flights:
            while waiting and len(flights) < IN_FLIGHT:
                taken = waiting.popleft()
                flights.append(self._queue(_Flight(taken, self._rows(taken), self._empty_carry())))
            flight = flights.popleft()
            yield self._advance(flight)
            if self._ended(flight):
                yield from self._finish(flight, keep_weights)
            else:
                flights.append(self._queue(flight))

    def _queue(self, flight: _Flight) -> _Flight:
        per_call = self.program.epochs_per_call
        asked = np.zeros(self.places, np.int32)
        for place, run in zip(self._spread(len(flight.runs)), flight.runs, strict=True):
            asked[place] = np.clip(run.epochs - flight.trained, 0, per_call)
        fresh = np.full(self.places, flight.trained == 0)
        flight.carry, figures = self._call(
            flight.rows,
            flight.carry,
            self.devices.split(fresh),
            self.devices.split(asked),
            self._initial,
            self._train,
            self._validation,
            self._orders(flight.trained),
        )
        flight.figures.append(figures)
        return flight

    def _advance(self, flight: _Flight) -> Advanced:
        """Wait for the flight's call and say how far its runs are."""
        flight.figures[-1] = jax.tree.map(np.asarray, flight.figures[-1])
        flight.trained += self.program.epochs_per_call
        epochs = np.asarray(flight.carry.health.epoch)
        places = self._spread(len(flight.runs))
        curves = [self._curves(flight, place, int(epochs[place])) for place in places]
        return Advanced(
            flight.runs,
            tuple(int(epochs[place]) for place in places),
            tuple(tuple(float(curve[-1]) for curve in each) for each in curves),
        )

    def _ended(self, flight: _Flight) -> bool:
        stopped = np.asarray(flight.carry.health.stopped)
        return all(
            stopped[place] or run.epochs <= flight.trained
            for place, run in zip(self._spread(len(flight.runs)), flight.runs, strict=True)
        )

    def _curves(self, flight: _Flight, place: int, epochs: int) -> tuple[np.ndarray, ...]:
        """The place's four curves, each of shape ``(epochs trained,)``, scores as metrics."""
        figures = np.concatenate([part.epochs[place] for part in flight.figures])[:epochs]
        metric = self.program.task.metric_of
        return figures[:, 0], metric(figures[:, 1]), figures[:, 2], metric(figures[:, 3])

    def seconds(self, run: Run, epochs: int) -> float:
        """Wall time of one call that trains ``run`` alone for ``epochs``, without evaluations."""
        self.compile()
        rows = self._rows([run], measured=False)
        flight = _Flight((replace(run, epochs=epochs),), rows, self._empty_carry())
        jax.block_until_ready(flight.carry)
        began = time.perf_counter()
        jax.block_until_ready(self._queue(flight).carry)
        return time.perf_counter() - began

    def _finish(self, flight: _Flight, keep_weights: bool) -> Iterator[Finished]:
        health = jax.tree.map(np.asarray, flight.carry.health)
        weights: Any = None
        if keep_weights:
            weights = jax.tree.map(np.asarray, (flight.carry.params, flight.carry.state))
        for place, run in zip(self._spread(len(flight.runs)), flight.runs, strict=True):
            curves = Curves(*self._curves(flight, place, int(health.epoch[place])))
            diverged = int(health.diverged_step[place])
            early = int(health.epoch[place]) < run.epochs
            result = RunResult(
                run,
                Status.DIVERGED
                if diverged >= 0
                else Status.STOPPED_EARLY
                if early
                else Status.DONE,
                curves,
                steps=int(health.step[place]),
                diverged_step=diverged,
                last_finite_loss=float(health.last_finite_loss[place]),
            )
            losses = np.concatenate([part.steps[place].ravel() for part in flight.figures])
            own = jax.tree.map(lambda leaf, at=place: leaf[at], weights)
            params, state = own if own is not None else (None, None)
            yield Finished(result, params, state, losses[: result.steps])


def initial_from(params: Mapping[str, Any], state: Any, seeds: int) -> Any:
    """Given weights as every seed's initial ``(params, state)``."""
    return jax.tree.map(lambda leaf: np.stack([np.asarray(leaf)] * seeds), (params, state))
