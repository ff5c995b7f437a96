"""A study written to a folder and read back: table, verdict, best, curves, report, JSON."""

from __future__ import annotations

import json
import math
import subprocess
import sys

import numpy as np
import pytest

import fallline
from fallline.errors import StudyError
from fallline.records import Curves, Run, RunResult, Status
from fallline.results import Study, open_study
from fallline.store.document import (
    FORMAT_VERSION,
    OptimizerDescription,
    Protocol,
    StudyDocument,
    TaskDescription,
    Timing,
)
from fallline.store.folder import StudyFolder

RATES = (0.01, 0.1, 1.0)
FRESH = (1000, 1001, 1002)


def document() -> StudyDocument:
    return StudyDocument(
        format_version=FORMAT_VERSION,
        created="2026-01-01T00:00:00+00:00",
        task=TaskDescription(
            name="wine-mlp",
            title="Wine",
            kind="regression",
            metric="rmse",
            higher_is_better=False,
            loss="mse",
            parameters=100,
            train_examples=3000,
            validation_examples=900,
            test_examples=900,
        ),
        protocol=Protocol(
            optimizers=("sgd", "adam"),
            epochs=2,
            batch_size=32,
            search_seeds=(0, 1),
            final_seeds=FRESH,
            learning_rates={"sgd": RATES, "adam": RATES},
            searched=True,
            widen=False,
        ),
        optimizers={
            name: OptimizerDescription(name, False, {"learning_rate": 0.1}, "A paper")
            for name in ("sgd", "adam")
        },
        versions={"fallline": "0.1.0"},
        machine={"cores": 2},
    )


def result(optimizer: str, rate: float, seed: int, phase: str, error: float) -> RunResult:
    setting = {"learning_rate": rate, "eps": 1e-8}
    curve = np.array([2 * error, error], np.float32)
    diverged = error > 1
    return RunResult(
        Run(optimizer, setting, seed, phase, epochs=2),
        Status.DIVERGED if diverged else Status.DONE,
        Curves(curve**2, curve, curve**2, curve),
        steps=188,
        diverged_step=5 if diverged else -1,
        last_finite_loss=error,
        test_loss=math.nan if phase == "search" else error**2,
        test_metric=math.nan if phase == "search" else error,
    )


