"""All that is read from a study, computed once: what tables, verdict and page are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fallline.analysis.curves import curves, sensitivity
from fallline.analysis.summary import summarise, target_of
from fallline.analysis.trials import rates_alone, with_last_figures
from fallline.records import Status
from fallline.store.document import StudyDocument, Timing

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Reading:
    """A study as its readers see it. Frames are shared: do not write into them."""

    document: StudyDocument
    timing: Timing | None
    complete: bool
    """True when every run of the protocol is stored."""
    runs: pd.DataFrame
    """The stored runs with their last figures, a row each."""
    summary: pd.DataFrame
    """A row per optimizer, best first: `fallline.analysis.summary.COLUMNS`."""
    curves: pd.DataFrame
    sensitivity: pd.DataFrame
    """By learning rate, of the trials whose other hyper-parameters are at their defaults."""
    target: float
    """The validation figure to be reached; NaN where there is none."""
    problems: tuple[str, ...] = ()
    """What is wrong with the study's folder, a sentence each."""

    @property
    def measured(self) -> pd.DataFrame:
        """The rows of the summary with final runs, best first."""
        return self.summary[self.summary["measured_on"] == "final"]

    @property
    def failed(self) -> dict[str, str]:
        """By optimizer, why it could not be trained; empty where none failed."""
        rows = self.runs[self.runs["status"] == Status.FAILED.value].drop_duplicates("optimizer")
        return dict(zip(rows["optimizer"], rows["reason"], strict=True)) if len(rows) else {}


def read(
    runs: pd.DataFrame,
    document: StudyDocument,
    *,
    timing: Timing | None = None,
    complete: bool = True,
    problems: tuple[str, ...] = (),
) -> Reading:
    """The reading of the frame of ``runs`` (a row per run, as the store gives it)."""
    known = with_last_figures(runs)
    return Reading(
        document=document,
        timing=timing,
        complete=complete,
        runs=known,
        summary=summarise(known, document, timing),
        curves=curves(known),
        sensitivity=sensitivity(rates_alone(known, document)),
        target=target_of(known, document),
        problems=problems,
    )
