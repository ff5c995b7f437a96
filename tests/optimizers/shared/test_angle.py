"""The fast angle against NumPy's."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fallline.optimizers.shared.angle import angle


def test_is_the_arctangent_of_the_quotient_to_float32() -> None:
    random = np.random.default_rng(3)
    rise = (random.normal(size=100_000) * 10.0 ** random.uniform(-20, 15, 100_000)).astype("f4")
    run = (np.abs(rise) * 10.0 ** random.uniform(-6, 6, 100_000)).astype("f4")
    expected = np.arctan2(rise.astype(float), run.astype(float))
    np.testing.assert_allclose(jax.jit(angle)(rise, run), expected, rtol=4e-7)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_knows_the_corners(dtype: str, x64: None) -> None:
    rise = jnp.array([0.0, 0.0, 2.0, -2.0, 1.0, -1.0, 1e-40], dtype)
    run = jnp.array([0.0, 3.0, 0.0, 0.0, 1.0, 1.0, 1.0], dtype)
    found = angle(rise, run)
    assert found.dtype == dtype
    right, half = np.pi / 2, np.pi / 4
    np.testing.assert_allclose(found, [0, 0, right, -right, half, -half, 0], rtol=4e-7, atol=1e-39)
