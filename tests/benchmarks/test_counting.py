"""Operations, bytes and parameters, against figures worked by hand and those of the studies."""

import numpy as np
import pytest

import counting
from networks import (
    NETWORKS,
    BatchNorm,
    Conv,
    Dense,
    Dropout,
    Pool,
    kernels,
    shaped,
)


@pytest.mark.parametrize(
    ("network", "parameters"), [("mlp", 101_770), ("cnn", 1_387_594), ("lenet5", 44_426)]
)
def test_the_networks_have_the_parameters_of_the_studies(network, parameters):
    assert sum(each.parameters for each in shaped(NETWORKS[network])) == parameters


def test_batch_norm_adds_a_scale_and_a_shift_per_channel():
    # Five of them, over 32, 32, 64, 64 and 256 channels.
    with_norm, without = (
        sum(each.parameters for each in shaped(NETWORKS[name])) for name in ("bn-cnn", "plain-cnn")
    )
    assert with_norm - without == 2 * (32 + 32 + 64 + 64 + 256)


def test_shapes_go_from_layer_to_layer():
    after = [each.after for each in shaped((Conv(4, 3), Pool(), Dropout(0.5), Dense(7)), (6, 9, 1))]
    assert after == [(4, 7, 4), (2, 3, 4), (2, 3, 4), (7,)]


def test_initial_weights_are_within_glorots_limit_and_the_same_again():
    first, last = kernels(NETWORKS["mlp"])
    assert first.shape == (784, 128)
    assert last.shape == (128, 10)
    limit = np.sqrt(6 / (784 + 128))
    assert 0.99 * limit < np.abs(first).max() <= limit
    np.testing.assert_array_equal(first, kernels(NETWORKS["mlp"])[0])


def test_operations_of_dense_layers_by_hand():
    # Forward and the weights' gradient in both layers, the input's gradient in the second alone.
    assert counting.operations(NETWORKS["mlp"], 1) == 2 * (2 * 784 * 128 + 3 * 128 * 10)


def test_operations_of_convolutions_by_hand():
    layers = (Conv(4, 3), Pool(), Conv(5, 2), Dense(3, relu=False))
    # 6 x 6 in: 4 x 4 positions of 9 weights to 4; 2 x 2 in: 1 position of 16 weights to 5; 5 to 3.
    wanted = 10 * 2 * (2 * 16 * 9 * 4 + 3 * 16 * 5 + 3 * 5 * 3)
    assert counting.operations(layers, 10, (6, 6, 1)) == wanted


def test_bytes_by_hand():
    layers = (Dense(3), Dense(2, relu=False))
    found = counting.count(layers, 5, (2, 2, 1))
    parameters = 4 * 3 + 3 + 3 * 2 + 2
    assert found.moved == 4 * (10 * parameters + 5 * 5 * (3 + 2)) + 2 * 5 * 4
    assert found.held == 4 * (4 * parameters + 5 * (3 + 2)) + 5 * 4


def test_batch_norm_stores_what_it_takes_in_and_not_what_it_gives():
    plain = counting.count((Conv(4, 3), Pool(), Dense(3, relu=False)), 5, (6, 6, 1))
    layers = (Conv(4, 3), BatchNorm(), Pool(), BatchNorm(), Dense(3, relu=False))
    normed = counting.count(layers, 5, (6, 6, 1))
    assert normed.operations == plain.operations
    # The convolution's output of 4 x 4 x 4 comes in, the pooled 2 x 2 x 4 has 8 passes, not 5.
    extra = 8 * 64 + 3 * 16
    assert normed.moved - plain.moved == 4 * (5 * extra + 10 * 2 * 2 * 4)
