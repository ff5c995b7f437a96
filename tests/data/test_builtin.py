"""The built-in data sets: their facts, their folders, and what is said where they are not."""

from __future__ import annotations

import gzip
import shutil

import numpy as np
import pytest
from sklearn.datasets import load_digits

from fallline.data import builtin, download
from fallline.data.sources import SOURCES
from fallline.errors import DataError, InputError

MNIST = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


@pytest.fixture(autouse=True)
def no_other_data(tmp_path, monkeypatch):
    """No cache of this user, and no network."""
    monkeypatch.delenv("FALLLINE_DATA", raising=False)
    monkeypatch.setattr(builtin, "cache_dir", lambda: tmp_path / "cache")

    def unreachable(url, folder, md5):
        raise OSError("no connection to the mirror")

    monkeypatch.setattr(download, "fetch", unreachable)


def _linked(source, folder):
    folder.mkdir(parents=True)
    for name in MNIST:
        (folder / f"{name}.gz").symlink_to(source / f"{name}.gz")
    return folder


def _sizes(dataset):
    return [len(split) for split in (dataset.train, dataset.validation, dataset.test)]


def test_digits_are_scikit_learns():
    dataset = builtin.load("digits", validation=0, test=0)
    theirs = load_digits()
    np.testing.assert_array_equal(dataset.train.x, theirs.images)
    np.testing.assert_array_equal(dataset.train.y, theirs.target)
    assert dataset.train.x.dtype == np.uint8
    assert float(dataset.input_scale) == 1 / 16
    assert dataset.train.x.max() == 16


def test_digits_without_their_file_come_from_the_loader(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert builtin.load("digits", validation=0, test=0).train.x.sum() == load_digits().data.sum()


def test_digits_split():
    dataset = builtin.load("digits")
    assert _sizes(dataset) == [1079, 359, 359]
    assert dataset.outputs == 10
    counts = sum(np.bincount(s.y) for s in (dataset.train, dataset.validation, dataset.test))
    assert counts.tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    shares = np.bincount(dataset.validation.y) / counts
    assert (np.abs(shares - 0.2) < 0.005).all()


@pytest.mark.parametrize(
    ("name", "classes_of_first_rows"),
    [("mnist", [5, 0, 4, 1, 9]), ("fashion-mnist", [9, 0, 0, 3, 0])],
)
def test_images_of_28_by_28(data_dir, name, classes_of_first_rows):
    dataset = builtin.load(name, data_dir=data_dir)
    assert _sizes(dataset) == [50_000, 10_000, 10_000]
    assert (dataset.input_shape, dataset.outputs) == ((28, 28), 10)
    assert dataset.train.x.dtype == np.uint8
    assert float(dataset.input_scale) == pytest.approx(1 / 255)
    labels = np.frombuffer(
        gzip.decompress((data_dir / name / f"{MNIST[1]}.gz").read_bytes()), np.uint8, offset=8
    )
    assert labels[:5].tolist() == classes_of_first_rows
    held = np.bincount(dataset.validation.y)
    assert (held + np.bincount(dataset.train.y)).tolist() == np.bincount(labels).tolist()
    assert (np.abs(held - np.bincount(labels) / 6) < 1).all()
    assert np.bincount(dataset.test.y).sum() == 10_000


def test_mnist_in_file_order_is_the_file(data_dir):
    dataset = builtin.load("mnist", data_dir=data_dir, validation=0)
    raw = gzip.decompress((data_dir / "mnist" / f"{MNIST[0]}.gz").read_bytes())
    assert dataset.validation is None
    assert dataset.train.x.tobytes() == raw[16:]


def test_wine(data_dir):
    dataset = builtin.load("wine", data_dir=data_dir)
    assert _sizes(dataset) == [2938, 980, 980]
    assert (dataset.kind, dataset.target_offset, dataset.target_scale) == ("regression", 0.0, 1.0)
    scaled = (dataset.train.x - dataset.input_offset) * dataset.input_scale
    assert np.abs(scaled.mean(axis=0)).max() < 1e-3
    np.testing.assert_allclose(scaled.std(axis=0), 1, atol=1e-3)
    assert dataset.features[0] == "fixed acidity"


def test_wine_as_study_a_splits_it(data_dir):
    dataset = builtin.load(
        "wine", data_dir=data_dir, validation=0, test=0.25, shuffle=False, scaling="row_norm"
    )
    assert (len(dataset.train), len(dataset.test)) == (3674, 1224)
    assert dataset.train.y[:3].tolist() == [6, 6, 6]
    np.testing.assert_allclose(np.linalg.norm(dataset.test.x, axis=1), 1, rtol=1e-6)


@pytest.mark.parametrize("name", SOURCES)
def test_licences_and_origins_are_given(name):
    assert builtin.source(name).licence in {"CC BY 4.0", "CC BY-SA 3.0", "CC BY-SA 4.0", "MIT"}
    assert builtin.source(name).origin
    for file in builtin.source(name).files:
        if file.md5 is not None:
            assert file.url.startswith("https://")
            assert len(file.md5) == 32


def _write_idx(path, array):
    header = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    path.write_bytes(header + array.tobytes())


def _kmnist(folder, *, side=28, labels=30, greatest=9):
    """Files of KMNIST's form, with 30 and 20 images of noise."""
    folder.mkdir(parents=True)
    draw = np.random.default_rng(0)
    for images, given, count in ((MNIST[0], labels, 30), (MNIST[2], 20, 20)):
        _write_idx(folder / images, draw.integers(0, 256, (count, side, side), np.uint8))
        classes = (np.arange(given) % (greatest + 1)).astype(np.uint8)
        _write_idx(folder / images.replace("images-idx3", "labels-idx1"), classes)
    return folder


def test_kmnist_is_read_without_a_checksum(tmp_path):
    _kmnist(tmp_path / "KMNIST" / "raw")
    dataset = builtin.load("kmnist", data_dir=tmp_path, validation=0)
    assert _sizes_of_two(dataset) == [30, 20]
    assert dataset.classes == ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")
    assert dataset.train.y[:12].tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]
    assert float(dataset.input_scale) == pytest.approx(1 / 255)


