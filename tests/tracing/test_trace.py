"""Traces against figures worked by hand, published ones, JAX's gradients and differences."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fallline import activations as trained
from fallline.errors import InputError
from fallline.tracing import Layer, Network, Trace, drawn, from_document, trace
from fallline.tracing import activations as traced

# Written down here once more, in JAX and by their definitions alone.
BY_DEFINITION: dict[str, Callable[[jax.Array], jax.Array]] = {
    "identity": lambda z: z,
    "step": lambda z: jnp.where(z >= 0, 1.0, 0.0) + 0 * z,
    "sigmoid": lambda z: 1 / (1 + jnp.exp(-z)),
    "sigmoid(2.5)": lambda z: 1 / (1 + jnp.exp(-2.5 * z)),
    "tanh": jnp.tanh,
    "arctan": jnp.arctan,
    "relu": lambda z: jnp.where(z > 0, z, 0.0),
    "prelu(0.1)": lambda z: jnp.where(z > 0, z, 0.1 * z),
    "elu": lambda z: jnp.where(z > 0, z, jnp.exp(z) - 1),
    "elu(0.5)": lambda z: jnp.where(z > 0, z, 0.5 * (jnp.exp(z) - 1)),
    "softplus": lambda z: jnp.log(1 + jnp.exp(z)),
    "softmax": lambda z: jnp.exp(z) / jnp.exp(z).sum(),
}
LOSSES_BY_DEFINITION: dict[str, Callable[[jax.Array, jax.Array], jax.Array]] = {
    "squared": lambda a, y: jnp.mean((a - y) ** 2),
    "half_squared": lambda a, y: 0.5 * jnp.sum((a - y) ** 2),
    "mae": lambda a, y: jnp.mean(jnp.abs(a - y)),
    "huber": lambda a, y: jnp.mean(
        jnp.where(jnp.abs(a - y) <= 1, (a - y) ** 2 / 2, jnp.abs(a - y) - 0.5)
    ),
    "huber(0.2)": lambda a, y: jnp.mean(
        jnp.where(jnp.abs(a - y) <= 0.2, (a - y) ** 2 / 2, 0.2 * (jnp.abs(a - y) - 0.1))
    ),
    "binary_cross_entropy": lambda a, y: -jnp.mean(y * jnp.log(a) + (1 - y) * jnp.log(1 - a)),
    "cross_entropy": lambda a, y: -jnp.sum(y * jnp.log(a)),
}
ANY_OUTPUT = ("squared", "half_squared", "mae", "huber", "huber(0.2)")
COMBINATIONS = [
    *((name, loss) for name in BY_DEFINITION for loss in ANY_OUTPUT),
    ("sigmoid", "binary_cross_entropy"),
    ("sigmoid(2.5)", "binary_cross_entropy"),
    ("softmax", "cross_entropy"),
]


def jax_gradients(network: Network, x: np.ndarray, y: np.ndarray) -> list[dict[str, np.ndarray]]:
    """The loss's gradients by JAX, in float64, from the definitions above."""

    def loss(parameters: list[dict[str, jax.Array]]) -> jax.Array:
        a, penalty = jnp.asarray(x), jnp.asarray(0.0)
        for held, layer in zip(parameters, network.layers, strict=True):
            z = held["weights"] @ a
            a = BY_DEFINITION[layer.activation](z + held["bias"] if "bias" in held else z)
            penalty += network.l1 * jnp.abs(held["weights"]).sum()
            penalty += network.l2 * jnp.square(held["weights"]).sum()
        return LOSSES_BY_DEFINITION[network.loss](a, jnp.asarray(y)) + penalty

    with jax.enable_x64(True):
        parameters = [
            {"weights": jnp.asarray(layer.weights)}
            | ({} if layer.bias is None else {"bias": jnp.asarray(layer.bias)})
            for layer in network.layers
        ]
        return jax.tree.map(np.asarray, jax.grad(loss)(parameters))


