"""The lines above the studies of a suite or a series."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from fallline.cli import headings


def event(number: int, share: float, *, stored: bool = False) -> SimpleNamespace:
    return SimpleNamespace(number=number, known=4, title="wine", stored=stored, share_done=share)


def test_the_time_left_is_counted_from_the_first_study_that_is_trained(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [100.0]
    monkeypatch.setattr(headings.time, "monotonic", lambda: now[0])
    told = headings.Headings()
    assert told.of(event(1, 0.0, stored=True)) == "[1/4] wine: stored already"
    now[0] = 130.0  # reading what was stored is no training
    assert told.of(event(2, 0.5)) == "[2/4] wine"
    now[0] = 140.0
    assert told.of(event(3, 0.51)) == "[3/4] wine"  # too little to tell
    now[0] = 150.0
    assert told.of(event(4, 0.75)) == "[4/4] wine (about 20 s left in all)"
