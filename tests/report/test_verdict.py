"""The verdict's sentence and its warnings, case by case."""

from __future__ import annotations

import numpy as np
import pytest

from fallline.report.verdict import verdict, warnings


def with_test_figures(figures: dict[str, list[float]], validation: dict[str, float]):
    """An edit of the runs: the test figures and the last validation figure of the final runs."""

    def edit(runs):
        runs = runs[runs["optimizer"].isin(figures)].copy()
        for name, values in figures.items():
            final = runs.index[(runs["optimizer"] == name) & (runs["phase"] == "final")]
            assert len(final) == len(values)
            for index, value in zip(final, values, strict=True):
                runs.at[index, "test_metric"] = value
                curve = np.full(30, validation[name], np.float32)
                runs.at[index, "validation_metric"] = curve
        return runs

    return edit


BEST = [0.98, 0.981, 0.982, 0.983, 0.979]
CLOSE = [0.982, 0.979, 0.981, 0.982, 0.981]
WORSE = [0.90, 0.91, 0.905, 0.902, 0.907]


@pytest.fixture
def study(make_reading):
    def make(figures, validation=None, **changes):
        order = {name: 0.99 - 0.01 * k for k, name in enumerate(figures)}
        edit = with_test_figures(figures, validation or order)
        return make_reading(optimizers=tuple(figures), edit=edit, **changes)

    return make


def test_the_sentence_of_a_usual_study(study):
    reading = study({"adam": BEST, "nadam": CLOSE, "sgd": WORSE})
    assert verdict(reading) == (
        "use adam at 1e-3: 98.1 % test accuracy (95 % interval 97.9 to 98.3); "
        "nadam is not distinguishable from it"
    )


def test_all_others_worse(study):
    assert verdict(study({"adam": BEST, "nadam": WORSE, "sgd": WORSE})).endswith(
        "; both others are distinguishably worse"
    )


def test_a_difference_that_many_optimizers_leave_in_doubt_is_called_probable(study):
    # Alone it would be told (p about 0.02); corrected for four it is not.
    lower = [0.968, 0.979, 0.96, 0.975, 0.966]
    reading = study({"adam": BEST, "sgd": lower, "gd": lower, "nadam": CLOSE, "eadam": CLOSE})
    assert verdict(reading).endswith(
        "; nadam and eadam are not distinguishable from it; sgd and gd are probably worse"
    )
    assert any("sgd and gd fall short of the best" in warning for warning in warnings(reading))


def test_no_difference_is_a_verdict(study):
    sentence = verdict(study({"adam": BEST, "nadam": CLOSE, "eadam": CLOSE}))
    assert sentence.endswith(
        "nadam and eadam are not distinguishable from it, so no optimizer is shown to be better"
    )


def test_what_test_data_says_against_the_choice_is_said(study):
    sentence = verdict(study({"adam": WORSE, "nadam": BEST}))
    assert sentence.startswith("use adam at 1e-3: 90.5 % test accuracy")
    assert "on test data nadam does better, which validation did not see" in sentence


def test_a_single_optimizer_is_compared_with_none(study):
    assert verdict(study({"adam": BEST})) == (
        "use adam at 1e-3: 98.1 % test accuracy (95 % interval 97.9 to 98.3)"
    )


def test_one_seed_cannot_tell(study):
    reading = study({"adam": [0.98], "sgd": [0.90]}, fresh=1)
    assert verdict(reading) == (
        "use adam at 1e-3: 98.0 % test accuracy; with fewer than two fresh seeds, whether the "
        "others differ cannot be told"
    )
    assert any("single fresh seed" in warning for warning in warnings(reading))


def test_defaults_are_called_defaults(make_reading):
    reading = make_reading(
        optimizers=("adam", "sgd"),
        searched=False,
        edit=lambda runs: runs[runs["phase"] == "final"],
    )
    assert "adam at 1e-3, its default: " in verdict(reading)
    assert any("none was searched" in warning for warning in warnings(reading))


def test_an_unfinished_study_is_not_sold_as_a_verdict(make_reading):
    searched = make_reading(complete=False, edit=lambda runs: runs[runs["phase"] == "search"])
    assert verdict(searched).startswith("the study is not finished: 321 runs are stored; so far ")
    assert "use" not in verdict(searched)
    assert "goes on with it" in warnings(searched)[0]
    empty = make_reading(complete=False, edit=lambda runs: runs[:0])
    assert verdict(empty) == "the study is not finished: no run is stored yet"


def test_nothing_is_recommended_where_all_diverged(make_reading):
    reading = make_reading(
        optimizers=("adam", "sgd"), edit=lambda runs: runs.assign(status="diverged")
    )
    assert verdict(reading).startswith("every optimizer diverged")
    assert any("52 of 52 runs diverged" in warning for warning in warnings(reading))


def test_a_clean_study_has_no_warning(study):
    assert warnings(study({"adam": BEST, "nadam": CLOSE})) == []


def test_few_seeds_are_said(study):
    reading = study({"adam": BEST[:3], "nadam": CLOSE[:3]}, fresh=3)
    assert warnings(reading) == [
        "With only 3 fresh seeds the intervals are wide; add seeds to tell more."
    ]


def test_borders_are_said(make_reading):
    def cut(runs):
        return runs[~((runs["optimizer"] == "adam") & (runs["learning_rate"] > 1e-3))]

    assert warnings(make_reading(optimizers=("adam", "nadam"), edit=cut)) == [
        "The best learning rate is the largest tried for adam at 1e-3: a larger one may do better."
    ]


def test_divergence_on_fresh_seeds_is_said_apart(make_reading):
    def diverge(runs):
        return runs.assign(
            status=runs["status"].mask(
                (runs["optimizer"] == "nadam") & (runs["seed"] == 1001), "diverged"
            )
        )

    reading = make_reading(optimizers=("adam", "nadam"), edit=diverge)
    assert warnings(reading) == [
        "nadam at 1e-3 diverged on 1 of its 5 fresh seeds.",
        "1 of 52 runs diverged and counted as the worst: nadam 1.",
    ]
    assert "nadam" not in verdict(reading)
