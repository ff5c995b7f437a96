"""Arrays in ``.npy`` files that stay on disk: the header checked, the content memory-mapped."""

from __future__ import annotations

import math
import mmap
import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
from numpy.lib import format as npy

from fallline.errors import DataError

OPEN_FILES = 128
"""Files that are mapped at once: each one holds a file descriptor, of which there are few."""
SPARSE = 2**17
"""Bytes between two rows beyond which what lies between is not worth reading: as far as systems
read around a page that is asked for."""

_WRITE_AGAIN = "write it again with np.save, or with fallline.data.shards.write_shards"


@dataclass(frozen=True)
class NpyFile:
    """A ``.npy`` file whose header was read and whose size is as the header says.

    ``stamp`` is the time of its last change: a file that is written anew is no longer this one.
    """

    path: Path
    dtype: np.dtype
    shape: tuple[int, ...]
    offset: int
    stamp: int


class Mapped(NamedTuple):
    """The array in a file, read from disk where it is looked at; read-only."""

    array: np.ndarray
    pages: mmap.mmap
    offset: int

    def expect(self, rows: np.ndarray, *, sparse: bool) -> None:
        """Tell the system which ``rows`` are read next.

        Where they are ``sparse`` it fetches them all at once and nothing around them: one after
        the other, each would wait for the disk. The numbers read are the same either way.
        """
        if not hasattr(mmap, "MADV_WILLNEED"):
            return
        self.pages.madvise(mmap.MADV_RANDOM if sparse else mmap.MADV_NORMAL)
        if sparse:
            width = self.array[0].nbytes
            begins = self.offset + rows * width
            pages = begins - begins % mmap.PAGESIZE
            lengths = begins + width - pages
            for page, length in zip(pages.tolist(), lengths.tolist(), strict=True):
                self.pages.madvise(mmap.MADV_WILLNEED, page, length)


def examine(path: Path | str) -> NpyFile:
    """The file's header; the content is not read.

    Raises DataError for a file that cannot be read, is no ``.npy`` file, holds objects (they
    are pickled, and never loaded) or nothing, is in Fortran order, or has another size than its
    header says.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            shape, fortran, dtype = _header(file, path)
            offset = file.tell()
        status = path.stat()
    except OSError as error:
        raise _unreadable(path, error) from None
    _check_content(path, shape, dtype, fortran)
    expected = offset + math.prod(shape) * dtype.itemsize
    if status.st_size != expected:
        what = "truncated: " if status.st_size < expected else ""
        raise DataError(
            f"{path}: {what}the header announces {' x '.join(map(str, shape))} {dtype}, which "
            f"makes {expected} bytes; the file has {status.st_size}",
            hint=_WRITE_AGAIN,
        )
    return NpyFile(path, dtype, shape, offset, status.st_mtime_ns)


@lru_cache(maxsize=OPEN_FILES)
def mapped(file: NpyFile) -> Mapped:
    """The file's array, mapped into memory.

    Raises DataError where the file has changed since it was examined. One that is cut short
    while it is mapped ends the process: that is the system's rule.
    """
    try:
        with file.path.open("rb") as opened:
            status = file.path.stat()
            expected = file.offset + math.prod(file.shape) * file.dtype.itemsize
            if (status.st_mtime_ns, status.st_size) != (file.stamp, expected):
                raise DataError(
                    f"{file.path}: the file has changed since the data set was made",
                    hint="start again; leave a data set's files alone while they are in use",
                )
            pages = mmap.mmap(opened.fileno(), expected, access=mmap.ACCESS_READ)
    except OSError as error:
        raise _unreadable(file.path, error) from None
    count = math.prod(file.shape)
    array = np.frombuffer(pages, file.dtype, count, file.offset).reshape(file.shape)
    return Mapped(array, pages, file.offset)


@cache
def memory() -> float:
    """The machine's memory in bytes; infinite where the system does not say."""
    try:
        return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, ValueError, OSError):
        return math.inf


def _unreadable(path: Path, error: OSError) -> DataError:
    return DataError(
        f"{path}: cannot be read: {error.strerror or error}",
        hint="check the path and its permissions",
    )


_Header = tuple[tuple[int, ...], bool, np.dtype]
_HEADERS: dict[tuple[int, int], Callable[[IO[bytes]], _Header]] = {
    (1, 0): npy.read_array_header_1_0,
    (2, 0): npy.read_array_header_2_0,
}


def _header(file: IO[bytes], path: Path) -> _Header:
    try:
        version = npy.read_magic(file)
        if version not in _HEADERS:
            raise ValueError(f"its version is {version[0]}.{version[1]}, not 1.0 or 2.0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _HEADERS[version](file)
    except OSError:
        raise
    except Exception as error:
        # The header is a literal that NumPy has Python parse: damage may raise whatever that does.
        words = " ".join(str(error).split())[:200] or type(error).__name__
        raise DataError(
            f"{path}: no .npy file of numbers or text: {words}", hint=_WRITE_AGAIN
        ) from None


def _check_content(path: Path, shape: tuple[int, ...], dtype: np.dtype, fortran: bool) -> None:
    if dtype.hasobject:
        raise DataError(
            f"{path}: holds Python objects ({dtype}): they are pickled, and pickles are never "
            "loaded",
            hint="save numbers, or text as .astype(str)",
        )
    if not shape or min(shape) < 1:
        raise DataError(f"{path}: has shape {shape}: it holds no rows", hint="leave the file out")
    if fortran and len(shape) > 1:
        raise DataError(
            f"{path}: is in Fortran order: the numbers of an example are scattered over the file",
            hint="save np.ascontiguousarray(x)",
        )
