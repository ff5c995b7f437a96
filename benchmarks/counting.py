"""Operations and bytes of a training step, in closed form.

**Operations** of convolutions and dense layers alone, a multiplication and an addition as two:
forward, the gradient of the weights, and the gradient of the input (not in the first layer), each
``2 x weights x positions x batch``.

**Bytes**, float32, each number as often as it must pass between the processor and wherever a run's
numbers live: per parameter, read forward and backward, its gradient written, and in Adam's update
gradient, weight and two moments read, weight and two moments written: 10 passes (a gradient that
went straight into the update would save two of them). Activations: a
layer with its ReLU, pooling and dropout is one; each value between two such layers is written and
read forward, read backward, its gradient written and read: 5 passes. What a batch normalisation
takes in is read once more forward (mean and variance come first), and once more backward with its
gradient: 8 passes; what it gives out need not be stored. Examples are bytes, read forward and
backward.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from networks import IMAGE, BatchNorm, Layer, Shape, shaped

NUMBER = 4
PARAMETER_PASSES, ACTIVATION_PASSES, NORMALISED_PASSES = 10, 5, 8
STATE_NUMBERS = 4
"""Of each parameter: weight, gradient, two moments."""


@dataclass(frozen=True)
class Count:
    """A step of one run: operations, bytes moved, and the bytes that live between the passes."""

    operations: int
    moved: int
    held: int


def count(layers: Sequence[Layer], batch_size: int, image: Shape = IMAGE) -> Count:
    """The least that a step with Adam takes."""
    steps = shaped(layers, image)
    parameters = sum(each.parameters for each in steps)
    stored = list(_stored(layers, image))
    activations = sum(size * passes for size, passes in stored)
    examples = int(np.prod(image))
    moved = NUMBER * (PARAMETER_PASSES * parameters + batch_size * activations)
    held = NUMBER * (STATE_NUMBERS * parameters + batch_size * sum(size for size, _ in stored))
    return Count(
        operations=operations(layers, batch_size, image),
        moved=moved + 2 * batch_size * examples,
        held=held + batch_size * examples,
    )


def operations(layers: Sequence[Layer], batch_size: int, image: Shape = IMAGE) -> int:
    """Of convolutions and dense layers, forward and both gradients."""
    total, first = 0, True
    for each in shaped(layers, image):
        if each.kernel is None:
            continue
        positions = int(np.prod(each.after)) // each.after[-1]
        forward = 2 * int(np.prod(each.kernel)) * positions * batch_size
        total += forward * (2 if first else 3)
        first = False
    return total


def _stored(layers: Sequence[Layer], image: Shape) -> list[tuple[int, int]]:
    """Numbers per example that must be kept between layers, with their passes."""
    found = []
    steps = shaped(layers, image)
    for at, each in enumerate(steps):
        following = steps[at + 1] if at + 1 < len(steps) else None
        normalised = following is not None and isinstance(following.layer, BatchNorm)
        ends = following is None or following.kernel is not None
        size = int(np.prod(each.after))
        if normalised:
            found.append((size, NORMALISED_PASSES))
        elif ends and not isinstance(each.layer, BatchNorm):
            found.append((size, ACTIVATION_PASSES))
    return found
