"""Going on from what a folder says of itself, without the command that began it."""

from __future__ import annotations

import html
import shutil
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pandas as pd
import pytest
import typer

import imagined
from fallline import api, models, optimizers
from fallline.cli import ending
from fallline.cli.resume import resume as command
from fallline.data.dataset import make_dataset
from fallline.description import describe
from fallline.engine import arrangement
from fallline.engine.events import Finished
from fallline.errors import StudyError
from fallline.planning.config import StudyConfig
from fallline.planning.protocol import parse
from fallline.planning.stopping import EarlyStopping
from fallline.records import Run
from fallline.report import reproduction_page, suite_page
from fallline.reproduction import Reproduction, open_series
from fallline.results import Study, open_study
from fallline.resuming import configured
from fallline.standings import Suite, open_suite
from fallline.store.folder import StudyFolder
from fallline.store.suite import SuiteFolder
from fallline.task import Task

ASKED: dict[str, Any] = {"seeds": 1, "final_seeds": 2, "epochs": 1, "learning_rates": 3}


@pytest.fixture(scope="module", autouse=True)
def _nothing_is_trained() -> Iterator[None]:
    with imagined.trainings():
        yield


def _stopped(task: Any, folder: Path, **settings: Any) -> Path:
    """A study that was stopped after two runs."""
    with pytest.raises(KeyboardInterrupt):
        api.compare(task, ["sgd"], out=folder, listener=imagined.Stop(2), **{**ASKED, **settings})
    assert not open_study(folder).complete
    return folder


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _stopped("digits-mlp", tmp_path_factory.mktemp("begun") / "study")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    draw = np.random.default_rng(0)
    frame = pd.DataFrame(draw.normal(size=(80, 3)), columns=list("abc"))
    frame["price"] = frame["a"] - frame["b"]
    frame.to_csv(tmp_path / "prices.csv", index=False)
    return tmp_path / "prices.csv"


def _trained(folder: Path) -> list[str]:
    found: list[str] = []

    def listen(event: Any) -> None:
        if isinstance(event, Finished):
            found.append(event.result.run.run_id)

    api.resume(folder, listener=listen)
    return found


def test_a_study_goes_on_to_what_it_was_asked_for(begun: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(begun, tmp_path / "study"))
    before = {result.run.run_id for result in StudyFolder.open(folder).results()}
    document = (folder / "study.toml").read_bytes()
    trained = _trained(folder)
    whole = api.compare("digits-mlp", ["sgd"], out=tmp_path / "whole", **ASKED)
    assert before.isdisjoint(trained)
    assert before | set(trained) == set(whole.runs["run_id"])
    assert open_study(folder).complete
    assert open_study(folder).verdict == whole.verdict
    assert (folder / "study.toml").read_bytes() == document
    assert _trained(folder) == []


