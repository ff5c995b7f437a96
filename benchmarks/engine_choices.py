"""The engine's choices, each beside what it was chosen over; figures for docs/decisions/.

    python benchmarks/engine_choices.py [--repeats 3] [--only WORD ...] [--table FILE]

Every pair is measured in one process, in turns; nothing is read from the compilation cache.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

import command
from fallline import models, optimizers, tasks
from fallline.engine import packing
from fallline.engine.branches import Branch
from fallline.engine.devices import Devices, prepare
from fallline.engine.events import Finished
from fallline.engine.feeding import Seeds
from fallline.engine.population import Population
from fallline.engine.program import Program
from fallline.kernels import rewriting
from fallline.records import Run
from fallline.task import Task

EPOCHS = 10


def population(
    task: Task,
    names: tuple[str, ...],
    *,
    devices: Devices,
    per_device: int,
    epochs: int,
    lanes: int = 1,
) -> Population:
    """A population with its places on the devices, ``lanes`` of a device's side by side."""
    branches = tuple(Branch(optimizers.get(name)) for name in names)
    program = Program(task, branches, task.batch_size, epochs)
    seeds = Seeds(task.name, (0, 1, 2))
    return Population(program, seeds, devices, per_device=per_device, lanes=lanes)


def runs(names: tuple[str, ...], count: int, epochs: int) -> list[Run]:
    """``count`` runs, the optimizers in turn."""
    made = []
    for at in range(count):
        name = names[at % len(names)]
        made.append(Run(name, optimizers.get(name).defaults, at % 3, "search", epochs))
    return made


def train(trained: Population, members: list[Run]) -> float:
    """Seconds to train ``members``, compilation apart."""
    trained.compile()
    began = time.perf_counter()
    done = sum(isinstance(event, Finished) for event in trained.train(members))
    assert done == len(members)
    return time.perf_counter() - began


def per_step(seconds: float, trained: Population, members: list[Run]) -> float:
    """Microseconds per step of a run, on one of the devices."""
    steps = sum(run.epochs for run in members) * trained.program.steps_per_epoch
    return 1e6 * seconds * trained.devices.count / steps


def shared_or_apart(task: Task, devices: Devices) -> dict[str, float]:
    """One program with all optimizers as branches, and a program per optimizer."""
    names = tuple(each.name for each in optimizers.resolve("studies") if not each.full_batch)
    members = runs(names, 4 * len(names), EPOCHS)
    together = population(task, names, devices=devices, per_device=4, epochs=EPOCHS)
    found = {"together: µs per step": per_step(train(together, members), together, members)}
    found["together: compile s"] = together.compile_seconds
    seconds = compile_seconds = 0.0
    for name in names:
        own = [run for run in members if run.optimizer == name]
        apart = population(task, (name,), devices=devices, per_device=2, epochs=EPOCHS)
        seconds += train(apart, own)
        compile_seconds += apart.compile_seconds
    found["apart: µs per step"] = per_step(seconds, together, members)
    found["apart: compile s"] = compile_seconds
    return found


def mapped_or_vmapped(task: Task, devices: Devices) -> dict[str, float]:
    """Runs one after the other on a device, and side by side."""
    found = {}
    members = runs(("adam",), 8 * devices.count, 3)
    for word, lanes in (("mapped", 1), ("vmapped", 8)):
        trained = population(task, ("adam",), devices=devices, per_device=8, epochs=3, lanes=lanes)
        train(trained, members)
        found[f"{word}: µs per step"] = per_step(train(trained, members), trained, members)
    return found


