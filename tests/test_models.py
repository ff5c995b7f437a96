"""The built-in networks: sizes, initial weights, and that they compute what they say."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fallline import models
from fallline.errors import InputError


def _parameters(module, shape: tuple[int, ...]) -> int:
    variables = jax.eval_shape(module.init, jax.random.key(0), jnp.zeros((1, *shape)))
    return sum(int(np.prod(leaf.shape)) for leaf in jax.tree.leaves(variables))


@pytest.mark.parametrize(
    ("module", "shape", "parameters"),
    [
        (models.MLP(10, (128,)), (28, 28), 784 * 128 + 128 + 128 * 10 + 10),
        (models.MLP(1, (128,)), (11,), 11 * 128 + 128 + 128 + 1),
        (
            models.ConvNet(10, ((6, 5), (16, 5)), (120, 84), padding="VALID"),
            (28, 28),
            44426,  # LeNet-5 as published in study E
        ),
    ],
)
def test_parameter_counts(module, shape: tuple[int, ...], parameters: int) -> None:
    assert _parameters(module, shape) == parameters


def test_initial_weights_are_glorot_uniform_and_biases_zero() -> None:
    params = models.MLP(10, (400,)).init(jax.random.key(0), jnp.zeros((1, 600)))["params"]
    kernel, bias = params["Dense_0"]["kernel"], params["Dense_0"]["bias"]
    limit = np.sqrt(6 / (600 + 400))
    assert np.abs(kernel).max() <= limit
    assert kernel.std() == pytest.approx(limit / np.sqrt(3), rel=0.01)
    assert not bias.any()


def test_mlp_by_hand() -> None:
    params = {
        "Dense_0": {
            "kernel": jnp.asarray([[1.0, -1.0], [2.0, 0.5]]),
            "bias": jnp.asarray([0, 1.0]),
        },
        "Dense_1": {"kernel": jnp.asarray([[1.0], [3.0]]), "bias": jnp.asarray([0.5])},
    }
    # x = (1, -1): z = (-1, -0.5), relu 0 -> 0.5; x = (1, 1): z = (3, 0.5) -> 3 + 1.5 + 0.5 = 5
    out = models.MLP(1, (2,)).apply({"params": params}, jnp.asarray([[1.0, -1.0], [1.0, 1.0]]))
    np.testing.assert_allclose(out[:, 0], [0.5, 5.0])


def test_the_network_for_a_table_grows_with_it() -> None:
    assert models.mlp_for_table(4, 3, 150).hidden == (16, 16)
    assert models.mlp_for_table(11, 1, 3000).hidden == (32, 32)
    assert models.mlp_for_table(200, 2, 100_000).hidden == (128, 128)


def test_unknown_activation_names_the_nearest() -> None:
    with pytest.raises(InputError, match="unknown activation 'rellu'") as caught:
        models.activation("rellu")
    assert "'relu'" in (caught.value.hint or "")
