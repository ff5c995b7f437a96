"""torch and Keras, called as the dialects say, take the steps that are said to be theirs.

What they took is recorded: tests/golden/record_dialects.py writes dialects.json.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fallline import optimizers
from golden import record_dialects
from proving import Problem, Run, flat

FOLDER = Path(record_dialects.__file__).parent
RECORD = json.loads((FOLDER / "dialects.json").read_text("utf-8"))
PROBLEM = json.loads((FOLDER / "optimizers.json").read_text("utf-8"))["problem"]
TOLERANCE = 1e-10
FOUND = ("trajectory", "until", "fails", "later")
"""What a record has besides its job."""
MENDED = (
    "adanorm",
    "adashift",
    "ademamix",
    "came",
    "diffgrad",
    "grams",
    "qhadam",
    "shampoo",
    "signum",
)
"""Entries whose forms differ from the recorded release, and are those of the later one."""


def written(job: Mapping[str, Any]) -> str:
    """A job as text, whatever its record found."""
    kept = {name: value for name, value in job.items() if name not in FOUND}
    return json.dumps(kept, sort_keys=True)


KEPT = {written(each): each for each in RECORD["jobs"]}
JOBS = {
    f"{entry.name}-{number}-{dialect.call}-{choice}": (dialect, job)
    for entry in map(optimizers.get, optimizers.names())
    for number, dialect in enumerate(entry.dialects)
    if dialect.framework in ("torch", "keras")
    for choice, job in enumerate(record_dialects.jobs_of(entry, dialect))
}
RECORDS = {name: KEPT.get(written(job), {}) for name, (_, job) in JOBS.items()}


SAME = [name for name, (dialect, _) in JOBS.items() if not dialect.differs]
LATER = [
    name
    for name, (dialect, job) in JOBS.items()
    if job["entry"] in MENDED
    and dialect.differs
    and job["call"].partition(".")[0] in RECORD["versions"]["later"]
]


def test_every_call_is_recorded_as_the_sheets_have_it_now() -> None:
    now = {written(job): name for name, (_, job) in JOBS.items()}
    assert [name for job, name in now.items() if job not in KEPT] == [], "record them anew"
    assert [KEPT[job]["call"] for job in KEPT if job not in now] == [], "in no sheet any more"


def test_what_is_said_to_be_the_same_was_run_to_the_end() -> None:
    cut = [name for name in SAME if RECORDS[name].keys() & {"fails", "until"}]
    assert cut == []
    for name in SAME:
        assert [step for step, _ in RECORDS[name]["trajectory"]] == [1, 2, 5, 20], name


def test_a_record_holds_numbers_or_says_why_it_has_none() -> None:
    for each in RECORD["jobs"]:
        if "fails" in each:
            assert each["fails"].strip()
            continue
        held = each["trajectory"] + (each["later"] if isinstance(each.get("later"), list) else [])
        assert held, each["call"]
        assert np.isfinite([values for _, values in held]).all()
        assert {len(values) for _, values in held} == {17}


@pytest.mark.parametrize("name", SAME)
def test_ours_takes_the_steps_of_the_call(name: str, prove: Any) -> None:
    record = RECORDS[name]
    error = apart(record, record["trajectory"])
    prove.agrees(record["entry"], f"dialect {record['call']}, 20 steps", error, TOLERANCE)


@pytest.mark.parametrize("name", LATER)
def test_ours_takes_the_steps_of_the_later_release(name: str, prove: Any) -> None:
    record = RECORDS[name]
    package = record["call"].partition(".")[0]
    release = RECORD["versions"]["later"][package]
    held = record.get("later") or record["trajectory"]
    assert [step for step, _ in held] == [1, 2, 5, 20]
    against = f"dialect {record['call']} of {release}, 20 steps"
    prove.agrees(record["entry"], against, apart(record, held), TOLERANCE)


def apart(record: Mapping[str, Any], held: list[Any]) -> float:
    """The largest difference between ours at the record's settings and ``held``, at any step."""
    expected = dict(held)
    last = max(expected)
    run = Run(record["entry"], record["settings"], record["options"], Problem.of(PROBLEM), last)
    worst = 0.0
    for number in range(1, last + 1):
        run.step(number)
        if number in expected:
            worst = max(worst, float(np.max(np.abs(flat(run.params) - expected[number]))))
    return worst
