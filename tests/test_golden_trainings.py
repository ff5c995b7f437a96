"""Every network of the studies, trained in float64 as torch trained it; batch norm as Keras's."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import fallline
from fallline import models, tasks
from fallline.adapters.pure import precision
from fallline.data.dataset import make_dataset
from fallline.data.files import read_idx
from fallline.network import named_leaves
from fallline.training import Training

RECORDS = json.loads((Path(__file__).parent / "golden" / "trainings.json").read_text())
CASES = {f"{case['network']}, {case['optimizer']}": case for case in RECORDS["cases"]}
DEAR = ("mnist-cnn-93k, adam", "mnist-cnn, adam", "fashion-mlp-75, sgd")
"""Networks much like others of them."""
NAMES = {"lr": "learning_rate", "eps": "epsilon", "momentum": "momentum"}


def _network(case: dict) -> models.MLP | models.ConvNet:
    """The task's own network without its dropout, and study A's ReLU on its output."""
    if case["network"] == "wine-mlp":
        return models.changed(_own(case), {"output_activation": "relu"})
    if case["network"].startswith("mnist"):
        return models.changed(_own(case), {"pool_dropout": 0.0, "dense_dropout": 0.0})
    return _own(case)


def _own(case: dict) -> models.MLP | models.ConvNet:
    return tasks.definition(case["network"]).model()


def _examples(case: dict, data_dir: Path) -> tuple[np.ndarray, np.ndarray]:
    rows = case["steps"] * case["batch_size"]
    folder = data_dir / case["data"]
    if case["data"] == "wine":
        path = next(folder.glob("*white*.csv"))
        table = np.loadtxt(path, delimiter=";", skiprows=1, max_rows=rows)
        return table[:, :-1], table[:, -1]
    x, y = _first(folder)
    assert len(x) >= rows
    return x[:rows], y[:rows]


@cache
def _first(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """The first images and their labels: unpacking all of them takes a second."""
    names = ("images-idx3", "labels-idx1")
    x, y = (read_idx(folder / f"train-{name}-ubyte.gz")[:5000].copy() for name in names)
    return x, y


def _formula_weights(task: fallline.Task, bias: float) -> dict[str, np.ndarray]:
    """As the record's ``doc`` says."""
    shapes = {name: leaf.shape for name, leaf in named_leaves(task.pure.shapes()).items()}
    weights, number = {}, 0
    for layer in _layers(task):
        shape = shapes.get(f"{layer}/kernel")
        if shape is None:
            weights[f"{layer}/scale"] = np.ones(shapes[f"{layer}/scale"])
            weights[f"{layer}/bias"] = np.zeros(shapes[f"{layer}/bias"])
            continue
        scale = np.sqrt(6 / (np.prod(shape[:-2]) * (shape[-2] + shape[-1])))
        index = np.arange(np.prod(shape), dtype=np.float64)
        values = scale * np.sin(0.37 * index + 1.3 * number + 0.5)
        weights[f"{layer}/kernel"] = values.reshape(shape)
        places = np.arange(shape[-1], dtype=np.float64)
        weights[f"{layer}/bias"] = bias * np.sin(0.37 * places + 1.3 * number + 0.9)
        number += 1
    return weights


def _layers(task: fallline.Task) -> list[str]:
    """The layers that have weights, in the order in which an example passes them."""
    with precision(task.dtype):
        return [layer.name for layer in task.pure.layers]


