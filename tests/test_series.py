"""A series of studies: what is trained, what is chosen, what is stored, and how it goes on."""

from __future__ import annotations

import json
import re
import shutil

import numpy as np
import pytest
from typer.testing import CliRunner

import fallline
import imagined
from fallline import api, series
from fallline.cli.app import app
from fallline.cli.series import reproduce
from fallline.errors import DataError, InputError, StudyError
from fallline.planning import studyfile
from fallline.report import reproduction_page
from fallline.store.series import SeriesFolder

FILE = {
    "name": "small",
    "title": "A small series",
    "base": {"task": "digits-mlp", "epochs": 2, "data": {"rows": 400}, "batch_size": 100},
    "protocol": {"final_seeds": 2, "learning_rates": [0.01, 0.1], "tuned": False},
    "axes": {
        "width": {"4": {"model": {"hidden": [4]}}, "16": {"model": {"hidden": [16]}}},
        "optimizer": {
            "slow": {"optimizer": "sgd(learning_rate=0.0001)"},
            "fast": {"optimizer": "adam(learning_rate=0.01)"},
        },
    },
    "stages": {
        "optimizer": {
            "vary": ["optimizer"],
            "fixed": {"width": "16"},
            "choose": "validation_accuracy",
            "protocol": {"tuned": True},
        },
        "width": {"vary": ["width"]},
    },
    "published": [
        {"stage": "optimizer", "where": {"optimizer": "fast"}, "figures": {"test_accuracy": 0.5}},
        {
            "stage": "optimizer",
            "where": {"optimizer": "fast"},
            "epoch": 1,
            "figures": {"train_loss": 2.0},
        },
    ],
    "claims": [
        {
            "stage": "optimizer",
            "text": "fast is better",
            "better": {"optimizer": "fast"},
            "figure": "validation_loss",
        }
    ],
}


def finished(told):
    """The runs that a listener was told of."""
    events = [event.event for event in told if isinstance(event, series.MemberTold)]
    return [event for event in events if type(event).__name__ == "Finished"]


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return api.run(FILE, out=tmp_path_factory.mktemp("series") / "small")


def test_every_setting_is_measured_on_every_seed(found):
    runs = found.runs
    counted = runs.groupby(["stage", "mode", "setting"], sort=False).size().to_dict()
    assert counted == {
        ("optimizer", "untuned", "slow"): 2,
        ("optimizer", "untuned", "fast"): 2,
        ("optimizer", "tuned", "slow"): 2,
        ("optimizer", "tuned", "fast"): 2,
        ("width", "untuned", "4"): 2,
        ("width", "untuned", "16"): 2,
    }
    assert found.complete


def test_the_best_setting_of_a_stage_is_kept(found):
    assert found.folder.progress.chosen == {"optimizer": {"optimizer": "fast"}}
    widths = found.runs[found.runs["stage"] == "width"]
    rates = {json.loads(text)["learning_rate"] for text in widths["hyperparameters"]}
    assert rates == {0.01}


def test_a_setting_is_what_a_training_of_it_is(found):
    own = found.runs[(found.runs["stage"] == "width") & (found.runs["setting"] == "16")].iloc[0]
    task = fallline.tasks.varied(
        "digits-mlp", model={"hidden": [16]}, data={"rows": 400}, epochs=2, batch_size=100
    )
    alone = fallline.train(task, "adam", learning_rate=0.01, seed=int(own["seed"]))
    history = alone.history
    np.testing.assert_allclose(own["train_loss_curve"], history["train_loss"], rtol=1e-5)
    assert own["test_loss"] == pytest.approx(alone.evaluate("test")["loss"], rel=1e-5)


def test_what_two_stages_share_is_trained_once(found):
    counted = found.runs.groupby(["study", "run"]).size()
    assert sorted(counted) == [1] * 8 + [2] * 2
    shared = found.runs[found.runs.duplicated(["study", "run"], keep=False)]
    assert set(shared["stage"]) == {"optimizer", "width"}
    assert set(shared["setting"]) == {"fast", "16"}
    tiles = {tile["label"]: tile for tile in reproduction_page.tiles(found.findings, ())}
    assert tiles["runs"]["figure"] == "10"


def test_ours_stand_beside_theirs(found):
    accuracy, loss = found.published().to_dict("records")
    runs = found.runs[(found.runs["stage"] == "optimizer") & (found.runs["mode"] == "untuned")]
    fast = runs[runs["setting"] == "fast"]
    assert accuracy["ours"] == pytest.approx(fast["test_metric"].mean())
    assert accuracy["difference"] == pytest.approx(accuracy["ours"] - 0.5)
    first = np.mean([curve[0] for curve in fast["train_loss_curve"]])
    assert (loss["epoch"], loss["ours"]) == (1, pytest.approx(first))


def test_report_and_words(found):
    page = found.report()
    assert "A small series" in page.read_text(encoding="utf-8")
    assert "fast is better" in (page.parent / "report.md").read_text(encoding="utf-8")
    assert len((page.parent / "runs.csv").read_text().splitlines()) == 13
    assert "chose optimizer fast" in found.text()
    told = json.loads(found.to_json())
    assert told["complete"] is True
    assert [row["mode"] for row in told["claims"]] == ["untuned", "tuned"]


def test_show_takes_the_folder_of_a_series(found):
    (found.path / "report.html").unlink(missing_ok=True)
    shown = CliRunner().invoke(app, ["show", str(found.path)])
    assert shown.exit_code == 0
    assert found.text() in shown.output
    assert (found.path / "report.html").is_file()
    told = CliRunner().invoke(app, ["show", str(found.path), "--json"])
    assert json.loads(told.output) == found.to_dict()


