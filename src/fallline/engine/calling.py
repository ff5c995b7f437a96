"""The compiled calls of a population: what goes in, how it lies on the devices, what it costs."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import lax
from jax.sharding import PartitionSpec

from fallline.engine import packing
from fallline.engine.devices import Devices
from fallline.engine.feeding import Feeding, Position, Resident, Seeds
from fallline.engine.interface import Arrays, Carry, Figures, Row, Turn
from fallline.engine.program import Program
from fallline.records import Run


@dataclass
class Place:
    """A run under way, and what is known of it."""

    run: Run
    steps: int = 0
    """Steps that were asked for so far."""
    figures: list[np.ndarray] = field(default_factory=list)
    losses: list[np.ndarray] = field(default_factory=list)
    wanted: bool = False
    """Its state is handed out when its call has returned."""
    until: int = 0
    """Epochs after which it waits at a rung; 0: never."""

    @property
    def epochs(self) -> int:
        return len(self.figures)

    @property
    def goal(self) -> int:
        """Epochs after which it leaves its place."""
        return min(self.until or self.run.epochs, self.run.epochs)


class Asked(NamedTuple):
    """What a call was asked for: so many parts, of so many steps each."""

    parts: int
    steps: int


@dataclass
class Flight:
    """Places that are called together: at most one call is queued for them at any time."""

    places: list[Place | None]
    carry: Carry
    rows: Row | None = None
    figures: Figures | None = None
    queued: float = 0.0
    asked: dict[int, Asked] = field(default_factory=dict)
    """By place, what the call under way was asked for."""

    @property
    def taken(self) -> list[bool]:
        return [place is not None for place in self.places]

    @property
    def live(self) -> dict[int, Place]:
        """The runs by their places."""
        return {at: place for at, place in enumerate(self.places) if place is not None}


class Calls:
    """Calls of one :class:`Program` for so many places, compiled once for every number of them."""

    def __init__(
        self,
        program: Program,
        seeds: Seeds,
        devices: Devices,
        lanes: int,
        initial: Callable[[], Any],
        resident: Resident,
    ) -> None:
        self.program = program
        self.seeds = seeds
        self.devices = devices
        self.lanes = lanes
        """Runs that a device trains side by side."""
        self.compile_seconds = 0.0
        self._validation = resident.validation
        self._feeding = Feeding(program, seeds, devices, resident.train)
        self._initial_of = initial
        self._compiled: dict[int, Any] = {}

    def has(self, places: int) -> bool:
        """Whether calls for so many places are compiled."""
        return places in self._compiled

    def forget(self) -> None:
        """Let go of what is compiled."""
        self._compiled.clear()

    def compile(self, places: int) -> None:
        """Trace and compile (or load from the disk's cache); the time goes to its own account."""
        if places in self._compiled:
            return
        began = time.perf_counter()
        mapped = jax.shard_map(
            self._device_call,
            mesh=self.devices.mesh,
            in_specs=(*[PartitionSpec("runs")] * 3, *[PartitionSpec()] * 4),
            out_specs=PartitionSpec("runs"),
            check_vma=False,
        )
        empty, rows = self.empty(places), self._rows([None] * places)
        train, orders = self._feed_shapes(places)
        inputs = (rows, self._turn(empty), empty.carry, self._initial_shapes, train)
        jitted = jax.jit(mapped, donate_argnums=(2,))
        self._compiled[places] = jitted.lower(*inputs, self._validation, orders).compile()
        self.compile_seconds += time.perf_counter() - began

    def _device_call(
        self,
        rows: Row,
        turn: Turn,
        carry: Carry,
        initial: Any,
        train: Arrays,
        validation: Arrays | None,
        orders: jax.Array,
    ) -> tuple[Carry, Figures]:
        """One device's runs: train each by what is asked of it."""

        def one(args: Any) -> tuple[Carry, Figures]:
            row, turn, carry = args
            carry = lax.cond(turn.fresh, lambda: self.program.begin(row, initial), lambda: carry)
            return self.program.segment(row, turn, carry, train, validation, orders)

        runs, places = (rows, turn, carry), len(rows.branch)
        if self.lanes >= places and self.lanes > 1:
            return jax.vmap(lambda *args: one(args))(*runs)
        return lax.map(one, runs, batch_size=None if self.lanes == 1 else self.lanes)

    def memory(self, places: int) -> int:
        """Bytes that the compiled call takes on each device, its data included."""
        self.compile(places)
        analysis = self._compiled[places].memory_analysis()
        held = analysis.argument_size_in_bytes + analysis.output_size_in_bytes
        return int(held - analysis.alias_size_in_bytes + analysis.temp_size_in_bytes)

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

    def _feed_shapes(self, places: int) -> tuple[Any, Any]:
        """The shapes of a call's examples and orders."""
        orders = jax.ShapeDtypeStruct(self._feeding.shape(places), np.int32)
        if self._feeding.resident is not None:
            return self.devices.shapes((self._feeding.resident, orders))
        split = self.program.task.dataset.train
        count = int(np.prod(orders.shape))
        examples = [
            jax.ShapeDtypeStruct((count, *each.shape[1:]), each.dtype)
            for each in (split.x, split.y)
        ]
        return self.devices.shapes((Arrays._make(examples), orders))

    @cached_property
    def carry_shapes(self) -> Carry:
        """The shapes of one run between two calls."""
        row = jax.eval_shape(
            lambda rows: jax.tree.map(lambda leaf: leaf[0], rows),
            self._rows([None] * self.devices.count),
        )
        return jax.eval_shape(self.program.begin, row, self._initial_shapes)

    def empty(self, places: int) -> Flight:
        """A flight without runs."""
        return Flight([None] * places, self._empty_carry(places))

    def _empty_carry(self, places: int) -> Carry:
        empty = jax.tree.map(
            lambda leaf: np.zeros((places, *leaf.shape), leaf.dtype), self.carry_shapes
        )
        return self.devices.split(empty)

    def restore(self, flight: Flight, carries: Mapping[int, Carry]) -> None:
        """Put runs that began earlier, as arrays of the host, into the flight's places."""

        def put(leaf: jax.Array, *rows: np.ndarray) -> np.ndarray:
            whole = np.array(leaf)
            for at, row in zip(carries, rows, strict=True):
                whole[at] = row
            return whole

        flight.carry = self.devices.split(jax.tree.map(put, flight.carry, *carries.values()))

    def _rows(self, places: Sequence[Place | None], *, measured: bool = True) -> Row:
        program, count = self.program, len(places)
        index = {branch.optimizer.name: at for at, branch in enumerate(program.branches)}
        branch = np.zeros(count, np.int32)
        hyperparameters = np.zeros((count, program.width), program.task.dtype)
        seed = np.zeros(count, np.int32)
        key = np.zeros((count, 2), np.uint32)
        active, total_steps = np.zeros(count, bool), np.zeros(count, np.int32)
        for at, place in enumerate(places):
            if place is None:
                continue
            run = place.run
            branch[at] = index[run.optimizer]
            hyperparameters[at] = program.branches[branch[at]].row(
                run.hyperparameters, program.width
            )
            seed[at] = self.seeds.index(run.seed)
            key[at, 1] = self.seeds.noise(run.seed)
            active[at] = True
            total_steps[at] = run.epochs * program.steps_per_epoch
        measuring = active & measured
        columns = (branch, hyperparameters, seed, key, total_steps, active, measuring)
        return Row(*self.devices.split(columns))

    def _turn(self, flight: Flight) -> Turn:
        """What the next call asks of each place; ``flight.asked`` remembers it."""
        program, count = self.program, len(flight.places)
        fresh, ends = np.zeros(count, bool), np.zeros(count, bool)
        order, parts, steps = (np.zeros(count, np.int32) for _ in range(3))
        rows = {position: row for row, position in enumerate(self._positions(flight))}
        flight.asked = {}
        for at, place in flight.live.items():
            epoch, begun = divmod(place.steps, program.steps_per_epoch)
            left = program.steps_per_epoch - begun
            fresh[at] = place.steps == 0
            order[at] = rows[place.run.seed, place.steps]
            # Who goes on inside an epoch, from a state, ends it first.
            parts[at] = 1 if begun else max(0, min(place.goal - epoch, program.epochs_per_call))
            steps[at] = min(program.steps_per_part, left)
            ends[at] = steps[at] == left
            flight.asked[at] = Asked(int(parts[at]), int(steps[at]))
        return Turn(*self.devices.split((fresh, order, parts, steps, ends)))

    def _positions(self, flight: Flight) -> list[Position]:
        """Where the flight's runs are, each position once."""
        return list(dict.fromkeys((place.run.seed, place.steps) for place in flight.live.values()))

    def left(self, flight: Flight) -> Any:
        """The ``(params, state)`` that the runs leave behind, with a leading axis of places."""
        if self.program.keep_best:
            return flight.carry.best
        return self.judged(flight), flight.carry.state

    def judged(self, flight: Flight) -> Any:
        """The parameters by which the runs are judged: leaves with a leading axis of places."""
        if not self.program.union.judges_others:
            return flight.carry.params
        return self._judge(flight.rows or self._rows(flight.places), flight.carry)

    @cached_property
    def _judge(self) -> Callable[[Row, Carry], Any]:
        return jax.jit(jax.vmap(self.program.judged))

    def queue(self, flight: Flight, *, measured: bool = True) -> None:
        """Start the flight's next call; it goes on while the host does other things."""
        if flight.rows is None:
            flight.rows = self._rows(flight.places, measured=measured)
        places = len(flight.places)
        turn = self._turn(flight)
        feed = self._feeding.feed(self._positions(flight), places)
        flight.carry, flight.figures = self._compiled[places](
            flight.rows,
            turn,
            flight.carry,
            self._initial,
            feed.train,
            self._validation,
            feed.orders,
        )
        flight.queued = time.perf_counter()
        for at, place in flight.live.items():
            place.steps += flight.asked[at].parts * flight.asked[at].steps

    def land(self, flight: Flight) -> None:
        """Wait for the flight's call, and give the runs their figures."""
        if flight.figures is None:
            return
        figures = jax.tree.map(np.asarray, flight.figures)
        for at, place in flight.live.items():
            parts, steps = flight.asked[at]
            place.figures += list(figures.epochs[at][figures.ended[at]])
            if self.program.record_steps:
                place.losses.append(figures.steps[at][:parts, :steps].ravel())
        flight.figures = None

    def moved(self, flights: Sequence[Flight], places: int) -> Flight:
        """One flight of so many places with the runs of ``flights``, dealt out anew."""
        sources = [(flight, at) for flight in flights for at in flight.live]
        targets = packing.dealt(len(sources), places, self.devices.count)
        leaves = [jax.tree.leaves(flight.carry) for flight in flights]
        number = {id(flight): at for at, flight in enumerate(flights)}
        moved = []
        for column in zip(*leaves, strict=True):
            own = [np.asarray(leaf) for leaf in column]
            whole = np.zeros((places, *own[0].shape[1:]), own[0].dtype)
            for (flight, at), target in zip(sources, targets, strict=True):
                whole[target] = own[number[id(flight)]][at]
            moved.append(whole)
        carry = jax.tree.unflatten(jax.tree.structure(flights[0].carry), moved)
        packed = Flight([None] * places, self.devices.split(carry))
        for (flight, at), target in zip(sources, targets, strict=True):
            packed.places[target] = flight.places[at]
        return packed
