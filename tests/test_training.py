"""One training: the whole stack against trainings that torch recorded, and the weights' journey."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import jax
import ml_dtypes
import numpy as np
import pytest

import fallline
from fallline import models
from fallline.data.dataset import make_dataset
from fallline.data.files import read_idx
from fallline.engine import ordering
from fallline.engine.feeding import Seeds
from fallline.engine.population import Population
from fallline.errors import DataError, InputError, StudyError
from fallline.network import named_leaves
from fallline.planning.stopping import EarlyStopping
from fallline.records import Status

RECORDS = Path(__file__).parent / "golden"
FOLDERS = {"mnist": "mnist", "fashion-mnist": "fashion-mnist"}
NETWORKS = {
    "mlp": lambda: models.MLP(10, (128,)),
    "lenet5": lambda: models.ConvNet(10, ((6, 5), (16, 5)), (120, 84), padding="VALID"),
}
LAYERS = {
    "mlp": ("Dense_0", "Dense_1"),
    "lenet5": ("Conv_0", "Conv_1", "head/Dense_0", "head/Dense_1", "head/Dense_2"),
}
NAMES = {"lr": "learning_rate", "eps": "epsilon", "momentum": "momentum"}


def _formula_weights(task: fallline.Task, layers: tuple[str, ...]) -> dict[str, np.ndarray]:
    """w[i] = s sin(0.37 i + 1.3 l + 0.5), s = sqrt(6 / (fan in + fan out)); biases 0."""
    shapes = {name: leaf.shape for name, leaf in named_leaves(task.pure.shapes()).items()}
    weights = {}
    for number, layer in enumerate(layers):
        shape = shapes[f"{layer}/kernel"]
        receptive = int(np.prod(shape[:-2]))
        scale = np.sqrt(6 / (receptive * (shape[-2] + shape[-1])))
        index = np.arange(np.prod(shape), dtype=np.float64)
        values = scale * np.sin(0.37 * index + 1.3 * number + 0.5)
        weights[f"{layer}/kernel"] = values.reshape(shape)
        weights[f"{layer}/bias"] = np.zeros(shape[-1])
    return weights


@cache
def _first(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """The first images and their labels: unpacking all of them takes a second."""
    names = ("images-idx3", "labels-idx1")
    x, y = (read_idx(folder / f"train-{name}-ubyte.gz")[:5000].copy() for name in names)
    return x, y


def _golden(golden_dir: Path) -> list[dict]:
    return json.loads((golden_dir / "training.json").read_text())["cases"]


def _trained(case: dict, data_dir: Path, precision: str) -> fallline.training.Training:
    steps, batch = len(case["loss"]), case["batch_size"]
    folder = data_dir / FOLDERS[case["data"]]
    x, y = (part[: steps * batch] for part in _first(folder))
    assert len(x) == steps * batch
    data = make_dataset(x, y, validation=0, test=0, scaling="unit", dtype=np.float64)
    task = fallline.Task(
        NETWORKS[case["network"]](), data, epochs=1, batch_size=batch, l2=case["l2"]
    )
    return fallline.train(
        task,
        case["optimizer"],
        hyperparameters={NAMES[name]: v for name, v in case["hyperparameters"].items()},
        initial_weights=_formula_weights(task, LAYERS[case["network"]]),
        shuffle=False,
        precision=precision,
    )


def test_float64_trainings_follow_torch(data_dir: Path, golden_dir: Path) -> None:
    cases = _golden(golden_dir)
    assert len(cases) >= 4
    for case in cases:
        training = _trained(case, data_dir, "float64")
        assert sum(array.size for array in training.weights.values()) == case["parameters"]
        np.testing.assert_allclose(training.step_losses, case["loss"], rtol=1e-8)
        norm = np.sqrt(sum(np.sum(array**2) for array in training.weights.values()))
        assert norm == pytest.approx(case["weight_norm"], rel=1e-8)


@pytest.mark.slow
def test_float32_trainings_follow_torch(data_dir: Path, golden_dir: Path) -> None:
    """To 5e-4 of the float64 records, and of torch's own float32 where that leaves them.

    LeNet-5's leaves them by 4.8e-3 from step 40 on: a unit of blank background crosses zero.
    """
    recorded = json.loads((RECORDS / "training_float32.json").read_text())["cases"]
    for case, peer in zip(_golden(golden_dir), recorded, strict=True):
        losses = _trained(case, data_dir, "float32").step_losses
        np.testing.assert_allclose(losses, peer["loss"], rtol=5e-4)
        np.testing.assert_allclose(losses, case["loss"], rtol=max(5e-4, 1.1 * peer["from_float64"]))


@pytest.fixture(scope="module")
def digits() -> fallline.Task:
    from fallline import tasks

    return tasks.get("digits-mlp").with_budget(epochs=3)


@pytest.fixture(scope="module")
def trained(digits: fallline.Task) -> fallline.training.Training:
    return fallline.train(digits, "adam", learning_rate=0.01)


def test_history_has_a_row_per_epoch(trained) -> None:
    history = trained.history
    assert list(history["epoch"]) == [1, 2, 3]
    assert history["train_loss"].is_monotonic_decreasing
    assert {"train_accuracy", "validation_loss", "validation_accuracy"} <= set(history.columns)
    assert trained.status is Status.DONE


def test_evaluation_is_what_the_predictions_say(digits, trained) -> None:
    test = digits.dataset.test
    probabilities = trained.predict_proba(test.x)
    assert probabilities.shape == (len(test), 10)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)
    figures = trained.evaluate("test")
    right = np.mean(trained.predict(test.x).astype(int) == test.y)
    assert figures["accuracy"] == pytest.approx(right)
    log_loss = -np.log(probabilities[np.arange(len(test)), test.y]).mean()
    assert figures["loss"] == pytest.approx(log_loss, rel=1e-5)
    assert trained.evaluate((test.x, test.y)) == pytest.approx(figures)


def test_weights_go_through_a_file_unchanged(trained, digits, tmp_path: Path) -> None:
    path = trained.save(tmp_path / "kept")
    assert fallline.evaluate(path, digits) == trained.evaluate("test")
    assert fallline.evaluate(path.parent) == trained.evaluate("test")


def test_training_goes_on_from_given_weights(trained, digits, tmp_path: Path) -> None:
    path = trained.save(tmp_path / "kept")
    goes_on = [
        fallline.train(digits, "sgd", initial_weights=given, epochs=1).step_losses
        for given in (trained, path, trained.weights)
    ]
    np.testing.assert_array_equal(goes_on[0], goes_on[1])
    np.testing.assert_array_equal(goes_on[0], goes_on[2])
    fresh = fallline.train(digits, "sgd", epochs=1).step_losses
    assert goes_on[0][0] < 0.5 * fresh[0]


def test_weights_of_another_network_are_refused(trained, digits) -> None:
    weights = trained.weights
    with pytest.raises(DataError, match="'Dense_1/bias' is missing"):
        fallline.train(
            digits, initial_weights={k: v for k, v in weights.items() if k != "Dense_1/bias"}
        )
    with pytest.raises(DataError, match="'Dense_7/bias' is not part of the network"):
        fallline.train(digits, initial_weights={**weights, "Dense_7/bias": np.zeros(3)})
    with pytest.raises(DataError, match=r"'Dense_1/bias' have shape \(3,\)"):
        fallline.train(digits, initial_weights={**weights, "Dense_1/bias": np.zeros(3)})


def test_early_stopping_ends_the_training(digits) -> None:
    # No epoch improves the training loss by 10: the second and third wait, then it stops.
    stopping = EarlyStopping("train_loss", min_delta=10.0, patience=2)
    training = fallline.train(digits, epochs=10, early_stopping=stopping)
    assert training.status is Status.STOPPED_EARLY
    assert training.result.epochs_trained == 3


def test_the_best_epochs_weights_are_kept_where_asked(digits) -> None:
    # A learning rate that overshoots now and then, so that the last epoch is not the best.
    stopping = EarlyStopping("validation_loss", patience=3)
    asked = {"learning_rate": 0.06, "epochs": 15, "early_stopping": stopping}
    for optimizer in ("adam", "schedule_free_adamw"):  # judged by what it trains, and not
        kept = fallline.train(digits, optimizer, restore_best=True, **asked)
        losses = kept.history["validation_loss"]
        assert kept.kept_epoch == losses.idxmin() + 1
        assert kept.kept_epoch < len(losses)
        assert kept.evaluate("validation")["loss"] == pytest.approx(losses.min(), rel=1e-5)
        last = fallline.train(digits, optimizer, **asked)
        assert last.kept_epoch == len(losses)
        assert last.evaluate("validation")["loss"] == pytest.approx(losses.iloc[-1], rel=1e-5)
        assert last.identity != kept.identity
    with pytest.raises(InputError, match="not which figure decides it"):
        fallline.train(digits, restore_best=True)


def test_a_monitored_error_is_in_the_targets_units() -> None:
    draw = np.random.default_rng(0)
    x = draw.normal(size=(200, 3)).astype(np.float32)
    y = 500 * x @ np.array([1.0, -2.0, 0.5]) + 100 * draw.normal(size=200)
    split = {"target_scaling": True, "kind": "regression"}
    task = fallline.Task(models.MLP(1, (8,)), (x, y), name="units", epochs=40, split=split)
    for monitor in ("train_metric", "validation_metric"):
        stopping = EarlyStopping(monitor, min_delta=20.0, patience=2)
        training = fallline.train(task, learning_rate=0.01, early_stopping=stopping)
        best, waited = np.inf, 0
        for error in training.history[monitor.replace("metric", "rmse")]:
            better = error < best - 20.0
            best, waited = (error, 0) if better else (best, waited + 1)
            if waited == 2:
                break
        assert training.status is Status.STOPPED_EARLY
        assert waited == 2
        assert error == training.history[monitor.replace("metric", "rmse")].iloc[-1]
        assert len(training.history) > 5


def test_a_weight_decay_that_is_set_is_applied(digits) -> None:
    plain = fallline.train(digits, "sgd", epochs=1)
    decayed = fallline.train(digits, "sgd", epochs=1, hyperparameters={"weight_decay": 0.5})
    norms = [np.linalg.norm(each.weights["Dense_0/kernel"]) for each in (plain, decayed)]
    assert norms[1] < 0.95 * norms[0]


def test_predictions_of_a_regression_are_in_the_targets_units() -> None:
    draw = np.random.default_rng(0)
    x = draw.normal(size=(300, 3)).astype(np.float32)
    y = 5000 + 1000 * x @ np.array([1.0, -2.0, 0.5])
    split = {"target_scaling": True, "kind": "regression"}
    task = fallline.Task(models.MLP(1, (32,)), (x, y), name="price", epochs=40, split=split)
    training = fallline.train(task, learning_rate=0.01)
    figures = training.evaluate("test")
    test = task.dataset.test
    error = np.sqrt(np.mean((training.predict(test.x) - test.y) ** 2))
    assert figures["rmse"] == pytest.approx(error, rel=1e-4)
    assert figures["rmse"] < 0.1 * np.std(y)


def test_wrong_input_is_told(digits, trained) -> None:
    with pytest.raises(InputError, match="unknown precision 'float16'"):
        fallline.train(digits, precision="float16")
    with pytest.raises(InputError, match="unknown split 'tests'"):
        trained.evaluate("tests")
    with pytest.raises(DataError, match=r"examples of shape \(5,\)"):
        trained.predict(np.zeros((2, 5)))
    with pytest.raises(DataError, match="label 'eleven'"):
        trained.evaluate((digits.dataset.test.x[:1], ["eleven"]))
    with pytest.raises(DataError, match="no weights at"):
        fallline.evaluate("lost.safetensors", digits)


def test_a_devices_error_is_told(digits, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(population: Population, runs: object, **settings: object) -> None:
        raise jax.errors.JaxRuntimeError("INTERNAL: the fan has stopped")

    monkeypatch.setattr(Population, "train", broken)
    with pytest.raises(StudyError, match=r"ended by an error: .*the fan has stopped"):
        fallline.train(digits)


def test_the_default_folder_tells_trainings_apart(trained, digits) -> None:
    short = digits.with_budget(epochs=1)
    others = [
        fallline.train(short, "adam"),
        fallline.train(short, "adam", shuffle=False),
        fallline.train(short, "adam", initial_weights=trained),
        fallline.train(short, "adam", options={"epsilon_place": "inside"}),
        fallline.train(short, "adam", early_stopping=EarlyStopping(patience=1)),
    ]
    names = [training.identity for training in others]
    assert len(set(names)) == len(names)
    assert fallline.train(short, "adam").identity == names[0]


def test_bf16_rounds_the_operands_of_products_and_nothing_else(digits, caplog) -> None:
    """The first loss, by NumPy: products of rounded operands, summed in float32."""
    seeds = Seeds(digits.name, (0,))
    params = jax.tree.map(lambda leaf: np.asarray(leaf[0]), seeds.initial(digits.pure)[0])
    data = digits.dataset
    batch = ordering.epoch_order(0, digits.name, 0, 0, len(data.train))[: digits.batch_size]
    x = ((data.train.x[batch] - data.input_offset) * data.input_scale).astype(np.float32)
    x = x.reshape(len(x), -1)

    def rounded(a: np.ndarray) -> np.ndarray:
        return a.astype(ml_dtypes.bfloat16).astype(np.float64)

    hidden = rounded(x) @ rounded(params["Dense_0"]["kernel"]) + params["Dense_0"]["bias"]
    hidden = np.maximum(hidden, 0).astype(np.float32)
    z = rounded(hidden) @ rounded(params["Dense_1"]["kernel"]) + params["Dense_1"]["bias"]
    loss = np.mean(np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(z)), data.train.y[batch]])

    training = fallline.train(digits, "adam", precision="bf16", epochs=1)
    assert training.step_losses[0] == pytest.approx(loss, rel=2e-6)
    assert ("bf16 is for GPUs" in caplog.text) == (jax.default_backend() == "cpu")
    exact = fallline.train(digits, "adam", epochs=1)
    assert abs(exact.step_losses[0] / loss - 1) > 1e-5
    assert all(leaf.dtype == np.float32 for leaf in training.weights.values())
    assert training.task.fingerprint != exact.task.fingerprint


def test_a_training_is_the_run_of_a_study(digits, tmp_path: Path) -> None:
    study = fallline.compare(
        digits, "adam", defaults=True, seeds=2, learning_rates=1, out=tmp_path / "study"
    )
    run = study.runs.iloc[0]
    training = fallline.train(digits, "adam", seed=int(run["seed"]))
    measured = training.history[f"validation_{digits.metric}"].iloc[-1]
    assert measured == pytest.approx(run["validation_metric"][-1], abs=1e-7)
    assert training.evaluate("test")[digits.metric] == pytest.approx(run["test_metric"], abs=1e-7)
