"""Built-in data sets split, scaled or cut in another way: which rows are where."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from fallline.data import builtin
from fallline.data.files import read_idx
from fallline.data.variants import SETTINGS, variant
from fallline.errors import InputError


@pytest.fixture(scope="module", autouse=True)
def _read_once() -> Iterator[None]:
    """The data sets' files, unpacked once for all tests."""
    read = functools.cache(builtin.contents)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(builtin, "contents", lambda name, **how: dict(read(name, **how)))
        yield


@pytest.fixture(scope="module")
def mnist(data_dir: Path) -> dict[str, np.ndarray]:
    """MNIST's four files."""
    folder = data_dir / "mnist"
    return {
        part: read_idx(folder / f"{part}-idx{dims}-ubyte.gz")
        for part, dims in (
            ("train-images", 3),
            ("train-labels", 1),
            ("t10k-images", 3),
            ("t10k-labels", 1),
        )
    }


def _sizes(dataset) -> list[int | None]:
    splits = (dataset.train, dataset.validation, dataset.test)
    return [None if split is None else len(split) for split in splits]


def test_without_settings_it_is_the_data_set() -> None:
    assert variant("digits").fingerprint == builtin.load("digits").fingerprint


def test_settings_are_those_of_make_dataset(data_dir: Path) -> None:
    settings = {"validation": 0.1, "test": 200, "split_seed": 3, "stratify": False}
    ours = variant("digits", settings=settings)
    assert ours.fingerprint == builtin.load("digits", **settings).fingerprint
    wine = {"shuffle": False, "test": 0.25, "validation": 0, "scaling": "row_norm"}
    ours = variant("wine", data_dir=data_dir, settings=wine)
    assert ours.fingerprint == builtin.load("wine", data_dir=data_dir, **wine).fingerprint
    # Study A: the first 75 % of the rows train, the rest is for test.
    assert _sizes(ours) == [3674, None, 1224]


def test_the_test_split_as_validation_data(data_dir: Path, mnist) -> None:
    made = variant("mnist", data_dir=data_dir, settings={"validation": "test"})
    assert _sizes(made) == [60_000, 10_000, 10_000]
    np.testing.assert_array_equal(made.train.x, mnist["train-images"])
    for split in (made.validation, made.test):
        np.testing.assert_array_equal(split.x, mnist["t10k-images"])
        np.testing.assert_array_equal(split.y, mnist["t10k-labels"])
    digits = variant("digits", settings={"validation": "test", "test": 0.3})
    assert _sizes(digits) == [1258, 539, 539]


def test_the_last_fifth_for_validation(data_dir: Path, mnist) -> None:
    made = variant("mnist", data_dir=data_dir, settings={"validation": 0.2, "shuffle": False})
    np.testing.assert_array_equal(made.validation.y, mnist["train-labels"][48_000:])
    np.testing.assert_array_equal(made.train.y, mnist["train-labels"][:48_000])
    assert len(made.test) == 10_000


@pytest.mark.parametrize(("amount", "left"), [(500, 500), (0.1, 1000), (0, None), (10_000, 10_000)])
def test_a_part_of_the_test_files(data_dir: Path, amount, left) -> None:
    made = variant("mnist", data_dir=data_dir, settings={"test": amount})
    assert _sizes(made) == [50_000, 10_000, left]
    if left and left < 10_000:
        whole = builtin.load("mnist", data_dir=data_dir).test
        shares = np.bincount(made.test.y) / left - np.bincount(whole.y) / len(whole)
        assert np.abs(shares).max() < 1.5 / left * 2
        known = {row.tobytes() for row in whole.x}
        assert all(row.tobytes() in known for row in made.test.x)


def test_the_last_test_rows_without_shuffling(data_dir: Path, mnist) -> None:
    made = variant("mnist", data_dir=data_dir, settings={"test": 100, "shuffle": False})
    np.testing.assert_array_equal(made.test.x, mnist["t10k-images"][-100:])


