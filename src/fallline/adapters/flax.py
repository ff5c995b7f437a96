"""Flax modules, linen and NNX, as pure models."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from flax import nnx
from flax.errors import FlaxError, InvalidRngError

from fallline.adapters.freezing import Path, frozen_paths, within
from fallline.adapters.pure import Layer, PureModel, with_frozen
from fallline.errors import InputError

_FLAGS = {"train": True, "training": True, "deterministic": False, "use_running_average": False}
"""Arguments by which modules are told that they are training, and their value when they are."""

_MISFITS = (TypeError, ValueError, IndexError, FlaxError)
"""What modules raise for examples of a shape that they were not written for."""


def from_linen(
    module: nn.Module, input_shape: tuple[int, ...], dtype: str, frozen: tuple[str, ...] = ()
) -> PureModel:
    """A linen module: its ``params`` are trained, its other collections are its state.

    ``frozen``: names of layers that are not. Batch norms among them work with their moving
    averages and leave them alone, as in Keras.
    """
    paths: tuple[Path, ...] = ()
    example = jax.ShapeDtypeStruct((2, *input_shape), dtype)
    arguments = inspect.signature(type(module).__call__).parameters

    def flags(train: bool) -> dict[str, bool]:
        return {
            name: (value if train else not value)
            for name, value in _FLAGS.items()
            if name in arguments
        }

    def init(key: jax.Array) -> tuple[Any, Any]:
        keys = dict(zip(("params", "dropout"), jax.random.split(key), strict=True))
        x = jnp.zeros(example.shape, example.dtype)
        variables = dict(module.init(keys, x, **flags(False)))
        params = variables.pop("params", {})
        return _cast(params, dtype), _cast(variables, dtype)

    def apply(params: Any, state: Any, key: Any, x: jax.Array, train: bool) -> tuple[Any, Any]:
        # Flax takes "params" for every stream of random numbers that is not named here.
        rngs = None if key is None else {"params": jax.random.fold_in(key, 1), "dropout": key}
        variables = {"params": params, **state}
        with nn.intercept_methods(partial(_stilled, paths)):
            if train and state:
                return module.apply(variables, x, rngs=rngs, mutable=[*state], **flags(True))
            return module.apply(variables, x, rngs=rngs, **flags(train)), state

    try:
        params, state = jax.eval_shape(init, jax.random.key(0))
        paths = frozen_paths(frozen, params)
        needs_key = _draws(
            lambda: jax.eval_shape(
                lambda p, s, x: apply(p, s, None, x, True), params, state, example
            )
        )
    except _MISFITS as error:
        raise _does_not_take(type(module).__name__, input_shape, error) from error
    identity = f"{type(module).__module__}.{type(module).__qualname__} {module!r}"
    return PureModel(
        init,
        apply,
        needs_key,
        with_frozen(_linen_layers(module, params, state, example, flags(False)), params, paths),
        _without_addresses(identity),
        paths,
    )


def _stilled(
    frozen: tuple[Path, ...],
    call: Any,
    args: Any,
    kwargs: Any,
    context: nn.module.InterceptorContext,
) -> Any:
    """Calls a module's method; a frozen batch norm's with its moving averages."""
    module = context.module
    if not (frozen and isinstance(module, nn.BatchNorm) and within(module.path, frozen)):
        return call(*args, **kwargs)
    kwargs.pop("use_running_average", None)
    asked = module.use_running_average
    # The attribute and the argument may not both be given, and modules are frozen dataclasses.
    object.__setattr__(module, "use_running_average", True)
    try:
        return call(*args, **kwargs)
    finally:
        object.__setattr__(module, "use_running_average", asked)


def from_nnx(
    make: Callable[[nnx.Rngs], nnx.Module],
    input_shape: tuple[int, ...],
    dtype: str,
    frozen: tuple[str, ...] = (),
) -> PureModel:
    """A function of ``rngs`` that makes an NNX module: every seed calls it for its weights.

    ``frozen`` as in :func:`from_linen`.
    """
    paths: tuple[Path, ...] = ()
    name = getattr(make, "__qualname__", type(make).__name__)
    try:
        model = nnx.eval_shape(lambda: make(nnx.Rngs(0)))
    except TypeError as error:
        raise InputError(
            f"{name} could not be called with rngs alone: {error}",
            hint="pass model=lambda rngs: MyModel(..., rngs=rngs)",
        ) from error
    if not isinstance(model, nnx.Module):
        raise InputError(
            f"{name} made a {type(model).__name__}, not a Flax NNX module",
            hint="pass a Flax linen module, or a function of rngs that makes an NNX module",
        )
    graph, param_shapes, stream_shapes, state_shapes = nnx.split(
        model, nnx.Param, nnx.RngState, ...
    )
    example = jax.ShapeDtypeStruct((2, *input_shape), dtype)

    def init(key: jax.Array) -> tuple[Any, Any]:
        _, params, _, state = nnx.split(make(nnx.Rngs(key)), nnx.Param, nnx.RngState, ...)
        return _cast(nnx.to_pure_dict(params), dtype), _cast(nnx.to_pure_dict(state), dtype)

    def restored(params: Any, state: Any, key: Any, train: bool) -> Any:
        # Shared references would tie the traced copy to the outer one: copy=True cuts them.
        live_params, live_state = _refill(param_shapes, params), _refill(state_shapes, state)
        streams = _streams(stream_shapes, key)
        live = nnx.merge(graph, live_params, streams, live_state, copy=True)
        live.train() if train else live.eval()
        for path, inner in nnx.iter_modules(live) if paths else ():
            if isinstance(inner, nnx.BatchNorm) and within(path, paths):
                inner.eval()
        return live

    def apply(params: Any, state: Any, key: Any, x: jax.Array, train: bool) -> tuple[Any, Any]:
        live = restored(params, state, key, train)
        outputs = live(x)
        return outputs, nnx.to_pure_dict(nnx.split(live, nnx.Param, nnx.RngState, ...)[3])

    try:
        shapes = jax.eval_shape(init, jax.random.key(0))
        paths = frozen_paths(frozen, shapes[0])
        calls = _calls(lambda p, s: restored(p, s, None, False), shapes, example)
    except _MISFITS as error:
        raise _does_not_take(name, input_shape, error) from error
    identity = _without_addresses(f"{name} {graph} {shapes[0]}")
    kinds = {path: type(inner).__name__ for path, inner in nnx.iter_modules(model)}
    order = {path: at for at, path in enumerate(calls)}
    layers = [
        (
            path,
            Layer(
                ".".join(map(str, path)) or "model",
                kinds.get(path, "Module"),
                calls.get(path),
                count,
            ),
        )
        for path, count in _owned(shapes[0])
    ]
    layers.sort(key=lambda pair: order.get(pair[0], len(order)))
    needs_key = bool(jax.tree.leaves(stream_shapes))
    summary = with_frozen((layer for _, layer in layers), shapes[0], paths)
    return PureModel(init, apply, needs_key, summary, identity, paths)


def _cast(tree: Any, dtype: str) -> Any:
    """``tree`` with its floats in ``dtype``; counters and masks stay what they are."""
    return jax.tree.map(
        lambda leaf: leaf.astype(dtype) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf, tree
    )


def _streams(shapes: Any, key: jax.Array | None) -> Any:
    """A module's streams of random numbers, begun anew from ``key``, each with a key of its own.

    They are no part of the model's state: what a step draws follows from its key alone. Without a
    key nothing is drawn, and any key will do.
    """
    key = jax.random.key(0) if key is None else key
    leaves, form = jax.tree.flatten(shapes)
    filled = [
        jax.random.fold_in(key, number)
        if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
        else jnp.zeros(leaf.shape, leaf.dtype)
        for number, leaf in enumerate(leaves)
    ]
    return jax.tree.unflatten(form, filled)


def _refill(template: Any, values: Any) -> Any:
    filled = jax.tree.map(lambda leaf: leaf, template)
    nnx.replace_by_pure_dict(filled, values)
    return filled


def _draws(trace: Callable[[], Any]) -> bool:
    """Whether a trace without a key asks for one."""
    try:
        trace()
    except InvalidRngError:
        return True
    return False


def _does_not_take(name: str, input_shape: tuple[int, ...], error: Exception) -> InputError:
    return InputError(
        f"{name} does not take examples of shape {input_shape}: {error}",
        hint="the first axis that the model sees is the batch; the rest is one example's shape",
    )


def _without_addresses(text: str) -> str:
    return re.sub(r" at 0x[0-9a-f]+", "", text)


def _count(tree: Any) -> int:
    return sum(int(np.prod(leaf.shape)) for leaf in jax.tree.leaves(tree))


def _linen_layers(
    module: nn.Module, params: Any, state: Any, example: Any, flags: dict[str, bool]
) -> tuple[Layer, ...]:
    """The modules that own parameters, in the order in which an example passes them."""
    seen: list[Layer] = []

    def record(call: Any, args: Any, kwargs: Any, context: Any) -> Any:
        outputs = call(*args, **kwargs)
        own = params
        for part in context.module.path:
            own = own.get(part, {})
        direct = {name: leaf for name, leaf in own.items() if hasattr(leaf, "shape")}
        name = "/".join(context.module.path) or "model"
        known = any(layer.name == name for layer in seen)  # shared: its weights count once
        if context.method_name == "__call__" and direct and not known:
            shape = tuple(outputs.shape[1:]) if hasattr(outputs, "shape") else None
            seen.append(Layer(name, type(context.module).__name__, shape, _count(direct)))
        return outputs

    def call(p: Any, s: Any, x: jax.Array) -> Any:
        with nn.intercept_methods(record):
            return module.apply({"params": p, **s}, x, **flags)

    jax.eval_shape(call, params, state, example)
    return tuple(seen)


def _calls(
    restored: Callable[[Any, Any], Any], shapes: Any, example: Any
) -> dict[tuple[Any, ...], tuple[int, ...] | None]:
    """The modules by their paths, in the order in which an example leaves them, with the shape
    of what they give (without the batch axis)."""
    seen: dict[tuple[Any, ...], tuple[int, ...] | None] = {}

    def watched(kind: Any, path: tuple[Any, ...]) -> Any:
        def call(self: Any, *args: Any, **kwargs: Any) -> Any:
            outputs = kind.__call__(self, *args, **kwargs)
            seen.setdefault(path, tuple(outputs.shape[1:]) if hasattr(outputs, "shape") else None)
            return outputs

        # Python looks calls up on the class: each module gets one of its own for this pass.
        return type(kind)(kind.__name__, (kind,), {"__call__": call})

    def run(params: Any, state: Any, x: jax.Array) -> Any:
        live = restored(params, state)
        for path, inner in list(nnx.iter_modules(live)):
            if callable(inner):
                object.__setattr__(inner, "__class__", watched(type(inner), path))
        return live(x)

    jax.eval_shape(run, *shapes, example)
    return seen


def _owned(params: Any, path: tuple[Any, ...] = ()) -> list[tuple[tuple[Any, ...], int]]:
    """The paths of the modules that own parameters, with how many each owns itself."""
    direct = {name: leaf for name, leaf in params.items() if not isinstance(leaf, dict)}
    found = [(path, _count(direct))] if direct else []
    for part, inner in params.items():
        if isinstance(inner, dict):
            found += _owned(inner, (*path, part))
    return found