def test_the_command_says_that_nothing_is_left(
    begun: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(shutil.copytree(begun, tmp_path / "study"))
    api.resume(folder)
    capsys.readouterr()
    command(str(folder))
    told = capsys.readouterr()
    assert "complete already" in told.err
    assert f"study:  {folder}" in told.out
    assert (folder / "report.html").is_file()


def test_a_table_is_read_again(table: Path, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    folder = _stopped("prices.csv", tmp_path / "study", target="price", kind="regression")
    monkeypatch.chdir("/")
    assert _trained(folder)
    assert open_study(folder).complete


def test_a_table_that_is_gone_or_changed_is_named(table: Path, tmp_path: Path) -> None:
    folder = _stopped(table, tmp_path / "study", target="price")
    text = table.read_text()
    table.write_text(text.replace(text.splitlines()[1], "1.0,2.0,3.0,4.0"))
    with pytest.raises(StudyError, match="another task now") as changed:
        api.resume(folder)
    assert "as it was" in str(changed.value.hint)
    table.unlink()
    with pytest.raises(StudyError, match="is not there") as gone:
        api.resume(folder)
    assert "--target price" in str(gone.value.hint)


def test_a_task_of_ones_own_is_a_program_to_run_again(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(100, 3)).astype(np.float32)
    data = make_dataset(x, (x[:, 0] > 0).astype(int), name="own", validation=20, test=20)
    folder = _stopped(Task(models.MLP(2, (4,)), data, name="own"), tmp_path / "study")
    with pytest.raises(StudyError, match="'own' is not built in") as caught:
        api.resume(folder)
    assert f"out={str(folder)!r}" in str(caught.value.hint)


def test_a_built_in_name_with_another_network_is_no_built_in_task(tmp_path: Path) -> None:
    made = api_task().with_activation("tanh")
    folder = _stopped(made, tmp_path / "study")
    with pytest.raises(StudyError, match="another task now"):
        api.resume(folder)


@cache
def api_task() -> Task:
    from fallline import tasks

    return tasks.get("digits-mlp")


def test_no_study_is_no_study(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="is no study"):
        api.resume(tmp_path)


def test_a_suite_goes_on_with_its_tasks(tmp_path: Path) -> None:
    folder = tmp_path / "suite"
    with pytest.raises(KeyboardInterrupt):
        api.compare(
            ["digits-mlp", "wine-mlp"], ["sgd"], out=folder, listener=imagined.Stop(7), **ASKED
        )
    begun = SuiteFolder.open(folder).study("digits-mlp")
    assert begun is not None
    assert not open_suite(folder).complete
    assert api.resume(folder).complete


def test_a_series_goes_on_by_its_file(tmp_path: Path) -> None:
    file = {
        "name": "rates",
        "title": "Two optimizers",
        "base": {"task": "digits-mlp", "epochs": 1},
        "protocol": {"final_seeds": 2},
        "axes": {"optimizer": {"sgd": {"optimizer": "sgd"}, "adam": {"optimizer": "adam"}}},
        "stages": {"all": {"vary": ["optimizer"]}},
    }
    whole = api.run(file, out=tmp_path / "series")
    assert whole.complete
    assert api.resume(tmp_path / "series").complete


_BUDGET = {"seeds": 1, "final_seeds": 10}


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"learning_rates": 3, "seeds": 2},
        {"learning_rates": (0.01, 0.1), "optimizers": ("sgd",)},
        {"defaults": True, "final_seeds": 4},
        {"protocol": parse("budget 12 tpe"), **_BUDGET},
        {"protocol": parse("budget 9 halving 4"), **_BUDGET},
        {"protocol": parse("time 90s"), **_BUDGET},
        {"protocol": parse("self-tuning"), "optimizers": ("prodigy",), "left_out": ("sgd",)},
        {"stopping": EarlyStopping("train_loss", 0.01, 3), "widen": False},
        {"precision": "bf16", "study_seed": 5},
    ],
)
def test_a_document_says_what_was_asked(settings: dict[str, Any]) -> None:
    given: dict[str, Any] = {"optimizers": ("sgd", "adam"), "epochs": 9, "batch_size": 32}
    asked = StudyConfig(**{**given, **settings})
    chosen = optimizers.resolve(asked.optimizers)
    document = describe(api_task(), chosen, asked)
    assert configured(document) == asked
    if asked.learning_rates != (0.01, 0.1):
        older = replace_given(document)
        assert configured(older) == asked


def replace_given(document: Any) -> Any:
    """The document of a version that did not keep what else was given."""
    import msgspec

    return msgspec.structs.replace(document, given=None)


