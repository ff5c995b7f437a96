"""Adam with other averages: of other powers or gradients, at several speeds, in another order."""

from __future__ import annotations

from fallline.optimizers.spec import Optimizer

ENTRIES: tuple[Optimizer, ...] = ()
