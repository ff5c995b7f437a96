"""Every pair of optimizers: paired by seed, corrected for the number of pairs."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from fallline.analysis.comparison import Relation
from fallline.analysis.pairs import largest_difference, probability_of_improvement
from fallline.analysis.reading import Reading
from fallline.analysis.statistics import LEVEL, PairedTest, holm, paired_test
from fallline.analysis.summary import resolution_of

if TYPE_CHECKING:
    import pandas as pd

PROBABLY_BETTER = "probably better"
"""The mirror of `Relation.PROBABLY_WORSE`; the best optimizer of a study has no such thing."""

_COLUMNS = (
    "optimizer",
    "other",
    "difference",
    "low",
    "high",
    "p_value",
    "improvement",
    "bound",
    "relation",
    "seeds",
)


def pairwise(reading: Reading) -> pd.DataFrame:
    """Each optimizer with final runs against each other one: a row per ordered pair, best first.

    Columns: ``optimizer, other``; ``difference`` of their mean test figures (the first minus the
    other, in the metric's units) with ``low`` and ``high``, the ends of its own 95 % interval;
    ``p_value`` of the paired t-test after Holm's correction over all pairs (both orders of a pair
    are one test); ``improvement``, the chance from 0 to 1 that a run of the first beats one of the
    other, diverged runs losing to all that did not; ``bound``, the d of "no difference larger than
    d" at 95 %; ``relation``, how the first stands to the other: the words of
    `fallline.analysis.comparison.Relation` and `PROBABLY_BETTER`; ``seeds``, the number of pairs.

    Where one diverged on more fresh seeds it is ``diverged`` and the other ``better``, without a
    test: then ``improvement`` alone is a number. Corrected for all pairs instead of those with the
    best alone, p-values are larger than in the summary.
    """
    import pandas as pd

    names = [str(name) for name in reading.measured["optimizer"]]
    final = reading.runs[reading.runs["phase"] == "final"]
    figures, gone = (
        final.pivot_table(
            index="optimizer", columns="seed", values=column, aggfunc="first", dropna=False
        ).reindex(names)
        for column in ("test_metric", "diverged")
    )
    values = {name: figures.loc[name].to_numpy(dtype=float) for name in names}
    counts = final.groupby("optimizer")["diverged"].sum()
    diverged = {name: int(counts[name]) for name in names}
    pairs = list(itertools.combinations(names, 2))
    tests = [_test(values, diverged, pair, resolution_of(reading.document)) for pair in pairs]
    adjusted = holm([test.p_value if test else math.nan for test in tests])
    higher = reading.document.task.higher_is_better
    runs = {name: _runs(values[name], gone.T[name], higher) for name in names}
    known = {}
    for (one, two), test, p_value in zip(pairs, tests, adjusted, strict=True):
        for name, other, sign in ((one, two, 1.0), (two, one, -1.0)):
            known[name, other] = {
                **_figures(test, float(p_value), sign),
                "improvement": probability_of_improvement(runs[name], runs[other]),
                "bound": _bound(test, values[name], values[other], reading),
                "relation": _relation(
                    test, float(p_value), sign if higher else -sign, diverged[name], diverged[other]
                ),
            }
    rows = [
        {"optimizer": name, "other": other, **known[name, other]}
        for name in names
        for other in names
        if name != other
    ]
    return pd.DataFrame(rows, columns=list(_COLUMNS))


def _test(
    values: dict[str, np.ndarray],
    diverged: dict[str, int],
    pair: tuple[str, str],
    resolution: float,
) -> PairedTest | None:
    """The test of a pair; none where one diverged more often than the other."""
    one, two = pair
    if diverged[one] != diverged[two]:
        return None
    return paired_test(values[one], values[two], resolution=resolution)


def _figures(test: PairedTest | None, p_value: float, sign: float) -> dict[str, Any]:
    if test is None:
        return {**dict.fromkeys(("difference", "low", "high", "p_value"), math.nan), "seeds": 0}
    mean, low, high, seeds = test.interval
    ends = (low, high) if sign > 0 else (-high, -low)
    return {
        # Without the sum the mirror of 0 would be -0.
        "difference": sign * mean + 0.0,
        "low": ends[0],
        "high": ends[1],
        "p_value": p_value,
        "seeds": seeds,
    }


def _bound(test: PairedTest | None, one: np.ndarray, two: np.ndarray, reading: Reading) -> float:
    if test is None:
        return math.nan
    return largest_difference(one, two, resolution=resolution_of(reading.document)).largest


def _relation(test: PairedTest | None, p_value: float, sign: float, own: int, others: int) -> str:
    """``sign``: of a better figure's difference, as ``test`` has it; the counts are divergences."""
    if test is None:
        return str(Relation.DIVERGED if own > others else Relation.BETTER)
    if not math.isfinite(p_value):
        return str(Relation.UNKNOWN)
    ahead = sign * test.interval.mean > 0
    if p_value < LEVEL:
        return str(Relation.BETTER if ahead else Relation.WORSE)
    if test.interval.low > 0 or test.interval.high < 0:
        return PROBABLY_BETTER if ahead else str(Relation.PROBABLY_WORSE)
    return str(Relation.NOT_DISTINGUISHABLE)


def _runs(figures: np.ndarray, gone: pd.Series, higher: bool) -> np.ndarray:
    """The runs that were made, ``(runs, 1)``, larger is better; a diverged one is the worst."""
    signed = figures if higher else -figures
    signed = np.where(np.isfinite(signed), signed, -math.inf)
    return signed[gone.notna().to_numpy()][:, None]
