"""Adapters: a user's model of any framework in, a :class:`PureModel` out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from fallline.adapters import freezing
from fallline.adapters.pure import Layer, PureModel, with_frozen
from fallline.errors import InputError

__all__ = ["Layer", "PureModel", "to_pure"]


def to_pure(
    model: Any,
    input_shape: tuple[int, ...],
    dtype: str = "float32",
    frozen: tuple[str, ...] = (),
) -> PureModel:
    """The pure form of ``model`` for examples of ``input_shape`` (without the batch axis).

    Takes a Flax linen module, or a function of ``nnx.Rngs`` that makes a Flax NNX module (the
    class itself, where its arguments are ``rngs`` alone). ``frozen`` names the layers that are
    not trained; what a model that is pure already does with their running means is its own affair.
    """
    from flax import linen, nnx

    from fallline.adapters import flax as flax_adapter

    if isinstance(model, PureModel):
        if not frozen:
            return model
        paths = freezing.frozen_paths(frozen, model.shapes())
        return replace(model, layers=with_frozen(model.layers, model.shapes(), paths), frozen=paths)
    if isinstance(model, linen.Module):
        return flax_adapter.from_linen(model, input_shape, dtype, frozen)
    if isinstance(model, nnx.Module):
        raise InputError(
            f"the model is an NNX module whose weights are drawn already: {type(model).__name__}",
            hint="pass a function that makes it, so that every seed gets weights of its own: "
            "model=lambda rngs: MyModel(..., rngs=rngs)",
        )
    if isinstance(model, type) and issubclass(model, linen.Module):
        raise InputError(
            f"the model is the class {model.__name__}, not a module",
            hint=f"make one: model={model.__name__}(...)",
        )
    if callable(model):
        return flax_adapter.from_nnx(model, input_shape, dtype, frozen)
    raise InputError(
        f"cannot train a model of type {type(model).__name__}",
        hint="give a Flax linen module, or a function of rngs that makes a Flax NNX module",
    )
