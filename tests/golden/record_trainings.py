"""Record trainings of the studies' networks in float64, with torch, and Keras's batch norm.

Initial weights come from a formula and batches from the files in their order, so that any other
program can repeat them: ``doc`` in the file says how. It needs torch, Keras 3 and NumPy, not
fallline:

    KERAS_BACKEND=jax python tests/golden/record_trainings.py DATA_DIR

and writes ``trainings.json`` beside itself.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from record_training_float32 import formula_weights, read
from torch.nn import functional

DOC = """The loss of every step of trainings in float64. A weight array of layer l (from 0, layers
with kernels alone counted), in Keras's layout, is s sin(0.37 i + 1.3 l + 0.5) over its row-major
index i, s = sqrt(6 / (fan in + fan out)); its biases are `bias` sin(0.37 j + 1.3 l + 0.9). Batch
norm: scale 1, offset 0, running mean 0 and variance 1, epsilon 1e-3, momentum 0.99, and the batch's
biased variance also for the running one. Flattening is (height, width, channel). Dropout is left
out. Batches are consecutive slices of the training file. `scaling`: unit: pixels / 255;
global_zscore: with one mean and deviation of the rows that are used; row_norm: each row divided by
its L2 norm. `l2` is lambda x sum of squared kernels, in the loss. `running` holds the sums of the
running means and variances after the last step, layer by layer."""


@dataclass(frozen=True)
class Case:
    """A training: the network as a list of layers, data, optimizer, budget."""

    network: str
    layers: tuple[tuple[Any, ...], ...]
    """("conv", shape), ("dense", shape), ("relu",), ("pool",), ("norm", features), ("flat",)."""
    data: str = "mnist"
    scaling: str = "unit"
    optimizer: str = "sgd"
    hyperparameters: dict[str, float] = field(default_factory=dict)
    steps: int = 12
    batch_size: int = 10
    l2: float = 0.0
    bias: float = 0.0


def mlp(*widths: int, output: str = "") -> tuple[tuple[Any, ...], ...]:
    """Dense layers with ReLU between them, and one behind the last where ``output`` says so."""
    layers: list[tuple[Any, ...]] = [("flat",)]
    for pair in pairwise(widths):
        layers += [("dense", pair), ("relu",)]
    return tuple(layers if output else layers[:-1])


ADAM = {"lr": 0.001, "eps": 1e-7}
MOMENTUM = {"lr": 0.01, "momentum": 0.9}
RELU, POOL, FLAT = ("relu",), ("pool",), ("flat",)
CASES = (
    Case("wine-mlp", mlp(11, 128, 1, output="relu"), "wine", "row_norm", "sgd", {"lr": 0.01}, 20),
    Case("wine-mlp", mlp(11, 128, 1, output="relu"), "wine", "row_norm", "adam", ADAM, 20, 32),
    Case(
        "mnist-cnn",
        (
            *(("conv", (3, 3, 1, 32)), RELU, POOL, FLAT),
            *(("dense", (5408, 256)), RELU, ("dense", (256, 10))),
        ),
        optimizer="adam",
        hyperparameters=ADAM,
    ),
    Case(
        "mnist-cnn-93k",
        (
            *(("conv", (3, 3, 1, 32)), RELU, POOL, ("conv", (3, 3, 32, 64)), RELU, POOL),
            *(("conv", (3, 3, 64, 64)), RELU, FLAT, ("dense", (576, 64)), RELU),
            ("dense", (64, 10)),
        ),
        optimizer="adam",
        hyperparameters=ADAM,
    ),
    Case(
        "mnist-bn-cnn",
        (
            *(("conv", (3, 3, 1, 32)), RELU, ("norm", 32), POOL, ("norm", 32)),
            *(("conv", (3, 3, 32, 64)), RELU, ("norm", 64), POOL, ("norm", 64), FLAT),
            *(("dense", (1600, 256)), RELU, ("norm", 256), ("dense", (256, 10))),
        ),
        optimizer="momentum",
        hyperparameters=MOMENTUM,
    ),
    Case(
        "fashion-mlp-75",
        mlp(784, 75, 10),
        "fashion-mnist",
        "global_zscore",
        "sgd",
        {"lr": 0.01},
        20,
        64,
        l2=0.001,
        bias=0.05,
    ),
    Case(
        "fashion-mlp-75-75",
        mlp(784, 75, 75, 10),
        "fashion-mnist",
        "global_zscore",
        "momentum",
        MOMENTUM,
        20,
        64,
        l2=0.001,
        bias=0.05,
    ),
)
OPTIMIZERS = {"sgd": torch.optim.SGD, "momentum": torch.optim.SGD, "adam": torch.optim.Adam}


class Network:
    """The layers of a case with their weights, and what batch norm keeps."""

    def __init__(self, case: Case) -> None:
        self.layers = case.layers
        self.kernels: list[torch.Tensor] = []
        self.weights: list[torch.Tensor] = []
        self.running: list[tuple[torch.Tensor, torch.Tensor]] = []
        for kind, *rest in case.layers:
            if kind in ("conv", "dense"):
                self._add_kernel(kind, rest[0], case.bias)
            elif kind == "norm":
                ends = torch.ones(rest[0]), torch.zeros(rest[0])
                self.weights += [end.requires_grad_() for end in ends]
                self.running.append((torch.zeros(rest[0]), torch.ones(rest[0])))

    def _add_kernel(self, kind: str, shape: tuple[int, ...], bias: float) -> None:
        number = len(self.kernels)
        values = formula_weights(shape, number)
        values = values.transpose(3, 2, 0, 1) if kind == "conv" else values
        kernel = torch.tensor(values.copy(), requires_grad=True)
        places = np.arange(shape[-1])
        biases = torch.tensor(bias * np.sin(0.37 * places + 1.3 * number + 0.9)).requires_grad_()
        self.kernels.append(kernel)
        self.weights += [kernel, biases]

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        left, norms = iter(self.weights), iter(self.running)
        x = x[:, None] if x.ndim == 3 else x
        for kind, *_ in self.layers:
            if kind == "conv":
                x = torch.conv2d(x, next(left), next(left))
            elif kind == "dense":
                x = x @ next(left) + next(left)
            elif kind == "relu":
                x = torch.relu(x)
            elif kind == "pool":
                x = torch.max_pool2d(x, 2)
            elif kind == "norm":
                x = normed(x, next(left), next(left), *next(norms))
            else:
                x = (x.permute(0, 2, 3, 1) if x.ndim == 4 else x).reshape(len(x), -1)
        return x


def normed(
    x: torch.Tensor,
    scale: torch.Tensor,
    offset: torch.Tensor,
    mean: torch.Tensor,
    variance: torch.Tensor,
) -> torch.Tensor:
    """Batch norm over all axes but the channel's; ``mean`` and ``variance`` move in place."""
    axes = [axis for axis in range(x.ndim) if axis != 1]
    shape = [1, -1] + [1] * (x.ndim - 2)
    now = x.mean(axes), x.var(axes, unbiased=False)
    for running, fresh in zip((mean, variance), now, strict=True):
        running.mul_(0.99).add_(0.01 * fresh.detach())
    unit = (x - now[0].view(shape)) / torch.sqrt(now[1].view(shape) + 1e-3)
    return unit * scale.view(shape) + offset.view(shape)


