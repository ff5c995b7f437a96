"""What the contract's checks train on, and the programs that they share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from fallline.optimizers import Optimizer

# Columns of W have the sums that they begin with: centralised gradients leave those alone.
PULL = {"W": np.array([[0.5, -0.2, 0.3], [-0.5, 0.2, -0.3]]), "b": np.array([0.2, -0.3])}
CURVATURE = {"W": np.array([[1.0, 2.0, 0.5], [1.5, 1.0, 3.0]]), "b": np.array([0.7, 1.2])}
BOWL_STEPS = 4000
COMPILER_OPTIONS: dict[str, Any] = {}
"""Options of XLA for the checks' programs."""

Loss = Callable[[Any], Any]
"""From parameters to a scalar."""


def jit(f: Callable[..., Any]) -> Any:
    """``jax.jit`` with :data:`COMPILER_OPTIONS`."""
    return jax.jit(f, compiler_options=COMPILER_OPTIONS)


def start(dtype: Any = np.float32) -> dict[str, jax.Array]:
    """Parameters to begin with: a matrix and a vector."""
    return {"W": jnp.zeros((2, 3), dtype), "b": jnp.full((2,), 0.1, dtype)}


def bowl(params: Any) -> Any:
    """A convex quadratic with its minimum, 0, at :data:`PULL`."""
    parts = jax.tree.map(
        lambda p, a, c: jnp.sum(a.astype(p.dtype) * (p - c.astype(p.dtype)) ** 2),
        params,
        CURVATURE,
        PULL,
    )
    return sum(jax.tree.leaves(parts)) / 2


def stepper(entry: Optimizer, rule: Any, f: Loss = bowl, total_steps: int = BOWL_STEPS) -> Any:
    """One step ``(params, state, number) -> (params, state)``, as a training loop takes it."""

    def step(params: Any, state: Any, number: Any = 0) -> tuple[Any, Any]:
        value, grads = jax.value_and_grad(f)(params)
        extra = {
            "value": value,
            "grad": grads,
            "value_fn": f,
            "key": jax.random.fold_in(jax.random.key(0), number),
            "total_steps": jnp.asarray(total_steps, jnp.int32),
        }
        needed = {name: extra[name] for name in sorted(entry.needs)}
        updates, state = rule.update(grads, state, params, **needed)
        return jax.tree.map(jnp.add, params, updates), state

    return step


def trained(entry: Optimizer, settings: Mapping[str, Any], params: Any, steps: int) -> Any:
    """The parameters that it is judged by after ``steps`` on the bowl, and the last loss."""
    rule = entry.transformation(settings)
    step = stepper(entry, rule, total_steps=steps)

    def body(carry: Any, number: jax.Array) -> tuple[Any, jax.Array]:
        return step(*carry, number), bowl(carry[0])

    begun = (params, rule.init(params))
    (params, state), losses = jax.lax.scan(body, begun, jnp.arange(steps))
    return entry.evaluation_params(settings, params, state), losses


def ground(height: Any, slope: Any) -> Loss:
    """``height`` times the bowl; with a ``slope`` above 0, that slope on both sides of 0 instead.

    Both may be traced.
    """

    def over(p: Any, a: np.ndarray, c: np.ndarray) -> Any:
        bent = height * a.astype(p.dtype) * (p - c.astype(p.dtype)) ** 2 / 2
        return jnp.sum(jnp.where(slope > 0, slope * jnp.sqrt(1 + p * p), bent))

    def f(params: Any) -> Any:
        return sum(jax.tree.leaves(jax.tree.map(over, params, CURVATURE, PULL)))

    return f


class Reached(NamedTuple):
    """Where a training stands."""

    params: Any
    state: Any
    judged: Any
    """The parameters that it is judged by."""
    bowl_was_finite: Any
    """Of the bowl's values before each step."""


class Program:
    """The trainings of an entry from :func:`start`, compiled once for all checks that take them.

    Settings, parameters, the ground and the number of steps are traced.
    """

    def __init__(self, entry: Optimizer) -> None:
        self._entry = entry
        self.compilations = 0
        settings, params = as_arrays(entry.defaults), jax.eval_shape(start)
        state = jax.eval_shape(lambda s, p: entry.transformation(s).init(p), settings, params)
        self._no_state = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), state)
        self._compiled = jit(self._whole)

    def _whole(self, settings: Any, params: Any, state: Any, span: Any, form: Any) -> Reached:
        self.compilations += 1
        entry = self._entry
        rule = entry.transformation(settings)
        first, last, total = span
        step = stepper(entry, rule, ground(*form), total)

        def body(number: Any, carry: Any) -> Any:
            params, state, finite = carry
            return *step(params, state, number), finite & jnp.isfinite(bowl(params))

        begun = rule.init(params)
        state = jax.tree.map(lambda new, old: jnp.where(first == 0, new, old), begun, state)
        carry = (params, state, jnp.asarray(True))
        params, state, finite = jax.lax.fori_loop(first, last, body, carry)
        return Reached(params, state, entry.evaluation_params(settings, params, state), finite)

    def __call__(
        self,
        settings: Mapping[str, float],
        params: Any,
        last: int,
        *,
        state: Any = None,
        first: int = 0,
        total_steps: int = BOWL_STEPS,
        height: float = 1.0,
        slope: float = 0.0,
    ) -> Reached:
        """Steps ``first`` to ``last`` (not included); from step 0 with a state of its own."""
        state = self._no_state if first == 0 else state
        span = tuple(jnp.asarray(each, jnp.int32) for each in (first, last, total_steps))
        form = tuple(jnp.asarray(each, np.float32) for each in (height, slope))
        return self._compiled(as_arrays(settings), params, state, span, form)


@lru_cache(maxsize=2)
def program(entry: Optimizer) -> Program:
    """The entry's :class:`Program`; kept, as the checks of one entry follow each other."""
    return Program(entry)


def different(entry: Optimizer, factor: float) -> dict[str, Any]:
    """The defaults with the first hyper-parameter, where there is one, changed."""
    settings = entry.defaults
    for name in list(settings)[:1]:
        settings[name] *= factor
    return settings


def as_arrays(settings: Mapping[str, float], dtype: Any = np.float32) -> dict[str, jax.Array]:
    """Settings as traced programs take them."""
    return {name: jnp.asarray(value, dtype) for name, value in settings.items()}
