"""IDX files written by hand, whole and damaged."""

from __future__ import annotations

import gzip
import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fallline.data.files import content, read_idx
from fallline.errors import DataError

PIXELS = bytes(range(24))
IMAGES = struct.pack(">HBB3I", 0, 8, 3, 2, 3, 4) + PIXELS
LABELS = struct.pack(">HBBI", 0, 8, 1, 5) + bytes([3, 1, 4, 1, 5])


@pytest.fixture
def written(tmp_path):
    def write(data: bytes, name: str = "file-idx3-ubyte"):
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return write


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_images(written, pack):
    array = read_idx(written(pack(IMAGES)), expected_dims=3)
    assert (array.shape, array.dtype) == ((2, 3, 4), np.uint8)
    assert array.ravel().tolist() == list(range(24))


def test_labels_in_several_gzip_members(written):
    packed = gzip.compress(LABELS[:9]) + gzip.compress(LABELS[9:])
    assert read_idx(written(packed)).tolist() == [3, 1, 4, 1, 5]


@pytest.mark.parametrize(
    ("code", "form", "values"),
    [
        (0x09, "b", [-128, 7]),
        (0x0B, "h", [-300, 300]),
        (0x0C, "i", [-70000, 70000]),
        (0x0D, "f", [0.5, -2.25]),
        (0x0E, "d", [0.1, 1e300]),
    ],
)
def test_types_are_read_big_endian_and_returned_native(written, code, form, values):
    data = struct.pack(f">HBBI2{form}", 0, code, 1, 2, *values)
    array = read_idx(written(data))
    assert array.tolist() == values
    assert array.dtype.isnative


def test_checksum(written):
    path = written(gzip.compress(LABELS))
    right = "f3d5fdd1a6f1a0a0c5f5f7bf0a0ea7a1"
    with pytest.raises(DataError, match=f"wrong checksum: .* expected {right}") as caught:
        read_idx(path, md5=right)
    assert "fetch it again" in caught.value.hint
    assert read_idx(path, md5="1815129ecc81d075442cca2b9e833fa4").shape == (5,)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\0\0\x08\x01" + IMAGES[4:], "more follow"),
        (LABELS, "0x00000801 announces 1 dimensions; 3 are expected .0x00000803."),
        (b"\0\0\x07\x03" + IMAGES[4:], "no IDX file: found magic number 0x00000703, expected"),
        (b"\0\0\x08\x00", "magic number 0x00000800"),
        (b"<html>Not found</html>", "magic number 0x3C68746D"),
        (b"", "no IDX file: found 0 bytes"),
        (IMAGES[:10], "ends within its header, after 10 bytes of 16"),
        (IMAGES[:-1], r"truncated: the header announces 2 x 3 x 4, which makes 40 bytes; .* 39"),
        (IMAGES + b"\0", "which makes 40 bytes; more follow"),
        (gzip.compress(IMAGES)[:-9], "the gzip data ends in the middle: 40 bytes"),
        (gzip.compress(IMAGES)[:20], "the gzip data ends in the middle"),
        (gzip.compress(IMAGES)[:-8] + bytes(8), "broken gzip data"),
        (b"\x1f\x8b\xff" + bytes(40), "broken gzip data"),
    ],
)
def test_damage_is_named(written, data, message):
    path = written(data)
    expected_dims = None if "more" in message else 3
    with pytest.raises(DataError, match=message) as caught:
        read_idx(path, expected_dims=expected_dims)
    assert str(path) in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_header_that_announces_terabytes_takes_no_memory(written, pack):
    data = struct.pack(">HBB3I", 0, 0x0E, 3, 2**31, 2**31, 2**31) + bytes(100)
    with pytest.raises(DataError, match=r"truncated: .* content has 116"):
        read_idx(written(pack(data)))


@pytest.mark.parametrize("dims", [(0, 2**32 - 1, 2**32 - 1, 2**32 - 1), (1,) * 70])
def test_shapes_that_no_array_has_are_named(written, dims):
    data = struct.pack(f">HBB{len(dims)}I", 0, 0x08, len(dims), *dims) + bytes(min(dims))
    with pytest.raises(DataError, match="no array of shape"):
        read_idx(written(data))


def test_a_path_with_a_zero_byte_cannot_be_read():
    with pytest.raises(DataError, match="cannot be read"):
        read_idx("a\0b")


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(DataError, match="cannot be read: No such file"):
        read_idx(tmp_path / "absent")
    with pytest.raises(DataError, match="cannot be read: Is a directory"):
        content(tmp_path)


@given(head=st.binary(max_size=24), body=st.binary(max_size=64), packed=st.booleans())
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_bytes_are_an_array_or_a_named_fault(written, head, body, packed):
    data = b"\0\0\x08" + head + body
    path = written(gzip.compress(data) if packed else data)
    try:
        array = read_idx(path)
    except DataError:
        return
    assert 4 + 4 * array.ndim + array.nbytes == len(data)


@given(shape=st.lists(st.integers(0, 4), min_size=1, max_size=4))
@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_every_shape_is_read_back(written, shape):
    array = np.arange(np.prod(shape), dtype=np.int16).reshape(shape)
    head = struct.pack(f">HBB{len(shape)}I", 0, 0x0B, len(shape), *shape)
    np.testing.assert_array_equal(read_idx(written(head + array.astype(">i2").tobytes())), array)


def test_what_unpacks_beyond_the_memory_is_given_up(written, monkeypatch):
    data = struct.pack(">HBBI", 0, 8, 1, 2**20) + bytes(2**20)
    assert read_idx(written(gzip.compress(data))).nbytes == 2**20
    monkeypatch.setattr("fallline.data.files.memory", lambda: 2**19)
    with pytest.raises(DataError, match=f"more than half of the memory, {2**18} bytes"):
        read_idx(written(gzip.compress(data)))


def test_content_is_unpacked_up_to_a_limit(written):
    path = written(gzip.compress(bytes(1000)))
    assert content(path, largest=1000) == bytes(1000)
    with pytest.raises(DataError, match="larger than 999 bytes"):
        content(path, largest=999)
