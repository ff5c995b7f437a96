"""A small network as data: layers with weights, biases and activations, and a loss."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fallline.errors import InputError, unknown
from fallline.tracing import activations, losses
from fallline.tracing.activations import Activation, Array
from fallline.tracing.losses import Loss

MOST_WEIGHTS = 500
"""A table of more numbers is not read by anybody."""


def numbers(given: ArrayLike, what: str, *, dimensions: int) -> Array:
    """``given`` as a read-only float64 array of its own; InputError where it is none."""
    try:
        array = np.array(given, dtype=np.float64)
    except (ValueError, TypeError):
        raise InputError(f"{what} must be numbers in rows of equal length, got {given!r}") from None
    if array.ndim != dimensions or array.size == 0:
        form = {1: "a list of numbers", 2: "a list of rows, one row per neuron"}[dimensions]
        raise InputError(f"{what} must be {form}, got {given!r}")
    if not np.isfinite(array).all():
        bad = array[~np.isfinite(array)][0]
        raise InputError(f"{what} must be finite numbers, got {bad}")
    array.flags.writeable = False
    return array


@dataclass(frozen=True, eq=False)
class Layer:
    """A dense layer.

    ``weights`` has the shape ``(neurons, inputs)``, one row per neuron, ``bias`` ``(neurons,)``;
    both are kept as float64. ``activation`` is a name of `activations.names`, with its parameter
    in brackets where it takes one. Raises InputError for what does not fit.
    """

    weights: Array
    bias: Array | None = None
    activation: str = "sigmoid"

    def __post_init__(self) -> None:
        weights = numbers(self.weights, "a layer's weights", dimensions=2)
        object.__setattr__(self, "weights", weights)
        object.__setattr__(self, "activation", activations.get(self.activation).name)
        if self.bias is not None:
            bias = numbers(self.bias, "a layer's bias", dimensions=1)
            if len(bias) != len(weights):
                raise InputError(
                    f"a layer of {len(weights)} neurons has {len(weights)} biases, got {len(bias)}"
                )
            object.__setattr__(self, "bias", bias)

    @property
    def neurons(self) -> int:
        return self.weights.shape[0]

    @property
    def inputs(self) -> int:
        return self.weights.shape[1]

    @property
    def function(self) -> Activation:
        return activations.get(self.activation)


@dataclass(frozen=True, eq=False)
class Network:
    """Dense layers one after another, the loss that they minimise, and penalties on weights.

    ``loss`` is a name of `losses.names`. ``l1`` and ``l2`` add l1 sum |w| + l2 sum w² to it, over
    the weights and not the biases; there is no factor of one half. Raises InputError where sizes
    do not follow each other or the loss needs another output.
    """

    layers: tuple[Layer, ...]
    loss: str = "squared"
    l1: float = 0.0
    l2: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", tuple(self.layers))
        object.__setattr__(self, "loss", losses.get(self.loss).name)
        if not self.layers:
            raise InputError("a network needs at least one layer")
        for number, (before, after) in enumerate(itertools.pairwise(self.layers), start=1):
            if before.neurons != after.inputs:
                raise InputError(
                    f"layer {number} has {before.neurons} neurons, "
                    f"but layer {number + 1} has {after.inputs} weights per neuron",
                    hint="weights are rows, one per neuron, with one number per input",
                )
        for name in ("l1", "l2"):
            value = getattr(self, name)
            if not isinstance(value, int | float) or not (0 <= value < np.inf):
                raise InputError(f"{name} is a number of 0 or more, got {value!r}")
        self._check_output()
        if self.weights_count > MOST_WEIGHTS:
            raise InputError(
                f"a network of {self.weights_count} weights is too large to follow by eye",
                hint=f"trace at most {MOST_WEIGHTS} weights; larger ones are for 'fallline train'",
            )

    def _check_output(self) -> None:
        last, needed = self.layers[-1], self.function.output
        if needed is not None and last.function.family != needed:
            raise InputError(
                f"the loss {self.loss!r} needs {needed} as the output's activation, "
                f"got {last.activation!r}",
                hint=f"--output {needed}, or another loss: {', '.join(losses.names())}",
            )
        for number, layer in enumerate(self.layers, start=1):
            if layer.function.family == "softmax" and layer.neurons == 1:
                raise InputError(
                    f"layer {number}: softmax over one neuron is always 1",
                    hint="use sigmoid with binary_cross_entropy, or two neurons and more",
                )

    @property
    def function(self) -> Loss:
        return losses.get(self.loss)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Inputs, then the neurons of each layer."""
        return (self.layers[0].inputs, *(layer.neurons for layer in self.layers))

    @property
    def weights_count(self) -> int:
        """Weights and biases."""
        biases = sum(layer.neurons for layer in self.layers if layer.bias is not None)
        return biases + sum(layer.weights.size for layer in self.layers)

    def document(self) -> dict[str, Any]:
        """The network as plain lists and names, from which ``from_document`` makes it again."""
        layers: list[dict[str, Any]] = []
        for layer in self.layers:
            held: dict[str, Any] = {"weights": layer.weights.tolist()}
            if layer.bias is not None:
                held["bias"] = layer.bias.tolist()
            layers.append({**held, "activation": layer.activation})
        return {"layers": layers, "loss": self.loss, "l1": self.l1, "l2": self.l2}


