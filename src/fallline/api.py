"""The public functions: compare optimizers, train once or on folds, load and evaluate weights."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from fallline.engine.devices import prepare
from fallline.planning.config import DEFAULT_POINTS, StudyConfig, rates
from fallline.planning.protocol import DEFAULTS, GRID, Protocol, parse
from fallline.records import stable_hash
from fallline.reproducing import STUDIES_FOLDER
from fallline.reproducing import reproduce as reproduce
from fallline.reproducing import reproductions as reproductions
from fallline.reproducing import run as run
from fallline.reproducing import write_study_file as write_study_file
from fallline.resuming import resume as resume

if TYPE_CHECKING:
    from fallline.network import Network
    from fallline.planning.stopping import EarlyStopping
    from fallline.results import Study
    from fallline.standings import Suite
    from fallline.suite import Event
    from fallline.task import Task
    from fallline.training import Progress, Training
    from fallline.validation import CrossValidation
    from fallline.validation import Progress as FoldProgress

TRAININGS_FOLDER = "fallline-trainings"


@overload
def compare(
    task: str | Path | Task,
    optimizers: str | Iterable[str] = ...,
    *,
    seeds: int | None = ...,
    final_seeds: int | None = ...,
    epochs: int | None = ...,
    batch_size: int | str | None = ...,
    learning_rates: int | Iterable[float] = ...,
    defaults: bool = ...,
    protocol: str | Protocol = ...,
    target: str | None = ...,
    kind: str | None = ...,
    data_dir: Path | str | None = ...,
    precision: str = ...,
    out: Path | str | None = ...,
    listener: Callable[[Event], None] | None = ...,
) -> Study: ...


@overload
def compare(
    task: list[str | Path | Task] | list[str] | tuple[str | Path | Task, ...],
    optimizers: str | Iterable[str] = ...,
    *,
    seeds: int | None = ...,
    final_seeds: int | None = ...,
    epochs: int | None = ...,
    batch_size: int | str | None = ...,
    learning_rates: int | Iterable[float] = ...,
    defaults: bool = ...,
    protocol: str | Protocol = ...,
    target: str | None = ...,
    kind: str | None = ...,
    data_dir: Path | str | None = ...,
    precision: str = ...,
    out: Path | str | None = ...,
    listener: Callable[[Event], None] | None = ...,
) -> Suite: ...


def compare(
    task: str | Path | Task | list[Any] | tuple[Any, ...],
    optimizers: str | Iterable[str] = "studies",
    *,
    seeds: int | None = None,
    final_seeds: int | None = None,
    epochs: int | None = None,
    batch_size: int | str | None = None,
    learning_rates: int | Iterable[float] = DEFAULT_POINTS,
    defaults: bool = False,
    protocol: str | Protocol = "grid",
    target: str | None = None,
    kind: str | None = None,
    data_dir: Path | str | None = None,
    precision: str = "float32",
    out: Path | str | None = None,
    listener: Callable[[Event], None] | None = None,
) -> Study | Suite:
    """Which optimizer, at which learning rate, trains ``task`` best, and how sure is that?

    ``task``: a built-in task's name, a :class:`fallline.Task`, or the path of a CSV file with
    ``target`` naming the column to predict (``kind``: ``"classification"`` or ``"regression"``
    where the inference is wrong); or a list of them, one table at most, for a suite of studies.
    ``optimizers``: names and groups (``"studies"``, ``"all"``).

    Every optimizer is trained at ``learning_rates`` (that many points around its default, or these
    values) on ``seeds`` paired seeds (3), in steps of ``batch_size`` examples (or ``"all"``); the
    best setting on validation data is trained again on ``final_seeds`` fresh seeds (5) and measured
    on test data. ``defaults``: no search, every optimizer at its own default learning rate, on
    ``seeds`` seeds. ``protocol``: another way to the settings, docs/compare.md: ``"budget 15"``
    (trials each), ``"budget 30 tpe"``, ``"budget 30 halving"``, ``"time 60s"`` (each),
    ``"self-tuning"``; these measure on
    10 fresh seeds. ``precision``: ``"float32"``, or ``"bf16"`` for the operands of products alone,
    where the hardware is fast at it.

    The study is written to the folder ``out`` (by default one in ``fallline-studies/`` named after
    the task and what was asked); where that holds the same study already, it goes on with it. A
    suite's folder holds the study of each task.
    Raises :class:`fallline.errors.FalllineError` for wrong input.
    """
    from fallline import optimizers as catalogue
    from fallline import study, suite, tasks
    from fallline.planning.plan import selected
    from fallline.results import open_study
    from fallline.standings import open_suite

    prepare()
    rule = parse(protocol) if isinstance(protocol, str) else protocol
    rule = DEFAULTS if defaults and rule == GRID else rule
    chosen, left_out = selected(catalogue.resolve(optimizers), rule)
    searched, fresh = _seeds(seeds, final_seeds, rule)
    points = learning_rates if isinstance(learning_rates, int) else rates(tuple(learning_rates))

    def configure(made: Task) -> StudyConfig:
        return StudyConfig(
            optimizers=tuple(each.name for each in chosen),
            epochs=made.epochs if epochs is None else epochs,
            batch_size=made.batch_of(batch_size),
            learning_rates=points,
            defaults=defaults,
            seeds=searched,
            final_seeds=fresh,
            precision=precision,
            protocol=rule,
            left_out=tuple(each.name for each in left_out),
        )

    about: dict[str, Any] = {"data_dir": data_dir, "target": target, "kind": kind}
    if isinstance(task, list | tuple):
        planned = suite.plan(suite.members(task, configure, **about))
        folder = Path(STUDIES_FOLDER) / planned.name if out is None else Path(out)
        return open_suite(suite.train(planned, folder, listener=listener or suite.silent))
    made = tasks.resolve(task, **about)
    config = configure(made)
    folder = default_folder(made, config) if out is None else Path(out)
    return open_study(study.compare(made, config, folder, listener=listener or study.silent))


def _seeds(seeds: int | None, final_seeds: int | None, protocol: Protocol) -> tuple[int, int]:
    """Seeds of the search and fresh ones; without a search those asked for are the fresh ones."""
    if not protocol.searches and final_seeds is None:
        final_seeds = seeds
    return (
        protocol.search_seeds if seeds is None else seeds,
        protocol.final_seeds if final_seeds is None else final_seeds,
    )


def default_folder(task: Task, config: StudyConfig) -> Path:
    """The folder of a study that was not given one: the same for the same question."""
    asked = stable_hash(
        task.fingerprint,
        config.optimizers,
        config.epochs,
        config.batch_size,
        config.seeds,
        config.final_seeds,
        config.learning_rates,
        config.defaults,
        config.widen,
        config.study_seed,
        *([config.precision] if config.precision != "float32" else []),
        *([asdict(config.stopping)] if config.stopping is not None else []),
        *([str(config.protocol)] if config.protocol.kind not in ("grid", "defaults") else []),
        digits=8,
    )
    return Path(STUDIES_FOLDER) / f"{task.name}-{asked}"


def train(
    task: str | Path | Task,
    optimizer: str = "adam",
    *,
    learning_rate: float | None = None,
    epochs: int | None = None,
    batch_size: int | str | None = None,
    seed: int = 0,
    hyperparameters: Mapping[str, float] | None = None,
    options: Mapping[str, Any] | None = None,
    loss: str | None = None,
    l1: float | None = None,
    l2: float | None = None,
    frozen: Iterable[str] | None = None,
    early_stopping: EarlyStopping | None = None,
    restore_best: bool = False,
    initial_weights: Any = None,
    shuffle: bool = True,
    precision: str = "float32",
    target: str | None = None,
    kind: str | None = None,
    data_dir: Path | str | None = None,
    progress: Progress | None = None,
) -> Training:
    """Train ``task`` once and keep the weights.

    ``hyperparameters`` and ``options`` are those of the optimizer's sheet (``fallline optimizers
    NAME``), ``learning_rate`` for short. ``batch_size`` is a number of examples, or ``"all"`` for
    the whole training split. ``loss``, ``l1``, ``l2`` and ``frozen`` take the place of the task's
    own: see :class:`fallline.Task`. ``early_stopping``: a :class:`fallline.EarlyStopping`; with
    ``restore_best`` the weights are those of the best epoch by its monitored figure, not of the
    last. ``initial_weights``: an earlier training, the path of a safetensors file, or named arrays.
    ``shuffle=False`` takes batches in the data's order. ``precision``: ``"float32"``,
    ``"float64"``, or ``"bf16"`` for the operands of products alone, where the hardware is fast at
    it.
    """
    from fallline import tasks, training

    prepare()
    made = tasks.resolve(task, data_dir=data_dir, target=target, kind=kind)
    made = made.with_budget(epochs=epochs, batch_size=batch_size)
    made = made.with_objective(loss=loss, l1=l1, l2=l2, frozen=frozen)
    return training.train(
        made,
        optimizer,
        hyperparameters=_settings(hyperparameters, learning_rate),
        options=options,
        seed=seed,
        early_stopping=early_stopping,
        restore_best=restore_best,
        initial_weights=initial_weights,
        shuffle=shuffle,
        precision=precision,
        progress=progress or training.silent,
    )


def cross_validate(
    task: str | Path | Task,
    optimizer: str = "adam",
    *,
    folds: int = 5,
    seed: int = 0,
    learning_rate: float | None = None,
    epochs: int | None = None,
    batch_size: int | str | None = None,
    hyperparameters: Mapping[str, float] | None = None,
    options: Mapping[str, Any] | None = None,
    loss: str | None = None,
    l1: float | None = None,
    l2: float | None = None,
    frozen: Iterable[str] | None = None,
    early_stopping: EarlyStopping | None = None,
    restore_best: bool = False,
    shuffle: bool = True,
    precision: str = "float32",
    predictions: bool = False,
    target: str | None = None,
    kind: str | None = None,
    data_dir: Path | str | None = None,
    progress: FoldProgress | None = None,
) -> CrossValidation:
    """How good is a setting on data that it was not trained on, by ``folds`` trainings?

    Training and validation rows are pooled and divided into folds, with equal shares of every
    class; each fold validates the training on the others. Test data is not touched and no weights
    are kept. ``seed`` decides the division, the initial weights and the order. ``predictions``:
    also what each row is predicted to be by the fold that held it out. The rest is that of
    :func:`train`. Raises InputError for fewer than 2 folds, DataError for a class of fewer
    examples than folds.
    """
    from fallline import tasks, validation

    prepare()
    made = tasks.resolve(task, data_dir=data_dir, target=target, kind=kind)
    made = made.with_budget(epochs=epochs)
    return validation.cross_validate(
        made.with_objective(loss=loss, l1=l1, l2=l2, frozen=frozen),
        optimizer,
        folds=folds,
        seed=seed,
        batch_size=batch_size,
        hyperparameters=_settings(hyperparameters, learning_rate),
        options=options,
        early_stopping=early_stopping,
        restore_best=restore_best,
        shuffle=shuffle,
        precision=precision,
        predictions=predictions,
        progress=progress,
    )


def _settings(
    hyperparameters: Mapping[str, float] | None, learning_rate: float | None
) -> dict[str, float]:
    short = {} if learning_rate is None else {"learning_rate": learning_rate}
    return {**(hyperparameters or {}), **short}


def load(
    weights: Any,
    task: str | Path | Task | None = None,
    *,
    target: str | None = None,
    kind: str | None = None,
    data_dir: Path | str | None = None,
) -> Network:
    """The network of ``task`` with stored ``weights``: to predict with, to measure, to reset.

    The arguments are those of :func:`evaluate`.
    """
    from fallline import network, tasks
    from fallline.adapters.pure import precision
    from fallline.errors import InputError
    from fallline.store import weights as stored
    from fallline.training import WEIGHTS_FILE

    prepare()
    about: dict[str, str] = {}
    if isinstance(weights, str | Path):
        path = Path(weights)
        weights = path / WEIGHTS_FILE if os.path.isdir(path) else path
        about = stored.load(weights)[1]
    if task is None:
        task = about.get("task")
        if task not in tasks.names():
            raise InputError(
                f"the weights were trained on {task!r}, which is no built-in task"
                if task
                else "the weights do not say which task they are for",
                hint="name the task: a built-in one, or a CSV file with the column to predict "
                "(--task FILE --target COLUMN)",
            )
    made = tasks.resolve(task, data_dir=data_dir, target=target, kind=kind)
    made = made.with_precision(about.get("precision", made.precision))
    with precision(made.dtype):
        return network.restored(made, weights)


def evaluate(
    weights: Any,
    task: str | Path | Task | None = None,
    *,
    split: str = "test",
    target: str | None = None,
    kind: str | None = None,
    data_dir: Path | str | None = None,
) -> dict[str, float]:
    """Loss and metric of stored ``weights`` on a split of ``task``.

    ``weights``: the path of a safetensors file (or of the folder that ``fallline train`` wrote),
    or whatever :func:`train` takes as initial weights. ``task`` may be left out for a file: it
    names the built-in task that it was trained on.
    """
    network = load(weights, task, target=target, kind=kind, data_dir=data_dir)
    return network.evaluate(split)
