"""Pooling against XLA's own, with its gradient, in float64."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from fallline.kernels.pooling import max_pool, sum_pool

NONE = ((0, 0),) * 4
WINDOWS: dict[str, dict[str, Any]] = {
    "2 x 2": dict(window_dimensions=(1, 2, 2, 1), window_strides=(1, 2, 2, 1), padding=NONE),
    "3 x 3, stride 2, padded": dict(
        window_dimensions=(1, 3, 3, 1),
        window_strides=(1, 2, 2, 1),
        padding=((0, 0), (1, 1), (0, 1), (0, 0)),
    ),
    "3 x 2, overlapping": dict(
        window_dimensions=(1, 3, 2, 1), window_strides=(1, 1, 1, 1), padding=NONE
    ),
    "stride beyond the window": dict(
        window_dimensions=(1, 1, 2, 1), window_strides=(1, 2, 3, 1), padding=NONE
    ),
    "over channels": dict(
        window_dimensions=(1, 1, 1, 2), window_strides=(1, 1, 1, 2), padding=NONE
    ),
    "whole image": dict(window_dimensions=(1, 7, 6, 1), window_strides=(1, 1, 1, 1), padding=NONE),
    "dilated window": dict(
        window_dimensions=(1, 2, 2, 1),
        window_strides=(1, 1, 2, 1),
        padding=NONE,
        window_dilation=(1, 3, 2, 1),
    ),
}


@pytest.fixture(autouse=True)
def _float64():
    with jax.enable_x64(True):
        yield


def _values(*, ties: bool) -> jax.Array:
    draw = np.random.default_rng(0)
    if ties:
        return jnp.asarray(draw.integers(0, 2, size=(3, 7, 6, 4)), jnp.float64)
    return jnp.asarray(draw.normal(size=(3, 7, 6, 4)))


def _with_gradient(pool, x):
    """The pooled values, and the gradient of their sum weighted so that no two are alike."""

    def loss(x):
        out = pool(x)
        return jnp.sum(out * jnp.arange(1.0, out.size + 1).reshape(out.shape)), out

    slope, out = jax.jit(jax.grad(loss, has_aux=True))(x)
    return out, slope


@pytest.mark.parametrize("ties", [False, True], ids=["distinct", "ties"])
@pytest.mark.parametrize("name", WINDOWS)
def test_max_pool_and_its_gradient_are_those_of_xla(name: str, ties: bool) -> None:
    settings = WINDOWS[name]

    def theirs(x):
        return lax.reduce_window(x, -jnp.inf, lax.max, **settings)

    if "window_dilation" in settings:  # XLA has no gradient for these
        np.testing.assert_array_equal(
            max_pool(_values(ties=ties), **settings), theirs(_values(ties=ties))
        )
        return
    ours = _with_gradient(lambda x: max_pool(x, **settings), _values(ties=ties))
    for own, other in zip(ours, _with_gradient(theirs, _values(ties=ties)), strict=True):
        np.testing.assert_array_equal(own, other)


@pytest.mark.parametrize("name", WINDOWS)
def test_sum_pool_and_its_gradient_are_those_of_xla(name: str) -> None:
    settings = WINDOWS[name]
    x = _values(ties=False)
    ours = _with_gradient(lambda x: sum_pool(x, **settings), x)
    theirs = _with_gradient(lambda x: lax.reduce_window(x, 0.0, lax.add, **settings), x)
    for own, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(own, other, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("place", range(4))
def test_a_nan_stays_visible(place: int) -> None:
    window = jnp.asarray([1.0, 3.0, 2.0, 0.0]).at[place].set(jnp.nan).reshape(1, 2, 2, 1)
    assert jnp.isnan(max_pool(window, **WINDOWS["2 x 2"])).all()


def test_whole_numbers_are_pooled_too() -> None:
    x = jnp.asarray([[[[3], [-7]], [[5], [1]]]], jnp.int32)
    settings = dict(WINDOWS["2 x 2"], padding=((0, 0), (1, 1), (1, 1), (0, 0)))
    expected = [[[[3], [-7]], [[5], [1]]]]
    np.testing.assert_array_equal(max_pool(x, **settings), expected)
