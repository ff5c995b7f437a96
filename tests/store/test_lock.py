"""One writer at a time, known by name; its end, however it comes, lets the next one in."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from fallline.errors import StudyError
from fallline.store.document import Timing
from fallline.store.folder import StudyFolder

HOLD = (
    "import sys, time; from fallline.store.folder import StudyFolder\n"
    "study = StudyFolder.open(sys.argv[1])\n"
    "study.take(); print('held', flush=True); time.sleep(60)\n"
)


def test_a_killed_writer_is_named_while_it_lives_and_no_obstacle_after(
    tmp_path: Path, document, a_run
) -> None:
    StudyFolder.begin(tmp_path, document).close()
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert child.stdout.readline() == "held\n"
        with pytest.raises(StudyError, match="another process is writing") as caught:
            StudyFolder.begin(tmp_path, document)
        said = f": process {child.pid} on {socket.gethostname()}, since 20"
        assert said in str(caught.value)
        # Who was refused has not wiped out the name.
        with pytest.raises(StudyError, match=f"process {child.pid} on"):
            StudyFolder.begin(tmp_path, document)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
    assert (tmp_path / ".writer").is_file()
    study = StudyFolder.begin(tmp_path, document)
    study.append([a_run(0)], [32])
    with pytest.raises(StudyError, match=f"process {os.getpid()} on"):
        StudyFolder.begin(tmp_path, document)
    study.close()
    assert not (tmp_path / ".writer").exists()


@pytest.mark.parametrize("note", [b"", b"{", b'{"pid": "x"}', b"\xff" * 5000])
def test_a_damaged_note_costs_the_name_alone(tmp_path: Path, document, note: bytes) -> None:
    study = StudyFolder.begin(tmp_path, document)
    (tmp_path / ".writer").write_bytes(note)
    with pytest.raises(StudyError, match=r"writing the study in '[^']*'$"):
        StudyFolder.begin(tmp_path, document)
    study.close()
    StudyFolder.begin(tmp_path, document).close()


def test_a_folder_that_fails_to_be_put_in_order_is_let_go(
    tmp_path: Path, document, monkeypatch: pytest.MonkeyPatch
) -> None:
    StudyFolder.begin(tmp_path, document).close()

    def full(folder, found):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("fallline.store.mending.put_in_order", full)
        with pytest.raises(StudyError, match="No space left"):
            StudyFolder.begin(tmp_path, document)
    StudyFolder.begin(tmp_path, document).close()


def test_a_study_that_is_written_is_read_as_it_was_at_one_moment(
    tmp_path: Path, document, a_run
) -> None:
    """Readings only grow, have whole parts, and are never complete with runs lacking."""
    size, parts = 3, 25
    written = StudyFolder.begin(tmp_path, document)

    def write() -> None:
        for part in range(parts):
            runs = [a_run(part * size + k) for k in range(size)]
            written.append(runs, [32] * size)
        written.finish(Timing(total=1.0, compile=0.0, train=1.0, step={}))

    writer = threading.Thread(target=write)
    reader = StudyFolder.open(tmp_path)
    before = 0
    writer.start()
    readings = 0
    while True:
        alive = writer.is_alive()
        found = reader.contents()
        seeds = found.table["seed"].to_pylist()
        assert seeds == list(range(len(seeds)))
        assert len(seeds) % size == 0
        assert len(seeds) >= before
        assert found.problems == ()
        assert not found.complete or len(seeds) == size * parts
        before, readings = len(seeds), readings + 1
        if not alive:
            break
    writer.join()
    written.close()
    assert found.complete
    assert readings > 2
