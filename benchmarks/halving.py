"""What successive halving saves, and whether it comes to the same settings.

    python benchmarks/halving.py [--trials 27] [--task digits-mlp] [--seeds 1] [--repeats 1]
        [--optimizers adam,sgd,momentum,rmsprop,adagrad]

Trains ``budget N`` and ``budget N halving`` in turns, each in a fresh folder, and prints a Markdown
table: epochs of training, seconds of the search (of the clock, and of all cores' work, which other
jobs disturb less), the chosen settings, and what they come to on the fresh seeds.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import fallline
from fallline.engine.events import Advanced
from fallline.results import Study
from fallline.study import PhaseBegan
from fallline.units import in_bytes

SEARCH = ("search", "confirming")


@dataclass
class Work:
    """What the processes' threads worked up to each phase's first beginning, in seconds."""

    began: dict[str, float] = field(default_factory=dict)

    def listen(self, event: Any) -> None:
        if isinstance(event, PhaseBegan):
            self.began.setdefault(event.name, time.process_time())

    @property
    def of_search(self) -> float:
        """Compiling included, since that goes on beside the first trainings."""
        return self.began["final"] - self.began["search"]


def trained(rule: str, asked: argparse.Namespace) -> tuple[Study, float]:
    """The study of ``rule``, in a fresh folder, and the work of its search in seconds."""
    folder, work = Path(tempfile.mkdtemp(prefix="halving-")) / "study", Work()
    study = fallline.compare(
        asked.task,
        asked.optimizers,
        protocol=rule,
        seeds=asked.seeds,
        out=folder,
        listener=work.listen,
    )
    return study, work.of_search


def compile_once(rule: str, asked: argparse.Namespace) -> None:
    """Fill the cache of compiled programs, so that no side has more to compile than the other."""

    def stop(event: Any) -> None:
        if isinstance(event, Advanced):
            raise KeyboardInterrupt

    with contextlib.suppress(KeyboardInterrupt):
        fallline.compare(
            asked.task,
            asked.optimizers,
            protocol=rule,
            seeds=asked.seeds,
            out=Path(tempfile.mkdtemp(prefix="halving-")) / "study",
            listener=stop,
        )


def epochs(study: Study) -> int:
    """Epochs of training of the whole search."""
    searched = study.runs[study.runs["phase"] == "search"]
    return int(searched["epochs_trained"].sum())


def seconds(studies: Sequence[Study], *phases: str) -> float:
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
    made: dict[str, list[tuple[Study, float]]] = {rule: [] for rule in rules}
    compile_once(rules[0], asked)
    for rule in rules * asked.repeats:
        made[rule].append(trained(rule, asked))
    print("| | epochs of the search | its seconds | its seconds of work | seconds in all |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for rule, found in made.items():
        studies = [study for study, _ in found]
        figures = (
            seconds(studies, *SEARCH),
            statistics.median(work for _, work in found),
            seconds(studies),
        )
        cells = [f"`{rule}`", f"{epochs(studies[0]):,}", *(f"{each:.1f}" for each in figures)]
        print(f"| {' | '.join(cells)} |")
    plain, halved = (found[0][0] for found in made.values())
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
