"""The built-in tasks, and a task from whatever a user names: a table, or a task of their own."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from fallline import models
from fallline.data.dataset import Dataset
from fallline.data.variants import variant
from fallline.errors import InputError, unknown
from fallline.task import Table, Task


@dataclass(frozen=True)
class Definition:
    """A built-in task before its data is read: what ``fallline tasks`` lists."""

    name: str
    title: str
    data: str
    network: str
    parameters: int
    model: Callable[[], Any]
    epochs: int
    batch_size: int
    target: float
    loss: str
    split: dict[str, Any] = field(default_factory=dict, hash=False)
    """Settings of its data that are not the data set's own."""

    def make(self, data_dir: Path | str | None = None) -> Task:
        """The task, with its data read."""
        return varied(self.name, data_dir=data_dir)


def _batch_norm_cnn() -> models.ConvNet:
    return models.ConvNet(10, ((32, 3), (64, 3)), (256,), padding="VALID", batch_norm=True)


def _fashion_mlp(hidden: tuple[int, ...], parameters: int, *, target: float) -> Definition:
    """A network of study C, with its initial weights, its scaling and its split."""
    widths = "-".join(map(str, hidden))
    return Definition(
        f"fashion-mlp-{widths}",
        f"Fashion-MNIST, pieces of clothing of 28 x 28 pixels, with {widths} hidden units",
        "fashion-mnist",
        f"MLP 784-{widths}-10, ReLU; weights and biases scaled uniform",
        parameters,
        lambda: models.MLP(10, hidden, initial="scaled_uniform"),
        epochs=20,
        batch_size=64,
        target=target,
        loss="cross_entropy",
        split={"validation": 0.2, "scaling": "global_zscore"},
    )


_DEFINITIONS: dict[str, Definition] = {
    definition.name: definition
    for definition in (
        Definition(
            "digits-mlp",
            "Handwritten digits, 8 x 8 pixels, with an MLP",
            "digits",
            "MLP 64-128-10, ReLU",
            9610,
            lambda: models.MLP(10, (128,)),
            epochs=30,
            batch_size=32,
            target=0.95,
            loss="cross_entropy",
        ),
        Definition(
            "digits-cnn",
            "Handwritten digits, 8 x 8 pixels, with a small CNN",
            "digits",
            "conv 16 3x3, pool, conv 32 3x3, pool, 64, 10, ReLU",
            13706,
            lambda: models.ConvNet(10, ((16, 3), (32, 3)), (64,)),
            epochs=20,
            batch_size=32,
            target=0.97,
            loss="cross_entropy",
        ),
        Definition(
            "mnist-mlp",
            "MNIST, handwritten digits of 28 x 28 pixels, with an MLP",
            "mnist",
            "MLP 784-128-10, ReLU",
            101770,
            lambda: models.MLP(10, (128,)),
            epochs=10,
            batch_size=32,
            target=0.97,
            loss="cross_entropy",
        ),
        Definition(
            "mnist-cnn",
            "MNIST, handwritten digits of 28 x 28 pixels, with a CNN and dropout",
            "mnist",
            "conv 32 3x3, pool, dropout, 256, dropout, 10, ReLU",
            1387594,
            lambda: models.ConvNet(
                10,
                ((32, 3),),
                (256,),
                padding="VALID",
                pool_dropout=0.25,
                dense_dropout=0.5,
            ),
            epochs=10,
            batch_size=64,
            target=0.985,
            loss="cross_entropy",
        ),
        Definition(
            "mnist-lenet5",
            "MNIST, handwritten digits of 28 x 28 pixels, with LeNet-5",
            "mnist",
            "conv 6 5x5, pool, conv 16 5x5, pool, 120, 84, 10, ReLU",
            44426,
            lambda: models.ConvNet(10, ((6, 5), (16, 5)), (120, 84), padding="VALID"),
            epochs=10,
            batch_size=64,
            target=0.985,
            loss="cross_entropy",
        ),
        Definition(
            "mnist-cnn-93k",
            "MNIST, handwritten digits of 28 x 28 pixels, with a CNN of few parameters",
            "mnist",
            "conv 32 3x3, pool, dropout, conv 64 3x3, pool, dropout, conv 64 3x3, 64, 10, ReLU; "
            "both dropouts 0.25, a rate that study E does not give",
            93322,
            lambda: models.ConvNet(
                10,
                ((32, 3), (64, 3), (64, 3, False)),
                (64,),
                padding="VALID",
                pool_dropout=0.25,
            ),
            epochs=10,
            batch_size=64,
            target=0.99,
            loss="cross_entropy",
        ),
        Definition(
            "mnist-bn-cnn",
            "MNIST, handwritten digits of 28 x 28 pixels, with a batch-norm CNN",
            "mnist",
            "conv 32 3x3, conv 64 3x3, each ReLU, BN, pool, BN; 256, BN, 10",
            432138,
            _batch_norm_cnn,
            epochs=5,
            batch_size=250,
            target=0.985,
            loss="cross_entropy",
        ),
        Definition(
            "kmnist-bn-cnn",
            "KMNIST, cursive Japanese characters of 28 x 28 pixels, with a batch-norm CNN",
            "kmnist",
            "conv 32 3x3, conv 64 3x3, each ReLU, BN, pool, BN; 256, BN, 10",
            432138,
            _batch_norm_cnn,
            epochs=5,
            batch_size=250,
            target=0.96,
            loss="cross_entropy",
        ),
        Definition(
            "fashion-mlp",
            "Fashion-MNIST, pieces of clothing of 28 x 28 pixels, with an MLP",
            "fashion-mnist",
            "MLP 784-128-10, ReLU",
            101770,
            lambda: models.MLP(10, (128,)),
            epochs=15,
            batch_size=64,
            target=0.87,
            loss="cross_entropy",
        ),
        _fashion_mlp((20,), 15910, target=0.84),
        _fashion_mlp((75,), 59635, target=0.87),
        _fashion_mlp((150,), 119260, target=0.875),
        _fashion_mlp((75, 75), 65335, target=0.875),
        Definition(
            "wine-mlp",
            "Quality of white wine from 11 measurements, a regression",
            "wine",
            "MLP 11-128-1, ReLU",
            1665,
            lambda: models.MLP(1, (128,)),
            epochs=50,
            batch_size=32,
            target=0.72,
            loss="mse",
        ),
    )
}


