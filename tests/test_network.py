"""A network's weights: loaded from what was saved, and reset to what a training begins with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import fallline
from fallline import models
from fallline.errors import InputError
from fallline.task import Task


@pytest.fixture(scope="module")
def task() -> Task:
    draw = np.random.default_rng(0)
    x = draw.normal(size=(100, 6)).astype(np.float32)
    return Task(models.MLP(3, (8,)), (x, np.arange(100) % 3), name="blobs", epochs=1)


@pytest.fixture(scope="module")
def trained(task: Task) -> fallline.training.Training:
    return fallline.train(task, "sgd", seed=4)


def test_what_was_saved_is_loaded(trained, task: Task, tmp_path: Path) -> None:
    loaded = fallline.load(trained.save(tmp_path), task)
    x = task.dataset.test.x
    np.testing.assert_array_equal(loaded.predict_proba(x), trained.predict_proba(x))
    assert fallline.load(tmp_path, task).evaluate() == trained.evaluate()


def test_reset_is_where_a_training_of_that_seed_begins(trained, task: Task) -> None:
    # A learning rate of next to nothing leaves the weights where they began.
    still = {
        seed: fallline.train(task, "sgd", seed=seed, learning_rate=1e-30).weights for seed in (4, 5)
    }
    for network, seed in (
        (trained.reset(), 4),
        (trained.reset(5), 5),
        (trained.network.reset(4), 4),
    ):
        for name, array in network.weights.items():
            np.testing.assert_allclose(array, still[seed][name], rtol=0, atol=1e-28)
    assert not np.array_equal(trained.weights["Dense_0/kernel"], still[4]["Dense_0/kernel"])
    again = fallline.train(task, "sgd", seed=4, initial_weights=trained.reset())
    np.testing.assert_array_equal(again.step_losses, trained.step_losses)
    with pytest.raises(InputError, match="seed must be a whole number"):
        trained.reset(-1)


def test_parameters_that_are_not_zero_are_counted(task: Task) -> None:
    params = {"Dense_0": {"kernel": np.array([[0.0, -1.0], [1e-30, 0.0]]), "bias": np.zeros(2)}}
    assert fallline.network.Network(task, params, {}).nonzero == 2


def test_a_sparse_training_leaves_as_many_weights_as_its_density_says(task: Task) -> None:
    training = fallline.train(task, "sgd+sparse", hyperparameters={"sparse_density": 0.25})
    left = {name: int(np.count_nonzero(array)) for name, array in training.weights.items()}
    kernels = sum(count for name, count in left.items() if name.endswith("kernel"))
    assert abs(kernels - 0.25 * (6 * 8 + 8 * 3)) <= 1
    assert training.network.nonzero == sum(left.values())
