"""Step lengths along the negative gradient: the one that decreases enough, or the best one.

The gradient's direction costs nothing, but every value of the loss is a pass over the data; so
both searches are one loop with one evaluation in it, and count their evaluations.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import lax

Loss = Callable[[jax.Array], jax.Array]

GOLDEN = 0.3819660112501051
"""The smaller part of the golden section."""
GROWTH = 10.0
"""Longest leap, as a multiple of the best step so far, while no upper bound is known."""


class LineSearchState(NamedTuple):
    """The last step length that was taken, and the losses evaluated for it (int32)."""

    step: jax.Array
    evaluations: jax.Array


class Line(NamedTuple):
    """The loss along the negative gradient."""

    loss: Loss
    """Of a step length; infinite where it is not finite."""
    start: jax.Array
    """The loss of step length 0."""
    slope: jax.Array
    """How fast it falls there: the gradient's squared norm."""


def along(
    grads: optax.Updates,
    params: optax.Params,
    value: jax.Array,
    value_fn: Callable[[optax.Params], jax.Array],
) -> Line:
    """The line from ``params`` along ``-grads``, on which ``value_fn`` starts at ``value``."""
    leaves = jax.tree.leaves(grads)
    dtype = jnp.result_type(*leaves)

    def loss(step: jax.Array) -> jax.Array:
        there = value_fn(jax.tree.map(lambda p, g: p - step * g, params, grads))
        there = jnp.asarray(there, dtype)
        return jnp.where(jnp.isfinite(there), there, jnp.inf)

    slope = sum((jnp.sum(leaf * leaf) for leaf in leaves), jnp.zeros((), dtype))
    return Line(loss, jnp.asarray(value, dtype), slope)


def backtracked(
    line: Line, first: jax.Array, c1: jax.Array, shrink: jax.Array, trials: int
) -> LineSearchState:
    """The first of ``first * shrink ** k`` with Armijo's decrease; 0 if ``trials`` find none."""

    def enough(step: jax.Array) -> jax.Array:
        return line.loss(step) <= line.start - c1 * step * line.slope

    def going(search: tuple[jax.Array, jax.Array, jax.Array]) -> jax.Array:
        _, tried, found = search
        return ~found & (tried < trials)

    def try_next(
        search: tuple[jax.Array, jax.Array, jax.Array],
    ) -> tuple[jax.Array, jax.Array, jax.Array]:
        step, tried, _ = search
        step = jnp.where(tried > 0, step * shrink, step)
        return step, tried + 1, enough(step)

    nothing = jnp.zeros((), jnp.int32)
    step, tried, found = lax.while_loop(going, try_next, (first, nothing, jnp.asarray(False)))
    return LineSearchState(jnp.where(found, step, 0.0), tried)


class Search(NamedTuple):
    """An exact search between two evaluations. All scalars; ``f_*`` are losses."""

    low: jax.Array
    """The minimum lies between ``low`` and ``high`` (infinite until a rise was seen)."""
    high: jax.Array
    best: jax.Array
    f_best: jax.Array
    second: jax.Array
    """The best points besides ``best``, for the parabola."""
    f_second: jax.Array
    third: jax.Array
    f_third: jax.Array
    next: jax.Array
    """The step length to evaluate next."""
    moved: jax.Array
    """How far ``next`` lies from ``best``; and the same, one and two proposals ago."""
    moved_before: jax.Array
    guessed: jax.Array
    """bool: ``next`` is where a parabola has its minimum."""
    evaluations: jax.Array
    done: jax.Array


def minimised(line: Line, first: jax.Array, evaluations: int) -> LineSearchState:
    """The step length of the nearest minimum along the line; 0 if no decrease was found.

    Brent's method without its first bracketing phase: until a rise is seen the upper bound is
    infinite, and the slope at 0, which is known, makes a parabola of the first evaluation. A
    quadratic takes two or three. Relative accuracy is the root of the dtype's precision, the most
    that values alone can give.
    """
    precision = jnp.finfo(line.start.dtype).eps
    zero, infinite = jnp.zeros_like(line.start), jnp.full_like(line.start, jnp.inf)

    def look(search: Search) -> Search:
        f_next = line.loss(search.next)
        return _propose(line, _recorded(search, f_next), precision)

    def going(search: Search) -> jax.Array:
        return ~search.done & (search.evaluations < evaluations)

    begin = Search(
        low=zero,
        high=infinite,
        best=zero,
        f_best=line.start,
        second=zero,
        f_second=infinite,
        third=zero,
        f_third=infinite,
        next=first,
        moved=infinite,
        moved_before=infinite,
        guessed=jnp.asarray(False),
        evaluations=jnp.zeros((), jnp.int32),
        done=~((line.slope > 0) & jnp.isfinite(line.start)),
    )
    end = lax.while_loop(going, look, begin)
    return LineSearchState(end.best, end.evaluations)


