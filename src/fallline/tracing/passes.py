"""Forward and backward passes of a small network, and a step of gradient descent.

Arrays have the examples along their first axis, the neurons of a layer along the last. Sums are
formed the same way for each neuron: neurons with equal weights stay equal to the last bit, which a
matrix product of a linear-algebra library does not promise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fallline.errors import InputError
from fallline.tracing.activations import Array
from fallline.tracing.network import Layer, Network


@dataclass(frozen=True, eq=False)
class LayerPass:
    """What a layer did. ``z``, ``a``, ``delta``: shape ``(examples, neurons)``.

    ``slope`` is g'(z), None for softmax. ``error`` is dL/da per example, None in the output layer
    of a cross-entropy, where ``delta`` = dL/dz comes at once. Gradients are means over the
    examples, penalties included, in the shapes of the layer's weights and biases.
    """

    z: Array
    a: Array
    slope: Array | None
    error: Array | None
    delta: Array
    weight_gradient: Array
    bias_gradient: Array | None


@dataclass(frozen=True, eq=False)
class Pass:
    """One forward and backward pass: ``loss`` = mean ``data_loss`` over examples + ``penalty``."""

    inputs: Array
    targets: Array
    layers: tuple[LayerPass, ...]
    data_loss: float
    penalty: float

    @property
    def loss(self) -> float:
        return self.data_loss + self.penalty

    @property
    def outputs(self) -> Array:
        return self.layers[-1].a


def forward(network: Network, inputs: Array) -> list[tuple[Array, Array]]:
    """The sums z and activations a of every layer, for ``inputs`` of shape (examples, inputs)."""
    passed, a = [], inputs
    for layer in network.layers:
        z = _summed(a, layer.weights)
        if layer.bias is not None:
            z = z + layer.bias
        a = layer.function.value(z)
        passed.append((z, a))
    return passed


def data_loss(network: Network, passed: list[tuple[Array, Array]], targets: Array) -> float:
    """The mean loss over the examples, without penalties."""
    z, outputs = passed[-1]
    return float(np.mean(network.function.value(outputs, z * _scale(network), targets)))


def penalty(network: Network) -> float:
    """l1 sum |w| + l2 sum w² over all weights."""
    weights = np.concatenate([layer.weights.ravel() for layer in network.layers])
    return float(network.l1 * np.abs(weights).sum() + network.l2 * np.square(weights).sum())


def backpropagate(network: Network, inputs: Array, targets: Array) -> Pass:
    """One pass forward and back over all examples. Raises InputError where numbers overflow."""
    with np.errstate(all="ignore"):
        passed = forward(network, inputs)
        before = [inputs, *(a for _, a in passed)]
        error, delta = _at_output(network, passed[-1][1], targets)
        layers: list[LayerPass] = []
        for number in reversed(range(len(network.layers))):
            layer, (z, a) = network.layers[number], passed[number]
            slope = None
            if layer.function.slope is not None:
                slope = layer.function.slope(z, a)
            if delta is None:
                assert error is not None
                delta = _through(error, a, slope)
            layers.append(_of_layer(network, layer, before[number], z, a, slope, error, delta))
            error, delta = _summed(delta, layer.weights.T), None
        done = Pass(
            inputs,
            targets,
            tuple(reversed(layers)),
            data_loss(network, passed, targets),
            penalty(network),
        )
    if not _finite(done):
        raise InputError(
            "the numbers grow past what floating point holds",
            hint="smaller inputs or weights, or a smaller learning rate",
        )
    return done


def _finite(done: Pass) -> bool:
    gradients = [layer.weight_gradient for layer in done.layers]
    arrays = [*gradients, *(layer.z for layer in done.layers), np.array(done.loss)]
    return all(bool(np.isfinite(each).all()) for each in arrays)


def _summed(a: Array, weights: Array) -> Array:
    """a W^T with each sum formed alike: shapes (n, i) and (u, i) to (n, u)."""
    return np.sum(np.ascontiguousarray(a[:, None, :] * weights[None, :, :]), axis=-1)


def _scale(network: Network) -> float:
    """The slope of a sigmoid output: cross-entropies work on slope x z."""
    last = network.layers[-1].function
    return 1.0 if network.function.output is None else (last.parameter or 1.0)


def _at_output(network: Network, a: Array, targets: Array) -> tuple[Array | None, Array | None]:
    """dL/da, or dL/dz where a cross-entropy gives it at once."""
    loss = network.function
    if loss.joined is not None:
        return None, _scale(network) * loss.joined(a, targets)
    assert loss.slope is not None
    return loss.slope(a, targets), None


def _through(error: Array, a: Array, slope: Array | None) -> Array:
    """dL/dz from dL/da: times g'(z), or times the Jacobian of softmax."""
    if slope is not None:
        return error * slope
    return a * (error - np.sum(error * a, axis=-1, keepdims=True))


def _of_layer(
    network: Network,
    layer: Layer,
    before: Array,
    z: Array,
    a: Array,
    slope: Array | None,
    error: Array | None,
    delta: Array,
) -> LayerPass:
    examples = len(before)
    gradient = _summed(delta.T, before.T) / examples
    gradient = gradient + network.l1 * np.sign(layer.weights) + 2 * network.l2 * layer.weights
    bias = None if layer.bias is None else np.ascontiguousarray(delta.T).sum(axis=-1) / examples
    return LayerPass(z, a, slope, error, delta, gradient, bias)


def descended(network: Network, done: Pass, learning_rate: float) -> Network:
    """The network after a step of gradient descent: w - learning rate x gradient."""
    layers = []
    for number, (layer, passed) in enumerate(zip(network.layers, done.layers, strict=True), 1):
        with np.errstate(over="ignore", invalid="ignore"):
            weights = layer.weights - learning_rate * passed.weight_gradient
            bias = None
            if layer.bias is not None and passed.bias_gradient is not None:
                bias = layer.bias - learning_rate * passed.bias_gradient
        if not np.isfinite(weights).all():
            raise InputError(
                f"the new weights of layer {number} grow past what floating point holds",
                hint="a smaller learning rate",
            )
        layers.append(Layer(weights, bias, layer.activation))
    return Network(tuple(layers), network.loss, network.l1, network.l2)
