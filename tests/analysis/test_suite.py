"""How optimizers stand over several tasks: every figure worked by hand from a small suite."""

from __future__ import annotations

import math

import numpy as np
import pytest

import made_suite
from fallline.analysis.suite import FIGURES, OVERALL, normalised
from made_suite import DIVERGED, THREE, Made

nan = math.nan


@pytest.fixture(scope="module")
def three():
    return made_suite.reading(THREE)


def test_ranks_are_by_test_figures_and_divergence_is_last(three):
    # sgd ranks 2, 1, 1; adam 1, 2, 2; rmsprop, best on two seeds of the second, diverged on one.
    assert three.optimizers == ("sgd", "adam", "rmsprop")
    assert three.tasks == ("first", "second", "third")
    assert three.ranks.tolist() == [[2, 1, 3], [1, 2, 3], [1, 2, 3]]
    assert three.overall["average_rank"].tolist() == pytest.approx([4 / 3, 5 / 3, 3])
    assert three.overall["best_on"].tolist() == [2, 1, 0]
    assert three.overall["diverged"].tolist() == [0, 0, 1]


def test_wins_are_those_of_each_tasks_own_test(three):
    # On the third, sgd and adam cannot be told apart; on the others they win one each.
    sgd, adam, rmsprop = range(3)
    assert three.wins.wins[sgd].tolist() == [0, 1, 3]
    assert three.wins.wins[adam].tolist() == [1, 0, 3]
    assert three.wins.wins[rmsprop].tolist() == [0, 0, 0]
    assert three.wins.ties[sgd, adam] == 1
    assert three.won[0, adam, sgd]
    assert not three.won[0, sgd, adam]
    rows = three.overall.set_index("optimizer")[["wins", "ties", "losses"]]
    assert rows.loc["sgd"].tolist() == [4, 1, 1]
    assert rows.loc["rmsprop"].tolist() == [0, 0, 6]


def test_relations_are_to_the_best_of_the_task(three):
    rows = three.figures.set_index(["task", "optimizer"])
    assert rows.loc[("first", "adam"), "relation"] == "best"
    assert rows.loc[("first", "sgd"), "relation"] == "worse"
    assert rows.loc[("second", "rmsprop"), "relation"] == "diverged"
    assert rows.loc[("third", "adam"), "relation"] == "not distinguishable"
    assert rows.loc[("second", "adam"), "difference"] == pytest.approx(0.1)
    assert list(three.figures.columns) == list(FIGURES)
    assert list(three.overall.columns) == list(OVERALL)


def test_profile_and_score_are_of_the_times_to_the_targets(three):
    # Ratios of sgd 2, 1, 1 and of adam 1, 2, 1; rmsprop reaches nothing.
    assert three.profile.factors.tolist() == [1.0, 2.0]
    assert three.profile.shares == pytest.approx(np.array([[2, 2, 0], [3, 3, 0]]) / 3)
    assert three.overall["score"].tolist() == pytest.approx([8 / 9, 8 / 9, 0])
    steps = three.figures.set_index(["task", "optimizer"])["steps_to_target"]
    assert steps["first", "sgd"] == 200
    assert math.isinf(steps["third", "rmsprop"])


def test_scores_are_normalised_and_their_middle_half_is_taken(three):
    # sgd's nine: 0.4, 0.5, 0.6 (from 0.72 to 0.92), 1.2, 1.0, 0.8 (from 0.52 down to 0.42), and
    # 0.3, 0.4, 0.36 over 0.8533 - 0.5; two are cut at either end.
    third = [0.30 / 0.35333333, 0.40 / 0.35333333, 0.36 / 0.35333333]
    middle = np.sort([0.4, 0.5, 0.6, 1.2, 1.0, 0.8, *third])[2:-2]
    rows = three.overall.set_index("optimizer")
    assert rows.loc["sgd", "iqm"] == pytest.approx(middle.mean())
    assert rows.loc["sgd", "iqm_low"] < rows.loc["sgd", "iqm"] < rows.loc["sgd", "iqm_high"]
    cells = three.figures.set_index(["task", "optimizer"])["normalised"]
    assert cells["first", "sgd"] == pytest.approx(0.5)
    # 1.2 and 1.1; the diverged seed counts as the worst run of the task, adam's 0.54: -0.2.
    assert cells["second", "rmsprop"] == pytest.approx((1.2 + 1.1 - 0.2) / 3)


