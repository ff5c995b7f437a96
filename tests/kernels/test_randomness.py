"""Random bits: the same as JAX's."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from fallline.kernels import fast, randomness


@pytest.mark.parametrize("shape", [(), (1,), (7,), (3, 4, 5)])
def test_bits_are_those_of_jax(shape: tuple[int, ...]) -> None:
    key = jax.random.key(42)
    np.testing.assert_array_equal(randomness.bits(key, shape), jax.random.bits(key, shape))


def test_draws_under_fast_are_those_of_jax() -> None:
    def draw(key):
        first, second = jax.random.split(key)
        return jax.random.bernoulli(first, 0.3, (50,)), jax.random.normal(second, (8, 3))

    key = jax.random.key(7)
    assert "random_bits" not in str(jax.make_jaxpr(fast(draw))(key))
    for ours, theirs in zip(fast(draw)(key), draw(key), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("kind", ["rbg", "threefry2x32"])
def test_other_generators_and_settings_are_left_alone(kind: str) -> None:
    key = jax.random.key(3, impl=kind)
    with jax.threefry_partitionable(False):
        ours = fast(lambda key: jax.random.bits(key, (9,)))(key)
        np.testing.assert_array_equal(ours, jax.random.bits(key, (9,)))
