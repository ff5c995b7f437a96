"""Portraits made by hand, for the tests of a training's pictures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fallline.report.training_portrait import (
    Block,
    Examples,
    FirstWeights,
    Portrait,
    Predictions,
)

EVIL = "<script>alert(1)</script>"


def images(**changes) -> Portrait:
    """30 held-out images of 4 x 3 in three classes, the first two of them mistaken."""
    draw = np.random.default_rng(0)
    actual = np.arange(30) % 3
    predicted = actual.copy()
    predicted[:2] = [1, 2]
    probabilities = np.full((30, 3), 0.05)
    probabilities[np.arange(30), predicted] = 0.9
    probabilities[1] = [0.2, 0.2, 0.6]
    x = draw.integers(0, 256, (30, 4, 3), dtype=np.uint8)
    made = Portrait(
        title="Small pictures",
        task="small",
        kind="classification",
        metric="accuracy",
        status="done",
        advice="Trained to the end of its budget.",
        facts=(("optimizer", "adam"), ("seed", "0")),
        notes=(),
        train_loss=np.array([1.0, 0.6, 0.4, 0.3, 0.2, 0.1]),
        train_metric=np.array([0.5, 0.7, 0.8, 0.9, 0.95, 1.0]),
        validation_loss=np.array([0.9, 0.6, 0.5, 0.55, 0.6, 0.7]),
        validation_metric=np.array([0.6, 0.7, 0.8, 0.8, 0.8, 0.8]),
        constant=0.4,
        train_examples=100,
        validation_examples=30,
        classes=("cat", "dog", "hen"),
        features=(),
        input_shape=(4, 3),
        examples=Examples(x[:25], actual[:25]),
        predictions=Predictions(
            "test",
            30,
            actual,
            predicted,
            probabilities,
            np.arange(25),
            x[:25],
            np.array([0, 1]),
            x[:2],
        ),
        blocks=(
            Block("Conv_0", "Conv", (4, 3, 8), 80),
            Block("Dense_0", "Dense", (16,), 1552, trainable=False),
            Block("Dense_1", "Dense", (3,), 51),
        ),
        first_weights=FirstWeights("Conv_0", draw.normal(size=(8, 3, 3, 1)), kernel=True),
        created="2026-01-02T03:04+00:00",
        versions=(("fallline", "0"),),
    )
    return replace(made, **changes)


def table(**changes) -> Portrait:
    """A regression on a table of three named columns."""
    draw = np.random.default_rng(1)
    x = draw.normal(size=(50, 3)).astype(np.float32)
    actual = x.sum(axis=1)
    predicted = actual + np.where(np.arange(50) % 2, 0.5, -0.3)
    rows = np.arange(25)
    made = images(
        title="Small table",
        kind="regression",
        metric="rmse",
        classes=(),
        features=("length", "width", "weight"),
        input_shape=(3,),
        constant=2.0,
        examples=Examples(x[:25], actual[:25]),
        predictions=Predictions(
            "test", 50, actual, predicted, None, rows, x[:25], np.zeros(0, int), x[:0]
        ),
        blocks=(Block("Dense_0", "Dense", (16,), 64), Block("Dense_1", "Dense", (1,), 17)),
        first_weights=FirstWeights("Dense_0", draw.normal(size=(16, 3)), kernel=False),
    )
    return replace(made, **changes)


def evil() -> Portrait:
    """Every name that a user chooses is an attack."""
    return images(
        title=EVIL,
        task=EVIL,
        classes=(EVIL, f"{EVIL}2", "hen"),
        notes=(EVIL,),
        facts=((EVIL, EVIL),),
        blocks=(Block(EVIL, EVIL, (4, 3, 8), 80),),
        advice=EVIL,
        diverged=True,
    )
