"""What a Parquet file says that it holds, read without Parquet's own library.

That library ends the whole process on some damaged footers when it is asked for a column's size. A
footer is a structure in Thrift's compact protocol:
https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md and
https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift.
"""

from __future__ import annotations

from typing import Any

_MAGIC = b"PAR1"
_DEEPEST = 12
"""Structures and lists inside of each other; a footer has seven."""
_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _SET, _STRUCT = 1, 2, 3, 7, 8, 9, 10, 12
_ROW_GROUPS, _COLUMNS, _META_DATA, _NUM_VALUES = 4, 1, 3, 5


def values_in(data: bytes) -> int:
    """How many values the columns of a Parquet file hold together, as its footer says.

    ``data``: the whole file. Raises ``ValueError`` where it has no footer that can be read.
    """
    size = int.from_bytes(data[-8:-4], "little")
    if data[:4] != _MAGIC or data[-4:] != _MAGIC or size > len(data) - 12:
        raise ValueError("it is no Parquet file")
    end = len(data) - 8
    try:
        footer, _ = _structure(data[end - size : end], 0, 0)
        columns = [column for group in footer[_ROW_GROUPS] for column in group[_COLUMNS]]
        counts = [column[_META_DATA][_NUM_VALUES] for column in columns]
        if min(counts, default=0) < 0:
            raise ValueError("a column of less than no values")
        return sum(counts)
    except (LookupError, TypeError, ValueError) as error:
        raise ValueError(f"its footer cannot be read: {error}") from None


def _structure(data: bytes, at: int, depth: int) -> tuple[dict[int, Any], int]:
    """The fields of a structure by their numbers, and where it ends."""
    if depth > _DEEPEST:
        raise ValueError("its structures are too deep")
    fields: dict[int, Any] = {}
    number = 0
    while head := data[at]:
        at += 1
        if head >> 4:
            number += head >> 4
        else:
            number, at = _integer(data, at)
        kind = head & 15
        if kind <= _FALSE:
            fields[number] = kind == _TRUE
        else:
            fields[number], at = _value(data, at, kind, depth)
    return fields, at + 1


def _value(data: bytes, at: int, kind: int, depth: int) -> tuple[Any, int]:
    """A value, and where it ends. Texts are passed over: nothing is asked of them here."""
    if _BYTE < kind < _DOUBLE:
        return _integer(data, at)
    if kind == _BINARY:
        size, at = _unsigned(data, at)
        return None, at + size
    if kind == _STRUCT:
        return _structure(data, at, depth + 1)
    if kind in (_LIST, _SET):
        return _elements(data, at, depth + 1)
    if kind in (_TRUE, _FALSE, _BYTE):
        return data[at], at + 1
    if kind == _DOUBLE:
        return None, at + 8
    raise ValueError(f"a value of kind {kind}")


def _elements(data: bytes, at: int, depth: int) -> tuple[list[Any], int]:
    count, kind = data[at] >> 4, data[at] & 15
    at += 1
    if count == 15:
        count, at = _unsigned(data, at)
    if count > len(data) or depth > _DEEPEST:
        raise ValueError("a list that is longer than the file, or too deep")
    found = []
    for _ in range(count):
        value, at = _value(data, at, kind, depth)
        found.append(value)
    return found, at


def _integer(data: bytes, at: int) -> tuple[int, int]:
    found = data[at]
    if found < 128:
        return (found >> 1) ^ -(found & 1), at + 1
    found, at = _unsigned(data, at)
    return (found >> 1) ^ -(found & 1), at


def _unsigned(data: bytes, at: int) -> tuple[int, int]:
    found = shift = 0
    while True:
        byte = data[at]
        at += 1
        found |= (byte & 127) << shift
        if byte < 128:
            return found, at
        shift += 7
        if shift > 63:
            raise ValueError("a number that is too long")
