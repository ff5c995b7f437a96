"""Numbers as people read them."""

from __future__ import annotations

import math

import pytest

from fallline.report import formats
from fallline.report.formats import MetricFormat

ACCURACY = MetricFormat("accuracy", "accuracy", 1)
RMSE = MetricFormat("rmse", "RMSE", 3)


@pytest.mark.parametrize(
    ("rate", "text"),
    [
        (0.001, "1e-3"),
        (0.0032, "3.2e-3"),
        (0.00099, "9.9e-4"),
        (1e-5, "1e-5"),
        (0.00123, "1.23e-3"),
        (0.0099999999, "1e-2"),
        (0.01, "0.01"),
        (0.32, "0.32"),
        (1.0, "1"),
        (32.0, "32"),
        (2000.0, "2e3"),
        (math.nan, "—"),
    ],
)
def test_learning_rates(rate, text):
    assert formats.learning_rate(rate) == text


def test_shares_are_percentages():
    assert ACCURACY.figure(0.9787) == "97.9 %"
    assert ACCURACY.number(0.9787) == "97.9"
    assert ACCURACY.with_interval(0.979, 0.976, 0.982) == "97.9 % ± 0.3"
    assert ACCURACY.with_interval(0.979, math.nan, math.nan) == "97.9 %"
    assert ACCURACY.with_interval(0.99, 0.97, 1.0) == "99.0 % ± 2.0"
    assert ACCURACY.figure(math.nan) == "—"


def test_errors_keep_three_digits():
    assert RMSE.figure(0.74249) == "0.742"
    assert RMSE.with_interval(0.7424, 0.7304, 0.7544) == "0.742 ± 0.012"
    assert RMSE.with_interval(48213.2, 48000.0, 48426.4) == "48213 ± 213"
    assert RMSE.with_interval(3.14159, 3.04, 3.24) == "3.14 ± 0.10"


def test_differences_have_their_sign():
    assert ACCURACY.difference(-0.0191) == "-1.9"
    assert ACCURACY.difference(0.004) == "+0.4"
    assert ACCURACY.difference(0.0) == "0.0"
    assert RMSE.difference(0.0123) == "+0.0123"
    assert RMSE.difference(-0.000252, beside=0.694) == "-0.0003"
    assert RMSE.difference(0.00001, beside=0.694) == "0.0000"
    assert RMSE.difference(12.3, beside=1250.0) == "+12.3"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (8.5e-5, "85 µs"),
        (1.23e-3, "1.2 ms"),
        (0.25, "250 ms"),
        (3.44, "3.4 s"),
        (59.97, "1 min 00 s"),
        (125.4, "2 min 05 s"),
        (3725.0, "1 h 02 min"),
        (math.nan, "—"),
    ],
)
def test_durations(seconds, text):
    assert formats.duration(seconds) == text


def test_times_to_the_target():
    assert formats.reached(1347.0) == "1,347"
    assert formats.reached(2.5) == "2.5"
    assert formats.reached(math.inf) == "not reached"
    assert formats.reached(math.nan) == "—"


def test_p_values():
    texts = [formats.p_value(p) for p in (0.0001, 0.0312, 0.4567, 1.0, math.nan)]
    assert texts == ["< 0.001", "0.031", "0.46", "1.00", "—"]


def test_lists_of_names():
    assert formats.listed([]) == ""
    assert formats.listed(["a"]) == "a"
    assert formats.listed(["a", "b"]) == "a and b"
    assert formats.listed(["a", "b", "c", "d"]) == "a, b, c and d"
    assert formats.listed(["a", "b", "c", "d", "e"]) == "a, b, c and 2 others"
