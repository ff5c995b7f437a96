"""Losses of one example in NumPy, float64, with derivatives and their formulas in numbers.

Outputs and targets have the shape ``(examples, outputs)``; a value has the shape ``(examples,)``.
Cross-entropies are computed from the sums z of the output layer, times the sigmoid's slope: that
stays exact where a probability rounds to 0 or 1. Their derivative with respect to z is then simply
output - target.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from fallline.errors import InputError, unknown
from fallline.tracing.activations import Array
from fallline.tracing.numbers import factor, written


@dataclass(frozen=True)
class Loss:
    """A loss by name. Exactly one of ``slope`` (dL/da) and ``joined`` is there."""

    name: str
    equation: str
    value: Callable[[Array, Array, Array], Array] = field(repr=False)
    """From outputs, scaled sums of the output layer, and targets; one figure per example."""
    value_in_numbers: Callable[[Array, Array], str] = field(repr=False)
    """From one example's outputs and targets."""
    slope: Callable[[Array, Array], Array] | None = field(default=None, repr=False)
    slope_in_numbers: Callable[[float, float, int], str] = field(
        default=lambda a, y, k: "", repr=False
    )
    """From one output, its target and the number of outputs."""
    joined: Callable[[Array, Array], Array] | None = field(default=None, repr=False)
    """dL/d(scaled z) of the output layer, where the activation that ``output`` names is part."""
    output: str | None = None
    shared: bool = True
    """True where the loss is a mean over the outputs."""
    kink: float | None = None
    """The size of output - target at which the derivative jumps."""


def _difference(a: float, y: float) -> str:
    return f"({written(a)} - {factor(y)})"


def _over(text: str, k: int) -> str:
    return text if k == 1 else f"{text} / {k}"


def _mean_of(term: Callable[[float, float], str]) -> Callable[[Array, Array], str]:
    def in_numbers(a: Array, y: Array) -> str:
        terms = " + ".join(map(term, a.tolist(), y.tolist()))
        return terms if len(a) == 1 else f"({terms}) / {len(a)}"

    return in_numbers


def _huber(delta: float) -> Loss:
    def value(a: Array, z: Array, y: Array) -> Array:
        size = np.abs(a - y)
        inside = np.minimum(size, delta)
        return np.mean(inside * (size - inside / 2), axis=-1)

    def term(a: float, y: float) -> str:
        size = abs(a - y)
        if size <= delta:
            return f"{_difference(a, y)}² / 2"
        return f"{written(delta)} × ({written(size)} - {written(delta)} / 2)"

    def slope_in_numbers(a: float, y: float, k: int) -> str:
        if abs(a - y) <= delta:
            return _over(_difference(a, y), k)
        return _over(f"{written(delta)} × sign{_difference(a, y)}", k)

    return Loss(
        "huber" if delta == 1 else f"huber({delta:g})",
        "mean of r²/2 if |r| <= delta else delta (|r| - delta/2), r = a - y",
        value,
        _mean_of(term),
        lambda a, y: np.clip(a - y, -delta, delta) / a.shape[-1],
        slope_in_numbers,
    )


def _entropy_in_numbers(a: Array, y: Array) -> str:
    terms = [
        f"ln {written(p)}" if goal == 1 else f"{written(goal)} × ln {written(p)}"
        for p, goal in zip(a.tolist(), y.tolist(), strict=True)
        if goal != 0
    ]
    return f"-{terms[0]}" if len(terms) == 1 else f"-({' + '.join(terms)})"


def _binary_term(p: float, goal: float) -> str:
    if goal in (0, 1):
        return f"-ln {written(p)}" if goal else f"-ln(1 - {written(p)})"
    other = f"(1 - {written(goal)}) × ln(1 - {written(p)})"
    return f"-({written(goal)} × ln {written(p)} + {other})"


_LOSSES: dict[str, Loss] = {
    each.name: each
    for each in (
        Loss(
            "squared",
            "mean of (a - y)²",
            lambda a, z, y: np.mean((a - y) ** 2, axis=-1),
            _mean_of(lambda a, y: f"{_difference(a, y)}²"),
            lambda a, y: 2 * (a - y) / a.shape[-1],
            lambda a, y, k: _over(f"2 × {_difference(a, y)}", k),
        ),
        Loss(
            "half_squared",
            "sum of (a - y)² / 2",
            lambda a, z, y: np.sum((a - y) ** 2, axis=-1) / 2,
            lambda a, y: (
                f"({' + '.join(f'{_difference(*each)}²' for each in zip(a, y, strict=True))}) / 2"
            ),
            lambda a, y: a - y,
            lambda a, y, k: f"{written(a)} - {factor(y)}",
            shared=False,
        ),
        Loss(
            "mae",
            "mean of |a - y|",
            lambda a, z, y: np.mean(np.abs(a - y), axis=-1),
            _mean_of(lambda a, y: f"|{written(a)} - {factor(y)}|"),
            lambda a, y: np.sign(a - y) / a.shape[-1],
            lambda a, y, k: _over(f"sign{_difference(a, y)}", k),
            kink=0.0,
        ),
        _huber(1.0),
        Loss(
            "binary_cross_entropy",
            "mean of -(y ln a + (1 - y) ln(1 - a))",
            lambda a, z, y: np.mean(np.logaddexp(0.0, z) - y * z, axis=-1),
            _mean_of(_binary_term),
            joined=lambda a, y: (a - y) / a.shape[-1],
            output="sigmoid",
        ),
        Loss(
            "cross_entropy",
            "-sum of y ln a",
            lambda a, z, y: np.logaddexp.reduce(z, axis=-1) - np.sum(y * z, axis=-1),
            _entropy_in_numbers,
            joined=lambda a, y: a - y,
            output="softmax",
            shared=False,
        ),
    )
}

_ALSO = {
    "mse": "squared",
    "squared_error": "squared",
    "sigmoid_cross_entropy": "binary_cross_entropy",
    "softmax_cross_entropy": "cross_entropy",
    "categorical_cross_entropy": "cross_entropy",
    "absolute_error": "mae",
}


def names() -> tuple[str, ...]:
    """The losses there are."""
    return tuple(_LOSSES)


def get(name: str) -> Loss:
    """The loss called ``name``; ``huber(0.5)`` is the Huber loss with that delta.

    Raises InputError for an unknown name or a delta that is not above 0.
    """
    if not isinstance(name, str):
        raise InputError(
            f"a loss is given by its name, got {name!r}", hint=f"one of {', '.join(names())}"
        )
    base, bracket, rest = name.strip().partition("(")
    base = base.strip().lower().replace("-", "_")
    base = _ALSO.get(base, base)
    if base not in _LOSSES:
        raise unknown("loss", base, [*_LOSSES, *_ALSO])
    if not bracket:
        return _LOSSES[base]
    try:
        delta = float(rest.removesuffix(")"))
    except ValueError:
        delta = np.nan
    if base != "huber" or not rest.endswith(")") or not (0 < delta < np.inf):
        raise InputError(
            f"loss {name!r}: a parameter is huber's delta, a number above 0",
            hint="write it like huber(0.5), or the loss without brackets",
        )
    return _huber(delta)
