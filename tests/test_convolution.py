"""Convolution and pooling against XLA's own, in float64, forward and both gradients."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from fallline.convolution import conv_general_dilated, max_pool_2x2

NHWC = ("NHWC", "HWIO", "NHWC")

CASES = {
    "valid": dict(window_strides=(1, 1), padding="VALID"),
    "same": dict(window_strides=(1, 1), padding="SAME"),
    "stride 2, same": dict(window_strides=(2, 2), padding="SAME"),
    "strides 2 and 3": dict(window_strides=(2, 3), padding="VALID"),
    "uneven padding": dict(window_strides=(1, 1), padding=((0, 2), (1, 0))),
    "dilated": dict(window_strides=(1, 1), padding="SAME", rhs_dilation=(2, 1)),
    "dilated, stride 2": dict(window_strides=(2, 1), padding="VALID", rhs_dilation=(1, 2)),
    "dilated input": dict(window_strides=(1, 1), padding=((1, 1), (0, 2)), lhs_dilation=(2, 2)),
}


@pytest.fixture(autouse=True)
def _float64():
    with jax.enable_x64(True):
        yield


@pytest.mark.parametrize("settings", CASES.values(), ids=CASES.keys())
def test_convolution_and_its_gradients_are_those_of_xla(settings: dict) -> None:
    draw = np.random.default_rng(0).normal
    x, kernel = draw(size=(2, 9, 8, 3)), draw(size=(3, 2, 3, 5))

    def with_gradients(convolution):
        def loss(x, kernel):
            out = convolution(x, kernel, dimension_numbers=NHWC, **settings)
            return jnp.sum(jnp.sin(out)), out

        return jax.grad(loss, argnums=(0, 1), has_aux=True)(x, kernel)

    ours, theirs = with_gradients(conv_general_dilated), with_gradients(lax.conv_general_dilated)
    for own, other in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(own, other, rtol=1e-12, atol=1e-12)


def test_grouped_convolution_is_that_of_xla() -> None:
    draw = np.random.default_rng(1).normal
    x, kernel = draw(size=(2, 6, 6, 4)), draw(size=(3, 3, 2, 8))
    settings = dict(
        window_strides=(1, 1), padding="SAME", dimension_numbers=NHWC, feature_group_count=2
    )
    np.testing.assert_allclose(
        conv_general_dilated(x, kernel, **settings),
        lax.conv_general_dilated(x, kernel, **settings),
        rtol=1e-12,
    )


def test_the_fast_form_holds_no_convolution() -> None:
    x, kernel = jnp.ones((2, 8, 8, 3)), jnp.ones((3, 3, 3, 4))
    traced = jax.make_jaxpr(
        lambda x, k: conv_general_dilated(x, k, (1, 1), "SAME", dimension_numbers=NHWC)
    )(x, kernel)
    assert "conv_general_dilated" not in str(traced)


@pytest.mark.parametrize("size", [(6, 8), (7, 5)])
def test_max_pool_is_that_of_xla(size: tuple[int, int]) -> None:
    x = np.random.default_rng(2).normal(size=(3, *size, 2))
    expected = lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
    np.testing.assert_array_equal(max_pool_2x2(jnp.asarray(x)), expected)


def test_max_pool_sends_a_tie_to_the_first() -> None:
    ties = jnp.ones((1, 2, 2, 1))
    gradient = jax.grad(lambda x: jnp.sum(max_pool_2x2(x)))(ties)
    np.testing.assert_array_equal(gradient[0, :, :, 0], [[1.0, 0.0], [0.0, 0.0]])
