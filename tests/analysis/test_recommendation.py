"""What is recommended, how surely, and against what: on figures worked by hand."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from scipy import stats

from fallline.analysis.comparison import Relation
from fallline.analysis.effort import Advantage
from fallline.analysis.recommendation import Certainty, recommend
from fallline.analysis.tunability import Leader

BEST = (0.98, 0.981, 0.982, 0.983, 0.979)
CLOSE = (0.982, 0.979, 0.981, 0.982, 0.981)
LEVEL = (0.981, 0.98, 0.98, 0.984, 0.98)
WORSE = (0.90, 0.91, 0.905, 0.902, 0.907)
LOWER = (0.968, 0.979, 0.96, 0.975, 0.966)


@pytest.fixture
def advise(run_row, make_reading):
    """The recommendation of final runs with these test figures, ranked in this order."""

    def make(figures, *, search=(), status=None, rates=None, **changes):
        rows = [
            run_row(
                name,
                1000 + place,
                0.99 - 0.01 * number,
                rate=(rates or {}).get(name, 0.01),
                test=value,
                status=(status or {}).get((name, place), "done"),
            )
            for number, (name, values) in enumerate(figures.items())
            for place, value in enumerate(values)
        ]
        return recommend(make_reading([*search, *rows], **changes))

    return make


@pytest.mark.parametrize(
    ("figures", "certainty"),
    [
        ({"a": BEST, "b": WORSE}, Certainty.CLEAR),
        ({"a": BEST, "b": LOWER, "c": LOWER, "d": LOWER, "e": LOWER}, Certainty.LIKELY),
        ({"a": BEST, "b": CLOSE, "c": WORSE}, Certainty.TIED),
        ({"a": WORSE, "b": BEST}, Certainty.CONTRADICTED),
        ({"a": BEST}, Certainty.ALONE),
        ({"a": BEST[:1], "b": WORSE[:1]}, Certainty.UNKNOWN),
    ],
)
def test_how_sure_it_is(advise, figures, certainty):
    found = advise(figures)
    assert found.certainty is certainty
    assert found.chosen.optimizer == "a"
    assert [each.optimizer for each in found.others] == list(figures)[1:]


def test_the_chosen_one_is_the_studys_best_with_its_figures(advise):
    found = advise({"a": BEST, "b": CLOSE}).chosen
    assert found.hyperparameters == {"learning_rate": 0.01}
    assert found.searched == ("learning_rate",)
    assert found.test.mean == pytest.approx(0.981)
    interval = stats.t.interval(0.95, 4, np.mean(BEST), stats.sem(BEST))
    assert (found.test.low, found.test.high) == pytest.approx(interval)
    assert found.validation.mean == pytest.approx(0.99)


def test_the_others_carry_difference_interval_p_and_odds(advise):
    (other,) = advise({"a": BEST, "b": LOWER}).others
    test = stats.ttest_rel(LOWER, BEST)
    assert other.difference == pytest.approx(np.mean(LOWER) - np.mean(BEST))
    assert (other.low, other.high) == pytest.approx(tuple(test.confidence_interval(0.95)))
    assert other.p_value == pytest.approx(test.pvalue)
    wins = np.mean([(one > two) + (one == two) / 2 for one in BEST for two in LOWER])
    assert other.improvement == pytest.approx(wins)
    assert (other.seeds, other.relation) == (5, Relation.WORSE)


def test_of_an_error_the_smaller_is_better(run_row, make_reading):
    rows = [
        run_row(name, 1000 + place, 1 - value, test=1 - value)
        for name, values in (("a", WORSE), ("b", BEST))
        for place, value in enumerate(values)
    ]
    found = recommend(make_reading(rows, metric="rmse"))
    assert (found.chosen.optimizer, found.certainty) == ("b", Certainty.CLEAR)
    assert found.others[0].difference == pytest.approx(np.mean(BEST) - np.mean(WORSE))
    assert found.others[0].improvement == 1.0


def test_no_difference_larger_than_d_holds_for_all_of_them_together(advise):
    found = advise({"a": BEST, "b": CLOSE, "c": LEVEL})
    assert [each.optimizer for each in found.equals] == ["b", "c"]

    def bound(values, level):
        apart = np.subtract(values, BEST)
        return abs(apart.mean()) + stats.t.ppf(1 - level, 4) * stats.sem(apart)

    assert found.equals[0].bound == pytest.approx(bound(CLOSE, 0.05))
    assert found.bound.largest == pytest.approx(max(bound(CLOSE, 0.025), bound(LEVEL, 0.025)))
    assert found.bound.level == pytest.approx(0.05)
    assert advise({"a": BEST, "b": WORSE}).bound is None


def search_of(run_row, figures):
    rates = (0.001, 0.01, 0.1)
    return [
        run_row(name, 0, figure, rate=rate, phase="search")
        for name, own in figures.items()
        for rate, figure in zip(rates, own, strict=True)
    ]


def test_of_equals_the_one_that_needs_fewer_trials_is_the_easiest(advise, run_row):
    search = search_of(run_row, {"a": (0.3, 0.95, 0.3), "b": (0.93, 0.935, 0.934)})
    found = advise({"a": BEST, "b": CLOSE}, search=search)
    assert found.easiest == "b"
    assert found.chosen.optimizer == "a"
    assert found.advantages("b") == (Advantage.FEWER_TRIALS, Advantage.WIDER_BASIN)
    # One trial of a: 0.517 on average; of b, 0.933. Two: 0.733. Three: 0.95.
    assert found.changes.budget == (Leader(1, 2, "b"), Leader(3, 3, "a"))


def test_one_that_is_worse_is_not_the_easiest(advise, run_row):
    search = search_of(run_row, {"a": (0.3, 0.95, 0.3), "b": (0.93, 0.935, 0.934)})
    assert advise({"a": BEST, "b": WORSE}, search=search).easiest == ""


def test_who_diverged_on_fresh_seeds_is_told_apart(advise):
    found = advise({"a": BEST, "b": BEST}, status={("b", 1): "diverged"})
    assert found.certainty is Certainty.CLEAR
    (other,) = found.related(Relation.DIVERGED)
    assert math.isnan(other.difference)
    assert math.isnan(other.bound)
    assert found.equals == ()


def test_nothing_is_recommended_where_all_diverged(advise):
    gone = {(name, place): "diverged" for name in "ab" for place in range(5)}
    found = advise({"a": BEST, "b": CLOSE}, status=gone)
    assert found.certainty is Certainty.NOTHING
    assert found.chosen is None
    assert found.efforts == {}


def test_an_unfinished_study_has_a_leader_and_no_comparison(run_row, make_reading):
    reading = make_reading(search_of(run_row, {"a": (0.3, 0.95, 0.3), "b": (0.93, 0.94, 0.93)}))
    found = recommend(dataclasses.replace(reading, complete=False))
    assert found.certainty is Certainty.UNFINISHED
    assert found.chosen.optimizer == "a"
    assert math.isnan(found.chosen.test.mean)
    assert (found.others, found.changes.early, found.changes.sooner) == ((), (), None)


def test_the_order_of_optimizers_and_seeds_changes_nothing(run_row, make_reading):
    rows = search_of(run_row, {"a": (0.3, 0.95, 0.3), "b": (0.93, 0.935, 0.934)})
    rows += [
        run_row(name, 1000 + place, figure, test=value)
        for name, figure, values in (("a", 0.99, BEST), ("b", 0.98, CLOSE), ("c", 0.9, WORSE))
        for place, value in enumerate(values)
    ]
    one, two = recommend(make_reading(rows)), recommend(make_reading(rows[::-1]))
    # Their texts: NaN is not equal to itself.
    assert repr(one) == repr(two)
