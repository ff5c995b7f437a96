"""The study files of the publications that fallline reproduces."""

from __future__ import annotations

from pathlib import Path

NAMES = ("batch-size", "cnn-optimizers", "fashion-stages", "adaptive", "parameter-efficiency")
"""In the order of the publications."""


def path(name: str) -> Path:
    """The file of a study."""
    return Path(__file__).parent / f"{name}.toml"
