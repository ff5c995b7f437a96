"""Adam and its kin."""

from __future__ import annotations

from fallline.optimizers.adam import adam, adam_moments, adam_steps

ENTRIES = (
    *adam.ENTRIES,
    *adam_steps.ENTRIES,
    *adam_moments.ENTRIES,
)
