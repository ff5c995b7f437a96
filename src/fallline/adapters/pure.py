"""The pure form that every model takes inside fallline, whoever wrote it."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import jax
import numpy as np

from fallline.adapters import freezing

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
    frozen: int = 0
    """How many of them are not trained."""

    @property
    def trainable(self) -> bool:
        """False where all of its parameters are frozen."""
        return self.frozen < self.parameters or not self.parameters


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
    frozen: tuple[freezing.Path, ...] = ()
    """Paths in the parameters' tree below which nothing is trained."""

    @property
    def stateful(self) -> bool:
        return bool(jax.tree.leaves(jax.eval_shape(self.init, jax.random.key(0))[1]))

    def shapes(self) -> Params:
        """The parameters' tree with shapes and dtypes instead of arrays."""
        return jax.eval_shape(self.init, jax.random.key(0))[0]

    def trained(self, params: Params) -> Params:
        """The part of ``params`` that is trained: all that an optimizer ever sees."""
        return freezing.trained(params, self.frozen)

    def whole(self, trained: Params, params: Params) -> Params:
        """``params`` with ``trained`` in the place of what is trained."""
        return freezing.whole(trained, params, self.frozen)

    @property
    def parameters(self) -> int:
        return _count(self.shapes())

    @property
    def trainable_parameters(self) -> int:
        return _count(self.trained(self.shapes()))


def with_frozen(
    layers: Iterable[Layer], params: Params, frozen: tuple[freezing.Path, ...]
) -> tuple[Layer, ...]:
    """The summary's lines, each saying how many of its parameters are frozen."""
    if not frozen:
        return tuple(layers)
    counts: Counter[str] = Counter()
    for path, leaf in jax.tree.leaves_with_path(params):
        names = tuple(str(key.key) for key in path)
        if freezing.within(names, frozen):
            counts["/".join(names[:-1]) or "model"] += int(np.prod(leaf.shape))
    return tuple(
        replace(layer, frozen=counts["/".join(freezing.path_of(layer.name))]) for layer in layers
    )


def _count(params: Params) -> int:
    return sum(int(np.prod(leaf.shape)) for leaf in jax.tree.leaves(params))


def precision(dtype: str) -> contextlib.AbstractContextManager[Any]:
    """The context in which JAX computes in ``dtype``: float64 has to be asked for."""
    return jax.enable_x64(True) if dtype == "float64" else contextlib.nullcontext()
