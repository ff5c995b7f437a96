"""Rewritten functions: the same numbers and gradients, whatever the function is made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from flax import nnx
from jax import lax

from fallline import models
from fallline.adapters import to_pure
from fallline.kernels import fast


class Mixed(nn.Module):
    """Strides, groups, depthwise, transposed, and pools of several kinds."""

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        x = nn.relu(nn.Conv(6, (3, 3), strides=2)(x[..., None]))
        x = nn.max_pool(x, (3, 3), (2, 2), padding="SAME")
        x = nn.gelu(nn.Conv(6, (3, 3), feature_group_count=6)(x))
        x = nn.BatchNorm(use_running_average=not train)(x)
        x = nn.ConvTranspose(4, (2, 2), strides=(2, 2))(x)
        x = nn.relu(nn.Conv(4, (3, 3), feature_group_count=2, kernel_dilation=2)(x))
        x = nn.avg_pool(x, (2, 2), (2, 2))
        x = nn.Dropout(0.3, deterministic=not train)(x)
        return nn.Dense(3)(x.reshape(x.shape[0], -1))


class Residual(nn.Module):
    """Values that are read twice: no chain may swallow them."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        first = nn.relu(nn.Conv(4, (3, 3))(x[..., None]))
        pooled = nn.max_pool(first, (2, 2), (2, 2))
        second = nn.Conv(4, (3, 3))(first)
        x = nn.relu(second + first)
        x = nn.max_pool(x, (2, 2), (2, 2)) + pooled
        return jnp.mean(nn.Conv(3, (1, 1), use_bias=False)(nn.tanh(x)), axis=(1, 2))


class Own(nnx.Module):
    """NNX: convolution, normalisation and dropout with streams of their own."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.conv = nnx.Conv(1, 5, (3, 3), padding="VALID", rngs=rngs)
        self.norm = nnx.BatchNorm(5, rngs=rngs)
        self.drop = nnx.Dropout(0.4, rngs=rngs)
        self.last = nnx.Linear(5 * 5 * 4, 3, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = self.norm(nnx.relu(self.conv(x[..., None])))
        x = self.drop(nnx.max_pool(x, (2, 2), (2, 2)))
        return self.last(x.reshape(x.shape[0], -1))


NETWORKS: dict[str, Any] = {
    "pools, dropout": models.ConvNet(
        3, ((5, 3), (4, 3)), (6,), pool_dropout=0.25, dense_dropout=0.5
    ),
    "batch-norm": models.ConvNet(3, ((5, 3), (4, 3, False)), (6,), "VALID", batch_norm=True),
    "tanh": models.ConvNet(3, ((5, 3),), (6,), activation="tanh", batch_norm=True),
    "mixed": Mixed(),
    "residual": Residual(),
    "NNX": Own,
}


@pytest.fixture(autouse=True)
def _float64():
    with jax.enable_x64(True):
        yield


def _drawn(name: str):
    pure = to_pure(NETWORKS[name], (12, 11), "float64")
    params, state = jax.jit(pure.init)(jax.random.key(0))
    draw = np.random.default_rng(0).normal
    # Scales of every sign, zero among them; biases away from zero.
    params = jax.tree.map(lambda leaf: leaf + draw(size=leaf.shape), params)
    params = jax.tree.map(lambda leaf: leaf.at[0].set(0) if leaf.ndim == 1 else leaf, params)
    return pure, params, state, jnp.asarray(draw(size=(7, 12, 11)))


def _with_gradients(apply: Callable[..., Any], params, state, x, train: bool):
    def loss(params, x):
        outputs, after = apply(params, state, jax.random.key(3), x, train)
        total = jnp.sum(jnp.sin(outputs))
        return total + sum(jnp.sum(leaf) for leaf in jax.tree.leaves(after)), (outputs, after)

    return _quickly(jax.grad(loss, argnums=(0, 1), has_aux=True))(params, x)


def _quickly(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compiled with little care: these tests compile more than they compute."""
    options = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}
    return jax.jit(function, compiler_options=options)


def _close(ours, theirs) -> None:
    assert jax.tree.structure(ours) == jax.tree.structure(theirs)
    for own, other in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(own, other, rtol=1e-10, atol=1e-10)


