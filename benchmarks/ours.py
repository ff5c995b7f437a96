"""fallline's side: populations through its own engine. The only script that knows the engine.

A process of the kind that ``stepping.py`` describes. Besides what every side takes, ``begin``
takes ``runs`` (the population), ``devices`` (how many; 0: all), ``layout`` (``planned``, or
``side by side`` for that of a GPU) and ``keep`` (compiled populations, for equal jobs).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import jax
import numpy as np
from flax import linen as nn

import cases
import networks
import stepping
from fallline import __version__, optimizers, tasks
from fallline.data.dataset import Dataset, Split
from fallline.engine import arrangement, cost
from fallline.engine.branches import Branch
from fallline.engine.devices import Devices
from fallline.engine.events import Finished
from fallline.engine.feeding import Seeds
from fallline.engine.population import Population, initial_from
from fallline.planning import grouping
from fallline.planning.grouping import Group
from fallline.records import Run
from fallline.task import Task
from stepping import Job

SEEDS = (0, 1, 2)
SIDE_BY_SIDE = "side by side"
BUILT_IN = {
    "mlp": "mnist-mlp",
    "cnn": "mnist-cnn",
    "bn-cnn": "mnist-bn-cnn",
    "lenet5": "mnist-lenet5",
}
"""The built-in tasks with these networks; what is not built in is made of plain Flax."""


class Plain(nn.Module):
    """A network of ``networks.py`` in Flax, as any user would write it."""

    layers: tuple[networks.Layer, ...]

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        if not networks.is_flat(self.layers):
            x = x.reshape(*x.shape[:3], -1)
        for layer in self.layers:
            x = self._layer(layer, x, train)
        return x

    def _layer(self, layer: networks.Layer, x: jax.Array, train: bool) -> jax.Array:
        match layer:
            case networks.Conv(features, size):
                return nn.relu(nn.Conv(features, (size, size), padding="VALID")(x))
            case networks.Dense(units, relu):
                x = nn.Dense(units)(x.reshape(len(x), -1))
                return nn.relu(x) if relu else x
            case networks.Pool():
                return nn.max_pool(x, (2, 2), strides=(2, 2))
            case networks.Dropout(rate):
                return nn.Dropout(rate)(x, deterministic=not train)
            case networks.BatchNorm():
                return nn.BatchNorm(
                    use_running_average=not train,
                    momentum=networks.MOMENTUM,
                    epsilon=networks.EPSILON,
                )(x)


def model(network: str) -> Any:
    """fallline's own network where it is built in, else the same in plain Flax."""
    name = BUILT_IN.get(network)
    if name in tasks.names():
        return tasks.definition(name).model()
    return Plain(networks.NETWORKS[network])


def task(job: Job, examples: int) -> Task:
    """The first ``examples`` in the job's order, nothing held out."""
    rows = job.order[:examples]
    dataset = Dataset(
        name="benchmark",
        train=Split(job.x[rows], job.y[rows].astype(np.int32)),
        validation=None,
        test=None,
        kind="classification",
        classes=tuple("0123456789"),
        input_scale=np.asarray(1 / job.unit, np.float32),
    )
    return Task(model(job.network), dataset, name="benchmark", batch_size=job.batch_size)


def weights(made: Task, kernels: list[np.ndarray]) -> tuple[Any, Any]:
    """The task's initial ``(params, state)`` with these kernels, each known by its shape."""
    by_shape = {kernel.shape: kernel for kernel in kernels}

    def put(path: Any, leaf: Any) -> Any:
        is_kernel = getattr(path[-1], "key", None) == "kernel"
        return by_shape[tuple(leaf.shape)] if is_kernel else np.asarray(leaf)

    params, state = jax.jit(made.pure.init)(jax.random.key(0))
    return jax.tree_util.tree_map_with_path(put, params), state


