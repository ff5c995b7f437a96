"""The cube of a search: the same points for all, mapped to each optimizer's own ranges."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fallline import optimizers
from fallline.planning import coordinates
from fallline.planning.coordinates import axes, beyond, dimensions, on_border, points, setting
from fallline.spaces import Dimension, Range

MIDDLE = (0.5, 0.5, 0.5)


def _varied(name: str) -> dict[int, str]:
    return {each.axis: each.name for each in dimensions(optimizers.get(name))}


def test_the_axes_are_learning_rate_momentum_and_epsilon() -> None:
    assert _varied("sgd") == {0: "learning_rate"}
    assert _varied("momentum") == {0: "learning_rate", 1: "momentum"}
    assert _varied("adam") == {0: "learning_rate", 1: "beta_1", 2: "epsilon"}
    # Its momentum is 0 by default, which is out of its range; rho is what it begins with.
    assert _varied("rmsprop") == {0: "learning_rate", 1: "rho", 2: "epsilon"}
    assert _varied("shampoo") == {0: "learning_rate", 2: "epsilon"}
    assert _varied("gd_exact") == {}


def test_what_an_option_switches_off_is_not_searched() -> None:
    entry = optimizers.get("aggmo")
    dormant = [each.name for each in entry.hyperparameters if each.only_with]
    assert "beta_3" in dormant
    assert not set(dormant) & set(_varied("aggmo").values())


def test_axes_join_as_the_trials_grow() -> None:
    assert [axes(trial) for trial in (1, 7, 8, 20, 21, 500)] == [1, 1, 2, 2, 3, 3]


def test_points_are_the_same_for_a_larger_budget_and_another_for_another_study() -> None:
    assert points(40, 0)[:14] == points(14, 0)
    assert points(14, 0) != points(14, 1)
    assert points(0, 0) == ()
    assert len(points(1, 0)) == 1


def test_points_fill_every_axis_evenly() -> None:
    # A net in base 2: each of 32 equal cells of every axis holds one of 32 points.
    drawn = np.array(points(32, 0))
    assert drawn.shape == (32, 3)
    for column in drawn.T:
        assert sorted((column * 32).astype(int)) == list(range(32))


@pytest.mark.parametrize(
    ("span", "share", "value"),
    [
        (Range(1e-4, 1.0), 0.5, 1e-2),
        (Range(1e-4, 1.0), 1.25, 10.0),
        (Range(0.0, 3.0, "linear"), 0.25, 0.75),
        (Range(0.9, 0.999, "log_one_minus"), 0.5, 0.99),
        (Range(0.9, 0.999, "log_one_minus"), 0.0, 0.9),
    ],
)
def test_a_range_is_walked_in_its_scale(span: Range, share: float, value: float) -> None:
    assert span.at(share) == pytest.approx(value, rel=1e-12)
    assert span.share(value) == pytest.approx(share, abs=1e-12)


def test_values_without_a_place_in_the_scale_lie_at_an_end() -> None:
    assert Range(1e-4, 1.0).share(0.0) == 0.0
    assert Range(0.9, 0.999, "log_one_minus").share(1.0) == 1.0


def test_a_setting_is_the_point_in_the_optimizers_own_ranges() -> None:
    adam = optimizers.get("adam")
    space = dimensions(adam)
    # By hand: 3e-6 to 1.2 has the geometric middle 1.897e-3; 1 - 0.5 to 1 - 0.9999 has 7.07e-3;
    # epsilon is 1e-4 (the middle of 1e-8 to 1) of the learning rate.
    assert setting(adam, space, MIDDLE, 3) == adam.complete(
        {"learning_rate": 1.9e-3, "beta_1": 1 - 7.07e-3, "epsilon": 1.9e-7}
    )
    assert setting(adam, space, MIDDLE, 2)["epsilon"] == adam.defaults["epsilon"]
    assert setting(adam, space, MIDDLE, 1) == adam.complete({"learning_rate": 1.9e-3})


def test_epsilon_moves_along_its_ratio_to_the_learning_rate_where_it_is_said_so() -> None:
    ratio = Dimension("epsilon", 2, 1e-8, 1.0, "log", per_learning_rate=True)
    assert ratio.value(0.5, 0.03) == 3e-6
    assert ratio.share({"epsilon": 3e-6, "learning_rate": 0.03}) == pytest.approx(0.5)
    alone = Dimension("epsilon", 2, 1e-8, 1.0, "log")
    assert alone.value(0.5, 0.03) == 1e-4
    assert alone.share({"epsilon": 1e3, "learning_rate": 0.03}) == 1.0


def test_two_optimizers_with_equal_ranges_get_equal_settings() -> None:
    first, second = optimizers.get("adabound"), optimizers.get("eadam")
    for point in points(24, 0):
        one, other = (setting(each, dimensions(each), point, 3) for each in (first, second))
        for name in ("learning_rate", "beta_1", "epsilon"):
            assert one[name] == other[name]


def test_settings_are_written_with_three_digits() -> None:
    adam = optimizers.get("adam")
    for point in points(24, 3):
        found = setting(adam, dimensions(adam), point, 3)
        for value in (found["learning_rate"], found["epsilon"], 1 - found["beta_1"]):
            assert value == pytest.approx(float(f"{value:.2e}"), rel=1e-9)
        assert len(str(found["beta_1"])) <= 14


def test_every_entry_of_the_catalogue_can_be_searched() -> None:
    for entry in optimizers.resolve("all"):
        space = dimensions(entry)
        for corner in ((0.0,) * 3, (1.0,) * 3):
            values = setting(entry, space, corner, 3)
            for each in space:
                share = each.share(values)
                assert share == pytest.approx(corner[0], abs=1e-2), (entry.name, each.name)


def test_a_border_is_the_largest_or_the_smallest_rate() -> None:
    assert on_border(0.1, [0.1, 0.01]) == 1
    assert on_border(0.01, [0.1, 0.01]) == -1
    assert on_border(0.05, [0.1, 0.05, 0.01]) == 0
    assert on_border(0.1, [0.1, 0.1]) == 0
    assert on_border(math.nan, []) == 0


def test_beyond_the_border_is_up_to_a_decade_beyond_the_range() -> None:
    adam = optimizers.get("adam")
    rate = dimensions(adam)[0]
    best = adam.complete({"learning_rate": 0.12, "beta_1": 0.5})
    # From 0.12 to 12: a factor of 100, half of which is 10.
    assert [beyond(adam, rate, best, 1, share) for share in (0.5, 1.0)] == [
        best | {"learning_rate": 1.2},
        best | {"learning_rate": 12.0},
    ]
    low = adam.complete({"learning_rate": 3e-5})
    assert beyond(adam, rate, low, -1, 0.5)["learning_rate"] == 3e-6
    outside = adam.complete({"learning_rate": 12.0})
    assert beyond(adam, rate, outside, 1, 1.0)["learning_rate"] == 120.0


def test_the_roles_are_named_in_the_order_of_the_axes() -> None:
    assert coordinates.ROLES[coordinates.LEARNING_RATE] == "learning rate"
    assert coordinates.ROLES[coordinates.MOMENTUM] == "momentum"
    assert coordinates.ROLES[coordinates.EPSILON] == "epsilon"
