"""Optimizers and tasks that cannot be trained: who is at fault, why, and that the rest goes on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pandas as pd
import pytest

from fallline import failing, optimizers, study
from fallline.data.dataset import make_dataset
from fallline.engine.calling import Calls, Flight
from fallline.errors import InputError, StudyError
from fallline.optimizers import catalogue
from fallline.planning.config import StudyConfig
from fallline.records import Status
from fallline.results import open_study
from fallline.store.folder import StudyFolder
from fallline.task import Task


class Line(nn.Module):
    @nn.compact
    def __call__(self, x: Any) -> Any:
        return nn.Dense(2)(x)


@jax.custom_vjp
def one_way(x: Any) -> Any:
    return x


def _no_way_back(kept: Any, slope: Any) -> Any:
    raise ValueError("the attic is locked")


one_way.defvjp(lambda x: (x, None), _no_way_back)


class OneWay(nn.Module):
    """A model whose outputs can be had, and whose gradient cannot."""

    @nn.compact
    def __call__(self, x: Any) -> Any:
        return one_way(nn.Dense(2)(x))


def _task(model: Any) -> Task:
    draw = np.random.default_rng(0)
    x = draw.normal(size=(40, 3)).astype(np.float32)
    data = make_dataset(x, (x[:, 0] > 0).astype(int), name="tiny", validation=10, test=10)
    return Task(model, data, name="tiny", epochs=1, batch_size=10)


@pytest.fixture(scope="module")
def task() -> Task:
    return _task(Line())


def _twice(tree: Any) -> Any:
    return jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), tree)


def _raises(grads: Any, state: Any, params: Any = None) -> Any:
    raise RuntimeError("no step today\n\nand a long story why")


UPDATES: dict[str, tuple[Callable[..., Any], str]] = {
    "raising": (_raises, "RuntimeError: no step today"),
    "misshapen": (
        lambda g, s, p=None: (_twice(g), s),
        "its update has shape (2, 2) at ['Dense_0']['bias'], and it must be (2,)",
    ),
    "flat": (
        lambda g, s, p=None: (jax.tree.leaves(g), s),
        "its update has another structure: PyTreeDef([*, *]) instead of PyTreeDef({'Dense_0'",
    ),
    "growing": (
        lambda g, s, p=None: (g, jnp.zeros(2)),
        "its state after a step has shape (2,) at itself, and it must be ()",
    ),
    "counting": (
        lambda g, s, p=None: (g, s.astype(jnp.int32)),
        "its state after a step is int32 at itself, and it must be float32",
    ),
}


def _define(name: str, update: Any) -> None:
    @optimizers.define(name)
    def build(learning_rate: float = 0.1) -> optax.GradientTransformation:
        """An optimizer that fails."""
        return optax.GradientTransformation(lambda params: jnp.zeros(()), update)


@pytest.fixture(autouse=True)
def _own(monkeypatch: pytest.MonkeyPatch) -> None:
    """The optimizers that fail, gone after the test."""
    monkeypatch.setattr(catalogue, "_ENTRIES", dict(catalogue._ENTRIES))
    for name, (update, _) in UPDATES.items():
        _define(name, update)


def _config(*names: str) -> StudyConfig:
    return StudyConfig(
        names, epochs=1, batch_size=10, seeds=1, final_seeds=2, learning_rates=1, widen=False
    )


@pytest.mark.parametrize("name", UPDATES)
def test_what_is_wrong_with_an_optimizer_is_said(task: Task, name: str) -> None:
    assert failing.fault_of(optimizers.get(name), task).startswith(UPDATES[name][1])


@pytest.mark.parametrize("name", ["sgd", "adam", "lbfgs", "schedule_free_adamw", "gd_exact"])
def test_nothing_is_wrong_with_the_catalogues(task: Task, name: str) -> None:
    if name in optimizers.names():
        assert failing.fault_of(optimizers.get(name), task) == ""
    else:
        pytest.fail(f"there is no {name}")


def test_nobodys_fault_stays_what_it_was(task: Task) -> None:
    error = RuntimeError("the machine is on fire")
    with pytest.raises(RuntimeError, match="on fire"):
        failing.at_fault(task, [optimizers.get("sgd")], error)


def test_a_task_at_fault_is_one_error_and_nothing_is_trained(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"'tiny' cannot be trained .* the attic is locked"
    ) as told:
        study.compare(_task(OneWay()), _config("sgd", "adam"), tmp_path / "study")
    assert "(8, 3)" in (told.value.hint or "")
    assert StudyFolder.open(tmp_path / "study").results() == []


def test_where_all_fail_there_is_an_error(task: Task, tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"every optimizer failed: raising: .*; flat: its update"):
        study.compare(task, _config("raising", "flat"), tmp_path / "study")
    assert not StudyFolder.open(tmp_path / "study").complete


@pytest.fixture(scope="module")
def stored(task: Task, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of one optimizer that trains and two that fail."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(catalogue, "_ENTRIES", dict(catalogue._ENTRIES))
        for name in ("raising", "misshapen"):
            if name not in catalogue._ENTRIES:
                _define(name, UPDATES[name][0])
        folder = tmp_path_factory.mktemp("failing") / "study"
        return study.compare(task, _config("raising", "sgd", "misshapen"), folder)


def test_the_others_go_on_and_the_failed_ones_say_why(stored: Path) -> None:
    results = StudyFolder.open(stored).results()
    status = {name: {r.status for r in results if r.run.optimizer == name} for name in UPDATES}
    assert status["raising"] == status["misshapen"] == {Status.FAILED}
    assert {r.status for r in results if r.run.optimizer == "sgd"} == {Status.DONE}
    for name in ("raising", "misshapen"):
        own = [each for each in results if each.run.optimizer == name]
        assert [each.run.phase for each in own] == ["search", "final", "final"]
        assert all(each.reason == UPDATES[name][1] for each in own)
        assert all(each.steps == each.epochs_trained == 0 for each in own)


def test_readers_are_told_who_failed(stored: Path) -> None:
    found = open_study(stored)
    assert found.complete
    assert found.verdict.startswith("use sgd at ")
    assert found.verdict.endswith("; raising and misshapen failed")
    assert "raising failed, and ranks last: RuntimeError: no step today." in found.warnings[0]
    assert not any("diverged" in each for each in found.warnings)
    assert found.table()["optimizer"].tolist()[0] == "sgd"
    assert found.table().set_index("optimizer")["relation"].to_dict() == {
        "sgd": "best",
        "raising": "failed",
        "misshapen": "failed",
    }
    assert "no step today" in found.report().read_text(encoding="utf-8")
    assert "no step today" in found.to_json()


def test_the_exit_code_says_that_something_failed(stored: Path, monkeypatch) -> None:
    import typer
    from click.testing import CliRunner

    from fallline import api
    from fallline.cli.app import app

    monkeypatch.setattr(api, "compare", lambda *args, **options: open_study(stored))
    told = CliRunner().invoke(typer.main.get_command(app), ["compare", "tiny", "--quiet"])
    assert told.exit_code == 3, told.output
    assert "raising and misshapen failed" in told.output


def test_going_on_tries_the_failed_ones_again(
    task: Task, stored: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = []
    monkeypatch.setattr(study._Work, "run", lambda work: begun.append(work))
    study.compare(task, _config("raising", "sgd", "misshapen"), stored)
    assert len(begun) == 1
    monkeypatch.setattr(StudyFolder, "failed", {})
    study.compare(task, _config("raising", "sgd", "misshapen"), stored)
    assert len(begun) == 1


def _calls_back(x: Any) -> Any:
    raise ValueError("the bridge is out")


def _define_calling() -> None:
    @optimizers.define("calling")
    def build(learning_rate: float = 0.1) -> optax.GradientTransformation:
        """An optimizer that fails when it is run, and not when it is looked at."""

        def update(grads: Any, state: Any, params: Any = None) -> Any:
            shape = jax.ShapeDtypeStruct((), jnp.float32)
            asked = jax.pure_callback(_calls_back, shape, state, vmap_method="sequential")
            return jax.tree.map(lambda leaf: -learning_rate * leaf + asked, grads), state

        return optax.GradientTransformation(lambda params: jnp.zeros(()), update)


def test_who_raises_while_it_runs_fails_alone(
    task: Task, stored: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _define_calling()
    folder = study.compare(task, _config("calling", "sgd"), tmp_path / "study")
    runs = open_study(folder).runs.set_index("run_id").sort_index()
    failed = runs[runs["optimizer"] == "calling"]
    assert set(failed["status"]) == {"failed"}
    assert set(failed["reason"]) == {"ValueError: the bridge is out (raised in a callback)"}
    assert open_study(folder).complete
    own, alone = (
        table[table["optimizer"] == "sgd"].drop(columns="optimizer")
        for table in (runs, open_study(stored).runs.set_index("run_id").sort_index())
    )
    pd.testing.assert_frame_equal(own, alone, check_exact=True)
    assert "each is trained apart now" in caplog.text


def test_a_device_that_fails_once_changes_no_figure(
    task: Task, stored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    landed, land = [], Calls.land

    def once(calls: Calls, flight: Flight) -> None:
        landed.append(flight)
        if len(landed) == 2:
            raise jax.errors.JaxRuntimeError("INTERNAL: the fan has stopped")
        land(calls, flight)

    monkeypatch.setattr(Calls, "land", once)
    folder = study.compare(task, _config("sgd"), tmp_path / "study")
    own = open_study(folder).runs.set_index("run_id").sort_index()
    alone = open_study(stored).runs.set_index("run_id").sort_index()
    pd.testing.assert_frame_equal(own, alone[alone["optimizer"] == "sgd"], check_exact=True)
    assert len(landed) > 2
