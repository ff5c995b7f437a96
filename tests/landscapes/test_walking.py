"""Walks against steps that are worked out here by hand, in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fallline
from fallline import optimizers
from fallline.errors import InputError
from fallline.landscapes import landscape, rates
from fallline.landscapes.walking import walk
from fallline.records import Status

POLYNOMIAL = [0.000017, -0.001133, 0.029241, -0.36691, 2.234115, -5.510020, 4.722197]
SLOPE = np.polyder(POLYNOMIAL)
FIRST, SECOND = 2.103157159310003, 20.522782104263237


def by_hand(rule: str, rate: float, steps: int) -> list[float]:
    """The study's rules on its polynomial from 0: gradient descent, momentum, Adam."""
    x = velocity = mean = square = 0.0
    found = [x]
    for step in range(1, steps + 1):
        slope = float(np.polyval(SLOPE, x))
        if rule == "adam":
            mean = 0.9 * mean + 0.1 * slope
            square = 0.999 * square + 0.001 * slope**2
            root = np.sqrt(square / (1 - 0.999**step)) + EPSILON
            x -= rate * mean / (1 - 0.9**step) / root
        else:
            velocity = (0.9 if rule == "momentum" else 0.0) * velocity - rate * slope
            x += velocity
        found.append(x)
    return found


EPSILON = optimizers.get("adam").defaults["epsilon"]


@pytest.fixture(scope="module")
def on_polynomial() -> dict[str, Any]:
    given = {"sgd": (0.1, 5.0), "momentum": 0.1, "adam": 5.0}
    walked = walk("polynomial", "sgd,momentum,adam", learning_rates=given)
    return {path.label: path for path in walked.paths}


@pytest.mark.parametrize(
    ("label", "rule", "rate", "steps"),
    [("sgd 0.1", "sgd", 0.1, 200), ("momentum", "momentum", 0.1, 200), ("adam", "adam", 5.0, 60)],
)
def test_steps_are_those_worked_by_hand(
    on_polynomial: dict[str, Any], label: str, rule: str, rate: float, steps: int
) -> None:
    path = on_polynomial[label]
    wanted = by_hand(rule, rate, steps)
    np.testing.assert_allclose(path.points[: steps + 1, 0], wanted, rtol=0, atol=1e-12)
    np.testing.assert_allclose(
        path.values[: steps + 1], np.polyval(POLYNOMIAL, wanted), rtol=1e-12, atol=1e-11
    )
    slopes = np.abs(np.polyval(SLOPE, wanted))
    np.testing.assert_allclose(path.slopes[: steps + 1], slopes, rtol=1e-12, atol=1e-11)


def test_small_steps_rest_in_the_first_minimum(on_polynomial: dict[str, Any]) -> None:
    path = on_polynomial["sgd 0.1"]
    assert path.status is Status.DONE
    assert path.points[-1, 0] == pytest.approx(FIRST, abs=1e-9)
    assert np.all(np.diff(path.values) <= 1e-14)


def test_too_large_steps_diverge_within_three(on_polynomial: dict[str, Any]) -> None:
    path = on_polynomial["sgd 5"]
    assert path.status is Status.DIVERGED
    assert path.steps == 3
    assert path.points[1, 0] == pytest.approx(5 * 5.510020)
    assert abs(path.points[-1, 0]) > 1e6 * 24


def test_adam_leaps_out_of_the_first_minimum_into_the_second(on_polynomial: dict[str, Any]) -> None:
    assert on_polynomial["momentum"].points[-1, 0] == pytest.approx(FIRST, abs=1e-3)
    assert on_polynomial["adam"].points[1, 0] == pytest.approx(5.0, abs=1e-6)
    assert on_polynomial["adam"].points[-1, 0] == pytest.approx(SECOND, abs=1e-3)


def test_the_polynomials_own_rates_are_the_studys() -> None:
    walked = walk("polynomial", steps=2)
    assert [(path.label, path.learning_rate, path.chosen_by) for path in walked.paths] == [
        ("sgd", 0.1, "source"),
        ("momentum", 0.1, "source"),
        ("adam", 5.0, "source"),
    ]


def test_exact_line_search_on_the_quadratic() -> None:
    path = walk("quadratic", "gd_exact", steps=60).paths[0]
    first = path.points[1]
    np.testing.assert_allclose(first, [0.0, 0.5], atol=1e-12)
    slope_at_start = np.array([0.0, -2.0])
    assert np.linalg.norm(first) / np.linalg.norm(slope_at_start) == pytest.approx(1 / 4)
    np.testing.assert_allclose(path.points[2], [0.5, 0.5], atol=1e-7)
    np.testing.assert_allclose(path.points[-1], [1.0, 1.0], atol=1e-6)
    steps = np.diff(path.points[:6], axis=0)
    turned = np.sum(steps[1:] * steps[:-1], axis=1)
    np.testing.assert_allclose(turned, 0.0, atol=1e-7)
    assert path.learning_rate is None


