"""``fallline landscape`` as a user meets it."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fallline.cli import landscape as command
from fallline.cli.app import app
from fallline.errors import InputError

QUICK = ("--optimizers", "sgd", "--learning-rate", "0.1", "--steps", "3")


def invoke(*arguments: str) -> str:
    """What the command printed; an error is raised as it is."""
    result = CliRunner().invoke(app, ["landscape", *arguments], catch_exceptions=False)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_page_is_written_and_the_ends_are_told(tmp_path: Path) -> None:
    told = invoke("booth", *QUICK)
    assert told.startswith("Booth's function: f(x, y) = (x + 2*y - 7)^2 + (2*x + y - 5)^2\n")
    assert "sgd             0.1  as given" in told
    file = Path("fallline-landscapes") / "booth.html"
    assert f"picture: {file}" in told
    assert "<title>Booth&#39;s function" in (tmp_path / file).read_text("utf-8")


def test_an_expression_has_a_page_of_its_own(tmp_path: Path) -> None:
    told = invoke("x^2/2", *QUICK, "--start", "-2")
    file = tmp_path / told.partition("picture: ")[2].strip()
    assert file.name.startswith("x-2-2-")
    assert "f(x) = x²/2" in file.read_text("utf-8")
    assert command.file_name("x^2/2") != command.file_name("x^2*2")
    assert command.file_name("(" * 90) == command.file_name("(" * 90)
    assert "/" not in command.file_name("../../x")


def test_the_table_has_every_step() -> None:
    told = invoke("x^2/2", *QUICK, "--start", "-2", "--table")
    lines = [line.split() for line in told.splitlines()]
    assert lines[0] == ["path", "step", "x", "f", "gradient"]
    assert lines[1] == ["sgd", "0", "-2", "2", "2"]
    assert lines[2] == ["sgd", "1", "-1.8", "1.62", "1.8"]
    assert len(lines) == 5
    assert not list(Path().iterdir()), "no picture was asked for"


def test_csv_and_json_have_every_step(tmp_path: Path) -> None:
    told = json.loads(
        invoke("x^2/2", *QUICK, "--start", "-2", "--json", "--csv", "steps.csv", "--out", "p.svg")
    )
    assert told["variables"] == ["x"]
    assert told["paths"][0]["points"][:2] == [[-2.0], [-1.8]]
    assert told["paths"][0]["status"] == "done"
    with open(tmp_path / "steps.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["x"]) for row in rows] == [point[0] for point in told["paths"][0]["points"]]
    assert (tmp_path / "p.svg").read_bytes().startswith(b"<?xml")


def test_a_divergent_path_is_a_result() -> None:
    told = json.loads(invoke("x^4", *QUICK[:2], "--learning-rate", "1e200", "--json"))
    assert told["paths"][0]["status"] == "diverged"
    assert told["paths"][0]["values"][-1] is None


def test_rates_and_settings_are_read() -> None:
    names = ("--optimizers", "sgd,momentum", "--steps", "3", "--json")
    given = ("--learning-rate", "sgd=0.01,sgd=0.1,momentum=0.02", "--set", "momentum.momentum=0.5")
    told = invoke("booth", *names, *given, "--set", "weight-decay=0")
    paths = json.loads(told)["paths"]
    assert [each["path"] for each in paths] == ["sgd 0.01", "sgd 0.1", "momentum"]
    assert paths[2]["hyperparameters"]["momentum"] == 0.5
    assert paths[2]["hyperparameters"]["learning_rate"] == 0.02


def test_the_list_names_all() -> None:
    told = invoke("--list")
    assert all(name in told for name in ("rosenbrock", "rastrigin-1d", "ill-conditioned"))


@pytest.mark.parametrize(
    ("arguments", "says", "hint"),
    [
        ((), "no landscape", "--list"),
        (("rosenbrok",), "unknown landscape 'rosenbrok'", "rosenbrock"),
        (("x +",), "cannot be read", "numbers"),
        (("<script>alert(1)</script>",), "cannot be read", "numbers"),
        (("booth", "--optimizers", "adm"), "unknown optimizer 'adm'", "adam"),
        (("booth", "--start", "1"), "has 2 numbers, got 1", "x,y"),
        (("booth", "--start", "1,a"), "--start takes numbers, got 'a'", None),
        (("booth", "--start", "1,nan"), "finite", None),
        (("booth", "--box", "1,2"), "has 4 numbers, got 2", "x and y"),
        (("booth", "--learning-rate", "fast"), "got 'fast'", "NAME=NUMBER"),
        (("booth", "--learning-rate", "sgd=0.1,0.2"), "NAME=NUMBER", "sgd=0.1"),
        (("booth", "--learning-rate", "sdg=0.1"), "'sdg'", "sgd"),
        (("booth", "--set", "momentum"), "--set takes NAME=VALUE", "--set"),
        (("booth", "--steps", "0"), "1 to 10000 steps", "200"),
        (("booth", "--out", "p.htm"), "unknown format of a picture '.htm'", "html"),
        (("booth", "--out", "picture"), "unknown format of a picture", "png"),
        (("booth", *QUICK, "--out", "/proc/none/p.html"), "cannot be written", "another"),
    ],
)
def test_wrong_inputs_are_refused(arguments: tuple[str, ...], says: str, hint: str | None) -> None:
    with pytest.raises(InputError) as caught:
        invoke(*arguments)
    assert says in str(caught.value)
    assert hint is None or hint in str(caught.value.hint)
    assert caught.value.exit_code == 2


def test_a_mistake_ends_with_exit_code_2_and_no_traceback() -> None:
    words = [sys.executable, "-m", "fallline", "landscape", "x + sine(x)"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "unknown function 'sine', at character 5 of the expression" in done.stderr
    assert "did you mean 'sin'" in done.stderr
    assert "Traceback" not in done.stderr
