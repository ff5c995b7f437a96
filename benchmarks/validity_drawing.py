"""Studies made by drawing figures, and what the product's own rule says of them.

A study here is two arrays, the validation and the test figures of its fresh runs, each of shape
``(optimizers, seeds)``. What it comes to is told by the tests of `fallline.analysis`, the best
chosen by validation figures, as in a study that was trained.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from fallline.analysis.bootstrap import STATISTICS, paired_interval
from fallline.analysis.comparison import Relation
from fallline.analysis.statistics import LEVEL, holm, paired_test, t_interval
from fallline.records import derived_seed

FRESH_SEEDS = 10
EQUAL = Relation.NOT_DISTINGUISHABLE
WRONG = (Relation.WORSE, Relation.BETTER)
"""What no one of several equal optimizers should be called."""


class Figures(NamedTuple):
    """The figures of one study's fresh runs, both of shape ``(optimizers, seeds)``."""

    validation: np.ndarray
    test: np.ndarray


Draw = Callable[[int, int], Figures]
"""Figures of so many equal optimizers on so many seeds, other ones at every call."""


@dataclass(frozen=True)
class Share:
    """So many of so many, with its exact (Clopper and Pearson's) 95 % interval."""

    hits: int
    of: int

    @property
    def value(self) -> float:
        return self.hits / self.of

    @property
    def interval(self) -> tuple[float, float]:
        from scipy.stats import binomtest

        found = binomtest(self.hits, self.of).proportion_ci(method="exact")
        return float(found.low), float(found.high)

    def text(self) -> str:
        """For example ``95.5 % (91.6 to 97.9)``."""
        low, high = self.interval
        return f"{100 * self.value:.1f} % ({100 * low:.1f} to {100 * high:.1f})"


@dataclass(frozen=True, eq=False)
class Pool:
    """The figures of many real runs that differ by their seed alone, both ``(runs,)``."""

    name: str
    validation: np.ndarray
    test: np.ndarray
    higher_is_better: bool = True
    resolution: float = 0.0
    """The smallest step between two test figures."""

    @property
    def correlation(self) -> float:
        """Between the validation and the test figure of a run."""
        return float(np.corrcoef(self.validation, self.test)[0, 1])

    def draw(self, generator: np.random.Generator) -> Draw:
        """Runs without replacement for every study, whatever entry and seed they stand for."""

        def drawn(optimizers: int, seeds: int) -> Figures:
            rows = generator.permutation(len(self.test))[: optimizers * seeds]
            shape = (optimizers, seeds)
            return Figures(self.validation[rows].reshape(shape), self.test[rows].reshape(shape))

        return drawn


def generator(*names: object) -> np.random.Generator:
    """A stream of its own for every part of the page, the same each time."""
    return np.random.default_rng(derived_seed("validity", *map(str, names)))


def normal(generator: np.random.Generator, *, paired: float = 0.5, chosen: float = 0.5) -> Draw:
    """Normal figures of deviation 1 of optimizers without any difference.

    ``paired``: the correlation of two optimizers on the same seed, from what the seed gives both.
    ``chosen``: the correlation of a run's validation and test figure.
    """

    def drawn(optimizers: int, seeds: int) -> Figures:
        kinds = (2, 1, seeds), (2, optimizers, seeds)
        shared, own = (generator.normal(size=kind) for kind in kinds)
        first, second = math.sqrt(paired) * shared + math.sqrt(1 - paired) * own
        return Figures(chosen * second + math.sqrt(1 - chosen**2) * first, second)

    return drawn


def told(
    figures: Figures, *, higher_is_better: bool = True, resolution: float = 0.0
) -> list[Relation]:
    """How each optimizer, by its place, stands to the one that validation chose.

    The rule of `fallline.analysis.comparison.compare_to_best` without its frames, which take 20
    times as long; a test holds the two together.
    """
    sign = 1.0 if higher_is_better else -1.0
    best = int(np.argmax(sign * figures.validation.mean(axis=1)))
    others = [place for place in range(len(figures.test)) if place != best]
    tests = [
        paired_test(figures.test[place], figures.test[best], resolution=resolution)
        for place in others
    ]
    relations = [Relation.BEST] * len(figures.test)
    for place, test, p_value in zip(others, tests, holm([t.p_value for t in tests]), strict=True):
        low, high = sorted((sign * test.interval.low, sign * test.interval.high))
        if p_value < LEVEL:
            relations[place] = Relation.WORSE if high + low < 0 else Relation.BETTER
        else:
            relations[place] = Relation.PROBABLY_WORSE if high < 0 else EQUAL
    return relations


@dataclass(frozen=True)
class Equals:
    """What became of studies whose entries are all one and the same optimizer."""

    name: str
    entries: int
    seeds: int
    none_told: Share
    """Studies in which no entry was called worse or better."""
    none_doubted: Share
    """Studies in which none was even called probably worse."""


def equals(
    name: str,
    draw: Draw,
    entries: int,
    *,
    studies: int,
    seeds: int = FRESH_SEEDS,
    higher_is_better: bool = True,
    resolution: float = 0.0,
) -> Equals:
    """``studies`` of ``entries`` equal optimizers each, drawn by ``draw``."""
    rule = {"higher_is_better": higher_is_better, "resolution": resolution}
    found = [set(told(draw(entries, seeds), **rule)) for _ in range(studies)]
    return counted(name, entries, seeds, found)


def counted(name: str, entries: int, seeds: int, found: Sequence[set[Relation]]) -> Equals:
    """Of the relations that were seen in each study."""
    clean = [relations.isdisjoint(WRONG) for relations in found]
    sure = [
        good and Relation.PROBABLY_WORSE not in seen
        for good, seen in zip(clean, found, strict=True)
    ]
    return Equals(name, entries, seeds, Share(sum(clean), len(found)), Share(sum(sure), len(found)))


