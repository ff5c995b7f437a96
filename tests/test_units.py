"""Quantities in words."""

from __future__ import annotations

import pytest

from fallline.units import in_bytes


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (999.6, "1 KB"),
        (47_040_000, "47 MB"),
        (999_600_000, "1.0 GB"),
        (1.54e12, "1540.0 GB"),
    ],
)
def test_bytes(count: float, words: str) -> None:
    assert in_bytes(count) == words
