"""Adam with another length of the step: rectified, bounded, shifted, remembered, normalised."""

from __future__ import annotations

from fallline.optimizers.spec import Optimizer

ENTRIES: tuple[Optimizer, ...] = ()
