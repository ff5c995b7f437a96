"""Data sets of arrays: what is stored, inferred, fitted, and refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import StandardScaler

from fallline.data.dataset import Dataset, Split, k_folds, make_dataset
from fallline.errors import DataError, InputError


@pytest.fixture
def x() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(100, 3)) * [1, 10, 0.1] + [5, 0, -2]


@pytest.fixture
def y() -> np.ndarray:
    return np.arange(100) % 4


def test_default_split_and_scaling(x, y):
    dataset = make_dataset(x, y)
    assert [len(s) for s in (dataset.train, dataset.validation, dataset.test)] == [60, 20, 20]
    assert (dataset.kind, dataset.outputs, dataset.input_shape) == ("classification", 4, (3,))
    assert dataset.classes == ("0", "1", "2", "3")
    assert dataset.notes == (
        "y holds the codes 0 to 3: a classification; give kind= to change that",
    )
    assert dataset.train.x.dtype == np.float32
    assert dataset.train.y.dtype == np.int32
    for split, each in ((dataset.train, 15), (dataset.validation, 5), (dataset.test, 5)):
        assert np.bincount(split.y).tolist() == [each] * 4


def test_scaling_is_fitted_on_training_rows_alone(x, y):
    dataset = make_dataset(x, y, dtype=np.float64)
    scaler = StandardScaler().fit(dataset.train.x)
    np.testing.assert_allclose(dataset.input_offset, scaler.mean_, rtol=1e-12)
    np.testing.assert_allclose(dataset.input_scale, 1 / scaler.scale_, rtol=1e-12)
    held = (dataset.test.x - dataset.input_offset) * dataset.input_scale
    np.testing.assert_allclose(held, scaler.transform(dataset.test.x), rtol=1e-9)


def test_rows_keep_their_targets(x, y):
    dataset = make_dataset(x, y, dtype=np.float64)
    target_of = {row.tobytes(): target for row, target in zip(x, y, strict=True)}
    for split in (dataset.train, dataset.validation, dataset.test):
        assert [target_of[row.tobytes()] for row in split.x] == split.y.tolist()


def test_no_split_is_the_given_order(x, y):
    dataset = make_dataset(x, y, validation=0, test=None, dtype=np.float64)
    assert dataset.validation is None
    assert dataset.test is None
    np.testing.assert_array_equal(dataset.train.x, x)


def test_bytes_stay_bytes():
    images = np.random.default_rng(0).integers(0, 256, (50, 4, 4)).astype(np.uint8)
    dataset = make_dataset(images, np.arange(50) % 2)
    assert dataset.train.x.dtype == np.uint8
    assert dataset.scaling == "unit"
    assert float(dataset.input_scale) == pytest.approx(1 / 255)


def test_tensors_of_floats_are_left_alone():
    dataset = make_dataset(np.random.default_rng(0).normal(size=(20, 3, 3)), np.arange(20) % 2)
    assert dataset.scaling == "none"
    assert (float(dataset.input_offset), float(dataset.input_scale)) == (0, 1)


def test_row_norm_is_stored(x, y):
    dataset = make_dataset(x, y, scaling="row_norm", dtype="float64")
    for split in (dataset.train, dataset.validation, dataset.test):
        np.testing.assert_allclose(np.linalg.norm(split.x, axis=1), 1)


def test_regression_with_standardised_target(x):
    target = np.linspace(0, 50, 100)
    dataset = make_dataset(x, target, target_scaling=True, dtype=np.float64)
    assert (dataset.kind, dataset.outputs, dataset.classes) == ("regression", 1, ())
    assert dataset.target_offset == pytest.approx(dataset.train.y.mean())
    assert dataset.target_scale == pytest.approx(dataset.train.y.std())
    assert set(dataset.train.y) <= set(target)


def test_regression_of_several_columns(x):
    dataset = make_dataset(x, x[:, :2])
    assert (dataset.kind, dataset.outputs) == ("regression", 2)
    assert make_dataset(x, x[:, :1]).train.y.ndim == 1


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (["no", "yes"], ("no", "yes")),
        ([False, True], ("False", "True")),
        ([-1, 1], ("-1", "1")),
        ([1, 2, 3], ("1", "2", "3")),
        (np.array(["b", "a"], object), ("a", "b")),
    ],
)
def test_labels_become_indices(labels, classes):
    y = np.tile(np.asarray(labels), 20)
    dataset = make_dataset(np.ones((len(y), 2)), y, validation=0, test=0)
    assert dataset.classes == classes
    assert [classes[index] for index in dataset.train.y] == [str(label) for label in y]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([0, 1, 2], "classification"),
        ([7, 9], "classification"),
        ([3, 4, 5, 6], "regression"),
        ([0, 2, 3], "regression"),
        (range(1, 21), "classification"),
        (range(1, 22), "regression"),
        ([0.0, 1.0], "regression"),
        (["a", "b"], "classification"),
    ],
)
def test_kind_is_inferred_and_said(values, kind):
    y = np.tile(np.array(values), 10)
    dataset = make_dataset(np.ones((len(y), 2)), y, stratify=False)
    assert dataset.kind == kind
    assert kind in dataset.notes[0]


def test_given_kind_is_taken():
    y = np.tile([3, 4, 6], 10)
    dataset = make_dataset(np.ones((30, 2)), y, kind="classification")
    assert dataset.classes == ("3", "4", "6")
    assert dataset.notes == ("y's labels 3, 4, 6 are classes 0 to 2",)


def test_given_test_data(x, y):
    dataset = make_dataset(x, y, test_data=(x[:7], y[:7]), validation=10, stratify=False)
    assert [len(s) for s in (dataset.train, dataset.validation, dataset.test)] == [90, 10, 7]
    assert dataset.test.y.tolist() == y[:7].tolist()


def test_given_test_data_uses_the_training_labels(x):
    y = np.tile(["cat", "dog"], 50)
    dataset = make_dataset(x, y, test_data=(x[:2], ["dog", "cat"]))
    assert dataset.test.y.tolist() == [1, 0]
    with pytest.raises(DataError, match=r"test_data's y has the label 'dgo' in row 1 ") as caught:
        make_dataset(x, y, test_data=(x[:2], ["dog", "dgo"]))
    assert "'dog'" in caught.value.hint
    with pytest.raises(DataError, match="test_data's y holds labels such as 1, not such as 'cat'"):
        make_dataset(x, y, test_data=(x[:2], [1, 0]))
    with pytest.raises(DataError, match=r"test_data has examples of \(2,\) float32"):
        make_dataset(x, y, test_data=(x[:2, :2], ["dog", "cat"]))


def _with(array, place, value):
    changed = np.array(array, float)
    changed[place] = value
    return changed


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x, y: (x, y[:-1]), "x has 100 examples and y 99 targets"),
        (lambda x, y: (x[:, 0], y), r"x has shape \(100,\)"),
        (lambda x, y: (x[:0], y[:0]), r"x has shape \(0, 3\): it holds no data"),
        (lambda x, y: (_with(x, (7, 2), np.nan), y), "x is nan in row 7, column 2"),
        (lambda x, y: (_with(x, (8, 0), -np.inf), y), "x is -inf in row 8, column 0"),
        (lambda x, y: (_with(x, (9, 1), 1e300), y), r"x is 1e\+300 in row 9, column 1"),
        (lambda x, y: (x, _with(y, 5, np.nan)), r"y is nan in row 5 \(counted"),
        (lambda x, y: (x.astype(str), y), "x holds values of type <U"),
        (lambda x, y: (x, np.full(100, 3)), None),
        (lambda x, y: ([[1, 2], [3]], y), "x is no array"),
        (lambda x, y: (x, np.ones((100, 2, 2))), r"y has shape \(100, 2, 2\)"),
        (lambda x, y: (x, ["a"] * 99 + [None]), "y has no value in row 99"),
        (lambda x, y: (x, ["a"] * 100), "y holds the one class 'a'"),
        (lambda x, y: (x, ["a"] * 99 + ["b"]), "class 'b' has 1 of the 100 examples"),
    ],
)
def test_unusable_arrays_are_named(x, y, change, message):
    if message is None:
        assert make_dataset(*change(x, y)).kind == "regression"
        return
    with pytest.raises(DataError, match=message) as caught:
        make_dataset(*change(x, y))
    assert caught.value.hint or "holds no data" in message or "shape" in message


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 1, 3], "y has the label '3' in row 2 .* not among the 3 classes 0, 1, 2"),
        ([0, -1, 2], "y has the label '-1' in row 1 "),
        ([0, 0.5, 1], r"y is 0\.5 in row 1 .*: class labels are whole numbers or text"),
        ([0, np.nan, 1], "y is nan in row 1 "),
        (np.eye(3), r"y has shape \(3, 3\): one label for each example"),
        (["a", "b", "d"], "y has the label 'd' in row 2 "),
    ],
)
def test_labels_out_of_range_are_named(labels, message):
    with pytest.raises(DataError, match=message):
        make_dataset(np.ones((3, 2)), labels, kind="classification", classes=("a", "b", "c"))


def test_text_cannot_be_regressed(x):
    with pytest.raises(DataError, match="y holds text such as 'a'"):
        make_dataset(x, ["a", "b"] * 50, kind="regression")


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"scaling": "zscor"}, "unknown scaling 'zscor'"),
        ({"dtype": np.int32}, "dtype is int32"),
        ({"kind": "ranking"}, "kind is 'ranking'"),
        ({"classes": ("a",)}, r"classes are \['a'\]"),
        ({"features": ("a",)}, "1 names of features"),
        ({"target_scaling": True}, "target_scaling is for regressions"),
        ({"test_data": np.ones(3)}, "test_data must be a pair"),
    ],
)
def test_unusable_settings_are_named(x, y, setting, message):
    with pytest.raises(InputError, match=message):
        make_dataset(x, y, **setting)


def test_pandas_is_taken(x, y):
    frame = pd.DataFrame(x, columns=["a", "b", "c"])
    ours = make_dataset(frame, pd.Series(np.where(y > 1, "big", "small")))
    assert ours.classes == ("big", "small")
    np.testing.assert_array_equal(
        ours.train.x, make_dataset(x, np.where(y > 1, "big", "small")).train.x
    )
    mixed = make_dataset(frame, pd.DataFrame({"p": x[:, 0], "q": y}).astype(object))
    assert (mixed.kind, mixed.outputs) == ("regression", 2)


def test_fingerprint_is_of_the_content(x, y):
    def fingerprint(**change):
        return make_dataset(**({"x": x, "y": y} | change)).fingerprint

    first = fingerprint()
    assert first == fingerprint(name="other", licence="MIT")
    assert len(first) == 16
    others = {
        fingerprint(split_seed=1),
        fingerprint(scaling="none"),
        fingerprint(dtype=np.float64),
        fingerprint(validation=0.3),
        fingerprint(classes=("a", "b", "c", "d")),
        fingerprint(x=_with(x, (0, 0), 1.0)),
        fingerprint(y=y[::-1]),
    }
    assert len(others | {first}) == 8


def test_same_seed_same_split(x, y):
    one, two, other = (make_dataset(x, y, split_seed=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one.train.x, two.train.x)
    assert not np.array_equal(one.train.x, other.train.x)


def test_folds_hold_every_row_out_once_and_fit_their_own_scaling(x, y):
    whole = make_dataset(x, y, validation=0, test=20, dtype=np.float64)
    folds = k_folds(whole, 4, seed=1)
    held = np.concatenate([fold.validation.x for fold in folds])
    assert len(folds) == 4
    np.testing.assert_array_equal(np.sort(held, axis=0), np.sort(whole.train.x, axis=0))
    for fold in folds:
        assert len(fold.train) + len(fold.validation) == 80
        np.testing.assert_allclose(fold.input_offset, fold.train.x.mean(axis=0))
        np.testing.assert_array_equal(fold.test.x, whole.test.x)
        assert np.bincount(fold.validation.y).tolist() == [5] * 4


def test_folds_of_a_regression_fit_their_own_target_scaling(x):
    whole = make_dataset(x, x[:, 0] * 1.0, target_scaling=True)
    folds = k_folds(whole, 2)
    for fold in folds:
        assert fold.target_offset == pytest.approx(float(fold.train.y.mean()), rel=1e-5)
    assert folds[0].target_offset != folds[1].target_offset


def test_a_data_set_built_by_hand():
    split = Split(np.zeros((4, 2), np.float32), np.array([0, 1, 2, 1], np.int32))
    dataset = Dataset("mine", split, None, None, "classification")
    assert dataset.outputs == 3
    assert (float(dataset.input_offset), float(dataset.input_scale)) == (0.0, 1.0)
    with pytest.raises(ValueError, match="4 examples with 3 targets"):
        Split(split.x, split.y[:3])


def test_folds_of_normed_rows_keep_them(x, y):
    whole = make_dataset(x, y, validation=0.25, test=0, scaling="row_norm")
    (first, second) = k_folds(whole, 2)
    for fold in (first, second):
        np.testing.assert_allclose(np.linalg.norm(fold.train.x, axis=1), 1, rtol=1e-6)
        assert (fold.scaling, float(fold.input_scale)) == ("row_norm", 1.0)
