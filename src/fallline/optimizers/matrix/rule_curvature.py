"""Steps by an estimate of the Hessian's diagonal: AdaHessian, Sophia, Apollo.

The first two probe the Hessian H with a random vector z of mean 0 and covariance 1: ``z ∘ H z`` has
the diagonal as its mean (Hutchinson). With signs for z it is the diagonal itself where H has no
other entries.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from fallline.optimizers.shared.moments import averaged, averaged_square, bias_correction, zeros

Loss = Callable[[optax.Params], jax.Array]


class MomentsState(NamedTuple):
    """Steps taken (int32), and the averages of the gradient and of the Hessian's diagonal.

    Of the diagonal's square with AdaHessian.
    """

    steps: jax.Array
    mu: optax.Updates
    diagonal: optax.Updates


class ApolloState(NamedTuple):
    """Steps taken (int32), the average gradient, the diagonal, and the last direction."""

    steps: jax.Array
    mu: optax.Updates
    diagonal: optax.Updates
    direction: optax.Updates


def _begin(params: optax.Params) -> MomentsState:
    return MomentsState(jnp.zeros((), jnp.int32), zeros(params), zeros(params))


def probes(key: jax.Array, params: optax.Params, kind: str) -> optax.Updates:
    """A random array for each of ``params``: of ±1 (``signs``), or standard ``normal``."""
    leaves, tree = jax.tree.flatten(params)
    draw = jax.random.rademacher if kind == "signs" else jax.random.normal
    drawn = [
        draw(jax.random.fold_in(key, index), leaf.shape, leaf.dtype)
        for index, leaf in enumerate(leaves)
    ]
    return jax.tree.unflatten(tree, drawn)


def probed_diagonal(
    value_fn: Loss, params: optax.Params, key: jax.Array, kind: str
) -> optax.Updates:
    """``z ∘ H z`` at ``params``, by one forward derivative of the gradient."""
    along = probes(key, params, kind)
    _, product = jax.jvp(jax.grad(value_fn), (params,), (along,))
    return jax.tree.map(jnp.multiply, along, product)


def _over_windows(diagonal: jax.Array) -> jax.Array:
    """The mean size over the height and width of a convolution's kernel."""
    size = jnp.abs(diagonal)
    if diagonal.ndim != 4:
        return size
    return jnp.broadcast_to(jnp.mean(size, axis=(0, 1), keepdims=True), size.shape)


def scale_by_adahessian(
    beta_1: Any, beta_2: Any, epsilon: Any, power: Any
) -> optax.GradientTransformationExtraArgs:
    """AdaHessian (Yao et al. 2021, algorithm 1) for a learning rate of 1."""

    def update(
        grads: optax.Updates,
        state: MomentsState,
        params: optax.Params | None = None,
        *,
        value_fn: Loss,
        key: jax.Array,
        **extra: Any,
    ) -> tuple[optax.Updates, MomentsState]:
        del extra
        count = state.steps + 1
        diagonal = jax.tree.map(_over_windows, probed_diagonal(value_fn, params, key, "signs"))
        mu = averaged(state.mu, grads, beta_1)
        squares = averaged_square(state.diagonal, diagonal, beta_2)
        first, second = bias_correction(beta_1, count), bias_correction(beta_2, count)
        updates = jax.tree.map(
            lambda m, v: (m / first) / (jnp.sqrt(v / second) ** power + epsilon), mu, squares
        )
        return updates, MomentsState(count, mu, squares)

    return optax.GradientTransformationExtraArgs(_begin, update)


def scale_by_sophia(
    beta_1: Any, beta_2: Any, epsilon: Any, gamma: Any, *, every: int, probe: str
) -> optax.GradientTransformationExtraArgs:
    """Sophia-H (Liu et al. 2023, algorithm 3) for a learning rate of 1.

    The diagonal is estimated anew in steps 1, 1 + ``every``, and so on, before the step.
    """

    def update(
        grads: optax.Updates,
        state: MomentsState,
        params: optax.Params | None = None,
        *,
        value_fn: Loss,
        key: jax.Array,
        **extra: Any,
    ) -> tuple[optax.Updates, MomentsState]:
        del extra

        def renewed() -> optax.Updates:
            new = probed_diagonal(value_fn, params, key, probe)
            return averaged(state.diagonal, new, beta_2)

        diagonal = jax.lax.cond(state.steps % every == 0, renewed, lambda: state.diagonal)
        mu = averaged(state.mu, grads, beta_1)
        updates = jax.tree.map(
            lambda m, h: jnp.clip(m / jnp.maximum(gamma * h, epsilon), -1.0, 1.0), mu, diagonal
        )
        return updates, MomentsState(state.steps + 1, mu, diagonal)

    return optax.GradientTransformationExtraArgs(_begin, update)


def _fourth_norm(array: jax.Array) -> jax.Array:
    """``(Σ x⁴)^(1/4)``, also where x⁴ is too large for the dtype."""
    largest = jnp.max(jnp.abs(array), initial=0.0)
    unit = jnp.where(largest > 0, largest, 1.0)
    return largest * jnp.sum((array / unit) ** 4) ** 0.25


def apollo(
    learning_rate: Any,
    beta: Any,
    epsilon: Any,
    sigma: Any,
    initial_rate: Any,
    warmup: Any,
    *,
    rebound: str,
) -> optax.GradientTransformationExtraArgs:
    """Apollo (Ma 2020, algorithm 1), the whole step with its warm-up.

    The diagonal B of each array is corrected along the square of the last direction d, so that
    ``dᵀ B d`` becomes what the gradients' difference says; it is never taken for less than a bound.
    """

    def init(params: optax.Params) -> ApolloState:
        return ApolloState(*_begin(params), zeros(params))

    def step(part: tuple[jax.Array, ...], new: Any) -> tuple[jax.Array, ...]:
        """Average, diagonal and direction of one array; ``new``: the part of a new gradient."""
        grad, mu, diagonal, last = part
        difference = grad - mu
        if rebound == "belief":
            bound, beside = jnp.max(jnp.abs(difference), initial=0.0), epsilon
        else:
            bound, beside = sigma, epsilon / sigma
        mu = mu + new * difference
        size = _fourth_norm(last) + beside
        unit = last / size
        curvature = jnp.sum(difference / size * unit) * -new - jnp.sum(diagonal * unit * unit)
        diagonal = diagonal + curvature * unit * unit
        below = jnp.maximum(jnp.abs(diagonal), bound)
        if rebound == "belief":
            below = below + epsilon / new
        return mu, diagonal, mu / below

    def update(
        grads: optax.Updates,
        state: ApolloState,
        params: optax.Params | None = None,
        **extra: Any,
    ) -> tuple[optax.Updates, ApolloState]:
        del params, extra
        count = state.steps + 1
        new = (1 - beta) / bias_correction(beta, count)
        parts = zip(
            *(jax.tree.leaves(each) for each in (grads, state.mu, state.diagonal, state.direction)),
            strict=True,
        )
        moved = [step(part, new) for part in parts]
        tree = jax.tree.structure(grads)
        mu, diagonal, direction = (
            jax.tree.unflatten(tree, [each[place] for each in moved]) for place in range(3)
        )
        warm = jnp.minimum(count / warmup, 1.0)
        rate = initial_rate + (learning_rate - initial_rate) * warm
        updates = jax.tree.map(lambda d: -rate * d, direction)
        return updates, ApolloState(count, mu, diagonal, direction)

    return optax.GradientTransformationExtraArgs(init, update)
