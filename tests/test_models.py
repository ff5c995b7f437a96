"""The built-in networks: sizes, initial weights, and that they compute what they say."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fallline import models
from fallline.adapters import to_pure
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


def test_activations_come_by_name_and_number() -> None:
    z = jnp.asarray([-2.0, 3.0])
    np.testing.assert_allclose(models.activation("prelu(0.1)")(z), [-0.2, 3.0], rtol=1e-6)
    np.testing.assert_allclose(models.activation("sigmoid(2.0)")(z / 2), jax.nn.sigmoid(z))


@pytest.mark.parametrize(
    "module",
    [
        models.MLP(3, (5, 4), "prelu"),
        models.ConvNet(3, ((2, 3),), (4,), padding="VALID", activation="prelu"),
    ],
)
def test_the_slope_of_prelu_is_a_parameter_of_each_layer(module) -> None:
    x = jnp.asarray(np.random.default_rng(0).normal(size=(6, 6, 6)))
    params = jax.jit(module.init)(jax.random.key(0), x)["params"]
    named = {
        jax.tree_util.keystr(path): leaf
        for path, leaf in jax.tree_util.tree_leaves_with_path(params)
    }
    slopes = {name: leaf for name, leaf in named.items() if "negative_slope" in name}
    assert len(slopes) == 2
    assert all(leaf.shape == () and float(leaf) == 0.25 for leaf in slopes.values())
    fixed = module.clone(activation="prelu(0.25)")
    without = jax.tree.leaves(jax.eval_shape(fixed.init, jax.random.key(0), x)["params"])
    assert len(without) == len(named) - 2

    def total(params) -> jax.Array:
        return module.apply({"params": params}, x).sum()

    gradient = jax.jit(jax.grad(total))(params)
    found = [
        float(leaf)
        for path, leaf in jax.tree_util.tree_leaves_with_path(gradient)
        if "negative_slope" in jax.tree_util.keystr(path)
    ]
    assert all(found)


def test_mean_pools_are_means() -> None:
    image = np.random.default_rng(0).normal(size=(1, 4, 4, 1)).astype(np.float32)
    network = models.ConvNet(2, ((1, 1),), (), activation="identity", pool="mean")
    kernel = np.eye(4, 2, dtype=np.float32)
    params = {
        "Conv_0": {"kernel": np.ones((1, 1, 1, 1), np.float32), "bias": np.zeros(1, np.float32)},
        "head": {"Dense_0": {"kernel": kernel, "bias": np.zeros(2, np.float32)}},
    }
    means = image.reshape(2, 2, 2, 2).mean(axis=(1, 3))
    found = network.apply({"params": params}, image)
    np.testing.assert_allclose(found[0], means[0], rtol=1e-5)


def test_an_activation_on_the_output() -> None:
    x = jnp.asarray(np.random.default_rng(0).normal(size=(50, 4)))
    plain, rectified = models.MLP(1, (8,)), models.MLP(1, (8,), output_activation="relu")
    variables = plain.init(jax.random.key(0), x)
    raw = plain.apply(variables, x)
    assert raw.min() < 0 < raw.max()
    np.testing.assert_array_equal(rectified.apply(variables, x), np.maximum(raw, 0))


def _layer(params, name: str) -> np.ndarray:
    """Weights with the biases as their last row."""
    return np.concatenate([params[name]["kernel"], params[name]["bias"][None]])


def test_scaled_uniform_weights_are_divided_by_their_own_deviation() -> None:
    module = models.MLP(10, (75,), initial="scaled_uniform")
    params = module.init(jax.random.key(3), jnp.zeros((1, 28, 28)))["params"]
    for name, inputs, units in (("Dense_0", 784, 75), ("Dense_1", 75, 10)):
        drawn = _layer(params, name)
        assert drawn.shape == (inputs + 1, units)
        # The deviation is exactly 1 / sqrt(fan in + units): that of the draw was divided out.
        assert drawn.std() * np.sqrt(inputs + units) == pytest.approx(1, rel=1e-5)
        # Uniform: the greatest is sqrt(3) deviations, give or take the draw's own deviation.
        assert np.abs(drawn).max() / drawn.std() == pytest.approx(np.sqrt(3), rel=0.05)
        assert np.abs(drawn[-1]).min() > 0
        assert not np.allclose(drawn[-1], drawn[0])
    other = module.init(jax.random.key(4), jnp.zeros((1, 28, 28)))["params"]
    assert not np.allclose(_layer(other, "Dense_0"), _layer(params, "Dense_0"))


def test_every_precision_starts_at_the_same_weights() -> None:
    module = models.MLP(2, (3,), initial="scaled_uniform")
    single = to_pure(module, (4,), "float32").init(jax.random.key(1))[0]
    with jax.enable_x64(True):
        double = to_pure(module, (4,), "float64").init(jax.random.key(1))[0]
    assert double["Dense_0"]["kernel"].dtype == np.float64
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), single, double)


def test_a_first_layer_scaled_by_its_units_alone() -> None:
    module = models.MLP(10, (75,), initial="scaled_uniform_by_units")
    params = module.init(jax.random.key(3), jnp.zeros((1, 784)))["params"]
    assert _layer(params, "Dense_0").std() * np.sqrt(74) == pytest.approx(1, rel=1e-5)
    assert _layer(params, "Dense_1").std() * np.sqrt(85) == pytest.approx(1, rel=1e-5)


def test_equal_weights_make_a_layer_one_neuron() -> None:
    x = jnp.asarray(np.random.default_rng(0).normal(size=(9, 4)))
    module = models.MLP(3, (5,), initial="equal")
    variables = module.init(jax.random.key(0), x)
    params = variables["params"]
    assert (np.asarray(params["Dense_0"]["kernel"]) == 0.25).all()
    assert (np.asarray(params["Dense_1"]["kernel"]) == np.float32(0.2)).all()

    def loss(variables) -> jax.Array:
        z = module.apply(variables, x)
        return -jax.nn.log_softmax(z)[:, 0].mean()

    for _ in range(3):
        variables = jax.tree.map(lambda p, g: p - 0.5 * g, variables, jax.grad(loss)(variables))
    hidden = variables["params"]["Dense_0"]["kernel"]
    assert not np.allclose(hidden, params["Dense_0"]["kernel"])
    np.testing.assert_array_equal(hidden, np.repeat(hidden[:, :1], 5, axis=1))


def test_an_unknown_initial_names_the_nearest() -> None:
    with pytest.raises(InputError, match="unknown initial 'glorott'") as caught:
        models.MLP(3, initial="glorott").init(jax.random.key(0), jnp.zeros((1, 4)))
    assert "'glorot'" in caught.value.hint


def test_fields_of_a_network_are_changed_by_name() -> None:
    made = models.changed(
        models.ConvNet(10), {"convolutions": [[8, 3], [8, 3, False]], "dense": []}
    )
    assert made.convolutions == ((8, 3), (8, 3, False))
    assert (made.dense, made.outputs) == ((), 10)
