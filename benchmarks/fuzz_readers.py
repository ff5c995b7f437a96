"""The readers that are given damaged input: good inputs, their pieces, how they are read."""

from __future__ import annotations

import gzip
import io
import json
import struct
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

Read = Callable[[bytes, Path], object]


@dataclass(frozen=True)
class Reader:
    """What is given damaged input: ``read`` takes it, and an empty folder to put it into."""

    seeds: Callable[[], list[bytes]]
    read: Read
    words: tuple[bytes, ...] = ()
    """Pieces that are put into inputs: what the format is made of, and what it may not hold."""


def _put(data: bytes, folder: Path, name: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def _idx_seeds() -> list[bytes]:
    images = struct.pack(">HBB3I", 0, 8, 3, 2, 3, 4) + bytes(range(24))
    labels = struct.pack(">HBBI", 0, 8, 1, 5) + bytes([3, 1, 4, 1, 5])
    doubles = struct.pack(">HBBI2d", 0, 0x0E, 1, 2, 0.1, 1e300)
    bomb = struct.pack(">HBBI", 0, 8, 1, 9) + bytes(2**22)
    plain = [images, labels, doubles]
    return [*plain, *(gzip.compress(each, mtime=0) for each in (*plain, bomb))]


def _read_idx(data: bytes, folder: Path) -> object:
    from fallline.data.files import read_idx

    return read_idx(_put(data, folder, "file-idx3-ubyte"))


def _csv_seeds() -> list[bytes]:
    return [
        b"a,b,y\n1,2,0\n3,4,1\n5,6,0\n",
        b'a;"b;c";y\n1,5;x;red\n2;y;blue\n',
        "\ufeffa\tstadt\ty\r\n1\tK\u00f6ln\t0.5\r\n2\tBonn\t0.25\r\n".encode(),
        b"y,z\n" + b"".join(b"%d,%d\n" % (n, n * n) for n in range(40)),
    ]


def _read_csv(data: bytes, folder: Path) -> object:
    from fallline.data.table import read_csv, read_table

    path = _put(data, folder, "table.csv")
    if len(data) % 16 == 0:
        return read_csv(path, "y")
    return read_table(path, "y")


def _npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def _npy_seeds() -> list[bytes]:
    numbers = np.arange(12, dtype=np.float32).reshape(3, 4)
    arrays = (numbers, np.asfortranarray(numbers), numbers.astype(np.uint8), np.array(["a", "bc"]))
    objects = io.BytesIO()
    np.save(objects, np.array([None, 1], dtype=object), allow_pickle=True)
    return [*map(_npy, arrays), objects.getvalue()]


def _read_npy(data: bytes, folder: Path) -> object:
    from fallline.data import npy

    file = npy.examine(_put(data, folder, "x-00000.npy"))
    return npy.mapped.__wrapped__(file).array.sum if file.dtype.kind in "iuf" else file


_STUDY_FILE = b"""
name = "mine"
title = "A study"
[base]
task = "digits-mlp"
epochs = 2
batch_size = 32
model = {hidden = [8], activation = "relu"}
[protocol]
final_seeds = 2
learning_rates = [0.01, 0.1]
stop = {monitor = "validation_loss", patience = 2}
[axes.optimizer]
sgd = {optimizer = "sgd"}
adam = {optimizer = "adam(learning_rate=0.01)"}
[axes.batch]
small = {batch_size = 16}
all = {batch_size = "all"}
[stages.first]
vary = ["optimizer"]
fixed = {batch = "small"}
choose = "validation_accuracy"
[stages.second]
vary = ["optimizer", "batch"]
only = {batch = ["all"]}
protocol = {tuned = false}
[[published]]
stage = "second"
where = {optimizer = "sgd"}
figures = {test_accuracy = 0.9}
[[claims]]
stage = "second"
text = "adam is better"
better = {optimizer = "adam"}
[as_published]
protocol = {final_seeds = 1}
[as_published.quick]
base = {epochs = 1}
[quick]
stages = {first = false}
"""
_TOML = (
    *(b"[", b"]", b"{", b"}", b"=", b"\n", b'"', b'"""', b"'", b"#", b".", b",", b"true", b"false"),
    *(b"nan", b"inf", b"-1", b"0", b"1e999", b"9" * 20, b"9" * 5000, b"0x7f", b"1979-05-27"),
    *(b"07:32:00", b"[" * 5000, b"{a=" * 2000, b"[]", b"{}", b'""', b'"../../out"', b'"/"'),
    *(b"\xff", b"\\u0000", b'"\\u0000"', b"format_version = 2\n", b"null"),
)


def _study_file_seeds() -> list[bytes]:
    from fallline import studies

    shipped = [path.read_bytes() for path in Path(studies.__file__).parent.glob("*.toml")]
    return [_STUDY_FILE, *(each for each in shipped if len(each) < 6000)]


def _read_study_file(data: bytes, folder: Path) -> object:
    from fallline.planning import settings, studyfile

    path = _put(data, folder, "study.toml")
    forms = ((), ("quick",), ("as_published",), studyfile.FORMS)[len(data) % 4]
    file = studyfile.read(path, forms=forms)
    found = [settings.members(file, name) for name in studyfile.stages_of(file)]
    for member in (each for stage in found for each in stage):
        inside = (folder / member.folder).resolve()
        assert inside.is_relative_to(folder.resolve()), f"a folder outside: {member.folder}"
        member.config(epochs=2, batch_size=32)
    studyfile.as_toml(file)
    return found


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _read_protocol(data: bytes, folder: Path) -> object:
    from fallline.planning.protocol import parse

    found = parse(_text(data))
    assert parse(str(found)) == found, f"{found} is read as {parse(str(found))}"
    return found


def _read_optimizers(data: bytes, folder: Path) -> object:
    from fallline import optimizers

    return [each.defaults for each in optimizers.resolve(_text(data))]


def _read_expression(data: bytes, folder: Path) -> object:
    from fallline.landscapes.expression import parse

    with np.errstate(all="ignore"):
        found = parse(_text(data))
        return found([np.float64(0.5)] * 2, np)


def _study_seeds() -> list[bytes]:
    """Folders as one piece: each file with its name and length before it."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "study"
        write_study(folder)
        files = {
            str(path.relative_to(folder)): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path.name != ".lock"
        }
    # Damage should not be spent on the larger files alone.
    return [json.dumps([name]).encode() + b"\n" + content for name, content in files.items()]


def write_study(folder: Path) -> None:
    """A complete study with a state under way, of made-up figures, and the suite around it."""
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


_KEPT: dict[str, bytes] = {}


def _read_study(data: bytes, folder: Path) -> object:
    """One file of a folder damaged, the others as they were."""
    from fallline.store import clock, series, states, suite
    from fallline.store.folder import StudyFolder

    if not _KEPT:
        for each in _study_seeds():
            name, _, content = each.partition(b"\n")
            _KEPT[json.loads(name)[0]] = content
    name, _, content = data.partition(b"\n")
    damaged = next((own for own in _KEPT if own.encode() in name), "study.toml")
    whole = {name for name in _KEPT if name.startswith(("parts/", "study.toml", "manifest"))}
    for own in {damaged, *whole}:
        _put(content if own == damaged else _KEPT[own], folder, own)
    if damaged == suite.DOCUMENT:
        found = suite.SuiteFolder.open(folder)
        return [found.study(task.name) for task in found.document.tasks]
    if damaged in (series.DOCUMENT, "members.toml"):
        _put(_KEPT[series.DOCUMENT], folder, series.DOCUMENT) if damaged != series.DOCUMENT else 0
        opened = series.SeriesFolder.open(folder)
        return [opened.study(member) for member in opened.progress.members]
    if damaged == states.STATES_FILE:
        return states.load(folder)
    if damaged == clock.CLOCK_FILE:
        return clock.load(folder)
    study = StudyFolder.open(folder)
    return study.results(), study.timing


READERS: dict[str, Reader] = {
    "idx": Reader(_idx_seeds, _read_idx, (b"\x1f\x8b", b"\0\0\x08\x03", b"\xff" * 4, b"\0" * 4)),
    "csv": Reader(
        _csv_seeds,
        _read_csv,
        (
            *(
                b",",
                b";",
                b"\t",
                b'"',
                b"\n",
                b"\r",
                b"\0",
                b"nan",
                b"1e999",
                b"1_0",
                b"y",
                b"\xff",
            ),
            *(b'"' * 99, b"," * 999, b"9" * 400, "\u2028".encode(), "\u0663".encode()),
            b"x" * 140_000,
        ),
    ),
    "npy": Reader(
        _npy_seeds,
        _read_npy,
        (
            *(
                b"(",
                b")",
                b"'descr'",
                b"'|O'",
                b"'<f8'",
                b"'|V0'",
                b"'<U99999999'",
                b"True",
                b"-1,",
            ),
            *(b"9" * 20 + b",", b"0,", b"(" * 200, b"__import__('os')", b"[('a','<f4')]"),
        ),
    ),
    "study file": Reader(_study_file_seeds, _read_study_file, _TOML),
    "protocol": Reader(
        lambda: [
            *(b"budget 15", b"budget:30 tpe", b"budget 30 halving 4", b"time 60s", b"grid"),
            *(b"self-tuning", b"time 1.5e2 min", b"defaults"),
        ],
        _read_protocol,
        (
            *(b"budget ", b"time ", b"halving", b"tpe", b"1e999", b"9" * 5000, b"-", b"inf", b"\0"),
            b" ",
        ),
    ),
    "optimizers": Reader(
        lambda: [
            *(b"adam", b"sgd,adam", b"adam(learning_rate=0.01, beta_1=0.8)", b"rmsprop:torch"),
            *(b"adam+cosine", b"studies", b"adam(learning_rate=0.1)+cosine(final=0.1)"),
        ],
        _read_optimizers,
        (
            *(b"(", b")", b"+", b":", b",", b"=", b"nan", b"1e999", b"true", b"9" * 5000, b"torch"),
            *(b"learning_rate=", b"+cosine" * 9, b"\0", b"(" * 3000, b"+cosine" * 3000),
        ),
    ),
    "expression": Reader(
        lambda: [b"x^4 - 3*x^2 + x", b"(1 - x1)^2 + 100*(x2 - x1^2)^2", b"max(sin(x), exp(y), pi)"],
        _read_expression,
        (
            *(b"(", b")", b"^", b"**", b"sin(", b"lambda:", b"x.__class__", b"__import__('os')"),
            *(b"1e999", b"9" * 400, b"[", b"if", b"for", b"0x", b"1_0", b"'", b"\\", b"(" * 300),
            *(b"-" * 400, b"~"),
        ),
    ),
    "study": Reader(_study_seeds, _read_study, _TOML),
}
