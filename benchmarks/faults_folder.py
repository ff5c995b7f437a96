"""What happens to a study's folder: damaged, moved, copied, read while it is written."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import faults_judge
from fallline import open_study
from fallline.store.folder import StudyFolder
from faults_trial import Bench, Record, Trial, keeps, trained


def copied(bench: Bench, trial: Trial) -> None:
    """Put a study that is complete into the trial's folder."""
    shutil.copytree(bench.whole, trial.folder)
    (trial.folder / "report.html").unlink(missing_ok=True)


def truncate(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])


def flip(path: Path) -> None:
    """Turn one bit in the middle of a file."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0b100
    path.write_bytes(data)


def empty(path: Path) -> None:
    path.write_bytes(b"")


Damage = Callable[[Path], None]
PART_DAMAGE: dict[str, tuple[Damage, str]] = {
    "truncated": (truncate, "is damaged (it has "),
    "a flipped bit": (flip, "is damaged (its checksum is not the one that was written)"),
    "of length zero": (empty, "is damaged (it has 0 bytes"),
    "missing": (Path.unlink, "is missing"),
}
MANIFEST_DAMAGE: dict[str, tuple[Damage, str]] = {
    "truncated": (truncate, ""),
    "a flipped bit": (flip, "of manifest.jsonl is damaged"),
    "missing": (Path.unlink, ""),
}


def parts(bench: Bench) -> Iterator[Record]:
    """A part of a finished study is damaged: found, said, set aside, its runs trained again."""
    for at, (what, (damage, said)) in enumerate(PART_DAMAGE.items(), start=1):
        trial = Trial(bench, f"part {what}")
        copied(bench, trial)
        path = trial.folder / "parts" / f"{2 * at - 1:06d}.parquet"
        damage(path)
        trial.injected += 1
        _told(trial, f"parts/{path.name} {said}")
        process = trial.go_on()
        trial.expect(said in process.said, f"going on did not say it: {process.said[-600:]}")
        aside = trial.folder / "set-aside" / f"{path.name}.damaged"
        trial.expect(aside.is_file() is (what != "missing"), "it is not set aside")
        yield trial.record("a damaged part", what, "named by 'fallline show'; its runs redone")


def _told(trial: Trial, said: str) -> None:
    """``fallline show`` and ``fallline doctor`` say what is wrong, and there is no verdict."""
    process = trial.start(arguments=("show", str(trial.folder)))
    code = process.wait()
    trial.expect(code == 0, f"'fallline show' ended with {code}: {process.said[-600:]}")
    study = open_study(trial.folder)
    trial.expect(said in process.printed.replace("\n", " "), f"not shown: {process.printed[:900]}")
    trial.expect(not study.complete, "it says that it is complete")
    trial.expect("not finished" in study.verdict, f"it says {study.verdict!r}")
    doctor = trial.start(arguments=("doctor", str(trial.folder)))
    code = doctor.wait()
    trial.expect(code == 1, f"'fallline doctor' ended with {code}: {doctor.printed[-600:]}")


def manifests(bench: Bench) -> Iterator[Record]:
    """The manifest is damaged: no run is lost, and the next process writes it anew."""
    for what, (damage, said) in MANIFEST_DAMAGE.items():
        trial = Trial(bench, f"manifest {what}")
        copied(bench, trial)
        damage(trial.folder / "manifest.jsonl")
        trial.injected += 1
        study = open_study(trial.folder)
        trial.expect(said in " ".join(study.problems), f"it is not said: {study.problems}")
        trial.expect(study.complete, "the study is no longer complete")
        runs = len(StudyFolder.open(trial.folder).results())
        trial.expect(runs == len(bench.expected.runs), f"{runs} runs are read")
        trial.go_on()
        yield trial.record("a damaged manifest", what, "all parts count; written anew")


def documents(bench: Bench) -> Iterator[Record]:
    """timing.toml, states.safetensors and study.toml are damaged."""
    trial = Trial(bench, "timing")
    copied(bench, trial)
    flip_first(trial.folder / "timing.toml")
    trial.injected += 1
    _told(trial, "timing.toml is damaged")
    trial.go_on()
    yield trial.record("a damaged document", "timing.toml", "said; set aside; timed again")
    for what, damage in (("truncated", truncate), ("a flipped bit", flip)):
        trial = Trial(bench, f"states {what}")
        process = trial.start()
        path = trial.folder / "states.safetensors"
        process.until(path.is_file)
        process.send(signal.SIGKILL)
        process.wait()
        trial.look()
        if path.is_file():
            damage(path)
            trial.injected += 1
        said = trial.go_on().said
        trial.expect("begin anew" in said, f"it was not said: {said[-600:]}")
        yield trial.record("a damaged snapshot", what, "said; its runs begin anew")
    trial = Trial(bench, "study.toml")
    copied(bench, trial)
    path = trial.folder / "study.toml"
    good = path.read_bytes()
    truncate(path)
    trial.injected += 1
    process = trial.start()
    code = process.wait()
    trial.expect(code == 2, f"it ended with {code}")
    trial.expect("hint: it was changed or damaged" in process.said, process.said[-600:])
    path.write_bytes(good)
    trial.go_on()
    yield trial.record("a damaged document", "study.toml", "refused with advice; a copy mends it")


def flip_first(path: Path) -> None:
    """Turn a bit of a text's first byte: it is not that text any more."""
    data = bytearray(path.read_bytes())
    data[0] ^= 0x80
    path.write_bytes(data)


