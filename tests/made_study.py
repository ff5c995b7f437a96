"""A made-up study of the default size, with known winners, without training anything."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pandas as pd

from fallline.analysis.reading import Reading, read
from fallline.records import stable_hash
from fallline.store.document import (
    FORMAT_VERSION,
    OptimizerDescription,
    Protocol,
    StudyDocument,
    TaskDescription,
    Timing,
)

OPTIMIZERS = {
    # name: (best learning rate or None, skill from 0 to 1, full batch)
    "adam": (1e-3, 0.980, False),
    "nadam": (1e-3, 0.979, False),
    "adabelief": (1e-3, 0.978, False),
    "adam_atan2": (3.2e-3, 0.977, False),
    "eadam": (1e-3, 0.9775, False),
    "adamax": (3.2e-3, 0.974, False),
    "rmsprop": (1e-3, 0.972, False),
    "adabound": (1e-3, 0.970, False),
    "nesterov": (0.1, 0.968, False),
    "momentum": (0.1, 0.967, False),
    "adagrad": (0.032, 0.962, False),
    "sgd": (0.32, 0.955, False),
    "adadelta": (1.0, 0.950, False),
    "rprop": (1e-3, 0.93, True),
    "gd_exact": (None, 0.90, True),
    "gd_backtracking": (None, 0.86, True),
    "gd": (1.0, 0.70, True),
}
EPOCHS = 30
STEPS = 34


def document(**changes: Any) -> StudyDocument:
    names = tuple(changes.pop("optimizers", OPTIMIZERS))
    task = TaskDescription(
        name=changes.pop("name", "digits-mlp"),
        title=changes.pop("title", "Digits, a small network"),
        kind="classification",
        metric="accuracy",
        higher_is_better=True,
        loss="cross_entropy",
        parameters=4810,
        train_examples=1077,
        validation_examples=360,
        test_examples=360,
        target=changes.pop("target", None),
        licence="CC BY 4.0",
        source="scikit-learn",
    )
    protocol = Protocol(
        optimizers=names,
        epochs=EPOCHS,
        batch_size=32,
        search_seeds=tuple(range(3)) if changes.get("searched", True) else (),
        final_seeds=tuple(range(1000, 1000 + changes.pop("fresh", 5))),
        learning_rates={name: tuple(rates_of(name)) for name in names},
        searched=changes.pop("searched", True),
        widen=True,
    )
    assert not changes, f"unknown changes {list(changes)}"
    described = {
        name: OptimizerDescription(
            title=name.replace("_", " ").title(),
            full_batch=OPTIMIZERS.get(name, (0, 0, False))[2],
            defaults={},
            citation=f"The paper of {name} (2015), Journal of Descent 3, doi:10.1000/{name}",
        )
        for name in names
    }
    return StudyDocument(
        format_version=FORMAT_VERSION,
        created="2026-05-01T10:20:30+00:00",
        task=task,
        protocol=protocol,
        optimizers=described,
        versions={"fallline": "0.1.0", "jax": "0.10.2", "numpy": "2.3.1"},
        machine={"system": "Linux x86_64", "processor": "A processor", "cores": 2, "devices": 2},
    )


def rates_of(name: str) -> list[float]:
    best = OPTIMIZERS.get(name, (1e-3, 0, False))[0]
    if best is None:
        return []
    return [float(f"{best * 10 ** (k / 2):.1e}") for k in range(-3, 4)]


def frame(*, optimizers: dict[str, Any] = OPTIMIZERS, fresh: int = 5, search: int = 3):
    rng = np.random.default_rng(20260501)
    rows = []
    for name, (best, skill, full_batch) in optimizers.items():
        for rate in rates_of(name) or [None]:
            off = 0.0 if rate is None else abs(np.log10(rate / best))
            for seed in range(search):
                diverges = (
                    rate is not None and rate / best > 20 and name in ("sgd", "gd", "momentum")
                )
                rows.append(
                    row(
                        rng,
                        name,
                        rate,
                        seed,
                        "search",
                        skill - 0.12 * off**2,
                        full_batch,
                        (diverges and seed != 1) or (diverges and name == "gd"),
                    )
                )
        for seed in range(1000, 1000 + fresh):
            rows.append(row(rng, name, best, seed, "final", skill, full_batch, False))
    return pd.DataFrame(rows)


def row(rng, name, rate, seed, phase, skill, full_batch, diverged) -> dict[str, Any]:
    epochs = 4 if diverged else EPOCHS
    time = np.arange(1, epochs + 1)
    speed = 0.06 + 0.5 * max(skill - 0.6, 0.0)
    level = skill + rng.normal(0, 0.003)
    accuracy = np.clip(
        level - (level - 0.1) * np.exp(-speed * time) + rng.normal(0, 0.004, epochs), 0, 1
    )
    loss = 2.3 * np.exp(-speed * time) + 3 * (1 - skill) * (1 + rng.normal(0, 0.05, epochs)) + 0.02
    setting = {} if rate is None else {"learning_rate": rate, "b1": 0.9}
    return {
        "run_id": stable_hash(name, rate, seed, phase),
        "optimizer": name,
        "phase": phase,
        "seed": seed,
        "learning_rate": np.nan if rate is None else rate,
        "hyperparameters": json.dumps(setting, sort_keys=True),
        "full_batch": full_batch,
        "batch_size": 1077 if full_batch else 32,
        "epochs": EPOCHS,
        "status": "diverged" if diverged else "done",
        "steps": epochs * (1 if full_batch else STEPS),
        "epochs_trained": epochs,
        "diverged_step": 130 if diverged else -1,
        "last_finite_loss": 1e6 if diverged else float(loss[-1]),
        "test_loss": np.nan if phase == "search" else float(loss[-1]),
        "test_metric": np.nan
        if phase == "search"
        else round((level - 0.004 + rng.normal(0, 0.003)) * 360) / 360,
        "train_loss": (0.8 * loss).astype(np.float32),
        "train_metric": np.clip(accuracy + 0.01, 0, 1).astype(np.float32),
        "validation_loss": loss.astype(np.float32),
        "validation_metric": (np.round(accuracy * 360) / 360).astype(np.float32),
    }


def timing(optimizers: Any = OPTIMIZERS) -> Timing:
    step = {name: 3e-5 * (1 + k % 5) * (30 if k > 12 else 1) for k, name in enumerate(optimizers)}
    return Timing(total=28.4, compile=9.8, train=16.2, step=step)


def make(
    *,
    runs: pd.DataFrame | None = None,
    edit: Callable[[pd.DataFrame], pd.DataFrame] = lambda runs: runs,
    complete: bool = True,
    **changes: Any,
) -> Reading:
    """A reading: ``edit(frame)`` changes the runs, other words change the document.

    As it is: 17 optimizers, 7 rates, 3 seeds, 5 fresh seeds, 30 epochs.
    """
    chosen = {name: OPTIMIZERS[name] for name in changes.get("optimizers", OPTIMIZERS)}
    table = frame(optimizers=chosen, fresh=changes.get("fresh", 5)) if runs is None else runs
    described = document(**changes)
    described = msgspec.convert(msgspec.to_builtins(described), StudyDocument)
    clock = timing(chosen) if complete else None
    return read(edit(table), described, timing=clock, complete=complete)
