"""Adam with other averages: of other powers, other gradients, several speeds, other orders of operations."""

from __future__ import annotations

from fallline.optimizers.spec import Optimizer

ENTRIES: tuple[Optimizer, ...] = ()
