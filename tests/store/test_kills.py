"""Writers that are really killed, at random moments and at named points: nothing is lost."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

import killed_writers
from fallline.store.document import StudyDocument
from fallline.store.folder import StudyFolder

KILLS = 50

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="asks the system which file is flushed"
)


def _killed(document: StudyDocument, mode: str, seed: int) -> dict[str, Any]:
    # Who kills a process does not need a disk, and waits for one as long as others keep it busy.
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=memory) as place:
        StudyFolder.begin(f"{place}/template", document).close()
        places = (f"{place}/template", f"{place}/studies")
        done = subprocess.run(
            [sys.executable, killed_writers.__file__, mode, *places, str(seed), str(KILLS)],
            capture_output=True,
            text=True,
            timeout=300,
        )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr[-3000:]
    return json.loads(done.stdout)


def test_fifty_kills_at_random_moments_lose_nothing(document) -> None:
    found = _killed(document, "random", seed=8)
    assert found["problems"] == []
    assert found["codes"] == {str(-signal.SIGKILL): KILLS}
    assert found["told"] > KILLS, "kills came too early to be one between two parts"
    assert not found["jax"], "the store has imported JAX"


def test_a_kill_at_any_point_between_write_and_rename_loses_nothing(document) -> None:
    found = _killed(document, "points", seed=0)
    assert found["problems"] == []
    points = {**killed_writers.POINTS, **killed_writers.MENDING}
    assert len(points) >= 25
    assert found["codes"] == {str(-signal.SIGKILL): len(points)}
