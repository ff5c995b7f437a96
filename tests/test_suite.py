"""A suite of tasks: what is refused before anything is trained, how it goes on, what it shows."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from typer.testing import CliRunner

import fallline
import made_suite
from fallline import api, suite
from fallline.cli.app import app
from fallline.errors import InputError, StudyError
from fallline.results import Study
from fallline.standings import Suite, open_suite
from fallline.store.suite import SuiteFolder
from made_suite import THREE

ASKED = ("--optimizers", "sgd", "--defaults", "--seeds", "2", "--epochs", "1")


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A small table whose classes can be learned."""
    random = np.random.default_rng(0)
    x = random.normal(size=(60, 2))
    rows = [f"{a:.3f},{b:.3f},{'yes' if a > b else 'no'}" for a, b in x]
    path = tmp_path_factory.mktemp("tables") / "small.csv"
    path.write_text("\n".join(["a,b,larger", *rows]), "utf-8")
    return path


@pytest.fixture(scope="module")
def stopped(table, tmp_path_factory):
    """A suite that was stopped between its tasks, and what it told until then."""
    folder, told = tmp_path_factory.mktemp("suites") / "two", []

    def stop(event):
        told.append(event)
        if isinstance(event, suite.TaskBegan) and event.number == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fallline.compare(
            ["digits-mlp", table],
            "sgd",
            target="larger",
            defaults=True,
            seeds=2,
            epochs=1,
            out=folder,
            listener=stop,
        )
    return folder, told, open_suite(folder).to_dict()


@pytest.fixture(scope="module")
def gone_on(stopped, table):
    """The same suite asked for again, from the command line."""
    folder, _, _ = stopped
    words = ["compare", "digits-mlp", str(table), "--target", "larger", *ASKED]
    return folder, CliRunner().invoke(app, [*words, "--out", str(folder)])


def test_stopped_between_its_tasks_it_keeps_the_first(stopped):
    folder, told, document = stopped
    text = (folder / "fallline.log").read_text("utf-8")
    assert "asked: digits-mlp, small, " in text
    assert "final ended after" in text, "the suite's log has the course of its studies"
    assert text.rstrip().endswith("stopped early by a signal: what is finished is stored")
    began = [event for event in told if isinstance(event, suite.TaskBegan)]
    assert [(event.number, event.known, event.title) for event in began] == [
        (1, 2, "digits-mlp"),
        (2, 2, "small"),
    ]
    assert 0 < began[1].share_done < 1
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["digits-mlp", "fallline.log", "suite.toml"]
    assert not document["complete"]
    assert document["verdict"].startswith("the suite is not finished: 1 of 2 tasks is measured")


def test_the_same_command_goes_on_with_the_second_task(gone_on):
    folder, done = gone_on
    assert done.exit_code == 0, done.output
    assert "[1/2] digits-mlp: stored already" in done.stderr
    assert re.search(r"^\[2/2\] small$", done.stderr, re.MULTILINE)
    assert re.search(r"^sgd +1\.00 +\S+ % \(1\)", done.stdout, re.MULTILINE)
    assert f"suite:  {folder}" in done.stdout
    found = open_suite(folder)
    assert found.complete
    assert [len(study.runs) for study in found.studies.values()] == [2, 2]
    assert found.studies["small"].document.protocol.batch_size == 32
    assert (folder / "report.html").is_file()


def test_a_complete_suite_is_shown_and_not_trained(gone_on, monkeypatch):
    folder, first = gone_on
    monkeypatch.setattr(Suite, "report", lambda found: found.path / "report.html")
    shown = CliRunner().invoke(app, ["show", str(folder)])
    assert shown.stdout == first.stdout
    document = json.loads(CliRunner().invoke(app, ["show", str(folder), "--json"]).stdout)
    assert document == open_suite(folder).to_dict()
    assert document["complete"]


def test_the_suite_of_another_question_is_refused(gone_on, table):
    folder, _ = gone_on
    with pytest.raises(StudyError, match="final_seeds: 2 there, 3 asked"):
        fallline.compare(
            ["digits-mlp", table],
            "sgd",
            target="larger",
            defaults=True,
            seeds=3,
            epochs=1,
            out=folder,
        )
    document = SuiteFolder.open(folder).document
    with pytest.raises(StudyError, match=r"epochs of 'small': 1 there, 7 asked"):
        SuiteFolder.begin(folder, _changed(document, "small", epochs=7))
    with pytest.raises(StudyError, match=r"other tasks: digits-mlp, small there, small asked"):
        SuiteFolder.begin(folder, _with_tasks(document, document.tasks[1:]))
    turned = _with_tasks(document, document.tasks[::-1])
    assert SuiteFolder.begin(folder, turned).document == document, "the order is not asked"
    assert turned.digest == document.digest
    assert _changed(document, "small", epochs=7).digest != document.digest


def _with_tasks(document, tasks):
    return type(document)(
        **{name: getattr(document, name) for name in document.__struct_fields__}
        | {"tasks": tuple(tasks)}
    )


def _changed(document, name, **changes):
    tasks = [
        type(task)(**{k: getattr(task, k) for k in task.__struct_fields__} | changes)
        if task.name == name
        else task
        for task in document.tasks
    ]
    return _with_tasks(document, tasks)


