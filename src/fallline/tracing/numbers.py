"""How a number is written in a formula: as it was given, or with five decimals."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

DECIMALS = 5
"""As in the example worked by hand that the default network repeats."""


def written(value: float) -> str:
    """A number in a formula: short where five decimals are exact, else rounded to them."""
    text = fixed(value)
    if "e" not in text and float(text) == value:
        text = text.rstrip("0").rstrip(".")
    return text


def fixed(value: float) -> str:
    """A result: five decimals, or powers of ten where those would hide it."""
    size = abs(value)
    if value != 0 and (size < 10.0 ** (1 - DECIMALS) or size >= 1e6):
        return f"{value:.4e}"
    return f"{value + 0.0:.{DECIMALS}f}"


def factor(value: float) -> str:
    """A number that a sign stands before: negative ones in brackets."""
    text = written(value)
    return f"({text})" if text.startswith("-") else text


def products(pairs: Iterable[tuple[float, float]], *, more: Sequence[float] = ()) -> str:
    """A sum of products and of further terms, in numbers."""
    signs = itertools.chain([written], itertools.repeat(factor))
    terms = [
        f"{first(left)} × {factor(right)}"
        for first, (left, right) in zip(signs, pairs, strict=False)
    ]
    return " + ".join([*terms, *map(factor, more)])
