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
