"""Measuring trained weights on a split, many runs at once or one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from fallline.data.dataset import Split
from fallline.engine.program import Arrays, Program


class Evaluation:
    """Measures weights of one :class:`Program` on one split; compiled once per number of runs."""

    def __init__(self, program: Program, split: Split) -> None:
        self._program = program
        self._split = Arrays(jnp.asarray(split.x), jnp.asarray(split.y))
        self._call = jax.jit(self._of_all)

    def _of_all(self, weights: Any, split: Arrays) -> tuple[jax.Array, jax.Array]:
        def one(own: Any) -> tuple[jax.Array, jax.Array]:
            params, state = own
            return self._program.evaluate(params, state, split)

        return lax.map(one, weights)

    def measure(self, weights: Sequence[tuple[Any, Any]]) -> list[tuple[float, float]]:
        """``(loss, metric)`` for each ``(params, state)`` of ``weights``."""
        if not weights:
            return []
        stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *weights)
        losses, scores = (np.asarray(each) for each in self._call(stacked, self._split))
        metrics = self._program.task.metric_of(scores)
        return [(float(loss), float(metric)) for loss, metric in zip(losses, metrics, strict=True)]


def predict(program: Program, params: Any, state: Any, x: np.ndarray) -> np.ndarray:
    """Raw outputs for raw examples ``x`` of shape ``(n, ...)``: ``(n, outputs)``."""
    size = 1000
    call = jax.jit(program.outputs)
    parts = []
    for at in range(0, len(x), size):
        part = x[at : at + size]
        missing = size - len(part) if len(x) > size else 0
        filled = np.concatenate([part, np.repeat(part[-1:], missing, axis=0)])
        parts.append(np.asarray(call(params, state, filled))[: len(part)])
    return np.concatenate(parts)
