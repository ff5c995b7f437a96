"""Optimizers of the catalogue walking on a landscape: a whole path is one compiled scan."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

from fallline import optimizers as catalogue
from fallline.errors import InputError
from fallline.landscapes import rates
from fallline.landscapes.expression import Expression
from fallline.landscapes.functions import landscape as landscape_of
from fallline.landscapes.paths import Path, Walk
from fallline.landscapes.surface import Landscape, Point
from fallline.optimizers import Optimizer
from fallline.records import Status

MOST_STEPS = 10_000
FAR = 1e6
"""A path has diverged where it is this many boxes away from the middle of its box."""

Loss = Callable[[jax.Array], jax.Array]


@dataclass(frozen=True)
class _Walked:
    """Several walks of one optimizer: arrays with the walks along their first axis."""

    points: np.ndarray
    values: np.ndarray
    slopes: np.ndarray


def walk(
    landscape: Landscape | str,
    optimizers: str | Iterable[str] | None = None,
    *,
    learning_rates: rates.Given = None,
    settings: Mapping[str, float] | None = None,
    steps: int | None = None,
    start: Point | None = None,
    box: tuple[float, ...] | None = None,
    seed: int = 0,
) -> Walk:
    """Let ``optimizers`` walk down ``landscape``, a name or an expression.

    ``steps``: of every path; the landscape's own number if not given.
    ``learning_rates``: a number for all, ``"tuned"``, ``"default"`` (the catalogue's), or a
    mapping from an optimizer's name to a number or several. Without it, the landscape's own
    where it has some, and tuned ones for the others (:mod:`fallline.landscapes.rates`).
    ``settings``: other hyper-parameters, by ``"name"`` for every optimizer that has it, or by
    ``"optimizer.name"``. ``start`` and ``box`` (lowest, highest of each variable) replace the
    landscape's. All is computed in float64. A path that diverges ends there, and says so.
    """
    ground = landscape_of(landscape) if isinstance(landscape, str) else landscape
    ground = ground.at(start, box)
    steps = ground.steps if steps is None else steps
    if isinstance(steps, bool) or not isinstance(steps, int) or not 1 <= steps <= MOST_STEPS:
        raise InputError(
            f"a walk has 1 to {MOST_STEPS} steps, got {steps}",
            hint=f"its usual number is {ground.steps}",
        )
    entries = catalogue.resolve(ground.optimizers if optimizers is None else optimizers)
    plans = rates.planned(entries, ground, learning_rates, settings or {})
    paths = []
    # Paths are far too small for an accelerator.
    with jax.enable_x64(True), jax.default_device(jax.devices("cpu")[0]):
        for plan in plans:
            walked = _walked(plan, ground, steps, seed)
            chosen = [rates.best(plan, walked.points, walked.values, ground)]
            for row in chosen if plan.tuned else range(len(plan.rows)):
                paths.append(_path(plan, row, walked, ground))
    return Walk(ground, tuple(paths), steps)


def _walked(plan: rates.Plan, ground: Landscape, steps: int, seed: int) -> _Walked:
    """The walks of every row of ``plan``."""
    names = tuple(plan.rows[0])
    program = _program(plan.entry, plan.options, names, ground.expression, steps)
    rows = jnp.asarray([[row[name] for name in names] for row in plan.rows], jnp.float64)
    start = jnp.asarray(ground.start, jnp.float64)
    return _Walked(*(np.asarray(each) for each in program(rows, start, jax.random.key(seed))))


@cache
def _program(
    entry: Optimizer,
    options: tuple[tuple[str, Any], ...],
    names: tuple[str, ...],
    expression: Expression,
    steps: int,
) -> Callable[..., Any]:
    """``(rows, start, key) -> points, values, slopes``: compiled once for any settings."""

    def loss(point: jax.Array) -> jax.Array:
        return expression(point, jnp)

    def measured(point: jax.Array) -> tuple[jax.Array, jax.Array]:
        value, gradient = jax.value_and_grad(loss)(point)
        return value, jnp.linalg.norm(gradient)

    def one(row: jax.Array, start: jax.Array, key: jax.Array) -> Any:
        values = {name: row[column] for column, name in enumerate(names)}
        rule = entry.transformation(values, **dict(options))
        step = _stepping(entry, rule, loss, key, steps)

        def recorded(carry: Any, number: jax.Array) -> Any:
            carry = step(carry, number)
            return carry, entry.evaluation_params(values, *carry, **dict(options))

        begin = (start, rule.init(start))
        _, after = lax.scan(recorded, begin, jnp.arange(steps))
        points = jnp.concatenate([start[None], after])
        return points, *jax.vmap(measured)(points)

    def all_rows(rows: jax.Array, start: jax.Array, key: jax.Array) -> Any:
        return lax.map(lambda row: one(row, start, key), rows)

    return jax.jit(all_rows)


def _stepping(
    entry: Optimizer, rule: Any, loss: Loss, key: jax.Array, steps: int
) -> Callable[[Any, jax.Array], Any]:
    """One step ``((point, state), number) -> (point, state)``."""

    def step(carry: Any, number: jax.Array) -> Any:
        point, state = carry
        value, gradient = jax.value_and_grad(loss)(point)
        extra = {
            "value": value,
            "grad": gradient,
            "value_fn": loss,
            "key": jax.random.fold_in(key, number),
            "total_steps": jnp.asarray(steps, jnp.int32),
        }
        needed = {name: extra[name] for name in sorted(entry.needs)}
        updates, state = rule.update(gradient, state, point, **needed)
        return optax.apply_updates(point, updates), state

    return step


def _path(plan: rates.Plan, row: int, walked: _Walked, ground: Landscape) -> Path:
    """The walk of one row, ended where it diverged."""
    points, values = walked.points[row], walked.values[row]
    lost = astray(points, values, ground)
    end = int(np.argmax(lost)) + 1 if lost.any() else len(values)
    settings = plan.rows[row]
    rate = settings.get("learning_rate")
    several = not plan.tuned and len(plan.rows) > 1
    return Path(
        label=f"{plan.entry.name} {rate:g}" if several else plan.entry.name,
        optimizer=plan.entry.name,
        title=plan.entry.title,
        hyperparameters=dict(settings),
        chosen_by=plan.chosen_by,
        points=points[:end],
        values=values[:end],
        slopes=walked.slopes[row][:end],
        status=Status.DIVERGED if lost.any() else Status.DONE,
        settings=dict(plan.options),
    )


def astray(points: np.ndarray, values: np.ndarray, ground: Landscape) -> np.ndarray:
    """Which points ``(steps, dimensions)`` are :data:`FAR` away, or have no finite value."""
    return rates.away(points, ground, FAR) | ~np.isfinite(values)
