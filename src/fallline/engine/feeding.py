"""What a call trains on: the orders of its runs, and the examples where they do not fit.

Data that fits lies on the devices whole, once for all runs, as it was stored (uint8 stays uint8),
and a call gets indices. Data that does not fit is streamed: a call gets the examples that its runs
will see, in the very order in which they would have been gathered on the device.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import numpy as np

from fallline.adapters import PureModel
from fallline.data.dataset import Split
from fallline.engine import ordering
from fallline.engine.devices import Devices
from fallline.engine.interface import Arrays
from fallline.engine.program import Program
from fallline.errors import ResourceError
from fallline.planning.layout import KEPT_FEEDS, RESIDENT_SHARE
from fallline.records import derived_seed
from fallline.task import Task
from fallline.units import in_bytes

KEPT_EPOCHS = 64

Position = tuple[int, int]
"""A seed, and how many steps of its training are behind it."""


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
        return jax.jit(lambda all_: jax.lax.map(model.init, all_))(jax.numpy.stack(keys))

    def noise(self, seed: int) -> int:
        """Where a run's dropout begins: the same masks for every optimizer of a seed."""
        return derived_seed("noise", self.study_seed, self.task_name, seed)

    def batches(self, program: Program, seed: int, epoch: int) -> np.ndarray:
        """The batches of one epoch: ``(steps, batch_size)``, int32, -1 where one is not full."""
        examples = len(program.task.dataset.train)
        shuffle = self.shuffle and program.batch_size < examples
        order = ordering.epoch_order(
            self.study_seed, self.task_name, seed, epoch, examples, shuffle=shuffle
        )
        return ordering.batches(order, program.batch_size)


class Resident(NamedTuple):
    """A task's data on the devices, once for all the populations that train on it."""

    train: Arrays | None
    """None where the training examples are streamed."""
    validation: Arrays | None

    @classmethod
    def of(cls, task: Task, devices: Devices, *, streamed: bool = False) -> Resident:
        data = task.dataset
        validation = None
        if data.validation is not None:
            fits_whole(data.validation, "validation", devices)
            validation = arrays(data.validation, devices)
        return cls(None if streamed else arrays(data.train, devices), validation)


def arrays(split: Split, devices: Devices) -> Arrays:
    """A split's arrays, whole on every device; a streamed one is read whole."""
    return Arrays(*devices.shared((split.x[:], split.y)))


def fits_whole(split: Split, name: str, devices: Devices) -> None:
    """Raise :class:`ResourceError` where a split that is measured whole does not fit."""
    free = devices.memory()
    if split.streamed and split.x.nbytes > RESIDENT_SHARE * free:
        raise ResourceError(
            f"the {name} split of {in_bytes(split.x.nbytes)} does not fit into the "
            f"{in_bytes(free)} that a device has free",
            hint=f"training examples are streamed, {name} examples are not: hold out fewer, "
            f"for example {name}=10000",
        )


class Feed(NamedTuple):
    """A call's examples and its orders: indices into them, one row per position."""

    train: Arrays
    orders: jax.Array


@dataclass
class Feeding:
    """Makes the feeds of one program's calls."""

    program: Program
    seeds: Seeds
    devices: Devices
    resident: Arrays | None
    _epochs: OrderedDict[tuple[int, int], np.ndarray] = field(default_factory=OrderedDict)
    _feeds: OrderedDict[Any, Feed] = field(default_factory=OrderedDict)

    def feed(self, positions: Sequence[Position], rows: int) -> Feed:
        """The feed of a call for ``positions``, filled up to ``rows`` rows of orders."""
        asked = (tuple(positions), rows)
        if asked not in self._feeds:
            if len(self._feeds) >= KEPT_FEEDS:
                self._feeds.popitem(last=False)
            orders = self._orders(positions, rows)
            if self.resident is not None:
                self._feeds[asked] = Feed(self.resident, self.devices.shared(orders))
            else:
                self._feeds[asked] = self._streamed(orders)
        return self._feeds[asked]

    def shape(self, rows: int) -> tuple[int, ...]:
        """The shape of a call's orders."""
        program = self.program
        return (rows, program.epochs_per_call, program.steps_per_part, program.batch_size)

    def _orders(self, positions: Sequence[Position], rows: int) -> np.ndarray:
        orders = np.full(self.shape(rows), -1, np.int32)
        steps = self.program.steps_per_part
        for row, (seed, behind) in enumerate(positions):
            epoch, begun = divmod(behind, self.program.steps_per_epoch)
            for part in range(1 if begun else self.program.epochs_per_call):
                taken = self._batches(seed, epoch + part)[begun : begun + steps]
                orders[row, part, : len(taken)] = taken
        return orders

    def _batches(self, seed: int, epoch: int) -> np.ndarray:
        if (seed, epoch) not in self._epochs:
            if len(self._epochs) >= KEPT_EPOCHS:
                self._epochs.popitem(last=False)
            self._epochs[seed, epoch] = self.seeds.batches(self.program, seed, epoch)
        return self._epochs[seed, epoch]

    def _streamed(self, orders: np.ndarray) -> Feed:
        """The examples that ``orders`` names, and orders that point to where they now lie."""
        split = self.program.task.dataset.train
        rows = np.maximum(orders.ravel(), 0)
        x, y = split.x[rows], split.y[rows]
        moved = np.where(orders < 0, -1, np.arange(orders.size).reshape(orders.shape))
        return Feed(
            Arrays(*self.devices.shared((x, y))), self.devices.shared(moved.astype(np.int32))
        )
