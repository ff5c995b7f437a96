"""What the tests of the optimizers share: float64 where it matters, and one way to descend."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np
import pytest

from fallline import optimizers


class Path(NamedTuple):
    """What a descent passed through; leaves have a leading axis of steps (start not included)."""

    params: Any
    state: Any
    loss: np.ndarray
    """Before each step."""


Descend = Callable[..., Path]


@pytest.fixture
def x64() -> Iterator[None]:
    """Float64 for the length of a test."""
    with jax.enable_x64(True):
        yield


@pytest.fixture(scope="session")
def descend() -> Descend:
    """``descend(optimizer, f, start, steps, hyperparameters, options)``: a :class:`Path`."""

    def run(
        name: str,
        f: Callable[[Any], jax.Array],
        start: Any,
        steps: int,
        hyperparameters: Mapping[str, float] | None = None,
        **options: Any,
    ) -> Path:
        entry = optimizers.get(name)
        rule = entry.transformation(hyperparameters or {}, **options)

        def step(carry: Any, _: None) -> tuple[Any, Any]:
            params, state = carry
            value, grads = jax.value_and_grad(f)(params)
            extra = {"value": value, "grad": grads, "value_fn": f}
            needed = {key: extra[key] for key in sorted(entry.needs)}
            updates, state = rule.update(grads, state, params, **needed)
            params = jax.tree.map(lambda p, u: p + u, params, updates)
            return (params, state), (params, state, value)

        @jax.jit
        def whole(params: Any) -> Any:
            return jax.lax.scan(step, (params, rule.init(params)), None, length=steps)[1]

        return Path(*jax.tree.map(np.asarray, whole(jax.tree.map(jax.numpy.asarray, start))))

    return run
