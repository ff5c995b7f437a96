"""The states of the runs under way, beside the finished ones: one file, the latest alone.

The file is written under a temporary name, flushed to the disk and renamed over the one before.
Runs that wait at a rung are in files of their own, each written once. All of them can always be
lost: whatever is wrong with one, the runs in it begin anew.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from fallline.errors import DataError
from fallline.records import RunState
from fallline.store import weights

log = logging.getLogger("fallline")

STATES_FILE = "states.safetensors"
WAITING_FOLDER = "waiting"
_SUFFIX = ".safetensors"
FORMAT = "fallline states 1"


def save(folder: Path, states: Iterable[RunState]) -> None:
    """Write ``states`` in place of those that were there; raises ``OSError`` where it cannot."""
    _write(folder / STATES_FILE, list(states))


def append(folder: Path, states: Sequence[RunState]) -> Path:
    """Write the states of runs that wait, in a further file; raises ``OSError`` where it cannot."""
    own = folder / WAITING_FOLDER
    own.mkdir(exist_ok=True)
    path = own / f"{max((int(each.stem) for each in waiting(folder)), default=0) + 1:06d}{_SUFFIX}"
    _write(path, states)
    return path


def waiting(folder: Path) -> list[Path]:
    """The files of runs that wait, in the order in which they were written."""
    return sorted((folder / WAITING_FOLDER).glob(f"[0-9]*{_SUFFIX}"))


def _write(path: Path, states: Sequence[RunState]) -> None:
    arrays = {
        f"{state.run_id}/{name}": np.asarray(array, order="C")
        for state in states
        for name, array in state.arrays.items()
    }
    runs = json.dumps({state.run_id: state.identity for state in states})
    origins = json.dumps({state.run_id: dict(state.origin or {}) for state in states})
    found = checksum(runs + origins, arrays)
    about = {"format": FORMAT, "runs": runs, "origins": origins, "checksum": found}
    weights.save(path, arrays, about)


def load(folder: Path) -> dict[str, RunState]:
    """The states under way by run id; none, with a warning, where the file cannot be used."""
    return load_file(folder / STATES_FILE)


def load_file(path: Path) -> dict[str, RunState]:
    """The states of one file by run id; none, with a warning, where it is damaged or not ours."""
    if not path.is_file():
        return {}
    try:
        arrays, about = weights.load(path)
        identities = _identities(about, arrays)
    except (DataError, ValueError, KeyError) as error:
        log.warning("%s cannot be used (%s): the runs under way begin anew", path, error)
        return {}
    held: dict[str, dict[str, np.ndarray]] = {run_id: {} for run_id in identities}
    for name, array in arrays.items():
        run_id, _, own = name.partition("/")
        held[run_id][own] = array
    origins = _origins(about)
    return {
        run_id: RunState(run_id, identities[run_id], own, origins.get(run_id, {}))
        for run_id, own in held.items()
    }


def remove(folder: Path) -> None:
    """Take the file away, and what a killed process left of one."""
    path = folder / STATES_FILE
    for each in (path, path.with_suffix(path.suffix + ".tmp")):
        each.unlink(missing_ok=True)


def remove_waiting(folder: Path) -> None:
    """Take the files of runs that wait away, with their folder."""
    shutil.rmtree(folder / WAITING_FOLDER, ignore_errors=True)


def _identities(about: Mapping[str, str], arrays: Mapping[str, np.ndarray]) -> dict[str, str]:
    """The identity of every run's state, from a file that is whole."""
    if about.get("format") != FORMAT:
        raise ValueError(f"its format is {about.get('format')!r}, not {FORMAT!r}")
    # Older files have no origins.
    if about["checksum"] != checksum(about["runs"] + about.get("origins", ""), arrays):
        raise ValueError("its checksum is wrong: it was changed or damaged")
    identities = json.loads(about["runs"])
    named = {name.partition("/")[0] for name in arrays}
    if not isinstance(identities, dict) or named != identities.keys():
        raise ValueError("its runs are not those that it names")
    return {run_id: str(identity) for run_id, identity in identities.items()}


def _origins(about: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """What the runs' states were taken in, as far as it is told: it decides nothing."""
    try:
        told = json.loads(about.get("origins", "{}"))
        return {
            str(run): {str(name): str(value) for name, value in origin.items()}
            for run, origin in told.items()
        }
    except (ValueError, AttributeError, RecursionError):
        return {}


def checksum(words: str, arrays: Mapping[str, np.ndarray]) -> str:
    """Of everything that the file holds: runs and origins as they are written, and the arrays."""
    found = hashlib.blake2b(words.encode(), digest_size=16)
    for name in sorted(arrays):
        array = arrays[name]
        found.update(f"{name} {array.dtype.str} {array.shape} ".encode())
        found.update(np.ascontiguousarray(array).data)
    return found.hexdigest()
