"""torch as a side of the step benchmarks: eager or compiled, by DataLoader or by index.

``documented``: a DataLoader over a TensorDataset and the loop of the tutorials. ``indexed``: the
loop written for speed: a batch is one index into a tensor, and Adam is fused. ``compiled`` and
``compiled-indexed``: the same two with ``torch.compile`` around the network.
"""

from __future__ import annotations

import argparse
import os
import shutil
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import cases
import networks
import stepping
from stepping import Job

FORMS = ("documented", "indexed", "compiled", "compiled-indexed")


class Flattened(nn.Module):
    """Images ``(n, channels, height, width)`` to vectors in the order height, width, channel."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.permute(0, 2, 3, 1).flatten(1)


def network(job: Job) -> nn.Sequential:
    """The job's network with its initial weights."""
    made: list[nn.Module] = []
    kernels = iter(job.kernels)
    image = not networks.is_flat(job.layers)
    for each in networks.shaped(job.layers):
        if image and isinstance(each.layer, networks.Dense):
            made.append(Flattened())
            image = False
        made += _modules(each, kernels, image)
    return nn.Sequential(*made)


def _modules(each: networks.Shaped, kernels: Any, image: bool) -> list[nn.Module]:
    match each.layer:
        case networks.Conv(features, size):
            convolution = nn.Conv2d(each.before[-1], features, size)
            _set(convolution, next(kernels).transpose(3, 2, 0, 1))
            return [convolution, nn.ReLU()]
        case networks.Dense(units, relu):
            dense = nn.Linear(each.before[0], units)
            _set(dense, next(kernels).T)
            return [dense, nn.ReLU()] if relu else [dense]
        case networks.Pool():
            return [nn.MaxPool2d(2)]
        case networks.Dropout(rate):
            return [nn.Dropout(rate)]
        case networks.BatchNorm():
            kind = nn.BatchNorm2d if image else nn.BatchNorm1d
            return [kind(each.after[-1], eps=networks.EPSILON, momentum=1 - networks.MOMENTUM)]


def _set(module: Any, kernel: np.ndarray) -> None:
    with torch.no_grad():
        module.weight.copy_(torch.from_numpy(np.ascontiguousarray(kernel)))
        module.bias.zero_()


class Indexed:
    """Batches taken from two tensors by index."""

    def __init__(self, x: torch.Tensor, y: torch.Tensor, rows: torch.Tensor) -> None:
        self.x, self.y, self.rows = x, y, rows

    def __iter__(self) -> Any:
        for rows in self.rows:
            yield self.x[rows], self.y[rows]


class Torch:
    """A network, trained by the loop of torch's tutorials."""

    def __init__(self, job: Job, form: str) -> None:
        self.job, self.form = job, form
        torch.manual_seed(0)
        torch._dynamo.reset()
        x = job.inputs()
        self.x = torch.from_numpy(x if x.ndim == 2 else np.moveaxis(x, 3, 1))
        self.y = torch.from_numpy(job.y.astype(np.int64))
        self.network = network(job)
        compiled = form.startswith("compiled")
        self.model: Any = torch.compile(self.network) if compiled else self.network
        self.loss_fn = nn.CrossEntropyLoss()
        self.optimizer = torch.optim.Adam(
            self.network.parameters(),
            lr=cases.LEARNING_RATE,
            betas=(cases.BETA_1, cases.BETA_2),
            eps=cases.EPSILON,
            fused=form.endswith("indexed") or None,
        )

    def _batches(self, steps: int) -> Iterable[tuple[torch.Tensor, torch.Tensor]]:
        rows = self.job.batches(steps)
        if self.form.endswith("indexed"):
            return Indexed(self.x, self.y, torch.from_numpy(rows.astype(np.int64)))
        dataset = TensorDataset(self.x, self.y)
        order = rows.reshape(-1).tolist()
        return DataLoader(dataset, batch_size=self.job.batch_size, sampler=order)

    def ready(self, epochs: int, steps: int) -> Callable[[], int]:
        batches = self._batches(steps)

        def train() -> int:
            for _ in range(epochs):
                self.model.train()
                for x, y in batches:
                    self.optimizer.zero_grad()
                    loss = self.loss_fn(self.model(x), y)
                    loss.backward()
                    self.optimizer.step()
            return epochs * steps

        return train

    def outputs(self, x: np.ndarray) -> np.ndarray:
        self.network.eval()
        with torch.no_grad():
            given = torch.from_numpy(x if x.ndim == 2 else np.moveaxis(x, 3, 1).copy())
            return self.network(given).numpy()

    def details(self) -> dict[str, Any]:
        return {"threads": torch.get_num_threads()}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--form", choices=FORMS, default=FORMS[0])
    parser.add_argument("--threads", type=int, default=0, help="0: as the library decides")
    asked = parser.parse_args()
    if asked.threads:
        torch.set_num_threads(asked.threads)

    def make(job: Job) -> Torch:
        compilers = (os.environ.get("CXX"), "g++", "clang++")
        if asked.form.startswith("compiled") and not any(
            map(shutil.which, filter(None, compilers))
        ):
            raise RuntimeError(
                "torch.compile needs a C++ compiler and there is none; install g++, or set CXX"
            )
        return Torch(job, asked.form)

    stepping.serve("torch", torch.__version__, make)


if __name__ == "__main__":
    main()