@dataclass(frozen=True)
class Found:
    """How often a planted difference was found."""

    name: str
    effect: float
    """The difference, in units of the seeds' standard deviation."""
    seeds: int
    entries: int
    right: Share
    """Called by the right side: the better one better, or the other one worse."""
    wrong: Share
    """Called by the wrong side."""
    expected: float
    """The share that the closed form promises; NaN where there is none."""


def planted(
    name: str,
    draw: Draw,
    effect: float,
    *,
    studies: int,
    deviation: float = 1.0,
    correlation: float = 0.0,
    seeds: int = FRESH_SEEDS,
    entries: int = 2,
    resolution: float = 0.0,
) -> Found:
    """The first of ``entries`` otherwise equal ones is better by ``effect`` times ``deviation``.

    ``correlation`` is that of two optimizers on the same seed, which the closed form needs. Larger
    figures are better.
    """
    right = wrong = 0
    for _ in range(studies):
        drawn = draw(entries, seeds)
        plant = np.zeros((entries, 1))
        plant[0] = effect * deviation
        figures = Figures(drawn.validation + plant, drawn.test + plant)
        found = told(figures, resolution=resolution)
        best = found.index(Relation.BEST)
        # Of two there is one comparison; of more, the planted one against the last entry.
        relation = found[entries - 1 if best == 0 else 0]
        good = Relation.WORSE if best == 0 else Relation.BETTER
        right += relation is good
        wrong += relation in WRONG and relation is not good
    expected = math.nan
    if entries == 2:
        expected = paired_power(effect / math.sqrt(2 * (1 - correlation)), seeds)
    return Found(
        name, effect, seeds, entries, Share(right, studies), Share(wrong, studies), expected
    )


def paired_power(effect: float, seeds: int, *, level: float = LEVEL) -> float:
    """The chance that a two-sided paired t-test rejects to the right side.

    ``effect``: the mean difference in units of the standard deviation of the differences, which
    are normal. Noncentral t with ``seeds - 1`` degrees of freedom.
    """
    from scipy.stats import nct, t

    return float(nct.sf(t.isf(level / 2, seeds - 1), seeds - 1, effect * math.sqrt(seeds)))


@dataclass(frozen=True, eq=False)
class Population:
    """What intervals are tried on: figures with a true mean, alone and in pairs, all ``(n,)``."""

    name: str
    alone: np.ndarray
    first: np.ndarray
    second: np.ndarray
    """Paired with ``first`` by place."""
    resolution: float = 0.0


def made_populations(size: int = 200_000) -> tuple[Population, ...]:
    """Differences that are normal, skewed, and heavy-tailed, on top of what the seeds share."""
    draw = generator("made populations")
    kinds = {
        "normal": draw.normal(size=size),
        "heavy-tailed (Student's t, 3 degrees of freedom)": draw.standard_t(3, size=size),
        "skewed (exponential)": draw.exponential(size=size),
        "very skewed (log-normal)": draw.lognormal(size=size),
    }
    shared = draw.normal(size=size)
    return tuple(
        Population(name, values, shared + values, shared) for name, values in kinds.items()
    )


@dataclass(frozen=True)
class Covered:
    """How often an interval that promises 95 % held the population's true figure."""

    population: str
    interval: str
    seeds: int
    share: Share


Interval = Callable[[np.ndarray, Population, np.random.Generator], tuple[float, float]]


def _student(rows: np.ndarray, of: Population, _: np.random.Generator) -> tuple[float, float]:
    return t_interval(of.alone[rows])[1:3]


def _paired(rows: np.ndarray, of: Population, _: np.random.Generator) -> tuple[float, float]:
    return paired_test(of.first[rows], of.second[rows], resolution=of.resolution).interval[1:3]


def _bootstrap(statistic: str) -> Interval:
    def interval(rows: np.ndarray, of: Population, draw: np.random.Generator):
        found = paired_interval(
            of.first[rows], of.second[rows], generator=draw, statistic=statistic
        )
        return found.low, found.high

    return interval


@dataclass(frozen=True)
class Kind:
    """A kind of interval: how it is made, and what it is to hold."""

    interval: Interval = field(repr=False)
    truth: Callable[[Population], float] = field(repr=False)


def _difference(statistic: str) -> Callable[[Population], float]:
    of = STATISTICS[statistic]
    return lambda population: float(of(population.first) - of(population.second))


STUDENTS = ("Student's t, of a mean", "paired t, of a mean difference")
INTERVALS: dict[str, Kind] = {
    STUDENTS[0]: Kind(_student, lambda of: float(of.alone.mean())),
    STUDENTS[1]: Kind(_paired, _difference("mean")),
    "bootstrap, of a difference of means": Kind(_bootstrap("mean"), _difference("mean")),
    "bootstrap, of a difference of medians": Kind(_bootstrap("median"), _difference("median")),
    "bootstrap, of a difference of IQMs": Kind(_bootstrap("iqm"), _difference("iqm")),
}
"""The intervals that the product shows; the bootstrap is its expanded percentile one."""


def covered(
    population: Population,
    name: str,
    *,
    studies: int,
    draw: np.random.Generator,
    seeds: int = FRESH_SEEDS,
) -> Covered:
    """``studies`` times the interval ``name`` of seeds drawn with replacement."""
    kind = INTERVALS[name]
    truth, hits = kind.truth(population), 0
    for _ in range(studies):
        rows = draw.integers(len(population.first), size=seeds)
        low, high = kind.interval(rows, population, draw)
        hits += low <= truth <= high
    return Covered(population.name, name, seeds, Share(hits, studies))