def runs(count: int, epochs: int) -> list[Run]:
    """Adam, the seeds in turn; each run beyond them has a learning rate a trifle larger."""
    defaults = optimizers.get("adam").defaults
    made = []
    for at in range(count):
        rate = cases.LEARNING_RATE * (1 + 0.001 * (at // len(SEEDS)))
        own = {**defaults, "learning_rate": rate, "epsilon": cases.EPSILON}
        made.append(Run("adam", own, SEEDS[at % len(SEEDS)], "search", epochs))
    return made


@dataclass(frozen=True)
class Trained:
    """A compiled population with its runs, and the group that it was planned as."""

    population: Population
    members: list[Run]
    group: Group

    def train(self, *, keep_weights: bool = False) -> list[Finished]:
        """All runs to their end."""
        events = self.population.train(self.members, keep_weights=keep_weights)
        return [event for event in events if isinstance(event, Finished)]


def trained(job: Job, epochs: int, steps: int, *, shuffle: bool = True) -> Trained:
    """A compiled population for ``options["runs"]`` runs, each of ``epochs`` x ``steps`` steps.

    It is laid out as fallline plans it.
    """
    count = job.options.get("runs", 1)
    optimizer = optimizers.get("adam")
    made = task(job, steps * job.batch_size)
    chosen = job.options.get("devices")
    devices = Devices.first(chosen) if chosen else Devices.all()
    machine = cost.machine_of(devices)
    if job.options.get("layout") == SIDE_BY_SIDE:
        machine = replace(machine, platform="gpu")
    (group,) = grouping.groups(
        [optimizer],
        count,
        size=cost.size_of(made, [optimizer]),
        epochs=epochs,
        batch_size=job.batch_size,
        machine=machine,
    )
    population = arrangement.population(
        made,
        group,
        (Branch(optimizer),),
        Seeds(made.name, SEEDS, shuffle=shuffle),
        devices,
        initial=lambda: initial_from(*weights(made, job.kernels), len(SEEDS)),
    )
    population.compile()
    return Trained(population, runs(count, epochs), group)


KEPT: dict[Any, Trained] = {}


def kept(job: Job, epochs: int, steps: int) -> Trained:
    """As :func:`trained`; with the option ``keep``, one that was made for an equal job before."""
    if not job.options.get("keep"):
        return trained(job, epochs, steps)
    key = (json.dumps(job.options, sort_keys=True), epochs, steps)
    if key not in KEPT:
        KEPT[key] = trained(job, epochs, steps)
    return KEPT[key]


class Ours:
    """fallline as a side: ``outputs`` are those of the first run."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.last: Trained | None = None
        self.asked: tuple[int, int] | None = None
        self.first: Finished | None = None

    def ready(self, epochs: int, steps: int) -> Callable[[], int]:
        if self.first is None and self.job.options["check"]:
            return lambda: self._check(epochs, steps)
        if self.asked != (epochs, steps):
            self.last = None
            self.last, self.asked = kept(self.job, epochs, steps), (epochs, steps)
        return self._train

    def _check(self, epochs: int, steps: int) -> int:
        self.last = trained(self.job, epochs, steps, shuffle=False)
        self.asked = (epochs, steps)
        done = self.last.train(keep_weights=True)
        self.first = next(each for each in done if each.result.run == self.last.members[0])
        return epochs * steps * len(done)

    def _train(self) -> int:
        assert self.last is not None
        done = self.last.train()
        wanted = self.last.members[0].epochs * self.last.population.program.steps_per_epoch
        if any(each.result.steps != wanted for each in done) or len(done) != len(self.last.members):
            raise RuntimeError("not every run was trained to its end")
        return wanted * len(done)

    def outputs(self, x: np.ndarray) -> np.ndarray:
        assert self.last is not None
        assert self.first is not None
        raw = np.round(self.job.unit * x).astype(np.uint8).reshape(-1, *self.job.x.shape[1:])
        program = self.last.population.program
        return np.asarray(jax.jit(program.outputs)(self.first.params, self.first.state, raw))

    def details(self) -> dict[str, Any]:
        assert self.last is not None
        population, layout = self.last.population, self.last.group.layout
        device = jax.devices()[0]
        memory = (device.memory_stats() or {}).get("peak_bytes_in_use")
        return {
            "compile": population.compile_seconds,
            "runs": len(self.last.members),
            "places": population.places,
            "devices": population.devices.mesh.devices.size,
            "platform": device.platform,
            "device": device.device_kind,
            "layout": layout.kind,
            "reasons": list(layout.reasons),
            "peak_bytes": memory,
        }


if __name__ == "__main__":
    stepping.serve("fallline", __version__, Ours)
