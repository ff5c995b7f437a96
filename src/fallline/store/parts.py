"""Parquet parts: finished runs, written once, complete or not there at all.

A part is written under a temporary name, flushed to the disk and renamed; whatever kills the
process leaves either the whole part or none. One row per run; curves are lists, a value per epoch.
Every page has a checksum inside, for a part that the manifest does not name yet.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from fallline.errors import StudyError
from fallline.records import Curves, Phase, Run, RunResult, Status
from fallline.store import durable, footer
from fallline.store.manifest import Entry

if TYPE_CHECKING:
    import pyarrow as pa

_CURVES = ("train_loss", "train_metric", "validation_loss", "validation_metric")
_REASON = "reason"
ADDED: dict[str, Any] = {_REASON: ""}
"""Columns that the format got after its beginning, and what they hold for older parts."""
_TRAINING = "fallline.training"
_STATUSES = {str(status) for status in Status}
_PHASES = set(get_args(Phase))
MOST_VALUES = 2**27
"""In a part: half a gigabyte. What says that it holds more is not read."""


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
            (_REASON, pa.string()),
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
        _REASON: result.reason,
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
        reason=row.get(_REASON, ""),
    )


def write(folder: Path, number: int, rows: Sequence[dict[str, Any]], training: str) -> Entry:
    """Write ``rows`` as a part; on return it is on the disk under its name.

    ``training`` is a mark of what all runs of the study share, kept in the part: what is of another
    study is known by it. Returns the part's entry for the manifest.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    buffer = pa.BufferOutputStream()
    # A few rows each: dictionaries and statistics would be most of the file, and of reading it.
    with pq.ParquetWriter(
        buffer,
        schema(),
        use_dictionary=False,
        write_statistics=False,
        write_page_checksum=True,
        store_schema=False,
    ) as writer:
        writer.write_table(pa.Table.from_pylist(list(rows), schema=schema()))
        writer.add_key_value_metadata({_TRAINING: training})
    data = buffer.getvalue().to_pybytes()
    path = folder / f"{number:06d}.parquet"
    # Hidden: who reads the whole folder with another library does not stumble over it.
    durable.write(path, data, temporary=folder / f".{path.name}.tmp")
    return Entry.of(path.name, data, len(rows))


def decode(data: bytes, training: str | None = None, *, vouched: int | None = None) -> pa.Table:
    """The runs in a part's bytes, for :func:`joined`.

    ``vouched``: how many there are by a manifest that knows the bytes; without it they are looked
    at more closely, and ``training``, the study's mark, must not be another one. Raises
    ``ValueError`` where the part is damaged, or of another study.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not data:
        raise ValueError("it is empty")
    # Before Parquet's library sees it: a manifest too may be made to vouch for anything.
    values = footer.values_in(data)
    if values > MOST_VALUES:
        raise ValueError(f"{len(data)} bytes do not hold {values} values")
    try:
        file = pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=vouched is None)
        if vouched is None:
            if file.metadata.num_rows > len(data):
                raise ValueError(f"{len(data)} bytes do not hold {file.metadata.num_rows} runs")
            mark = (file.metadata.metadata or {}).get(_TRAINING.encode())
            if training is not None and mark is not None and mark != training.encode():
                raise ValueError("it is a part of another study")
        elif file.metadata.num_rows != vouched:
            raise ValueError(f"it holds {file.metadata.num_rows} runs of {vouched}")
        table = file.read(use_threads=False)
        table.validate(full=True)  # texts that are none, lists that end before they begin
        if table["run_id"].null_count:
            raise ValueError("values are missing in its column run_id")
        return table if table.schema.equals(_as_read()) else _as_now(table)
    except (pa.ArrowException, OSError, KeyError) as error:
        raise ValueError(f"it cannot be read: {_first_line(error)}") from error


@cache
def _as_read() -> pa.Schema:
    """The columns of a part as Parquet gives them: without the names that Arrow adds."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    buffer = pa.BufferOutputStream()
    pq.write_table(schema().empty_table(), buffer, store_schema=False)
    return pq.read_schema(pa.BufferReader(buffer.getvalue()))


def _as_now(table: pa.Table) -> pa.Table:
    """A part of an earlier or later version with the columns of this one."""
    import pyarrow as pa

    for name in ADDED.keys() - set(table.column_names):
        table = table.append_column(name, pa.array([ADDED[name]] * table.num_rows))
    return table.select(schema().names).cast(_as_read())


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def require_sound(table: pa.Table) -> None:
    """Raise ``ValueError`` where a row is none that was written: what the columns allow is more."""
    import pyarrow.compute as pc

    for name in table.column_names:
        column = table[name]
        inner = pc.list_flatten(column).null_count if name in _CURVES else 0
        if name != "learning_rate" and (column.null_count or inner):
            raise ValueError(f"values are missing in its column {name}")
    for name, known in (("status", _STATUSES), ("phase", _PHASES)):
        if others := set(pc.unique(table[name]).to_pylist()) - known:
            raise ValueError(f"its column {name} holds {min(others)!r}")
    for text in pc.unique(table["hyperparameters"]).to_pylist():
        _require_settings(text)
    rates = table["learning_rate"].drop_null().to_numpy()
    if not (np.isfinite(rates) & (rates > 0)).all():
        raise ValueError("its column learning_rate holds what is no learning rate")
    if not table["epochs_trained"].equals(pc.list_value_length(table["train_loss"]).cast("int64")):
        raise ValueError("its column epochs_trained is not the length of the curves")


def _require_settings(text: str) -> None:
    try:
        values = json.loads(text)
        numbers = isinstance(values, dict) and all(
            isinstance(value, int | float) and math.isfinite(value) for value in values.values()
        )
    except (ValueError, RecursionError, OverflowError):
        numbers = False
    if not numbers:
        raise ValueError(f"its column hyperparameters holds {text[:80]!r}")


def joined(tables: Iterable[pa.Table]) -> pa.Table:
    """One table of them, each run once: the first time that it did not fail."""
    import pyarrow as pa

    held = list(tables)
    table = pa.concat_tables(held).cast(schema()) if held else schema().empty_table()
    ids, status = (table[name].to_numpy(zero_copy_only=False) for name in ("run_id", "status"))
    order = np.argsort(status == Status.FAILED.value, kind="stable")
    _, first = np.unique(ids[order], return_index=True)
    return table if len(first) == table.num_rows else table.take(np.sort(order[first]))


def results(table: pa.Table) -> Iterator[RunResult]:
    """The runs of a table of parts."""
    plain = table.select([name for name in table.column_names if name not in _CURVES])
    curves = [_arrays(table[name]) for name in _CURVES]
    for row, *values in zip(plain.to_pylist(), *curves, strict=True):
        try:
            yield result_of(row | dict(zip(_CURVES, values, strict=True)))
        except (ValueError, TypeError, RecursionError) as error:
            raise StudyError(
                f"the run {row['run_id']!r} in a part cannot be read: {error}",
                hint="a part was changed or damaged after it was written: bring back a copy of "
                "the study, or begin it in another folder",
            ) from error


def _arrays(column: pa.ChunkedArray) -> Iterator[np.ndarray]:
    """The lists of a column as arrays, without a Python number for every value."""
    for chunk in column.chunks:
        values = chunk.values.to_numpy(zero_copy_only=False)
        ends = chunk.offsets.to_numpy()
        for start, end in itertools.pairwise(ends):
            yield values[start:end].copy()
