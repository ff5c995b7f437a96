"""The rules of Adam's kin that take a step of another length, from the two averages alone.

Each returns the direction for a learning rate of 1, to be scaled by ``-learning_rate``; those
whose bounds hold for the whole step take the learning rate itself and return the step.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from fallline.optimizers.adam.rule_adam import LargestState, MomentsState
from fallline.optimizers.shared.lengths import length, over
from fallline.optimizers.shared.moments import averaged, averaged_square, bias_correction, zeros


class LengthsState(NamedTuple):
    """Steps taken (int32), both averages, and the average of the step lengths."""

    steps: jax.Array
    mu: optax.Updates
    nu: optax.Updates
    lengths: optax.Updates


class NormsState(NamedTuple):
    """Steps taken (int32), both averages, and for each array the average norm, a scalar."""

    steps: jax.Array
    mu: optax.Updates
    nu: optax.Updates
    norms: optax.Updates


class PartsState(NamedTuple):
    """Steps taken (int32), both averages, and the average of the numerator."""

    steps: jax.Array
    mu: optax.Updates
    nu: optax.Updates
    numerator: optax.Updates


class Averages(NamedTuple):
    """What Adam has before it divides: the step's number, averages and their corrections."""

    steps: jax.Array
    mu: optax.Updates
    nu: optax.Updates
    first: jax.Array
    second: jax.Array


def begin(params: optax.Params) -> MomentsState:
    """Averages before the first gradient."""
    return MomentsState(jnp.zeros((), jnp.int32), zeros(params), zeros(params))


def begin_largest(params: optax.Params) -> LargestState:
    """The same, with the largest average of squares."""
    return LargestState(*begin(params), zeros(params))


def advance(state: Any, grads: optax.Updates, beta_1: Any, beta_2: Any) -> Averages:
    """The averages after one more gradient; ``state`` has ``steps``, ``mu`` and ``nu``."""
    count = state.steps + 1
    mu = averaged(state.mu, grads, beta_1)
    nu = averaged_square(state.nu, grads, beta_2)
    return Averages(count, mu, nu, bias_correction(beta_1, count), bias_correction(beta_2, count))


def ratio(now: Averages, epsilon: Any, place: str) -> optax.Updates:
    """``m̂ / (√v̂ + ε)``, or with ``place`` uncorrected ``√(1-β₂ᵗ) m̂ / (√v + ε)``."""
    root = jnp.sqrt(now.second)
    if place == "uncorrected":
        scale = root / now.first
        return jax.tree.map(lambda m, v: scale * m / (jnp.sqrt(v) + epsilon), now.mu, now.nu)
    scale, inverse = 1 / now.first, 1 / root
    return jax.tree.map(lambda m, v: scale * m / (jnp.sqrt(v) * inverse + epsilon), now.mu, now.nu)


def mean(values: jax.Array) -> jax.Array:
    """The mean, of nothing zero."""
    return jnp.sum(values) / max(values.size, 1)


def _below_one(y: jax.Array) -> jax.Array:
    """``1 + 1/y - coth y`` for y > 0, to rounding where the terms are large and all but equal."""
    near, far = jnp.minimum(y, 1), jnp.maximum(y, 1)
    fraction: Any = 19 + jnp.zeros_like(y)
    for odd in range(17, 1, -2):  # Lambert's continued fraction, to 1e-17 for y <= 1
        fraction = odd + near * near / fraction
    return jnp.where(y < 1, 1 - near / fraction, 1 / far - 2 / jnp.expm1(2 * far))


def lengths_of_average(beta_2: Any, count: jax.Array) -> tuple[jax.Array, jax.Array]:
    """ρ after ``count`` steps, ``ρ∞ - 2 t β₂ᵗ / (1-β₂ᵗ)``, and ``ρ∞ = 2 / (1-β₂) - 1``.

    With ``y = -log β₂ / 2``, ``ρ∞ = coth y`` and the other term is ``t coth(t y) - t``: float32
    would lose their difference, which is small while both are in the thousands.
    """
    y = -jnp.log(beta_2) / 2
    here = 1 - _below_one(y)
    return count * _below_one(count * y) + here, 1 / y + here


