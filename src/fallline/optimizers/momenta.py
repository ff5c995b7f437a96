"""Gradient descent with other momenta: quasi-hyperbolic, aggregated, accelerated, optimistic."""

from __future__ import annotations

from fallline.optimizers.spec import Optimizer

ENTRIES: tuple[Optimizer, ...] = ()
