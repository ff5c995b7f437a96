"""Weights on the disk: safetensors, each array under its path in the tree, no code inside."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fallline.errors import DataError
from fallline.store import durable


def flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, np.ndarray]:
    """Nested mappings as one: ``{"Dense_0/kernel": array}``."""
    flat: dict[str, np.ndarray] = {}
    for name, value in tree.items():
        path = f"{prefix}{name}"
        if isinstance(value, Mapping):
            flat |= flatten(value, path + "/")
        else:
            flat[path] = np.asarray(value)
    return flat


def save(path: Path | str, arrays: Mapping[str, np.ndarray], about: Mapping[str, str]) -> None:
    """Write ``arrays`` with the texts ``about`` them; complete or not at all.

    Raises ``OSError`` where it cannot.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    path = Path(path)
    temporary = path.with_suffix(path.suffix + ".tmp")
    # np.ascontiguousarray would make a scalar an array of one axis.
    contiguous = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    with durable.removed_if_refused(temporary):
        try:
            save_file(contiguous, temporary, metadata=dict(about))
        except SafetensorError as error:
            raise OSError(str(error)) from error
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        durable.rename(temporary, path)


def load(path: Path | str) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The arrays of a safetensors file, and the texts about them."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return arrays, dict(file.metadata() or {})
    except FileNotFoundError:
        raise DataError(
            f"there are no weights at {str(path)!r}",
            hint="give the .safetensors file that 'fallline train' wrote",
        ) from None
    except (SafetensorError, OSError) as error:
        raise DataError(f"{str(path)!r} is no safetensors file: {error}") from error
