"""The command line as a user meets it: output and exit codes, in real processes and in this one."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fallline.cli.app import main

QUICK = ("--optimizers", "adam,sgd", "--epochs", "2", "--learning-rates", "0.01,0.1")


def _run(
    *arguments: str, cwd: Path, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "fallline", *arguments],
        cwd=cwd,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        timeout=120,
        stdin=subprocess.DEVNULL,
    )


def _here(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """The same in this process: most of a short command's time is its imports."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        patch.chdir(cwd)
        patch.setattr(sys, "argv", ["fallline", *arguments])
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess]:
    folder = tmp_path_factory.mktemp("cli")
    return folder, _run("compare", "digits-mlp", *QUICK, "--out", "study", cwd=folder)


def test_compare_ends_with_table_verdict_folder_and_report(compared) -> None:
    folder, done = compared
    assert done.returncode == 0, done.stderr
    assert re.search(r"^adam +0\.01 ", done.stdout, re.M) or "adam" in done.stdout
    assert "use " in done.stdout.lower()
    assert "study:  study" in done.stdout
    report = folder / "study" / "report.html"
    assert str(report.relative_to(folder)) in done.stdout
    assert report.stat().st_size > 10_000


def test_progress_in_a_pipe_is_plain_lines(compared) -> None:
    _, done = compared
    assert "\x1b" not in done.stdout + done.stderr
    assert "\r" not in done.stderr
    assert re.search(r"search: \d+/12 runs", done.stderr)


def test_json_is_all_that_stdout_holds(compared) -> None:
    asked = ("compare", "digits-mlp", *QUICK, "--out", "study", "--json", "--quiet")
    done = _run(*asked, cwd=compared[0])
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert {row["optimizer"] for row in document["table"]} == {"adam", "sgd"}
    assert done.stderr == ""


def test_the_same_command_again_trains_nothing(compared) -> None:
    folder, first = compared
    again = _run("compare", "digits-mlp", *QUICK, "--out", "study", cwd=folder)
    assert again.returncode == 0
    assert again.stdout == first.stdout
    assert "search" not in again.stderr


