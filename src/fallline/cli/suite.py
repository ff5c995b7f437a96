"""Several tasks in ``fallline compare`` and ``fallline show``: progress, and what came out."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fallline.cli.progress import Watch
    from fallline.standings import Suite

LEAST_SHARE = 0.02
"""Of a suite, before its time left is worth telling."""


class SuiteListener:
    """Hands a suite's events to the view of its studies, with a line for each task."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._place = ""
        self._began: float | None = None
        self._share = 0.0

    def __call__(self, event: Any) -> None:
        from fallline import suite

        if not isinstance(event, suite.TaskBegan):
            self._watch.listen(event, self._place)
            return
        if self._place:
            self._watch.end_study(self._place)
        self._watch.say(self._heading(event))
        self._place = f"{event.number}/{event.known}"
        self._watch.next_study(self._place)

    def _heading(self, event: Any) -> str:
        heading = f"[{event.number}/{event.known}] {event.title}"
        if event.stored:
            return f"{heading}: stored already"
        if self._began is None:
            self._began, self._share = time.monotonic(), event.share_done
        return f"{heading}{self._left(event.share_done)}"

    def _left(self, share: float) -> str:
        """The time left, by what was done since the first task that had to be trained."""
        from fallline.cli.progress import duration_text

        done = share - self._share
        if self._began is None or done < LEAST_SHARE:
            return ""
        elapsed = time.monotonic() - self._began
        return f" (about {duration_text(elapsed * (1 - share) / done)} left in all)"


def show(found: Suite, report: Path) -> None:
    """The table over the tasks, what each task says, the verdict, and where everything is."""
    from fallline.cli.compare import write_table
    from fallline.report import suite_tables

    write_table(suite_tables.text_table(found.reading))
    lines = [*suite_tables.text_table(found.reading).notes, ""]
    lines += [f"{name}: {study.verdict}" for name, study in found.studies.items()]
    lines += ["", found.verdict]
    lines += [f"  note: {warning}" for warning in found.warnings]
    print("\n".join([*lines, "", f"suite:  {found.path}", f"report: {report}"]))
