"""The data of every figure of a study, as tables: what is drawn, before any drawing."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from fallline.analysis.across import performance_profile
from fallline.analysis.curves import epochs_to
from fallline.analysis.matrix import pairwise
from fallline.analysis.reading import Reading
from fallline.analysis.tunability import budgets

if TYPE_CHECKING:
    import pandas as pd

KEYS = (
    "ranking",
    "curves",
    "sensitivity",
    "expected_best",
    "profile",
    "pairwise",
    "diverged",
    "time",
)
"""The figures in reading order."""


def tables(reading: Reading) -> dict[str, pd.DataFrame]:
    """The table of each figure by its key, in the order of `KEYS`; those with a row alone.

    - ``ranking``: ``optimizer, learning_rate, test_metric, test_low, test_high, relation``;
    - ``curves``, ``sensitivity``: those of the reading;
    - ``expected_best``: `fallline.analysis.tunability.budgets`;
    - ``profile``: `profile`; ``pairwise``: `fallline.analysis.matrix.pairwise`;
    - ``diverged``: `diverged`; ``time``: `times`.

    Figures are in the metric's units (shares from 0 to 1), times in seconds.
    """
    ranking = ["optimizer", "learning_rate", "test_metric", "test_low", "test_high", "relation"]
    found = (
        reading.measured[ranking],
        reading.curves,
        reading.sensitivity,
        budgets(reading),
        profile(reading),
        pairwise(reading),
        diverged(reading),
        times(reading),
    )
    return {
        key: table.reset_index(drop=True)
        for key, table in zip(KEYS, found, strict=True)
        if len(table)
    }


def profile(reading: Reading) -> pd.DataFrame:
    """On which share of the fresh seeds an optimizer is within a factor of the fastest.

    Columns ``optimizer, factor`` (of the fewest steps to the target that any optimizer needs on the
    same seed; from 1)``, share`` (0 to 1). Of each optimizer the first row is at factor 1, the last
    at the largest factor of the study, and between them are the factors at which its share grows:
    it is constant from each to the next. Empty where no run reaches the target.
    """
    import pandas as pd

    columns = ["optimizer", "factor", "share"]
    names = [str(name) for name in reading.measured["optimizer"]]
    steps = _steps_to_target(reading, names)
    if not np.isfinite(steps).any():
        return pd.DataFrame(columns=columns)
    found = performance_profile(steps)
    rows = []
    for name, shares in zip(names, found.shares.T, strict=True):
        grows = np.flatnonzero(np.diff(shares, prepend=math.nan) != 0)
        kept = np.unique(np.append(grows, len(shares) - 1))
        rows += [(name, float(found.factors[at]), float(shares[at])) for at in kept]
    return pd.DataFrame(rows, columns=columns)


def diverged(reading: Reading) -> pd.DataFrame:
    """How many runs of the search diverged at each learning rate that an optimizer tried.

    Columns ``optimizer, learning_rate, runs, diverged, share`` (0 to 1), rates ascending, whatever
    the other hyper-parameters were. Optimizers without a learning rate have no row.
    """
    import pandas as pd

    searched = reading.runs[
        (reading.runs["phase"] == "search") & reading.runs["learning_rate"].notna()
    ]
    rows = []
    for name in reading.summary["optimizer"]:
        own = searched[searched["optimizer"] == name]
        for rate, group in own.groupby("learning_rate"):
            gone = int(group["diverged"].sum())
            rows.append((name, rate, len(group), gone, gone / len(group)))
    return pd.DataFrame(rows, columns=["optimizer", "learning_rate", "runs", "diverged", "share"])


def times(reading: Reading) -> pd.DataFrame:
    """How long a step and an epoch of one run take, alone on the machine: a row per optimizer.

    Columns ``optimizer, seconds_per_step, steps_per_epoch, epoch_seconds, seconds_to_target`` (the
    median, infinite where it is not reached). Without compiling and evaluating; optimizers whose
    steps were not timed have no row.
    """
    import pandas as pd

    final = reading.runs[reading.runs["phase"] == "final"]
    sums = final.groupby("optimizer")[["steps", "epochs_trained"]].sum()
    columns = ("optimizer", "seconds_per_step", "steps_to_target")
    rows = []
    for name, seconds, to_target in reading.summary[list(columns)].itertuples(index=False):
        if not math.isfinite(seconds) or name not in sums.index:
            continue
        steps = sums.loc[name, "steps"] / max(sums.loc[name, "epochs_trained"], 1)
        rows.append((name, seconds, steps, seconds * steps, seconds * to_target))
    names = [
        "optimizer",
        "seconds_per_step",
        "steps_per_epoch",
        "epoch_seconds",
        "seconds_to_target",
    ]
    return pd.DataFrame(rows, columns=names)


def _steps_to_target(reading: Reading, names: list[str]) -> np.ndarray:
    """Steps to the target of each fresh run, ``(seeds, optimizers)``; infinite if not reached."""
    final = reading.runs[reading.runs["phase"] == "final"]
    seeds = sorted(final["seed"].unique())
    steps = np.full((len(seeds), len(names)), math.inf)
    if not math.isfinite(reading.target):
        return steps
    higher = reading.document.task.higher_is_better
    for run in final.to_dict("records"):
        epochs = epochs_to(run["validation_metric"], reading.target, higher)
        if math.isfinite(epochs):
            taken = epochs * run["steps"] / run["epochs_trained"]
            steps[seeds.index(run["seed"]), names.index(run["optimizer"])] = taken
    return steps
