"""Which optimizer to use and how sure that is, with all that speaks for and against it: as data."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from fallline.analysis import changes, effort, matrix, tunability
from fallline.analysis.changes import Early, Sooner
from fallline.analysis.comparison import Relation
from fallline.analysis.effort import Advantage, Effort
from fallline.analysis.pairs import Bound, largest_difference
from fallline.analysis.reading import Reading
from fallline.analysis.resolution import Resolution, resolutions
from fallline.analysis.statistics import LEVEL, Interval
from fallline.analysis.summary import resolution_of, rows_of
from fallline.analysis.tunability import Leader


class Certainty(enum.StrEnum):
    """How sure the choice is, on the test data of the fresh seeds."""

    CLEAR = "clear winner"
    """Every other optimizer is distinguishably worse, or diverged more often."""
    LIKELY = "probably the best"
    """No other is level with it, but of some it is not sure that they are worse."""
    TIED = "one of several"
    """At least one other cannot be told apart from it."""
    CONTRADICTED = "test data disagree"
    """At least one other is distinguishably better on test data, which chose nothing."""
    ALONE = "nothing to compare with"
    UNKNOWN = "cannot tell"
    """Fewer than two fresh seeds."""
    UNFINISHED = "not finished"
    NOTHING = "nothing can be said"
    """No run is stored, or all diverged on every fresh seed."""


@dataclass(frozen=True)
class Setting:
    """The recommended optimizer with all of its hyper-parameters, and its figures.

    The figures are means over the seeds with their 95 % intervals, of the final runs; where there
    is none yet, the validation figure is of the search and the test figure is NaN.
    """

    optimizer: str
    hyperparameters: dict[str, float] = field(hash=False)
    learning_rate: float
    """NaN where it has none."""
    searched: tuple[str, ...]
    """The hyper-parameters that the search could change; the others are at their defaults."""
    full_batch: bool
    test: Interval
    validation: Interval
    diverged: int
    """Of its final runs."""


@dataclass(frozen=True)
class Against:
    """Another optimizer beside the chosen one, on the test data of the fresh seeds.

    ``difference`` is its figure minus the chosen one's, in the metric's units, with the ends of its
    own 95 % interval; the rest is NaN where no test was made.
    """

    optimizer: str
    learning_rate: float
    relation: Relation
    difference: float
    low: float
    high: float
    p_value: float
    """After Holm's correction over all the others."""
    improvement: float
    """The chance, 0 to 1, that a run of the chosen one beats one of this (Agarwal et al. 2021)."""
    bound: float
    """The d of "no difference larger than d", 95 % sure for this pair alone."""
    seeds: int


@dataclass(frozen=True)
class Changes:
    """When the answer would be another one."""

    budget: tuple[Leader, ...]
    """Who leads in expectation with so many trials; empty without a search."""
    early: tuple[Early, ...]
    sooner: Sooner | None
    """None where nobody reaches the target in clearly less time than the chosen one."""


@dataclass(frozen=True)
class Recommendation:
    """What to use, how sure that is, and what it depends on."""

    certainty: Certainty
    chosen: Setting | None
    """`Study.best`: the first by validation figures; None where nothing can be recommended."""
    defaults_only: bool
    """Every optimizer ran at its own defaults: its default was compared, not the optimizer."""
    others: tuple[Against, ...]
    """Best first by validation figures; empty while the study is not finished."""
    bound: Bound | None
    """No difference larger than this to any of those that are as good, all of them together at
    95 %; None where there are none."""
    efforts: dict[str, Effort] = field(hash=False)
    """By optimizer, all of them."""
    easiest: str
    """Among the chosen one and its equals the one to take with little time for tuning; empty where
    none is clearly easier than the chosen one."""
    changes: Changes
    resolutions: tuple[Resolution, ...]
    """Of test and validation data, at the chosen one's figures; of those that were measured."""

    def related(self, *relations: Relation) -> tuple[Against, ...]:
        """The others that stand so to the chosen one."""
        return tuple(each for each in self.others if each.relation in relations)

    @property
    def equals(self) -> tuple[Against, ...]:
        """The others that cannot be told apart from the chosen one."""
        return self.related(Relation.NOT_DISTINGUISHABLE)

    def advantages(self, optimizer: str) -> tuple[Advantage, ...]:
        """What ``optimizer`` is clearly better in than the chosen one, figures apart."""
        assert self.chosen is not None
        return self.efforts[optimizer].advantages(self.efforts[self.chosen.optimizer])


