"""Convolution against XLA's own, in float64, forward and both gradients."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from fallline.kernels.convolution import conv_general_dilated
from fallline.kernels.products import Narrow

IMAGES = ("NHWC", "HWIO", "NHWC")
CHANNELS_FIRST = ("NCHW", "OIHW", "NCHW")

CASES: dict[str, tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = {
    # name: (input, kernel, settings)
    "valid": ((2, 9, 8, 3), (3, 2, 3, 5), dict(padding="VALID")),
    "same": ((2, 9, 8, 3), (3, 2, 3, 5), dict(padding="SAME")),
    "one tap": ((2, 5, 4, 3), (1, 1, 3, 5), dict(padding="VALID")),
    "strides 2 and 3": ((2, 9, 8, 3), (3, 2, 3, 5), dict(window_strides=(2, 3), padding="SAME")),
    "uneven padding": ((2, 9, 8, 3), (3, 2, 3, 5), dict(padding=((0, 2), (1, 0)))),
    "negative padding": ((2, 9, 8, 3), (3, 2, 3, 5), dict(padding=((-1, 2), (1, -2)))),
    "dilated kernel": ((2, 9, 8, 3), (3, 2, 3, 5), dict(padding="SAME", rhs_dilation=(2, 1))),
    "dilated kernel, strides": (
        (2, 9, 8, 3),
        (3, 2, 3, 5),
        dict(window_strides=(2, 1), padding="VALID", rhs_dilation=(1, 2)),
    ),
    "dilated input": (
        (2, 5, 6, 3),
        (3, 2, 3, 5),
        dict(padding=((1, 1), (0, 2)), lhs_dilation=(2, 3)),
    ),
    "dilated input, negative padding": (
        (2, 5, 6, 3),
        (3, 2, 3, 5),
        dict(padding=((-1, 3), (2, -2)), lhs_dilation=(2, 2), rhs_dilation=(1, 2)),
    ),
    "dilated input, strides": (
        (2, 5, 6, 3),
        (3, 2, 3, 5),
        dict(window_strides=(3, 2), padding=((1, 1), (0, 2)), lhs_dilation=(2, 2)),
    ),
    "groups": ((2, 9, 8, 4), (3, 2, 2, 6), dict(padding="SAME", feature_group_count=2)),
    "groups, dilated input": (
        (2, 5, 6, 4),
        (3, 2, 2, 6),
        dict(padding=((1, 1), (1, 1)), lhs_dilation=(2, 2), feature_group_count=2),
    ),
    "depthwise": ((2, 9, 8, 3), (3, 2, 1, 3), dict(padding="SAME", feature_group_count=3)),
    "depthwise, two each": (
        (2, 9, 8, 3),
        (3, 2, 1, 6),
        dict(window_strides=(2, 2), padding="VALID", feature_group_count=3),
    ),
    "groups of the batch": ((4, 6, 5, 3), (3, 2, 3, 6), dict(padding="SAME", batch_group_count=2)),
    "channels first": (
        (2, 4, 9, 8),
        (6, 2, 3, 2),
        dict(padding="SAME", feature_group_count=2, dimension_numbers=CHANNELS_FIRST),
    ),
    "mixed layout": (
        (9, 2, 3, 8),
        (2, 5, 3, 3),
        dict(padding="VALID", dimension_numbers=("HNCW", "WOHI", "WNHC")),
    ),
    "one axis": (
        (2, 9, 3),
        (4, 3, 5),
        dict(window_strides=(2,), padding="SAME", dimension_numbers=("NWC", "WIO", "NWC")),
    ),
    "three axes": (
        (1, 6, 5, 7, 2),
        (3, 2, 3, 2, 4),
        dict(
            window_strides=(1, 2, 1),
            padding="SAME",
            dimension_numbers=("NDHWC", "DHWIO", "NDHWC"),
        ),
    ),
    "kernel as large as the input": ((2, 4, 4, 3), (4, 4, 3, 5), dict(padding="VALID")),
}


def _drawn(name: str) -> tuple[jax.Array, jax.Array, dict[str, Any]]:
    draw = np.random.default_rng(0).normal
    shape, kernel, given = CASES[name]
    settings = {"window_strides": (1,) * (len(shape) - 2), "dimension_numbers": IMAGES, **given}
    return jnp.asarray(draw(size=shape)), jnp.asarray(draw(size=kernel)), settings


def _with_gradients(convolution, settings):
    def loss(x, kernel):
        out = convolution(x, kernel, **settings)
        return jnp.sum(jnp.sin(out)), out

    return jax.jit(jax.grad(loss, argnums=(0, 1), has_aux=True))


def _close(ours, theirs) -> None:
    for own, other in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        assert own.shape == other.shape
        np.testing.assert_allclose(own, other, rtol=1e-10, atol=1e-12)


@pytest.fixture(autouse=True)
def _float64():
    with jax.enable_x64(True):
        yield


@pytest.mark.parametrize("name", CASES)
def test_convolution_and_its_gradients_are_those_of_xla(name: str) -> None:
    x, kernel, settings = _drawn(name)
    ours = _with_gradients(conv_general_dilated, settings)(x, kernel)
    _close(ours, _with_gradients(lax.conv_general_dilated, settings)(x, kernel))


def test_a_vmapped_convolution_in_a_scan_is_that_of_xla() -> None:
    draw = np.random.default_rng(1).normal
    x, kernels = jnp.asarray(draw(size=(3, 2, 7, 6, 2))), jnp.asarray(draw(size=(4, 3, 3, 2, 5)))
    settings = dict(window_strides=(1, 1), padding="SAME", dimension_numbers=IMAGES)

    def trained(convolution):
        gradients = _with_gradients(convolution, settings)

        def run(kernel):
            def step(kernel, x):
                (_, slope), _ = gradients(x, kernel)
                return kernel - 0.1 * slope, jnp.sum(kernel)

            return lax.scan(step, kernel, x)

        return jax.vmap(run)(kernels)

    _close(trained(conv_general_dilated), trained(lax.conv_general_dilated))


def test_second_derivatives_are_those_of_xla() -> None:
    x, kernel, settings = _drawn("same")

    def curvature(convolution):
        def loss(kernel):
            return jnp.sum(jnp.sin(convolution(x, kernel, **settings)))

        return jax.jvp(jax.grad(loss), (kernel,), (jnp.ones_like(kernel),))[1]

    _close(curvature(conv_general_dilated), curvature(lax.conv_general_dilated))


@pytest.mark.parametrize("cast", [True, False])
def test_narrow_operands_are_rounded_forward_and_in_both_gradients(cast: bool) -> None:
    narrow = Narrow("bfloat16", cast=cast)
    with jax.enable_x64(False):
        draw = np.random.default_rng(2).normal
        x, kernel, pull = (
            jnp.asarray(draw(size=size), jnp.float32)
            for size in ((2, 6, 5, 3), (3, 3, 3, 4), (2, 4, 3, 4))
        )

        def rounded(a):
            return a.astype(jnp.bfloat16).astype(jnp.float32)

        def forward(x, kernel, **options):
            return conv_general_dilated(
                x, kernel, (1, 1), "VALID", dimension_numbers=IMAGES, **options
            )

        out, back = jax.vjp(lambda x, k: forward(x, k, narrow=narrow), x, kernel)
        expected, expected_back = jax.vjp(forward, rounded(x), rounded(kernel))
        np.testing.assert_allclose(out, expected, rtol=1e-5, atol=1e-5)
        for own, other in zip(back(pull), expected_back(rounded(pull)), strict=True):
            assert own.dtype == jnp.float32
            np.testing.assert_allclose(own, other, rtol=1e-5, atol=2e-5)


@pytest.mark.parametrize("name", ["same", "depthwise", "channels first", "dilated input"])
def test_the_fast_form_holds_no_convolution(name: str) -> None:
    x, kernel, settings = _drawn(name)
    traced = jax.make_jaxpr(_with_gradients(conv_general_dilated, settings))(x, kernel)
    assert "conv_general_dilated" not in str(traced)
