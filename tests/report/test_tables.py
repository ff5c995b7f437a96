"""The table as a frame, as text and as JSON."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from fallline.report import tables


def test_the_frame_holds_plain_numbers_best_first(reading):
    table = tables.frame(reading)
    assert len(table) == 17
    assert table["validation_metric"].round(6).is_monotonic_decreasing
    assert table["validation_metric"].between(0, 1).all()
    assert all(name == name.lower() and " " not in name for name in table.columns)
    assert table.attrs["metric"] == "accuracy"
    assert math.isnan(table.set_index("optimizer").loc["gd_exact", "learning_rate"])


def test_text_rows(reading):
    text = tables.text_table(reading)
    assert all(len(row) == len(text.columns) == len(text.numeric) for row in text.rows)
    rows = {row[0]: dict(zip(text.columns, row, strict=True)) for row in text.rows}
    assert rows["adam_atan2"]["learning rate"] == "3.2e-3"
    assert rows["gd_exact (full batch)"]["learning rate"] == "—"
    assert rows["gd (full batch)"]["diverged"] == "3 of 26"
    assert rows["gd (full batch)"]["epochs to target"] == "not reached"
    assert rows["gd (full batch)"]["against the best"].startswith("worse (-")
    first = tables.frame(reading).iloc[0]
    half = first["test_high"] - first["test_metric"]
    expected = f"{100 * first['test_metric']:.1f} % ± {100 * half:.1f}"
    assert text.rows[0][text.columns.index("test accuracy")] == expected
    assert text.rows[0][text.columns.index("against the best")] == "best"
    assert any("same number of epochs" in note for note in text.notes)


def test_text_of_a_study_without_full_batch_does_not_speak_of_it(make_reading):
    text = tables.text_table(make_reading(optimizers=("adam", "sgd")))
    assert not any("Full batch" in note for note in text.notes)


def test_an_interrupted_study_says_what_is_not_measured(make_reading):
    reading = make_reading(complete=False, edit=lambda runs: runs[runs["phase"] == "search"])
    text = tables.text_table(reading)
    row = dict(zip(text.columns, text.rows[0], strict=True))
    assert row["test accuracy"] == "—"
    assert row["against the best"] == "not yet measured"
    assert row["time per step"] == "—"


def test_json_has_none_for_what_there_is_not(reading):
    records = tables.records(reading)
    text = json.dumps(records, allow_nan=False)
    assert json.loads(text) == records
    by_name = {record["optimizer"]: record for record in records}
    assert by_name["gd_exact"]["learning_rate"] is None
    assert by_name["gd"]["epochs_to_target"] is None
    assert by_name["gd"]["full_batch"] is True
    assert by_name["adam"]["hyperparameters"] == {"b1": 0.9, "learning_rate": 0.001}


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (math.inf, None),
        (np.float64("nan"), None),
        ({"a": (1, math.nan)}, {"a": [1, None]}),
        ("nan", "nan"),
        (None, None),
    ],
)
def test_plain_values(value, plain):
    found = tables.plain(value)
    assert found == plain
    assert type(found) is type(plain)
