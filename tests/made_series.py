"""A made-up series: its file, runs with known winners, and their findings; nothing is trained."""

from __future__ import annotations

import itertools
import json
import math

import numpy as np
import pandas as pd

from fallline.analysis import published, series
from fallline.planning import studyfile

TREE = {
    "name": "made-up",
    "title": "A made-up series",
    "about": "What it is.",
    "flaw": "What it hides.",
    "publication": {"title": "The text", "authors": "A. Writer", "year": 2020},
    "base": {"task": "digits-mlp", "epochs": 3},
    "protocol": {"final_seeds": 4, "learning_rates": [0.01, 0.1]},
    "axes": {
        "batch": {"8": {}, "32": {}, "all": {}},
        "optimizer": {"slow": {}, "fast": {}},
    },
    "stages": {
        "batches": {"title": "Batches", "vary": ["batch", "optimizer"], "choose": "test_accuracy"},
        "optimizers": {"title": "Optimizers", "vary": ["optimizer"]},
    },
    "published": [
        {
            "stage": "batches",
            "where": {"optimizer": "slow", "batch": "8"},
            "figures": {"test_accuracy": 0.9, "train_loss": 0.0},
        },
        {
            "stage": "optimizers",
            "where": {"optimizer": "fast"},
            "epoch": 1,
            "figures": {"train_loss": 0.5},
        },
    ],
    "claims": [
        {
            "stage": "batches",
            "text": "slow is better",
            "better": {"optimizer": "slow", "batch": "8"},
            "than": {"optimizer": "fast", "batch": "8"},
            "about": "It is not, once both are tuned.",
        },
        {"stage": "optimizers", "text": "fast is the best", "better": {"optimizer": "fast"}},
    ],
}
SEEDS = 4


def runs_of(tree, *, seeds=SEEDS, gone=(), stages=None):
    """Made-up runs: slow wins untuned and loses tuned, whatever the batch."""
    file = studyfile.parse(tree)
    random = np.random.default_rng(0)
    rows = []
    for stage, given in file.stages.items():
        for mode in ("untuned", "tuned"):
            axes = [[(axis, label) for label in file.axes[axis]] for axis in given.vary]
            points = (
                [dict(p) for p in itertools.product(*axes)]
                if stages is None or stage in stages
                else []
            )
            for labels in points:
                first = next(iter(file.axes["optimizer"])) in labels.values()
                skill = 0.9 if first == (mode == "untuned") else 0.8
                setting = ", ".join(labels.values())
                for seed in range(seeds):
                    value = skill + 0.005 * random.normal()
                    rows.append(_row(stage, mode, labels, seed, value, setting in gone))
    return pd.DataFrame(rows, columns=list(series.COLUMNS))


def _row(stage, mode, labels, seed, value, diverged):
    figure = math.nan if diverged else value
    curve = np.array([value - 0.2, value - 0.1, math.nan if diverged else value])
    return dict.fromkeys(series.COLUMNS, math.nan) | {
        "stage": stage,
        "mode": mode,
        "setting": ", ".join(labels.values()),
        "labels": labels,
        "fold": 0,
        "seed": 1000 + seed,
        "status": "diverged" if diverged else "done",
        "diverged": diverged,
        "metric": "accuracy",
        "higher_is_better": True,
        "test_examples": 1000,
        "hyperparameters": '{"learning_rate": 0.1}',
        "steps": 30,
        "seconds": 2.0,
        "train_loss": 1.0 - figure,
        "train_metric": figure,
        "validation_loss": 1.1 - figure,
        "validation_metric": figure,
        "test_metric": figure,
        "test_loss": 1.2 - figure,
        "epochs_trained": 3.0,
        **{f"{n}_curve": curve if n.endswith("metric") else 1.1 - curve for n in series.CURVES},
    }


def findings_of(tree, runs, *, complete=True, chosen=None, machine=None):
    file = studyfile.parse(tree)
    return published.Findings(
        file=file,
        complete=complete,
        created="2026-01-02T03:04:05+00:00",
        versions={"fallline": "0.1.0"},
        machine=machine or {"processor": "A processor"},
        chosen=chosen or {},
        runs=runs,
        settings=published.settings(runs),
        published=published.beside_published(runs, file),
        claims=published.judged(runs, file),
        tuning=published.tuned_beside_untuned(runs),
    )


def evil(name):
    """Findings whose every word that a user chooses begins with ``name``."""
    quoted = json.dumps(name)[1:-1]
    text = json.dumps(TREE)
    for word in ("slow", "What it is.", "What it hides.", "The text", "A. Writer", "fast is"):
        text = text.replace(word, quoted + word)
    for word in ("A made-up series", '"Batches"', '"batch"', '"batches"', "It is not"):
        text = text.replace(word, f'"{quoted}{word[1:]}' if word[0] == '"' else quoted + word)
    tree = json.loads(text)
    return findings_of(
        tree, runs_of(tree), chosen={f"{name}batches": {name: name}}, machine={name: name}
    )