def test_ctrl_c_keeps_what_is_finished(tmp_path: Path) -> None:
    asked = ["compare", "digits-mlp", "--optimizers", "adam", "--epochs", "30", "--seeds", "60"]
    # A shell's background job has Ctrl-C switched off, and its children inherit that.
    code = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"sys.argv = {['fallline', *asked, '--out', 'study']!r}\n"
        "from fallline.cli.app import main; main()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and not list(tmp_path.glob("study/parts/*.parquet")):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    kept = re.search(r"stopped: (\d+) finished runs are stored in study; go on with: ", err)
    assert kept, err
    assert int(kept[1]) > 0
    assert "Traceback" not in err


def test_folds_end_with_a_table_and_an_interval_and_leave_nothing_behind(tmp_path: Path) -> None:
    done = _here(
        "train",
        "digits-mlp",
        *("--folds", "3", "--epochs", "2", "--freeze", "Dense_0", "--batch-size", "all"),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines() if re.match(r" +[123] ", line)]
    assert [(row[0], row[3]) for row in rows] == [("1", "2"), ("2", "2"), ("3", "2")]
    accuracy = [float(row[-3]) for row in rows]
    mean, half = map(
        float, re.search(r"^validation accuracy: (\S+) % ± (\S+) ", done.stdout, re.M).groups()
    )
    deviation = (sum((each - mean) ** 2 for each in accuracy) / 2) ** 0.5
    assert mean == pytest.approx(sum(accuracy) / 3, abs=0.1)
    assert half == pytest.approx(4.302653 * deviation * (1 / 3 + 1 / 2) ** 0.5, abs=0.5)
    assert re.search(r"^Dense_0 .* no$", done.stdout, re.M)
    assert re.search(r"^not trainable +8,320$", done.stdout, re.M)
    assert "No weights are kept" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_the_terms_of_the_loss_are_options(tmp_path: Path) -> None:
    asked = ("--epochs", "1", "--batch-size", "all", "--optimizer", "sgd", "--out", "kept")
    plain = _here("train", "digits-mlp", *asked, cwd=tmp_path)
    given = ("--l1", "0.001", "--l2", "0.01", "--activation", "tanh")
    other = _here("train", "digits-mlp", *asked, *given, cwd=tmp_path)
    losses = [float(re.search(r"train loss (\S+)", done.stderr)[1]) for done in (plain, other)]
    assert losses[1] > losses[0] + 1


WRONG = {
    "unknown task": (("compare", "digit-mlp"), "unknown task 'digit-mlp'", "'digits-mlp'"),
    "unknown optimizer": (
        ("compare", "digits-mlp", "--optimizers", "adm"),
        "unknown optimizer 'adm'",
        "'adam'",
    ),
    "rate not positive": (
        ("compare", "digits-mlp", "--learning-rates", "0.1,-0.2"),
        "a learning rate must be positive and finite, got -0.2",
        "0.001",
    ),
    "rate no number": (
        ("compare", "digits-mlp", "--learning-rates", "high"),
        "'high' is not a learning rate",
        "number of points",
    ),
    "no epochs": (
        ("compare", "digits-mlp", "--epochs", "0"),
        "epochs must be a whole number of at least 1, got 0",
        "",
    ),
    "batch too large": (
        ("compare", "digits-mlp", "--batch-size", "5000"),
        "a batch of 5000 is more than the",
        "--batch-size",
    ),
    "data not there": (
        ("compare", "mnist-mlp", "--data-dir", "nowhere"),
        "nowhere",
        "",
    ),
    "no target": (("compare", "table.csv"), "which column to predict was not said", "--target"),
    "wrong target": (
        ("compare", "table.csv", "--target", "qualty"),
        "qualty",
        "'quality'",
    ),
    "missing field": (
        ("compare", "hole.csv", "--target", "quality"),
        "'alcohol'",
        "",
    ),
    "text among numbers": (
        ("compare", "text.csv", "--target", "quality"),
        "'strong'",
        "",
    ),
    "not positive in train": (
        ("train", "digits-mlp", "--learning-rate", "0"),
        "learning_rate",
        "",
    ),
    "unknown hyper-parameter": (
        ("train", "digits-mlp", "--set", "beta1=0.9"),
        "adam has no hyper-parameter 'beta1'",
        "'beta_1'",
    ),
    "unknown layer": (
        ("train", "digits-mlp", "--freeze", "Dense0"),
        "the network has no layer 'Dense0' to freeze",
        "'Dense_0'",
    ),
    "folds of a few": (
        ("train", "digits-mlp", "--folds", "500"),
        "too few for 500 folds",
        "at most",
    ),
    "weights of folds": (
        ("train", "digits-mlp", "--folds", "3", "--out", "kept"),
        "--out is for one training",
        "without --folds",
    ),
    "no such weights": (("evaluate", "lost.safetensors"), "lost.safetensors", "fallline train"),
    "settings without code": (
        ("optimizers", "adam", "--learning-rate", "0.1"),
        "settings are for code",
        "--code torch",
    ),
    "code of a wrong framework": (
        ("optimizers", "adam", "--code", "tourch"),
        "'tourch'",
        "'torch'",
    ),
    "code with a wrong setting": (
        ("optimizers", "adam", "--code", "torch", "--set", "beta1=0.9"),
        "adam has no hyper-parameter 'beta1'",
        "'beta_1'",
    ),
    "unknown wrapper": (("optimizers", "adam+cosin"), "unknown wrapper 'cosin'", "'cosine'"),
    "unknown sheet": (("optimizers", "nadm"), "unknown optimizer 'nadm'", "'nadam'"),
}


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tables")
    rows = [f"{i % 7}.5,{i % 5}.25,{(i * 3) % 11}.5" for i in range(40)]
    header = "acid,alcohol,quality"
    (folder / "table.csv").write_text("\n".join([header, *rows]))
    (folder / "hole.csv").write_text("\n".join([header, *rows[:9], "1.5,,3.5", *rows[9:]]))
    (folder / "text.csv").write_text("\n".join([header, *rows[:9], "1.5,strong,3.5", *rows[9:]]))
    return folder


def test_a_study_that_can_only_be_read_is_shown_without_a_report(
    compared, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, done = compared

    def refused(path: Path, text: str) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("fallline.store.durable.write_page", refused)
    shown = _here("show", "study", cwd=folder)
    assert shown.returncode == 0, shown.stderr
    assert "report: not written: cannot write the report" in shown.stdout
    assert "Read-only file system" in shown.stdout
    table = done.stdout.partition("Target:")[0]
    assert shown.stdout.startswith(table), "the table is shown all the same"


@pytest.mark.parametrize(("arguments", "said", "hint"), WRONG.values(), ids=WRONG.keys())
def test_wrong_input_ends_with_2_and_says_what_to_do(
    tables: Path, arguments: tuple[str, ...], said: str, hint: str
) -> None:
    done = _here(*arguments, cwd=tables)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert said in done.stderr
    assert hint in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tables / "fallline-studies").exists()


def test_a_process_ends_with_2(tmp_path: Path) -> None:
    (arguments, said, hint) = WRONG["unknown task"]
    done = _run(*arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert hint in done.stderr
    assert "Traceback" not in done.stderr


def test_another_study_in_the_folder_is_refused(compared) -> None:
    folder, _ = compared
    done = _run("compare", "digits-mlp", "--batch-size", "64", "--out", "study", cwd=folder)
    assert done.returncode == 2
    assert "holds another study" in done.stderr
    assert "batch_size: 32 there, 64 asked" in done.stderr


def test_train_then_evaluate_give_the_same_figures(tmp_path: Path) -> None:
    done = _here("train", "digits-mlp", "--epochs", "3", "--learning-rate", "0.01", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert re.search(r"Dense_0 +Dense +\(128,\) +8,320 +yes", done.stdout)
    assert re.search(r"total +9,610", done.stdout)
    measured = re.search(r"^test: .*$", done.stdout, re.M)
    folder = re.search(r"^weights: (.*)$", done.stdout, re.M)
    assert measured
    assert folder
    again = _run("evaluate", folder[1], cwd=tmp_path)
    assert again.stdout.strip() == measured[0]
    history = (tmp_path / folder[1]).with_name("history.csv").read_text().splitlines()
    assert history[0].startswith("epoch,train_loss,train_accuracy,validation_loss")
    assert len(history) == 4


def test_code_to_paste_has_the_settings_asked_for(tmp_path: Path) -> None:
    asked = ("--learning-rate", "3e-3", "--set", "beta_1=0.8", "--option", "decay=decoupled")
    done = _here("optimizers", "adam", "--code", "torch", *asked, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "torch.optim.AdamW(" in done.stdout
    assert "lr=0.003" in done.stdout
    assert "betas=(0.8, 0.999)" in done.stdout


@pytest.mark.parametrize("command", ["optimizers", "tasks", "doctor", "--version"])
def test_listings(tmp_path: Path, command: str) -> None:
    done = _here(command, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    expected = {
        "optimizers": "adam_atan2",
        "tasks": "wine-mlp",
        "doctor": "devices",
        "--version": "fallline 0.",
    }[command]
    assert expected in done.stdout


def test_a_plan_is_explained_with_its_reasons(tmp_path: Path) -> None:
    done = _here("doctor", "--plan", "digits-mlp", "--optimizers", "sgd,adam,gd", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "9,610 parameters, 1,079 training examples" in done.stdout
    assert re.search(r"program 1: sgd, adam\n +runs +52 expected, batch 32", done.stdout)
    assert re.search(r"program 2: gd\n +runs +26 expected, batch 1,079", done.stdout)
    assert "a run's weights stay in its core's cache" in done.stdout
    assert "in 2 program(s)" in done.stdout
    wrong = _here("doctor", "--plan", "digits-mpl", cwd=tmp_path)
    assert wrong.returncode == 2
    assert "did you mean 'digits-mlp'" in wrong.stderr
