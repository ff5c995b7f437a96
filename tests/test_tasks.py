"""Tasks: the built-in ones are what they say, and a user's own are checked before they train."""

from __future__ import annotations

import functools
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

import fallline
from fallline import models, tasks
from fallline.data import builtin
from fallline.data.dataset import make_dataset
from fallline.errors import DataError, InputError
from fallline.task import Task

SIZES = {
    # name: (an example's shape and dtype, outputs, parameters by hand)
    "digits-mlp": ((8, 8), np.uint8, 10, 64 * 128 + 128 + 128 * 10 + 10),
    "digits-cnn": (
        (8, 8),
        np.uint8,
        10,
        (9 * 16 + 16) + (9 * 16 * 32 + 32) + (2 * 2 * 32 * 64 + 64) + (64 * 10 + 10),
    ),
    "mnist-mlp": ((28, 28), np.uint8, 10, 784 * 128 + 128 + 128 * 10 + 10),
    "mnist-cnn": ((28, 28), np.uint8, 10, 1_387_594),  # as published, study B
    "mnist-lenet5": ((28, 28), np.uint8, 10, 44_426),  # as published, study E
    "mnist-cnn-93k": ((28, 28), np.uint8, 10, 93_322),  # as published, study E
    "mnist-bn-cnn": (
        (28, 28),
        np.uint8,
        10,
        # Per channel of each normalisation a scale and a shift; study D has five.
        (9 * 32 + 32 + 2 * 64)
        + (9 * 32 * 64 + 64 + 2 * 128)
        + (1600 * 256 + 256 + 512)
        + (256 * 10 + 10),
    ),
    "fashion-mlp": ((28, 28), np.uint8, 10, 784 * 128 + 128 + 128 * 10 + 10),
    "fashion-mlp-20": ((28, 28), np.uint8, 10, 785 * 20 + 21 * 10),
    "fashion-mlp-75": ((28, 28), np.uint8, 10, 59_635),  # as published, study C
    "fashion-mlp-150": ((28, 28), np.uint8, 10, 785 * 150 + 151 * 10),
    "fashion-mlp-75-75": ((28, 28), np.uint8, 10, 785 * 75 + 76 * 75 + 76 * 10),
    "wine-mlp": ((11,), np.float32, 1, 11 * 128 + 128 + 128 + 1),
}
TOTALS = {
    "digits-mlp": 1797,
    "digits-cnn": 1797,
    "mnist-mlp": 70_000,
    "mnist-cnn": 70_000,
    "mnist-lenet5": 70_000,
    "mnist-cnn-93k": 70_000,
    "mnist-bn-cnn": 70_000,
    "fashion-mlp": 70_000,
    "fashion-mlp-75": 70_000,
}
WITHOUT_DATA = "kmnist-bn-cnn"
"""Its data set is not among those that the tests have: they make files of its form."""


@pytest.fixture(scope="module")
def made(data_dir: Path) -> dict[str, Task]:
    """The built-in tasks with their data, whose files are read once."""
    read = functools.cache(builtin.contents)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(builtin, "contents", lambda name, **how: dict(read(name, **how)))
        return {name: tasks.get(name, data_dir=data_dir) for name in SIZES}


def test_the_built_in_tasks_are_those_of_this_list() -> None:
    assert sorted(tasks.names()) == sorted([*SIZES, WITHOUT_DATA])


@pytest.mark.parametrize("name", SIZES)
def test_a_built_in_task_is_what_its_definition_says(made, name: str) -> None:
    task, said = made[name], tasks.definition(name)
    shape, dtype, outputs, parameters = SIZES[name]
    data = task.dataset
    assert task.pure.parameters == said.parameters == parameters
    assert data.input_shape == shape
    assert data.train.x.dtype == dtype
    assert task.outputs == outputs
    assert (task.name, task.title, task.epochs) == (name, said.title, said.epochs)
    assert (task.batch_size, task.target, task.loss) == (said.batch_size, said.target, said.loss)
    assert data.licence
    assert data.source