def example() -> Network:
    """The network 1-1-1 that is worked by hand: weights 0.75 and 0.5, sigmoid, no biases."""
    return Network((Layer(np.array([[0.75]])), Layer(np.array([[0.5]]))))


EXAMPLE_INPUT, EXAMPLE_TARGET = 2.0, 0.25


def drawn(
    sizes: Sequence[int],
    *,
    hidden: str = "sigmoid",
    output: str = "sigmoid",
    bias: bool = False,
    seed: int = 0,
    **of_network: Any,
) -> Network:
    """A network with random weights of two decimals, which are easily followed by hand.

    ``sizes`` are the inputs and the neurons of each layer. Weights are uniform within
    ±sqrt(6 / (inputs + neurons)), as Glorot and Bengio (2010) draw them; biases are 0.
    """
    check_sizes(sizes)
    random = np.random.default_rng(seed)
    layers = []
    for number, (inputs, neurons) in enumerate(itertools.pairwise(sizes), start=1):
        bound = np.sqrt(6 / (inputs + neurons))
        weights = np.round(random.uniform(-bound, bound, (neurons, inputs)), 2)
        layers.append(Layer(weights, None, output if number == len(sizes) - 1 else hidden))
    made = Network(tuple(layers), **of_network)
    return with_biases(made) if bias else made


def with_biases(network: Network) -> Network:
    """The network with a bias of 0 for every neuron that has none."""
    layers = [
        layer if layer.bias is not None else replace(layer, bias=np.zeros(layer.neurons))
        for layer in network.layers
    ]
    return replace(network, layers=tuple(layers))


def check_sizes(sizes: Sequence[int]) -> None:
    """Raise InputError unless ``sizes`` are inputs and layers of a network that can be traced."""
    asked = ",".join(map(str, sizes))
    if len(sizes) < 2 or min(sizes) < 1:
        raise InputError(
            f"layers are the inputs and each layer's neurons, whole numbers from 1, got {asked!r}",
            hint="for example 2,3,1",
        )
    weights = sum(a * b for a, b in itertools.pairwise(sizes))
    if weights > MOST_WEIGHTS:
        raise InputError(
            f"a network {asked} has {weights} weights: too large to follow by eye",
            hint=f"trace at most {MOST_WEIGHTS} weights; larger ones are for 'fallline train'",
        )


def from_document(
    given: Any, *, hidden: str = "sigmoid", output: str = "sigmoid", **of_network: Any
) -> Network:
    """A network from plain lists: a list of layers, or a mapping with ``layers``.

    A layer is a list of rows, one per neuron, or a mapping with ``weights`` and, where wanted,
    ``bias`` and ``activation``. What the document leaves open, the arguments say.
    """
    if isinstance(given, Mapping):
        _check_keys(given, {"layers", "loss", "l1", "l2"}, "a network")
        of_network = {**of_network, **{name: given[name] for name in given if name != "layers"}}
        given = given.get("layers")
    if not isinstance(given, Sequence) or isinstance(given, str) or not given:
        raise InputError(
            f"weights are a list of layers, got {given!r}",
            hint="for example [[[0.75]], [[0.5]]] for a network 1-1-1",
        )
    layers = []
    for number, each in enumerate(given, start=1):
        held = dict(each) if isinstance(each, Mapping) else {"weights": each}
        _check_keys(held, {"weights", "bias", "activation"}, f"layer {number}")
        usual = output if number == len(given) else hidden
        bias = held.get("bias")
        layers.append(Layer(held.get("weights", ()), bias, held.get("activation") or usual))
    return Network(tuple(layers), **of_network)


def _check_keys(given: Mapping[str, Any], known: set[str], what: str) -> None:
    for name in given:
        if name not in known:
            raise unknown(f"field of {what}", str(name), sorted(known))
