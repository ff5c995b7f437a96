"""A study that is made to fail, watched and judged; and what is recorded of it."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import faults_judge
from fallline.store import states
from fallline.store.folder import StudyFolder
from faults_judge import Expected, Judgement
from faults_process import Order, Process

ASKED = (
    *("compare", "digits-mlp", "--optimizers", "adam,momentum"),
    *("--learning-rates", "0.001,0.01", "--epochs", "80", "--batch-size", "16"),
    *("--seeds", "3", "--final-seeds", "3"),
)
"""The study that all of it is done to: 18 runs, a few seconds of training."""


@dataclass
class Record:
    """A kind of fault, and what became of the studies that it was done to."""

    kind: str
    what: str
    injected: int
    """Faults that really happened."""
    survived: int
    """Those after which the study was right, and went on to its end."""
    lost: int = 0
    """Runs that had been acknowledged, or were in the study, and are not there."""
    doubled: int = 0
    """Runs that are stored more than once."""
    seconds: float = 0.0
    note: str = ""
    wrong: list[str] = field(default_factory=list)
    """What was not as it should be, a sentence each."""

    @property
    def passed(self) -> bool:
        return not self.wrong and 0 < self.injected == self.survived

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass
class Bench:
    """What the scenarios share."""

    place: Path
    """A folder for the studies."""
    expected: Expected
    whole: Path
    """A study that nothing was done to."""
    seed: int
    kills: int
    training_seconds: float
    """What an undisturbed process takes from its first snapshot to its end."""
    whole_seconds: float
    """What it takes in all."""

    def draw(self, of: str) -> random.Random:
        """Chance that is the same for a seed, whatever else is run."""
        return random.Random(f"{self.seed} {of}")


Scenario = Callable[[Bench], Iterator[Record]]


class Trial:
    """One study in a folder of its own, with what was done to it and what was found."""

    def __init__(self, bench: Bench, name: str, folder: Path | None = None) -> None:
        self.bench = bench
        self.own = bench.place / "".join(c if c.isalnum() else "-" for c in name)
        self.own.mkdir(parents=True)
        self.folder = folder or self.own / "study"
        self.wrong: list[str] = []
        self.injected = self.lost = self.doubled = 0
        self._failed = 0
        self._processes = 0
        self.began = time.perf_counter()

    def start(self, *suffers: Any, arguments: Sequence[str] | None = None, **order: Any) -> Process:
        """A process that begins the study, or goes on with it."""
        self._processes += 1
        if arguments is None:
            arguments = (*ASKED, "--out", str(self.folder))
        said = self.own / f"{self._processes}.err"
        return Process(Order(arguments, said, self.own / "acknowledged", suffers, **order))

    @property
    def acknowledged(self) -> set[str]:
        """The runs that a process was told were on the disk."""
        path = self.own / "acknowledged"
        return set(path.read_text().split()) if path.is_file() else set()

    def expect(self, true: Any, text: str) -> None:
        """Note that something is wrong, unless it is ``true``."""
        if not true:
            self.wrong.append(text)

    def look(self) -> None:
        """After a process ended early: what it acknowledged must be there, and be right."""
        found = faults_judge.under_way(self.folder, self.bench.expected, self.acknowledged)
        self._take(found, "when the process had ended: ")

    def go_on(self, *, hasty: bool = True) -> Process:
        """Let the study come to its end, which must be that of an uninterrupted one."""
        process = self.start(hasty=hasty)
        code = process.wait()
        self.expect(code == 0, f"going on ended with {code}: {process.said[-600:]}")
        self.judge()
        return process

    def judge(self) -> None:
        """The study has ended, and must be the uninterrupted one."""
        self._take(faults_judge.ended(self.folder, self.bench.expected), "in the end: ")

    def _take(self, found: Judgement, when: str) -> None:
        self.lost += found.lost
        self.doubled += found.doubled
        self._failed += bool(found.wrong)
        self.wrong += [when + text for text in found.wrong]

    def record(self, kind: str, what: str, note: str = "") -> Record:
        """What is to be said of it, after at least one fault that really happened."""
        if not self.injected:
            self.wrong.append("the fault did not happen")
        survived = self.injected - min(self.injected, max(self._failed, bool(self.wrong)))
        seconds = time.perf_counter() - self.began
        numbers = (self.injected, survived, self.lost, self.doubled, round(seconds, 1))
        return Record(kind, what, *numbers, note, self.wrong)


def keeps(folder: Path) -> int:
    """When the study last kept something of what was trained, in nanoseconds; 0 for never."""
    kept = [folder / states.STATES_FILE, *(folder / "parts").glob("[0-9]*.parquet")]
    return max((_changed(path) for path in kept), default=0)


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:  # a snapshot is taken away while one looks
        return 0


def trained(trial: Trial, process: Process) -> bool:
    """Wait until the process has kept something; False where it ended before."""
    before = keeps(trial.folder)
    return process.until(lambda: keeps(trial.folder) > before)


def stored(folder: Path) -> set[str]:
    """The ids of the runs that count."""
    return set(StudyFolder.open(folder).contents().table["run_id"].to_pylist())
