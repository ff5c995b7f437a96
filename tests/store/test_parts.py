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


MARK = "0123456789abcdef"


def _written(folder: Path, *results: RunResult, number: int = 1) -> bytes:
    entry = parts.write(folder, number, [parts.row_of(each, 32) for each in results], MARK)
    return (folder / entry.part).read_bytes()


def _through(folder: Path, *results: RunResult) -> list[RunResult]:
    return list(parts.results(parts.decode(_written(folder, *results), MARK)))


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
    entry = parts.write(tmp_path, 1, [parts.row_of(result, 64)], MARK)
    (row,) = pd.read_parquet(tmp_path / entry.part).to_dict("records")
    assert entry.part == "000001.parquet"
    assert row["learning_rate"] == 0.1 + 0.2
    assert (row["optimizer"], row["seed"], row["batch_size"]) == ("adam", 3, 64)
    assert row["status"] == "done"
    assert json.loads(row["hyperparameters"]) == {"beta1": 0.9, "learning_rate": 0.1 + 0.2}
    np.testing.assert_array_equal(row["train_loss"], result.curves.train_loss)
    assert pq.read_schema(tmp_path / entry.part).names == parts.schema().names


def test_an_optimizer_without_a_learning_rate_has_none(tmp_path: Path, a_run) -> None:
    run = Run("gd_exact", {}, 0, "search", 3, full_batch=True)
    table = parts.decode(_written(tmp_path, replace(a_run(), run=run)))
    assert table["learning_rate"].to_pylist() == [None]


def test_the_same_runs_are_the_same_bytes(tmp_path: Path, a_run) -> None:
    runs = [a_run(seed) for seed in range(3)]
    assert _written(tmp_path, *runs) == _written(tmp_path, *runs, number=2)


def test_a_run_written_twice_counts_once(tmp_path: Path, a_run) -> None:
    first, again = a_run(0, test_metric=0.5), a_run(0, test_metric=0.9)
    tables = [
        parts.decode(_written(tmp_path, *runs))
        for runs in ([first, a_run(1)], [again, a_run(2), again])
    ]
    results = list(parts.results(parts.joined(tables)))
    assert [result.run.seed for result in results] == [0, 1, 2]
    assert results[0].test_metric == 0.5


def test_no_parts_are_no_runs() -> None:
    table = parts.joined([])
    assert table.num_rows == 0
    assert table.schema.equals(parts.schema())
    assert list(parts.results(table)) == []


def test_a_part_torn_at_any_byte_is_refused(tmp_path: Path, a_run) -> None:
    whole = _written(tmp_path, a_run(1))
    for length in (*range(0, len(whole), 397), len(whole) - 1):
        with pytest.raises(ValueError, match="it"):
            parts.decode(whole[:length])


