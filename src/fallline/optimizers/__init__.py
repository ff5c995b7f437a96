"""The catalogue of optimizers: what each does, what it needs, and the Optax rule itself."""

from __future__ import annotations

from fallline.optimizers import (
    adam,
    adaptive,
    around,
    averaged,
    descent,
    layerwise,
    matrix,
    tuning_free,
)
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
from fallline.optimizers.own import define
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
    "define",
    "get",
    "groups",
    "names",
    "register",
    "register_wrapper",
    "resolve",
    "wrappers",
]

for _family in (descent, adaptive, adam, layerwise, averaged, tuning_free, matrix):
    for _entry in _family.ENTRIES:
        register(_entry)
for _wrapper in around.ENTRIES:
    register_wrapper(_wrapper)