# -- elsewhere, and at the same time ---------------------------------------------------------


def elsewhere(bench: Bench) -> Iterator[Record]:
    """A study that is half done is moved, or copied while it is written, and gone on with."""
    trial = Trial(bench, "moved")
    process = trial.start()
    trained(trial, process)
    process.send(signal.SIGKILL)
    trial.expect(process.wait() == -signal.SIGKILL, "it was not killed")
    moved = trial.own / "moved" / "further" / "away"
    moved.parent.mkdir(parents=True)
    trial.folder = trial.folder.rename(moved)
    trial.injected += 1
    trial.look()
    trial.go_on()
    yield trial.record("another place", "moved when it was killed", "gone on with there")

    trial = Trial(bench, "copied")
    process = trial.start()
    trained(trial, process)
    process.until(lambda: any((trial.folder / "parts").glob("0*.parquet")))
    copy = Trial(bench, "copy")
    _copy_under_way(trial.folder, copy.folder)
    trial.injected += 1
    copy.injected += 1
    copy.go_on()
    code = process.wait()
    trial.expect(code == 0, f"the first ended with {code}: {process.said[-600:]}")
    trial.judge()
    trial.wrong += copy.wrong
    trial.lost += copy.lost
    trial.doubled += copy.doubled
    note = "both gone on with at the same time, to the same end"
    yield trial.record("another place", "copied while it is written", note)


def _copy_under_way(source: Path, target: Path) -> None:
    """Copy file by file as ``cp -r`` does, without those that go away meanwhile."""
    for _ in range(100):
        try:
            shutil.copytree(source, target)
            return
        except (shutil.Error, FileNotFoundError):  # a snapshot was renamed meanwhile
            shutil.rmtree(target, ignore_errors=True)
    raise RuntimeError("the folder could not be copied")


def read_while_written(bench: Bench) -> Iterator[Record]:
    """A study is read again and again while it is written: each reading is of one moment."""
    trial = Trial(bench, "read")
    process = trial.start()
    process.until((trial.folder / "study.toml").is_file)
    readings, before, verdicts = 0, 0, set()
    while process.runs:
        found = faults_judge.under_way(trial.folder, bench.expected, ())
        trial.wrong += [f"reading {readings}: {text}" for text in found.wrong]
        study = StudyFolder.open(trial.folder).contents()
        runs = study.table.num_rows
        trial.expect(runs >= before, f"reading {readings} has {runs} runs after {before}")
        before, readings = runs, readings + 1
        if keeps(trial.folder) and readings % 10 == 0:
            shown = open_study(trial.folder)
            trial.expect(not shown.complete or shown.verdict, "no verdict")
            verdicts.add(shown.complete)
    trial.injected += 1
    code = process.wait()
    trial.expect(code == 0, f"it ended with {code}: {process.said[-600:]}")
    trial.expect(readings > 20, f"only {readings} readings")
    trial.judge()
    yield trial.record("read while it is written", f"{readings} readings", "each of one moment")
