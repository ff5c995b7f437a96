"""When the answer would be another: after fewer epochs, or if seconds count instead of epochs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fallline.analysis.effort import FASTER, Effort
from fallline.analysis.reading import Reading
from fallline.analysis.statistics import LEVEL, holm, paired_test

if TYPE_CHECKING:
    import pandas as pd

SHARES = (0.25, 0.5)
"""Of the epochs, after which the validation figures are looked at."""


@dataclass(frozen=True)
class Early:
    """Who leads on validation data where training stops sooner."""

    epoch: int
    optimizer: str
    """The chosen one itself, unless another is ahead of it by more than chance explains."""
    difference: float
    """By how much it is better than the chosen one there, in the metric's units; 0 for itself."""
    p_value: float
    """Paired over the fresh seeds, after Holm's correction for the optimizers; NaN for itself."""


@dataclass(frozen=True)
class Sooner:
    """Who reaches the target in clearly fewer seconds of training than the chosen one."""

    optimizer: str
    seconds: float
    chosen_seconds: float
    """Infinite where the chosen one does not reach it."""


def early(reading: Reading, chosen: str) -> tuple[Early, ...]:
    """The leaders after `SHARES` of the epochs, over the fresh seeds of ``reading``.

    The settings are those that were chosen for all of the epochs. A run that stopped before
    counts with its last figure, one that diverged by then as worse than any. Empty without
    validation data, with fewer than two fresh seeds, and where a share is less than one epoch.
    """
    final = reading.runs[reading.runs["phase"] == "final"]
    epochs = reading.document.protocol.epochs
    found = []
    for share in SHARES:
        epoch = math.floor(share * epochs)
        if epoch < 1:
            continue
        figures = _figures_at(final, epoch)
        if chosen in figures.index and figures.shape[1] > 1:
            leader = _leader(figures, chosen, reading)
            if leader is not None:
                found.append(Early(epoch, *leader))
    return tuple(found)


def sooner(efforts: dict[str, Effort], chosen: str) -> Sooner | None:
    """The optimizer that reaches the target first, if clearly before the chosen one."""
    reached = [each for each in efforts.values() if math.isfinite(each.target_seconds)]
    if not reached or chosen not in efforts:
        return None
    first = min(reached, key=lambda each: each.target_seconds)
    own = efforts[chosen].target_seconds
    if first.optimizer == chosen or not first.target_seconds <= FASTER * own:
        return None
    return Sooner(first.optimizer, first.target_seconds, own)


def _figures_at(final: pd.DataFrame, epoch: int) -> pd.DataFrame:
    """Validation figures at ``epoch``, optimizers by seeds; NaN of runs that had diverged."""
    curves = final["validation_metric"]
    diverged = final["diverged"].to_numpy(dtype=bool)
    at = [
        math.nan if not len(curve) or (gone and len(curve) < epoch) else float(curve[:epoch][-1])
        for curve, gone in zip(curves, diverged, strict=True)
    ]
    return final.assign(at=at).pivot_table(
        index="optimizer", columns="seed", values="at", aggfunc="first", dropna=False
    )


def _leader(
    figures: pd.DataFrame, chosen: str, reading: Reading
) -> tuple[str, float, float] | None:
    """Who is ahead of ``chosen``, by how much and how surely; None where nothing can be said."""
    task = reading.document.task
    sign = 1.0 if task.higher_is_better else -1.0
    step = 1 / max(task.validation_examples, 1) if task.metric == "accuracy" else 0.0
    own = figures.loc[chosen].to_numpy(dtype=float)
    missing = int(np.isnan(own).sum())
    if missing == len(own):
        return None
    others = [
        str(name)
        for name in figures.index
        if name != chosen and int(figures.loc[name].isna().sum()) <= missing
    ]
    tests = [
        paired_test(figures.loc[name].to_numpy(dtype=float), own, resolution=step)
        for name in others
    ]
    adjusted = holm([test.p_value for test in tests])
    ahead = [
        (sign * test.interval.mean, name, float(p_value))
        for name, test, p_value in zip(others, tests, adjusted, strict=True)
        if p_value < LEVEL and sign * test.interval.mean > 0
    ]
    if not ahead:
        return chosen, 0.0, math.nan
    difference, name, p_value = max(ahead)
    return name, difference, p_value
