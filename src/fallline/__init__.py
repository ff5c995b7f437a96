"""fallline: which optimizer, with which settings, trains your network best, and how sure is it."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "Task": "fallline.task",
    "Dataset": "fallline.data.dataset",
    "EarlyStopping": "fallline.planning.stopping",
    "prepare": "fallline.engine.devices",
    "compare": "fallline.api",
    "train": "fallline.api",
    "landscape": "fallline.landscapes.functions",
    "walk": "fallline.landscapes.walking",
    "cross_validate": "fallline.api",
    "load": "fallline.api",
    "evaluate": "fallline.api",
    "report_training": "fallline.portrait",
    "trace": "fallline.tracing",
    "run": "fallline.api",
    "reproduce": "fallline.api",
    "resume": "fallline.api",
    "open_series": "fallline.reproduction",
    "open_study": "fallline.results",
    "open_suite": "fallline.standings",
    "Study": "fallline.results",
    "Suite": "fallline.standings",
}

__all__ = [
    "Dataset",
    "EarlyStopping",
    "Study",
    "Suite",
    "Task",
    "__version__",
    "compare",
    "cross_validate",
    "evaluate",
    "landscape",
    "load",
    "open_series",
    "open_study",
    "open_suite",
    "prepare",
    "report_training",
    "reproduce",
    "resume",
    "run",
    "trace",
    "train",
    "walk",
]

if TYPE_CHECKING:
    from fallline.api import (
        compare,
        cross_validate,
        evaluate,
        load,
        reproduce,
        resume,
        run,
        train,
    )
    from fallline.data.dataset import Dataset
    from fallline.engine.devices import prepare
    from fallline.landscapes.functions import landscape
    from fallline.landscapes.walking import walk
    from fallline.planning.stopping import EarlyStopping
    from fallline.portrait import report_training
    from fallline.reproduction import open_series
    from fallline.results import Study, open_study
    from fallline.standings import Suite, open_suite
    from fallline.task import Task
    from fallline.tracing import trace


def __getattr__(name: str) -> Any:
    """Import a public name where it is first used: ``import fallline`` alone loads no JAX."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'fallline' has no attribute {name!r}")
    return getattr(importlib.import_module(home), name)


def __dir__() -> list[str]:
    return sorted(__all__)