DEAR = ("tanh",)
"""Much like "batch-norm"."""
NETWORK_CASES = [
    *[
        pytest.param(name, True, "cpu", marks=pytest.mark.slow if name in DEAR else ())
        for name in NETWORKS
    ],
    ("batch-norm", False, "cpu"),
    ("batch-norm", True, "gpu"),
    ("mixed", True, "gpu"),
]


@pytest.mark.parametrize(("name", "train", "platform"), NETWORK_CASES)
def test_a_network_and_its_gradients_stay_what_they_are(
    name: str, train: bool, platform: str
) -> None:
    pure, *arrays = _drawn(name)
    ours = _with_gradients(fast(pure.apply, platform=platform), *arrays, train)
    _close(ours, _with_gradients(pure.apply, *arrays, train))


def _traced(apply: Callable[..., Any], params, state, x) -> str:
    def loss(params):
        return jnp.sum(apply(params, state, jax.random.key(0), x, True)[0])

    return str(jax.make_jaxpr(jax.vmap(jax.grad(loss)))(params))


@pytest.mark.parametrize("platform", ["cpu", "gpu"])
@pytest.mark.parametrize("name", NETWORKS)
def test_vmapped_over_runs_no_convolution_and_no_window_is_left(name: str, platform: str) -> None:
    pure, params, state, x = _drawn(name)
    params = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), params)
    assert "conv_general_dilated" in _traced(pure.apply, params, state, x)
    traced = _traced(fast(pure.apply, platform=platform), params, state, x)
    for slow in ("conv_general_dilated", "reduce_window", "select_and_scatter"):
        assert slow not in traced


def test_blocks_take_what_follows_a_convolution() -> None:
    pure, params, state, x = _drawn("batch-norm")

    def traced(platform: str) -> str:
        apply = fast(pure.apply, platform=platform)
        return str(jax.make_jaxpr(lambda p: apply(p, state, None, x, True))(params))

    assert traced("cpu").count("custom_vjp_call") == 2
    assert traced("gpu").count("custom_vjp_call") == 0


def _convolved(x: jax.Array, kernel: jax.Array) -> jax.Array:
    layout = ("NHWC", "HWIO", "NHWC")
    return jnp.tanh(lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=layout))


def _scanned(x, kernel):
    return lax.scan(lambda x, _: (_convolved(x, kernel), jnp.sum(x)), x, None, length=3)


def _looped(x, kernel):
    def again(state):
        return state[0] + 1, _convolved(state[1], kernel)

    return lax.while_loop(lambda state: state[0] < 2, again, (0, x))[1]


def _branched(x, kernel):
    return lax.cond(x[0, 0, 0, 0] > 9, lambda: x, lambda: _convolved(x, kernel))


def _remade(x, kernel):
    return jax.checkpoint(_convolved)(x, kernel)


def _nested(x, kernel):
    return jax.jit(jax.jit(_convolved))(x, kernel), {"kept": (x, None)}


BODIES = [_scanned, _looped, _branched, _remade, _nested]


@pytest.mark.parametrize("function", BODIES)
def test_bodies_of_control_flow_are_entered(function: Callable[..., Any]) -> None:
    draw = np.random.default_rng(0).normal
    x, kernel = jnp.asarray(draw(size=(2, 5, 4, 2))), jnp.asarray(draw(size=(3, 3, 2, 2)))
    rewritten = fast(function)
    assert "conv_general_dilated" not in str(jax.make_jaxpr(rewritten)(x, kernel))
    _close(rewritten(x, kernel), function(x, kernel))


def test_rules_of_differentiation_survive() -> None:
    @jax.custom_jvp
    def straight(x):
        return jnp.round(x)

    straight.defjvp(lambda primals, tangents: (straight(primals[0]), tangents[0]))

    def function(x, kernel):
        return jnp.sum(straight(_convolved(x, kernel)))

    x, kernel = jnp.ones((1, 4, 4, 1)), jnp.full((3, 3, 1, 1), 0.1)
    slope = jax.grad(fast(function), argnums=1)(x, kernel)
    assert jnp.abs(slope).max() > 0
    _close(slope, jax.grad(function, argnums=1)(x, kernel))