def _recorded(search: Search, f_next: jax.Array) -> Search:
    """The search knowing the loss at ``next``: bounds and best points brought up to date."""
    better = f_next < search.f_best
    rightwards = search.next > search.best
    passed = jnp.where(better, search.best, search.next)
    low = jnp.where(better == rightwards, passed, search.low)
    high = jnp.where(better != rightwards, passed, search.high)
    into_second = better | (f_next <= search.f_second)
    into_third = into_second | (f_next <= search.f_third)

    def shifted(new: Any, best: Any, second: Any, third: Any) -> tuple[Any, Any, Any]:
        return (
            jnp.where(better, new, best),
            jnp.where(better, best, jnp.where(into_second, new, second)),
            jnp.where(into_second, second, jnp.where(into_third, new, third)),
        )

    best, second, third = shifted(search.next, search.best, search.second, search.third)
    f_best, f_second, f_third = shifted(f_next, search.f_best, search.f_second, search.f_third)
    return search._replace(
        low=low,
        high=high,
        best=best,
        f_best=f_best,
        second=second,
        f_second=f_second,
        third=third,
        f_third=f_third,
        guessed=search.guessed & better,
        evaluations=search.evaluations + 1,
    )


def _vertex(line: Line, search: Search) -> tuple[jax.Array, jax.Array]:
    """Where a parabola through the best points has its minimum, and its curvature there.

    Through three points where three losses are finite, else through the start, with its slope,
    and the other one. Not finite where neither is possible; the curvature may be negative.
    """
    to_second, to_third = search.second - search.best, search.third - search.best
    rise_second = (search.f_second - search.f_best) / to_second
    rise_third = (search.f_third - search.f_best) / to_third
    curvature_3 = 2 * (rise_second - rise_third) / (to_second - to_third)
    vertex_3 = search.best - (rise_second - curvature_3 * to_second / 2) / curvature_3

    other = jnp.where(search.best > 0, search.best, search.second)
    f_other = jnp.where(search.best > 0, search.f_best, search.f_second)
    curvature_2 = 2 * ((f_other - line.start) / other + line.slope) / other
    vertex_2 = line.slope / curvature_2

    three = jnp.isfinite(search.f_third)
    return jnp.where(three, vertex_3, vertex_2), jnp.where(three, curvature_3, curvature_2)


def _propose(line: Line, search: Search, precision: Any) -> Search:
    """The search with the next step length to evaluate, or done."""
    best, low, high = search.best, search.low, search.high
    tolerance = jnp.sqrt(precision).astype(best.dtype) * best
    bounded = jnp.isfinite(high)
    fallen = best > 0
    vertex, curvature = _vertex(line, search)

    # Three states: no decrease yet (shrink), no rise yet (grow), a bracket (refine).
    least = jnp.where(fallen, low + tolerance, high * 1e-3)
    most = jnp.where(fallen, jnp.where(bounded, high - tolerance, GROWTH * best), high * 0.5)
    middle = (low + high) / 2
    larger_part = jnp.where(best < middle, high, low)
    golden = best + GOLDEN * (larger_part - best)
    blind = jnp.where(fallen, jnp.where(bounded, golden, 4 * best), high * 0.1)

    convex = jnp.isfinite(vertex) & (curvature > 0)
    shrinking_moves = jnp.abs(vertex - best) < search.moved_before / 2
    refining = fallen & bounded
    trusted = convex & jnp.where(refining, (vertex > low) & (vertex < high) & shrinking_moves, True)
    guess = jnp.clip(vertex, least, most)
    # Parabolas that each find the minimum a little further on would creep: overshoot instead.
    creeping = fallen & ~bounded & (vertex > best + tolerance) & (search.evaluations > 2)
    guess = jnp.where(creeping, jnp.maximum(guess, 2 * best), guess)
    near = fallen & (jnp.abs(guess - best) < tolerance)
    outwards = jnp.where(bounded & (best >= middle), -tolerance, tolerance)
    guess = jnp.where(near, best + outwards, guess)
    proposal = jnp.where(trusted, guess, blind)

    left = jnp.abs(best - middle) <= 2 * tolerance - (high - low) / 2
    gain = curvature * (vertex - best) ** 2 / 2
    noise = 4 * precision * jnp.abs(search.f_best)
    settled = search.guessed & trusted & fallen & (gain <= noise)
    hopeless = ~fallen & (line.slope * high <= precision * jnp.abs(line.start))
    return search._replace(
        next=proposal,
        moved=jnp.abs(proposal - best),
        moved_before=search.moved,
        guessed=trusted,
        done=(refining & left) | settled | hopeless,
    )
