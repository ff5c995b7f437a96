"""A study that is asked for more: what is stored stays, figures are those of all at once."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import imagined
from fallline import models, optimizers, study
from fallline.data.dataset import make_dataset
from fallline.description import describe
from fallline.engine.events import Finished
from fallline.errors import StudyError
from fallline.planning.config import StudyConfig
from fallline.planning.protocol import parse
from fallline.results import open_study
from fallline.store.folder import StudyFolder
from fallline.task import Task

TIMES = ("seconds", "time", "memory", "bytes")
"""Of a table's columns, what is measured with a clock or of the machine."""


@pytest.fixture(scope="module", autouse=True)
def _nothing_is_trained() -> Iterator[None]:
    with imagined.trainings():
        yield


def _task() -> Task:
    draw = np.random.default_rng(0)
    x = draw.normal(size=(120, 5)).astype(np.float32)
    y = (x @ draw.normal(size=(5, 3)) + 0.5 * draw.normal(size=(120, 3))).argmax(axis=1)
    data = make_dataset(x, y, name="blobs", validation=40, test=40)
    return Task(models.MLP(3, (4,)), data, name="blobs", epochs=2, batch_size=20)


def _config(**settings) -> StudyConfig:
    asked: dict[str, Any] = {"optimizers": ("sgd",), "seeds": 1, "final_seeds": 2}
    asked |= {"epochs": 2, "batch_size": 20, "learning_rates": 3}
    return StudyConfig(**{**asked, **settings})


WIDER: dict[str, dict[str, Any]] = {
    "fresh seeds": {"final_seeds": 3},
    "search seeds": {"seeds": 3},
    "optimizers": {"optimizers": ("adam", "sgd")},
    "epochs": {"epochs": 3},
    "everything": {"seeds": 2, "final_seeds": 3, "optimizers": ("adam", "sgd"), "epochs": 3},
}
"""What else is asked of the study of `_config`."""


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return study.compare(_task(), _config(), tmp_path_factory.mktemp("narrow") / "study")


@pytest.fixture
def begun(narrow: Path, tmp_path: Path) -> Path:
    """A copy of the narrow study, to be extended."""
    return Path(shutil.copytree(narrow, tmp_path / "study"))


def _table(folder: Path) -> pd.DataFrame:
    table = open_study(folder).table()
    timed = [name for name in table if any(word in str(name) for word in TIMES)]
    return table.drop(columns=timed)


def _counted(folder: Path) -> pd.DataFrame:
    return open_study(folder).runs.set_index("run_id").sort_index()


def _trained(folder: Path, config: StudyConfig) -> list[str]:
    """Extend the study, and say which runs were trained for it."""
    found: list[str] = []

    def listen(event: study.Event) -> None:
        if isinstance(event, Finished):
            found.append(event.result.run.run_id)

    study.compare(_task(), config, folder, listener=listen)
    return found


@pytest.mark.parametrize("more", WIDER)
def test_an_extended_study_is_the_one_that_asked_for_all_at_once(
    begun: Path, tmp_path: Path, more: str
) -> None:
    stored = set(_counted(begun).index)
    trained = _trained(begun, _config(**WIDER[more]))
    whole = study.compare(_task(), _config(**WIDER[more]), tmp_path / "at once")
    assert len(trained) == len(set(trained)) > 0
    assert not stored & set(trained), "a stored run was trained again"
    pd.testing.assert_frame_equal(_counted(begun), _counted(whole), check_exact=True)
    pd.testing.assert_frame_equal(_table(begun), _table(whole), check_exact=True)
    extended, once = open_study(begun), open_study(whole)
    assert extended.complete
    assert extended.verdict == once.verdict
    assert extended.document.protocol == once.document.protocol
    everything = {result.run.run_id for result in StudyFolder.open(begun).results()}
    assert stored <= everything, "a stored run was lost"


def test_other_settings_are_chosen_by_further_seeds(narrow: Path, begun: Path) -> None:
    """Without this the tests above would not show that runs of before are left out."""
    _trained(begun, _config(**WIDER["everything"]))
    before, after = (open_study(path) for path in (narrow, begun))
    first, second = (
        set(own.runs[(own.runs["phase"] == "final") & (own.runs["optimizer"] == "sgd")]["seed"])
        for own in (before, after)
    )
    assert first < second
    assert len(StudyFolder.open(begun).results()) > len(after.runs)
    assert set(before.runs["run_id"]).isdisjoint(after.runs["run_id"])  # of other epochs


@pytest.mark.parametrize(
    ("rule", "more"),
    [
        ("budget 5", {"seeds": 2, "optimizers": ("adam", "sgd")}),
        ("budget 11 tpe", {"final_seeds": 4}),
        ("defaults", {"final_seeds": 4}),
    ],
)
def test_other_protocols_are_extended_alike(
    tmp_path: Path, rule: str, more: dict[str, Any]
) -> None:
    asked: dict[str, Any] = {"protocol": parse(rule), "learning_rates": 7}
    study.compare(_task(), _config(**asked), tmp_path / "study")
    study.compare(_task(), _config(**asked, **more), tmp_path / "study")
    study.compare(_task(), _config(**asked, **more), tmp_path / "at once")
    extended, whole = tmp_path / "study", tmp_path / "at once"
    pd.testing.assert_frame_equal(_counted(extended), _counted(whole), check_exact=True)
    pd.testing.assert_frame_equal(_table(extended), _table(whole), check_exact=True)


