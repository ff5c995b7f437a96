"""The states of runs under way as plain arrays, and runs that go on from them.

A state belongs to a run alone: not to its place, its neighbours, the devices, or the optimizers
that share its program. Where a run is follows from the steps that it has taken.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib import metadata
from typing import Any

import jax
import numpy as np

from fallline.engine.calling import Calls, Flight, Place
from fallline.engine.interface import Carry
from fallline.records import FIGURES, Run, RunState, stable_hash

log = logging.getLogger("fallline")

VERSION = 2
"""Of what a state holds; another one's states are not gone on from."""
LOSSES, CARRY = "losses", "carry"
VERSIONS = ("fallline", "jax", "optax")
"""Packages that decide numbers: with another version of one a run begins anew."""


@dataclass(frozen=True)
class Held:
    """A run as it was when its state was taken."""

    carry: Carry
    figures: np.ndarray
    losses: np.ndarray

    def place(self, run: Run, until: int = 0) -> Place:
        """The run's place, as it was; it waits after ``until`` epochs."""
        steps = int(self.carry.health.step)
        return Place(run, steps, list(self.figures), [self.losses], until=until)


class States:
    """Takes the states of one program's runs, and reads them."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._program = calls.program
        self._identities: dict[int, str] = {}

    def identity(self, run: Run) -> str:
        """Hash of all that decides the run's numbers and its state's form.

        Not of initial weights that were given, and not of the layout.
        """
        at = self._branch(run)
        if at not in self._identities:
            self._identities[at] = self._of_branch(run)
        return stable_hash(self._identities[at], run.run_id)

    def _of_branch(self, run: Run) -> str:
        """Hash of what the identities of all runs of an optimizer have in common."""
        program, seeds = self._program, self._calls.seeds
        branch = program.branches[self._branch(run)]
        stopping = program.stopping
        arrays = self._named(self._template(run))
        return stable_hash(
            VERSION,
            [metadata.version(name) for name in VERSIONS],
            program.task.fingerprint,
            [seeds.task_name, seeds.study_seed, seeds.shuffle],
            program.batch_size,
            [list(option) for option in branch.options],
            None if stopping is None else asdict(stopping),
            program.record_steps,
            [[name, list(leaf.shape), str(leaf.dtype)] for name, leaf in arrays.items()],
        )

    def of(self, flight: Flight, places: Iterable[int]) -> list[RunState]:
        """The states of the runs at ``places`` of a flight whose call has returned."""
        chosen, live = list(places), flight.live
        if not chosen:
            return []
        host = jax.tree.map(np.asarray, flight.carry)
        rows = {at: jax.tree.map(lambda leaf, at=at: np.array(leaf[at]), host) for at in chosen}
        states = [self.taken(live[at], rows[at]) for at in chosen]
        return [state for state in states if state is not None]

    def taken(self, place: Place, carry: Carry) -> RunState | None:
        """The state of a run whose row of the carry is ``carry``, arrays of the host.

        None where the call's figures and its carry do not belong together: someone who stops the
        training may have come in between.
        """
        width = (0, 4)
        figures = np.stack(place.figures) if place.figures else np.empty(width, np.float32)
        losses = np.concatenate([*place.losses, np.empty(0, self._program.task.dtype)])
        held = Held(carry, figures, losses[: int(carry.health.step)])
        if not self._consistent(held):
            return None
        own = self._own(place.run, carry)
        arrays = {**self._named(own), FIGURES: held.figures, LOSSES: held.losses}
        return RunState(place.run.run_id, self.identity(place.run), arrays)

    def read(self, run: Run, state: RunState | None) -> Held | None:
        """The run as ``state`` has it; None, with a warning, where it belongs to another one."""
        if state is None:
            return None
        template = self._template(run)
        names = self._named(template)
        complete = names.keys() | {FIGURES, LOSSES} == state.arrays.keys()
        if complete and state.identity == self.identity(run):
            leaves = [state.arrays[name] for name in names]
            fits = all(
                leaf.shape == asked.shape and leaf.dtype == asked.dtype
                for leaf, asked in zip(leaves, names.values(), strict=True)
            )
            if fits:
                own = jax.tree.unflatten(jax.tree.structure(template), leaves)
                held = Held(self._whole(run, own), state.arrays[FIGURES], state.arrays[LOSSES])
                if self._consistent(held):
                    return held
        log.warning(
            "the state of %s on seed %d is of another training: it begins anew",
            run.optimizer,
            run.seed,
        )
        return None

    def optimizer_bytes(self, optimizer: str) -> int:
        """What the optimizer's own state takes, beside the parameters that it trains."""
        slots: Any = self._program.union.state(
            self._names.index(optimizer), self._calls.carry_shapes.slots
        )
        return sum(
            int(np.prod(leaf.shape)) * np.dtype(leaf.dtype).itemsize
            for leaf in jax.tree.leaves(slots)
        )

    def _consistent(self, held: Held) -> bool:
        """Whether the figures are those of the steps."""
        health = held.carry.health
        steps, epochs = int(health.step), int(health.epoch)
        whole = bool(health.stopped) or epochs == steps // self._program.steps_per_epoch
        recorded = len(held.losses) == (steps if self._program.record_steps else 0)
        return steps > 0 and whole and recorded and held.figures.shape == (epochs, 4)

    def _branch(self, run: Run) -> int:
        return self._names.index(run.optimizer)

    @cached_property
    def _names(self) -> list[str]:
        return [branch.optimizer.name for branch in self._program.branches]

    def _own(self, run: Run, carry: Carry) -> Any:
        """The carry with the run's own optimizer state in place of all optimizers' slots."""
        slots: Any = self._program.union.state(self._branch(run), carry.slots)
        return carry._replace(slots=slots)

    def _whole(self, run: Run, own: Any) -> Carry:
        shapes = self._calls.carry_shapes.slots
        empty: Any = tuple(np.zeros(leaf.shape, leaf.dtype) for leaf in shapes)
        return own._replace(slots=self._program.union.put(self._branch(run), own.slots, empty))

    def _template(self, run: Run) -> Any:
        """The shapes of what :meth:`_own` gives."""
        return self._own(run, self._calls.carry_shapes)

    def _named(self, tree: Any) -> Mapping[str, Any]:
        leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
        return {CARRY + jax.tree_util.keystr(path): leaf for path, leaf in leaves}


