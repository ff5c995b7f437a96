"""Whether a study is the one that was never interrupted: run by run and bit by bit."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from fallline import open_study
from fallline.errors import FalllineError
from fallline.store import checking
from fallline.store.folder import StudyFolder

OF_TIMES = ("seconds", "sooner", "easiest", "words", "study")
"""In a result as data, what depends on times, or on where the folder is."""


@dataclass(frozen=True)
class Expected:
    """What an uninterrupted study came to."""

    runs: dict[str, bytes]
    """Everything that is stored of a run, by its id."""
    result: Any
    """Verdict, warnings, recommendation and table, without times."""

    @classmethod
    def of(cls, folder: Path) -> Expected:
        """What the study in ``folder`` came to, which must be complete."""
        assert StudyFolder.open(folder).complete, folder
        return cls(dict(_stored(folder)), without_times(open_study(folder).to_dict()))


@dataclass(frozen=True)
class Judgement:
    """What is wrong with a study; nothing, as it should be."""

    lost: int = 0
    """Runs that are not there and should be."""
    doubled: int = 0
    """Runs that are there more than once."""
    wrong: tuple[str, ...] = ()
    """All that is wrong, these included, a sentence each."""


def under_way(folder: Path, expected: Expected, acknowledged: Iterable[str]) -> Judgement:
    """A study whose process has ended early: what it acknowledged must be there, and be right."""
    acknowledged = set(acknowledged)
    if not (folder / "study.toml").is_file():
        wrong = [f"{len(acknowledged)} runs are gone with study.toml"] if acknowledged else []
        return Judgement(len(acknowledged), 0, tuple(wrong))
    return _judged(folder, expected, acknowledged)


def ended(folder: Path, expected: Expected) -> Judgement:
    """A study that was gone on with to its end: it must be the uninterrupted one."""
    found = _judged(folder, expected, expected.runs)
    wrong = [*found.wrong]
    if not wrong:
        wrong += [f"{path} was left" for path in leftovers(folder)]
        wrong += [f"{each.where}: {each.what}" for each in checking.check(folder) if not each.sound]
        study = open_study(folder)
        if not study.complete:
            wrong.append("the study is not complete")
        if without_times(study.to_dict()) != expected.result:
            wrong.append(f"verdict or table differ: {study.verdict!r}")
    return Judgement(found.lost, found.doubled, tuple(wrong))


def _judged(folder: Path, expected: Expected, due: Iterable[str]) -> Judgement:
    wrong: list[str] = []
    try:
        study = StudyFolder.open(folder)
        contents = study.contents()
    except FalllineError as error:
        return Judgement(len(set(due)), 0, (f"the folder cannot be read: {error}",))
    wrong += contents.problems
    rows = _stored(folder, [part.name for part in contents.parts if part.counts])
    counted = set(contents.table["run_id"].to_pylist())
    times = Counter(run for run, _ in rows)
    lost = set(due) - counted
    doubled = [run for run, count in times.items() if count > 1]
    changed = {run for run, text in rows if run in expected.runs and text != expected.runs[run]}
    strange = set(times) - set(expected.runs)
    for what, runs in (
        ("are lost", lost),
        ("are stored more than once", doubled),
        ("have other figures", changed),
        ("are of no study that was asked for", strange),
    ):
        if runs:
            wrong.append(f"{len(runs)} runs {what}: {', '.join(sorted(runs)[:3])}")
    if contents.complete and counted != set(expected.runs):
        wrong.append(f"it says that it is complete with {len(counted)} runs")
    return Judgement(len(lost), len(doubled), tuple(wrong))


def leftovers(folder: Path) -> list[str]:
    """What no finished study has in its folder.

    Half of a page may be there: who writes one later than an hour after takes it away.
    """
    names = ("states.safetensors", "waiting", "clock.toml", ".writer")
    return [
        path.relative_to(folder).as_posix()
        for path in sorted(folder.rglob("*"))
        if path.name in names
        or (path.name.endswith(".tmp") and not path.name.startswith(".report.html."))
    ]


def _stored(folder: Path, names: Iterable[str] | None = None) -> list[tuple[str, bytes]]:
    """Every row of the parts, as often as it is there: a run's id, and all of its figures."""
    parts = folder / "parts"
    paths = sorted(parts.glob("[0-9]*.parquet")) if names is None else [parts / n for n in names]
    rows = [row for path in paths for row in pq.read_table(path).to_pylist()]
    return [(row["run_id"], b"".join(_bits(row[name]) for name in sorted(row))) for row in rows]


def _bits(value: Any) -> bytes:
    if isinstance(value, float):
        return struct.pack("<d", value)
    if isinstance(value, list):
        return np.asarray(value, np.float32).tobytes()
    return repr(value).encode() + b"\0"


def without_times(tree: Any) -> Any:
    """The same without what depends on how long things took."""
    if isinstance(tree, dict):
        kept = {key: each for key, each in tree.items() if not any(w in key for w in OF_TIMES)}
        return {key: without_times(each) for key, each in kept.items()}
    if isinstance(tree, list):
        return [without_times(each) for each in tree]
    return tree
