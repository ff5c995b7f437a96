"""Parts: what goes in comes out, to the last bit, and only whole parts count."""

from __future__ import annotations

import json
import math
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fallline.errors import StudyError
from fallline.records import Curves, Run, RunResult, Status
from fallline.store import parts


def _assert_same(one: RunResult, other: RunResult) -> None:
    assert one.run == other.run
    assert one.run.run_id == other.run.run_id
    assert other.status is one.status
    for name in ("steps", "diverged_step", "epochs_trained"):
        assert getattr(one, name) == getattr(other, name)
    for name in ("last_finite_loss", "test_loss", "test_metric"):
        np.testing.assert_equal(getattr(other, name), getattr(one, name))
    for name in ("train_loss", "train_metric", "validation_loss", "validation_metric"):
        ours, theirs = getattr(one.curves, name), getattr(other.curves, name)
        assert theirs.dtype == np.float32
        np.testing.assert_array_equal(ours, theirs)


def _through(folder: Path, *results: RunResult) -> list[RunResult]:
    parts.write(folder, [parts.row_of(result, 32) for result in results])
    return list(parts.results(parts.read(folder)))


def test_runs_come_back_as_they_were(tmp_path: Path, a_run) -> None:
    empty = Curves(*[np.empty(0, np.float32)] * 4)
    odd = np.asarray([np.nan, np.inf, -0.0, 1e-45], np.float32)
    results = [
        a_run(0, test_loss=0.1 + 0.2, test_metric=1 / 3, last_finite_loss=2.5),
        a_run(1, status=Status.DIVERGED, diverged_step=17, last_finite_loss=1e30),
        a_run(2, status=Status.STOPPED_EARLY),
        replace(a_run(3, status=Status.DIVERGED, diverged_step=0), curves=empty, steps=0),
        replace(a_run(4), curves=Curves(odd, odd, odd, odd)),
        replace(a_run(5), run=Run("gd", {}, 1000, "final", 7, full_batch=True)),
    ]
    for one, other in zip(results, _through(tmp_path, *results), strict=True):
        _assert_same(one, other)


@settings(
    deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    hyperparameters=st.dictionaries(
        st.text(min_size=1, max_size=8), st.floats(allow_nan=False, allow_infinity=False)
    ),
    seed=st.integers(0, 2**31 - 1),
)
def test_hyperparameters_are_exact_to_the_last_bit(tmp_path, hyperparameters, seed) -> None:
    run = Run("adam", hyperparameters, seed, "search", 3)
    curves = Curves(*[np.zeros(3, np.float32)] * 4)
    row = parts.row_of(RunResult(run, Status.DONE, curves, steps=3), 32)
    back = parts.result_of(row)
    assert back.run == run
    assert all(
        math.copysign(1, back.run.hyperparameters[name]) == math.copysign(1, value)
        for name, value in hyperparameters.items()
    )


def test_pandas_reads_a_part_without_fallline(tmp_path: Path, a_run) -> None:
    result = a_run(3, rate=0.1 + 0.2, test_metric=0.75)
    path = parts.write(tmp_path, [parts.row_of(result, 64)])
    (row,) = pd.read_parquet(path).to_dict("records")
    assert path.name == "000001.parquet"
    assert row["learning_rate"] == 0.1 + 0.2
    assert (row["optimizer"], row["seed"], row["batch_size"]) == ("adam", 3, 64)
    assert row["status"] == "done"
    assert json.loads(row["hyperparameters"]) == {"beta1": 0.9, "learning_rate": 0.1 + 0.2}
    np.testing.assert_array_equal(row["train_loss"], result.curves.train_loss)
    assert pq.read_schema(path).equals(parts.schema())


def test_an_optimizer_without_a_learning_rate_has_none(tmp_path: Path, a_run) -> None:
    run = Run("gd_exact", {}, 0, "search", 3, full_batch=True)
    parts.write(tmp_path, [parts.row_of(replace(a_run(), run=run), 100)])
    assert parts.read(tmp_path)["learning_rate"].to_pylist() == [None]


