"""Measuring trained weights on a split, many runs at once or one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax import lax
from jax.sharding import PartitionSpec

from fallline.data.dataset import Split
from fallline.data.streamed import Shards
from fallline.engine.devices import Devices
from fallline.engine.feeding import arrays, fits_whole
from fallline.engine.interface import Arrays
from fallline.engine.program import Program

PREDICTION_BATCH = 1000


class Evaluation:
    """Measures weights of one :class:`Program` on one split, ``per_device`` at a time on each.

    ``lanes`` of these side by side.
    """

    def __init__(
        self,
        program: Program,
        split: Split,
        devices: Devices,
        *,
        per_device: int = 1,
        lanes: int = 1,
    ) -> None:
        self._program = program
        self._devices = devices
        self._places = per_device * devices.count
        self._lanes = min(lanes, per_device)
        fits_whole(split, "measured", devices)
        self._split = arrays(split, devices)
        mapped = jax.shard_map(
            self._of_device,
            mesh=devices.mesh,
            in_specs=(PartitionSpec("runs"), PartitionSpec()),
            out_specs=PartitionSpec("runs"),
            check_vma=False,
        )
        self._call = jax.jit(mapped)

    def _of_device(self, weights: Any, split: Arrays) -> tuple[jax.Array, jax.Array]:
        def one(own: Any) -> tuple[jax.Array, jax.Array]:
            params, state = own
            return self._program.evaluate(params, state, split)

        return lax.map(one, weights, batch_size=None if self._lanes == 1 else self._lanes)

    def measure(self, weights: Sequence[tuple[Any, Any]]) -> list[tuple[float, float]]:
        """``(loss, metric)`` for each ``(params, state)`` of ``weights``."""
        measured: list[tuple[float, float]] = []
        for start in range(0, len(weights), self._places):
            part = list(weights[start : start + self._places])
            # Always as many as there are places: another number would be another program.
            filled = part + part[-1:] * (self._places - len(part))
            stacked = self._devices.split(jax.tree.map(lambda *leaves: np.stack(leaves), *filled))
            losses, scores = (np.asarray(each) for each in self._call(stacked, self._split))
            metrics = self._program.task.metric_of(scores)
            measured += [(float(losses[at]), float(metrics[at])) for at in range(len(part))]
        return measured


def predict(program: Program, params: Any, state: Any, x: np.ndarray | Shards) -> np.ndarray:
    """Raw outputs for raw examples ``x`` of shape ``(n, ...)``: ``(n, outputs)``."""
    call = jax.jit(program.outputs)
    parts = []
    for start in range(0, len(x), PREDICTION_BATCH):
        part = x[start : start + PREDICTION_BATCH]
        missing = PREDICTION_BATCH - len(part) if len(x) > PREDICTION_BATCH else 0
        filled = np.concatenate([part, np.repeat(part[-1:], missing, axis=0)])
        parts.append(np.asarray(call(params, state, filled))[: len(part)])
    return np.concatenate(parts)