SEARCH = [
    result(name, rate, seed, "search", error + 0.01 * seed)
    for name, errors in (("sgd", (0.9, 0.8, 1.5)), ("adam", (0.7, 0.6, 0.8)))
    for rate, error in zip(RATES, errors, strict=True)
    for seed in (0, 1)
]
FINAL = [
    result(name, 0.1, seed, "final", error)
    for name, errors in (("sgd", (0.80, 0.82, 0.81)), ("adam", (0.60, 0.61, 0.62)))
    for seed, error in zip(FRESH, errors, strict=True)
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("studies") / "wine"
    writing = StudyFolder.begin(path, document())
    writing.append(SEARCH, [32] * len(SEARCH))
    writing.append(FINAL, [32] * len(FINAL))
    writing.finish(Timing(total=3.0, compile=1.0, train=1.5, step={"sgd": 2e-5, "adam": 3e-5}))
    writing.close()
    return path


@pytest.fixture(scope="module")
def study(folder) -> Study:
    return open_study(folder)


def test_a_finished_study_reads_back(study, folder):
    assert study.path == folder
    assert study.complete
    assert study.document == document()
    assert study.timing.total == 3.0
    assert len(study.runs) == 18
    assert study.verdict == (
        "use adam at 0.1: 0.610 test RMSE (95 % interval 0.585 to 0.635); "
        "the other is distinguishably worse"
    )


def test_the_best_is_a_record(study):
    best = study.best
    assert (best.optimizer, best.learning_rate) == ("adam", 0.1)
    assert best.hyperparameters == {"learning_rate": 0.1, "eps": 1e-8}
    assert best.test_metric == pytest.approx(0.61)
    # s = 0.01, t(0.975, 2) = 4.303
    assert best.high - best.test_metric == pytest.approx(4.303 * 0.01 / math.sqrt(3), abs=1e-5)
    assert best.low < best.test_metric


def test_the_table(study):
    table = study.table().set_index("optimizer")
    assert list(table.index) == ["adam", "sgd"]
    assert table.loc["sgd", "diverged"] == 2
    assert table.loc["sgd", "runs"] == 9
    assert table.loc["adam", "seconds_per_step"] == 3e-5
    assert table.loc["sgd", "difference"] == pytest.approx(0.2)


def test_curves_and_sensitivity(study):
    curves = study.curves()
    assert len(curves) == 4
    last = curves[(curves["optimizer"] == "adam") & (curves["epoch"] == 2)].iloc[0]
    assert last["validation_metric"] == pytest.approx(0.61, abs=1e-6)
    assert last["validation_metric_low"] == pytest.approx(0.60, abs=1e-6)
    assert len(study.sensitivity()) == 6


def test_measures_pairs_and_tunability(study):
    measures = study.measures().set_index("optimizer")
    assert measures.loc["adam", "test_median"] == pytest.approx(0.61)
    assert measures.loc["sgd", "diverged_share"] == pytest.approx(2 / 9)
    pair = study.pairwise().set_index(["optimizer", "other"]).loc[("adam", "sgd")]
    assert (pair["difference"], pair["improvement"]) == (pytest.approx(-0.2), 1.0)
    assert pair["relation"] == "better"
    effort = study.tunability().set_index(["optimizer", "trials"])
    # The trials' errors are 0.705, 0.605 and 0.805, of two runs of 188 steps each.
    assert effort.loc[("adam", 1), "expected"] == pytest.approx(0.705)
    assert effort.loc[("adam", 3), "expected"] == pytest.approx(0.605)
    assert effort.loc[("adam", 1), "seconds"] == pytest.approx(2 * 188 * 3e-5)


def test_what_is_handed_out_can_be_written_into(study):
    curves, table = study.curves(), study.table()
    curves["validation_metric"] = 0.0
    table["test_metric"] = 0.0
    assert study.curves()["validation_metric"].min() > 0.5
    assert study.table()["test_metric"].min() > 0.5


def test_the_warnings(study):
    assert study.warnings == (
        "With only 3 fresh seeds the intervals are wide; add seeds to tell more.",
        "2 of 18 runs diverged and counted as the worst: sgd 2.",
    )


def test_json_holds_the_same_and_no_nan(study):
    found = json.loads(study.to_json(), parse_constant=pytest.fail)
    assert found["verdict"] == study.verdict
    assert found["task"] == "wine-mlp"
    assert found["complete"] is True
    assert [row["optimizer"] for row in found["table"]] == ["adam", "sgd"]
    assert found["table"][1]["epochs_to_target"] is None
    assert found["table"][0]["p_value"] is None


def test_the_report_is_written_where_asked(study, folder, tmp_path):
    default = study.report()
    assert default == folder / "report.html"
    assert "adam" in default.read_text(encoding="utf-8")[:20000]
    other = study.report(tmp_path / "page.html")
    assert other.read_text(encoding="utf-8") == default.read_text(encoding="utf-8")


def test_a_report_that_cannot_be_written_says_so(study, tmp_path):
    with pytest.raises(StudyError, match="cannot write the report") as caught:
        study.report(tmp_path / "missing" / "page.html")
    assert "folder" in caught.value.hint


def test_an_interrupted_study_shows_its_search(tmp_path):
    writing = StudyFolder.begin(tmp_path / "half", document())
    writing.append(SEARCH, [32] * len(SEARCH))
    writing.close()
    study = open_study(tmp_path / "half")
    assert not study.complete
    assert study.verdict == (
        "the study is not finished: 12 runs are stored; so far adam at 0.1 leads with "
        "0.605 validation RMSE"
    )
    assert study.best.optimizer == "adam"
    assert math.isnan(study.best.test_metric)
    assert len(study.curves()) == 0
    assert study.report().is_file()


def test_a_study_without_any_run_can_be_asked(tmp_path):
    StudyFolder.begin(tmp_path / "new", document()).close()
    study = open_study(tmp_path / "new")
    assert len(study.table()) == 0
    assert json.loads(study.to_json())["table"] == []
    assert study.report().is_file()
    with pytest.raises(StudyError, match="holds no run yet"):
        _ = study.best


def test_a_folder_that_is_no_study_is_refused(tmp_path):
    with pytest.raises(StudyError, match="is no study"):
        open_study(tmp_path)


def test_reading_imports_no_jax(folder):
    code = (
        "import sys, fallline; study = fallline.open_study(sys.argv[1]); study.report(); "
        "print([name for name in ('jax', 'flax', 'optax', 'fallline.engine') "
        "if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
    assert fallline.open_study is open_study
