"""Optimizers against the best one: relations, divergence, few seeds, and the simulated null."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from fallline.analysis.comparison import Relation, compare_to_best


def final_frame(figures: dict[str, list[float]], diverged: dict[str, set[int]] | None = None):
    rows = [
        {
            "optimizer": name,
            "seed": seed,
            "phase": "final",
            "test_metric": math.nan if seed in (diverged or {}).get(name, ()) else value,
            "diverged": seed in (diverged or {}).get(name, ()),
        }
        for name, values in figures.items()
        for seed, value in enumerate(values)
    ]
    return pd.DataFrame(rows)


def relations(frame: pd.DataFrame, ranking: list[str], **options) -> dict[str, Relation]:
    options = {"higher_is_better": True} | options
    return {c.optimizer: c.relation for c in compare_to_best(frame, ranking, **options)}


BEST = [0.97, 0.98, 0.96, 0.975, 0.965]
WORSE = [0.90, 0.91, 0.89, 0.91, 0.89]
SIMILAR = [0.972, 0.976, 0.963, 0.97, 0.968]


def test_what_differs_is_told_from_what_does_not():
    frame = final_frame({"similar": SIMILAR, "best": BEST, "worse": WORSE})
    found = compare_to_best(frame, ["best", "similar", "worse"], higher_is_better=True)
    assert [c.relation for c in found] == ["best", "not distinguishable", "worse"]
    assert [c.relation.distinguishable for c in found] == [None, False, True]
    worse = found[2]
    assert worse.difference == pytest.approx(-0.07)
    assert worse.low < worse.difference < worse.high < 0
    assert worse.seeds == 5


def test_with_errors_the_direction_turns():
    frame = final_frame({"best": [0.5, 0.6, 0.55], "other": [0.8, 0.91, 0.84]})
    assert relations(frame, ["best", "other"], higher_is_better=False)["other"] == "worse"


def test_better_on_test_data_than_the_one_that_validation_chose():
    frame = final_frame({"chosen": WORSE, "other": BEST})
    assert relations(frame, ["chosen", "other"])["other"] is Relation.BETTER


def test_p_values_are_corrected_for_the_number_of_optimizers():
    # Alone p is about 0.03; among ten equal ones its smallest adjusted value is ten times that.
    close = [0.962, 0.979, 0.951, 0.9655, 0.96]
    alone = compare_to_best(
        final_frame({"best": BEST, "a": close}), ["best", "a"], higher_is_better=True
    )
    names = [f"o{k}" for k in range(10)]
    frame = final_frame({"best": BEST} | dict.fromkeys(names, close))
    many = compare_to_best(frame, ["best", *names], higher_is_better=True)
    assert alone[1].relation is Relation.WORSE
    assert many[1].relation is Relation.PROBABLY_WORSE
    assert not many[1].relation.distinguishable
    assert many[1].p_value == pytest.approx(10 * alone[1].p_value)


def test_a_divergence_that_the_best_does_not_share_is_told_without_a_test():
    frame = final_frame({"best": BEST, "wild": [0.99] * 5, "similar": SIMILAR}, {"wild": {2}})
    found = compare_to_best(frame, ["best", "similar", "wild"], higher_is_better=True)
    assert found[2].relation is Relation.DIVERGED
    assert found[2].relation.distinguishable
    assert math.isnan(found[2].p_value)


def test_where_the_best_diverged_too_the_seeds_that_both_finished_are_compared():
    frame = final_frame({"best": BEST, "other": WORSE}, {"best": {0}, "other": {4}})
    other = compare_to_best(frame, ["best", "other"], higher_is_better=True)[1]
    assert other.seeds == 3
    assert other.difference == pytest.approx(np.mean(WORSE[1:4]) - np.mean(BEST[1:4]))


def test_with_one_seed_nothing_can_be_told():
    frame = final_frame({"best": [0.9], "other": [0.2]})
    assert relations(frame, ["best", "other"])["other"] is Relation.UNKNOWN
    assert Relation.UNKNOWN.distinguishable is None


def test_an_interrupted_study_pairs_the_seeds_that_are_there():
    frame = final_frame({"best": BEST, "other": WORSE[:3]})
    assert compare_to_best(frame, ["best", "other"], higher_is_better=True)[1].seeds == 3


def test_without_final_runs_there_is_nothing_to_compare():
    assert compare_to_best(final_frame({"a": [0.5]}), [], higher_is_better=True) == []


def null_rates(correlation: float, *, optimizers: int, seeds: int, studies: int):
    """Shares of studies with any false difference, and of single false differences.

    All optimizers are equal: figures are normal, rounded to one of 1,000 examples, and the best
    is chosen by validation figures, as in a study.
    """
    rng = np.random.default_rng(7)
    names = [f"o{k}" for k in range(optimizers)]
    any_false = single = 0
    for _ in range(studies):
        validation, noise = rng.normal(size=(2, optimizers, seeds))
        test = correlation * validation + math.sqrt(1 - correlation**2) * noise
        figures = np.round(1000 * (0.9 + 0.01 * test)) / 1000
        order = np.argsort(-validation.mean(axis=1))
        frame = final_frame({name: list(figures[k]) for k, name in enumerate(names)})
        ranking = [names[k] for k in order]
        told = relations(frame, ranking, resolution=0.001)
        false = sum(relation in (Relation.WORSE, Relation.BETTER) for relation in told.values())
        any_false += false > 0
        single += false
    return any_false / studies, single / studies / (optimizers - 1)


@pytest.mark.parametrize(("correlation", "most"), [(0.0, 0.05), (0.5, 0.075)])
def test_without_a_true_difference_few_are_told(correlation: float, most: float):
    studies = 300
    any_false, single = null_rates(correlation, optimizers=6, seeds=5, studies=studies)
    # Three standard errors of a share of 300 studies.
    assert any_false < most + 3 * math.sqrt(most * (1 - most) / studies)
    assert single < 0.03
    assert any_false > 0.0
