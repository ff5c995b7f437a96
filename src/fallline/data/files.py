"""Files of data: IDX arrays (MNIST's form), plain or gzipped, and tables in CSV."""

from __future__ import annotations

import hashlib
import math
import struct
import sys
import zlib
from pathlib import Path

import numpy as np

from fallline.data.npy import memory
from fallline.data.table import read_csv, read_table
from fallline.errors import DataError

__all__ = ["check_md5", "content", "md5_of", "read_csv", "read_idx", "read_table"]

_IDX_TYPES: dict[int, np.dtype] = {
    0x08: np.dtype(np.uint8),
    0x09: np.dtype(np.int8),
    0x0B: np.dtype(">i2"),
    0x0C: np.dtype(">i4"),
    0x0D: np.dtype(">f4"),
    0x0E: np.dtype(">f8"),
}
LARGEST = 2**30
"""Bytes of content, unpacked, that are read of a file whose own header says no size."""
_GZIP = b"\x1f\x8b"
_FETCH_AGAIN = "delete it and fetch it again"


def read_idx(
    path: Path | str, *, expected_dims: int | None = None, md5: str | None = None
) -> np.ndarray:
    """The array in an IDX file: native byte order, read-only, of the file's own type and shape.

    ``path``: plain or gzipped, as the content says. ``expected_dims``: the number of dimensions
    (MNIST's images 3, labels 1). ``md5``: of the uncompressed content. Raises DataError for a
    file that is missing, damaged or of another form; no more memory is taken than it fills.

    The format: two zero bytes, a type, the number of dimensions, each dimension as a big-endian
    32-bit integer, then the elements, the last dimension varying fastest
    (http://yann.lecun.com/exdb/mnist/).
    """
    path = Path(path)
    raw = _bytes_of(path)
    head = _unpacked(raw, 4, path)
    dtype, dims = _magic(head, path)
    if expected_dims is not None and dims != expected_dims:
        raise DataError(
            f"{path}: the magic number {_magic_text(head)} announces {dims} dimensions; "
            f"{expected_dims} are expected ({_magic_text(bytes((0, 0, 8, expected_dims)))})",
            hint="images have 3 dimensions and labels 1: are the files' names exchanged?",
        )
    begin = 4 + 4 * dims
    head = _unpacked(raw, begin, path)
    if len(head) < begin:
        raise DataError(
            f"{path}: the file ends within its header, after {len(head)} bytes of {begin}",
            hint=_FETCH_AGAIN,
        )
    shape = struct.unpack(f">{dims}I", head[4:])
    size = begin + math.prod(shape) * dtype.itemsize
    most = int(min(size + 1, memory() / 2, sys.maxsize))
    data = _unpacked(raw, most, path)
    if size > len(data) == most:
        raise DataError(
            f"{path}: unpacks to more than half of the memory, {most} bytes",
            hint=f"is it the file that it should be? {_FETCH_AGAIN}",
        )
    _check_size(len(data), size, shape, path)
    if md5 is not None:
        check_md5(data, md5, path)
    try:
        array = np.frombuffer(data, dtype, offset=begin).reshape(shape)
    except ValueError as error:
        # More dimensions than NumPy has, or a dimension of 0 among huge ones.
        raise DataError(f"{path}: no array of shape {shape}: {error}", hint=_FETCH_AGAIN) from None
    return array.astype(dtype.newbyteorder("="), copy=False)


def content(path: Path | str, *, largest: int = LARGEST) -> bytes:
    """All bytes of a file, uncompressed where it is gzipped; at most ``largest``."""
    path = Path(path)
    data = _unpacked(_bytes_of(path), largest + 1, path)
    if len(data) > largest:
        raise DataError(
            f"{path}: its content is larger than {largest} bytes",
            hint=f"is it the file that it should be? {_FETCH_AGAIN}",
        )
    return data


def md5_of(data: bytes) -> str:
    """The md5 of ``data``, in hex digits: it finds damage, it proves no origin."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def check_md5(data: bytes, expected: str, path: Path) -> None:
    """Raise DataError, with both sums, where ``data`` is not what ``expected`` is the sum of."""
    found = md5_of(data)
    if found != expected:
        raise DataError(
            f"{path}: wrong checksum: the uncompressed content has md5 {found}, expected "
            f"{expected}",
            hint=f"the file is damaged or another data set's; {_FETCH_AGAIN}",
        )


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:  # a ValueError: a zero byte in the path
        reason = getattr(error, "strerror", None) or error
        raise DataError(
            f"{path}: cannot be read: {reason}", hint="check the path and its permissions"
        ) from None


def _unpacked(raw: bytes, limit: int, path: Path) -> bytes:
    """``limit`` bytes of ``raw``, gunzipped where it is gzip.

    zlib grows its output as the data fills it, so that a limit from a damaged header costs
    nothing. A gzip file may hold several members, one after the other.
    """
    if not raw.startswith(_GZIP):
        return raw[:limit]
    parts, size, rest = [], 0, raw
    try:
        while rest.startswith(_GZIP) and size < limit:
            member = zlib.decompressobj(wbits=31)
            parts.append(member.decompress(rest, limit - size))
            size += len(parts[-1])
            rest = member.unused_data
            if not member.eof and size < limit:
                raise DataError(
                    f"{path}: the gzip data ends in the middle: {size} bytes could be unpacked",
                    hint=_FETCH_AGAIN,
                )
    except zlib.error as error:
        raise DataError(f"{path}: broken gzip data: {error}", hint=_FETCH_AGAIN) from None
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _magic_text(head: bytes) -> str:
    return f"0x{head[:4].hex().upper()}"


def _magic(head: bytes, path: Path) -> tuple[np.dtype, int]:
    """The type of the elements and the number of dimensions that an IDX file begins with."""
    if len(head) == 4 and head[:2] == b"\0\0" and head[2] in _IDX_TYPES and head[3] > 0:
        return _IDX_TYPES[head[2]], head[3]
    found = f"magic number {_magic_text(head)}" if len(head) == 4 else f"{len(head)} bytes"
    raise DataError(
        f"{path}: no IDX file: found {found}, expected 0x00000803 (images), 0x00000801 (labels), "
        "or another type and number of dimensions after two zero bytes",
        hint=_FETCH_AGAIN,
    )


def _check_size(found: int, expected: int, shape: tuple[int, ...], path: Path) -> None:
    sizes = " x ".join(map(str, shape))
    if found < expected:
        raise DataError(
            f"{path}: truncated: the header announces {sizes}, which makes {expected} bytes; "
            f"the content has {found}",
            hint=_FETCH_AGAIN,
        )
    if found > expected:
        raise DataError(
            f"{path}: the header announces {sizes}, which makes {expected} bytes; more follow",
            hint=_FETCH_AGAIN,
        )
