"""The built-in networks, as Flax modules: Glorot-uniform weights, zero biases, raw outputs.

All flatten in the order (height, width, channel). ``init`` and ``apply`` are those of Flax, so
these modules can be used anywhere that Flax can.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from fallline import activations
from fallline.errors import InputError, unknown

GLOROT = nn.initializers.glorot_uniform()

LEARNED_SLOPE = 0.25
"""Where the learned slope of ``prelu`` starts (He et al. 2015)."""

INITIALS = ("glorot", "scaled_uniform", "scaled_uniform_by_units", "equal")
"""How an :class:`MLP` draws its initial weights."""


def activation(name: str) -> Callable[[jax.Array], jax.Array]:
    """The activation function called ``name``; ``prelu`` with the slope at which it starts."""
    return activations.get(name).function


def _activated(name: str, x: jax.Array) -> jax.Array:
    """``x`` after the activation; within a module's call, where a learned slope is its own."""
    known = activations.get(name)
    if known.learned:
        return nn.PReLU(negative_slope_init=LEARNED_SLOPE)(x)
    return known.function(x)


class MLP(nn.Module):
    """Dense layers: ``hidden`` widths, each with the activation, then ``outputs`` raw outputs.

    ``output_activation`` is applied to the outputs; with a cross-entropy they stay logits, and it
    stays ``"identity"``. ``initial`` is one of ``INITIALS``: ``"glorot"`` draws Glorot-uniform
    weights, biases 0; ``"scaled_uniform"`` draws a layer's weights and biases together, uniform
    from -0.5 to 0.5, and divides them by their standard deviation and by sqrt(fan in + units);
    ``"scaled_uniform_by_units"`` does the same, but divides the first layer by sqrt(units - 1);
    ``"equal"`` gives every weight of a layer the value 1 / fan in, biases 0.
    """

    outputs: int
    hidden: tuple[int, ...] = (128,)
    activation: str = "relu"
    output_activation: str = "identity"
    initial: str = "glorot"

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """``x``: ``(batch, ...)``, flattened; gives ``(batch, outputs)``."""
        x = x.reshape(x.shape[0], -1)
        for number, width in enumerate(self.hidden):
            x = _activated(self.activation, _dense(width, self.initial, number)(x))
        x = _dense(self.outputs, self.initial, len(self.hidden))(x)
        return _activated(self.output_activation, x)


def _dense(width: int, initial: str, number: int) -> nn.Module:
    """The dense layer of this ``number`` (from 0), with the initial weights asked for."""
    name = f"Dense_{number}"
    if initial == "glorot":
        return nn.Dense(width, kernel_init=GLOROT, name=name)
    if initial == "equal":
        return nn.Dense(width, kernel_init=_equal, name=name)
    if initial in INITIALS:
        return Dense(width, by_units=number == 0 and initial != "scaled_uniform", name=name)
    raise unknown("initial", initial, INITIALS)


def _equal(key: jax.Array, shape: tuple[int, ...], dtype: Any = jnp.float32) -> jax.Array:
    return jnp.full(shape, 1 / shape[0], dtype)


class Dense(nn.Module):
    """A dense layer whose weights and biases are drawn together, as one matrix.

    Uniform from -0.5 to 0.5, divided by the drawn numbers' own standard deviation and by
    sqrt(inputs + units). ``by_units`` divides by sqrt(units - 1) instead: a published program
    does so in its first layer, where -1 stands for the number of inputs.
    """

    units: int
    by_units: bool = False

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        inputs = x.shape[-1]
        drawn = self._drawn(inputs) if self.is_initializing() else None
        kernel = self.param("kernel", _row_taken(drawn, slice(0, inputs)), (inputs, self.units))
        bias = self.param("bias", _row_taken(drawn, inputs), (self.units,))
        return x @ kernel + bias

    def _drawn(self, inputs: int) -> jax.Array:
        # In float32 for every precision, as Flax does: all of them start at the same weights.
        shape = (inputs + 1, self.units)
        w = jax.random.uniform(self.make_rng("params"), shape, jnp.float32, -0.5, 0.5)
        fans = max(self.units - 1, 1) if self.by_units else inputs + self.units
        return w / (jnp.std(w) * fans**0.5)


def _row_taken(drawn: jax.Array | None, rows: Any) -> Callable[..., jax.Array]:
    """An initialiser that gives rows of what was drawn; without it, as for shapes alone, zeros."""
    return lambda key, shape: jnp.zeros(shape, jnp.float32) if drawn is None else drawn[rows]


