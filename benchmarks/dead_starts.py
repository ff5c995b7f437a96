"""Study A's wine as published, seed by seed: which networks were dead from the start.

    python benchmarks/dead_starts.py FOLDER [--docs docs/studies]

FOLDER is that of ``fallline reproduce batch-size --as-published``. A network is dead where its
ReLU output is 0 for every wine: its loss is then the mean square of the quality, whatever is
trained. The published figures are set beside those of the networks that were alive.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import reporting
from fallline.analysis.statistics import prediction_interval
from fallline.reproduction import Reproduction, open_series

PAGE = "batch-size-dead-starts.md"
STAGES = ("wine, one run", "wine")
DEAD = 30.0
"""Training loss from which on a network is dead: an answer of 0 has 35."""


def rows(report: Reproduction) -> Iterator[tuple[str, ...]]:
    """A row per setting: how many were alive, and their training loss beside the published one."""
    runs = report.runs
    for published in report.file.published:
        if published.stage not in STAGES or "train_loss" not in published.figures:
            continue
        own = runs[runs["stage"] == published.stage]
        for axis, label in published.where.items():
            own = own[[labels.get(axis) == label for labels in own["labels"]]]
        losses = own["train_loss"].to_numpy(float)
        alive = losses[losses < DEAD]
        theirs, found = published.figures["train_loss"], prediction_interval(alive)
        fits = "yes" if found.low <= theirs <= found.high else "no"
        yield (
            f"{', '.join(published.where.values())} ({published.stage})",
            f"{len(alive)} of {len(losses)}",
            f"{theirs:.3f}",
            f"{found.mean:.3f}" if len(alive) else "—",
            f"{found.low:.3f} to {found.high:.3f}" if np.isfinite(found.low) else "—",
            fits,
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--docs", type=Path, help=f"the folder for {PAGE}")
    asked = parser.parse_args()
    found = list(rows(open_series(asked.folder)))
    fitting = sum(row[-1] == "yes" for row in found)
    header = ["setting", "alive", "theirs", "ours, alive", "a further one of ours", "fits"]
    text = "\n\n".join(
        [
            "# Study A: networks that are dead from the start",
            "The wine's network as published has a ReLU on its output. On the seeds whose first "
            "weights make that 0 for every wine no gradient comes through and nothing is learnt, "
            "whatever the optimizer and the batch. Training losses after the last epoch, of the "
            "networks that were alive:",
            reporting.markdown_table(header, found),
            f"{fitting} of {len(found)} published training losses lie where a further living "
            "network of ours would.",
            reporting.origin(),
        ]
    )
    print(text)
    if asked.docs:
        (asked.docs / PAGE).write_text(text + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
