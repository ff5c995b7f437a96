"""Steps by second derivatives, estimated or remembered: AdaHessian, Sophia, Apollo, L-BFGS."""

from __future__ import annotations

from fallline.optimizers.spec import Optimizer

ENTRIES: tuple[Optimizer, ...] = ()
