"""What a study says while it runs, by the events alone."""

from __future__ import annotations

import io
import math
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from fallline import optimizers
from fallline.cli import progress
from fallline.cli.series import SeriesListener
from fallline.engine.events import Advanced, Finished
from fallline.records import Run
from fallline.series import MemberBegan, MemberEnded, MemberTold
from fallline.study import Compiling, PhaseBegan, Planned


def _run(optimizer: str, seed: int, rate: float = 0.01) -> Run:
    return Run(optimizer, {"learning_rate": rate}, seed, "search", 10)


RUNS = tuple(_run(name, seed) for name in ("sgd", "adam") for seed in range(5))


def _finished(run: Run, diverged_step: int = -1) -> Finished:
    return Finished(SimpleNamespace(run=run, diverged_step=diverged_step))  # type: ignore[arg-type]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    now = SimpleNamespace(seconds=100.0)
    monkeypatch.setattr(progress.time, "monotonic", lambda: now.seconds)
    return now


@pytest.fixture
def state(clock) -> progress.StudyProgress:
    begun = progress.StudyProgress()
    begun.take(_planned("study", stored=3))
    begun.take(PhaseBegan("search", RUNS))
    return begun


def test_runs_are_counted_by_optimizer(state) -> None:
    for run in RUNS[:3]:
        state.take(_finished(run))
    state.take(_finished(RUNS[5], diverged_step=7))
    assert (state.done, state.total) == (4, 10)
    assert state.optimizers["sgd"].done == 3
    assert state.optimizers["adam"].diverged == 1


def test_time_left_follows_the_epochs_trained(state, clock) -> None:
    assert state.seconds_left is None
    clock.seconds += 6
    # 5 of 10 runs are half way: a quarter of all epochs in 6 s, so 18 s more.
    state.take(Advanced(RUNS[:5], (5,) * 5, ((1.0, 0.5, 1.0, 0.6),) * 5))
    assert state.share == pytest.approx(0.25)
    assert state.seconds_left == pytest.approx(18)
    state.take(_finished(RUNS[0]))
    assert state.share == pytest.approx(0.3)


def test_the_best_figure_so_far_is_kept_with_its_setting(state) -> None:
    figures = [(1, 0.1, 1, value) for value in (0.5, 0.9, math.nan)]
    state.take(Advanced((RUNS[0], _run("sgd", 1, 0.1), RUNS[2]), (1, 1, 1), tuple(figures)))
    state.take(Advanced((RUNS[5],), (2,), ((1, 0.1, 1, 0.8),)))
    assert state.leader is not None
    assert state.leader[0] == "sgd"
    assert "best run so far 90.0 % validation accuracy (sgd at 0.1)" in state.line()


def test_lower_is_better_for_an_error(state) -> None:
    state.higher_is_better, state.metric = False, "rmse"
    state.take(Advanced((RUNS[0], RUNS[5]), (1, 1), ((1, 1, 1, 0.7), (1, 1, 1, 0.6))))
    assert "best run so far 0.6 validation RMSE (adam at 0.01)" in state.line()


def test_waiting_for_a_compilation_is_said(state) -> None:
    state.take(Compiling(("sgd", "adam")))
    assert "compiling for 2 optimizers" in state.line()
    state.take(Advanced(RUNS[:1], (1,), ((1, 1, 1, 0.7),)))
    assert "compiling" not in state.line()


def test_an_interruption_counts_what_was_stored_before(state) -> None:
    state.take(_finished(RUNS[0]))
    assert progress.interruption([state]).startswith(
        "stopped: 4 finished runs are stored in study; go on with: fallline resume study"
    )


@pytest.mark.parametrize(
    ("seconds", "text"), [(8.4, "8 s"), (185, "3:05 min"), (4200, "1:10 h"), (7199, "1:59 h")]
)
def test_durations(seconds: float, text: str) -> None:
    assert progress.duration_text(seconds) == text


