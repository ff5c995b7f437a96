"""Files that are whole or as they were, and what is left where they could not be written."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path

import numpy as np
import pytest

from fallline.store import durable, weights


def _full(*args: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_what_could_not_be_written_leaves_nothing_and_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    path = tmp_path / "file"
    durable.write(path, b"before")
    monkeypatch.setattr(os, call, _full)
    with pytest.raises(OSError, match="No space left"):
        durable.write(path, b"after")
    assert [each.name for each in tmp_path.iterdir()] == ["file"]
    assert path.read_bytes() == b"before"


def test_weights_that_could_not_be_written_leave_nothing_on_the_disk_that_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrays = {"a": np.ones(3, np.float32)}
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", _full)
        with pytest.raises(OSError, match="No space left"):
            weights.save(tmp_path / "a.safetensors", arrays, {})
    assert not list(tmp_path.iterdir())
    with pytest.raises(OSError, match="No such file"):
        weights.save(tmp_path / "nowhere" / "a.safetensors", arrays, {})


def test_a_page_is_replaced_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "report.html"
    durable.write_page(path, "before")
    durable.write_page(path, "güte")
    assert path.read_text("utf-8") == "güte"
    monkeypatch.setattr(os, "replace", _full)
    with pytest.raises(OSError, match="No space left"):
        durable.write_page(path, "after")
    assert [each.name for each in tmp_path.iterdir()] == ["report.html"]
    assert path.read_text("utf-8") == "güte"


def test_a_page_is_not_written_through_a_link(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("not ours")
    path = tmp_path / "report.html"
    path.symlink_to(other)
    durable.write_page(path, "page")
    assert (other.read_text(), path.read_text()) == ("not ours", "page")
    assert not path.is_symlink()


def test_what_a_killed_process_left_of_a_page_goes_with_the_next_one(tmp_path: Path) -> None:
    old, new = tmp_path / ".report.html.123.tmp", tmp_path / ".report.html.456.tmp"
    for path in (old, new):
        path.write_text("half")
    os.utime(old, (time.time() - 4000,) * 2)
    durable.write_page(tmp_path / "report.html", "page")
    # The other may be that of a process that writes now.
    assert sorted(path.name for path in tmp_path.iterdir()) == [new.name, "report.html"]
