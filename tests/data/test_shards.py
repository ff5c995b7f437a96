"""Data sets on disk against the same data in memory, and the folders that hold them."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from fallline.data.dataset import Dataset, Split, k_folds, make_dataset
from fallline.data.shards import (
    Shards,
    from_shards,
    open_shards,
    read_shards,
    write_chunks,
    write_shards,
)
from fallline.errors import DataError, InputError

RNG = np.random.default_rng(0)
TABLE = RNG.normal(size=(9000, 5)) * [1, 1e-3, 40, 0, 7] + [0, 1000, -7, 3, 1e4]
IMAGES = RNG.integers(0, 256, (1500, 60, 50)).astype(np.uint8)
LABELS = np.arange(9000) % 4


def splits(dataset: Dataset) -> list[Split]:
    every = (dataset.train, dataset.validation, dataset.test)
    return [split for split in every if split is not None]


def assert_equal(ours: Dataset, theirs: Dataset) -> None:
    """Bit by bit, the streamed data set ``ours`` is ``theirs`` in memory."""
    for mine, other in zip(splits(ours), splits(theirs), strict=True):
        assert (mine.streamed, other.streamed) == (True, False)
        assert mine.x.dtype == other.x.dtype
        np.testing.assert_array_equal(mine.x[:], other.x)
        np.testing.assert_array_equal(mine.y, other.y)
        assert type(mine.y) is np.ndarray
    np.testing.assert_array_equal(ours.input_offset, theirs.input_offset)
    np.testing.assert_array_equal(ours.input_scale, theirs.input_scale)
    assert (ours.notes, ours.classes, ours.scaling) == (
        theirs.notes,
        theirs.classes,
        theirs.scaling,
    )
    assert (ours.target_offset, ours.target_scale) == (theirs.target_offset, theirs.target_scale)
    assert ours.fingerprint == theirs.fingerprint


@pytest.mark.parametrize("scaling", [None, "unit", "zscore", "global_zscore", "row_norm", "none"])
@pytest.mark.parametrize(
    ("x", "dtype"),
    [(TABLE, np.float32), (TABLE, np.float64), (IMAGES, np.float32)],
    ids=["table", "table64", "images"],
)
def test_on_disk_as_in_memory(tmp_path, x, dtype, scaling):
    y = LABELS[: len(x)]
    folder = write_shards(tmp_path / "data", x, y, rows_per_shard=700)
    settings = {"scaling": scaling, "dtype": dtype, "name": "data", "source": "data"}
    assert_equal(from_shards(folder, **settings), make_dataset(x, y, **settings))


@pytest.mark.parametrize(
    "settings",
    [
        {"validation": 0, "test": 0},
        {"shuffle": False},
        {"stratify": False, "split_seed": 3, "validation": 100},
        {"kind": "regression", "target_scaling": True},
        {"test_data": (TABLE[:50], LABELS[:50])},
    ],
)
def test_splits_on_disk_as_in_memory(tmp_path, settings):
    folder = write_shards(tmp_path / "data", TABLE, LABELS, rows_per_shard=2500)
    ours, theirs = from_shards(folder, **settings), make_dataset(TABLE, LABELS, **settings)
    if "test_data" in settings:
        assert not ours.test.streamed
        np.testing.assert_array_equal(ours.test.x, theirs.test.x)
        assert ours.fingerprint == theirs.fingerprint
    else:
        assert_equal(ours, theirs)


def test_a_change_on_disk_changes_the_fingerprint(tmp_path):
    changed = IMAGES.copy()
    changed[-1, -1, -1] ^= 1
    made = [
        from_shards(write_shards(tmp_path / name, x, LABELS[:1500])).fingerprint
        for name, x in (("one", IMAGES), ("two", changed))
    ]
    assert made[0] != made[1]


def test_held_out_shards(tmp_path):
    write_shards(tmp_path / "train", TABLE[:8000], LABELS[:8000], rows_per_shard=3000)
    write_shards(tmp_path / "test", TABLE[8000:], LABELS[8000:])
    ours = from_shards(tmp_path / "train", test_data=read_shards(tmp_path / "test"))
    theirs = make_dataset(
        TABLE[:8000], LABELS[:8000], test_data=(TABLE[8000:], LABELS[8000:]), name="train"
    )
    assert_equal(ours, theirs)
    with pytest.raises(DataError, match=r"test_data has examples of \(60, 50\) uint8"):
        make_dataset(TABLE, LABELS, test_data=(as_mapped(tmp_path, IMAGES), LABELS[:1500]))


def as_mapped(folder: Path, x: np.ndarray) -> np.ndarray:
    np.save(folder / "mapped.npy", x)
    return np.load(folder / "mapped.npy", mmap_mode="r")


def test_memory_mapped_arrays_are_streamed(tmp_path):
    targets = TABLE[:, 0].astype(np.float32)
    np.save(tmp_path / "y.npy", targets)
    ours = make_dataset(
        as_mapped(tmp_path, TABLE), np.load(tmp_path / "y.npy", mmap_mode="r"), test=0, validation=0
    )
    assert_equal(ours, make_dataset(TABLE, targets, test=0, validation=0))
    assert not np.shares_memory(ours.train.y, np.load(tmp_path / "y.npy", mmap_mode="r"))
    assert not any(isinstance(each, np.memmap) for each in (ours.train.y, ours.train.y.base))


@pytest.mark.parametrize("scaling", ["zscore", "row_norm"])
def test_folds_on_disk_as_in_memory(tmp_path, scaling):
    folder = write_shards(tmp_path / "data", TABLE, LABELS, rows_per_shard=2500)
    settings = {"test": 100, "scaling": scaling, "name": "data"}
    ours = k_folds(from_shards(folder, **settings), 3, seed=2)
    theirs = k_folds(make_dataset(TABLE, LABELS, **settings), 3, seed=2)
    for mine, other in zip(ours, theirs, strict=True):
        assert_equal(mine, other)


def test_folds_of_rows_in_memory_and_on_disk_are_refused(tmp_path):
    write_shards(tmp_path / "data", TABLE, LABELS)
    mixed = from_shards(tmp_path / "data", validation_data=(TABLE[:40], LABELS[:40]))
    with pytest.raises(InputError, match="not both on disk, or both in memory") as caught:
        k_folds(mixed, 2)
    assert "write_shards" in caught.value.hint


@pytest.mark.parametrize(("scaling", "rows"), [("global_zscore", 1200), ("zscore", 800)])
def test_no_pass_holds_the_data(tmp_path, scaling, rows):
    x = np.lib.format.open_memmap(tmp_path / "x.npy", "w+", np.uint8, (rows, 100_000))
    x[::7, ::1000] = 3
    del x
    x, y = open_shards(tmp_path / "x.npy"), LABELS[:rows]
    tracemalloc.start()
    try:
        dataset = make_dataset(x, y, scaling=scaling)
        assert len(dataset.fingerprint) == 16
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert x.nbytes == rows * 100_000
    assert peak < 78_000_000
    # By hand: a share of the numbers is 3, all others are 0; most features are always 0.
    share = np.count_nonzero(dataset.train.x[:]) / dataset.train.x.nbytes
    if scaling == "zscore":
        share *= 1000
        assert np.count_nonzero(dataset.input_offset) == 100
    assert dataset.input_offset.max() == pytest.approx(3 * share, rel=1e-6)
    deviation = 3 * (share - share**2) ** 0.5
    assert dataset.input_scale.flat[0] == pytest.approx(1 / deviation, rel=1e-5)


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ((7, 2), np.nan, r"x is nan in row 7, column 2 \(counted from 0\); 1 such values"),
        ((8500, 0), -np.inf, "x is -inf in row 8500, column 0"),
        ((9, 1), 1e300, r"x is 1e\+300 in row 9, column 1"),
    ],
)
def test_unusable_values_are_found_on_disk(tmp_path, monkeypatch, place, value, message):
    x = TABLE.copy()
    x[place] = value
    folder = write_shards(tmp_path / "data", x, LABELS, rows_per_shard=2500)
    with pytest.raises(DataError, match=message):
        make_dataset(x, LABELS)
    with pytest.raises(DataError, match=message) as caught:
        from_shards(folder)
    assert "fill in or drop rows" in caught.value.hint


def test_norms_that_are_too_large_are_found_at_once(tmp_path):
    x = TABLE * 1e200
    folder = write_shards(tmp_path / "data", x, LABELS)
    with (
        np.errstate(over="ignore"),
        pytest.raises(DataError, match="norm is too large for a float"),
    ):
        from_shards(folder, scaling="row_norm", dtype=np.float64)


def test_numbers_are_asked_for(tmp_path):
    np.save(tmp_path / "x-00000.npy", TABLE.astype(complex))
    np.save(tmp_path / "y-00000.npy", LABELS)
    with pytest.raises(DataError, match="x holds values of type complex128"):
        from_shards(tmp_path)
    np.save(tmp_path / "x-00000.npy", TABLE[:, 0])
    with pytest.raises(DataError, match=r"x has shape \(9000,\): one axis of examples"):
        from_shards(tmp_path)


# -- folders --------------------------------------------------------------------------------


def test_a_folder_is_written_and_read(tmp_path):
    folder = write_shards(tmp_path / "new" / "data", IMAGES, LABELS[:1500], rows_per_shard=600)
    names = sorted(path.name for path in folder.iterdir())
    assert names == [f"{letter}-0000{number}.npy" for letter in "xy" for number in range(3)]
    assert [len(np.load(folder / name)) for name in names[:3]] == [600, 600, 300]
    x, y = read_shards(folder)
    assert isinstance(x, Shards)
    np.testing.assert_array_equal(x[:], IMAGES)
    np.testing.assert_array_equal(y, LABELS[:1500])
    dataset = from_shards(str(folder))
    assert (dataset.name, dataset.source, dataset.classes) == ("data", "data", tuple("0123"))


def test_chunks_of_any_size_make_shards_of_one_size(tmp_path):
    cuts = [1, 2, 2, 700, 4000, 8999]
    chunks = zip(np.split(TABLE, cuts), np.split(LABELS.astype(str), cuts), strict=True)
    x, y = read_shards(write_chunks(tmp_path / "data", chunks, rows_per_shard=1000))
    assert [part.shape[0] for part in x.parts] == [1000] * 9
    np.testing.assert_array_equal(x[:], TABLE)
    np.testing.assert_array_equal(y, LABELS.astype(str))


def test_shards_are_written_from_what_is_on_disk(tmp_path):
    mapped = as_mapped(tmp_path, TABLE)
    write_shards(tmp_path / "one", mapped, LABELS, rows_per_shard=4000)
    again = read_shards(tmp_path / "one")
    write_shards(tmp_path / "two", *again)
    np.testing.assert_array_equal(read_shards(tmp_path / "two")[0][:], TABLE)


def test_texts_of_several_lengths_are_joined(tmp_path):
    pairs = [(TABLE[:2], ["a", "b"]), (TABLE[2:4], ["long", "a"])]
    _, y = read_shards(write_chunks(tmp_path / "data", pairs, rows_per_shard=2))
    assert y.tolist() == ["a", "b", "long", "a"]


def test_a_folder_appears_once_it_is_complete(tmp_path):
    def broken():
        yield TABLE[:10], LABELS[:10]
        assert [path.name for path in tmp_path.iterdir()] == [".data.unfinished"]
        raise RuntimeError("the source broke")

    with pytest.raises(RuntimeError, match="the source broke"):
        write_chunks(tmp_path / "data", broken(), rows_per_shard=2)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "data").mkdir()
    write_shards(tmp_path / "data", TABLE, LABELS)
    with pytest.raises(InputError, match="data is there and not empty"):
        write_shards(tmp_path / "data", TABLE, LABELS)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (TABLE, LABELS[1:], r"x has shape \(9000, 5\) and y \(8999,\)"),
        (TABLE.astype(str), LABELS, "x is an array of shape .* and type <U"),
        (TABLE, LABELS.astype(object), "y is an array of shape .* and type object"),
        (np.float64(3), LABELS, r"x has shape \(\)"),
        (TABLE[:0], LABELS[:0], "there are no rows to write"),
    ],
)
def test_what_no_shard_can_hold_is_refused(tmp_path, x, y, message):
    with pytest.raises(DataError, match=message) as caught:
        write_shards(tmp_path / "data", x, y)
    assert caught.value.hint
    assert not (tmp_path / "data").exists()


def test_chunks_that_differ_are_refused(tmp_path):
    first = (TABLE[:2], LABELS[:2])
    for second, message in (
        (
            (TABLE[:2, :3], LABELS[:2]),
            r"x has rows of shape \(3,\) float64, the first one's \(5,\)",
        ),
        ((TABLE[:2], LABELS[:2] * 0.5), r"y has rows of shape \(\) float64, the first one's"),
        ((TABLE[:2], LABELS[:1]), "a chunk has 2 examples and 1 targets"),
    ):
        with pytest.raises(DataError, match=message):
            write_chunks(tmp_path / "data", [first, second])
    with pytest.raises(InputError, match="rows_per_shard is 0"):
        write_shards(tmp_path / "data", TABLE, LABELS, rows_per_shard=0)


def damaged(folder: Path, name: str) -> None:
    path = folder / name
    path.write_bytes(path.read_bytes()[:-8])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "y-00001.npy").unlink(), r"has no y-00001\.npy, and shards up to 00002"),
        (lambda f: (f / "x-00002.npy").unlink(), r"has no x-00002\.npy"),
        (lambda f: damaged(f, "x-00001.npy"), r"x-00001\.npy: truncated"),
        (lambda f: damaged(f, "y-00002.npy"), r"y-00002\.npy: truncated"),
        (
            lambda f: np.save(f / "y-00001.npy", LABELS[:7]),
            r"x-00001\.npy has 3000 examples and y-00001\.npy 7 targets",
        ),
        (
            lambda f: np.save(f / "x-00001.npy", TABLE[:3000, :2]),
            r"x-00001\.npy: rows of shape \(2,\) float64, in x-00000\.npy of \(5,\) float64",
        ),
        (
            lambda f: np.save(f / "y-00001.npy", LABELS[:3000] * 0.5),
            r"y-00001\.npy: rows of shape \(\) float64, in y-00000\.npy of \(\) int64",
        ),
        (
            lambda f: np.save(f / "y-00000.npy", LABELS[:3000].astype(object), allow_pickle=True),
            r"y-00000\.npy: holds Python objects",
        ),
        (
            lambda f: np.save(f / "x-00000.npy", np.asfortranarray(TABLE[:3000])),
            r"x-00000\.npy: is in Fortran order",
        ),
    ],
)
def test_damaged_folders_are_refused(tmp_path, damage, message):
    folder = write_shards(tmp_path / "data", TABLE, LABELS, rows_per_shard=3000)
    damage(folder)
    with pytest.raises(DataError, match=message) as caught:
        from_shards(folder)
    assert caught.value.hint


def test_folders_without_shards_are_refused(tmp_path):
    np.save(tmp_path / "x.npy", TABLE)
    with pytest.raises(DataError, match="holds no shards") as caught:
        from_shards(tmp_path)
    assert "x-00000.npy" in caught.value.hint
    with pytest.raises(DataError, match=r"there is no folder .*nowhere"):
        from_shards(tmp_path / "nowhere")
