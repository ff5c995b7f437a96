"""Examples that stay on disk: rows of memory-mapped files, gathered where they are needed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from fallline.data import npy
from fallline.data.npy import SPARSE, NpyFile, examine, mapped
from fallline.data.scaling import row_normed
from fallline.errors import DataError, InputError

CHUNK = 2**25
"""Bytes that a pass over all rows holds at a time."""
_BLOCK = 2**20
"""Bytes that are gathered at a time: they fit a core's cache on the way to their places."""


class _Conversion(NamedTuple):
    """What becomes of rows as they are read: another type, or division by their norm."""

    dtype: np.dtype
    norm_axis: int | None = None

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        if self.norm_axis is not None:
            return row_normed(rows, self.norm_axis, self.dtype)
        with np.errstate(over="ignore"):
            return rows.astype(self.dtype, copy=False)


@dataclass(frozen=True, eq=False, repr=False)
class Shards:
    """Rows of ``.npy`` files, or of mapped arrays, that together are one array ``(n, ...)``.

    ``parts`` lie one after the other along axis 0; ``rows`` are those of them that are held, in
    their order (None: all); ``conversions`` are applied as rows are read. Nothing is read but
    what :meth:`take` and slices ask for, and what they return are arrays of their own. The
    files must stay as they are while they are in use. :func:`open_shards` makes one.
    """

    parts: tuple[NpyFile | np.memmap, ...]
    rows: np.ndarray | None = None
    conversions: tuple[_Conversion, ...] = ()

    def __repr__(self) -> str:
        return f"<Shards {self.shape} {self.dtype} in {len(self.parts)} files>"

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self), *self.parts[0].shape[1:])

    @property
    def ndim(self) -> int:
        return len(self.parts[0].shape)

    @property
    def dtype(self) -> np.dtype:
        """The type of what is read: never that of another byte order than the machine's."""
        last = self.conversions[-1] if self.conversions else self.parts[0]
        return last.dtype.newbyteorder("=")

    @property
    def nbytes(self) -> int:
        """The bytes that all rows would take in memory."""
        return math.prod(self.shape) * self.dtype.itemsize

    def __len__(self) -> int:
        return int(self._starts[-1]) if self.rows is None else len(self.rows)

    def __getitem__(self, rows: int | slice | np.ndarray) -> np.ndarray:
        """One example, a slice of them, or those that an array of row numbers names."""
        if isinstance(rows, slice):
            return self.take(np.arange(*rows.indices(len(self))))
        return self.take(np.asarray(rows))

    def __array__(self, dtype: Any = None, copy: Any = None) -> NoReturn:
        # NumPy would otherwise read the rows one by one, and hold them all.
        raise InputError(
            f"data of {self.nbytes:,} bytes is read from files as it is needed, and not made one "
            "array",
            hint="take(rows) reads some of it, and [:] all",
        )

    def take(self, rows: ArrayLike) -> np.ndarray:
        """The rows with these numbers, in this order: what ``np.take(x, rows, axis=0)`` gives.

        ``rows``: whole numbers of any shape, negative ones counted from the end; the result has
        shape ``(*rows.shape, ...)``. Files are read in ascending order, and no more memory is
        taken than the result's and that of the numbers. Raises IndexError for a row that there
        is not.
        """
        wanted = np.asarray(rows)
        flat = self._numbers(wanted)
        out = np.empty((len(flat), *self.shape[1:]), self.dtype)
        order = None
        if not (flat[1:] >= flat[:-1]).all():
            order = np.argsort(flat)
            flat = flat[order]
        bounds = np.searchsorted(flat, self._starts)
        for part, start, begin, end in zip(
            self.parts, self._starts, bounds, bounds[1:], strict=False
        ):
            if begin < end:
                places = slice(begin, end) if order is None else order[begin:end]
                self._gather(part, flat[begin:end] - start, out, places)
        return out.reshape(*wanted.shape, *self.shape[1:])

    def select(self, rows: ArrayLike) -> Shards:
        """These rows in this order, still on disk."""
        return replace(self, rows=self._numbers(np.asarray(rows)))

    def astype(self, dtype: DTypeLike) -> Shards:
        """The same rows, as ``dtype`` once they are read."""
        asked = np.dtype(dtype)
        if asked == self.dtype:
            return self
        return replace(self, conversions=(*self.conversions, _Conversion(asked)))

    def normed(self, axis: int, dtype: DTypeLike = np.float32) -> Shards:
        """The same rows, divided by their L2 norm along ``axis`` once they are read."""
        asked = np.dtype(dtype)
        row_normed(self[:0], axis, asked)
        return replace(self, conversions=(*self.conversions, _Conversion(asked, axis)))

    def chunks(self, size: int = CHUNK) -> Iterator[slice]:
        """Slices of at most ``size`` bytes (of one row at least) that make a pass."""
        count = max(1, size // max(1, self.nbytes // max(1, len(self))))
        return (slice(start, start + count) for start in range(0, len(self), count))

    @cached_property
    def _starts(self) -> np.ndarray:
        """Where each part begins among the rows of all, and where the last one ends."""
        return np.concatenate([[0], np.cumsum([part.shape[0] for part in self.parts])])

    @cached_property
    def _spread(self) -> bool:
        """Whether the files are too large to stay in memory once they were read around."""
        size = sum(math.prod(part.shape) * part.dtype.itemsize for part in self.parts)
        return size > npy.memory() / 2

    def _numbers(self, rows: np.ndarray) -> np.ndarray:
        """The rows among those of all parts, ``(count,)`` int64."""
        if rows.size and rows.dtype.kind not in "iu":
            raise IndexError(f"row numbers are whole numbers, not {rows.dtype}")
        flat = rows.ravel().astype(np.int64, copy=False)
        if flat.size and not (-len(self) <= flat.min() and flat.max() < len(self)):
            raise IndexError(f"rows {flat.min()} to {flat.max()} of {len(self)} were asked for")
        if flat.size and flat.min() < 0:
            flat = np.where(flat < 0, flat + len(self), flat)
        return flat if self.rows is None else self.rows[flat]

    def _gather(
        self, part: NpyFile | np.memmap, rows: np.ndarray, out: np.ndarray, places: Any
    ) -> None:
        """Put the ascending ``rows`` of a part to their ``places`` in ``out``, block by block."""
        width = math.prod(part.shape[1:]) * part.dtype.itemsize
        source = mapped(part) if isinstance(part, NpyFile) else None
        array = source.array if source else np.asarray(part)
        sparse = self._spread and int(rows[-1] - rows[0]) * width > len(rows) * (width + SPARSE)
        count = max(1, _BLOCK // max(1, width))
        start = places.start if isinstance(places, slice) else None
        for begin in range(0, len(rows), count):
            block = rows[begin : begin + count]
            if source:
                source.expect(block, sparse=sparse)
            block = _read(array, block)
            for conversion in self.conversions:
                block = conversion(block)
            end = begin + len(block)
            out[places[begin:end] if start is None else slice(start + begin, start + end)] = block


def _read(array: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Ascending ``rows`` of ``array``; a view of them where they follow one another."""
    first, last = int(rows[0]), int(rows[-1])
    if last - first == len(rows) - 1 and bool((rows[1:] > rows[:-1]).all()):
        return array[first : last + 1]
    return array[rows]


def open_shards(paths: Path | str | Sequence[Path | str]) -> Shards:
    """The arrays in one or several ``.npy`` files, joined along axis 0, without reading them.

    Raises DataError, naming the file, where one cannot be mapped (see
    :func:`fallline.data.npy.examine`) or differs from the first in type or in its rows' shape.
    """
    named = [paths] if isinstance(paths, Path | str) else list(paths)
    if not named:
        raise InputError("no files were given", hint="give the paths of .npy files")
    files = tuple(examine(path) for path in named)
    for file in files[1:]:
        _check_alike(file, files[0])
    return Shards(files)


def as_streamed(x: Any) -> Shards | None:
    """``x`` as :class:`Shards` where it is so or is memory-mapped; None where it is in memory."""
    if isinstance(x, Shards):
        return x
    # A memmap without a mode is what arithmetic made of one: an array in memory.
    if not (isinstance(x, np.memmap) and x.mode is not None):
        return None
    if x.ndim > 1 and x.flags.f_contiguous and not x.flags.c_contiguous:
        raise DataError(
            f"the memory-mapped array of {x.filename or 'a file'} is in Fortran order: the "
            "numbers of an example are scattered over the file",
            hint="save np.ascontiguousarray(x), or load the array without mmap_mode",
        )
    return Shards((x,))


def joined(parts: Sequence[Shards]) -> Shards:
    """The rows of all ``parts``, one after the other. They must be of one type and form."""
    first = parts[0]
    for other in parts[1:]:
        same = other.shape[1:] == first.shape[1:] and other.conversions == first.conversions
        if not (same and other.parts[0].dtype == first.parts[0].dtype):
            raise InputError(
                f"examples of {first.shape[1:]} {first.dtype} and of {other.shape[1:]} "
                f"{other.dtype} that are read from files in different ways make no one array",
                hint="write both in the same type",
            )
    if all(_same(other.parts, first.parts) for other in parts):
        return replace(first, rows=np.concatenate([part._numbers(_all(part)) for part in parts]))
    starts = np.cumsum([0, *(part._starts[-1] for part in parts)])
    rows = [part._numbers(_all(part)) + at for part, at in zip(parts, starts, strict=False)]
    every = tuple(each for part in parts for each in part.parts)
    return replace(first, parts=every, rows=np.concatenate(rows))


def _same(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    return len(one) == len(other) and all(a is b for a, b in zip(one, other, strict=True))


def _all(part: Shards) -> np.ndarray:
    return np.arange(len(part))


def _check_alike(file: NpyFile, first: NpyFile) -> None:
    texts = file.dtype.kind == first.dtype.kind and file.dtype.kind in "US"
    if file.shape[1:] != first.shape[1:] or not (texts or file.dtype == first.dtype):
        raise DataError(
            f"{file.path}: rows of shape {file.shape[1:]} {file.dtype}, in {first.path.name} of "
            f"{first.shape[1:]} {first.dtype}",
            hint="write all shards of an array in one type and shape",
        )