def test_flipped_bits_in_the_runs_are_found_without_a_manifest(tmp_path: Path, a_run) -> None:
    # Compressed pages often break by themselves; the checksum of each page finds the others.
    result = a_run(1, epochs=40)
    whole = _written(tmp_path, result)
    at = whole.index(np.ascontiguousarray(result.curves.train_loss[:4]).tobytes())
    for bit in (0, 22, 31):
        flipped = bytearray(whole)
        flipped[at + bit // 8] ^= 1 << bit % 8
        with pytest.raises(ValueError, match="cannot be read"):
            parts.decode(bytes(flipped))


def test_a_part_of_other_columns_is_refused(tmp_path: Path) -> None:
    for table in ({"run_id": ["a"], "seed": ["x"]}, {"run_id": ["a"], "status": ["done"]}):
        pd.DataFrame(table).to_parquet(tmp_path / "other.parquet")
        with pytest.raises(ValueError, match="cannot be read"):
            parts.decode((tmp_path / "other.parquet").read_bytes())


def test_a_part_of_another_study_is_refused_where_nothing_vouches_for_it(
    tmp_path: Path, a_run
) -> None:
    data = _written(tmp_path, a_run(1))
    with pytest.raises(ValueError, match="of another study"):
        parts.decode(data, "fedcba9876543210")
    assert parts.decode(data, MARK).num_rows == 1


def test_a_part_that_says_it_is_enormous_is_not_read(tmp_path: Path) -> None:
    import pyarrow as pa

    rows = 300_000
    pq.write_table(pa.table({"run_id": ["a"] * rows}), tmp_path / "bomb.parquet")
    data = (tmp_path / "bomb.parquet").read_bytes()
    assert len(data) < 10_000
    with pytest.raises(ValueError, match=f"{len(data)} bytes do not hold {rows} runs"):
        parts.decode(data)


def test_more_values_than_a_part_may_hold_are_not_read_whoever_vouches(
    tmp_path: Path, a_run, monkeypatch
) -> None:
    data = _written(tmp_path, a_run(1))
    monkeypatch.setattr(parts, "MOST_VALUES", 20)
    with pytest.raises(ValueError, match=f"{len(data)} bytes do not hold"):
        parts.decode(data, vouched=1)


def test_no_byte_of_a_footer_ends_the_process(tmp_path: Path, a_run) -> None:
    """Parquet's library aborts on some when it is asked for the size of a column."""
    whole = _written(tmp_path, a_run(1))
    begin = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    for at in range(begin, len(whole) - 8):
        damaged = whole[:at] + bytes([whole[at] ^ 6]) + whole[at + 1 :]
        try:
            table = parts.decode(damaged, vouched=None if at % 2 else 1)
        except ValueError:
            continue
        assert table.schema.names == parts.schema().names


def test_runs_without_an_id_are_refused_whoever_vouches(tmp_path: Path, a_run) -> None:
    import pyarrow as pa

    rows = [parts.row_of(a_run(seed), 32) | {"run_id": None} for seed in (0, 1)]
    pq.write_table(pa.Table.from_pylist(rows, schema=parts.schema()), tmp_path / "wrong.parquet")
    with pytest.raises(ValueError, match="missing in its column run_id"):
        parts.decode((tmp_path / "wrong.parquet").read_bytes(), vouched=2)


def test_texts_that_are_none_are_refused_whoever_vouches(tmp_path: Path, a_run) -> None:
    import pyarrow as pa

    row = parts.row_of(a_run(0), 32)
    table = pa.Table.from_pylist([row], schema=parts.schema())
    wrong = pa.array([b"ad\xff\xfe"]).view(pa.string())
    at = table.column_names.index("optimizer")
    pq.write_table(table.set_column(at, "optimizer", wrong), tmp_path / "wrong.parquet")
    with pytest.raises(ValueError, match=r"cannot be read: .*UTF8"):
        parts.decode((tmp_path / "wrong.parquet").read_bytes(), vouched=1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"status": "glorious"}, "its column status holds 'glorious'"),
        ({"phase": "moon"}, "its column phase holds 'moon'"),
        ({"optimizer": None}, "missing in its column optimizer"),
        ({"train_loss": None}, "missing in its column train_loss"),
        ({"train_loss": [1.0, None]}, "missing in its column train_loss"),
        ({"hyperparameters": "{"}, "its column hyperparameters holds '{'"),
        ({"hyperparameters": "[1]"}, "its column hyperparameters holds"),
        ({"hyperparameters": "[" * 5000}, "its column hyperparameters holds"),
        ({"hyperparameters": '{"learning_rate": "x"}'}, "its column hyperparameters holds"),
        ({"hyperparameters": '{"learning_rate": NaN}'}, "its column hyperparameters holds"),
        ({"hyperparameters": f'{{"learning_rate": {"9" * 400}}}'}, "its column hyperparameters"),
        ({"learning_rate": 0.0}, "its column learning_rate holds"),
        ({"learning_rate": math.inf}, "its column learning_rate holds"),
        ({"epochs_trained": 0}, "epochs_trained is not the length of the curves"),
    ],
)
def test_rows_that_no_study_writes_are_refused(a_run, change, message: str) -> None:
    import pyarrow as pa

    row = parts.row_of(a_run(0), 32)
    parts.require_sound(pa.Table.from_pylist([row], schema=parts.schema()))
    with pytest.raises(ValueError, match=message):
        parts.require_sound(pa.Table.from_pylist([row | change], schema=parts.schema()))


def test_a_row_whose_settings_are_no_json_is_named(a_run) -> None:
    import pyarrow as pa

    row = parts.row_of(a_run(0), 32) | {"hyperparameters": "{", "run_id": "abc"}
    with pytest.raises(StudyError, match="the run 'abc' in a part cannot be read"):
        list(parts.results(pa.Table.from_pylist([row], schema=parts.schema())))


def test_a_writer_killed_before_the_rename_leaves_no_part(
    tmp_path: Path, a_run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(source, target):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            _written(tmp_path, a_run(1))
    assert [path.name for path in tmp_path.iterdir()] == [".000001.parquet.tmp"]
    _written(tmp_path, a_run(2))
    assert [path.name for path in tmp_path.iterdir()] == ["000001.parquet"]


def test_a_part_is_on_the_disk_before_it_gets_its_name(
    tmp_path: Path, a_run, monkeypatch: pytest.MonkeyPatch
) -> None:
    happened: list[str] = []
    fsync, rename = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda handle: (happened.append("flushed"), fsync(handle)))
    monkeypatch.setattr(os, "replace", lambda a, b: (happened.append("renamed"), rename(a, b)))
    _written(tmp_path, a_run(1))
    assert happened == ["flushed", "renamed", "flushed"]


def test_a_run_that_failed_makes_way_for_one_that_did_not(tmp_path: Path, a_run) -> None:
    failed = replace(a_run(0), status=Status.FAILED, reason="no step today", steps=0)
    still = replace(a_run(1), status=Status.FAILED, reason="nor here", steps=0)
    (before, _) = _through(tmp_path, failed, still)
    assert (before.status, before.reason) == (Status.FAILED, "no step today")
    tables = [
        parts.decode(_written(tmp_path, *runs))
        for runs in ([failed, still], [a_run(0), still], [a_run(0, test_loss=9.0)])
    ]
    other, again = parts.results(parts.joined(tables))
    _assert_same(a_run(0), again)
    assert other.reason == "nor here"


def test_parts_from_before_there_were_reasons_open(tmp_path: Path, a_run) -> None:
    old = tmp_path / "old.parquet"
    _written(tmp_path, a_run(0))
    pq.write_table(pq.read_table(tmp_path / "000001.parquet").drop_columns(["reason"]), old)
    (found,) = parts.results(parts.decode(old.read_bytes()))
    _assert_same(a_run(0), found)
    assert found.reason == ""
