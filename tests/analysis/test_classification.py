"""Confusion matrix and classification report, against scikit-learn's and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

from fallline.analysis.classification import (
    Confusion,
    classification_report,
    confusion_matrix,
    frequent_confusions,
)


def _labels(classes: int, examples: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels with mistakes; the last class is never predicted where there are more than three."""
    draw = np.random.default_rng(classes)
    actual = draw.integers(0, classes, examples)
    predicted = np.where(draw.random(examples) < 0.7, actual, draw.integers(0, classes, examples))
    return actual, np.where(predicted == 3, 0, predicted) if classes == 4 else predicted


@pytest.mark.parametrize(("classes", "examples"), [(2, 40), (4, 101), (10, 500), (30, 60)])
def test_matrix_and_report_are_those_of_scikit_learn(classes: int, examples: int) -> None:
    actual, predicted = _labels(classes, examples)
    labels = np.arange(classes)
    matrix = confusion_matrix(actual, predicted, classes)
    np.testing.assert_array_equal(
        matrix, metrics.confusion_matrix(actual, predicted, labels=labels)
    )
    found = classification_report(matrix)
    own = (found.precision, found.recall, found.f1, found.support)
    theirs = metrics.precision_recall_fscore_support(
        actual, predicted, labels=labels, zero_division=0
    )
    for mine, expected in zip(own, theirs, strict=True):
        np.testing.assert_allclose(mine, expected, rtol=1e-12)
    assert found.accuracy == pytest.approx(metrics.accuracy_score(actual, predicted))
    for averaged, name in ((found.macro, "macro"), (found.weighted, "weighted")):
        expected = metrics.precision_recall_fscore_support(
            actual, predicted, labels=labels, average=name, zero_division=0
        )
        np.testing.assert_allclose(averaged, expected[:3], rtol=1e-12)


def test_figures_by_hand_where_a_class_is_never_predicted() -> None:
    found = classification_report(np.array([[3, 1, 0], [2, 4, 0], [0, 2, 0]]))
    np.testing.assert_allclose(found.precision, [3 / 5, 4 / 7, 0.0])
    np.testing.assert_allclose(found.recall, [3 / 4, 4 / 6, 0.0])
    np.testing.assert_allclose(found.f1, [6 / 9, 8 / 13, 0.0])
    assert found.support.tolist() == [4, 6, 2]
    assert found.macro[0] == pytest.approx((3 / 5 + 4 / 7) / 3)
    assert found.weighted[1] == pytest.approx(7 / 12)


def test_an_empty_matrix_has_figures_of_zero() -> None:
    found = classification_report(np.zeros((3, 3), int))
    assert found.accuracy == 0
    assert found.macro == found.weighted == (0.0, 0.0, 0.0)


def test_frequent_confusions_come_first_and_what_never_happened_is_left_out() -> None:
    matrix = np.array([[9, 1, 0], [4, 9, 0], [0, 2, 9]])
    assert frequent_confusions(matrix) == (
        Confusion(1, 0, 4),
        Confusion(2, 1, 2),
        Confusion(0, 1, 1),
    )
    assert frequent_confusions(matrix, most=1) == (Confusion(1, 0, 4),)
    assert matrix[0, 0] == 9, "the matrix given is not changed"