def scale_by_rectified_adam(
    beta_1: Any, beta_2: Any, epsilon: Any, threshold: Any, *, place: str
) -> optax.GradientTransformation:
    """RAdam: Adam times the rectification of its variance, where that exists; else momentum."""

    def update(
        grads: optax.Updates, state: MomentsState, params: optax.Params | None = None
    ) -> tuple[optax.Updates, MomentsState]:
        del params
        now = advance(state, grads, beta_1, beta_2)
        rho, limit = lengths_of_average(beta_2, now.steps)
        share = (rho - 4) * (rho - 2) * limit / ((limit - 4) * (limit - 2) * rho)
        factor = jnp.sqrt(jnp.maximum(share, 0))
        updates = jax.tree.map(
            lambda scaled, m: jnp.where(rho > threshold, factor * scaled, m / now.first),
            ratio(now, epsilon, place),
            now.mu,
        )
        return updates, MomentsState(now.steps, now.mu, now.nu)

    return optax.GradientTransformation(begin, update)


def bounded_amsgrad(
    learning_rate: Any, beta_1: Any, beta_2: Any, epsilon: Any, final_lr: Any, gamma: Any
) -> optax.GradientTransformation:
    """AMSBound: AdaBound with the largest average of squares so far."""

    def update(
        grads: optax.Updates, state: LargestState, params: optax.Params | None = None
    ) -> tuple[optax.Updates, LargestState]:
        del params
        now = advance(state, grads, beta_1, beta_2)
        largest = jax.tree.map(jnp.maximum, state.largest, now.nu)
        scale = learning_rate * jnp.sqrt(now.second) / now.first
        progress = gamma * now.steps
        lower, upper = final_lr * progress / (progress + 1), final_lr * (1 + 1 / progress)
        updates = jax.tree.map(
            lambda m, n: -jnp.clip(scale / (jnp.sqrt(n) + epsilon), lower, upper) * m,
            now.mu,
            largest,
        )
        return updates, LargestState(now.steps, now.mu, now.nu, largest)

    return optax.GradientTransformation(begin_largest, update)


def scale_by_part_of_adam(
    beta_1: Any, beta_2: Any, epsilon: Any, partial: Any, *, amsgrad: bool
) -> optax.GradientTransformation:
    """Padam: the denominator of Adam, or of AMSGrad, to the power of ``2 partial``."""

    def update(
        grads: optax.Updates,
        state: MomentsState | LargestState,
        params: optax.Params | None = None,
    ) -> tuple[optax.Updates, MomentsState | LargestState]:
        del params
        now = advance(state, grads, beta_1, beta_2)
        after: MomentsState | LargestState = MomentsState(now.steps, now.mu, now.nu)
        squares = now.nu
        if isinstance(state, LargestState):
            squares = jax.tree.map(jnp.maximum, state.largest, now.nu)
            after = LargestState(now.steps, now.mu, now.nu, squares)
        scale = jnp.sqrt(now.second) / now.first
        updates = jax.tree.map(
            lambda m, n: scale * m / (jnp.sqrt(n) + epsilon) ** (2 * partial), now.mu, squares
        )
        return updates, after

    return optax.GradientTransformation(begin_largest if amsgrad else begin, update)


def momentally_bounded_adam(
    learning_rate: Any, beta_1: Any, beta_2: Any, beta_3: Any, epsilon: Any
) -> optax.GradientTransformation:
    """AdaMod: every parameter's step length is at most its own running average."""

    def init(params: optax.Params) -> LengthsState:
        return LengthsState(*begin(params), zeros(params))

    def update(
        grads: optax.Updates, state: LengthsState, params: optax.Params | None = None
    ) -> tuple[optax.Updates, LengthsState]:
        del params
        now = advance(state, grads, beta_1, beta_2)
        scale = learning_rate * jnp.sqrt(now.second) / now.first
        asked = jax.tree.map(lambda v: scale / (jnp.sqrt(v) + epsilon), now.nu)
        lengths = averaged(state.lengths, asked, beta_3)
        updates = jax.tree.map(
            lambda m, one, usual: -jnp.minimum(one, usual) * m, now.mu, asked, lengths
        )
        return updates, LengthsState(now.steps, now.mu, now.nu, lengths)

    return optax.GradientTransformation(init, update)


