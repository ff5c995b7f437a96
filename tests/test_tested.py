"""Test figures that a device fails to measure: tried once more, in smaller parts if it is full."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, ClassVar

import jax
import numpy as np
import pytest

from fallline import tested
from fallline.engine.events import Finished
from fallline.records import Curves, Run, RunResult, Status

POPULATION: Any = SimpleNamespace(
    program=None, devices=SimpleNamespace(count=2), places=16, lanes=4
)


class Measuring:
    """Stands where an evaluation does, and raises the ``errors`` first."""

    errors: ClassVar[list[str]] = []
    made: ClassVar[list[tuple[int, int]]] = []

    def __init__(self, *given: Any, per_device: int, lanes: int) -> None:
        self.made.append((per_device, lanes))

    def measure(self, weights: list[tuple[float, None]]) -> list[tuple[float, float]]:
        if self.errors:
            raise jax.errors.JaxRuntimeError(self.errors.pop(0))
        return [(params, params / 10) for params, _ in weights]


def _finished(seed: int, params: float | None) -> Finished:
    run = Run("sgd", {"learning_rate": 0.1}, seed, "final", 1)
    curve = np.ones(1, np.float32)
    return Finished(RunResult(run, Status.DONE, Curves(*[curve] * 4), steps=1), params)


def _figures(monkeypatch: pytest.MonkeyPatch, *errors: str) -> list[tuple[float, float]]:
    monkeypatch.setattr(tested, "Evaluation", Measuring)
    monkeypatch.setattr(Measuring, "errors", list(errors))
    monkeypatch.setattr(Measuring, "made", [])
    own = tested.Tested(object())  # type: ignore[arg-type]
    found = own.results(POPULATION, [_finished(0, 2.0), _finished(1, 3.0)])
    return [(each.test_loss, each.test_metric) for each in found]


@pytest.mark.parametrize(
    ("errors", "made"),
    [
        ([], [(8, 4)]),
        (["INTERNAL: once"], [(8, 4), (8, 4)]),
        (["RESOURCE_EXHAUSTED: 4 GB"], [(8, 4), (1, 1)]),
    ],
)
def test_one_error_changes_no_figure(
    monkeypatch: pytest.MonkeyPatch, errors: list[str], made: list[tuple[int, int]]
) -> None:
    assert _figures(monkeypatch, *errors) == [(2.0, 0.2), (3.0, 0.3)]
    assert Measuring.made == made


def test_a_second_error_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(jax.errors.JaxRuntimeError, match="twice"):
        _figures(monkeypatch, "INTERNAL: once", "INTERNAL: twice")


def test_runs_without_weights_are_as_they_were() -> None:
    result = _finished(0, None)
    assert tested.Tested(None).results(POPULATION, [result]) == [result.result]
