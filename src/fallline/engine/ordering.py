"""The order of the examples: the same for every optimizer on the same seed.

Orders are drawn on the host, so they depend on nothing but (study seed, task, seed, epoch): not
on JAX's version, the device or the layout.
"""

from __future__ import annotations

import numpy as np

from fallline.data.splits import permutation
from fallline.records import derived_seed


def steps_per_epoch(examples: int, batch_size: int) -> int:
    """Batches in an epoch; the last one may be smaller."""
    return -(-examples // batch_size)


def epoch_order(
    study_seed: int, task: str, seed: int, epoch: int, examples: int, *, shuffle: bool = True
) -> np.ndarray:
    """The examples' indices in the order of one epoch, shape ``(examples,)``, int32."""
    if not shuffle:
        return np.arange(examples, dtype=np.int32)
    key = derived_seed("order", study_seed, task, seed, epoch)
    return permutation(examples, key).astype(np.int32)


def batches(order: np.ndarray, batch_size: int) -> np.ndarray:
    """``order`` cut into batches, shape ``(steps, batch_size)``; the last is filled with -1."""
    steps = steps_per_epoch(len(order), batch_size)
    filled = np.full(steps * batch_size, -1, dtype=np.int32)
    filled[: len(order)] = order
    return filled.reshape(steps, batch_size)
