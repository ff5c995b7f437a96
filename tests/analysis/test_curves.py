"""Curves, sensitivity and the time to a target, on small frames."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fallline.analysis.curves import curves, epochs_to, sensitivity


def test_curves_are_means_with_the_seeds_spread(run_row, make_runs):
    runs = make_runs(
        [
            run_row("adam", 1000, 0, curve=[0.2, 0.4]),
            run_row("adam", 1001, 0, curve=[0.4, 0.8]),
            run_row("adam", 0, 0, curve=[0.0, 0.0], phase="search"),
        ]
    )
    table = curves(runs)
    assert table["optimizer"].tolist() == ["adam", "adam"]
    assert table["epoch"].tolist() == [1, 2]
    assert table["seeds"].tolist() == [2, 2]
    assert table["validation_metric"].tolist() == pytest.approx([0.3, 0.6])
    assert table["validation_metric_low"].tolist() == pytest.approx([0.2, 0.4])
    assert table["validation_metric_high"].tolist() == pytest.approx([0.4, 0.8])
    assert table["train_loss"].tolist() == pytest.approx([0.7, 0.4])


def test_a_shorter_or_diverged_run_leaves_the_others_mean(run_row, make_runs):
    runs = make_runs(
        [
            run_row("sgd", 1000, 0, curve=[0.2, 0.4, 0.6]),
            run_row("sgd", 1001, 0, curve=[0.4, math.nan], status="diverged"),
        ]
    )
    table = curves(runs)
    assert table["validation_metric"].tolist() == pytest.approx([0.3, 0.4, 0.6])
    assert table["seeds"].tolist() == [2, 2, 1]


def test_without_final_runs_the_table_has_its_columns_and_no_row(run_row, make_runs):
    table = curves(make_runs([run_row("adam", 0, 0.5, phase="search")]))
    assert len(table) == 0
    assert {"epoch", "train_loss", "validation_metric_high"} <= set(table.columns)


def test_sensitivity_is_by_rate_and_leaves_out_diverged_seeds(run_row, make_runs):
    runs = make_runs(
        [
            run_row("sgd", 0, 0.5, rate=0.1, phase="search"),
            run_row("sgd", 1, 0.7, rate=0.1, phase="search"),
            run_row("sgd", 0, 0.9, rate=1.0, phase="search"),
            run_row("sgd", 1, 0.1, rate=1.0, phase="search", status="diverged"),
            run_row("sgd", 0, 0.1, rate=10.0, phase="search", status="diverged"),
            run_row("linesearch", 0, 0.1, rate=None, phase="search"),
            run_row("sgd", 1000, 0.2, rate=0.1),
        ]
    )
    table = sensitivity(runs)
    assert table["learning_rate"].tolist() == [0.1, 1.0, 10.0]
    assert table["mean"].tolist() == pytest.approx([0.6, 0.9, math.nan], nan_ok=True)
    assert table["low"].tolist() == pytest.approx([0.5, 0.9, math.nan], nan_ok=True)
    assert table["high"].tolist() == pytest.approx([0.7, 0.9, math.nan], nan_ok=True)
    assert table["seeds"].tolist() == [2, 2, 1]
    assert table["diverged"].tolist() == [0, 1, 1]


@pytest.mark.parametrize(
    ("curve", "target", "higher", "epoch"),
    [
        ([0.5, 0.9, 0.8, 0.95], 0.9, True, 2),
        ([0.5, 0.6], 0.9, True, math.inf),
        ([0.9, 0.7, 0.6], 0.7, False, 2),
        ([], 0.9, True, math.inf),
        ([math.nan, 0.95], 0.9, True, 2),
    ],
)
def test_the_first_epoch_that_reaches_the_target_counts(curve, target, higher, epoch):
    assert epochs_to(np.array(curve, np.float32), target, higher) == epoch
