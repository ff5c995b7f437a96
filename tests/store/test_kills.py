"""Writers that are really killed, at random moments and at named points: nothing is lost."""

from __future__ import annotations

import json
import os
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
SEED = 8

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="asks the system which file is flushed"
)


@pytest.fixture(scope="module")
def killed(document: StudyDocument) -> dict[str, Any]:
    """What one process found that forked all the writers, and killed them."""
    # Who kills a process does not need a disk, and waits for one as long as others keep it busy.
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=memory) as place:
        StudyFolder.begin(f"{place}/template", document).close()
        options = (f"{place}/template", f"{place}/studies", str(SEED), str(KILLS))
        done = subprocess.run(
            # Newer Pythons warn of a fork beside the threads of NumPy.
            [sys.executable, "-W", "ignore", killed_writers.__file__, *options],
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            timeout=300,
        )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr[-3000:]
    return json.loads(done.stdout)


def test_fifty_kills_at_random_moments_lose_nothing(killed: dict[str, Any]) -> None:
    found = killed["random"]
    assert found["problems"] == []
    assert found["codes"] == {str(-signal.SIGKILL): KILLS}
    assert found["told"] > KILLS, "kills came too early to be one between two parts"


def test_a_kill_at_any_point_between_write_and_rename_loses_nothing(killed: dict[str, Any]) -> None:
    found = killed["points"]
    assert found["problems"] == []
    points = {**killed_writers.POINTS, **killed_writers.MENDING}
    assert len(points) >= 25
    assert found["codes"] == {str(-signal.SIGKILL): len(points)}


def test_writers_import_no_jax(killed: dict[str, Any]) -> None:
    assert not killed["jax"]
