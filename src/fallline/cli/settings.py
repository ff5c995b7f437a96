"""An optimizer's settings as they are written on the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fallline.optimizers import Optimizer


def numbers(given: list[str]) -> dict[str, float]:
    """Hyper-parameters as they were written: NAME=VALUE with a number."""
    from fallline.errors import InputError

    settings = {}
    for text in given:
        name, equals, value = text.partition("=")
        try:
            settings[name.strip().replace("-", "_")] = float(value)
        except ValueError:
            equals = ""
        if not equals:
            raise InputError(
                f"--set takes NAME=VALUE with a number, got {text!r}",
                hint="for example --set momentum=0.95",
            )
    return settings


def choices(given: list[str], optimizer: Optimizer) -> dict[str, Any]:
    """The optimizer's static options as they were written, each one of its choices."""
    from fallline.errors import InputError
    from fallline.optimizers.settings import whole

    known = {
        each.name: {str(value).lower(): value for value in each.choices}
        for each in optimizer.options
    }
    forms = {}
    for text in given:
        name, _, value = text.partition("=")
        name = name.strip().replace("-", "_")
        allowed = known.get(name, {})
        # A number without choices of its own, or an unknown name, is for the optimizer to judge.
        word = value.strip().lower()
        forms[name] = allowed.get(word, whole(word) if word.isdigit() else value.strip())
        if not value:
            raise InputError(f"--option takes NAME=VALUE, got {text!r}")
    return forms
