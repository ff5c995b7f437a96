"""The pages as they are tested in a browser: of made-up studies, nothing is trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import msgspec
import numpy as np

import made_series
import made_study
import made_suite
import portraits
from fallline.analysis.reading import Reading, read
from fallline.landscapes import Path, Walk, landscape
from fallline.records import Status
from fallline.report import landscape_page, page, reproduction_page, suite_page, training_page
from fallline.store.document import OptimizerDescription

SCRIPT = "<script>alert(1)</script>"
IMAGE = '"><img src=x onerror=alert(1)>'


def study() -> str:
    return page.render(made_study.make())


def stopped_study() -> str:
    """It was stopped in its search: no final runs, no time."""
    return page.render(
        made_study.make(complete=False, edit=lambda runs: runs[runs.phase == "search"])
    )


def series() -> str:
    tree, runs = made_series.TREE, made_series.runs_of(made_series.TREE)
    return reproduction_page.render(
        made_series.findings_of(tree, runs, chosen={"batches": {"batch": "8"}})
    )


def suite_of(tasks: Mapping[str, made_suite.Made]) -> str:
    links = {name: f"{at}/report.html" for at, name in enumerate(tasks)}
    return suite_page.render(made_suite.reading(tasks), links)


def training_of_images() -> str:
    return training_page.render(portraits.images())


def training_on_a_table() -> str:
    return training_page.render(portraits.table())


def landscape_of(*labels: str) -> str:
    ground = landscape("quadratic")
    ways = [[[0, 0], [0, 0.5], [0.5, 0.5], [1, 1]], [[0, 0], [3, 3], [-50, 1e9]]]
    paths = [_path(ground, way, name) for way, name in zip(ways, labels, strict=True)]
    return landscape_page.render(Walk(ground, tuple(paths), 3))


def _path(ground, points, label: str) -> Path:
    at = np.asarray(points, float)
    return Path(
        label=label,
        optimizer=label,
        title=label,
        hyperparameters={"learning_rate": 0.1},
        chosen_by="tuned",
        points=at,
        values=ground.values(*at.T),
        slopes=np.linspace(1.0, 0.0, len(at)),
        status=Status.DIVERGED if at.max() > 1e6 else Status.DONE,
    )


PAGES: dict[str, Callable[[], str]] = {
    "study": study,
    "stopped study": stopped_study,
    "series": series,
    "suite": lambda: suite_of(made_suite.THREE),
    "training of images": training_of_images,
    "training on a table": training_on_a_table,
    "landscape": lambda: landscape_of("gd", "momentum"),
}


def evil_reading() -> Reading:
    """A study of two optimizers; its words are attacks."""
    usual = made_study.make(optimizers=("adam", "sgd"), name=SCRIPT, title=IMAGE)
    names = {"adam": SCRIPT, "sgd": IMAGE}
    protocol = usual.document.protocol
    document = msgspec.structs.replace(
        usual.document,
        optimizers={
            name: OptimizerDescription(name, False, {}, citation=name) for name in names.values()
        },
        versions={IMAGE: SCRIPT},
        machine={SCRIPT: IMAGE},
        protocol=msgspec.structs.replace(
            protocol,
            optimizers=tuple(names.values()),
            learning_rates={names[key]: rates for key, rates in protocol.learning_rates.items()},
        ),
        task=msgspec.structs.replace(usual.document.task, source=IMAGE, licence=SCRIPT),
    )
    return read(
        usual.runs.assign(optimizer=usual.runs["optimizer"].map(names)),
        document,
        timing=usual.timing,
    )


EVIL_PAGES: dict[str, Callable[[], str]] = {
    "study": lambda: page.render(evil_reading()),
    "series": lambda: reproduction_page.render(made_series.evil(IMAGE)),
    "suite": lambda: suite_of(dict(zip((SCRIPT, IMAGE), made_suite.THREE.values(), strict=False))),
    "training": lambda: training_page.render(replace(portraits.evil(), task=IMAGE, title=IMAGE)),
    "landscape": lambda: landscape_of(SCRIPT, IMAGE),
}
