"""All measures of a study: one row per optimizer, best first."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fallline.analysis.bootstrap import Estimate, paired_interval
from fallline.analysis.measures import area_under, diverged_share, generalisation_gap
from fallline.analysis.reading import Reading
from fallline.analysis.summary import rows_of
from fallline.analysis.tunability import basins, generator

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    "optimizer",
    "learning_rate",
    "seeds",
    "test_mean",
    "test_mean_low",
    "test_mean_high",
    "test_median",
    "test_median_low",
    "test_median_high",
    "test_iqm",
    "test_iqm_low",
    "test_iqm_high",
    "validation_best",
    "best_epoch",
    "area",
    "gap",
    "epochs_to_target",
    "steps_to_target",
    "seconds_to_target",
    "diverged_share",
    "seconds_per_step",
    "basin_decades",
    "basin_open",
    "state_bytes",
)


def measures(reading: Reading) -> pd.DataFrame:
    """Every measure of each optimizer, best first; the columns are `COLUMNS`.

    Of the fresh seeds, in the metric's units, over those that did not diverge: ``test_mean`` with
    Student's 95 % interval (``_low``, ``_high``), ``test_median`` and ``test_iqm`` (the mean of the
    middle half) with their bootstrap intervals over seeds, ``validation_best`` (the mean of each
    seed's best epoch), ``gap`` (by how much the figure is better on training than on test data).
    ``best_epoch`` is the median epoch, from 1, of a seed's best validation figure. ``area`` is the
    mean height of the validation curve over the epochs of the budget, a diverged run counting as
    the study's worst figure from there on.

    ``epochs_to_target``, ``steps_to_target`` and ``seconds_to_target`` are medians, infinite where
    the target is not reached; the seconds are those of one run trained alone, without compiling.
    ``diverged_share`` is of all the optimizer's runs, from 0 to 1. ``seconds_per_step``: seconds.
    ``basin_decades``: width of the learning rates within 1 % of the best, in powers of ten;
    ``basin_open``: it is at least so wide. ``state_bytes``: bytes that the optimizer keeps beside
    the weights. NaN for what there is not; optimizers without final runs have few of these.
    """
    import pandas as pd

    widths = {row["optimizer"]: row for row in rows_of(basins(reading))}
    states = reading.timing.state_bytes if reading.timing else {}
    final = reading.runs[reading.runs["phase"] == "final"]
    worst = _worst(final, reading)
    rows = []
    for row in rows_of(reading.summary):
        name = row["optimizer"]
        own = reading.runs[reading.runs["optimizer"] == name]
        width = widths.get(name, {})
        rows.append(
            {
                **{column: row[column] for column in COLUMNS if column in row},
                "seconds_to_target": row["steps_to_target"] * row["seconds_per_step"],
                "diverged_share": diverged_share(own["diverged"].to_numpy()),
                "basin_decades": width.get("decades", math.nan),
                "basin_open": bool(width.get("low_open") or width.get("high_open")),
                "state_bytes": states.get(name, math.nan),
                **_of_final(final[final["optimizer"] == name], row, reading, worst),
            }
        )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _of_final(
    own: pd.DataFrame, row: dict[str, Any], reading: Reading, worst: float
) -> dict[str, Any]:
    """The measures of an optimizer's runs on fresh seeds; none where there are none."""
    if own.empty:
        return {"seeds": 0}
    higher = reading.document.task.higher_is_better
    # In the seeds' order, so that the order of the runs changes no digit of a sum.
    own = own.sort_values("seed")
    finished = own[~own["diverged"]]
    test = finished["test_metric"].to_numpy(dtype=float)
    curves = [_curve(*pair) for pair in _pairs(finished)]
    best = [_best(curve, higher) for curve in curves]
    epochs = reading.document.protocol.epochs
    areas = [
        area_under(
            # Without the NaN a diverged run's last finite figure would be held to the end.
            np.append(_curve(*pair), math.nan) if gone else _curve(*pair),
            epochs=epochs,
            worst=worst,
        )
        for pair, gone in zip(_pairs(own), own["diverged"], strict=True)
    ]
    trained = [curve[-1] if len(curve) else math.nan for curve in finished["train_metric"]]
    return {
        "test_mean": row["test_metric"],
        "test_mean_low": row["test_low"],
        "test_mean_high": row["test_high"],
        **_robust(test, "median", row["optimizer"], reading),
        **_robust(test, "iqm", row["optimizer"], reading),
        "validation_best": _mean([figure for figure, _ in best]),
        "best_epoch": float(np.median([epoch for _, epoch in best])) if best else math.nan,
        "area": _mean(areas),
        "gap": _mean(generalisation_gap(trained, test, higher_is_better=higher)),
    }


def _robust(
    figures: np.ndarray, statistic: str, optimizer: str, reading: Reading
) -> dict[str, float]:
    """The statistic with its bootstrap interval over seeds."""
    # A difference to zero on every seed: the interval of the statistic itself.
    found: Estimate = paired_interval(
        figures,
        np.zeros_like(figures),
        statistic=statistic,
        generator=generator(reading, statistic, optimizer),
    )
    name = f"test_{statistic}"
    return {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}


def _curve(validation: Sequence[float], train: Sequence[float]) -> np.ndarray:
    """The validation curve, or the training curve of a task without validation."""
    return np.asarray(validation if len(validation) else train, np.float64)


def _pairs(runs: pd.DataFrame) -> Iterable[tuple[Sequence[float], Sequence[float]]]:
    return zip(runs["validation_metric"], runs["train_metric"], strict=True)


def _best(curve: np.ndarray, higher: bool) -> tuple[float, float]:
    """The best figure of ``curve`` and its epoch, from 1; NaN of a curve without figures."""
    costs = np.where(np.isfinite(curve), -curve if higher else curve, math.inf)
    if not len(costs) or not math.isfinite(costs.min()):
        return math.nan, math.nan
    at = int(np.argmin(costs))
    return float(curve[at]), at + 1.0


def _worst(final: pd.DataFrame, reading: Reading) -> float:
    """The worst figure on any validation curve of the fresh seeds; NaN where there is none."""
    curves = [_curve(*pair) for pair in _pairs(final)]
    figures = np.concatenate(curves) if curves else np.array([])
    figures = figures[np.isfinite(figures)]
    if not len(figures):
        return math.nan
    return float(figures.min() if reading.document.task.higher_is_better else figures.max())


def _mean(values: Iterable[float]) -> float:
    known = np.asarray(list(values), np.float64)
    known = known[np.isfinite(known)]
    return float(known.mean()) if len(known) else math.nan
