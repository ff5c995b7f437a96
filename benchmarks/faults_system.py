"""What the machine does to a study: disk, permissions, memory, device, clock, a second process."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from faults_process import Process
from faults_trial import Bench, Record, Trial, keeps, trained

DISK_BYTES = 12 * 2**20
SNAPSHOT_BYTES = 60_000
"""Room for parts and not for a snapshot."""
REPORT_BYTES = 1_000_000
"""Room for parts and snapshots and not for the report."""


@contextlib.contextmanager
def disk(place: Path) -> Iterator[bool]:
    """A small disk of its own in ``place``: whether there is one, which takes the superuser."""
    place.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES},mode=755", "tmpfs", str(place)]
    try:
        mounted = subprocess.run(command, capture_output=True).returncode == 0
    except FileNotFoundError:
        mounted = False
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(place)], check=True)


def _fill(place: Path, leaving: int) -> Path:
    """Fill a disk but for so many bytes; the file that does it."""
    ballast = place / "ballast"
    found = os.statvfs(place)
    room = max(0, found.f_bavail * found.f_frsize - leaving)
    with open(ballast, "ab", buffering=0) as file, contextlib.suppress(OSError):
        while room > 0:
            room -= file.write(bytes(min(room, 2**16)))
        while not leaving:
            file.write(b"0")
    return ballast


def full_disk(bench: Bench) -> Iterator[Record]:
    """A disk that is full when a part, a snapshot, or the report is written; then there is room."""
    for what, fill in (
        ("a part", _no_part),
        ("a snapshot", _no_snapshot),
        ("the report", _no_page),
    ):
        trial = Trial(bench, f"full disk {what}")
        with disk(trial.own / "disk") as mounted:
            if mounted:
                trial.folder = trial.own / "disk" / "study"
                note = fill(trial)
            elif what == "a part":
                note = _limited(trial)
            else:
                continue
            trial.go_on()
            how = "a full tmpfs" if mounted else "RLIMIT_FSIZE (no disk may be mounted)"
            yield trial.record("full disk", what, f"{how}: {note}")


def _refused(trial: Trial, process: Process, words: str) -> None:
    code = process.wait()
    trial.injected += 1
    trial.expect(code == 2, f"it ended with {code}: {process.said[-600:]}")
    trial.expect(words in process.said, f"it did not say {words!r}: {process.said[-600:]}")
    trial.expect("hint: give" in process.said, f"no advice: {process.said[-600:]}")
    trial.expect("Traceback" not in process.said, f"a traceback: {process.said[-600:]}")
    trial.look()


def _no_part(trial: Trial) -> str:
    process = trial.start()
    process.until(lambda: any((trial.folder / "parts").glob("0*.parquet")))
    ballast = _fill(trial.folder.parent, 0)
    _refused(trial, process, "No space left on device")
    ballast.unlink()
    return "exit code 2 with advice; gone on with when there was room"


def _no_snapshot(trial: Trial) -> str:
    process = trial.start()
    process.until((trial.folder / "study.toml").is_file)
    ballast = _fill(trial.folder.parent, SNAPSHOT_BYTES)
    words = "the runs under way cannot be kept"
    trial.expect(process.until(lambda: words in process.said), "it was not said")
    ballast.unlink()
    code = process.wait()
    trial.injected += 1
    trial.expect(code == 0, f"it ended with {code}: {process.said[-600:]}")
    trial.judge()
    return "a warning; the study goes on without snapshots"


def _no_page(trial: Trial) -> str:
    process = trial.start()
    process.until((trial.folder / "study.toml").is_file)
    ballast = _fill(trial.folder.parent, REPORT_BYTES)
    _refused(trial, process, "cannot write the report")
    trial.expect(not (trial.folder / "report.html").exists(), "half a report was left")
    ballast.unlink()
    return "exit code 2 with advice; the study itself is complete"


def _limited(trial: Trial) -> str:
    _refused(trial, trial.start("a limit on files"), "File too large")
    return "exit code 2 with advice; gone on with without the limit"


def read_only(bench: Bench) -> Iterator[Record]:
    """A study under way in a folder that cannot be written to: refused, and nothing is changed."""
    trial = Trial(bench, "read only")
    _half_done(trial)
    with _without_permission(trial.folder):
        _unchanged(trial, "Permission denied", nobody=os.geteuid() == 0)
    trial.go_on()
    how = "as another user" if os.geteuid() == 0 else "without the permission"
    yield trial.record("a read-only folder", how, "exit code 2 with advice; not a byte is changed")
    trial = Trial(bench, "read-only disk")
    with disk(trial.own / "disk") as mounted:
        if not mounted:
            return
        trial.folder = trial.own / "disk" / "study"
        _half_done(trial)
        _remount(trial.folder.parent, "ro")
        _unchanged(trial, "Read-only file system")
        _remount(trial.folder.parent, "rw")
        trial.go_on()
        note = "exit code 2 with advice; not a byte is changed"
        yield trial.record("a read-only folder", "a disk mounted read-only", note)


def _half_done(trial: Trial) -> None:
    process = trial.start()
    process.until(lambda: any((trial.folder / "parts").glob("0*.parquet")))
    process.send(signal.SIGKILL)
    process.wait()


def _remount(place: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", str(place)], check=True)


@contextlib.contextmanager
def _without_permission(folder: Path) -> Iterator[None]:
    """All may read the folder, nobody but the superuser may write in it."""
    paths = [folder, *folder.rglob("*")]
    before = {path: path.stat().st_mode & 0o777 for path in paths}
    for path in paths:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        yield
    finally:
        for path, mode in before.items():
            path.chmod(mode)


def _unchanged(trial: Trial, words: str, *, nobody: bool = False) -> None:
    """It is refused with ``words``, and all files are what they were."""
    state = {path: path.stat().st_mtime_ns for path in trial.folder.rglob("*")}
    _refused(trial, trial.start(nobody=nobody), words)
    after = {path: path.stat().st_mtime_ns for path in trial.folder.rglob("*")}
    trial.expect(after == state, f"changed: {sorted(map(str, state.keys() ^ after.keys()))}")


# -- inside of a process ----------------------------------------------------------------------


def memory(bench: Bench) -> Iterator[Record]:
    """XLA runs out of memory once: the population is halved, and nothing else changes."""
    words = "out of memory with "
    note = "XLA refuses what it is asked for; the population is halved"
    yield _within(bench, "out of memory", "while it trains", words, note, hasty=False)


def device(bench: Bench) -> Iterator[Record]:
    """A compiled call ends in an error of the device, once."""
    note = "a compiled call raises XLA's error once; its runs begin again"
    words = "what was under way begins again"
    yield _within(bench, "a device error", "while it trains", words, note, hasty=False)


def clock(bench: Bench) -> Iterator[Record]:
    """All clocks jump at every reading, forwards and backwards, by seconds to days."""
    note = "at every reading, by hours and days; no time is negative"
    kind = "a clock that jumps"
    yield _within(bench, kind, "forwards and backwards", "", note, check=_no_time_is_negative)


def _within(
    bench: Bench,
    kind: str,
    what: str,
    words: str,
    note: str,
    *,
    hasty: bool = True,
    check: Callable[[Trial], None] = lambda trial: None,
) -> Record:
    """A fault that the process itself survives, saying ``words``."""
    trial = Trial(bench, kind)
    process = trial.start(kind, hasty=hasty)
    code = process.wait()
    trial.injected += 1
    trial.expect(code == 0, f"it ended with {code}: {process.said[-1500:]}")
    trial.expect(words in process.said, f"it did not say {words!r}: {process.said[-600:]}")
    trial.judge()
    check(trial)
    return trial.record(kind, what, note)


def _no_time_is_negative(trial: Trial) -> None:
    from fallline.store.folder import StudyFolder

    timing = StudyFolder.open(trial.folder).timing
    trial.expect(timing is not None, "no timing")
    if timing is not None:
        times = (timing.total, timing.compile, timing.train, *timing.phases.values())
        trial.expect(min(*times, *timing.step.values()) >= 0, f"negative times: {times}")


# -- two at once ------------------------------------------------------------------------------


def two_processes(bench: Bench) -> Iterator[Record]:
    """Others want to write the study while one does: they are refused, and it is unharmed."""
    trial = Trial(bench, "two processes")
    first = trial.start()
    trained(trial, first)
    seconds = {
        "compare": None,
        "resume": ("resume", str(trial.folder)),
        "doctor --repair": ("doctor", "--repair", str(trial.folder)),
    }
    others = {name: trial.start(arguments=each) for name, each in seconds.items()}
    for name, other in others.items():
        code = other.wait()
        trial.injected += 1
        words = (
            f"another process is writing the study in {str(trial.folder)!r}: process {first.pid}"
        )
        trial.expect(code == 2, f"{name} ended with {code}: {other.said[-600:]}")
        trial.expect(words in other.said, f"{name} was not told by whom: {other.said[-600:]}")
    code = first.wait()
    trial.expect(code == 0, f"the first ended with {code}: {first.said[-600:]}")
    trial.judge()
    trial.expect(keeps(trial.folder), "nothing was kept")
    note = f"{', '.join(seconds)}: exit code 2, naming the process that writes"
    yield trial.record("two processes on one folder", "others come while one writes", note)
