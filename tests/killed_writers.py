"""Writers of a study's folder that are really killed: a process that forks one for every kill.

    python killed_writers.py TEMPLATE FOLDER SEED KILLS

TEMPLATE is the folder of a study to take the document of. The runs are made up: nothing is trained,
JAX is not imported, and a writer lives for milliseconds. What is found wrong is printed as JSON.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import random
import select
import signal
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

from fallline.records import Curves, Run, RunResult, Status
from fallline.store import parts
from fallline.store.document import StudyDocument, Timing
from fallline.store.folder import StudyFolder
from faults_inside import Point, suffer

EPOCHS = 5
PART = r"\.?[0-9]{6}\.parquet(\.tmp)?"
MANIFEST = r"manifest\.jsonl"
STORING = {
    "half of a part": ("fsync", PART, "torn"),
    "a part, not flushed": ("fsync", PART, "before"),
    "a part, not renamed": ("rename", PART, "before"),
    "a part, its folder not flushed": ("rename", PART, "after"),
    "a part, not in the manifest": ("fsync", "parts", "after"),
    "half of the manifest's line": ("fsync", MANIFEST, "torn"),
    "the manifest, not flushed": ("fsync", MANIFEST, "before"),
    "the manifest, not told": ("fsync", MANIFEST, "after"),
}
POINTS = {
    **{
        f"study.toml: {call} {when}": Point(call, rf"study\.toml{end}", when)
        for call, end, when in (
            ("fsync", r"\.tmp", "torn"),
            ("fsync", r"\.tmp", "before"),
            ("rename", "", "before"),
            ("rename", "", "after"),
        )
    },
    **{
        f"{what}, number {nth}": Point(*point, nth)
        for nth in (1, 3)
        for what, point in STORING.items()
    },
    **{
        f"timing.toml: {call} {when}": Point(call, rf"timing\.toml{end}", when)
        for call, end, when in (
            ("fsync", r"\.tmp", "torn"),
            ("rename", "", "before"),
            ("rename", "", "after"),
        )
    },
}
MENDING = {
    "the end of a damaged study set aside": Point("rename", r"timing\.toml", "after"),
    "a damaged part before it is set aside": Point("rename", r".*\.damaged", "before"),
    "a damaged part set aside": Point("rename", r".*\.damaged", "after"),
    "half of a manifest that is written anew": Point("fsync", MANIFEST + r"\.tmp", "torn"),
    "a manifest that is written anew, not renamed": Point("rename", MANIFEST, "before"),
}


def made(seed: int) -> RunResult:
    """A run that nobody trained; the same figures for a seed."""
    draw = np.random.default_rng(seed)
    curves = Curves(*(draw.normal(size=EPOCHS).astype(np.float32) for _ in range(4)))
    run = Run("adam", {"learning_rate": 1e-3}, seed, "search", EPOCHS)
    return RunResult(run, Status.DONE, curves, steps=seed, test_loss=float(draw.normal()))


MADE = {each.run.run_id: each for each in map(made, range(1000))}
"""Every run that can be asked for, by its id."""
KILLS_OF_A_STUDY = 5
LONGEST_PARTS = 5
LONGEST_SECONDS = 0.006
"""A writer is killed at most so long after so many parts: several parts take that."""


def _write(folder: Path, document: StudyDocument, told: int, count: int) -> None:
    """A writer: stores runs of 1, 2, 3, 1, 2, 3, ... at a time, tells their ids, and finishes."""
    study = StudyFolder.begin(folder, document)
    stored = _ids(folder)
    lacking = [result for run, result in MADE.items() if run not in stored]
    for at in range(count):
        runs = lacking[3 * at : 3 * at + 1 + at % 3]
        study.append(runs, [32] * len(runs))
        os.write(told, b"".join(run.run.run_id.encode() + b"\n" for run in runs))
    study.finish(Timing(total=1.0, compile=0.0, train=1.0, step={}))
    study.close()


@dataclass
class Writer:
    """A process that writes."""

    pid: int
    told: int
    """The end of a pipe in which it tells what it has stored."""

    @classmethod
    def fork(
        cls, folder: Path, document: StudyDocument, count: int, point: Point | None = None
    ) -> Writer:
        reads, writes = os.pipe()
        pid = os.fork()
        if pid:
            os.close(writes)
            return cls(pid, reads)
        try:
            os.close(reads)
            if point is not None:
                suffer(point)
            _write(folder, document, writes, count)
            os._exit(0)
        except BaseException as error:
            print(f"a writer failed: {error!r}", file=sys.stderr)
            os._exit(1)

    def end(self, times: int = 0, seconds: float = 0.0) -> tuple[int, list[str]]:
        """Its exit code, and the ids of the runs that it told were stored.

        With ``seconds`` it is killed, so long after it has told something so many times.
        """
        heard = b"".join(os.read(self.told, 4096) for _ in range(times))
        if seconds:
            select.select([], [], [], seconds)
            os.kill(self.pid, signal.SIGKILL)
        with open(self.told, "rb") as pipe:
            told = (heard + pipe.read()).decode().split()
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1]), told


def _ids(folder: Path) -> Counter[str]:
    """How often each run is in the files of the parts."""
    found: Counter[str] = Counter()
    for path in (folder / "parts").glob("[0-9]*.parquet"):
        with contextlib.suppress(pa.ArrowInvalid):  # it is damaged
            found.update(pq.ParquetFile(path).read(["run_id"], use_threads=False)[0].to_pylist())
    return found


def wrong(folder: Path, acknowledged: set[str], *, damaged: bool = False) -> list[str]:
    """What is not as it must be after a kill."""
    if not (folder / "study.toml").is_file():
        return ["study.toml is gone"] if acknowledged else []
    contents = StudyFolder.open(folder).contents()
    found = [] if damaged else list(contents.problems)
    counts = _ids(folder)
    results = {each.run.run_id: each for each in parts.results(contents.table)}
    found += [f"{run} was told and is lost" for run in acknowledged - results.keys()]
    found += [f"{run} is stored {n} times" for run, n in counts.items() if n > 1]
    found += [f"{run} has other figures" for run, each in results.items() if not _same(each)]
    found += [f"{run} was never asked for" for run in results.keys() - MADE.keys()]
    return found


def _same(found: RunResult) -> bool:
    due = MADE.get(found.run.run_id, found)
    curves = zip(vars(found.curves).values(), vars(due.curves).values(), strict=True)
    return (found.steps, found.test_loss) == (due.steps, due.test_loss) and all(
        np.array_equal(one, other) for one, other in curves
    )


def at_random(document: StudyDocument, place: Path, seed: int, kills: int) -> dict[str, object]:
    """Studies whose writers are killed at random moments, each followed by the next."""
    draw, codes, problems, told = random.Random(seed), Counter[int](), [], 0
    for first in range(0, kills, KILLS_OF_A_STUDY):
        folder, acknowledged = place / str(first), set[str]()
        for kill in range(first, min(kills, first + KILLS_OF_A_STUDY)):
            moment = draw.randrange(LONGEST_PARTS), draw.uniform(0, LONGEST_SECONDS)
            code, ids = Writer.fork(folder, document, 200).end(*moment)
            acknowledged |= set(ids)
            codes[code] += 1
            problems += [f"kill {kill}: {text}" for text in wrong(folder, acknowledged)]
        code, ids = Writer.fork(folder, document, 2).end()
        acknowledged |= set(ids)
        found = wrong(folder, acknowledged) + _unfinished(folder)
        found += [f"the last writer ended with {code}"] if code else []
        problems += [f"in the end of study {first}: {text}" for text in found]
        told += len(acknowledged)
    return {"codes": codes, "told": told, "problems": problems}


def at_points(document: StudyDocument, folder: Path) -> dict[str, object]:
    """A study for every point, at which its first writer kills itself."""
    problems, codes = [], Counter[int]()
    for at, (what, point) in enumerate([*POINTS.items(), *MENDING.items()]):
        own, acknowledged = folder / str(at), set[str]()
        if what in MENDING:
            acknowledged = _damaged(own, document)
        code, told = Writer.fork(own, document, 4, point).end()
        codes[code] += 1
        if code != -signal.SIGKILL:
            problems.append(f"{what}: no writer came to it")
        acknowledged |= set(told)
        found = wrong(own, acknowledged, damaged=what in MENDING)
        if what in MENDING and StudyFolder.open(own).complete:
            found.append("it says that it is complete")
        code, told = Writer.fork(own, document, 4).end()
        acknowledged |= set(told)
        found += wrong(own, acknowledged) + _unfinished(own)
        found += [f"the next writer ended with {code}"] if code else []
        problems += [f"{what}: {text}" for text in found]
    return {"codes": codes, "told": len(POINTS) + len(MENDING), "problems": problems}


def _damaged(folder: Path, document: StudyDocument) -> set[str]:
    """A finished study, one of whose parts is damaged; the runs of the others."""
    _, told = Writer.fork(folder, document, 4).end()
    path = folder / "parts" / "000002.parquet"
    lost = parts.decode(path.read_bytes())["run_id"].to_pylist()
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    return set(told) - set(lost)


def _unfinished(folder: Path) -> list[str]:
    """What shows that no writer has brought the study to its end."""
    found = [] if StudyFolder.open(folder).complete else ["it is not complete"]
    left = [path.name for path in folder.rglob("*") if path.name.endswith(".tmp")]
    return found + [f"{name} is left" for name in left]


def main(arguments: Sequence[str]) -> None:
    template, place, seed, kills = arguments
    document, folder = StudyFolder.open(template).document, Path(place)
    logging.getLogger("fallline").setLevel(logging.ERROR)  # of the damage that is meant
    _write(folder / "imports", document, os.open(os.devnull, os.O_WRONLY), 1)  # late ones, once
    found = {
        "random": at_random(document, folder / "random", int(seed), int(kills)),
        "points": at_points(document, folder / "points"),
        "jax": "jax" in sys.modules,
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1:])
