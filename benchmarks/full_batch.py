"""What study A's published figure of gradient descent on all images at once asks for.

    python benchmarks/full_batch.py [--docs docs/studies]

The published row (SGD at 0.01, the whole training data as one batch, 100 epochs: 100 steps) has a
loss that 100 such steps do not reach. Measured here: what 100 steps of other lengths come to.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import numpy as np

import command
import reporting
from fallline import api, studies, tasks
from fallline.planning import studyfile
from fallline.task import Task

STUDY = "batch-size"
PAGE = f"{STUDY}-full-batch.md"
LOSS, ACCURACY = 0.71, 0.8405
"""Published, on training data."""
RATES = (0.01, 0.03, 0.1, 0.2)
STEPS = 100


def task_as_published() -> Task:
    """The network and data of the published sweep."""
    file = studyfile.read(studies.path(STUDY), forms=("as_published",))
    return tasks.varied(file.base.task or "", data=file.base.data or None)


def history(task: Task, rate: float, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Training loss and accuracy after each of ``steps`` steps, ``(steps,)`` each."""
    print(f"{steps} steps of {rate:g}", file=sys.stderr, flush=True)
    training = api.train(task, "sgd", learning_rate=rate, epochs=steps, batch_size="all", seed=1000)
    frame = training.history
    return frame["train_loss"].to_numpy(float), frame["train_accuracy"].to_numpy(float)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--docs", type=Path, help=f"the folder for {PAGE}")
    asked = parser.parse_args()
    os.environ.update(command.data_folder())
    task = task_as_published()
    rows = []
    for rate in RATES:
        loss, accuracy = history(task, rate, STEPS)
        rows.append((f"{rate:g}", f"{STEPS}", f"{loss[-1]:.3f}", f"{100 * accuracy[-1]:.1f} %"))
    header = ["learning rate", "steps", "training loss", "training accuracy"]
    text = "\n\n".join(
        [
            "# Study A: gradient descent on all images at once",
            "Published for SGD at 0.01 with the whole training data as one batch, after 100 "
            f"epochs, which are 100 steps: a training loss of {LOSS} and an accuracy of "
            f"{100 * ACCURACY:.2f} %. Ours, on the data and from the first weights of one seed of "
            "the [report](batch-size-as-published.md):",
            reporting.markdown_table(header, rows),
            reporting.origin(),
        ]
    )
    print(text)
    if asked.docs:
        (asked.docs / PAGE).write_text(text + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
