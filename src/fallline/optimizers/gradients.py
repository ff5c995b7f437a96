"""Around any optimizer: what is done to its gradients. Clipping, centralising, noise, penalties, accumulation, SAM."""

from __future__ import annotations

from fallline.optimizers.wrapping import Wrapper

ENTRIES: tuple[Wrapper, ...] = ()
