"""A trace: steps of gradient descent on one example, with every number that was formed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from fallline.errors import InputError
from fallline.tracing import passes
from fallline.tracing.activations import Array
from fallline.tracing.network import (
    EXAMPLE_INPUT,
    EXAMPLE_TARGET,
    Layer,
    Network,
    example,
    numbers,
)
from fallline.tracing.passes import Pass

if TYPE_CHECKING:
    import pandas as pd

MOST_STEPS = 1000
NEAR_A_KINK = 1e-4


@dataclass(frozen=True, eq=False)
class Step:
    """One step: the network before it, its pass forward and back, and the network after it."""

    network: Network
    done: Pass
    after: Network


@dataclass(frozen=True, eq=False)
class Trace:
    """Steps on one example, and a last pass forward with the weights that they ended with."""

    steps: tuple[Step, ...]
    learning_rate: float
    last: Pass

    @property
    def network(self) -> Network:
        """The network that the trace began with."""
        return self.steps[0].network

    @property
    def outputs(self) -> Array:
        """The outputs before each step and after the last, shape ``(steps + 1, outputs)``."""
        return np.stack([*(step.done.outputs[0] for step in self.steps), self.last.outputs[0]])

    @property
    def losses(self) -> Array:
        """The loss before each step and after the last, shape ``(steps + 1,)``."""
        return np.array([*(step.done.loss for step in self.steps), self.last.loss])

    def table(self, step: int | None = None) -> pd.DataFrame:
        """Every number with the formula that it came from; of one step (from 1), or of all.

        Columns: step, pass (forward, loss, backward, update, check), layer (from 1), neuron
        (from 1), from (the neuron or input that a weight comes from, or bias), quantity, formula
        with numbers filled in, value (float64).
        """
        from fallline.tracing.table import table

        if step is not None and not 1 <= step <= len(self.steps):
            raise InputError(f"there are steps 1 to {len(self.steps)}, got {step}")
        return table(self, step)

    def gradient_check(self) -> float | None:
        """How far the first step's gradients are from central differences, at most.

        None where a sum z or a difference to the target lies on a kink, where the derivative is
        a convention and no difference can confirm it.
        """
        first = self.steps[0]
        if _on_a_kink(first.network, first.done):
            return None
        away = 0.0
        for number, done in enumerate(first.done.layers):
            layer = first.network.layers[number]
            weights = _differences(first, number, "weights", layer.weights)
            away = max(away, float(np.max(np.abs(weights - done.weight_gradient))))
            if layer.bias is not None and done.bias_gradient is not None:
                bias = _differences(first, number, "bias", layer.bias)
                away = max(away, float(np.max(np.abs(bias - done.bias_gradient))))
        return away

    def document(self) -> dict[str, Any]:
        """The trace as plain values, for JSON."""
        import json

        rows = json.loads(self.table().to_json(orient="records", double_precision=15))
        return {
            "network": self.network.document(),
            "x": self.last.inputs[0].tolist(),
            "y": self.last.targets[0].tolist(),
            "learning_rate": self.learning_rate,
            "outputs": self.outputs.tolist(),
            "losses": self.losses.tolist(),
            "network_after": self.steps[-1].after.document(),
            "gradient_check": self.gradient_check(),
            "table": rows,
        }


def trace(
    network: Network | None = None,
    x: ArrayLike | None = None,
    y: ArrayLike | None = None,
    *,
    learning_rate: float = 1.0,
    steps: int = 1,
) -> Trace:
    """Follow ``steps`` of gradient descent on the example (``x``, ``y``), number by number.

    Without arguments it is the example worked by hand: x = 2, y = 0.25, weights 0.75 and 0.5,
    sigmoid, squared error, learning rate 1. ``x`` has one number per input, ``y`` one per output,
    or is the class, from 0, for cross_entropy. All is computed in float64. Raises InputError for
    sizes that do not fit and numbers that are not finite.
    """
    network = example() if network is None else network
    inputs = numbers(np.atleast_1d(_given(x, EXAMPLE_INPUT)), "x", dimensions=1)
    goal = numbers(np.atleast_1d(_given(y, EXAMPLE_TARGET)), "y", dimensions=1)
    if len(inputs) != network.sizes[0]:
        raise InputError(
            f"the network has {_count(network.sizes[0], 'input')}, x has {_count(len(inputs))}",
            hint="give one number per input, for example --x 0.5,1",
        )
    targets = _target(network, goal)
    if not np.isfinite(learning_rate) or learning_rate < 0:
        raise InputError(f"a learning rate is a number of 0 or more, got {learning_rate}")
    if not 1 <= steps <= MOST_STEPS:
        raise InputError(f"steps are 1 to {MOST_STEPS}, got {steps}")
    made: list[Step] = []
    for _ in range(steps):
        done = passes.backpropagate(network, inputs[None], targets[None])
        after = passes.descended(network, done, learning_rate)
        made.append(Step(network, done, after))
        network = after
    last = passes.backpropagate(network, inputs[None], targets[None])
    return Trace(tuple(made), float(learning_rate), last)


def _given(value: ArrayLike | None, usual: float) -> Any:
    return usual if value is None else value


def _count(number: int, noun: str = "number") -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _target(network: Network, goal: Array) -> Array:
    """The target as one number per output; a class becomes a one and zeros."""
    outputs, loss = network.sizes[-1], network.loss
    if loss == "cross_entropy" and len(goal) == 1:
        if goal[0] not in range(outputs):
            raise InputError(
                f"the network has classes 0 to {outputs - 1}, y is {goal[0]:g}",
                hint="y is a class, or one probability per output",
            )
        return np.eye(outputs)[int(goal[0])]
    if len(goal) != outputs:
        raise InputError(
            f"the network has {_count(outputs, 'output')}, y has {_count(len(goal))}",
            hint="give one number per output, for example --y 0,1",
        )
    if network.function.output is not None and not (np.all(goal >= 0) and np.all(goal <= 1)):
        raise InputError(
            f"{loss} needs targets between 0 and 1, got {', '.join(f'{each:g}' for each in goal)}",
            hint="--loss squared takes any numbers",
        )
    if loss == "cross_entropy" and abs(goal.sum() - 1) > 1e-9:
        raise InputError(f"the probabilities in y must sum to 1, they sum to {goal.sum():g}")
    return goal


def _on_a_kink(network: Network, done: Pass) -> bool:
    pairs = zip(network.layers, done.layers, strict=True)
    on = any(
        layer.function.kink and bool(np.any(np.abs(passed.z) < NEAR_A_KINK))
        for layer, passed in pairs
    )
    kink = network.function.kink
    if kink is not None:
        size = np.abs(done.outputs - done.targets)
        on = on or bool(np.any(np.abs(size - kink) < NEAR_A_KINK))
    weights = [layer.weights for layer in network.layers]
    return on or (network.l1 > 0 and any(np.any(np.abs(each) < NEAR_A_KINK) for each in weights))


def _differences(step: Step, number: int, name: str, values: Array) -> Array:
    """Central differences of the loss by one layer's weights or biases, in their shape."""
    slopes = np.empty_like(values)
    for at in np.ndindex(values.shape):
        width = 1e-5 * max(1.0, float(abs(values[at])))
        losses = []
        for moved in (values[at] + width, values[at] - width):
            changed = values.copy()
            changed[at] = moved
            losses.append(_loss_with(step, number, name, changed))
        slopes[at] = (losses[0] - losses[1]) / (2 * width)
    return slopes


def _loss_with(step: Step, number: int, name: str, values: Array) -> float:
    layers = list(step.network.layers)
    old = layers[number]
    weights, bias = (values, old.bias) if name == "weights" else (old.weights, values)
    layers[number] = Layer(weights, bias, old.activation)
    changed = Network(tuple(layers), step.network.loss, step.network.l1, step.network.l2)
    passed = passes.forward(changed, step.done.inputs)
    return passes.data_loss(changed, passed, step.done.targets) + passes.penalty(changed)
