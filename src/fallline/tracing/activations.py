"""Activations and their derivatives in NumPy, float64, with their formulas in numbers.

They are written apart from those that networks are trained with, so that each can be held to the
other. Every function takes arrays of any shape and works number by number, except softmax, which
works along the last axis and whose derivative is a matrix: it has no ``slope``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fallline.errors import InputError, unknown
from fallline.tracing.numbers import factor, written

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Activation:
    """A function g from a neuron's sum z to its activation a, with g'(z)."""

    name: str
    equation: str
    value: Callable[[Array], Array] = field(repr=False)
    slope: Callable[[Array, Array], Array] | None = field(repr=False)
    """g' from z and a = g(z); None for softmax, whose activations hang together."""
    value_in_numbers: Callable[[float], str] = field(repr=False)
    slope_in_numbers: Callable[[float, float], str] = field(repr=False)
    parameter: float | None = None
    kink: bool = False
    """True where g or g' jumps at z = 0, so that g'(0) is a convention."""

    @property
    def family(self) -> str:
        """The name without a parameter."""
        return self.name.partition("(")[0]


def _sigmoid(a: float) -> Activation:
    def value(z: Array) -> Array:
        # Both branches keep the exponent negative: nothing overflows.
        small = np.exp(-np.abs(a * z))
        return np.where(z >= 0, 1 / (1 + small), small / (1 + small))

    first = "" if a == 1 else f"{written(a)} × "

    def in_numbers(z: float) -> str:
        power = factor(z) if a == 1 else f"({written(a)} × {factor(z)})"
        return f"1 / (1 + e^-{power})"

    return Activation(
        "sigmoid" if a == 1 else f"sigmoid({a:g})",
        "1 / (1 + e^(-a z))",
        value,
        lambda z, g: a * g * (1 - g),
        in_numbers,
        lambda z, g: f"{first}{written(g)} × (1 - {written(g)})",
        parameter=a,
    )


def _prelu(alpha: float) -> Activation:
    return Activation(
        f"prelu({alpha:g})",
        "z if z >= 0 else alpha z",
        lambda z: np.where(z >= 0, z, alpha * z),
        lambda z, g: np.where(z >= 0, 1.0, alpha),
        lambda z: written(z) if z >= 0 else f"{written(alpha)} × {factor(z)}",
        lambda z, g: "z >= 0: 1" if z >= 0 else f"z < 0: {written(alpha)}",
        parameter=alpha,
        kink=alpha != 1,
    )


def _elu(alpha: float) -> Activation:
    first = "" if alpha == 1 else f"{written(alpha)} × "
    return Activation(
        "elu" if alpha == 1 else f"elu({alpha:g})",
        "z if z > 0 else alpha (e^z - 1)",
        lambda z: np.where(z > 0, z, alpha * np.expm1(np.minimum(z, 0))),
        lambda z, g: np.where(z > 0, 1.0, alpha * np.exp(np.minimum(z, 0))),
        lambda z: written(z) if z > 0 else f"{first}(e^{written(z)} - 1)",
        lambda z, g: "z > 0: 1" if z > 0 else f"{first}e^{written(z)}",
        parameter=alpha,
        kink=alpha != 1,
    )


def _softmax(z: Array) -> Array:
    powers = np.exp(z - z.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


_PLAIN: dict[str, Activation] = {
    each.name: each
    for each in (
        Activation(
            "identity",
            "z",
            lambda z: z.copy(),
            lambda z, g: np.ones_like(z),
            written,
            lambda z, g: "1",
        ),
        Activation(
            "step",
            "1 if z >= 0 else 0",
            lambda z: np.where(z >= 0, 1.0, 0.0),
            lambda z, g: np.zeros_like(z),
            lambda z: "z >= 0: 1" if z >= 0 else "z < 0: 0",
            lambda z, g: "flat: 0",
            kink=True,
        ),
        Activation(
            "tanh",
            "tanh(z)",
            np.tanh,
            lambda z, g: 1 - g * g,
            lambda z: f"tanh({written(z)})",
            lambda z, g: f"1 - {factor(g)}²",
        ),
        Activation(
            "arctan",
            "arctan(z)",
            np.arctan,
            lambda z, g: 1 / (1 + z * z),
            lambda z: f"arctan({written(z)})",
            lambda z, g: f"1 / (1 + {factor(z)}²)",
        ),
        Activation(
            "relu",
            "max(0, z)",
            lambda z: np.maximum(z, 0.0),
            lambda z, g: np.where(z > 0, 1.0, 0.0),
            lambda z: f"max(0, {written(z)})",
            lambda z, g: "z > 0: 1" if z > 0 else "z <= 0: 0",
            kink=True,
        ),
        Activation(
            "softplus",
            "ln(1 + e^z)",
            lambda z: np.logaddexp(0.0, z),
            lambda z, g: _sigmoid(1.0).value(z),
            lambda z: f"ln(1 + e^{written(z)})",
            lambda z, g: f"1 / (1 + e^-{factor(z)})",
        ),
        Activation(
            "softmax",
            "e^z_j / sum of e^z_k",
            _softmax,
            None,
            lambda z: f"e^{written(z)} / sum of e^z",
            lambda z, g: "",
        ),
    )
}

_WITH_PARAMETER: dict[str, tuple[Callable[[float], Activation], float, float]] = {
    # The maker, the parameter where none is given, and the least that it may be.
    "sigmoid": (_sigmoid, 1.0, 1e-6),
    "prelu": (_prelu, 0.25, 0.0),
    "elu": (_elu, 1.0, 0.0),
}

_ALSO = {"logistic": "sigmoid", "linear": "identity", "binary_step": "step"}


def names() -> tuple[str, ...]:
    """The activations there are."""
    return tuple(sorted([*_PLAIN, *_WITH_PARAMETER]))


def get(name: str) -> Activation:
    """The activation called ``name``; a number in brackets is its parameter, as in sigmoid(2).

    That is the slope a of a sigmoid (1), the slope of a PReLU below zero (0.25), and the limit
    of an ELU (1). Raises InputError for an unknown name or a number that is not allowed.
    """
    if not isinstance(name, str):
        raise InputError(
            f"an activation is given by its name, got {name!r}", hint=f"one of {', '.join(names())}"
        )
    base, bracket, rest = name.strip().partition("(")
    base = base.strip().lower().replace("-", "_")
    base = _ALSO.get(base, base)
    if base in _PLAIN and not bracket:
        return _PLAIN[base]
    if base not in _WITH_PARAMETER:
        if base in _PLAIN:
            takers = ", ".join(_WITH_PARAMETER)
            raise InputError(
                f"activation {base!r} takes no parameter, got {name!r}",
                hint=f"write {base}; with a parameter there are {takers}",
            )
        raise unknown("activation", base, [*names(), *_ALSO])
    make, default, least = _WITH_PARAMETER[base]
    return make(_parameter(name, base, rest, least) if bracket else default)


def _parameter(name: str, base: str, rest: str, least: float) -> float:
    try:
        value = float(rest.removesuffix(")"))
    except ValueError:
        value = np.nan
    if not rest.endswith(")") or not np.isfinite(value) or value < least:
        bound = "above 0" if least else "0 or more"
        raise InputError(
            f"activation {name!r}: the parameter of {base} is a number {bound}",
            hint=f"write it like {base}(0.5)",
        )
    return value
