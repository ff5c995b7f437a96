"""Second moments in less memory than the parameters: Adafactor, CAME, SM3."""

from __future__ import annotations

from fallline.optimizers.spec import Optimizer

ENTRIES: tuple[Optimizer, ...] = ()
