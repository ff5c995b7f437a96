"""A data set as every layer sees it: its splits, and the scaling that the model applies."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from fallline.data import checks
from fallline.data.checks import Targets
from fallline.data.scaling import Scaling, fit_inputs, fit_target, row_normed
from fallline.data.splits import Amount, fold_rows, split_rows
from fallline.data.streamed import Shards, joined
from fallline.errors import InputError

Kind = Literal["classification", "regression"]
Pair = tuple[ArrayLike | Shards, ArrayLike]


@dataclass(frozen=True, eq=False)
class Split:
    """Examples and their targets, in the order in which they are stored.

    ``x``: ``(n, ...)``, uint8, float32 or float64. ``y``: ``(n,)`` int32 class indices, or
    ``(n,)`` or ``(n, k)`` float targets in their own units. The examples may lie on disk, as
    :class:`~fallline.data.streamed.Shards`; the targets are in memory.
    """

    x: np.ndarray | Shards
    y: np.ndarray

    def __post_init__(self) -> None:
        if len(self.x) != len(self.y):
            raise ValueError(f"{len(self.x)} examples with {len(self.y)} targets are no split")

    def __len__(self) -> int:
        return len(self.x)

    @property
    def streamed(self) -> bool:
        """Whether the examples lie on disk: ``x.take(rows)`` then reads some."""
        return isinstance(self.x, Shards)


@dataclass(frozen=True, eq=False)
class Dataset:
    """Training, validation and test examples of one problem, with its scaling and its origin.

    The model sees ``(x - input_offset) * input_scale``, broadcast over an example; the training
    step applies it, so that uint8 stays uint8 in memory. A regression learns
    ``(y - target_offset) / target_scale``, and its error is reported in y's own units.
    """

    name: str
    train: Split
    validation: Split | None
    test: Split | None
    kind: Kind
    classes: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    input_offset: np.ndarray = field(default_factory=lambda: np.zeros((), np.float32))
    input_scale: np.ndarray = field(default_factory=lambda: np.ones((), np.float32))
    target_offset: float = 0.0
    target_scale: float = 1.0
    licence: str = ""
    source: str = ""
    notes: tuple[str, ...] = ()
    """What was inferred, in sentences."""
    scaling: Scaling = "none"
    """How ``input_offset`` and ``input_scale`` were fitted: folds fit theirs the same way."""

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one example."""
        return self.train.x.shape[1:]

    @property
    def outputs(self) -> int:
        """The number of classes (2 or more), or of a regression's targets."""
        if self.kind == "regression":
            return 1 if self.train.y.ndim == 1 else self.train.y.shape[1]
        if self.classes:
            return len(self.classes)
        return max(2, *(int(split.y.max()) + 1 for split in self._splits() if len(split)))

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the content, 16 hex digits: arrays in their order, kind, classes, scaling."""
        digest = hashlib.blake2b(digest_size=8)
        scales = (float(self.target_offset), float(self.target_scale))
        digest.update(repr((self.kind, self.classes, *scales)).encode())
        for role in ("train", "validation", "test"):
            split: Split | None = getattr(self, role)
            digest.update(role.encode())
            if split is not None:
                _digest_array(digest, split.x)
                _digest_array(digest, split.y)
        _digest_array(digest, np.asarray(self.input_offset))
        _digest_array(digest, np.asarray(self.input_scale))
        return digest.hexdigest()

    def _splits(self) -> list[Split]:
        every = (self.train, self.validation, self.test)
        return [split for split in every if split is not None]


def _digest_array(digest: Any, array: np.ndarray | Shards) -> None:
    digest.update(f"{array.dtype.str}{array.shape}".encode())
    if isinstance(array, Shards):
        for rows in array.chunks():
            digest.update(array[rows].data)
    else:
        digest.update(np.ascontiguousarray(array).data)


def make_dataset(
    x: ArrayLike | Shards,
    y: ArrayLike,
    *,
    name: str = "data",
    kind: Kind | None = None,
    validation: Amount = 0.2,
    test: Amount = 0.2,
    validation_data: Pair | None = None,
    test_data: Pair | None = None,
    stratify: bool = True,
    shuffle: bool = True,
    split_seed: int = 0,
    scaling: Scaling | None = None,
    unit_max: float = 255.0,
    norm_axis: int = 1,
    target_scaling: bool = False,
    dtype: DTypeLike = np.float32,
    classes: Sequence[str] = (),
    features: Sequence[str] = (),
    licence: str = "",
    source: str = "",
    notes: Sequence[str] = (),
) -> Dataset:
    """A data set of arrays: checked, split, and with a scaling fitted on its training rows.

    ``x``: ``(n, ...)`` numbers; uint8 stays uint8, all else becomes ``dtype`` (float32 or
    float64). What is memory-mapped (``np.load(path, mmap_mode="r")``), or :class:`Shards`, stays
    on disk: checked, scaled and fingerprinted in passes over it. ``y``: class labels of any type,
    or ``(n,)`` or ``(n, k)`` numbers. ``kind`` is inferred from ``y`` where it is not given, and
    ``notes`` says so. With ``classes`` given, whole-number labels are indices into them.

    ``validation``, ``test``: a share of the rows, a count of rows, or 0 or None for no such
    split; ignored where ``validation_data`` or ``test_data`` gives it. The rows are shuffled
    once, by the split (a fixed stream of ``split_seed``), with equal shares of every class
    where ``stratify``. With ``shuffle=False`` the last rows are for test and those before them
    for validation. Nothing is shuffled where nothing is split off.

    ``scaling``: ``"unit"`` (uint8: divided by ``unit_max``; else each feature to [0, 1]),
    ``"zscore"`` (each feature), ``"global_zscore"`` (one mean and deviation), ``"row_norm"``
    (divided by the L2 norm along ``norm_axis`` of ``x``), ``"none"``; by default unit for
    uint8, z-score for a table of other numbers, none for the rest. ``target_scaling``
    standardises a regression's target.

    Raises DataError for unusable arrays, InputError for unusable settings.
    """
    float_type = checks.float_type(dtype)
    inputs = checks.inputs(x, float_type)
    features = checks.feature_names(features, inputs)
    targets = checks.targets(y, len(inputs), kind=kind, classes=classes, dtype=float_type)
    validation_split = _given("validation_data", validation_data, inputs, targets)
    test_split = _given("test_data", test_data, inputs, targets)
    rows = split_rows(
        targets.y,
        validation=0 if validation_split else validation,
        test=0 if test_split else test,
        classes=targets.classes if stratify and shuffle else (),
        shuffle=shuffle,
        seed=split_seed,
    )
    train = _taken(inputs, targets.y, rows.train)
    if train is None:
        raise InputError("no rows are left for training", hint="split off fewer rows")
    dataset = Dataset(
        name=name,
        train=train,
        validation=validation_split or _taken(inputs, targets.y, rows.validation),
        test=test_split or _taken(inputs, targets.y, rows.test),
        kind=targets.kind,
        classes=targets.classes,
        features=features,
        licence=licence,
        source=source,
        notes=(*notes, *targets.notes),
    )
    how = _default_scaling(inputs) if scaling is None else scaling
    dataset = _scaled(dataset, how, float_type, unit_max=unit_max, norm_axis=norm_axis)
    return _target_scaled(dataset) if target_scaling else dataset


def _given(
    what: str, pair: Pair | None, inputs: np.ndarray | Shards, targets: Targets
) -> Split | None:
    """The split that was given as a pair of arrays, of the same form as the training data."""
    if pair is None:
        return None
    return Split(*checks.held_out(pair, what, inputs, targets))


def _taken(x: np.ndarray | Shards, y: np.ndarray, rows: np.ndarray | None) -> Split | None:
    """The split of these rows, None for none; no copy where they are all rows in order."""
    if rows is None or len(rows) == 0:
        return None
    if len(rows) == len(x) and bool((rows == np.arange(len(x))).all()):
        return Split(x, y)
    return _of_rows(x, y, rows)


def _of_rows(x: np.ndarray | Shards, y: np.ndarray, rows: np.ndarray) -> Split:
    return Split(x.select(rows) if isinstance(x, Shards) else x[rows], y[rows])


def _default_scaling(x: np.ndarray | Shards) -> Scaling:
    if x.dtype == np.uint8:
        return "unit"
    return "zscore" if x.ndim == 2 else "none"


def _scaled(
    dataset: Dataset,
    how: Scaling,
    dtype: np.dtype,
    *,
    unit_max: float = 255.0,
    norm_axis: int | None = None,
) -> Dataset:
    """``dataset`` with offset and scale fitted on its training rows.

    With ``norm_axis`` given, ``row_norm`` stores normed rows; without, they are so already.
    """

    def normed(split: Split) -> Split:
        axis = norm_axis or 0
        if isinstance(split.x, Shards):
            return Split(_normed_when_read(split.x, axis, dtype), split.y)
        return Split(row_normed(split.x, axis, dtype), split.y)

    if how == "row_norm" and norm_axis is not None:
        dataset = replace(
            dataset,
            train=normed(dataset.train),
            validation=dataset.validation and normed(dataset.validation),
            test=dataset.test and normed(dataset.test),
        )
    offset, scale = fit_inputs(dataset.train.x, how, unit_max=unit_max, dtype=dtype)
    return replace(dataset, input_offset=offset, input_scale=scale, scaling=how)


def _normed_when_read(x: Shards, axis: int, dtype: np.dtype) -> Shards:
    rows = x.normed(axis, dtype)
    if x.dtype == np.float64:
        # Squares of float32 fit a float64, those of float64 need not: read all, or raise.
        for chunk in rows.chunks():
            rows[chunk]
    return rows


def _target_scaled(dataset: Dataset) -> Dataset:
    if dataset.kind != "regression":
        raise InputError("target_scaling is for regressions: classes have no scale")
    offset, scale = fit_target(dataset.train.y)
    return replace(dataset, target_offset=offset, target_scale=scale)


def k_folds(
    dataset: Dataset, k: int, *, seed: int = 0, stratify: bool = True
) -> tuple[Dataset, ...]:
    """The ``k`` folds of a data set: each holds out another part of it for validation.

    The training and validation rows are pooled; every one of them is in exactly one fold's
    validation split. The test split stays as it is. The scaling is fitted anew on each fold's
    training rows.
    """
    pools = [dataset.train] + ([dataset.validation] if dataset.validation else [])
    x = _pooled(pools)
    y = np.concatenate([split.y for split in pools])
    classes = dataset.classes if stratify else ()
    folds = fold_rows(y, k, classes=classes, seed=seed)
    return tuple(
        _fold(dataset, number, _of_rows(x, y, kept), _of_rows(x, y, held))
        for number, (kept, held) in enumerate(folds, start=1)
    )


def _pooled(splits: Sequence[Split]) -> np.ndarray | Shards:
    streamed = [split.x for split in splits if isinstance(split.x, Shards)]
    if not streamed:
        return np.concatenate([split.x for split in splits if isinstance(split.x, np.ndarray)])
    if len(streamed) < len(splits):
        raise InputError(
            "the training rows and the validation rows are not both on disk, or both in memory: "
            "no folds can be made of them",
            hint="write both with fallline.data.shards.write_shards",
        )
    return joined(streamed)


def _fold(dataset: Dataset, number: int, train: Split, validation: Split) -> Dataset:
    fold = replace(dataset, name=f"{dataset.name}-fold{number}", train=train, validation=validation)
    fitted_on_rows = dataset.scaling in ("zscore", "global_zscore") or (
        dataset.scaling == "unit" and train.x.dtype != np.uint8
    )
    if fitted_on_rows:
        fold = _scaled(fold, dataset.scaling, np.asarray(dataset.input_scale).dtype)
    standardised = (dataset.target_offset, dataset.target_scale) != (0.0, 1.0)
    return _target_scaled(fold) if standardised else fold
