"""How finely a split of so many examples can measure a figure."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import NormalDist

from fallline.analysis.comparison import Relation
from fallline.analysis.reading import Reading
from fallline.analysis.statistics import CONFIDENCE
from fallline.analysis.summary import rows_of
from fallline.store.document import TaskDescription

FEW_EXAMPLES = 100
"""Below so many, one example moves an accuracy by more than a point."""


@dataclass(frozen=True)
class Resolution:
    """What a figure on ``examples`` examples is known by, whatever the seeds say.

    The intervals over seeds hold for the examples that were measured. How far the figure would be
    off on as many other ones of the same kind is another question; this is its answer.
    """

    split: str
    """``"test"`` or ``"validation"``."""
    examples: int
    step: float
    """What one example is worth, in the metric's units; 0 for an error, which has no steps."""
    error: float
    """The figure's standard error over the draw of the examples; NaN where there is no figure."""

    @property
    def half_width(self) -> float:
        """Half of the 95 % interval, in the metric's units."""
        return NormalDist().inv_cdf(0.5 + CONFIDENCE / 2) * self.error

    def resolves(self, differences: Iterable[float]) -> bool:
        """Whether all ``differences`` are larger than another draw of examples may move a figure.

        Both optimizers are measured on the same examples, which moves them together: a
        difference that is not resolved may still hold. Of no differences, whether there are at
        least `FEW_EXAMPLES`.
        """
        sizes = [abs(each) for each in differences if math.isfinite(each)]
        if not sizes:
            return self.examples >= FEW_EXAMPLES
        return not min(sizes) < self.half_width


def resolutions(reading: Reading) -> tuple[Resolution, ...]:
    """Of test and validation data, at the figures of the first optimizer of the summary.

    Splits without examples, and without a figure yet, are left out.
    """
    rows = rows_of(reading.summary)[:1]
    figures = [(split, row[f"{split}_metric"]) for row in rows for split in ("test", "validation")]
    found = (resolution(reading.document.task, split, figure) for split, figure in figures)
    return tuple(each for each in found if each.examples and math.isfinite(each.error))


def unresolved(reading: Reading) -> tuple[Resolution, ...]:
    """The splits that are too small for what is said on them.

    Test data for the smallest difference that is called one; validation data, which choose and
    claim nothing, where an example is worth more than a point.
    """
    called = (Relation.WORSE, Relation.PROBABLY_WORSE, Relation.BETTER)
    measured = reading.measured
    told = measured[measured["relation"].isin(called)]["difference"].to_numpy(dtype=float)
    return tuple(
        each
        for each in resolutions(reading)
        if not each.resolves(told if each.split == "test" else ())
    )


def resolution(task: TaskDescription, split: str, figure: float) -> Resolution:
    """The resolution of ``split`` (``"test"`` or ``"validation"``) for a ``figure`` of the metric.

    The standard error of a share is the binomial one, of ``(hits + 1) / (examples + 2)`` so that
    it is not 0 where every example is right. That of a root of mean squares is
    ``figure / sqrt(2 examples)``, exact for normal errors and large samples (the delta method on
    the chi-squared distribution of their squares), too small for errors with heavy tails.
    """
    examples = task.test_examples if split == "test" else task.validation_examples
    if not examples:
        return Resolution(split, 0, math.nan, math.nan)
    if task.metric == "accuracy":
        share = (figure * examples + 1) / (examples + 2)
        return Resolution(split, examples, 1 / examples, math.sqrt(share * (1 - share) / examples))
    return Resolution(split, examples, 0.0, figure / math.sqrt(2 * examples))
