"""MoMo: momentum with Polyak's step length, capped by the learning rate, and its form for Adam.

Each gives the whole step. Optax's form is not used: with weight decay it scales the decay alone by
``1 / (1 + αλ)``, where the paper's proximal step scales all of it, and it stands still once the
squared norm of the average is below 2e-16.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from fallline.optimizers.shared.moments import averaged, averaged_square, bias_correction, zeros
from fallline.optimizers.tuning_free.rule_tuning_free import dot, quotient


class ModelState(NamedTuple):
    """Steps taken (int32); the averages of the loss, of its slope ``⟨g, θ⟩`` and of the gradient;
    the lower bound of the loss; Adam's average of squares (or nothing)."""

    steps: jax.Array
    value: jax.Array
    slope: jax.Array
    lower: jax.Array
    mu: optax.Updates
    nu: optax.Updates


class Model(NamedTuple):
    """The averaged linear model of the loss at one step, all scalars: what its averages lack of
    full weight (``rho``), ``⟨d, θ⟩`` and ``⟨d, D⁻¹ d⟩``."""

    rho: Any
    inner: jax.Array
    square: jax.Array


def _length(
    state: ModelState, model: Model, learning_rate: Any, weight_decay: Any, least: Any, adapt: bool
) -> tuple[jax.Array, jax.Array]:
    """The length of the step along ``D⁻¹ d``, and the lower bound after it.

    ``state`` holds the new averages and the old bound.
    """
    rho, inner, square = model
    shrink = 1 + learning_rate * weight_decay
    line = shrink * (state.value - state.slope) + inner
    lower = state.lower
    if adapt:
        reset = jnp.maximum(line / (2 * shrink * rho), least)
        lower = jnp.where(line < shrink * rho * lower, reset, lower)
    gap = jnp.maximum(line - shrink * rho * lower, 0)
    length = jnp.minimum(learning_rate / rho, quotient(gap, square))
    if adapt:
        below = state.value + inner - state.slope - length * square / 2
        lower = jnp.maximum(below / rho, least)
    return length, lower


def _begin(params: optax.Params, least: Any, nu: Any) -> ModelState:
    nothing = jnp.zeros((), jnp.result_type(*jax.tree.leaves(params)))
    bound = jnp.asarray(least, nothing.dtype)
    return ModelState(jnp.zeros((), jnp.int32), nothing, nothing, bound, zeros(params), nu)


def _stepped(
    params: optax.Params, along: optax.Updates, length: Any, learning_rate: Any, weight_decay: Any
) -> optax.Updates:
    """The proximal step ``(θ - τ D⁻¹ d) / (1 + αλ) - θ``."""
    pull = learning_rate * weight_decay
    return jax.tree.map(lambda p, a: -(pull * p + length * a) / (1 + pull), params, along)


def momo(
    learning_rate: Any,
    beta: Any,
    lower_bound: Any,
    weight_decay: Any,
    *,
    corrected: bool,
    adapt: bool,
) -> optax.GradientTransformationExtraArgs:
    """MoMo (Schaipp et al. 2023).

    The averages start at the first values, or ``corrected`` at zero, which ρ then makes up for.
    """

    def init(params: optax.Params) -> ModelState:
        return _begin(params, lower_bound, ())

    def update(
        grads: optax.Updates,
        state: ModelState,
        params: optax.Params | None = None,
        *,
        value: jax.Array,
        **extra: Any,
    ) -> tuple[optax.Updates, ModelState]:
        del extra
        count = state.steps + 1
        kept = beta if corrected else jnp.where(count == 1, 0, beta)
        mu = averaged(state.mu, grads, kept)
        fresh = jnp.asarray(value, state.value.dtype)
        state = state._replace(
            steps=count,
            value=kept * state.value + (1 - kept) * fresh,
            slope=kept * state.slope + (1 - kept) * dot(grads, params),
            mu=mu,
        )
        rho = bias_correction(beta, count) if corrected else 1
        model = Model(rho, dot(mu, params), dot(mu, mu))
        length, lower = _length(state, model, learning_rate, weight_decay, lower_bound, adapt)
        updates = _stepped(params, mu, length, learning_rate, weight_decay)
        return updates, state._replace(lower=lower)

    return optax.GradientTransformationExtraArgs(init, update)


def momo_adam(
    learning_rate: Any,
    beta_1: Any,
    beta_2: Any,
    epsilon: Any,
    lower_bound: Any,
    weight_decay: Any,
    *,
    adapt: bool,
) -> optax.GradientTransformationExtraArgs:
    """MoMo-Adam (Schaipp et al. 2023)."""

    def init(params: optax.Params) -> ModelState:
        return _begin(params, lower_bound, zeros(params))

    def update(
        grads: optax.Updates,
        state: ModelState,
        params: optax.Params | None = None,
        *,
        value: jax.Array,
        **extra: Any,
    ) -> tuple[optax.Updates, ModelState]:
        del extra
        count = state.steps + 1
        mu = averaged(state.mu, grads, beta_1)
        nu = averaged_square(state.nu, grads, beta_2)
        inverse = jax.lax.rsqrt(bias_correction(beta_2, count))
        along = jax.tree.map(lambda m, v: quotient(m, jnp.sqrt(v) * inverse + epsilon), mu, nu)
        fresh = jnp.asarray(value, state.value.dtype)
        state = state._replace(
            steps=count,
            value=beta_1 * state.value + (1 - beta_1) * fresh,
            slope=beta_1 * state.slope + (1 - beta_1) * dot(grads, params),
            mu=mu,
            nu=nu,
        )
        model = Model(bias_correction(beta_1, count), dot(mu, params), dot(mu, along))
        length, lower = _length(state, model, learning_rate, weight_decay, lower_bound, adapt)
        updates = _stepped(params, along, length, learning_rate, weight_decay)
        return updates, state._replace(lower=lower)

    return optax.GradientTransformationExtraArgs(init, update)
