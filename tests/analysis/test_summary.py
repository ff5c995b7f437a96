"""The summary row by row: choice, intervals, target, counts, and unfinished studies."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from fallline.analysis.summary import COLUMNS, rows_of, summarise, target_of
from fallline.store.document import (
    FORMAT_VERSION,
    Protocol,
    StudyDocument,
    TaskDescription,
    Timing,
)


def document(*, metric: str = "accuracy", target: float | None = None, searched: bool = True):
    return StudyDocument(
        format_version=FORMAT_VERSION,
        created="2026-01-01T00:00:00+00:00",
        task=TaskDescription(
            name="t",
            title="T",
            kind="classification" if metric == "accuracy" else "regression",
            metric=metric,
            higher_is_better=metric == "accuracy",
            loss="cross_entropy",
            parameters=10,
            train_examples=1000,
            validation_examples=1000,
            test_examples=1000,
            target=target,
        ),
        protocol=Protocol(
            optimizers=("a", "b"),
            epochs=3,
            batch_size=32,
            search_seeds=(0, 1),
            final_seeds=(1000, 1001, 1002),
            learning_rates={"a": (0.01, 0.1, 1.0), "b": ()},
            searched=searched,
            widen=True,
        ),
        optimizers={},
        versions={},
        machine={},
    )


@pytest.fixture
def study_rows(run_row) -> list[dict[str, Any]]:
    """Optimizer a is best at 0.1 by its search; b has no learning rate and is worse."""
    search = [
        run_row("a", seed, metric, rate=rate, phase="search")
        for rate, metric in ((0.01, 0.6), (0.1, 0.8), (1.0, 0.7))
        for seed in (0, 1)
    ]
    search.append(run_row("b", 0, 0.1, rate=None, phase="search", status="diverged"))
    curves = {1000: [0.5, 0.7, 0.8], 1001: [0.5, 0.8, 0.9], 1002: [0.8, 0.9, 1.0]}
    final = [
        run_row("a", seed, 0, rate=0.1, curve=curve, test=curve[-1] - 0.1, steps=30)
        for seed, curve in curves.items()
    ]
    final += [
        run_row("b", seed, 0, rate=None, curve=[0.1, 0.2, value], test=value, full_batch=True,
                steps=3)
        for seed, value in ((1000, 0.4), (1001, 0.5), (1002, 0.9))
    ]  # fmt: skip
    return search + final


def test_every_figure_of_a_row(study_rows, make_runs):
    timing = Timing(total=1, compile=0.5, train=0.4, step={"a": 1e-4})
    table = summarise(make_runs(study_rows), document(), timing)
    assert tuple(table.columns) == COLUMNS
    a, b = rows_of(table)
    assert (a["optimizer"], a["learning_rate"], a["hyperparameters"]) == (
        "a",
        0.1,
        {"learning_rate": 0.1},
    )
    assert a["validation_metric"] == pytest.approx(0.9)
    # 0.8, 0.9, 1.0: s = 0.1 and t(0.975, 2) = 4.303; the upper end is held at 1.
    assert a["validation_low"] == pytest.approx(0.9 - 4.303 * 0.1 / math.sqrt(3), abs=1e-4)
    assert a["validation_high"] == 1.0
    assert a["test_metric"] == pytest.approx(0.8)
    assert a["test_low"] == pytest.approx(0.8 - 4.303 * 0.1 / math.sqrt(3), abs=1e-4)
    assert a["seconds_per_step"] == 1e-4
    assert (a["runs"], a["diverged"], a["seeds"], a["border"]) == (9, 0, 3, "")
    assert a["relation"] == "best"
    assert (b["runs"], b["diverged"], b["final_diverged"]) == (4, 1, 0)
    assert b["full_batch"]
    assert not a["full_batch"]
    assert math.isnan(b["learning_rate"])
    assert math.isnan(b["seconds_per_step"])


def test_epochs_and_steps_to_the_derived_target(study_rows, make_runs):
    runs = make_runs(study_rows)
    # The median last figure of a is 0.9; its seeds reach it never, after 3 and after 2 epochs.
    assert target_of(runs, document()) == pytest.approx(0.9)
    a, b = rows_of(summarise(runs, document()))
    assert (a["epochs_to_target"], a["steps_to_target"]) == (3, 30)
    # Of b one seed of three reaches it, so the median does not.
    assert b["epochs_to_target"] == math.inf
    assert b["steps_to_target"] == math.inf


def test_the_tasks_own_target_goes_before_a_derived_one(study_rows, make_runs):
    runs = make_runs(study_rows)
    assert target_of(runs, document(target=0.7)) == 0.7
    a, _ = rows_of(summarise(runs, document(target=0.7)))
    assert (a["epochs_to_target"], a["steps_to_target"]) == (2, 20)


def test_an_even_number_of_seeds_takes_the_mean_of_the_middle_two(run_row, make_runs):
    curves = ([0.9, 0.9], [0.1, 0.9])
    rows = [run_row("a", 1000 + k, 0, curve=curve, steps=20) for k, curve in enumerate(curves)]
    row = rows_of(summarise(make_runs(rows), document(target=0.8)))[0]
    assert (row["epochs_to_target"], row["steps_to_target"]) == (1.5, 15)
    rows.append(run_row("a", 1002, 0, curve=[0.1, 0.1]))
    rows.append(run_row("a", 1003, 0, curve=[0.1, 0.1]))
    row = rows_of(summarise(make_runs(rows), document(target=0.8)))[0]
    assert row["epochs_to_target"] == math.inf


def test_an_error_is_better_when_it_is_smaller(run_row, make_runs):
    rows = [run_row("a", 1000 + k, 0.8 + 0.01 * k, test=0.8 + 0.01 * k) for k in range(3)]
    rows += [run_row("b", 1000 + k, 0.5 + 0.02 * k, test=0.5 + 0.02 * k) for k in range(3)]
    table = rows_of(summarise(make_runs(rows), document(metric="rmse")))
    assert [row["optimizer"] for row in table] == ["b", "a"]
    assert table[1]["relation"] == "worse"
    assert table[1]["difference"] == pytest.approx(0.29)


def test_a_diverged_final_run_puts_an_optimizer_last(run_row, make_runs):
    rows = [run_row("a", 1000 + k, 0.99, test=0.99) for k in range(3)]
    rows[1] = run_row("a", 1001, 0.99, test=0.99, status="diverged")
    rows += [run_row("b", 1000 + k, 0.5, test=0.5) for k in range(3)]
    b, a = rows_of(summarise(make_runs(rows), document()))
    assert (b["optimizer"], a["optimizer"]) == ("b", "a")
    assert (a["relation"], a["final_diverged"], a["seeds"]) == ("diverged", 1, 3)
    assert a["test_metric"] == pytest.approx(0.99)


def test_the_largest_rate_tried_is_a_border_unless_nothing_was_searched(run_row, make_runs):
    rows = [
        run_row("a", 0, metric, rate=rate, phase="search")
        for rate, metric in ((0.1, 0.5), (1.0, 0.6))
    ]
    rows += [run_row("a", 1000, 0.6, rate=1.0, test=0.6)]
    assert rows_of(summarise(make_runs(rows), document()))[0]["border"] == "largest"
    assert rows_of(summarise(make_runs(rows), document(searched=False)))[0]["border"] == ""


def test_an_optimizer_without_final_runs_shows_its_search(study_rows, make_runs):
    unfinished = [row for row in study_rows if row["phase"] == "search"]
    a, b = rows_of(summarise(make_runs(unfinished), document()))
    assert (a["measured_on"], a["learning_rate"], a["seeds"]) == ("search", 0.1, 2)
    assert a["validation_metric"] == pytest.approx(0.8)
    assert math.isnan(a["test_metric"])
    assert math.isnan(a["epochs_to_target"])
    assert a["relation"] == b["relation"] == ""
    assert math.isnan(b["validation_metric"])
    assert math.isnan(target_of(make_runs(unfinished), document()))


def test_finished_optimizers_come_before_those_that_only_searched(study_rows, make_runs):
    partly = [row for row in study_rows if row["phase"] == "search" or row["optimizer"] == "b"]
    table = rows_of(summarise(make_runs(partly), document()))
    assert [(row["optimizer"], row["measured_on"]) for row in table] == [
        ("b", "final"),
        ("a", "search"),
    ]


def test_no_run_at_all_is_an_empty_table(study_rows, make_runs):
    table = summarise(make_runs(study_rows)[:0], document())
    assert len(table) == 0
    assert tuple(table.columns) == COLUMNS
    assert np.isnan(target_of(make_runs(study_rows)[:0], document()))
