"""A study as users run it: fallline's one command, beside an Optuna study of torch trainings.

``fallline compare mnist-mlp`` with 6 optimizers, 7 learning rates and 3 seeds for 3 epochs, from
the interpreter's start, with an empty cache of compilations, to the report. The Optuna study is
measured on a share of its 126 trainings (each optimizer once, fewer epochs) and scaled; its start
and its reading of the data are counted once.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import command
import machine
import peers
import reporting
import workers
from command import BenchmarkError, Compared
from fallline.errors import FalllineError
from machine import watched
from reporting import Spread, spread

NAME = "study"
TASK, DATA = "mnist-mlp", "mnist"
POINTS, SEEDS, EPOCHS = 7, 3, 3
RATES = {
    "sgd": 0.01,
    "momentum": 0.01,
    "nesterov": 0.01,
    "adagrad": 0.01,
    "rmsprop": 0.001,
    "adam": 0.001,
}
"""The optimizers that torch has too, with the middle of fallline's grid."""
TRAININGS = len(RATES) * POINTS * SEEDS
SAME_ACCURACY = 0.015
"""Sides whose accuracies after the first epochs differ by more do not train the same thing."""


@dataclass(frozen=True)
class Form:
    """A way of running the Optuna study."""

    title: str
    arguments: tuple[str, ...]
    pinned: bool = False


FORMS = {
    "optuna": Form("Optuna and torch, a DataLoader", ("--form", "documented")),
    "optuna-pinned": Form(
        "Optuna and torch, batches by index, a pinned process per core",
        ("--form", "indexed", "--threads", "1"),
        pinned=True,
    ),
}


@dataclass(frozen=True)
class Share:
    """What a form measured: seconds of the whole, of its trials, and the accuracies reached."""

    seconds: float
    training: float
    trials: int
    epochs: int
    accuracies: dict[str, float]
    versions: dict[str, str]
    others: float | None

    @property
    def scaled(self) -> float:
        """Seconds for all trainings: start and end once, the trials as many times as needed."""
        times = TRAININGS / self.trials * EPOCHS / self.epochs
        return self.seconds - self.training + times * self.training


def asked(quick: bool = False) -> list[str]:
    """The arguments of the command that is timed; ``quick``: of one that only runs the code."""
    optimizers = ["--optimizers", ",".join(RATES)]
    points, seeds, epochs = ("1", "1", "1") if quick else (str(POINTS), str(SEEDS), str(EPOCHS))
    return [TASK, *optimizers, "--learning-rates", points, "--seeds", seeds, "--epochs", epochs]


def share(form: Form, options: argparse.Namespace, data: Path, folder: Path) -> Share:
    """One measurement of the Optuna study, its processes started at once."""
    cores: list[int | None] = [*machine.core_numbers()] if form.pinned else [None]
    rates = dict(list(RATES.items())[: options.optimizers])
    line = [str(options.peers_python), str(workers.HERE / "peer_optuna.py"), "--data", str(data)]
    line += ["--rates", json.dumps(rates), "--epochs", str(options.epochs), *form.arguments]
    if form.pinned:
        line += ["--journal", str(folder / "journal")]
    with watched() as watch:
        running = [
            _started([*line, "--trials", str(len(range(at, len(rates), len(cores))))], core)
            for at, core in enumerate(cores)
        ]
        said = [process.communicate() for process in running]
    for process, (_, errors) in zip(running, said, strict=True):
        if process.returncode:
            raise BenchmarkError(f"{' '.join(line)}\nended with {process.returncode}:\n{errors}")
    answers = [json.loads(output.splitlines()[-1]) for output, _ in said]
    trials = max((each["trials"] for each in answers), key=len)
    return Share(
        seconds=watch.seconds,
        training=max(a["ended"] for a in answers) - min(a["began"] for a in answers),
        trials=len(rates),
        epochs=options.epochs,
        accuracies={trial["optimizer"]: trial["accuracy"] for trial in trials},
        versions=answers[0]["versions"],
        others=watch.others,
    )


def _started(line: list[str], core: int | None) -> subprocess.Popen[str]:
    """A process, pinned to ``core`` with one thread, or None: as the system and torch decide."""
    return subprocess.Popen(
        line,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **({} if core is None else workers.ONE_THREAD)},
        preexec_fn=None if core is None else lambda: os.sched_setaffinity(0, {core}),
    )


@dataclass(frozen=True)
class Round:
    """One turn of every side."""

    ours: Compared
    forms: dict[str, Share]

    @property
    def others(self) -> list[float | None]:
        """The cores that other processes took during each measurement."""
        return [self.ours.others, *(each.others for each in self.forms.values())]


def measure(options: argparse.Namespace, folder: Path) -> list[Round]:
    """All rounds; in every second one the sides come in the opposite order."""
    if options.forms:
        peers.check(options.peers_python)
    data = folder / "data.npz"
    command.write_data(data, DATA)
    rounds = []
    for number in range(options.rounds):
        machine.wait_until_quiet(options.patience)
        own = folder / f"round{number}"
        own.mkdir()
        ours: list[Compared] = []
        forms: dict[str, Share] = {}
        sides = ["fallline", *options.forms]
        for side in sides if number % 2 == 0 else reversed(sides):
            if side == "fallline":
                line = asked(options.quick)
                ours.append(command.compare(line, cache=own / "cache", out=own / "study"))
                seconds = ours[0].seconds
            else:
                forms[side] = share(FORMS[side], options, data, own)
                seconds = forms[side].scaled
            text = f"round {number + 1} of {options.rounds}: {side} {seconds:.1f} s"
            print(text, file=sys.stderr, flush=True)
        rounds.append(Round(ours[0], {name: forms[name] for name in options.forms}))
    return rounds


