"""Runs keep their identity over versions and machines; seeds are never shared by accident."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fallline.records import Curves, Run, RunResult, Status, derived_seed, stable_hash

RUN = Run("adam", {"learning_rate": 1e-3, "beta1": 0.9, "beta2": 0.999}, 3, "search", 20)


def test_ids_are_those_that_stored_studies_hold() -> None:
    # Recorded: a change here would make every stored study train its runs again.
    assert RUN.run_id == "429ee99cbbee7be7"
    assert stable_hash("a", 1, [0.1, None]) == "bc0fa991910228f4"
    assert derived_seed("weights", 0, "digits-mlp", 3) == 1587559004


def test_an_id_does_not_depend_on_the_order_of_the_hyperparameters() -> None:
    turned = replace(RUN, hyperparameters=dict(reversed(RUN.hyperparameters.items())))
    assert turned.run_id == RUN.run_id
    assert turned.trial == RUN.trial


@pytest.mark.parametrize(
    "change",
    [
        {"optimizer": "nadam"},
        {"hyperparameters": {**RUN.hyperparameters, "learning_rate": 1e-3 + 1e-18}},
        {"hyperparameters": {"learning_rate": 1e-3, "beta1": 0.9}},
        {"seed": 4},
        {"phase": "final"},
        {"epochs": 21},
        {"full_batch": True},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_part_of_a_run_changes_its_id(change: dict) -> None:
    assert replace(RUN, **change).run_id != RUN.run_id


def test_runs_of_a_trial_differ_by_seed_alone() -> None:
    assert replace(RUN, seed=9).trial == RUN.trial
    assert replace(RUN, optimizer="nadam").trial != RUN.trial
    assert replace(RUN, hyperparameters={"learning_rate": 0.01}).trial != RUN.trial
    assert len({RUN, replace(RUN, seed=9), replace(RUN)}) == 2  # runs can be members of sets


def test_hashes_have_the_digits_asked_for_and_refuse_what_is_no_json() -> None:
    assert len(stable_hash("a")) == 16
    assert stable_hash("a", digits=8) == stable_hash("a")[:8]
    assert stable_hash("ab", "c") != stable_hash("a", "bc")
    assert stable_hash({"a": 1, "b": 2}) == stable_hash({"b": 2, "a": 1})
    with pytest.raises(ValueError, match="not JSON compliant"):
        stable_hash(float("nan"))


def test_derived_seeds_are_distinct_and_fit_into_31_bits() -> None:
    uses = [
        (use, study, task, seed)
        for use in ("weights", "order", "noise")
        for study in (0, 1)
        for task in ("digits-mlp", "wine-mlp")
        for seed in (*range(40), *range(1000, 1040))
    ]
    seeds = [derived_seed(*use) for use in uses]
    assert len(set(seeds)) == len(seeds) == 960
    assert all(0 <= seed < 2**31 for seed in seeds)
    assert max(seeds) > 2**30  # all of the range is used


def test_every_status_has_advice() -> None:
    for status in Status:
        assert status.advice.endswith(".")
    assert "learning rate" in Status.DIVERGED.advice
    assert len({status.advice for status in Status}) == len(Status)


def test_a_result_counts_the_epochs_of_its_curves() -> None:
    curves = Curves(*[np.zeros(5, np.float32)] * 4)
    result = RunResult(RUN, Status.DONE, curves, steps=50)
    assert result.epochs_trained == 5
    assert np.isnan([result.test_loss, result.test_metric, result.last_finite_loss]).all()
