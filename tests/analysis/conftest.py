"""Frames of runs, built by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest


@pytest.fixture(scope="session")
def run_row() -> Callable[..., dict[str, Any]]:
    """A row of the frame of runs; the last validation metric is the figure that is given."""

    def row(
        optimizer: str,
        seed: int,
        metric: float,
        *,
        rate: float | None = 0.01,
        phase: str = "final",
        test: float = np.nan,
        curve: list[float] | None = None,
        status: str = "done",
        full_batch: bool = False,
        steps: int | None = None,
    ) -> dict[str, Any]:
        values = np.array([metric] if curve is None else curve, np.float32)
        return {
            "run_id": f"{optimizer}-{rate}-{phase}-{seed}",
            "optimizer": optimizer,
            "phase": phase,
            "seed": seed,
            "learning_rate": np.nan if rate is None else rate,
            "hyperparameters": json.dumps({} if rate is None else {"learning_rate": rate}),
            "full_batch": full_batch,
            "batch_size": 32,
            "epochs": len(values),
            "status": status,
            "steps": 10 * len(values) if steps is None else steps,
            "epochs_trained": len(values),
            "diverged_step": 3 if status == "diverged" else -1,
            "last_finite_loss": 1.0,
            "test_loss": 1.0 if np.isfinite(test) else np.nan,
            "test_metric": test,
            "train_loss": 1 - values,
            "train_metric": values,
            "validation_loss": 1 - values,
            "validation_metric": values,
        }

    return row


@pytest.fixture(scope="session")
def make_runs() -> Callable[[list[dict[str, Any]]], pd.DataFrame]:
    """A frame of runs from rows, with its last figures."""
    from fallline.analysis.trials import with_last_figures

    return lambda rows: with_last_figures(pd.DataFrame(rows))


@pytest.fixture(scope="session")
def make_reading() -> Callable[..., Any]:
    """A reading of rows: words change the task, ``step`` gives seconds per step by optimizer."""
    from fallline.analysis.reading import read
    from fallline.store.document import (
        FORMAT_VERSION,
        OptimizerDescription,
        Protocol,
        StudyDocument,
        TaskDescription,
        Timing,
    )

    def make(
        rows: list[dict[str, Any]],
        *,
        metric: str = "accuracy",
        target: float | None = None,
        epochs: int = 3,
        study_seed: int = 0,
        test_examples: int = 0,
        step: dict[str, float] | None = None,
    ) -> Any:
        names = tuple(dict.fromkeys(row["optimizer"] for row in rows))
        task = TaskDescription(
            name="t",
            title="T",
            kind="classification" if metric == "accuracy" else "regression",
            metric=metric,
            higher_is_better=metric == "accuracy",
            loss="cross_entropy",
            parameters=10,
            train_examples=1000,
            validation_examples=1000,
            test_examples=test_examples,
            target=target,
        )
        protocol = Protocol(
            optimizers=names,
            epochs=epochs,
            batch_size=32,
            search_seeds=(0, 1),
            final_seeds=(1000, 1001, 1002),
            learning_rates={},
            searched=True,
            widen=True,
            study_seed=study_seed,
        )
        document = StudyDocument(
            format_version=FORMAT_VERSION,
            created="2026-01-01T00:00:00+00:00",
            task=task,
            protocol=protocol,
            optimizers={name: OptimizerDescription(name, False, {}) for name in names},
            versions={},
            machine={},
        )
        timing = None if step is None else Timing(total=1, compile=0.5, train=0.4, step=step)
        return read(pd.DataFrame(rows), document, timing=timing)

    return make
