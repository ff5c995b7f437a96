"""What keeping costs: calls that count once, made-up studies that read as real ones."""

from __future__ import annotations

import dataclasses
import json
import time
from pathlib import Path

import pytest

import fallline
import store
import store_made
import store_share
from fallline.store.folder import StudyFolder


def test_a_study_of_many_runs_is_whole(tmp_path: Path) -> None:
    study = fallline.open_study(store_made.made_study(tmp_path / "large", 400))
    assert (len(study.runs), study.complete, study.problems) == (400, True, ())
    assert study.verdict.startswith("use ")


def test_a_call_inside_of_another_counts_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = StudyFolder.open(store_made.made_study(tmp_path / "large", 400))
    results = held.results()[:1]
    monkeypatch.setattr(StudyFolder, "_append", lambda *given: time.sleep(0.05))
    kept = store_share.Kept("made up")
    with store_share.clocked(kept):
        began = time.perf_counter()
        held.append(results, [32])
        elapsed = time.perf_counter() - began
    assert len(kept.parts) == 1
    assert 0.05 <= kept.parts[0] <= kept.store <= elapsed
    held.append(results, [32])
    assert len(kept.parts) == 1, "it is counted after its end"


def test_the_page_hides_nothing_that_is_not_met() -> None:
    kept = [store_share.Kept("short runs", 10, 10.0, 0.25, [0.015, 0.025, 0.030])]
    read = [{"open": [0.5, 0.4], "verdict": [9.0, 9.0], "report": [12.0, 11.0]}]
    found = store.Measured(kept, read, 400, "a machine")
    assert [goal[1:] for goal in store.goals(found)] == [
        ("2.5 %", "**not met**"),
        ("25.0 ms, of 3 the longest 30 ms", "**not met**"),
        ("0.50 s", "met"),
        ("21.0 s", "**not met**"),
    ]
    assert "| short runs | 10 | 10.0 s | 0.25 s (2.50 %) | 3, 25.0 ms (15.0 to 30.0) | none |" in (
        store.text(found)
    )
    assert store.Measured.of(json.loads(json.dumps(dataclasses.asdict(found)))) == found
