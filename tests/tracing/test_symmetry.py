"""Symmetry breaking: equal neurons stay equal to the last bit, random ones part."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from fallline.errors import InputError
from fallline.tracing import Layer, Network, passes
from fallline.tracing.symmetry import GOALS, ONE_NEURON_FLOOR, POINTS, symmetry


@pytest.mark.parametrize("sizes", [(2, 4, 1), (2, 6, 1), (2, 3, 5, 1)])
@pytest.mark.parametrize("activation", ["tanh", "relu", "softplus"])
def test_equal_neurons_stay_equal_to_the_last_bit(sizes: tuple[int, ...], activation: str) -> None:
    seen = symmetry(sizes, activation=activation, steps=40)
    for training, alike in ((seen.equal, True), (seen.random, False)):
        for number in range(len(sizes) - 2):
            layer = training.networks[1].layers[number]
            assert training.distinct(number) == (1 if alike else layer.neurons)
            if alike:
                assert all(each.tobytes() == layer.weights[0].tobytes() for each in layer.weights)
                assert training.spread(number) == (0, 0)
            else:
                assert training.spread(number)[0] > 0
    first = seen.equal.incoming
    assert (first == first[:, :1]).all()
    assert not np.array_equal(first[0], first[-1]), "they move, together"


def test_equal_weights_keep_the_loss_above_one_neurons_floor_and_random_ones_do_not() -> None:
    seen = symmetry(steps=1000)
    assert (seen.equal.losses > ONE_NEURON_FLOOR).all()
    assert seen.equal.losses[-1] == pytest.approx(ONE_NEURON_FLOOR, abs=0.02)
    assert seen.random.losses[-1] < 0.02
    assert seen.equal.right < 4
    assert seen.random.right == 4


def test_the_floor_is_that_of_the_best_rising_function() -> None:
    """Tried out: every order of the four points along a direction, and probabilities that rise."""
    levels = np.linspace(0.001, 0.999, 25)
    rising = np.array(list(itertools.combinations_with_replacement(levels, 4)))
    rng = np.random.default_rng(0)
    best = np.inf
    for direction in rng.normal(size=(40, 2)):
        goals = GOALS[np.argsort(POINTS @ direction), 0]
        losses = -np.log(np.where(goals == 1, rising, 1 - rising)).mean(axis=1)
        best = min(best, losses.min())
    assert best >= ONE_NEURON_FLOOR
    assert best == pytest.approx(ONE_NEURON_FLOOR, abs=0.005)


def test_training_descends_the_mean_over_the_points() -> None:
    seen = symmetry(steps=1, learning_rate=0.3, seed=4)
    first, after = seen.random.networks
    gradients = [passes.backpropagate(first, POINTS[[at]], GOALS[[at]]).layers for at in range(4)]
    for number, layer in enumerate(first.layers):
        mean = np.mean([each[number].weight_gradient for each in gradients], axis=0)
        np.testing.assert_allclose(
            after.layers[number].weights, layer.weights - 0.3 * mean, rtol=1e-14
        )
    assert seen.random.losses[0] == pytest.approx(
        np.mean([passes.backpropagate(first, POINTS[[at]], GOALS[[at]]).loss for at in range(4)])
    )


def test_unequal_outgoing_weights_break_the_symmetry_too() -> None:
    hidden = Layer(np.full((2, 2), 0.5), np.zeros(2), "tanh")
    network = Network((hidden, Layer([[0.5, 0.6]], [0.0])), "binary_cross_entropy")
    for _ in range(3):
        done = passes.backpropagate(network, POINTS, GOALS)
        network = passes.descended(network, done, 0.5)
    first, second = network.layers[0].weights
    assert not np.array_equal(first, second)


def test_the_table_has_every_neuron_and_says_which_are_equal() -> None:
    table = symmetry(steps=20).table()
    assert [*table.columns] == [
        "start", "layer", "neuron", "same_as", "w1", "w2", "w3", "w4", "bias",
    ]  # fmt: skip
    assert len(table) == 2 * (4 + 1)
    equal = table[(table["start"] == "equal") & (table["layer"] == 1)]
    assert [*equal["same_as"]] == ["", "1", "1", "1"]
    assert set(table[table["start"] == "random"]["same_as"]) == {""}


def test_the_words_hold_the_figures() -> None:
    seen = symmetry(steps=30)
    said = seen.in_words()
    for training in (seen.equal, seen.random):
        assert f"{training.losses[0]:.4f} -> {training.losses[-1]:.4f}" in said
        assert f"{training.right} of 4 points right" in said
    assert "4 neurons of layer 1 are equal to the last bit" in said
    assert "0.4774" in said


def test_seeds_change_the_random_start_only() -> None:
    first, second = symmetry(steps=2, seed=1), symmetry(steps=2, seed=2)
    np.testing.assert_array_equal(first.equal.losses, second.equal.losses)
    assert first.random.losses[0] != second.random.losses[0]


@pytest.mark.parametrize("sizes", [(3, 4, 1), (2, 4, 2), (2, 1), (2, 7, 1)])
def test_other_networks_are_refused(sizes: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="exclusive or") as caught:
        symmetry(sizes)
    assert "2,4,1" in (caught.value.hint or "")


def test_steps_and_learning_rates_have_bounds() -> None:
    with pytest.raises(InputError, match="steps are 1 to 20000"):
        symmetry(steps=0)
    with pytest.raises(InputError, match="learning rate"):
        symmetry(learning_rate=-1)
