"""A built-in data set split or scaled in another way, or with fewer rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from fallline.data import builtin
from fallline.data.dataset import Dataset, Split, make_dataset
from fallline.data.splits import permutation, split_rows
from fallline.errors import InputError, unknown

SETTINGS: dict[str, str] = {
    "validation": 'a share or a count of rows, 0 for none, "test" for the test split itself',
    "test": "a share or a count of rows, 0 for none",
    "shuffle": "true or false",
    "stratify": "true or false",
    "split_seed": "a whole number of 0 or more",
    "scaling": "unit, zscore, global_zscore, row_norm or none",
    "norm_axis": "the axis whose norm row_norm divides by",
    "target_scaling": "true or false",
    "rows": "a count of rows, drawn before the split",
    "train_rows": "a count of training rows, drawn after the split",
}
"""What can be changed, and what it takes."""


def variant(
    name: str, *, data_dir: Path | str | None = None, settings: Mapping[str, Any] | None = None
) -> Dataset:
    """The built-in data set ``name`` with some of ``SETTINGS`` changed.

    ``validation="test"`` gives the test split as validation data too, as many publications do:
    what is chosen by it has seen the test. ``rows`` draws that many rows before the split, with
    equal shares of every class (a validation split of a standard size shrinks in proportion), and
    ``train_rows`` that many training rows after it, both by ``split_seed``, and both leave the
    rows' order as it is. Where a data set has test files of
    its own, ``test`` is a share or a count of their rows. The scaling is fitted on the training
    rows that are left. Raises InputError for an unknown setting or an unusable value.
    """
    settings = dict(settings or {})
    for setting in settings:
        if setting not in SETTINGS:
            raise unknown("data setting", setting, SETTINGS)
    check(settings)
    if not settings:
        return builtin.load(name, data_dir=data_dir)
    facts = builtin.contents(name, data_dir=data_dir)
    facts |= {key: settings[key] for key in settings if key not in ("rows", "train_rows")}
    x, y = facts.pop("x"), facts.pop("y")
    seed = facts.get("split_seed", 0)
    if rows := settings.get("rows"):
        if "validation" not in settings and _is_whole(facts["validation"]):
            facts["validation"] = round(facts["validation"] * rows / len(x))
        x, y = _drawn(x, y, rows, facts)
    if "test_data" in facts and "test" in settings:
        facts["test_data"] = _of_test_files(facts)
    twice = facts.get("validation") == "test"
    if twice:
        facts["validation"] = 0
    if kept := settings.get("train_rows"):
        made = _fewer(x, y, kept, seed, facts)
    else:
        made = make_dataset(x, y, **facts)
    if twice and made.test is None:
        raise InputError(
            "validation is 'test', and there is no test split",
            hint="leave test out, or give it rows",
        )
    return replace(made, validation=made.test) if twice else made


def check(settings: Mapping[str, Any]) -> None:
    """Raise InputError where a value is of a kind that its setting does not take."""
    for setting, value in settings.items():
        flag = setting in ("shuffle", "stratify", "target_scaling")
        whole = setting in ("split_seed", "norm_axis", "rows", "train_rows")
        if flag:
            right = isinstance(value, bool)
        elif whole:
            least = 1 if setting in ("rows", "train_rows") else 0
            signed = setting == "norm_axis"
            right = _is_whole(value) and (signed or value >= least)
        elif setting == "scaling":
            right = isinstance(value, str)
        else:
            number = isinstance(value, int | float) and not isinstance(value, bool)
            right = number or (setting == "validation" and value == "test")
        if not right:
            raise InputError(f"{setting} is {value!r}", hint=f"it takes {SETTINGS[setting]}")


def _is_whole(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _drawn(
    x: np.ndarray, y: np.ndarray, rows: int, facts: Mapping[str, Any]
) -> tuple[np.ndarray, np.ndarray]:
    """``rows`` of the rows, in their order."""
    _at_most("rows", rows, len(x))
    if rows == len(x):
        return x, y
    picked = _picked(y, rows, facts)
    return x[picked], y[picked]


def _of_test_files(facts: dict[str, Any]) -> tuple[np.ndarray, np.ndarray] | None:
    """The part of the test files' rows that ``test`` asks for; None for none."""
    x, y = facts["test_data"]
    amount = facts.pop("test")
    if not amount:
        facts["test"] = 0
        return None
    if _is_whole(amount):
        _at_most("test", amount, len(x))
    if amount == len(x) and _is_whole(amount):
        return x, y
    picked = _picked(y, amount, facts, last=not facts.get("shuffle", True))
    return x[picked], y[picked]


def _picked(
    y: np.ndarray, amount: float, facts: Mapping[str, Any], *, last: bool = False
) -> np.ndarray:
    """Row numbers, ascending: drawn with each class's share, or the ``last`` ones."""
    classes = facts["classes"] if facts.get("stratify", True) and not last else ()
    if _is_whole(amount) and not len(classes) <= amount <= len(y) - len(classes):
        classes = ()  # too few, on one side, for one of every class
    seed = facts.get("split_seed", 0)
    rows = split_rows(
        y, validation=0, test=amount, classes=classes, shuffle=not last, seed=seed
    ).test
    assert rows is not None
    return np.sort(rows)


def _fewer(x: np.ndarray, y: np.ndarray, kept: int, seed: int, facts: dict[str, Any]) -> Dataset:
    """The data set with ``kept`` of its training rows, and the scaling fitted on them."""
    scaling = {key: facts.pop(key) for key in ("scaling", "target_scaling") if key in facts}
    whole = make_dataset(x, y, **facts, scaling="none")
    train = whole.train
    _at_most("train_rows", kept, len(train))
    rows = np.sort(permutation(len(train), seed)[:kept])
    split = ("validation", "test", "validation_data", "test_data", "shuffle", "stratify")
    facts = {key: value for key, value in facts.items() if key not in (*split, "split_seed")}
    return make_dataset(
        train.x[rows],
        train.y[rows],
        validation=0,
        test=0,
        validation_data=_pair(whole.validation),
        test_data=_pair(whole.test),
        **facts,
        **scaling,
    )


def _pair(split: Split | None) -> tuple[Any, np.ndarray] | None:
    return None if split is None else (split.x, split.y)


def _at_most(setting: str, asked: int, there: int) -> None:
    if asked > there:
        raise InputError(
            f"{setting} is {asked}, and there are {there} rows to take from",
            hint=f"give at most {there}",
        )
