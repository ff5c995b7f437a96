"""What is taken out of a training for its pictures, and the files that are written of it."""

from __future__ import annotations

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from typer.testing import CliRunner

import fallline
from fallline import models, portrait
from fallline.cli.app import app
from fallline.data.dataset import make_dataset
from fallline.errors import InputError, StudyError
from fallline.network import Network
from fallline.report.training_portrait import Portrait


def clusters(examples: int = 120, **split) -> fallline.Task:
    """Three named classes in the plane, well apart."""
    draw = np.random.default_rng(0)
    labels = np.arange(examples) % 3
    x = draw.normal(size=(examples, 2)) + 5.0 * np.stack([labels, labels == 1], axis=1)
    names = np.array(["ash", "birch", "<cedar>"])[labels]
    return fallline.Task(
        models.MLP(3, (8,)),
        make_dataset(x, names, features=("height", "girth"), **split),
        name="trees",
        epochs=3,
        batch_size=8,
    )


def untrained(task: fallline.Task) -> Network:
    """The task's network as it begins: quicker than a training."""
    return Network(task, *jax.tree.map(np.asarray, task.pure.init(jax.random.key(0))))


@pytest.fixture(scope="module")
def training() -> fallline.training.Training:
    return fallline.train(clusters(), "adam", learning_rate=0.05)


@pytest.fixture(scope="module")
def taken(training) -> Portrait:
    return portrait.portrait(training)


def test_predictions_are_those_of_the_network(training, taken: Portrait) -> None:
    test, held = training.task.dataset.test, taken.predictions
    assert held is not None
    assert (held.split, held.of) == ("test", len(test))
    named = np.asarray(taken.classes)[held.predicted]
    np.testing.assert_array_equal(named, training.predict(test.x))
    np.testing.assert_array_equal(held.actual, test.y)
    np.testing.assert_array_equal(held.x, test.x[held.shown])
    right = np.mean(held.predicted == held.actual)
    assert right == pytest.approx(training.evaluate("test")["accuracy"])
    wrong = np.flatnonzero(held.predicted != held.actual)
    assert set(held.surest) <= set(wrong)


def test_curves_examples_and_layers_are_those_of_the_training(training, taken: Portrait) -> None:
    history = training.history
    np.testing.assert_allclose(taken.train_loss, history["train_loss"])
    np.testing.assert_allclose(taken.validation_metric, history["validation_accuracy"])
    train = training.task.dataset.train
    assert taken.constant == pytest.approx(np.bincount(train.y).max() / len(train))
    rows = np.arange(25) * len(train) // 25
    np.testing.assert_array_equal(taken.examples.y, train.y[rows])
    assert [(block.name, block.parameters) for block in taken.blocks] == [
        ("Dense_0", 24),
        ("Dense_1", 27),
    ]
    assert taken.features == ("height", "girth")
    assert dict(taken.facts)["optimizer"] == "adam"


def test_first_weights_are_unit_by_unit(training, taken: Portrait) -> None:
    assert taken.first_weights is not None
    kernel = training.weights["Dense_0/kernel"]
    np.testing.assert_allclose(taken.first_weights.values, kernel.T)


def test_first_weights_of_a_convolution_and_of_pictures() -> None:
    draw = np.random.default_rng(1)
    x, y = draw.integers(0, 256, (40, 6, 5), dtype=np.uint8), np.arange(40) % 2
    for network, shape, kernel in (
        (models.ConvNet(2, ((4, 3),), (8,)), (4, 3, 3, 1), True),
        (models.MLP(2, (7,)), (7, 6, 5), False),
    ):
        task = fallline.Task(network, make_dataset(x, y), epochs=1, batch_size=8)
        made = untrained(task)
        found = portrait.first_weights(made)
        assert found is not None
        assert (found.values.shape, found.kernel) == (shape, kernel)
        array = next(array for array in made.weights.values() if array.ndim >= 2)
        np.testing.assert_allclose(found.values[3].ravel(), array[..., 3].ravel())


