"""The page of the proof in small: what is equal, planted, covered, repeated, and how it is told."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import fallline
import validity
import validity_drawing as drawing
import validity_page as page
import validity_pools as pools
import validity_sources as sources
import validity_studies as studies
from fallline import models
from fallline.analysis.comparison import compare_to_best
from fallline.analysis.statistics import Interval
from fallline.data.dataset import make_dataset
from fallline.results import Study
from fallline.task import Task

STUDIES = 200


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("entries", [2, 6])
def test_equal_optimizers_are_not_distinguishable(entries: int) -> None:
    # Without Holm's correction one of six entries is told apart in every fifth study.
    draw = drawing.normal(rng(entries), chosen=0.0)
    found = drawing.equals("normal", draw, entries, studies=STUDIES)
    # Three standard errors of 200 studies below 95 %.
    assert 0.904 < found.none_told.value < 1.0
    assert found.none_doubted.value <= found.none_told.value


@pytest.mark.parametrize(("paired", "expected"), [(0.5, 0.803), (0.0, 0.514)])
def test_a_planted_difference_is_found_at_the_stated_rate(paired: float, expected: float) -> None:
    # Of ten pairs with a difference of one deviation of the differences a t-test finds 80.3 %.
    draw = drawing.normal(rng(5), paired=paired)
    found = drawing.planted("normal", draw, 1.0, studies=STUDIES, correlation=paired)
    assert found.expected == pytest.approx(expected, abs=0.002)
    assert found.right.value == pytest.approx(expected, abs=0.1)
    assert found.wrong.hits == 0


@pytest.mark.parametrize("higher", [True, False])
def test_drawn_figures_are_told_by_the_rule_of_a_study(higher: bool) -> None:
    draw = drawing.normal(rng(8))
    seen = set()
    for _ in range(12):
        validation, test = draw(4, 5)
        test = np.round(test + np.array([[0.0], [1.5], [0.4], [0.9]]), 1)
        ranking = np.argsort(-validation.mean(axis=1) if higher else validation.mean(axis=1))
        runs = pd.DataFrame(
            {
                "optimizer": np.repeat(["0", "1", "2", "3"], 5),
                "seed": np.tile(np.arange(5), 4),
                "phase": "final",
                "test_metric": test.ravel(),
                "diverged": False,
            }
        )
        rule = {"higher_is_better": higher, "resolution": 0.1}
        expected = compare_to_best(runs, [str(place) for place in ranking], **rule)
        found = drawing.told(drawing.Figures(validation, test), **rule)
        assert {str(place): each for place, each in enumerate(found)} == {
            each.optimizer: each.relation for each in expected
        }
        seen.update(found)
    assert len(seen) == 5, "every word occurs"


def test_the_closed_form_of_nothing_planted_is_half_the_level() -> None:
    assert drawing.paired_power(0.0, 10) == pytest.approx(0.025)
    assert drawing.paired_power(9.0, 10) == pytest.approx(1.0)


@pytest.mark.parametrize("name", drawing.STUDENTS)
def test_intervals_cover_what_they_promise(name: str) -> None:
    made = {each.name: each for each in drawing.made_populations(20_000)}
    normal = drawing.covered(made["normal"], name, studies=1500, draw=rng(1))
    assert 0.93 < normal.share.value < 0.97
    skewed = drawing.covered(made["very skewed (log-normal)"], name, studies=500, draw=rng(2))
    assert skewed.share.value < 0.93, "the page warns of it"


def test_the_interval_of_a_share_in_closed_form() -> None:
    low, high = drawing.Share(0, 20).interval
    assert (low, high) == pytest.approx((0.0, 1 - 0.025 ** (1 / 20)))
    assert drawing.Share(20, 20).interval[0] == pytest.approx(0.025 ** (1 / 20))
    assert drawing.Share(19, 20).text().startswith("95.0 % (75.1 to 99.9)")


def test_runs_are_drawn_without_replacement_and_stay_whole() -> None:
    figures = np.arange(30.0)
    pool = drawing.Pool("pool", figures, 100 + figures)
    validation, test = pool.draw(rng())(3, 10)
    assert sorted(validation.ravel()) == list(figures)
    assert (test == 100 + validation).all()


@pytest.fixture(scope="module")
def compare(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Study]:
    """A study of a few small trainings; other words change what is asked."""
    draw = rng()
    x = draw.normal(size=(120, 5)).astype(np.float32)
    y = (x @ draw.normal(size=(5, 3))).argmax(axis=1)
    data = make_dataset(x, y, name="blobs", validation=30, test=30)
    task = Task(models.MLP(3, (8,)), data, name="blobs", epochs=2, batch_size=20)

    def train(*names: str, **asked) -> Study:
        folder = tmp_path_factory.mktemp("study") / "of"
        asked = {"protocol": "budget 2", "final_seeds": 2} | asked
        return fallline.compare(task, names or ("sgd", "adam"), out=folder, **asked)

    return train


@pytest.fixture(scope="module")
def trained(compare: Callable[..., Study]) -> Study:
    return compare()


def test_a_study_made_twice_says_the_same(trained: Study, compare: Callable[..., Study]) -> None:
    again = studies.compared("again", trained.path, compare("adam", "sgd").path)
    assert again.same, again
    assert again.runs == len(trained.runs)
    other = studies.compared("other", trained.path, compare(protocol="budget 3").path)
    assert not other.same
    assert other.differing_runs > 0


def test_the_order_of_stored_runs_changes_nothing(trained: Study) -> None:
    assert studies.shuffled(trained, 5, rng()) == studies.Shuffled(5, 0)


def test_what_differs_in_a_table_is_named() -> None:
    row = {"optimizer": "adam", "test_metric": 0.9}
    assert studies._differing([row], [row]) == []
    assert studies._differing([row], [{**row, "test_metric": 0.8}]) == ["test_metric"]
    assert studies._differing([row], []) == ["number of rows"]


def test_equal_entries_are_read_as_a_study_is(trained: Study) -> None:
    readings = list(pools.drawn_studies(trained, "adam", 2, 3, seeds=1))
    assert all(list(each.summary["seeds"]) == [1, 1] for each in readings)
    seen = [set(each.runs["test_loss"]) for each in readings]
    final = trained.runs[trained.runs["phase"] == "final"]
    assert set.union(*seen) == set(final[final["optimizer"] == "adam"]["test_loss"])


def test_an_advantage_is_the_supersets_paired_by_seed(trained: Study) -> None:
    final = trained.runs[trained.runs["phase"] == "final"]
    sgd, adam = (final[final["optimizer"] == each]["test_metric"] for each in ("sgd", "adam"))
    found = studies._included(trained, studies.Pair("adam", "sgd", "made up"), 2)
    assert found.advantage.mean == pytest.approx(adam.mean() - sgd.mean())
    assert (found.superset_figure, found.subset_figure) == pytest.approx((adam.mean(), sgd.mean()))
    assert found.superset_setting.startswith("learning_rate ")
    sgd, adam = (
        final[final["optimizer"] == each]["validation_metric"].map(lambda curve: curve[-1])
        for each in ("sgd", "adam")
    )
    assert found.on_validation.mean == pytest.approx(adam.mean() - sgd.mean())
    assert (found.validation_examples, found.test_examples) == (30, 30)


def advantage(
    high: float, p_value: float = 0.001, *, on_validation: float = -0.001
) -> studies.Inclusion:
    test, chosen = (Interval(end - 0.01, end - 0.02, end, 10) for end in (high, on_validation))
    names = ("digits-mlp", "adam", "momentum")
    return studies.Inclusion(
        *names, 48, "accuracy", 0.95, 0.96, test, chosen, 359, 360, p_value, "", ""
    )


def test_a_superset_loses_only_beyond_its_interval() -> None:
    lost, equal = advantage(-0.001), advantage(0.001, p_value=0.4)
    assert (lost.violated, equal.violated) == (True, False)
    assert studies.surely_violated([lost, equal]) == [lost]
    assert studies.surely_violated([advantage(-0.001, p_value=0.03), equal]) == []


def proof() -> validity.Proof:
    draw = drawing.normal(rng())
    equal = drawing.equals("real", draw, 2, studies=2)
    population = drawing.made_populations(100)[0]
    return validity.Proof(
        read=[dataclasses.replace(equal, none_told=drawing.Share(180, 200))],
        planted=[drawing.planted("paired by 0.5", draw, 1.0, studies=2)],
        covered=[
            drawing.covered(population, name, studies=2, draw=rng()) for name in drawing.INTERVALS
        ],
        inclusions=[advantage(-0.001), advantage(0.01)],
        repeated=[studies.Repeated("one CPU device", 54, 1, ("test_metric",), False)],
    )


def test_the_page_hides_nothing_that_failed() -> None:
    asked = argparse.Namespace(studies=2, simulations=2, bootstraps=2, budget=48, repetitions=2)
    text = page.text(proof(), asked)
    assert "180 said *not distinguishable*, 90.0 % (85.0 to 93.8)" in text
    assert "**not met**" in text
    assert "1 lose beyond the interval" in text
    assert "**loses**" in text
    assert "| one CPU device | 54 | 1 | test_metric | **another** |" in text
    assert "see below what changed" in text
    assert "does not lose on validation data" not in text
    chosen = dataclasses.replace(proof(), inclusions=[advantage(-0.001, on_validation=0.002)])
    text = page.text(chosen, asked)
    assert "In 1 of these 1 the superset does not lose on validation data" in text
    assert "on digits-mlp 359 examples validate and 360 test." in text


def test_every_test_that_the_page_names_is_there() -> None:
    assert sources.missing() == []
    assert sources.missing(Path("elsewhere")) != []
