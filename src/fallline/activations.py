"""The activation functions: each with its equation, its derivative and what holds at its kink.

Functions and derivatives take an array ``z`` of any shape and keep its dtype. All but softmax work
element by element; softmax works along the last axis.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import jax
import jax.numpy as jnp

from fallline.errors import InputError, unknown

Function = Callable[[jax.Array], jax.Array]


@dataclass(frozen=True)
class Activation:
    """An activation function as data.

    ``derivative`` gives, element by element, f'(z) in the shape of ``z``; for softmax it gives the
    Jacobian, shape ``(..., n, n)``, entry ``[i, j]`` the derivative of output i by input j.
    ``parameter`` names the number that a name may carry, ``default`` is its value where it
    carries none: ``"sigmoid(2.0)"`` has the slope 2, ``"sigmoid"`` the slope 1.
    """

    name: str
    equation: str
    derivative_equation: str
    function: Function = field(repr=False)
    derivative: Function = field(repr=False)
    note: str = ""
    parameter: str = ""
    default: float | None = None
    learned: bool = False
    """True where the number is a parameter of the network, trained with its weights."""


@dataclass(frozen=True)
class _Family:
    """An activation with a number: ``known`` has its words, ``made`` its two functions."""

    known: Activation
    made: Callable[[float], tuple[Function, Function]]


def sigmoid(slope: float = 1.0) -> tuple[Function, Function]:
    """1 / (1 + exp(-a z)) with the slope a, and its derivative."""

    def function(z: jax.Array) -> jax.Array:
        return jax.nn.sigmoid(slope * z)

    def derivative(z: jax.Array) -> jax.Array:
        # 1 - f(z) would be 0 for large z, where f(-z) still has all its digits.
        return slope * jax.nn.sigmoid(slope * z) * jax.nn.sigmoid(-slope * z)

    return function, derivative


def prelu(slope: float) -> tuple[Function, Function]:
    """z, and ``slope`` times z below 0, and its derivative."""

    def function(z: jax.Array) -> jax.Array:
        return jnp.where(z >= 0, z, slope * z)

    def derivative(z: jax.Array) -> jax.Array:
        return jnp.where(z >= 0, jnp.ones_like(z), jnp.full_like(z, slope))

    return function, derivative


def elu(alpha: float = 1.0) -> tuple[Function, Function]:
    """z, and ``alpha`` (exp z - 1) from 0 down, and its derivative."""

    def function(z: jax.Array) -> jax.Array:
        return jax.nn.elu(z, alpha)

    def derivative(z: jax.Array) -> jax.Array:
        return jnp.where(z > 0, jnp.ones_like(z), alpha * jnp.exp(jnp.minimum(z, 0)))

    return function, derivative


def _step(z: jax.Array) -> jax.Array:
    return jnp.where(z >= 0, jnp.ones_like(z), jnp.zeros_like(z))


def _softmax_jacobian(z: jax.Array) -> jax.Array:
    p = jax.nn.softmax(z, axis=-1)
    return p[..., :, None] * (jnp.eye(z.shape[-1], dtype=z.dtype) - p[..., None, :])


def _gelu_derivative(z: jax.Array) -> jax.Array:
    scale = jnp.asarray(0.7978845608028654, z.dtype)  # sqrt(2 / pi)
    t = jnp.tanh(scale * (z + 0.044715 * z**3))
    return 0.5 * (1 + t) + 0.5 * z * (1 - t * t) * scale * (1 + 3 * 0.044715 * z * z)


def _silu_derivative(z: jax.Array) -> jax.Array:
    s = jax.nn.sigmoid(z)
    return s * (1 + z * jax.nn.sigmoid(-z))


_PLAIN: dict[str, Activation] = {
    each.name: each
    for each in (
        Activation("identity", "z", "1", lambda z: z, jnp.ones_like),
        Activation(
            "step",
            "1 if z >= 0 else 0",
            "0",
            _step,
            jnp.zeros_like,
            "The derivative is 0 wherever there is one, and 0 is used at z = 0, where there is "
            "none: no gradient passes, and the layers before it are never trained.",
        ),
        Activation("tanh", "tanh z", "1 - tanh(z)^2", jnp.tanh, lambda z: 1 - jnp.tanh(z) ** 2),
        Activation("arctan", "arctan z", "1 / (1 + z^2)", jnp.arctan, lambda z: 1 / (1 + z * z)),
        Activation(
            "relu",
            "max(0, z)",
            "1 if z > 0 else 0",
            jax.nn.relu,
            lambda z: jnp.where(z > 0, jnp.ones_like(z), jnp.zeros_like(z)),
            "At z = 0 there is no derivative; 0 is used.",
        ),
        Activation(
            "softplus", "log(1 + exp z)", "1 / (1 + exp(-z))", jax.nn.softplus, jax.nn.sigmoid
        ),
        Activation(
            "softmax",
            "exp(z_i) / sum_j exp(z_j)",
            "Jacobian: p_i ([i = j] - p_j)",
            lambda z: jax.nn.softmax(z, axis=-1),
            _softmax_jacobian,
            "Along the last axis. Losses take the outputs before it: leave it off the last layer.",
        ),
        Activation(
            "gelu",
            "z/2 (1 + tanh(u)), u = sqrt(2/pi) (z + 0.044715 z^3)",
            "(1 + tanh(u))/2 + z/2 (1 - tanh(u)^2) u'",
            jax.nn.gelu,
            _gelu_derivative,
            "The form with tanh of Hendrycks and Gimpel 2016.",
        ),
        Activation(
            "silu", "z s(z), s the sigmoid", "s (1 + z (1 - s))", jax.nn.silu, _silu_derivative
        ),
    )
}

_FAMILIES: dict[str, _Family] = {
    family.known.name: family
    for family in (
        _Family(
            Activation(
                "sigmoid",
                "1 / (1 + exp(-a z))",
                "a f(z) (1 - f(z))",
                *sigmoid(),
                "The logistic function. A larger slope a comes closer to the step.",
                "a",
                1.0,
            ),
            sigmoid,
        ),
        _Family(
            Activation(
                "prelu",
                "z if z >= 0 else alpha z",
                "1 if z >= 0 else alpha",
                *prelu(0.25),
                "Without a number alpha is a parameter of each layer, trained from 0.25 on "
                "(He et al. 2015); prelu(0.1) keeps it. At z = 0 the derivative is taken as 1.",
                "alpha",
                0.25,
                learned=True,
            ),
            prelu,
        ),
        _Family(
            Activation(
                "elu",
                "z if z > 0 else alpha (exp(z) - 1)",
                "1 if z > 0 else alpha exp(z)",
                *elu(),
                "At z = 0 the derivative is taken as alpha; with alpha = 1 there is no kink.",
                "alpha",
                1.0,
            ),
            elu,
        ),
    )
}

_ORDER = (
    "identity",
    "step",
    "sigmoid",
    "tanh",
    "arctan",
    "relu",
    "prelu",
    "elu",
    "softplus",
    "softmax",
    "gelu",
    "silu",
)


def names() -> tuple[str, ...]:
    """The activations there are."""
    return _ORDER


def get(name: str) -> Activation:
    """The activation called ``name``, a number for its parameter in brackets where it takes one.

    Raises InputError for an unknown name, and for a number that is none or that it does not take.
    """
    if not isinstance(name, str):
        raise InputError(
            f"an activation is given by its name, got {type(name).__name__}",
            hint=f"one of {', '.join(_ORDER)}",
        )
    base, bracket, argument = name.partition("(")
    if base not in _ORDER:
        raise unknown("activation", name, _ORDER)
    known = _PLAIN[base] if base in _PLAIN else _FAMILIES[base].known
    if not bracket:
        return known
    if base not in _FAMILIES:
        taking = ", ".join(f"{each}(...)" for each in _FAMILIES)
        raise InputError(
            f"the activation {base!r} takes no number, got {name!r}",
            hint=f"write {base}; a number is taken by {taking}",
        )
    value = _number(base, known, argument)
    function, derivative = _FAMILIES[base].made(value)
    return replace(
        known, name=name, function=function, derivative=derivative, default=value, learned=False
    )


def _number(base: str, known: Activation, argument: str) -> float:
    hint = f"write it like {base}({known.default})"
    try:
        value = float(argument.removesuffix(")")) if argument.endswith(")") else float("nan")
    except ValueError:
        value = float("nan")
    positive = base == "sigmoid"
    if not (abs(value) < float("inf")) or (value <= 0 if positive else value < 0):
        bound = "above 0" if positive else "of 0 or more"
        raise InputError(
            f"the activation {base!r} needs a number {bound} for {known.parameter}, "
            f"got {base}({argument}",
            hint=hint,
        )
    return value
