"""What snapshots of the runs under way cost: trainings with one after every call, and with none.

    python benchmarks/snapshots.py [--repeats 3] [--calls 10] [--tasks mnist-mlp mnist-cnn]

Both sides take turns in one process. A snapshot after every call is far more than a study takes:
so its cost shows. The share is that of a study with one every 12 s, as the study reckons it to
decide when the next one may come.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import command
from fallline import optimizers, tasks
from fallline.engine import arrangement
from fallline.engine.branches import Branch
from fallline.engine.devices import Devices, prepare
from fallline.engine.events import Advanced, UnderWay
from fallline.engine.feeding import Seeds
from fallline.engine.population import Population
from fallline.planning.config import StudyConfig
from fallline.records import Run
from fallline.snapshots import SNAPSHOT_SECONDS, Snapshots, cost
from fallline.store import states

SEEDS = tuple(range(8))
EPOCHS = 100


def trained_by(name: str) -> tuple[Population, list[Run]]:
    """A study's population of Adam, and runs that are not over before the calls are counted."""
    task = tasks.get(name).with_budget(epochs=EPOCHS)
    chosen, devices = optimizers.get("adam"), Devices.all()
    config = StudyConfig(("adam",), EPOCHS, task.batch_size)
    (group,) = arrangement.groups(task, [chosen], config, devices)
    seeds = Seeds(task.name, SEEDS)
    population = arrangement.population(task, group, [Branch(chosen)], seeds, devices)
    population.compile()
    return population, [Run("adam", chosen.defaults, seed, "search", EPOCHS) for seed in SEEDS]


@dataclass
class Spent:
    """What a training of some calls took."""

    seconds: float = 0.0
    """Wall time of all."""
    taking: list[float] = field(default_factory=list)
    """Of each snapshot: seconds to copy the states out of the devices."""
    writing: list[float] = field(default_factory=list)
    """Of each snapshot: seconds until it was on the disk."""
    processor: list[float] = field(default_factory=list)
    """Of each snapshot's writing: seconds that the processor worked, not waiting for the disk."""


def train(population: Population, runs: list[Run], calls: int, folder: Path | None) -> Spent:
    """So many calls; with a snapshot as often as calls allow it where there is a folder."""
    kept = None if folder is None else Snapshots(folder, ())
    spent, began, left = Spent(), 0.0, calls + 2
    for event in population.train(runs):
        if isinstance(event, UnderWay):
            assert kept is not None
            start, worked = time.perf_counter(), time.thread_time()
            kept.keep(event.states, event.seconds)
            spent.writing.append(time.perf_counter() - start)
            spent.processor.append(time.thread_time() - worked)
            spent.taking.append(event.seconds)
        elif isinstance(event, Advanced):
            left -= 1
            if left == calls:
                began = time.perf_counter()
            if left == 0:
                break
            if kept is not None:
                population.hand_out()
    spent.seconds = time.perf_counter() - began
    population.states(60.0)  # the calls under way are no part of the next measurement
    return spent


def compare(name: str, repeats: int, calls: int, folder: Path) -> str:
    """One row of the table."""
    population, runs = trained_by(name)
    ratios = []
    spent = Spent()
    for _ in range(repeats):
        without = train(population, runs, calls, None)
        with_ = train(population, runs, calls, folder)
        ratios.append(with_.seconds / without.seconds)
        for part in ("taking", "writing", "processor"):
            getattr(spent, part).extend(getattr(with_, part))
    size, held = (folder / states.STATES_FILE).stat().st_size, len(states.load(folder))
    states.remove(folder)
    taking, writing, processor = (
        1e3 * statistics.median(part) for part in (spent.taking, spent.writing, spent.processor)
    )
    lost = taking + 1e3 * cost(writing / 1e3, processor / 1e3)
    share = 0.1 * lost / SNAPSHOT_SECONDS
    spread = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
    return (
        f"| {name} | {held} | {size / 1e6:.1f} | {taking:.0f} | {writing:.0f} | {processor:.0f} "
        f"| {share:.2f} % | {spread} | {len(spent.taking)} in {repeats * calls} calls |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--calls", type=int, default=10)
    parser.add_argument("--tasks", nargs="+", default=["mnist-mlp", "mnist-cnn"])
    asked = parser.parse_args()
    os.environ.update(command.data_folder())
    prepare()
    print(
        "| task | runs | MB | ms to take | ms to write | of it work | every 12 s "
        "| time with / without | snapshots |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        for name in asked.tasks:
            print(compare(name, asked.repeats, asked.calls, Path(folder)), flush=True)


if __name__ == "__main__":
    main()
