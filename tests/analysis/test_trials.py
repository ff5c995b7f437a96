"""From the frame to trials: the same choice as the search makes, and borders of the grid."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fallline.analysis.trials import on_border, ranked, trials
from fallline.planning.selection import best_of_each, best_trials, trial_from
from fallline.records import Curves, Run, RunResult, Status


def test_readers_choose_what_the_search_chose(run_row, make_runs):
    rng = np.random.default_rng(3)
    rows, results = [], []
    for rate in (0.001, 0.01, 0.1, 1.0):
        for seed in range(3):
            metric, diverged = float(np.float32(rng.uniform(0.5, 0.9))), rng.random() < 0.2
            # All of 0.1 was stopped at a rung: it is behind whatever figure it had there.
            ended = Status.STOPPED_AT_RUNG if rate == 0.1 else Status.DONE
            status = Status.DIVERGED if diverged else ended
            rows.append(run_row("adam", seed, metric, rate=rate, phase="search", status=status))
            curve = np.array([metric], np.float32)
            run = Run("adam", {"learning_rate": rate}, seed, "search", epochs=1)
            results.append(RunResult(run, status, Curves(1 - curve, curve, 1 - curve, curve), 10))
    for higher in (True, False):
        read = best_of_each(trials(make_runs(rows), "search"), higher_is_better=higher)
        assert read == best_trials(results, higher_is_better=higher)


def test_figures_of_diverged_runs_are_no_figures(run_row, make_runs):
    runs = make_runs([run_row("sgd", 1000, 0.9, test=0.9, status="diverged")])
    assert runs["diverged"].tolist() == [True]
    assert math.isnan(runs["last_metric"][0])
    assert math.isnan(runs["test_metric"][0])


def test_ranked_puts_the_best_first(run_row, make_runs):
    runs = make_runs(
        [
            run_row("a", 0, 0.7),
            run_row("b", 0, 0.9),
            run_row("c", 0, 0.99, status="diverged"),
        ]
    )
    order = [trial.optimizer for trial in ranked(trials(runs, "final"), higher_is_better=True)]
    assert order == ["b", "a", "c"]


@pytest.mark.parametrize(
    ("chosen", "tried", "border"),
    [
        (0.1, [0.1, 1.0, 10.0], "smallest"),
        (1.0, [0.1, 1.0, 10.0], ""),
        (10.0, [0.1, 1.0, 10.0], "largest"),
        (0.1, [0.1], ""),
        (math.nan, [math.nan], ""),
    ],
)
def test_borders_of_the_rates_tried(chosen, tried, border):
    def trial(rate):
        return trial_from("adam", {} if math.isnan(rate) else {"learning_rate": rate}, [])

    elsewhere = trial_from("sgd", {"learning_rate": 100.0}, [])
    assert on_border(trial(chosen), [*map(trial, tried), elsewhere]) == border