def examples(case: Case, data_dir: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """The first rows of the training data, scaled, with their targets."""
    rows = case.steps * case.batch_size
    folder = data_dir / case.data
    if case.data == "wine":
        (path,) = folder.glob("*white.csv")
        table = np.loadtxt(path, delimiter=";", skiprows=1)[:rows]
        x, y = table[:, :-1], torch.tensor(table[:, -1:].copy())
    else:
        x = read(folder / "train-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28)[:rows]
        labels = read(folder / "train-labels-idx1-ubyte.gz", 8)[:rows]
        y = torch.tensor(labels.astype(np.int64))
    x = x.astype(np.float64)
    if case.scaling == "unit":
        x = x / 255
    elif case.scaling == "global_zscore":
        x = (x - x.mean()) / x.std()
    else:
        x = x / np.sqrt((x**2).sum(axis=1, keepdims=True))
    return torch.tensor(x), y


def trained(case: Case, data_dir: Path) -> dict[str, Any]:
    """The record of one case."""
    x, y = examples(case, data_dir)
    network = Network(case)
    optimizer = OPTIMIZERS[case.optimizer](network.weights, **case.hyperparameters)
    measure = functional.mse_loss if case.data == "wine" else functional.cross_entropy
    losses = []
    for step in range(case.steps):
        batch = slice(step * case.batch_size, (step + 1) * case.batch_size)
        loss = measure(network(x[batch]), y[batch])
        loss = loss + case.l2 * sum(kernel.square().sum() for kernel in network.kernels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    names = ("network", "data", "scaling", "optimizer", "hyperparameters")
    names += ("steps", "batch_size", "l2", "bias")
    norm = torch.sqrt(sum(w.detach().square().sum() for w in network.weights)).item()
    return {
        **{name: getattr(case, name) for name in names},
        "parameters": sum(w.numel() for w in network.weights),
        "loss": losses,
        "weight_norm": norm,
        "running": [[m.sum().item(), v.sum().item()] for m, v in network.running],
    }


def keras_batch_norm() -> dict[str, Any]:
    """Outputs and running statistics of Keras's own layer over three batches.

    Its sums are in float32, whatever its dtype.
    """
    os.environ.setdefault("KERAS_BACKEND", "jax")
    import jax

    jax.config.update("jax_enable_x64", True)
    import keras

    keras.backend.set_floatx("float64")
    layer = keras.layers.BatchNormalization(dtype="float64")
    outputs = []
    for step in range(3):
        outputs.append(np.asarray(layer(norm_batch(step), training=True)).ravel()[:4].tolist())
    evaluated = np.asarray(layer(norm_batch(3), training=False)).ravel()[:4].tolist()
    return {
        "doc": "batches (4, 3, 3, 2): 2 + 3 sin(0.7 i^1.1 + step) over the row-major index i",
        "peer": f"Keras {keras.__version__}",
        "outputs": outputs,
        "evaluated": evaluated,
        "mean": np.asarray(layer.moving_mean).tolist(),
        "variance": np.asarray(layer.moving_variance).tolist(),
    }


def norm_batch(step: int) -> np.ndarray:
    """A batch for :func:`keras_batch_norm`."""
    index = np.arange(4 * 3 * 3 * 2, dtype=np.float64)
    return (2 + 3 * np.sin(0.7 * index**1.1 + step)).reshape(4, 3, 3, 2)


def main() -> None:
    """Record every case."""
    data_dir = Path(sys.argv[1])
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    document = {
        "doc": DOC.replace("\n", " "),
        "peer": f"torch {torch.__version__}",
        "cases": [trained(case, data_dir) for case in CASES],
        "batch_norm": keras_batch_norm(),
    }
    path = Path(__file__).with_name("trainings.json")
    path.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
