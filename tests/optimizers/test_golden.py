"""The catalogue's first rules against trajectories that torch, pytorch_optimizer and Keras took."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from proving import Golden


def f32(value: float) -> float:
    """Keras on TensorFlow keeps some constants in float32 even where weights are float64."""
    return float(np.float32(value))


TORCH_ADAM = {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8}
KERAS_ADAM = {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7}
KERAS_FORM = {"epsilon_place": "uncorrected", "betas": "float32"}
TORCH_ROOT = {"epsilon_place": "outside"}
KERAS_VELOCITY = {"velocity": "of_steps"}

GOLDEN = (
    Golden("torch", "sgd", "sgd", {"learning_rate": 0.05}),
    Golden("torch", "momentum", "momentum", {"learning_rate": 0.02, "momentum": 0.9}),
    Golden("torch", "nesterov", "nesterov", {"learning_rate": 0.02, "momentum": 0.9}),
    Golden(
        "torch",
        "sgd_l2",
        "momentum",
        {"learning_rate": 0.05, "momentum": 0.9, "weight_decay": 0.01},
        {"decay": "coupled"},
    ),
    Golden(
        "torch",
        "adagrad",
        "adagrad",
        {"learning_rate": 0.1, "initial_accumulator": 0.0, "epsilon": 1e-10},
        TORCH_ROOT,
    ),
    Golden("torch", "adadelta", "adadelta", {"learning_rate": 1.0, "rho": 0.9, "epsilon": 1e-6}),
    Golden(
        "torch",
        "rmsprop",
        "rmsprop",
        {"learning_rate": 0.01, "rho": 0.99, "epsilon": 1e-8},
        TORCH_ROOT,
    ),
    Golden(
        "torch",
        "rmsprop_momentum",
        "rmsprop",
        {"learning_rate": 0.01, "rho": 0.9, "epsilon": 1e-8, "momentum": 0.9},
        {"with_momentum": True, **TORCH_ROOT},
    ),
    Golden(
        "torch",
        "rmsprop_centered",
        "rmsprop",
        {"learning_rate": 0.01, "rho": 0.9, "epsilon": 1e-6},
        {"centered": True, **TORCH_ROOT},
    ),
    Golden("torch", "adam", "adam", {"learning_rate": 0.05, **TORCH_ADAM}),
    Golden("torch", "amsgrad", "amsgrad", {"learning_rate": 0.05, **TORCH_ADAM}),
    Golden("torch", "adamw", "adamw", {"learning_rate": 0.05, "weight_decay": 0.01, **TORCH_ADAM}),
    Golden(
        "torch",
        "adamax",
        "adamax",
        {"learning_rate": 0.05, **TORCH_ADAM},
        {"epsilon_place": "inside"},
    ),
    Golden(
        "torch", "nadam", "nadam", {"learning_rate": 0.05, "momentum_decay": 0.004, **TORCH_ADAM}
    ),
    Golden("torch", "rprop", "rprop", {"learning_rate": 0.01}),
    Golden(
        "torch",
        "adabound",
        "adabound",
        {"learning_rate": 0.01, "final_lr": 0.1, "gamma": 0.001, **TORCH_ADAM},
    ),
    Golden(
        "torch",
        "adabelief",
        "adabelief",
        {"learning_rate": 0.02, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-16},
    ),
    Golden("keras", "sgd", "sgd", {"learning_rate": 0.05}),
    Golden(
        "keras",
        "momentum",
        "momentum",
        {"learning_rate": 0.02, "momentum": f32(0.9)},
        KERAS_VELOCITY,
    ),
    Golden(
        "keras",
        "nesterov",
        "nesterov",
        {"learning_rate": 0.02, "momentum": f32(0.9)},
        KERAS_VELOCITY,
    ),
    Golden(
        "keras",
        "adagrad",
        "adagrad",
        {"learning_rate": 0.1, "initial_accumulator": f32(0.1), "epsilon": 1e-7},
        {"epsilon_place": "inside"},
    ),
    Golden("keras", "adadelta", "adadelta", {"learning_rate": 1.0, "rho": 0.95, "epsilon": 1e-7}),
    Golden(
        "keras",
        "rmsprop",
        "rmsprop",
        {"learning_rate": 0.01, "rho": 0.9, "epsilon": 1e-7},
        {"epsilon_place": "inside", **KERAS_VELOCITY},
    ),
    Golden("keras", "adam", "adam", {"learning_rate": 0.05, **KERAS_ADAM}, KERAS_FORM),
    Golden(
        "keras",
        "adamw",
        "adamw",
        {"learning_rate": 0.05, "weight_decay": f32(0.004), **KERAS_ADAM},
        KERAS_FORM,
    ),
    Golden(
        "keras",
        "adamax",
        "adamax",
        {"learning_rate": 0.05, **KERAS_ADAM},
        {"epsilon_place": "outside", "betas": "float32"},
    ),
    Golden(
        "keras",
        "nadam",
        "nadam",
        {"learning_rate": 0.05, "momentum_decay": 1.0, **KERAS_ADAM},
        {"betas": "float32"},
    ),
)


@pytest.mark.parametrize("golden", GOLDEN, ids=str)
def test_follows_the_record(golden: Golden, prove: Any) -> None:
    prove.follows(golden)
