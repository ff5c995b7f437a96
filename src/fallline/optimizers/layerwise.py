"""Steps measured by the size of each layer: LARS, LAMB, Fromage, NovoGrad, AdamP and SGDP."""

from __future__ import annotations

from fallline.optimizers.spec import Optimizer

ENTRIES: tuple[Optimizer, ...] = ()
