"""Points that Optuna's model chooses: reproducible, and towards what is good."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest

from fallline import optimizers
from fallline.errors import InputError
from fallline.planning import coordinates, tpe
from fallline.planning.selection import Outcome, Trial, trial_from

ADAM = optimizers.get("adam")
SPACE = coordinates.dimensions(ADAM)


def _told(count: int, *, peak: float = 0.75, diverged: tuple[int, ...] = ()) -> list[Trial]:
    """Trials whose figure falls with the distance of the learning rate from a share."""
    found = []
    for number, point in enumerate(coordinates.points(count, 0)):
        setting = coordinates.setting(ADAM, SPACE, point, 3)
        metric = 1 - abs(point[0] - peak)
        found.append(trial_from("adam", setting, [Outcome(number in diverged, metric, 0.5)]))
    return found


def test_a_trial_that_diverged_is_told_as_the_worst_of_the_others() -> None:
    told = _told(4, diverged=(1,))
    means = [trial.mean_metric for trial in told]
    assert math.isnan(means[1])
    others = [means[0], means[2], means[3]]
    assert tpe.figures(told, higher_is_better=True) == [
        means[0],
        min(others),
        means[2],
        means[3],
    ]
    assert tpe.figures(told, higher_is_better=False)[1] == max(others)


def test_where_all_diverged_all_are_equal() -> None:
    assert tpe.figures(_told(3, diverged=(0, 1, 2)), higher_is_better=True) == [0.0] * 3


def test_without_optuna_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(InputError, match="needs Optuna") as caught:
        tpe.require()
    assert "pip install 'fallline[search]'" in (caught.value.hint or "")


def test_points_go_to_where_the_figures_are_good_and_are_the_same_again() -> None:
    pytest.importorskip("optuna")
    for higher in (True, False):
        told = _told(20)
        asked = tpe.ask(SPACE, told, 8, seed=(0, 20), higher_is_better=higher)
        assert asked == tpe.ask(SPACE, told, 8, seed=(0, 20), higher_is_better=higher)
        assert asked != tpe.ask(SPACE, told, 8, seed=(0, 28), higher_is_better=higher)
        shares = np.array(asked)
        assert shares.shape == (8, 3)
        assert ((shares >= 0) & (shares <= 1)).all()
        peak = 0.75 if higher else 0.0
        # Uniform points would be 0.31 and 0.5 away on average.
        assert np.abs(shares[:, 0] - peak).mean() < (0.2 if higher else 0.3)


def test_axes_that_are_not_searched_stay_in_the_middle() -> None:
    pytest.importorskip("optuna")
    (point,) = tpe.ask(SPACE[:1], _told(6), 1, seed=0, higher_is_better=True)
    assert point[1:] == (0.5, 0.5)