class Handing:
    """Takes states out of flights: when their calls have returned, or for who stops at once."""

    def __init__(self, calls: Calls, states: States, flights: Sequence[Flight]) -> None:
        """``flights`` always holds every run that is under way."""
        self._calls = calls
        self._states = states
        self._flights = flights
        self.seconds = 0.0
        """What collecting took since the last request."""
        self._collected: list[RunState] = []

    def request(self) -> None:
        """From now on collect the states of the runs that are under way, each once.

        Nothing new where that is going on already.
        """
        if self._wanted():
            return
        self.seconds = 0.0
        for flight in self._flights:
            for place in flight.live.values():
                place.wanted = True

    def collect(self, flight: Flight) -> None:
        """Take the states that are wanted of a flight whose call has returned."""
        wanted = {at: place for at, place in flight.live.items() if place.wanted}
        began = time.perf_counter()
        if wanted:
            self._collected += self._states.of(flight, wanted)
            self.seconds += time.perf_counter() - began
        for place in wanted.values():
            place.wanted = False

    def complete(self) -> tuple[RunState, ...]:
        """What was collected, once nothing is missing; nothing before."""
        if self._wanted():
            return ()
        states, self._collected = tuple(self._collected), []
        return states

    def _wanted(self) -> bool:
        """Whether states are still missing."""
        return any(place.wanted for flight in self._flights for place in flight.live.values())

    def now(self, patience: float) -> list[RunState]:
        """The states of the runs under way, of calls that return within ``patience`` seconds."""
        until = time.monotonic() + patience
        found: list[RunState] = []
        for flight in self._flights:
            try:
                if returned(flight, until):
                    self._calls.land(flight)
                    found += self._states.of(flight, flight.live)
            except RuntimeError:  # given to a call that did not begin, or that failed
                continue
        return found


def returned(flight: Flight, until: float) -> bool:
    """Whether the flight's call has returned; waits for it until ``until``, a monotonic time."""
    leaves = jax.tree.leaves(flight.carry)
    while not all(leaf.is_ready() for leaf in leaves):
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True
