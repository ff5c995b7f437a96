"""The catalogue of optimizers: what each does, what it needs, and the Optax rule itself."""

from __future__ import annotations

from fallline.optimizers import adam, adaptive, classic, line_search
from fallline.optimizers.catalogue import get, groups, names, register, resolve
from fallline.optimizers.spec import Citation, HyperParameter, Optimizer, Option

__all__ = [
    "Citation",
    "HyperParameter",
    "Optimizer",
    "Option",
    "get",
    "groups",
    "names",
    "register",
    "resolve",
]

for _family in (classic, line_search, adaptive, adam):
    for _entry in _family.ENTRIES:
        register(_entry)