def _sizes_of_two(dataset):
    return [len(dataset.train), len(dataset.test)]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"side": 27}, r"the training images are \(27, 27\) uint8, not \(28, 28\)"),
        ({"labels": 29}, "29 training labels for 30 images"),
        ({"greatest": 10}, "a label of 10 among the training labels, and there are 10 classes"),
    ],
)
def test_kmnist_of_another_form_is_refused(tmp_path, wrong, message):
    _kmnist(tmp_path / "kmnist", **wrong)
    with pytest.raises(DataError, match=message):
        builtin.load("kmnist", data_dir=tmp_path)


def test_kmnist_is_not_downloaded_and_mnists_files_are_not_taken_for_it(data_dir):
    with pytest.raises(DataError, match="not downloaded: no checksum is known") as caught:
        builtin.load("kmnist")
    assert "codh.rois.ac.jp/kmnist" in caught.value.hint
    assert "FOLDER/kmnist" in caught.value.hint
    assert not builtin.locate("kmnist", data_dir / "mnist").found
    assert not builtin.locate("kmnist", data_dir / "fashion-mnist").found


def test_unknown_name_has_near_matches():
    with pytest.raises(InputError, match="unknown data set 'minst'") as caught:
        builtin.load("minst")
    assert "did you mean 'mnist' or" in caught.value.hint


def test_digits_are_always_found():
    located = builtin.locate("digits")
    assert located == builtin.Located((), "embedded in scikit-learn", True, ())


@pytest.mark.parametrize("layout", ["mnist", "MNIST/raw", "."])
def test_layouts(data_dir, tmp_path, layout):
    folder = _linked(data_dir / "mnist", tmp_path / "given" / layout)
    located = builtin.locate("mnist", tmp_path / "given")
    assert located.found
    assert [path.parent.resolve() for path in located.files] == [folder.resolve()] * 4
    assert [path.name for path in located.files] == [f"{name}.gz" for name in MNIST]


