"""Gradient descent with other momenta: quasi-hyperbolic, aggregated, accelerated, negative, optimistic."""

from __future__ import annotations

from fallline.optimizers.spec import Optimizer

ENTRIES: tuple[Optimizer, ...] = ()
