"""The contract's checks: each fails for an optimizer that breaks it, and only for that."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import optax
import pytest

from fallline import optimizers, testing
from fallline.optimizers import Optimizer

SGD = replace(optimizers.get("sgd"), name="broken", options=(), hyperparameters=())


def broken(update: Any = None, *, init: Any = lambda params: (), **sheet: Any) -> Optimizer:
    """Descent of length 0.1, but for what is given."""

    def plain(grads: Any, state: Any, params: Any = None) -> Any:
        return jax.tree.map(lambda g: -0.1 * g, grads), state

    def build() -> optax.GradientTransformationExtraArgs:
        return optax.with_extra_args_support(optax.GradientTransformation(init, update or plain))

    return replace(SGD, build=build, **sheet)


def normalised(grads: Any, state: Any, params: Any = None) -> Any:
    return jax.tree.map(lambda g: -1e-3 * g / jnp.sqrt(jnp.sum(g * g)), grads), state


def still(grads: Any, state: Any, params: Any = None) -> Any:
    return jax.tree.map(jnp.zeros_like, grads), state


def wide(grads: Any, state: Any, params: Any = None) -> Any:
    return jax.tree.map(lambda g: (-0.1 * g).astype("float64"), grads), state


def cubed(grads: Any, state: Any, params: Any = None) -> Any:
    updates = jax.tree.map(lambda g: -0.1 * g / (1 + jnp.abs(g)), grads)
    return updates, jax.tree.map(lambda held, g: held + jnp.abs(g) ** 3, state, grads)


def averaged(grads: Any, state: Any, params: Any = None) -> Any:
    return jax.tree.map(lambda g: -0.1 * g / (1 + jnp.abs(g)), grads), jax.tree.map(
        lambda held, g: held + jnp.mean(g), state, grads
    )


def hasty(grads: Any, state: Any, params: Any = None) -> Any:
    return jax.tree.map(lambda g: (-0.2 if isinstance(g, jax.core.Tracer) else -0.1) * g, grads), ()


BROKEN = {
    "other steps when compiled": (
        broken(hasty),
        testing.compiled_steps_are_eager_ones,
    ),
    "the mean of nothing": (
        broken(
            averaged, init=lambda params: jax.tree.map(lambda p: jnp.zeros((), p.dtype), params)
        ),
        testing.parameters_may_have_any_shape,
    ),
    "an empty title": (broken(title=""), testing.the_sheet_is_whole),
    "a need that nobody meets": (broken(needs=frozenset({"hessian"})), testing.the_sheet_is_whole),
    "more memory than said": (
        broken(init=lambda params: jax.tree.map(jnp.zeros_like, params)),
        testing.its_memory_is_as_the_sheet_says,
    ),
    "another dtype": (broken(wide), testing.a_step_keeps_structure_shapes_and_dtypes),
    "0 / 0": (broken(normalised), testing.no_gradient_no_step),
    "no step at all": (broken(still), testing.finds_the_bottom_of_a_bowl_with_its_defaults),
    "overflowing cubes": (
        broken(cubed, init=lambda params: jax.tree.map(jnp.zeros_like, params)),
        testing.huge_gradients_leave_everything_finite,
    ),
}


@pytest.mark.parametrize(("entry", "check"), BROKEN.values(), ids=BROKEN.keys())
def test_what_is_broken_is_found(entry: Optimizer, check: testing.Check) -> None:
    with pytest.raises(AssertionError):
        check(entry)
    check(optimizers.get("sgd"))


def test_what_keeps_the_contract_passes_whole() -> None:
    testing.check_optimizer("sgd")
