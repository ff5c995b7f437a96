"""``fallline trace`` as a user meets it: tables, JSON, pictures, and what is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from fallline.cli import app

REFUSED = 2


def run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str
) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of ``fallline trace``; arguments are split at spaces."""
    words = [word for each in arguments for word in each.split()]
    monkeypatch.setattr(sys, "argv", ["fallline", "trace", *words])
    with pytest.raises(SystemExit) as ended:
        app.main()
    out, err = capsys.readouterr()
    return int(ended.value.code or 0), out, err


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    return lambda *arguments: run(capsys, monkeypatch, *arguments)


def test_the_example_is_what_it_shows_without_options(told) -> None:
    code, out, err = told()
    assert (code, err) == (0, "")
    lines = [line.split() for line in out.splitlines()]
    assert ["1", "1", "a", "1", "/", "(1", "+", "e^-1.5)", "0.81757"] in lines
    values = [line[-1] for line in lines if line]
    for figure in ("1.50000", "0.40879", "0.60080", "0.02510", "0.13757", "0.72490", "0.36243"):
        assert figure in values
    assert "0.57287" in values
    assert "compared with central differences" in out


def test_it_runs_as_a_process_without_jax() -> None:
    code = (
        "import sys; from fallline.cli.app import app\n"
        "app(['trace'], standalone_mode=False); assert 'jax' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "0.57287" in done.stdout


def test_a_network_of_ones_own_with_json(told) -> None:
    code, out, _ = told(
        "--layers 2,3,1 --x 0.5,1 --y 1 --activation tanh --output sigmoid --loss squared",
        "--learning-rate 0.5 --seed 3 --bias --steps 4 --l2 0.01 --json",
    )
    assert code == 0
    document = json.loads(out)
    layers = document["network"]["layers"]
    assert [layer["activation"] for layer in layers] == ["tanh", "sigmoid"]
    assert [layer["bias"] for layer in layers] == [[0, 0, 0], [0]]
    assert document["network"]["l2"] == 0.01
    assert document["learning_rate"] == 0.5
    assert len(document["losses"]) == 5
    assert {row["step"] for row in document["table"]} == {1, 2, 3, 4}
    _, other, _ = told("--layers 2,3,1 --x 0.5,1 --y 1 --activation tanh --seed 4 --json")
    assert json.loads(other)["network"]["layers"][0]["weights"] != layers[0]["weights"]


def test_weights_from_a_file_and_written_out_are_the_same(told, tmp_path: Path) -> None:
    inline = "[[[0.1,0.2],[0.3,0.4]],[[0.5,0.6]]]"
    file = tmp_path / "weights.json"
    layers = [{"weights": each, "activation": "relu"} for each in json.loads(inline)]
    file.write_text(json.dumps({"layers": layers}), encoding="utf-8")
    example = "--x 1,-2 --y 0.5"
    _, first, _ = told("--weights", inline, example, "--activation relu")
    code, second, _ = told("--weights", str(file), example)
    assert code == 0
    assert first == second
    assert "network 2-2-1 (relu, relu)" in first


def test_what_a_loss_needs_is_the_usual_output(told) -> None:
    code, out, _ = told("--layers 2,2 --x 1,2 --y 1 --loss cross_entropy")
    assert code == 0
    assert "(softmax)" in out
    code, out, _ = told("--loss binary_cross_entropy --activation tanh --learning-rate 0")
    assert code == 0
    assert "(tanh, sigmoid)" in out
    assert "learning rate 0\n" in out


def test_further_steps_have_a_line_each(told) -> None:
    _, out, _ = told("--steps", "3")
    lines = out.splitlines()
    heading = next(at for at, line in enumerate(lines) if "after step" in line)
    assert [line.split()[0] for line in lines[heading + 1 : heading + 5]] == ["0", "1", "2", "3"]
    assert lines[heading + 2].split()[2] == "0.57287"


def test_pictures_are_written(told, tmp_path: Path) -> None:
    for name, extra in (("step.svg", ()), ("symmetry.png", ("--symmetry", "--steps", "5"))):
        path = tmp_path / name
        code, out, _ = told("--picture", str(path), *extra)
        assert code == 0
        assert out.endswith(f"picture: {path}\n")
        assert path.stat().st_size > 5000


def test_symmetry_in_words_and_as_json(told) -> None:
    code, out, _ = told("--symmetry", "--steps", "30", "--layers", "2,3,1", "--activation", "relu")
    assert code == 0
    assert out.count("= neuron 1") == 2
    assert "equal to the last bit" in out
    code, out, _ = told("--symmetry", "--steps", "30", "--json", "--seed", "7")
    document = json.loads(out)
    assert document["equal"]["different_neurons_in_layer_1"] == 1
    assert document["random"]["different_neurons_in_layer_1"] == 4
    assert len(document["random"]["losses"]) == 31


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        ("--activation sigmod", "unknown activation 'sigmod'", "'sigmoid'"),
        ("--loss squarred", "unknown loss 'squarred'", "'squared'"),
        ("--loss cross_entropy --output tanh", "needs softmax", "--output softmax"),
        ("--layers 2,3,1", "needs --x", "--x 0.5,1"),
        ("--layers 2,3,1 --x 1,2", "needs --y", "--y 1"),
        ("--layers 2,3,1 --x 1 --y 1", "2 inputs, x has 1 number", "--x 0.5,1"),
        ("--layers 2,x,1 --x 1,2 --y 1", "whole numbers", "2,3,1"),
        ("--layers 2 --x 1,2 --y 1", "got '2'", "2,3,1"),
        ("--layers 50,50 --x 1 --y 1", "2500 weights", "fallline train"),
        ("--x one", "--x takes numbers", "--x 0.5,1"),
        ("--x nan", "x must be finite numbers, got nan", ""),
        ("--y inf", "y must be finite numbers, got inf", ""),
        ("--learning-rate nan", "a learning rate is", ""),
        ("--l1 -1", "l1 is a number of 0 or more", ""),
        ("--steps 0", "steps are 1 to", ""),
        ("--seed -1 --layers 1,1 --x 1 --y 1", "a seed is", ""),
        ("--weights nowhere.json --x 1 --y 1", "no file of weights", "--weights '[[["),
        ("--weights [[[0.75] --x 1 --y 1", "not JSON", "[[[0.75]], [[0.5]]]"),
        ("--weights [[[0.75]]] --layers 1,2 --x 1 --y 1", "--layers says 1,2", "leave --layers"),
        ("--weights [[[NaN]]] --x 1 --y 1", "finite numbers, got nan", ""),
        ('--weights [{"weights":[[1]],"activation":3}] --x 1 --y 1', "by its name, got 3", "tanh"),
        ('--weights {"layers":[[[1]]],"loss":5} --x 1 --y 1', "by its name, got 5", "huber"),
        ('--weights {"layers":[[[1]]],"l2":"a"} --x 1 --y 1', "l2 is a number", ""),
        ('--weights {"layers":[[[1]]],"l2":1} --l2 2 --x 1 --y 1', "has 'l2' too", "leave one"),
        ('--weights {"layers":5} --x 1 --y 1', "a list of layers, got 5", "[[[0.75]], [[0.5]]]"),
        ('--weights [[["a"]]] --x 1 --y 1', "must be numbers", ""),
        ("--picture step.pgn", "unknown format 'pgn'", "did you mean .png?"),
        ("--picture nowhere/step.png", "is not there", "make it first"),
        ("--layers 7,1 --x 1,1,1,1,1,1,1 --y 1 --picture a.svg", "too large for a", "at most 4"),
        ("--symmetry --x 1", "--x has no meaning with --symmetry", "--steps"),
        ("--symmetry --layers 3,4,1", "exclusive or", "2,4,1"),
    ],
)
def test_wrong_input_ends_with_two_and_a_hint(
    arguments: str,
    message: str,
    hint: str,
    told,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = told(arguments)
    assert code == REFUSED
    assert out == ""
    assert message in err
    assert hint in err
    assert "Traceback" not in err


def test_the_page_shows_what_the_commands_print(told) -> None:
    page = (Path(__file__).parents[2] / "docs" / "trace.md").read_text(encoding="utf-8")
    shown = [each.split("```")[0] for each in page.split("```text\n")[1:]]
    assert len(shown) == 2
    for text, arguments in zip(shown, ("", "--symmetry"), strict=True):
        _, out, _ = told(arguments)
        # How far differences are from gradients is rounding, which machines do differently.
        printed = [line for line in out.splitlines() if not line.startswith("gradients compared")]
        assert printed == [
            line for line in text.splitlines() if not line.startswith("gradients compared")
        ]
