"""Studies without trainings: what becomes of a run is its id's to say."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fallline import stepping
from fallline.engine import arrangement
from fallline.engine.events import Finished
from fallline.engine.feeding import Seeds
from fallline.records import Curves, Run, RunResult, Status, derived_seed


class Imagined:
    """Stands where a population does and trains nothing.

    The figures are chance, so that further seeds and epochs choose other settings.
    """

    compile_seconds = 0.5
    program = SimpleNamespace(batch_size=20)

    def compile(self) -> None:
        pass

    def train(self, runs: Sequence[Run], **settings: Any) -> Iterator[Finished]:
        for run in runs:
            yield Finished(_imagined(run))

    def states(self, patience: float) -> tuple:
        return ()

    def state_bytes(self, name: str) -> int:
        return 8


def _imagined(run: Run) -> RunResult:
    draw = np.random.default_rng(derived_seed(run.run_id))
    curves = Curves(*draw.uniform(0.2, 0.9, (4, run.epochs)).astype(np.float32))
    result = RunResult(run, Status.DONE, curves, 6 * run.epochs, last_finite_loss=0.5)
    if run.phase == "final":
        loss, metric = draw.uniform(0.2, 0.9, 2)
        return replace(result, test_loss=float(loss), test_metric=float(metric))
    return result


@contextlib.contextmanager
def trainings() -> Iterator[None]:
    """A context in which studies train nothing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(arrangement, "population", lambda *given, **more: Imagined())
        patch.setattr(stepping, "seconds_per_step", lambda runs, _: dict.fromkeys(runs, 1e-3))
        patch.setattr(Seeds, "initial", lambda *given, **more: None)
        yield


class Stop:
    """A listener that ends the process, so to say, after a number of finished runs."""

    def __init__(self, after: int) -> None:
        self.left = after

    def __call__(self, event: Any) -> None:
        self.left -= isinstance(event, Finished)
        if self.left < 0:
            raise KeyboardInterrupt
