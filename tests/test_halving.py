"""Budgets with successive halving, from what is asked to what is stored and read: trained."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fallline import models, snapshots, study
from fallline.analysis.reading import read
from fallline.data.dataset import make_dataset
from fallline.engine.events import Advanced, Finished, Paused
from fallline.planning.config import StudyConfig
from fallline.planning.protocol import parse
from fallline.report import search_words
from fallline.store import states
from fallline.store.folder import StudyFolder
from fallline.task import Task

OPTIMIZERS = ("sgd", "adam")
RULE = "budget 8 halving 2"
CURVES = ["train_loss", "train_metric", "validation_loss", "validation_metric"]
COLUMNS = [
    *("hyperparameters", "seed", "status", "steps", "epochs_trained", "last_finite_loss"),
    *("test_loss", "test_metric", *CURVES),
]


def _task() -> Task:
    draw = np.random.default_rng(0)
    x = draw.normal(size=(200, 5)).astype(np.float32)
    y = (x @ draw.normal(size=(5, 3)) + 0.3 * draw.normal(size=(200, 3))).argmax(axis=1)
    data = make_dataset(x, y, name="blobs", validation=50, test=50)
    return Task(models.MLP(3, (8,)), data, name="blobs", epochs=4, batch_size=25)


def _config(rule: str, *names: str) -> StudyConfig:
    return StudyConfig(
        names or OPTIMIZERS, 4, 25, seeds=1, final_seeds=2, protocol=parse(rule), study_seed=0
    )


def _runs(folder: Path) -> pd.DataFrame:
    return StudyFolder.open(folder).runs().set_index("run_id").sort_index()


@pytest.fixture(scope="module")
def halved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight trials of two optimizers, halved after epochs 1 and 2 of 4."""
    folder = tmp_path_factory.mktemp("halved") / "whole"
    return study.compare(_task(), _config(RULE), folder)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same trials, all of them trained to the end."""
    return study.compare(_task(), _config("budget 8"), tmp_path_factory.mktemp("plain") / "whole")


def test_half_of_the_trials_stop_at_each_rung(halved: Path) -> None:
    runs = _runs(halved)
    for name in OPTIMIZERS:
        own = runs[(runs["optimizer"] == name) & (runs["phase"] == "search")]
        first = own[own["seed"] == 0]
        assert sorted(first["epochs_trained"]) == [1, 1, 1, 1, 2, 2, 4, 4]
        out = first["epochs_trained"] < 4
        assert set(first[~out]["status"]) == {"done"}
        assert set(first[out]["status"]) <= {"stopped at a rung", "diverged"}
        assert sorted(own["seed"]) == [0] * 8 + [1, 2], "the better of two is confirmed"
        assert set(own["epochs"]) == {4}, "a run is what it would have been"
        whole = first[first["status"] != "diverged"]
        assert list(whole["steps"]) == [each * 4 for each in whole["epochs_trained"]]
        assert own["test_metric"].isna().all()
    timing = StudyFolder.open(halved).timing
    assert timing is not None
    assert timing.state_bytes["sgd"] < 16 < timing.state_bytes["adam"]
    assert not list(halved.glob("*.safetensors"))
    assert not (halved / states.WAITING_FOLDER).exists()


def test_from_rung_to_rung_a_run_is_what_it_is_in_one_piece(halved: Path, plain: Path) -> None:
    ours, theirs = _runs(halved), _runs(plain)
    shared = ours[ours["phase"] == "search"].index.intersection(theirs.index)
    assert len(shared) >= 16
    for run_id in shared:
        trained = ours.loc[run_id, "epochs_trained"]
        for name in CURVES:
            np.testing.assert_array_equal(
                ours.loc[run_id, name], theirs.loc[run_id, name][:trained]
            )


def test_the_rung_is_the_better_half(halved: Path) -> None:
    runs = _runs(halved)
    runs = runs[(runs["phase"] == "search") & (runs["seed"] == 0)]
    for name in OPTIMIZERS:
        own = runs[runs["optimizer"] == name]
        for rung in (1, 2):
            there = own[own["epochs_trained"] >= rung]
            figures = there["validation_metric"].map(lambda curve, at=rung - 1: curve[at])
            out = there["epochs_trained"] == rung
            assert figures[out].max() <= figures[~out].min()


def test_the_order_of_the_optimizers_changes_no_figure(halved: Path, tmp_path: Path) -> None:
    turned = study.compare(_task(), _config(RULE, "adam", "sgd"), tmp_path / "t")
    pd.testing.assert_frame_equal(_runs(turned)[COLUMNS], _runs(halved)[COLUMNS], check_exact=True)


class Killed(BaseException):
    """The process is gone: nothing is written after it."""


def _killed(folder: Path, kind: type, after: int, *, hasty: bool) -> None:
    """A study that ends when so many events of a kind have come.

    ``hasty``: states are written as often as can be; else no run is long enough to be kept.
    """
    left = after
    with pytest.MonkeyPatch.context() as patch:

        def stop(event: study.Event) -> None:
            nonlocal left
            left -= isinstance(event, kind)
            if left < 0:
                patch.setattr(snapshots.Snapshots, "keep", lambda *given: None)
                patch.setattr(snapshots.Snapshots, "write_waiting", lambda *given: None)
                patch.setattr(StudyFolder, "append", lambda *given: None)
                raise Killed

        if hasty:
            patch.setattr(snapshots, "SNAPSHOT_SECONDS", 0.0)
            patch.setattr(snapshots, "MOST_SHARE", 1e9)
        with pytest.raises(Killed):
            study.compare(_task(), _config(RULE), folder, listener=stop)
    assert not StudyFolder.open(folder).complete


@pytest.mark.parametrize(
    ("kind", "after", "hasty"),
    [(Paused, 3, True), (Finished, 4, False), (Finished, 9, True)],
)
def test_a_killed_study_goes_on_to_the_same_end(
    halved: Path, tmp_path: Path, kind: type, after: int, hasty: bool
) -> None:
    folder = tmp_path / "study"
    _killed(folder, kind, after, hasty=hasty)
    waited = {run for path in states.waiting(folder) for run in states.load_file(path)}
    stored = {result.run.run_id for result in StudyFolder.open(folder).results()}
    assert waited - stored
    trained: set[str] = set()
    paused: dict[str, int] = {}

    def listen(event: study.Event) -> None:
        if isinstance(event, Paused) and event.result.run.run_id not in trained:
            paused.setdefault(event.result.run.run_id, event.result.epochs_trained)
        if isinstance(event, Advanced):
            trained.update(run.run_id for run in event.runs)

    study.compare(_task(), _config(RULE), folder, listener=listen)
    pd.testing.assert_frame_equal(_runs(folder)[COLUMNS], _runs(halved)[COLUMNS], check_exact=True)
    assert waited - stored <= paused.keys(), "what waited on the disk waits without training"
    assert not stored & trained


def test_the_reading_knows_what_stopped(halved: Path) -> None:
    folder = StudyFolder.open(halved)
    known = read(folder.runs(), folder.document, timing=folder.timing)
    assert list(known.summary["runs"]) == [8 + 2 + 2] * 2
    stopped = known.runs[known.runs["stopped"]]
    for _, row in stopped.iterrows():
        assert row["last_metric"] == row["validation_metric"][-1]
    final = known.runs[known.runs["phase"] == "final"]
    chosen = set(zip(final["optimizer"], final["hyperparameters"], strict=True))
    assert not chosen & set(zip(stopped["optimizer"], stopped["hyperparameters"], strict=True))
    text = search_words.search(known)
    assert "after epochs 1 and 2 only the best half of an optimizer's trials went on" in text
    first, second = ((stopped["epochs_trained"] == epoch).sum() for epoch in (1, 2))
    assert first + second > 8
    saved = 3 * first + 2 * second
    assert (
        f"Of 16 trials {first} at epoch 1 and {second} at epoch 2 were stopped, which saved "
        f"{saved} of 64 epochs ({saved / 64:.0%})." in text
    )


def test_an_unfinished_search_is_read_by_what_trained_to_the_end(halved: Path) -> None:
    folder = StudyFolder.open(halved)
    runs = folder.runs()
    known = read(
        runs[(runs["phase"] == "search") & (runs["seed"] == 0)], folder.document, complete=False
    )
    best = known.summary.set_index("optimizer")["hyperparameters"].to_dict()
    ended = runs[(runs["status"] == "done") & (runs["seed"] == 0)]
    for name in OPTIMIZERS:
        settings = ended[ended["optimizer"] == name]["hyperparameters"]
        assert best[name] in [json.loads(text) for text in settings]
