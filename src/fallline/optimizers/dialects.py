"""An optimizer as a framework has it: where it is, its arguments, its defaults, its form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from fallline.errors import unknown

Static = bool | str | int | None
"""The types of a static option's value."""

FRAMEWORKS = ("paper", "torch", "keras", "optax")
_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Fixed:
    """A value that a framework's call is always given."""

    value: Any


Argument = str | tuple[str, ...] | Fixed
"""What an argument of a framework is made of: a hyper-parameter or option of ours, several of
them as a tuple, or a value of its own."""


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """One framework's (or the paper's) form of an entry.

    ``defaults`` and ``options`` hold what differs from the entry's own defaults; a hyper-parameter
    that the framework's user must always choose keeps the entry's.
    """

    framework: str
    """One of :data:`FRAMEWORKS`."""
    call: str = ""
    """Where it is: ``"torch.optim.Adam"``; of a further package ``"pytorch_optimizer.Lion"``.
    Empty for the paper."""
    arguments: Mapping[str, Argument] = field(default_factory=lambda: _NOTHING)
    """Its arguments in order, each with what of ours it takes."""
    defaults: Mapping[str, float] = field(default_factory=lambda: _NOTHING)
    options: Mapping[str, Static] = field(default_factory=lambda: _NOTHING)
    form: str = ""
    """How its form reads beside the others: epsilon's place, bias correction, momentum, decay."""
    differs: str = ""
    """What no setting of the entry reproduces; empty where it is the same to rounding."""

    def contradictions(
        self, defaults: Mapping[str, Static], asked: Mapping[str, Static]
    ) -> dict[str, Static]:
        """The options ``asked`` for that this form does not have, with what it has instead."""
        has = {**defaults, **self.options}
        passed = {name for each in self.arguments.values() for name in names(each)}
        return {
            name: has[name]
            for name, value in asked.items()
            if name not in passed and value != has[name]
        }


def known_framework(name: str) -> None:
    """An :class:`InputError` with near matches unless ``name`` is a framework."""
    if name not in FRAMEWORKS:
        raise unknown("framework", name, FRAMEWORKS)


def names(argument: Argument) -> tuple[str, ...]:
    """The hyper-parameters and options of ours that an argument is made of."""
    if isinstance(argument, Fixed):
        return ()
    return (argument,) if isinstance(argument, str) else argument
