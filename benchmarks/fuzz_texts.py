"""Texts as readers of damaged input: study files, protocols, optimizers, expressions."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fuzz_reader import Reader, put, text

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
TOML = (
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

    path = put(data, folder, "study.toml")
    forms = ((), ("quick",), ("as_published",), studyfile.FORMS)[len(data) % 4]
    file = studyfile.read(path, forms=forms)
    found = [settings.members(file, name) for name in studyfile.stages_of(file)]
    for member in (each for stage in found for each in stage):
        inside = (folder / member.folder).resolve()
        assert inside.is_relative_to(folder.resolve()), f"a folder outside: {member.folder}"
        member.config(epochs=2, batch_size=32)
    studyfile.as_toml(file)
    return found


def _read_protocol(data: bytes, folder: Path) -> object:
    from fallline.planning.protocol import parse

    found = parse(text(data))
    assert parse(str(found)) == found, f"{found} is read as {parse(str(found))}"
    return found


def _read_optimizers(data: bytes, folder: Path) -> object:
    from fallline import optimizers

    return [each.defaults for each in optimizers.resolve(text(data))]


def _read_expression(data: bytes, folder: Path) -> object:
    from fallline.landscapes.expression import parse

    with np.errstate(all="ignore"):
        found = parse(text(data))
        return found([np.float64(0.5)] * 2, np)


STUDY_FILE = Reader(
    "a study file, its forms and settings", _study_file_seeds, _read_study_file, TOML
)
PROTOCOL = Reader(
    "the words of --protocol",
    lambda: [
        *(b"budget 15", b"budget:30 tpe", b"budget 30 halving 4", b"time 60s", b"grid"),
        *(b"self-tuning", b"time 1.5e2 min", b"defaults"),
    ],
    _read_protocol,
    (
        *(b"budget ", b"time ", b"halving", b"tpe", b"1e999", b"9" * 5000, b"-", b"inf", b"\0"),
        b" ",
    ),
)
OPTIMIZERS = Reader(
    "names of optimizers with settings and wrappers",
    lambda: [
        *(b"adam", b"sgd,adam", b"adam(learning_rate=0.01, beta_1=0.8)", b"rmsprop:torch"),
        *(b"adam+cosine", b"studies", b"adam(learning_rate=0.1)+cosine(final=0.1)"),
    ],
    _read_optimizers,
    (
        *(b"(", b")", b"+", b":", b",", b"=", b"nan", b"1e999", b"true", b"9" * 5000, b"torch"),
        *(b"learning_rate=", b"+cosine" * 9, b"\0", b"(" * 3000, b"+cosine" * 3000),
    ),
)
EXPRESSION = Reader(
    "an expression of x and y, calculated",
    lambda: [b"x^4 - 3*x^2 + x", b"(1 - x1)^2 + 100*(x2 - x1^2)^2", b"max(sin(x), exp(y), pi)"],
    _read_expression,
    (
        *(b"(", b")", b"^", b"**", b"sin(", b"lambda:", b"x.__class__", b"__import__('os')"),
        *(b"1e999", b"9" * 400, b"[", b"if", b"for", b"0x", b"1_0", b"'", b"\\", b"(" * 300),
        *(b"-" * 400, b"~"),
    ),
)
