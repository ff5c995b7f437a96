"""Orders: permutations that depend on what they should, and on nothing else."""

from __future__ import annotations

import numpy as np

from fallline.engine.ordering import batches, epoch_order, steps_per_epoch


def test_an_order_is_a_permutation_that_is_stable() -> None:
    order = epoch_order(0, "digits-mlp", 1, 2, 1000)
    assert order.dtype == np.int32
    assert sorted(order.tolist()) == list(range(1000))
    # Recorded: orders must not change between versions, or resumed studies would mix two.
    assert order[:5].tolist() == [733, 31, 367, 506, 245]
    np.testing.assert_array_equal(order, epoch_order(0, "digits-mlp", 1, 2, 1000))


def test_every_part_of_the_name_changes_the_order() -> None:
    base = (0, "digits-mlp", 1, 2)
    others = [
        (1, *base[1:]),
        (0, "digits-cnn", 1, 2),
        (0, "digits-mlp", 2, 2),
        (0, "digits-mlp", 1, 3),
    ]
    for other in others:
        assert (epoch_order(*base, 100) != epoch_order(*other, 100)).any()


def test_without_shuffling_the_order_is_the_files() -> None:
    assert epoch_order(0, "t", 0, 5, 4, shuffle=False).tolist() == [0, 1, 2, 3]


def test_the_last_batch_is_filled_up() -> None:
    cut = batches(np.arange(7, dtype=np.int32), 3)
    assert cut.tolist() == [[0, 1, 2], [3, 4, 5], [6, -1, -1]]
    assert steps_per_epoch(7, 3) == 3
    assert steps_per_epoch(6, 3) == 2
