"""L-BFGS: Newton's direction from the last steps and what the gradient did in them.

Direction and line search are Optax's; here they get the dtype of the parameters, the fixed steps
that torch takes by default, and its length of the first step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

Loss = Callable[[optax.Params], jax.Array]


class LbfgsState(NamedTuple):
    """The remembered steps, and the state of the line search: () without one."""

    memory: Any
    search: Any


def _as(state: Any, dtype: Any) -> Any:
    """``state`` with floats of ``dtype`` and integers of 32 bits."""

    def cast(leaf: Any) -> jax.Array:
        leaf = jnp.asarray(leaf)
        return leaf.astype(dtype if jnp.issubdtype(leaf.dtype, jnp.floating) else jnp.int32)

    return jax.tree.map(cast, state)


def _first_length(grads: optax.Updates, first: jax.Array) -> jax.Array:
    """From a step of length 1 at most to one whose entries sum up to 1 at most, if ``first``."""
    leaves = jax.tree.leaves(grads)
    total = sum(jnp.sum(jnp.abs(leaf)) for leaf in leaves)
    euclidean = optax.tree.norm(grads)
    ratio = jnp.minimum(1.0, 1.0 / total) / jnp.minimum(1.0, 1.0 / euclidean)
    return jnp.where(first & (total > 0), ratio, 1.0)


def lbfgs(
    learning_rate: Any,
    c1: Any,
    c2: Any,
    *,
    memory_size: int,
    line_search: str,
    trials: int,
    first_step: str,
) -> optax.GradientTransformationExtraArgs:
    """L-BFGS (Liu and Nocedal 1989, algorithm 2.1), with or without a line search."""
    directions = optax.scale_by_lbfgs(memory_size)
    search = optax.scale_by_zoom_linesearch(
        trials, slope_rtol=c1, curv_rtol=c2, initial_guess_strategy="one"
    )
    searching = line_search == "zoom"

    def init(params: optax.Params) -> LbfgsState:
        dtype = jnp.result_type(*jax.tree.leaves(params))
        found = search.init(params) if searching else ()
        return LbfgsState(_as(directions.init(params), dtype), _as(found, dtype))

    def update(
        grads: optax.Updates,
        state: LbfgsState,
        params: optax.Params | None = None,
        *,
        value: jax.Array,
        grad: optax.Updates,
        value_fn: Loss,
        **extra: Any,
    ) -> tuple[optax.Updates, LbfgsState]:
        del extra
        dtype = jnp.result_type(*jax.tree.leaves(grads))
        first = state.memory.count == 0
        towards, memory = directions.update(grads, state.memory, params)
        length = learning_rate
        if first_step == "manhattan":
            length = length * _first_length(grads, first)
        towards = jax.tree.map(lambda d: -length * d, towards)
        if not searching:
            return towards, LbfgsState(_as(memory, dtype), ())
        towards, found = search.update(
            towards, state.search, params, value=value, grad=grad, value_fn=value_fn
        )
        return towards, LbfgsState(_as(memory, dtype), _as(found, dtype))

    return optax.GradientTransformationExtraArgs(init, update)
