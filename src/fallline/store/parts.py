"""Parquet parts: finished runs, written once, complete or not there at all.

A part is written under a temporary name, flushed to the disk and renamed; whatever kills the
process leaves either the whole part or none. One row per run; curves are lists, a value per epoch.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fallline.errors import StudyError
from fallline.records import Curves, Run, RunResult, Status

if TYPE_CHECKING:
    import pyarrow as pa

_CURVES = ("train_loss", "train_metric", "validation_loss", "validation_metric")


def schema() -> pa.Schema:
    """The columns of a part."""
    import pyarrow as pa

    return pa.schema(
        [
            ("run_id", pa.string()),
            ("optimizer", pa.string()),
            ("phase", pa.string()),
            ("seed", pa.int64()),
            ("learning_rate", pa.float64()),
            ("hyperparameters", pa.string()),
            ("full_batch", pa.bool_()),
            ("batch_size", pa.int64()),
            ("epochs", pa.int64()),
            ("status", pa.string()),
            ("steps", pa.int64()),
            ("epochs_trained", pa.int64()),
            ("diverged_step", pa.int64()),
            ("last_finite_loss", pa.float64()),
            ("test_loss", pa.float64()),
            ("test_metric", pa.float64()),
            *((name, pa.list_(pa.float32())) for name in _CURVES),
        ]
    )


def row_of(result: RunResult, batch_size: int) -> dict[str, Any]:
    """A run as a part's row."""
    run = result.run
    return {
        "run_id": run.run_id,
        "optimizer": run.optimizer,
        "phase": run.phase,
        "seed": run.seed,
        "learning_rate": run.hyperparameters.get("learning_rate"),
        "hyperparameters": json.dumps(run.hyperparameters, sort_keys=True),
        "full_batch": run.full_batch,
        "batch_size": batch_size,
        "epochs": run.epochs,
        "status": str(result.status),
        "steps": result.steps,
        "epochs_trained": result.epochs_trained,
        "diverged_step": result.diverged_step,
        "last_finite_loss": result.last_finite_loss,
        "test_loss": result.test_loss,
        "test_metric": result.test_metric,
        **{name: np.asarray(getattr(result.curves, name), np.float32) for name in _CURVES},
    }


def result_of(row: dict[str, Any]) -> RunResult:
    """A run read back from a part's row."""
    run = Run(
        row["optimizer"],
        json.loads(row["hyperparameters"]),
        row["seed"],
        row["phase"],
        row["epochs"],
        row["full_batch"],
    )
    curves = Curves(*(np.asarray(row[name], np.float32) for name in _CURVES))
    return RunResult(
        run,
        Status(row["status"]),
        curves,
        steps=row["steps"],
        diverged_step=row["diverged_step"],
        last_finite_loss=row["last_finite_loss"],
        test_loss=row["test_loss"],
        test_metric=row["test_metric"],
    )


def write(folder: Path, rows: Sequence[dict[str, Any]]) -> Path:
    """Append ``rows`` as the next part of ``folder``; on return it is on the disk."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pylist(list(rows), schema=schema())
    path = folder / f"{_last_number(folder) + 1:06d}.parquet"
    temporary = path.with_suffix(".parquet.tmp")
    with open(temporary, "wb") as file:
        pq.write_table(table, file)
        file.flush()
        os.fsync(file.fileno())
    rename_durably(temporary, path)
    return path


def rename_durably(temporary: Path, path: Path) -> None:
    """Rename, and flush the folder: after a power cut the new name is there or the old state."""
    os.replace(temporary, path)
    if hasattr(os, "O_DIRECTORY"):
        handle = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _last_number(folder: Path) -> int:
    return max((int(path.stem) for path in folder.glob("[0-9]*.parquet")), default=0)


def read(folder: Path) -> pa.Table:
    """All complete parts as one table, each run once (the first time that it was written)."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    tables = []
    for path in sorted(folder.glob("[0-9]*.parquet")):
        try:
            table = pq.read_table(path)
            tables.append(table.select(schema().names).cast(schema()))
        except (pa.ArrowException, OSError, KeyError, ValueError) as error:
            raise StudyError(
                f"the part {path.name} cannot be read: {error}",
                hint=f"delete {path}; the runs in it are trained again when the study goes on",
            ) from error
    table = pa.concat_tables(tables) if tables else schema().empty_table()
    _, first = np.unique(table["run_id"].to_numpy(zero_copy_only=False), return_index=True)
    return table.take(np.sort(first))


def results(table: pa.Table) -> Iterable[RunResult]:
    """The runs of a table of parts."""
    for row in table.to_pylist():
        try:
            yield result_of(row)
        except (ValueError, TypeError, RecursionError) as error:
            raise StudyError(
                f"the run {row['run_id']!r} in a part cannot be read: {error}",
                hint="a part was changed or damaged after it was written: bring back a copy of "
                "the study, or begin it in another folder",
            ) from error
