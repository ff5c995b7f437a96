"""States on the disk: read back as they were, and left alone where anything is wrong with them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fallline.records import RunState
from fallline.store import states, weights


def _states() -> list[RunState]:
    draw = np.random.default_rng(3)
    made = []
    for run_id in ("00ab", "11cd"):
        arrays = {
            "carry.params['Dense_0']['kernel']": draw.normal(size=(3, 4)).astype(np.float32),
            "carry.slots[0].count": np.int32(7),
            "carry.health.stopped": np.bool_(True),
            "carry.slots[1]": draw.integers(0, 2**32, 2, dtype=np.uint32),
            "figures": np.full((2, 4), np.nan, np.float32),
            "losses": np.empty(0, np.float64),
        }
        made.append(RunState(run_id, f"identity of {run_id}", arrays))
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    states.save(tmp_path, _states())
    return tmp_path


def test_states_come_back_as_they_were(folder: Path) -> None:
    found = states.load(folder)
    assert list(found) == ["00ab", "11cd"]
    for asked in _states():
        held = found[asked.run_id]
        assert held.identity == asked.identity
        assert held.arrays.keys() == asked.arrays.keys()
        for name, array in asked.arrays.items():
            assert held.arrays[name].dtype == array.dtype
            assert held.arrays[name].shape == np.shape(array)
            np.testing.assert_array_equal(held.arrays[name], array)


def test_what_states_were_taken_in_comes_back_and_decides_nothing(tmp_path: Path) -> None:
    own, other = _states()
    states.save(tmp_path, [replace(own, origin={"jax": "0.10.2"}), other])
    found = states.load(tmp_path)
    assert found[own.run_id].origin == {"jax": "0.10.2"}
    assert found[other.run_id].origin == {}
    arrays, about = weights.load(tmp_path / states.STATES_FILE)
    del about["origins"]  # as it is in older files
    for told in ({}, {"origins": "[3]"}, {"origins": "no JSON"}, {"origins": '{"00ab": 3}'}):
        right = states.checksum(about["runs"] + told.get("origins", ""), arrays)
        weights.save(tmp_path / states.STATES_FILE, arrays, {**about, **told, "checksum": right})
        assert [each.origin for each in states.load(tmp_path).values()] == [{}, {}]


def test_the_latest_states_replace_those_before(folder: Path) -> None:
    states.save(folder, _states()[1:])
    assert list(states.load(folder)) == ["11cd"]
    assert [path.name for path in folder.iterdir()] == [states.STATES_FILE]


def test_where_nothing_is_kept_nothing_is_found(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert states.load(tmp_path) == {}
    states.remove(tmp_path)
    assert not caplog.records


def test_the_file_goes_with_what_a_killed_process_left(folder: Path) -> None:
    (folder / f"{states.STATES_FILE}.tmp").write_bytes(b"half")
    assert list(states.load(folder)) == ["00ab", "11cd"]
    states.remove(folder)
    assert not list(folder.iterdir())


def test_a_torn_or_changed_file_is_left_alone(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = folder / states.STATES_FILE
    whole = file.read_bytes()
    draw = np.random.default_rng(4)
    lengths = [0, 4, 8, 9, *draw.integers(10, len(whole), 30), len(whole) - 1]
    for length in lengths:
        file.write_bytes(whole[:length])
        assert states.load(folder) == {}, f"cut to {length} of {len(whole)} bytes"
    places = [*range(8), *draw.integers(8, len(whole), 60)]
    for place in places:
        changed = bytearray(whole)
        changed[place] ^= 1 << int(draw.integers(8))
        file.write_bytes(bytes(changed))
        assert states.load(folder) == {}, f"byte {place}"
    assert "the runs under way begin anew" in caplog.text


@pytest.mark.parametrize(
    ("about", "why"),
    [
        ({}, "its format is None"),
        ({"format": "fallline states 9"}, "its format is 'fallline states 9'"),
        ({"format": states.FORMAT, "checksum": "0", "runs": "{}"}, "its checksum is wrong"),
    ],
)
def test_another_programs_file_is_left_alone(
    tmp_path: Path, about: dict[str, str], why: str, caplog: pytest.LogCaptureFixture
) -> None:
    weights.save(tmp_path / states.STATES_FILE, {"a/b": np.zeros(3)}, about)
    assert states.load(tmp_path) == {}
    assert why in caplog.text


def test_runs_that_are_not_named_are_noticed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    arrays = {"00ab/figures": np.zeros(3)}
    for runs in ('{"11cd": "x"}', '{"00ab": "x", "11cd": "y"}', "[]", "{", ""):
        checksum = states.checksum(runs, arrays)
        about = {"format": states.FORMAT, "checksum": checksum, "runs": runs}
        weights.save(tmp_path / states.STATES_FILE, arrays, about)
        assert states.load(tmp_path) == {}, runs
    assert len(caplog.records) == 5
