"""What a study says while it runs: a live picture on a terminal, plain lines anywhere else."""

from __future__ import annotations

import contextlib
import shlex
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from fallline.report.formats import learning_rate

if TYPE_CHECKING:
    from rich.console import Console

    from fallline.engine.events import Advanced, Finished, Paused
    from fallline.records import Run
    from fallline.study import PhaseBegan, Planned

LEAST_SHARE = 0.02
"""Of a study, before its time left is worth telling."""
LINE_SECONDS = 2.0
"""In a pipe: at most one line in this time."""


@dataclass
class OptimizerProgress:
    """How far one optimizer's runs are."""

    total: int = 0
    ended: set[str] = field(default_factory=set)
    epoch: int = 0
    diverged: int = 0
    best: float | None = None
    best_rate: float | None = None

    @property
    def done(self) -> int:
        """Runs that are trained to their end."""
        return len(self.ended)


@dataclass
class StudyProgress:
    """Where a study stands, by its events; the views only draw it."""

    began: float = field(default_factory=time.monotonic)
    phase: str = "starting"
    waiting: str = ""
    metric: str = ""
    higher_is_better: bool = True
    epochs: int = 0
    folder: str = ""
    stored: int = 0
    """Finished runs that are on the disk."""
    optimizers: dict[str, OptimizerProgress] = field(default_factory=dict)
    _trained: dict[str, int] = field(default_factory=dict)
    _promised: dict[str, int] = field(default_factory=dict)
    """The epochs that each run is to have by now, by run id."""
    _training_since: float | None = None

    def take(self, event: Any) -> bool:
        """Take an event in; True where it is worth a line at once."""
        from fallline import study
        from fallline.engine.events import Advanced, Finished, Paused

        match event:
            case study.Planned():
                self._planned(event)
            case study.PhaseBegan():
                self._phase_began(event)
            case study.Compiling():
                count = len(event.optimizers)
                self.waiting = f"compiling for {count} optimizer{'s' if count > 1 else ''}"
            case Advanced():
                self._advanced(event)
                return False
            case Paused():
                self._paused(event)
                return False
            case Finished():
                self._finished(event)
                return False
        return True

    def _planned(self, event: Planned) -> None:
        self.metric, self.higher_is_better = event.task.metric, event.task.higher_is_better
        self.epochs = event.task.epochs
        self.folder, self.stored = str(event.folder), event.stored
        self.optimizers = {each.name: OptimizerProgress() for each in event.optimizers}

    def _phase_began(self, event: PhaseBegan) -> None:
        self.phase = event.name
        if event.name == "timing":
            return
        if self._training_since is None:
            self._training_since = time.monotonic()
        if event.until:
            self.phase = f"{event.name} to epoch {event.until}"
        for run in event.runs:
            own = self.optimizers[run.optimizer]
            own.total += run.run_id not in self._promised
            own.ended.discard(run.run_id)
            self._promised[run.run_id] = event.until or run.epochs

    def _advanced(self, event: Advanced) -> None:
        self.waiting = ""
        for run, epoch, figures in zip(event.runs, event.epochs, event.figures, strict=True):
            self._trained[run.run_id] = epoch
            own = self.optimizers[run.optimizer]
            own.epoch = epoch
            if epoch >= self._promised.get(run.run_id, run.epochs):
                own.ended.add(run.run_id)
            self._consider(own, run, figures[3])

    def _paused(self, event: Paused) -> None:
        run = event.result.run
        self._trained[run.run_id] = event.result.epochs_trained
        self.optimizers[run.optimizer].ended.add(run.run_id)

    def _finished(self, event: Finished) -> None:
        run = event.result.run
        self._trained[run.run_id] = self._promised.get(run.run_id, run.epochs)
        own = self.optimizers[run.optimizer]
        own.ended.add(run.run_id)
        self.stored += 1
        own.diverged += event.result.diverged_step >= 0

    def _consider(self, own: OptimizerProgress, run: Run, figure: float) -> None:
        if figure != figure:  # NaN
            return
        better = own.best is None or (
            figure > own.best if self.higher_is_better else figure < own.best
        )
        if better:
            own.best, own.best_rate = figure, run.hyperparameters.get("learning_rate")

    @property
    def done(self) -> int:
        return sum(own.done for own in self.optimizers.values())

    @property
    def total(self) -> int:
        return len(self._promised)

    @property
    def share(self) -> float:
        """Of the promised epochs, 0 to 1."""
        promised = sum(self._promised.values())
        return min(1.0, sum(self._trained.values()) / promised) if promised else 0.0

    @property
    def seconds_left(self) -> float | None:
        """By the speed so far; None before enough is trained to tell."""
        if self._training_since is None or self.share < LEAST_SHARE:
            return None
        elapsed = time.monotonic() - self._training_since
        return elapsed * (1 - self.share) / self.share

    @property
    def leader(self) -> tuple[str, OptimizerProgress] | None:
        """The optimizer with the best validation figure so far."""
        found = [item for item in self.optimizers.items() if item[1].best is not None]
        if not found:
            return None
        sign = 1 if self.higher_is_better else -1
        return max(found, key=lambda item: sign * (item[1].best or 0.0))

    def line(self) -> str:
        """The study's state in one plain line."""
        head = f"{time.monotonic() - self.began:6.1f} s  {self.phase}"
        if self.phase == "starting":
            stored = f", {self.stored} runs stored already" if self.stored else ""
            return f"{head}: {len(self.optimizers)} optimizers, {self.epochs} epochs{stored}"
        parts = [f"{head}: {self.done}/{self.total} runs"]
        if self.phase == "timing":
            parts.append("timing the steps of each optimizer alone")
        if self.waiting:
            parts.append(self.waiting)
        if self.leader:
            name, own = self.leader
            word = "RMSE" if self.metric == "rmse" else self.metric
            parts.append(
                f"best run so far {figure_text(own.best, self.metric)} validation {word} "
                f"({setting_text(name, own.best_rate)})"
            )
        if self.seconds_left is not None and self.phase != "timing":
            parts.append(f"{duration_text(self.seconds_left)} left")
        return ", ".join(parts)


