"""Settings in an optimizer's name: ``adam(learning_rate=0.01, beta_1=0.8)`` is another default."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from fallline.errors import InputError
from fallline.optimizers.spec import Optimizer, Option

OPENED_BY = "("
CLOSED_BY = ")"


def listed(text: str) -> list[str]:
    """The parts of ``text`` between commas, those inside of parentheses left whole."""
    parts, depth = [""], 0
    for character in text:
        depth += (character == OPENED_BY) - (character == CLOSED_BY)
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts if part.strip()]


def parted(name: str) -> tuple[str, dict[str, str]]:
    """A name that ends with its settings, as the name before them and what they set, as text."""
    base, _, inside = name[: -len(CLOSED_BY)].rpartition(OPENED_BY)
    settings: dict[str, str] = {}
    for part in listed(inside):
        key, equals, text = part.partition("=")
        if not (equals and key.strip() and text.strip()):
            raise InputError(
                f"{part!r} in {name!r} is no setting", hint="write it like adam(learning_rate=0.01)"
            )
        if key.strip() in settings:
            raise InputError(f"{key.strip()} is set twice in {name!r}", hint="set it once")
        settings[key.strip()] = text.strip()
    if not settings:
        raise InputError(f"{name!r} sets nothing", hint=f"write {base!r} alone")
    return base, settings


def with_settings(entry: Optimizer, settings: Mapping[str, str]) -> Optimizer:
    """``entry`` with other defaults, numbers and options alike, named after what is set.

    Checked as :meth:`Optimizer.complete` and :meth:`Optimizer.options_for` check them. It has no
    dialects: pasted code is the plain entry's, at these settings.
    """
    options = {each.name: each for each in entry.options}
    forms = {name: _form(options[name], text) for name, text in settings.items() if name in options}
    numbers = {name: _number(text) for name, text in settings.items() if name not in options}
    values = entry.complete(numbers)
    chosen = entry.options_for(values, forms)
    given = {**numbers, **forms}
    written = ", ".join(f"{name}={_text(given[name])}" for name in settings)
    return replace(
        entry,
        name=f"{entry.name}{OPENED_BY}{written}{CLOSED_BY}",
        title=f"{entry.title} ({written})",
        hyperparameters=tuple(
            replace(each, default=values[each.name]) for each in entry.hyperparameters
        ),
        options=tuple(replace(each, default=chosen[each.name]) for each in entry.options),
        groups=frozenset(),
        dialects=(),
    )


def _form(option: Option, text: str) -> Any:
    """The choice of an option that is written so; what is none is for the option to judge."""
    choices = {str(choice).lower(): choice for choice in option.choices}
    return choices.get(text.lower(), whole(text))


def whole(text: str) -> int | str:
    """The whole number that a text writes, or the text."""
    return int(text) if re.fullmatch("[0-9]{1,18}", text) else text


def _number(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return text


def _text(value: Any) -> str:
    if isinstance(value, float):
        return repr(value) if value != int(value) or abs(value) > 1e6 else f"{value:g}"
    return str(value).lower() if isinstance(value, bool | None) else str(value)
