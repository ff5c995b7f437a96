"""A small study's document and its runs, made by hand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from fallline.records import Curves, Run, RunResult, Status
from fallline.store.document import (
    FORMAT_VERSION,
    OptimizerDescription,
    Protocol,
    StudyDocument,
    TaskDescription,
)


@pytest.fixture(scope="session")
def document() -> StudyDocument:
    return StudyDocument(
        format_version=FORMAT_VERSION,
        created="2026-01-02T03:04:05+00:00",
        task=TaskDescription(
            name="wein-güte",
            title='Güte von Weißwein, "trocken" — 品質',
            kind="regression",
            metric="rmse",
            higher_is_better=False,
            loss="mse",
            parameters=1665,
            train_examples=3000,
            validation_examples=900,
            test_examples=998,
            fingerprint="0123456789abcdef",
        ),
        protocol=Protocol(
            optimizers=("adam", "gd"),
            epochs=50,
            batch_size=32,
            search_seeds=(0, 1, 2),
            final_seeds=(1000, 1001),
            learning_rates={"adam": (1e-4, 3.2e-4, 1.0), "gd": ()},
            searched=True,
            widen=True,
        ),
        optimizers={
            "adam": OptimizerDescription("Adam", False, {"learning_rate": 1e-3, "beta1": 0.9}),
            "gd": OptimizerDescription("Gradient descent", True, {}, "Cauchy (1847)"),
        },
        versions={"fallline": "0.1.0"},
        machine={"processor": "Prozessor für alles", "cores": 2, "device": None},
    )


@pytest.fixture
def a_run() -> Callable[..., RunResult]:
    """A finished run with curves of ``epochs`` values; every argument can be set."""

    def made(
        seed: int = 0,
        *,
        optimizer: str = "adam",
        rate: float = 1e-3,
        status: Status = Status.DONE,
        epochs: int = 3,
        **figures,
    ) -> RunResult:
        draw = np.random.default_rng(seed)
        curves = Curves(*(draw.normal(size=epochs).astype(np.float32) for _ in range(4)))
        run = Run(optimizer, {"learning_rate": rate, "beta1": 0.9}, seed, "search", 50)
        return RunResult(run, status, curves, steps=epochs * 10, **figures)

    return made
