"""The built-in tasks reach the figures that their data and networks are known for.

Chance and trivial predictors are far off: a tenth for ten classes, an RMSE of 0.88 for the mean
of the wines.
"""

from __future__ import annotations

from pathlib import Path

import pytest

import fallline

AT_LEAST = {"digits-mlp": 0.94, "digits-cnn": 0.96, "mnist-mlp": 0.975, "fashion-mlp": 0.87}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name.startswith("digits") else pytest.mark.slow)
        for name in AT_LEAST
    ],
)
def test_adam_classifies_with_its_defaults(name: str, data_dir: Path) -> None:
    training = fallline.train(name, "adam", data_dir=data_dir)
    assert training.evaluate("test")["accuracy"] > AT_LEAST[name]


def test_adam_predicts_the_wines(data_dir: Path) -> None:
    training = fallline.train("wine-mlp", "adam", data_dir=data_dir)
    assert training.evaluate("test")["rmse"] < 0.80
