"""Functions of one or two variables, and the paths of optimizers on them.

Everything here but :mod:`fallline.landscapes.walking` is NumPy alone.
"""

from __future__ import annotations

from fallline.landscapes.expression import Expression, parse
from fallline.landscapes.functions import LANDSCAPES, landscape, names
from fallline.landscapes.paths import Path, Walk
from fallline.landscapes.surface import Box, Landscape, Minimum

__all__ = [
    "LANDSCAPES",
    "Box",
    "Expression",
    "Landscape",
    "Minimum",
    "Path",
    "Walk",
    "landscape",
    "names",
    "parse",
]
