"""A training's portrait: everything that its pictures need, taken out of it as plain arrays."""

from __future__ import annotations

import datetime
import importlib.metadata
from pathlib import Path
from typing import Any

import numpy as np

from fallline.data.dataset import Split
from fallline.data.streamed import Shards
from fallline.errors import StudyError
from fallline.network import Network
from fallline.report import training_page, training_static
from fallline.report.formats import picture_format
from fallline.report.training_portrait import (
    EXAMPLES,
    Block,
    Examples,
    FirstWeights,
    Portrait,
    Predictions,
    constant_figure,
    spread,
)
from fallline.training import Training

REPORT_NAME = "report.html"
PICTURES_FOLDER = "pictures"
MOST_PREDICTED = 10_000
"""Held-out examples that are predicted for the pictures; of more, evenly spread ones are."""


def report_training(
    training: Training, path: Path | str = REPORT_NAME, *, pictures: str | None = None
) -> Path:
    """Write the page of ``training``, which opens offline, to ``path``; returns the path.

    ``pictures`` (``"png"``, ``"svg"`` or ``"pdf"``) also writes every picture as a file of its
    own into the folder ``pictures`` beside the page. Raises InputError for another format.
    """
    target = Path(path)
    if pictures is not None:
        picture_format(pictures)
    taken = portrait(training)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(training_page.render(taken), encoding="utf-8")
        if pictures is not None:
            training_static.write(taken, target.parent / PICTURES_FOLDER, pictures)
    except OSError as error:
        raise StudyError(
            f"cannot write the report {str(target)!r}: {error.strerror or error}",
            hint="give a path in a folder that can be written to",
        ) from error
    return target


def portrait(training: Training) -> Portrait:
    """The plain arrays and texts of ``training``; predicts the examples of its test split."""
    task, result = training.task, training.result
    data, curves = task.dataset, result.curves
    finite = all(np.isfinite(array).all() for array in training.weights.values())
    return Portrait(
        title=task.title or task.name,
        task=task.name,
        kind=data.kind,
        metric=task.metric,
        status=str(result.status),
        advice=result.status.advice,
        facts=_facts(training),
        notes=data.notes,
        train_loss=np.asarray(curves.train_loss, float),
        train_metric=np.asarray(curves.train_metric, float),
        validation_loss=_filled(curves.validation_loss, result.epochs_trained),
        validation_metric=_filled(curves.validation_metric, result.epochs_trained),
        constant=constant_figure(data.train.y, data.kind),
        train_examples=len(data.train),
        validation_examples=len(data.validation) if data.validation else 0,
        classes=data.classes or tuple(map(str, range(data.outputs)))
        if data.kind == "classification"
        else (),
        features=data.features,
        input_shape=tuple(data.input_shape),
        examples=_examples(data.train),
        predictions=predictions(training.network) if finite else None,
        blocks=tuple(
            Block(each.name, each.kind, each.output_shape, each.parameters, each.trainable)
            for each in task.pure.layers
        ),
        first_weights=first_weights(training.network) if finite else None,
        diverged=result.diverged_step >= 0,
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="minutes"),
        versions=tuple((name, importlib.metadata.version(name)) for name in ("fallline", "jax")),
    )


def _facts(training: Training) -> tuple[tuple[str, str], ...]:
    task, result = training.task, training.result
    settings = ", ".join(f"{n} {value:g}" for n, value in result.run.hyperparameters.items())
    regularised = [f"{n} {value:g}" for n, value in (("l1", task.l1), ("l2", task.l2)) if value]
    return (
        ("optimizer", result.run.optimizer),
        ("hyper-parameters", settings or "none"),
        ("batch size", f"{training.batch_size:,}"),
        ("epochs", f"{result.epochs_trained} of {task.epochs}"),
        ("steps", f"{result.steps:,}"),
        ("loss", ", ".join([task.loss_terms.name, *regularised])),
        ("seed", str(result.run.seed)),
        ("precision", task.precision),
        ("examples", task.splits_in_words),
    )


def _filled(curve: np.ndarray, epochs: int) -> np.ndarray:
    """``curve`` with a value per epoch: NaN where there is no validation split."""
    return np.asarray(curve, float) if len(curve) == epochs else np.full(epochs, np.nan)


def _examples(split: Split) -> Examples:
    rows = spread(len(split), EXAMPLES)
    return Examples(_taken(split.x, rows), split.y[rows])


def _taken(x: np.ndarray | Shards, rows: np.ndarray) -> np.ndarray:
    return np.asarray(x.take(rows) if isinstance(x, Shards) else x[rows])


def predictions(network: Network) -> Predictions:
    """What the network says of the test split, or of the next best that there is."""
    data = network.task.dataset
    name = "test" if data.test else "validation" if data.validation else "train"
    split: Any = getattr(data, name)
    rows = spread(len(split), MOST_PREDICTED)
    x = split.x if len(rows) == len(split) else _taken(split.x, rows)
    actual = split.y[rows]
    shown, surest = spread(len(rows), EXAMPLES), np.zeros(0, int)
    probabilities = None
    if data.kind == "classification":
        probabilities = network.predict_proba(x)
        predicted = probabilities.argmax(axis=1)
        wrong = np.flatnonzero(predicted != actual)
        surest = wrong[np.argsort(-probabilities[wrong].max(axis=1), kind="stable")][:10]
    else:
        predicted = network.predict(x)
    return Predictions(
        split=name,
        of=len(split),
        actual=actual,
        predicted=predicted,
        probabilities=probabilities,
        shown=shown,
        x=_taken(x, shown),
        surest=surest,
        surest_x=_taken(x, surest),
    )


def first_weights(network: Network) -> FirstWeights | None:
    """The first layer's array of two axes or more, unit by unit; None where there is none."""
    arrays, shape = network.weights, tuple(network.task.dataset.input_shape)
    for block in network.task.pure.layers:
        prefix = block.name.replace(".", "/") + "/"
        own = [array for name, array in arrays.items() if f"{name.rpartition('/')[0]}/" == prefix]
        found = next((array for array in own if array.ndim >= 2), None)
        if found is not None:
            return _by_units(block.name, np.asarray(found, float), shape)
    return None


def _by_units(layer: str, weights: np.ndarray, shape: tuple[int, ...]) -> FirstWeights | None:
    """Kernels end in ``(inputs, units)``: units first, inputs in an example's shape."""
    if weights.ndim == 4:
        return FirstWeights(layer, np.moveaxis(weights, -1, 0), kernel=True)
    if weights.ndim != 2 or weights.shape[0] != int(np.prod(shape)):
        return None
    return FirstWeights(layer, weights.T.reshape(-1, *shape), kernel=False)
