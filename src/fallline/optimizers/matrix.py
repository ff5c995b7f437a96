"""Preconditioned by matrices: Muon, Shampoo, SOAP, Kron, GaLore."""

from __future__ import annotations

from fallline.optimizers.spec import Optimizer

ENTRIES: tuple[Optimizer, ...] = ()
