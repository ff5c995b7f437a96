"""The diagnosis of hand-made courses: what they show, since which epoch."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from fallline.analysis import fitting
from fallline.analysis.fitting import RULE, Course, Fit, diagnose, gaps, noise

NAN = math.nan


def course(
    train: Sequence[float] | np.ndarray,
    validation: Sequence[float] | np.ndarray | None = None,
    *,
    accuracy: tuple[float, float] = (0.95, 0.94),
    share: bool = True,
    constant: float = 0.1,
    examples: int = 1000,
    diverged: bool = False,
) -> Course:
    """Curves of these losses; the metric is the same in every epoch."""
    train = np.asarray(train, float)
    none = np.full(len(train), NAN)
    return Course(
        train_loss=train,
        train_metric=np.full(len(train), accuracy[0]),
        validation_loss=none if validation is None else np.asarray(validation, float),
        validation_metric=none if validation is None else np.full(len(train), accuracy[1]),
        share=share,
        constant=constant,
        validation_examples=examples,
        diverged=diverged,
    )


def falling(epochs: int, start: float, end: float, pace: float) -> np.ndarray:
    """An exponential approach from about ``start`` to ``end``."""
    return end + (start - end) * np.exp(-np.arange(epochs) / pace)


def test_a_course_that_flattens_out_is_a_good_fit() -> None:
    found = diagnose(course(falling(40, 2.0, 0.20, 4), falling(40, 1.8, 0.22, 4)))
    assert (found.fit, found.since, found.best_epoch) == (Fit.GOOD, None, 40)
    assert found.headline == "good fit"
    assert "95.0 % against 94.0 %" in found.reason


def test_a_rise_of_validation_while_training_falls_is_over_fitting_from_the_next_epoch() -> None:
    validation = [2.0, 1.0, 0.60, 0.50, 0.40, 0.44, 0.50, 0.55, 0.60, 0.66]
    found = diagnose(course(falling(10, 2.0, 0.05, 2), validation))
    assert (found.fit, found.since, found.best_epoch) == (Fit.OVER, 6, 5)
    assert found.headline == "over-fitting since epoch 6"
    # The mean of the last three, 0.6033, is 51 % above 0.40.
    assert "by 51 %" in found.reason
    assert "epoch 5 (0.4)" in found.reason


@pytest.mark.parametrize(("end", "fit"), [(0.4205, Fit.OVER), (0.4195, Fit.GOOD)])
def test_a_rise_counts_from_five_percent(end: float, fit: Fit) -> None:
    validation = [0.5, 0.45, 0.40, end, end]
    assert diagnose(course([1.0, 0.5, 0.3, 0.29, 0.28], validation)).fit is fit


def test_one_epoch_after_the_lowest_is_no_course() -> None:
    assert diagnose(course([1.0, 0.8, 0.7, 0.69], [1.0, 0.7, 0.6, 0.9])).fit is not Fit.OVER
    assert diagnose(course([1.0, 0.8, 0.7, 0.69, 0.6], [1.0, 0.7, 0.6, 0.9, 0.9])).since == 4


def test_a_rise_near_zero_is_nothing_beside_the_fall_before_it() -> None:
    validation = np.concatenate([[2.0, 0.5, 0.05, 0.001], np.full(6, 0.0015)])
    assert diagnose(course(falling(10, 2.0, 1e-4, 1), validation)).fit is Fit.GOOD


def test_noise_alone_is_no_over_fitting() -> None:
    draw = np.random.default_rng(0)
    train = falling(60, 2.0, 0.3, 4)
    for deviation in (0.01, 0.03, 0.06):
        for _ in range(40):
            noisy = falling(60, 2.0, 0.4, 4) + deviation * draw.standard_normal(60)
            assert diagnose(course(train, noisy)).fit is not Fit.OVER


def test_a_rise_beyond_the_noise_is_found() -> None:
    draw = np.random.default_rng(1)
    level = falling(60, 2.0, 0.4, 4) + np.concatenate([np.zeros(20), np.linspace(0, 0.4, 40)])
    found = diagnose(course(falling(60, 2.0, 0.1, 8), level + 0.01 * draw.standard_normal(60)))
    assert found.fit is Fit.OVER
    assert 15 <= (found.since or 0) <= 32


def test_when_both_losses_rise_the_training_is_unstable() -> None:
    found = diagnose(course([2.0, 1.0, 0.5, 0.8, 1.2, 1.5], [1.9, 1.0, 0.6, 0.9, 1.3, 1.6]))
    assert (found.fit, found.since) == (Fit.UNSTABLE, 4)
    assert "smaller learning rate" in found.reason


def test_training_that_stays_where_it_is_counts_as_over_fitting() -> None:
    found = diagnose(course([0.3, 0.1, 0.1, 0.1, 0.1], [0.5, 0.4, 0.5, 0.6, 0.7]))
    assert found.fit is Fit.OVER
    assert "did not rise" in found.reason


def test_no_better_than_a_constant_answer_is_under_fitting() -> None:
    flat = [2.3, 2.3, 2.3, 2.3, 2.3]
    found = diagnose(course(flat, flat, accuracy=(0.12, 0.11), constant=0.11))
    assert found.fit is Fit.UNDER
    assert "commonest class" in found.reason
    # 0.199 is 9.99 % less error than 0.11, 0.202 is 10.3 %.
    for accuracy, fit in ((0.198, Fit.UNDER), (0.202, Fit.GOOD)):
        found = diagnose(course(flat, flat, accuracy=(accuracy, accuracy), constant=0.11))
        assert found.fit is fit


def test_a_training_that_ends_while_it_falls_is_under_fitting() -> None:
    found = diagnose(course(falling(10, 2.0, 0.1, 6), falling(10, 2.0, 0.1, 6)))
    assert (found.fit, found.since) == (Fit.UNDER, None)
    # e^(-7/6) and e^(-9/6) of 1.9, above 0.1.
    assert "from 0.6917 to 0.5239 in the last 2 epochs" in found.reason


def test_a_long_fall_towards_zero_is_no_under_fitting() -> None:
    losses = falling(100, 2.0, 0.0, 8)
    assert losses[79] > 1.1 * losses[99], "it still falls by a large share"
    assert diagnose(course(losses, losses)).fit is Fit.GOOD


def test_a_wide_gap_is_told_from_the_epoch_since_which_it_stays() -> None:
    losses = falling(8, 2.0, 0.3, 1)
    given = course(losses, losses)
    train = np.array([0.5, 0.7, 0.8, 0.9, 0.95, 0.97, 0.98, 0.99])
    validation = np.array([0.4, 0.69, 0.8, 0.86, 0.88, 0.88, 0.88, 0.88])
    found = diagnose(
        Course(losses, train, losses, validation, share=True, constant=0.1, validation_examples=999)
    )
    assert (found.fit, found.since) == (Fit.WIDE_GAP, 5)
    assert "99.0 % against 88.0 %" in found.reason
    assert diagnose(given).fit is Fit.GOOD


def test_a_gap_within_the_standard_error_of_few_examples_is_none() -> None:
    losses = falling(8, 2.0, 0.3, 1)
    for examples, fit in ((20, Fit.GOOD), (2000, Fit.WIDE_GAP)):
        found = diagnose(course(losses, losses, accuracy=(0.97, 0.90), examples=examples))
        assert found.fit is fit


def test_one_epoch_has_no_course() -> None:
    found = diagnose(course([0.5], [0.4]))
    assert found.fit is Fit.UNKNOWN
    assert "One epoch" in found.reason
    assert found.since is None


def test_without_validation_only_under_fitting_can_be_seen() -> None:
    flat = diagnose(course(falling(30, 2.0, 0.1, 2)))
    assert (flat.fit, flat.best_epoch) == (Fit.UNKNOWN, None)
    assert "Without a validation split" in flat.reason
    steep = diagnose(course([2.0, 1.5, 1.1, 0.8]))
    assert steep.fit is Fit.UNDER
    assert "training loss still fell" in steep.reason


@pytest.mark.parametrize(
    "given",
    [
        course([1.0, 2.0, 9.0], [1.0, 2.0, 9.0], diverged=True),
        course([1.0, NAN], [1.0, 1.0]),
        course([1.0, 0.5, 0.4], [1.0, math.inf, 1.0]),
        course([], [], diverged=True),
    ],
)
def test_what_is_not_finite_has_diverged(given: Course) -> None:
    assert diagnose(given).fit is Fit.DIVERGED


def test_a_training_that_patience_stopped_is_judged_up_to_there() -> None:
    found = diagnose(course([1.0, 0.5, 0.3, 0.2, 0.1, 0.06], [1.0, 0.6, 0.5, 0.56, 0.58, 0.6]))
    assert found.headline == "over-fitting since epoch 4"


def test_a_regression_is_judged_by_its_errors() -> None:
    losses = falling(20, 4.0, 0.5, 2)
    narrow = course(losses, losses, accuracy=(0.70, 0.83), share=False, constant=1.0)
    wide = course(losses, losses, accuracy=(0.70, 0.85), share=False, constant=1.0)
    poor = course(losses, losses, accuracy=(0.92, 0.92), share=False, constant=1.0)
    assert diagnose(narrow).fit is Fit.GOOD
    assert "0.7 against 0.83" in diagnose(narrow).reason
    assert diagnose(wide).fit is Fit.WIDE_GAP
    assert diagnose(poor).fit is Fit.UNDER
    assert "always the mean" in diagnose(poor).reason


def test_noise_is_the_deviation_about_a_straight_course() -> None:
    draw = np.random.default_rng(2)
    line = np.linspace(3.0, 1.0, 4000)
    assert noise(line) == pytest.approx(0.0, abs=1e-12)
    assert noise(line + 0.1 * draw.standard_normal(4000)) == pytest.approx(0.1, rel=0.06)
    assert noise(np.array([1.0, 5.0] * 4)) == 0.0, "too few epochs to tell noise from a course"


def test_gaps_are_validation_minus_training() -> None:
    found = gaps(course([1.0, 0.5], [0.9, 0.7], accuracy=(0.9, 0.8)))
    np.testing.assert_allclose(found["loss"], [-0.1, 0.2])
    np.testing.assert_allclose(found["metric"], [-0.1, -0.1])


def test_the_rule_in_words_has_the_numbers_that_decide() -> None:
    for number in (fitting.RISE, fitting.FALL, fitting.SKILL, fitting.OF_ALL):
        assert f"{100 * number:.0f} %" in RULE
    assert f"{100 * fitting.POINTS:g} points" in RULE
    assert f"{fitting.TIMES:g} times the training error" in RULE
    assert f"{fitting.NOISE:g} times" in RULE