@pytest.mark.parametrize("name", TOTALS)
def test_splits_hold_every_image_once_and_every_class(made, name: str) -> None:
    data = made[name].dataset
    splits = (data.train, data.validation, data.test)
    assert sum(len(split) for split in splits) == TOTALS[name]
    for split in splits:
        shares = np.bincount(split.y, minlength=10) / len(split)
        assert shares.min() > 0.08
        assert split.y.max() == 9
    if name in ("mnist-mlp", "fashion-mlp"):
        assert len(data.test) == 10_000  # the standard one


def test_wine_is_all_there_and_its_target_beats_the_mean(made, data_dir: Path) -> None:
    task = made["wine-mlp"]
    data = task.dataset
    table = pd.read_csv(next((data_dir / "wine").glob("*white*.csv")), sep=";")
    splits = (data.train, data.validation, data.test)
    assert sum(len(split) for split in splits) == len(table)
    together = np.sort(np.concatenate([split.y for split in splits]))
    np.testing.assert_allclose(together, np.sort(table["quality"]))
    rmse_of_the_mean = float(np.std(data.validation.y))
    assert 0.5 < task.target < rmse_of_the_mean < 1.0
    assert task.metric == "rmse"
    assert not task.higher_is_better


def test_inputs_are_scaled_on_training_rows(made) -> None:
    wine = made["wine-mlp"].dataset
    seen = (wine.train.x - wine.input_offset) * wine.input_scale
    np.testing.assert_allclose(seen.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(seen.std(axis=0), 1, rtol=1e-3)
    for name in ("mnist-mlp", "fashion-mlp"):
        data = made[name].dataset
        assert data.train.x.max() * float(data.input_scale) == pytest.approx(1)


def test_study_cs_networks_have_its_scaling_its_split_and_its_initial_weights(made) -> None:
    data = made["fashion-mlp-75"].dataset
    assert (len(data.train), len(data.validation), len(data.test)) == (48_000, 12_000, 10_000)
    shares = np.bincount(data.train.x.ravel(), minlength=256) / data.train.x.size
    mean = shares @ np.arange(256)
    deviation = np.sqrt(shares @ (np.arange(256) - mean) ** 2)
    assert float(data.input_offset) == pytest.approx(mean, rel=1e-6)
    assert float(data.input_scale) == pytest.approx(1 / deviation, rel=1e-6)
    for widths in ("20", "75", "150", "75-75"):
        task = made[f"fashion-mlp-{widths}"]
        assert task.model.initial == "scaled_uniform"
        assert "-".join(map(str, task.model.hidden)) == widths
        assert (task.epochs, task.batch_size) == (20, 64)


def _idx(path: Path, array: np.ndarray) -> None:
    header = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    path.write_bytes(header + array.tobytes())


@pytest.mark.parametrize("folder", ["KMNIST/raw", "KMNIST", "kmnist", "."])
def test_kmnist_is_read_from_files_of_its_names(tmp_path: Path, folder: str) -> None:
    draw = np.random.default_rng(0)
    (tmp_path / folder).mkdir(parents=True, exist_ok=True)
    for part, count in (("train", 60), ("t10k", 20)):
        images = draw.integers(0, 256, (count, 28, 28), np.uint8)
        _idx(tmp_path / folder / f"{part}-images-idx3-ubyte", images)
        _idx(tmp_path / folder / f"{part}-labels-idx1-ubyte", np.arange(count, dtype=np.uint8) % 10)
    task = tasks.varied(WITHOUT_DATA, data_dir=tmp_path, data={"validation": 0.25})
    said, like = tasks.definition(WITHOUT_DATA), tasks.definition("mnist-bn-cnn")
    assert task.pure.parameters == said.parameters == like.parameters
    assert said.model() == like.model()
    assert task.splits_in_words == "45 train, 15 validation, 20 test"
    assert task.dataset.classes[:4] == ("o", "ki", "su", "tsu")
    assert task.dataset.licence == "CC BY-SA 4.0"


def test_an_unknown_task_gets_the_nearest() -> None:
    with pytest.raises(InputError, match="unknown task 'digit-mlp'") as caught:
        tasks.get("digit-mlp")
    assert "'digits-mlp'" in caught.value.hint
    assert "fallline tasks" in caught.value.hint


# -- built-in tasks, changed --------------------------------------------------------------


def test_a_task_that_nothing_is_changed_of_is_itself(made) -> None:
    same = tasks.varied("digits-mlp", model={"hidden": [128]}, data={}, l2=0.0, epochs=3)
    assert same.title == made["digits-mlp"].title
    assert same.fingerprint == made["digits-mlp"].fingerprint
    assert (same.epochs, same.batch_size) == (3, made["digits-mlp"].batch_size)


def test_a_changed_task_says_what_was_changed() -> None:
    task = tasks.varied(
        "digits-mlp",
        model={"hidden": [20, 10], "activation": "tanh"},
        data={"validation": "test"},
        loss="cross_entropy",
        l2=0.001,
        batch_size=8,
    )
    assert task.name == "digits-mlp"
    base = tasks.definition("digits-mlp").title
    words = "hidden (20, 10), activation tanh, validation test, l2 0.001"
    assert task.title == f"{base}, changed: {words}"
    assert task.pure.parameters == 65 * 20 + 21 * 10 + 11 * 10
    assert task.l2 == 0.001
    assert task.batch_size == 8


def test_every_change_but_the_budget_changes_the_fingerprint(made) -> None:
    changes = [
        {"model": {"hidden": [129]}},
        {"model": {"activation": "arctan"}},
        {"model": {"activation": "sigmoid(2.0)"}},
        {"model": {"output_activation": "relu"}},
        {"model": {"initial": "equal"}},
        {"data": {"validation": "test"}},
        {"data": {"split_seed": 1}},
        {"data": {"train_rows": 100}},
        {"data": {"rows": 500}},
        {"l1": 0.001},
    ]
    prints = {tasks.varied("digits-mlp", **change).fingerprint for change in changes}
    prints |= {made["digits-mlp"].fingerprint}
    assert len(prints) == len(changes) + 1
    cnn = made["digits-cnn"]
    for fields in ({"batch_norm": True}, {"dense_dropout": 0.5}, {"convolutions": [[16, 3]]}):
        changed = tasks.varied("digits-cnn", model=fields)
        assert changed.fingerprint != cnn.fingerprint
        assert next(iter(fields)) in changed.title


@pytest.mark.parametrize(
    ("changes", "message", "hint"),
    [
        (
            {"model": {"hiden": [3]}},
            "unknown setting of the network MLP 'hiden'",
            "mean 'hidden'",
        ),
        ({"model": {"outputs": 3}}, "network MLP 'outputs'", "hidden, activation"),
        ({"model": {"hidden": "75"}}, "hidden is '75'", r"\[75, 75\]"),
        ({"model": {"hidden": [0]}}, r"hidden is \(0,\)", "widths"),
        ({"model": {"activation": "relo"}}, "unknown activation 'relo'", "'relu'"),
        ({"model": {"output_activation": "softmax"}}, "is 'softmax'", "before it"),
        ({"model": {"initial": "glorrot"}}, "unknown initial 'glorrot'", "'glorot'"),
        ({"data": {"shufle": False}}, "unknown data setting 'shufle'", "'shuffle'"),
        ({"data": {"scaling": "zscor"}}, "unknown scaling 'zscor'", "'zscore'"),
        ({"data": {"rows": 2.5}}, "rows is 2.5", "count of rows"),
        ({"data": {"rows": 1798}}, "rows is 1798, and there are 1797", "at most 1797"),
        ({"data": {"train_rows": 1080}}, "train_rows is 1080, and there are 1079", "1079"),
        ({"data": {"validation": "tests"}}, "validation is 'tests'", '"test"'),
        ({"data": {"shuffle": 0}}, "shuffle is 0", "true or false"),
        ({"data": {"validation": "test", "test": 0}}, "there is no test split", "leave test out"),
        ({"loss": "mse"}, "'mse' is for regression", "cross_entropy"),
    ],
)
def test_what_cannot_be_changed_is_told(changes: dict, message: str, hint: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        tasks.varied("digits-mlp", **changes)
    assert re.search(hint, caught.value.hint)


@pytest.mark.parametrize(
    "fields",
    [
        {"pool_dropout": 1.0},
        {"padding": "same"},
        {"batch_norm": 1},
        {"convolutions": [[32]]},
        {"convolutions": [[32, 3, 0]]},
        {"dense": [64.0]},
    ],
)
def test_what_a_convolutional_network_does_not_take_is_told(fields: dict) -> None:
    (name,) = fields
    with pytest.raises(InputError, match=f"the network's {name} is"):
        tasks.varied("digits-cnn", model=fields)
    with pytest.raises(InputError, match=f"network MLP '{name}'"):
        tasks.varied("digits-mlp", model=fields)


# -- a user's own ---------------------------------------------------------------------------


def _xy(classes: int = 3, examples: int = 60) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(0)
    return draw.normal(size=(examples, 4)), np.arange(examples) % classes


def _line() -> tuple[np.ndarray, np.ndarray]:
    x, _ = _xy()
    return x, 3.5 + 10 * x[:, 0] - 4 * x[:, 1]


def test_arrays_make_a_task() -> None:
    task = Task(models.MLP(3, (8,)), _xy(), loss="cross_entropy")
    assert task.outputs == 3
    assert [len(s) for s in (task.dataset.train, task.dataset.validation, task.dataset.test)] == [
        36,
        12,
        12,
    ]
    assert task.metric == "accuracy"
    assert task.higher_is_better
    assert task.splits_in_words == "36 train, 12 validation, 12 test"


def test_the_split_is_that_of_make_dataset() -> None:
    x, y = _xy()
    task = Task(None, (x, y), split={"validation": 6, "test": 0, "scaling": "none"})
    assert task.dataset.test is None
    expected = make_dataset(x, y, validation=6, test=0, scaling="none", name="task")
    assert task.dataset.fingerprint == expected.fingerprint
    with pytest.raises(InputError, match="split takes no 'validaton'") as caught:
        Task(None, (x, y), split={"validaton": 6})
    assert "did you mean 'validation'" in caught.value.hint


def test_a_task_without_a_model_gets_a_network_of_its_size() -> None:
    task = Task(data=_xy())
    assert task.pure.layers[-1].output_shape == (3,)
    assert task.pure.parameters == 4 * 16 + 16 + 16 * 16 + 16 + 16 * 3 + 3


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epochs": 0}, "epochs must be a whole number of at least 1, got 0"),
        ({"batch_size": 2.5}, "batch_size must be a whole number of at least 1, got 2.5"),
        ({"epochs": True}, "epochs must be a whole number of at least 1, got True"),
        ({"l1": -0.1}, "l1 must be at least 0, got -0.1"),
        ({"l2": float("nan")}, "l2 must be at least 0, got nan"),
        ({"loss": "mse"}, "'mse' is for regression, and the data is a classification"),
        ({"loss": "sigmoid_cross_entropy"}, "is for two classes, and the data has 3"),
        ({"loss": "cross_entropie"}, "unknown loss 'cross_entropie'"),
        ({"loss": len}, "a loss is given by its name, got builtin_function_or_method"),
        ({"data": ()}, r"data must be a Dataset or a pair \(X, y\), got tuple"),
        ({"data": "x.csv"}, r"data must be a Dataset or a pair \(X, y\), got str"),
    ],
)
def test_what_makes_no_task_is_refused(settings: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Task(**{"model": models.MLP(3, (8,)), "data": _xy(), **settings})


def test_a_regressions_data_refuses_the_losses_of_classes() -> None:
    with pytest.raises(InputError, match="'cross_entropy' is for classification") as caught:
        Task(models.MLP(1, (8,)), _line(), loss="cross_entropy")
    assert "'mse'" in caught.value.hint


@pytest.mark.parametrize("wrong", [models.MLP(2, (8,)), models.MLP(4, (8,))])
def test_the_networks_outputs_are_checked(wrong) -> None:
    with pytest.raises(InputError, match=r"needs \(3,\)"):
        _ = Task(wrong, _xy()).pure


def test_two_classes_with_a_single_logit() -> None:
    task = Task(models.MLP(1, (8,)), _xy(2), loss="sigmoid_cross_entropy")
    assert task.outputs == 1
    assert task.pure.parameters == 4 * 8 + 8 + 8 + 1
    right = task.score(jnp.asarray([[2.0], [-2.0], [2.0], [-2.0]]), jnp.asarray([1, 0, 0, 1]))
    np.testing.assert_array_equal(right, [1, 1, 0, 0])
    with pytest.raises(InputError, match=r"needs \(1,\)"):
        _ = replace(task, model=models.MLP(2, (8,))).pure


def test_a_score_is_the_share_that_is_right() -> None:
    task = Task(models.MLP(3, (8,)), _xy())
    outputs = jnp.asarray([[3.0, 1.0, 2.0], [0.0, 0.5, 0.4], [1.0, 2.0, 3.0]])
    np.testing.assert_array_equal(task.score(outputs, jnp.asarray([0, 1, 0])), [1, 1, 0])
    assert task.metric_of(0.75) == 0.75


def test_an_rmse_is_in_the_targets_own_units() -> None:
    x, y = _line()
    task = Task(models.MLP(1, (8,)), (x, y), split={"target_scaling": True}, epochs=40)
    data = task.dataset
    assert data.target_scale == pytest.approx(np.std(data.train.y), rel=1e-5)
    # Standardised errors of 0.1 and 0.3: sqrt(0.05) in units of the target's deviation.
    outputs, goal = jnp.asarray([[0.1], [0.3]]), jnp.asarray([0.0, 0.0])
    mean_score = np.asarray(task.score(outputs, goal)).mean()
    assert task.metric_of(mean_score) == pytest.approx(np.sqrt(0.05) * np.std(data.train.y))


def test_a_trained_rmse_is_that_of_the_predictions() -> None:
    x, y = _line()
    task = Task(models.MLP(1, (8,)), (x, y), split={"target_scaling": True}, epochs=3)
    training = fallline.train(task, "adam", learning_rate=0.01)
    test = task.dataset.test
    errors = training.predict(test.x) - test.y
    assert training.evaluate("test")["rmse"] == pytest.approx(np.sqrt(np.mean(errors**2)), rel=1e-5)
    assert training.evaluate("test")["rmse"] > 1  # y spreads by 11: no standardised figure


def test_the_penalty_is_over_weights_and_never_over_biases() -> None:
    task = Task(models.MLP(3, (2,)), _xy(), l1=0.1, l2=0.01)
    params = {
        "a": {"kernel": jnp.asarray([[1.0, -2.0], [3.0, 0.5]]), "bias": jnp.asarray([9.0, 9.0])},
        "conv": {"kernel": jnp.full((1, 1, 2, 1), -1.0), "bias": jnp.asarray([7.0])},
    }
    # sum |w| = 6.5 + 2, sum w^2 = 1 + 4 + 9 + 0.25 + 2
    assert float(task.penalty(params)) == pytest.approx(0.1 * 8.5 + 0.01 * 16.25)
    assert float(replace(task, l1=0.0).penalty(params)) == pytest.approx(0.1625)
    assert replace(task, l1=0.0, l2=0.0).penalty(params) == 0.0
    alone = jax.tree.map(lambda leaf: leaf if leaf.ndim < 2 else 0 * leaf, params)
    assert float(task.penalty(alone)) == 0


# -- fingerprints ---------------------------------------------------------------------------


def test_every_ingredient_changes_the_fingerprint() -> None:
    x, y = _xy()
    nudged = x.copy()
    nudged[0, 0] += 1e-3
    base = Task(models.MLP(3, (8,)), (x, y))
    others = [
        replace(base, model=models.MLP(3, (9,))),
        replace(base, model=models.MLP(3, (8,), "tanh")),
        replace(base, data=(nudged, y)),
        replace(base, data=(x, (y + 1) % 3)),
        replace(base, split={"validation": 0.3}),
        replace(base, split={"split_seed": 1}),
        replace(base, split={"scaling": "none"}),
        replace(base, l1=0.1),
        replace(base, l2=0.1),
    ]
    prints = [task.fingerprint for task in (base, *others)]
    assert len(set(prints)) == len(prints)
    line = Task(models.MLP(1, (8,)), _line())
    assert line.fingerprint != replace(line, loss="mae").fingerprint
    assert replace(line, loss="huber(0.5)").fingerprint != replace(line, loss="huber").fingerprint


def test_the_code_of_a_users_network_is_part_of_the_fingerprint() -> None:
    from flax import linen as nn

    def made(activation):
        class Net(nn.Module):
            @nn.compact
            def __call__(self, x):
                return nn.Dense(3)(activation(nn.Dense(4)(x)))

        return Task(Net(), _xy()).fingerprint

    assert made(nn.relu) == made(nn.relu)
    assert made(nn.relu) != made(nn.tanh)


def test_what_a_run_says_itself_is_no_part_of_the_fingerprint() -> None:
    base = Task(models.MLP(3, (8,)), _xy())
    same = replace(base, title="another", target=0.5).with_budget(epochs=3, batch_size=7)
    assert (same.epochs, same.batch_size) == (3, 7)
    assert same.fingerprint == base.fingerprint
    assert base.with_budget().epochs == base.epochs


def test_a_fingerprint_is_the_same_in_another_process(made) -> None:
    code = "from fallline import tasks; print(tasks.get('digits-cnn').fingerprint)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout.strip() == made["digits-cnn"].fingerprint
    assert len({task.fingerprint for task in made.values()}) == len(made)


# -- what is required -----------------------------------------------------------------------


def test_a_split_that_is_not_there_is_asked_for() -> None:
    task = Task(None, _xy(), name="mine", split={"validation": 0, "test": 0.2})
    task.require("test")
    with pytest.raises(DataError, match="data of 'mine' has no validation split") as caught:
        task.require("test", "validation")
    assert "split={'validation': 0.2}" in caught.value.hint


def test_a_batch_of_more_than_there_is_is_refused() -> None:
    task = Task(None, _xy(), name="mine")
    task.require_batch(36)
    with pytest.raises(InputError, match="a batch of 37 is more than the 36 training") as caught:
        task.require_batch(37)
    assert "--batch-size 36" in caught.value.hint


# -- tables ---------------------------------------------------------------------------------


def _csv(folder: Path, rows: int = 90) -> Path:
    draw = np.random.default_rng(3)
    table = pd.DataFrame({"size": draw.normal(size=rows), "weight": draw.normal(size=rows)})
    table["colour"] = draw.choice(["red", "green"], rows)
    table["kind"] = np.where(table["size"] + table["weight"] > 0, "apple", "pear")
    path = folder / "fruit.csv"
    table.to_csv(path, index=False)
    return path


def test_a_table_with_a_text_target_is_a_classification(tmp_path: Path) -> None:
    task = tasks.from_csv(_csv(tmp_path), "kind")
    assert (task.name, task.title) == ("fruit", "kind from fruit.csv")
    assert task.dataset.kind == "classification"
    assert set(task.dataset.classes) == {"apple", "pear"}
    assert task.outputs == 2
    task.require("validation", "test")
    training = fallline.train(task.with_budget(epochs=30), "adam", learning_rate=0.02)
    assert training.evaluate("test")["accuracy"] > 0.8
    assert set(training.predict(task.dataset.test.x)) <= {"apple", "pear"}


def test_two_classes_of_a_table_can_have_a_single_logit(tmp_path: Path) -> None:
    data = tasks.from_csv(_csv(tmp_path), "kind").dataset
    task = Task(data=data, loss="sigmoid_cross_entropy", epochs=30, batch_size=16)
    assert task.pure.layers[-1].output_shape == (1,)
    training = fallline.train(task, "adam", learning_rate=0.02)
    assert training.evaluate("test")["accuracy"] > 0.8


def test_a_table_with_a_number_as_target_is_a_regression(tmp_path: Path) -> None:
    task = tasks.from_csv(_csv(tmp_path), "weight")
    assert (task.dataset.kind, task.metric, task.outputs) == ("regression", "rmse", 1)
    columns = task.dataset.input_shape[0]
    assert columns >= 4  # size, and one column per colour and kind


def test_the_budget_of_a_table_follows_its_size(tmp_path: Path) -> None:
    small, large = (tasks.from_csv(_csv(tmp_path, rows), "kind") for rows in (30, 6_000))
    assert small.batch_size == len(small.dataset.train) == 18
    small.require_batch(small.batch_size)
    assert small.epochs == 60
    assert large.batch_size == 32
    assert large.epochs == 3000 // (3600 // 32)  # about 3,000 steps


def test_the_real_wine_is_a_table_like_any_other(data_dir: Path) -> None:
    path = next((data_dir / "wine").glob("*white*.csv"))
    task = tasks.from_csv(path, "quality", kind="regression")
    assert task.dataset.input_shape == (11,)
    assert task.dataset.kind == "regression"
    assert task.dataset.features[:2] == ("fixed acidity", "volatile acidity")
    assert 10 <= task.epochs <= 60
    assert task.pure.parameters > 1_000


# -- what names a task ----------------------------------------------------------------------


def test_a_task_is_named_in_three_ways(tmp_path: Path) -> None:
    own = Task(None, _xy())
    assert tasks.resolve(own) is own
    assert tasks.resolve("digits-mlp").name == "digits-mlp"
    path = _csv(tmp_path)
    assert tasks.resolve(str(path), target="kind").name == "fruit"
    assert tasks.resolve(path, target="kind", kind="classification").name == "fruit"
    table = path.rename(tmp_path / "fruit")  # a file of any name is a table
    assert tasks.resolve(str(table), target="kind").name == "fruit"


@pytest.mark.parametrize(
    ("task", "settings", "message"),
    [
        ("nothing.csv", {}, "which column to predict was not said"),
        ("digits-mlp", {"target": "y"}, "--target is for a CSV file, and 'digits-mlp'"),
        ("digits-mlp", {"kind": "regression"}, "--kind is for a CSV file, and 'digits-mlp'"),
        ("digitsmlp", {}, "unknown task 'digitsmlp'"),
        ("digitsmlp", {"target": "y"}, "unknown task 'digitsmlp'"),
        (7, {}, "int is no task"),
        (None, {}, "NoneType is no task"),
    ],
)
def test_what_names_no_task_is_refused(task, settings: dict, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        tasks.resolve(task, **settings)
    assert caught.value.hint


def test_a_tasks_own_data_takes_no_target() -> None:
    with pytest.raises(InputError, match="--target is for a CSV file"):
        tasks.resolve(Task(None, _xy()), target="quality")


def test_a_table_that_is_not_there_is_named() -> None:
    with pytest.raises(DataError, match=r"nothing\.csv"):
        tasks.resolve("nothing.csv", target="quality")


def test_a_batch_is_a_number_or_all_examples() -> None:
    task = tasks.get("digits-mlp")
    assert task.with_budget(batch_size="all").batch_size == len(task.dataset.train)
    assert [task.batch_of(given) for given in (None, 1, "64", " ALL ")] == [32, 1, 64, 1079]
    for wrong in ("half", 0, "-3", 2.5, True):
        with pytest.raises(InputError, match="batch_size must be a whole number") as caught:
            task.with_budget(batch_size=wrong)
    assert "'all' takes all training examples" in caught.value.hint


def test_another_objective_keeps_the_rest() -> None:
    task = tasks.get("digits-mlp")
    other = task.with_objective(l2=0.01, frozen=["Dense_0"])
    assert (other.l1, other.l2, other.frozen) == (0.0, 0.01, ("Dense_0",))
    assert other.dataset is task.dataset
    assert task.with_objective() is task
    with pytest.raises(InputError, match="the loss 'mse' is for regression"):
        task.with_objective(loss="mse")


def test_a_path_that_is_no_text_is_refused_before_anything_is_stored(tmp_path):
    path = tmp_path / "t\udcff.csv"
    try:
        path.write_text("x,y\n" + "".join(f"{n},{n % 2}\n" for n in range(40)))
    except OSError:
        pytest.skip("this system's files have names of text alone")
    with pytest.raises(InputError, match="bytes that are not UTF-8"):
        tasks.from_csv(path, "y")
