"""Divergence and early stopping, against the rules written out in plain Python."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fallline.engine import health
from fallline.errors import InputError
from fallline.planning.stopping import MONITORS, EarlyStopping

RECORDS = Path(__file__).parents[1] / "golden"


def _after_steps(losses: list[float]) -> health.Health:
    state = health.healthy("float32")
    for loss in losses:
        state = health.after_step(state, jnp.float32(loss))
    return state


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 2.1e4, -2.1e4])
def test_the_first_bad_loss_is_remembered(bad: float) -> None:
    state = _after_steps([2.0, 1.5, bad, np.nan, 1.0])
    assert int(state.diverged_step) == 2
    assert int(state.step) == 5
    assert bool(health.after_epoch(state, jnp.zeros(4), None, higher_is_better=True).stopped)


def test_last_finite_loss_is_the_one_before_the_divergence() -> None:
    assert float(_after_steps([2.0, 1.5, np.nan, 9.0]).last_finite_loss) == 1.5


def test_a_loss_that_is_large_from_the_start_has_not_exploded() -> None:
    assert int(_after_steps([5e4, 6e4, 4e4]).diverged_step) == -1


def test_a_loss_that_is_bad_from_the_start_has_diverged_at_step_0() -> None:
    assert int(_after_steps([np.nan]).diverged_step) == 0
    assert int(_after_steps([np.inf]).diverged_step) == 0


def _stops_after(stopping: EarlyStopping, figures: list[float], *, higher: bool) -> int:
    """Epochs trained before the run is stopped."""
    state = health.healthy("float32")
    column = MONITORS.index(stopping.monitor)
    for figure in figures:
        row = jnp.zeros(4).at[column].set(figure)
        state = health.after_epoch(state, row, stopping, higher_is_better=higher)
        if bool(state.stopped):
            break
    return int(state.epoch)


def _expected(stopping: EarlyStopping, figures: list[float], *, up: bool) -> int:
    best, waited = np.inf, 0
    for epoch, figure in enumerate(figures, 1):
        signed = -figure if up else figure
        if signed < best - stopping.min_delta:
            best, waited = signed, 0
        else:
            waited += 1
        if waited >= stopping.patience:
            return epoch
    return len(figures)


@pytest.mark.parametrize("patience", [1, 2, 4])
@pytest.mark.parametrize("min_delta", [0.0, 0.15])
@pytest.mark.parametrize("monitor", MONITORS)
@pytest.mark.parametrize("higher", [True, False])
def test_early_stopping_is_the_rule(
    patience: int, min_delta: float, monitor: str, higher: bool
) -> None:
    figures = [float(f) for f in np.random.default_rng(3).normal(size=30).round(1)]
    stopping = EarlyStopping(monitor, min_delta, patience)
    up = higher and monitor.endswith("metric")
    expected = _expected(stopping, figures, up=up)
    assert _stops_after(stopping, figures, higher=higher) == expected
    assert expected < 30


def test_early_stopping_is_that_of_keras() -> None:
    """Epochs trained and best epoch, on sequences that Keras's callback was given."""
    record = json.loads((RECORDS / "early_stopping.json").read_text())
    assert len(record["cases"]) == 120
    for case in record["cases"]:
        figures = record["sequences"][case["sequence"]]
        stopping = EarlyStopping(case["monitor"], case["min_delta"], case["patience"])
        state, step = health.healthy("float32"), _step(stopping, case["higher_is_better"])
        for figure in figures:
            state = step(state, figure)
            if bool(state.stopped):
                break
        assert int(state.epoch) == case["epochs"], case
        assert int(state.epoch) - int(state.waited) == case["best_epoch"], case


@cache
def _step(stopping: EarlyStopping, higher: bool) -> Callable[[health.Health, float], health.Health]:
    column = MONITORS.index(stopping.monitor)

    def step(state: health.Health, figure: float) -> health.Health:
        row = jnp.zeros(4).at[column].set(figure)
        return health.after_epoch(state, row, stopping, higher_is_better=higher)

    return jax.jit(step)


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(InputError, match="unknown figure to monitor 'val_loss'") as caught:
        EarlyStopping("val_loss")
    assert "validation_loss" in (caught.value.hint or "")
    with pytest.raises(InputError, match="patience"):
        EarlyStopping(patience=0)
    with pytest.raises(InputError, match="min_delta"):
        EarlyStopping(min_delta=-1.0)