class ConvNet(nn.Module):
    """Blocks of convolution, activation and 2 x 2 pool, then dense layers.

    ``convolutions`` holds ``(features, kernel size)`` per block, or ``(features, kernel size,
    False)`` for a block without pool; ``padding`` is ``"VALID"`` or ``"SAME"``, ``pool`` ``"max"``
    or ``"mean"``. ``batch_norm`` normalises after every activation and after every pool, but for
    the outputs. ``pool_dropout`` and ``dense_dropout`` are the shares dropped after every pool and
    after every dense layer but the last. With ``((6, 5), (16, 5))`` and dense ``(120, 84)`` on
    28 x 28 images it is LeNet-5
    (LeCun et al. 1998) in the form used today: ReLU, max-pool, 44,426 parameters. That of 1998 has
    tanh and mean pools.
    """

    outputs: int
    convolutions: tuple[tuple[int, int] | tuple[int, int, bool], ...] = ((16, 3), (32, 3))
    dense: tuple[int, ...] = (64,)
    padding: str = "SAME"
    activation: str = "relu"
    batch_norm: bool = False
    pool_dropout: float = 0.0
    dense_dropout: float = 0.0
    pool: str = "max"

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """``x``: ``(batch, height, width)`` or with channels last; gives ``(batch, outputs)``."""
        if x.ndim == 3:
            x = x[..., None]
        for features, size, *pooled in self.convolutions:
            x = nn.Conv(features, (size, size), padding=self.padding, kernel_init=GLOROT)(x)
            x = _activated(self.activation, x)
            if self.batch_norm:
                x = batch_norm(train)(x)
            if pooled == [False]:
                continue
            x = (nn.avg_pool if self.pool == "mean" else nn.max_pool)(x, (2, 2), (2, 2))
            if self.batch_norm:
                x = batch_norm(train)(x)
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
            x = _activated(self.activation, nn.Dense(width, kernel_init=GLOROT)(x))
            if self.batch_norm:
                x = batch_norm(train)(x)
            if self.dropout:
                x = nn.Dropout(self.dropout, deterministic=not train)(x)
        return nn.Dense(self.outputs, kernel_init=GLOROT)(x)


def batch_norm(train: bool) -> nn.BatchNorm:
    """Batch normalisation as Keras does it: epsilon 1e-3, momentum 0.99, biased variances."""
    return nn.BatchNorm(use_running_average=not train, momentum=0.99, epsilon=1e-3)


def _widths(value: Any) -> bool:
    return isinstance(value, tuple) and all(_is_count(each) for each in value)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _blocks(value: Any) -> bool:
    return isinstance(value, tuple) and all(
        isinstance(block, tuple)
        and len(block) in (2, 3)
        and _widths(block[:2])
        and all(isinstance(pool, bool) for pool in block[2:])
        for block in value
    )


def _share(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1


_FIELDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "hidden": (_widths, "a list of widths, like [75, 75]"),
    "dense": (_widths, "a list of widths, like [120, 84]"),
    "convolutions": (
        _blocks,
        "a list of [features, kernel size], or [features, kernel size, false] without a pool",
    ),
    "activation": (lambda value: isinstance(value, str), "the name of an activation"),
    "output_activation": (
        lambda value: isinstance(value, str) and value != "softmax",
        "the name of an activation other than softmax: losses take the outputs before it",
    ),
    "initial": (lambda value: isinstance(value, str), f"one of {', '.join(INITIALS)}"),
    "pool": (lambda value: value in ("max", "mean"), "'max' or 'mean'"),
    "padding": (lambda value: value in ("VALID", "SAME"), "'VALID' or 'SAME'"),
    "batch_norm": (lambda value: isinstance(value, bool), "true or false"),
    "pool_dropout": (_share, "a share of 0 or more, below 1"),
    "dense_dropout": (_share, "a share of 0 or more, below 1"),
}
"""What the fields of the networks take: a check, and the words for it."""


def changed(module: MLP | ConvNet, settings: Mapping[str, Any]) -> MLP | ConvNet:
    """``module`` with some of its fields changed; lists become tuples.

    Raises InputError for a field that it has not, and for a value that a field does not take.
    """
    fields = [name for name in _FIELDS if hasattr(module, name)]
    found = {}
    for name, value in settings.items():
        if name not in fields:
            raise unknown(f"setting of the network {type(module).__name__}", name, fields)
        right, words = _FIELDS[name]
        found[name] = value = _as_tuple(value)
        if not right(value):
            raise InputError(f"the network's {name} is {value!r}", hint=f"it takes {words}")
        if name in ("activation", "output_activation"):
            activations.get(value)
        if name == "initial" and value not in INITIALS:
            raise unknown("initial", value, INITIALS)
    return module.clone(**found)


def _as_tuple(value: Any) -> Any:
    return tuple(map(_as_tuple, value)) if isinstance(value, list | tuple) else value


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
