"""The built-in networks, as Flax modules: Glorot-uniform weights, zero biases, raw outputs.

All flatten in the order (height, width, channel). ``init`` and ``apply`` are those of Flax, so
these modules can be used anywhere that Flax can.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
from flax import linen as nn

from fallline.errors import unknown

GLOROT = nn.initializers.glorot_uniform()

ACTIVATIONS: dict[str, Callable[[jax.Array], jax.Array]] = {
    "identity": lambda z: z,
    "relu": jax.nn.relu,
    "tanh": jax.numpy.tanh,
    "sigmoid": jax.nn.sigmoid,
    "elu": jax.nn.elu,
    "softplus": jax.nn.softplus,
    "gelu": jax.nn.gelu,
    "silu": jax.nn.silu,
}


def activation(name: str) -> Callable[[jax.Array], jax.Array]:
    """The activation function called ``name``, applied element by element."""
    if name not in ACTIVATIONS:
        raise unknown("activation", name, ACTIVATIONS)
    return ACTIVATIONS[name]


class MLP(nn.Module):
    """Dense layers: ``hidden`` widths, each with the activation, then ``outputs`` raw outputs."""

    outputs: int
    hidden: tuple[int, ...] = (128,)
    activation: str = "relu"

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """``x``: ``(batch, ...)``, flattened; gives ``(batch, outputs)``."""
        x = x.reshape(x.shape[0], -1)
        for width in self.hidden:
            x = activation(self.activation)(nn.Dense(width, kernel_init=GLOROT)(x))
        return nn.Dense(self.outputs, kernel_init=GLOROT)(x)


class ConvNet(nn.Module):
    """Blocks of convolution, activation and 2 x 2 max-pool, then dense layers.

    ``convolutions`` holds ``(features, kernel size)`` per block, or ``(features, kernel size,
    False)`` for a block without pool; ``padding`` is ``"VALID"`` or ``"SAME"``. ``batch_norm``
    normalises after every activation and after every pool, but for the outputs. ``pool_dropout``
    and ``dense_dropout`` are the shares dropped after every pool and after every dense layer but
    the last. With ``((6, 5), (16, 5))`` and dense ``(120, 84)`` on 28 x 28 images it is LeNet-5
    (LeCun et al. 1998) in the form used today: ReLU, max-pool, 44,426 parameters.
    """

    outputs: int
    convolutions: tuple[tuple[int, int] | tuple[int, int, bool], ...] = ((16, 3), (32, 3))
    dense: tuple[int, ...] = (64,)
    padding: str = "SAME"
    activation: str = "relu"
    batch_norm: bool = False
    pool_dropout: float = 0.0
    dense_dropout: float = 0.0

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """``x``: ``(batch, height, width)`` or with channels last; gives ``(batch, outputs)``."""
        if x.ndim == 3:
            x = x[..., None]
        for features, size, *pooled in self.convolutions:
            x = nn.Conv(features, (size, size), padding=self.padding, kernel_init=GLOROT)(x)
            x = activation(self.activation)(x)
            if self.batch_norm:
                x = _batch_norm(train)(x)
            if pooled == [False]:
                continue
            x = nn.max_pool(x, (2, 2), (2, 2))
            if self.batch_norm:
                x = _batch_norm(train)(x)
            if self.pool_dropout:
                x = nn.Dropout(self.pool_dropout, deterministic=not train)(x)
        return _Head(
            self.outputs,
            self.dense,
            self.activation,
            self.batch_norm,
            self.dense_dropout,
            name="head",
        )(x, train)


class _Head(nn.Module):
    """The dense layers of a :class:`ConvNet`, with its normalisation and dropout."""

    outputs: int
    hidden: tuple[int, ...]
    activation: str
    batch_norm: bool
    dropout: float

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        x = x.reshape(x.shape[0], -1)
        for width in self.hidden:
            x = activation(self.activation)(nn.Dense(width, kernel_init=GLOROT)(x))
            if self.batch_norm:
                x = _batch_norm(train)(x)
            if self.dropout:
                x = nn.Dropout(self.dropout, deterministic=not train)(x)
        return nn.Dense(self.outputs, kernel_init=GLOROT)(x)


def _batch_norm(train: bool) -> nn.BatchNorm:
    """Batch normalisation with the constants of Keras."""
    return nn.BatchNorm(use_running_average=not train, momentum=0.99, epsilon=1e-3)


def mlp_for_table(columns: int, outputs: int, examples: int) -> MLP:
    """An MLP of a sensible size for a table: two layers, wider for more columns and examples.

    Between 16 and 128 units a layer, never more than one parameter of the first layer per
    training value: ``examples`` rows of ``columns`` columns.
    """
    wanted = 4 * max(columns, 8)
    affordable = max(16, examples // 16)
    width = min(128, wanted, affordable)
    width = max(16, 1 << (width.bit_length() - 1))
    return MLP(outputs, (width, width))
