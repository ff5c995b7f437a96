"""Cross-validation: a setting trained on every fold of the data, and how sure its figure is.

Above ``training``, whose trainings it takes, and ``analysis``, whose intervals; nothing below the
public functions needs it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from fallline import training
from fallline.analysis.statistics import Interval, fold_interval
from fallline.data.dataset import Dataset, Split, k_folds
from fallline.data.splits import fold_rows
from fallline.data.streamed import Shards
from fallline.errors import InputError
from fallline.planning.config import whole_number
from fallline.planning.stopping import EarlyStopping
from fallline.records import Status
from fallline.task import Task
from fallline.training import Training

if TYPE_CHECKING:
    import pandas as pd

Progress = Callable[[int, int, Mapping[str, float]], None]
"""Called after each epoch with the fold (from 1), the epoch (from 1), and its figures."""


@dataclass(frozen=True)
class Fold:
    """What one fold's training came to; ``figures`` are NaN where it diverged."""

    number: int
    train_examples: int
    validation_examples: int
    status: Status
    epochs: int
    figures: Mapping[str, float]
    """``train_loss``, ``train_<metric>``, ``validation_loss`` and ``validation_<metric>`` of the
    epoch whose weights were kept: the last one, or with ``restore_best`` the best."""


@dataclass(frozen=True, eq=False)
class CrossValidation:
    """A setting's validation figures on every fold."""

    task: Task
    optimizer: str
    folds: tuple[Fold, ...]
    targets: np.ndarray
    """Of all rows that were divided into folds (training, then validation), as stored."""
    predictions: np.ndarray | None = None
    """For each of these rows what the fold predicts that held it out; None if not asked for."""

    @property
    def table(self) -> pd.DataFrame:
        """One row per fold: its sizes, what became of it, its figures."""
        import pandas as pd

        rows = [
            {
                "fold": fold.number,
                "train_examples": fold.train_examples,
                "validation_examples": fold.validation_examples,
                "status": str(fold.status),
                "epochs": fold.epochs,
                **fold.figures,
            }
            for fold in self.folds
        ]
        return pd.DataFrame(rows)

    @property
    def figure(self) -> str:
        """The figure that counts: ``validation_accuracy`` or ``validation_rmse``."""
        return f"validation_{self.task.metric}"

    def values(self, figure: str | None = None) -> np.ndarray:
        """The figure of every fold, ``(folds,)``; the validation metric if none is named."""
        name = figure or self.figure
        if name not in self.folds[0].figures:
            raise InputError(
                f"there is no figure {name!r}",
                hint=f"there are {', '.join(self.folds[0].figures)}",
            )
        return np.asarray([fold.figures[name] for fold in self.folds])

    @property
    def mean(self) -> float:
        """The mean of the validation metric over the folds that did not diverge."""
        return self.interval().mean

    @property
    def standard_deviation(self) -> float:
        """The sample's (n - 1) standard deviation of the validation metric over these folds."""
        kept = self.values()[np.isfinite(self.values())]
        return float(kept.std(ddof=1)) if len(kept) > 1 else float("nan")

    def interval(self, figure: str | None = None) -> Interval:
        """Mean and 95 % interval of a figure: Student's, widened since folds share examples.

        See :func:`fallline.analysis.statistics.fold_interval`.
        """
        held = sum(fold.validation_examples for fold in self.folds)
        kept = sum(fold.train_examples for fold in self.folds)
        return fold_interval(self.values(figure), held / kept)

    @property
    def diverged(self) -> int:
        """The number of folds that diverged."""
        return sum(fold.status is Status.DIVERGED for fold in self.folds)


def require_folds(task: Task, folds: int) -> int:
    """``folds`` if the task's training and validation rows can be divided into so many."""
    count = whole_number("folds", folds, least=2)
    fold_rows(_pooled_targets(task.dataset), count, classes=task.dataset.classes)
    return count


