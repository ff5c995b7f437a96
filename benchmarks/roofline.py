"""How near to the machine's limits fallline's training steps come.

The limits are the machine's own, measured in the same rounds: the best product of matrices and the
best pass over memory among numpy, XLA and torch, on one core and on all at once. Operations and
bytes of a step are those of ``counting.py``. The binding limit is the larger of the two times; the
share is that time divided by the measured one.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import command
import counting
import machine
import peers
import populations
import reporting
import workers
from cases import CASES
from command import BenchmarkError
from counting import Count
from fallline.errors import FalllineError
from networks import NETWORKS
from peaks import LIBRARIES
from populations import Cell, Data
from reporting import Spread, spread
from workers import LeftOut, Team

NAME = "roofline"
GOAL = 0.6
JUDGED = (1, 2, 3)
"""The benchmarks that have the goal."""
LIMIT = 300.0
ONE, ALL = "one core", "all cores"


@dataclass(frozen=True)
class Level:
    """Where a run's numbers live: arrays of ``held`` bytes are passed over to measure it."""

    name: str
    most: float
    """Bytes of a run that fit."""
    held: int


def levels() -> list[Level]:
    """The caches and the memory of this machine; 2 MiB and 32 MiB where it does not tell."""
    second = machine.cache_bytes(2) or 2 << 20
    third = machine.cache_bytes(3) or 32 << 20
    beyond = min(max(2 * third, 256 << 20), 1 << 30)
    return [
        Level("L2", second, int(0.6 * second)),
        Level("L3", third / machine.cores(), min(third // 4, 32 << 20)),
        Level("memory", float("inf"), beyond),
    ]


Rates = dict[str, list[float]]
"""A rate per round, by library."""


@dataclass
class Peaks:
    """GFLOP/s and GB/s: ``multiply[cores][library]``, ``stream[level][cores][library]``."""

    multiply: dict[str, Rates] = field(default_factory=lambda: {ONE: {}, ALL: {}})
    stream: dict[str, dict[str, Rates]] = field(default_factory=dict)

    def limits(self, count: Count, number: int) -> dict[str, float]:
        """The least milliseconds per step of a run that round ``number`` allows, by limit."""
        level = level_of(count)
        return {
            "products": 1e-6 * count.operations / best(self.multiply[ALL], number),
            level.name: 1e-6 * count.moved / best(self.stream[level.name][ALL], number),
        }


def best(rates: Mapping[str, list[float]], number: int) -> float:
    """The highest rate of any library in a round."""
    return max(values[number] for values in rates.values())


def level_of(count: Count) -> Level:
    """The nearest level that holds what a run keeps between its passes."""
    return next(level for level in levels() if count.held <= level.most)


def measure_peaks(peaks: Peaks, teams: Mapping[str, Team], seconds: float) -> None:
    """One round of every library, on one core and on all at once."""
    asked: list[tuple[Any, dict[str, Any]]] = [(peaks.multiply, {"do": "multiply"})]
    for level in levels():
        rates = peaks.stream.setdefault(level.name, {ONE: {}, ALL: {}})
        asked.append((rates, {"do": "stream", "held": level.held}))
    for library, team in teams.items():
        for rates, what in asked:
            for cores, members in ((ONE, 1), (ALL, None)):
                answers = team.ask({**what, "seconds": seconds}, LIMIT, members)
                rate = sum(each["rate"] for each in answers)
                rates[cores].setdefault(library, []).append(rate)


def measure(
    options: argparse.Namespace, folder: Path
) -> tuple[Peaks, dict[str, Cell], list[float | None]]:
    """Peaks and trainings in turns."""
    ours = workers.team(None, "ours.py", [], folder)
    teams = {name: library_team(name, options, folder) for name in options.libraries}
    data = Data.written("mnist", folder)
    cells = {}
    for name in options.cases:
        case = CASES[name]
        cells[name] = populations.cell(
            data,
            case.network,
            case.batch_size,
            case.runs,
            least=populations.settled(case.batch_size),
        )
    peaks, others = Peaks(), []
    try:
        for name, cell in cells.items():
            populations.prepare(ours, cell, options.seconds)
            print(f"{name}: ready", file=sys.stderr, flush=True)
        for number in range(options.rounds):
            machine.wait_until_quiet(options.patience)
            living = [pid for team in (ours, *teams.values()) for pid in team.pids()]
            with machine.watched(living) as watch:
                measure_peaks(peaks, teams, options.seconds / 8)
                for cell in cells.values():
                    populations.once(ours, cell)
            others.append(watch.others)
            print(f"round {number + 1} of {options.rounds}", file=sys.stderr, flush=True)
    except LeftOut as error:
        raise BenchmarkError(str(error)) from error
    finally:
        for team in (ours, *teams.values()):
            team.end()
    return peaks, cells, others


def library_team(name: str, options: argparse.Namespace, folder: Path) -> Team:
    """A library that measures peaks, a process on each core."""
    python = options.peers_python if name == "torch" else None
    return workers.team(python, "peaks.py", ["--library", name], folder, pinned=True)


# -- the page -----------------------------------------------------------------------------------


def peaks_table(peaks: Peaks) -> str:
    """The machine's rates, a row per library."""
    columns = [("products, GFLOP/s", peaks.multiply)]
    columns += [(f"{name}, GB/s", rates) for name, rates in peaks.stream.items()]
    header = ["library", *(f"{name}, {cores}" for name, _ in columns for cores in (ONE, ALL))]
    rows = [
        (
            library,
            *(spread(rates[cores][library]).text() for _, rates in columns for cores in (ONE, ALL)),
        )
        for library in peaks.multiply[ALL]
    ]
    return reporting.markdown_table(header, rows)


def shares(peaks: Peaks, name: str, cell: Cell) -> tuple[str, Spread]:
    """The binding limit, and the share of it that was reached, taken within each round."""
    case = CASES[name]
    counted = counting.count(NETWORKS[case.network], case.batch_size)
    rounds = [peaks.limits(counted, number) for number in range(len(cell.per_step))]
    binding = max(rounds[0], key=lambda limit: spread([each[limit] for each in rounds]).median)
    reached = [
        each[binding] / measured for each, measured in zip(rounds, cell.per_step, strict=True)
    ]
    return binding, spread(reached)


def steps_table(peaks: Peaks, cells: Mapping[str, Cell]) -> str:
    """What each benchmark reaches."""
    header = ["benchmark", "MFLOP", "MB", "ms", "GFLOP/s", "GB/s", "binding limit", "share, %"]
    header.append(f"wanted: {100 * GOAL:.0f} %")
    rows = []
    for name, cell in cells.items():
        case = CASES[name]
        counted = counting.count(NETWORKS[case.network], case.batch_size)
        milliseconds = spread(cell.per_step)
        binding, reached = shares(peaks, name, cell)
        wanted = "none"
        if case.benchmark in JUDGED:
            wanted = "met" if reached.median >= GOAL else "not met"
        rows.append(
            (
                case.title,
                f"{1e-6 * counted.operations:,.2f}",
                f"{1e-6 * counted.moved:,.2f}",
                milliseconds.text(3),
                f"{1e-6 * counted.operations / milliseconds.median:.1f}",
                f"{1e-6 * counted.moved / milliseconds.median:.1f}",
                binding,
                reporting.percent(reached),
                wanted,
            )
        )
    return reporting.markdown_table(header, rows)


def page(peaks: Peaks, cells: Mapping[str, Cell], others: list[float | None], rounds: int) -> str:
    """The results in Markdown."""
    sizes = ", ".join(f"{level.name} {level.held / 2**20:.1f} MiB" for level in levels())
    return "\n\n".join(
        [
            "## How near to the machine's limits",
            "What this machine does at its best, float32, on one core and on all at once (a pinned "
            f"process each): products of matrices, and passes over arrays of {sizes} per core, "
            "read and written bytes together (numpy copies, XLA and torch add two arrays):",
            peaks_table(peaks),
            "A step of one run of a population, Adam. Operations: convolutions and dense layers, "
            "forward and both gradients, without the first layer's input gradient. Bytes: "
            "what must pass (weights, gradient, Adam's moments, activations between layers, "
            "batch normalisation's extra passes; the formula is in `benchmarks/counting.py`). The "
            "binding limit is the longer of the times that the best product and the best pass, "
            "on all cores, would take; the pass is that of the nearest cache that holds a run's "
            "numbers.",
            steps_table(peaks, cells),
            f"{rounds} rounds, limits and steps in turns; a share is taken within its round. Each "
            f"run makes at least {populations.SETTLED_STEPS} steps (fewer of very large batches). "
            f"{reporting.origin()} {reporting.quietness(others)}",
        ]
    )


def arguments() -> argparse.Namespace:
    """The command line; see ``--help``."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--libraries", nargs="+", choices=LIBRARIES, default=list(LIBRARIES))
    parser.add_argument("--peers-python", type=Path, default=peers.PYTHON)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.5, help="per benchmark in a round")
    reporting.add_options(parser)
    return reporting.parsed(parser, rounds=1, seconds=0.1)


def main() -> int:
    """Measure, write, print; 2 for an error."""
    options = arguments()
    os.environ.update(command.data_folder())
    try:
        if "torch" in options.libraries:
            peers.check(options.peers_python)
        with tempfile.TemporaryDirectory(prefix="fallline-bench-") as folder:
            peaks, cells, others = measure(options, Path(folder))
    except (BenchmarkError, FalllineError) as error:
        return reporting.failed(NAME, error)
    figures = {
        "measured_on": reporting.origin(),
        "machine": machine.description(),
        "peaks": asdict(peaks),
        "cases": {
            name: {
                **asdict(cell),
                "count": asdict(
                    counting.count(NETWORKS[CASES[name].network], CASES[name].batch_size)
                ),
                "share": asdict(shares(peaks, name, cell)[1]),
            }
            for name, cell in cells.items()
        },
    }
    reporting.publish(NAME, figures, page(peaks, cells, others, options.rounds), options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
