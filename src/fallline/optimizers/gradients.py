"""Around any optimizer, what is done to its gradients: clipping, noise, penalties, SAM."""

from __future__ import annotations

from fallline.optimizers.wrapping import Wrapper

ENTRIES: tuple[Wrapper, ...] = ()