def test_parts_are_appended_in_order(tmp_path: Path, a_run) -> None:
    for seed in range(12):
        path = parts.write(tmp_path, [parts.row_of(a_run(seed), 32)])
        assert path.name == f"{seed + 1:06d}.parquet"
    assert parts.read(tmp_path)["seed"].to_pylist() == list(range(12))
    assert not list(tmp_path.glob("*.tmp"))


def test_a_run_written_twice_counts_once(tmp_path: Path, a_run) -> None:
    first, again = a_run(0, test_metric=0.5), a_run(0, test_metric=0.9)
    results = [*_through(tmp_path, first, a_run(1))]
    assert len(results) == 2
    results = _through(tmp_path, again, a_run(2), again)
    assert [result.run.seed for result in results] == [0, 1, 2]
    assert results[0].test_metric == 0.5


def test_no_parts_are_no_runs(tmp_path: Path) -> None:
    table = parts.read(tmp_path)
    assert table.num_rows == 0
    assert table.schema.equals(parts.schema())
    assert list(parts.results(table)) == []


def test_a_part_not_renamed_is_no_part(tmp_path: Path, a_run) -> None:
    path = parts.write(tmp_path, [parts.row_of(a_run(0), 32)])
    (tmp_path / "000002.parquet.tmp").write_bytes(path.read_bytes())
    assert parts.read(tmp_path).num_rows == 1


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.9, 0.999])
def test_a_torn_part_is_named_with_the_way_out(tmp_path: Path, a_run, share: float) -> None:
    parts.write(tmp_path, [parts.row_of(a_run(0), 32)])
    torn = parts.write(tmp_path, [parts.row_of(a_run(1), 32)])
    whole = torn.read_bytes()
    torn.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(StudyError, match=r"the part 000002\.parquet cannot be read") as caught:
        parts.read(tmp_path)
    assert f"delete {torn}" in caught.value.hint
    torn.unlink()
    assert parts.read(tmp_path)["seed"].to_pylist() == [0]


def test_a_part_torn_at_any_byte_is_refused(tmp_path: Path, a_run) -> None:
    torn = parts.write(tmp_path, [parts.row_of(a_run(1), 32)])
    whole = torn.read_bytes()
    for length in range(0, len(whole), 97):
        torn.write_bytes(whole[:length])
        with pytest.raises(StudyError):
            parts.read(tmp_path)


def test_a_part_of_other_columns_is_refused(tmp_path: Path) -> None:
    pd.DataFrame({"run_id": ["a"], "seed": ["x"]}).to_parquet(tmp_path / "000001.parquet")
    with pytest.raises(StudyError, match=r"the part 000001\.parquet"):
        list(parts.results(parts.read(tmp_path)))


def test_a_folder_named_like_a_partition_adds_no_column(tmp_path: Path, a_run) -> None:
    folder = tmp_path / "seed=9" / "parts"
    folder.mkdir(parents=True)
    (result,) = _through(folder, a_run(3))
    assert result.run.seed == 3


def test_a_writer_killed_before_the_rename_loses_nothing_earlier(
    tmp_path: Path, a_run, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts.write(tmp_path, [parts.row_of(a_run(0), 32)])

    def killed(source, target):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            parts.write(tmp_path, [parts.row_of(a_run(1), 32)])
    assert parts.read(tmp_path)["seed"].to_pylist() == [0]
    parts.write(tmp_path, [parts.row_of(a_run(2), 32)])
    assert parts.read(tmp_path)["seed"].to_pylist() == [0, 2]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["000001.parquet", "000002.parquet"]


def test_a_part_is_on_the_disk_before_it_gets_its_name(
    tmp_path: Path, a_run, monkeypatch: pytest.MonkeyPatch
) -> None:
    happened: list[str] = []
    fsync, rename = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda handle: (happened.append("flushed"), fsync(handle)))
    monkeypatch.setattr(os, "replace", lambda a, b: (happened.append("renamed"), rename(a, b)))
    parts.write(tmp_path, [parts.row_of(a_run(0), 32)])
    assert happened == ["flushed", "renamed", "flushed"]


def test_a_part_without_its_columns_is_named(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"run_id": ["a"], "status": ["done"]}), tmp_path / "000001.parquet")
    with pytest.raises(StudyError, match=r"the part 000001\.parquet cannot be read"):
        parts.read(tmp_path)
