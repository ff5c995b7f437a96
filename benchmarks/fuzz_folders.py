"""Study folders as readers of damaged input."""

from __future__ import annotations

import json
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from fuzz_reader import Reader, put
from fuzz_texts import TOML


@cache
def _kept() -> dict[str, bytes]:
    """The files of the folder as they are when nothing is wrong."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "study"
        write_study(folder)
        return {
            str(path.relative_to(folder)): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path.name != ".lock"
        }


def _study_seeds() -> list[bytes]:
    """Each file with its name before it: damage should not be spent on the larger ones alone."""
    return [json.dumps([name]).encode() + b"\n" + content for name, content in _kept().items()]


def write_study(folder: Path, *, around: bool = True) -> None:
    """A complete study with a state under way, of made-up figures.

    ``around``: also the documents of a suite and of a series, as if it were their folder too.
    """
    from fallline.records import FIGURES, Curves, Run, RunResult, RunState, Status
    from fallline.store import clock, document, series, states, suite
    from fallline.store.folder import StudyFolder, write_record

    figures = np.linspace(1, 0.5, 3, dtype=np.float32)
    task = document.TaskDescription(
        "made", "Made", "classification", "accuracy", True, "cross_entropy", 10, 60, 20, 20
    )
    protocol = document.Protocol(
        ("adam", "sgd"), 3, 32, (0, 1), (1000, 1001), {"adam": (0.1,), "sgd": (0.1,)}, True, True
    )
    about = {
        name: document.OptimizerDescription(name.title(), False, {"learning_rate": 0.1})
        for name in ("adam", "sgd")
    }
    when = "2026-05-01T10:20:30+00:00"
    described = document.StudyDocument(1, when, task, protocol, about, {"jax": "1"}, {"cores": 2})
    study = StudyFolder.begin(folder, described)
    results = [
        RunResult(
            Run(name, {"learning_rate": 0.1}, seed, "final" if seed >= 1000 else "search", 3),
            Status.DONE,
            Curves(figures, figures, figures, 1 - figures),
            steps=6,
            last_finite_loss=0.5,
            test_loss=0.5,
            test_metric=0.5 + seed / 1e4,
        )
        for name in ("adam", "sgd")
        for seed in (0, 1, 1000, 1001)
    ]
    study.append(results, [32] * len(results))
    study.finish(document.Timing(3.0, 1.0, 2.0, {"adam": 1e-5, "sgd": 1e-5}))
    study.close()
    held = {FIGURES: np.zeros((2, 4), np.float32), "params": np.arange(4, dtype=np.float32)}
    states.save(folder, [RunState("0123456789abcdef", "identity", held)])
    clock.save(folder, clock.Clock({"adam": 1.0}, {"adam": (1, 2)}))
    if not around:
        return
    asked = suite.Asked(("adam",), "grid", 3, 5, 7)
    member = suite.SuiteTask("made", "made", 3, 32, "f")
    write_record(folder / suite.DOCUMENT, suite.SuiteDocument(1, when, (member,), asked, {}, {}))
    from fallline.planning import studyfile
    from fallline.series import describe

    file = studyfile.parse({"name": "mine", "base": {"task": "digits-mlp"}})
    write_record(folder / series.DOCUMENT, describe(file))
    stored = series.StoredMember(
        "settings", "tuned", 0, "t", "settings/x", "x", (series.StoredSetting({}, "adam"),)
    )
    write_record(folder / "members.toml", series.Progress((stored,), {"settings": {}}, True))


SHOWN_OF = 16
"""One in so many folders that open is shown too: that takes ten times as long."""
_STUDY = ("parts/", "study.toml", "manifest", "timing")
_AROUND = ("suite.toml", "series.toml", "members.toml")


def _put_damaged(data: bytes, folder: Path, beside: tuple[str, ...]) -> str:
    """Put the file that ``data`` names into the folder, and those ``beside`` it as they were."""
    kept = _kept()
    name, _, content = data.partition(b"\n")
    damaged = next((own for own in kept if own.encode() in name), "study.toml")
    if damaged in ("members.toml", "series.toml"):
        beside += ("series.toml", "members.toml")
    for own in {damaged, *(name for name in kept if name.startswith(beside))}:
        put(content if own == damaged else kept[own], folder, own)
    return damaged


def _read_study(data: bytes, folder: Path) -> object:
    """One file of a folder damaged, the others as they were."""
    from fallline.store import clock, series, states, suite
    from fallline.store.folder import StudyFolder

    damaged = _put_damaged(data, folder, _STUDY)
    if damaged == suite.DOCUMENT:
        found = suite.SuiteFolder.open(folder)
        return [found.study(task.name) for task in found.document.tasks]
    if damaged in (series.DOCUMENT, "members.toml"):
        opened = series.SeriesFolder.open(folder)
        return [opened.study(member) for member in opened.progress.members]
    if damaged == states.STATES_FILE:
        return states.load(folder)
    if damaged == clock.CLOCK_FILE:
        return clock.load(folder)
    study = StudyFolder.open(folder)
    if len(data) % SHOWN_OF == 0:
        return shown(folder)
    return study.results(), study.timing


def shown(folder: Path) -> object:
    """What 'fallline show' says of the study, and what 'fallline resume' reads of it."""
    from fallline.report import recommendation, tables
    from fallline.results import open_study
    from fallline.resuming import configured

    study = open_study(folder)
    configured(study.document)
    return tables.text_table(study.reading), list(recommendation.lines(study.reading))


def _emptied(folder: Path) -> None:
    for each in folder.iterdir():
        shutil.rmtree(each) if each.is_dir() and not each.is_symlink() else each.unlink()


def _read_doctor(data: bytes, folder: Path) -> object:
    """The same folder checked, and every fourth one mended; what was mended is sound then."""
    from fallline.store import checking

    _emptied(folder)
    _put_damaged(data, folder, (*_STUDY, "clock", "states"))
    if len(data) % 4:
        return _sound(checking.check(folder))
    checking.check(folder, repair=True)
    after = checking.check(folder)
    mended = [each for each in after if "--repair" in each.mend]
    assert not mended, f"--repair leaves what it says that it mends: {mended}"
    return _sound(after)


def _sound(found: list[Any]) -> object:
    from fallline.errors import StudyError

    if wrong := [each.what for each in found if not each.sound]:
        raise StudyError("; ".join(wrong))
    return found


def _part_seeds() -> list[bytes]:
    """Parts as they are written, and with other encodings of the same columns."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    own = next(content for name, content in _kept().items() if name.startswith("parts/"))
    table = pq.read_table(pa.BufferReader(own))
    seeds = [own]
    many = pa.concat_tables([table] * 40)
    for what, options in (
        (table, {"compression": "gzip", "version": "1.0"}),
        (many, {"compression": "zstd", "row_group_size": 160}),
        (table, {"compression": "none", "data_page_version": "2.0"}),
    ):
        file = pa.BufferOutputStream()
        pq.write_table(what, file, **options)
        seeds.append(file.getvalue().to_pybytes())
    return seeds


