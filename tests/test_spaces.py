"""Grids of learning rates: rounded, ascending, and widened beyond their border."""

from __future__ import annotations

import math
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fallline.errors import InputError
from fallline.spaces import HALF_DECADE, Range, log_grid, two_digits, widened

CENTRES = st.floats(1e-6, 1e2)


def test_a_grid_of_seven_is_written_as_people_write_it() -> None:
    assert log_grid(1e-3, 7) == (3.2e-5, 1e-4, 3.2e-4, 1e-3, 3.2e-3, 1e-2, 3.2e-2)


@pytest.mark.parametrize(
    ("points", "grid"),
    [(1, (0.01,)), (2, (0.01, 0.032)), (3, (0.0032, 0.01, 0.032)), (4, (0.0032, 0.01, 0.032, 0.1))],
)
def test_an_even_grid_has_its_additional_point_above(points: int, grid: tuple) -> None:
    assert log_grid(0.01, points) == grid


@given(centre=CENTRES, points=st.integers(1, 99))
def test_grids_ascend_with_the_centre_in_the_middle(centre: float, points: int) -> None:
    grid = log_grid(centre, points)
    assert len(grid) == len(set(grid)) == points
    assert list(grid) == sorted(grid)
    assert grid[(points - 1) // 2] == two_digits(centre)
    assert all(0 < value < math.inf for value in grid)
    for low, high in pairwise(grid):
        assert high / low == pytest.approx(HALF_DECADE, rel=0.11)  # two digits: 5 % each


@given(value=st.floats(1e-30, 1e30))
def test_two_digits_are_two_and_near(value: float) -> None:
    rounded = two_digits(value)
    assert rounded == pytest.approx(value, rel=0.05)
    assert len(Decimal(repr(rounded)).normalize().as_tuple().digits) <= 2
    assert two_digits(rounded) == rounded


@pytest.mark.parametrize("points", [0, -3, 100, 5000])
def test_grids_of_no_or_too_many_points_are_refused(points: int) -> None:
    with pytest.raises(InputError, match=f"a grid takes 1 to 99 points, got {points}"):
        log_grid(1e-3, points)


def test_the_best_on_a_border_asks_for_more_beyond_it() -> None:
    grid = (0.001, 0.0032, 0.01)
    assert widened(grid, 0.01) == (0.032, 0.1)
    assert widened(grid, 0.001) == (1e-4, 3.2e-4)
    assert widened(grid, 0.0032) == ()
    assert widened((0.01, 0.001, 0.0032), 0.01) == (0.032, 0.1)  # in any order
    assert widened(grid, 0.01, points=1, step=10) == (0.1,)


@given(centre=CENTRES, points=st.integers(2, 9), ups=st.lists(st.booleans(), max_size=4))
def test_widening_never_tries_a_value_again(centre: float, points: int, ups: list[bool]) -> None:
    grid = log_grid(centre, points)
    for up in ups:
        best = max(grid) if up else min(grid)
        more = widened(grid, best)
        assert len(more) == 2
        assert all(value > best if up else 0 < value < best for value in more)
        grid = (*grid, *more)
    assert len(set(grid)) == len(grid)


@pytest.mark.parametrize(
    ("low", "high", "scale", "message"),
    [
        (1.0, 1.0, "linear", "low < high"),
        (2.0, 1.0, "log", "low < high"),
        (0.0, 1.0, "log", "low > 0"),
        (0.5, 1.0, "log_one_minus", "high < 1"),
        (math.nan, 1.0, "linear", "low < high"),
    ],
)
def test_ranges_that_make_no_sense_are_refused(low, high, scale, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Range(low, high, scale)
