"""What a population tells while it trains."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fallline.records import Run, RunResult, RunState


@dataclass(frozen=True)
class Advanced:
    """Runs that went on by a call; ``epochs`` and ``figures`` have one entry per run."""

    runs: tuple[Run, ...]
    epochs: tuple[int, ...]
    """Epochs that are complete."""
    figures: tuple[tuple[float, ...], ...]
    """Of each run's latest epoch: training loss and metric, validation loss and metric; NaN as
    long as its first epoch is not complete."""


@dataclass(frozen=True)
class UnderWay:
    """The states of the runs that were under way when :meth:`Population.hand_out` was called."""

    states: tuple[RunState, ...]
    seconds: float
    """What taking them has cost."""


@dataclass(frozen=True)
class Paused:
    """A run that waits at a rung, with what it takes to go on with it."""

    result: RunResult
    """As it is there: its status is :attr:`Status.WAITING`."""
    state: RunState


@dataclass(frozen=True)
class Finished:
    """A run that is trained to its end, with its weights where they were asked for."""

    result: RunResult
    params: Any = None
    state: Any = None
    step_losses: np.ndarray = field(default_factory=lambda: np.empty(0))
    kept_epoch: int = 0
    """The epoch (from 1) after which the weights were as they are; 0 before the first one."""
