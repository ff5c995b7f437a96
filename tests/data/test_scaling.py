"""Scaling against scikit-learn's and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.preprocessing import MinMaxScaler, Normalizer, StandardScaler

from fallline.data import scaling
from fallline.data.scaling import fit_inputs, fit_target, row_normed
from fallline.errors import InputError


@pytest.fixture
def table() -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.normal(size=(500, 4)) * [1.0, 1e-3, 40.0, 0.0] + [0.0, 1000.0, -7.0, 3.0]


def apply(x, fitted):
    offset, scale = fitted
    return (x - offset) * scale


def test_zscore_is_sklearns(table):
    ours = apply(table, fit_inputs(table, "zscore", dtype=np.float64))
    np.testing.assert_allclose(ours, StandardScaler().fit_transform(table), rtol=1e-8, atol=1e-8)


def test_zscore_of_images_takes_every_pixel_alone():
    images = np.random.default_rng(1).integers(0, 256, (5000, 4, 4)).astype(np.uint8)
    offset, scale = fit_inputs(images, "zscore")
    assert offset.shape == scale.shape == (4, 4)
    assert offset.dtype == scale.dtype == np.float32
    np.testing.assert_allclose(offset, images.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(1 / scale, images.std(axis=0), rtol=1e-6)


def test_unit_of_floats_is_sklearns_min_max(table):
    ours = apply(table, fit_inputs(table, "unit", dtype=np.float64))
    np.testing.assert_allclose(ours, MinMaxScaler().fit_transform(table), atol=1e-12)


def test_unit_of_bytes_divides_by_the_greatest_value():
    pixels = np.array([[0, 128]], np.uint8)
    assert apply(pixels, fit_inputs(pixels, "unit", dtype=np.float64)).tolist() == [[0, 128 / 255]]
    assert apply(pixels, fit_inputs(pixels, "unit", unit_max=16.0)).tolist() == [[0, 8]]
    with pytest.raises(InputError, match="unit_max is 0"):
        fit_inputs(pixels, "unit", unit_max=0)


def test_global_zscore_has_one_mean_and_deviation():
    images = np.random.default_rng(2).integers(0, 256, (300, 5, 5)).astype(np.uint8)
    offset, scale = fit_inputs(images, "global_zscore", dtype=np.float64)
    assert offset.shape == scale.shape == ()
    scaled = apply(images, (offset, scale))
    assert abs(scaled.mean()) < 1e-12
    assert scaled.std() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("width", [1, 7, 300])
def test_chunks_of_any_size_have_the_moments_of_the_whole(monkeypatch, width):
    whole = np.random.default_rng(4).normal(3, 2, size=(211, width))
    monkeypatch.setattr(scaling, "_CHUNK", 20)
    monkeypatch.setattr(scaling, "_NUMBERS", 64)
    monkeypatch.setattr(scaling, "_WIDE", 100)
    offset, scale = fit_inputs(whole, "zscore", dtype=np.float64)
    np.testing.assert_allclose(offset, whole.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(1 / scale, whole.std(axis=0), rtol=1e-12)
    offset, scale = fit_inputs(whole, "global_zscore", dtype=np.float64)
    assert (float(offset), 1 / float(scale)) == pytest.approx((whole.mean(), whole.std()), 1e-12)
    offset, scale = fit_inputs(whole, "unit", dtype=np.float64)
    np.testing.assert_array_equal(offset, whole.min(axis=0))
    np.testing.assert_allclose(1 / scale, np.ptp(whole, axis=0), rtol=1e-12)


def test_a_feature_that_changes_between_chunks_alone_is_scaled(monkeypatch):
    monkeypatch.setattr(scaling, "_CHUNK", 4)
    monkeypatch.setattr(scaling, "_NUMBERS", 1)
    rows = np.repeat([[1.0, 5.0], [4.0, 5.0], [1.0, 5.0]], 4, axis=0)
    offset, scale = fit_inputs(rows, "zscore", dtype=np.float64)
    assert offset.tolist() == [2, 5]
    assert scale.tolist() == pytest.approx([0.5**0.5, 1], rel=1e-12)


def test_row_norm_is_sklearns():
    x = np.random.default_rng(3).normal(size=(50, 11))
    x[4] = 0
    np.testing.assert_allclose(row_normed(x, 1, np.float64), Normalizer().fit_transform(x))


def test_row_norm_of_images_takes_columns_of_pixels():
    image = np.zeros((1, 2, 2), np.uint8)
    image[0, :, 0] = 3, 4
    normed = row_normed(image, 1)
    assert normed.dtype == np.float32
    np.testing.assert_allclose(normed[0], [[0.6, 0], [0.8, 0]], rtol=1e-7)
    np.testing.assert_allclose(row_normed(image, 2)[0], [[1, 0], [1, 0]])


@pytest.mark.parametrize("axis", [0, 2, -2, -3])
def test_row_norm_stays_within_an_example(axis):
    with pytest.raises(InputError, match=f"norm_axis is {axis}"):
        row_normed(np.ones((3, 2)), axis)


@pytest.mark.parametrize("how", ["none", "row_norm"])
def test_no_affine_scaling(how):
    assert [float(part) for part in fit_inputs(np.ones((3, 2)), how)] == [0.0, 1.0]


def test_unknown_scaling_has_near_matches():
    with pytest.raises(InputError, match="unknown scaling 'z-score'") as caught:
        fit_inputs(np.ones((3, 2)), "z-score")
    assert "'zscore'" in caught.value.hint


def test_target_scaling_by_hand():
    assert fit_target(np.array([1.0, 3.0])) == (2.0, 1.0)
    assert fit_target(np.array([5.0, 5.0])) == (5.0, 1.0)
