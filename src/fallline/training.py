"""One training: the same engine as a study's, for a population of one, with its weights."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from fallline import optimizers as catalogue
from fallline.adapters.pure import precision as precision_of
from fallline.engine import arrangement
from fallline.engine.branches import Branch
from fallline.engine.devices import Devices, prepare
from fallline.engine.events import Advanced, Finished
from fallline.engine.faults import DeviceError, reason_of
from fallline.engine.feeding import Seeds
from fallline.engine.population import Population, initial_from
from fallline.engine.program import Program
from fallline.errors import InputError, StudyError
from fallline.network import Network, matched
from fallline.planning.config import whole_number
from fallline.planning.stopping import EarlyStopping
from fallline.records import Run, RunResult, Status, stable_hash
from fallline.store import weights
from fallline.task import Task

if TYPE_CHECKING:
    import pandas as pd

WEIGHTS_FILE = "weights.safetensors"
HISTORY_FILE = "history.csv"

Progress = Callable[[int, Mapping[str, float]], None]
"""Called after each epoch with its number (from 1) and its figures."""


def silent(epoch: int, figures: Mapping[str, float]) -> None:
    """Progress that is told to nobody."""


@dataclass(frozen=True, eq=False)
class Training:
    """A finished training: its history, its weights, and what can be asked of them."""

    network: Network
    result: RunResult
    batch_size: int
    step_losses: np.ndarray
    """The loss of every step, shape ``(steps,)``."""
    identity: str
    """Hash of what was trained and how, 8 hex digits: equal for equal trainings alone."""
    kept_epoch: int
    """The epoch whose weights these are: the last one, or with ``restore_best`` the best."""

    @property
    def task(self) -> Task:
        return self.network.task

    @property
    def status(self) -> Status:
        return self.result.status

    @property
    def history(self) -> pd.DataFrame:
        """One row per epoch: its number (from 1), and training and validation figures."""
        import pandas as pd

        curves, metric = self.result.curves, self.task.metric
        columns = {
            "train_loss": curves.train_loss,
            f"train_{metric}": curves.train_metric,
            "validation_loss": curves.validation_loss,
            f"validation_{metric}": curves.validation_metric,
        }
        kept = {name: values for name, values in columns.items() if not np.isnan(values).all()}
        return pd.DataFrame({"epoch": np.arange(1, self.result.epochs_trained + 1), **kept})

    @property
    def weights(self) -> dict[str, np.ndarray]:
        """See :attr:`Network.weights`."""
        return self.network.weights

    def reset(self, seed: int | None = None) -> Network:
        """The network as it was before this training; with ``seed``, as before one of that seed."""
        return self.network.reset(self.result.run.seed if seed is None else seed)

    def predict(self, x: Any) -> np.ndarray:
        """See :meth:`Network.predict`."""
        return self.network.predict(x)

    def predict_proba(self, x: Any) -> np.ndarray:
        """See :meth:`Network.predict_proba`."""
        return self.network.predict_proba(x)

    def evaluate(self, split: str | tuple[Any, Any] = "test") -> dict[str, float]:
        """See :meth:`Network.evaluate`."""
        return self.network.evaluate(split)

    def save(self, folder: Path | str) -> Path:
        """Write weights and history into ``folder``; returns the weights' file."""
        folder = Path(folder)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            about = {
                "task": self.task.name,
                "fingerprint": self.task.fingerprint,
                "optimizer": self.result.run.optimizer,
                "hyperparameters": json.dumps(self.result.run.hyperparameters),
                "seed": str(self.result.run.seed),
                "epochs": str(self.result.epochs_trained),
                "batch_size": str(self.batch_size),
                "precision": self.task.precision,
            }
            arrays = weights.flatten({"params": self.network.params, "state": self.network.state})
            weights.save(folder / WEIGHTS_FILE, arrays, about)
            self.history.to_csv(folder / HISTORY_FILE, index=False)
        except OSError as error:
            raise StudyError(
                f"cannot write to {str(folder)!r}: {error.strerror or error}",
                hint="give --out a folder that can be written to",
            ) from error
        return folder / WEIGHTS_FILE


