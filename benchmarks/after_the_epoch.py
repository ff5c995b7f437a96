"""Study C's training figures as its publication takes them: after the last epoch, on all of it.

    python benchmarks/after_the_epoch.py [--seeds 4] [--docs docs/studies]

fallline's training figures are means over the batches of an epoch as they are trained on; the
publication evaluates the training data after each epoch. Both are measured here on the same
trainings, and the publication's figures set beside them.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import command
import reporting
from fallline import api, studies, tasks
from fallline.analysis.statistics import prediction_interval
from fallline.planning import settings, studyfile
from fallline.planning.studyfile import stages_of

STUDY = "fashion-stages"
PAGE = f"{STUDY}-after-the-epoch.md"
FIGURES = ("train_loss", "train_accuracy")
FIRST_SEED = 1000
"""The first of a study's fresh seeds."""


def published() -> Iterator[tuple[str, settings.Setting, dict[str, float]]]:
    """Title, setting and published training figures of each published row that has some."""
    file = studyfile.read(studies.path(STUDY), forms=("as_published",))
    for name in stages_of(file):
        for member in settings.members(file, name, {}):
            for setting in member.settings:
                for row in file.published:
                    here = row.stage == name and row.where.items() <= setting.labels.items()
                    figures = {key: row.figures[key] for key in FIGURES if key in row.figures}
                    if here and figures:
                        yield ", ".join(row.where.values()), setting, figures


def trained(setting: settings.Setting, seed: int) -> dict[str, tuple[float, float]]:
    """Each training figure along the last epoch, and after it."""
    asked = setting.changes
    task = tasks.varied(
        asked.task,
        model=asked.model or None,
        data=asked.data or None,
        loss=asked.loss,
        l1=asked.l1,
        l2=asked.l2,
    )
    training = api.train(
        task, setting.optimizer, epochs=asked.epochs, batch_size=asked.batch_size, seed=seed
    )
    along = training.history.iloc[-1]
    after = training.network.evaluate("train")
    return {
        "train_loss": (float(along["train_loss"]), after["loss"]),
        "train_accuracy": (float(along["train_accuracy"]), after["accuracy"]),
    }


def rows(seeds: int) -> Iterator[tuple[str, ...]]:
    """The table's rows, a figure of a setting each."""
    known: dict[str, list[dict[str, tuple[float, float]]]] = {}
    for title, setting, figures in published():
        key = setting.trains + setting.optimizer
        if key not in known:
            print(title, file=sys.stderr, flush=True)
            known[key] = [trained(setting, FIRST_SEED + at) for at in range(seeds)]
        for name, theirs in figures.items():
            along, after = (
                prediction_interval(np.array([own[name][at] for own in known[key]]))
                for at in (0, 1)
            )
            fits = "yes" if after.low <= theirs <= after.high else "no"
            yield (
                title,
                name.replace("train_", "training "),
                f"{theirs:.4f}",
                f"{along.mean:.4f}",
                f"{after.mean:.4f}",
                f"{after.low:.4f} to {after.high:.4f}",
                fits,
            )


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--docs", type=Path, help=f"the folder for {PAGE}")
    asked = parser.parse_args()
    os.environ.update(command.data_folder())
    header = [
        *("setting", "figure", "theirs", "ours along the last epoch", "ours after it"),
        *("a further run of ours, after it", "fits"),
    ]
    found = list(rows(asked.seeds))
    count = sum(row[-1] == "yes" for row in found)
    text = "\n\n".join(
        [
            "# Study C: training figures after the epoch",
            "The publication evaluates the training data after each epoch; the training figures of "
            "the [report](fashion-stages-as-published.md) are means over the last epoch's batches, "
            "as they were trained on. Both, of the same trainings:",
            reporting.markdown_table(header, found),
            f"{count} of {len(found)} published training figures lie where a further run of ours "
            f"would, measured as they were. Losses include the penalty; {asked.seeds} seeds.",
            reporting.origin(),
        ]
    )
    print(text)
    if asked.docs:
        (asked.docs / PAGE).write_text(text + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
