"""How finely so many examples measure, against the binomial and against simulation."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest
from scipy import stats

from fallline.analysis.resolution import Resolution, resolution, resolutions, unresolved


@pytest.fixture
def task(run_row, make_reading):
    def make(metric: str, examples: int):
        found = make_reading([run_row("a", 0, 0.5)], metric=metric).document.task
        return msgspec.structs.replace(found, test_examples=examples, validation_examples=examples)

    return make


def test_a_share_has_the_binomials_error(task):
    found = resolution(task("accuracy", 400), "test", 0.9)
    assert found.step == 1 / 400
    assert found.error == pytest.approx(stats.binom(400, 0.9).std() / 400, rel=0.01)
    assert found.half_width == pytest.approx(1.96 * found.error, rel=1e-4)
    perfect = resolution(task("accuracy", 100), "test", 1.0)
    assert perfect.error == pytest.approx(math.sqrt(101 / 102 * 1 / 102 / 100))


def test_an_errors_error_is_that_of_normal_residuals(task):
    rng = np.random.default_rng(3)
    drawn = np.sqrt(np.mean(rng.normal(0, 2.0, (4000, 300)) ** 2, axis=1))
    found = resolution(task("rmse", 300), "validation", 2.0)
    assert found.step == 0.0
    assert found.error == pytest.approx(drawn.std(), rel=0.05)


def test_differences_smaller_than_the_half_width_are_not_resolved():
    found = Resolution("test", 400, 1 / 400, 0.01)
    assert found.resolves([0.03, -0.02])
    assert not found.resolves([0.03, -0.019])
    assert not found.resolves([0.03, 0.001])
    assert found.resolves([math.nan, 0.03])


def test_of_no_difference_the_number_of_examples_decides():
    assert Resolution("validation", 100, 0.01, 0.2).resolves([])
    assert not Resolution("validation", 99, 0.01, 0.2).resolves([])


def finals(run_row, figures):
    return [
        run_row(name, 1000 + place, own[0] + shift, test=own[0] + shift)
        for name, own in figures.items()
        for place, shift in enumerate((0.0, 0.001, 0.002))
    ]


def test_small_test_data_are_named_where_a_small_difference_is_called_one(run_row, make_reading):
    rows = finals(run_row, {"a": [0.95], "b": [0.93]})
    found = make_reading(rows, test_examples=400)
    assert found.summary["relation"].tolist() == ["best", "worse"]
    assert [each.split for each in resolutions(found)] == ["test", "validation"]
    assert [each.split for each in unresolved(found)] == ["test"]
    assert unresolved(make_reading(rows, test_examples=40_000)) == ()
    # Without test data there is nothing to be resolved.
    assert [each.split for each in resolutions(make_reading(rows))] == ["validation"]
