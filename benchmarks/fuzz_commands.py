"""Command lines as damaged input: taken in until something would be trained or drawn."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fuzz_folders import write_study
from fuzz_reader import Reader

_LINES = """
compare table.csv --target y --optimizers sgd,adam --seeds 2 --final-seeds 3 --epochs 4
compare digits-mlp --protocol budget_30_halving --batch-size all --learning-rates 0.1,0.01 --json
compare table.csv digits-mlp --target y --kind classification --precision bf16 --out new -v
compare table.csv --target y --optimizers adam(learning_rate=0.1)+cosine --defaults --quiet
train table.csv --target y --optimizer adam --learning-rate 0.01 --set beta_1=0.8 --epochs 3
train digits-mlp --loss huber(2) --l1 0.1 --l2 1e-3 --activation relu --freeze Dense_0
train table.csv --target y --folds 3 --monitor validation_loss --patience 2 --batch-size 8
train table.csv --target y --option form=torch --seed 5 --no-shuffle --restore-best --min-delta 0.1
train table.csv --target y --initial-weights w.safetensors --out new --pictures png
evaluate w.safetensors --task table.csv --target y --split validation --kind classification
resume study --quiet --json
resume study --data-dir .
show study --json
show study
export study --out new --formats csv,md --width double
run study.toml --quick --seeds 2 --out new --pictures svg --json
run study.toml --as-published --data-dir . --quiet
reproduce adaptive --quick --out new
reproduce adaptive --write new.toml
reproduce all --as-published --seeds 1
trace --layers 2,2,1 --x 1,0.5 --y 1 --steps 2 --learning-rate 0.1 --picture new.svg --json
trace --symmetry --layers 2,2,1 --activation sigmoid --loss mse --l2 0.1 --bias --seed 2
landscape x^2+y^2 --optimizers sgd,adam --steps 5 --start 1,2 --box -1,1,-1,1 --learning-rate sgd=1
landscape rosenbrock --seed 3 --set adam.beta_1=0.5 --out new.png --csv new.csv --table
landscape --list
optimizers adam --code torch --learning-rate 0.1 --set beta_1=0.8 --option form=torch
optimizers --wrappers
optimizers sgd,adam --bibtex
tasks -vv
doctor --data-dir .
doctor study --repair
doctor --plan digits-mlp --optimizers sgd --epochs 2 --batch-size 8
"""
_WORDS = (
    *("", "-", "--", "=", "a=1", "a=nan", ",", "../x", "/", ".", "é", "<b>", "²", "--help"),
    *("0", "1", "-1", "1e999", "nan", "inf", "1_0", "9" * 30, "9" * 5000, "1e-400", "0.5", "all"),
    *("1000000000000", "1,2", "1,1000000,1000000", "absent.toml", "empty.csv", "[" * 3000, "{}"),
    *("budget 0", "time 1s", "self-tuning", "huber(nan)", "sigmoid(2)", "float64", "torch"),
    *("adam+cosine", "rmsprop:torch", "(" * 999, "x^", "((", "x" * 70_000, "@file", "$HOME", "~"),
)
"""For any option and argument."""


def _seeds() -> list[bytes]:
    """A command line each: its words one to a line, as bytes like those of the system."""
    _files()
    lines = [line.split() for line in _LINES.strip().splitlines()]
    # The one argument with spaces in it.
    return ["\n".join(words).replace("budget_30_", "budget 30 ").encode() for words in lines]


def _words() -> tuple[bytes, ...]:
    own = {word for line in _LINES.split("\n") for word in line.split()}
    every = [*sorted(own), *_WORDS, "\udcff"]
    return (*(b"\n" + os.fsencode(word) for word in every), b"\n", b"--", b"=", b"-v\n")


class _Reached(Exception):
    """The command would begin to train, draw or fetch now."""


def _reached(*given: Any, **named: Any) -> Any:
    raise _Reached


@functools.cache
def _program() -> Any:
    import typer

    from fallline.cli.app import app

    return typer.main.get_command(app)


@functools.cache
def _long() -> list[tuple[Any, str, Any]]:
    """What trains, draws or fetches, as it is."""
    from fallline import network, results, series, study, suite, training, validation
    from fallline.data import download
    from fallline.engine import cost
    from fallline.landscapes import walking

    places = (
        *((study._Work, "run"), (series, "run"), (suite, "train"), (training, "train")),
        *((validation, "cross_validate"), (walking, "_walked"), (network.Network, "evaluate")),
        *((results.Study, "report"), (results.Study, "export"), (results.Study, "to_json")),
        *((cost, "size_of"), (download, "fetch")),
    )
    return [(place, name, getattr(place, name)) for place, name in places]


@contextlib.contextmanager
def _cut_short() -> Iterator[None]:
    """Commands end inside where they would begin to train, draw or fetch."""
    try:
        for place, name, _ in _long():
            setattr(place, name, _reached)
        yield
    finally:
        for place, name, own in _long():
            setattr(place, name, own)


_KEPT: dict[str, bytes] = {}


def _files() -> dict[str, bytes]:
    """What lies in the folder in which the commands are given."""
    import tempfile

    import numpy as np
    from safetensors.numpy import save

    if not _KEPT:
        with tempfile.TemporaryDirectory() as place:
            write_study(Path(place) / "study", around=False)
            for path in Path(place).rglob("*"):
                if path.is_file() and path.name != ".lock":
                    _KEPT[str(path.relative_to(place))] = path.read_bytes()
        rows = "".join(f"{n},{n % 2}\n" for n in range(40))
        _KEPT["table.csv"] = f"x,y\n{rows}".encode()
        _KEPT["empty.csv"] = b""
        _KEPT["study.toml"] = b'name = "mine"\n[base]\ntask = "digits-mlp"\n'
        _KEPT["w.safetensors"] = save({"Dense_0/kernel": np.zeros((1, 2), np.float32)})
    return _KEPT


def _stamps(folder: Path) -> Iterator[tuple[str, int, int]]:
    for place, folders, files in os.walk(folder):
        for name in (*folders, *files):
            status = os.lstat(os.path.join(place, name))
            size = status.st_size if name in files else 0
            yield os.path.join(place, name), size, status.st_mtime_ns if size else 0


_STAMPS: dict[Path, set[tuple[str, int, int]]] = {}


def _set_up(folder: Path) -> None:
    """The folder as it is before every command."""
    if folder in _STAMPS and set(_stamps(folder)) == _STAMPS[folder]:
        return
    for each in folder.iterdir():
        shutil.rmtree(each) if each.is_dir() and not each.is_symlink() else each.unlink()
    for name, content in _files().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    _STAMPS[folder] = set(_stamps(folder))


def _read(data: bytes, folder: Path) -> object:
    from click.testing import CliRunner

    from fallline.errors import FalllineError, InputError

    program = _program()
    _set_up(folder)
    # A zero byte ends a word: no system hands one over.
    line = os.fsdecode(data.replace(b"\0", b"")).split("\n")
    with _cut_short(), contextlib.chdir(folder):
        result = CliRunner().invoke(program, line)
    error = result.exception
    if isinstance(error, FalllineError):
        assert error.exit_code == 2, f"exit code {error.exit_code}"
        raise error
    if isinstance(error, _Reached):
        return "begins"
    if not isinstance(error, SystemExit | None):
        raise error
    if result.exit_code == 2:
        raise InputError(result.output)
    # A doctor that finds something wrong with a folder says so with 1.
    assert result.exit_code == 0 or (result.exit_code == 1 and "doctor" in line), result.output
    return result.output


COMMAND_LINE = Reader(
    "the command line of every command, until it would train or draw", _seeds, _read, _words()
)
