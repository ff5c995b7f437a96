"""Cross-validation: every row validates once, and the figures are those of plain arithmetic."""

from __future__ import annotations

import math

import jax
import numpy as np
import pytest

import fallline
from fallline import models, validation
from fallline.data.dataset import make_dataset
from fallline.data.splits import fold_rows
from fallline.errors import DataError, InputError
from fallline.task import Task

FOLDS = 4
T_975 = {2: 4.302653, 3: 3.182446}
"""Student's quantiles as tables print them, by degrees of freedom."""


def blobs(rows: int = 130, **settings) -> Task:
    draw = np.random.default_rng(0)
    x = draw.normal(size=(rows, 6)).astype(np.float32) * 3 + 1
    y = (x @ draw.normal(size=(6, 3))).argmax(axis=1)
    data = make_dataset(x, y, name="blobs", validation=20, test=20, scaling="zscore")
    return Task(models.MLP(3, (8,)), data, name="blobs", epochs=3, batch_size=20, **settings)


@pytest.fixture(scope="module")
def crossed() -> validation.CrossValidation:
    return fallline.cross_validate(blobs(), "adam", folds=FOLDS, predictions=True)


def test_every_row_validates_once_in_folds_of_equal_size() -> None:
    task = blobs()
    pool = np.concatenate([task.dataset.train.x, task.dataset.validation.x])
    tasks = validation.fold_tasks(task, FOLDS, seed=3)
    held = []
    for fold in tasks:
        data = fold.dataset
        assert abs(len(data.validation) - len(pool) / FOLDS) < 1
        assert len(data.train) + len(data.validation) == len(pool)
        held.append(data.validation.y)
        np.testing.assert_allclose(data.train.x.mean(axis=0), 0, atol=1e-5)  # its own rows' scale
    assert np.array_equal(
        np.sort(np.concatenate(held)),
        np.sort(np.concatenate([task.dataset.train.y, task.dataset.validation.y])),
    )
    assert [fold.name for fold in tasks] == [f"blobs-fold{n}of4" for n in (1, 2, 3, 4)]
    assert len({fold.fingerprint for fold in (*tasks, task)}) == FOLDS + 1


def test_the_figures_are_those_of_the_folds_trained_one_by_one(crossed) -> None:
    tasks = validation.fold_tasks(blobs(), FOLDS)
    for fold, task in zip(crossed.folds[:2], tasks[:2], strict=True):
        alone = fallline.train(task, "adam").evaluate("validation")
        assert fold.figures["validation_loss"] == pytest.approx(alone["loss"], rel=1e-5)
        assert fold.figures["validation_accuracy"] == pytest.approx(alone["accuracy"])


def test_mean_and_interval_are_worked_out_by_hand(crossed) -> None:
    values = [fold.figures["validation_accuracy"] for fold in crossed.folds]
    mean = sum(values) / FOLDS
    deviation = math.sqrt(sum((value - mean) ** 2 for value in values) / (FOLDS - 1))
    half = T_975[FOLDS - 1] * deviation * math.sqrt(1 / FOLDS + 1 / (FOLDS - 1))
    interval = crossed.interval()
    assert crossed.mean == pytest.approx(mean)
    assert crossed.standard_deviation == pytest.approx(deviation)
    assert deviation > 0
    assert interval.low == pytest.approx(mean - half, rel=1e-6)
    assert interval.high == pytest.approx(mean + half, rel=1e-6)
    assert list(crossed.table["fold"]) == [1, 2, 3, 4]
    assert crossed.table["validation_accuracy"].mean() == pytest.approx(mean)


def test_predictions_are_those_of_the_fold_that_held_the_row_out(crossed) -> None:
    right = crossed.predictions.astype(int) == crossed.targets
    rows = fold_rows(crossed.targets, FOLDS, classes=("0", "1", "2"), seed=0)
    for fold, (_, held) in zip(crossed.folds, rows, strict=True):
        assert right[held].mean() == pytest.approx(fold.figures["validation_accuracy"])


def test_folds_of_equal_size_are_compiled_once() -> None:
    """By the text of the program that XLA gets: no number of a fold's scaling is in it."""
    from fallline.engine.interface import Arrays
    from fallline.engine.program import Program

    def text(task: Task) -> str:
        program = Program(task, (), task.batch_size, 1)
        params, state = task.pure.init(jax.random.key(0))
        split = Arrays(task.dataset.validation.x, task.dataset.validation.y)
        return jax.jit(program.evaluate).lower(params, state, split).as_text()

    tasks = validation.fold_tasks(blobs(), 5)
    assert len({len(task.dataset.train) for task in tasks}) < 3
    assert len({text(task) for task in tasks}) == len({len(task.dataset.train) for task in tasks})


def test_a_linear_model_on_folds_is_the_one_that_scikit_learn_fits() -> None:
    """Gradient descent to the least squares' end, against the closed form on the same rows."""
    from sklearn.linear_model import LinearRegression

    draw = np.random.default_rng(5)
    x = draw.normal(size=(90, 3))
    y = x @ np.array([1.0, -2.0, 0.5]) + 4.0 + 0.3 * draw.normal(size=90)
    split = {"kind": "regression", "test": 0, "validation": 0, "dtype": np.float64}
    task = Task(models.MLP(1, ()), (x, y), name="line", epochs=60, batch_size=90, split=split)
    crossed = fallline.cross_validate(
        task,
        "sgd",
        folds=3,
        learning_rate=0.3,
        batch_size="all",
        precision="float64",
        predictions=True,
    )
    expected = []
    predicted = np.empty(90)
    for kept, held in fold_rows(y, 3, seed=0):
        fitted = LinearRegression().fit(x[kept], y[kept])
        predicted[held] = fitted.predict(x[held])
        expected.append(np.sqrt(np.mean((predicted[held] - y[held]) ** 2)))
    np.testing.assert_allclose(crossed.values("validation_rmse"), expected, rtol=1e-6)
    np.testing.assert_allclose(crossed.predictions, predicted, rtol=1e-5, atol=1e-6)
    plain = np.std(expected, ddof=1)
    half = T_975[2] * plain * math.sqrt(1 / 3 + 1 / 2)
    assert crossed.interval().half_width == pytest.approx(half, rel=1e-5)


def test_a_fold_that_diverges_is_a_result_and_counts_in_no_mean() -> None:
    crossed = fallline.cross_validate(blobs(), "sgd", folds=2, learning_rate=1e30, epochs=2)
    assert crossed.diverged == 2
    assert math.isnan(crossed.mean)
    assert list(crossed.table["status"]) == ["diverged"] * 2


def test_wrong_folds_are_refused() -> None:
    with pytest.raises(InputError, match="folds must be a whole number of at least 2, got 1"):
        fallline.cross_validate(blobs(), folds=1)
    with pytest.raises(DataError, match="too few for 60 folds"):
        fallline.cross_validate(blobs(), folds=60)


def test_a_figure_that_there_is_not_is_refused(crossed) -> None:
    with pytest.raises(InputError, match="no figure 'validation_rmse'"):
        crossed.values("validation_rmse")
