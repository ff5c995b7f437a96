"""The registry of built-in data sets: files, checksums, mirrors, splits, licences, readers."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from fallline.data.files import check_md5, content, read_idx, read_table
from fallline.errors import DataError


@dataclass(frozen=True)
class DataFile:
    """A file of a data set: name, md5 of the uncompressed content, public mirror.

    It may lie under its name or, gzipped, under its name and ``.gz``. Without ``md5`` it is
    never downloaded: nothing would tell damage from the file.
    """

    name: str
    md5: str | None
    url: str


@dataclass(frozen=True)
class Source:
    """A built-in data set before it is read.

    ``split``: the arguments of ``make_dataset`` that split and scale it. ``folders``: the names
    under which its files may lie in a data folder, the house's own first. ``elsewhere``:
    folders where systems install it. Without ``files`` it is embedded in scikit-learn.
    """

    name: str
    kind: Literal["classification", "regression"]
    read: Callable[[Source, tuple[Path, ...]], dict[str, Any]]
    """Arrays of the files, and what else ``make_dataset`` is to know of them."""
    split: dict[str, Any] = field(hash=False)
    licence: str
    origin: str
    classes: tuple[str, ...] = ()
    files: tuple[DataFile, ...] = ()
    folders: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()

    @property
    def downloadable(self) -> bool:
        """Whether a download could be checked: every file has a checksum."""
        return all(file.md5 for file in self.files)


def _read_digits(source: Source, files: tuple[Path, ...]) -> dict[str, Any]:
    """1,797 images of 8 x 8 pixels from 0 to 16, uint8, in scikit-learn's order.

    The file is read where scikit-learn installs it: its loader gives the same numbers, but
    importing it takes longer than many a training.
    """
    from importlib.util import find_spec

    spec = find_spec("sklearn")
    root = Path(spec.origin).parent if spec and spec.origin else Path()
    path = root / "datasets" / "data" / "digits.csv.gz"
    if os.path.isfile(path):
        rows = np.loadtxt(content(path).decode("ascii").splitlines(), delimiter=",")
        x, y = rows[:, :-1], rows[:, -1]
    else:
        from sklearn.datasets import load_digits

        x, y = load_digits(return_X_y=True)
    return {"x": x.reshape(-1, 8, 8).astype(np.uint8), "y": y.astype(np.int64)}


def _read_images(source: Source, files: tuple[Path, ...]) -> dict[str, Any]:
    """60,000 and 10,000 images of 28 x 28 pixels, uint8, with labels, from four IDX files."""
    x, y, test_x, test_y = (
        read_idx(path, expected_dims=dims, md5=file.md5)
        for path, dims, file in zip(files, (3, 1, 3, 1), source.files, strict=True)
    )
    for what, images, labels, of in (
        ("training", x, y, files[:2]),
        ("test", test_x, test_y, files[2:]),
    ):
        _check_images(what, images, labels, of, len(source.classes))
    return {"x": x, "y": y, "test_data": (test_x, test_y)}


def _check_images(
    what: str, images: np.ndarray, labels: np.ndarray, files: tuple[Path, ...], classes: int
) -> None:
    """Raise DataError where images and labels are not of MNIST's form: for files without md5."""
    if images.dtype != np.uint8 or images.shape[1:] != (28, 28):
        raise DataError(
            f"{files[0]}: the {what} images are {images.shape[1:]} {images.dtype}, "
            "not (28, 28) uint8",
            hint="put the data set's own files there",
        )
    if len(images) != len(labels):
        raise DataError(
            f"{files[1]}: {len(labels)} {what} labels for {len(images)} images",
            hint="the two files are not of one data set, or one is cut short; fetch them again",
        )
    if labels.size and int(labels.max()) >= classes:
        raise DataError(
            f"{files[1]}: a label of {labels.max()} among the {what} labels, and there are "
            f"{classes} classes",
            hint="put the data set's own files there",
        )


def _read_wine(source: Source, files: tuple[Path, ...]) -> dict[str, Any]:
    """4,898 rows of 11 measurements, and the quality that tasters gave, 3 to 9."""
    if source.files[0].md5:
        check_md5(content(files[0]), source.files[0].md5, files[0])
    table = read_table(files[0], "quality", kind="regression")
    return {"x": table.x, "y": table.y, "features": table.features}


