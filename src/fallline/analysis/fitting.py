"""Under-fitting, good fit or over-fitting: what the course of a training's losses says.

The rule is in `RULE`, in words and with its numbers; `diagnose` applies it.
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass

import numpy as np

RISE = 0.05
"""Share of the lowest validation loss by which the last ones must lie above it."""
NOISE = 6.0
"""Times the epoch-to-epoch noise that a rise or a fall must exceed: the lowest of many noisy losses
lies two to three deviations below their level by itself."""
LEAST = 10
"""Epochs from which on the noise can be told from the course."""
AFTER = 2
"""Epochs after the lowest validation loss that make a course: one alone may be chance."""
LAST = 3
"""Epochs whose mean is the level at the end."""
FALL = 0.10
"""Share of its last value by which a loss falls in the last fifth while it falls steeply."""
OF_ALL = 0.01
"""Least share of the fall since epoch 1: near zero, a large share of a loss is nothing."""
SKILL = 0.10
"""Share of a constant answer's error that a network must take away to have learnt anything."""
POINTS = 0.05
"""Difference of training and validation accuracy that is a wide gap."""
TIMES = 1.20
"""Validation error over training error that is a wide gap."""


class Fit(enum.StrEnum):
    """What a training's course shows."""

    GOOD = "good fit"
    UNDER = "under-fitting"
    OVER = "over-fitting"
    WIDE_GAP = "wide gap"
    UNSTABLE = "unstable"
    DIVERGED = "diverged"
    UNKNOWN = "fit cannot be told"


RULE = (
    f"Over-fitting, from the epoch after the lowest validation loss: the mean of the last {LAST} "
    f"validation losses (of all since, where they are fewer, but at least {AFTER}) lies above the "
    f"lowest by more than {RISE:.0%}, {OF_ALL:.0%} of the fall from the first epoch to the lowest, "
    f"and {NOISE:g} times the epoch-to-epoch noise, and the training loss did not rise likewise. "
    "Unstable: both rose. "
    f"Under-fitting: the training error is within {SKILL:.0%} of that of a constant answer (the "
    "commonest class, or the mean), or the validation loss (the training loss, where there is "
    f"none) still fell in the last fifth of the epochs, by more than {FALL:.0%} of its last value, "
    f"{OF_ALL:.0%} of its fall since the first epoch, and {NOISE:g} times the noise. "
    f"Wide gap: at the end training accuracy lies more than {100 * POINTS:g} points, and more than "
    "two standard errors of the validation figure, above validation accuracy; of a regression, "
    f"the validation error is more than {TIMES:g} times the training error. "
    "Good fit: none of these. Diverged: a loss is not finite. The noise is the robust standard "
    "deviation of the second differences of the second half of the losses, divided by the square "
    f"root of 6; with fewer than {LEAST} epochs it cannot be told and is taken to be 0."
).replace("%", " %")
"""The rule by which `diagnose` decides, for readers."""


@dataclass(frozen=True, eq=False)
class Course:
    """The curves of one training: arrays of shape ``(epochs,)``, NaN where there is no value.

    ``share``: the metric is an accuracy (0 to 1, higher is better), else an error (lower is
    better). ``constant``: the metric of a constant answer, NaN where it is not known.
    """

    train_loss: np.ndarray
    train_metric: np.ndarray
    validation_loss: np.ndarray
    validation_metric: np.ndarray
    share: bool
    constant: float = math.nan
    validation_examples: int = 0
    diverged: bool = False

    @property
    def epochs(self) -> int:
        return len(self.train_loss)

    @property
    def validated(self) -> bool:
        """Whether there is a validation loss."""
        return len(self.validation_loss) > 0 and not bool(np.isnan(self.validation_loss).all())


@dataclass(frozen=True)
class Diagnosis:
    """What the course shows, since which epoch, and the sentence that says why."""

    fit: Fit
    reason: str
    since: int | None = None
    """The first epoch (from 1) of the over-fitting, of the wide gap or of the rise."""
    best_epoch: int | None = None
    """The epoch (from 1) with the lowest validation loss."""

    @property
    def headline(self) -> str:
        """``over-fitting since epoch 7``."""
        return str(self.fit) if self.since is None else f"{self.fit} since epoch {self.since}"


def diagnose(course: Course) -> Diagnosis:
    """What ``course`` shows, by `RULE`."""
    watched = course.validation_loss if course.validated else course.train_loss
    if course.diverged or not np.isfinite(course.train_loss).all():
        return Diagnosis(Fit.DIVERGED, "The training loss became infinite, NaN or exploded.")
    if course.validated and not np.isfinite(watched).all():
        return Diagnosis(Fit.DIVERGED, "The validation loss became infinite or NaN.")
    if course.epochs < 2:
        text = "One epoch has no course: what more epochs would bring cannot be seen."
        return Diagnosis(Fit.UNKNOWN, text)
    best = int(np.argmin(watched)) + 1 if course.validated else None
    found = _risen(course) or _poor(course, best) or _falling(course, watched, best)
    if found is not None:
        return found
    if not course.validated:
        text = "Without a validation split, over-fitting cannot be seen; the training loss "
        text += "no longer falls steeply."
        return Diagnosis(Fit.UNKNOWN, text)
    return _wide(course, best) or Diagnosis(
        Fit.GOOD,
        f"The validation loss was lowest in epoch {best} and has not risen since beyond its "
        f"noise; {_gap_in_words(course)}.",
        best_epoch=best,
    )


