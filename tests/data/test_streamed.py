"""Rows of files against the same rows of arrays in memory."""

from __future__ import annotations

import tempfile
import tracemalloc
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fallline.data import npy
from fallline.data.scaling import row_normed
from fallline.data.streamed import Shards, as_streamed, joined, open_shards
from fallline.errors import DataError, InputError


def saved(folder: Path, array: np.ndarray, cuts: Sequence[int]) -> Shards:
    """``array`` in files that end at ``cuts``."""
    paths = []
    for number, part in enumerate(np.split(array, cuts)):
        paths.append(folder / f"x-{number:05}.npy")
        np.save(paths[-1], part)
    return open_shards(paths)


@pytest.fixture
def x() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (40, 3, 2)).astype(np.uint8)


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_take_is_numpys(data):
    sizes = data.draw(st.lists(st.integers(1, 9), min_size=1, max_size=5))
    dtype = data.draw(st.sampled_from(["u1", "<f4", ">f4", "f8", "i2"]))
    trailing = data.draw(st.sampled_from([(), (3,), (2, 2)]))
    total = sum(sizes)
    array = np.random.default_rng(total).integers(0, 99, (total, *trailing)).astype(dtype)
    numbers = st.lists(st.integers(-total, total - 1), max_size=30)
    rows = np.array(data.draw(numbers), np.int64)
    kept = np.array(data.draw(numbers.filter(len)), np.int64)
    with tempfile.TemporaryDirectory() as folder:
        shards = saved(Path(folder), array, np.cumsum(sizes)[:-1])
        ours = shards.take(rows)
        np.testing.assert_array_equal(ours, np.take(array, rows, axis=0))
        assert ours.dtype == array.dtype.newbyteorder("=") == shards.dtype
        view, held = shards.select(kept), array[kept]
        again = rows % len(kept)
        np.testing.assert_array_equal(view.take(again), held[again])
        np.testing.assert_array_equal(view.select(again)[:], held[again])
        assert (view.shape, view.nbytes, view.ndim) == (held.shape, held.nbytes, held.ndim)


def test_rows_of_any_shape_and_large_blocks(tmp_path, x, monkeypatch):
    monkeypatch.setattr("fallline.data.streamed._BLOCK", 13)
    shards = saved(tmp_path, x, [7, 8, 30])
    orders = np.random.default_rng(1).permutation(40).reshape(2, 5, 4)
    np.testing.assert_array_equal(shards.take(orders), x[orders])
    np.testing.assert_array_equal(shards[:], x)
    np.testing.assert_array_equal(shards[35:3:-2], x[35:3:-2])
    np.testing.assert_array_equal(shards[-1], x[-1])
    np.testing.assert_array_equal(shards[orders[0, 0]], x[orders[0, 0]])
    assert shards.take([]).shape == (0, 3, 2)


def test_rows_that_lie_far_apart_are_fetched_at_once(tmp_path, monkeypatch):
    x = np.random.default_rng(0).integers(0, 256, (50, 40_000)).astype(np.uint8)
    shards = saved(tmp_path, x, [30])
    fetched: list[list[int]] = []
    expect = npy.Mapped.expect

    def noted(self, rows, *, sparse):
        if sparse:
            fetched.append(rows.tolist())
        expect(self, rows, sparse=sparse)

    monkeypatch.setattr(npy.Mapped, "expect", noted)
    rows = np.array([49, 0, 29, 35, 7])
    np.testing.assert_array_equal(shards.take(rows), x[rows])
    assert fetched == [], "files that fit the memory are read around"
    monkeypatch.setattr(npy, "memory", lambda: 1.0)
    larger = saved(tmp_path, x, [30])
    np.testing.assert_array_equal(larger.take(rows), x[rows])
    assert fetched == [[0, 7, 29], [5, 19]]
    np.testing.assert_array_equal(larger[3:20], x[3:20])
    assert len(fetched) == 2, "neighbours are read in one go"


def test_what_is_read_is_ones_own(tmp_path, x):
    shards = saved(tmp_path, x, [20])
    part = shards[:5]
    part[:] = 0
    np.testing.assert_array_equal(shards[:5], x[:5])


