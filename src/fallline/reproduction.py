"""A series of studies read back from its folder: tables, claims, published figures, report."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fallline.analysis import published, series
from fallline.errors import StudyError
from fallline.planning.studyfile import StudyFile
from fallline.report import (
    reproduction_page,
    reproduction_static,
    reproduction_text,
    reproduction_words,
)
from fallline.report.tables import plain
from fallline.store import durable
from fallline.store.series import SeriesFolder

if TYPE_CHECKING:
    import pandas as pd

REPORT_NAME = "report.html"
MARKDOWN_NAME = "report.md"
TABLE_NAME = "runs.csv"
PICTURES_FOLDER = "pictures"


@dataclass(frozen=True)
class Reproduction:
    """What a series' folder holds, as tables and words. Make it with :func:`open_series`."""

    folder: SeriesFolder

    def __repr__(self) -> str:
        return f"Reproduction({str(self.path)!r})"

    @property
    def path(self) -> Path:
        return self.folder.path

    @property
    def file(self) -> StudyFile:
        """The study file in the form that was run."""
        return self.folder.document.file

    @cached_property
    def complete(self) -> bool:
        """True when every setting is measured."""
        return self.folder.complete

    @cached_property
    def _troubles(self) -> series.Troubles:
        return series.troubles_of(self.folder)

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong with the folders of its studies, a sentence each."""
        return self._troubles.problems

    @property
    def failed(self) -> dict[str, str]:
        """By optimizer and study (``"sgd on digits-mlp"``), why it could not be trained."""
        return self._troubles.failed

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is wrong and what failed, a sentence each; empty if nothing did."""
        return tuple(reproduction_words.warnings(self.problems, self.failed))

    @cached_property
    def runs(self) -> pd.DataFrame:
        """Every measured run, a row each: `fallline.analysis.series.COLUMNS`."""
        return series.runs_of(self.folder)

    @cached_property
    def findings(self) -> published.Findings:
        """Everything that the report says, as tables."""
        return published.findings(self.runs, self.folder)

    def settings(self) -> pd.DataFrame:
        """A row per stage, mode and setting: figures as means with 95 % intervals."""
        return self.findings.settings

    def published(self) -> pd.DataFrame:
        """A row per published figure: theirs, ours, the difference, and whether it fits."""
        return self.findings.published

    def claims(self) -> pd.DataFrame:
        """A row per claim and mode: what the runs say of it."""
        return self.findings.claims

    def text(self) -> str:
        """The tables and claims in plain text, for a terminal."""
        return reproduction_text.render(self.findings, self.warnings)

    def report(self, path: Path | str | None = None) -> Path:
        """Write the page (and beside it the tables as Markdown and CSV); returns its path."""
        target = self.path / REPORT_NAME if path is None else Path(path)
        try:
            page = reproduction_page.render(self.findings, self.warnings)
            if path is None:
                durable.write_page(target, page)
            else:
                target.write_text(page, encoding="utf-8")
            (target.parent / MARKDOWN_NAME).write_text(
                reproduction_text.markdown(self.findings), encoding="utf-8"
            )
            scalars = [name for name in self.runs.columns if not name.endswith("_curve")]
            self.runs[scalars].to_csv(target.parent / TABLE_NAME, index=False)
        except OSError as error:
            raise StudyError(
                f"cannot write the report {str(target)!r}: {error.strerror or error}",
                hint="give --out a folder that can be written to",
            ) from error
        return target

    def pictures(self, folder: Path | str | None = None, file_format: str = "svg") -> Path:
        """Write the page's charts as files (``svg``, ``png`` or ``pdf``); returns their folder."""
        target = self.path / PICTURES_FOLDER if folder is None else Path(folder)
        reproduction_static.write(self.findings, target, file_format)
        return target

    def document(self, path: Path | str) -> Path:
        """Write the report as Markdown with a few pictures in ``pictures/`` beside it."""
        target = Path(path)
        drawn = reproduction_static.write(
            self.findings,
            target.parent / PICTURES_FOLDER,
            "svg",
            prefix=f"{target.stem}-",
            kinds=("published", "axis", "tuning"),
        )
        addresses = {key: f"{PICTURES_FOLDER}/{file.name}" for key, file in drawn.items()}
        text = reproduction_text.markdown(self.findings, addresses)
        target.write_text(text, encoding="utf-8")
        return target

    def to_dict(self) -> dict[str, Any]:
        """The tables and claims in what JSON knows."""
        return {
            "name": self.file.name,
            "form": self.file.form,
            "complete": self.complete,
            "warnings": list(self.warnings),
            "folder": str(self.path),
            "chosen": dict(self.folder.progress.chosen),
            **{
                name: [plain(row) for row in getattr(self.findings, name).to_dict("records")]
                for name in ("settings", "published", "claims", "tuning")
            },
        }

    def to_json(self) -> str:
        """`to_dict` as JSON; null for what there is not."""
        return json.dumps(self.to_dict(), allow_nan=False, indent=2, ensure_ascii=False)


def open_series(path: Path | str) -> Reproduction:
    """The series in the folder ``path``. Raises `StudyError` where there is none."""
    return Reproduction(SeriesFolder.open(path))
