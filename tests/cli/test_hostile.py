"""Command lines that nobody would write: a result, or an error that says what is wrong."""

from __future__ import annotations

import inspect
import typing

import pytest
import typer
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fallline import series, study, suite, training, validation
from fallline.cli.app import app
from fallline.errors import FalllineError

WORDS = [
    *("", "-", "--", "a,b", "=", "a=", "=1", "a=1", "a=nan", "\x00", "../x", "/", ".", "é", "<b>"),
    *("0", "1", "-1", "1e999", "nan", "inf", "1_0", "²", "9" * 30, "9" * 5000, "1e-400", "0.5"),
    *("1000000000000", "1,2", "1,2,1", "1,1000000,1000000", "2,0,1", "all", "default", "tuned"),
    *("table.csv", "empty.csv", "study.toml", "absent.toml", "y", "z", "[[[1]]]", "[" * 3000, "{}"),
    *("adam", "sgd,adam", "adam(learning_rate=0.1", "adam+cosine", "rmsprop:torch", "studies"),
    *("budget 3", "time 1s", "budget 0", "budget 5 halving", "self-tuning", "png", "svg", "x.svg"),
    *("classification", "regression", "x^2", "x^", "x + y", "((", "relu", "sigmoid(2)", "mse"),
    *("huber(0)", "huber(nan)", "validation_loss", "float64", "bf16", "torch", "loss=mse", "wine"),
]
"""For any option and argument of any command."""


PROGRAM = typer.main.get_command(app)
LINES = [
    "trace --layers 1,1000000,1000000 --x 1 --y 1",
    "trace --layers 99999999999999999999,1 --x 1 --y 1",
    "trace --layers 2,1 --x 1,2 --y 1 --steps 1000000000000",
    "trace --layers 2,1 --x nan,2 --y inf",
    "trace --symmetry --steps 1000000000000",
    "trace --symmetry --layers 2,1000000,1",
    "trace --layers 0 --x 1 --y 1",
    "trace --layers -1,1 --x 1 --y 1",
    "trace --learning-rate nan",
    "trace --l1 -1 --l2 inf",
    "trace --seed 99999999999999999999999 --layers 1,1 --x 1 --y 1",
    "landscape x^2 --steps 1000000000000",
    "landscape x^2 --start nan",
    "landscape x^2 --box 1,0",
    "landscape x^2 --start 1,2,3",
    "landscape x^2 --seed -1",
    "landscape x^2 --seed 99999999999999999999999",
    "landscape x^2 --learning-rate sgd=",
    "landscape x^2 --set =",
    "landscape x^2 --out study.toml/x.html",
    "landscape --list",
    "optimizers adam --code torch --learning-rate nan",
    "optimizers adam --code keras --set beta_1=2",
    "optimizers adam --option ²=²",
    "optimizers sgd --option form=²",
    "tasks table.csv",
    "compare table.csv --target y --seeds 1000000000000",
    "compare table.csv --target y --final-seeds 1000000000000",
    "compare table.csv --target y --epochs 1000000000000",
    "compare table.csv --target y --batch-size 1000000000000",
    "compare table.csv --target y --learning-rates 1000000000000",
    "compare table.csv --target y --learning-rates nan",
    "compare table.csv --target y --optimizers ,",
    "compare table.csv --target y --out study.toml",
    "compare table.csv --target y --out study.toml/below",
    "compare table.csv --target y --data-dir absent",
    "compare table.csv empty.csv --target y",
    "compare . --target y",
    "compare table.csv --target y --precision float64",
    "train table.csv --target y --epochs 1000000000000",
    "train table.csv --target y --seed -1",
    "train table.csv --target y --loss huber(nan)",
    "train table.csv --target y --l1 nan --l2 -1",
    "train table.csv --target y --activation leaky_relu(nan)",
    "train table.csv --target y --folds 1000000000000",
    "train table.csv --target y --patience -1 --monitor validation_loss",
    "train table.csv --target y --initial-weights table.csv",
    "train table.csv --target y --freeze nothing",
    "evaluate table.csv",
    "evaluate . --task table.csv --target y",
    "run study.toml --seeds 1000000000000",
    "run table.csv",
    "run .",
    "reproduce adaptive --write study.toml",
    "reproduce adaptive --write study.toml/below",
    "show study.toml",
    "show .",
    "export . --formats ,",
    *(f"{command} {'x' * 300}" for command in ("compare", "train", "evaluate", "resume", "show")),
    *(f"{command} {'x' * 300}" for command in ("export", "run", "doctor", "doctor --plan")),
    f"compare table.csv --target y --data-dir {'x' * 300}",
    f"compare table.csv --target y --out {'x' * 300}",
    f"train digits-mlp --initial-weights {'x' * 300}",
    f"trace --weights {'x' * 300}",
    f"trace --picture {'x' * 300}/x.svg",
    f"reproduce adaptive --write {'x' * 300}",
    "compare \udcff.csv --target y",
    "show \udcff",
    "reproduce adaptive --write \udcff.toml",
    "doctor --plan table.csv --epochs -1",
    "doctor --plan digits-mlp --epochs 1000000000000",
    "doctor --plan digits-mlp --batch-size 1000000000000",
]
"""That get further than most, with one thing wrong in each."""


