"""Rules that mix several averages or gradients: old with new, slow with fast, with differences.

Each returns the direction for a learning rate of 1, to be scaled by ``-learning_rate``.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from fallline.optimizers.adam.rule_adam import MomentsState
from fallline.optimizers.adam.rule_adam_moments import begun, denominator, no_steps
from fallline.optimizers.matrix.rule_matrix import orthogonalised
from fallline.optimizers.shared.leaves import as_matrix, is_matrix
from fallline.optimizers.shared.lengths import length
from fallline.optimizers.shared.moments import averaged, averaged_square, bias_correction, zeros
from fallline.optimizers.wrapping import SHARE

NEWTON_SCHULZ_STEPS = 5


class DifferenceState(NamedTuple):
    """Steps taken (int32); averages of gradient, change and square; the last gradient."""

    steps: jax.Array
    mu: optax.Updates
    change: optax.Updates
    nu: optax.Updates
    last: optax.Updates


class TwoSpeedsState(NamedTuple):
    """Steps taken (int32); a fast and a slow average of the gradient; that of its square."""

    steps: jax.Array
    fast: optax.Updates
    slow: optax.Updates
    nu: optax.Updates


class AlternatingState(NamedTuple):
    """Steps taken (int32); the averages of every other gradient, up to the last one and up to the
    one before; that of the square, and the largest that it was (empty if that is not asked for).
    """

    steps: jax.Array
    recent: optax.Updates
    older: optax.Updates
    nu: optax.Updates
    largest: Any


class CorrectedState(NamedTuple):
    """Steps taken (int32); averages of gradient and square; the last gradient."""

    steps: jax.Array
    mu: optax.Updates
    nu: optax.Updates
    last: optax.Updates


class Mars(NamedTuple):
    """What MARS does with an array: the parts of its rule that differ between arrays."""

    learning_rate: Any
    beta_1: Any
    beta_2: Any
    gamma: Any
    """None: AdamW on the gradient as it is."""


def scale_by_adan(
    beta_1: Any, beta_2: Any, beta_3: Any, epsilon: Any
) -> optax.GradientTransformation:
    """Adan: averages of the gradient and of its change, over the size of their sum.

    Optax's weighs the change by ``1 - beta_2`` where the paper, whose β are one minus these, has
    ``beta_2``.
    """

    def init(params: optax.Params) -> DifferenceState:
        return DifferenceState(no_steps(), *(zeros(params) for _ in range(4)))

    def update(
        grads: optax.Updates, state: DifferenceState, params: optax.Params | None = None
    ) -> tuple[optax.Updates, DifferenceState]:
        del params
        count = state.steps + 1
        changed = jax.tree.map(
            lambda g, last: jnp.where(state.steps == 0, jnp.zeros_like(g), g - last),
            grads,
            state.last,
        )
        mu = averaged(state.mu, grads, beta_1)
        change = averaged(state.change, changed, beta_2)
        ahead = jax.tree.map(lambda g, d: g + beta_2 * d, grads, changed)
        nu = averaged_square(state.nu, ahead, beta_3)
        sizes = denominator(nu, bias_correction(beta_3, count), epsilon, "outside")
        first, second = 1 / bias_correction(beta_1, count), beta_2 / bias_correction(beta_2, count)
        updates = jax.tree.map(
            lambda m, d, size: (first * m + second * d) / size, mu, change, sizes
        )
        return updates, DifferenceState(count, mu, change, nu, grads)

    return optax.GradientTransformation(init, update)


def slow_decay(beta_1: Any, beta_3: Any, progress: Any) -> jax.Array:
    """β₃ between ``beta_1`` (progress 0) and ``beta_3`` (1), its half-life growing evenly."""
    # ln β₁ ln β₃ / ((1-s) ln β₃ + s ln β₁), divided by ln β₁ so that β₁ = 0 stays finite.
    low, high = jnp.log(beta_1), jnp.log(beta_3)
    on_the_way = jnp.exp(high / ((1 - progress) * high / low + progress))
    return jnp.where(progress < 1, on_the_way, beta_3)


def scale_by_ademamix(
    beta_1: Any,
    beta_2: Any,
    beta_3: Any,
    alpha: Any,
    epsilon: Any,
    warm_up: Any,
    *,
    corrected: str,
) -> optax.GradientTransformation:
    """AdEMAMix: a slow average of the gradient added to Adam's, ``alpha`` times.

    ``warm_up``: the steps over which α and β₃ grow; None: they are constant. ``corrected``: the
    ``fast`` average, or ``both`` by the fast one's correction.
    """

    def init(params: optax.Params) -> TwoSpeedsState:
        return TwoSpeedsState(no_steps(), zeros(params), zeros(params), zeros(params))

    def update(
        grads: optax.Updates, state: TwoSpeedsState, params: optax.Params | None = None
    ) -> tuple[optax.Updates, TwoSpeedsState]:
        del params
        count = state.steps + 1
        weight, decay = alpha, beta_3
        if warm_up is not None:
            progress = jnp.minimum(count / warm_up, 1.0)
            weight, decay = progress * alpha, slow_decay(beta_1, beta_3, progress)
        fast = averaged(state.fast, grads, beta_1)
        slow = averaged(state.slow, grads, decay)
        nu = averaged_square(state.nu, grads, beta_2)
        sizes = denominator(nu, bias_correction(beta_2, count), epsilon, "outside")
        scale = 1 / bias_correction(beta_1, count)
        of_slow = scale * weight if corrected == "both" else weight
        updates = jax.tree.map(
            lambda m, s, size: (scale * m + of_slow * s) / size, fast, slow, sizes
        )
        return updates, TwoSpeedsState(count, fast, slow, nu)

    return optax.GradientTransformation(init, update)


def scale_by_simplified_ademamix(
    beta_1: Any, beta_2: Any, alpha: Any, epsilon: Any, *, momentum: str
) -> optax.GradientTransformation:
    """Simplified AdEMAMix: a sum of fading gradients, and the newest ``alpha`` times more.

    ``momentum``: that ``sum``, or an ``average`` and the step divided by ``1 - β₂ᵗ`` once more.
    """
    share = 1 - beta_1 if momentum == "average" else 1.0

    def update(
        grads: optax.Updates, state: MomentsState, params: optax.Params | None = None
    ) -> tuple[optax.Updates, MomentsState]:
        del params
        count = state.steps + 1
        mu = jax.tree.map(lambda m, g: beta_1 * m + share * g, state.mu, grads)
        nu = averaged_square(state.nu, grads, beta_2)
        correction = bias_correction(beta_2, count)
        sizes = denominator(nu, correction, epsilon, "outside")
        scale = 1 / correction if momentum == "average" else 1.0
        updates = jax.tree.map(lambda m, g, size: scale * (m + alpha * g) / size, mu, grads, sizes)
        return updates, MomentsState(count, mu, nu)

    return optax.GradientTransformation(begun, update)


def scale_by_adapnm(
    beta_1: Any, beta_2: Any, beta_0: Any, epsilon: Any, *, amsgrad: bool, place: str
) -> optax.GradientTransformation:
    """AdaPNM: ``1 + β₀`` times an average of every other gradient minus ``β₀`` times the other."""

    def init(params: optax.Params) -> AlternatingState:
        largest = zeros(params) if amsgrad else ()
        return AlternatingState(no_steps(), zeros(params), zeros(params), zeros(params), largest)

    def update(
        grads: optax.Updates, state: AlternatingState, params: optax.Params | None = None
    ) -> tuple[optax.Updates, AlternatingState]:
        del params
        count = state.steps + 1
        newest = averaged(state.older, grads, beta_1 * beta_1)
        nu = averaged_square(state.nu, grads, beta_2)
        largest = jax.tree.map(jnp.maximum, state.largest, nu) if amsgrad else ()
        square = largest if amsgrad else nu
        sizes = denominator(square, bias_correction(beta_2, count), epsilon, place)
        noise = jnp.sqrt((1 + beta_0) ** 2 + beta_0**2)
        scale = 1 / (noise * bias_correction(beta_1, count))
        updates = jax.tree.map(
            lambda plus, minus, size: scale * ((1 + beta_0) * plus - beta_0 * minus) / size,
            newest,
            state.recent,
            sizes,
        )
        return updates, AlternatingState(count, newest, state.recent, nu, largest)

    return optax.GradientTransformation(init, update)


def at_most_one(leaf: jax.Array) -> jax.Array:
    """``leaf`` with its Euclidean norm cut to 1."""
    return leaf / jnp.maximum(length(leaf), 1.0)


def turned(leaf: jax.Array, epsilon: Any) -> jax.Array:
    """``√max(1, out/in) U Vᵀ``, roughly, of a matrix ``U S Vᵀ`` of shape (in, out)."""
    matrix = as_matrix(leaf)
    rows, columns = matrix.shape
    epsilon = jnp.asarray(epsilon, leaf.dtype)
    orthogonal = orthogonalised(matrix, epsilon, NEWTON_SCHULZ_STEPS, bfloat16=False)
    return math.sqrt(max(1.0, columns / rows)) * orthogonal.reshape(leaf.shape)


def mars(
    matrices: Mars,
    vectors: Mars,
    epsilon: Any,
    weight_decay: Any,
    *,
    step: str,
    cautious: bool,
    place: str,
) -> optax.GradientTransformationExtraArgs:
    """MARS, the whole step: Adam, Lion or Muon on gradients corrected by their change.

    ``vectors`` are the arrays of fewer than two dimensions. ``cautious``: only where the average
    and the gradient agree in sign, the rest of the array the larger for it. Schedules know the
    learning rate of matrices alone; vectors follow by the share that schedules tell.
    """

    def of(leaf: jax.Array) -> Mars:
        return matrices if leaf.ndim >= 2 else vectors

    def init(params: optax.Params) -> CorrectedState:
        return CorrectedState(no_steps(), zeros(params), zeros(params), zeros(params))

    def corrected(grad: jax.Array, last: jax.Array) -> jax.Array:
        own = of(grad)
        if own.gamma is None:
            return grad
        return at_most_one(grad + own.gamma * own.beta_1 / (1 - own.beta_1) * (grad - last))

    def update(
        grads: optax.Updates,
        state: CorrectedState,
        params: optax.Params | None = None,
        **extra: Any,
    ) -> tuple[optax.Updates, CorrectedState]:
        count = state.steps + 1
        seen = jax.tree.map(corrected, grads, state.last)
        mu = jax.tree.map(lambda m, c: averaged(m, c, of(c).beta_1), state.mu, seen)
        nu = jax.tree.map(lambda v, c: averaged_square(v, c, of(c).beta_2), state.nu, seen)

        def stepped(m: jax.Array, v: jax.Array, g: jax.Array, x: jax.Array) -> jax.Array:
            own = of(g)
            sizes = denominator(v, bias_correction(own.beta_2, count), epsilon, place)
            kept = m
            if cautious:
                agree = (m * g > 0).astype(m.dtype)
                kept = m * agree * (m.size / (jnp.sum(agree) + 1))
            if step == "lion" and own.gamma is not None:
                direction = jnp.sign(kept)
            elif step == "shampoo" and own.gamma is not None and is_matrix(kept):
                direction = turned(kept / (1 - own.beta_1), epsilon)
            else:
                direction = kept / (sizes * bias_correction(own.beta_1, count))
            rate = own.learning_rate * (extra.get(SHARE, 1.0) if own.gamma is None else 1.0)
            return -rate * (direction + weight_decay * x)

        updates = jax.tree.map(stepped, mu, nu, grads, params)
        return updates, CorrectedState(count, mu, nu, grads)

    return optax.GradientTransformationExtraArgs(init, update)