def assert_gradients(shown: Trace, *, within: float = 1e-10) -> None:
    done = shown.steps[0].done
    expected = jax_gradients(shown.network, done.inputs[0], done.targets[0])
    for ours, theirs in zip(done.layers, expected, strict=True):
        np.testing.assert_allclose(ours.weight_gradient, theirs["weights"], atol=within, rtol=0)
        if "bias" in theirs:
            np.testing.assert_allclose(ours.bias_gradient, theirs["bias"], atol=within, rtol=0)


def a_network(hidden: str, output: str, loss: str, **more: float) -> Network:
    """2-3-2 with biases, no sum of which lies on a kink."""
    weights = [[0.4, -0.7], [-0.3, 0.55], [0.9, 0.2]], [[0.5, -0.6, 0.35], [-0.8, 0.25, 0.45]]
    layers = Layer(weights[0], [0.1, 0.3, -0.2], hidden), Layer(weights[1], [0.15, -0.05], output)
    return Network(layers, loss, **more)


# --- figures of others


def test_the_example_comes_out_as_by_hand_to_five_digits() -> None:
    shown = trace()
    table = shown.table()
    found = {
        (row["pass"], row["layer"], row["quantity"]): f"{row['value']:.5f}"
        for row in table.to_dict("records")
    }
    assert found["forward", 1, "z"] == "1.50000"
    assert found["forward", 1, "a"] == "0.81757"
    assert found["forward", 2, "z"] == "0.40879"
    assert found["forward", 2, "a"] == "0.60080"
    assert found["backward", 1, "dL/dw"] == "0.02510"
    assert found["backward", 2, "dL/dw"] == "0.13757"
    assert found["update", 1, "new w"] == "0.72490"
    assert found["update", 2, "new w"] == "0.36243"
    assert found["check", 1, "a"] == "0.80997"
    assert found["check", 2, "a"] == "0.57287"
    assert f"{shown.outputs[1, 0]:.5f}" == "0.57287"


def test_the_example_needs_the_loss_without_one_half() -> None:
    network = Network(trace().network.layers, "half_squared")
    gradient = trace(network, 2, 0.25).steps[0].done.layers[0].weight_gradient[0, 0]
    assert f"{2 * gradient:.5f}" == "0.02510"


def test_a_published_two_two_two_network() -> None:
    """Mazur (2015), "A step by step backpropagation example": its figures, to its digits."""
    network = Network(
        (
            Layer([[0.15, 0.20], [0.25, 0.30]], [0.35, 0.35]),
            Layer([[0.40, 0.45], [0.50, 0.55]], [0.60, 0.60]),
        ),
        "half_squared",
    )
    shown = trace(network, [0.05, 0.10], [0.01, 0.99], learning_rate=0.5)
    assert shown.losses[0] == pytest.approx(0.298371109, abs=5e-10)
    np.testing.assert_allclose(shown.outputs[0], [0.75136507, 0.772928465], atol=5e-9)
    first, second = (layer.weights for layer in shown.steps[0].after.layers)
    np.testing.assert_allclose(
        first, [[0.149780716, 0.19956143], [0.24975114, 0.29950229]], atol=5e-9
    )
    np.testing.assert_allclose(
        second, [[0.35891648, 0.408666186], [0.511301270, 0.561370121]], atol=5e-9
    )


# --- gradients


@pytest.mark.parametrize(("output", "loss"), COMBINATIONS)
def test_gradients_equal_jax_and_differences(output: str, loss: str) -> None:
    target = [1.0, 0.0] if "entropy" in loss else [0.4, 1.9]
    hidden = "tanh" if output == "step" else output
    shown = trace(a_network(hidden, output, loss, l1=0.03, l2=0.01), [0.8, -0.45], target)
    assert_gradients(shown)
    away = shown.gradient_check()
    assert away is not None
    assert away < 1e-8