class Reached(FalllineError):
    """The command would begin to train now."""


@pytest.fixture(scope="module")
def where(tmp_path_factory):
    """A folder with a table and a study file; commands that would train end there."""
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "table.csv").write_text("x,y\n" + "".join(f"{n},{n % 2}\n" for n in range(40)))
    (folder / "empty.csv").write_text("")
    (folder / "study.toml").write_text('name = "mine"\n[base]\ntask = "digits-mlp"\n')

    def stop(*args, **options):
        raise Reached("it would train now")

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(study._Work, "run", stop)
        for module, name in (
            (series, "run"),
            (suite, "train"),
            (training, "train"),
            (validation, "cross_validate"),
        ):
            patch.setattr(module, name, stop)
        patch.setattr("fallline.landscapes.walking._walked", stop)
        yield folder


def lines_of(command: typer.models.CommandInfo) -> st.SearchStrategy[list[str]]:
    """Command lines with the options that the command has, and any words as their values."""
    callback = command.callback
    hints = typing.get_type_hints(callback, include_extras=True)
    pieces, arguments = [], 0
    for name in inspect.signature(callback).parameters:
        about = hints[name].__metadata__[0]
        if isinstance(about, typer.models.ArgumentInfo):
            arguments += 1
            continue
        flag = next(iter(about.param_decls or ()), f"--{name.strip('_').replace('_', '-')}")
        kind = typing.get_args(hints[name])[0]
        if kind is bool:
            pieces.append(st.just([flag]))
        else:
            pieces.append(st.sampled_from(WORDS).map(lambda word, flag=flag: [flag, word]))
    options = st.lists(st.one_of(pieces), max_size=3) if pieces else st.just([])
    words = st.lists(st.sampled_from(WORDS), min_size=0, max_size=arguments * 2)
    return st.tuples(words, options).map(
        lambda both: [command.name, *both[0], *(word for piece in both[1] for word in piece)]
    )


def taken(line: list[str]) -> None:
    """That the line gives a result, or an error with words."""
    result = CliRunner().invoke(PROGRAM, line)
    error = result.exception
    if not isinstance(error, FalllineError | SystemExit | None):
        raise AssertionError(f"{line} ends in {error!r}") from error
    if isinstance(error, FalllineError):
        assert str(error).strip()
        assert error.exit_code == 2
    else:
        # A doctor that found something wrong with a folder says so with 1.
        fine = (0, 1, 2) if line[0] == "doctor" else (0, 2)
        assert result.exit_code in fine, (line, result.output)


@pytest.mark.parametrize("line", LINES)
def test_one_thing_wrong_is_said(where, line):
    taken(line.split())


@pytest.mark.parametrize("command", app.registered_commands, ids=lambda each: each.name)
def test_any_command_line_gives_a_result_or_says_what_is_wrong(where, command):
    @settings(
        max_examples=12,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(lines_of(command))
    def check(line):
        taken(line)

    check()
    beside = {each.name for each in where.parent.iterdir()}
    assert not {"x", "x.csv", "x.svg", "x.html"} & beside
