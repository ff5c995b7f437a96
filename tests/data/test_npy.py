"""Files of arrays that stay on disk: which are refused, and what is said of them."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from fallline.data import npy
from fallline.data.npy import examine, mapped
from fallline.errors import DataError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    np.save(tmp_path / "x-00000.npy", np.arange(12, dtype=np.float32).reshape(4, 3))
    return tmp_path / "x-00000.npy"


def refusal(path: Path) -> tuple[str, str]:
    with pytest.raises(DataError) as caught:
        examine(path)
    assert path.name in str(caught.value)
    assert caught.value.hint
    return str(caught.value), caught.value.hint


def test_header_and_content_are_numpys(path):
    file = examine(path)
    assert (file.dtype, file.shape) == (np.dtype(np.float32), (4, 3))
    np.testing.assert_array_equal(mapped(file).array, np.load(path))
    assert not mapped(file).array.flags.writeable


def test_a_file_of_another_size_than_its_header_says_is_refused(path):
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    message, _ = refusal(path)
    assert "truncated: the header announces 4 x 3 float32, which makes" in message
    assert message.endswith(f"makes {len(content)} bytes; the file has {len(content) - 1}")
    path.write_bytes(content + b"0")
    message, _ = refusal(path)
    assert "truncated" not in message
    assert message.endswith(f"the file has {len(content) + 1}")


@pytest.mark.parametrize("content", [b"", b"PK\3\4 a zip", b"\x93NUMPY\1\0\xff", b"\x93NUMPY\7\0"])
def test_what_is_no_npy_file_is_refused(path, content):
    path.write_bytes(content)
    assert "no .npy file of numbers or text" in refusal(path)[0]


def test_objects_are_never_unpickled(path):
    class Trap:
        def __reduce__(self):
            return (os.mkdir, (str(path.parent / "sprung"),))

    np.save(path, np.array([Trap()], object), allow_pickle=True)
    message, hint = refusal(path)
    assert "pickles are never loaded" in message
    assert ".astype(str)" in hint
    assert not (path.parent / "sprung").exists()


def test_fortran_order_is_refused(path):
    np.save(path, np.asfortranarray(np.ones((4, 3))))
    message, hint = refusal(path)
    assert "is in Fortran order" in message
    assert "np.ascontiguousarray" in hint


@pytest.mark.parametrize("shape", [(), (0, 3), (3, 0)])
def test_a_file_without_rows_is_refused(path, shape):
    np.save(path, np.zeros(shape))
    assert f"has shape {shape}: it holds no rows" in refusal(path)[0]


def test_a_missing_file_is_named(path):
    path.unlink()
    assert "cannot be read: No such file or directory" in refusal(path)[0]


def test_a_file_that_changes_after_it_was_examined_is_refused(path):
    file = examine(path)
    np.save(path, np.zeros((4, 3), np.float32))
    os.utime(path, ns=(file.stamp + 1, file.stamp + 1))
    with pytest.raises(DataError, match="has changed since the data set was made"):
        mapped(file)
    path.unlink()
    with pytest.raises(DataError, match="cannot be read"):
        mapped(file)


def test_few_files_are_mapped_at_once(tmp_path):
    for number in range(npy.OPEN_FILES + 9):
        np.save(tmp_path / f"{number}.npy", np.full((1, 2), number))
        mapped(examine(tmp_path / f"{number}.npy"))
    assert mapped.cache_info().currsize <= npy.OPEN_FILES
