"""Studies by their protocols, from what is asked to what is stored: small, but trained."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import fallline
from fallline import models, study
from fallline.analysis.reading import read
from fallline.data.dataset import make_dataset
from fallline.engine.events import Advanced, Finished
from fallline.errors import InputError, StudyError
from fallline.planning import coordinates
from fallline.planning.config import StudyConfig
from fallline.planning.protocol import parse
from fallline.store import clock
from fallline.store.folder import StudyFolder
from fallline.task import Task

OPTIMIZERS = ("sgd", "adam")
COLUMNS = ["hyperparameters", "seed", "validation_metric", "test_metric", "status"]


def _task() -> Task:
    draw = np.random.default_rng(0)
    x = draw.normal(size=(200, 5)).astype(np.float32)
    y = (x @ draw.normal(size=(5, 3)) + 0.3 * draw.normal(size=(200, 3))).argmax(axis=1)
    data = make_dataset(x, y, name="blobs", validation=50, test=50)
    return Task(models.MLP(3, (8,)), data, name="blobs", epochs=4, batch_size=25)


def _config(rule: str, *names: str, **settings) -> StudyConfig:
    asked = {"epochs": 4, "batch_size": 25, "seeds": 1, "final_seeds": 3}
    return StudyConfig(names or OPTIMIZERS, protocol=parse(rule), **{**asked, **settings})


def _runs(folder: Path) -> pd.DataFrame:
    return StudyFolder.open(folder).runs().set_index("run_id").sort_index()


@pytest.fixture(scope="module")
def budget(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eleven trials of two optimizers; two of each are confirmed."""
    folder = tmp_path_factory.mktemp("budget") / "whole"
    return study.compare(_task(), _config("budget 11"), folder)


def test_a_budget_is_equal_and_its_winner_is_measured_on_fresh_seeds(budget: Path) -> None:
    runs = _runs(budget)
    for name in OPTIMIZERS:
        own = runs[runs["optimizer"] == name]
        search, final = (own[own["phase"] == phase] for phase in ("search", "final"))
        seeds = search.groupby("hyperparameters")["seed"].apply(lambda of: tuple(sorted(of)))
        assert len(seeds) == 11
        assert sorted(map(len, seeds)) == [1] * 9 + [3] * 2
        assert set(final["seed"]) == {1000, 1001, 1002}
        (chosen,) = final["hyperparameters"].unique()
        assert seeds[chosen] == (0, 1, 2), "the winner is one of those that were confirmed"
        last = search["validation_metric"].map(lambda curve: curve[-1])
        means = last.groupby(search["hyperparameters"]).mean()
        confirmed = means[seeds.map(len) == 3]
        assert means[chosen] == pytest.approx(confirmed.max())
        assert search["test_metric"].isna().all()


def test_the_document_says_all_of_the_protocol(budget: Path) -> None:
    folder = StudyFolder.open(budget)
    protocol = folder.document.protocol
    assert (protocol.rule, protocol.searched) == ("budget 11", True)
    assert (protocol.search_seeds, protocol.confirm_seeds) == ((0,), (0, 1, 2))
    shared = [tuple(map(float, point.split())) for point in protocol.points]
    assert tuple(shared) == coordinates.points(10, 0)
    tried = folder.runs()
    for name in OPTIMIZERS:
        # What the document holds is enough to say where a trial lies.
        rate = protocol.dimensions[name][0]
        assert rate.name == "learning_rate"
        own = tried[(tried["optimizer"] == name) & (tried["phase"] == "search")]
        for point in shared[:6]:
            assert rate.value(point[0], None) in set(own["learning_rate"])
    timing = folder.timing
    assert timing is not None
    assert set(timing.phases) >= {"prepare", "search", "confirming", "final", "timing"}


@pytest.mark.parametrize(("kind", "after"), [(Finished, 5), (Finished, 23), (Advanced, 2)])
def test_an_interrupted_budget_goes_on_to_the_same_study(
    budget: Path, tmp_path: Path, kind: type, after: int
) -> None:
    left = after

    def stop(event: study.Event) -> None:
        nonlocal left
        left -= isinstance(event, kind)
        if left < 0:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        study.compare(_task(), _config("budget 11"), tmp_path / "study", listener=stop)
    assert not StudyFolder.open(tmp_path / "study").complete
    study.compare(_task(), _config("budget 11"), tmp_path / "study")
    pd.testing.assert_frame_equal(
        _runs(tmp_path / "study")[COLUMNS], _runs(budget)[COLUMNS], check_exact=True
    )


def test_the_order_of_the_optimizers_changes_no_figure(budget: Path, tmp_path: Path) -> None:
    turned = study.compare(_task(), _config("budget 11", "adam", "sgd"), tmp_path / "turned")
    pd.testing.assert_frame_equal(_runs(turned)[COLUMNS], _runs(budget)[COLUMNS])


def test_another_protocol_is_refused_with_the_difference(budget: Path) -> None:
    with pytest.raises(StudyError, match="rule: budget 11 there, budget 12 asked"):
        study.compare(_task(), _config("budget 12"), budget)
    with pytest.raises(StudyError, match="rule: budget 11 there,  asked"):
        study.compare(_task(), _config("grid"), budget)


