"""A population: the runs of a group trained together by one compiled program.

Runs take places. On a CPU each device trains the runs of its places one after the other, so that
a run's weights stay in its core's cache and its numbers cannot depend on its neighbours; on a GPU
they are vmapped. Training goes in calls of a second or so; between calls results are handed out
and whoever has ended leaves its place to the next.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import jax
import numpy as np

from fallline.engine import packing
from fallline.engine.calling import Calls, Flight, Place
from fallline.engine.devices import Devices
from fallline.engine.events import Advanced, Finished, Paused, UnderWay
from fallline.engine.faults import DeviceError, out_of_memory
from fallline.engine.feeding import Resident, Seeds
from fallline.engine.health import Health, reason_of
from fallline.engine.program import Program
from fallline.engine.states import Handing, Held, States
from fallline.errors import ResourceError
from fallline.planning.layout import QUEUED
from fallline.records import Curves, Run, RunResult, RunState, Status

log = logging.getLogger("fallline")

MOVE_SECONDS = 0.05
"""What moving runs to other places costs: their states go through the host."""


class Population:
    """Trains runs of one :class:`Program`, ``places`` at a time."""

    def __init__(
        self,
        program: Program,
        seeds: Seeds,
        devices: Devices,
        *,
        per_device: int = 1,
        lanes: int | None = None,
        initial: Callable[[], Any] | None = None,
        resident: Resident | None = None,
    ) -> None:
        """A population that trains nothing yet.

        ``per_device`` runs have their places on each device, ``lanes`` of them side by side
        (vmapped; by default 1 on a CPU and all of them elsewhere). ``initial`` gives every seed's
        ``(params, state)``; it is asked when training begins. ``resident`` is the task's data on
        the devices, where several populations share it.
        """
        self.program = program
        self.seeds = seeds
        self.devices = devices
        self.places = per_device * devices.count
        self.packed = 0
        """Times that leftover runs were packed together."""
        self._calls = Calls(
            program,
            seeds,
            devices,
            lanes or (1 if devices.maps_runs else per_device),
            initial or (lambda: seeds.initial(program.task.pure)),
            Resident.of(program.task, devices) if resident is None else resident,
        )
        self._call_seconds = 0.0
        self._returned = 0.0
        self._states = States(self._calls)
        self._resume: Mapping[str, RunState] = {}
        self._until = 0
        self._handing = Handing(self._calls, self._states, deque())

    @property
    def compile_seconds(self) -> float:
        """What compiling has taken so far."""
        return self._calls.compile_seconds

    @property
    def lanes(self) -> int:
        """Runs that a device trains side by side."""
        return self._calls.lanes

    def compile(self) -> None:
        """Compile the call, if that has not been done."""
        self._calls.compile(self.places)

    def state_bytes(self, optimizer: str) -> int:
        """Bytes of one run's state of ``optimizer``, beside its weights."""
        return self._states.optimizer_bytes(optimizer)

    def memory(self) -> int:
        """Bytes that a call takes on each device, its data included."""
        return self._calls.memory(self.places)

    # -- training ---------------------------------------------------------------------------

    def train(
        self,
        runs: Sequence[Run],
        *,
        keep_weights: bool = False,
        resume: Mapping[str, RunState] | None = None,
        until: int = 0,
    ) -> Iterator[Advanced | Finished | UnderWay | Paused]:
        """Train ``runs``, handing out how far they are and, in turn, the finished ones.

        Runs whose state is in ``resume``, by run id, go on from there, and come first. With
        ``until`` runs leave after so many epochs, to wait at a rung, unless they have ended. Where
        the device runs out of memory the population is halved, and the runs under way begin anew.
        Raises :class:`ResourceError` where a single run per device does not fit.
        """
        self._resume, self._until = resume or {}, until
        waiting: deque[Run] = deque()
        for run in sorted(runs, key=lambda run: run.run_id not in self._resume):
            if paused := self._there(run):
                yield paused
            else:
                waiting.append(run)
        flights: deque[Flight] = deque()
        self._handing = Handing(self._calls, self._states, flights)
        while True:
            try:
                yield from self._train(waiting, flights, keep_weights)
                return
            except DeviceError as error:
                if not out_of_memory(error):
                    raise
                began = [place.run for flight in flights for place in flight.live.values()]
                flights.clear()
                waiting.extendleft(reversed(began))
                self._halve(error)

    def hand_out(self) -> None:
        """Have :meth:`train` give an :class:`UnderWay`, when the calls under way have returned."""
        self._handing.request()

    def states(self, patience: float) -> list[RunState]:
        """The states of the runs under way, for who stops training now.

        Waits for calls that have begun, at most ``patience`` seconds; what is not there by then is
        left out.
        """
        return self._handing.now(patience)

    def _train(
        self, waiting: deque[Run], flights: deque[Flight], keep_weights: bool
    ) -> Iterator[Advanced | Finished | UnderWay | Paused]:
        """Train until nobody waits; ``flights`` always holds every run that is under way."""
        self.compile()
        while waiting or flights:
            while waiting and len(flights) < QUEUED:
                flight = self._calls.empty(self.places)
                flights.append(flight)
                self._fill(flight, waiting)
                self._calls.queue(flight)
            flight = flights[0]
            yield self._advance(flight)
            yield from self._ended(flight, keep_weights)
            self._handing.collect(flight)
            self._fill(flight, waiting)
            if not waiting and len(flights) > 1 and self._merges(flight, flights[1]):
                yield self._advance(flights[1])
                yield from self._ended(flights[1], keep_weights)
                self._handing.collect(flights[1])
                flights[0] = self._merged([flight, flights[1]], len(flight.places))
                del flights[1]
            elif not waiting:
                flights[0] = self._packed(flight)
            if flights[0].live:
                self._calls.queue(flights[0])
                flights.rotate(-1)
            else:
                flights.popleft()
            if states := self._handing.complete():
                yield UnderWay(states, self._handing.seconds)  # the devices have work meanwhile

    def _fill(self, flight: Flight, waiting: deque[Run]) -> None:
        """Give the flight's free places to those who wait."""
        restored = {}
        while waiting:
            free = packing.next_free(flight.taken, self.devices.count)
            if free is None:
                break
            run = waiting.popleft()
            held = self._held(run)
            place = Place(run, until=self._until)
            flight.places[free] = place if held is None else held.place(run, self._until)
            if held is not None:
                restored[free] = held.carry
        if restored:
            self._calls.restore(flight, restored)

    def _held(self, run: Run) -> Held | None:
        """The run as it was, where it goes on from a state."""
        return self._states.read(run, self._resume.get(run.run_id))

    def _there(self, run: Run) -> Paused | None:
        """The run, where its state is of the rung at which it should wait, or of later."""
        state = self._resume.get(run.run_id)
        if state is None or not 0 < self._until <= state.epochs:
            return None
        held = self._held(run)
        if held is None or held.carry.health.stopped:
            return None
        place = held.place(run, self._until)
        return Paused(self._result(place, held.carry.health, Status.WAITING), state)

    def _advance(self, flight: Flight) -> Advanced:
        """Wait for the flight's call and say how far its runs are."""
        began = max(self._returned, flight.queued)
        self._calls.land(flight)
        self._returned = time.perf_counter()
        self._call_seconds = self._returned - began
        live = flight.live
        nothing = (float("nan"),) * 4
        return Advanced(
            tuple(place.run for place in live.values()),
            tuple(place.epochs for place in live.values()),
            tuple(
                tuple(float(curve[-1]) for curve in self._curves(place))
                if place.figures
                else nothing
                for place in live.values()
            ),
        )

    def _curves(self, place: Place) -> tuple[np.ndarray, ...]:
        """The run's four curves, each of shape ``(epochs trained,)``, scores as metrics."""
        figures = np.stack(place.figures) if place.figures else np.empty((0, 4), np.float32)
        metric = self.program.task.metric_of
        return figures[:, 0], metric(figures[:, 1]), figures[:, 2], metric(figures[:, 3])

    def _ended(self, flight: Flight, keep_weights: bool) -> Iterator[Finished | Paused]:
        """The runs of the flight that have ended, or wait at a rung; their places are free."""
        stopped = np.asarray(flight.carry.health.stopped)
        epoch = self.program.steps_per_epoch
        over = {
            at: place
            for at, place in flight.live.items()
            if stopped[at] or place.steps >= place.goal * epoch
        }
        if not over:
            return
        pausing = [at for at, place in over.items() if self._pauses(place, bool(stopped[at]))]
        states = {state.run_id: state for state in self._states.of(flight, pausing)}
        health = jax.tree.map(np.asarray, flight.carry.health)
        weights: Any = None
        if keep_weights and len(pausing) < len(over):
            weights = jax.tree.map(np.asarray, self._calls.left(flight))
        for at in over:
            flight.places[at] = None
        flight.rows = None
        for at, place in over.items():
            own_health = jax.tree.map(lambda leaf, at=at: leaf[at], health)
            if at in pausing:
                result = self._result(place, own_health, Status.WAITING)
                yield Paused(result, states[place.run.run_id])
            else:
                own = jax.tree.map(lambda leaf, at=at: leaf[at].copy(), weights)
                yield self._finished(place, own_health, own)

    def _pauses(self, place: Place, stopped: bool) -> bool:
        """Whether a run that leaves its place waits at a rung."""
        return not stopped and place.goal < place.run.epochs

    def _finished(self, place: Place, health: Health, weights: Any) -> Finished:
        status = Status.DONE
        if int(health.diverged_step) >= 0:
            status = Status.DIVERGED
        elif place.epochs < place.run.epochs:
            status = Status.STOPPED_EARLY
        result = self._result(place, health, status)
        losses = np.concatenate([*place.losses, np.empty(0, self.program.task.dtype)])
        params, state = weights if weights is not None else (None, None)
        waited = int(health.waited) if self.program.keep_best else 0
        return Finished(result, params, state, losses[: result.steps], int(health.epoch) - waited)

    def _result(self, place: Place, health: Health, status: Status) -> RunResult:
        """What a run has come to, at its end or at the rung where it waits."""
        steps, curves = int(health.step), self._curves(place)
        if status is Status.WAITING:  # a state that goes on may lie beyond the rung
            steps = place.goal * self.program.steps_per_epoch
            curves = tuple(curve[: place.goal] for curve in curves)
        return RunResult(
            place.run,
            status,
            Curves(*curves),
            steps=steps,
            diverged_step=int(health.diverged_step),
            last_finite_loss=float(health.last_finite_loss),
            reason=reason_of(health) if status is Status.DIVERGED else "",
        )

    # -- packing ----------------------------------------------------------------------------

    def _remaining(self, *flights: Flight) -> int:
        """Calls until the last run of the flights is through, if none of them stops."""
        program = self.program
        left = [
            place.goal * program.steps_per_epoch - place.steps
            for flight in flights
            for place in flight.live.values()
        ]
        return -(-max(left, default=0) // (program.epochs_per_call * program.steps_per_part))

    def _merges(self, flight: Flight, other: Flight) -> bool:
        """Whether two flights that nobody waits for go on as one."""
        together = len(flight.live) + len(other.live)
        if together == 0 or together > len(flight.places):
            return False
        if self._calls.lanes > 1:
            return True  # a call costs the same however many of its places are taken
        loads = packing.loads(flight.taken, self.devices.count)
        others = packing.loads(other.taken, self.devices.count)
        apart = max(mine + theirs for mine, theirs in zip(loads, others, strict=True))
        return apart > -(-together // self.devices.count)

    def _packed(self, flight: Flight) -> Flight:
        """The flight, packed anew where that saves more than it costs."""
        live, places = len(flight.live), len(flight.places)
        if live == 0:
            return flight
        remaining = self._remaining(flight) * self._call_seconds
        if self._calls.lanes == 1:
            excess = packing.imbalance(flight.taken, self.devices.count)
            fullest = max(packing.loads(flight.taken, self.devices.count))
            if excess and packing.worth(saved=remaining * excess / fullest, cost=MOVE_SECONDS):
                return self._merged([flight], places)
            return flight
        fewer = packing.smaller(live, places, self.devices.count)
        cost = MOVE_SECONDS + (0.0 if self._calls.has(fewer) else self.compile_seconds)
        if fewer < places and packing.worth(saved=remaining * (1 - fewer / places), cost=cost):
            self._calls.compile(fewer)
            return self._merged([flight], fewer)
        return flight

    def _merged(self, flights: Sequence[Flight], places: int) -> Flight:
        """One flight of so many places with the runs of ``flights``, dealt out anew."""
        self.packed += 1
        return self._calls.moved(flights, places)

    def _halve(self, error: Exception) -> None:
        """Half the places, after the device ran out of memory."""
        per_device = self.places // self.devices.count
        if per_device == 1:
            raise ResourceError(
                f"one run of {self.program.task.name!r} does not fit into the device's memory "
                f"(batch size {self.program.batch_size})",
                hint="use a smaller --batch-size, or a smaller network",
            ) from error
        log.warning(
            "out of memory with %d runs on a device: going on with %d", per_device, per_device // 2
        )
        self.places = per_device // 2 * self.devices.count
        self._calls.lanes = min(self._calls.lanes, per_device // 2)
        self._calls.forget()

    # -- timing -----------------------------------------------------------------------------

    def seconds(self, runs: Sequence[Run], parts: int) -> float:
        """Wall time of one call that trains ``runs`` alone for ``parts`` of a call's parts.

        A part is an epoch, or :attr:`Program.steps_per_part` steps of one; without evaluations.
        """
        self.compile()
        flight = self._calls.empty(self.places)
        for place, run in zip(
            packing.dealt(len(runs), self.places, self.devices.count), runs, strict=True
        ):
            flight.places[place] = Place(replace(run, epochs=parts))
        jax.block_until_ready(flight.carry)
        began = time.perf_counter()
        self._calls.queue(flight, measured=False)
        jax.block_until_ready(flight.carry)
        return time.perf_counter() - began


def initial_from(params: Mapping[str, Any], state: Any, seeds: int) -> Any:
    """Given weights as every seed's initial ``(params, state)``."""
    return jax.tree.map(lambda leaf: np.stack([np.asarray(leaf)] * seeds), (params, state))
