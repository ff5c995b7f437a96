"""Blocks against XLA's convolution and pooling, in float64, with all their gradients."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from fallline.kernels import blocks
from fallline.kernels.blocks import Block, block, part_size

VALID = ((0, 0), (0, 0))
LAYOUT = ("NHWC", "HWIO", "NHWC")

CASES = {
    # name: (block, input, kernel)
    "one channel": (Block(VALID), (7, 10, 8, 1), (3, 3, 1, 5)),
    "few channels, padded": (Block(((1, 1), (0, 3))), (6, 9, 8, 3), (3, 2, 3, 4)),
    "many channels, odd sizes": (Block(VALID), (7, 9, 8, 20), (3, 3, 20, 4)),
    "no ReLU": (Block(VALID, relu=False), (6, 8, 8, 9), (3, 3, 9, 4)),
    "no pool": (Block(((1, 1), (1, 1)), pooled=False), (7, 5, 6, 9), (3, 3, 9, 4)),
    "neither": (Block(((-1, 0), (0, 2)), relu=False, pooled=False), (6, 6, 5, 2), (3, 2, 2, 4)),
    "sums, one channel": (Block(VALID, signed=True, summed=True), (7, 10, 8, 1), (3, 3, 1, 5)),
    "sums, odd sizes": (
        Block(((1, 1), (1, 0)), signed=True, summed=True),
        (7, 9, 8, 20),
        (3, 3, 20, 4),
    ),
    "sums, no ReLU": (
        Block(VALID, relu=False, signed=True, summed=True),
        (6, 8, 6, 8),
        (3, 3, 8, 4),
    ),
    "sign without sums": (Block(VALID, signed=True), (6, 8, 8, 1), (3, 3, 1, 5)),
}
SIGN = np.array([1.0, -1.0, 0.0, 1.0, -1.0])


@pytest.fixture(autouse=True)
def _float64():
    with jax.enable_x64(True):
        yield


def _drawn(name: str):
    how, shape, kernel = CASES[name]
    draw = np.random.default_rng(0).normal
    sign = SIGN[: kernel[-1]] if how.signed else np.ones(kernel[-1])
    arrays = (draw(size=shape), draw(size=kernel), draw(size=kernel[-1]))
    return how, *map(jnp.asarray, arrays), jnp.asarray(sign)


def _plain(how: Block, x, kernel, bias, sign):
    """What a block computes, of XLA's own operations."""
    out = lax.conv_general_dilated(x, kernel, (1, 1), how.padding, dimension_numbers=LAYOUT) + bias
    if how.relu:
        out = jax.nn.relu(out)
    sums = (jnp.sum(out, (0, 1, 2)), jnp.sum(out * out, (0, 1, 2)))
    if how.pooled:
        window = (1, 2, 2, 1)
        chosen = lax.reduce_window(sign * out, -jnp.inf, lax.max, window, window, "VALID")
        # A sign of zero makes all values of a window tie: the first is taken.
        height, width = (2 * size for size in chosen.shape[1:3])
        first = out[:, 0:height:2, 0:width:2]
        out = jnp.where(sign == 0, first, sign * chosen)
    return blocks.Results(out, *(sums if how.summed else (None, None)))


def _slopes(function, how: Block, *arrays):
    def loss(x, kernel, bias, sign):
        results = function(how, x, kernel, bias, sign)
        return sum(jnp.sum(jnp.sin(leaf / 9)) for leaf in jax.tree.leaves(results)), results

    return jax.grad(loss, argnums=(0, 1, 2), has_aux=True)(*arrays)


def _with_gradients(function, how: Block, *arrays):
    # Compiled with little care: these tests compile more than they compute.
    options = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}
    compiled = jax.jit(lambda *arrays: _slopes(function, how, *arrays), compiler_options=options)
    return compiled(*arrays)


def _close(ours, theirs) -> None:
    for own, other in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(own, other, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("cache", [1 << 15, 1 << 30], ids=["in parts", "whole"])
@pytest.mark.parametrize("name", CASES)
def test_a_block_and_its_gradients_are_those_of_xla(name: str, cache: int, monkeypatch) -> None:
    monkeypatch.setattr(blocks, "CACHE", cache)
    how, *arrays = _drawn(name)
    _close(_with_gradients(block, how, *arrays), _with_gradients(_plain, how, *arrays))


@pytest.mark.parametrize("name", ["one channel", "many channels, odd sizes"])
def test_ties_and_dead_windows_are_those_of_xla(name: str) -> None:
    how, x, kernel, bias, sign = _drawn(name)
    # Whole numbers, much of the input zero: windows tie, many at exactly zero.
    arrays = (jnp.round(x) * (x > 0), jnp.round(kernel), 0 * bias, sign)
    ours = _with_gradients(block, how, *arrays)
    theirs = _with_gradients(_plain, how, *arrays)
    assert (theirs[1].values == 0).any()
    _close(ours, theirs)


@pytest.mark.parametrize("name", ["few channels, padded", "sums, odd sizes", "no pool"])
def test_a_vmapped_block_in_a_scan_is_that_of_xla(name: str, monkeypatch) -> None:
    monkeypatch.setattr(blocks, "CACHE", 1 << 15)
    how, x, kernel, bias, sign = _drawn(name)
    kernels = jnp.stack([kernel, -kernel])

    def trained(function):
        def run(kernel):
            def step(kernel, _):
                (_, slope, _), results = _slopes(function, how, x, kernel, bias, sign)
                return kernel - 1e-6 * slope, (slope, results.values)

            return lax.scan(step, kernel, None, length=2)

        return jax.jit(jax.vmap(run))(kernels)

    _close(trained(block), trained(_plain))


def test_curvature_is_that_of_xla() -> None:
    how, x, kernel, bias, sign = _drawn("few channels, padded")

    def curvature(function):
        def loss(kernel):
            return jnp.sum(jnp.sin(function(how, x, kernel, bias, sign).values))

        return jax.jit(lambda k, t: jax.jvp(jax.grad(loss), (k,), (t,))[1])(kernel, kernel)

    _close(curvature(block), curvature(_plain))


@pytest.mark.parametrize("name", ["one channel", "many channels, odd sizes"])
def test_an_input_that_nobody_differentiates_costs_no_product(name: str) -> None:
    how, x, kernel, bias, sign = _drawn(name)

    def products(argnums) -> int:
        def loss(x, kernel):
            return jnp.sum(block(how, x, kernel, bias, sign).values)

        return str(jax.make_jaxpr(jax.grad(loss, argnums))(x, kernel)).count("dot_general")

    assert products((0, 1)) == products(1) + 1


def test_nan_is_seen_behind_the_block() -> None:
    how, x, kernel, bias, sign = _drawn("one channel")
    values = block(how, x.at[0, 4, 4, 0].set(jnp.nan), kernel, bias, sign).values
    assert jnp.isnan(values[0]).any()
    assert not jnp.isnan(values[1:]).any()


def test_parts_fill_the_cache_and_cut_the_batch_evenly_where_that_costs_little() -> None:
    assert part_size(64, blocks.CACHE // 20) == 16
    assert part_size(61, blocks.CACHE // 20) == 20
    assert part_size(250, blocks.CACHE // 7) == 5
    assert part_size(8, 1) == 8
    assert part_size(8, 2 * blocks.CACHE) == 1
