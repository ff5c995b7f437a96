"""The pure form that every model takes inside fallline, whoever wrote it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

Params = Any
State = Any


@dataclass(frozen=True)
class Layer:
    """One line of a model's summary."""

    name: str
    kind: str
    output_shape: tuple[int, ...] | None
    """Without the batch axis; None where the adapter cannot know it."""
    parameters: int
    trainable: bool = True


@dataclass(frozen=True, eq=False)
class PureModel:
    """A network as two functions without side effects.

    ``init(key) -> (params, state)``: initial weights, and whatever else changes in training
    (running means); ``state`` has no leaves where there is nothing of the kind.
    ``apply(params, state, key, x, train) -> (outputs, state)``: ``x`` of shape ``(batch, ...)``,
    ``outputs`` of shape ``(batch, outputs)``, ``train`` static.
    """

    init: Callable[[jax.Array], tuple[Params, State]]
    apply: Callable[[Params, State, jax.Array | None, jax.Array, bool], tuple[jax.Array, State]]
    needs_key: bool
    """True where training draws random numbers (dropout)."""
    layers: tuple[Layer, ...]
    identity: str
    """Text that is equal for equal networks, on every machine."""

    @property
    def stateful(self) -> bool:
        return bool(jax.tree.leaves(jax.eval_shape(self.init, jax.random.key(0))[1]))

    def shapes(self) -> Params:
        """The parameters' tree with shapes and dtypes instead of arrays."""
        return jax.eval_shape(self.init, jax.random.key(0))[0]

    @property
    def parameters(self) -> int:
        return sum(int(np.prod(leaf.shape)) for leaf in jax.tree.leaves(self.shapes()))


def precision(dtype: str) -> contextlib.AbstractContextManager[Any]:
    """The context in which JAX computes in ``dtype``: float64 has to be asked for."""
    return jax.enable_x64(True) if dtype == "float64" else contextlib.nullcontext()
