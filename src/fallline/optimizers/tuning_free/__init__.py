"""Step lengths found from distances, losses and wealth instead of a search."""

from __future__ import annotations

from fallline.optimizers.tuning_free import tuning_free

ENTRIES = (*tuning_free.ENTRIES,)
