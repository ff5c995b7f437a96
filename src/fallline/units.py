"""Quantities in words, where errors, plans and reports must say the same."""

from __future__ import annotations


def in_bytes(count: float) -> str:
    """``850 B``, ``47 MB``, ``1.5 GB``: powers of 1000."""
    for unit in ("B", "KB", "MB"):
        if count < 999.5:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"