def _trained(case: dict, data_dir: Path) -> Training:
    data = make_dataset(
        *_examples(case, data_dir),
        kind="regression" if case["data"] == "wine" else "classification",
        validation=0,
        test=0,
        scaling=case["scaling"],
        dtype=np.float64,
        classes=() if case["data"] == "wine" else tuple("0123456789"),
    )
    task = fallline.Task(
        _network(case), data, epochs=1, batch_size=case["batch_size"], l2=case["l2"]
    )
    return fallline.train(
        task,
        case["optimizer"],
        hyperparameters={NAMES[name]: v for name, v in case["hyperparameters"].items()},
        initial_weights=_formula_weights(task, case["bias"]),
        shuffle=False,
        precision="float64",
    )


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.slow if name in DEAR else ()) for name in CASES],
)
def test_trainings_follow_torch(name: str, data_dir: Path) -> None:
    case = CASES[name]
    training = _trained(case, data_dir)
    assert sum(array.size for array in training.weights.values()) == case["parameters"]
    assert case["parameters"] == tasks.definition(case["network"]).parameters
    np.testing.assert_allclose(training.step_losses, case["loss"], rtol=1e-8)
    assert max(case["loss"]) / min(case["loss"]) > 1.05  # it learns, or nothing would be shown
    norm = np.sqrt(sum(np.sum(array**2) for array in training.weights.values()))
    assert norm == pytest.approx(case["weight_norm"], rel=1e-8)
    running = named_leaves(training.network.state)
    sums = [
        [running[f"batch_stats/{layer}/{part}"].sum() for part in ("mean", "var")]
        for layer in _layers(training.task)
        if f"batch_stats/{layer}/mean" in running
    ]
    assert len(sums) == len(case["running"]) == (5 if "bn" in name else 0)
    if sums:
        np.testing.assert_allclose(sums, case["running"], rtol=1e-8)


def test_every_network_of_the_studies_is_recorded() -> None:
    recorded = {case["network"] for case in RECORDS["cases"]}
    elsewhere = {"mnist-mlp", "mnist-lenet5", "fashion-mlp"}  # shared records: test_training.py
    alike = {"kmnist-bn-cnn": "mnist-bn-cnn"}
    alike |= {f"fashion-mlp-{units}": "fashion-mlp-75" for units in (20, 150)}
    own = {"digits-mlp", "digits-cnn"}
    for name in set(tasks.names()) - own - elsewhere:
        assert alike.get(name, name) in recorded


def _batch(step: int) -> np.ndarray:
    index = np.arange(72, dtype=np.float64)
    return (2 + 3 * np.sin(0.7 * index**1.1 + step)).reshape(4, 3, 3, 2)


def test_batch_norm_keeps_kerass_statistics() -> None:
    """By hand in NumPy to 1e-12, and as Keras recorded it to float32's digits."""
    record = RECORDS["batch_norm"]
    mean, variance = np.zeros(2), np.ones(2)
    with jax.enable_x64(True):
        norm = models.batch_norm
        state = norm(True).init(jax.random.key(0), jnp.asarray(_batch(0)))
        state = jax.tree.map(lambda leaf: leaf.astype(jnp.float64), state)
        for step in range(3):
            x = _batch(step)
            out, moved = norm(True).apply(state, jnp.asarray(x), mutable=["batch_stats"])
            state = {**state, **moved}
            batch = x.mean((0, 1, 2)), x.var((0, 1, 2))
            mean = 0.99 * mean + 0.01 * batch[0]
            variance = 0.99 * variance + 0.01 * batch[1]
            hand = (x - batch[0]) / np.sqrt(batch[1] + 1e-3)
            np.testing.assert_allclose(out, hand, rtol=1e-10, atol=1e-12)
            np.testing.assert_allclose(out.ravel()[:4], record["outputs"][step], atol=2e-6)
        kept = state["batch_stats"]
        evaluated = norm(False).apply(state, jnp.asarray(_batch(3)))
    np.testing.assert_allclose(kept["mean"], mean, rtol=1e-12)
    np.testing.assert_allclose(kept["var"], variance, rtol=1e-12)
    np.testing.assert_allclose(kept["mean"], record["mean"], rtol=2e-6)
    np.testing.assert_allclose(kept["var"], record["variance"], rtol=2e-6)
    np.testing.assert_allclose(evaluated.ravel()[:4], record["evaluated"], atol=2e-6)
    hand = (_batch(3) - mean) / np.sqrt(variance + 1e-3)
    np.testing.assert_allclose(evaluated, hand, rtol=1e-10, atol=1e-12)