@pytest.mark.parametrize("hidden", BY_DEFINITION)
def test_gradients_through_every_hidden_activation(hidden: str) -> None:
    shown = trace(a_network(hidden, "softmax", "cross_entropy"), [0.8, -0.45], 1)
    assert_gradients(shown)
    first = shown.steps[0].done.layers[0].weight_gradient
    assert np.any(first != 0) == (hidden != "step")


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_random_small_networks_have_the_gradients_of_jax(data: st.DataObject) -> None:
    # A few shapes: JAX compiles for each anew.
    sizes = data.draw(st.sampled_from(((1, 1), (2, 3, 1), (3, 2, 3, 2))), "sizes")
    smooth = ("identity", "sigmoid", "sigmoid(2.5)", "tanh", "arctan", "softplus", "elu")
    hidden, output = (data.draw(st.sampled_from(smooth)) for _ in range(2))
    loss = data.draw(st.sampled_from(("squared", "half_squared")))
    network = drawn(
        sizes,
        hidden=hidden,
        output=output,
        loss=loss,
        bias=data.draw(st.booleans()),
        seed=data.draw(st.integers(0, 999)),
        l2=data.draw(st.sampled_from((0.0, 0.1))),
    )
    numbers = st.floats(-2, 2)
    x = data.draw(st.lists(numbers, min_size=sizes[0], max_size=sizes[0]), "x")
    y = data.draw(st.lists(numbers, min_size=sizes[-1], max_size=sizes[-1]), "y")
    assert_gradients(trace(network, x, y))


def test_a_step_is_gradient_descent_and_steps_follow_each_other() -> None:
    network = a_network("tanh", "identity", "squared")
    shown = trace(network, [0.8, -0.45], [0.4, 1.9], learning_rate=0.1, steps=3)
    for step, following in zip(shown.steps, shown.steps[1:], strict=False):
        assert step.after is following.network
    first = shown.steps[0]
    for old, done, new in zip(network.layers, first.done.layers, first.after.layers, strict=True):
        np.testing.assert_array_equal(new.weights, old.weights - 0.1 * done.weight_gradient)
        assert new.bias is not None
        np.testing.assert_array_equal(new.bias, old.bias - 0.1 * done.bias_gradient)
    assert shown.outputs.shape == (4, 2)
    assert (np.diff(shown.losses) < 0).all()
    again = trace(shown.steps[-1].after, [0.8, -0.45], [0.4, 1.9])
    assert again.losses[0] == shown.losses[-1]


def test_penalties_leave_biases_alone_and_are_in_the_loss() -> None:
    plain = trace(a_network("tanh", "identity", "squared"), [0.8, -0.45], [0.4, 1.9])
    held = trace(a_network("tanh", "identity", "squared", l1=0.1, l2=0.2), [0.8, -0.45], [0.4, 1.9])
    weights = np.concatenate([layer.weights.ravel() for layer in plain.network.layers])
    penalty = 0.1 * np.abs(weights).sum() + 0.2 * np.square(weights).sum()
    assert held.losses[0] == pytest.approx(plain.losses[0] + penalty, rel=1e-14)
    for with_penalty, without in zip(
        held.steps[0].done.layers, plain.steps[0].done.layers, strict=True
    ):
        np.testing.assert_array_equal(with_penalty.bias_gradient, without.bias_gradient)


def test_no_difference_is_asked_at_a_kink() -> None:
    network = Network((Layer([[1.0, -1.0]], None, "relu"), Layer([[0.5]], None, "identity")))
    assert trace(network, [1, 1], 2).gradient_check() is None
    assert trace(network, [1, 0], 2).gradient_check() == pytest.approx(0, abs=1e-9)
    mae = Network((Layer([[1.0]], None, "identity"),), "mae")
    assert trace(mae, 2, 2).gradient_check() is None
    flat = Network((Layer([[0.0]], None, "identity"),), l1=0.1)
    assert trace(flat, 2, 2).gradient_check() is None


