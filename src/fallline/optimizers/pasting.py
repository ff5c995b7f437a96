"""Code to paste: an entry at its settings, as a framework's user writes it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from fallline.errors import unknown
from fallline.optimizers.dialects import Argument, Dialect, Fixed, Static, names
from fallline.optimizers.spec import Optimizer

OURS = "fallline"
TARGETS = ("torch", "keras", "optax", OURS)
_VARIABLE = {"torch": "optimizer", "keras": "optimizer", "optax": "tx"}
_MODELS = {"torch": "model.parameters()"}
WIDTH = 88
"""Characters of a line of code, above which its arguments get lines of their own."""


def code(
    optimizer: Optimizer,
    target: str,
    hyperparameters: Mapping[str, float] | None = None,
    options: Mapping[str, Static] | None = None,
) -> str:
    """Lines that make ``optimizer`` at these settings in ``target``, one of :data:`TARGETS`.

    Every value is written out, since defaults differ. What the framework does otherwise is said in
    comments above; an ``InputError`` where it lacks the entry.
    """
    if target not in TARGETS:
        raise unknown("framework to write code for", target, TARGETS)
    values = optimizer.complete(hyperparameters or {})
    chosen = optimizer.options_for(values, options)
    if target == OURS:
        return _ours(optimizer, values, chosen)
    dialect = optimizer.dialect(target, chosen)
    package = dialect.call.partition(".")[0]
    lines = [f"# {each}" for each in _warnings(optimizer, dialect, values, chosen)]
    if package != target:
        lines.append(f"# pip install {package}")
    given = [*filter(None, [_MODELS.get(target)])]
    given += [
        f"{name}={_written(argument, {**values, **chosen})}"
        for name, argument in dialect.arguments.items()
    ]
    made = _called(f"{_VARIABLE[target]} = {dialect.call}", given)
    return "\n".join([*lines, f"import {package}", "", made])


def _ours(optimizer: Optimizer, values: Mapping[str, float], chosen: Mapping[str, Static]) -> str:
    settings = [f"{_literal(name)}: {_literal(value)}" for name, value in values.items()]
    forms = [
        f"{name}={_literal(value)}"
        for name, value in chosen.items()
        if value != optimizer.option_defaults[name]
    ]
    made = _called(
        f"tx = optimizers.get({_literal(optimizer.name)}).transformation",
        [_called("", settings, "{}"), *forms],
    )
    lines = ["# an Optax transformation", "from fallline import optimizers", "", made]
    if optimizer.needs:
        asked = ", ".join(f"{name}=..." for name in sorted(optimizer.needs))
        lines.append(f"# updates, state = tx.update(grads, state, params, {asked})")
    return "\n".join(lines)


def _called(before: str, arguments: list[str], marks: str = "()") -> str:
    """A call in one line, or with a line for each argument where that is too long."""
    line = f"{before}{marks[0]}{', '.join(arguments)}{marks[1]}"
    if len(line) <= WIDTH or not arguments:
        return line
    indented = ("    " + each.replace("\n", "\n    ") + "," for each in arguments)
    return "\n".join([f"{before}{marks[0]}", *indented, marks[1]])


def _warnings(
    optimizer: Optimizer,
    dialect: Dialect,
    values: Mapping[str, float],
    chosen: Mapping[str, Static],
) -> list[str]:
    """What of these settings the framework's form does not have."""
    found = [dialect.differs] if dialect.differs else []
    instead = dialect.contradictions(optimizer.option_defaults, chosen)
    for name, has in instead.items():
        found.append(f"{dialect.call} has {name}={has!r}; asked was {chosen[name]!r}")
    passed = {each for argument in dialect.arguments.values() for each in names(argument)}
    for each in optimizer.hyperparameters:
        there = dialect.defaults.get(each.name, each.default)
        dormant = each.only_with and chosen[each.only_with[0]] not in each.only_with[1]
        if each.name not in passed and not dormant and values[each.name] != there:
            found.append(
                f"{dialect.call} has {each.name}={there:g}; asked was {values[each.name]:g}"
            )
    return found


def _written(argument: Argument, settings: Mapping[str, Any]) -> str:
    if isinstance(argument, Fixed):
        return _literal(argument.value)
    if isinstance(argument, str):
        return _literal(settings[argument])
    return f"({', '.join(_literal(settings[name]) for name in argument)})"


def _literal(value: Any) -> str:
    """As Python has it, texts between double quotes."""
    return json.dumps(value) if isinstance(value, str) else repr(value)


def missing(optimizer: Optimizer) -> tuple[str, ...]:
    """The frameworks that lack the entry."""
    having = {each.framework for each in optimizer.dialects}
    return tuple(target for target in TARGETS if target != OURS and target not in having)