def test_the_live_picture_names_every_optimizer(state) -> None:
    screen = io.StringIO()
    watch = progress.LiveWatch(Console(file=screen, force_terminal=True, width=100))
    watch.studies = {"": state}
    state.take(Advanced(RUNS[:1], (4,), ((1, 1, 1, 0.75),)))
    watch.close()
    console = Console(file=io.StringIO(), width=100)
    console.print(watch._draw())
    drawn = console.file.getvalue()  # type: ignore[attr-defined]
    assert "sgd" in drawn
    assert "4/10" in drawn
    assert "75.0 %" in drawn
    assert "0/5" in drawn


def _planned(folder: str, stored: int = 0) -> Planned:
    task = SimpleNamespace(metric="accuracy", higher_is_better=True, epochs=10)
    chosen = (optimizers.get("sgd"), optimizers.get("adam"))
    return Planned(task, chosen, Path(folder), stored)  # type: ignore[arg-type]


def _series(watch: progress.Watch) -> SeriesListener:
    """A listener after two studies of four began to train, and one run of the second ended."""
    listener = SeriesListener(watch)
    listener(MemberBegan(4, 4, "width 75 again", False, 0.0, same_as=1))
    for number, folder in ((1, "a"), (2, "b")):
        listener(MemberBegan(number, 4, f"width {75 * number}", False, 0.0))
        listener(MemberTold(number, _planned(folder)))
        listener(MemberTold(number, PhaseBegan("final", RUNS[:2])))
    listener(MemberTold(2, _finished(RUNS[0])))
    return listener


def test_lines_of_studies_side_by_side_say_whose_they_are(
    capsys: pytest.CaptureFixture[str], clock
) -> None:
    listener = _series(watch := progress.PlainWatch())
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "[4/4] width 75 again: the same as [1/4]"
    assert "[1/4] width 75" in said
    assert any(line.startswith("[2/4]") and line.endswith("final: 0/2 runs") for line in said)
    listener(MemberEnded(2))
    assert list(watch.studies) == ["1/4", "2/4"]
    listener(MemberBegan(3, 4, "width 225", False, 0.5))
    assert list(watch.studies) == ["1/4", "3/4"]


@pytest.mark.parametrize("document", ["series.toml", "suite.toml"])
def test_an_interruption_of_many_names_what_they_belong_to(tmp_path: Path, document: str) -> None:
    whole = tmp_path / "my series"
    (whole / "a" / "b").mkdir(parents=True)
    (whole / document).touch()
    states = [progress.StudyProgress(folder=str(whole / "a" / "b")), progress.StudyProgress()]
    assert progress.interruption(states) == (
        f"stopped: what is finished is stored in {whole}; go on with: fallline resume '{whole}'"
    )


def test_an_interruption_between_two_studies_names_what_they_belong_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "suite.toml").touch()
    watch = progress.SilentWatch()
    for place in ("1/3", "2/3", "3/3"):
        watch.next_study(place)
        if place != "3/3":
            watch.studies[place].folder = str(tmp_path / place[0])
        watch.end_study(place)
    watch.interrupted()
    assert f"stored in {tmp_path}; go on with" in capsys.readouterr().err


def test_an_interruption_before_anything_began_says_so() -> None:
    assert "before a run began" in progress.interruption([progress.StudyProgress()])


def test_the_live_picture_holds_all_studies_under_way() -> None:
    screen = io.StringIO()
    watch = progress.LiveWatch(Console(file=screen, force_terminal=True, width=100))
    _series(watch)
    watch.close()
    console = Console(file=io.StringIO(), width=100)
    console.print(watch._draw())
    drawn = console.file.getvalue()  # type: ignore[attr-defined]
    first, second = drawn.index("[1/4]"), drawn.index("[2/4]")
    assert "0/2" in drawn[first:second]
    assert "1/2" in drawn[second:]
