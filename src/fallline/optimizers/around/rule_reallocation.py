"""The rule of training a sparse network whose connections move: SET, RigL, and between layers."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

from fallline.optimizers.around import selection
from fallline.optimizers.around.rule_sparsity import (
    STREAM,
    Masks,
    SparseState,
    grown_per_layer,
    layer_counts,
    masked,
    of_sparse,
    step_or_out,
    weights,
    with_masks,
)
from fallline.optimizers.wrapping import Inner


def _random(key: jax.Array, like: Masks) -> Masks:
    """Scores that are drawn, 31 bits each: at once, since every draw costs time to compile."""
    until = np.cumsum([each.size for each in like])
    drawn = jax.random.bits(key, (int(until[-1]),), jnp.uint32) >> 1
    parts = jnp.split(drawn, until[:-1])
    return [part.reshape(each.shape) for part, each in zip(parts, like, strict=True)]


def _among(scores: Masks, candidates: Masks) -> Masks:
    """Scores with those that are no candidates last."""
    return [jnp.where(c, s + 1, 0) for s, c in zip(scores, candidates, strict=True)]


def _counted(masks: Masks) -> jax.Array:
    return jnp.stack([jnp.sum(mask, dtype=jnp.int32) for mask in masks])


def reallocated(
    active: Masks, values: Masks, scores: Masks, share: jax.Array, layers: str
) -> Masks:
    """The smallest ``share`` of the active weights gone, and as many others grown.

    ``scores`` say which grow: all that are not kept may, those just dropped among them.
    """
    counts = _counted(active)
    sizes = _among([selection.magnitudes(v) for v in values], active)
    if layers == "kept":
        dropped = jnp.floor(share * counts).astype(jnp.int32)
        kept = selection.largest(sizes, counts - dropped)
    else:
        number = jnp.floor(share * jnp.sum(counts)).astype(jnp.int32)
        kept = selection.largest(sizes, jnp.sum(counts) - number)
        left = _counted(kept)
        room = jnp.asarray([v.size for v in values], jnp.int32) - left
        dropped = grown_per_layer(number, left, room)
    grown = selection.largest(_among(scores, [~each for each in kept]), dropped)
    return [one | other for one, other in zip(kept, grown, strict=True)]


def sparse(
    inner: Inner,
    *,
    density: Any,
    share: Any,
    end: Any,
    growth: str,
    share_over_time: str,
    densities: str,
    layers: str,
    times: int,
) -> optax.GradientTransformationExtraArgs:
    """Few weights from the first step on, the smallest of them replaced now and then.

    The first step draws them, and no other step is taken then: the parameters are given dense.
    So it is where weights are replaced (Evci et al. 2020, algorithm 1).
    """
    rule = inner()

    def moment(steps: jax.Array, total_steps: jax.Array) -> tuple[jax.Array, jax.Array]:
        """The part of the time of replacements that is over, and whether one is due."""

        def over(steps: jax.Array) -> jax.Array:
            passed = steps.astype(density.dtype) / total_steps.astype(density.dtype)
            return jnp.clip(passed / end, 0, 1)

        part = over(steps)
        due = jnp.floor(times * part) > jnp.floor(times * over(jnp.maximum(steps - 1, 0)))
        return part, due & (part < 1)

    def drawn(key: jax.Array, given: Masks) -> Masks:
        counts = layer_counts([each.shape for each in given], density, densities)
        return selection.largest(_random(key, given), counts)

    def init(params: optax.Params) -> SparseState:
        every = [jnp.ones(each.shape, bool) for each in weights(params)]
        return SparseState(jnp.zeros((), jnp.int32), every, rule.init(params))

    def update(
        grads: optax.Updates,
        state: SparseState,
        params: optax.Params | None = None,
        *,
        key: jax.Array,
        total_steps: jax.Array,
        **extra: Any,
    ) -> tuple[optax.Updates, SparseState]:
        told = of_sparse({**extra, "key": key, "total_steps": total_steps}, state.active)
        updates, held = rule.update(masked(grads, state.active), state.inner, params, **told)
        own = jax.random.fold_in(key, STREAM)
        part, due = moment(state.steps, total_steps)
        given = weights(params)

        def replaced() -> Masks:
            if growth == "gradient":
                scores = [selection.magnitudes(each) for each in weights(grads)]
            else:
                scores = _random(own, given)
            fading = (1 + jnp.cos(jnp.pi * part)) / 2 if share_over_time == "cosine" else 1
            return reallocated(state.active, given, scores, share * fading, layers)

        first = state.steps == 0
        due = first | (due & (growth != "none"))
        active = state.active
        if active:
            choices = [lambda: state.active, lambda: drawn(own, given)]
            choices += [] if growth == "none" else [replaced]
            which = jnp.where(first, 1, jnp.where(due, 2, 0))
            active = lax.switch(which, choices)
            updates = jax.tree.map(lambda u: jnp.where(due, 0, u), updates)
            both = [a & b for a, b in zip(active, state.active, strict=True)]
            updates = with_masks(step_or_out, updates, both, params)
            held = jax.tree.map(lambda new, old: jnp.where(due, old, new), held, state.inner)
        return updates, SparseState(state.steps + 1, active, held)

    return optax.GradientTransformationExtraArgs(init, update)


def sparse_too(judged: Any, params: Any, state: SparseState, **settings: Any) -> Any:
    """Averages and the like, without the weights that there are not."""
    del params, settings
    return masked(judged, state.active)