def test_the_reading_of_a_budget(budget: Path) -> None:
    folder = StudyFolder.open(budget)
    known = read(folder.runs(), folder.document, timing=folder.timing)
    assert list(known.summary["seeds"]) == [3, 3]
    assert list(known.summary["runs"]) == [11 + 2 * 2 + 3] * 2
    defaults = folder.document.optimizers["adam"].defaults
    others = known.runs[known.runs["optimizer"] == "adam"]["hyperparameters"]
    assert any(f'"beta_1": {defaults["beta_1"]}' not in text for text in others)
    # Figures over the learning rate are of trials that differ in nothing else.
    assert len(known.sensitivity[known.sensitivity["optimizer"] == "adam"]) < 11
    assert len(known.sensitivity[known.sensitivity["optimizer"] == "sgd"]) == 11


def test_an_unfinished_search_is_read_by_its_best_trial(budget: Path) -> None:
    folder = StudyFolder.open(budget)
    runs = folder.runs()
    searched = runs[(runs["phase"] == "search") & (runs["seed"] == 0)]
    known = read(searched, folder.document, complete=False)
    assert list(known.summary["measured_on"]) == ["search"] * 2
    last = searched["validation_metric"].map(lambda curve: curve[-1])
    assert known.summary["validation_metric"].max() == pytest.approx(last.max())


def test_time_is_kept_to_and_stored(tmp_path: Path) -> None:
    asked = _config("time 0.3s", "sgd", "gd_exact")
    folder = StudyFolder.open(study.compare(_task(), asked, tmp_path / "time"))
    runs, timing = folder.runs(), folder.timing
    assert timing is not None
    assert set(timing.searched) == {"sgd", "gd_exact"}
    assert not (folder.path / clock.CLOCK_FILE).exists()
    search = runs[runs["phase"] == "search"]
    assert search[search["optimizer"] == "gd_exact"]["seed"].tolist() == [0]
    own = search[search["optimizer"] == "sgd"]
    assert 1 <= own["hyperparameters"].nunique() <= 256
    assert own["learning_rate"].iloc[0] == 0.01
    assert folder.document.protocol.rule == "time 0.3 s"
    assert len(runs[runs["phase"] == "final"]) == 6


def test_an_interrupted_time_keeps_its_clock(tmp_path: Path) -> None:
    asked = _config("time 60s", "sgd")
    finished = 0

    def stop(event: study.Event) -> None:
        nonlocal finished
        finished += isinstance(event, Finished)
        if finished > 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        study.compare(_task(), asked, tmp_path / "study", listener=stop)
    kept = clock.load(tmp_path / "study")
    assert 0 < kept.spent["sgd"] < 60
    assert kept.over == ()
    before = set(_runs(tmp_path / "study").index)
    # The rest of its time is taken away, so that it ends at once, with the trials that it had.
    clock.save(tmp_path / "study", clock.Clock({"sgd": 60.0}, kept.rounds))
    study.compare(_task(), asked, tmp_path / "study")
    runs = _runs(tmp_path / "study")
    assert before <= set(runs.index)
    new = runs.drop(index=list(before))
    assert set(new[new["phase"] == "search"]["seed"]) <= {1, 2}, "a trial was added"
    assert len(new[new["phase"] == "final"]) == 3
    timing = StudyFolder.open(tmp_path / "study").timing
    assert timing is not None
    assert timing.searched["sgd"] >= 60.0


def test_figures_of_merit_of_a_small_budget_on_digits(tmp_path: Path) -> None:
    found = fallline.compare(
        "digits-mlp",
        ["sgd", "adam"],
        protocol="budget 4",
        final_seeds=2,
        epochs=4,
        out=tmp_path / "digits",
    )
    assert found.document.protocol.rule == "budget 4"
    assert len(found.runs) == 2 * (4 + 2 + 2)
    assert found.best.test_metric > 0.9
    table = found.table().set_index("optimizer")
    # SGD's default is far too small for 4 epochs; its budget finds a rate that is not.
    assert table.loc["sgd", "learning_rate"] > 0.05
    assert table.loc["sgd", "test_metric"] > 0.85


def test_self_tuning_leaves_out_who_needs_a_learning_rate(tmp_path: Path) -> None:
    found = fallline.compare(
        _task(),
        ["adam", "cocob", "sgd+mechanic"],
        protocol="self-tuning",
        final_seeds=1,
        out=tmp_path / "own",
    )
    protocol = found.document.protocol
    assert protocol.optimizers == ("cocob", "sgd+mechanic")
    assert protocol.left_out == ("adam",)
    assert set(found.runs["phase"]) == {"final"}
    with pytest.raises(InputError, match="not adam") as caught:
        fallline.compare(_task(), ["adam"], protocol="self-tuning", out=tmp_path / "none")
    assert "cocob" in (caught.value.hint or "")
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"protocol": "buget 15"}, "unknown protocol 'buget 15'"),
        ({"protocol": "budget 15", "defaults": True}, "--defaults searches nothing"),
        ({"protocol": "budget 15", "learning_rates": [0.1]}, "takes no --learning-rates"),
        ({"protocol": "self-tuning", "learning_rates": 3}, "takes no --learning-rates"),
    ],
)
def test_what_contradicts_itself_is_refused(tmp_path: Path, settings: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        fallline.compare(_task(), ["cocob"], out=tmp_path / "never", **settings)
    assert not (tmp_path / "never").exists()
