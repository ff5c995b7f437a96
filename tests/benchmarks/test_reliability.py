"""The page of faults, damaged input and costs: made of results, and hiding nothing."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

import reliability
import store
import store_share


def fault(scenario: str, **changes: Any) -> dict[str, Any]:
    record = {
        "scenario": scenario,
        "kind": "SIGKILL",
        "what": "at random",
        "note": "as it should be",
        "injected": 50,
        "survived": 50,
        "lost": 0,
        "doubled": 0,
        "seconds": 1.0,
        "wrong": [],
    }
    return record | changes


def faults(*records: dict[str, Any]) -> dict[str, Any]:
    return {"records": list(records), "seed": 3, "origin": "a machine"}


def reader(**changes: Any) -> dict[str, Any]:
    counts = {"inputs": 100_000, "read": 1_000, "refused": 99_000, "failed": 0}
    return {"what": "a table in CSV", **counts, "seconds": 1.0, "seed": 0} | changes


def fuzz(**changes: Any) -> dict[str, Any]:
    guided = {"csv": reader(edges=205, features=375)}
    return {"readers": {"csv": reader(**changes)}, "guided": guided, "origin": "a machine"}


def keeping() -> dict[str, Any]:
    kept = {"what": "short", "runs": 10, "seconds": 10.0, "store": 0.1, "parts": [0.01]}
    read = [{"open": [0.5, 0.4], "verdict": [1.0, 1.0], "report": [2.0, 1.0]}]
    kept |= {"snapshots": [], "others": 0.0}
    return {"kept": [kept], "read": read, "runs": 400, "origin": "a machine"}


def short(text: str) -> list[str]:
    """The last cells of the table at the top."""
    table = text.partition("## In short")[2].partition("\n## ")[0]
    return [line.split("|")[-2].strip() for line in table.splitlines() if line.startswith("| ")][2:]


def test_what_is_as_asked_is_met() -> None:
    text = reliability.text(
        faults(fault("kills"), fault("five", injected=5, survived=5)), fuzz(), keeping()
    )
    assert short(text) == ["met"] * 8
    assert "50 of 50 survived, 0 lost, 0 stored twice" in text
    assert "55 of 55 faults of 1 kinds" in text
    assert "| a table in CSV | 100,000 | 1,000 | 99,000 | 0 | 205 | 375 |" in text


@pytest.mark.parametrize(
    ("records", "unmet"),
    [
        ([fault("kills", lost=1), fault("five")], [0]),
        ([fault("kills", injected=49, survived=49), fault("five")], [0]),
        ([fault("kills", survived=49, wrong=["a run is lost"]), fault("five")], [0, 2]),
        ([fault("kills"), fault("five", wrong=["another verdict"])], [1, 2]),
        ([fault("kills"), fault("five"), fault("disk", injected=0, survived=0)], [2]),
        ([fault("kills")], [1]),
    ],
)
def test_a_fault_that_was_not_survived_is_told(
    records: list[dict[str, Any]], unmet: list[int]
) -> None:
    text = reliability.text(faults(*records), fuzz(), keeping())
    assert [at for at, met in enumerate(short(text)) if met != "met"] == unmet
    for record in records:
        for sentence in record["wrong"]:
            assert f"- SIGKILL, at random: {sentence}" in text


@pytest.mark.parametrize("changes", [{"failed": 1}, {"inputs": 99_999}])
def test_a_reader_that_fails_or_was_tried_too_little_is_told(changes: dict[str, int]) -> None:
    text = reliability.text(faults(fault("kills"), fault("five")), fuzz(**changes), keeping())
    assert [at for at, met in enumerate(short(text)) if met != "met"] == [3]


def test_what_was_not_run_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.md"
    monkeypatch.setattr(
        sys, "argv", ["reliability.py", "--results", str(tmp_path), "--table", str(page)]
    )
    assert reliability.main() == 2
    assert "run 'make reliability'" in capsys.readouterr().err
    (tmp_path / "store.json").write_text(json.dumps(keeping()))
    assert reliability.main() == 0
    assert short(page.read_text()) == ["**not known**"] * 2 + ["met"] * 4
    assert page.read_text().startswith("# What survives what\n")


def test_the_costs_are_those_of_the_store(monkeypatch: pytest.MonkeyPatch) -> None:
    found = store.Measured.of(keeping())
    assert isinstance(found.kept[0], store_share.Kept)
    assert store.text(found) in reliability.text(None, None, keeping())
