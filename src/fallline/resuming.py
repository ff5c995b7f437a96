"""Going on with what a folder holds, from what the folder says of itself."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fallline.errors import InputError, StudyError

if TYPE_CHECKING:
    from fallline.optimizers import Optimizer
    from fallline.planning.config import StudyConfig
    from fallline.planning.stopping import EarlyStopping
    from fallline.reproduction import Reproduction
    from fallline.results import Study
    from fallline.standings import Suite
    from fallline.store.document import StudyDocument
    from fallline.store.suite import SuiteDocument, SuiteFolder, SuiteTask
    from fallline.task import Task


def resume(
    folder: Path | str,
    *,
    data_dir: Path | str | None = None,
    listener: Callable[[Any], None] | None = None,
) -> Study | Suite | Reproduction:
    """Go on with the study, suite or series in ``folder`` where it stopped, and open it.

    What was asked is read from the folder's own document; one that is complete is opened and
    nothing is trained but what failed. The data of built-in tasks is looked up anew (``data_dir``).
    Raises StudyError where the folder cannot say how its task is made (one of your own, a CSV file
    that is gone or that has changed), with what to do instead.
    """
    from fallline.store.series import SeriesFolder
    from fallline.store.suite import SuiteFolder

    path = Path(folder)
    if SeriesFolder.holds(path):
        return _series(path, data_dir, listener)
    if SuiteFolder.holds(path):
        return _suite(path, data_dir, listener)
    return _study(path, data_dir, listener)


def _series(path: Path, data_dir: Any, listener: Any) -> Reproduction:
    from fallline import series
    from fallline.reproduction import open_series

    held = open_series(path)
    if held.complete and not held.failed:
        return held
    silent = series.silent
    series.run(held.file, path, data_dir=data_dir, listener=listener or silent)
    return open_series(path)


def _study(path: Path, data_dir: Any, listener: Any) -> Study:
    from fallline import study
    from fallline.results import open_study

    held = open_study(path)
    if held.complete and not held.failed:
        return held
    document = held.document
    config = configured(document)
    _known(document, path)
    made = _task(document, path, data_dir)
    study.compare(made, config, path, listener=listener or study.silent)
    return open_study(path)


def _suite(path: Path, data_dir: Any, listener: Any) -> Suite:
    from fallline import suite
    from fallline.standings import open_suite
    from fallline.store.suite import SuiteFolder

    stored = SuiteFolder.open(path)
    begun = [stored.study(task.name) for task in stored.document.tasks]
    if all(study is not None and study.complete and not study.failed for study in begun):
        return open_suite(path)
    members = [
        suite.Member(
            partial(_task_of_suite, stored, task, data_dir),
            partial(_config_of_suite, stored.document, task),
        )
        for task in stored.document.tasks
    ]
    suite.train(suite.plan(members), path, listener=listener or suite.silent)
    return open_suite(path)


def configured(document: StudyDocument) -> StudyConfig:
    """What the study of ``document`` was asked to compare."""
    from fallline.planning.config import StudyConfig
    from fallline.planning.protocol import DEFAULTS, GRID, parse

    asked = document.protocol
    rule = parse(asked.rule) if asked.rule else GRID if asked.searched else DEFAULTS
    return StudyConfig(
        optimizers=asked.optimizers,
        epochs=asked.epochs,
        batch_size=asked.batch_size,
        seeds=len(asked.search_seeds) or rule.search_seeds,
        final_seeds=len(asked.final_seeds),
        learning_rates=_rates(document),
        defaults=not asked.searched,
        widen=asked.widen,
        study_seed=asked.study_seed,
        precision=asked.precision,
        stopping=_stopping(document),
        protocol=rule,
        left_out=asked.left_out,
    )


def _stopping(document: StudyDocument) -> EarlyStopping | None:
    from fallline.planning.stopping import EarlyStopping

    asked: dict[str, Any] | None = document.protocol.stopping
    return None if asked is None else EarlyStopping(**asked)


def _rates(document: StudyDocument) -> int | tuple[float, ...]:
    """The learning rates as they were asked for; of an older folder, as its grids tell."""
    from fallline.planning.config import DEFAULT_POINTS
    from fallline.spaces import log_grid

    if document.given and document.given.learning_rates:
        return document.given.learning_rates
    asked = document.protocol
    known = document.optimizers
    grids = {n: grid for n, grid in asked.learning_rates.items() if grid and n in known}
    if asked.rule or not asked.searched or not grids:
        return DEFAULT_POINTS
    first = next(iter(grids.values()))
    defaults = {name: known[name].defaults.get("learning_rate") for name in grids}
    around = all(
        middle is not None and grids[name] == log_grid(middle, len(first))
        for name, middle in defaults.items()
    )
    return len(first) if around else first


def _known(document: StudyDocument, path: Path) -> tuple[Optimizer, ...]:
    """The optimizers of the study; a StudyError for one that is not in the catalogue."""
    from fallline import optimizers

    try:
        return tuple(optimizers.resolve(document.protocol.optimizers))
    except InputError as error:
        raise StudyError(
            f"the study in {str(path)!r} cannot be resumed: {error}",
            hint="an optimizer of your own is known where your program defines it: run that "
            f"program again, with out={str(path)!r}",
        ) from error


def _task(document: StudyDocument, path: Path, data_dir: Any) -> Task:
    """The task of a study, made again and found to be the same."""
    given = document.given
    table = (given.table, given.column, given.kind) if given else ("", "", "")
    made = _made(document.task.name, table, path, data_dir)
    return _same(made, document.protocol.precision, document.task.fingerprint, path)


def _task_of_suite(stored: SuiteFolder, task: SuiteTask, data_dir: Any) -> Task:
    table = (task.table, task.column, task.kind)
    made = _made(task.name, table, stored.path, data_dir)
    return _same(made, stored.document.asked.precision, task.fingerprint, stored.path)


def _made(name: str, table: tuple[str, str, str], path: Path, data_dir: Any) -> Task:
    """The task ``name``: from its file where ``table`` (path, column, kind) has one."""
    from fallline import tasks

    file, column, kind = table
    if file:
        if not os.path.isfile(file):
            raise StudyError(
                f"the study in {str(path)!r} cannot be resumed: its table {file!r} is not there",
                hint="bring the file back, or name its new place: "
                f"fallline compare FILE --target {column} ... --out {path}",
            )
        return tasks.from_csv(file, column, kind=kind or None)
    if name not in tasks.names():
        raise StudyError(
            f"the study in {str(path)!r} cannot be resumed: its task {name!r} is not built in, "
            "and the folder does not say how it is made",
            hint=f"run the program that began it again, with out={str(path)!r}, or the same "
            f"'fallline compare' with --out {path}",
        )
    return tasks.get(name, data_dir=data_dir)


def _same(made: Task, precision: str, fingerprint: str, path: Path) -> Task:
    """``made``, unless it is another task than the folder's."""
    if made.with_precision(precision).fingerprint == fingerprint:
        return made
    around = path.resolve().parent
    where = f"run the program that began it again, with out={str(path)!r}"
    if (around / "series.toml").is_file():
        where = f"it is a study of a series: fallline resume {path.parent}"
    elif made.table:
        where = "bring back the table as it was, or begin another study with --out"
    raise StudyError(
        f"the study in {str(path)!r} cannot be resumed: {made.name!r} is another task now than "
        "the one that it trains (its data, split, network or loss differ)",
        hint=where,
    )


def _config_of_suite(document: SuiteDocument, described: SuiteTask, task: Task) -> StudyConfig:
    from fallline.planning.config import DEFAULT_POINTS, StudyConfig
    from fallline.planning.protocol import parse

    asked = document.asked
    rule = parse(asked.rule)
    own = rule.kind in ("grid", "defaults")
    return StudyConfig(
        optimizers=asked.optimizers,
        epochs=described.epochs,
        batch_size=described.batch_size,
        seeds=asked.seeds or rule.search_seeds,
        final_seeds=asked.final_seeds,
        learning_rates=asked.learning_rates if own else DEFAULT_POINTS,
        precision=asked.precision,
        study_seed=asked.study_seed,
        protocol=rule,
        left_out=asked.left_out,
    )
