"""Rprop as a rule on gradients; optax 0.2.8 applies each of its updates one step late."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax


class RpropState(NamedTuple):
    """The last gradient (zero where its sign had changed) and each parameter's step length."""

    last: optax.Updates
    steps: optax.Updates


def scale_by_rprop(
    first: Any, eta_minus: Any, eta_plus: Any, step_min: Any, step_max: Any, *, back: bool = False
) -> optax.GradientTransformation:
    """The whole step ``-Δ sign(g)``; ``first`` is the step length to begin with.

    ``back``: where the sign changed the last step is taken back, instead of none being taken.
    """

    def init(params: optax.Params) -> RpropState:
        return RpropState(
            jax.tree.map(jnp.zeros_like, params),
            jax.tree.map(lambda leaf: jnp.full_like(leaf, first), params),
        )

    def update(
        grads: optax.Updates, state: RpropState, params: optax.Params | None = None
    ) -> tuple[optax.Updates, RpropState]:
        del params
        # Signs are multiplied, not gradients: a product of tiny gradients would underflow to 0.
        agreement = jax.tree.map(lambda g, last: jnp.sign(g) * jnp.sign(last), grads, state.last)

        def length(agree: jax.Array, step: jax.Array) -> jax.Array:
            factor = jnp.where(agree > 0, eta_plus, jnp.where(agree < 0, eta_minus, 1.0))
            return jnp.clip(step * factor, step_min, step_max)

        steps = jax.tree.map(length, agreement, state.steps)
        kept = jax.tree.map(lambda agree, g: jnp.where(agree < 0, 0.0, g), agreement, grads)
        updates = jax.tree.map(lambda g, step: -jnp.sign(g) * step, kept, steps)
        if back:
            updates = jax.tree.map(
                lambda agree, update, last, step: jnp.where(
                    agree < 0, jnp.sign(last) * step, update
                ),
                agreement,
                updates,
                state.last,
                state.steps,
            )
        return updates, RpropState(kept, steps)

    return optax.GradientTransformation(init, update)
