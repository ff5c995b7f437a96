"""Several tasks in ``fallline compare`` and ``fallline show``: progress, and what came out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from fallline.cli.headings import Headings

if TYPE_CHECKING:
    from fallline.cli.progress import Watch
    from fallline.standings import Suite


class SuiteListener:
    """Hands a suite's events to the view of its studies, with a line for each task."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._place = ""
        self._headings = Headings()

    def __call__(self, event: Any) -> None:
        from fallline import suite

        if not isinstance(event, suite.TaskBegan):
            self._watch.listen(event, self._place)
            return
        if self._place:
            self._watch.end_study(self._place)
        self._watch.say(self._headings.of(event))
        self._place = f"{event.number}/{event.known}"
        self._watch.next_study(self._place)


def show(found: Suite, report: Path) -> None:
    """The table over the tasks, what each task says, the verdict, and where everything is."""
    from fallline.cli.printing import write_table
    from fallline.report import suite_tables

    write_table(suite_tables.text_table(found.reading))
    lines = [*suite_tables.text_table(found.reading).notes, ""]
    lines += [f"{name}: {study.verdict}" for name, study in found.studies.items()]
    lines += ["", found.verdict]
    lines += [f"  note: {warning}" for warning in found.warnings]
    print("\n".join([*lines, "", f"suite:  {found.path}", f"report: {report}"]))
