"""The runs of a series as one table: a row per run, with its setting and all its figures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fallline.planning.studyfile import FIGURES
from fallline.records import Status
from fallline.store.series import SeriesFolder, StoredMember

if TYPE_CHECKING:
    import pandas as pd

CURVES = ("train_loss", "train_metric", "validation_loss", "validation_metric")
TESTED = ("test_loss", "test_metric")
COLUMNS = (
    "stage",
    "mode",
    "setting",
    "labels",
    "fold",
    "seed",
    "status",
    "diverged",
    "metric",
    "higher_is_better",
    "test_examples",
    "hyperparameters",
    "steps",
    "seconds",
    *FIGURES,
    "study",
    "run",
    *(f"{name}_curve" for name in CURVES),
)


def runs_of(series: SeriesFolder) -> pd.DataFrame:
    """Every measured run of the series: the columns are `COLUMNS`.

    ``setting`` joins the labels of the stage's axes, ``labels`` holds them by axis. Figures are
    those after the last epoch, NaN for a diverged run and for what was not measured; a figure's
    ``..._curve`` has a value per epoch. ``seconds`` is what the training takes alone: its steps,
    each as long as one of its optimizer's that was measured alone. ``study`` and ``run`` say where
    it is stored: the same for a setting that several stages measure, which is trained once.
    """
    import pandas as pd

    there = [each for each in series.progress.members if series.has(each)]
    rows = [row for member in there for row in _rows(series, member)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


@dataclass(frozen=True)
class Troubles:
    """What is wrong with the studies of a series."""

    problems: tuple[str, ...]
    """With their folders, a sentence each."""
    failed: dict[str, str]
    """By optimizer and study (``"sgd on digits-mlp"``), why it could not be trained."""


def troubles_of(series: SeriesFolder) -> Troubles:
    """What is wrong with the studies that the series has trained, each looked at once."""
    problems: list[str] = []
    failed: dict[str, str] = {}
    for member in {each.folder: each for each in series.progress.members}.values():
        if not series.has(member):
            problems.append(f"{member.folder}: its study is gone; its runs are trained again.")
            continue
        study = series.study(member)
        problems += [f"{member.folder}: {problem}" for problem in study.problems]
        reasons = study.failed.items()
        failed |= {f"{name} on {member.title}": reason for name, reason in reasons}
    return Troubles(tuple(problems), failed)


def _rows(series: SeriesFolder, member: StoredMember) -> list[dict[str, Any]]:
    folder = series.study(member)
    task, contents = folder.document.task, folder.contents()
    timing = contents.timing
    labels = {each.optimizer: each.labels for each in member.settings}
    frame = folder.frame(contents)
    rows = []
    measured = frame[(frame["phase"] == "final") & frame["optimizer"].isin(list(labels))]
    for run in measured.to_dict("records"):
        step = timing.step.get(run["optimizer"], math.nan) if timing else math.nan
        own = labels[run["optimizer"]]
        diverged = run["status"] in (Status.DIVERGED.value, Status.FAILED.value)
        curves = {name: np.asarray(run[name], np.float64) for name in CURVES}
        last = {name: _last(curve, diverged) for name, curve in curves.items()}
        tested = {
            name: math.nan if diverged else float(run[name])
            for name in ("test_loss", "test_metric")
        }
        rows.append(
            {
                "stage": member.stage,
                "mode": member.mode,
                "setting": title_of(own),
                "labels": own,
                "fold": member.fold,
                "seed": run["seed"],
                "status": run["status"],
                "diverged": diverged,
                "metric": task.metric,
                "higher_is_better": task.higher_is_better,
                "test_examples": task.test_examples,
                "hyperparameters": run["hyperparameters"],
                "steps": run["steps"],
                "seconds": step * run["steps"],
                **last,
                **tested,
                "epochs_trained": float(run["epochs_trained"]),
                "study": member.folder,
                "run": run["run_id"],
                **{f"{name}_curve": curve for name, curve in curves.items()},
            }
        )
    return rows


def trained(runs: pd.DataFrame) -> pd.DataFrame:
    """The rows of ``runs`` without those of what a stage above has too."""
    return runs[runs["study"].isna() | ~runs.duplicated(["study", "run"])]


def title_of(labels: dict[str, str]) -> str:
    """A setting's labels in one line: the same as :attr:`Setting.title`."""
    return ", ".join(labels.values()) or "the setting"


def _last(curve: np.ndarray, diverged: bool) -> float:
    return math.nan if diverged or len(curve) == 0 else float(curve[-1])


def values(runs: pd.DataFrame, figure: str, *, epoch: int = 0) -> np.ndarray:
    """One figure of each row, shape ``(runs,)``: after the last epoch, or after ``epoch`` (1...).

    NaN where a run diverged, was not trained so far, or has no such figure.
    """
    if epoch == 0:
        return runs[figure].to_numpy(dtype=float)
    if figure not in CURVES:
        return np.full(len(runs), math.nan)
    found = [
        float(curve[epoch - 1]) if len(curve) >= epoch and not gone else math.nan
        for curve, gone in zip(runs[f"{figure}_curve"], runs["diverged"], strict=True)
    ]
    return np.asarray(found, float)


def of_setting(
    runs: pd.DataFrame, labels: dict[str, str], *, stage: str, mode: str
) -> pd.DataFrame:
    """The rows of one stage and mode whose setting has these ``labels``, and perhaps others."""
    own = runs[(runs["stage"] == stage) & (runs["mode"] == mode)]
    fits = [all(held.get(a) == label for a, label in labels.items()) for held in own["labels"]]
    return own[np.asarray(fits, bool)] if len(own) else own


def higher_is_better(runs: pd.DataFrame, figure: str) -> bool:
    """Whether more of ``figure`` is better; of epochs and losses less is."""
    return figure.endswith("_metric") and bool(runs["higher_is_better"].iloc[0])


def modes_of(runs: pd.DataFrame) -> Sequence[str]:
    """The modes there are, untuned first."""
    return [mode for mode in ("untuned", "tuned") if (runs["mode"] == mode).any()]
