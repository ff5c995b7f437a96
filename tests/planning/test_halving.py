"""Successive halving: where rungs lie, who goes on, and what is chosen, on curves made by hand."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pytest

from fallline import optimizers
from fallline.errors import InputError
from fallline.planning import halving, rounds
from fallline.planning.config import StudyConfig
from fallline.planning.protocol import parse
from fallline.planning.rounds import Round
from fallline.planning.selection import best_trials
from fallline.records import Curves, Run, RunResult, Status

EPOCHS = 9
Height = Callable[[Run, int], float]
"""The validation metric of a run after an epoch (from 1); NaN: it diverged in this one."""


@pytest.mark.parametrize(
    ("epochs", "trials", "factor", "found"),
    [
        (20, 30, 3, (2, 7)),
        (30, 30, 3, (1, 3, 10)),
        (30, 15, 3, (3, 10)),
        (81, 500, 3, (1, 3, 9, 27)),
        (10, 27, 3, (1, 3)),
        (2, 27, 3, ()),
        (9, 27, 3, (1, 3)),
        (8, 8, 2, (1, 2, 4)),
        (7, 8, 2, (2, 4)),
        (20, 3, 3, (7,)),
        (20, 2, 3, ()),
        (20, 30, 0, ()),
    ],
)
def test_rungs_follow_from_epochs_and_trials(
    epochs: int, trials: int, factor: int, found: tuple[int, ...]
) -> None:
    assert halving.rungs(epochs, trials, factor) == found


def test_rungs_are_apart_and_before_the_end() -> None:
    for epochs in range(1, 200):
        for factor in (2, 3, 4, 7):
            found = [0, *halving.rungs(epochs, 512, factor), epochs]
            assert found == sorted(set(found)), (epochs, factor)


def test_one_in_three_goes_on_and_never_none() -> None:
    assert [halving.going_on(30, 3, number) for number in (1, 2, 3)] == [10, 4, 2]
    assert [halving.going_on(1, 3, number) for number in (1, 2)] == [1, 1]


def _config(rule: str, *names: str, **settings) -> StudyConfig:
    asked = {"epochs": EPOCHS, "batch_size": 8, "seeds": 1, **settings}
    return StudyConfig(names, protocol=parse(rule), **asked)


def _trained(run: Run, height: Height, until: int) -> RunResult:
    curve = np.array([height(run, epoch) for epoch in range(1, until + 1)], np.float32)
    gone = np.flatnonzero(np.isnan(curve))
    status = Status.DONE if until == run.epochs else Status.WAITING
    if len(gone):
        curve, status = curve[: gone[0] + 1], Status.DIVERGED
    return RunResult(run, status, Curves(1 - curve, curve, 1 - curve, curve), steps=len(curve))


def _played(
    asked: StudyConfig,
    height: Height,
    *,
    stored: Mapping[str, RunResult] | None = None,
    ends: int = 10**9,
) -> tuple[list[Round], dict[str, RunResult]]:
    """The rounds of a study that begins with ``stored`` results and is killed after ``ends``."""
    results = dict(stored or {})
    seen: list[Round] = []
    chosen = optimizers.resolve(asked.optimizers)
    for each in rounds.rounds(chosen, asked, results, higher_is_better=True):
        if len(seen) == ends:
            break
        for run in each.stopped:
            assert results[run.run_id].status is Status.WAITING
            results[run.run_id] = replace(results[run.run_id], status=Status.STOPPED_AT_RUNG)
        for run in each.runs:
            if run.run_id not in results or results[run.run_id].status is Status.WAITING:
                results[run.run_id] = _trained(run, height, each.until or run.epochs)
        seen.append(each)
    return seen, results


def _crossing(run: Run, epoch: int) -> float:
    """Small learning rates are better the longer they train; large ones from the beginning."""
    rate = math.log10(run.hyperparameters["learning_rate"])
    return 0.5 + 0.01 * rate - 0.02 * (epoch - 3) * rate


def _rising(run: Run, epoch: int) -> float:
    """Best at 0.01 from the first epoch on."""
    return 0.6 + 0.02 * epoch - 0.1 * abs(math.log10(run.hyperparameters["learning_rate"]) + 2)


def _counts(results: Mapping[str, RunResult], name: str) -> dict[tuple[str, int], int]:
    own = [each for each in results.values() if each.run.optimizer == name]
    found: dict[tuple[str, int], int] = {}
    for each in own:
        key = (str(each.status), each.epochs_trained)
        found[key] = found.get(key, 0) + 1
    return found


def test_weak_trials_stop_at_the_rungs_and_the_rest_trains_to_the_end() -> None:
    asked = _config("budget 15 halving", "sgd", "adam")
    assert asked.rungs == (1, 3)
    seen, results = _played(asked, _rising)
    assert [(each.phase, each.until) for each in seen] == [
        ("search", 1),
        ("search", 1),
        ("search", 3),
        ("search", 0),
        ("confirming", 0),
    ]
    assert [len(each.stopped) for each in seen] == [0, 0, 20, 6, 0]
    for name in ("sgd", "adam"):
        assert _counts(results, name) == {
            ("stopped at a rung", 1): 10,
            ("stopped at a rung", 3): 3,
            ("done", EPOCHS): 2 + 2,
        }, "two of fifteen are left, and the best of them is confirmed on two further seeds"
    best = best_trials(results.values(), higher_is_better=True)
    whole, plain = _played(_config("budget 15", "sgd", "adam"), _rising)
    assert best == best_trials(plain.values(), higher_is_better=True)
    assert whole[-1].phase == "confirming"


def test_who_is_behind_at_a_rung_is_out_though_it_would_have_been_the_best() -> None:
    asked = _config("budget 15 halving", "adam")
    _, results = _played(asked, _crossing)
    _, plain = _played(_config("budget 15", "adam"), _crossing)
    chosen = best_trials(results.values(), higher_is_better=True)["adam"]
    unhurried = best_trials(plain.values(), higher_is_better=True)["adam"]
    assert chosen.learning_rate > unhurried.learning_rate
    assert not chosen.stopped
    assert chosen.seeds == 3


def test_a_stopped_trial_wins_only_where_all_others_diverged() -> None:
    def late(run: Run, epoch: int) -> float:
        return math.nan if epoch > 3 else _rising(run, epoch)

    asked = _config("budget 15 halving", "sgd")
    _, results = _played(asked, late)
    statuses = {str(each.status) for each in results.values()}
    assert statuses == {"stopped at a rung", "diverged"}
    assert best_trials(
        [each for each in results.values() if each.run.seed == 0], higher_is_better=True
    )["sgd"].stopped


def test_what_diverged_before_a_rung_is_never_kept_for_what_did_not() -> None:
    def high(run: Run, epoch: int) -> float:
        return math.nan if run.hyperparameters["learning_rate"] > 0.05 else _rising(run, epoch)

    asked = _config("budget 15 halving", "sgd")
    seen, results = _played(asked, high)
    on = [results[run.run_id] for run in seen[2].runs]
    assert {each.status for each in on} <= {Status.DONE, Status.STOPPED_AT_RUNG}
    assert all(each.epochs_trained >= 3 for each in on)
    assert any(each.status is Status.DIVERGED for each in results.values())
    assert all(results[run.run_id].status is not Status.DIVERGED for run in seen[2].stopped)


def test_the_mean_over_the_seeds_decides_at_a_rung() -> None:
    best: list[tuple] = []

    def lucky(run: Run, epoch: int) -> float:
        if run.trial not in best:
            best.append(run.trial)
        number = best.index(run.trial)
        return 0.9 - 0.01 * number if number else (0.99, 0.5)[run.seed]

    seen, _ = _played(_config("budget 3 halving", "adam", seeds=2), lucky)
    assert [run.trial for run in seen[1].runs] == [best[1]] * 2


def test_the_order_of_the_optimizers_changes_nothing() -> None:
    _, one = _played(_config("budget 12 halving", "sgd", "adam"), _crossing)
    _, other = _played(_config("budget 12 halving", "adam", "sgd"), _crossing)
    assert one.keys() == other.keys()
    assert all(one[run].status is other[run].status for run in one)


@pytest.mark.parametrize("ends", [1, 2, 3, 4])
@pytest.mark.parametrize("kept", [True, False])
def test_a_search_that_was_killed_comes_to_the_same_trials(ends: int, kept: bool) -> None:
    asked = _config("budget 15 halving", "sgd", "adam")
    _, whole = _played(asked, _crossing)
    _, part = _played(asked, _crossing, ends=ends)
    # Who waited goes on from its rung, or from nothing; what is stored stays.
    stored = {run: each for run, each in part.items() if kept or each.status is not Status.WAITING}
    _, again = _played(asked, _crossing, stored=stored)
    assert again.keys() == whole.keys()
    for run_id, each in whole.items():
        assert again[run_id].status is each.status
        np.testing.assert_array_equal(
            again[run_id].curves.validation_metric, each.curves.validation_metric
        )


def test_a_rung_that_was_decided_stays_so_on_a_machine_with_other_digits() -> None:
    asked = _config("budget 15 halving", "sgd")
    _, part = _played(asked, _rising, ends=3)
    stored = {run: each for run, each in part.items() if each.status is not Status.WAITING}
    stopped = {run for run, each in stored.items() if each.status is Status.STOPPED_AT_RUNG}
    _, again = _played(asked, lambda run, epoch: -_rising(run, epoch), stored=stored)
    assert {
        run
        for run, each in again.items()
        if each.status is Status.STOPPED_AT_RUNG and each.epochs_trained == 1
    } == stopped


def test_an_optimizer_without_anything_to_search_trains_to_the_end() -> None:
    _, results = _played(_config("budget 15 halving", "gd_exact", "sgd"), lambda run, epoch: 0.5)
    assert _counts(results, "gd_exact") == {("done", EPOCHS): 1}


def test_too_few_epochs_are_refused() -> None:
    with pytest.raises(InputError, match="one in 3 of their epochs, and there are 2 in all"):
        _config("budget 15 halving", "sgd", epochs=2)
    assert _config("budget 15", "sgd", epochs=2).rungs == ()
