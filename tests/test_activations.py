"""Activations: values and derivatives by hand, against JAX's differentiation and torch's words."""

from __future__ import annotations

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fallline import activations
from fallline.errors import InputError

E = float(np.e)
AT = (-2.0, 0.0, 1.0)
# name: f and f' at -2, 0 and 1, worked out from the equations with e = 2.718281828459045.
BY_HAND = {
    "identity": ((-2, 0, 1), (1, 1, 1)),
    "step": ((0, 1, 1), (0, 0, 0)),
    "sigmoid": (
        (0.11920292202211755, 0.5, 0.7310585786300049),
        (0.10499358540350662, 0.25, 0.19661193324148185),
    ),
    # a = 2: f(z) = sigmoid(2 z), f' = 2 f (1 - f)
    "sigmoid(2.0)": (
        (1 / (1 + E**4), 0.5, 1 / (1 + E**-2)),
        (2 * E**4 / (1 + E**4) ** 2, 0.5, 2 * E**2 / (1 + E**2) ** 2),
    ),
    "tanh": ((-0.9640275800758169, 0, 0.7615941559557649), (0.07065082485316443, 1, 0.41997434161)),
    "arctan": ((-1.1071487177940904, 0, np.pi / 4), (0.2, 1, 0.5)),
    "relu": ((0, 0, 1), (0, 0, 1)),
    "prelu": ((-0.5, 0, 1), (0.25, 1, 1)),
    "prelu(0.1)": ((-0.2, 0, 1), (0.1, 1, 1)),
    "elu": ((E**-2 - 1, 0, 1), (E**-2, 1, 1)),
    "elu(0.5)": ((0.5 * (E**-2 - 1), 0, 1), (0.5 * E**-2, 0.5, 1)),
    "softplus": (
        (0.1269280110429725, np.log(2), 1.3132616875182228),
        (0.11920292202211755, 0.5, 0.7310585786300049),
    ),
    # torch, approximate="tanh", in float64
    "gelu": ((-0.04540230591, 0, 0.84119199060), (-0.08609925662, 0.5, 1.08296408385)),
    "silu": (
        (-2 * 0.11920292202211755, 0, 0.7310585786300049),
        (0.11920292202211755 - 2 * 0.10499358540350662, 0.5, 0.9276705118714868),
    ),
}


@pytest.fixture(autouse=True)
def _float64():
    with jax.enable_x64(True):
        yield


def test_every_activation_of_the_list_is_worked_by_hand() -> None:
    named = {name.partition("(")[0] for name in BY_HAND} | {"softmax"}
    assert named == set(activations.names())


@pytest.mark.parametrize("name", BY_HAND)
def test_values_and_derivatives_by_hand(name: str) -> None:
    known, z = activations.get(name), jnp.asarray(AT)
    values, slopes = BY_HAND[name]
    np.testing.assert_allclose(known.function(z), values, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(known.derivative(z), slopes, rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize("name", BY_HAND)
def test_derivatives_are_those_that_training_uses(name: str) -> None:
    """At their kinks too: what is written down is what the gradients are made of."""
    known = activations.get(name)
    z = jnp.asarray([-30.0, -3.3, -1.0, -1e-3, 0.0, 1e-3, 0.7, 2.0, 30.0])
    _, by_jax = jax.jvp(known.function, (z,), (jnp.ones_like(z),))
    np.testing.assert_allclose(known.derivative(z), by_jax, rtol=1e-9, atol=1e-14)
    for dtype in (jnp.float32, jnp.float64):
        z = jnp.zeros((2, 3), dtype)
        assert known.function(z).dtype == known.derivative(z).dtype == dtype
        assert known.derivative(z).shape == z.shape


def test_softmax_and_its_jacobian() -> None:
    known = activations.get("softmax")
    # exp of log 1, log 2, log 5 is 1, 2, 5: shares of 8.
    z = jnp.log(jnp.asarray([1.0, 2.0, 5.0]))
    p = np.array([1, 2, 5]) / 8
    np.testing.assert_allclose(known.function(z), p)
    hand = np.array([[7, -2, -5], [-2, 12, -10], [-5, -10, 15]]) / 64
    np.testing.assert_allclose(known.derivative(z), hand)
    batch = jnp.asarray([[0.3, -1.0, 2.0], [500.0, 500.0, -500.0]])
    by_jax = jax.vmap(jax.jacobian(known.function))(batch)
    np.testing.assert_allclose(known.derivative(batch), by_jax, atol=1e-15)


def test_far_out_nothing_overflows() -> None:
    far = jnp.asarray([-1e4, 1e4])
    for name in BY_HAND:
        known = activations.get(name)
        assert np.isfinite(known.function(far)).all(), name
        assert np.isfinite(known.derivative(far)).all(), name


def test_a_steep_sigmoid_comes_close_to_the_step() -> None:
    z = jnp.asarray([-0.5, -0.1, 0.1, 0.5])
    steep, step = (activations.get(name).function(z) for name in ("sigmoid(200)", "step"))
    np.testing.assert_allclose(steep, step, atol=1e-8)


def test_each_says_what_it_is() -> None:
    for name in activations.names():
        known = activations.get(name)
        assert known.name == name
        assert known.equation
        assert known.derivative_equation
    for kinked in ("step", "relu", "prelu", "elu"):
        assert "z = 0" in activations.get(kinked).note
    assert "0 is used" in activations.get("step").note
    assert activations.get("prelu").learned
    fixed = activations.get("prelu(0.1)")
    assert (fixed.name, fixed.default, fixed.learned) == ("prelu(0.1)", 0.1, False)


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        ("rellu", "unknown activation 'rellu'", "'relu'"),
        ("arctann", "unknown activation 'arctann'", "'arctan'"),
        ("relu(0.1)", "'relu' takes no number", r"prelu\(...\)"),
        ("prelu(x)", r"needs a number of 0 or more for alpha, got prelu\(x\)", r"prelu\(0.25\)"),
        ("prelu(0.1", "needs a number of 0 or more for alpha", r"prelu\(0.25\)"),
        ("prelu(-1)", "of 0 or more", "prelu"),
        ("sigmoid(0)", "a number above 0 for a", r"sigmoid\(1.0\)"),
        ("elu(inf)", "of 0 or more for alpha", "elu"),
        (3, "given by its name, got int", "identity"),
    ],
)
def test_what_is_no_activation_is_told(name, message: str, hint: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        activations.get(name)
    assert re.search(hint, caught.value.hint)
