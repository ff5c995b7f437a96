"""``fallline train`` and ``fallline evaluate``: one training, its weights, and their figures."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fallline.cli import folds as several
from fallline.cli.settings import choices, numbers

if TYPE_CHECKING:
    from fallline.adapters import Layer, PureModel
    from fallline.task import Task
    from fallline.training import Training

SPARSE_SHARE = 0.9
"""Where fewer of the parameters than this are not zero, it is worth saying."""

TaskArgument = Annotated[str, typer.Argument(help="A built-in task, or the path of a CSV file.")]
TargetOption = Annotated[str | None, typer.Option(help="The column of the CSV file to predict.")]
KindOption = Annotated[
    str | None, typer.Option(help="Of a CSV file: classification or regression; inferred.")
]
BatchOption = Annotated[
    str | None,
    typer.Option(
        help="Examples per step: a number (1: stochastic), or all (full batch); the task's own."
    ),
]
DataDirOption = Annotated[
    str | None, typer.Option(help="Where the data sets are; also FALLLINE_DATA.")
]


def train(
    task: TaskArgument,
    optimizer: Annotated[str, typer.Option(help="One of 'fallline optimizers'.")] = "adam",
    learning_rate: Annotated[
        float | None, typer.Option(help="The optimizer's default if not given.")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="Another hyper-parameter, NAME=VALUE; can be repeated."),
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(help="A form of the optimizer, NAME=VALUE, from its sheet; can be repeated."),
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="The task's own if not given.")] = None,
    batch_size: BatchOption = None,
    loss: Annotated[
        str | None,
        typer.Option(
            help="cross_entropy, sigmoid_cross_entropy, mse, mae, huber or huber(DELTA); "
            "the task's own if not given."
        ),
    ] = None,
    l1: Annotated[
        float | None,
        typer.Option(
            help="Adds this times the sum of |w| over the weights, biases excluded, to the loss, "
            "as trained and as reported."
        ),
    ] = None,
    l2: Annotated[
        float | None, typer.Option(help="The same with the sum of w squared (no half).")
    ] = None,
    activation: Annotated[
        str | None, typer.Option(help="Of the hidden layers; the network's own if not given.")
    ] = None,
    freeze: Annotated[
        list[str] | None,
        typer.Option(help="A layer that is not trained, by its name in the summary; repeatable."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of initial weights and shuffling.")] = 0,
    folds: Annotated[
        int | None,
        typer.Option(help="Cross-validate on so many folds instead; no weights are kept."),
    ] = None,
    monitor: Annotated[
        str | None,
        typer.Option(
            help="Stop early when this figure no longer improves: train_loss, train_metric, "
            "validation_loss or validation_metric."
        ),
    ] = None,
    min_delta: Annotated[float, typer.Option(help="The least improvement that counts.")] = 0.0,
    patience: Annotated[int, typer.Option(help="Epochs without improvement before a stop.")] = 3,
    restore_best: Annotated[
        bool,
        typer.Option("--restore-best", help="Keep the best epoch's weights by the --monitor."),
    ] = False,
    initial_weights: Annotated[
        str | None, typer.Option(help="A .safetensors file to start from.")
    ] = None,
    shuffle: Annotated[bool, typer.Option(help="New order of the examples every epoch.")] = True,
    precision: Annotated[
        str, typer.Option(help="float32, float64, or bf16 for the operands of products.")
    ] = "float32",
    target: TargetOption = None,
    kind: KindOption = None,
    data_dir: DataDirOption = None,
    out: Annotated[str | None, typer.Option(help="Folder for weights, history and report.")] = None,
    pictures: Annotated[
        str | None,
        typer.Option(help="Also each of the report's pictures as a file: png, svg or pdf."),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Only the figures at the end.")] = False,
) -> None:
    """Train TASK once: model summary, progress, history, test figures, weights, report.

    Weights, history and report go to a folder in fallline-trainings/ unless --out says where; the
    same command has the same folder.
    """
    if pictures is not None:
        from fallline.report.formats import picture_format

        picture_format(pictures)
    if folds is not None:
        several.only_for_one(initial_weights=initial_weights, out=out, pictures=pictures)
    settings = numbers(set_ or [])
    if learning_rate is not None:
        settings["learning_rate"] = learning_rate
    from fallline import api, optimizers, tasks
    from fallline.engine.devices import prepare
    from fallline.planning.stopping import EarlyStopping
    from fallline.validation import require_folds

    prepare()
    made = tasks.resolve(task, data_dir=data_dir, target=target, kind=kind)
    made = made.with_objective(loss=loss, l1=l1, l2=l2, frozen=freeze)
    made = made.with_activation(activation).with_budget(epochs=epochs)
    stopping = None if monitor is None else EarlyStopping(monitor, min_delta, patience)
    chosen = optimizers.get(optimizer)
    chosen.complete(settings)  # what is wrong is refused before anything is trained
    forms = chosen.options_for(settings, choices(option or [], chosen))
    made.batch_of(batch_size)
    if folds is not None:
        require_folds(made, folds)
    layers = summary(made.pure)
    if not quiet:
        print(f"{_heading(made)}\n{layers}\n")
    if folds is not None:
        crossed = api.cross_validate(
            made,
            optimizer,
            folds=folds,
            seed=seed,
            batch_size=batch_size,
            hyperparameters=settings,
            options=forms,
            early_stopping=stopping,
            restore_best=restore_best,
            shuffle=shuffle,
            precision=precision,
            progress=None if quiet else several.line_printer(made, folds, _in_words),
        )
        several.show(crossed)
        return
    made = made.with_budget(batch_size=batch_size)
    training = api.train(
        made,
        optimizer,
        hyperparameters=settings,
        options=forms,
        seed=seed,
        early_stopping=stopping,
        restore_best=restore_best,
        initial_weights=initial_weights,
        shuffle=shuffle,
        precision=precision,
        progress=None if quiet else _line_printer(made),
    )
    name = f"{made.name}-{training.result.run.optimizer}-{training.identity}"
    folder = Path(out) if out else Path(api.TRAININGS_FOLDER) / name
    _conclude(training, folder, pictures)


def evaluate(
    weights: Annotated[
        str, typer.Argument(help="A .safetensors file, or the folder that 'train' wrote.")
    ],
    task: Annotated[
        str | None, typer.Option(help="The task or CSV file; by default the one trained on.")
    ] = None,
    split: Annotated[str, typer.Option(help="train, validation or test.")] = "test",
    target: TargetOption = None,
    kind: KindOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Measure stored weights on a split of their task."""
    from fallline import api

    figures = api.evaluate(weights, task, split=split, target=target, kind=kind, data_dir=data_dir)
    print(f"{split}: {_in_words(figures)}")


