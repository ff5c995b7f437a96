"""How a command ends that has trained studies."""

from __future__ import annotations

from typing import Any

import typer

SOME_FAILED = 3
"""The exit code where an optimizer could not be trained."""


def end(found: Any) -> None:
    """End with the exit code that says so where runs of a study, suite or series failed."""
    if found.failed:
        raise typer.Exit(SOME_FAILED)
