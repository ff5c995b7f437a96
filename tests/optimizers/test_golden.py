"""The catalogue's rules against trajectories that torch, pytorch_optimizer and Keras recorded."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fallline import optimizers

TOLERANCE = 1e-10


def f32(value: float) -> float:
    """Keras on TensorFlow keeps some constants in float32 even where weights are float64."""
    return float(np.float32(value))


TORCH_ADAM = {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8}
KERAS_ADAM = {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7}
KERAS_FORM = {"epsilon_place": "uncorrected", "betas": "float32"}
TORCH_ROOT = {"epsilon_place": "outside"}

CASES: dict[tuple[str, str], tuple[str, dict[str, float], dict[str, Any]]] = {
    ("torch", "sgd"): ("sgd", {"learning_rate": 0.05}, {}),
    ("torch", "momentum"): ("momentum", {"learning_rate": 0.02, "momentum": 0.9}, {}),
    ("torch", "nesterov"): ("nesterov", {"learning_rate": 0.02, "momentum": 0.9}, {}),
    ("torch", "sgd_l2"): (
        "momentum",
        {"learning_rate": 0.05, "momentum": 0.9, "weight_decay": 0.01},
        {"decay": "coupled"},
    ),
    ("torch", "adagrad"): (
        "adagrad",
        {"learning_rate": 0.1, "initial_accumulator": 0.0, "epsilon": 1e-10},
        TORCH_ROOT,
    ),
    ("torch", "adadelta"): ("adadelta", {"learning_rate": 1.0, "rho": 0.9, "epsilon": 1e-6}, {}),
    ("torch", "rmsprop"): (
        "rmsprop",
        {"learning_rate": 0.01, "rho": 0.99, "epsilon": 1e-8},
        TORCH_ROOT,
    ),
    ("torch", "rmsprop_momentum"): (
        "rmsprop",
        {"learning_rate": 0.01, "rho": 0.9, "epsilon": 1e-8, "momentum": 0.9},
        {"with_momentum": True, **TORCH_ROOT},
    ),
    ("torch", "rmsprop_centered"): (
        "rmsprop",
        {"learning_rate": 0.01, "rho": 0.9, "epsilon": 1e-6},
        {"centered": True, **TORCH_ROOT},
    ),
    ("torch", "adam"): ("adam", {"learning_rate": 0.05, **TORCH_ADAM}, {}),
    ("torch", "amsgrad"): ("amsgrad", {"learning_rate": 0.05, **TORCH_ADAM}, {}),
    ("torch", "adamw"): (
        "adamw",
        {"learning_rate": 0.05, "weight_decay": 0.01, **TORCH_ADAM},
        {},
    ),
    ("torch", "adamax"): (
        "adamax",
        {"learning_rate": 0.05, **TORCH_ADAM},
        {"epsilon_place": "inside"},
    ),
    ("torch", "nadam"): (
        "nadam",
        {"learning_rate": 0.05, "momentum_decay": 0.004, **TORCH_ADAM},
        {},
    ),
    ("torch", "rprop"): ("rprop", {"learning_rate": 0.01}, {}),
    ("torch", "adabound"): (
        "adabound",
        {"learning_rate": 0.01, "final_lr": 0.1, "gamma": 0.001, **TORCH_ADAM},
        {},
    ),
    ("torch", "adabelief"): (
        "adabelief",
        {"learning_rate": 0.02, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-16},
        {},
    ),
    ("keras", "sgd"): ("sgd", {"learning_rate": 0.05}, {}),
    ("keras", "momentum"): ("momentum", {"learning_rate": 0.02, "momentum": f32(0.9)}, {}),
    ("keras", "nesterov"): ("nesterov", {"learning_rate": 0.02, "momentum": f32(0.9)}, {}),
    ("keras", "adagrad"): (
        "adagrad",
        {"learning_rate": 0.1, "initial_accumulator": f32(0.1), "epsilon": 1e-7},
        {"epsilon_place": "inside"},
    ),
    ("keras", "adadelta"): ("adadelta", {"learning_rate": 1.0, "rho": 0.95, "epsilon": 1e-7}, {}),
    ("keras", "rmsprop"): (
        "rmsprop",
        {"learning_rate": 0.01, "rho": 0.9, "epsilon": 1e-7},
        {"epsilon_place": "inside"},
    ),
    ("keras", "adam"): ("adam", {"learning_rate": 0.05, **KERAS_ADAM}, KERAS_FORM),
    ("keras", "adamw"): (
        "adamw",
        {"learning_rate": 0.05, "weight_decay": f32(0.004), **KERAS_ADAM},
        KERAS_FORM,
    ),
    ("keras", "adamax"): (
        "adamax",
        {"learning_rate": 0.05, **KERAS_ADAM},
        {"epsilon_place": "outside", "betas": "float32"},
    ),
    ("keras", "nadam"): (
        "nadam",
        {"learning_rate": 0.05, "momentum_decay": 1.0, **KERAS_ADAM},
        {"betas": "float32"},
    ),
}


def _records(golden_dir: Path, peer: str) -> dict[str, Any]:
    return json.loads((golden_dir / f"{peer}.json").read_text())


def _gradient(problem: dict[str, list[float]]) -> Callable[[np.ndarray], np.ndarray]:
    """The gradient of the recorded problem, in NumPy.

    Not by JAX: RMSprop magnifies the last digit of a gradient that is nearly zero by its own
    smallness, and XLA's cosine differs there from the one that was recorded with.
    """
    a, c, w, p = (np.array(problem[key]) for key in "acwp")
    return lambda x: a * x + c * w * np.cos(w * x + p)


def _tree(x: np.ndarray) -> dict[str, jax.Array]:
    return {"W": jnp.asarray(x[:12].reshape(4, 3)), "b": jnp.asarray(x[12:])}


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize(("peer", "case"), CASES, ids=lambda part: part)
def test_follows_the_record(peer: str, case: str, golden_dir: Path) -> None:
    record = _records(golden_dir, peer)
    gradient, x = _gradient(record["problem"]), np.array(record["problem"]["x0"])
    expected = dict(record["cases"][case]["trajectory"])
    name, hyperparameters, options = CASES[peer, case]
    rule = optimizers.get(name).transformation(hyperparameters, **options)
    update, state = jax.jit(rule.update), rule.init(_tree(x))
    for step in range(1, max(expected) + 1):
        params = _tree(x)
        updates, state = update(_tree(gradient(x)), state, params)
        assert updates["W"].dtype == np.float64
        params = jax.tree.map(jnp.add, params, updates)
        x = np.concatenate([np.ravel(params["W"]), params["b"]])
        if step in expected:
            np.testing.assert_allclose(
                x, expected[step], rtol=0, atol=TOLERANCE, err_msg=f"after step {step}"
            )


@pytest.mark.parametrize("peer", ["torch", "keras"])
def test_every_record_of_an_optimizer_that_the_catalogue_has_is_followed(
    peer: str, golden_dir: Path
) -> None:
    recorded = _records(golden_dir, peer)["cases"]
    ours = set(optimizers.names())
    due = {case for case, record in recorded.items() if record["peer"].split()[-1].lower() in ours}
    assert {case for which, case in CASES if which == peer} == due


def test_every_adaptive_entry_has_a_record_or_is_worked_by_hand() -> None:
    recorded = {name for name, _, _ in CASES.values()}
    by_hand = {"gd", "gd_exact", "gd_backtracking", "eadam", "adam_atan2"}
    assert set(optimizers.names()) == recorded | by_hand
