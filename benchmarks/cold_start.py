"""How long a first answer takes: ``fallline compare digits-mlp`` from an empty cache, and again.

All optimizers of the studies on the embedded digits. The whole command is timed, from the
interpreter's start to the report; "cold" has an empty cache of compilations, "warm" the one that
the cold run left. The installation is not counted.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import command
import machine
import reporting
from command import BenchmarkError, Compared
from reporting import spread

NAME = "cold_start"
TASK = "digits-mlp"
GOALS = {"cold": 45.0, "warm": 25.0}
"""Seconds, on 2 cores."""


def measure(rounds: int, patience: float, folder: Path) -> dict[str, list[Compared]]:
    """Cold and warm in turns, so many times."""
    found: dict[str, list[Compared]] = {name: [] for name in GOALS}
    for number in range(rounds):
        machine.wait_until_quiet(patience)
        pair = command.cold_and_warm([TASK], folder / f"round{number}")
        for (name, measured), one in zip(found.items(), pair, strict=True):
            measured.append(one)
            print(f"round {number + 1}: {name} {one.seconds:.1f} s", file=sys.stderr, flush=True)
    return found


def page(found: dict[str, list[Compared]]) -> str:
    """The results in Markdown."""
    rows = []
    for name, goal in GOALS.items():
        seconds = spread([one.seconds for one in found[name]])
        verdict = "met" if seconds.median <= goal else "not met"
        inside = [
            spread([getattr(one, part) for one in found[name]]) for part in ("compile", "train")
        ]
        rows.append(
            (name, seconds.text(), *(each.text() for each in inside), f"{goal:g} s: {verdict}")
        )
    first = found["cold"][0]
    header = ["cache of compilations", "seconds", "compiling", "training", "goal"]
    return "\n\n".join(
        [
            "## From nothing to an answer",
            f"`fallline compare {TASK}`: the {first.optimizers} optimizers of the studies, "
            f"{first.runs} trainings, {first.steps:,} steps. Seconds of the whole command, start, "
            "report and all; compiling and training overlap:",
            reporting.markdown_table(header, rows),
            f"Repetitions: {len(found['cold'])}; the median is given, and the smallest to the "
            f"largest. {reporting.origin()} "
            f"{reporting.quietness([one.others for every in found.values() for one in every])}",
        ]
    )


def main() -> int:
    """Measure, write, print; 2 for an error."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    reporting.add_options(parser)
    options = reporting.parsed(parser, rounds=1)
    try:
        with tempfile.TemporaryDirectory(prefix="fallline-bench-") as folder:
            found = measure(options.rounds, options.patience, Path(folder))
    except BenchmarkError as error:
        return reporting.failed(NAME, error)
    figures = {
        "command": [TASK],
        "measured_on": reporting.origin(),
        "machine": machine.description(),
        "goals": GOALS,
        "measured": {name: [asdict(one) for one in every] for name, every in found.items()},
    }
    reporting.publish(NAME, figures, page(found), options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
