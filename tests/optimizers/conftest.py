"""What the tests of the optimizers share: float64 where it matters, and one way to descend."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np
import pytest

import proving
from fallline import optimizers
from fallline.testing import training


class Path(NamedTuple):
    """What a descent passed through; leaves have a leading axis of steps (start not included)."""

    params: Any
    state: Any
    loss: np.ndarray
    """Before each step."""


Descend = Callable[..., Path]


@pytest.fixture(scope="session", autouse=True)
def _quickly_compiled() -> Iterator[None]:
    """The contract's programs are many and small: most of their time is their compilation."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "COMPILER_OPTIONS", proving.quick())
        yield


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

        @partial(jax.jit, compiler_options=proving.quick())
        def whole(params: Any) -> Any:
            return jax.lax.scan(step, (params, rule.init(params)), None, length=steps)[1]

        return Path(*jax.tree.map(np.asarray, whole(jax.tree.map(jax.numpy.asarray, start))))

    return run


class Prover:
    """Compares an entry with what it must agree with, and notes how well it does."""

    def __init__(self, note: Callable[[str, object], None], golden_dir: pathlib.Path) -> None:
        self._note, self._golden_dir = note, golden_dir

    def by_hand(self, name: str, hand: proving.Hand) -> None:
        """Against the paper's equations in NumPy."""
        error = proving.by_hand(name, hand)
        self.agrees(name, f"{hand.steps} steps by hand", error, hand.tolerance)

    def follows(self, golden: proving.Golden) -> None:
        """Against another framework's trajectory."""
        assert golden.tolerance <= 1e-10 or golden.why
        recorded = proving.record(golden.record, self._golden_dir)["cases"][golden.case]
        error = proving.follow(golden, self._golden_dir)
        steps = max(dict(recorded["trajectory"]))
        peer = ".".join(recorded["peer"].split())
        self.agrees(golden.entry, f"{peer}, {steps} steps", error, golden.tolerance)

    def agrees(self, name: str, against: str, error: float, tolerance: float) -> None:
        """With ``error`` as the largest difference found."""
        self._note("proof", f"{name.split(':')[0]}|{against}|{error:.1e}|{tolerance:g}")
        assert error <= tolerance, f"{name} differs by {error:.3g} from {against}"


@pytest.fixture
def prove(
    x64: None, record_property: Callable[[str, object], None], golden_dir: pathlib.Path
) -> Prover:
    """What a proof is made with; its figures go into the test report."""
    return Prover(record_property, golden_dir)
