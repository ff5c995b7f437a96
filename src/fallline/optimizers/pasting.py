"""Code to paste: an entry at its settings, as a framework's user writes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fallline import snippets
from fallline.errors import unknown
from fallline.optimizers import catalogue
from fallline.optimizers.dialects import Argument, Dialect, Fixed, Static, names
from fallline.optimizers.settings import CLOSED_BY, parted
from fallline.optimizers.spec import Optimizer
from fallline.snippets import OURS, Snippet, literal

TARGETS = ("torch", "keras", "optax", OURS)
_VARIABLE = {"torch": "optimizer", "keras": "optimizer", "optax": "tx"}
_MODELS = {"torch": "model.parameters()"}


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
    values = optimizer.complete(hyperparameters or {})
    return snippets.fill(snippet(optimizer, target, optimizer.options_for(values, options)), values)


def snippet(optimizer: Optimizer, target: str, chosen: Mapping[str, Static]) -> Snippet:
    """The code of ``optimizer`` in ``target`` with these options, its numbers left open.

    An ``InputError`` where the framework lacks the entry.
    """
    if target not in TARGETS:
        raise unknown("framework to write code for", target, TARGETS)
    if target == OURS:
        return _ours(optimizer, chosen)
    plain = _plain(optimizer)
    dialect = plain.dialect(target, chosen)
    package = dialect.call.partition(".")[0]
    return Snippet(
        imports=f"import {package}",
        call=f"{_VARIABLE[target]} = {dialect.call}",
        arguments=(
            *filter(None, [_MODELS.get(target)]),
            *(
                f"{name}={_written(argument, plain, chosen)}"
                for name, argument in dialect.arguments.items()
            ),
        ),
        comments=tuple(_differences(plain, dialect, chosen)),
        above=() if package == target else (f"pip install {package}",),
        held=_held(plain, dialect, chosen),
    )


def every_snippet(optimizer: Optimizer) -> dict[str, Snippet]:
    """By target, for those that have the entry, with the entry's own options."""
    lacking = missing(optimizer)
    chosen = optimizer.option_defaults
    return {
        target: snippet(optimizer, target, chosen) for target in TARGETS if target not in lacking
    }


def missing(optimizer: Optimizer) -> tuple[str, ...]:
    """The frameworks that lack the entry."""
    having = {each.framework for each in _plain(optimizer).dialects}
    return tuple(target for target in TARGETS if target != OURS and target not in having)


def _plain(optimizer: Optimizer) -> Optimizer:
    """The entry whose forms frameworks have: without the settings that stand in a name."""
    if not optimizer.name.endswith(CLOSED_BY):
        return optimizer
    return catalogue.get(parted(optimizer.name)[0])


def _ours(optimizer: Optimizer, chosen: Mapping[str, Static]) -> Snippet:
    forms = [
        f"{name}={literal(value)}"
        for name, value in chosen.items()
        if value != optimizer.option_defaults[name]
    ]
    below = []
    if optimizer.needs:
        asked = ", ".join(f"{name}=..." for name in sorted(optimizer.needs))
        below.append(f"updates, state = tx.update(grads, state, params, {asked})")
    if optimizer.evaluated is not None:
        entry = f"optimizers.get({literal(optimizer.name)})"
        below.append(f"to judge and to keep: {entry}.evaluation_params({{...}}, params, state)")
    return snippets.of_ours(optimizer.name, list(optimizer.defaults), forms, below=below)


def _differences(optimizer: Optimizer, dialect: Dialect, chosen: Mapping[str, Static]) -> list[str]:
    """What of these options the framework's form does not have."""
    found = [dialect.differs] if dialect.differs else []
    instead = dialect.contradictions(optimizer.option_defaults, chosen)
    meanings = {each.name: each.meaning for each in optimizer.options}
    for name, has in instead.items():
        said = f"{dialect.call} has {name}={has!r}; asked was {chosen[name]!r}"
        found.append(f"{said}: {meanings[name]}")
    return found


def _held(optimizer: Optimizer, dialect: Dialect, chosen: Mapping[str, Static]) -> dict[str, float]:
    """The hyper-parameters in effect that the framework's call does not take, at its values."""
    passed = {each for argument in dialect.arguments.values() for each in names(argument)}
    return {
        each.name: dialect.defaults.get(each.name, each.default)
        for each in optimizer.hyperparameters
        if each.name not in passed
        and not (each.only_with and chosen[each.only_with[0]] not in each.only_with[1])
    }


def _written(argument: Argument, optimizer: Optimizer, chosen: Mapping[str, Static]) -> str:
    def place(name: str) -> Any:
        return f"{{{name}}}" if name in optimizer.defaults else literal(chosen[name])

    if isinstance(argument, Fixed):
        return literal(argument.value)
    if isinstance(argument, str):
        return place(argument)
    return f"({', '.join(place(name) for name in argument)})"
