"""Steps worked out from the papers' equations in plain float64, where no record exists."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from fallline import optimizers

A = np.array([3.0, 1.0, 0.25])
START = np.array([1.0, -2.0, 1e-3])

pytestmark = pytest.mark.usefixtures("x64")


def quadratic(x: Any) -> Any:
    """``Σ a x² / 2``, whose gradient is ``a x``."""
    return jnp.sum(A * x * x) / 2


def worked(steps: int, step: Any) -> np.ndarray:
    """Positions after each step of ``step(x, gradient, number, memory)``, from ``START``."""
    x, memory, path = START.copy(), {"m": 0.0, "v": 0.0}, []
    for number in range(1, steps + 1):
        x = x - step(x, A * x, number, memory)
        path.append(x)
    return np.array(path)


def test_gd_takes_the_gradient_times_the_rate(descend: Any) -> None:
    path = descend("gd", quadratic, START, 3, {"learning_rate": 0.2})
    expected = [START * (1 - 0.2 * A) ** k for k in (1, 2, 3)]
    np.testing.assert_allclose(path.params, expected, rtol=1e-15)


def test_eadam_gathers_epsilon_in_the_second_moment(descend: Any) -> None:
    b1, b2, eps, rate = 0.9, 0.99, 1e-3, 0.1

    def step(x: Any, g: Any, t: int, memory: dict[str, Any]) -> Any:
        memory["m"] = b1 * memory["m"] + (1 - b1) * g
        memory["v"] = b2 * memory["v"] + (1 - b2) * g**2 + eps
        return rate * (memory["m"] / (1 - b1**t)) / np.sqrt(memory["v"] / (1 - b2**t))

    settings = {"learning_rate": rate, "beta_1": b1, "beta_2": b2, "epsilon": eps}
    path = descend("eadam", quadratic, START, 3, settings)
    np.testing.assert_allclose(path.params, worked(3, step), rtol=1e-13)


def test_adam_atan2_steps_by_the_angle_of_the_moments(descend: Any) -> None:
    b1, b2, rate = 0.9, 0.99, 0.1

    def step(x: Any, g: Any, t: int, memory: dict[str, Any]) -> Any:
        memory["m"] = b1 * memory["m"] + (1 - b1) * g
        memory["v"] = b2 * memory["v"] + (1 - b2) * g**2
        return rate * np.arctan2(memory["m"] / (1 - b1**t), np.sqrt(memory["v"] / (1 - b2**t)))

    settings = {"learning_rate": rate, "beta_1": b1, "beta_2": b2}
    path = descend("adam_atan2", quadratic, START, 3, settings)
    np.testing.assert_allclose(path.params, worked(3, step), rtol=1e-13)
    # After one step both moments are the gradient's size: the angle is 45 degrees everywhere.
    np.testing.assert_allclose(path.params[0], START - rate * np.pi / 4 * np.sign(START))


def test_adam_atan2_does_not_notice_the_scale_of_the_loss(descend: Any) -> None:
    rate = {"learning_rate": 0.1}
    one = descend("adam_atan2", quadratic, START, 20, rate)
    tiny = descend("adam_atan2", lambda x: 1e-30 * quadratic(x), START, 20, rate)
    np.testing.assert_allclose(tiny.params, one.params, rtol=1e-10)


def test_adam_under_the_root_and_with_coupled_decay(descend: Any) -> None:
    b1, b2, eps, rate, decay = 0.9, 0.99, 1e-2, 0.1, 0.3

    def step(x: Any, g: Any, t: int, memory: dict[str, Any]) -> Any:
        g = g + decay * x
        memory["m"] = b1 * memory["m"] + (1 - b1) * g
        memory["v"] = b2 * memory["v"] + (1 - b2) * g**2
        return rate * (memory["m"] / (1 - b1**t)) / np.sqrt(memory["v"] / (1 - b2**t) + eps)

    settings = {"learning_rate": rate, "beta_1": b1, "beta_2": b2, "epsilon": eps}
    settings["weight_decay"] = decay
    path = descend("adam", quadratic, START, 3, settings, epsilon_place="inside", decay="coupled")
    np.testing.assert_allclose(path.params, worked(3, step), rtol=1e-13)


def test_decoupled_decay_leaves_the_velocity_alone(descend: Any) -> None:
    rate, momentum, decay = 0.1, 0.9, 0.3

    def step(x: Any, g: Any, t: int, memory: dict[str, Any]) -> Any:
        memory["v"] = momentum * memory["v"] + g
        return rate * (memory["v"] + decay * x)

    settings = {"learning_rate": rate, "momentum": momentum, "weight_decay": decay}
    path = descend("momentum", quadratic, START, 3, settings, decay="decoupled")
    np.testing.assert_allclose(path.params, worked(3, step), rtol=1e-13)


def test_centred_rmsprop_under_the_root(descend: Any) -> None:
    rho, eps, rate = 0.9, 1e-2, 0.05

    def step(x: Any, g: Any, t: int, memory: dict[str, Any]) -> Any:
        memory["m"] = rho * memory["m"] + (1 - rho) * g
        memory["v"] = rho * memory["v"] + (1 - rho) * g**2
        return rate * g / np.sqrt(memory["v"] - memory["m"] ** 2 + eps)

    settings = {"learning_rate": rate, "rho": rho, "epsilon": eps}
    path = descend("rmsprop", quadratic, START, 3, settings, centered=True)
    np.testing.assert_allclose(path.params, worked(3, step), rtol=1e-13)


@pytest.mark.parametrize("place", ["inside", "outside"])
def test_centred_rmsprop_survives_a_gradient_that_never_changes(place: str) -> None:
    # Then s and a² are equal, and rounding makes their difference negative: Optax's is NaN.
    grads = jnp.asarray(np.random.default_rng(0).normal(size=500), jnp.float32)
    ours = optimizers.get("rmsprop").transformation(
        {"rho": 0.5, "epsilon": 1e-16}, centered=True, epsilon_place=place
    )
    theirs = optax.rmsprop(1e-3, decay=0.5, eps=1e-16, centered=True, eps_in_sqrt=place == "inside")
    with jax.disable_jit():
        for rule, survives in ((ours, True), (theirs, False)):
            state = rule.init(grads)
            for _ in range(40):
                updates, state = rule.update(grads, state)
            assert bool(jnp.all(jnp.isfinite(updates))) == survives


def test_rprop_starts_at_once_and_halves_where_the_sign_changed(descend: Any) -> None:
    # Weight 0 steps 1, 1.2, 1.44 down from 2: 1, -0.2 (past the minimum), rests there with the
    # length halved to 0.6, and comes back by it.
    path = descend("rprop", lambda x: jnp.sum(x**2), np.array([2.0]), 4, {"learning_rate": 1.0})
    np.testing.assert_allclose(path.params[:, 0], [1.0, -0.2, -0.2, 0.4], rtol=1e-14)


def test_optax_rprop_is_a_step_late_which_is_why_ours_is_written_here(descend: Any) -> None:
    theirs = optax.rprop(1.0)
    x = jnp.array([2.0])
    updates, _ = theirs.update(2 * x, theirs.init(x), x)
    ours = descend("rprop", lambda x: jnp.sum(x**2), np.array([2.0]), 1, {"learning_rate": 1.0})
    assert float(updates[0]) == 0.0
    assert float(ours.params[0, 0]) == 1.0