# -- the page -----------------------------------------------------------------------------------


def timing_table(rounds: list[Round]) -> str:
    """Seconds, and how many times longer than fallline, taken within each round."""
    search = [each.ours.search_seconds for each in rounds]
    whole = [each.ours.seconds for each in rounds]
    first = rounds[0].ours
    rows = [
        ("fallline: the same trainings", spread(search).text(), f"{first.searched}", "", ""),
        ("fallline: all that the command does", spread(whole).text(), f"{first.runs}", "", ""),
    ]
    for name in rounds[0].forms:
        theirs = [each.forms[name].scaled for each in rounds]
        ratios = [
            spread([long / short for long, short in zip(theirs, own, strict=True)]).text()
            for own in (search, whole)
        ]
        rows.append((FORMS[name].title, spread(theirs).text(), f"{TRAININGS}", *ratios))
    header = ["side", "seconds", "trainings", "against the same, times", "against all, times"]
    return reporting.markdown_table(header, rows)


def accuracies(rounds: list[Round], epochs: int) -> dict[str, dict[str, Spread]]:
    """Validation accuracy after the epochs that the share has, at the middle of the grid."""
    own = command.search_figures(rounds[0].ours.folder, RATES, epochs - 1)
    found = {"fallline": {name: spread(values) for name, values in own.items()}}
    for form in rounds[0].forms:
        reached = [each.forms[form].accuracies for each in rounds]
        found[FORMS[form].title] = {
            name: spread([each[name] for each in reached if name in each])
            for name in RATES
            if any(name in each for each in reached)
        }
    return found


def strangers(found: dict[str, dict[str, Spread]]) -> list[str]:
    """The sides whose accuracy is not fallline's, within SAME_ACCURACY."""
    own = found["fallline"]
    return [
        side
        for side, figures in found.items()
        if any(
            abs(each.median - own[name].median) > SAME_ACCURACY for name, each in figures.items()
        )
    ]


def accuracy_table(found: dict[str, dict[str, Spread]]) -> str:
    rows = [
        (side, *(reporting.percent(each[name]) if name in each else "—" for name in RATES))
        for side, each in found.items()
    ]
    return reporting.markdown_table(["side", *(f"{name}, %" for name in RATES)], rows)


def page(rounds: list[Round], options: argparse.Namespace) -> str:
    """The results in Markdown."""
    first = rounds[0].ours
    part = min(options.optimizers, len(RATES))
    versions = next((form.versions for form in rounds[0].forms.values()), {})
    others = [cores for each in rounds for cores in each.others]
    return "\n\n".join(
        [
            "## A study, beside Optuna and torch",
            f"`fallline compare {' '.join(asked())}`: {TRAININGS} trainings of an MLP 784-128-10 "
            f"on 50,000 images of MNIST, batch 32, {EPOCHS} epochs, validated after each. Seconds "
            "from the interpreter's start, nothing compiled, to the report:",
            timing_table(rounds),
            f"fallline's {first.searched} trainings are its time less what comes after the search "
            f"(grids widened, the winners on fresh seeds: {first.runs} trainings in all). The "
            f"Optuna study was measured on {part} of its {TRAININGS} trainings, one per optimizer, "
            f"for {options.epochs} of {EPOCHS} epochs; their time is scaled, its start is counted "
            "once.",
            f"Validation accuracy after {options.epochs} epochs at the middle of the grid, to see "
            "that all sides train the same thing:",
            accuracy_table(accuracies(rounds, options.epochs)),
            f"{len(rounds)} rounds, the sides in turns; a ratio is taken within its round. "
            f"{reporting.origin(versions)} {reporting.quietness(others)}",
        ]
    )


def figures(rounds: list[Round], options: argparse.Namespace) -> dict[str, Any]:
    """Everything measured, for the JSON file."""
    return {
        "command": asked(),
        "measured_on": reporting.origin(),
        "machine": machine.description(),
        "share": {"optimizers": options.optimizers, "epochs": options.epochs},
        "scaled_seconds": [
            {name: each.scaled for name, each in one.forms.items()} for one in rounds
        ],
        "rounds": [asdict(each) for each in rounds],
    }


def arguments() -> argparse.Namespace:
    """The command line; see ``--help``."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--forms", nargs="*", choices=FORMS, default=list(FORMS))
    parser.add_argument("--peers-python", type=Path, default=peers.PYTHON)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--optimizers", type=int, default=len(RATES), help="of the share that is measured"
    )
    parser.add_argument("--epochs", type=int, default=1, help="of the share that is measured")
    reporting.add_options(parser)
    return reporting.parsed(parser, rounds=1, optimizers=2)


def main() -> int:
    """Measure, write, print; 1 where the sides do not train the same thing, 2 for an error."""
    options = arguments()
    os.environ.update(command.data_folder())
    try:
        with tempfile.TemporaryDirectory(prefix="fallline-bench-") as folder:
            rounds = measure(options, Path(folder))
            text = page(rounds, options)
            strange = strangers(accuracies(rounds, options.epochs))
    except (BenchmarkError, FalllineError) as error:
        return reporting.failed(NAME, error)
    reporting.publish(NAME, figures(rounds, options), text, options)
    if strange:
        print(f"{NAME}: another accuracy than fallline's: {', '.join(strange)}", file=sys.stderr)
    return 1 if strange else 0


if __name__ == "__main__":
    sys.exit(main())