@pytest.mark.parametrize("after", [3, 9])
def test_an_end_in_the_middle_of_extending_loses_nothing(
    begun: Path, tmp_path: Path, after: int
) -> None:
    wider = _config(**WIDER["search seeds"])
    stored = set(_counted(begun).index)
    with pytest.raises(KeyboardInterrupt):
        study.compare(_task(), wider, begun, listener=imagined.Stop(after))
    half = open_study(begun)
    assert not half.complete
    assert "not finished" in half.verdict
    assert stored <= {result.run.run_id for result in StudyFolder.open(begun).results()}
    if after < 6:
        # Some trial lacks a seed, so nothing is chosen yet: figures of the old choice are none.
        assert set(half.runs["phase"]) == {"search"}
    assert not stored & set(_trained(begun, wider))
    whole = study.compare(_task(), wider, tmp_path / "at once")
    pd.testing.assert_frame_equal(_counted(begun), _counted(whole), check_exact=True)
    pd.testing.assert_frame_equal(_table(begun), _table(whole), check_exact=True)


def test_the_history_says_what_it_was(begun: Path) -> None:
    created = open_study(begun).document.created
    study.compare(_task(), _config(final_seeds=3), begun)
    study.compare(_task(), _config(final_seeds=3, epochs=3), begun)
    document = open_study(begun).document
    assert document.created == created
    first, second = document.history
    assert first.protocol == {"final_seeds": [1000, 1001]}
    assert second.protocol == {"epochs": 2}
    assert not first.versions
    assert (begun / "timing-1.toml").is_file()
    assert (begun / "timing-2.toml").is_file()


def test_the_same_again_trains_and_writes_nothing(begun: Path) -> None:
    both = _config(optimizers=("sgd", "adam"))
    assert _trained(begun, both)
    before = (begun / "study.toml").read_bytes()
    assert _trained(begun, replace(both, optimizers=("adam", "sgd"))) == []
    assert (begun / "study.toml").read_bytes() == before


def test_a_kill_before_the_wider_document_is_no_loss(begun: Path) -> None:
    (begun / "timing.toml").rename(begun / "timing-1.toml")
    assert not open_study(begun).complete
    assert _trained(begun, _config()) == []
    assert open_study(begun).complete
    assert not (begun / "timing-1.toml").exists()


@pytest.mark.parametrize(
    ("less", "said", "hint"),
    [
        ({"final_seeds": 1}, "final_seeds: (1000, 1001) there, (1000,) asked", "2 fresh seeds"),
        ({"epochs": 1}, "epochs: 2 there, 1 asked", "at least 2 epochs"),
        ({"optimizers": ("adam",)}, "optimizers: ('sgd',) there", "ask for sgd too"),
        ({"optimizers": ("adam",), "epochs": 3}, "optimizers: ('sgd',) there", "ask for sgd too"),
    ],
)
def test_less_is_refused_with_what_to_ask_for(
    begun: Path, less: dict[str, Any], said: str, hint: str
) -> None:
    before = (begun / "study.toml").read_bytes()
    with pytest.raises(StudyError, match="holds more than is asked") as caught:
        study.compare(_task(), _config(**less), begun)
    assert said in str(caught.value)
    assert hint in str(caught.value.hint)
    assert (begun / "study.toml").read_bytes() == before
    assert open_study(begun).complete


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"batch_size": 10}, "batch_size: 20 there, 10 asked"),
        ({"precision": "bf16"}, "precision: float32 there, bf16 asked"),
        ({"learning_rates": 5}, "learning_rates"),
        ({"batch_size": 10, "final_seeds": 5}, "final_seeds: (1000, 1001) there"),
    ],
)
def test_a_contradiction_is_refused_with_the_difference(
    begun: Path, other: dict[str, Any], said: str
) -> None:
    with pytest.raises(StudyError, match="holds another study") as caught:
        study.compare(_task(), _config(**other), begun)
    assert said in str(caught.value)
    assert open_study(begun).complete


def test_what_a_halving_decided_is_not_decided_anew(tmp_path: Path) -> None:
    asked: dict[str, Any] = {"protocol": parse("budget 4 halving"), "learning_rates": 7}
    folder = tmp_path / "study"
    document = describe(_task(), optimizers.resolve("sgd"), _config(**asked, epochs=3))
    StudyFolder.begin(folder, document).close()
    with pytest.raises(StudyError, match="takes no further seeds"):
        study.compare(_task(), _config(**asked, epochs=3, seeds=2), folder)


def test_what_a_time_allowed_is_not_extended(tmp_path: Path) -> None:
    asked: dict[str, Any] = {"protocol": parse("time 5s"), "learning_rates": 7}
    folder = tmp_path / "study"
    document = describe(_task(), optimizers.resolve("sgd"), _config(**asked))
    StudyFolder.begin(folder, document).close()
    with pytest.raises(StudyError, match="cannot be extended"):
        study.compare(_task(), _config(**asked, final_seeds=4), folder)