def test_cross_entropies_stay_exact_where_probabilities_round() -> None:
    network = Network((Layer([[1.0]], None, "sigmoid"),), "binary_cross_entropy")
    assert trace(network, 800, 0).losses[0] == 800
    assert trace(network, -800, 0).losses[0] == 0
    two = Network((Layer([[1.0], [0.0]], None, "softmax"),), "cross_entropy")
    shown = trace(two, 900, 1, learning_rate=0)
    assert shown.losses[0] == 900
    np.testing.assert_array_equal(shown.steps[0].done.layers[0].delta, [[1, -1]])


# --- activations


@pytest.mark.parametrize("name", [each for each in traced.names() if each != "softmax"])
def test_activations_are_those_that_networks_are_trained_with(name: str) -> None:
    z = np.concatenate([np.linspace(-6, 6, 41), [-30.0, 30.0, 1e-9, -1e-9, 0.0]])
    ours, theirs = traced.get(name), trained.get(name)
    with jax.enable_x64(True):
        a = np.asarray(theirs.function(jnp.asarray(z)))
        slope = np.asarray(theirs.derivative(jnp.asarray(z)))
    np.testing.assert_allclose(ours.value(z), a, rtol=1e-13, atol=1e-15)
    assert ours.slope is not None
    np.testing.assert_allclose(ours.slope(z, ours.value(z)), slope, rtol=1e-12, atol=1e-15)


def test_softmax_is_that_of_training() -> None:
    z = np.array([[0.3, -1.2, 2.0], [1000.0, 999.0, -1000.0]])
    with jax.enable_x64(True):
        theirs = np.asarray(trained.get("softmax").function(jnp.asarray(z)))
    np.testing.assert_allclose(traced.get("softmax").value(z), theirs, rtol=1e-12)


def test_the_sigmoid_has_a_slope() -> None:
    assert traced.get("sigmoid(2)").value(np.array([0.75])) == traced.get("sigmoid").value(
        np.array([1.5])
    )
    assert traced.get("logistic").name == "sigmoid"


# --- the table


def test_formulas_in_the_table_give_the_values_beside_them() -> None:
    network = drawn((2, 3, 2), hidden="tanh", output="sigmoid(2)", bias=True, seed=5, l2=0.01)
    table = trace(network, [0.5, -1.25], [0.25, 1], learning_rate=0.5).table()
    checked = 0
    for row in table.to_dict("records"):
        formula, _, result = row["formula"].rpartition(" = ")
        if formula:
            text = re.sub(r"e\^(-?)(\([^)]*\)|[\d.]+)", r"exp(\1\2)", formula)
            text = text.replace("×", "*").replace("²", "**2")
            names = {"exp": np.exp, "tanh": np.tanh}
            assert eval(text, {"__builtins__": {}}, names) == pytest.approx(row["value"], abs=1e-4)
            assert float(result) == pytest.approx(row["value"], abs=6e-6)
            checked += 1
    assert checked > 50


def test_columns_and_order_of_the_table() -> None:
    table = trace(steps=2).table()
    assert [*table.columns] == [
        "step",
        "pass",
        "layer",
        "neuron",
        "from",
        "quantity",
        "formula",
        "value",
    ]
    first = table[table["step"] == 1]
    assert [*dict.fromkeys(first["pass"])] == ["forward", "loss", "backward", "update", "check"]
    assert first["formula"].iloc[0] == "0.75 × 2 = 1.5"
    assert len(trace(steps=2).table(step=2)) == len(first)
    assert set(trace(steps=2).table(step=2)["step"]) == {2}
    with pytest.raises(InputError, match="steps 1 to 2, got 3"):
        trace(steps=2).table(step=3)


