"""What a series says: its settings, its claims, and its figures beside the published ones."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fallline.analysis.comparison import compare_to_best
from fallline.analysis.series import higher_is_better, modes_of, of_setting, title_of, values
from fallline.analysis.statistics import (
    LEVEL,
    Interval,
    PairedTest,
    holm,
    paired_test,
    prediction_interval,
    t_interval,
)
from fallline.planning.studyfile import (
    FIGURES,
    Claim,
    Published,
    StudyFile,
    figure_named,
    stages_of,
)
from fallline.store.series import SeriesFolder

if TYPE_CHECKING:
    import pandas as pd

RANKED_BY = ("test_metric", "validation_metric", "test_loss", "train_loss")
"""Settings are ranked by the first of these that was measured."""
_FOLD_STRIDE = 1_000_000


@dataclass(frozen=True, eq=False)
class Findings:
    """Everything that a report of a series says, as tables. Frames are shared: do not write."""

    file: StudyFile
    complete: bool
    created: str
    versions: dict[str, str]
    machine: dict[str, Any]
    chosen: dict[str, dict[str, str]]
    """By stage: what it chose for the stages after it."""
    runs: pd.DataFrame
    """`fallline.analysis.series.COLUMNS`."""
    settings: pd.DataFrame
    """A row per stage, mode and setting, the best first: `settings`."""
    published: pd.DataFrame
    """A row per published figure: `beside_published`."""
    claims: pd.DataFrame
    """A row per claim and mode: `judged`."""
    tuning: pd.DataFrame
    """A row per setting that was measured in both modes: `tuned_beside_untuned`."""


def findings(runs: pd.DataFrame, folder: SeriesFolder) -> Findings:
    """The findings of a series: ``runs`` are those of `fallline.analysis.series.runs_of`."""
    document, progress = folder.document, folder.progress
    file = document.file
    return Findings(
        file=file,
        complete=folder.complete,
        created=document.created,
        versions=document.versions,
        machine=document.machine,
        chosen=dict(progress.chosen),
        runs=runs,
        settings=settings(runs),
        published=beside_published(runs, file),
        claims=judged(runs, file),
        tuning=tuned_beside_untuned(runs),
    )


# -- settings ---------------------------------------------------------------------------------


def settings(runs: pd.DataFrame) -> pd.DataFrame:
    """A row per stage, mode and setting; within a stage and mode the best first.

    Columns ``stage, mode, setting, labels, metric, seeds, diverged, learning_rate,
    hyperparameters, seconds``, each of `FIGURES` as a mean over the seeds that did not diverge
    with the ends of its 95 % interval (``..._low``, ``..._high``), and, by the stage's
    ``ranked_by``, the paired difference to the best setting: ``relation, difference,
    difference_low, difference_high, p_value`` (Holm's correction over the stage).
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for (stage, mode), own in runs.groupby(["stage", "mode"], sort=False):
        rows += _ranked_stage(own, str(stage), str(mode))
    return pd.DataFrame(rows)


def ranked_by(runs: pd.DataFrame) -> str:
    """The figure by which the settings of a stage are ranked."""
    return next((name for name in RANKED_BY if runs[name].notna().any()), RANKED_BY[0])


def _ranked_stage(own: pd.DataFrame, stage: str, mode: str) -> list[dict[str, Any]]:
    figure = ranked_by(own)
    higher = higher_is_better(own, figure)
    rows = {}
    for setting, part in own.groupby("setting", sort=False):
        rows[str(setting)] = _setting_row(part, stage, mode, str(setting), figure)
    sign = -1.0 if higher else 1.0

    def key(name: str) -> tuple[float, float]:
        mean = rows[name][figure]
        return rows[name]["diverged"], sign * mean if math.isfinite(mean) else math.inf

    ranking = sorted(rows, key=key)
    table = own.assign(
        optimizer=own["setting"], seed=_pairing(own), phase="final", test_metric=own[figure]
    )
    compared = compare_to_best(
        table, ranking, higher_is_better=higher, resolution=_resolution(own, figure)
    )
    for each in compared:
        rows[each.optimizer] |= {
            "relation": each.relation.value,
            "difference": each.difference,
            "difference_low": each.low,
            "difference_high": each.high,
            "p_value": each.p_value,
        }
    return [rows[name] for name in ranking]


def _setting_row(
    part: pd.DataFrame, stage: str, mode: str, setting: str, figure: str
) -> dict[str, Any]:
    first = part.iloc[0]
    hyperparameters = json.loads(str(first["hyperparameters"]))
    row: dict[str, Any] = {
        "stage": stage,
        "mode": mode,
        "setting": setting,
        "labels": first["labels"],
        "metric": first["metric"],
        "ranked_by": figure,
        "seeds": len(part),
        "diverged": int(part["diverged"].sum()),
        "learning_rate": hyperparameters.get("learning_rate", math.nan),
        "hyperparameters": hyperparameters,
        "seconds": float(part["seconds"].mean()),
    }
    for name in FIGURES:
        interval = t_interval(part[name].to_numpy(float))
        low, high = _possible(interval, name, str(first["metric"]))
        row |= {name: interval.mean, f"{name}_low": low, f"{name}_high": high}
    return row


def _possible(interval: Interval, figure: str, metric: str) -> tuple[float, float]:
    """The interval's ends, within the values that the figure can take."""
    top = 1.0 if figure.endswith("_metric") and metric == "accuracy" else math.inf
    return max(interval.low, 0.0), min(interval.high, top)


def _pairing(runs: pd.DataFrame) -> pd.Series:
    """What pairs the runs of two settings: the seed and the fold."""
    return runs["seed"] + _FOLD_STRIDE * runs["fold"]


def _resolution(runs: pd.DataFrame, figure: str) -> float:
    """The smallest step between two figures: a test example for an accuracy, else none."""
    first = runs.iloc[0]
    counted = figure == "test_metric" and first["metric"] == "accuracy" and first["test_examples"]
    return 1.0 / first["test_examples"] if counted else 0.0


# -- published figures ------------------------------------------------------------------------


def beside_published(runs: pd.DataFrame, file: StudyFile) -> pd.DataFrame:
    """A row per published figure that was measured too, in the file's order.

    Columns ``stage, setting, epoch`` (0: the last), ``figure, metric, theirs, ours`` (mean over
    the seeds), ``low, high`` (where one further run of ours would lie with 95 % probability),
    ``seeds, difference`` (ours less theirs), ``inside`` (None with a single seed). Ours are the
    figures at the file's own settings, or the tuned ones where there are no others.
    """
    import pandas as pd

    rows = []
    for entry in file.published:
        stage = entry.stage or next(iter(stages_of(file)))
        staged = runs[runs["stage"] == stage]
        if staged.empty:
            continue
        own = of_setting(runs, entry.where, stage=stage, mode=modes_of(staged)[0])
        if len(own):
            rows += [_beside(own, stage, entry, *item) for item in entry.figures.items()]
    return pd.DataFrame(rows, columns=list(_PUBLISHED_COLUMNS))


_PUBLISHED_COLUMNS = (
    *("stage", "setting", "epoch", "figure", "metric", "theirs", "ours"),
    *("low", "high", "seeds", "difference", "inside"),
)


def _beside(
    own: pd.DataFrame, stage: str, entry: Published, named: str, theirs: float
) -> dict[str, Any]:
    figure = figure_named(named)
    measured = values(own, figure, epoch=entry.epoch)
    interval = prediction_interval(measured)
    low, high = _possible(interval, figure, str(own.iloc[0]["metric"]))
    inside = bool(low <= theirs <= high) if math.isfinite(interval.low) else None
    return {
        "stage": stage,
        "setting": _title(own, entry.where),
        "epoch": entry.epoch,
        "figure": figure,
        "metric": own.iloc[0]["metric"],
        "theirs": theirs,
        "ours": interval.mean,
        "low": low,
        "high": high,
        "seeds": interval.seeds,
        "difference": interval.mean - theirs,
        "inside": inside,
    }


def _title(own: pd.DataFrame, where: Mapping[str, str]) -> str:
    """The labels of ``where`` in one line, in the order of the settings' own."""
    return title_of({axis: where[axis] for axis in own.iloc[0]["labels"] if axis in where})


# -- claims -----------------------------------------------------------------------------------

HOLDS = "holds"
REVERSED = "the reverse holds"
OPEN = "cannot be told"
FEW = "too few seeds"


def judged(runs: pd.DataFrame, file: StudyFile) -> pd.DataFrame:
    """A row per claim, mode and setting that it is about.

    Columns ``claim`` (its number, from 0), ``text, about, stage, mode, figure, first, second,
    difference`` (of the figure, first less second, paired by seed), ``low, high`` (95 %),
    ``p_value`` (Holm's correction over the claim's comparisons), ``verdict``.
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for number, claim in enumerate(file.claims):
        stage = claim.stage or next(iter(stages_of(file)))
        staged = runs[runs["stage"] == stage]
        for mode in modes_of(staged):
            rows += _judge(runs, number, claim, stage, mode)
    return pd.DataFrame(rows, columns=list(_CLAIM_COLUMNS))


_CLAIM_COLUMNS = (
    *("claim", "text", "about", "stage", "mode", "figure", "first", "second"),
    *("difference", "low", "high", "p_value", "verdict"),
)


def _judge(
    runs: pd.DataFrame, number: int, claim: Claim, stage: str, mode: str
) -> list[dict[str, Any]]:
    figure = figure_named(claim.figure)
    first = of_setting(runs, claim.better, stage=stage, mode=mode)
    if first.empty:
        return []
    others = _others(runs, claim, stage, mode)
    tests = [_paired(first, other, figure) for other in others]
    higher = higher_is_better(first, figure)
    adjusted = holm([test.p_value for test in tests])
    return [
        {
            "claim": number,
            "text": claim.text,
            "about": claim.about,
            "stage": stage,
            "mode": mode,
            "figure": figure,
            "first": _title(first, claim.better),
            "second": other.iloc[0]["setting"],
            "difference": test.interval.mean,
            "low": test.interval.low,
            "high": test.interval.high,
            "p_value": float(p_value),
            "verdict": _verdict(test, float(p_value), higher),
        }
        for other, test, p_value in zip(others, tests, adjusted, strict=True)
    ]


def _others(runs: pd.DataFrame, claim: Claim, stage: str, mode: str) -> list[pd.DataFrame]:
    """The settings that the claim's one is said to beat, the rows of each."""
    own = of_setting(runs, claim.than, stage=stage, mode=mode)
    return [
        part
        for _, part in own.groupby("setting", sort=False)
        if not _has(part.iloc[0]["labels"], claim.better)
    ]


def _has(labels: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    return all(labels.get(axis) == label for axis, label in wanted.items())


def _verdict(test: PairedTest, p_value: float, higher: bool) -> str:
    if not math.isfinite(p_value):
        return FEW
    if p_value >= LEVEL:
        return OPEN
    return HOLDS if (test.interval.mean > 0) == higher else REVERSED


def _paired(first: pd.DataFrame, second: pd.DataFrame, figure: str) -> PairedTest:
    """The test of the differences on the seeds that both have."""
    one, two = (
        part.assign(pair=_pairing(part)).drop_duplicates("pair").set_index("pair")[figure]
        for part in (first, second)
    )
    pairs = one.index.intersection(two.index)
    return paired_test(
        one.loc[pairs].to_numpy(float),
        two.loc[pairs].to_numpy(float),
        resolution=_resolution(first, figure),
    )


# -- tuned beside untuned ---------------------------------------------------------------------


def tuned_beside_untuned(runs: pd.DataFrame) -> pd.DataFrame:
    """A row per setting that was measured in both modes, in the order of the runs.

    Columns ``stage, setting, figure, metric, untuned, tuned`` (means), ``untuned_rate,
    tuned_rate`` (learning rates), ``untuned_rank, tuned_rank`` (from 1), ``difference`` (tuned
    less untuned, paired by seed), ``low, high`` (95 %), ``p_value`` (Holm's correction over the
    stage).
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for stage, own in runs.groupby("stage", sort=False):
        if len(modes_of(own)) == 2:
            rows += _tuned_stage(own, str(stage))
    return pd.DataFrame(rows, columns=list(_TUNING_COLUMNS))


_TUNING_COLUMNS = (
    *("stage", "setting", "figure", "metric", "untuned", "tuned", "untuned_rate", "tuned_rate"),
    *("untuned_rank", "tuned_rank", "difference", "low", "high", "p_value"),
)


def _tuned_stage(own: pd.DataFrame, stage: str) -> list[dict[str, Any]]:
    figure = ranked_by(own)
    by_mode = {
        mode: {row["setting"]: row for row in _ranked_stage(part, stage, mode)}
        for mode, part in ((mode, own[own["mode"] == mode]) for mode in modes_of(own))
    }
    ranks = {
        mode: {setting: rank for rank, setting in enumerate(rows, start=1)}
        for mode, rows in by_mode.items()
    }
    everyone = dict.fromkeys(own["setting"])
    shared = [name for name in everyone if all(name in held for held in ranks.values())]
    tests = [_paired(*_modes(own, name), figure) for name in shared]
    adjusted = holm([test.p_value for test in tests])
    return [
        {
            "stage": stage,
            "setting": name,
            "figure": figure,
            "metric": own.iloc[0]["metric"],
            **{mode: by_mode[mode][name][figure] for mode in by_mode},
            **{f"{mode}_rate": by_mode[mode][name]["learning_rate"] for mode in by_mode},
            **{f"{mode}_rank": ranks[mode][name] for mode in by_mode},
            "difference": test.interval.mean,
            "low": test.interval.low,
            "high": test.interval.high,
            "p_value": float(p_value),
        }
        for name, test, p_value in zip(shared, tests, adjusted, strict=True)
    ]


def _modes(own: pd.DataFrame, setting: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The tuned runs of a setting, and the untuned ones."""
    rows = own[own["setting"] == setting]
    return rows[rows["mode"] == "tuned"], rows[rows["mode"] == "untuned"]
