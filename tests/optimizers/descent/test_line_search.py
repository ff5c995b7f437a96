"""The step lengths that the line searches find, against closed forms."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fallline import optimizers


def quadratic(curvature: np.ndarray, pull: np.ndarray) -> Any:
    """``x'Ax/2 - b'x`` with ``A`` symmetric and positive."""
    return lambda x: x @ curvature @ x / 2 - pull @ x


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("scale", [1e-4, 1e-2, 1.0, 1e2, 1e4])
def test_exact_search_takes_the_closed_form_step_of_a_quadratic(descend: Any, scale: float) -> None:
    random = np.random.default_rng(7)
    root = random.normal(size=(6, 6))
    curvature, pull = scale * (root @ root.T), random.normal(size=6)
    x = random.normal(size=6)
    path = descend("gd_exact", quadratic(curvature, pull), x, 6)
    for step in range(6):
        gradient = curvature @ x - pull
        best = gradient @ gradient / (gradient @ curvature @ gradient)
        assert path.state.step[step] == pytest.approx(best, rel=1e-7)
        x = x - best * gradient
    np.testing.assert_allclose(path.params[-1], x, rtol=1e-6)
    assert path.state.evaluations[0] <= 8
    assert np.all(path.state.evaluations[1:] <= 4)


@pytest.mark.usefixtures("x64")
def test_exact_search_finds_the_minimum_of_a_line_that_is_no_parabola(descend: Any) -> None:
    # cosh(3x) from 1 along -g: the minimum is x = 0 exactly.
    path = descend("gd_exact", lambda x: jnp.sum(jnp.cosh(3 * x)), np.array([1.0]), 1)
    assert path.state.step[0] == pytest.approx(1 / (3 * np.sinh(3.0)), rel=1e-7)
    assert path.state.evaluations[0] < 30


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize(("power", "start"), [(6, 0.5), (10, 0.5), (10, 1.0)])
def test_exact_search_does_not_creep_where_parabolas_fit_badly(
    descend: Any, power: int, start: float
) -> None:
    # Flat around its minimum at 0: every parabola promises it a little further on.
    path = descend("gd_exact", lambda x: jnp.sum(x**power), np.array([start]), 1, evaluations=60)
    assert abs(path.params[0, 0]) < 1e-6
    assert path.state.evaluations[0] <= 30


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("slopes", [(1.0, 1.0), (1.0, 100.0), (100.0, 1.0)])
def test_exact_search_ends_at_a_kink(descend: Any, slopes: tuple[float, float]) -> None:
    def f(x: jax.Array) -> jax.Array:
        return jnp.sum(jnp.maximum(slopes[0] * (0.3 - x), slopes[1] * (x - 0.3)))

    path = descend("gd_exact", f, np.array([1.0]), 1, evaluations=200)
    assert path.params[0, 0] == pytest.approx(0.3, abs=1e-7)
    assert path.state.evaluations[0] <= 60


@pytest.mark.parametrize("beyond", [np.nan, np.inf, -np.inf])
def test_exact_search_steps_back_from_where_the_loss_is_not_finite(
    descend: Any, beyond: float
) -> None:
    def f(x: jax.Array) -> jax.Array:
        return jnp.sum(jnp.where(x > 0, x - jnp.log(jnp.abs(x)) / 10, beyond))

    # The step of length 1 goes to 2 - 0.95; the second trial leaps into the forbidden half.
    path = descend("gd_exact", f, np.array([2.0], np.float32), 3)
    np.testing.assert_allclose(path.params[-1], [0.1], rtol=1e-3)


@pytest.mark.parametrize("name", ["gd_exact", "gd_backtracking"])
def test_an_infinite_gradient_is_no_step(name: str) -> None:
    rule = optimizers.get(name).transformation({})
    x = jnp.array([1.0, 2.0], jnp.float32)
    grads = jnp.array([jnp.inf, 1.0], jnp.float32)
    extra = {"value": jnp.float32(5.0), "value_fn": lambda x: jnp.sum(x**2)}
    updates, _ = rule.update(grads, rule.init(x), x, **extra)
    np.testing.assert_array_equal(updates, [0.0, 0.0])


def test_exact_search_of_an_endless_descent_stops_at_its_limit(descend: Any) -> None:
    path = descend("gd_exact", lambda x: -jnp.sum(x), np.zeros(2, np.float32), 2, evaluations=5)
    assert np.all(path.state.evaluations == 5)
    assert np.all(np.isfinite(path.params))
    assert np.all(np.diff(path.loss) < 0)


def test_exact_search_never_raises_the_loss_and_rests_at_the_minimum(descend: Any) -> None:
    f = quadratic(np.diag([1.0, 30.0]).astype(np.float32), np.ones(2, np.float32))
    path = descend("gd_exact", f, np.array([3.0, 1.0], np.float32), 200)
    assert np.all(np.diff(path.loss) <= 0)
    np.testing.assert_allclose(path.params[-1], [1.0, 1 / 30], rtol=1e-3)
    assert np.all(path.state.evaluations[-5:] <= 4)


def test_exact_search_evaluates_the_loss_at_one_place_in_the_program() -> None:
    entry, passes = optimizers.get("gd_exact"), []

    def f(x: jax.Array) -> jax.Array:
        passes.append(x)
        return jnp.sum(x**2)

    x = jnp.ones(3)
    rule = entry.transformation({})
    jax.make_jaxpr(lambda x: rule.update(x, rule.init(x), x, value=3.0, value_fn=f))(x)
    assert len(passes) == 1


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize(
    ("rate", "c1", "shrink"), [(1.0, 1e-4, 0.5), (8.0, 0.3, 0.7), (0.01, 1e-4, 0.5)]
)
def test_backtracking_takes_the_first_trial_that_decreases_enough(
    descend: Any, rate: float, c1: float, shrink: float
) -> None:
    curvature = np.array([6.0, 1.0])

    def f(x: Any) -> Any:
        return (curvature * x * x).sum() / 2

    settings = {"learning_rate": rate, "c1": c1, "shrink": shrink}
    path = descend("gd_backtracking", f, np.array([1.0, -3.0]), 3, settings)

    x = np.array([1.0, -3.0])
    for step in range(3):
        gradient, trials, length = curvature * x, 1, rate
        while f(x - length * gradient) > f(x) - c1 * length * (gradient @ gradient):
            length, trials = length * shrink, trials + 1
        x = x - length * gradient
        assert path.state.step[step] == pytest.approx(length, rel=1e-14)
        assert path.state.evaluations[step] == trials
    np.testing.assert_allclose(path.params[-1], x, rtol=1e-12)


def test_backtracking_stays_where_no_trial_is_good_enough(descend: Any) -> None:
    path = descend(
        "gd_backtracking", lambda x: jnp.sum(1e4 * x * x), np.array([1.0], np.float32), 2, trials=3
    )
    np.testing.assert_array_equal(path.params, [[1.0], [1.0]])
    assert np.all(path.state.evaluations == 3)
