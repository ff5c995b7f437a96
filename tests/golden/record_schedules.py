"""Record the learning rates of torch's, Keras's and pytorch_optimizer's schedules, in float64.

It needs these three, not fallline:

    python tests/golden/record_schedules.py

and writes ``schedules.json`` beside itself: per case the peer, its arguments, and the learning
rate of each step as a share of the peak.
"""

from __future__ import annotations

import inspect
import json
import os
import warnings
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

os.environ["KERAS_BACKEND"] = "torch"

import keras
import pytorch_optimizer
import torch
from torch.optim import lr_scheduler

STEPS = 40
LOSSES = [
    5.0, 4.0, 3.9, 3.99995, 3.9, 3.95, 3.2, 3.3, 3.25, 3.4, 3.1, 3.2, 3.15, 3.3, 3.35, 3.2, 3.3,
    3.0, 2.9, 2.95, 2.96, 2.97, 2.98, 2.99, 2.91, 2.92, 2.8, 2.85, 2.86, 2.87, 2.88, 2.89, 2.81,
    2.82, 2.83, 2.84, 2.85, 2.86, 2.87, 2.88,
]  # fmt: skip


def of_torch(build: Callable[..., Any], arguments: dict[str, Any]) -> list[float]:
    """Shares of the peak, step by step."""
    weight = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
    optimizer = torch.optim.SGD([weight], lr=1.0)
    scheduler = build(optimizer, **arguments)
    found = []
    for loss in LOSSES:
        found.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        if isinstance(scheduler, lr_scheduler.ReduceLROnPlateau):
            scheduler.step(loss)
        else:
            scheduler.step()
    return found


def of_keras(build: Callable[..., Any], arguments: dict[str, Any]) -> list[float]:
    """Shares of the peak, step by step."""
    schedule = build(**arguments)
    return [float(schedule(step)) for step in range(STEPS)]


def cases() -> dict[str, tuple[str, dict[str, Any]]]:
    """Peers and arguments by name; lengths fit a training of :data:`STEPS` steps."""
    torch_, keras_ = "torch.optim.lr_scheduler", "keras.optimizers.schedules"
    initial = {"initial_learning_rate": 1.0}
    found: dict[str, tuple[str, dict[str, Any]]] = {
        "step": (f"{torch_} StepLR", {"step_size": 10, "gamma": 0.3}),
        "exponential": (f"{torch_} ExponentialLR", {"gamma": 0.9}),
        "polynomial": (f"{torch_} PolynomialLR", {"total_iters": STEPS, "power": 2.0}),
        "cosine": (f"{torch_} CosineAnnealingLR", {"T_max": STEPS, "eta_min": 0.1}),
        "restarts": (
            f"{torch_} CosineAnnealingWarmRestarts",
            {"T_0": 10, "T_mult": 3, "eta_min": 0.05},
        ),
        "restarts_equal": (f"{torch_} CosineAnnealingWarmRestarts", {"T_0": 10}),
        "warmup": (f"{torch_} LinearLR", {"start_factor": 0.125, "total_iters": 7}),
        "keras_step": (
            f"{keras_} ExponentialDecay",
            initial | {"decay_steps": 8, "decay_rate": 0.5, "staircase": True},
        ),
        "keras_exponential": (
            f"{keras_} ExponentialDecay",
            initial | {"decay_steps": STEPS, "decay_rate": 0.02},
        ),
        "keras_polynomial": (
            f"{keras_} PolynomialDecay",
            initial | {"decay_steps": STEPS, "end_learning_rate": 0.1, "power": 0.5},
        ),
        "keras_inverse_time": (
            f"{keras_} InverseTimeDecay",
            initial | {"decay_steps": STEPS, "decay_rate": 6.0},
        ),
        "keras_cosine": (
            f"{keras_} CosineDecay", initial | {"decay_steps": STEPS, "alpha": 0.2}
        ),
        "keras_restarts": (
            f"{keras_} CosineDecayRestarts",
            initial | {"first_decay_steps": 10, "t_mul": 3.0, "m_mul": 0.7, "alpha": 0.1},
        ),
        "plateau": (
            f"{torch_} ReduceLROnPlateau", {"factor": 0.5, "patience": 2, "eps": 0.0}
        ),
        "plateau_cooldown": (
            f"{torch_} ReduceLROnPlateau",
            {
                "factor": 0.4, "patience": 1, "cooldown": 3, "threshold": 0.03, "min_lr": 0.05,
                "eps": 0.0,
            },
        ),
    }  # fmt: skip
    cycle = {"max_lr": 1.0, "total_steps": STEPS, "pct_start": 0.3, "cycle_momentum": False}
    for anneal in ("cos", "linear"):
        found[f"one_cycle_{anneal}"] = (
            f"{torch_} OneCycleLR",
            cycle | {"anneal_strategy": anneal, "div_factor": 10.0, "final_div_factor": 50.0},
        )
    for kind in ("1-sqrt", "linear", "cosine"):
        found[f"wsd_{kind}"] = (
            "pytorch_optimizer get_wsd_schedule",
            {
                "num_warmup_steps": 0, "num_stable_steps": 28, "num_decay_steps": 12,
                "cooldown_type": kind,
            },
        )  # fmt: skip
    return found


def record(peer: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """A case: what was asked, and what came."""
    module, name = peer.split()
    if module.startswith("keras"):
        shares = of_keras(getattr(keras.optimizers.schedules, name), arguments)
    elif module.startswith("torch"):
        shares = of_torch(getattr(lr_scheduler, name), arguments)
    else:
        shares = of_torch(getattr(pytorch_optimizer, name), arguments)
    return {"peer": peer, "arguments": arguments, "shares": shares}


def main() -> None:
    """Write the record."""
    assert len(LOSSES) == STEPS
    assert "eps" in inspect.signature(lr_scheduler.ReduceLROnPlateau).parameters
    keras.config.set_floatx("float64")
    torch.set_default_dtype(torch.float64)
    warnings.simplefilter("ignore")
    packages = ("torch", "keras", "pytorch-optimizer")
    versions = json.dumps({name: metadata.version(name) for name in packages})
    lines = [f"{json.dumps(name)}: {json.dumps(record(*asked))}" for name, asked in cases().items()]
    head = f'{{"versions": {versions},\n"losses": {json.dumps(LOSSES)},\n"cases": {{\n'
    path = Path(__file__).with_name("schedules.json")
    path.write_text(head + ",\n".join(lines) + "\n}}\n")


if __name__ == "__main__":
    main()
