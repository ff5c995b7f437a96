"""Step lengths found from distances and losses: D-Adaptation, Prodigy, DoG, COCOB, MoMo."""

from __future__ import annotations

from fallline.optimizers.spec import Optimizer

ENTRIES: tuple[Optimizer, ...] = ()
