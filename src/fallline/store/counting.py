"""Which of the stored runs a study counts.

A study that was extended may choose another setting, and train for longer; one that goes on after
runs had failed, or a part was lost, may choose anew. Runs of what it was before stay in the folder,
and must not get into its figures.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TYPE_CHECKING

from fallline.planning.selection import best_trials
from fallline.records import RunResult, Status
from fallline.store.document import StudyDocument

if TYPE_CHECKING:
    import pandas as pd


def aside(
    runs: pd.DataFrame,
    results: Callable[[], Iterable[RunResult]],
    document: StudyDocument,
    said: Collection[str] | None,
) -> set[str]:
    """The ids of the runs that do not count; ``results`` gives the same runs as results.

    ``said`` are those that the study names itself, once it is complete; None before.
    """
    found = set(said or ())
    if said is None and document.widened:
        found = not_counted(results(), document)
    found |= superseded(runs)
    if of_several_settings(runs[~runs["run_id"].isin(list(found))]):
        found |= not_counted(results(), document)
    return found


def of_several_settings(runs: pd.DataFrame) -> list[str]:
    """The optimizers with final runs of more than one setting."""
    final = runs.loc[runs["phase"] == "final", ["optimizer", "hyperparameters"]]
    settings = final.drop_duplicates()["optimizer"]
    return sorted(set(settings[settings.duplicated()]))


def not_counted(results: Iterable[RunResult], document: StudyDocument) -> set[str]:
    """Of a study that is not complete: the ids of the runs that cannot count, or not yet.

    A final run counts when the search of its optimizer has all its seeds and chose its setting.
    That is as much as can be said before the end: a complete study says it by itself.
    """
    results = list(results)
    protocol = document.protocol
    own = [
        each
        for each in results
        if each.run.optimizer in protocol.optimizers and each.run.epochs == protocol.epochs
    ]
    seeds = {*protocol.search_seeds, *protocol.confirm_seeds}
    counted = [each for each in own if each.run.phase == "search" and each.run.seed in seeds]
    final = [
        each for each in own if each.run.phase == "final" and each.run.seed in protocol.final_seeds
    ]
    if protocol.searched:
        chosen = _chosen(counted, document)
        final = [each for each in final if each.run.trial in chosen]
    known = {each.run.run_id for each in (*counted, *final)}
    return {each.run.run_id for each in results} - known


def superseded(runs: pd.DataFrame) -> set[str]:
    """The ids of final runs that failed and whose setting is not their optimizer's any more.

    Where a search failed half way its choice is made again when the study goes on. The setting is
    that of final runs that did not fail, or else of those that were stored last.
    """
    failed = runs["status"] == Status.FAILED.value
    final = runs[runs["phase"] == "final"]
    found: set[str] = set()
    for name in final.loc[failed, "optimizer"].unique():
        own = final[final["optimizer"] == name]
        sound = own[~failed.loc[own.index]]
        held = (sound if len(sound) else own)["hyperparameters"].iloc[-1]
        others = own[failed.loc[own.index] & (own["hyperparameters"] != held)]
        found |= set(others["run_id"])
    return found


def _chosen(searched: Sequence[RunResult], document: StudyDocument) -> set:
    """The best trial of every optimizer none of whose trials lacks a seed."""
    seeds: dict[tuple, set[int]] = {}
    for each in searched:
        seeds.setdefault(each.run.trial, set()).add(each.run.seed)
    wanted = set(document.protocol.search_seeds)
    under_way = {optimizer for (optimizer, _), own in seeds.items() if not wanted <= own}
    best = best_trials(searched, higher_is_better=document.task.higher_is_better)
    return {
        (name, tuple(sorted(trial.hyperparameters.items())))
        for name, trial in best.items()
        if name not in under_way
    }