def test_the_same_series_is_not_trained_again(found):
    told = []
    api.run(FILE, out=found.path, listener=told.append)
    assert [event.stored for event in told if isinstance(event, series.MemberBegan)] == [True] * 4
    assert not finished(told)


def test_words_may_change_without_training(found):
    told = []
    changed = FILE | {"remarks": ["What was found out later."]}
    again = api.run(changed, out=found.path, listener=told.append)
    assert not finished(told)
    assert "found out later" in (again.report().parent / "report.md").read_text(encoding="utf-8")
    assert "found out later" in again.report().read_text(encoding="utf-8")


def test_json_is_of_one_study():
    with pytest.raises(InputError, match="--json is for one study"):
        reproduce("all", as_json=True)


def test_another_series_is_refused(found):
    changed = studyfile.merged(FILE, {"base": {"epochs": 3}})
    with pytest.raises(StudyError, match="these differ: base"):
        api.run(changed, out=found.path)


def test_settings_may_be_added_and_left_out(found, tmp_path):
    folder = shutil.copytree(found.path, tmp_path / "more")
    more = studyfile.merged(
        FILE,
        {
            "axes": {"width": {"8": {"model": {"hidden": [8]}}}},
            "stages": {"width": {"vary": ["width"], "only": {"width": ["4", "8"]}}},
        },
    )
    told = []
    with imagined.trainings():
        runs = api.run(more, out=folder, listener=told.append).runs
    begun = [event.stored for event in told if isinstance(event, series.MemberBegan)]
    assert begun == [True, True, True, False]
    assert list(dict.fromkeys(runs.loc[runs["stage"] == "width", "setting"])) == ["4", "8"]
    before = found.runs
    one = before[(before["stage"] == "width") & (before["setting"] == "4")]["test_loss"]
    again = runs[(runs["stage"] == "width") & (runs["setting"] == "4")]["test_loss"]
    assert list(one) == list(again)


def test_it_goes_on_where_it_was_stopped(tmp_path):
    class Stopped(Exception):
        pass

    def stop(event):
        if isinstance(event, series.MemberBegan) and event.number == 3:
            raise Stopped

    folder = tmp_path / "small"
    with imagined.trainings(), pytest.raises(Stopped):
        api.run(FILE, out=folder, listener=stop)
    assert not SeriesFolder.open(folder).progress.complete
    stored = {each.folder for each in SeriesFolder.open(folder).progress.members}
    assert len(stored) == 2
    with imagined.trainings():
        gone_on = api.run(FILE, out=folder).runs
        whole = api.run(FILE, out=tmp_path / "whole").runs
    figures = ["train_loss", "validation_metric", "test_loss", "test_metric"]
    assert (gone_on[figures].to_numpy() == whole[figures].to_numpy()).all()


def test_an_optimizer_may_be_added_to_others_of_its_task(found, tmp_path):
    folder = shutil.copytree(found.path, tmp_path / "more")
    more = studyfile.merged(FILE, {"axes": {"optimizer": {"new": {"optimizer": "momentum"}}}})
    told = []
    with imagined.trainings():
        runs = api.run(more, out=folder, listener=told.append).runs
    assert {event.result.run.optimizer for event in finished(told)} == {"momentum"}
    own = runs[(runs["stage"] == "optimizer") & (runs["mode"] == "untuned")]
    assert sorted(set(own["setting"])) == ["fast", "new", "slow"]
    assert own.groupby("setting").size().tolist() == [2, 2, 2]


def test_what_cannot_be_trained_is_told_before_anything_is(tmp_path):
    wrong = studyfile.merged(FILE, {"axes": {"width": {"16": {"model": {"hiden": [16]}}}}})
    with pytest.raises(InputError, match="hiden") as raised:
        api.run(wrong, out=tmp_path / "wrong")
    assert "hidden" in raised.value.hint
    assert not (tmp_path / "wrong").exists()


def test_a_stage_cannot_choose_by_data_that_is_not_there(tmp_path):
    blind = {"base": {"data": {"validation": 0}}, "protocol": {"tuned": False}}
    tree = studyfile.merged(FILE, blind | {"stages": {"optimizer": {"protocol": {"tuned": False}}}})
    with pytest.raises(DataError, match="no validation split"):
        api.run(tree, out=tmp_path / "blind")


def test_folds_hold_out_every_example_once(tmp_path):
    tree = {
        "name": "folds",
        "base": {"task": "digits-mlp", "epochs": 1, "data": {"rows": 300, "test": 60}},
        "protocol": {"final_seeds": 1, "tuned": False, "folds": 2},
        "axes": {"optimizer": {"adam": {"optimizer": "adam"}}},
    }
    runs = api.run(tree, out=tmp_path / "folds").runs
    assert sorted(runs["fold"]) == [1, 2]
    assert runs["validation_loss"].nunique() == 2


def test_pictures_and_a_page_for_the_docs(found, tmp_path):
    folder = found.pictures(tmp_path / "pictures")
    drawn = {path.stem.partition("-")[0]: path.read_text() for path in folder.glob("*.svg")}
    assert set(drawn) >= {"published", "rank", "curves", "tuning"}
    assert "slow (2" in drawn["tuning"]
    page = found.document(tmp_path / "page.md").read_text(encoding="utf-8")
    linked = re.findall(r"!\[[^]]*\]\(([^)]+)\)", page)
    assert linked
    assert all((tmp_path / address).is_file() for address in linked)
    with pytest.raises(InputError, match="unknown format of pictures 'jpg'"):
        found.pictures(tmp_path, "jpg")