def noise(losses: np.ndarray) -> float:
    """The standard deviation of the losses from epoch to epoch, apart from their course.

    ``losses``: ``(epochs,)``, finite. Second differences cancel a straight course, and those of
    independent noise have the square root of 6 times its deviation; their median is robust to
    single jumps. Over the second half of the epochs, where the course is flat; 0 with fewer
    than `LEAST`.
    """
    if len(losses) < LEAST:
        return 0.0
    late = losses[min(len(losses) // 2, len(losses) - 7) :]
    return float(1.4826 * np.median(np.abs(np.diff(late, 2))) / math.sqrt(6))


def gaps(course: Course) -> dict[str, np.ndarray]:
    """Validation minus training figures per epoch, ``(epochs,)``: ``loss`` and ``metric``."""
    return {
        "loss": course.validation_loss - course.train_loss,
        "metric": course.validation_metric - course.train_metric,
    }


def _risen(course: Course) -> Diagnosis | None:
    """Over-fitting, or a rise of both losses."""
    if not course.validated:
        return None
    lowest = int(np.argmin(course.validation_loss))
    after = course.epochs - 1 - lowest
    if after < AFTER:
        return None
    last = slice(course.epochs - min(LAST, after), None)
    rise, bound = _rise(course.validation_loss, lowest, last)
    if rise <= bound:
        return None
    base = float(course.validation_loss[lowest])
    percent = f"by {100 * rise / base:.0f} %" if base > 0 else f"by {rise:.3g}"
    words = f"The validation loss was lowest in epoch {lowest + 1} ({base:.4g}) and has risen "
    words += f"{percent} since, while the training loss "
    trained, allowed = _rise(course.train_loss, lowest, last)
    fit = Fit.OVER if trained <= allowed else Fit.UNSTABLE
    if fit is Fit.UNSTABLE:
        words += "rose too: a smaller learning rate may help."
    else:
        went = "went on falling" if trained < 0 else "did not rise"
        words += f"{went}. The weights of epoch {lowest + 1} generalised best."
    return Diagnosis(fit, words, since=lowest + 2, best_epoch=lowest + 1)


def _rise(losses: np.ndarray, lowest: int, last: slice) -> tuple[float, float]:
    """How far the level at the end lies above that of epoch ``lowest``, and what is allowed."""
    base = float(losses[lowest])
    bound = max(RISE * abs(base), OF_ALL * (float(losses[0]) - base), NOISE * noise(losses))
    return float(losses[last].mean()) - base, bound


def _poor(course: Course, best: int | None) -> Diagnosis | None:
    """Hardly better than a constant answer, on the very data that it learns from."""
    error, constant = course.train_metric[-1], course.constant
    if course.share:
        error, constant = 1.0 - error, 1.0 - constant
    if not (math.isfinite(error) and math.isfinite(constant) and constant > 0):
        return None
    skill = 1.0 - float(error) / constant
    if skill >= SKILL:
        return None
    given = "always the commonest class" if course.share else "always the mean"
    amount = f"only {100 * skill:.0f} % smaller than" if skill > 0 else "no smaller than"
    words = f"The training error is {amount} that of a constant answer ({given}): "
    words += "another learning rate, more epochs or a larger network may help."
    return Diagnosis(Fit.UNDER, words, best_epoch=best)


def _falling(course: Course, watched: np.ndarray, best: int | None) -> Diagnosis | None:
    """The loss still falls steeply when the training ends."""
    window = max(1, round(course.epochs / 5))
    fall = float(watched[-1 - window] - watched[-1])
    whole = float(watched[0] - watched[-1])
    bound = max(FALL * abs(float(watched[-1])), OF_ALL * whole, NOISE * noise(watched))
    if fall <= bound:
        return None
    which = "validation" if course.validated else "training"
    epochs = "epoch" if window == 1 else f"{window} epochs"
    words = f"The {which} loss still fell from {watched[-1 - window]:.4g} to {watched[-1]:.4g} in "
    words += f"the last {epochs}: more epochs will bring it further down."
    return Diagnosis(Fit.UNDER, words, best_epoch=best)


def _wide(course: Course, best: int | None) -> Diagnosis | None:
    """The figures on training data are much better than on validation data, without a rise."""
    wide = _wide_epochs(course)
    if not wide[-1]:
        return None
    narrow = np.flatnonzero(~wide)
    since = int(narrow[-1]) + 2 if len(narrow) else 1
    words = f"The validation loss has not risen, but {_gap_in_words(course)}: more data, "
    words += "regularisation or a smaller network may narrow the gap."
    return Diagnosis(Fit.WIDE_GAP, words, since=since, best_epoch=best)


def _wide_epochs(course: Course) -> np.ndarray:
    """Where the gap is wide, bool ``(epochs,)``."""
    train, validation = course.train_metric, course.validation_metric
    if not course.share:
        return np.asarray(validation > TIMES * train)
    spread = np.sqrt(validation * (1.0 - validation) / max(course.validation_examples, 1))
    if course.validation_examples == 0:
        spread = np.zeros(len(validation))
    return np.asarray(train - validation > np.maximum(POINTS, 2.0 * spread))


def _gap_in_words(course: Course) -> str:
    train, validation = float(course.train_metric[-1]), float(course.validation_metric[-1])
    if course.share:
        pair = f"{100 * train:.1f} % against {100 * validation:.1f} %"
        return f"at the end training accuracy is {pair} in validation"
    return f"at the end the training error is {train:.4g} against {validation:.4g} in validation"
