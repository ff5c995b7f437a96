"""Flax modules, linen and NNX, as pure models; their convolutions get the fast form."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from flax import nnx
from flax.errors import InvalidRngError

from fallline.adapters.pure import Layer, PureModel
from fallline.convolution import conv_general_dilated
from fallline.errors import InputError

_FLAGS = {"train": True, "training": True, "deterministic": False, "use_running_average": False}
"""Arguments by which modules are told that they are training, and their value when they are."""


def from_linen(module: nn.Module, input_shape: tuple[int, ...], dtype: str) -> PureModel:
    """A linen module: its ``params`` are trained, its other collections are its state."""
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
        return jax.tree.map(lambda leaf: leaf.astype(dtype), params), variables

    def apply(params: Any, state: Any, key: Any, x: jax.Array, train: bool) -> tuple[Any, Any]:
        rngs = None if key is None else {"dropout": key}
        variables = {"params": params, **state}
        with nn.intercept_methods(_fast_convolutions):
            if train and state:
                return module.apply(variables, x, rngs=rngs, mutable=[*state], **flags(True))
            return module.apply(variables, x, rngs=rngs, **flags(train)), state

    try:
        params, state = jax.eval_shape(init, jax.random.key(0))
    except (TypeError, ValueError) as error:
        raise _does_not_take(type(module).__name__, input_shape, error) from error
    needs_key = _draws(
        lambda: jax.eval_shape(lambda p, s, x: apply(p, s, None, x, True), params, state, example)
    )
    identity = f"{type(module).__module__}.{type(module).__qualname__} {module!r}"
    return PureModel(
        init,
        apply,
        needs_key,
        _linen_layers(module, params, state, example, flags(False)),
        _without_addresses(identity),
    )


def from_nnx(
    make: Callable[[nnx.Rngs], nnx.Module], input_shape: tuple[int, ...], dtype: str
) -> PureModel:
    """A function of ``rngs`` that makes an NNX module: every seed calls it for its weights."""
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
    graph, param_shapes, state_shapes = nnx.split(model, nnx.Param, ...)
    example = jax.ShapeDtypeStruct((2, *input_shape), dtype)

    def init(key: jax.Array) -> tuple[Any, Any]:
        _, params, state = nnx.split(make(nnx.Rngs(key)), nnx.Param, ...)
        params = jax.tree.map(lambda leaf: leaf.astype(dtype), params)
        return nnx.to_pure_dict(params), nnx.to_pure_dict(state)

    def apply(params: Any, state: Any, key: Any, x: jax.Array, train: bool) -> tuple[Any, Any]:
        # Shared references would tie the traced copy to the outer one: copy=True cuts them.
        live_params, live_state = _refill(param_shapes, params), _refill(state_shapes, state)
        live = nnx.merge(graph, live_params, live_state, copy=True)
        live.train() if train else live.eval()
        for _, inner in nnx.iter_modules(live):
            if isinstance(inner, nnx.Conv):
                inner.conv_general_dilated = conv_general_dilated
        outputs = live(x)  # type: ignore[operator]
        return outputs, nnx.to_pure_dict(nnx.split(live, nnx.Param, ...)[2])

    try:
        shapes = jax.eval_shape(init, jax.random.key(0))
        jax.eval_shape(lambda p, s, x: apply(p, s, None, x, False), *shapes, example)
    except (TypeError, ValueError) as error:
        raise _does_not_take(name, input_shape, error) from error
    identity = _without_addresses(f"{name} {graph} {shapes[0]}")
    return PureModel(init, apply, False, _nnx_layers(shapes[0]), identity)


def _refill(template: Any, values: Any) -> Any:
    filled = jax.tree.map(lambda leaf: leaf, template)
    nnx.replace_by_pure_dict(filled, values)
    return filled


def _fast_convolutions(call: Any, args: Any, kwargs: Any, context: Any) -> Any:
    """Give every ``nn.Conv`` without a convolution of its own the one that is fast in a scan."""
    module = context.module
    if isinstance(module, nn.Conv) and module.conv_general_dilated is None:
        object.__setattr__(module, "conv_general_dilated", conv_general_dilated)
    return call(*args, **kwargs)


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
        if context.method_name == "__call__" and direct:
            name = "/".join(context.module.path) or "model"
            kind = type(context.module).__name__
            seen.append(Layer(name, kind, tuple(outputs.shape[1:]), _count(direct)))
        return outputs

    def call(p: Any, s: Any, x: jax.Array) -> Any:
        with nn.intercept_methods(record):
            return module.apply({"params": p, **s}, x, **flags)

    jax.eval_shape(call, params, state, example)
    return tuple(seen)


def _nnx_layers(params: Any, path: tuple[str, ...] = ()) -> tuple[Layer, ...]:
    direct = {name: leaf for name, leaf in params.items() if not isinstance(leaf, dict)}
    layers = (Layer(".".join(path) or "model", "Module", None, _count(direct)),) if direct else ()
    for name, inner in params.items():
        if isinstance(inner, dict):
            layers += _nnx_layers(inner, (*path, str(name)))
    return layers
