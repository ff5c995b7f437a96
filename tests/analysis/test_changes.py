"""Who would be recommended after fewer epochs, or if seconds counted."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from fallline.analysis.changes import Sooner, early, sooner
from fallline.analysis.effort import Effort

SEEDS = (1000, 1001, 1002, 1003)


@pytest.fixture
def read_curves(run_row, make_reading):
    """A reading of final runs: per optimizer a curve, jittered a little and differently by seed."""

    def make(curves, *, jitter=0.002, status=None, **changes):
        rows = [
            run_row(
                name,
                seed,
                0.0,
                curve=[value + jitter * ((7 * place + 3 * number) % 4) for value in curve],
                test=curve[-1],
                status=(status or {}).get((name, seed), "done"),
            )
            for number, (name, curve) in enumerate(curves.items())
            for place, seed in enumerate(SEEDS)
        ]
        return make_reading(rows, **changes)

    return make


def test_another_that_is_ahead_early_is_named_with_its_lead(read_curves):
    reading = read_curves({"slow": [0.2, 0.5, 0.8, 0.95], "fast": [0.7, 0.5, 0.85, 0.9]}, epochs=4)
    first, second = early(reading, "slow")
    assert (first.epoch, first.optimizer) == (1, "fast")
    assert first.difference == pytest.approx(0.5, abs=0.01)
    assert first.p_value < 0.001
    assert (second.epoch, second.optimizer, second.difference) == (2, "slow", 0.0)
    assert math.isnan(second.p_value)


def test_a_lead_within_the_seeds_spread_is_none(read_curves):
    curves = {"a": [0.2, 0.5, 0.8, 0.95], "b": [0.201, 0.501, 0.8, 0.9]}
    found = early(read_curves(curves, epochs=4, jitter=0.05), "a")
    assert [each.optimizer for each in found] == ["a", "a"]


def test_of_an_error_the_smaller_figure_is_ahead(read_curves):
    curves = {"slow": [2.0, 1.0, 0.6, 0.5], "fast": [0.9, 0.8, 0.7, 0.6]}
    first, second = early(read_curves(curves, epochs=4, metric="rmse"), "slow")
    assert (first.optimizer, second.optimizer) == ("fast", "fast")
    assert first.difference == pytest.approx(1.1, abs=0.01)


def test_who_diverged_by_then_does_not_lead(read_curves):
    curves = {"a": [0.2, 0.5, 0.8, 0.9], "b": [0.9]}
    gone = {("b", seed): "diverged" for seed in SEEDS[:2]}
    reading = read_curves(curves, epochs=8, status=gone)
    # At epoch 2 the runs of b that did not diverge hold their figure; two of four did.
    assert [each.optimizer for each in early(reading, "a")] == ["a", "a"]


def test_what_cannot_be_said_is_left_out(read_curves, run_row, make_reading):
    curves = {"a": [0.2, 0.5], "b": [0.9, 0.6]}
    assert early(read_curves(curves, epochs=1), "a") == ()
    assert [each.epoch for each in early(read_curves(curves, epochs=2), "a")] == [1]
    single = [run_row(name, 1000, 0.0, curve=curve, test=0.5) for name, curve in curves.items()]
    assert early(make_reading(single, epochs=4), "a") == ()
    unknown = [{**row, "validation_metric": row["validation_metric"][:0]} for row in single]
    unknown += [{**row, "seed": 1001} for row in unknown]
    assert early(make_reading(unknown, epochs=4), "a") == ()


def test_who_reaches_the_target_in_less_time():
    usual = Effort("a", True, 4.0, 8, 1.0, False, 1e-3, 2.0)
    quick = replace(usual, optimizer="b", target_seconds=1.0)
    similar = replace(usual, optimizer="c", target_seconds=1.9)
    never = replace(usual, optimizer="d", target_seconds=math.inf)
    assert sooner({"a": usual, "b": quick, "d": never}, "a") == Sooner("b", 1.0, 2.0)
    assert sooner({"a": usual, "c": similar}, "a") is None
    assert sooner({"b": quick, "a": usual}, "b") is None
    assert sooner({"d": never, "b": quick}, "d") == Sooner("b", 1.0, math.inf)
    assert sooner({"d": never}, "d") is None
