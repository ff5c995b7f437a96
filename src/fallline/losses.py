"""Losses: what a training minimises, per example, from the network's raw outputs.

Every loss takes ``outputs`` of shape ``(batch, outputs)`` and ``targets`` of shape ``(batch,)`` or
``(batch, outputs)``, and gives one figure per example, shape ``(batch,)``, in the outputs' dtype.
Cross-entropies take logits and use the stable forms: no probability is ever computed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import jax
import jax.numpy as jnp

from fallline.errors import InputError, unknown

PerExample = Callable[[jax.Array, jax.Array], jax.Array]


@dataclass(frozen=True)
class Loss:
    """A loss by name: what it computes and what it is for."""

    name: str
    kind: str
    """``"classification"`` or ``"regression"``."""
    equation: str
    per_example: PerExample = field(repr=False)
    single_logit: bool = False
    """True where a two-class problem has one output: the log-odds of class 1."""


def softmax_cross_entropy(outputs: jax.Array, targets: jax.Array) -> jax.Array:
    """-log softmax(outputs)[target]; targets are class indices, shape ``(batch,)``."""
    picked = jnp.take_along_axis(outputs, targets[:, None].astype(jnp.int32), axis=1)[:, 0]
    return jax.nn.logsumexp(outputs, axis=1) - picked


def sigmoid_cross_entropy(outputs: jax.Array, targets: jax.Array) -> jax.Array:
    """Mean over outputs of log(1 + exp(-s z)), s = +1 for target 1 and -1 for target 0."""
    goal = _like(outputs, targets)
    return jnp.mean(jax.nn.softplus(outputs) - goal * outputs, axis=1)


def one_vs_rest_cross_entropy(outputs: jax.Array, targets: jax.Array) -> jax.Array:
    """Mean over classes of log(1 + exp(-s z)), s = +1 for the example's class, else -1.

    Each output is a sigmoid's logit, and each class a question of its own; targets are class
    indices, shape ``(batch,)``.
    """
    return sigmoid_cross_entropy(outputs, jax.nn.one_hot(targets, outputs.shape[1]))


def squared_error(outputs: jax.Array, targets: jax.Array) -> jax.Array:
    """Mean over outputs of (output - target)^2; no factor of one half."""
    return jnp.mean(jnp.square(outputs - _like(outputs, targets)), axis=1)


def absolute_error(outputs: jax.Array, targets: jax.Array) -> jax.Array:
    """Mean over outputs of |output - target|."""
    return jnp.mean(jnp.abs(outputs - _like(outputs, targets)), axis=1)


def huber(delta: float = 1.0) -> PerExample:
    """r^2 / 2 where |r| <= delta, else delta (|r| - delta / 2): squared near zero, then linear.

    Small ``delta`` approaches the absolute error (scaled), large ``delta`` half the squared one
    (Huber 1964, "Robust Estimation of a Location Parameter").
    """
    if not delta > 0:
        raise InputError(f"the Huber loss needs delta > 0, got {delta}")

    def per_example(outputs: jax.Array, targets: jax.Array) -> jax.Array:
        size = jnp.abs(outputs - _like(outputs, targets))
        inner = jnp.minimum(size, delta)
        return jnp.mean(inner * (size - 0.5 * inner), axis=1)

    return per_example


def _like(outputs: jax.Array, targets: jax.Array) -> jax.Array:
    return targets.reshape(outputs.shape).astype(outputs.dtype)


_LOSSES: dict[str, Loss] = {
    loss.name: loss
    for loss in (
        Loss(
            "cross_entropy",
            "classification",
            "-log softmax(z)[y]",
            softmax_cross_entropy,
        ),
        Loss(
            "sigmoid_cross_entropy",
            "classification",
            "log(1 + exp(z)) - y z",
            sigmoid_cross_entropy,
            single_logit=True,
        ),
        Loss(
            "one_vs_rest_cross_entropy",
            "classification",
            "mean_k log(1 + exp(z_k)) - [k = y] z_k",
            one_vs_rest_cross_entropy,
        ),
        Loss("mse", "regression", "(z - y)^2", squared_error),
        Loss("mae", "regression", "|z - y|", absolute_error),
        Loss("huber", "regression", "r^2/2 if |r| <= delta else delta (|r| - delta/2)", huber()),
    )
}


def names() -> tuple[str, ...]:
    """The losses there are."""
    return tuple(_LOSSES)


def get(name: str) -> Loss:
    """The loss called ``name``; ``"huber(0.5)"`` gives the Huber loss with that delta."""
    base, _, argument = name.partition("(")
    if base == "huber" and argument.endswith(")"):
        try:
            delta = float(argument[:-1])
        except ValueError:
            raise InputError(
                f"the Huber loss needs a number for delta, got {argument[:-1]!r}",
                hint="write it like huber(0.5)",
            ) from None
        known = _LOSSES["huber"]
        return Loss(name, known.kind, known.equation, huber(delta))
    if name not in _LOSSES:
        raise unknown("loss", name, _LOSSES)
    return _LOSSES[name]


def for_kind(kind: str) -> str:
    """The usual loss of a kind of problem."""
    return "cross_entropy" if kind == "classification" else "mse"
