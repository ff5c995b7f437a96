"""Pages from templates: every name is escaped, a misspelled one fails, data cannot end a script."""

from __future__ import annotations

import json
import math
from functools import cache
from typing import TYPE_CHECKING, Any

from fallline.report.tables import plain

if TYPE_CHECKING:
    from jinja2 import Environment


def page(name: str, **content: Any) -> str:
    """The template ``name`` of this folder, filled."""
    return _environment().get_template(name).render(**content)


@cache
def _environment() -> Environment:
    # StrictUndefined: a misspelled name in the template fails instead of printing nothing.
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("fallline", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["key"] = key
    return environment


def key(value: float) -> str:
    """A number as `sorting.js.jinja` reads it; nothing for one that is not finite."""
    return repr(float(value)) if math.isfinite(value) else ""


def for_script(content: Any) -> str:
    """``content`` as JSON that cannot end the script element that it stands in."""
    text = json.dumps(plain(content), allow_nan=False, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text