def fold_tasks(
    task: Task, folds: int, *, seed: int = 0, batch_size: int | str | None = None
) -> tuple[Task, ...]:
    """The task once per fold: ``NAME-fold1of5`` and so on, each holding out another part.

    Training and validation rows are pooled and divided; the test split is left alone. Scaling is
    fitted on each fold's own training rows. Examples of floats are stored scaled: folds of equal
    size are then trained by the same program, and are compiled once.
    """
    count = whole_number("folds", folds, least=2)
    made = []
    for number, data in enumerate(k_folds(task.dataset, count, seed=seed), start=1):
        fold = replace(
            task,
            model=task.network,
            data=_scaled_once(data, task.dtype),
            name=f"{task.name}-fold{number}of{count}",
        )
        made.append(fold.with_budget(batch_size=batch_size))
    return tuple(made)


def _scaled_once(data: Dataset, dtype: str) -> Dataset:
    """The same data with the scaling of its inputs carried out; bytes and shards stay as stored."""
    if isinstance(data.train.x, Shards) or data.train.x.dtype == np.uint8:
        return data
    offset, scale = (np.asarray(each, dtype) for each in (data.input_offset, data.input_scale))

    def scaled(split: Split | None) -> Any:
        return split and Split((np.asarray(split.x).astype(dtype) - offset) * scale, split.y)

    return replace(
        data,
        train=scaled(data.train),
        validation=scaled(data.validation),
        test=scaled(data.test),
        input_offset=np.zeros((), dtype),
        input_scale=np.ones((), dtype),
    )


def cross_validate(
    task: Task,
    optimizer: str = "adam",
    *,
    folds: int = 5,
    seed: int = 0,
    batch_size: int | str | None = None,
    hyperparameters: Mapping[str, float] | None = None,
    options: Mapping[str, Any] | None = None,
    early_stopping: EarlyStopping | None = None,
    restore_best: bool = False,
    shuffle: bool = True,
    precision: str = "float32",
    predictions: bool = False,
    progress: Progress | None = None,
) -> CrossValidation:
    """Train ``task`` once per fold; the arguments are those of :func:`fallline.cross_validate`."""
    whole_number("seed", seed, least=0)
    task = task.with_precision(precision)
    done: list[Fold] = []
    said: list[np.ndarray] = []
    for number, fold in enumerate(
        fold_tasks(task, folds, seed=seed, batch_size=batch_size), start=1
    ):

        def told(epoch: int, figures: Mapping[str, float], number: int = number) -> None:
            if progress is not None:
                progress(number, epoch, figures)

        trained = training.train(
            fold,
            optimizer,
            hyperparameters=hyperparameters,
            options=options,
            seed=seed,
            early_stopping=early_stopping,
            restore_best=restore_best,
            shuffle=shuffle,
            precision=precision,
            progress=told,
        )
        done.append(_measured(trained, number))
        if predictions:
            assert fold.dataset.validation is not None
            said.append(trained.predict(fold.dataset.validation.x))
    targets = _pooled_targets(task.dataset)
    pooled = _in_place(said, task.dataset, targets, folds, seed) if predictions else None
    return CrossValidation(task, optimizer, tuple(done), targets, pooled)


def _measured(trained: Training, number: int) -> Fold:
    """The fold's figures: of the weights that were left, not of a better epoch before."""
    data, metric, curves = trained.task.dataset, trained.task.metric, trained.result.curves
    assert data.validation is not None
    names = ("train_loss", f"train_{metric}", "validation_loss", f"validation_{metric}")
    columns = (
        curves.train_loss,
        curves.train_metric,
        curves.validation_loss,
        curves.validation_metric,
    )
    diverged = trained.status is Status.DIVERGED
    figures = {
        name: float("nan") if diverged else float(column[trained.kept_epoch - 1])
        for name, column in zip(names, columns, strict=True)
    }
    return Fold(
        number,
        len(data.train),
        len(data.validation),
        trained.status,
        trained.result.epochs_trained,
        figures,
    )


def _pooled_targets(data: Dataset) -> np.ndarray:
    return np.concatenate([split.y for split in (data.train, data.validation) if split])


def _in_place(
    said: Sequence[np.ndarray], data: Dataset, targets: np.ndarray, folds: int, seed: int
) -> np.ndarray:
    """The folds' predictions in the order of the pooled rows."""
    rows = [held for _, held in fold_rows(targets, folds, classes=data.classes, seed=seed)]
    order = np.argsort(np.concatenate(rows))
    return np.concatenate(said)[order]
