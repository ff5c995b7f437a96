"""A study read back from its folder: table, verdict, best setting, curves, report."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fallline.analysis.detail import measures
from fallline.analysis.matrix import pairwise
from fallline.analysis.reading import Reading, read
from fallline.analysis.recommendation import Recommendation, recommend
from fallline.analysis.summary import rows_of
from fallline.analysis.tunability import budgets
from fallline.errors import StudyError
from fallline.report import recommendation as advice
from fallline.report import tables
from fallline.report import verdict as words
from fallline.store import durable
from fallline.store.contents import Contents
from fallline.store.document import StudyDocument, Timing
from fallline.store.folder import StudyFolder

if TYPE_CHECKING:
    import pandas as pd

REPORT_NAME = "report.html"
EXPORT_FOLDER = "export"


@dataclass(frozen=True)
class Best:
    """The recommended setting, with its test figure over the fresh seeds.

    ``low`` and ``high`` are the ends of the 95 % interval, NaN with a single seed. While a study
    has no final run, the test figures are NaN. ``learning_rate`` is NaN where there is none.
    """

    optimizer: str
    learning_rate: float
    hyperparameters: dict[str, float] = field(hash=False)
    test_metric: float
    low: float
    high: float


class Study:
    """What a study's folder holds, as tables and words. Make it with `open_study`.

    It reads the folder once, when it is first asked; open it again to see newer runs.
    """

    def __init__(self, folder: StudyFolder) -> None:
        self._folder = folder

    def __repr__(self) -> str:
        return f"Study({str(self.path)!r}, task={self.document.task.name!r})"

    @property
    def path(self) -> Path:
        return Path(self._folder.path)

    @property
    def document(self) -> StudyDocument:
        """Task, protocol, optimizers, versions and machine, as ``study.toml`` holds them."""
        return self._folder.document

    @property
    def timing(self) -> Timing | None:
        """Where the time went, in seconds; None while the study is not complete."""
        return self.reading.timing

    @property
    def complete(self) -> bool:
        """True when every run of the protocol is stored."""
        return self.reading.complete

    @cached_property
    def _contents(self) -> Contents:
        # Once: runs and whether they are complete must be of the same moment.
        return self._folder.contents()

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong with the folder, a sentence each: what does not count and why."""
        return self._contents.problems

    @property
    def failed(self) -> dict[str, str]:
        """By optimizer, why it could not be trained; empty where none failed."""
        return self.reading.failed

    @cached_property
    def runs(self) -> pd.DataFrame:
        """Every stored run, a row each, its curves as arrays with a value per epoch."""
        return self._folder.frame(self._contents)

    @cached_property
    def reading(self) -> Reading:
        """What tables, verdict and page are made of."""
        return read(
            self.runs,
            self.document,
            timing=self._contents.timing if self._contents.complete else None,
            complete=self._contents.complete,
            problems=self._contents.problems,
        )

    def table(self) -> pd.DataFrame:
        """One row per optimizer, best first, in plain numbers.

        Shares are from 0 to 1, times in seconds; ``epochs_to_target`` is infinite where the
        target is not reached; ``low`` and ``high`` are the ends of 95 % intervals. While a study
        is not finished, optimizers without final runs come last, with their search's figures.
        """
        return tables.frame(self.reading)

    @cached_property
    def verdict(self) -> str:
        """Which optimizer to use and how sure that is, in one sentence."""
        return words.verdict(self.reading)

    @cached_property
    def warnings(self) -> tuple[str, ...]:
        """What limits the verdict, a sentence each, damage to the folder first."""
        return tuple(words.warnings(self.reading))

    @cached_property
    def recommendation(self) -> Recommendation:
        """What to use, how sure, what does as well, when the answer would change: as data.

        In words it is on the page, in the terminal and in `to_json`.
        """
        return recommend(self.reading)

    @property
    def best(self) -> Best:
        """The recommended setting. Raises `StudyError` while no run is stored."""
        rows = rows_of(self.reading.summary)
        if not rows:
            raise StudyError(
                f"the study in {str(self.path)!r} holds no run yet",
                hint="the command that began it goes on with it",
            )
        row = rows[0]
        return Best(
            optimizer=row["optimizer"],
            learning_rate=row["learning_rate"],
            hyperparameters=dict(row["hyperparameters"]),
            test_metric=row["test_metric"],
            low=row["test_low"],
            high=row["test_high"],
        )

    def curves(self) -> pd.DataFrame:
        """Training and validation curves of the final runs: a row per optimizer and epoch.

        For each figure its mean over the seeds, and the seeds' smallest and largest value
        (``..._low``, ``..._high``).
        """
        return self.reading.curves.copy()

    def sensitivity(self) -> pd.DataFrame:
        """The search by learning rate: a row per optimizer and rate, over the seeds."""
        return self.reading.sensitivity.copy()

    def measures(self) -> pd.DataFrame:
        """Every measure of each optimizer, a row each, best first.

        Test figures of the fresh seeds (mean, median, interquartile mean ``iqm``, each with its
        95 % interval as ``..._low`` and ``..._high``), the best epoch's figure, the area under the
        curve and the gap between training and test data are in the metric's units (shares from 0 to
        1). ``seconds_per_step`` and ``seconds_to_target`` are in seconds, ``state_bytes`` in bytes,
        ``basin_decades`` in powers of ten of the learning rate, ``diverged_share`` from 0 to 1.
        Infinite: the target is not reached. NaN: not known.
        """
        return measures(self.reading)

    def pairwise(self) -> pd.DataFrame:
        """Every optimizer against every other one, on test data: a row per ordered pair.

        ``difference`` (the first minus the other) with its 95 % interval ``low`` and ``high``, and
        ``bound``, the largest difference that there may be (95 % sure), are in the metric's units;
        ``p_value`` is corrected (Holm) over all pairs; ``improvement`` is the chance, from 0 to 1,
        that a run of the first beats one of the other; ``relation`` is how the first stands to the
        other, in words.
        """
        return pairwise(self.reading)

    def tunability(self) -> pd.DataFrame:
        """The best validation figure to expect of 1, 2, ... trials of the search, per optimizer.

        ``expected`` with its 95 % bootstrap interval ``low`` and ``high``, in the metric's units;
        ``seconds`` is how long so many trials take on average, trained one after another, without
        compiling. Empty where nothing was searched.
        """
        return budgets(self.reading)

    def report(self, path: Path | str | None = None) -> Path:
        """Write the page that opens offline; returns its path (``report.html`` in the folder)."""
        from fallline.report.page import render

        target = self.path / REPORT_NAME if path is None else Path(path)
        try:
            if path is None:
                durable.write_page(target, render(self.reading))
            else:
                target.write_text(render(self.reading), encoding="utf-8")
        except OSError as error:
            raise StudyError(
                f"cannot write the report {str(target)!r}: {error.strerror or error}",
                hint="give report() a path in a folder that can be written to",
            ) from error
        return target

    def export(
        self,
        path: Path | str | None = None,
        *,
        formats: str | Iterable[str] | None = None,
        width: str = "single",
    ) -> tuple[Path, ...]:
        """Write figures, tables and references for a paper; returns the files.

        ``path`` is their folder (``export`` in the study's). ``formats``: of ``png``, ``svg``,
        ``pdf`` (figures), ``csv``, ``md``, ``tex`` (tables and the figures' data) and ``bib``, all
        by default. ``width`` of the figures: ``"single"`` (a column, 3.4 in) or ``"double"``
        (7 in). Raises InputError for another format or width, StudyError where it cannot write.
        """
        from fallline.report import export

        target = self.path / EXPORT_FOLDER if path is None else Path(path)
        return export.write(self.reading, target, formats=formats, width=width)

    def to_json(self) -> str:
        """Verdict, warnings and table as JSON; null for what there is not."""
        return json.dumps(self.to_dict(), allow_nan=False, indent=2, ensure_ascii=False)

    def to_dict(self) -> dict[str, Any]:
        """The content of `to_json`."""
        document = self.document
        return {
            "task": document.task.name,
            "metric": document.task.metric,
            "higher_is_better": document.task.higher_is_better,
            "complete": self.complete,
            "verdict": self.verdict,
            "warnings": list(self.warnings),
            "recommendation": advice.as_json(self.reading),
            "target": tables.plain(self.reading.target),
            "study": str(self.path),
            "table": tables.records(self.reading),
        }


def open_study(path: Path | str) -> Study:
    """The study in the folder ``path``. Raises `StudyError` where there is none."""
    return Study(StudyFolder.open(path))
