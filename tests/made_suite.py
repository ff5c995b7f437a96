"""Made-up suites: figures given seed by seed, nothing trained."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from fallline.analysis.reading import Reading, read
from fallline.analysis.suite import SuiteReading, read_suite
from fallline.records import Curves, Run, RunResult, Status
from fallline.store import parts
from fallline.store.document import (
    FORMAT_VERSION,
    OptimizerDescription,
    Protocol,
    StudyDocument,
    TaskDescription,
    Timing,
)
from fallline.store.folder import StudyFolder
from fallline.store.suite import Asked, SuiteDocument, SuiteFolder, SuiteTask

DIVERGED = math.nan
EPOCHS = 4


@dataclass(frozen=True)
class Made:
    """A task: test figures by optimizer, a value per fresh seed, and the epoch of the target."""

    figures: Mapping[str, Sequence[float]]
    reached: Mapping[str, int]
    """By optimizer: 0 where the target is not reached."""
    metric: str = "accuracy"
    source: str = ""

    @property
    def higher(self) -> bool:
        return self.metric == "accuracy"


# Two tasks that disagree and one that cannot tell; on the second, rmsprop diverges on a seed.
THREE = {
    "first": Made(
        {"adam": (0.90, 0.92, 0.94), "sgd": (0.80, 0.82, 0.84), "rmsprop": (0.70, 0.72, 0.74)},
        {"adam": 1, "sgd": 2, "rmsprop": 0},
    ),
    "second": Made(
        {
            "adam": (0.50, 0.52, 0.54),
            "sgd": (0.40, 0.42, 0.44),
            "rmsprop": (0.40, 0.41, DIVERGED),
        },
        {"adam": 2, "sgd": 1, "rmsprop": 0},
        metric="rmse",
    ),
    "third": Made(
        {"adam": (0.90, 0.80, 0.85), "sgd": (0.80, 0.90, 0.86), "rmsprop": (0.50, 0.50, 0.50)},
        {"adam": 3, "sgd": 3, "rmsprop": 0},
    ),
}


def optimizers_of(tasks: Mapping[str, Made]) -> tuple[str, ...]:
    return tuple(next(iter(tasks.values())).figures)


def document(tasks: Mapping[str, Made], **changes) -> SuiteDocument:
    seeds = len(next(iter(next(iter(tasks.values())).figures.values())))
    asked = {
        "optimizers": optimizers_of(tasks),
        "rule": "grid",
        "seeds": 3,
        "final_seeds": seeds,
        "learning_rates": 7,
    }
    return SuiteDocument(
        format_version=FORMAT_VERSION,
        created="2026-05-01T10:20:30+00:00",
        tasks=tuple(SuiteTask(name, name, EPOCHS, 32, f"hash of {name}") for name in tasks),
        asked=Asked(**(asked | changes)),
        versions={"fallline": "0.1.0"},
        machine={"processor": "A processor"},
    )


def study_document(name: str, made: Made) -> StudyDocument:
    names = tuple(made.figures)
    seeds = len(next(iter(made.figures.values())))
    return StudyDocument(
        format_version=FORMAT_VERSION,
        created="2026-05-01T10:20:30+00:00",
        task=TaskDescription(
            name=name,
            title=f"The task {name}",
            kind="classification" if made.higher else "regression",
            metric=made.metric,
            higher_is_better=made.higher,
            loss="cross_entropy" if made.higher else "mse",
            parameters=100,
            train_examples=3200,
            validation_examples=1000,
            test_examples=1000,
            target=0.5,
            source=made.source,
        ),
        protocol=Protocol(
            optimizers=names,
            epochs=EPOCHS,
            batch_size=32,
            search_seeds=(),
            final_seeds=tuple(range(1000, 1000 + seeds)),
            learning_rates=dict.fromkeys(names, (0.1,)),
            searched=False,
            widen=False,
        ),
        optimizers={
            each: OptimizerDescription(each, False, {"learning_rate": 0.1}, f"Paper of {each}")
            for each in names
        },
        versions={"fallline": "0.1.0"},
        machine={"processor": "A processor"},
    )


def results(made: Made) -> list[RunResult]:
    """The final runs; their validation curves cross the target in the epoch that is given."""
    found = []
    for name, figures in made.figures.items():
        late = EPOCHS if made.reached[name] == 0 else made.reached[name] - 1
        better, worse = (0.6, 0.4) if made.higher else (0.4, 0.6)
        curve = np.full(EPOCHS, better, np.float32)
        curve[:late] = worse
        for place, figure in enumerate(figures):
            gone = not math.isfinite(figure)
            found.append(
                RunResult(
                    Run(name, {"learning_rate": 0.1}, 1000 + place, "final", EPOCHS),
                    Status.DIVERGED if gone else Status.DONE,
                    Curves(curve, curve, curve, curve),
                    steps=100 * EPOCHS,
                    diverged_step=7 if gone else -1,
                    last_finite_loss=1.0,
                    test_loss=figure,
                    test_metric=figure,
                )
            )
    return found


def timing(made: Made) -> Timing:
    return Timing(total=3.0, compile=1.0, train=1.5, step=dict.fromkeys(made.figures, 2e-5))


def reading(tasks: Mapping[str, Made], *, unfinished: Sequence[str] = (), **asked) -> SuiteReading:
    """The reading of a suite of ``tasks``; other words change what was asked."""
    # Tasks of the same figures are read once.
    distinct = {id(made): (name, made) for name, made in tasks.items()}
    known = {key: _read(*each) for key, each in distinct.items()}
    readings = {
        name: replace(
            known[id(made)],
            document=study_document(name, made),
            complete=name not in unfinished,
        )
        for name, made in tasks.items()
    }
    return read_suite(document(tasks, **asked), readings)


def _read(name: str, made: Made) -> Reading:
    runs = pd.DataFrame([parts.row_of(result, 32) for result in results(made)])
    return read(runs, study_document(name, made), timing=timing(made))


def write(path, tasks: Mapping[str, Made], *, unfinished: Sequence[str] = ()) -> SuiteFolder:
    """A suite's folder with a study for each of ``tasks``."""
    folder = SuiteFolder.begin(path, document(tasks))
    for name, made in tasks.items():
        study = StudyFolder.begin(path / name, study_document(name, made))
        runs = results(made)
        if name in unfinished:
            runs = runs[:1]
        study.append(runs, [32] * len(runs))
        if name not in unfinished:
            study.finish(timing(made))
        study.close()
    return folder
