"""Optimizers that average their parameters, and dual averaging."""

from __future__ import annotations

from fallline.optimizers.averaged import averaged

ENTRIES = (*averaged.ENTRIES,)
