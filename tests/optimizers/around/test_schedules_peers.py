"""Schedules: what Optax, torch and Keras make of the same, and traps."""

from __future__ import annotations

import json
import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from fallline import optimizers
from fallline.errors import InputError

Settings = dict[str, Any]
RECORD = json.loads((Path(__file__).parents[2] / "golden" / "schedules.json").read_text())

# --- other sources


def shares(
    name: str, settings: Settings, total: int, values: Any = None, **options: Any
) -> np.ndarray:
    """The learning rates of a training of ``total`` steps from a peak of 1."""
    entry = optimizers.get(f"sgd+{name}")
    rule = entry.transformation({"learning_rate": 1.0, **settings}, **options)
    losses = jnp.zeros(total) if values is None else jnp.asarray(values)

    def step(state: Any, value: Any) -> Any:
        extra = {"value": value, "total_steps": jnp.asarray(total, jnp.int32)}
        needed = {each: extra[each] for each in sorted(entry.needs)}
        updates, state = rule.update(jnp.ones(()), state, jnp.zeros(()), **needed)
        return state, -updates

    return np.asarray(jax.jit(lambda: jax.lax.scan(step, rule.init(jnp.zeros(())), losses)[1])())


def restarts_of_optax() -> optax.Schedule:
    return optax.sgdr_schedule(
        [
            {
                "init_value": peak,
                "peak_value": peak,
                "warmup_steps": 0,
                "decay_steps": steps,
                "end_value": 0.1,
            }
            for peak, steps in ((1.0, 10), (0.1 + 0.9 * 0.5, 20), (0.1 + 0.9 * 0.25, 40))
        ]
    )


OPTAX = [
    (
        "step",
        {"step_every": 0.2, "step_factor": 0.3},
        optax.exponential_decay(1.0, 14, 0.3, staircase=True),
    ),
    ("exponential", {"exponential_final": 0.02}, optax.exponential_decay(1.0, 70, 0.02)),
    (
        "polynomial",
        {"polynomial_power": 1.7, "polynomial_final": 0.05},
        optax.polynomial_schedule(1.0, 0.05, 1.7, 70),
    ),
    ("cosine", {"cosine_final": 0.15}, optax.cosine_decay_schedule(1.0, 70, 0.15)),
    (
        "cosine_restarts",
        {"cosine_restarts_final": 0.1, "cosine_restarts_peak": 0.5},
        restarts_of_optax(),
    ),
    ("warmup", {"warmup_share": 0.2}, optax.warmup_constant_schedule(1 / 14, 1.0, 13)),
]


@pytest.mark.parametrize(("name", "settings", "schedule"), OPTAX, ids=lambda each: str(each)[:15])
def test_agrees_with_optax(
    name: str, settings: Settings, schedule: optax.Schedule, x64: None
) -> None:
    expected = [float(schedule(jnp.asarray(t, jnp.float64))) for t in range(70)]
    np.testing.assert_allclose(shares(name, settings, 70), expected, rtol=1e-12)


RECORDED: dict[str, tuple[str, Settings, dict[str, Any]]] = {
    "step": ("step", {"step_every": 0.25, "step_factor": 0.3}, {}),
    "exponential": ("exponential", {"exponential_final": 0.9**40}, {}),
    "polynomial": ("polynomial", {"polynomial_power": 2.0}, {}),
    "cosine": ("cosine", {"cosine_final": 0.1}, {}),
    "restarts": (
        "cosine_restarts",
        {"cosine_restarts_multiplier": 3.0, "cosine_restarts_final": 0.05},
        {"cosine_restarts_cycles": 2},
    ),
    "restarts_equal": (
        "cosine_restarts",
        {"cosine_restarts_multiplier": 1.0},
        {"cosine_restarts_cycles": 4},
    ),
    "warmup": ("warmup", {"warmup_share": 0.2}, {}),
    "keras_step": ("step", {"step_every": 0.2, "step_factor": 0.5}, {}),
    "keras_exponential": ("exponential", {"exponential_final": 0.02}, {}),
    "keras_polynomial": ("polynomial", {"polynomial_power": 0.5, "polynomial_final": 0.1}, {}),
    "keras_inverse_time": ("inverse_time", {"inverse_time_rate": 6.0}, {}),
    "keras_cosine": ("cosine", {"cosine_final": 0.2}, {}),
    "keras_restarts": (
        "cosine_restarts",
        {
            "cosine_restarts_multiplier": 3.0,
            "cosine_restarts_peak": 0.7,
            "cosine_restarts_final": 0.1,
        },
        {"cosine_restarts_cycles": 2},
    ),
    "one_cycle_cos": (
        "one_cycle",
        {"one_cycle_rise": 0.3, "one_cycle_initial": 0.1, "one_cycle_final": 0.02},
        {},
    ),
    "one_cycle_linear": (
        "one_cycle",
        {"one_cycle_rise": 0.3, "one_cycle_initial": 0.1, "one_cycle_final": 0.02},
        {"one_cycle_anneal": "linear"},
    ),
    "wsd_1-sqrt": ("wsd", {"wsd_warmup": 0.0, "wsd_decay": 0.3}, {}),
    "wsd_linear": ("wsd", {"wsd_warmup": 0.0, "wsd_decay": 0.3}, {"wsd_shape": "linear"}),
    "wsd_cosine": ("wsd", {"wsd_warmup": 0.0, "wsd_decay": 0.3}, {"wsd_shape": "cosine"}),
    "plateau": (
        "plateau",
        {"plateau_factor": 0.5, "plateau_patience": 2.0, "plateau_window": 0.0},
        {},
    ),
    "plateau_cooldown": (
        "plateau",
        {
            "plateau_factor": 0.4,
            "plateau_patience": 1.0,
            "plateau_cooldown": 3.0,
            "plateau_threshold": 0.03,
            "plateau_window": 0.0,
            "plateau_final": 0.05,
        },
        {},
    ),
}


