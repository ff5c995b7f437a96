"""A classification class by class, for page and files: the matrix's colours, the report's rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from fallline.analysis import classification
from fallline.report import training_images
from fallline.report.training_portrait import Portrait

MOST_NUMBERED = 20
"""Classes whose confusion matrix has numbers; of more it is colours alone."""


def confusion(portrait: Portrait) -> np.ndarray | None:
    """The confusion matrix, ``(classes, classes)``; None for a regression."""
    held = portrait.predictions
    if held is None or not portrait.classification:
        return None
    return classification.confusion_matrix(held.actual, held.predicted, len(portrait.classes))


def shade(share: float, right: bool) -> float:
    """How dark a cell is, 0 to 1: rare mistakes would not be seen on the scale of what is right."""
    return 0.12 + 0.5 * share if right else min(0.75, 0.1 + 0.9 * share**0.5)


def pixels(matrix: np.ndarray) -> np.ndarray:
    """A confusion matrix as pixels ``(classes, classes, 3)``: the diagonal blue, mistakes red."""
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    sides = np.where(np.eye(len(matrix), dtype=bool), -shares, np.sqrt(shares))
    return training_images.signed(sides, 1.0)


def report_rows(matrix: np.ndarray, names: tuple[str, ...]) -> list[dict[str, Any]]:
    """Rows as text: ``name``, ``figures`` (precision, recall, F1), ``support``, ``average``."""
    found = classification.classification_report(matrix)
    per_class = zip(found.precision, found.recall, found.f1, strict=True)
    rows = [
        (name, each, support, False)
        for name, each, support in zip(names, per_class, found.support.tolist(), strict=True)
    ]
    whole = int(found.support.sum())
    rows += [("mean of the classes", found.macro, whole, True)]
    rows += [("weighted by support", found.weighted, whole, True)]
    return [
        {
            "name": name,
            "figures": [f"{value:.3f}" for value in each],
            "shares": [round(100 * float(value), 1) for value in each],
            "support": f"{support:,}",
            "average": average,
        }
        for name, each, support, average in rows
    ]