def test_files_of_another_data_set_under_the_same_names_are_not_taken(data_dir):
    assert builtin.locate("mnist", data_dir / "mnist").found
    assert not builtin.locate("fashion-mnist", data_dir / "mnist").found


def test_search_order(data_dir, tmp_path, monkeypatch):
    assert not builtin.locate("mnist").found
    _linked(data_dir / "mnist", tmp_path / "cache" / "mnist")
    assert builtin.locate("mnist").where == "the user's cache"
    monkeypatch.setenv("FALLLINE_DATA", str(tmp_path))
    assert builtin.locate("mnist").where == "the user's cache"
    _linked(data_dir / "mnist", tmp_path / "mnist")
    assert builtin.locate("mnist").where == "FALLLINE_DATA"
    assert not builtin.locate("mnist", tmp_path / "elsewhere").found
    looked_in = builtin.locate("fashion-mnist").looked_in
    assert looked_in[0] == tmp_path / "fashion-mnist"
    assert looked_in.index(tmp_path / "cache" / "fashion-mnist") > 0


def test_given_folder_without_files_is_not_left_for_another(tmp_path, data_dir, monkeypatch):
    monkeypatch.setenv("FALLLINE_DATA", str(data_dir))
    with pytest.raises(DataError, match="no files of the data set 'mnist'; looked in ") as caught:
        builtin.load("mnist", data_dir=tmp_path)
    assert str(tmp_path / "mnist") in str(caught.value)
    assert "train-images-idx3-ubyte[.gz]" in caught.value.hint
    with pytest.raises(DataError, match="there is no data folder"):
        builtin.load("mnist", data_dir=tmp_path / "absent")


def test_missing_file_is_named(tmp_path, data_dir):
    folder = _linked(data_dir / "mnist", tmp_path / "mnist")
    (folder / f"{MNIST[3]}.gz").unlink()
    with pytest.raises(DataError, match=f"lacks {MNIST[3]} of the data set 'mnist'"):
        builtin.load("mnist", data_dir=tmp_path)


def test_wrong_checksum_names_both_sums(tmp_path, data_dir):
    folder = tmp_path / "wine"
    folder.mkdir()
    copy = folder / "winequality-white.csv"
    shutil.copyfile(data_dir / "wine" / copy.name, copy)
    builtin.load("wine", data_dir=tmp_path)
    copy.write_text(copy.read_text().replace("7;0.27", "8;0.27", 1))
    with pytest.raises(DataError, match=r"winequality-white.csv: wrong checksum: .* md5 \w{32}, e"):
        builtin.load("wine", data_dir=tmp_path)


def test_wrong_magic_number_in_mnist(tmp_path, data_dir):
    folder = _linked(data_dir / "mnist", tmp_path / "mnist")
    (folder / f"{MNIST[0]}.gz").unlink()
    (folder / MNIST[0]).write_bytes(b"\0\0\x08\x01" + bytes(8))
    with pytest.raises(DataError, match="0x00000801 announces 1 dimensions; 3 are expected"):
        builtin.load("mnist", data_dir=tmp_path)


def test_without_network_the_error_says_what_to_put_where():
    with pytest.raises(DataError, match="not downloaded: no connection to the mirror") as caught:
        builtin.load("wine")
    assert "winequality-white.csv into FOLDER/wine" in caught.value.hint
    assert "FALLLINE_DATA=FOLDER" in caught.value.hint
    with pytest.raises(DataError, match="not downloaded: downloading is off"):
        builtin.load("wine", may_download=False)


def test_what_is_downloaded_is_loaded(data_dir, monkeypatch):
    asked = []

    def fetched(url, folder, md5):
        asked.append((url, folder.name, md5))
        return data_dir / "wine" / "winequality-white.csv"

    monkeypatch.setattr(download, "fetch", fetched)
    assert len(builtin.load("wine").train) == 2938
    (file,) = SOURCES["wine"].files
    assert asked == [(file.url, "wine", file.md5)]
