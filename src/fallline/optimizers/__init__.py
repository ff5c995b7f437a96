"""The catalogue of optimizers: what each does, what it needs, and the Optax rule itself."""

from __future__ import annotations

from fallline.optimizers import adam, adaptive, classic, line_search, schedules
from fallline.optimizers.catalogue import (
    get,
    groups,
    names,
    register,
    register_wrapper,
    resolve,
    wrappers,
)
from fallline.optimizers.dialects import Dialect, Fixed
from fallline.optimizers.spec import Citation, HyperParameter, Optimizer, Option
from fallline.optimizers.wrapping import Inner, Wrapper

__all__ = [
    "Citation",
    "Dialect",
    "Fixed",
    "HyperParameter",
    "Inner",
    "Optimizer",
    "Option",
    "Wrapper",
    "get",
    "groups",
    "names",
    "register",
    "register_wrapper",
    "resolve",
    "wrappers",
]

for _family in (classic, line_search, adaptive, adam):
    for _entry in _family.ENTRIES:
        register(_entry)
for _wrapper in schedules.ENTRIES:
    register_wrapper(_wrapper)
