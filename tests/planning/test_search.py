"""Budgets of trials, round by round, against results made by hand."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from fallline import optimizers
from fallline.planning import coordinates, rounds
from fallline.planning.config import StudyConfig
from fallline.planning.protocol import parse
from fallline.planning.search import Search, ends
from fallline.planning.selection import best_share, best_trials, trial_from
from fallline.records import Curves, Run, RunResult, Status

Figure = Callable[[Run], float]
"""The last validation metric of a run; NaN: it diverged."""


def trained(run: Run, metric: float) -> RunResult:
    gone = math.isnan(metric)
    curve = np.array([metric], np.float32)
    status = Status.DIVERGED if gone else Status.DONE
    return RunResult(run, status, Curves(1 - curve, curve, 1 - curve, curve), steps=1)


def config(rule: str, *names: str, **settings) -> StudyConfig:
    asked = {"epochs": 1, "batch_size": 8, "seeds": 1, **settings}
    return StudyConfig(names, protocol=parse(rule), **asked)


def played(asked: StudyConfig, figure: Figure) -> tuple[list[tuple[str, list[Run]]], dict]:
    """The rounds of a study whose runs come out as ``figure`` says, and all results."""
    results: dict[str, RunResult] = {}
    seen = []
    chosen = optimizers.resolve(asked.optimizers)
    for phase, runs, *_ in rounds.rounds(chosen, asked, results, higher_is_better=True):
        seen.append((phase, runs))
        results |= {run.run_id: trained(run, figure(run)) for run in runs}
    return seen, results


def near(rate: float) -> Figure:
    """Best at a learning rate, worse with every decade away from it."""
    return lambda run: 1 - 0.1 * abs(math.log10(run.hyperparameters["learning_rate"] / rate))


def rates(runs: list[Run], name: str) -> list[float]:
    own = [run.hyperparameters["learning_rate"] for run in runs if run.optimizer == name]
    return list(dict.fromkeys(own))


def test_the_default_comes_first_and_the_points_after_it_whatever_the_order() -> None:
    asked = config("budget 15", "adam", "sgd")
    (_, runs), *_ = played(asked, near(0.01))[0]
    (_, shuffled), *_ = played(config("budget 15", "sgd", "adam"), near(0.01))[0]
    for name in ("adam", "sgd"):
        own = [run.hyperparameters for run in runs if run.optimizer == name]
        assert own == [run.hyperparameters for run in shuffled if run.optimizer == name]
        assert own[0] == optimizers.get(name).defaults
    shared = coordinates.points(11, asked.study_seed)
    for name in ("adam", "sgd"):
        first = coordinates.dimensions(optimizers.get(name))[0]
        shares = [first.range.share(rate) for rate in rates(runs, name)[1:]]
        assert shares == pytest.approx([point[0] for point in shared], abs=1e-3)


@pytest.mark.parametrize("trials", [1, 2, 4, 7, 15, 24])
def test_every_optimizer_has_as_many_trials(trials: int) -> None:
    # sgd is best on its upper border, so that it is widened; adam in the middle.
    figures = {"sgd": near(1e4), "adam": near(3e-3)}
    seen, _ = played(
        config(f"budget {trials}", "sgd", "adam"), lambda run: figures[run.optimizer](run)
    )
    tried: dict[str, set] = {"sgd": set(), "adam": set()}
    for phase, runs in seen:
        for run in runs:
            tried[run.optimizer].add(run.trial)
            assert run.seed == 0 or phase == "confirming"
            assert run.phase == "search"
    assert {name: len(settings) for name, settings in tried.items()} == dict(
        sgd=trials, adam=trials
    )


def test_one_axis_then_two_then_three_vary() -> None:
    seen, _ = played(config("budget 24", "adam"), near(3e-3))
    runs = [run for phase, own in seen for run in own if phase == "search"]
    default = optimizers.get("adam").defaults
    for number, run in enumerate(runs, start=1):
        changed = {name for name, value in run.hyperparameters.items() if value != default[name]}
        expected = {"learning_rate", "beta_1", "epsilon"}
        if number <= 20:
            expected -= {"epsilon"}
        if number <= 7:
            expected -= {"beta_1"}
        assert changed == (expected if number > 1 else set()), number


def test_an_optimizer_with_nothing_to_search_has_its_default_alone() -> None:
    seen, _ = played(config("budget 15", "gd_exact"), lambda run: 0.5)
    assert [run.seed for _, runs in seen for run in runs] == [0]


def test_the_last_fifth_goes_beyond_the_border_where_the_best_lies_on_it() -> None:
    seen, _ = played(config("budget 15", "sgd", "adam"), near(1e4))
    (_, first), (_, last), (confirming, _) = seen
    assert confirming == "confirming"
    top = coordinates.dimensions(optimizers.get("sgd"))[0].high
    best, more = max(rates(first, "sgd")), rates(last, "sgd")
    assert len(rates(first, "sgd")) == 12
    assert len(more) == 3
    # In equal steps, on a log scale, to ten times the range's end.
    assert more[-1] == pytest.approx(10 * top)
    steps = np.diff(np.log([best, *more]))
    assert steps == pytest.approx(np.full(3, steps.mean()), rel=0.02)


def test_a_best_inside_is_not_widened() -> None:
    (_, first), (_, last), _ = played(config("budget 15", "adam"), near(3e-3))[0]
    shared = coordinates.points(14, 0)[11:]
    space = coordinates.dimensions(optimizers.get("adam"))
    assert [run.hyperparameters for run in last] == [
        coordinates.setting(optimizers.get("adam"), space, point, 2) for point in shared
    ]
    assert len(first) == 12


def test_where_all_diverge_smaller_rates_are_tried() -> None:
    (_, first), (_, last), _ = played(config("budget 15", "sgd"), lambda run: math.nan)[0]
    assert max(rates(last, "sgd")) < min(rates(first, "sgd"))


def test_the_best_tenth_is_confirmed_on_three_seeds_and_the_mean_decides() -> None:
    # The trial that is best on seed 0 is the worse of the two that are confirmed.
    tried: list[tuple] = []

    def figure(run: Run) -> float:
        if run.trial not in tried:
            tried.append(run.trial)
        number = tried.index(run.trial)
        if run.seed == 0:
            return {3: 0.95, 5: 0.94, 6: 0.93}.get(number, 0.5)
        return {3: 0.60, 5: 0.90}.get(number, 0.99)

    seen, results = played(config("budget 15", "adam"), figure)
    confirmed = seen[-1][1]
    assert [(tried.index(run.trial), run.seed) for run in confirmed] == [
        (3, 1),
        (3, 2),
        (5, 1),
        (5, 2),
    ]
    best = best_trials(results.values(), higher_is_better=True)["adam"]
    assert tried.index(("adam", tuple(sorted(best.hyperparameters.items())))) == 5
    assert best.seeds == 3
    assert best.mean_metric == pytest.approx((0.94 + 0.9 + 0.9) / 3, abs=1e-6)


def test_with_three_seeds_of_every_trial_there_is_nothing_to_confirm() -> None:
    seen, _ = played(config("budget 15", "adam", seeds=3), near(3e-3))
    assert sum(len(runs) for _, runs in seen) == 15 * 3
    assert seen[-1] == ("confirming", [])
    assert config("budget 15", "adam", seeds=2).confirm_seeds == (0, 1, 2)
    assert config("budget 15", "adam", seeds=5).confirm_seeds == (0, 1, 2, 3, 4)


def test_a_diverged_seed_counts_as_the_worst() -> None:
    def figure(run: Run) -> float:
        rate = run.hyperparameters["learning_rate"]
        return math.nan if rate > 0.02 else near(1.0)(run)

    _, results = played(config("budget 15", "adam"), figure)
    best = best_trials(results.values(), higher_is_better=True)["adam"]
    assert best.diverged == 0
    tried = {result.run.hyperparameters["learning_rate"] for result in results.values()}
    assert best.learning_rate == max(rate for rate in tried if rate <= 0.02)


@pytest.mark.parametrize(("count", "kept"), [(1, 1), (4, 1), (10, 1), (11, 2), (15, 2), (30, 3)])
def test_a_tenth_is_rounded_up(count: int, kept: int) -> None:
    runs = [Run("adam", {"learning_rate": k + 1.0}, 0, "search", 1) for k in range(count)]
    trials = [trial_from("adam", run.hyperparameters, []) for run in runs]
    assert best_share(trials, 0.1, higher_is_better=True) == trials[:kept]


@pytest.mark.parametrize(
    ("rule", "found"),
    [
        ("budget 1", [1]),
        ("budget 4", [4]),
        ("budget 5", [4, 5]),
        ("budget 15", [12, 15]),
        ("budget 12 tpe", [10, 12]),
        ("budget 30 tpe", [10, 13, 16, 19, 22, 24, 30]),
    ],
)
def test_a_budget_goes_in_rounds(rule: str, found: list[int]) -> None:
    assert ends(parse(rule)) == found


def test_a_search_that_is_played_again_takes_the_same_trials() -> None:
    _, results = played(config("budget 24", "sgd", "adam"), near(1e4))
    asked = config("budget 24", "sgd", "adam")
    chosen = optimizers.resolve(asked.optimizers)
    again = [
        run.run_id
        for each in rounds.rounds(chosen, asked, results, higher_is_better=True)
        for run in each.runs
    ]
    assert again == list(results)


def test_a_search_is_exhausted_with_its_points_or_without_anything_to_vary() -> None:
    asked = config("time 1s", "sgd")
    one = Search(optimizers.get("sgd"), asked, coordinates.points(2, 0), {}, True)
    assert not one.exhausted
    one.taken = 3
    assert one.exhausted
    bare = Search(optimizers.get("gd_exact"), asked, coordinates.points(2, 0), {}, True)
    assert not bare.exhausted
    assert len(bare.extend(1)) == 1
    assert bare.exhausted


def test_the_runs_of_a_study_are_known_beforehand() -> None:
    chosen = optimizers.resolve("sgd,adam")
    assert rounds.expected(chosen, config("budget 15", "sgd", "adam", seeds=3)) == 15 * 3 + 5
    assert rounds.expected(chosen, config("budget 15", "sgd", "adam")) == 15 + 2 * 2 + 5
    assert rounds.expected(chosen, config("grid", "sgd", "adam", seeds=3)) == 7 * 3 + 5


def test_a_model_chooses_the_trials_after_the_shared_points() -> None:
    pytest.importorskip("optuna")
    names = ("sgd", "adam", "gd_exact")
    figures = {"sgd": near(1e4), "adam": near(3e-3), "gd_exact": lambda run: 0.5}

    def figure(run: Run) -> float:
        return figures[run.optimizer](run)

    seen, results = played(config("budget 20 tpe", *names), figure)
    plain, _ = played(config("budget 20", *names), figure)
    assert seen[0][1][:10] == plain[0][1][:10], "the first ten are the shared points"
    tried = {name: [r for _, own in seen for r in rates(own, name)] for name in ("sgd", "adam")}
    assert {name: len(set(own)) for name, own in tried.items()} == {"sgd": 20, "adam": 20}
    top = coordinates.dimensions(optimizers.get("sgd"))[0].high
    assert sum(rate > top for rate in tried["sgd"]) >= 2, "widened within its budget"
    chosen = np.log10(tried["adam"][10:])
    assert np.abs(chosen - np.log10(3e-3)).mean() < 1.0, "towards the best, of 5.6 decades"
    asked = config("budget 20 tpe", *names)
    again = rounds.rounds(optimizers.resolve(names), asked, results, higher_is_better=True)
    assert [run.run_id for each in again for run in each.runs] == list(results)