def test_every_recorded_schedule_is_compared() -> None:
    assert set(RECORDED) == set(RECORD["cases"])


@pytest.mark.parametrize("case", RECORDED)
def test_agrees_with_the_record(case: str, x64: None, record_property: Any) -> None:
    name, settings, options = RECORDED[case]
    expected = np.array(RECORD["cases"][case]["shares"])
    found = shares(name, settings, len(expected), RECORD["losses"], **options)
    error = float(np.max(np.abs(found - expected)))
    peer = ".".join(RECORD["cases"][case]["peer"].split())
    record_property("proof", f"sgd+{name}|{peer}, 40 steps|{error:.1e}|1e-10")
    assert error <= 1e-10
    assert len(set(expected)) > 2


# --- traps


@pytest.mark.parametrize("total", [10, 30, 70, 1000])
@pytest.mark.parametrize("every", ["1/3", "1/10", "3/10", "1/7"])
def test_a_drop_on_a_step_is_not_late_by_rounding(total: int, every: str) -> None:
    part = Fraction(every)
    found = shares("step", {"step_every": float(part), "step_factor": 0.5}, total)
    expected = [0.5 ** math.floor(Fraction(t, total) / part) for t in range(total)]
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_a_restart_on_a_step_is_not_late_by_rounding() -> None:
    found = shares(
        "cosine_restarts", {"cosine_restarts_multiplier": 1.0}, 100, cosine_restarts_cycles=10
    )
    np.testing.assert_allclose(found[::10], 1.0, rtol=1e-6)
    assert np.all(np.diff(found.reshape(10, 10)) < 0)


def test_a_warm_up_of_no_length_and_a_training_of_one_step_have_the_whole_learning_rate() -> None:
    assert shares("warmup", {"warmup_share": 0.0}, 4).tolist() == [1, 1, 1, 1]
    for name in ("step", "exponential", "polynomial", "cosine", "warmup", "wsd", "plateau"):
        assert shares(name, {}, 1).tolist() == [1]


def test_a_shorter_one_cycle_than_its_rise_is_finite() -> None:
    for total in (1, 2, 3, 4):
        assert np.all(np.isfinite(shares("one_cycle", {}, total)))


def test_the_ramp_does_not_delay_the_cosine_inside() -> None:
    both = shares("cosine+warmup", {"warmup_share": 0.5}, 8)
    cosine_alone, ramp = shares("cosine", {}, 8), shares("warmup", {"warmup_share": 0.5}, 8)
    np.testing.assert_allclose(both, cosine_alone * ramp, rtol=1e-6)
    np.testing.assert_allclose(shares("warmup+cosine", {"warmup_share": 0.5}, 8), both, rtol=1e-6)


def test_a_reduction_holds_from_the_step_after_its_window() -> None:
    settings = {"plateau_patience": 0.0, "plateau_factor": 0.5, "plateau_window": 0.2}
    losses = [1.0, 1.0, 3.0, 3.0, 2.0, 2.0, 0.1, 0.1, 0.1, 0.1]
    found = shares("plateau", settings, 10, losses)
    np.testing.assert_allclose(found, [1, 1, 1, 1, 0.5, 0.5, 0.25, 0.25, 0.25, 0.25])


def test_a_schedule_needs_a_learning_rate() -> None:
    with pytest.raises(InputError, match="cosine cannot be put around gd_exact: it has no") as no:
        optimizers.get("gd_exact+cosine")
    assert "hyper-parameters of gd_exact: none" in str(no.value.hint)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("step_every", 0.0),
        ("exponential_final", 0.0),
        ("one_cycle_rise", 1.0),
        ("wsd_decay", 0.0),
        ("plateau_factor", 1.0),
        ("warmup_share", -0.1),
    ],
)
def test_a_length_or_share_that_cannot_be_is_an_error(name: str, value: float) -> None:
    entry = optimizers.get(f"adam+{name.rpartition('_')[0]}")
    with pytest.raises(InputError, match=f"{name} of {entry.name.replace('+', '.')} cannot be"):
        entry.complete({name: value})
