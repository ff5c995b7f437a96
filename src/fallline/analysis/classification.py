"""How a classification went, class by class: confusion matrix, precision, recall, F1."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class ClassReport:
    """Figures per class, arrays of shape ``(classes,)``, and their averages.

    A figure whose denominator is zero (the precision of a class that was never predicted) is 0,
    and counts as such in the averages.
    """

    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray
    support: np.ndarray
    """Examples of each class, int64."""
    accuracy: float

    @property
    def macro(self) -> tuple[float, float, float]:
        """Means of precision, recall and F1 over the classes, each class counting the same."""
        return self._averaged(np.ones(len(self.support)))

    @property
    def weighted(self) -> tuple[float, float, float]:
        """Means of precision, recall and F1, each class counting by its examples."""
        return self._averaged(self.support)

    def _averaged(self, shares: np.ndarray) -> tuple[float, float, float]:
        total = shares.sum()
        first, second, third = (
            float((figures * shares).sum() / total) if total else 0.0
            for figures in (self.precision, self.recall, self.f1)
        )
        return first, second, third


@dataclass(frozen=True)
class Confusion:
    """A kind of mistake: ``count`` examples of class ``actual`` taken for ``predicted``."""

    actual: int
    predicted: int
    count: int


def confusion_matrix(actual: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Counts, ``(classes, classes)`` int64: a row per actual class, a column per predicted one.

    ``actual`` and ``predicted``: class indices from 0, shape ``(n,)``.
    """
    places = np.asarray(actual, np.int64) * classes + np.asarray(predicted, np.int64)
    return np.bincount(places, minlength=classes * classes).reshape(classes, classes)


def classification_report(matrix: np.ndarray) -> ClassReport:
    """The figures of a confusion matrix of shape ``(classes, classes)``."""
    right = np.diag(matrix).astype(float)
    support, predicted = matrix.sum(axis=1), matrix.sum(axis=0)
    return ClassReport(
        precision=_ratio(right, predicted),
        recall=_ratio(right, support),
        f1=_ratio(2 * right, support + predicted),
        support=support,
        accuracy=float(right.sum() / max(matrix.sum(), 1)),
    )


def frequent_confusions(matrix: np.ndarray, most: int = 5) -> tuple[Confusion, ...]:
    """The most frequent mistakes of a confusion matrix, most frequent first."""
    wrong = np.array(matrix)
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:most]
    pairs = zip(*np.unravel_index(order, wrong.shape), strict=True)
    return tuple(Confusion(int(a), int(p), int(wrong[a, p])) for a, p in pairs if wrong[a, p])


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.divide(above, below, out=np.zeros(len(above)), where=below > 0)
