"""What the pictures of a training are made of: plain arrays and texts, without its task or JAX."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from fallline.analysis.fitting import Course, Diagnosis, diagnose

EXAMPLES = 25
"""Examples and predictions that are shown."""


@dataclass(frozen=True)
class Block:
    """One layer of the network that has parameters."""

    name: str
    kind: str
    output_shape: tuple[int, ...] | None
    """Without the batch axis; None where it is not known."""
    parameters: int
    trainable: bool = True


@dataclass(frozen=True, eq=False)
class FirstWeights:
    """The weights of the first layer that has a matrix or a kernel.

    ``values``: ``(units, ...)``. For a dense layer the rest is an example's shape; for a
    convolution (``kernel`` is True) it is ``(height, width, input channels)``.
    """

    layer: str
    values: np.ndarray
    kernel: bool


@dataclass(frozen=True, eq=False)
class Examples:
    """Some examples with their targets: ``x`` ``(n, ...)`` raw, ``y`` ``(n,)`` or ``(n, k)``.

    ``y`` holds class indices, or a regression's values in their units.
    """

    x: np.ndarray
    y: np.ndarray


@dataclass(frozen=True, eq=False)
class Predictions:
    """What the network says of held-out examples, all arrays with the same first axis ``n``.

    ``actual``, ``predicted``: class indices, or values ``(n,)`` or ``(n, k)``. ``probabilities``:
    ``(n, classes)``, None for a regression. ``shown``: indices of the examples that are drawn,
    which are ``x``; ``surest``: indices of the mistakes with the highest probability, surest
    first, which are ``surest_x``.
    """

    split: str
    of: int
    """Examples of the split; ``n`` is less where they are too many."""
    actual: np.ndarray
    predicted: np.ndarray
    probabilities: np.ndarray | None
    shown: np.ndarray
    x: np.ndarray
    surest: np.ndarray
    surest_x: np.ndarray


@dataclass(frozen=True, eq=False)
class Portrait:
    """A training as its readers need it."""

    title: str
    task: str
    kind: str
    """``"classification"`` or ``"regression"``."""
    metric: str
    """``"accuracy"`` (a share, 0 to 1) or an error (``"rmse"``, in the target's units)."""
    status: str
    advice: str
    facts: tuple[tuple[str, str], ...]
    """What was trained and how: names and values, as text."""
    notes: tuple[str, ...]
    train_loss: np.ndarray
    train_metric: np.ndarray
    validation_loss: np.ndarray
    validation_metric: np.ndarray
    constant: float
    """The training metric of a constant answer: the commonest class, or the mean."""
    train_examples: int
    validation_examples: int
    classes: tuple[str, ...]
    features: tuple[str, ...]
    input_shape: tuple[int, ...]
    examples: Examples
    predictions: Predictions | None
    """None where the weights are not finite."""
    blocks: tuple[Block, ...]
    first_weights: FirstWeights | None
    diverged: bool = False
    created: str = ""
    versions: tuple[tuple[str, str], ...] = field(default=())

    @property
    def share(self) -> bool:
        return self.metric == "accuracy"

    @property
    def classification(self) -> bool:
        return self.kind == "classification"

    @property
    def epochs(self) -> int:
        return len(self.train_loss)

    @property
    def course(self) -> Course:
        """The curves, as the diagnosis takes them."""
        return Course(
            self.train_loss,
            self.train_metric,
            self.validation_loss,
            self.validation_metric,
            share=self.share,
            constant=self.constant,
            validation_examples=self.validation_examples,
            diverged=self.diverged,
        )

    @property
    def diagnosis(self) -> Diagnosis:
        return diagnose(self.course)

    def class_name(self, index: int) -> str:
        """The name of a class, or its number where there are no names."""
        return self.classes[index] if index < len(self.classes) else str(index)

    def feature_name(self, index: int) -> str:
        """The name of a column, or its number (from 0) where there are no names."""
        return self.features[index] if index < len(self.features) else f"x{index}"


def as_picture(shape: tuple[int, ...]) -> bool:
    """Whether examples of this shape are images: two axes of 3 or more, and 1, 3 or 4 channels."""
    return len(shape) in (2, 3) and min(shape[:2]) >= 3 and (len(shape) == 2 or shape[2] in (1, 3))


def spread(count: int, most: int) -> np.ndarray:
    """Indices of at most ``most`` of ``count`` examples, evenly spread: data may be sorted."""
    if count <= most:
        return np.arange(count)
    return np.floor(np.linspace(0, count, most, endpoint=False)).astype(int)


def constant_figure(targets: np.ndarray, kind: str) -> float:
    """The metric of a constant answer on ``targets``: the commonest class's share, or the RMSE."""
    if not len(targets):
        return math.nan
    if kind == "classification":
        return float(np.bincount(targets).max() / len(targets))
    return float(np.sqrt(np.mean(np.square(targets - targets.mean(axis=0)))))
