"""Steps of the gradient's sign: signSGD, Signum, Lion, Tiger."""

from __future__ import annotations

from fallline.optimizers.spec import Optimizer

ENTRIES: tuple[Optimizer, ...] = ()