def _rows(data: bytes) -> int:
    """That the part says it holds, for a manifest that agrees."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return max(0, pq.ParquetFile(pa.BufferReader(data)).metadata.num_rows)
    except (pa.ArrowException, ValueError, OSError):
        return 8


def _read_part(data: bytes, folder: Path) -> object:
    """A part that its manifest vouches for, or that no manifest knows, in a study."""
    from fallline.errors import StudyError
    from fallline.store import parts
    from fallline.store.folder import StudyFolder
    from fallline.store.manifest import Entry

    kept = _kept()
    put(kept["study.toml"], folder, "study.toml")
    put(data, folder, "parts/000001.parquet")
    entry = Entry.of("000001.parquet", data, _rows(data))
    put(entry.line if len(data) % 2 else b"", folder, "manifest.jsonl")
    study = StudyFolder.open(folder)
    found = study.contents()
    if found.problems:
        raise StudyError("; ".join(found.problems))
    return list(parts.results(found.table)), study.frame(found)


STUDY = Reader("a study folder with one damaged file", _study_seeds, _read_study, TOML)
DOCTOR = Reader("such a folder, checked and mended by the doctor", _study_seeds, _read_doctor, TOML)
PART = Reader(
    "a Parquet part, with and without a manifest that vouches for it",
    _part_seeds,
    _read_part,
    (
        b"PAR1",
        b"\xff" * 8,
        b"\x00" * 8,
        b"learning_rate",
        b"fallline.training",
        b"\xfe\xff\xff\x7f",
    ),
)