def scale_by_norm_corrected_adam(
    beta_1: Any, beta_2: Any, gamma: Any, epsilon: Any, *, place: str
) -> optax.GradientTransformation:
    """AdaNorm of Adam: gradients shorter than usual enter the first average lengthened."""

    def init(params: optax.Params) -> NormsState:
        norms = jax.tree.map(lambda p: jnp.zeros((), p.dtype), params)
        return NormsState(*begin(params), norms)

    def update(
        grads: optax.Updates, state: NormsState, params: optax.Params | None = None
    ) -> tuple[optax.Updates, NormsState]:
        del params
        lengths = jax.tree.map(length, grads)
        norms = averaged(state.norms, lengths, gamma)

        def corrected(g: jax.Array, one: jax.Array, usual: jax.Array) -> jax.Array:
            return jnp.maximum(over(usual, one, 1.0), 1) * g

        mu = averaged(state.mu, jax.tree.map(corrected, grads, lengths, norms), beta_1)
        now = advance(state, grads, beta_1, beta_2)._replace(mu=mu)
        return ratio(now, epsilon, place), NormsState(now.steps, mu, now.nu, norms)

    return optax.GradientTransformation(init, update)


def scale_by_stable_adam(
    beta_1: Any, beta_2: Any, epsilon: Any, weight_decay: Any
) -> optax.GradientTransformation:
    """StableAdamW: AdamW whose step, decay included, shrinks where gradients surprise v̂."""

    def update(
        grads: optax.Updates, state: MomentsState, params: optax.Params | None = None
    ) -> tuple[optax.Updates, MomentsState]:
        now = advance(state, grads, beta_1, beta_2)
        least = epsilon * epsilon

        def shrunk(g: jax.Array, v: jax.Array, step: jax.Array, p: jax.Array) -> jax.Array:
            surprise = jnp.sqrt(mean(g * g / jnp.maximum(v / now.second, least)))
            return (step + weight_decay * p) / jnp.maximum(surprise, 1)

        updates = jax.tree.map(shrunk, grads, now.nu, ratio(now, epsilon, "outside"), params)
        return updates, MomentsState(now.steps, now.mu, now.nu)

    return optax.GradientTransformation(begin, update)


def scale_by_cautious_adam(
    beta_1: Any, beta_2: Any, epsilon: Any, *, scaling: str
) -> optax.GradientTransformation:
    """Adam without the entries that step against the gradient of the moment, the rest enlarged."""

    def update(
        grads: optax.Updates, state: MomentsState, params: optax.Params | None = None
    ) -> tuple[optax.Updates, MomentsState]:
        del params
        now = advance(state, grads, beta_1, beta_2)

        def masked(step: jax.Array, g: jax.Array) -> jax.Array:
            mask = (step * g > 0).astype(step.dtype)
            if scaling == "count":
                return step * mask * (step.size / (jnp.sum(mask) + 1))
            return step * mask / jnp.maximum(mean(mask), 1e-3)

        updates = jax.tree.map(masked, ratio(now, epsilon, "outside"), grads)
        return updates, MomentsState(now.steps, now.mu, now.nu)

    return optax.GradientTransformation(begin, update)


def scale_by_grams(beta_1: Any, beta_2: Any, epsilon: Any) -> optax.GradientTransformation:
    """Grams: the size of Adam's step in the direction of the gradient's sign."""

    def update(
        grads: optax.Updates, state: MomentsState, params: optax.Params | None = None
    ) -> tuple[optax.Updates, MomentsState]:
        del params
        now = advance(state, grads, beta_1, beta_2)
        size = ratio(now, epsilon, "outside")
        updates = jax.tree.map(lambda step, g: jnp.sign(g) * jnp.abs(step), size, grads)
        return updates, MomentsState(now.steps, now.mu, now.nu)

    return optax.GradientTransformation(begin, update)


def golden_adam(
    learning_rate: Any,
    beta_1: Any,
    beta_2: Any,
    beta_3: Any,
    scale: Any,
    exponent: Any,
    epsilon: Any,
) -> optax.GradientTransformation:
    """AdamG: Adam whose numerator holds an average of ``scale v^exponent``, a step size."""

    def init(params: optax.Params) -> PartsState:
        return PartsState(*begin(params), zeros(params))

    def update(
        grads: optax.Updates, state: PartsState, params: optax.Params | None = None
    ) -> tuple[optax.Updates, PartsState]:
        del params
        now = advance(state, grads, beta_1, beta_2)
        golden = jax.tree.map(lambda v: scale * v**exponent, now.nu)
        numerator = averaged(state.numerator, golden, beta_3)
        mu = averaged(state.mu, jax.tree.map(jnp.multiply, numerator, grads), beta_1)
        step = jnp.minimum(learning_rate, jax.lax.rsqrt(now.steps * jnp.ones_like(learning_rate)))
        updates = jax.tree.map(lambda u: -step * u, ratio(now._replace(mu=mu), epsilon, "outside"))
        return updates, PartsState(now.steps, mu, now.nu, numerator)

    return optax.GradientTransformation(init, update)
