"""Row numbers of splits and folds: disjoint, complete, stratified, and the same for ever."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fallline.data.splits import fold_rows, permutation, split_rows
from fallline.errors import DataError, InputError


def philox_words(seed: int, count: int) -> list[int]:
    """Words of Philox4x64-10 (Salmon et al., 2011), key (seed, 0), counters from 1."""
    words: list[int] = []
    for counter in range(1, count // 4 + 1):
        c, k0, k1 = [counter, 0, 0, 0], seed, 0
        for _ in range(10):
            high0, low0 = divmod(0xD2E7470EE14C6C93 * c[0], 2**64)
            high1, low1 = divmod(0xCA5A826395121157 * c[2], 2**64)
            c = [high1 ^ c[1] ^ k0, low1, high0 ^ c[3] ^ k1, low0]
            k0 = (k0 + 0x9E3779B97F4A7C15) % 2**64
            k1 = (k1 + 0xBB67AE8584CAA73B) % 2**64
        words += c
    return words


@pytest.mark.parametrize("seed", [0, 7])
def test_permutation_is_the_order_of_philox_words(seed):
    words = philox_words(seed, 1000)
    assert permutation(1000, seed).tolist() == sorted(range(1000), key=words.__getitem__)


def test_permutation_depends_on_the_seed():
    assert not np.array_equal(permutation(1000, 7), permutation(1000, 8))


def test_negative_seed_is_refused():
    with pytest.raises(InputError, match="split_seed is -1"):
        permutation(3, -1)


@given(
    sizes=st.lists(st.integers(8, 60), min_size=2, max_size=6),
    validation=st.floats(0.1, 0.4),
    test=st.sampled_from([0, 0.1, 0.3]),
    seed=st.integers(0, 5),
)
@settings(max_examples=60, deadline=None)
def test_stratified_splits_share_every_class(sizes, validation, test, seed):
    y = np.repeat(np.arange(len(sizes)), sizes)
    # Fewer held-out rows than classes are refused: tested below.
    assume(all(share == 0 or round(share * len(y)) >= len(sizes) for share in (validation, test)))
    names = [str(i) for i in range(len(sizes))]
    rows = split_rows(y, validation=validation, test=test, classes=names, seed=seed)
    parts = [part for part in (rows.train, rows.validation, rows.test) if part is not None]
    assert sorted(np.concatenate(parts)) == list(range(len(y)))
    assert len(rows.validation) == round(validation * len(y))
    assert (rows.test is None) == (test == 0)
    for part in parts:
        counts = np.bincount(y[part], minlength=len(sizes))
        fair = np.array(sizes) * len(part) / len(y)
        assert (np.abs(counts - fair) < 2.5).all()
        assert counts.min() >= 1


def test_counts_by_hand():
    y = np.repeat([0, 1], [30, 10])
    rows = split_rows(y, validation=8, test=4, classes=["a", "b"])
    assert np.bincount(y[rows.test]).tolist() == [3, 1]
    assert np.bincount(y[rows.validation]).tolist() == [6, 2]
    assert np.bincount(y[rows.train]).tolist() == [21, 7]


def test_rows_of_each_split_are_shuffled_across_classes():
    y = np.repeat([0, 1], 500)
    rows = split_rows(y, validation=0.2, test=0.2, classes=["a", "b"])
    assert 200 < y[rows.train][:600].sum() < 400
    assert 30 < y[rows.train][:100].sum() < 70


def test_without_shuffling_the_last_rows_are_held_out():
    rows = split_rows(np.zeros(10), validation=2, test=0.3, shuffle=False)
    assert rows.train.tolist() == [0, 1, 2, 3, 4]
    assert rows.validation.tolist() == [5, 6]
    assert rows.test.tolist() == [7, 8, 9]


@pytest.mark.parametrize("nothing", [0, None, 0.0])
def test_no_split_keeps_the_given_order(nothing):
    rows = split_rows(np.zeros(9), validation=nothing, test=nothing, seed=3)
    assert rows.train.tolist() == list(range(9))
    assert rows.validation is None
    assert rows.test is None


@pytest.mark.parametrize("amount", [-1, 1.5, 10, 11, "half", True, float("nan")])
def test_impossible_amounts_are_refused(amount):
    with pytest.raises(InputError, match="validation is"):
        split_rows(np.zeros(10), validation=amount, test=0)


def test_nothing_left_for_training_is_refused():
    with pytest.raises(InputError, match="6 rows for validation and 4 for test leave none"):
        split_rows(np.zeros(10), validation=6, test=4)


def test_too_rare_a_class_is_named():
    with pytest.raises(DataError, match="class 'rare' has 2 of the 12 examples") as caught:
        split_rows(np.repeat([0, 1], [10, 2]), validation=3, test=3, classes=["often", "rare"])
    assert "3 or more" in caught.value.hint


def test_a_split_smaller_than_the_classes_is_refused():
    with pytest.raises(InputError, match="validation of 2 rows cannot hold its share"):
        split_rows(np.repeat([0, 1, 2], 5), validation=2, test=0, classes=["a", "b", "c"])


@pytest.mark.parametrize("stratified", [True, False])
def test_folds_are_disjoint_and_cover_all(stratified):
    y = np.repeat([0, 1, 2], [10, 21, 33])
    folds = fold_rows(y, 5, classes=["a", "b", "c"] if stratified else (), seed=2)
    held = [validation for _, validation in folds]
    assert sorted(np.concatenate(held)) == list(range(64))
    for kept, validation in folds:
        assert sorted(np.concatenate([kept, validation])) == list(range(64))
        assert len(validation) in (12, 13)
    if stratified:
        counts = np.array([np.bincount(y[rows], minlength=3) for rows in held])
        assert (np.ptp(counts, axis=0) <= 1).all()


def test_impossible_folds_are_refused():
    with pytest.raises(InputError, match="1 folds of 6 rows"):
        fold_rows(np.zeros(6), 1)
    with pytest.raises(InputError, match="7 folds of 6 rows"):
        fold_rows(np.zeros(6), 7)
    with pytest.raises(DataError, match="class 'b' has 2 examples: too few for 3 folds"):
        fold_rows(np.array([0, 0, 0, 0, 1, 1]), 3, classes=["a", "b"])


def test_held_out_rows_are_drawn_from_the_whole_of_each_class():
    y = np.repeat([0, 1], 500)
    tests = [split_rows(y, validation=0, test=0.2, classes=["a", "b"], seed=s).test for s in (0, 1)]
    for rows in tests:
        for first in (0, 250, 500, 750):
            assert 30 < ((rows >= first) & (rows < first + 250)).sum() < 70
    assert len(set(tests[0]) & set(tests[1])) < 100