def _idx_files(mirror: str, *sums: str | None) -> tuple[DataFile, ...]:
    """MNIST's four files and their like: images and labels for training, then for test."""
    names = (
        "train-images-idx3-ubyte",
        "train-labels-idx1-ubyte",
        "t10k-images-idx3-ubyte",
        "t10k-labels-idx1-ubyte",
    )
    return tuple(
        DataFile(name, md5, f"{mirror}/{name}.gz") for name, md5 in zip(names, sums, strict=True)
    )


_SHARES = {"validation": 0.2, "test": 0.2}
_STANDARD = {"validation": 10_000, "scaling": "unit"}

SOURCES: dict[str, Source] = {
    source.name: source
    for source in (
        Source(
            "digits",
            "classification",
            _read_digits,
            {**_SHARES, "scaling": "unit", "unit_max": 16.0},
            licence="CC BY 4.0",
            origin="E. Alpaydin, C. Kaynak: Optical Recognition of Handwritten Digits, UCI "
            "(https://doi.org/10.24432/C50P49); the part that scikit-learn ships",
            classes=tuple("0123456789"),
        ),
        Source(
            "mnist",
            "classification",
            _read_images,
            _STANDARD,
            licence="CC BY-SA 3.0",
            origin="Y. LeCun, C. Cortes, C. Burges: The MNIST database of handwritten digits",
            classes=tuple("0123456789"),
            files=_idx_files(
                "https://ossci-datasets.s3.amazonaws.com/mnist",
                "6bbc9ace898e44ae57da46a324031adb",
                "a25bea736e30d166cdddb491f175f624",
                "2646ac647ad5339dbf082846283269ea",
                "27ae3e4e09519cfbb04c329615203637",
            ),
            folders=("mnist", "MNIST/raw"),
        ),
        Source(
            "fashion-mnist",
            "classification",
            _read_images,
            _STANDARD,
            licence="MIT",
            origin="H. Xiao, K. Rasul, R. Vollgraf: Fashion-MNIST (https://arxiv.org/abs/1708.07747)",
            classes=(
                "T-shirt/top",
                "Trouser",
                "Pullover",
                "Dress",
                "Coat",
                "Sandal",
                "Shirt",
                "Sneaker",
                "Bag",
                "Ankle boot",
            ),
            files=_idx_files(
                "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion",
                "f4a8712d7a061bf5bd6d2ca38dc4d50a",
                "9018921c3c673c538a1fc5bad174d6f9",
                "8181f5470baa50b63fa0f6fddb340f0a",
                "15d484375f8d13e6eb1aabb0c3f46965",
            ),
            folders=("fashion-mnist", "FashionMNIST/raw"),
            elsewhere=("/usr/share/datasets/fashion-mnist",),
        ),
        Source(
            "kmnist",
            "classification",
            _read_images,
            _STANDARD,
            licence="CC BY-SA 4.0",
            origin="T. Clanuwat et al.: KMNIST, made by ROIS-DS Center for Open Data in the "
            "Humanities, adapted from the Kuzushiji Dataset (https://doi.org/10.20676/00000341)",
            classes=("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
            # Published are the sums of the gzipped files alone, and no mirror over HTTPS.
            files=_idx_files(
                "http://codh.rois.ac.jp/kmnist/dataset/kmnist", None, None, None, None
            ),
            folders=("kmnist", "KMNIST/raw", "KMNIST"),
        ),
        Source(
            "wine",
            "regression",
            _read_wine,
            {**_SHARES, "scaling": "zscore"},
            licence="CC BY 4.0",
            origin="P. Cortez et al.: Wine Quality, UCI (https://doi.org/10.24432/C56S3T), "
            "white wines",
            files=(
                DataFile(
                    "winequality-white.csv",
                    "5d9ff0f7f716dace19e3ab4578775fd7",
                    "https://archive.ics.uci.edu/ml/machine-learning-databases/wine-quality/"
                    "winequality-white.csv",
                ),
            ),
            folders=("wine",),
        ),
    )
}
