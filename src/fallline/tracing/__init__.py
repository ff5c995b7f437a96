"""Small networks followed number by number, in NumPy and float64, and symmetry breaking.

Nothing here trains anything large: it shows what training does, and it is a check of the engine
that shares no code with it.
"""

from __future__ import annotations

from fallline.tracing.network import Layer, Network, drawn, example, from_document
from fallline.tracing.trace import Step, Trace, trace

__all__ = [
    "Layer",
    "Network",
    "Step",
    "Trace",
    "drawn",
    "example",
    "from_document",
    "trace",
]
