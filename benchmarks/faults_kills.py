"""Processes that are killed: at random moments, at named points, by signals that ask to stop."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import faults_folder
from fallline import open_study
from fallline.store import states
from faults_inside import Point
from faults_trial import Bench, Record, Trial, keeps, stored, trained

PART = r"\.?[0-9]{6}\.parquet(\.tmp)?"
STATES = r"states\.safetensors(\.tmp)?"
MANIFEST = r"manifest\.jsonl"
POINTS: dict[str, Point] = {
    "study.toml half written": Point("fsync", r"study\.toml\.tmp", "torn"),
    "study.toml written, before its rename": Point("rename", r"study\.toml", "before"),
    "study.toml renamed, before any part": Point("rename", r"study\.toml", "after"),
    "the first snapshot half written": Point("fsync", STATES, "torn"),
    "a snapshot written, before its rename": Point("rename", STATES, "before"),
    "a snapshot renamed over the one before": Point("rename", STATES, "after", 2),
    "a part half written": Point("fsync", PART, "torn"),
    "a part written, before its flush": Point("fsync", PART, "before"),
    "a part flushed, before its rename": Point("rename", PART, "before"),
    "a part renamed, before its folder is flushed": Point("rename", PART, "after"),
    "a part's folder flushed, before the manifest": Point("fsync", "parts", "after"),
    "a line of the manifest half written": Point("fsync", MANIFEST, "torn"),
    "a line of the manifest written, before its flush": Point("fsync", MANIFEST, "before"),
    "a line of the manifest flushed": Point("fsync", MANIFEST, "after"),
    "the second part half written": Point("fsync", PART, "torn", 2),
    "the second part renamed, before the manifest": Point("rename", PART, "after", 2),
    "the second line of the manifest half written": Point("fsync", MANIFEST, "torn", 2),
    "a later snapshot half written": Point("fsync", STATES, "torn", 3),
    "a later snapshot before its rename": Point("rename", STATES, "before", 3),
    "before a snapshot that nobody needs is removed": Point("unlink", STATES, "before"),
    "after a snapshot that nobody needs was removed": Point("unlink", STATES, "after"),
    "timing.toml half written": Point("fsync", r"timing\.toml\.tmp", "torn"),
    "timing.toml written, before its rename": Point("rename", r"timing\.toml", "before"),
    "timing.toml renamed: the study is complete": Point("rename", r"timing\.toml", "after"),
}
"""In the order in which a study comes to them."""
MENDING: dict[str, Point] = {
    "timing.toml set aside, before a damaged part": Point("rename", r"timing\.toml", "after"),
    "a damaged part set aside, before the manifest": Point("rename", r".*\.damaged", "after"),
    "the manifest of a damaged study half written": Point("fsync", MANIFEST + r"\.tmp", "torn"),
    "the manifest of a damaged study before its rename": Point("rename", MANIFEST, "before"),
}
"""While a damaged study is put in order."""

GOING_ON = ("go on with: fallline resume ", "the same command goes on from there")
"""What is said to who stops a study: the first where the folder alone is enough."""


def at_random(bench: Bench) -> Iterator[Record]:
    """Kills at uniformly random moments: half of all since the start, half of what is trained.

    A study is killed again and again until a process ends before its moment; then comes another.
    """
    draw = bench.draw("kills")
    studies = [Trial(bench, "killed 1")]
    stages = dict.fromkeys(("starting", "training", "reporting"), 0)
    killed = 0
    while killed < bench.kills:
        trial = studies[-1]
        before, process = keeps(trial.folder), trial.start()
        if killed % 2 and trained(trial, process):
            process.pause(draw.uniform(0, bench.training_seconds))
        elif not killed % 2:
            process.pause(draw.uniform(0, bench.whole_seconds))
        process.send(signal.SIGKILL)
        code = process.wait()
        if code == -signal.SIGKILL:
            killed += 1
            trial.injected += 1
            stages[_stage(trial.folder, before)] += 1
            trial.look()
            continue
        trial.expect(code == 0, f"it ended with {code}: {process.said[-600:]}")
        trial.judge()
        if killed < bench.kills:
            studies.append(Trial(bench, f"killed {len(studies) + 1}"))
    studies[-1].go_on()
    often = [trial for trial in studies if trial.injected]
    note = f"{len(often)} studies; killed {', '.join(f'{n} {at}' for at, n in stages.items())}"
    yield _summed(often, "SIGKILL", "at random moments", note)


def _stage(folder: Path, before: int) -> str:
    if (folder / "timing.toml").is_file():
        return "reporting"
    return "training" if keeps(folder) > before else "starting"


def _summed(trials: list[Trial], kind: str, what: str, note: str) -> Record:
    records = [trial.record(kind, what) for trial in trials]
    sums = {
        name: sum(getattr(each, name) for each in records)
        for name in ("injected", "survived", "lost", "doubled")
    }
    seconds = round(time.perf_counter() - trials[0].began, 1)
    wrong = [text for each in records for text in each.wrong]
    return Record(kind, what, seconds=seconds, note=note, wrong=wrong, **sums)


def at_points(bench: Bench) -> Iterator[Record]:
    """One study after another, killed at each point that it comes to."""
    waiting, number = dict(POINTS), 0
    while waiting:
        number += 1
        records = list(_through(bench, waiting, f"points {number}"))
        for each in records:
            waiting.pop(each.what, None)
        yield from records
        if not records:
            what = next(iter(waiting))
            del waiting[what]
            yield Record("SIGKILL at a point", what, 0, 0, wrong=["no study came to it"])


def _through(bench: Bench, points: dict[str, Point], name: str) -> Iterator[Record]:
    """Kill one study at as many of ``points`` as it comes to, and let it end."""
    trial, found = Trial(bench, name), []
    for what, point in points.items():
        began = time.perf_counter()
        code = (process := trial.start(point)).wait()
        if code != -signal.SIGKILL:
            trial.expect(code == 0, f"it ended with {code}: {process.said[-600:]}")
            break
        one = Trial(bench, f"{name} {what}", trial.folder)
        one.own.joinpath("acknowledged").write_text("\n".join(trial.acknowledged))
        one.began, one.injected = began, 1
        one.look()
        found.append(one.record("SIGKILL at a point", what))
    end = trial.go_on() if trial.wrong == [] else None
    for each in found:
        each.wrong += trial.wrong
        each.survived = 0 if each.wrong else each.survived
        if end is not None and "anew" in end.said:
            each.note = "a state was left alone"
        yield each


def while_mending(bench: Bench) -> Iterator[Record]:
    """A study with a damaged part, whose next process is killed while it puts it in order."""
    for what, point in MENDING.items():
        trial = Trial(bench, f"mending {what}")
        faults_folder.copied(bench, trial)
        faults_folder.flip(trial.folder / "parts" / "000002.parquet")
        code = trial.start(point).wait()
        trial.injected += code == -signal.SIGKILL
        trial.expect(not open_study(trial.folder).complete, "it says that it is complete")
        trial.go_on()
        yield trial.record("SIGKILL at a point", what)


def five_times(bench: Bench) -> Iterator[Record]:
    """One study killed five times beside one that was not."""
    trial, draw, resumed = Trial(bench, "five times"), bench.draw("five"), 0
    while trial.injected < 5:
        process = trial.start()
        if not trained(trial, process):
            break
        process.pause(draw.uniform(0, bench.training_seconds / 8))
        process.send(signal.SIGKILL)
        if process.wait() != -signal.SIGKILL:
            break
        trial.injected += 1
        trial.look()
        resumed += len(states.load(trial.folder).keys() - stored(trial.folder))
    trial.go_on()
    trial.expect(trial.injected == 5, f"it was killed {trial.injected} times of 5")
    trial.expect(resumed, "no run was gone on with from a snapshot")
    same = open_study(trial.folder).verdict
    note = f"both: {same!r}; {resumed} runs gone on with from snapshots"
    yield trial.record("SIGKILL", "one study five times, beside one that was not killed", note)


def stopped(bench: Bench) -> Iterator[Record]:
    """Signals that ask a process to end: what is finished is stored, and it says how to go on."""
    for number, name in ((signal.SIGTERM, "SIGTERM"), (signal.SIGINT, "Ctrl-C")):
        trial, draw = Trial(bench, f"stopped by {name}"), bench.draw(name)
        for _ in range(3):
            process = trial.start()
            if not trained(trial, process):
                break
            process.pause(draw.uniform(0, bench.training_seconds / 8))
            process.send(number)
            code = process.wait()
            trial.injected += 1
            trial.expect(code == 130, f"it ended with {code}: {process.said[-600:]}")
            told = any(words in process.said for words in GOING_ON)
            trial.expect(told, f"it did not say how to go on: {process.said}")
            trial.expect("Traceback" not in process.said, f"a traceback: {process.said[-600:]}")
            trial.look()
        said = trial.go_on().said
        trial.expect("anew" not in said, "runs under way were not gone on with")
        note = "exit code 130; it says what is stored and how to go on"
        yield trial.record(name, "while it trains", note)
        yield _stopped_at_its_report(bench, number, name)


def _stopped_at_its_report(bench: Bench, number: signal.Signals, name: str) -> Record:
    """All is trained by then, and the signal to terminate is nobody's but the system's."""
    trial = Trial(bench, f"stopped by {name} at its report")
    process = trial.start()
    process.until((trial.folder / "timing.toml").is_file)
    process.pause(bench.draw(f"{name} report").uniform(0, 0.2))
    process.send(number)
    code = process.wait()
    trial.injected += 1
    due = 130 if number is signal.SIGINT else -number
    trial.expect(code == due, f"it ended with {code}: {process.said[-600:]}")
    trial.expect("Traceback" not in process.said, f"a traceback: {process.said[-600:]}")
    trial.look()
    trial.expect(open_study(trial.folder).complete, "the study is not complete")
    trial.go_on()
    return trial.record(name, "while it writes its report", f"ended with {code}; all is stored")
