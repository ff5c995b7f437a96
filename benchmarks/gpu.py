"""fallline on a GPU: populations of 1 to 4096 runs, absolute times, compile times, memory.

Where JAX finds no GPU nothing is measured, and the page says so. ``--platform cpu`` runs the same
code on a CPU in the layout of a GPU, with small populations: to see that it runs.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import command
import machine
import populations
import reporting
import workers
from cases import CASES
from command import BenchmarkError
from fallline.errors import FalllineError
from populations import Cell, Data

NAME = "gpu"
TITLE = "## On a GPU"


def platform() -> str:
    """What JAX finds in a process of its own: ``cpu``, ``gpu`` ..."""
    line = [sys.executable, "-c", "import jax; print(jax.default_backend())"]
    found = subprocess.run(line, capture_output=True, text=True)
    if found.returncode:
        raise BenchmarkError(f"JAX could not be started:\n{found.stderr}")
    return found.stdout.split()[-1]


def measure(
    options: argparse.Namespace, folder: Path
) -> tuple[dict[str, list[Cell]], list[float | None]]:
    """Every case in a process of its own, so that its peak of memory is its own."""
    data = Data.written("mnist", folder)
    layout = "side by side" if options.platform == "cpu" else "planned"
    found: dict[str, list[Cell]] = {}
    others: list[float | None] = []
    for name in options.cases:
        case = CASES[name]
        print(case.title, file=sys.stderr, flush=True)
        found[name] = [
            populations.cell(
                data, case.network, case.batch_size, runs, layout=layout, least=options.least
            )
            for runs in options.populations
        ]
        environment = {"JAX_PLATFORMS": "cpu"} if options.platform == "cpu" else {}
        team = workers.team(None, "ours.py", [], folder, environment=environment)
        try:
            others += populations.measure(
                team,
                found[name],
                rounds=options.rounds,
                seconds=options.seconds,
                patience=options.patience,
            )
        finally:
            team.end()
    return found, others


def page(
    found: dict[str, list[Cell]], others: list[float | None], options: argparse.Namespace
) -> str:
    """The results in Markdown."""
    header = ["runs", *(CASES[name].title for name in found)]
    details = [cell.details for cells in found.values() for cell in cells if cell.details]
    first = details[0] if details else {"device": "?", "layout": "?"}
    parts = [
        TITLE,
        f"{first['device']}, layout {first['layout']}. Adam; microseconds per step of a run: the "
        "wall time of the population, its beginning and end included, divided by the steps of all "
        f"its runs, each of at least {options.least} (median; smallest to largest):",
        reporting.markdown_table(header, _rows(found, _time)),
        "Compiling, seconds:",
        reporting.markdown_table(header, _rows(found, _compile)),
    ]
    if any(each["peak_bytes"] for each in details):
        parts += [
            "Peak of the device's memory, MiB (so far; each population is larger than the last):",
            reporting.markdown_table(header, _rows(found, _memory)),
        ]
    parts += [
        _absent(found),
        f"{options.rounds} rounds. {reporting.origin()} {reporting.quietness(others)}",
    ]
    return "\n\n".join(part for part in parts if part)


def _rows(found: dict[str, list[Cell]], text: Callable[[Cell], str]) -> list[tuple[str, ...]]:
    columns = list(found.values())
    return [(f"{cells[0].runs:,}", *map(text, cells)) for cells in zip(*columns, strict=True)]


def _time(cell: Cell) -> str:
    if not cell.per_step:
        return "—"
    text = reporting.spread([1000 * value for value in cell.per_step]).text(2)
    places = cell.details["places"]
    return text if places >= cell.runs else f"{text}, {places:,} at a time"


def _compile(cell: Cell) -> str:
    return f"{cell.details['compile']:.1f}" if cell.details else "—"


def _memory(cell: Cell) -> str:
    peak = cell.details.get("peak_bytes")
    return f"{peak / 2**20:,.0f}" if peak else "—"


def _absent(found: dict[str, list[Cell]]) -> str:
    reasons = [
        f"{CASES[name].title}, {cell.runs:,} runs: {cell.left_out}"
        for name, cells in found.items()
        for cell in cells
        if cell.left_out and not cell.left_out.startswith("a smaller one")
    ]
    return f"Left out, with the larger ones: {'; '.join(reasons)}." if reasons else ""


def not_measured() -> str:
    """The page where there is no GPU."""
    return (
        f"{TITLE}\n\nNot measured: JAX finds no GPU on this machine. `make bench-gpu` on one that "
        "has a GPU, with JAX's CUDA build installed, times benchmarks 1 to 4 at populations of 1 "
        "to 4,096 runs and puts the table here."
    )


def arguments() -> argparse.Namespace:
    """The command line; see ``--help``."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--platform", choices=("gpu", "cpu"), default="gpu")
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument(
        "--populations", nargs="+", type=int, default=[4**power for power in range(7)]
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="per population in a round")
    parser.add_argument("--least", type=int, default=100, help="steps of a run, at least")
    reporting.add_options(parser)
    return reporting.parsed(parser, rounds=1, seconds=0.05, populations=[1, 4], least=2)


def main() -> int:
    """Measure, write, print; 0 where there is no GPU, too; 2 for an error."""
    options = arguments()
    os.environ.update(command.data_folder())
    try:
        if options.platform == "gpu" and platform() == "cpu":
            if options.table and "| runs |" in reporting.section(options.table, NAME):
                print(
                    f"{NAME}: no GPU here; what {options.table} says of one stays", file=sys.stderr
                )
                return 0
            reporting.publish(NAME, {"measured": False}, not_measured(), options)
            return 0
        with tempfile.TemporaryDirectory(prefix="fallline-bench-") as folder:
            found, others = measure(options, Path(folder))
    except (BenchmarkError, FalllineError) as error:
        return reporting.failed(NAME, error)
    figures = {
        "measured_on": reporting.origin(),
        "machine": machine.description(),
        "cases": {name: [asdict(cell) for cell in cells] for name, cells in found.items()},
    }
    if options.platform == "cpu":
        options.table = None
    reporting.publish(NAME, figures, page(found, others, options), options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
