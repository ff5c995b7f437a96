"""What goes around any optimizer: schedules, gradients, steps, sparsity."""

from __future__ import annotations

from fallline.optimizers.around import gradients, schedules, sparsity, steps

ENTRIES = (
    *schedules.ENTRIES,
    *gradients.ENTRIES,
    *steps.ENTRIES,
    *sparsity.ENTRIES,
)
