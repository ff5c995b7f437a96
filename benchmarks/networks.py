"""The networks that are timed, as lists of layers: every side builds its own from the same list.

Images come as ``(height, width, channels)``; they are flattened in that order before the first
dense layer. Convolutions are valid, with stride 1; they and dense layers have a bias.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

IMAGE = (28, 28, 1)
MOMENTUM, EPSILON = 0.99, 1e-3
"""Of batch normalisation: Keras's own, on every side."""


@dataclass(frozen=True)
class Conv:
    """``features`` filters of ``size`` x ``size``, then ReLU."""

    features: int
    size: int


@dataclass(frozen=True)
class Dense:
    """``units`` sums, then ReLU unless it is the last layer."""

    units: int
    relu: bool = True


@dataclass(frozen=True)
class Pool:
    """Maximum over windows of 2 x 2, stride 2."""


@dataclass(frozen=True)
class Dropout:
    """Each value is 0 with this rate in training."""

    rate: float


@dataclass(frozen=True)
class BatchNorm:
    """Batch normalisation over all axes but the last."""


Layer = Conv | Dense | Pool | Dropout | BatchNorm
Shape = tuple[int, ...]

_D = (
    *(Conv(32, 3), BatchNorm(), Pool(), BatchNorm()),
    *(Conv(64, 3), BatchNorm(), Pool(), BatchNorm()),
    *(Dense(256), BatchNorm(), Dense(10, relu=False)),
)
NETWORKS: dict[str, tuple[Layer, ...]] = {
    "mlp": (Dense(128), Dense(10, relu=False)),
    "cnn": (
        *(Conv(32, 3), Pool(), Dropout(0.25)),
        *(Dense(256), Dropout(0.5), Dense(10, relu=False)),
    ),
    "bn-cnn": _D,
    "plain-cnn": tuple(layer for layer in _D if not isinstance(layer, BatchNorm)),
    "lenet5": (
        *(Conv(6, 5), Pool(), Conv(16, 5), Pool()),
        *(Dense(120), Dense(84), Dense(10, relu=False)),
    ),
}


@dataclass(frozen=True)
class Shaped:
    """A layer with the shapes of one example before and after it."""

    layer: Layer
    before: Shape
    after: Shape

    @property
    def kernel(self) -> Shape | None:
        """The weights' shape: ``(height, width, channels, features)`` or ``(inputs, units)``."""
        if isinstance(self.layer, Conv):
            return (self.layer.size, self.layer.size, self.before[-1], self.layer.features)
        if isinstance(self.layer, Dense):
            return (self.before[0], self.layer.units)
        return None

    @property
    def parameters(self) -> int:
        """Trained numbers: weights and bias, or scale and shift."""
        if isinstance(self.layer, BatchNorm):
            return 2 * self.after[-1]
        return 0 if self.kernel is None else int(np.prod(self.kernel)) + self.after[-1]


def shaped(layers: Sequence[Layer], image: Shape = IMAGE) -> list[Shaped]:
    """The layers with their shapes, for examples of shape ``image``."""
    found, shape = [], image
    for layer in layers:
        if isinstance(layer, Dense):
            shape = (int(np.prod(shape)),)
        found.append(Shaped(layer, shape, _after(layer, shape)))
        shape = found[-1].after
    return found


def _after(layer: Layer, shape: Shape) -> Shape:
    match layer:
        case Conv(features, size):
            return (shape[0] - size + 1, shape[1] - size + 1, features)
        case Dense(units, _):
            return (units,)
        case Pool():
            return (shape[0] // 2, shape[1] // 2, shape[2])
    return shape


def is_flat(layers: Sequence[Layer]) -> bool:
    """True where the first layer is dense: examples may come as vectors."""
    return isinstance(layers[0], Dense)


def kernels(layers: Sequence[Layer], seed: int = 0, image: Shape = IMAGE) -> list[np.ndarray]:
    """Initial weights of the convolutions and dense layers in turn: Glorot-uniform, float32.

    Biases and shifts begin at 0, scales at 1.
    """
    drawn = np.random.default_rng(seed)
    found = []
    for each in shaped(layers, image):
        if each.kernel is not None:
            window = int(np.prod(each.kernel[:-2]))
            fans = window * (each.kernel[-2] + each.kernel[-1])
            limit = np.sqrt(6 / fans)
            found.append(drawn.uniform(-limit, limit, each.kernel).astype(np.float32))
    return found
