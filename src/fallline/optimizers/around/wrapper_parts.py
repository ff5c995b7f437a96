"""What the sheets of the wrappers share: the forms that others have."""

from __future__ import annotations

from typing import Any

from fallline.optimizers.dialects import Dialect


def peer(framework: str, call: str, form: str, differs: str = "", **other: Any) -> Dialect:
    """A framework's form."""
    return Dialect(framework=framework, call=call, form=form, differs=differs, **other)


def paper(form: str, differs: str = "", **other: Any) -> Dialect:
    """The form of its publication."""
    return Dialect(framework="paper", form=form, differs=differs, **other)
