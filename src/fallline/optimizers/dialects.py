"""An optimizer as a framework has it: defaults, form, and the line of code that makes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from fallline.errors import unknown

Static = bool | str | int | None
"""The types of a static option's value."""

FRAMEWORKS = ("paper", "torch", "keras", "optax")
_IMPORTS = {"torch": "torch", "keras": "keras", "optax": "optax"}
_PARAMETERS = {"torch": "model.parameters(), "}
_VARIABLE = {"torch": "optimizer", "keras": "optimizer", "optax": "tx"}
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
        passed = {name for each in self.arguments.values() for name in _names(each)}
        return {
            name: has[name]
            for name, value in asked.items()
            if name not in passed and value != has[name]
        }


def known_framework(name: str) -> None:
    """An :class:`InputError` with near matches unless ``name`` is a framework."""
    if name not in FRAMEWORKS:
        raise unknown("framework", name, FRAMEWORKS)


def _names(argument: Argument) -> tuple[str, ...]:
    if isinstance(argument, Fixed):
        return ()
    return (argument,) if isinstance(argument, str) else argument


def pasted(dialect: Dialect, settings: Mapping[str, Any]) -> str:
    """Code that makes the optimizer in its framework, with every argument written out.

    ``settings``: hyper-parameters and options of ours by name.
    """
    arguments = ", ".join(
        f"{name}={_written(argument, settings)}" for name, argument in dialect.arguments.items()
    )
    package = dialect.call.partition(".")[0]
    lines = [f"import {package}", ""]
    before = _PARAMETERS.get(dialect.framework, "")
    lines.append(f"{_VARIABLE[dialect.framework]} = {dialect.call}({before}{arguments})")
    if package != _IMPORTS[dialect.framework]:
        lines.insert(0, f"# pip install {package}")
    return "\n".join(lines)


def _written(argument: Argument, settings: Mapping[str, Any]) -> str:
    if isinstance(argument, Fixed):
        return repr(argument.value)
    if isinstance(argument, str):
        return repr(settings[argument])
    return f"({', '.join(repr(settings[name]) for name in argument)})"