def test_friedman_and_the_critical_difference(three):
    # Rank sums 4, 5 and 9: 12 / 36 * 122 - 36; q(3) = 2.343 (Demsar 2006, table 5).
    assert three.difference.friedman.statistic == pytest.approx(12 / 36 * 122 - 36)
    assert three.difference.distance == pytest.approx(2.343 * math.sqrt(12 / 18), abs=1e-3)
    assert three.difference.cliques == ((0, 1, 2),)
    assert three.least_p_value == pytest.approx(math.exp(-3))
    assert not three.ranks_reject


@pytest.mark.parametrize(
    ("figures", "higher", "expected"),
    [
        ([[0.9, 0.7]], True, [[1, 0]]),
        ([[0.5, 0.9], [0.7, 0.9]], False, [[4 / 3, 0], [2 / 3, 0]]),
        ([[0.9, nan], [0.9, 0.95]], True, [[1, 0], [1, 1]]),
        ([[nan, 0.8, 0.6], [0.5, 0.8, 0.6]], True, [[-0.5, 1, 0], [-0.5, 1, 0]]),
        ([[nan, nan]], True, [[0, 0]]),
    ],
)
def test_normalised_by_hand(figures, higher, expected):
    found = normalised(np.array(figures), higher_is_better=higher)
    assert found == pytest.approx(np.array(expected, float))


def test_the_order_of_the_optimizers_changes_nothing():
    turned = {
        name: Made(dict(reversed(made.figures.items())), made.reached, made.metric)
        for name, made in THREE.items()
    }
    one, two = made_suite.reading(THREE), made_suite.reading(turned)
    assert two.optimizers == one.optimizers
    assert two.overall.equals(one.overall)


def test_a_task_that_is_not_complete_counts_nowhere():
    found = made_suite.reading(THREE, unfinished=["second"])
    assert (found.tasks, found.unfinished) == (("first", "third"), ("second",))
    assert not found.complete
    assert found.ranks.shape == (2, 3)
    assert found.overall["average_rank"].tolist() == [1.5, 1.5, 3]
    none = made_suite.reading(THREE, unfinished=list(THREE))
    assert (none.optimizers, none.overall.empty, none.figures.empty) == ((), True, True)
    assert none.difference is None


def test_an_optimizer_that_a_task_lacks_is_left_out():
    first = THREE["first"]
    less = Made({"adam": first.figures["adam"], "sgd": first.figures["sgd"]}, first.reached)
    found = made_suite.reading({"second": THREE["second"], "first": less})
    assert found.missing == {"rmsprop": ("first",)}
    assert set(found.optimizers) == {"adam", "sgd"}
    assert found.difference is None, "Friedman's test compares three"


def test_equal_figures_share_a_rank_and_all_diverged_ones_too():
    tie = {"adam": (0.9, 0.9), "sgd": (0.9, 0.9), "rmsprop": (DIVERGED,) * 2, "gd": (DIVERGED,) * 2}
    found = made_suite.reading({name: Made(tie, dict.fromkeys(tie, 1)) for name in ("one", "two")})
    assert found.ranks.tolist() == [[1.5, 1.5, 3.5, 3.5]] * 2
    relations = found.figures[found.figures["task"] == "one"].set_index("optimizer")["relation"]
    assert relations[["adam", "sgd", "gd"]].tolist() == ["best", "best", "diverged"]
