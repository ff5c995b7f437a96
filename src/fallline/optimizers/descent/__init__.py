"""Gradient descent and its kin: momenta, noise, signs, line searches, Rprop."""

from __future__ import annotations

from fallline.optimizers.descent import classic, line_search, momenta, signs

ENTRIES = (
    *classic.ENTRIES,
    *line_search.ENTRIES,
    *momenta.ENTRIES,
    *signs.ENTRIES,
)