def test_a_relu_with_another_gradient_is_not_taken_for_relu() -> None:
    @jax.custom_jvp
    def relu(x):
        return jnp.maximum(x, 0.0)

    relu.defjvp(lambda primals, tangents: (relu(primals[0]), 2 * tangents[0]))

    def function(x, kernel):
        layout = ("NHWC", "HWIO", "NHWC")
        out = lax.conv_general_dilated(x, kernel, (1, 1), "VALID", dimension_numbers=layout)
        return jnp.sum(nn.max_pool(relu(out), (2, 2), (2, 2)))

    draw = np.random.default_rng(0).normal
    x, kernel = jnp.asarray(draw(size=(2, 6, 6, 1))), jnp.asarray(draw(size=(3, 3, 1, 2)))
    _close(jax.grad(fast(function), 1)(x, kernel), jax.grad(function, 1)(x, kernel))


def test_channels_first_as_torch_lays_images_out() -> None:
    def function(x, kernel, bias, scale):
        out = lax.conv_general_dilated(x, kernel, (1, 1), "VALID") + bias[None, :, None, None]
        out = jax.nn.relu(out)
        mean = jnp.mean(out, (0, 2, 3), keepdims=True)
        variance = jnp.mean(out * out, (0, 2, 3), keepdims=True) - mean * mean
        out = (out - mean) * (lax.rsqrt(variance + 1e-5) * scale[:, None, None])
        window = (1, 1, 2, 2)
        return lax.reduce_window(out, -jnp.inf, lax.max, window, window, "VALID")

    draw = np.random.default_rng(0).normal
    sizes = ((3, 2, 7, 8), (4, 2, 3, 3), (4,), (4,))
    arrays = [jnp.asarray(draw(size=size)) for size in sizes]

    def gradients(function):
        slopes = jax.grad(lambda *a: jnp.sum(jnp.sin(function(*a))), argnums=(0, 1, 2, 3))
        return _quickly(slopes)(*arrays)

    assert "custom_vjp_call" in str(jax.make_jaxpr(fast(function))(*arrays))
    _close(gradients(fast(function)), gradients(function))


@pytest.fixture
def narrow_network():
    """A network in float32, the slopes of a sum of its outputs, and its parameters."""
    with jax.enable_x64(False):
        pure = to_pure(models.ConvNet(3, ((5, 3), (4, 3, False)), (6,)), (12, 11), "float32")
        params, state = jax.jit(pure.init)(jax.random.key(0))
        x = jnp.asarray(np.random.default_rng(0).normal(size=(7, 12, 11)), jnp.float32)

        def slopes(apply):
            return jax.grad(lambda p: jnp.sum(jnp.sin(apply(p, state, None, x, True)[0])))

        yield pure.apply, slopes, params


def test_narrow_products_read_narrow_and_give_float32(narrow_network) -> None:
    apply, slopes, params = narrow_network
    narrow = fast(apply, platform="gpu", matrix_dtype="bfloat16")
    products = _products(jax.make_jaxpr(slopes(narrow))(params).jaxpr)
    assert len(products) >= 10
    assert set(products) == {"bfloat16 bfloat16 float32"}


def test_narrow_products_on_a_cpu_are_near_those_of_float32(narrow_network) -> None:
    apply, slopes, params = narrow_network
    ours = _quickly(slopes(fast(apply, matrix_dtype="bfloat16")))(params)
    theirs = _quickly(slopes(apply))(params)
    for own, other in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        assert own.dtype == jnp.float32
        difference = np.linalg.norm(own - other) / np.linalg.norm(other)
        assert 1e-5 < difference < 0.15


def _products(jaxpr: Any) -> list[str]:
    """The types of every product's operands and result, in bodies too."""
    found = []
    for equation in jaxpr.eqns:
        if equation.primitive.name == "dot_general":
            types = [var.aval.dtype.name for var in (*equation.invars, *equation.outvars)]
            found.append(" ".join(types))
        for value in equation.params.values():
            for each in value if isinstance(value, tuple | list) else (value,):
                inner = getattr(each, "jaxpr", each)
                if hasattr(inner, "eqns"):
                    found += _products(inner)
    return found


def test_a_function_without_anything_slow_is_called_as_it_is() -> None:
    calls = []

    def function(x, *, train: bool, name: str):
        calls.append((train, name))
        return {"doubled": 2 * x, "word": None}

    found = fast(function)(jnp.ones(3), train=True, name="n")
    np.testing.assert_array_equal(found["doubled"], 2.0)
    assert set(calls) == {(True, "n")}
