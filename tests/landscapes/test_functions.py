"""The landscapes that come along, against formulas and minima written down here by hand."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fallline.errors import InputError
from fallline.landscapes import LANDSCAPES, Box, landscape

c, pi, e = np.cos, np.pi, np.e
BY_HAND: dict[str, Callable[..., float]] = {
    "polynomial": lambda x: np.polyval(
        [0.000017, -0.001133, 0.029241, -0.36691, 2.234115, -5.510020, 4.722197], x
    ),
    "quadratic": lambda x, y: x * x + 2 * y * y - 2 * x * y - 2 * y,
    "rosenbrock": lambda x, y: (1 - x) ** 2 + 100 * (y - x * x) ** 2,
    "beale": lambda x, y: sum(
        (k - x * (1 - y**n)) ** 2 for n, k in enumerate((1.5, 2.25, 2.625), start=1)
    ),
    "himmelblau": lambda x, y: (x * x + y - 11) ** 2 + (x + y * y - 7) ** 2,
    "booth": lambda x, y: (x + 2 * y - 7) ** 2 + (2 * x + y - 5) ** 2,
    "rastrigin": lambda x, y: 20 + x * x + y * y - 10 * (c(2 * pi * x) + c(2 * pi * y)),
    "rastrigin-1d": lambda x: 10 + x * x - 10 * c(2 * pi * x),
    "ackley": lambda x, y: (
        20 * (1 - np.exp(-0.2 * np.hypot(x, y) / np.sqrt(2)))
        + e
        - np.exp((c(2 * pi * x) + c(2 * pi * y)) / 2)
    ),
    "saddle": lambda x, y: (x - y) * (x + y),
    "ill-conditioned": lambda x, y: (x * x + 100 * y * y) / 2,
}
MINIMA = {"himmelblau": 4, "polynomial": 2, "saddle": 0}
WITHOUT_GRADIENT = {"ackley"}
"""Its minimum is the tip of a cone."""


def gradient(name: str, point: np.ndarray) -> np.ndarray:
    function = landscape(name).expression
    with jax.enable_x64(True):
        return np.asarray(jax.grad(lambda at: function(at, jnp))(jnp.asarray(point, jnp.float64)))


def places(name: str) -> np.ndarray:
    box = landscape(name).box
    return np.random.default_rng(5).uniform(box.low, box.high, (20, len(box.low)))


def test_every_landscape_is_held_to_a_formula() -> None:
    assert set(BY_HAND) == set(LANDSCAPES)
    assert all(name == each.name for name, each in LANDSCAPES.items())


@pytest.mark.parametrize("name", LANDSCAPES)
def test_values_are_those_of_the_formula(name: str) -> None:
    ground, points = landscape(name), places(name)
    wanted = [BY_HAND[name](*each) for each in points]
    np.testing.assert_allclose(ground.values(*points.T), wanted, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", LANDSCAPES)
def test_gradients_are_those_of_finite_differences(name: str) -> None:
    step = 1e-5
    for point in places(name)[:5]:
        sides = [
            [BY_HAND[name](*(point + sign * step * axis)) for sign in (1, -1)]
            for axis in np.eye(len(point))
        ]
        wanted = [(right - left) / (2 * step) for right, left in sides]
        np.testing.assert_allclose(gradient(name, point), wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", LANDSCAPES)
def test_minima_are_minima_and_have_their_known_value(name: str) -> None:
    ground = landscape(name)
    assert len(ground.minima) == MINIMA.get(name, 1)
    around = 1e-4 * np.random.default_rng(1).normal(size=(50, ground.dimensions))
    for minimum in ground.minima:
        point = np.asarray(minimum.at)
        assert BY_HAND[name](*point) == pytest.approx(minimum.value, abs=1e-12)
        assert ground.values(*point) == pytest.approx(minimum.value, abs=1e-12)
        if name not in WITHOUT_GRADIENT:
            np.testing.assert_allclose(gradient(name, point), 0.0, atol=1e-9)
        assert all(ground.values(*(point + each)) > minimum.value for each in around)
        assert np.all((ground.box.low < point) & (point < ground.box.high))
    values = [each.value for each in ground.minima]
    assert values == sorted(values)


@pytest.mark.parametrize("name", LANDSCAPES)
def test_starts_lie_in_their_box(name: str) -> None:
    ground = landscape(name)
    assert ground.at() == ground.at(box=None)
    inside = zip(ground.box.low, ground.start, ground.box.high, strict=True)
    assert all(low <= x <= high for low, x, high in inside)


def test_condition_number_is_a_hundred() -> None:
    curvature = [gradient("ill-conditioned", axis) @ axis for axis in np.eye(2)]
    assert max(curvature) / min(curvature) == pytest.approx(100)


def test_an_expression_is_a_landscape_that_starts_where_it_has_a_value() -> None:
    ground = landscape("log(x) * y^2")
    assert not ground.built_in
    assert ground.variables == ("x", "y")
    assert np.isfinite(ground.values(*ground.start))
    moved = ground.at(box=(10.0, 12.0, -1.0, 1.0))
    assert moved.box == Box((10.0, -1.0), (12.0, 1.0))
    assert 10 < moved.start[0] < 12


def test_a_start_outside_of_the_box_makes_it_larger() -> None:
    moved = landscape("rosenbrock").at(start=(5.0, 0.0))
    assert moved.box.high[0] > 5
    assert moved.box.low == landscape("rosenbrock").box.low


@pytest.mark.parametrize(
    ("name", "says", "hint"),
    [
        ("rosenbrok", "unknown landscape 'rosenbrok'", "'rosenbrock'"),
        ("ill conditioned", "unknown landscape", "'ill-conditioned'"),
        ("Himmelblau", "unknown landscape", "'himmelblau'"),
        ("nothing", "unknown landscape 'nothing'", "expressions"),
        ("x*(y", "cannot be read", "numbers"),
    ],
)
def test_unknown_names_are_refused_with_near_ones(name: str, says: str, hint: str) -> None:
    with pytest.raises(InputError, match=says) as caught:
        landscape(name)
    assert hint in str(caught.value.hint)


@pytest.mark.parametrize(
    "change",
    [
        {"start": (1.0,)},
        {"start": (1.0, 2.0, 3.0)},
        {"start": (float("nan"), 1.0)},
        {"start": (1e300, 1.0)},
        {"box": (1.0, 2.0)},
        {"box": (2.0, 1.0, 0.0, 1.0)},
        {"box": (0.0, float("inf"), 0.0, 1.0)},
    ],
)
def test_impossible_starts_and_boxes_are_refused(change: dict[str, tuple[float, ...]]) -> None:
    with pytest.raises(InputError) as caught:
        landscape("rosenbrock").at(**change)
    assert caught.value.hint


def test_a_start_without_a_value_is_refused() -> None:
    with pytest.raises(InputError, match="no finite value"):
        landscape("log(x)").at(start=(-1.0,))
