"""Frozen layers: their arrays stay what they are to the bit, and the rest trains as it would."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from flax import linen as nn
from flax import nnx

import fallline
from fallline import models, optimizers
from fallline.data.dataset import make_dataset
from fallline.engine.branches import Branch
from fallline.engine.devices import Devices
from fallline.engine.events import Finished
from fallline.engine.feeding import Seeds
from fallline.engine.population import Population
from fallline.engine.program import Program
from fallline.errors import InputError
from fallline.network import named_leaves
from fallline.records import Run
from fallline.task import Task

SEEDS = Seeds("blobs", (0,))
SEVERAL = {
    "adamw": {"weight_decay": 0.1},
    "lion": {},
    "noisy_sgd": {},
    "muon": {},
    "schedule_free_adamw": {"weight_decay": 0.1},
    "momentum": {"weight_decay": 0.1},
    "gd_exact": {},
}
"""Decay, noise, momentum, a matrix as a whole, other weights to judge by, the loss itself."""


def blobs(model: Any = None, **settings: Any) -> Task:
    draw = np.random.default_rng(0)
    x = draw.normal(size=(120, 6)).astype(np.float32)
    y = (x @ draw.normal(size=(6, 3))).argmax(axis=1)
    data = make_dataset(x, y, name="blobs", validation=20, test=20, scaling="zscore")
    model = model or models.MLP(3, (8,))
    return Task(model, data, name="blobs", epochs=2, batch_size=20, **settings)


def begun(task: Task) -> dict[str, np.ndarray]:
    return named_leaves(jax.tree.map(lambda leaf: np.asarray(leaf[0]), SEEDS.initial(task.pure)[0]))


def trained(
    task: Task, names: dict[str, dict[str, float]], devices: Devices, **cut: Any
) -> dict[str, dict[str, np.ndarray]]:
    """The weights that each optimizer leaves, all of them branches of one program."""
    entries = [optimizers.get(name) for name in names]
    program = Program(task, tuple(map(Branch, entries)), task.batch_size, 1, **cut)
    population = Population(program, SEEDS, devices, per_device=1)
    runs = [
        Run(each.name, each.complete(names[each.name]), 0, "search", 2, each.full_batch)
        for each in entries
    ]
    return {
        event.result.run.optimizer: named_leaves(event.params)
        for event in population.train(runs, keep_weights=True)
        if isinstance(event, Finished)
    }


def test_no_optimizer_moves_what_is_frozen() -> None:
    task = blobs(models.MLP(3, (8, 8)), frozen=("Dense_1",), l2=0.01)
    before = begun(task)
    after = trained(task, SEVERAL, Devices.first(1))
    assert set(after) == set(SEVERAL)
    for weights in after.values():
        for name, array in weights.items():
            moves = not name.startswith("Dense_1/")
            assert moves != np.array_equal(array, before[name]), name


@pytest.mark.slow
def test_what_is_frozen_stays_where_devices_share_a_run() -> None:
    if len(jax.devices()) < 2:
        pytest.skip("one device")
    task = blobs(frozen=("Dense_0/kernel",))
    before = begun(task)
    names = {name: SEVERAL[name] for name in ("adamw", "gd_exact")}
    alone = trained(task, names, Devices.first(1))
    shared = trained(task, names, Devices.all().shared_by(2), shards=2)
    for name, weights in shared.items():
        np.testing.assert_array_equal(weights["Dense_0/kernel"], before["Dense_0/kernel"])
        assert not np.array_equal(weights["Dense_0/bias"], before["Dense_0/bias"])
        for array, other in zip(weights.values(), alone[name].values(), strict=True):
            np.testing.assert_allclose(array, other, rtol=2e-4, atol=1e-5)


def test_a_step_worked_by_hand_on_what_is_trained() -> None:
    """Logistic loss of a linear layer on frozen features, its gradient written out in NumPy."""
    task = blobs(frozen=("Dense_0",), l2=0.05).with_budget(epochs=1, batch_size="all")
    rate = 0.3
    training = fallline.train(task, "sgd", learning_rate=rate, precision="float64")
    weights = fallline.train(
        task, "sgd", learning_rate=1e-300, precision="float64"
    ).weights  # the first ones: a step of nothing
    data = task.dataset
    x = (data.train.x.astype(float) - data.input_offset) * data.input_scale
    hidden = np.maximum(x @ weights["Dense_0/kernel"] + weights["Dense_0/bias"], 0)
    z = hidden @ weights["Dense_1/kernel"] + weights["Dense_1/bias"]
    share = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    hot = np.eye(3)[data.train.y]
    delta = (share - hot) / len(x)
    kernels = [weights["Dense_0/kernel"], weights["Dense_1/kernel"]]
    penalty = 0.05 * sum((kernel**2).sum() for kernel in kernels)
    loss = -np.log((share * hot).sum(axis=1)).mean() + penalty
    expected = kernels[1] - rate * (hidden.T @ delta + 0.1 * kernels[1])
    np.testing.assert_allclose(training.step_losses, [loss], rtol=1e-6)
    np.testing.assert_allclose(training.weights["Dense_1/kernel"], expected, rtol=1e-5, atol=1e-8)
    np.testing.assert_array_equal(training.weights["Dense_0/kernel"], kernels[0])


class LinenNormed(nn.Module):
    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        x = nn.relu(nn.Dense(8, name="first")(x))
        x = nn.BatchNorm(use_running_average=not train, momentum=0.9, name="norm")(x)
        x = nn.Dense(8, name="second")(x)
        x = nn.BatchNorm(momentum=0.9, name="other")(x, use_running_average=not train)
        return nn.Dense(3, name="last")(x)


class NnxNormed(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.first = nnx.Linear(6, 8, rngs=rngs)
        self.norm = nnx.BatchNorm(8, momentum=0.9, rngs=rngs)
        self.second = nnx.Linear(8, 8, rngs=rngs)
        self.other = nnx.BatchNorm(8, momentum=0.9, rngs=rngs)
        self.last = nnx.Linear(8, 3, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = self.norm(nnx.relu(self.first(x)))
        return self.last(self.other(self.second(x)))


@pytest.mark.parametrize("model", [LinenNormed(), NnxNormed], ids=["linen", "nnx"])
def test_a_frozen_batch_norm_works_with_its_moving_averages(model: Any) -> None:
    task = blobs(model, frozen=("norm",))
    params, state = task.pure.init(jax.random.key(0))
    x = jax.random.normal(jax.random.key(1), (20, 6)) + 3.0
    trained_on, after = task.pure.apply(params, state, None, x, True)

    def named(tree: Any) -> dict[str, np.ndarray]:
        leaves = jax.tree.leaves_with_path(tree)
        return {jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in leaves}

    for name, array in named(after).items():
        same = np.array_equal(array, named(state)[name])
        assert same == ("norm" in name), name
    # With the other norm frozen too a training pass is an evaluation.
    both = blobs(model, frozen=("norm", "other")).pure
    np.testing.assert_array_equal(
        both.apply(params, state, None, x, True)[0], both.apply(params, state, None, x, False)[0]
    )
    free = blobs(model).pure.apply(params, state, None, x, True)[0]
    assert np.abs(np.asarray(free) - np.asarray(trained_on)).max() > 1e-2


def test_frozen_weights_are_saved_measured_and_gone_on_from(tmp_path: Path) -> None:
    task = blobs(frozen=("Dense_0",))
    training = fallline.train(task, "adam")
    path = training.save(tmp_path)
    assert fallline.evaluate(path, task) == training.evaluate("test")
    more = fallline.train(task, "adam", initial_weights=path)
    np.testing.assert_array_equal(
        more.weights["Dense_0/kernel"], training.weights["Dense_0/kernel"]
    )
    assert not np.array_equal(more.weights["Dense_1/kernel"], training.weights["Dense_1/kernel"])


def test_the_summary_says_what_is_trained() -> None:
    pure = blobs(frozen=("Dense_0/kernel", "Dense_1")).pure
    assert [(layer.name, layer.frozen, layer.trainable) for layer in pure.layers] == [
        ("Dense_0", 48, True),
        ("Dense_1", 27, False),
    ]
    assert (pure.parameters, pure.trainable_parameters) == (83, 8)


def test_the_fingerprint_tells_frozen_layers_apart_and_is_what_it_was_without() -> None:
    plain, frozen = blobs(), blobs(frozen=("Dense_0",))
    assert plain.fingerprint == blobs(frozen=()).fingerprint
    assert len({plain.fingerprint, frozen.fingerprint, blobs(frozen="Dense_1").fingerprint}) == 3
    assert frozen.fingerprint == blobs(frozen=("Dense_0/",)).fingerprint


def test_modules_around_layers_are_frozen_by_their_name() -> None:
    images = np.zeros((40, 8, 8), np.float32), np.arange(40) % 2
    task = Task(models.ConvNet(2, ((4, 3),), (5,)), images, frozen=("head",))
    trainable = {layer.name: layer.trainable for layer in task.pure.layers}
    assert trainable == {"Conv_0": True, "head/Dense_0": False, "head/Dense_1": False}
    dotted = Task(models.ConvNet(2, ((4, 3),), (5,)), images, frozen=("head.Dense_0",))
    assert [layer.name for layer in dotted.pure.layers if not layer.trainable] == ["head/Dense_0"]


def test_names_that_are_none_are_refused() -> None:
    with pytest.raises(InputError, match="no layer 'Dense0' to freeze") as caught:
        _ = blobs(frozen=("Dense0",)).pure
    assert "did you mean 'Dense_0'" in (caught.value.hint or "")
    assert "its layers are Dense_0, Dense_1" in (caught.value.hint or "")
    with pytest.raises(InputError, match="nothing is left to train"):
        _ = blobs(frozen=("Dense_0", "Dense_1")).pure