def names() -> tuple[str, ...]:
    """The built-in tasks."""
    return tuple(_DEFINITIONS)


def definition(name: str) -> Definition:
    """What is known of a built-in task without its data."""
    if name not in _DEFINITIONS:
        raise unknown("task", name, _DEFINITIONS, listed_by="fallline tasks")
    return _DEFINITIONS[name]


def get(name: str, *, data_dir: Path | str | None = None) -> Task:
    """The built-in task ``name`` with its data."""
    return definition(name).make(data_dir)


def varied(
    name: str,
    *,
    data_dir: Path | str | None = None,
    model: Mapping[str, Any] | None = None,
    data: Mapping[str, Any] | None = None,
    loss: str | None = None,
    l1: float | None = None,
    l2: float | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    dataset: Dataset | None = None,
) -> Task:
    """The built-in task ``name`` with some of it changed, None leaving it as it is.

    ``model``: fields of its network (:func:`fallline.models.changed`), for example
    ``{"hidden": [75, 75]}``. ``data``: another split or scaling, or fewer rows
    (:data:`fallline.data.variants.SETTINGS`), for example ``{"validation": "test"}``. The task
    keeps its name, and with it the order of its data and the draws of its weights; its title says
    what was changed, but for the budget. ``dataset``: what ``data`` gives, where somebody has read
    it already. Raises InputError for what is unknown or unusable, with
    near matches.
    """
    base = definition(name)
    network = base.model()
    changes: dict[str, Any] = {}
    if model:
        made = models.changed(network, model)
        changes = {key: getattr(made, key) for key in model}
        changes = {key: value for key, value in changes.items() if value != getattr(network, key)}
        network = made
    changes |= data or {}
    terms: dict[str, tuple[Any, Any]] = {
        "loss": (loss, base.loss),
        "l1": (l1, 0.0),
        "l2": (l2, 0.0),
    }
    changes |= {key: new for key, (new, old) in terms.items() if new is not None and new != old}
    words = ", ".join(f"{key} {value}" for key, value in changes.items())
    if dataset is None:
        dataset = variant(base.data, data_dir=data_dir, settings={**base.split, **(data or {})})
    return Task(
        model=network,
        data=dataset,
        name=name,
        title=f"{base.title}, changed: {words}" if changes else base.title,
        epochs=base.epochs if epochs is None else epochs,
        batch_size=base.batch_size if batch_size is None else batch_size,
        target=base.target,
        **{key: old if new is None else new for key, (new, old) in terms.items()},
    )


def from_csv(path: Path | str, target: str, *, kind: str | None = None) -> Task:
    """A task of a CSV file: every other column predicts ``target``, with an MLP of its size."""
    from fallline.data.files import read_csv

    _require_text(path)
    dataset = read_csv(path, target, kind=kind)
    task = Task(
        data=dataset,
        name=Path(path).stem,
        title=f"{target} from {Path(path).name}",
        batch_size=min(Task.batch_size, len(dataset.train)),
        table=Table(str(Path(path).absolute()), target, kind),
    )
    steps = max(1, len(dataset.train) // task.batch_size)
    epochs = int(np.clip(3000 // steps, 10, 60))
    return task.with_budget(epochs=epochs)


def _require_text(path: Path | str) -> None:
    """A study names its file: the path has to be text, not any bytes."""
    try:
        str(Path(path).absolute()).encode()
    except UnicodeEncodeError:
        raise InputError(
            f"the path {str(path)!r} holds bytes that are not UTF-8",
            hint="rename the file, and the folders that it is in",
        ) from None


def is_table(task: object) -> bool:
    """Whether what a user names as a task is the path of a table, by its ending or its presence."""
    if not isinstance(task, str | Path):
        return False
    return str(task).lower().endswith((".csv", ".tsv", ".txt")) or os.path.isfile(task)


def resolve(
    task: str | Path | Task,
    *,
    data_dir: Path | str | None = None,
    target: str | None = None,
    kind: str | None = None,
) -> Task:
    """A task from what a user gives: a name, the path of a CSV file, or a task itself."""
    if isinstance(task, Task):
        _for_tables_alone("this is a task with its data", target, kind)
        return task
    if not isinstance(task, str | Path):
        raise InputError(
            f"{type(task).__name__} is no task",
            hint="give a built-in task's name, the path of a .csv file, or a fallline.Task",
        )
    task = str(task)
    if is_table(task):
        if target is None:
            raise InputError(
                f"{task!r} is a table, and which column to predict was not said",
                hint="name it with --target COLUMN",
            )
        return from_csv(task, target, kind=kind)
    definition(task)
    _for_tables_alone(f"{task!r} is a built-in task", target, kind)
    return get(task, data_dir=data_dir)


def _for_tables_alone(what: str, target: str | None, kind: str | None) -> None:
    for option, value in (("--target", target), ("--kind", kind)):
        if value is not None:
            raise InputError(
                f"{option} is for a CSV file, and {what}",
                hint=f"leave {option} out, or give the path of a .csv file",
            )
