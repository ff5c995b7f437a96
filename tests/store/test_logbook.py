"""The log of a study: whose entries, in which form, how long; and that it never ends a study."""

from __future__ import annotations

import io
import logging
import os
import re
import threading
from pathlib import Path

import pytest

from fallline.errors import StudyError
from fallline.store import logbook

ENTRY = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (DEBUG|INFO|WARNING|ERROR) +\S")
VERSIONS = {"fallline": "1.2", "jax": "3.4"}

log = logging.getLogger("fallline")


def _lines(folder: Path) -> list[str]:
    return (folder / logbook.LOG_FILE).read_text("utf-8").splitlines()


@pytest.fixture(autouse=True)
def _left_as_found():
    before = list(log.handlers), log.level
    yield
    assert (list(log.handlers), log.level) == before, "the logger is not as it was"


def test_entries_have_time_level_and_message_and_are_appended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logbook.time, "gmtime", lambda at: (2026, 1, 2, 3, 4, 5, 0, 0, 0))
    logbook.COMMAND.set("")  # another test may have run a command in this process
    for asked in ("seeds=3", "seeds=5"):
        with logbook.kept(tmp_path, asked, VERSIONS):
            logbook.tell("%d runs", 7)
            log.warning("halved")
    lines = _lines(tmp_path)
    assert [line.split(maxsplit=2)[1:] for line in lines[:5]] == [
        ["INFO", "asked: seeds=3"],
        ["INFO", f"versions: Python {logbook.platform.python_version()}, fallline 1.2, jax 3.4"],
        ["INFO", "7 runs"],
        ["WARNING", "halved"],
        ["INFO", "complete"],
    ]
    assert "asked: seeds=5" in lines[5]
    assert all(ENTRY.match(line) and line.startswith("2026-01-02T03:04:05.") for line in lines)


def test_an_error_is_kept_with_its_traceback_and_hint(tmp_path: Path) -> None:
    def fail() -> None:
        raise StudyError("no room", hint="make\nroom")

    with pytest.raises(StudyError), logbook.kept(tmp_path, "all", VERSIONS):
        fail()
    lines = _lines(tmp_path)
    (at,) = (number for number, line in enumerate(lines) if " ERROR " in line)
    assert lines[at].endswith("StudyError: no room (hint: make")
    assert any(", in fail" in line for line in lines[at:])
    assert all(line.startswith("  ") for line in lines[at + 1 :]), "an entry was forged"


@pytest.mark.parametrize(
    ("error", "words"),
    [(KeyboardInterrupt(), "by a signal"), (KeyboardInterrupt("SIGTERM"), "by SIGTERM")],
)
def test_who_stops_a_study_is_named_without_a_traceback(
    tmp_path: Path, error: BaseException, words: str
) -> None:
    with pytest.raises(KeyboardInterrupt), logbook.kept(tmp_path, "all", VERSIONS):
        raise error
    assert "stopped early" in _lines(tmp_path)[-1]
    assert words in _lines(tmp_path)[-1]


def test_studies_side_by_side_have_their_own_entries(tmp_path: Path) -> None:
    inner = {name: tmp_path / name for name in ("one", "two")}
    for folder in inner.values():
        folder.mkdir()
    both = threading.Barrier(2, timeout=10)

    def study(name: str) -> None:
        with logbook.kept(inner[name], name, VERSIONS):
            both.wait()
            helper = threading.Thread(target=_of, args=(inner[name], f"compiled for {name}"))
            helper.start()
            helper.join()
            both.wait()

    with logbook.kept(tmp_path, "a series", VERSIONS):
        threads = [threading.Thread(target=study, args=(name,)) for name in inner]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for name, folder in inner.items():
        text = (folder / logbook.LOG_FILE).read_text("utf-8")
        assert f"compiled for {name}" in text
        assert sum("compiled" in line for line in text.splitlines()) == 1
    assert sum("compiled" in line for line in _lines(tmp_path)) == 2


def _of(folder: Path, message: str) -> None:
    logbook.enter(folder)
    logbook.tell(message)


def test_the_file_cannot_fill_a_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logbook, "MOST_BYTES", 10_000)
    monkeypatch.setattr(logbook, "LONGEST_ENTRY", 1_000)
    with logbook.kept(tmp_path, "x" * 50_000, VERSIONS):
        for number in range(500):
            logbook.tell("entry %d %s", number, "y" * 100)
    sizes = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    assert sizes.keys() == {"fallline.log", "fallline.log.1"}
    assert all(size <= 12_000 for size in sizes.values())
    assert "complete" in _lines(tmp_path)[-1]


@pytest.mark.parametrize("fault", ["full", "closed", "folder"])
def test_a_log_that_cannot_be_written_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], fault: str
) -> None:
    def full(*values: object, **settings: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        if fault == "full":
            patch.setattr(logging.StreamHandler, "flush", full)
        elif fault == "closed":
            patch.setattr(os, "open", full)
        else:
            (tmp_path / logbook.LOG_FILE).mkdir()
        with logbook.kept(tmp_path, "all", VERSIONS):
            logbook.tell("work is done")
    assert capsys.readouterr() == ("", "")
    if fault != "folder":
        with logbook.kept(tmp_path, "again", VERSIONS):
            pass
        assert any("asked: again" in line for line in _lines(tmp_path))


def test_nothing_outside_of_the_folder_is_written_and_nobody_is_waited_for(tmp_path: Path) -> None:
    theirs, mine = tmp_path / "profile", tmp_path / "study"
    theirs.write_text("mine\n")
    mine.mkdir()
    (mine / logbook.LOG_FILE).symlink_to(theirs)
    with logbook.kept(mine, "all", VERSIONS):
        pass
    assert theirs.read_text() == "mine\n"
    (mine / logbook.LOG_FILE).unlink()
    os.mkfifo(mine / logbook.LOG_FILE)
    with logbook.kept(mine, "all", VERSIONS):
        pass


def test_a_users_own_logging_is_left_alone(tmp_path: Path) -> None:
    heard = io.StringIO()
    root, handler = logging.getLogger(), logging.StreamHandler(heard)
    root.addHandler(handler)
    try:
        with logbook.kept(tmp_path, "all", VERSIONS):
            logbook.tell("course")
            log.warning("trouble")
    finally:
        root.removeHandler(handler)
    assert heard.getvalue() == "trouble\n", "the root logger is at WARNING"
    assert any("course" in line for line in _lines(tmp_path))


def test_warnings_are_shown_where_nobody_configured_logging(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    with logbook.kept(tmp_path, "all", VERSIONS):
        logbook.tell("course")
        log.warning("trouble")
    assert capsys.readouterr().err == "trouble\n"


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        (logging.WARNING, ["fallline: warning: trouble"]),
        (logging.INFO, ["fallline: course", "fallline: warning: trouble"]),
        (logging.DEBUG, ["fallline: detail", "fallline: course", "fallline: warning: trouble"]),
    ],
)
def test_the_terminal_shows_what_is_asked_for(
    level: int, expected: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with logbook.shown(level):
        logbook.tell("detail", level=logging.DEBUG)
        logbook.tell("course")
        log.warning("trouble")
    assert capsys.readouterr().err.splitlines() == expected


def test_a_traceback_is_in_the_file_and_never_on_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (
        pytest.raises(StudyError),
        logbook.shown(logging.DEBUG),
        logbook.kept(tmp_path, "all", VERSIONS),
    ):
        raise StudyError("no room")
    assert "Traceback" in "\n".join(_lines(tmp_path))
    assert "Traceback" not in capsys.readouterr().err
