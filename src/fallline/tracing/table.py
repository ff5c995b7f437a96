"""The table of a trace: one row per number, with the formula that it came from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import astuple, dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from fallline.tracing import passes
from fallline.tracing.activations import Activation, Array
from fallline.tracing.network import Layer, Network
from fallline.tracing.numbers import factor, products, written
from fallline.tracing.passes import LayerPass, Pass

if TYPE_CHECKING:
    import pandas as pd

    from fallline.tracing.trace import Step, Trace

COLUMNS = ("step", "pass", "layer", "neuron", "from", "quantity", "formula", "value")
BIAS = "bias"


@dataclass(frozen=True)
class Row:
    """One number. ``source`` is the neuron or input that a weight comes from, or "bias"."""

    part: str
    layer: int | None
    neuron: int | None
    source: str
    quantity: str
    formula: str
    value: float

    @property
    def equation(self) -> str:
        """The formula with its result; alone where it says or is the result."""
        result = written(self.value)
        said = ":" in self.formula or self.formula == result
        return self.formula if said else f"{self.formula} = {result}"


def table(trace: Trace, step: int | None = None) -> pd.DataFrame:
    """All rows of a trace, or of one of its steps."""
    import pandas as pd

    held = [
        (number, *astuple(replace(row, formula=row.equation)))
        for number, each in enumerate(trace.steps, start=1)
        if step in (None, number)
        for row in rows(each, trace.learning_rate)
    ]
    frame = pd.DataFrame(held, columns=list(COLUMNS))
    return frame.astype({"layer": "Int64", "neuron": "Int64", "value": "float64"})


def rows(step: Step, learning_rate: float) -> Iterator[Row]:
    """The rows of one step, in the order in which they are worked out by hand."""
    network, done = step.network, step.done
    passed = [(layer.z, layer.a) for layer in done.layers]
    yield from _forward("forward", network, done.inputs, passed)
    yield from _loss("loss", network, done.outputs[0], done.targets[0], done.data_loss)
    yield from _backward(network, done)
    yield from _update(step, learning_rate)
    again = passes.forward(step.after, done.inputs)
    yield from _forward("check", step.after, done.inputs, again)
    loss = passes.data_loss(step.after, again, done.targets)
    yield from _loss("check", step.after, again[-1][1][0], done.targets[0], loss)


def _forward(
    part: str, network: Network, inputs: Array, passed: list[tuple[Array, Array]]
) -> Iterator[Row]:
    before = inputs[0]
    for number, (layer, (zs, activations)) in enumerate(
        zip(network.layers, passed, strict=True), start=1
    ):
        z, a = zs[0], activations[0]
        for neuron in range(layer.neurons):
            more = [] if layer.bias is None else [layer.bias[neuron]]
            pairs = zip(layer.weights[neuron], before, strict=True)
            formula = products(pairs, more=more)
            yield Row(part, number, neuron + 1, "", "z", formula, z[neuron])
            formula = _value_formula(layer.function, z, neuron)
            yield Row(part, number, neuron + 1, "", "a", formula, a[neuron])
        before = a


def _value_formula(function: Activation, z: Array, neuron: int) -> str:
    if function.slope is not None:
        return function.value_in_numbers(z[neuron])
    powers = " + ".join(f"e^{written(each)}" for each in z)
    return f"e^{written(z[neuron])} / ({powers})"


def _loss(part: str, network: Network, a: Array, y: Array, data_loss: float) -> Iterator[Row]:
    formula = network.function.value_in_numbers(a, y)
    yield Row(part, None, None, "", "loss", formula, data_loss)
    if not (network.l1 or network.l2):
        return
    weights = np.concatenate([layer.weights.ravel() for layer in network.layers])
    terms = []
    if network.l1:
        terms.append(f"{written(network.l1)} × {written(np.abs(weights).sum())}")
    if network.l2:
        terms.append(f"{written(network.l2)} × {written(np.square(weights).sum())}")
    penalty = passes.penalty(network)
    yield Row(part, None, None, "", "penalty", " + ".join(terms), penalty)
    formula = f"{written(data_loss)} + {written(penalty)}"
    yield Row(part, None, None, "", "total", formula, data_loss + penalty)


def _backward(network: Network, done: Pass) -> Iterator[Row]:
    for number in range(len(network.layers), 0, -1):
        layer, passed = network.layers[number - 1], done.layers[number - 1]
        before = done.inputs[0] if number == 1 else done.layers[number - 2].a[0]
        for neuron in range(layer.neurons):
            yield from _delta(network, done, number, neuron)
        for neuron in range(layer.neurons):
            yield from _gradients(network, layer, passed, before, number, neuron)


def _delta(network: Network, done: Pass, number: int, neuron: int) -> Iterator[Row]:
    layer, passed = network.layers[number - 1], done.layers[number - 1]
    z, a, delta = passed.z[0], passed.a[0], passed.delta[0]

    def row(quantity: str, formula: str, value: float) -> Row:
        return Row("backward", number, neuron + 1, "", quantity, formula, value)

    if passed.error is None:
        yield row("delta", _joined_formula(network, done, neuron), delta[neuron])
        return
    error = passed.error[0]
    yield row("dL/da", _error_formula(network, done, number, neuron), error[neuron])
    if passed.slope is None:
        mean = factor(float(np.sum(error * a)))
        formula = f"{written(a[neuron])} × ({written(error[neuron])} - {mean})"
        yield row("delta", formula, delta[neuron])
        return
    slope = passed.slope[0, neuron]
    yield row("g'(z)", layer.function.slope_in_numbers(z[neuron], a[neuron]), slope)
    yield row("delta", f"{written(error[neuron])} × {factor(slope)}", delta[neuron])


def _error_formula(network: Network, done: Pass, number: int, neuron: int) -> str:
    if number < len(network.layers):
        weights = network.layers[number].weights[:, neuron]
        return products(zip(done.layers[number].delta[0], weights, strict=True))
    a, y = done.outputs[0], done.targets[0]
    return network.function.slope_in_numbers(a[neuron], y[neuron], len(a))


def _joined_formula(network: Network, done: Pass, neuron: int) -> str:
    """Of a cross-entropy on its own activation: slope x (a - y), over the outputs of a mean."""
    a, y = done.outputs[0], done.targets[0]
    slope = network.layers[-1].function.parameter or 1.0
    formula = f"{written(a[neuron])} - {factor(y[neuron])}"
    if slope != 1:
        formula = f"{written(slope)} × ({formula})"
    if network.function.shared and len(a) > 1:
        formula = f"{formula if slope != 1 else f'({formula})'} / {len(a)}"
    return formula


def _gradients(
    network: Network, layer: Layer, passed: LayerPass, before: Array, number: int, neuron: int
) -> Iterator[Row]:
    delta = passed.delta[0, neuron]
    for source, a in enumerate(before):
        weight = layer.weights[neuron, source]
        formula = f"{written(delta)} × {factor(a)}"
        if network.l1:
            formula += f" + {written(network.l1)} × {factor(float(np.sign(weight)))}"
        if network.l2:
            formula += f" + 2 × {written(network.l2)} × {factor(weight)}"
        value = passed.weight_gradient[neuron, source]
        yield Row("backward", number, neuron + 1, str(source + 1), "dL/dw", formula, value)
    if passed.bias_gradient is not None:
        value = passed.bias_gradient[neuron]
        yield Row("backward", number, neuron + 1, BIAS, "dL/db", written(delta), value)


def _update(step: Step, learning_rate: float) -> Iterator[Row]:
    for number, (old, passed, new) in enumerate(
        zip(step.network.layers, step.done.layers, step.after.layers, strict=True), start=1
    ):
        for neuron in range(old.neurons):
            for source in range(old.inputs):
                at = (neuron, source)
                formula = _step_formula(old.weights[at], learning_rate, passed.weight_gradient[at])
                yield Row(
                    "update", number, neuron + 1, str(source + 1), "new w", formula, new.weights[at]
                )
            if old.bias is not None and new.bias is not None and passed.bias_gradient is not None:
                gradient = passed.bias_gradient[neuron]
                formula = _step_formula(old.bias[neuron], learning_rate, gradient)
                value = new.bias[neuron]
                yield Row("update", number, neuron + 1, BIAS, "new b", formula, value)


def _step_formula(old: float, learning_rate: float, gradient: float) -> str:
    return f"{written(old)} - {written(learning_rate)} × {factor(gradient)}"
