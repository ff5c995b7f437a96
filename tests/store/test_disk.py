"""A disk that is really full, a folder that really cannot be written: by the system itself."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fallline.store.document import StudyDocument
from fallline.store.folder import StudyFolder

WRITER = """
import resource, sys
import numpy as np
from fallline.errors import StudyError
from fallline.records import Curves, Run, RunResult, Status
from fallline.store import logbook
from fallline.store.folder import StudyFolder

def a_run(seed, epochs):
    curve = np.random.default_rng(seed).normal(size=epochs).astype(np.float32)
    run = Run("adam", {"learning_rate": 1e-3}, seed, "search", epochs)
    return RunResult(run, Status.DONE, Curves(*[curve] * 4), steps=epochs)

opened = StudyFolder.open(sys.argv[1])
study = StudyFolder.begin(sys.argv[1], opened.document)
try:
    with logbook.kept(study.path, "runs", {}):
        study.append([a_run(0, 3)], [32])
        resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, resource.RLIM_INFINITY))
        study.append([a_run(1, 30_000)], [32])
except StudyError as error:
    print(error, error.hint, sep="\\n")
print([result.run.seed for result in study.results()])
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
study.append([a_run(1, 30_000)], [32])
"""


SOMEBODY = """
import os, socket, sys
from fallline.errors import StudyError
from fallline.store.folder import StudyFolder

os.chdir(sys.argv[1])
StudyFolder.open(".").results()  # what is imported late may be where nobody else can read
os.setegid(65534)
os.seteuid(65534)
opened = StudyFolder.open(".")
print([result.run.seed for result in opened.results()])
try:
    StudyFolder.begin(".", opened.document)
except StudyError as error:
    print(error, error.hint, sep="\\n")
"""


def _run(script: str, folder: Path) -> list[str]:
    command = [sys.executable, "-c", script, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout.splitlines()


def test_a_limit_on_files_ends_the_writing_and_what_was_stored_stays(
    tmp_path: Path, document: StudyDocument
) -> None:
    StudyFolder.begin(tmp_path / "study", document).close()
    message, hint, stored = _run(WRITER, tmp_path / "study")
    assert "cannot write to the study's folder" in message
    assert "File too large" in message
    assert "on a disk with room" in hint
    assert stored == "[0]"
    assert sorted(StudyFolder.open(tmp_path / "study").runs()["seed"]) == [0, 1]
    assert "Traceback" in (tmp_path / "study" / "fallline.log").read_text("utf-8")


@pytest.mark.skipif(os.geteuid() != 0, reason="only the superuser can become somebody else")
def test_a_folder_of_somebody_else_is_read_and_never_written(
    tmp_path: Path, document: StudyDocument, a_run
) -> None:
    study = StudyFolder.begin(tmp_path / "study", document)
    study.append([a_run(7)], [32])
    study.close()
    for path in (study.path, *study.path.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    before = {path: path.stat().st_mtime_ns for path in study.path.rglob("*")}
    read, message, hint = _run(SOMEBODY, study.path)
    assert read == "[7]"
    assert "cannot write to the study's folder" in message
    assert "Permission denied" in message
    assert "can be written to" in hint
    assert {path: path.stat().st_mtime_ns for path in study.path.rglob("*")} == before