def forms(task: Task, devices: Devices, *, steps: int) -> dict[str, float]:
    """A network's convolutions in blocks, as patches of the whole batch, and as XLA has them."""
    fast = rewriting.fast
    sides: dict[str, Callable[..., Any]] = {
        "blocks": fast,
        "whole-batch patches": lambda function, **_: fast(function, platform="other"),
        "XLA's own": lambda function, **_: function,
    }
    found = {}
    adam = (Branch(optimizers.get("adam")),)
    few = len(task.dataset.train) // (task.batch_size * steps)
    for word, rewrite in sides.items():
        rewriting.fast = rewrite
        try:
            program = Program(task, adam, task.batch_size, 1, calls_per_epoch=max(1, few))
            trained = Population(program, Seeds(task.name, (0, 1, 2)), devices)
            members = runs(("adam",), devices.count, 1)
            trained.seconds(members, 1)
            seconds = min(trained.seconds(members, 1) for _ in range(2))
            per_run = seconds / (program.steps_per_part * devices.count)
            found[f"{word}: ms per run-step"] = 1e3 * per_run
        finally:
            rewriting.fast = fast
    return found


def alone_or_shared(task: Task, batch_size: int, part: int, devices: Devices) -> dict[str, float]:
    """A single run on one device, and every step of it shared by all."""
    found = {}
    run = runs(("adam",), 1, 1)[0]
    steps = -(-len(task.dataset.train) // batch_size)
    teams = {"one device": Devices.first(1), "shared": devices.shared_by(devices.count)}
    for word, team in teams.items():
        program = Program(
            task,
            (Branch(optimizers.get("adam")),),
            batch_size,
            1,
            calls_per_epoch=max(1, steps // part),
            shards=team.shards,
        )
        trained = Population(program, Seeds(task.name, (0, 1, 2)), team)
        trained.seconds([run], 1)
        found[f"{word}: ms per step"] = 1e3 * trained.seconds([run], 1) / program.steps_per_part
    return found


def whole_or_in_parts(task: Task) -> dict[str, float]:
    """The full batch passed in micro-batches of several sizes."""
    found = {}
    run = runs(("adam",), 1, 1)[0]
    examples = len(task.dataset.train)
    for size in (128, 256, 1024, 4096, examples):
        program = Program(
            task, (Branch(optimizers.get("adam")),), examples, 1, micro_batch=min(size, examples)
        )
        trained = Population(program, Seeds(task.name, (0, 1, 2)), Devices.first(1))
        trained.seconds([run], 1)
        found[f"{size} at a time: ms per step"] = 1e3 * trained.seconds([run], 1)
    return found


def packed_or_left(task: Task, devices: Devices, lanes: int) -> dict[str, float]:
    """Runs of which every second one diverges at once: the rest packed, and left where it is."""
    members = [
        Run("sgd", {"learning_rate": 1e30 if at % 2 else 0.05}, at % 3, "search", 400 + at)
        for at in range(8 * devices.count)
    ]
    found, judge = {}, packing.worth
    for word, worth in (("packed", judge), ("left", lambda *, saved, cost: False)):
        packing.worth = worth
        try:
            trained = population(
                task, ("sgd",), devices=devices, per_device=8, epochs=10, lanes=lanes
            )
            found[f"{word}: s"] = train(trained, members)
        finally:
            packing.worth = judge
    return found


def swept_or_blocked() -> dict[str, float]:
    """Adam on 1.4 million parameters: XLA's loops over whole arrays, and blocks of a few rows."""
    shape, rows = (5408, 256), 104

    def adam(values: Any, step: Any) -> Any:
        w, m, v, g = values
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        scale = jnp.sqrt(v / (1 - 0.999**step)) + 1e-7
        return w - 1e-3 * m / (1 - 0.9**step) / scale, m, v

    def blocked(values: Any, step: Any) -> Any:
        cut = [each.reshape(-1, rows, shape[1]) for each in values]
        new = lax.map(lambda block: adam(block, step), tuple(cut))
        return tuple(each.reshape(shape) for each in new)

    found = {}
    for word, update in (("whole arrays", adam), ("blocks", blocked)):
        call = jax.jit(partial(repeated, update), donate_argnums=(0, 1, 2))
        state = [jnp.ones(shape), jnp.zeros(shape), jnp.zeros(shape)]
        gradient = jnp.full(shape, 1e-3)
        state = jax.block_until_ready(call(*state, gradient))
        began = time.perf_counter()
        jax.block_until_ready(call(*state, gradient))
        found[f"{word}: ms per step"] = 1e3 * (time.perf_counter() - began) / 20
    return found


def repeated(update: Callable[..., Any], w: Any, m: Any, v: Any, gradient: Any) -> Any:
    """``update`` taken 20 times."""

    def step(at: Any, values: Any) -> Any:
        return update((*values, gradient), at + 1.0)

    return lax.fori_loop(0, 20, step, (w, m, v))


def measure(repeats: int, only: list[str]) -> dict[str, dict[str, list[float]]]:
    """Every comparison with one of the words ``only`` in its name, in turns."""
    devices = Devices.all()
    digits = tasks.get("digits-mlp")
    comparisons: dict[str, Callable[[], dict[str, float]]] = {
        "13 optimizers on digits-mlp": lambda: shared_or_apart(digits, devices),
        "runs on a device, digits-mlp": lambda: mapped_or_vmapped(digits, devices),
        "runs on a device, wide MLP": lambda: mapped_or_vmapped(wide(digits), devices),
        "optimizer step, 1.4 M parameters": swept_or_blocked,
        "leftover runs, one after another": lambda: packed_or_left(digits, devices, 1),
        "leftover runs, side by side": lambda: packed_or_left(digits, devices, 8),
    }
    for name, steps in {
        "digits-cnn": 44,
        "mnist-lenet5": 40,
        "mnist-cnn": 20,
        "mnist-bn-cnn": 2,
    }.items():
        comparisons[f"convolutions, {name}"] = partial(
            lambda name, steps: forms(tasks.get(name), devices, steps=steps), name, steps
        )
    images = {"mnist-mlp": (32, 512, 2048, 50_000), "mnist-lenet5": (64,)}
    for name, batches in images.items():
        for batch in batches:
            comparisons[f"one run, {name}, batch {batch}"] = partial(
                lambda name, batch: alone_or_shared(
                    tasks.get(name), batch, max(1, 10_000 // batch), devices
                ),
                name,
                batch,
            )
    comparisons["full batch, mnist-mlp"] = lambda: whole_or_in_parts(tasks.get("mnist-mlp"))
    if only:
        comparisons = {
            name: compare
            for name, compare in comparisons.items()
            if any(word in name for word in only)
        }
    found: dict[str, dict[str, list[float]]] = {name: {} for name in comparisons}
    for _ in range(repeats):
        for name, compare in comparisons.items():
            for what, value in compare().items():
                found[name].setdefault(what, []).append(value)
    return found


def wide(digits: Task) -> Task:
    """The digits with the hidden layer so wide that the parameters are those of an MNIST MLP."""
    return Task(models.MLP(10, (1357,)), digits.dataset, name="wide", epochs=EPOCHS, batch_size=32)


def table(found: dict[str, dict[str, list[float]]]) -> str:
    """The figures as Markdown: median, smallest and largest."""
    lines = ["| what | side | median | from | to |", "|---|---|---|---|---|"]
    for name, sides in found.items():
        for side, values in sides.items():
            figures = (statistics.median(values), min(values), max(values))
            cells = " | ".join(f"{value:.3g}" for value in figures)
            lines.append(f"| {name} | {side} | {cells} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", nargs="*", default=[], help="words of the comparisons wanted")
    parser.add_argument("--table", type=Path, help="also write the table to this file")
    parser.add_argument("--json", type=Path, help="also write every value to this file")
    asked = parser.parse_args()
    os.environ.update(command.data_folder())
    prepare()
    with tempfile.TemporaryDirectory() as cache:
        jax.config.update("jax_compilation_cache_dir", cache)
        jax.config.update("jax_enable_compilation_cache", False)
        found = measure(asked.repeats, asked.only)
    about: dict[str, Any] = {
        "machine": platform.machine(),
        "devices": Devices.all().count,
        "jax": jax.__version__,
        "repeats": asked.repeats,
    }
    print(json.dumps(about))
    print(table(found))
    if asked.table:
        asked.table.write_text(table(found) + "\n")
    if asked.json:
        asked.json.write_text(json.dumps({"about": about, "found": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