def _heading(task: Task) -> str:
    notes = "".join(f"\n  {note}" for note in task.dataset.notes)
    return f"{task.title or task.name} ({task.splits_in_words}){notes}"


def summary(model: PureModel) -> str:
    """The network layer by layer: output shape, parameters, trainable."""
    from fallline.cli.printing import plain_table

    columns = [("layer", False), ("kind", False), ("output shape", False)]
    columns += [("parameters", True), ("trainable", False)]
    rows = [
        (
            layer.name,
            layer.kind,
            "—" if layer.output_shape is None else str(layer.output_shape),
            f"{layer.parameters:,}",
            _trainable(layer),
        )
        for layer in model.layers
    ]
    rows.append(("total", "", "", f"{model.parameters:,}", ""))
    if model.frozen:
        trained = model.trainable_parameters
        rows.append(("trainable", "", "", f"{trained:,}", ""))
        rows.append(("not trainable", "", "", f"{model.parameters - trained:,}", ""))
    return plain_table(columns, rows)


def _trainable(layer: Layer) -> str:
    if not layer.frozen:
        return "yes"
    return f"{layer.parameters - layer.frozen:,} of them" if layer.trainable else "no"


def _line_printer(task: Task) -> Callable[[int, Mapping[str, float]], None]:
    """A line per epoch on stderr; on a terminal the last one is drawn over."""
    from fallline.cli.progress import duration_text

    began = time.monotonic()
    live = sys.stderr.isatty()

    def show(epoch: int, figures: Mapping[str, float]) -> None:
        left = (time.monotonic() - began) * (task.epochs - epoch) / epoch
        line = f"epoch {epoch:>3}/{task.epochs}  {_in_words(figures)}  {duration_text(left)} left"
        if live:
            print(f"\r\x1b[K{line}", end="" if epoch < task.epochs else "\n", file=sys.stderr)
        else:
            print(line, file=sys.stderr)
        sys.stderr.flush()

    return show


def _in_words(figures: Mapping[str, Any]) -> str:
    from fallline.cli.progress import figure_text

    return "  ".join(
        f"{name.replace('_', ' ')} "
        + (figure_text(value, "accuracy") if name.endswith("accuracy") else f"{value:.4g}")
        for name, value in figures.items()
        if value == value
    )


def _conclude(training: Training, folder: Path, pictures: str | None) -> None:
    from fallline.portrait import PICTURES_FOLDER, REPORT_NAME, report_training

    result = training.result
    if sys.stderr.isatty() and result.epochs_trained < training.task.epochs:
        print(file=sys.stderr)
    saved = training.save(folder)
    print(f"{result.status} after {result.epochs_trained} epochs, {result.steps:,} steps")
    if training.kept_epoch < result.epochs_trained:
        print(f"kept: the weights after epoch {training.kept_epoch}")
    if result.diverged_step >= 0:
        print(f"  diverged at step {result.diverged_step:,}: {result.status.advice}")
    elif training.task.dataset.test is not None:
        print(f"test: {_in_words(training.evaluate('test'))}")
    network, made = training.network, training.task.pure.parameters
    if network.nonzero < SPARSE_SHARE * made:
        print(f"of {made:,} parameters {network.nonzero:,} are not zero")
    print(f"weights: {saved}")
    print(f"report: {report_training(training, folder / REPORT_NAME, pictures=pictures)}")
    if pictures is not None:
        print(f"pictures: {folder / PICTURES_FOLDER}")
