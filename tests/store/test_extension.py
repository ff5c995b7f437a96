"""What a document becomes where more is asked, what is refused, and which runs count meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import pytest

from fallline.errors import StudyError
from fallline.records import RunResult
from fallline.report.verdict import _about_versions
from fallline.store import counting
from fallline.store.document import StudyDocument
from fallline.store.extension import extended
from fallline.store.folder import StudyFolder

change = msgspec.structs.replace
HERE = Path("study")


def _asking(document: StudyDocument, **fields: Any) -> StudyDocument:
    return change(document, protocol=change(document.protocol, **fields))


def _versioned(document: StudyDocument, **versions: str) -> StudyDocument:
    return change(document, versions=versions)


def test_other_versions_go_on_and_are_told(document: StudyDocument) -> None:
    held = _versioned(document, fallline="0.1.0", jax="0.9")
    asked = _versioned(document, fallline="0.1.0", jax="0.10")
    found = extended(held, asked, HERE, complete=False)
    assert found is not None
    assert found.versions == asked.versions
    assert [each.versions for each in found.history] == [{"jax": "0.9"}]
    assert not found.widened
    assert extended(found, asked, HERE, complete=False) is None
    (told,) = _about_versions(_reading(found))
    assert "jax 0.9" in told
    assert "jax 0.10" in told
    assert _about_versions(_reading(held)) == []


def _reading(document: StudyDocument) -> Any:
    return SimpleNamespace(document=document)


def test_other_versions_that_train_nothing_leave_no_trace(document: StudyDocument) -> None:
    assert extended(document, _versioned(document, fallline="9"), HERE, complete=True) is None


def test_a_wider_document_comes_back_from_the_disk(tmp_path: Path, document: StudyDocument) -> None:
    StudyFolder.begin(tmp_path, document).close()
    wider = _asking(document, final_seeds=(1000, 1001, 1002), epochs=60)
    begun = StudyFolder.begin(tmp_path, wider)
    begun.close()
    held = StudyFolder.open(tmp_path).document
    assert held.protocol == begun.document.protocol
    assert held.protocol == wider.protocol
    assert held.widened
    assert held.history[0].protocol == {"final_seeds": [1000, 1001], "epochs": 50}


def test_the_wider_one_may_name_other_optimizers_rates(document: StudyDocument) -> None:
    rates = document.protocol.learning_rates
    wider = _asking(
        document, optimizers=("sgd", "adam", "gd"), learning_rates={"sgd": (0.1,), **rates}
    )
    assert extended(document, wider, HERE, complete=True) is not None
    with pytest.raises(StudyError, match="learning_rates"):
        extended(document, _asking(wider, learning_rates={"adam": (0.5,)}), HERE, complete=True)


def test_a_search_under_way_has_no_final_runs(document: StudyDocument, a_run: Callable) -> None:
    wider = _asking(document, epochs=a_run(0).run.epochs, search_seeds=(0, 1))
    searched = [_at(a_run(seed, rate=rate), rate) for seed in (0, 1) for rate in (0.1, 0.2)]
    final = [_final(a_run(seed, rate=rate)) for seed in (1000, 1001, 1002) for rate in (0.1, 0.2)]
    older = _with(a_run(0), epochs=2)
    stored = [*searched, *final, older]
    # An RMSE of 0.1 at the rate of 0.1 is the best; seed 1002 was not asked for.
    counted = _ids(stored) - counting.not_counted(stored, wider)
    assert counted == _ids([*searched, final[0], final[2]])
    lacking = stored[1:]
    assert _ids(lacking) - counting.not_counted(lacking, wider) == _ids(searched[1:])


def _ids(results: list[RunResult]) -> set[str]:
    return {each.run.run_id for each in results}


def _with(result: RunResult, **fields: Any) -> RunResult:
    return replace(result, run=replace(result.run, **fields))


def _final(result: RunResult) -> RunResult:
    return _with(result, phase="final")


def _at(result: RunResult, figure: float) -> RunResult:
    flat = np.full(3, figure, np.float32)
    return replace(result, curves=replace(result.curves, validation_metric=flat))
