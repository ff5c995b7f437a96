"""Curves over the epochs, and over the learning rates: means with the seeds' spread."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

FIGURES = ("train_loss", "train_metric", "validation_loss", "validation_metric")

_TOLERANCE = 1e-6


def curves(runs: pd.DataFrame) -> pd.DataFrame:
    """The curves of the final runs: one row per optimizer and epoch (from 1).

    Columns ``optimizer, epoch, seeds`` and, for each of `FIGURES`, its mean over the seeds under
    the figure's own name, and the seeds' smallest and largest value as ``..._low`` and
    ``..._high``. Values that are not finite are left out; ``seeds`` counts the runs that
    trained the epoch.
    """
    import pandas as pd

    final = runs[runs["phase"] == "final"]
    tables = []
    for optimizer, group in final.groupby("optimizer", sort=False):
        rows = {name: _stacked(group[name]) for name in FIGURES}
        trained = _stacked(group["train_loss"], fill=1.0)
        epochs = max(matrix.shape[1] for matrix in rows.values())
        columns: dict[str, object] = {
            "optimizer": optimizer,
            "epoch": np.arange(1, epochs + 1),
            "seeds": _padded((~np.isnan(trained)).sum(axis=0), epochs),
        }
        for name, matrix in rows.items():
            for suffix, values in zip(("", "_low", "_high"), _spread(matrix), strict=True):
                columns[name + suffix] = _padded(values, epochs)
        tables.append(pd.DataFrame(columns))
    if tables:
        return pd.concat(tables, ignore_index=True)
    names = [name + suffix for name in FIGURES for suffix in ("", "_low", "_high")]
    return pd.DataFrame(columns=["optimizer", "epoch", "seeds", *names])


def sensitivity(runs: pd.DataFrame) -> pd.DataFrame:
    """The search by learning rate: one row per optimizer and rate, ascending.

    ``runs`` is a frame from `fallline.analysis.trials.with_last_figures`. Columns ``optimizer,
    learning_rate, mean, low, high`` (last validation metric over the seeds that did not diverge,
    NaN if all did), ``seeds, diverged``. Optimizers without a learning rate have no row.
    """
    import pandas as pd

    searched = runs[(runs["phase"] == "search") & runs["learning_rate"].notna()]
    rows = []
    for optimizer, own in searched.groupby("optimizer", sort=False):
        for rate, group in own.groupby("learning_rate"):
            mean, low, high = _spread(group["last_metric"].to_numpy(dtype=float)[:, None])
            rows.append(
                {
                    "optimizer": optimizer,
                    "learning_rate": rate,
                    "mean": mean[0],
                    "low": low[0],
                    "high": high[0],
                    "seeds": len(group),
                    "diverged": int(group["diverged"].sum()),
                }
            )
    names = ["optimizer", "learning_rate", "mean", "low", "high", "seeds", "diverged"]
    return pd.DataFrame(rows, columns=names)


def epochs_to(curve: Sequence[float] | np.ndarray, target: float, higher_is_better: bool) -> float:
    """The first epoch (from 1) whose figure reaches ``target``; infinite if none does.

    ``curve`` has shape ``(epochs trained,)``. Figures are stored in float32, so a millionth part
    less than the target is taken to reach it.
    """
    values = np.asarray(curve, np.float64)
    slack = _TOLERANCE * abs(target)
    reached = values >= target - slack if higher_is_better else values <= target + slack
    return float(np.argmax(reached) + 1) if reached.any() else math.inf


def _stacked(lists: Iterable[Sequence[float]], *, fill: float | None = None) -> np.ndarray:
    """Curves of unequal lengths as a matrix ``(runs, epochs)``, NaN where there is no value."""
    arrays = [np.asarray(values, np.float64) for values in lists]
    matrix = np.full((len(arrays), max((len(a) for a in arrays), default=0)), math.nan)
    for row, values in zip(matrix, arrays, strict=True):
        row[: len(values)] = values if fill is None else fill
    return matrix


def _spread(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, smallest and largest finite value of each column; NaN where there is none."""
    finite = np.isfinite(matrix)
    count = finite.sum(axis=0)
    some = count > 0
    mean = np.where(finite, matrix, 0.0).sum(axis=0) / np.maximum(count, 1)
    low = np.where(finite, matrix, math.inf).min(axis=0, initial=math.inf)
    high = np.where(finite, matrix, -math.inf).max(axis=0, initial=-math.inf)
    mean[~some] = low[~some] = high[~some] = math.nan
    return mean, low, high


def _padded(values: np.ndarray, length: int) -> np.ndarray:
    missing = length - len(values)
    if missing == 0:
        return values
    return np.concatenate([values.astype(float), np.full(missing, math.nan)])
