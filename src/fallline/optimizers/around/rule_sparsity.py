"""The rules that keep weights at zero: pruning while training, and training sparse networks.

Weights are arrays with two axes or more; biases and gains stay as they are. What is inside
sees the sparse network alone: no gradient of weights that are gone, no loss with them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

from fallline.optimizers.around import selection
from fallline.optimizers.wrapping import Inner

STREAM = 540_311
"""Folded into the step's key, so that what is drawn here is not what an optimizer inside draws."""

Masks = list[jax.Array]
"""For each array of weights, in the parameters' order, which of them there are."""


class PruningState(NamedTuple):
    """Steps taken, and weights pruned so far (both int32)."""

    steps: jax.Array
    pruned: jax.Array
    inner: Any


class SparseState(NamedTuple):
    """Steps taken (int32), and of every array of weights which of them there are (bool)."""

    steps: jax.Array
    active: Masks
    inner: Any


def weights(tree: Any) -> Masks:
    """The arrays with two axes or more."""
    return [leaf for leaf in jax.tree.leaves(tree) if jnp.ndim(leaf) >= 2]


def with_masks(change: Callable[..., jax.Array], tree: Any, masks: Masks, *more: Any) -> Any:
    """``change(leaf, mask, *leaves of more)`` of each array of weights; others as they are."""
    left = iter(masks)

    def each(leaf: jax.Array, *others: jax.Array) -> jax.Array:
        return change(leaf, next(left), *others) if jnp.ndim(leaf) >= 2 else leaf

    return jax.tree.map(each, tree, *more)


def masked(tree: Any, masks: Masks) -> Any:
    """Zero where there is no weight."""
    return with_masks(lambda leaf, mask: jnp.where(mask, leaf, 0), tree, masks)


def of_sparse(extra: dict[str, Any], masks: Masks) -> dict[str, Any]:
    """What an update is told, of the network without the weights that are gone."""
    told = dict(extra)
    if "grad" in told:
        told["grad"] = masked(told["grad"], masks)
    if "value_fn" in told:
        whole = told["value_fn"]
        told["value_fn"] = lambda params: whole(masked(params, masks))
    return told


def step_or_out(step: jax.Array, mask: jax.Array, weight: jax.Array) -> jax.Array:
    """The step where there is a weight to stay, and elsewhere what makes it zero exactly."""
    return jnp.where(mask, step, -weight)


def prune(
    inner: Inner, *, density: Any, begin: Any, end: Any, scope: str, times: int
) -> optax.GradientTransformationExtraArgs:
    """Weights with the smallest magnitudes set to zero for good, more and more of them.

    Those that are gone are known by being zero: pruning takes zeros first.
    """
    rule = inner()

    def prunings(steps: jax.Array, total_steps: jax.Array) -> jax.Array:
        """How many there have been after so many steps, as a float."""
        over = steps.astype(density.dtype) / total_steps.astype(density.dtype)
        length = jnp.maximum(end - begin, jnp.finfo(density.dtype).tiny)
        part = jnp.where(over >= end, 1, jnp.clip((over - begin) / length, 0, 1))
        return jnp.floor(times * part)

    def pruning(scores: Masks, count: jax.Array) -> tuple[selection.Bar, jax.Array]:
        """What weights must reach after pruning number ``count``, and how many then are gone."""
        sparsity = (1 - density) * (1 - (1 - count / times) ** 3)
        sizes = np.array([each.size for each in scores])
        size = jnp.asarray(sizes if scope == "array" else sizes.sum(), jnp.int32)
        out = jnp.round(sparsity * size).astype(jnp.int32)
        return selection.bar(scores, size - out), jnp.sum(out, dtype=jnp.int32)

    def init(params: optax.Params) -> PruningState:
        none = jnp.zeros((), jnp.int32)
        return PruningState(none, none, rule.init(params))

    def update(
        grads: optax.Updates,
        state: PruningState,
        params: optax.Params | None = None,
        *,
        total_steps: jax.Array,
        **extra: Any,
    ) -> tuple[optax.Updates, PruningState]:
        alive = _unpruned(params, state)
        told = of_sparse({**extra, "total_steps": total_steps}, alive)
        updates, held = rule.update(masked(grads, alive), state.inner, params, **told)
        updates = with_masks(step_or_out, updates, alive, params)
        count = prunings(state.steps + 1, total_steps)
        due = count > prunings(state.steps, total_steps)
        moved = [p + u for p, u in zip(weights(params), weights(updates), strict=True)]
        pruned = state.pruned
        if moved:
            scores = [selection.magnitudes(each) for each in moved]
            shape = (len(scores),) if scope == "array" else ()
            least, pruned = lax.cond(
                due,
                lambda: pruning(scores, count),
                lambda: (selection.lowest(scores, shape), state.pruned),
            )
            updates = with_masks(step_or_out, updates, selection.passing(scores, least), params)
        return updates, PruningState(state.steps + 1, pruned, held)

    return optax.GradientTransformationExtraArgs(init, update)


def _unpruned(params: Any, state: PruningState) -> Masks:
    return [(state.pruned == 0) | (p != 0) for p in weights(params)]


def pruned_too(judged: Any, params: Any, state: PruningState, **settings: Any) -> Any:
    """Averages and the like, without the weights that are gone."""
    del settings
    return masked(judged, _unpruned(params, state))


def layer_counts(
    shapes: Sequence[tuple[int, ...]], density: jax.Array, densities: str
) -> jax.Array:
    """How many weights each array begins with, int32 of shape ``(arrays,)``.

    ``erdos_renyi_kernel``: a share of ``e r`` with ``r`` the sum of the axes over their product,
    at most all; ``e`` is such that the shares together are ``density`` of all weights.
    """
    sizes = np.array([math.prod(shape) for shape in shapes])
    if densities == "uniform":
        return jnp.round(density * jnp.asarray(sizes, density.dtype)).astype(jnp.int32)
    relative = np.array([sum(shape) for shape in shapes]) / np.maximum(sizes, 1)
    order = np.argsort(-relative, kind="stable")
    size, own = sizes[order], relative[order]
    # With the first m arrays full, the rest share what is left: the fewest m that suffice.
    full = np.cumsum(size) - size
    rest = np.cumsum((size * own)[::-1])[::-1]
    factors = (density * size.sum() - full) / np.maximum(rest, 1e-30)
    factor = factors[jnp.argmax(factors * own <= 1)]
    factor = jnp.where(jnp.any(factors * own <= 1), factor, jnp.inf)
    share = jnp.minimum(factor * jnp.asarray(relative, density.dtype), 1)
    return jnp.round(share * jnp.asarray(sizes, density.dtype)).astype(jnp.int32)


def grown_per_layer(number: jax.Array, left: jax.Array, room: jax.Array) -> jax.Array:
    """``number`` new weights dealt to the arrays, in proportion to those that are ``left``.

    What an array has no ``room`` for goes to the first ones that have. All int32, the last two of
    shape ``(arrays,)``.
    """
    share = jnp.cumsum(left) / jnp.maximum(jnp.sum(left), 1)
    until = jnp.round(number * share).astype(jnp.int32)
    dealt = jnp.minimum(jnp.diff(until, prepend=0), room)
    spare = room - dealt
    missing = number - jnp.sum(dealt)
    before = jnp.cumsum(spare) - spare
    return dealt + jnp.clip(missing - before, 0, spare)
