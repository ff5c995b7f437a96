"""The same comparison in fallline, in torch and in Keras: one job, every side as a user runs it.

The job: ``fallline compare mnist-mlp --optimizers sgd,adam --learning-rates 7 --seeds 3
--epochs 2``. fallline is timed as the whole command, from the interpreter's start to the report,
with an empty cache of compilations (cold) and with a filled one (warm). The peers train a few of
the 42 runs of its search, scaled to all of them. The sides take turns, round after round.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import command
import machine
import peers
import reporting
from command import BenchmarkError, Compared
from fallline.errors import FalllineError
from peers import PEERS, PeerRound
from reporting import Spread, spread

NAME = "compare_peers"
TASK, DATA, BATCH_SIZE = "mnist-mlp", "mnist", 32
POINTS, SEEDS = 7, 3
RATES = {"sgd": 0.01, "adam": 0.001}
"""The peers' learning rates; both are on the grid of fallline's search."""
RUNS = dict.fromkeys(RATES, POINTS * SEEDS)
SAME_ACCURACY = 0.01
"""Sides whose median validation accuracies differ by more do not train the same thing."""


@dataclass(frozen=True)
class Round:
    """One turn of every side."""

    cold: Compared
    warm: Compared
    peers: dict[str, PeerRound]

    @property
    def others(self) -> list[float | None]:
        """The cores that other processes took during each measurement."""
        own = [self.cold.others, self.warm.others]
        return own + [measured.others for measured in self.peers.values()]


def asked(epochs: int) -> list[str]:
    """The arguments of the command that is timed."""
    optimizers = ["--optimizers", ",".join(RATES)]
    size = ["--learning-rates", str(POINTS), "--seeds", str(SEEDS), "--epochs", str(epochs)]
    return [TASK, *optimizers, *size]


def measure(options: argparse.Namespace, folder: Path) -> list[Round]:
    """All rounds; in every second one the sides come in the opposite order."""
    peers.check(options.peers_python)
    data = folder / "data.npz"
    command.write_data(data, DATA)
    rounds = []
    for number in range(options.rounds):
        machine.wait_until_quiet(options.patience)
        own = folder / f"round{number}"
        sides = ["fallline", *options.peers]
        fallline: tuple[Compared, Compared] | None = None
        measured: dict[str, PeerRound] = {}
        for side in sides if number % 2 == 0 else reversed(sides):
            if side == "fallline":
                fallline = command.cold_and_warm(asked(options.epochs), own)
                seconds = " cold, ".join(f"{each.seconds:.1f} s" for each in fallline) + " warm"
            else:
                measured[side] = peers.measure(
                    PEERS[side],
                    options.peers_python,
                    data,
                    rates=RATES,
                    runs=options.runs,
                    first_seed=number * options.runs,
                    epochs=options.epochs,
                    batch_size=BATCH_SIZE,
                )
                seconds = f"{measured[side].scaled(RUNS):.1f} s, scaled"
            say(f"round {number + 1} of {options.rounds}: {side} {seconds}")
        assert fallline is not None
        rounds.append(Round(*fallline, measured))
    return rounds


def accuracies(rounds: list[Round]) -> dict[str, dict[str, Spread]]:
    """Validation accuracy at the end of training, by side and optimizer, at the rates of RATES."""
    own = command.search_figures(rounds[0].cold.folder, RATES)
    found = {"fallline": {name: spread(values) for name, values in own.items()}}
    for side in rounds[0].peers:
        found[side] = {
            name: spread(
                [x for each in rounds for x in each.peers[side].values("validation_accuracy", name)]
            )
            for name in RATES
        }
    return found


def strangers(found: dict[str, dict[str, Spread]]) -> list[str]:
    """The sides whose accuracy is not fallline's, within SAME_ACCURACY."""
    own = found["fallline"]
    return [
        side
        for side, figures in found.items()
        if any(abs(figures[name].median - own[name].median) > SAME_ACCURACY for name in RATES)
    ]


def timing_table(rounds: list[Round]) -> str:
    """Seconds for the job, and how many times faster fallline is, taken within each round."""
    own = {name: [getattr(each, name) for each in rounds] for name in ("cold", "warm")}
    rows = []
    for name, sides in own.items():
        search = spread([side.search_seconds for side in sides]).text()
        rows.append(
            (
                f"fallline, {name}: its {sides[0].searched}",
                search,
                str(sides[0].searched),
                *[""] * 4,
            )
        )
        rows.append(
            (f"fallline, {name}: all it does", seconds_of(sides), str(sides[0].runs), *[""] * 4)
        )
    asked_for = sum(RUNS.values())
    for side in rounds[0].peers:
        peer = PEERS[side]
        theirs = [each.peers[side].scaled(RUNS) for each in rounds]
        cold, warm = (
            spread([long / ours.seconds for long, ours in zip(theirs, sides, strict=True)])
            for sides in own.values()
        )
        same = spread(
            [long / ours.search_seconds for long, ours in zip(theirs, own["cold"], strict=True)]
        )
        goal = "none"
        if peer.goal is not None:
            goal = f"{peer.goal:g}: {'met' if same.median >= peer.goal else 'not met'}"
        ratios = (same.text(), cold.text(), warm.text())
        rows.append((peer.title, spread(theirs).text(), str(asked_for), *ratios, goal))
    header = ["side", "seconds", "trainings", "against the same, cold"]
    header += ["against all it does, cold", "warm", "goal (the same, cold)"]
    return reporting.markdown_table(header, rows)


