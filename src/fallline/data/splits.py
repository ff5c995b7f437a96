"""Which rows train, validate and test, and which make a fold: row numbers, never the data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fallline.errors import DataError, InputError

Amount = float | int | None
"""A share of the rows (a float between 0 and 1), a count of rows (a whole number), 0 or None."""


@dataclass(frozen=True, eq=False)
class Rows:
    """Row numbers of the three splits; None where there is no such split."""

    train: np.ndarray
    validation: np.ndarray | None
    test: np.ndarray | None


def permutation(rows: int, seed: int) -> np.ndarray:
    """The numbers from 0 to ``rows - 1`` in an order that depends on ``seed`` alone.

    The order is that of raw Philox words: NumPy keeps a bit generator's stream from version to
    version, which it does not promise for ``Generator.permutation``.
    """
    if seed < 0:
        raise InputError(f"split_seed is {seed}", hint="give a whole number of 0 or more")
    words = np.random.Philox(key=seed).random_raw(rows)
    return np.argsort(words, kind="stable")


def split_rows(
    y: np.ndarray,
    *,
    validation: Amount,
    test: Amount,
    classes: Sequence[str] = (),
    shuffle: bool = True,
    seed: int = 0,
) -> Rows:
    """The rows of each split: shuffled once, and stratified where ``classes`` are given.

    ``y``: ``(n,)`` class indices where ``classes`` are given. Without ``shuffle`` the last rows
    are for test and those before them for validation, all in their order.
    """
    total = len(y)
    wanted = (_count("test", test, total), _count("validation", validation, total))
    if sum(wanted) >= total:
        raise InputError(
            f"{wanted[1]} rows for validation and {wanted[0]} for test leave none of the "
            f"{total} for training",
            hint="split off fewer rows, or none with 0",
        )
    if not shuffle or sum(wanted) == 0:
        rows = np.arange(total)
        end = total - wanted[0]
        parts = rows[end:], rows[end - wanted[1] : end], rows[: end - wanted[1]]
    elif classes:
        parts = _stratified(y, wanted, classes, permutation(total, seed))
    else:
        order = permutation(total, seed)
        parts = order[: wanted[0]], order[wanted[0] : sum(wanted)], order[sum(wanted) :]
    return Rows(
        train=parts[2],
        validation=parts[1] if wanted[1] else None,
        test=parts[0] if wanted[0] else None,
    )


def _count(what: str, amount: Amount, total: int) -> int:
    if amount is None or amount == 0:
        return 0
    hint = "give a share between 0 and 1, or a count of rows; 0 for none"
    if isinstance(amount, bool) or not isinstance(amount, (int, float, np.integer, np.floating)):
        raise InputError(f"{what} is {amount!r}", hint=hint)
    whole = isinstance(amount, (int, np.integer))
    if not (0 < amount < total if whole else 0 < amount < 1):
        raise InputError(f"{what} is {amount} for {total} rows", hint=hint)
    return int(amount) if whole else max(1, round(amount * total))


def _stratified(
    y: np.ndarray, wanted: tuple[int, int], classes: Sequence[str], order: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The rows of test, validation and training, each with its share of every class."""
    sizes = np.bincount(y, minlength=len(classes))
    parts = 1 + sum(count > 0 for count in wanted)
    rarest = int(sizes.argmin())
    if sizes[rarest] < parts:
        raise DataError(
            f"class {classes[rarest]!r} has {sizes[rarest]} of the {len(y)} examples: too few "
            f"for {parts} splits",
            hint=f"every class needs {parts} or more; add some, or leave the class out",
        )
    part = np.full(len(y), 2, np.int8)
    left = sizes.copy()
    by_class = [order[y[order] == index] for index in range(len(classes))]
    for number, (what, count) in enumerate(zip(("test", "validation"), wanted, strict=True)):
        if count == 0:
            continue
        later = 2 if what == "test" and wanted[1] else 1
        take = _shares(sizes, count, left - later, what)
        for rows, start, size in zip(by_class, sizes - left, take, strict=True):
            part[rows[start : start + size]] = number
        left -= take
    ordered = part[order]
    test, validation, train = (order[ordered == number] for number in range(3))
    return test, validation, train


def _shares(sizes: np.ndarray, count: int, room: np.ndarray, what: str) -> np.ndarray:
    """How many rows of each class make ``count``: in proportion, 1 or more, at most ``room``."""
    if not len(sizes) <= count <= room.sum():
        raise InputError(
            f"{what} of {count} rows cannot hold its share of each of {len(sizes)} classes",
            hint=f"give {len(sizes)} rows or more, and leave some of every class for training",
        )
    quota = sizes * (count / sizes.sum())
    take = np.clip(np.floor(quota).astype(np.int64), 1, room)
    while take.sum() != count:
        missing = bool(take.sum() < count)
        wish = np.where(take < room, quota - take, -np.inf)
        surplus = np.where(take > 1, take - quota, -np.inf)
        take[int((wish if missing else surplus).argmax())] += 1 if missing else -1
    return take


def fold_rows(
    y: np.ndarray, k: int, *, classes: Sequence[str] = (), seed: int = 0
) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    """``k`` pairs (training rows, validation rows): every row validates in exactly one fold.

    The sizes of the folds, and of each class within them where ``classes`` are given, differ
    by 1 at most. Row numbers ascend.
    """
    if not 2 <= k <= len(y):
        raise InputError(f"{k} folds of {len(y)} rows", hint=f"give 2 to {len(y)} folds")
    order = permutation(len(y), seed)
    if classes:
        sizes = np.bincount(y, minlength=len(classes))
        rarest = int(sizes.argmin())
        if sizes[rarest] < k:
            raise DataError(
                f"class {classes[rarest]!r} has {sizes[rarest]} examples: too few for {k} folds",
                hint=f"give at most {max(2, sizes[rarest])} folds, or stratify=False",
            )
        order = order[np.argsort(y[order], kind="stable")]
    fold = np.empty(len(y), np.int64)
    fold[order] = np.arange(len(y)) % k
    return tuple((np.flatnonzero(fold != i), np.flatnonzero(fold == i)) for i in range(k))
