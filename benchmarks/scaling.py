"""Time per run for populations of 1, 2, 4 ... 512 runs, on one device and on all: flat or falling.

Adam at batch 32; microseconds per step of a run are the wall time of the whole population, divided
by the steps of all its runs.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import command
import machine
import populations
import reporting
import workers
from command import BenchmarkError
from fallline.errors import FalllineError
from populations import Cell, Data

NAME = "scaling"
TASKS = {"mnist-mlp": "mnist", "digits-mlp": "digits"}
BATCH_SIZE = 32
RISE = 1.1
"""A population that takes longer per run than a smaller one, by more than this, is a rise."""

Columns = dict[tuple[str, int], list[Cell]]


def measure(options: argparse.Namespace, folder: Path) -> tuple[Columns, list[float | None]]:
    """A column of populations per task and number of devices."""
    team = workers.team(None, "ours.py", [], folder)
    columns: Columns = {}
    for name in options.tasks:
        data = Data.written(TASKS[name], folder)
        for devices in sorted({1, machine.cores()}):
            columns[name, devices] = [
                populations.cell(
                    data, "mlp", BATCH_SIZE, runs, devices=devices, least=options.least
                )
                for runs in options.populations
            ]
    others: list[float | None] = []
    try:
        for (name, devices), cells in columns.items():
            print(f"{name} on {devices} device(s)", file=sys.stderr, flush=True)
            others += populations.measure(
                team,
                cells,
                rounds=options.rounds,
                seconds=options.seconds,
                patience=options.patience,
            )
    finally:
        team.end()
    return columns, others


def rises(cells: list[Cell]) -> list[tuple[Cell, float]]:
    """The populations that take longer per run than a smaller one, and how many times."""
    found, least = [], float("inf")
    for cell in cells:
        if cell.spread is None:
            continue
        if cell.spread.median > RISE * least:
            found.append((cell, cell.spread.median / least))
        least = min(least, cell.spread.median)
    return found


def page(columns: Columns, others: list[float | None], options: argparse.Namespace) -> str:
    """The results in Markdown."""
    header = ["runs"]
    header += [f"{name}, {count} device{'s'[: count > 1]}" for name, count in columns]
    rows = []
    for at, runs in enumerate(options.populations):
        cells = [column[at] for column in columns.values()]
        rows.append((f"{runs:,}", *map(_text, cells)))
    verdicts = []
    for (name, count), cells in columns.items():
        risen = rises(cells)
        text = ", ".join(f"{times:.2f} times at {cell.runs} runs" for cell, times in risen)
        verdict = f"not met: it rises ({text})" if risen else "met"
        verdicts.append(f"- {name}, {count} device{'s'[: count > 1]}: {verdict}")
    return "\n\n".join(
        [
            "## Populations of 1 to 512 runs",
            f"Adam, batch {BATCH_SIZE}; microseconds per step of a run: the wall time of the "
            "population divided by the steps of all its runs (median; smallest to largest).",
            reporting.markdown_table(header, rows),
            "Wanted: flat or falling with the population, within "
            f"{100 * (RISE - 1):.0f} % of the best of the smaller ones:",
            "\n".join(verdicts),
            f"Each run makes at least {options.least} steps. {options.rounds} rounds, the "
            "populations in turns, forth and back. "
            f"{reporting.origin()} {reporting.quietness(others)}",
        ]
    )


def _text(cell: Cell) -> str:
    if not cell.per_step:
        return f"— ({cell.left_out})"
    return reporting.spread([1000 * value for value in cell.per_step]).text()


def arguments() -> argparse.Namespace:
    """The command line; see ``--help``."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument(
        "--populations", nargs="+", type=int, default=[2**power for power in range(10)]
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.4, help="per population in a round")
    parser.add_argument("--least", type=int, default=50, help="steps of a run, at least")
    reporting.add_options(parser)
    return reporting.parsed(parser, rounds=1, seconds=0.05, populations=[1, 2, 8], least=2)


def main() -> int:
    """Measure, write, print; 2 for an error."""
    options = arguments()
    os.environ.update(command.data_folder())
    try:
        with tempfile.TemporaryDirectory(prefix="fallline-bench-") as folder:
            columns, others = measure(options, Path(folder))
    except (BenchmarkError, FalllineError) as error:
        return reporting.failed(NAME, error)
    figures = {
        "measured_on": reporting.origin(),
        "machine": machine.description(),
        "columns": [
            {"task": name, "devices": count, "populations": [asdict(cell) for cell in cells]}
            for (name, count), cells in columns.items()
        ],
    }
    reporting.publish(NAME, figures, page(columns, others, options), options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
