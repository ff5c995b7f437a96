"""Gradient descent that looks for its step length: gd_exact, gd_backtracking."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from fallline.optimizers.descent import rule_line_search as rule
from fallline.optimizers.dialects import Dialect
from fallline.optimizers.shared import citations
from fallline.optimizers.shared.parameters import STUDIES, learning_rate
from fallline.optimizers.spec import HyperParameter, Optimizer, Option
from fallline.spaces import Range

FAMILY = "line search"
NEEDS = frozenset({"value", "value_fn"})


def _searching(
    find: Callable[[rule.Line, rule.LineSearchState], rule.LineSearchState],
) -> optax.GradientTransformationExtraArgs:
    """Steps along the negative gradient, of the length that ``find`` gives."""

    def init(params: optax.Params) -> rule.LineSearchState:
        dtype = jnp.result_type(*jax.tree.leaves(params))
        return rule.LineSearchState(jnp.ones((), dtype), jnp.zeros((), jnp.int32))

    def update(
        grads: optax.Updates,
        state: rule.LineSearchState,
        params: optax.Params,
        *,
        value: jax.Array,
        value_fn: Callable[[optax.Params], jax.Array],
        **extra: Any,
    ) -> tuple[optax.Updates, rule.LineSearchState]:
        del extra
        found = find(rule.along(grads, params, value, value_fn), state)
        # A gradient may be infinite where the step is zero: 0 times infinity is no step.
        updates = jax.tree.map(
            lambda g: jnp.where(found.step > 0, -found.step * g, jnp.zeros_like(g)), grads
        )
        return updates, found._replace(step=jnp.where(found.step > 0, found.step, state.step))

    return optax.GradientTransformationExtraArgs(init, update)


def exact(*, evaluations: int) -> optax.GradientTransformationExtraArgs:
    """Gradient descent to the minimum along each gradient."""
    return _searching(lambda line, state: rule.minimised(line, state.step, evaluations))


def backtracking(
    *, learning_rate: Any, c1: Any, shrink: Any, trials: int
) -> optax.GradientTransformationExtraArgs:
    """Gradient descent with the first step length that decreases the loss enough."""
    first = jnp.asarray(learning_rate)
    return _searching(lambda line, state: rule.backtracked(line, first, c1, shrink, trials))


GD_EXACT = Optimizer(
    name="gd_exact",
    title="Gradient descent with exact line search (full batch)",
    family=FAMILY,
    equation="t* = argmin f(θ - t g) over t > 0\nθ ← θ - t* g",
    citation=citations.NOCEDAL,
    hyperparameters=(),
    options=(Option("evaluations", 30, (), "most losses evaluated for one step"),),
    build=exact,
    slots=0,
    needs=NEEDS,
    full_batch=True,
    groups=STUDIES,
    notes=(
        "The minimum is found from values of the loss alone (parabolas, golden section where they "
        "fail), starting at the last step's length: 2 to 4 evaluations on a quadratic, mostly 4 to "
        "8 on a network, each a forward pass over the data. If no decrease can be measured the "
        "parameters stay. The state counts the evaluations of the last step."
    ),
    dialects=(
        Dialect(
            framework="paper",
            form=(
                "steepest descent with the exact minimiser along the line; how it is found is left "
                "open, and where there are several minima the nearest is meant here"
            ),
        ),
    ),
)
GD_BACKTRACKING = Optimizer(
    name="gd_backtracking",
    title="Gradient descent with backtracking line search (full batch)",
    family=FAMILY,
    equation=(
        "t = α βᵏ with the least k = 0, 1, 2, … for which\n"
        "f(θ - t g) ≤ f(θ) - c₁ t ‖g‖²\nθ ← θ - t g"
    ),
    citation=citations.ARMIJO,
    hyperparameters=(
        learning_rate(1.0, 1e-2, 1e3, meaning="length of the first step that is tried"),
        HyperParameter(
            "c1",
            1e-4,
            "c₁",
            "share of the decrease that the slope promises which is enough",
            Range(1e-6, 0.5),
            at_least=0.0,
            below=1.0,
        ),
        HyperParameter(
            "shrink",
            0.5,
            "β",
            "factor from one trial to the next",
            Range(0.1, 0.9, "linear"),
            above=0.0,
            below=1.0,
        ),
    ),
    options=(Option("trials", 30, (), "most step lengths tried for one step"),),
    build=backtracking,
    slots=0,
    needs=NEEDS,
    full_batch=True,
    groups=STUDIES,
    notes=(
        "The search begins at α in every step, and costs a forward pass over the data per trial. "
        "If no trial decreases the loss enough the parameters stay. The state counts the trials "
        "of the last step. Optax has the search as a part: optax.chain(optax.sgd(1.0), "
        "optax.scale_by_backtracking_linesearch(...)), which begins at a multiple of the last "
        "step's length."
    ),
    dialects=(
        Dialect(
            framework="paper",
            defaults={"c1": 0.5},
            form="halves the length until the decrease is half of what the slope promises",
        ),
    ),
)

ENTRIES = (GD_EXACT, GD_BACKTRACKING)
