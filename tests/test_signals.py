"""Signals that ask to stop: when they are obeyed, and what they never leave half done."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import fallline
import imagined
from fallline import signals, study
from fallline.signals import insist, terminable, undisturbed
from fallline.store import manifest


def test_the_signal_to_terminate_is_as_ctrl_c() -> None:
    def terminated() -> None:
        with terminable():
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(5)

    with pytest.raises(KeyboardInterrupt):
        terminated()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_signals_are_left_alone_where_others_handle_them() -> None:
    seen = []

    def elsewhere() -> None:
        with terminable():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert seen == [signal.SIG_DFL]
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        elsewhere()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert seen[1] is signal.SIG_IGN


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_that_was_ignored_is_obeyed_later(
    number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A shell's background job has Ctrl-C switched off, and its children inherit that.
    monkeypatch.setitem(signals._USUAL, number, signal.getsignal(number))
    stored = []

    def train() -> None:
        insist()
        with contextlib.suppress(KeyboardInterrupt):
            os.kill(os.getpid(), number)
        try:
            insist()
        except KeyboardInterrupt:
            insist()
            stored.append("while it is obeyed")
            raise

    with pytest.raises(KeyboardInterrupt, match=number.name), terminable():
        train()
    assert stored
    insist()


def test_who_is_not_to_be_disturbed_is_stopped_at_the_end() -> None:
    done = []

    def work() -> None:
        with undisturbed():
            with undisturbed():
                os.kill(os.getpid(), signal.SIGTERM)
            insist()
            done.append("whole")
        done.append("too far")

    with pytest.raises(KeyboardInterrupt, match="SIGTERM"), terminable():
        work()
    assert done == ["whole"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_runs_are_stored_does_not_have_them_stored_twice(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    number: signal.Signals,
) -> None:
    append, parts = manifest.append, []

    def stopped(folder: Path, entries: Sequence[manifest.Entry]) -> None:
        parts.extend(entries)
        os.kill(os.getpid(), number)
        append(folder, entries)

    monkeypatch.setattr(study, "WRITE_SECONDS", 0.0)
    monkeypatch.setattr(manifest, "append", stopped)
    # A shell's job in the background has Ctrl-C switched off, and its children inherit that.
    usual = signal.SIG_DFL if number is signal.SIGTERM else signal.default_int_handler
    request.addfinalizer(partial(signal.signal, number, signal.signal(number, usual)))
    asked = {"learning_rates": (0.01, 0.1), "seeds": 2, "epochs": 1}
    with imagined.trainings(), pytest.raises(KeyboardInterrupt):
        fallline.compare("digits-mlp", "adam,sgd", out=tmp_path / "study", **asked)
    written = pq.read_table(tmp_path / "study" / "parts")["run_id"].to_pylist()
    assert len(written) == len(set(written)) == sum(each.rows for each in parts) > 0
    monkeypatch.setattr(manifest, "append", append)
    with imagined.trainings():
        found = fallline.compare("digits-mlp", "adam,sgd", out=tmp_path / "study", **asked)
    assert found.complete
    assert not found.problems


def test_a_study_whose_stop_was_ignored_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signals, "_asked", ["SIGTERM"])
    heard: list[object] = []
    with pytest.raises(KeyboardInterrupt):
        study._insisting(heard.append)("an event")  # type: ignore[arg-type]
    assert heard == []
