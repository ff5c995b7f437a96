"""Averages of the parameters, and dual averaging: ASGD, schedule-free, MADGRAD, FTRL."""

from __future__ import annotations

from fallline.optimizers.spec import Optimizer

ENTRIES: tuple[Optimizer, ...] = ()
