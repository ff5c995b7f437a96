"""The catalogue of optimizers: what each does, what it needs, and the Optax rule itself."""

from __future__ import annotations

from fallline.optimizers import (
    adam,
    adam_moments,
    adam_steps,
    adaptive,
    around,
    averaged,
    classic,
    curvature,
    factored,
    gradients,
    layerwise,
    line_search,
    matrix,
    momenta,
    schedules,
    signs,
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

_FAMILIES = (
    classic,
    line_search,
    adaptive,
    adam,
    adam_steps,
    adam_moments,
    layerwise,
    momenta,
    signs,
    factored,
    averaged,
    tuning_free,
    matrix,
    curvature,
)

for _family in _FAMILIES:
    for _entry in _family.ENTRIES:
        register(_entry)
for _kind in (schedules, gradients, around):
    for _wrapper in _kind.ENTRIES:
        register_wrapper(_wrapper)
