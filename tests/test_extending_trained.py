"""An extended study with real trainings is, to the bit, the one that asked for all at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fallline import models, study
from fallline.data.dataset import make_dataset
from fallline.planning.config import StudyConfig
from fallline.results import open_study
from fallline.task import Task

pytestmark = pytest.mark.slow


def _task() -> Task:
    draw = np.random.default_rng(0)
    x = draw.normal(size=(120, 5)).astype(np.float32)
    y = (x @ draw.normal(size=(5, 3)) + 0.5 * draw.normal(size=(120, 3))).argmax(axis=1)
    data = make_dataset(x, y, name="blobs", validation=40, test=40)
    return Task(models.MLP(3, (4,)), data, name="blobs", epochs=2, batch_size=20)


def _config(*optimizers: str, seeds: int = 1, final_seeds: int = 2, epochs: int = 2) -> StudyConfig:
    return StudyConfig(optimizers, epochs, 20, seeds, final_seeds, learning_rates=3)


def test_every_dimension_in_turn(tmp_path: Path) -> None:
    for config in (
        _config("sgd"),
        _config("sgd", final_seeds=3),
        _config("sgd", "adam", final_seeds=3),
        _config("sgd", "adam", final_seeds=3, seeds=2),
        _config("sgd", "adam", final_seeds=3, seeds=2, epochs=3),
    ):
        study.compare(_task(), config, tmp_path / "study")
    study.compare(_task(), config, tmp_path / "at once")
    extended, whole = (open_study(tmp_path / name) for name in ("study", "at once"))
    first, second = (each.runs.set_index("run_id").sort_index() for each in (extended, whole))
    pd.testing.assert_frame_equal(first, second, check_exact=True)
    assert len(extended.document.history) == 4
    assert extended.verdict == whole.verdict