def test_the_document_holds_the_network_and_every_row() -> None:
    shown = trace(a_network("elu(0.5)", "softmax", "cross_entropy", l1=0.1), [0.8, -0.45], 0)
    document = json.loads(json.dumps(shown.document(), allow_nan=False))
    again = trace(from_document(document["network"]), document["x"], document["y"])
    np.testing.assert_array_equal(again.losses, document["losses"])
    assert len(document["table"]) == len(shown.table())
    loss = next(row for row in document["table"] if row["quantity"] == "loss")
    assert loss["layer"] is None


# --- wrong input


@pytest.mark.parametrize(
    ("make", "words", "hint"),
    [
        (lambda: Layer([[1.0]], None, "sigmod"), "unknown activation 'sigmod'", "'sigmoid'"),
        (lambda: Layer([[1.0]], None, "tanh(2)"), "takes no parameter", "write tanh"),
        (lambda: Layer([[1.0]], None, "sigmoid(x)"), "number above 0", r"sigmoid\(0.5\)"),
        (lambda: Layer([[1.0]], None, "elu(-1)"), "number 0 or more", r"elu\(0.5\)"),
        (lambda: Layer([[1.0], [2.0]], [1.0]), "has 2 biases, got 1", None),
        (lambda: Layer([[1.0], [2.0, 3.0]]), "rows of equal length", None),
        (lambda: Layer([[np.nan]]), "finite numbers, got nan", None),
        (lambda: Layer([1.0]), "one row per neuron", None),
        (lambda: Network(()), "at least one layer", None),
        (lambda: Network((Layer([[1.0]]), Layer([[1.0, 2.0]]))), "has 1 neurons", "one per neuron"),
        (lambda: Network((Layer([[1.0]]),), "square"), "unknown loss 'square'", "'squared'"),
        (lambda: Network((Layer([[1.0]]),), "huber(0)"), "number above 0", r"huber\(0.5\)"),
        (lambda: Network((Layer([[1.0]]),), "mae(2)"), "huber's delta", "without brackets"),
        (lambda: Network((Layer([[1.0]]),), l2=-1), "l2 is a number of 0 or more", None),
        (lambda: Network((Layer([[1.0]]),), "cross_entropy"), "needs softmax", "--output softmax"),
        (lambda: Network((Layer([[1.0]], None, "softmax"),)), "always 1", "two neurons"),
        (lambda: drawn((3, 0, 1)), "got '3,0,1'", "2,3,1"),
        (lambda: drawn((30, 30, 1)), "930 weights", "at most 500"),
        (lambda: trace(None, [1, 2], 1), "1 input, x has 2 numbers", "one number per input"),
        (lambda: trace(None, 1, [1, 2]), "1 output, y has 2 numbers", "one number per output"),
        (lambda: trace(None, np.inf, 1), "x must be finite", None),
        (lambda: trace(learning_rate=np.nan), "learning rate", None),
        (lambda: trace(steps=0), "steps are 1 to", None),
        (lambda: trace(drawn((1, 1), output="identity"), 1e200, 1), "grow past", "smaller"),
        (lambda: from_document({"layer": []}), "unknown field of a network", "'layers'"),
        (lambda: from_document([{"weigths": [[1]]}]), "'weigths'", "'weights'"),
        (lambda: from_document("0.5"), "a list of layers", None),
        (lambda: trace(_classes(), [1], 2), "classes 0 to 1, y is 2", "is a class"),
        (lambda: trace(_classes(), [1], [0.5, 0.4]), "sum to 1", None),
        (lambda: trace(_classes(), [1], [-0.5, 1.5]), "between 0 and 1", "squared"),
    ],
)
def test_wrong_input_is_refused_with_a_way_out(
    make: Callable[[], object], words: str, hint: str | None
) -> None:
    with pytest.raises(InputError, match=words) as caught:
        make()
    if hint is not None:
        assert re.search(hint, caught.value.hint or "")


def _classes() -> Network:
    return Network((Layer([[1.0], [0.5]], None, "softmax"),), "cross_entropy")