def seconds_of(sides: list[Compared]) -> str:
    return spread([side.seconds for side in sides]).text()


def accuracy_table(found: dict[str, dict[str, Spread]]) -> str:
    """Validation accuracy in per cent, a row per side."""
    titles = {"fallline": "fallline", **{side: peer.title for side, peer in PEERS.items()}}
    rows = [
        (titles[side], *(reporting.percent(reached[name]) for name in RATES))
        for side, reached in found.items()
    ]
    header = ["side", *(f"{name} at {rate:g}, %" for name, rate in RATES.items())]
    return reporting.markdown_table(header, rows)


def page(rounds: list[Round], options: argparse.Namespace) -> str:
    """The results in Markdown."""
    cold = rounds[0].cold
    trained = options.runs * len(RATES)
    found = accuracies(rounds)
    others = [cores for each in rounds for cores in each.others]
    return "\n\n".join(
        [
            "## A comparison, beside the same trainings in torch and Keras",
            f"`fallline compare {' '.join(asked(options.epochs))}`: {sum(RUNS.values())} trainings "
            f"of an MLP 784-128-10 on 50,000 images of MNIST, batch {BATCH_SIZE}, {options.epochs} "
            f"epochs of {-(-50_000 // BATCH_SIZE):,} steps, each validated on 10,000 images. "
            "Seconds, and how many times longer than fallline the peers take, against the same "
            "trainings and against all that the command does:",
            timing_table(rounds),
            f"fallline's time is that of the whole process: its start, {cold.compile:.1f} s of "
            f"compilation where the cache is empty, the {cold.searched} trainings and the report. "
            "'All it does' has in it what the peers are not asked for: "
            f"{cold.runs - cold.searched} more trainings (grids widened where the "
            "best point lay on the border, the winners on "
            f"fresh seeds; {cold.runs} in all), test figures and the timing of steps. The peers' "
            "start, their imports and their reading of the data are left out. In a round each peer "
            f"trains {trained} of the {sum(RUNS.values())}, one after the other, half of them per "
            "optimizer, and the time is scaled. "
            f"Rounds: {len(rounds)}, in which the sides took turns; the median is given, and the "
            "smallest to the largest; a ratio is taken within its round.",
            "Validation accuracy at the end, to see that all sides train the same thing:",
            accuracy_table(found),
            f"{reporting.origin(versions(rounds))} {reporting.quietness(others)}",
        ]
    )


def versions(rounds: list[Round]) -> dict[str, str]:
    """The peers' libraries and their versions."""
    return {each.library: each.version for each in rounds[0].peers.values()}


def figures(rounds: list[Round], options: argparse.Namespace) -> dict[str, Any]:
    """Everything measured, for the JSON file."""
    return {
        "command": asked(options.epochs),
        "measured_on": reporting.origin(versions(rounds)),
        "machine": machine.description(),
        "scaled_to": RUNS,
        "peers": {side: asdict(PEERS[side]) for side in options.peers},
        "scaled_seconds": [
            {side: measured.scaled(RUNS) for side, measured in each.peers.items()}
            for each in rounds
        ],
        "rounds": [asdict(each) for each in rounds],
    }


def say(text: str) -> None:
    """Progress, on stderr."""
    print(text, file=sys.stderr, flush=True)


def arguments() -> argparse.Namespace:
    """The command line; see ``--help``."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS))
    parser.add_argument(
        "--peers-python",
        type=Path,
        default=peers.PYTHON,
        help="python of the environment with benchmarks/requirements.txt",
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--runs", type=int, default=2, help="a peer's trainings per optimizer in a round"
    )
    parser.add_argument("--epochs", type=int, default=2)
    reporting.add_options(parser)
    return reporting.parsed(parser, rounds=1, runs=1)


def main() -> int:
    """Measure, write, print; 1 where the sides do not train the same thing, 2 for an error."""
    options = arguments()
    os.environ.update(command.data_folder())
    try:
        with tempfile.TemporaryDirectory(prefix="fallline-bench-") as folder:
            rounds = measure(options, Path(folder))
            text, different = page(rounds, options), strangers(accuracies(rounds))
    except (BenchmarkError, FalllineError) as error:
        return reporting.failed(NAME, error)
    reporting.publish(NAME, figures(rounds, options), text, options)
    if different:
        say(
            f"{NAME}: {', '.join(different)} reached another accuracy than fallline: "
            "the times compare different trainings"
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
