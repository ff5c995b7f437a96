"""Symmetry breaking: a network that starts from equal weights beside one from random weights.

Neurons of a layer that begin with equal weights, coming in and going out, get equal gradients, so
they stay equal, and the layer has the power of one neuron. The problem is exclusive or: one neuron
that rises or falls along a direction cannot tell its four points apart.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fallline.errors import InputError
from fallline.tracing import passes
from fallline.tracing.activations import Array
from fallline.tracing.network import Layer, Network, check_sizes

if TYPE_CHECKING:
    import pandas as pd

POINTS = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
GOALS = np.array([[0.0], [1.0], [1.0], [0.0]])
EQUAL_WEIGHT = 0.5
SIZES = (2, 4, 1)
MOST_NEURONS, MOST_STEPS = 6, 20_000

# Along any direction the four points come as 0 1 1 0 or 1 0 0 1; what rises does best with one
# point exact and its other value, 2/3 or 1/3, for the three that are left.
ONE_NEURON_FLOOR = 0.75 * (np.log(3) - 2 / 3 * np.log(2))


@dataclass(frozen=True, eq=False)
class Training:
    """A training by gradient descent on all four points, followed neuron by neuron."""

    start: str
    """"equal" or "random"."""
    networks: tuple[Network, Network]
    """Before and after."""
    losses: Array
    """Before each step and after the last, shape ``(steps + 1,)``."""
    incoming: Array
    """Of the first layer, shape ``(steps + 1, neurons, 3)``: weights from x1 and x2, bias."""
    outputs: Array
    """For the four points after training, shape ``(4,)``."""

    @property
    def right(self) -> int:
        """How many of the four points are on the right side of 1/2."""
        return int(np.sum((self.outputs > 0.5) == (GOALS[:, 0] > 0.5)))

    def distinct(self, layer: int) -> int:
        """How many neurons of a layer (from 0) differ, to the last bit, in what comes in."""
        return len(np.unique(_incoming(self.networks[1].layers[layer]), axis=0))

    def spread(self, layer: int) -> tuple[float, float]:
        """The smallest and largest distance between two neurons of a layer, over what comes in."""
        rows = _incoming(self.networks[1].layers[layer])
        apart = [
            float(np.max(np.abs(first - second)))
            for first, second in itertools.combinations(rows, 2)
        ]
        return (min(apart), max(apart)) if apart else (0.0, 0.0)


@dataclass(frozen=True, eq=False)
class Symmetry:
    """Both trainings, which differ in their first weights only."""

    equal: Training
    random: Training
    learning_rate: float
    steps: int

    def table(self) -> pd.DataFrame:
        """Every neuron's incoming weights after training.

        Columns: start (equal, random), layer and neuron (from 1), same_as (the first neuron of the
        layer that it equals to the last bit, else empty), w1, w2, ... and bias (float64; missing
        where a layer has fewer inputs).
        """
        import pandas as pd

        rows = []
        for training in (self.equal, self.random):
            for number, layer in enumerate(training.networks[1].layers, start=1):
                held = _incoming(layer)
                for neuron, values in enumerate(held):
                    equal = [at for at in range(neuron) if np.array_equal(held[at], values)]
                    same = str(equal[0] + 1) if equal else ""
                    weights = {f"w{at}": each for at, each in enumerate(values[:-1], start=1)}
                    row = {"start": training.start, "layer": number, "neuron": neuron + 1}
                    rows.append({**row, "same_as": same, **weights, "bias": values[-1]})
        frame = pd.DataFrame(rows)
        order = [name for name in frame.columns if name != "bias"]
        return frame[[*order, "bias"]]

    def in_words(self) -> str:
        """What was seen, with its figures."""
        equal, random = self.equal, self.random
        neurons = equal.networks[1].layers[0].neurons
        smallest, _ = random.spread(0)
        _, largest = equal.spread(0)
        together = equal.distinct(0)
        alike = "equal to the last bit" if together == 1 else f"{together} different ones"
        parts = [
            f"Equal weights: after {self.steps} steps the {neurons} neurons of layer 1 are {alike} "
            f"(largest difference between two: {largest:g}); "
            f"loss {equal.losses[0]:.4f} -> {equal.losses[-1]:.4f}, "
            f"{equal.right} of 4 points right.",
            f"Random weights: {random.distinct(0)} different neurons "
            f"(the two most alike differ by {smallest:.2g} in a weight); "
            f"loss {random.losses[0]:.4f} -> {random.losses[-1]:.4f}, "
            f"{random.right} of 4 points right.",
        ]
        if together == 1:
            parts.append(
                "Equal neurons get equal gradients, so no step can part them, and the layer does "
                "no more than one neuron. One rising neuron cannot bring the loss on exclusive or "
                f"below {ONE_NEURON_FLOOR:.4f}, with any weights."
            )
        return "\n".join(parts)


def symmetry(
    sizes: Sequence[int] = SIZES,
    *,
    activation: str = "tanh",
    learning_rate: float = 0.5,
    steps: int = 2000,
    seed: int = 0,
) -> Symmetry:
    """Train a network on exclusive or twice by gradient descent: from equal and random weights.

    ``sizes`` begin with 2 inputs and end with 1 output, a sigmoid with binary cross-entropy; the
    layers between have ``activation``. Equal weights are all 0.5, random ones uniform within ±1;
    biases start at 0. Raises InputError for sizes or settings that do not fit.
    """
    check_sizes(sizes)
    asked = ",".join(map(str, sizes))
    if sizes[0] != 2 or sizes[-1] != 1 or len(sizes) < 3 or max(sizes) > MOST_NEURONS:
        raise InputError(
            f"symmetry breaking is shown on exclusive or, not with layers {asked!r}",
            hint=f"2 inputs, 1 output, and layers of 2 to {MOST_NEURONS} between: 2,4,1 or 2,3,3,1",
        )
    if not 1 <= steps <= MOST_STEPS:
        raise InputError(f"steps are 1 to {MOST_STEPS} for symmetry breaking, got {steps}")
    if not (0 <= learning_rate < np.inf):
        raise InputError(f"a learning rate is a number of 0 or more, got {learning_rate}")
    random = np.random.default_rng(seed)
    return Symmetry(
        _trained("equal", sizes, activation, learning_rate, steps, None),
        _trained("random", sizes, activation, learning_rate, steps, random),
        learning_rate,
        steps,
    )


def _trained(
    start: str,
    sizes: Sequence[int],
    activation: str,
    learning_rate: float,
    steps: int,
    random: np.random.Generator | None,
) -> Training:
    layers = []
    for number, (inputs, neurons) in enumerate(itertools.pairwise(sizes), start=1):
        form = (neurons, inputs)
        weights = np.full(form, EQUAL_WEIGHT) if random is None else random.uniform(-1, 1, form)
        name = "sigmoid" if number == len(sizes) - 1 else activation
        layers.append(Layer(weights, np.zeros(neurons), name))
    first = network = Network(tuple(layers), loss="binary_cross_entropy")
    losses, incoming = [], [_incoming(network.layers[0])]
    for _ in range(steps):
        done = passes.backpropagate(network, POINTS, GOALS)
        network = passes.descended(network, done, learning_rate)
        losses.append(done.loss)
        incoming.append(_incoming(network.layers[0]))
    last = passes.backpropagate(network, POINTS, GOALS)
    return Training(
        start,
        (first, network),
        np.array([*losses, last.loss]),
        np.stack(incoming),
        last.outputs[:, 0],
    )


def _incoming(layer: Layer) -> Array:
    """Weights and bias of each neuron, one row per neuron."""
    bias = np.zeros(layer.neurons) if layer.bias is None else layer.bias
    return np.concatenate([layer.weights, bias[:, None]], axis=1)