def test_training_rows_are_drawn_after_the_split() -> None:
    whole = variant("digits")
    made = variant("digits", settings={"train_rows": 300})
    assert _sizes(made) == [300, 359, 359]
    for role in ("validation", "test"):
        np.testing.assert_array_equal(getattr(made, role).x, getattr(whole, role).x)
    # In the order of the training split, and any row of it as likely as another.
    places = {row.tobytes(): place for place, row in enumerate(whole.train.x)}
    rows = [places[row.tobytes()] for row in made.train.x]
    assert rows == sorted(set(rows))
    assert 400 < np.mean(rows) < 680
    np.testing.assert_array_equal(whole.train.y[rows], made.train.y)
    other = variant("digits", settings={"train_rows": 300, "split_seed": 1})
    assert other.fingerprint != made.fingerprint


def test_the_scaling_is_fitted_on_the_rows_that_are_left(data_dir: Path) -> None:
    settings = {"train_rows": 200, "target_scaling": True}
    made = variant("wine", data_dir=data_dir, settings=settings)
    seen = (made.train.x.astype(np.float64) - made.input_offset) * made.input_scale
    np.testing.assert_allclose(seen.std(axis=0), 1, rtol=1e-5)
    assert made.target_offset == pytest.approx(made.train.y.mean())
    normed = variant(
        "wine",
        data_dir=data_dir,
        settings={"train_rows": 50, "scaling": "row_norm", "norm_axis": 1},
    )
    for split in (normed.train, normed.validation, normed.test):
        np.testing.assert_allclose(np.linalg.norm(split.x, axis=1), 1, rtol=1e-6)


def test_rows_are_drawn_before_the_split(data_dir: Path) -> None:
    made = variant("digits", settings={"rows": 500})
    assert _sizes(made) == [300, 100, 100]
    counts = sum(np.bincount(s.y) for s in (made.train, made.validation, made.test))
    everything = np.bincount(builtin.load("digits", validation=0, test=0).train.y)
    assert np.abs(counts - everything * 500 / 1797).max() < 1
    made = variant("mnist", data_dir=data_dir, settings={"rows": 1200, "test": 300})
    # The standard 10,000 of 60,000 for validation: a sixth of them.
    assert _sizes(made) == [1000, 200, 300]
    last = variant("wine", data_dir=data_dir, settings={"rows": 400, "shuffle": False, "test": 100})
    assert _sizes(last) == [220, 80, 100]


def test_a_subset_keeps_the_order_of_the_file(data_dir: Path, mnist) -> None:
    made = variant("mnist", data_dir=data_dir, settings={"rows": 50, "validation": 0})
    places = {row.tobytes(): place for place, row in enumerate(mnist["train-images"])}
    rows = [places[row.tobytes()] for row in made.train.x]
    assert rows == sorted(rows)
    assert np.bincount(made.train.y, minlength=10).min() >= 4


@pytest.mark.parametrize("rows", [6, 1792])
def test_very_few_and_nearly_all_rows(rows: int) -> None:
    made = variant("digits", settings={"rows": rows, "validation": 0, "test": 0})
    assert len(made.train) == rows


def test_unknown_and_unusable_settings_are_told(data_dir: Path) -> None:
    with pytest.raises(InputError, match="unknown data setting 'valdation'") as caught:
        variant("digits", settings={"valdation": 0.1})
    assert "'validation'" in caught.value.hint
    assert all(name in caught.value.hint for name in ("validation",))
    with pytest.raises(InputError, match="test is 10001, and there are 10000"):
        variant("mnist", data_dir=data_dir, settings={"test": 10_001})
    for setting in SETTINGS:
        with pytest.raises(InputError, match=f"^{setting} is "):
            variant("digits", settings={setting: [1]})
    with pytest.raises(InputError, match="target_scaling is for regressions"):
        variant("digits", settings={"target_scaling": True})