def figure_text(value: float | None, metric: str) -> str:
    """A metric as people write it."""
    if value is None:
        return "—"
    return f"{100 * value:.1f} %" if metric == "accuracy" else f"{value:.4g}"


def setting_text(name: str, rate: float | None) -> str:
    """An optimizer with its learning rate."""
    return name if rate is None else f"{name} at {learning_rate(rate)}"


def duration_text(seconds: float) -> str:
    """Seconds as ``8 s``, ``3:05 min`` or ``1:10 h``."""
    whole = round(seconds)
    if whole < 100:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02} min"
    return f"{whole // 3600}:{whole % 3600 // 60:02} h"


class Watch(Protocol):
    """A view of a study under way, or of several, each with its place in a series."""

    def listen(self, event: Any, place: str = "") -> None:
        """Take an event of the study at ``place`` and show what it changes."""

    def interrupted(self) -> None:
        """Say that the studies were stopped, and how they go on."""

    def say(self, text: str) -> None:
        """Show a line that stays."""

    def next_study(self, place: str) -> None:
        """Begin to watch another study."""

    def end_study(self, place: str) -> None:
        """Watch this one no more, once there is another."""


class SilentWatch:
    """Shows nothing but an interruption."""

    def __init__(self) -> None:
        self.studies = {"": StudyProgress()}
        """By their places: those under way, or the last one."""
        self._ended: set[str] = {""}
        self._begun: dict[str, StudyProgress] = {}
        """The last study that began, if there was one, by its place."""

    def say(self, text: str) -> None:
        pass

    def next_study(self, place: str) -> None:
        self._begun = self._begun | {at: own for at, own in self.studies.items() if own.folder}
        self._begun = dict(list(self._begun.items())[-1:])
        under_way = self.studies.keys() - self._ended
        self.studies = {at: state for at, state in self.studies.items() if at in under_way}
        self.studies[place] = StudyProgress()

    def end_study(self, place: str) -> None:
        self._ended.add(place)

    def listen(self, event: Any, place: str = "") -> None:
        self.studies[place].take(event)

    def interrupted(self) -> None:
        states = [*self.studies.values(), *self._begun.values()]
        print(interruption(states), file=sys.stderr)