class Failing(imagined.Imagined):
    """A population whose device reports an error for every run of ``guilty``."""

    guilty = "adam"

    def train(self, runs: Sequence[Run], **settings: Any) -> Iterator[Finished]:
        for run in runs:
            if run.optimizer == self.guilty:
                raise jax.errors.JaxRuntimeError("INTERNAL: the fan has stopped")
            yield from super().train([run])


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Studies in which adam fails, until they are mended; no report is drawn."""
    for kind in (Study, Suite, Reproduction):
        monkeypatch.setattr(kind, "report", lambda found: found.path / "report.html")
    monkeypatch.setattr(arrangement, "population", lambda *given, **more: Failing())
    return monkeypatch


def _mended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrangement, "population", lambda *given, **more: imagined.Imagined())


REASON = "JaxRuntimeError: INTERNAL: the fan has stopped"


def test_what_failed_is_tried_again_and_ends_with_3(
    tmp_path: Path, failing: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "study"
    found = api.compare("digits-mlp", ["sgd", "adam"], out=folder, **ASKED)
    assert found.complete
    assert found.failed == {"adam": REASON}
    with pytest.raises(typer.Exit) as ended:
        command(str(folder), quiet=True)
    assert ended.value.exit_code == 3
    assert "complete already" not in capsys.readouterr().err
    _mended(failing)
    command(str(folder), quiet=True)
    assert not open_study(folder).failed


def test_a_suite_says_what_failed(tmp_path: Path, failing: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "suite"
    found = api.compare(["digits-mlp", "wine-mlp"], ["sgd", "adam"], out=folder, **ASKED)
    assert found.complete
    assert found.failed == {"adam on digits-mlp": REASON, "adam on wine-mlp": REASON}
    told = f"adam on digits-mlp failed, and ranks last there: {REASON}."
    (warning,) = [each for each in found.warnings if told in each]
    assert warning in suite_page.render(found.reading, {})
    with pytest.raises(typer.Exit) as ended:
        ending.end(found)
    assert ended.value.exit_code == 3
    _mended(failing)
    mended = api.resume(folder)
    assert not mended.failed
    ending.end(mended)
    (folder / "wine-mlp" / "parts" / "000001.parquet").write_bytes(b"torn")
    damaged = open_suite(folder)
    assert damaged.problems[0].startswith("wine-mlp: parts/000001.parquet is damaged")
    assert damaged.warnings[0] == damaged.problems[0]


SERIES = {
    "name": "rates",
    "title": "Two optimizers",
    "base": {"task": "digits-mlp", "epochs": 1},
    "protocol": {"final_seeds": 2},
    "axes": {
        "optimizer": {"sgd": {"optimizer": "sgd"}, "adam": {"optimizer": "adam"}},
        "batch": {"32": {"batch_size": 32}, "64": {"batch_size": 64}},
    },
    "stages": {"all": {"vary": ["optimizer"]}},
}


def test_a_series_says_what_failed(
    tmp_path: Path, failing: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "series"
    found = api.run(SERIES, out=folder)
    assert found.complete
    assert len(found.failed) == 2
    assert all(name.startswith("adam on ") for name in found.failed)
    assert set(found.failed.values()) == {REASON}
    next(folder.rglob("000001.parquet")).write_bytes(b"torn")
    damaged = open_series(folder)
    assert "parts/000001.parquet is damaged" in damaged.warnings[0]
    page = reproduction_page.render(damaged.findings, damaged.warnings)
    assert all(html.escape(warning) in page for warning in damaged.warnings)
    with pytest.raises(typer.Exit) as ended:
        command(str(folder), quiet=True)
    assert ended.value.exit_code == 3
    assert f"failed: {REASON}; its runs count as diverged." in capsys.readouterr().out
    _mended(failing)
    command(str(folder), quiet=True)
    again = open_series(folder)
    assert again.complete
    assert not again.warnings
    shutil.rmtree(next(folder.rglob("study.toml")).parent)
    assert "its study is gone" in open_series(folder).warnings[0]


def test_a_study_of_many_that_fails_does_not_end_the_others(
    tmp_path: Path, failing: pytest.MonkeyPatch
) -> None:
    with pytest.raises(StudyError, match=f"digits-mlp: every .*{REASON}; wine-mlp: every") as told:
        api.compare(["digits-mlp", "wine-mlp"], ["adam"], out=tmp_path / "suite", **ASKED)
    assert f"fallline resume {tmp_path / 'suite'}" in (told.value.hint or "")
    apart = {**SERIES, "stages": {"each": {"vary": ["batch"], "base": {"optimizer": "adam"}}}}
    apart["axes"]["batch"]["32"]["optimizer"] = "sgd"
    with pytest.raises(StudyError, match=f"every optimizer failed: adam: {REASON}") as told:
        api.run(apart, out=tmp_path / "series")
    assert f"fallline resume {tmp_path / 'series'}" in (told.value.hint or "")
    stored = open_series(tmp_path / "series")
    assert set(stored.runs["setting"]) == {"32"}, "sgd's is trained"
    assert len(stored.folder.progress.members) == 2, "its two modes"
    _mended(failing)
    assert api.resume(tmp_path / "series").complete


def test_an_older_document_with_an_optimizer_less_says_its_rates() -> None:
    """As they stand there: what they lie around is not known any more."""
    import msgspec

    asked = StudyConfig(optimizers=("sgd", "adam"), epochs=9, batch_size=32, learning_rates=3)
    document = replace_given(describe(api_task(), optimizers.resolve(asked.optimizers), asked))
    sgd = msgspec.structs.replace(document.optimizers["sgd"], defaults={})
    damaged = msgspec.structs.replace(document, optimizers={"sgd": sgd})
    assert configured(damaged).learning_rates == document.protocol.learning_rates["sgd"]
