"""What can go wrong with what a user gave: the value received, and how to mend it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class FalllineError(Exception):
    """Base of the errors that are a user's to mend.

    ``str(error)`` is what was wrong with the value received; ``error.hint`` is how to mend it.
    """

    exit_code = 2

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class InputError(FalllineError):
    """An unknown name, or a value that an option or argument does not take."""


class DataError(FalllineError):
    """Data that is missing, damaged, or not of the expected form."""


class StudyError(FalllineError):
    """A study's folder that cannot be written, read or continued."""


class ResourceError(FalllineError):
    """What was asked does not fit into this machine's memory."""


def near_matches(name: str, choices: Iterable[str], *, count: int = 3) -> list[str]:
    """The ``count`` choices spelled most like ``name``, best first (case ignored)."""
    by_lower = {choice.lower(): choice for choice in choices}
    close = difflib.get_close_matches(name.lower(), list(by_lower), n=count, cutoff=0.55)
    return [by_lower[match] for match in close]


def unknown(
    kind: str, name: str, choices: Iterable[str], *, listed_by: str | None = None
) -> InputError:
    """The error for a name that is not among ``choices``, with the nearest ones.

    ``listed_by`` is the command that lists the choices, for example ``fallline tasks``; without
    it the hint names them all.
    """
    choices = list(choices)
    near = near_matches(name, choices)
    asked = f"did you mean {' or '.join(repr(match) for match in near)}? " if near else ""
    there = f"'{listed_by}' lists them all" if listed_by else f"there are {', '.join(choices)}"
    return InputError(f"unknown {kind} {name!r}", hint=f"{asked}{there}")
