"""A function's slow operations replaced by fast ones, whoever wrote the function.

The function is traced; the trace is evaluated again, operation by operation, and convolutions,
pooling and, where asked for, the types of products become those of :mod:`fallline.kernels`. All
else is bound as it was, so rules of differentiation stay. Flax's linen and NNX, and whatever else
ends in JAX, need no change of their own.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import jax
import jax.numpy as jnp
from jax import lax
from jax.extend import core
from jax.extend.core import primitives

from fallline.kernels import blocks, convolution, graph, patterns, pooling, products, randomness
from fallline.kernels.graph import Equation

Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True)
class Settings:
    """For what the operations are rewritten."""

    platform: str = "cpu"
    narrow: products.Narrow | None = None


def fast(function: Function, *, platform: str = "cpu", matrix_dtype: str | None = None) -> Function:
    """``function`` with fast convolutions and pooling: same signature, same numbers to rounding.

    Arrays among the arguments are traced; all other leaves (``train=True``, names) are static.
    ``matrix_dtype="bfloat16"``: products and convolutions of float32 operands read them rounded
    to it, forward and in both gradients, with sums and results in float32; nothing else changes.
    On a CPU the rounded operands are kept in float32: XLA has nothing faster there.
    ``platform``: where it will run; on ``"cpu"`` convolutions are also blocked for the cache.
    Gradients are reverse-mode; forward-mode through a blocked convolution raises, as JAX does for
    every ``custom_vjp``.
    """
    narrow = None
    if matrix_dtype is not None:
        narrow = products.Narrow(matrix_dtype, cast=platform != "cpu")
    settings = Settings(platform, narrow)

    @functools.wraps(function)
    def rewritten(*args: Any, **kwargs: Any) -> Any:
        leaves, form = jax.tree.flatten((args, kwargs))
        traced = [at for at, leaf in enumerate(leaves) if _is_array(leaf)]

        def with_arrays(arrays: Sequence[Any]) -> Any:
            filled = list(leaves)
            for at, array in zip(traced, arrays, strict=True):
                filled[at] = array
            args, kwargs = jax.tree.unflatten(form, filled)
            return function(*args, **kwargs)

        arrays = [leaves[at] for at in traced]
        closed, shapes = jax.make_jaxpr(with_arrays, return_shape=True)(arrays)
        if not _holds_targets(closed.jaxpr, settings):
            return function(*args, **kwargs)
        return jax.tree.unflatten(jax.tree.structure(shapes), _evaluate(closed, arrays, settings))

    return cast(Function, rewritten)


def _is_array(leaf: Any) -> bool:
    return hasattr(leaf, "shape") and hasattr(leaf, "dtype")


def _evaluate(closed: core.ClosedJaxpr, arrays: Sequence[Any], settings: Settings) -> list[Any]:
    flat = graph.flatten(closed)
    known: dict[int, Any] = {**flat.constants, **dict(zip(flat.inputs, arrays, strict=True))}

    def read(atom: graph.Atom) -> Any:
        return known[atom] if isinstance(atom, int) else atom.val

    found = patterns.chains(flat) if settings.platform == "cpu" else []
    begun = {chain.last: chain for chain in found}
    pooled = {chain.pool for chain in found if chain.scaled}
    scalings = {place: chain for chain in found for place in chain.scalings}
    silent = set().union(*(chain.silent for chain in found))
    for place, equation in enumerate(flat.equations):
        if place in begun:
            known.update(_block(flat, begun[place], read, settings))
        elif place in pooled:
            known[equation.outputs[0]] = read(equation.inputs[0])
        elif place not in silent:
            chain = scalings.get(place)
            if chain is None:
                operands = [read(atom) for atom in equation.inputs]
            else:
                operands = [_slim(equation, chain, atom, read) for atom in equation.inputs]
            results = _apply(equation, operands, settings)
            known.update(zip(equation.outputs, results, strict=True))
    return [read(atom) for atom in flat.outputs]


def _slim(
    equation: Equation, chain: patterns.Chain, atom: graph.Atom, read: Callable[[Any], Any]
) -> Any:
    """An operand of scale or shift, as large as one number per feature needs."""
    if not isinstance(atom, int) or atom not in chain.narrow:
        return read(atom)
    value = read(chain.narrow[atom])
    shape = [1] * len(equation.shapes[0])
    if jnp.size(value) > 1:
        shape[chain.axis] = -1
    return jnp.reshape(value, shape)


def _block(
    flat: graph.Graph, chain: patterns.Chain, read: Callable[[Any], Any], settings: Settings
) -> dict[int, Any]:
    """The values that a block makes, by their numbers."""
    equation = flat.equations[chain.convolution]
    numbers = equation.params["dimension_numbers"]
    lhs, rhs = map(read, equation.inputs)
    x, kernel = convolution.channels_last(lhs, rhs, numbers)
    features = kernel.shape[-1:]

    def per_feature(value: Any) -> jax.Array:
        return jnp.broadcast_to(jnp.reshape(jnp.asarray(value, x.dtype), (-1,)), features)

    bias = jnp.zeros(features, x.dtype) if chain.bias is None else per_feature(read(chain.bias))
    sign = jnp.ones(features, x.dtype)
    for factor in chain.signs:
        sign = sign * jnp.sign(per_feature(read(factor)))
    how = blocks.Block(
        equation.params["padding"],
        relu=chain.relu,
        pooled=chain.pool is not None,
        signed=chain.scaled,
        summed=bool(chain.sums or chain.squares),
        narrow=settings.narrow,
    )
    made = blocks.block(how, x, kernel, bias, lax.stop_gradient(sign))
    batch, axis, *spatial = numbers.out_spec
    where = [batch, *spatial, axis]
    values = jnp.transpose(made.values, [where.index(at) for at in range(4)])
    known: dict[int, Any] = {flat.equations[chain.last].outputs[0]: values}
    known.update({flat.equations[place].outputs[0]: made.sums for place in chain.sums})
    known.update({flat.equations[place].outputs[0]: made.squares for place in chain.squares})
    return known


def _apply(equation: Equation, operands: list[Any], settings: Settings) -> Sequence[Any]:
    """The results of one operation, by its fast form if there is one."""
    form = _FORMS.get(equation.name)
    if form is not None:
        results = form(equation, operands, settings)
        if results is not None:
            return results
    return graph.bind(equation, operands)


# -- operations with a fast form: None where it does not apply --------------------------------


def _convolution(equation: Equation, operands: list[Any], settings: Settings) -> Any:
    params = dict(equation.params)
    return [convolution.conv_general_dilated(*operands, **params, narrow=settings.narrow)]


def _product(equation: Equation, operands: list[Any], settings: Settings) -> Any:
    if settings.narrow is None or equation.params.get("out_sharding") is not None:
        return None
    params = equation.params
    return [
        products.dot_general(
            operands[0],
            operands[1],
            params["dimension_numbers"],
            precision=params["precision"],
            preferred_element_type=params["preferred_element_type"],
            narrow=settings.narrow,
        )
    ]


def _max_pool(equation: Equation, operands: list[Any], settings: Settings) -> Any:
    return [pooling.max_pool(*operands, **equation.params)]


def _sum_pool(equation: Equation, operands: list[Any], settings: Settings) -> Any:
    return [pooling.sum_pool(*operands, **equation.params)]


def _random_bits(equation: Equation, operands: list[Any], settings: Settings) -> Any:
    width, shape = equation.params["bit_width"], tuple(equation.params["shape"])
    if settings.platform != "cpu" or not randomness.takes(operands[0], width, shape):
        return None
    return [randomness.bits(operands[0], shape)]


def _scan(equation: Equation, operands: list[Any], settings: Settings) -> Any:
    params = equation.params
    body, constants, carried = params["jaxpr"], params["num_consts"], params["num_carry"]
    if not _holds_targets(body.jaxpr, settings):
        return None
    fixed = operands[:constants]

    def step(carry: list[Any], xs: list[Any]) -> tuple[list[Any], list[Any]]:
        found = _evaluate(body, [*fixed, *carry, *xs], settings)
        return found[:carried], found[carried:]

    carry, ys = lax.scan(
        step,
        operands[constants : constants + carried],
        operands[constants + carried :],
        length=params["length"],
        reverse=params["reverse"],
        unroll=params["unroll"],
    )
    return [*carry, *ys]


def _while(equation: Equation, operands: list[Any], settings: Settings) -> Any:
    params = equation.params
    condition, body = params["cond_jaxpr"], params["body_jaxpr"]
    if not _holds_targets(body.jaxpr, settings):
        return None
    asks, does = params["cond_nconsts"], params["body_nconsts"]
    for_condition, for_body = operands[:asks], operands[asks : asks + does]
    return lax.while_loop(
        lambda state: core.jaxpr_as_fun(condition)(*for_condition, *state)[0],
        lambda state: _evaluate(body, [*for_body, *state], settings),
        operands[asks + does :],
    )


def _cond(equation: Equation, operands: list[Any], settings: Settings) -> Any:
    branches = equation.params["branches"]
    if not any(_holds_targets(branch.jaxpr, settings) for branch in branches):
        return None
    return lax.switch(
        operands[0],
        [lambda *arrays, branch=branch: _evaluate(branch, arrays, settings) for branch in branches],
        *operands[1:],
    )


def _checkpoint(equation: Equation, operands: list[Any], settings: Settings) -> Any:
    params = equation.params
    body = params["jaxpr"]
    if not _holds_targets(body, settings):
        return None
    closed = core.ClosedJaxpr(body, [])
    again = jax.checkpoint(
        lambda *arrays: _evaluate(closed, arrays, settings),
        policy=params["policy"],
        prevent_cse=params["prevent_cse"],
    )
    return again(*operands)


_FORMS: dict[str, Callable[[Equation, list[Any], Settings], Any]] = {
    primitives.conv_general_dilated_p.name: _convolution,
    primitives.dot_general_p.name: _product,
    primitives.reduce_window_max_p.name: _max_pool,
    primitives.reduce_window_sum_p.name: _sum_pool,
    "random_bits": _random_bits,
    primitives.scan_p.name: _scan,
    primitives.while_p.name: _while,
    primitives.cond_p.name: _cond,
    primitives.remat_p.name: _checkpoint,
}

_TARGETS = {
    primitives.conv_general_dilated_p.name,
    primitives.reduce_window_max_p.name,
    primitives.reduce_window_sum_p.name,
    "random_bits",
}

_CLOSED = {primitives.custom_jvp_call_p.name, primitives.custom_vjp_call_p.name}
"""Bodies with rules of their own: entering one would lose its rule."""


def _holds_targets(jaxpr: core.Jaxpr, settings: Settings) -> bool:
    """Whether there is anything to rewrite in ``jaxpr`` or in the bodies that it runs."""
    for equation in jaxpr.eqns:
        name = equation.primitive.name
        if name in _TARGETS or (settings.narrow and name == primitives.dot_general_p.name):
            return True
        if name in _CLOSED:
            continue
        if any(_holds_targets(inner, settings) for inner in _bodies(equation.params)):
            return True
    return False


def _bodies(params: Any) -> list[core.Jaxpr]:
    found = []
    for value in params.values():
        for each in value if isinstance(value, tuple | list) else (value,):
            if isinstance(each, core.ClosedJaxpr):
                found.append(each.jaxpr)
            elif isinstance(each, core.Jaxpr):
                found.append(each)
    return found