@lru_cache(maxsize=1)
def recommend(reading: Reading) -> Recommendation:
    """The recommendation of a study: data alone, no words.

    The last one is kept: page, terminal and JSON of a reading ask for the same.
    """
    rows = rows_of(reading.summary)
    first = rows[0] if rows else None
    certainty = _certainty(reading, rows)
    if first is None or certainty is Certainty.NOTHING:
        return _nothing(certainty, reading)
    chosen = _setting(first, reading)
    others = _others(reading, chosen.optimizer) if reading.complete else ()
    tied = [each for each in others if each.relation is Relation.NOT_DISTINGUISHABLE]
    efforts = effort.efforts(reading)
    return Recommendation(
        certainty=certainty,
        chosen=chosen,
        defaults_only=not reading.document.protocol.searched,
        others=others,
        bound=_joint_bound(reading, chosen.optimizer, [each.optimizer for each in tied]),
        efforts=efforts,
        easiest=effort.easiest(
            [efforts[chosen.optimizer], *(efforts[each.optimizer] for each in tied)]
        ),
        changes=_changes(reading, chosen.optimizer, efforts),
        resolutions=resolutions(reading),
    )


def _certainty(reading: Reading, rows: list[dict[str, Any]]) -> Certainty:
    if not rows:
        return Certainty.NOTHING if reading.complete else Certainty.UNFINISHED
    if not reading.complete:
        return Certainty.UNFINISHED
    best = rows[0]
    if best["measured_on"] != "final" or best["final_diverged"] == best["seeds"]:
        return Certainty.NOTHING
    relations = {row["relation"] for row in rows[1:]}
    if not relations:
        return Certainty.ALONE
    for relation, certainty in (
        (Relation.UNKNOWN, Certainty.UNKNOWN),
        (Relation.BETTER, Certainty.CONTRADICTED),
        (Relation.NOT_DISTINGUISHABLE, Certainty.TIED),
        (Relation.PROBABLY_WORSE, Certainty.LIKELY),
    ):
        if relation in relations:
            return certainty
    return Certainty.CLEAR


def _setting(row: dict[str, Any], reading: Reading) -> Setting:
    protocol = reading.document.protocol
    values = row["hyperparameters"]
    names = [each.name for each in protocol.dimensions.get(row["optimizer"], ())]
    if protocol.searched and not protocol.dimensions:
        names = ["learning_rate"]
    return Setting(
        optimizer=row["optimizer"],
        hyperparameters=dict(values),
        learning_rate=row["learning_rate"],
        searched=tuple(name for name in names if name in values),
        full_batch=row["full_batch"],
        test=_interval(row, "test"),
        validation=_interval(row, "validation"),
        diverged=row["final_diverged"],
    )


def _interval(row: dict[str, Any], split: str) -> Interval:
    mean, low, high = (row[f"{split}_{end}"] for end in ("metric", "low", "high"))
    return Interval(mean, low, high, row["seeds"])


def _others(reading: Reading, chosen: str) -> tuple[Against, ...]:
    pairs = matrix.pairwise(reading).set_index(["optimizer", "other"])
    found = []
    for row in rows_of(reading.measured)[1:]:
        pair = pairs.loc[(chosen, row["optimizer"])]
        found.append(
            Against(
                optimizer=row["optimizer"],
                learning_rate=row["learning_rate"],
                relation=Relation(row["relation"]),
                difference=row["difference"],
                low=row["difference_low"],
                high=row["difference_high"],
                p_value=row["p_value"],
                improvement=float(pair["improvement"]),
                bound=float(pair["bound"]),
                seeds=int(pair["seeds"]),
            )
        )
    return tuple(found)


def _joint_bound(reading: Reading, chosen: str, tied: list[str]) -> Bound | None:
    """One statement about all of ``tied``: each at its share of the level (Bonferroni)."""
    if not tied:
        return None
    final = reading.runs[reading.runs["phase"] == "final"]
    figures = final.pivot_table(
        index="optimizer", columns="seed", values="test_metric", aggfunc="first", dropna=False
    )
    own = figures.loc[chosen].to_numpy(dtype=float)
    bounds = [
        largest_difference(
            figures.loc[name].to_numpy(dtype=float),
            own,
            level=LEVEL / len(tied),
            resolution=resolution_of(reading.document),
        )
        for name in tied
    ]
    widest = max(bounds, key=lambda each: each.largest)
    return widest._replace(level=LEVEL)


def _changes(reading: Reading, chosen: str, efforts: dict[str, Effort]) -> Changes:
    return Changes(
        budget=tunability.leaders(reading),
        early=changes.early(reading, chosen) if reading.complete else (),
        sooner=changes.sooner(efforts, chosen) if reading.complete else None,
    )


def _nothing(certainty: Certainty, reading: Reading) -> Recommendation:
    return Recommendation(
        certainty=certainty,
        chosen=None,
        defaults_only=not reading.document.protocol.searched,
        others=(),
        bound=None,
        efforts={},
        easiest="",
        changes=Changes((), (), None),
        resolutions=(),
    )