def train(
    task: Task,
    optimizer: str = "adam",
    *,
    hyperparameters: Mapping[str, float] | None = None,
    options: Mapping[str, Any] | None = None,
    seed: int = 0,
    early_stopping: EarlyStopping | None = None,
    restore_best: bool = False,
    initial_weights: Any = None,
    shuffle: bool = True,
    precision: str = "float32",
    progress: Progress = silent,
) -> Training:
    """Train ``task`` once; the arguments are those of :func:`fallline.train`."""
    prepare()
    task = task.with_precision(precision)
    if early_stopping is not None and early_stopping.monitor.startswith("validation"):
        task.require("validation")
    if restore_best and early_stopping is None:
        raise InputError(
            "the best epoch's weights were asked for, and not which figure decides it",
            hint="give early_stopping (--monitor) a figure, for example validation_loss",
        )
    chosen = catalogue.get(optimizer)
    batch_size = len(task.dataset.train) if chosen.full_batch else task.batch_size
    task.require_batch(batch_size)
    whole_number("seed", seed, least=0)
    settings = dict(hyperparameters or {})
    branch = Branch(chosen, tuple(sorted(chosen.options_for(settings, options).items())))
    run = Run(
        chosen.name,
        chosen.complete(settings),
        seed,
        "final",
        task.epochs,
        chosen.full_batch,
    )
    with precision_of(task.dtype):
        given: Any = None
        if initial_weights is not None:
            if isinstance(initial_weights, Training):
                initial_weights = initial_weights.network
            given = initial_from(*matched(initial_weights, task), seeds=1)
        devices = Devices.all()
        arrangement.warn_of_precision(task, devices)
        group = arrangement.group_of_one(task, chosen, batch_size, devices)
        population = arrangement.population(
            task,
            arrangement.every_epoch(group),
            [branch],
            Seeds(task.name, (run.seed,), shuffle=shuffle),
            devices,
            initial=None if given is None else lambda: given,
            stopping=early_stopping,
            record_steps=True,
            keep_best=restore_best,
        )
        try:
            done = _trained(population, run, progress)
        except DeviceError as error:
            raise StudyError(
                f"the training of {task.name!r} ended by an error: {reason_of(error)}",
                hint="train again; if it comes back, try another optimizer or a smaller batch",
            ) from error
        network = Network(task, done.params, done.state)
        identity = _identity(population.program, run, given, shuffle)
        return Training(
            network, done.result, batch_size, done.step_losses, identity, done.kept_epoch
        )


def _trained(population: Population, run: Run, progress: Progress) -> Finished:
    """The run, trained to its end; ``progress`` is told of every epoch."""
    figures = _figures(population.program.task)
    done: Finished | None = None
    told = 0
    for event in population.train([run], keep_weights=True):
        if isinstance(event, Advanced):
            if event.epochs[0] > told:
                progress(event.epochs[0], dict(zip(figures, event.figures[0], strict=True)))
            told = event.epochs[0]
        elif isinstance(event, Finished):
            done = event
    assert done is not None, "a population hands every run back"
    return done


def _identity(program: Program, run: Run, given: Any, shuffle: bool) -> str:
    """Hash of everything that decides a training's numbers."""
    stopping = program.stopping
    content = hashlib.blake2b(digest_size=8)
    for leaf in jax.tree.leaves(given):
        content.update(np.ascontiguousarray(leaf).data)
    return stable_hash(
        program.task.fingerprint,
        run.run_id,
        program.batch_size,
        [list(branch.options) for branch in program.branches],
        None if stopping is None else asdict(stopping),
        content.hexdigest() if given is not None else None,
        shuffle,
        *(["best"] if program.keep_best else []),
        digits=8,
    )


def _figures(task: Task) -> tuple[str, ...]:
    return ("train_loss", f"train_{task.metric}", "validation_loss", f"validation_{task.metric}")
