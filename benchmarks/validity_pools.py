"""Hundreds of real runs of one setting, and studies made of them, read as any other study is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd

import fallline
from fallline.analysis.comparison import Relation
from fallline.analysis.reading import Reading, read
from fallline.analysis.statistics import Interval, t_interval
from fallline.analysis.summary import resolution_of
from fallline.analysis.trials import with_last_figures
from fallline.report.verdict import verdict
from fallline.results import Study
from fallline.store.document import StudyDocument
from validity_drawing import (
    FRESH_SEEDS,
    Equals,
    Pool,
    Population,
    Share,
    counted,
    generator,
    paired_power,
)

GOOD = "adam(learning_rate=0.01)"
NEARLY_GOOD = "adam(learning_rate=0.0032)"
TOO_LARGE = "adam(learning_rate=0.032)"


def trained(task: str, names: Sequence[str], seeds: int, work: Path) -> Study:
    """Every setting on the same fresh seeds, nothing searched; gone on with where it is begun."""
    folder = work / f"pool-{task}-{len(names)}-settings-{seeds}-seeds"
    return fallline.compare(task, list(names), protocol="defaults", final_seeds=seeds, out=folder)


def runs_of(study: Study, name: str) -> pd.DataFrame:
    """The runs of one setting by seed, those that diverged left out."""
    final = study.runs[study.runs["phase"] == "final"]
    own = with_last_figures(final[final["optimizer"] == name])
    return own[~own["diverged"]].sort_values("seed").reset_index(drop=True)


def pool_of(study: Study, name: str, title: str) -> Pool:
    """The figures of one setting."""
    own = runs_of(study, name)
    return Pool(
        title,
        own["last_metric"].to_numpy(float),
        own["test_metric"].to_numpy(float),
        study.document.task.higher_is_better,
        resolution_of(study.document),
    )


def population_of(study: Study, first: str, second: str, title: str) -> Population:
    """Test figures of two settings on the seeds that both finished."""
    both = _paired(study, first, second)
    one, two = both[first].to_numpy(float), both[second].to_numpy(float)
    return Population(title, one, one, two, resolution_of(study.document))


def under_names(document: StudyDocument, names: Sequence[str], like: str) -> StudyDocument:
    """The document of a study whose optimizers all are what ``like`` is in this one."""
    described = document.optimizers[like]
    return msgspec.structs.replace(
        document,
        optimizers=dict.fromkeys(names, described),
        protocol=msgspec.structs.replace(document.protocol, optimizers=tuple(names)),
    )


def drawn_studies(
    study: Study, name: str, entries: int, studies: int, *, seeds: int = FRESH_SEEDS
) -> Iterator[Reading]:
    """Readings of studies whose entries are all ``name``, each run on a seed of its own.

    Entries cannot share their seeds: two names of one optimizer take the same steps, to the bit.
    Runs are drawn without replacement as long as the pool lasts, and from the whole pool again.
    """
    draw, own = generator("real A/A", name, entries), runs_of(study, name)
    names = [f"entry {number + 1}" for number in range(entries)]
    document = under_names(study.document, names, name)
    size, left = entries * seeds, np.empty(0, int)
    for _ in range(studies):
        if len(left) < size:
            left = draw.permutation(len(own))
        rows, left = left[:size], left[size:]
        runs = own.iloc[rows].copy()
        runs["optimizer"] = np.repeat(names, seeds)
        runs["seed"] = np.tile(np.arange(seeds), entries)
        runs["run_id"] = [f"drawn-{row}" for row in range(size)]
        yield read(runs, document)


def equals_read(study: Study, name: str, title: str, entries: int, studies: int) -> Equals:
    """A/A through the product's own path: a frame of runs, its reading, its verdict's words."""
    seen = []
    for reading in drawn_studies(study, name, entries, studies):
        relations = {Relation(text) for text in reading.summary["relation"]}
        said = "not distinguishable" in verdict(reading)
        if said != (Relation.NOT_DISTINGUISHABLE in relations):
            raise AssertionError(f"table and verdict differ: {verdict(reading)}")
        seen.append(relations)
    return counted(title, entries, FRESH_SEEDS, seen)


@dataclass(frozen=True)
class RealDifference:
    """Two settings whose difference is known from hundreds of seeds, in studies of ten."""

    better: str
    other: str
    seeds: int
    """In the pool."""
    difference: Interval
    """Of the test figures, from the whole pool."""
    effect: float
    """The difference in standard deviations of the paired differences."""
    correlation: float
    """Of the two settings' test figures on the same seed."""
    deviation: float
    """Of the first setting's test figures."""
    right: Share
    expected: float


def found_read(study: Study, better: str, other: str, studies: int) -> RealDifference:
    """Studies of ten of the seeds of both settings, through the product's own path."""
    both = _paired(study, better, other)
    one, two = both[better].to_numpy(float), both[other].to_numpy(float)
    sign = 1.0 if study.document.task.higher_is_better else -1.0
    differences = sign * (one - two)
    effect = float(differences.mean() / differences.std(ddof=1))
    draw, hits = generator("real difference", better, other), 0
    runs = study.runs[study.runs["optimizer"].isin([better, other])]
    by_seed = runs.set_index("seed").sort_index()
    for _ in range(studies):
        chosen = draw.choice(both.index.to_numpy(), size=FRESH_SEEDS, replace=False)
        rows = read(by_seed.loc[chosen].reset_index(), study.document).summary
        relation = dict(zip(rows["optimizer"], rows["relation"], strict=True))
        hits += relation[other] == Relation.WORSE or relation[better] == Relation.BETTER
    return RealDifference(
        better,
        other,
        len(both),
        t_interval(differences),
        effect,
        float(np.corrcoef(one, two)[0, 1]),
        float(one.std(ddof=1)),
        Share(hits, studies),
        paired_power(effect, FRESH_SEEDS),
    )


def _paired(study: Study, first: str, second: str) -> pd.DataFrame:
    """Test figures by seed, a column for each of the two."""
    columns = {
        name: runs_of(study, name).set_index("seed")["test_metric"] for name in (first, second)
    }
    return pd.DataFrame(columns).dropna()
