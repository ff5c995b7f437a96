"""Steps measured by the size of each layer or unit."""

from __future__ import annotations

from fallline.optimizers.layerwise import layerwise

ENTRIES = (*layerwise.ENTRIES,)