class PlainWatch(SilentWatch):
    """A line every few seconds, on stderr, without control codes."""

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[str, float] = {}

    def say(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    def listen(self, event: Any, place: str = "") -> None:
        state = self.studies[place]
        at_once = state.take(event)
        if at_once or time.monotonic() - self._last.get(place, 0.0) >= LINE_SECONDS:
            self._last[place] = time.monotonic()
            self.say(f"[{place}] {state.line()}" if len(self.studies) > 1 else state.line())


class LiveWatch(SilentWatch):
    """A table of the optimizers that is drawn anew, with a bar below."""

    def __init__(self, console: Console) -> None:
        from rich.live import Live

        super().__init__()
        self._console = console
        self._live = Live(
            console=console, get_renderable=self._draw, refresh_per_second=4, transient=True
        )
        self._live.start()

    def say(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False)

    def _draw(self) -> Any:
        from rich.console import Group
        from rich.text import Text

        drawn: list[Any] = []
        for place, state in list(self.studies.items()):
            if drawn:
                drawn.append(Text(""))
            if len(self.studies) > 1:
                drawn.append(Text(f"[{place}]", style="bold"))
            drawn += self._drawn(state)
        return Group(*drawn)

    def _drawn(self, state: StudyProgress) -> list[Any]:
        """The picture of one study."""
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False)
        for name in ("optimizer", "runs", "epoch", "best run", "at", "diverged"):
            table.add_column(name, justify="left" if name == "optimizer" else "right")
        for name, own in list(state.optimizers.items()):
            rate = "" if own.best_rate is None else learning_rate(own.best_rate)
            table.add_row(
                name,
                f"{own.done}/{own.total}",
                f"{own.epoch}/{state.epochs}" if own.epoch else "",
                figure_text(own.best, state.metric),
                rate,
                str(own.diverged or ""),
            )
        bar = Table.grid(padding=(0, 1))
        bar.add_row(ProgressBar(total=1.0, completed=state.share, width=30), f"{state.share:.0%}")
        return [table, Text(""), bar, Text(state.line().strip())]

    def interrupted(self) -> None:
        self.close()
        super().interrupted()

    def close(self) -> None:
        """Take the picture off the terminal."""
        self._live.stop()


def interruption(states: Sequence[StudyProgress]) -> str:
    """What a user should know who has just stopped a study, or several."""
    begun = [state for state in states if state.folder]
    if not begun:
        return "stopped before a run began; the same command begins, or goes on"
    folder = _around(Path(begun[0].folder))
    on = f"go on with: {shlex.join(['fallline', 'resume', str(folder)])}"
    if str(folder) != begun[0].folder:
        return f"stopped: what is finished is stored in {folder}; {on}"
    stored = begun[0].stored
    runs = "finished run is" if stored == 1 else "finished runs are"
    return f"stopped: {stored} {runs} stored in {folder}; {on}"


def _around(folder: Path) -> Path:
    """The suite or series that the study in ``folder`` belongs to; itself where it is alone."""
    from fallline.store.series import SeriesFolder
    from fallline.store.suite import SuiteFolder

    for parent in folder.parents:
        if SeriesFolder.holds(parent) or SuiteFolder.holds(parent):
            return parent
    return folder


@contextlib.contextmanager
def watching(*, quiet: bool) -> Iterator[Watch]:
    """The view that suits where stderr goes; the signal to terminate is taken as Ctrl-C."""
    from fallline.signals import terminable

    with terminable(), _suiting(quiet=quiet) as watch:
        yield watch


@contextlib.contextmanager
def _suiting(*, quiet: bool) -> Iterator[Watch]:
    if quiet:
        yield SilentWatch()
        return
    if not sys.stderr.isatty():
        yield PlainWatch()
        return
    from rich.console import Console

    live = LiveWatch(Console(stderr=True))
    try:
        yield live
    finally:
        live.close()
