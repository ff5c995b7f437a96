"""The engine's choices, each beside what it was chosen over; figures for docs/decisions/.

    python benchmarks/engine_choices.py [--repeats 3] [--table FILE]

Every pair is measured in one process, in turns; nothing is read from the compilation cache.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax

from fallline import models, optimizers, tasks
from fallline.engine.branches import Branch
from fallline.engine.devices import Devices, prepare
from fallline.engine.feeding import Seeds
from fallline.engine.population import Finished, Population
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


def rewritten_or_not(devices: Devices) -> dict[str, float]:
    """Convolution and pooling in their fast forms, and as XLA has them, both inside the scan."""
    found = {}
    ours = rewriting.fast
    for word, rewrite in (("rewritten", ours), ("as written", lambda function, **_: function)):
        rewriting.fast = rewrite
        try:
            task = tasks.get("digits-cnn")
            members = runs(("adam",), 2 * devices.count, 2)
            trained = population(task, ("adam",), devices=devices, per_device=2, epochs=2)
            train(trained, members)
            found[f"{word}: µs per step"] = per_step(train(trained, members), trained, members)
        finally:
            rewriting.fast = ours
    return found


def measure(repeats: int) -> dict[str, dict[str, list[float]]]:
    """Every comparison, ``repeats`` times in turns."""
    devices = Devices.all()
    digits = tasks.get("digits-mlp")
    comparisons: dict[str, Callable[[], dict[str, float]]] = {
        "13 optimizers on digits-mlp": lambda: shared_or_apart(digits, devices),
        "runs on a device, digits-mlp": lambda: mapped_or_vmapped(digits, devices),
        "runs on a device, wide MLP": lambda: mapped_or_vmapped(wide(digits), devices),
        "convolution in a scan, digits-cnn": lambda: rewritten_or_not(devices),
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
    parser.add_argument("--table", type=Path, help="also write the table to this file")
    parser.add_argument("--json", type=Path, help="also write every value to this file")
    asked = parser.parse_args()
    prepare()
    with tempfile.TemporaryDirectory() as cache:
        jax.config.update("jax_compilation_cache_dir", cache)
        jax.config.update("jax_enable_compilation_cache", False)
        found = measure(asked.repeats)
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
