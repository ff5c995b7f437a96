"""A study of many runs, with made-up figures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from fallline import optimizers as catalogue
from fallline.records import Curves, Phase, Run, RunResult, Status
from fallline.store import document
from fallline.store.folder import StudyFolder

OPTIMIZERS, FINAL_SEEDS, EPOCHS = 20, 10, 30
A_PART = 50
"""Runs in a part: about what two seconds of short trainings give."""


def made_study(folder: Path, runs: int) -> Path:
    """A complete study in ``folder`` of at least so many runs: searched, and with fresh seeds."""
    every = map(catalogue.get, catalogue.names())
    names = tuple(each.name for each in every if "learning_rate" in each.defaults)[:OPTIMIZERS]
    trials = -(-(runs // OPTIMIZERS - FINAL_SEEDS) // 5)
    rates = tuple(float(f"{rate:.3g}") for rate in np.geomspace(1e-5, 10, trials))
    study = StudyFolder.begin(folder, _document(names, rates))
    draw = np.random.default_rng(0)
    found = [_result(run, draw) for run in _runs(names, rates)]
    for at in range(0, len(found), A_PART):
        part = found[at : at + A_PART]
        study.append(part, [32] * len(part))
    study.finish(document.Timing(100.0, 10.0, 80.0, dict.fromkeys(names, 5e-5)))
    study.close()
    return folder


def _document(names: tuple[str, ...], rates: tuple[float, ...]) -> document.StudyDocument:
    return document.StudyDocument(
        document.FORMAT_VERSION,
        "2026-01-01T00:00:00+00:00",
        document.TaskDescription(
            *("made-up", "Made-up figures", "classification", "accuracy", True, "cross_entropy"),
            *(9610, 1080, 360, 360),
        ),
        document.Protocol(
            *(names, EPOCHS, 32, tuple(range(5)), tuple(range(1000, 1000 + FINAL_SEEDS))),
            learning_rates=dict.fromkeys(names, rates),
            searched=True,
            widen=False,
        ),
        {
            each.name: document.OptimizerDescription(each.title, False, dict(each.defaults))
            for each in map(catalogue.get, names)
        },
        {"fallline": "0.1.0"},
        {"cores": 2},
    )


def _runs(names: tuple[str, ...], rates: tuple[float, ...]) -> Iterator[Run]:
    for name in names:
        for rate in rates:
            yield from (_run(name, rate, seed, "search") for seed in range(5))
    for name in names:
        best = rates[len(rates) // 2]
        yield from (_run(name, best, 1000 + seed, "final") for seed in range(FINAL_SEEDS))


def _run(name: str, rate: float, seed: int, phase: Phase) -> Run:
    return Run(name, catalogue.get(name).complete({"learning_rate": rate}), seed, phase, EPOCHS)


def _result(run: Run, draw: np.random.Generator) -> RunResult:
    off = abs(np.log10(run.hyperparameters["learning_rate"]) + 2)
    accuracy = (0.97 - 0.1 * off**0.5) * (1 - np.exp(-0.3 * np.arange(1, EPOCHS + 1)))
    accuracy = (accuracy + draw.normal(0, 0.01, EPOCHS)).clip(0, 1).astype(np.float32)
    loss = np.exp(-2 * accuracy)
    final = run.phase == "final"
    return RunResult(
        run,
        Status.DONE,
        Curves(loss, accuracy, loss, accuracy),
        steps=34 * EPOCHS,
        last_finite_loss=float(loss[-1]),
        test_loss=float(loss[-1]) if final else float("nan"),
        test_metric=float(accuracy[-1]) if final else float("nan"),
    )
