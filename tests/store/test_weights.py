"""Weights on the disk: every array as it was, and no bare error for what is no weights."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from fallline.errors import DataError
from fallline.store import weights

ARRAYS = {
    "params/Dense_0/kernel": np.arange(6, dtype=np.float32).reshape(2, 3),
    "params/Dense_0/bias": np.asarray([np.nan, -0.0, 1e-45], np.float32),
    "params/gain": np.asarray(3.5, np.float64),
    "state/steps": np.asarray([7], np.uint32),
    "state/transposed": np.arange(6, dtype=np.float64).reshape(2, 3).T,
    "state/none": np.empty((0, 4), np.float32),
}


def test_arrays_and_texts_come_back_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    weights.save(path, ARRAYS, {"task": "Güte", "epochs": "3"})
    arrays, about = weights.load(str(path))
    assert about == {"task": "Güte", "epochs": "3"}
    assert set(arrays) == set(ARRAYS)
    for name, array in ARRAYS.items():
        assert arrays[name].dtype == array.dtype
        assert arrays[name].shape == array.shape
        np.testing.assert_array_equal(arrays[name], array)
    assert [file.name for file in tmp_path.iterdir()] == ["weights.safetensors"]


def test_others_read_the_file_too(tmp_path: Path) -> None:
    weights.save(tmp_path / "w.safetensors", ARRAYS, {})
    read = load_file(tmp_path / "w.safetensors")
    np.testing.assert_array_equal(read["state/transposed"], ARRAYS["state/transposed"])


def test_nested_arrays_get_their_paths() -> None:
    tree = {"params": {"Dense_0": {"bias": [1.0, 2.0]}, "gain": 3.0}, "state": {}}
    flat = weights.flatten(tree)
    assert list(flat) == ["params/Dense_0/bias", "params/gain"]
    np.testing.assert_array_equal(flat["params/Dense_0/bias"], [1.0, 2.0])


def test_missing_weights_are_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"there are no weights at .*none") as caught:
        weights.load(tmp_path / "none.safetensors")
    assert "fallline train" in caught.value.hint


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04 something else", b"\xff" * 64], ids=["empty", "zip", "noise"]
)
def test_garbage_is_no_weights(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "weights.safetensors"
    path.write_bytes(content)
    with pytest.raises(DataError, match="is no safetensors file"):
        weights.load(path)


def test_torn_weights_and_folders_are_no_weights(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    weights.save(path, ARRAYS, {})
    path.write_bytes(path.read_bytes()[:-5])
    for wrong in (path, tmp_path):
        with pytest.raises(DataError, match="is no safetensors file"):
            weights.load(wrong)


def test_a_save_that_is_killed_keeps_the_earlier_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "weights.safetensors"
    weights.save(path, {"a": np.ones(3)}, {"epochs": "1"})

    def killed(source, target):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        weights.save(path, {"a": np.zeros(3)}, {"epochs": "2"})
    arrays, about = weights.load(path)
    assert about == {"epochs": "1"}
    np.testing.assert_array_equal(arrays["a"], np.ones(3))


def test_weights_are_flushed_before_they_get_their_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    happened: list[str] = []
    fsync, rename = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda handle: (happened.append("flushed"), fsync(handle)))
    monkeypatch.setattr(os, "replace", lambda a, b: (happened.append("renamed"), rename(a, b)))
    weights.save(tmp_path / "w.safetensors", {"a": np.ones(3)}, {})
    assert happened[:2] == ["flushed", "renamed"]