def test_a_folder_of_something_else_is_refused(gone_on, tmp_path):
    folder, _ = gone_on
    document = SuiteFolder.open(folder).document
    with pytest.raises(StudyError, match="holds no suite"):
        SuiteFolder.begin(folder / "small", document)
    with pytest.raises(StudyError, match=r"holds no suite\.toml"):
        open_suite(folder / "small")
    (tmp_path / "suite.toml.tmp").write_text("torn", "utf-8")
    assert SuiteFolder.begin(tmp_path, document).document == document
    (tmp_path / "suite.toml").write_text("format_version = 99", "utf-8")
    with pytest.raises(StudyError, match="study format 99"):
        open_suite(tmp_path)


@pytest.mark.parametrize(
    ("tasks", "settings", "message", "hint"),
    [
        (["digits-mlp"], {}, "at least 2 tasks, got 1", "by itself"),
        (["digits-mlp", "digits-mpl"], {}, "unknown task 'digits-mpl'", "'digits-mlp'"),
        (["digits-mlp", "digits-mlp"], {}, "two of the tasks are named 'digits-mlp'", "once"),
        (["a.csv", "digits-mlp", "b.csv"], {"target": "y"}, "2 of the tasks are tables", "Python"),
        (["digits-mlp", "digits-cnn"], {"target": "y"}, "--target is for a CSV file", "leave"),
        (["digits-mlp", "a.csv"], {}, "'a.csv' is a table", "--target COLUMN"),
        (["digits-mlp", "digits-cnn"], {"batch_size": 5000}, "a batch of 5000", "--batch-size"),
        (["digits-mlp", "digits-cnn"], {"optimizers": "adm"}, "unknown optimizer", "adam"),
        (["digits-mlp", "digits-cnn"], {"epochs": 0}, "epochs must be", None),
    ],
)
def test_what_cannot_be_trained_is_refused_before_anything_is(
    tasks, settings, message, hint, tmp_path, monkeypatch
):
    monkeypatch.setattr(suite.study, "compare", None)
    monkeypatch.setattr(suite, "_seconds", lambda task, config: 1.0)
    with pytest.raises(InputError, match=message) as error:
        api.compare(tasks, **({"optimizers": "sgd"} | settings), out=tmp_path / "suite")
    assert hint is None or hint in error.value.hint
    assert not (tmp_path / "suite").exists()


def test_tasks_of_ones_own_get_folders_that_can_be_written(monkeypatch):
    monkeypatch.setattr(suite, "_seconds", lambda task, config: 1.0)

    def task(name):
        return fallline.Task(data=(np.eye(12), np.arange(12) % 2), name=name, batch_size=2)

    planned = suite.plan(
        suite.members([task("../a b"), task(".."), task("a/b")], _tiny)
    ).document.tasks
    assert [each.name for each in planned] == ["../a b", "..", "a/b"]
    assert [each.folder for each in planned] == ["a-b", "task", "a-b-3"]


def _tiny(task):
    from fallline.planning.config import StudyConfig

    return StudyConfig(("sgd",), 1, task.batch_size, defaults=True)


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Suite:
    path = tmp_path_factory.mktemp("made") / "three"
    made_suite.write(path, THREE)
    return open_suite(path)


def test_a_suite_in_python(made):
    assert made.complete
    assert list(made.studies) == ["first", "second", "third"]
    table = made.table()
    assert table["optimizer"].tolist() == ["sgd", "adam", "rmsprop"]
    assert table["second"].tolist() == pytest.approx([0.42, 0.52, 0.405])
    assert table.attrs["metrics"]["second"] == "rmse"
    assert len(made.figures()) == 9
    assert made.verdict.startswith("no optimizer is shown to be best over these 3 tasks: sgd")
    assert repr(made) == f"Suite({str(made.path)!r}, tasks=['first', 'second', 'third'])"


def test_json_is_one_document_of_the_suite_and_its_studies(made):
    told = json.loads(made.to_json())
    assert told == made.to_dict()
    assert told["table"][0]["wins"] == 4
    assert told["ranks"]["groups"] == [["sgd", "adam", "rmsprop"]]
    lost = [row for row in told["figures"] if row["optimizer"] == "rmsprop"]
    assert [row["epochs_to_target"] for row in lost] == [None] * 3
    assert told["studies"]["second"]["metric"] == "rmse"


def test_the_report_links_to_the_tasks_reports_that_it_writes(made, tmp_path, monkeypatch):
    page = made.report()
    assert page == made.path / "report.html"
    for name in THREE:
        assert (made.path / name / "report.html").is_file()
        assert f'href="{name}/report.html"' in page.read_text("utf-8")
    monkeypatch.setattr(Study, "report", lambda study: study.path / "report.html")
    elsewhere = made.report(tmp_path / "page.html").read_text("utf-8")
    link = re.search(r'<a href="([^"]+)">second', elsewhere)[1]
    assert (tmp_path / link).resolve() == (made.path / "second" / "report.html").resolve()
    with pytest.raises(StudyError, match="cannot write the report"):
        made.report(tmp_path / "missing" / "page.html")


def test_a_task_that_is_not_begun_is_not_finished(tmp_path):
    made_suite.write(tmp_path, {name: THREE[name] for name in THREE}, unfinished=["third"])
    found = open_suite(tmp_path)
    assert found.reading.unfinished == ("third",)
    assert "2 of 3 tasks are measured" in found.verdict
    assert found.warnings[0].startswith("Not finished, and not counted: third.")
