"""Writes a small study in the present format, with what a reader makes of it beside it.

Run it once for each format version: ``python tests/golden/record_study.py``. A folder that an
earlier version wrote is never written anew: it must always open.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np

from fallline.records import Curves, Run, RunResult, Status
from fallline.results import open_study
from fallline.store.document import (
    FORMAT_VERSION,
    OptimizerDescription,
    Protocol,
    StudyDocument,
    TaskDescription,
    Timing,
)
from fallline.store.folder import StudyFolder

HERE = Path(__file__).parent / "studies" / f"v{FORMAT_VERSION}"
EPOCHS = 4
RATES = (0.01, 0.1, 1.0)
# Validation accuracy at the end, by optimizer and learning rate; the last of sgd diverges.
SKILL = {"sgd": (0.70, 0.85, 0.0), "adam": (0.93, 0.90, 0.40)}


def document() -> StudyDocument:
    """What the study says of itself."""
    return StudyDocument(
        format_version=FORMAT_VERSION,
        created="2026-01-02T03:04:05+00:00",
        task=TaskDescription(
            name="petals",
            title="Petals, made up — 品質",
            kind="classification",
            metric="accuracy",
            higher_is_better=True,
            loss="cross_entropy",
            parameters=99,
            train_examples=640,
            validation_examples=200,
            test_examples=200,
            licence="CC0",
            source="made up",
            notes=("The column 'petals' was taken as the target.",),
            fingerprint="0123456789abcdef",
        ),
        protocol=Protocol(
            optimizers=("sgd", "adam"),
            epochs=EPOCHS,
            batch_size=32,
            search_seeds=(0, 1),
            final_seeds=(1000, 1001, 1002),
            learning_rates=dict.fromkeys(("sgd", "adam"), RATES),
            searched=True,
            widen=True,
        ),
        optimizers={
            "sgd": OptimizerDescription("SGD", False, {"learning_rate": 0.01}, "Robbins (1951)"),
            "adam": OptimizerDescription(
                "Adam", False, {"learning_rate": 1e-3, "b1": 0.9}, "Kingma and Ba (2015)"
            ),
        },
        versions={"fallline": "0.1.0", "jax": "0.10.2"},
        machine={"system": "Linux x86_64", "processor": "A processor", "cores": 2},
    )


def runs() -> list[RunResult]:
    """The search, and the fresh seeds of the best rates."""
    found = []
    for name, skills in SKILL.items():
        for rate, skill in zip(RATES, skills, strict=True):
            found += [_run(name, rate, seed, "search", skill) for seed in (0, 1)]
    for name, rate, skill in (("sgd", 0.1, 0.85), ("adam", 0.01, 0.93)):
        found += [_run(name, rate, seed, "final", skill) for seed in (1000, 1001, 1002)]
    return found


def _run(name: str, rate: float, seed: int, phase: str, skill: float) -> RunResult:
    diverged = skill == 0.0
    epochs = 1 if diverged else EPOCHS
    level = skill + 0.005 * (seed % 10)
    metric = level - 0.4 * 0.5 ** np.arange(1, epochs + 1)
    loss = np.full(epochs, np.nan) if diverged else 2.0 * (1 - metric)
    curves = Curves(
        *(each.astype(np.float32) for each in (loss, metric, loss * 1.1, metric - 0.01))
    )
    final = phase == "final"
    return RunResult(
        Run(name, {"learning_rate": rate}, seed, phase, EPOCHS),
        Status.DIVERGED if diverged else Status.DONE,
        curves,
        steps=20 * epochs,
        diverged_step=7 if diverged else -1,
        last_finite_loss=12.5 if diverged else float(loss[-1]),
        test_loss=float(2 * (1 - level)) if final else float("nan"),
        test_metric=round(level * 200) / 200 if final else float("nan"),
    )


def expected(folder: Path) -> dict:
    """What a reader makes of the folder."""
    study = open_study(folder)
    table = study.table()
    figures = ["test_metric", "test_low", "test_high"]
    columns = ["optimizer", "learning_rate", *figures, "diverged", "runs"]
    return {
        "complete": study.complete,
        "verdict": study.verdict,
        "warnings": list(study.warnings),
        "table": json.loads(table[columns].to_json(orient="records", double_precision=10)),
        "total": study.timing.total if study.timing else None,
    }


def write(folder: Path) -> None:
    """The study in ``folder``, in three parts."""
    study = StudyFolder.begin(folder, document())
    made = runs()
    for own in (made[:6], made[6:12], made[12:]):
        study.append(own, [32] * len(own))
    study.finish(
        Timing(
            total=3.0,
            compile=1.0,
            train=1.5,
            step={"sgd": 2e-5, "adam": 3e-5},
            phases={"prepare": 0.2, "search": 1.8, "final": 0.9, "timing": 0.1},
            peak_memory=1_000_000,
            state_bytes={"sgd": 0, "adam": 800},
        )
    )
    study.close()
    (folder / ".lock").unlink(missing_ok=True)


def main() -> int:
    if HERE.exists() and "--again" not in sys.argv:
        print(f"{HERE.name} is there already: what was written stays", file=sys.stderr)
        return 1
    shutil.rmtree(HERE, ignore_errors=True)
    write(HERE)
    (HERE.parent / f"{HERE.name}.json").write_text(
        json.dumps(expected(HERE), indent=2, ensure_ascii=False) + "\n", "utf-8"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