def test_a_users_own_network_has_its_first_weights() -> None:
    class Own(nnx.Module):
        def __init__(self, rngs: nnx.Rngs) -> None:
            self.first = nnx.Linear(2, 5, rngs=rngs)
            self.last = nnx.Linear(5, 3, rngs=rngs)

        def __call__(self, x):
            return self.last(jnp.tanh(self.first(x)))

    task = fallline.Task(lambda rngs: Own(rngs), clusters().dataset, epochs=1, batch_size=8)
    found = portrait.first_weights(untrained(task))
    assert found is not None
    assert (found.layer, found.values.shape) == ("first", (5, 2))


def test_without_a_test_split_the_next_best_is_predicted() -> None:
    for split, name in (({"test": 0}, "validation"), ({"test": 0, "validation": 0}, "train")):
        assert portrait.predictions(untrained(clusters(60, **split))).split == name


def test_without_a_validation_split_there_are_no_validation_curves() -> None:
    trained = fallline.train(clusters(30, validation=0), "sgd")
    taken = portrait.portrait(trained)
    assert not taken.course.validated
    assert len(taken.validation_loss) == len(taken.train_loss) == 3
    assert taken.validation_examples == 0


def test_a_diverged_training_has_a_page(tmp_path: Path) -> None:
    trained = fallline.train(clusters(), "sgd", learning_rate=1e30)
    taken = portrait.portrait(trained)
    assert taken.diverged
    assert taken.diagnosis.headline == "diverged"
    page = fallline.report_training(trained, tmp_path / "report.html", pictures="svg")
    assert "Diverged." in page.read_text("utf-8")


def test_a_regression_is_predicted_in_its_units() -> None:
    draw = np.random.default_rng(2)
    x = draw.normal(size=(80, 3))
    task = fallline.Task(
        models.MLP(1, (4,)),
        make_dataset(x, 100.0 + x.sum(axis=1), target_scaling=True),
        epochs=2,
        batch_size=8,
    )
    made = untrained(task)
    held = portrait.predictions(made)
    assert held.probabilities is None
    np.testing.assert_allclose(held.predicted, made.predict(task.dataset.test.x), rtol=1e-6)
    assert 90 < held.predicted.mean() < 110


def test_many_examples_are_predicted_in_part(training, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(portrait, "MOST_PREDICTED", 5)
    held = portrait.portrait(training).predictions
    assert held is not None
    assert (len(held.actual), held.of) == (5, len(training.task.dataset.test))
    np.testing.assert_array_equal(held.predicted, held.probabilities.argmax(axis=1))


def test_a_report_that_cannot_be_written_is_said(training, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StudyError, match="cannot write the report"):
        fallline.report_training(training, tmp_path / "file" / "report.html")
    with pytest.raises(InputError, match="unknown format of pictures 'gif'"):
        fallline.report_training(training, tmp_path / "report.html", pictures="gif")
    assert not (tmp_path / "report.html").exists()


def test_the_command_writes_report_and_pictures(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [f"{value},{value % 3},{'high' if value > 30 else 'low'}" for value in range(60)]
    Path("table.csv").write_text("a,b,c\n" + "\n".join(rows) + "\n")
    words = ["train", "table.csv", "--target", "c", "--epochs", "2", "--out", "here", "--quiet"]
    done = CliRunner().invoke(app, [*words, "--pictures", "svg"])
    assert done.exit_code == 0, done.output
    assert f"report: {Path('here', 'report.html')}" in done.output
    assert "high" in Path("here/report.html").read_text("utf-8")
    assert Path("here/pictures/confusion.svg").is_file()
    before = Path("here/report.html").stat().st_mtime_ns
    refused = CliRunner().invoke(app, [*words, "--pictures", "jpeg"])
    assert refused.exit_code != 0
    assert Path("here/report.html").stat().st_mtime_ns == before, "refused before the training"
