"""Which trial validation data chooses, ties and divergence included."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from fallline.planning.selection import Outcome, best_trials, order, outcome_of, trial_from
from fallline.records import Curves, Run, RunResult, Status


def run_result(
    rate: float | None,
    seed: int,
    metric: float,
    loss: float = 1.0,
    *,
    optimizer: str = "adam",
    phase: str = "search",
    diverged: bool = False,
) -> RunResult:
    hyperparameters = {} if rate is None else {"learning_rate": rate}
    curve = np.array([0.5, metric], np.float32)
    losses = np.array([9.0, loss], np.float32)
    return RunResult(
        run=Run(optimizer, hyperparameters, seed, phase, epochs=2),
        status=Status.DIVERGED if diverged else Status.DONE,
        curves=Curves(losses, curve, losses, curve),
        steps=2,
    )


def chosen(results: list[RunResult], *, higher_is_better: bool = True) -> float:
    return best_trials(results, higher_is_better=higher_is_better)["adam"].learning_rate


def test_mean_over_the_seeds_chooses():
    # 0.01 has the best single seed, 0.1 the better mean: (0.9 + 0.9) / 2 against (1 + 0.7) / 2.
    results = [
        run_result(0.01, 0, 1.0),
        run_result(0.1, 0, 0.9),
        run_result(0.01, 1, 0.7),
        run_result(0.1, 1, 0.9),
    ]
    best = best_trials(results, higher_is_better=True)["adam"]
    assert best.hyperparameters == {"learning_rate": 0.1}
    assert best.mean_metric == pytest.approx(0.9, abs=1e-6)
    assert (best.diverged, best.seeds) == (0, 2)


def test_a_smaller_error_is_better():
    results = [run_result(0.01, 0, 0.6), run_result(0.1, 0, 0.8)]
    assert chosen(results, higher_is_better=False) == 0.01
    assert chosen(results, higher_is_better=True) == 0.1


def test_equal_metrics_are_settled_by_the_loss_then_by_the_smaller_rate():
    assert chosen([run_result(0.1, 0, 0.9, 0.4), run_result(0.01, 0, 0.9, 0.5)]) == 0.1
    assert chosen([run_result(0.1, 0, 0.9, 0.4), run_result(0.01, 0, 0.9, 0.4)]) == 0.01


def test_accuracies_that_differ_by_rounding_alone_are_equal():
    # The same 3 x 0.9 correct, in another order of float32 shares; the loss then decides.
    a = [Outcome(False, float(np.float32(m)), 0.5) for m in (0.9, 0.8, 1.0)]
    b = [Outcome(False, float(np.float32(m)), 0.4) for m in (0.9, 0.9, 0.9)]
    first, second = trial_from("adam", {}, a), trial_from("adam", {}, b)
    assert first.mean_metric != second.mean_metric
    assert order(second, higher_is_better=True) < order(first, higher_is_better=True)


def test_a_trial_with_a_diverged_seed_ranks_below_every_trial_without():
    results = [
        run_result(0.1, 0, 0.99),
        run_result(0.1, 1, 0.99, diverged=True),
        run_result(0.01, 0, 0.2),
        run_result(0.01, 1, 0.2),
    ]
    assert chosen(results) == 0.01


def test_among_diverged_trials_the_fewer_diverged_seeds_win():
    results = [
        run_result(0.1, 0, 0.99),
        run_result(0.1, 1, 0.0, diverged=True),
        run_result(0.1, 2, 0.0, diverged=True),
        run_result(0.01, 0, 0.3),
        run_result(0.01, 1, 0.3),
        run_result(0.01, 2, 0.0, diverged=True),
    ]
    best = best_trials(results, higher_is_better=True)["adam"]
    assert best.learning_rate == 0.01
    assert best.diverged == 1
    assert best.mean_metric == pytest.approx(0.3, abs=1e-6)


def test_all_diverged_leaves_no_mean_and_still_a_choice():
    results = [run_result(r, 0, math.nan, math.nan, diverged=True) for r in (1.0, 0.1)]
    best = best_trials(results, higher_is_better=True)["adam"]
    assert best.learning_rate == 0.1
    assert math.isnan(best.mean_metric)


def test_a_figure_that_is_not_finite_is_the_worst_either_way():
    for higher_is_better in (True, False):
        results = [run_result(0.01, 0, math.nan), run_result(0.1, 0, 0.1)]
        assert chosen(results, higher_is_better=higher_is_better) == 0.1


def test_final_runs_choose_nothing():
    results = [run_result(0.01, 0, 0.8), run_result(0.1, 7, 1.0, phase="final")]
    assert chosen(results) == 0.01
    assert best_trials(results[1:], higher_is_better=True) == {}


def test_every_optimizer_gets_its_own_choice_one_without_a_learning_rate_too():
    results = [
        run_result(None, 0, 0.7, optimizer="adadelta"),
        run_result(0.1, 0, 0.8),
        run_result(0.01, 0, 0.9),
    ]
    best = best_trials(results, higher_is_better=True)
    assert list(best) == ["adadelta", "adam"]
    assert math.isnan(best["adadelta"].learning_rate)
    assert best["adam"].learning_rate == 0.01


def test_without_validation_data_the_training_figures_choose():
    def unvalidated(rate: float, metric: float) -> RunResult:
        curve, none = np.array([metric], np.float32), np.array([], np.float32)
        return RunResult(
            run=Run("adam", {"learning_rate": rate}, 0, "search", epochs=1),
            status=Status.DONE,
            curves=Curves(curve, curve, none, none),
            steps=1,
        )

    assert chosen([unvalidated(0.1, 0.5), unvalidated(0.01, 0.7)]) == 0.01


def test_a_stopped_trial_ranks_behind_all_that_trained_but_those_that_diverged_throughout():
    trials = {
        "stopped": [Outcome(False, 0.99, 0.1, True)] * 2,
        "trained": [Outcome(False, 0.6, 0.5)] * 2,
        "half": [Outcome(False, 0.9, 0.2), Outcome(True, math.nan, math.nan)],
        "lost": [Outcome(True, math.nan, math.nan)] * 2,
    }
    made = {name: trial_from(name, {}, outcomes) for name, outcomes in trials.items()}
    ranked = sorted(made, key=lambda name: order(made[name], higher_is_better=True))
    assert ranked == ["trained", "half", "stopped", "lost"]
    assert [name for name, trial in made.items() if trial.stopped] == ["stopped"]


def test_what_a_run_was_after_an_epoch_knows_nothing_of_what_followed():
    result = run_result(0.1, 0, 0.9, loss=2.0, diverged=True)
    assert outcome_of(result).diverged
    assert outcome_of(result, 2).diverged
    assert outcome_of(result, 1) == Outcome(False, 0.5, 9.0)
    stopped = replace(result, status=Status.STOPPED_AT_RUNG)
    assert outcome_of(stopped).stopped
    assert not outcome_of(stopped, 2).stopped
    assert outcome_of(stopped, 9).metric == pytest.approx(0.9)
