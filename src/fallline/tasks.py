"""The built-in tasks, and a task from whatever a user names: a table, or a task of their own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fallline import models
from fallline.data import builtin
from fallline.errors import InputError, unknown
from fallline.task import Task


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

    def make(self, data_dir: Path | str | None = None) -> Task:
        """The task, with its data read."""
        return Task(
            model=self.model(),
            data=builtin.load(self.data, data_dir=data_dir),
            loss=self.loss,
            name=self.name,
            title=self.title,
            epochs=self.epochs,
            batch_size=self.batch_size,
            target=self.target,
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
            "mnist-bn-cnn",
            "MNIST, handwritten digits of 28 x 28 pixels, with a batch-norm CNN",
            "mnist",
            "conv 32 3x3, conv 64 3x3, each ReLU, BN, pool, BN; 256, BN, 10",
            432138,
            lambda: models.ConvNet(
                10, ((32, 3), (64, 3)), (256,), padding="VALID", batch_norm=True
            ),
            epochs=5,
            batch_size=250,
            target=0.985,
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


def from_csv(path: Path | str, target: str, *, kind: str | None = None) -> Task:
    """A task of a CSV file: every other column predicts ``target``, with an MLP of its size."""
    from fallline.data.files import read_csv

    dataset = read_csv(path, target, kind=kind)
    task = Task(
        data=dataset,
        name=Path(path).stem,
        title=f"{target} from {Path(path).name}",
        batch_size=min(Task.batch_size, len(dataset.train)),
    )
    steps = max(1, len(dataset.train) // task.batch_size)
    epochs = int(np.clip(3000 // steps, 10, 60))
    return task.with_budget(epochs=epochs)


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
    if task.lower().endswith((".csv", ".tsv", ".txt")) or Path(task).is_file():
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
