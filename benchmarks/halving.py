"""What successive halving saves, and whether it comes to the same settings.

    python benchmarks/halving.py [--trials 27] [--task digits-mlp] [--seeds 1] [--repeats 1]
        [--optimizers adam,sgd,momentum,rmsprop,adagrad]

Trains ``budget N`` and ``budget N halving`` in turns, each in a fresh folder, and prints a Markdown
table: seconds of the search and of the whole study, epochs of training, the chosen settings, and
what they come to on the fresh seeds.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

import fallline
from fallline.results import Study
from fallline.units import in_bytes

SEARCH = ("search", "confirming")


def trained(rule: str, asked: argparse.Namespace) -> Study:
    """The study of ``rule``; with one repetition more it would be the same one again."""
    folder = Path(tempfile.mkdtemp(prefix="halving-")) / "study"
    return fallline.compare(
        asked.task, asked.optimizers, protocol=rule, seeds=asked.seeds, out=folder
    )


def epochs(study: Study) -> int:
    """Epochs of training of the whole search."""
    searched = study.runs[study.runs["phase"] == "search"]
    return int(searched["epochs_trained"].sum())


def seconds(studies: list[Study], *phases: str) -> float:
    """The median over repetitions of what the phases took, or the whole study without any."""
    return statistics.median(
        sum(study.timing.phases.get(phase, 0.0) for phase in phases)
        if phases
        else study.timing.total
        for study in studies
        if study.timing is not None
    )


def row(name: str, plain: Study, halved: Study) -> str:
    """An optimizer's settings by both, and their figures on the fresh seeds."""
    cells = [name]
    for study in (plain, halved):
        table = study.reading.summary.set_index("optimizer")
        own = table.loc[name]
        half = (own["test_high"] - own["test_low"]) / 2
        cells += [
            f"{own['learning_rate']:.3g}",
            f"{100 * own['validation_metric']:.2f} %",
            f"{100 * own['test_metric']:.2f} % ± {100 * half:.2f}",
        ]
    same = plain.reading.summary.set_index("optimizer").loc[name, "hyperparameters"]
    other = halved.reading.summary.set_index("optimizer").loc[name, "hyperparameters"]
    return f"| {' | '.join([*cells, 'yes' if same == other else 'no'])} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", default="digits-mlp")
    parser.add_argument("--optimizers", default="adam,sgd,momentum,rmsprop,adagrad")
    parser.add_argument("--trials", type=int, default=27)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=1)
    asked = parser.parse_args()
    rules = (f"budget {asked.trials}", f"budget {asked.trials} halving")
    made: dict[str, list[Study]] = {rule: [] for rule in rules}
    for _ in range(asked.repeats):
        for rule in rules:
            made[rule].append(trained(rule, asked))
    print("| | epochs of the search | seconds of the search | seconds in all |")
    print("| --- | ---: | ---: | ---: |")
    for rule, studies in made.items():
        figures = (seconds(studies, *SEARCH), seconds(studies))
        print(f"| `{rule}` | {epochs(studies[0]):,} | {figures[0]:.1f} | {figures[1]:.1f} |")
    plain, halved = (studies[0] for studies in made.values())
    heads = ("learning rate", "validation", "test")
    print(
        f"\n| optimizer | {' | '.join([*heads, *(f'{head}, halved' for head in heads)])} | same |"
    )
    print(f"| --- {'| ---: ' * 6}| --- |")
    for name in plain.reading.summary["optimizer"]:
        print(row(name, plain, halved))
    held = halved.timing.state_bytes if halved.timing else {}
    print(f"\nstates: {', '.join(f'{name} {in_bytes(size)}' for name, size in held.items())}")


if __name__ == "__main__":
    main()
