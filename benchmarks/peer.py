"""What every peer does alike: arguments, data, warm-up, the clock, and JSON on stdout.

A peer is a script that runs in the peers' environment and hands :func:`serve` one function,
which makes a network, trains it and validates it after every epoch.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np

WARM_UP_STEPS = 64


@dataclass(frozen=True)
class Data:
    """Training and validation examples.

    Inputs ``(n, 784)`` float32 from 0 to 1, labels ``(n,)`` int64.
    """

    train_x: np.ndarray
    train_y: np.ndarray
    validation_x: np.ndarray
    validation_y: np.ndarray


@dataclass(frozen=True)
class Training:
    """One training to be timed; ``form`` is the way of writing it that the peer offers."""

    optimizer: str
    learning_rate: float
    seed: int
    epochs: int
    batch_size: int
    form: str


@dataclass(frozen=True)
class Measured:
    """One timed training: wall seconds, optimizer steps, validation accuracy at its end."""

    optimizer: str
    learning_rate: float
    seed: int
    seconds: float
    steps: int
    validation_accuracy: float


Train = Callable[[Data, Training], float]
"""Makes a network, trains it, validates it after every epoch; gives the last accuracy."""


def serve(
    library: str,
    version: str,
    forms: tuple[str, ...],
    train: Train,
    set_threads: Callable[[int], None],
) -> None:
    """Time the trainings that the command line asks for, and print them as one JSON object.

    The optimizers take turns. The library's import, the reading of the data and its conversion
    to floats, and a short training of each optimizer come before the clock starts.
    """
    arguments = _arguments(forms)
    if arguments.threads:
        set_threads(arguments.threads)
    data = read(arguments.data)
    rates = dict(pair.split("=") for pair in arguments.optimizers.split(","))
    trainings = [
        Training(name, float(rate), seed, arguments.epochs, arguments.batch_size, arguments.form)
        for seed in range(arguments.first_seed, arguments.first_seed + arguments.runs)
        for name, rate in rates.items()
    ]
    part = arguments.batch_size * WARM_UP_STEPS
    little = Data(*(array[:part] for array in vars(data).values()))
    for training in trainings[: len(rates)]:
        train(little, training)
    answer = {
        "library": library,
        "version": version,
        "form": arguments.form,
        "threads": arguments.threads or None,
        "runs": [asdict(timed(train, data, training)) for training in trainings],
    }
    print(json.dumps(answer))


def timed(train: Train, data: Data, training: Training) -> Measured:
    """The training, with the clock running from the making of the network to its last figure."""
    began = time.perf_counter()
    accuracy = train(data, training)
    seconds = time.perf_counter() - began
    return Measured(
        optimizer=training.optimizer,
        learning_rate=training.learning_rate,
        seed=training.seed,
        seconds=seconds,
        steps=training.epochs * -(-len(data.train_x) // training.batch_size),
        validation_accuracy=accuracy,
    )


def read(path: str) -> Data:
    """The arrays that ``compare_peers.py`` wrote: uint8 images, scaled here by 1/255."""
    with np.load(path) as arrays:
        x, y, validation_x, validation_y = (
            arrays[name] for name in ("train_x", "train_y", "validation_x", "validation_y")
        )
    return Data(
        _scaled(x), y.astype(np.int64), _scaled(validation_x), validation_y.astype(np.int64)
    )


def _scaled(images: np.ndarray) -> np.ndarray:
    return images.reshape(len(images), -1).astype(np.float32) / np.float32(255)


def _arguments(forms: tuple[str, ...]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Time trainings of MLP 784-128-10.")
    parser.add_argument("--data", required=True, help="the .npz file with the splits")
    parser.add_argument("--optimizers", default="sgd=0.01,adam=0.001", help="NAME=RATE,...")
    parser.add_argument("--runs", type=int, default=1, help="timed trainings per optimizer")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--threads", type=int, default=0, help="0: as the library decides")
    parser.add_argument("--form", choices=forms, default=forms[0])
    return parser.parse_args()
