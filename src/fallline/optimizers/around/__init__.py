"""What goes around any optimizer: schedules, gradients, steps."""

from __future__ import annotations

from fallline.optimizers.around import gradients, schedules, steps

ENTRIES = (
    *schedules.ENTRIES,
    *gradients.ENTRIES,
    *steps.ENTRIES,
)
