"""A suite read back from its folder: how the optimizers stand over its tasks, and the report."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from fallline.analysis.suite import SuiteReading, read_suite
from fallline.errors import StudyError
from fallline.report import suite_tables
from fallline.report import suite_words as words
from fallline.results import REPORT_NAME, Study
from fallline.store import durable
from fallline.store.suite import SuiteDocument, SuiteFolder

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Suite:
    """What a suite's folder holds, as tables and words. Make it with `open_suite`.

    It reads the folder once, when it is first asked; open it again to see newer runs.
    """

    folder: SuiteFolder

    def __repr__(self) -> str:
        return f"Suite({str(self.path)!r}, tasks={[task.name for task in self.document.tasks]})"

    @property
    def path(self) -> Path:
        return self.folder.path

    @property
    def document(self) -> SuiteDocument:
        """Tasks, what was asked, versions and machine, as ``suite.toml`` holds them."""
        return self.folder.document

    @cached_property
    def studies(self) -> dict[str, Study]:
        """The study of each task that has begun, by the task's name."""
        found = {task.name: self.folder.study(task.name) for task in self.document.tasks}
        return {name: Study(folder) for name, folder in found.items() if folder is not None}

    @cached_property
    def reading(self) -> SuiteReading:
        """What tables, verdict and page are made of."""
        readings = {name: study.reading for name, study in self.studies.items()}
        return read_suite(self.document, readings)

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong with the folders of the tasks, a sentence each."""
        return self.reading.problems

    @property
    def failed(self) -> dict[str, str]:
        """By optimizer and task (``"sgd on digits-mlp"``), why it could not be trained there."""
        return dict(self.reading.failed)

    @property
    def complete(self) -> bool:
        """True when every run of every task is stored."""
        return self.reading.complete

    def table(self) -> pd.DataFrame:
        """One row per optimizer, best average rank first: ranks, scores, wins, figures by task.

        ``iqm``: of normalised test figures, with the ends of its 95 % interval; ``score``:
        AlgoPerf's, of the times to the tasks' targets; ``wins``, ``ties`` and ``losses`` against
        every other optimizer on every task; then a column for each task, its mean test figure.
        """
        return suite_tables.frame(self.reading)

    def figures(self) -> pd.DataFrame:
        """One row per task and optimizer: `fallline.analysis.suite.FIGURES`."""
        return self.reading.figures.copy()

    @cached_property
    def verdict(self) -> str:
        """Whether an optimizer is shown to be best over the tasks, in one sentence."""
        return words.verdict(self.reading)

    @cached_property
    def warnings(self) -> tuple[str, ...]:
        """What limits the verdict, a sentence each, damage first; empty if nothing does."""
        return tuple(words.warnings(self.reading))

    def report(self, path: Path | str | None = None) -> Path:
        """Write the page and each task's own, to which it links; returns the page's path.

        Without ``path`` it is ``report.html`` in the suite's folder. The tasks' pages are in their
        own folders.
        """
        from fallline.report.suite_page import render

        target = self.path / REPORT_NAME if path is None else Path(path)
        pages = {name: study.report() for name, study in self.studies.items()}
        links = {name: _link(page, target.parent) for name, page in pages.items()}
        try:
            if path is None:
                durable.write_page(target, render(self.reading, links))
            else:
                target.write_text(render(self.reading, links), encoding="utf-8")
        except OSError as error:
            raise StudyError(
                f"cannot write the report {str(target)!r}: {error.strerror or error}",
                hint="give report() a path in a folder that can be written to",
            ) from error
        return target

    def to_json(self) -> str:
        """`to_dict` as JSON; null for what there is not."""
        return json.dumps(self.to_dict(), allow_nan=False, indent=2, ensure_ascii=False)

    def to_dict(self) -> dict[str, Any]:
        """Verdict, warnings and tables, and each task's study, in what JSON knows."""
        return {
            "tasks": [task.name for task in self.document.tasks],
            "complete": self.complete,
            "verdict": self.verdict,
            "warnings": list(self.warnings),
            "suite": str(self.path),
            "table": suite_tables.records(self.reading.overall),
            "figures": suite_tables.records(self.reading.figures),
            "ranks": suite_tables.ranks(self.reading),
            "studies": {name: study.to_dict() for name, study in self.studies.items()},
        }


def open_suite(path: Path | str) -> Suite:
    """The suite in the folder ``path``. Raises `StudyError` where there is none."""
    return Suite(SuiteFolder.open(path))


def _link(page: Path, folder: Path) -> str:
    """The relative address of ``page`` from a page in ``folder``."""
    relative = os.path.relpath(page.resolve(), folder.resolve())
    return quote(Path(relative).as_posix())
