"""A folder of shards, ``x-00000.npy`` and ``y-00000.npy`` and so on: written, read, a data set."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from fallline.data.npy import NpyFile, mapped
from fallline.data.streamed import Shards, as_streamed, open_shards
from fallline.errors import DataError, InputError

if TYPE_CHECKING:
    from fallline.data.dataset import Dataset

__all__ = ["Shards", "from_shards", "open_shards", "read_shards", "write_chunks", "write_shards"]

SHARD_BYTES = 2**28
"""The size of a file of inputs where the number of its rows is not given."""


def read_shards(folder: Path | str) -> tuple[Shards, np.ndarray]:
    """Inputs and targets of a folder with ``x-00000.npy``, ``y-00000.npy``, and so on.

    The inputs stay on disk, the targets are read. The pair goes where arrays go: a Task's
    ``data``, or ``test_data``. Raises DataError, naming the file, where one is missing, cannot
    be mapped, differs from the first, or has another number of rows than its partner.
    """
    folder = Path(folder)
    if not os.path.isdir(folder):
        raise DataError(f"there is no folder {folder}", hint="check the path")
    by_number = {letter: _numbered(folder, letter) for letter in "xy"}
    numbers = sorted(by_number["x"].keys() | by_number["y"].keys())
    if not numbers:
        raise DataError(
            f"{folder} holds no shards",
            hint="they are called x-00000.npy, y-00000.npy, x-00001.npy and so on; "
            "fallline.data.shards.write_shards writes them",
        )
    for number in range(numbers[-1] + 1):
        for letter, files in by_number.items():
            if number not in files:
                raise DataError(
                    f"{folder} has no {letter}-{number:05}.npy, and shards up to {numbers[-1]:05}",
                    hint="every number from 00000 on needs its x and its y",
                )
    x = open_shards([by_number["x"][number] for number in numbers])
    y = open_shards([by_number["y"][number] for number in numbers])
    for inputs, targets in zip(x.parts, y.parts, strict=True):
        _check_rows(inputs, targets)
    return x, np.concatenate([mapped(file).array for file in y.parts if isinstance(file, NpyFile)])


def _numbered(folder: Path, letter: str) -> dict[int, Path]:
    found = {path.stem.removeprefix(f"{letter}-"): path for path in folder.glob(f"{letter}-*.npy")}
    return {int(number): path for number, path in found.items() if number.isdecimal()}


def _check_rows(inputs: Any, targets: Any) -> None:
    if inputs.shape[0] != targets.shape[0]:
        raise DataError(
            f"{inputs.path} has {inputs.shape[0]} examples and {targets.path.name} "
            f"{targets.shape[0]} targets",
            hint="give one target for every example",
        )


def from_shards(folder: Path | str, **options: Any) -> Dataset:
    """The data set in a folder of shards; its inputs stay on disk.

    ``options`` are those of :func:`fallline.data.dataset.make_dataset`. Raises DataError as
    :func:`read_shards` does, and as ``make_dataset`` does for what the files hold.
    """
    from fallline.data.dataset import make_dataset

    x, y = read_shards(folder)
    name = Path(folder).resolve().name
    return make_dataset(x, y, **({"name": name, "source": name} | options))


def write_shards(
    folder: Path | str, x: ArrayLike | Shards, y: ArrayLike, *, rows_per_shard: int | None = None
) -> Path:
    """Write inputs and targets as shards into a new ``folder``; returns its path.

    ``x``: ``(n, ...)`` numbers, in memory, memory-mapped or :class:`Shards`; ``y``: n numbers,
    rows of numbers, or texts. ``rows_per_shard``: by default as many as make 256 MB of inputs.
    The folder appears once it is complete. Raises DataError for what no shard can hold, and
    InputError where the folder is not empty.
    """
    inputs = as_streamed(x)
    whole = np.asarray(x) if inputs is None else inputs
    targets = np.asarray(y)
    if whole.ndim == 0 or targets.ndim == 0 or len(whole) != len(targets):
        raise DataError(
            f"x has shape {whole.shape} and y {targets.shape}",
            hint="give one target for every example",
        )
    count = rows_per_shard or _rows_per_shard(whole)
    chunks = (slice(at, at + count) for at in range(0, len(whole), max(1, count)))
    pairs = ((whole[rows], targets[rows]) for rows in chunks)
    return write_chunks(folder, pairs, rows_per_shard=rows_per_shard)


def write_chunks(
    folder: Path | str,
    chunks: Iterable[tuple[ArrayLike, ArrayLike]],
    *,
    rows_per_shard: int | None = None,
) -> Path:
    """Write pairs of inputs and targets, as they are made, as shards into a new ``folder``.

    For data that is never in memory as a whole: ``chunks`` may be a generator, of pairs with
    any number of rows. No more than a shard and a chunk are held. Otherwise as
    :func:`write_shards`.
    """
    folder = Path(folder)
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise InputError(
            f"{folder} is there and not empty", hint="name a new folder, or delete this one"
        )
    if rows_per_shard is not None and rows_per_shard < 1:
        raise InputError(f"rows_per_shard is {rows_per_shard}", hint="give 1 or more")
    unfinished = folder.with_name(f".{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    try:
        writer = _Writer(unfinished, rows_per_shard)
        for x, y in chunks:
            writer.add(np.asarray(x), np.asarray(y))
        writer.finish()
        if folder.exists():
            folder.rmdir()
        unfinished.rename(folder)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    return folder


@dataclass
class _Writer:
    """Gathers rows until they fill a shard."""

    folder: Path
    rows_per_shard: int | None
    shards: int = 0
    waiting: list[tuple[np.ndarray, np.ndarray]] = field(default_factory=list)
    rows: int = 0
    first: tuple[np.ndarray, np.ndarray] | None = None
    """Rows of the first chunk, none of them: the form that every chunk must have."""

    def add(self, x: np.ndarray, y: np.ndarray) -> None:
        self._check(x, y)
        count = self.rows_per_shard = self.rows_per_shard or _rows_per_shard(x)
        self.waiting.append((x, y))
        self.rows += len(x)
        while self.rows >= count:
            x, y = self._joined()
            self._write(x[:count], y[:count])
            self.waiting, self.rows = [(x[count:], y[count:])], self.rows - count

    def finish(self) -> None:
        """Write what is left, a smaller shard."""
        if self.rows:
            self._write(*self._joined())
        if self.shards == 0:
            raise DataError("there are no rows to write", hint="give one chunk or more")

    def _joined(self) -> tuple[np.ndarray, np.ndarray]:
        if len(self.waiting) == 1:
            return self.waiting[0]
        return (
            np.concatenate([x for x, _ in self.waiting]),
            np.concatenate([y for _, y in self.waiting]),
        )

    def _write(self, x: np.ndarray, y: np.ndarray) -> None:
        for letter, array in (("x", x), ("y", y)):
            with (self.folder / f"{letter}-{self.shards:05}.npy").open("wb") as file:
                np.save(file, np.ascontiguousarray(array), allow_pickle=False)
                file.flush()
                os.fsync(file.fileno())
        self.shards += 1

    def _check(self, x: np.ndarray, y: np.ndarray) -> None:
        for what, array, kinds in (("x", x, "fiub"), ("y", y, "fiubUS")):
            if array.ndim == 0 or array.dtype.kind not in kinds:
                raise DataError(
                    f"{what} is an array of shape {array.shape} and type {array.dtype}",
                    hint="give rows of numbers" if what == "x" else "give numbers, or .astype(str)",
                )
        if len(x) != len(y):
            raise DataError(
                f"a chunk has {len(x)} examples and {len(y)} targets",
                hint="give one target for every example",
            )
        self.first = self.first or (x[:0], y[:0])
        for what, array, first in zip("xy", (x, y), self.first, strict=True):
            texts = array.dtype.kind == first.dtype.kind and array.dtype.kind in "US"
            if array.shape[1:] != first.shape[1:] or not (texts or array.dtype == first.dtype):
                raise DataError(
                    f"a chunk's {what} has rows of shape {array.shape[1:]} {array.dtype}, the "
                    f"first one's {first.shape[1:]} {first.dtype}",
                    hint="give all chunks in one type and shape",
                )


def _rows_per_shard(x: np.ndarray | Shards) -> int:
    return max(1, SHARD_BYTES // max(1, x.nbytes // max(1, len(x))))
