"""Preconditioned by matrices, by second moments in less memory, or by curvature."""

from __future__ import annotations

from fallline.optimizers.matrix import curvature, factored, matrix

ENTRIES = (
    *matrix.ENTRIES,
    *factored.ENTRIES,
    *curvature.ENTRIES,
)
