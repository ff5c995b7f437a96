"""The hand-worked examples of study A, on the functions that its text gives."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

COEFFICIENTS = np.array([1.7e-5, -0.001133, 0.029241, -0.36691, 2.234115, -5.510020, 4.722197])

pytestmark = pytest.mark.usefixtures("x64")


def polynomial(x: jax.Array) -> jax.Array:
    return jnp.polyval(jnp.asarray(COEFFICIENTS), x).sum()


def minima() -> np.ndarray:
    """The places of its minima, ascending: two, the second one far lower."""
    slope = np.polyder(COEFFICIENTS)
    flat = [root.real for root in np.roots(slope) if abs(root.imag) < 1e-9]
    return np.sort([x for x in flat if np.polyval(np.polyder(slope), x) > 0])


def test_the_polynomial_has_a_shallow_and_a_deep_minimum() -> None:
    shallow, deep = minima()
    assert (shallow, deep) == pytest.approx((2.1032, 20.5228), abs=1e-4)
    assert np.polyval(COEFFICIENTS, deep) < 0 < np.polyval(COEFFICIENTS, shallow)


def test_a_small_rate_walks_into_the_first_minimum(descend: Any) -> None:
    path = descend("gd", polynomial, np.zeros(1), 200, {"learning_rate": 0.1})
    # The slope at 0 is -5.51002: the first step is a tenth of it.
    assert path.params[0, 0] == pytest.approx(0.551002, rel=1e-12)
    assert np.all(np.diff(path.loss) <= 1e-12)
    assert path.params[-1, 0] == pytest.approx(minima()[0], abs=1e-9)


def test_a_too_large_rate_diverges(descend: Any) -> None:
    path = descend("gd", polynomial, np.zeros(1), 60, {"learning_rate": 3.0})
    assert path.params[0, 0] == pytest.approx(16.53006, rel=1e-12)
    assert not np.all(np.abs(path.params) < 1e6)


def test_momentum_gets_there_in_fewer_steps(descend: Any) -> None:
    rate = {"learning_rate": 0.01}
    plain = descend("gd", polynomial, np.zeros(1), 600, rate)
    heavy = descend("momentum", polynomial, np.zeros(1), 600, rate | {"momentum": 0.8})

    def steps_to(path: Any) -> int:
        """Steps until it stays within 0.01 of the first minimum."""
        return int(np.flatnonzero(np.abs(path.params[:, 0] - minima()[0]) > 0.01)[-1]) + 1

    assert heavy.params[0, 0] == plain.params[0, 0]
    assert heavy.params[-1, 0] == pytest.approx(minima()[0], abs=1e-6)
    assert steps_to(heavy) < steps_to(plain) / 2


def test_adam_jumps_out_of_the_first_minimum_into_the_better_one(descend: Any) -> None:
    settings = {"learning_rate": 5.0, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8}
    path = descend("adam", polynomial, np.zeros(1), 400, settings)
    # Whatever the slope, the first step is the learning rate: past the first minimum.
    assert path.params[0, 0] == pytest.approx(5.0, abs=1e-7)
    assert path.params[-1, 0] == pytest.approx(minima()[1], abs=1e-6)


def test_exact_line_search_takes_the_steps_worked_by_hand(descend: Any) -> None:
    def f(x: jax.Array) -> jax.Array:
        return x[0] ** 2 + 2 * x[1] ** 2 - 2 * x[0] * x[1] - 2 * x[1]

    path = descend("gd_exact", f, np.zeros(2), 60)
    assert path.state.step[0] == pytest.approx(1 / 4, rel=1e-9)
    np.testing.assert_allclose(path.params[0], [0, 1 / 2], atol=1e-9)
    # At (0, 1/2) the gradient is (-1, 0) and f'' along it is 2: a step of 1/2.
    assert path.state.step[1] == pytest.approx(1 / 2, rel=1e-7)
    np.testing.assert_allclose(path.params[1], [1 / 2, 1 / 2], atol=1e-7)
    np.testing.assert_allclose(path.params[-1], [1, 1], atol=1e-7)


def test_one_backpropagation_step_number_by_number(descend: Any) -> None:
    def f(w: jax.Array) -> jax.Array:
        hidden = jax.nn.sigmoid(w[0] * 2.0)
        return (jax.nn.sigmoid(w[1] * hidden) - 0.25) ** 2

    path = descend("sgd", f, np.array([0.75, 0.5]), 2, {"learning_rate": 1.0})
    np.testing.assert_allclose(path.params[0], [0.72490, 0.36243], atol=5e-6)
    assert np.sqrt(path.loss) + 0.25 == pytest.approx([0.60080, 0.57287], abs=5e-6)
