"""What every side of a step benchmark does alike: a process that trains when it is told to.

A side is a script that hands :func:`serve` one function, which makes a :class:`Side` for a
:class:`Job`. Commands come as lines of JSON on stdin, answers go to stdout the same way, so that
sides that wait in processes of their own can be timed in turns without starting anew.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol, TextIO

import numpy as np

from networks import NETWORKS, Layer, is_flat

CHECKED = 1000
"""Examples on which the loss of the trained network is compared."""


@dataclass(frozen=True, eq=False)
class Job:
    """What a side is to train.

    ``x``: ``(n, height, width)`` uint8, to be divided by ``unit``; ``y``: ``(n,)`` int32;
    ``order``: ``(n,)``, the examples' indices as the batches take them. ``kernels``: the initial
    weights of the layers in turn. ``options``: what else was said, by the side's own names.
    """

    network: str
    batch_size: int
    x: np.ndarray
    y: np.ndarray
    order: np.ndarray
    kernels: list[np.ndarray]
    unit: float
    options: dict[str, Any]

    @property
    def layers(self) -> tuple[Layer, ...]:
        return NETWORKS[self.network]

    def inputs(self) -> np.ndarray:
        """All examples, scaled, float32: vectors where the first layer is dense, else images."""
        return scaled(self.options["data"], is_flat(self.layers))

    def batches(self, steps: int) -> np.ndarray:
        """The first ``steps`` batches of an epoch, as indices: ``(steps, batch_size)``."""
        return self.order[: steps * self.batch_size].reshape(steps, self.batch_size)


class Side(Protocol):
    """A network with its optimizer, ready to be trained on."""

    job: Job

    def ready(self, epochs: int, steps: int) -> Callable[[], int]:
        """Prepare what is not to be timed; the function given trains, and says how many steps.

        It trains ``epochs`` times on the first ``steps`` batches, and ends when that is done.
        """

    def outputs(self, x: np.ndarray) -> np.ndarray:
        """Raw outputs ``(n, 10)`` of the network as it is now, for scaled examples."""

    def details(self) -> dict[str, Any]:
        """What a reader should know of this side: settings, memory, compile time."""


Make = Callable[[Job], Side]


def serve(library: str, version: str, make: Make) -> None:
    """Answer ``begin`` and ``train`` until stdin ends.

    ``begin`` makes a side, trains the first batches twice where ``check`` says so (what the first
    time took longer is compilation) and gives the loss reached after the first time; ``train``
    times a training.
    """
    sides: list[Side] = []

    def begin(**asked: Any) -> dict[str, Any]:
        sides.clear()
        sides.append(make(_job(asked)))
        return _check(sides[0], **asked) if asked["check"] else {}

    def train(epochs: int, steps: int) -> dict[str, Any]:
        return _train(sides[0], epochs, steps)

    answer(library, version, {"begin": begin, "train": train})


def answer(library: str, version: str, commands: dict[str, Callable[..., dict[str, Any]]]) -> None:
    """Do what every line on stdin asks: ``do`` names the command, the rest are its arguments."""
    answers = _answers()
    _say(answers, {"library": library, "version": version})
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            given = commands[asked.pop("do")](**asked)
        except Exception as error:
            traceback.print_exc()
            given = {"error": f"{type(error).__name__}: {error}".splitlines()[0][:300]}
        _say(answers, given)


def _check(side: Side, check: tuple[int, int], **_: Any) -> dict[str, Any]:
    """Train the first batches twice; ``check``: epochs and steps."""
    epochs, steps = check
    job = side.job
    seconds, loss = [], float("nan")
    for again in (False, True):
        began = time.monotonic()
        side.ready(epochs, steps)()
        seconds.append(time.monotonic() - began)
        if not again:
            rows = job.order[:CHECKED]
            loss = cross_entropy(side.outputs(job.inputs()[rows]), job.y[rows])
    given = {"loss": loss, "compile": max(0.0, seconds[0] - seconds[1])}
    return given | {"seconds_per_step": seconds[1] / (epochs * steps), **side.details()}


def _train(side: Side, epochs: int, steps: int) -> dict[str, Any]:
    train = side.ready(epochs, steps)
    began = time.monotonic()
    trained = train()
    return {"began": began, "ended": time.monotonic(), "steps": trained, **side.details()}


def _job(asked: dict[str, Any]) -> Job:
    arrays = read(asked["data"])
    names = [name for name in arrays if name.startswith(f"{asked['network']}:")]
    kernels = [arrays[name] for name in names]
    given = (arrays["x"], arrays["y"], arrays["order"], kernels, float(arrays["unit"]))
    return Job(asked["network"], asked["batch_size"], *given, asked)


@cache
def read(data: str) -> dict[str, np.ndarray]:
    """All that ``inputs.py`` wrote into the file."""
    with np.load(data) as arrays:
        return {name: arrays[name] for name in arrays.files}


@cache
def scaled(data: str, flat: bool) -> np.ndarray:
    """All examples as float32 from 0 to 1, as vectors or as ``(n, height, width, 1)``."""
    arrays = read(data)
    x = arrays["x"].astype(np.float32) / np.float32(arrays["unit"])
    return x.reshape(len(x), -1) if flat else x[..., None]


def cross_entropy(outputs: np.ndarray, y: np.ndarray) -> float:
    """Mean over the examples, of raw outputs ``(n, classes)``, in float64."""
    outputs = np.asarray(outputs, np.float64)
    outputs = outputs - outputs.max(1, keepdims=True)
    return float(np.mean(np.log(np.exp(outputs).sum(1)) - outputs[np.arange(len(y)), y]))


def _answers() -> TextIO:
    """Stdout for answers alone: what libraries print goes to stderr."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return answers


def _say(answers: TextIO, answer: dict[str, Any]) -> None:
    answers.write(json.dumps(answer, default=str) + "\n")
    answers.flush()
