"""A run, its identity, and what became of it: the words that every layer shares."""

from __future__ import annotations

import enum
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

Phase = Literal["search", "final"]
"""``search`` runs choose the setting on validation data; ``final`` ones, on fresh seeds, are
measured on test data."""


class Status(enum.StrEnum):
    """What became of a run. A diverged run is a result, never an exception."""

    DONE = "done"
    STOPPED_EARLY = "stopped early"
    DIVERGED = "diverged"
    STOPPED_AT_RUNG = "stopped at a rung"
    FAILED = "failed"
    """It could not be trained: its optimizer raises, or gives what no training can use."""
    WAITING = "waiting at a rung"
    """Never stored: it becomes one of the others when its rung is decided."""

    @property
    def advice(self) -> str:
        """What a user can do about it, in one sentence."""
        return _ADVICE[self]


_ADVICE = {
    Status.DONE: "Trained to the end of its budget.",
    Status.STOPPED_EARLY: "The monitored figure no longer improved; raise the patience to go on.",
    Status.DIVERGED: (
        "The loss became NaN, infinite or exploded; try a smaller learning rate, "
        "gradient clipping or a warm-up."
    ),
    Status.STOPPED_AT_RUNG: (
        "Successive halving stopped it for better settings of its optimizer; a budget without "
        "halving trains it to the end."
    ),
    Status.FAILED: (
        "Its optimizer could not be trained; mend it, and the same command tries it again."
    ),
    Status.WAITING: "It goes on if it is among the best settings of its optimizer at the rung.",
}


def stable_hash(*parts: Any, digits: int = 16) -> str:
    """Hex digest of JSON-serialisable ``parts``: the same on every machine and version."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.blake2b(text.encode(), digest_size=32).hexdigest()[:digits]


def derived_seed(*parts: Any) -> int:
    """A 31-bit seed derived from named parts, so that no two uses share a random stream."""
    return int(stable_hash(*parts, digits=8), 16) & 0x7FFFFFFF


@dataclass(frozen=True)
class Run:
    """One training: an optimizer with its hyper-parameters, on one seed, for a number of epochs.

    The task, the batch size and the precision belong to the study; ``full_batch`` runs take the
    whole training split as their batch.
    """

    optimizer: str
    hyperparameters: dict[str, float] = field(hash=False)
    seed: int
    phase: Phase
    epochs: int
    full_batch: bool = False

    @property
    def run_id(self) -> str:
        """Hash of the canonical description: 16 hex digits, the same in every study."""
        return stable_hash(
            self.optimizer,
            sorted(self.hyperparameters.items()),
            self.seed,
            self.phase,
            self.epochs,
            self.full_batch,
        )

    @property
    def trial(self) -> tuple[str, tuple[tuple[str, float], ...]]:
        """The setting apart from the seed: runs with an equal trial differ by seed alone."""
        return self.optimizer, tuple(sorted(self.hyperparameters.items()))


@dataclass(frozen=True)
class Curves:
    """Figures at the end of each trained epoch; arrays of shape ``(epochs trained,)``, float32.

    Training figures are means over the epoch's batches as they were trained on; validation
    figures are measured after the epoch, and are empty where the task has no validation split.
    """

    train_loss: np.ndarray
    train_metric: np.ndarray
    validation_loss: np.ndarray
    validation_metric: np.ndarray


@dataclass(frozen=True)
class RunResult:
    """What became of a run. ``test_*`` are NaN unless the run was measured on test data."""

    run: Run
    status: Status
    curves: Curves
    steps: int
    """Optimizer steps taken."""
    diverged_step: int = -1
    """The first step (from 0) with a loss that is not finite or exploded; -1 if none."""
    last_finite_loss: float = float("nan")
    test_loss: float = float("nan")
    test_metric: float = float("nan")
    reason: str = ""
    """Why it failed or diverged, in one line."""

    @property
    def epochs_trained(self) -> int:
        return len(self.curves.train_loss)


FIGURES = "figures"
"""The name under which a run's state holds its curves."""


@dataclass(frozen=True)
class RunState:
    """A run under way: all that it takes to go on with it, as plain arrays by their names.

    Among them is :data:`FIGURES`, of shape ``(complete epochs, 4)``.
    """

    run_id: str
    identity: str
    """Hash of everything that decides the run's numbers: only the same training goes on."""
    arrays: dict[str, np.ndarray]
    origin: Mapping[str, str] | None = None
    """What it was taken in, by name: to say why nobody can go on from it. Empty where that was not
    kept, None where it is of this process."""

    @property
    def nbytes(self) -> int:
        return sum(array.nbytes for array in self.arrays.values())

    @property
    def epochs(self) -> int:
        """Epochs that are complete."""
        return len(self.arrays.get(FIGURES, ()))
