"""The peer torch: one training after the other, eager, in two forms.

``documented``: as the tutorials of torch teach it, batches from a DataLoader over a TensorDataset.
``indexed``: the same loop, but every batch is taken from the tensors with one index; the
tutorials do not show it, and it is faster.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from peer import Data, Training, serve

VALIDATION_BATCH = 1000
OPTIMIZERS = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}

Batches = Iterable[tuple[torch.Tensor, torch.Tensor]]


def network() -> nn.Module:
    """MLP 784-128-10 with ReLU: Glorot-uniform weights, zero biases, raw outputs."""
    model = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))
    for layer in model:
        if isinstance(layer, nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
    return model


class Indexed:
    """Batches taken from two tensors by index, shuffled anew in every pass."""

    def __init__(self, x: torch.Tensor, y: torch.Tensor, batch_size: int) -> None:
        self.x, self.y, self.batch_size = x, y, batch_size

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        for rows in torch.randperm(len(self.x)).split(self.batch_size):
            yield self.x[rows], self.y[rows]


def batches_of(data: Data, training: Training) -> tuple[Batches, Batches]:
    """The batches to train on, shuffled in every pass, and those to validate on."""
    x, y, validation_x, validation_y = map(torch.from_numpy, vars(data).values())
    if training.form == "indexed":
        rows = zip(
            validation_x.split(VALIDATION_BATCH), validation_y.split(VALIDATION_BATCH), strict=True
        )
        return Indexed(x, y, training.batch_size), list(rows)
    return (
        DataLoader(TensorDataset(x, y), batch_size=training.batch_size, shuffle=True),
        DataLoader(TensorDataset(validation_x, validation_y), batch_size=VALIDATION_BATCH),
    )


def train_epoch(
    batches: Batches, model: nn.Module, loss_fn: nn.Module, optimizer: torch.optim.Optimizer
) -> None:
    """One pass over the training batches."""
    model.train()
    for x, y in batches:
        optimizer.zero_grad()
        loss = loss_fn(model(x), y)
        loss.backward()
        optimizer.step()


def validate(batches: Batches, model: nn.Module, loss_fn: nn.Module) -> tuple[float, float]:
    """Mean loss and accuracy over the validation batches."""
    model.eval()
    loss, right, examples = 0.0, 0, 0
    with torch.no_grad():
        for x, y in batches:
            outputs = model(x)
            loss += loss_fn(outputs, y).item() * len(y)
            right += int((outputs.argmax(1) == y).sum().item())
            examples += len(y)
    return loss / examples, right / examples


def train(data: Data, training: Training) -> float:
    """One training; gives the validation accuracy after its last epoch."""
    torch.manual_seed(training.seed)
    batches, validation = batches_of(data, training)
    model = network()
    loss_fn = nn.CrossEntropyLoss()
    optimizer = OPTIMIZERS[training.optimizer](model.parameters(), lr=training.learning_rate)
    accuracy = float("nan")
    for _ in range(training.epochs):
        train_epoch(batches, model, loss_fn, optimizer)
        _, accuracy = validate(validation, model, loss_fn)
    return accuracy


if __name__ == "__main__":
    serve("torch", torch.__version__, ("documented", "indexed"), train, torch.set_num_threads)
