"""The manifest: a line per part that checks itself; what is torn or changed harms no other line."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from fallline.store import manifest
from fallline.store.manifest import MANIFEST_FILE, Entry

ENTRIES = [
    Entry.of("000001.parquet", b"PAR1 one PAR1", 10),
    Entry.of("000002.parquet", b"PAR1 two PAR1", 1),
    Entry.of("000003.parquet", b"PAR1 three PAR1", 7),
]


def _read(folder: Path) -> list[Entry]:
    return list(manifest.read(folder).entries.values())


def test_there_is_none_at_first(tmp_path: Path) -> None:
    assert manifest.read(tmp_path) == manifest.Manifest({})


def test_entries_come_back_in_their_order(tmp_path: Path) -> None:
    manifest.append(tmp_path, ENTRIES[:1])
    manifest.append(tmp_path, ENTRIES[1:])
    found = manifest.read(tmp_path)
    assert list(found.entries.values()) == ENTRIES
    assert (found.damaged, found.torn) == ((), False)


def test_the_lines_are_plain_json_with_checksums_of_a_standard_kind(tmp_path: Path) -> None:
    manifest.append(tmp_path, ENTRIES)
    text = (tmp_path / MANIFEST_FILE).read_text("ascii")
    first = text.splitlines()[0]
    row = json.loads(first)
    assert list(row) == ["part", "rows", "size", "blake2b", "check"]
    assert (row["part"], row["rows"], row["size"]) == ("000001.parquet", 10, 13)
    assert row["blake2b"] == hashlib.blake2b(b"PAR1 one PAR1", digest_size=16).hexdigest()
    before = first[: first.index(',"check"')] + "}"
    assert row["check"] == hashlib.blake2b(before.encode(), digest_size=4).hexdigest()


def test_a_line_torn_at_any_byte_harms_no_other(tmp_path: Path) -> None:
    manifest.append(tmp_path, ENTRIES[:2])
    whole = (tmp_path / MANIFEST_FILE).read_bytes()
    kept = len(ENTRIES[0].line)
    for length in range(kept + 1, len(whole) - 1):
        (tmp_path / MANIFEST_FILE).write_bytes(whole[:length])
        found = manifest.read(tmp_path)
        assert list(found.entries.values()) == ENTRIES[:1]
        assert (found.torn, found.damaged) == (True, ())
        manifest.append(tmp_path, ENTRIES[2:])
        assert _read(tmp_path) == [ENTRIES[0], ENTRIES[2]]


@pytest.mark.parametrize("bit", [0, 5])
def test_a_bit_flipped_anywhere_is_found(tmp_path: Path, bit: int) -> None:
    manifest.append(tmp_path, ENTRIES)
    whole = (tmp_path / MANIFEST_FILE).read_bytes()
    start = len(ENTRIES[0].line)
    for at in range(start, start + len(ENTRIES[1].line) - 1):
        flipped = bytearray(whole)
        flipped[at] ^= 1 << bit
        (tmp_path / MANIFEST_FILE).write_bytes(flipped)
        found = manifest.read(tmp_path)
        assert list(found.entries.values()) == [ENTRIES[0], ENTRIES[2]]
        assert found.damaged


@pytest.mark.parametrize("name", ["../../study.toml", "/etc/passwd", "1.parquet", "000001.PARQUET"])
def test_a_name_that_no_part_has_is_not_taken(tmp_path: Path, name: str) -> None:
    manifest.append(tmp_path, [Entry.of(name, b"", 1)])
    assert _read(tmp_path) == []


def test_an_entry_is_on_the_disk_on_return(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes, fsync = [], os.fsync

    def flushed(handle: int) -> None:
        sizes.append(os.fstat(handle).st_size)
        fsync(handle)

    monkeypatch.setattr(os, "fsync", flushed)
    manifest.append(tmp_path, ENTRIES[:1])
    assert sizes[0] == len(ENTRIES[0].line)
    assert len(sizes) == 2  # the file, and the folder with its new name
    manifest.append(tmp_path, ENTRIES[1:])
    assert sizes[2:] == [sum(len(each.line) for each in ENTRIES)]


def test_written_anew_it_is_there_as_a_whole_or_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest.append(tmp_path, ENTRIES)

    def killed(source, target):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            manifest.write(tmp_path, ENTRIES[:1])
    assert _read(tmp_path) == ENTRIES
    manifest.write(tmp_path, ENTRIES[1:])
    assert _read(tmp_path) == ENTRIES[1:]