def test_a_walk_takes_every_argument_that_an_update_may_need() -> None:
    names = "lbfgs,sophia,schedule_free_adamw,adam:torch+cosine"
    walked = walk("booth", names, learning_rates="default", steps=20)
    assert [path.label for path in walked.paths] == names.split(",")
    for path in walked.paths:
        assert path.points.shape == (21, 2)
        assert path.status is Status.DONE
        assert path.values[-1] < path.values[0]
    np.testing.assert_allclose(walked.paths[0].points[-1], [1.0, 3.0], atol=1e-6)


def test_noise_is_drawn_from_the_seed() -> None:
    ends = [
        walk("booth", "noisy_sgd", learning_rates=0.01, steps=5, seed=seed).paths[0].points[-1]
        for seed in (0, 0, 1)
    ]
    np.testing.assert_array_equal(ends[0], ends[1])
    assert not np.array_equal(ends[0], ends[2])


def test_a_path_ends_where_its_function_has_no_value() -> None:
    path = walk("x - log(x)", "sgd", learning_rates=10.0, start=(3.0,), steps=9).paths[0]
    assert path.status is Status.DIVERGED
    assert path.steps == 1  # 3 - 10 (1 - 1/3) = -3.67
    np.testing.assert_allclose(path.points[:, 0], [3.0, 3 - 10 * (1 - 1 / 3)])
    assert np.isnan(path.values[-1])


def test_settings_are_for_all_that_have_them_or_for_one() -> None:
    given = {"beta_1": 0.5, "momentum.momentum": 0.8, "adam.beta_1": 0.7}
    walked = walk("booth", "momentum,adam,amsgrad", settings=given, learning_rates=0.01, steps=1)
    found = {path.label: path.hyperparameters for path in walked.paths}
    assert found["momentum"]["momentum"] == 0.8
    assert found["adam"]["beta_1"] == 0.7
    assert found["amsgrad"]["beta_1"] == 0.5
    assert all(each["learning_rate"] == 0.01 for each in found.values())


def test_a_tuned_rate_is_one_of_those_tried_and_beats_the_others() -> None:
    tuned = walk("booth", "sgd", steps=40).paths[0]
    assert tuned.chosen_by == "tuned"
    ends = [
        walk("booth", "sgd", learning_rates=rate, steps=40).paths[0].values[-1]
        for rate in (0.02, 0.05, 0.1)
    ]
    assert tuned.learning_rate == 0.1
    assert tuned.values[-1] == min(ends)
    # 2/18 is where the steep direction starts to oscillate without end.
    assert walk("booth", "sgd", learning_rates=0.2, steps=40).paths[0].values[-1] > 1


def test_the_first_to_arrive_and_stay_is_best() -> None:
    entry = optimizers.get("sgd")
    rows = tuple(entry.complete({"learning_rate": each}) for each in (0.1, 0.2, 0.3, 0.4))
    plan = rates.Plan(entry, (), rows, rates.TUNED)
    values = np.array(
        [
            [1.0, 0.5, 0.1, 0.0, 0.0],  # stays from step 3
            [1.0, 0.0, 0.2, 0.2, 0.0],  # passes through, stays from step 4
            [1.0, 0.0, 0.0, 0.0, np.nan],  # has no value in the end
            [1.0, 2.0, 0.0, 0.0, 0.0],  # stays from step 2, but rises first
        ]
    )
    points = np.zeros((4, 5, 2))
    ground = landscape("booth")
    assert rates.best(plan, points, values, ground) == 0
    points[0, 2] = 12.0  # leaves the box
    assert rates.best(plan, points, values, ground) == 1
    points[:] = 1e9
    assert rates.best(plan, points, values, ground) == 0


def test_the_table_has_a_row_per_step() -> None:
    walked = fallline.walk("x1^2 + x2^2", "sgd", learning_rates=0.25, start=(1.0, 2.0), steps=2)
    table = walked.table()
    assert list(table.columns) == ["path", "optimizer", "step", "x1", "x2", "f", "gradient"]
    assert table["x1"].tolist() == [1.0, 0.5, 0.25]
    assert table["f"].tolist() == [5.0, 1.25, 0.3125]
    np.testing.assert_allclose(table["gradient"], 2 * np.sqrt(table["f"]))
    assert fallline.landscape("booth").name == "booth"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"optimizers": "adamm"}, "unknown optimizer 'adamm'"),
        ({"steps": 0}, "1 to 10000 steps"),
        ({"steps": 10_001}, "1 to 10000 steps"),
        ({"learning_rates": "tunned"}, "unknown learning rate 'tunned'"),
        ({"learning_rates": {"adamw": 0.1}}, "unknown optimizer of a learning rate 'adamw'"),
        ({"learning_rates": -1.0}, "learning_rate of adam"),
        ({"learning_rates": float("nan")}, "must be finite"),
        ({"optimizers": "gd_exact", "learning_rates": {"gd_exact": 1.0}}, "has no learning rate"),
        ({"settings": {"beta7": 0.1}}, "unknown hyper-parameter"),
        ({"settings": {"sgd.beta_1": 0.1}}, "unknown optimizer of a setting 'sgd'"),
    ],
)
def test_what_cannot_be_walked_is_refused_with_a_hint(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError) as caught:
        walk("booth", **{"optimizers": "adam", **changes})
    assert says in str(caught.value)
    assert caught.value.hint or "finite" in says