@pytest.mark.parametrize("rows", [[40], [-41], [0.5], [True]])
def test_rows_that_there_are_not_are_refused(tmp_path, x, rows):
    shards = saved(tmp_path, x, [20])
    with pytest.raises(IndexError):
        shards.take(rows)
    with pytest.raises(IndexError):
        shards.select(rows)


def test_rows_are_converted_as_they_are_read(tmp_path):
    wide = np.random.default_rng(2).normal(size=(30, 4)) * 1e3
    wide[3, 3] = 1e200
    shards = saved(tmp_path, wide, [11])
    narrow = shards.astype(np.float32)
    with np.errstate(over="ignore"):
        expected = wide.astype(np.float32)
    np.testing.assert_array_equal(narrow[:], expected)
    assert (narrow.dtype, narrow.nbytes) == (np.dtype(np.float32), 30 * 4 * 4)
    assert shards.astype("float64") is shards
    rows = np.arange(4, 30)[::-1]
    normed = narrow.select(rows).normed(1)
    np.testing.assert_array_equal(normed[:], row_normed(expected[rows], 1))
    with pytest.raises(InputError, match="norm_axis is 0"):
        narrow.normed(0)


def test_joined_rows_of_the_same_files_and_of_others(tmp_path, x):
    (tmp_path / "more").mkdir()
    shards, others = saved(tmp_path, x, [20]), saved(tmp_path / "more", x + 1, [5])
    both = joined([shards.select([3, 1]), shards.select([30])])
    assert both.parts == shards.parts
    np.testing.assert_array_equal(both[:], x[[3, 1, 30]])
    np.testing.assert_array_equal(joined([shards, others])[:], np.concatenate([x, x + 1]))
    np.testing.assert_array_equal(joined([others.select([39]), shards])[1:], x)
    with pytest.raises(InputError, match=r"of \(3, 2\) uint8 and of \(3, 2\) float32"):
        joined([shards, others.astype(np.float32)])


def test_a_view_holds_no_more_than_its_result(tmp_path):
    x = np.random.default_rng(0).normal(size=(4000, 250))
    shards = saved(tmp_path, x, [1500]).astype(np.float32)
    rows = np.random.default_rng(1).permutation(4000)
    shards.take(rows)
    tracemalloc.start()
    try:
        taken = shards.take(rows)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert taken.nbytes == 4_000_000
    assert peak < taken.nbytes + 2_500_000


def test_it_is_never_made_one_array_by_chance(tmp_path, x):
    shards = saved(tmp_path, x, [20])
    with pytest.raises(InputError, match="data of 240 bytes is read from files") as caught:
        np.asarray(shards)
    assert "take(rows)" in caught.value.hint
    assert repr(shards.select([3])) == "<Shards (1, 3, 2) uint8 in 2 files>"


def test_shards_that_differ_are_named(tmp_path, x):
    np.save(tmp_path / "a.npy", x)
    np.save(tmp_path / "b.npy", x[:, :2])
    np.save(tmp_path / "c.npy", x.astype(np.int16))
    with pytest.raises(DataError, match=r"b\.npy: rows of shape \(2, 2\) uint8, in a\.npy of "):
        open_shards([tmp_path / "a.npy", tmp_path / "b.npy"])
    with pytest.raises(DataError, match=r"c\.npy: rows of shape \(3, 2\) int16, in a\.npy of "):
        open_shards([tmp_path / "a.npy", tmp_path / "c.npy"])
    with pytest.raises(InputError, match="no files"):
        open_shards([])
    np.testing.assert_array_equal(open_shards(tmp_path / "a.npy")[:], x)


def test_memory_mapped_arrays_stay_on_disk(tmp_path, x):
    np.save(tmp_path / "x.npy", x)
    whole = np.load(tmp_path / "x.npy", mmap_mode="r")
    np.testing.assert_array_equal(as_streamed(whole)[:], x)
    np.testing.assert_array_equal(as_streamed(whole[5:30:3]).take([8, 0]), x[5:30:3][[8, 0]])
    assert as_streamed(x) is None
    assert as_streamed(whole + 1) is None, "a sum is in memory"
    np.save(tmp_path / "f.npy", np.asfortranarray(x[:, :, 0]))
    with pytest.raises(DataError, match=r"f\.npy is in Fortran order"):
        as_streamed(np.load(tmp_path / "f.npy", mmap_mode="r"))
