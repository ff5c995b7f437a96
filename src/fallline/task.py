"""A task: model + data + loss + budget, checked against each other."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from fallline import losses, models
from fallline.adapters import PureModel, to_pure
from fallline.adapters.pure import precision
from fallline.data.dataset import Dataset, make_dataset
from fallline.errors import DataError, InputError, near_matches, unknown
from fallline.records import stable_hash

PRECISIONS: dict[str, tuple[str, str | None]] = {
    "float32": ("float32", None),
    "float64": ("float64", None),
    "bf16": ("float32", "bfloat16"),
}
"""By name: the type of parameters, state and all else, and that of the operands of products."""

FULL_BATCH = "all"
"""As a batch size: all training examples, which is gradient descent without chance."""

METRICS = {"classification": "accuracy", "regression": "rmse"}


@dataclass(frozen=True)
class Table:
    """The file that a task was made of, and how: enough to make it again."""

    path: str
    """From the root of the file system."""
    column: str
    kind: str | None = None


@dataclass(frozen=True, eq=False)
class Task:
    """What is trained: a network, data, a loss and a budget.

    ``model``: a Flax linen module, a function of ``nnx.Rngs`` that makes an NNX module, or None
    for an MLP of a sensible size. It gives raw outputs (logits), shape ``(batch, outputs)``.
    ``data``: a :class:`Dataset`, or ``(X, y)`` arrays, split and scaled as ``split`` says (the
    arguments of :func:`fallline.data.dataset.make_dataset`). ``loss``: one of
    :func:`fallline.losses.names`; by default the usual one of the kind of problem. ``l1`` and
    ``l2`` add lambda x sum |w| and lambda x sum w^2 over the weights (never the biases) to the
    loss, frozen weights included. ``frozen`` names layers (or arrays: ``"Dense_0/bias"``) that are
    not trained: no optimizer sees them; a frozen batch norm works with its moving averages and
    leaves them alone. ``target`` is the validation figure to be reached (accuracy as a share,
    RMSE in the target's units). ``dtype`` and ``matrix_dtype`` are the numbers' types: see
    :meth:`with_precision`. ``table`` says which file the task was made of, if of one.
    """

    model: Any = None
    data: Dataset | tuple[Any, Any] | None = None
    loss: str | None = None
    name: str = "task"
    title: str = ""
    epochs: int = 20
    batch_size: int = 32
    target: float | None = None
    l1: float = 0.0
    l2: float = 0.0
    frozen: tuple[str, ...] = ()
    split: dict[str, Any] | None = None
    dtype: str = "float32"
    matrix_dtype: str | None = None
    table: Table | None = None

    def __post_init__(self) -> None:
        for field, value in (("epochs", self.epochs), ("batch_size", self.batch_size)):
            whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
            if not (whole and value >= 1):
                raise InputError(f"{field} must be a whole number of at least 1, got {value!r}")
        for field, weight in (("l1", self.l1), ("l2", self.l2)):
            if not (np.isfinite(weight) and weight >= 0):
                raise InputError(f"{field} must be at least 0, got {weight}")
        names = (self.frozen,) if isinstance(self.frozen, str) else tuple(self.frozen)
        object.__setattr__(self, "frozen", names)
        self._check_loss()

    def _check_loss(self) -> None:
        if self.loss_terms.kind != self.dataset.kind:
            raise InputError(
                f"the loss {self.loss_terms.name!r} is for {self.loss_terms.kind}, "
                f"and the data is a {self.dataset.kind}",
                hint=f"use {losses.for_kind(self.dataset.kind)!r}, or leave it out",
            )
        if self.loss_terms.single_logit and self.dataset.outputs != 2:
            raise InputError(
                f"{self.loss_terms.name!r} is for two classes, "
                f"and the data has {self.dataset.outputs}",
                hint="use 'cross_entropy'",
            )

    @cached_property
    def dataset(self) -> Dataset:
        if isinstance(self.data, Dataset):
            return self.data
        if not (isinstance(self.data, tuple | list) and len(self.data) == 2):
            raise InputError(
                f"data must be a Dataset or a pair (X, y), got {type(self.data).__name__}",
                hint="for example data=(X, y) with NumPy arrays",
            )
        split = self.split or {}
        taken = [name for name in inspect.signature(make_dataset).parameters if name != "name"][2:]
        for name in split:
            if name not in taken:
                near = near_matches(name, taken)
                asked = f"did you mean {' or '.join(map(repr, near))}? " if near else ""
                raise InputError(
                    f"a task's split takes no {name!r}", hint=f"{asked}it takes {', '.join(taken)}"
                )
        return make_dataset(*self.data, name=self.name, **split)

    @cached_property
    def loss_terms(self) -> losses.Loss:
        if not isinstance(self.loss, str | None):
            raise InputError(
                f"a loss is given by its name, got {type(self.loss).__name__}",
                hint=f"one of {', '.join(losses.names())}",
            )
        return losses.get(self.loss or losses.for_kind(self.dataset.kind))

    @property
    def outputs(self) -> int:
        """Raw outputs that the network must give per example."""
        return 1 if self.loss_terms.single_logit else self.dataset.outputs

    @property
    def network(self) -> Any:
        """The model that was given, or the MLP of a sensible size."""
        if self.model is not None:
            return self.model
        columns = int(np.prod(self.dataset.input_shape))
        return models.mlp_for_table(columns, self.outputs, len(self.dataset.train))

    @cached_property
    def pure(self) -> PureModel:
        """The model in its pure form, checked against the data."""
        pure = to_pure(self.network, self.dataset.input_shape, self.dtype, self.frozen)
        example = jax.ShapeDtypeStruct((2, *self.dataset.input_shape), self.dtype)
        params, state = jax.eval_shape(pure.init, jax.random.key(0))
        given = jax.eval_shape(
            lambda p, s, x: pure.apply(p, s, None, x, False)[0], params, state, example
        )
        if getattr(given, "shape", None) != (2, self.outputs):
            shape = getattr(given, "shape", None)
            what = f"a {type(given).__name__}" if shape is None else f"outputs of shape {shape[1:]}"
            raise InputError(
                f"the model gives {what} per example, "
                f"and {self.loss_terms.name} on this data needs ({self.outputs},)",
                hint="the last layer gives one raw output per class (or per regressed value)",
            )
        return pure

    @property
    def metric(self) -> str:
        return METRICS[self.dataset.kind]

    @property
    def higher_is_better(self) -> bool:
        return self.metric == "accuracy"

    def penalty(self, params: Any) -> jax.Array | float:
        """The regulariser's share of the loss: weights only, arrays of two axes or more."""
        total: jax.Array | float = 0.0
        for leaf in jax.tree.leaves(params):
            if leaf.ndim >= 2 and self.l1:
                total = total + self.l1 * jnp.sum(jnp.abs(leaf))
            if leaf.ndim >= 2 and self.l2:
                total = total + self.l2 * jnp.sum(jnp.square(leaf))
        return total

    def score(self, outputs: jax.Array, targets: jax.Array) -> jax.Array:
        """The metric's terms per example, ``(batch,)``: 1 if right, or the squared error."""
        if self.dataset.kind == "regression":
            return losses.squared_error(outputs, targets)
        if self.loss_terms.single_logit:
            return ((outputs[:, 0] > 0) == (targets > 0)).astype(outputs.dtype)
        return (jnp.argmax(outputs, axis=1) == targets).astype(outputs.dtype)

    def metric_of(self, mean_score: Any) -> Any:
        """The metric from the mean of :meth:`score`: a share, or an RMSE in the target's units."""
        if self.dataset.kind == "regression":
            return np.sqrt(mean_score) * self.dataset.target_scale
        return mean_score

    @cached_property
    def fingerprint(self) -> str:
        """Hash of everything that decides a training's numbers, the run's own settings apart."""
        return stable_hash(
            self.dataset.fingerprint,
            self.pure.identity,
            self._code,
            self.loss_terms.name,
            self.l1,
            self.l2,
            self.dtype,
            *([self.matrix_dtype] if self.matrix_dtype else []),
            *([["frozen", *map("/".join, self.pure.frozen)]] if self.frozen else []),
        )

    @cached_property
    def _code(self) -> str:
        """What a user's network computes, as JAX traced it: its class's name does not tell.

        Nothing for the built-in networks, whose names do.
        """
        if self.model is None or type(self.model).__module__.startswith("fallline."):
            return ""
        example = jax.ShapeDtypeStruct((2, *self.dataset.input_shape), self.dtype)
        with precision(self.dtype):
            params, state = jax.eval_shape(self.pure.init, jax.random.key(0))
            key = jax.eval_shape(lambda: jax.random.key(0))
            traced = jax.make_jaxpr(lambda p, s, k, x: self.pure.apply(p, s, k, x, True))(
                params, state, key, example
            )
        return re.sub(r"0x[0-9a-f]+", "", str(traced))

    def with_precision(self, name: str) -> Task:
        """The same task computed in one of ``PRECISIONS``."""
        if name not in PRECISIONS:
            raise unknown("precision", name, PRECISIONS)
        dtype, matrix_dtype = PRECISIONS[name]
        return replace(self, data=self.dataset, dtype=dtype, matrix_dtype=matrix_dtype)

    @property
    def precision(self) -> str:
        """Its name among ``PRECISIONS``."""
        return next(
            name for name, pair in PRECISIONS.items() if pair == (self.dtype, self.matrix_dtype)
        )

    def with_budget(
        self, *, epochs: int | None = None, batch_size: int | str | None = None
    ) -> Task:
        """The same task with other epochs or batch size (see :meth:`batch_of`)."""
        return replace(
            self,
            data=self.dataset,
            epochs=self.epochs if epochs is None else epochs,
            batch_size=self.batch_of(batch_size),
        )

    def batch_of(self, given: int | str | None) -> int:
        """The batch size that was asked for: a number, ``"all"`` examples, None for the task's."""
        if given is None:
            return self.batch_size
        text = str(given).strip().lower()
        if text == FULL_BATCH:
            return len(self.dataset.train)
        if not re.fullmatch("[+-]?[0-9]{1,18}", text) or int(text) < 1:
            raise InputError(
                f"batch_size must be a whole number of at least 1, got {given!r}",
                hint=f"1 is stochastic descent, {FULL_BATCH!r} takes all training examples",
            )
        return int(text)

    def with_objective(
        self,
        *,
        loss: str | None = None,
        l1: float | None = None,
        l2: float | None = None,
        frozen: Iterable[str] | None = None,
    ) -> Task:
        """The same task with another loss, other regularisers or frozen layers; None: as it is."""
        asked: dict[str, Any] = {"loss": loss, "l1": l1, "l2": l2, "frozen": frozen}
        given = {name: value for name, value in asked.items() if value is not None}
        return replace(self, data=self.dataset, **given) if given else self

    def with_activation(self, name: str | None) -> Task:
        """The same task, a built-in network with another activation; None: as it is."""
        if name is None:
            return self
        network = models.changed(self.network, {"activation": name})
        return replace(self, data=self.dataset, model=network)

    def require(self, *splits: str) -> None:
        """Raise unless the data has the ``splits`` (``"validation"``, ``"test"``)."""
        for split in splits:
            if getattr(self.dataset, split) is None:
                raise DataError(
                    f"the data of {self.name!r} has no {split} split, and this needs one",
                    hint=f"give the task split={{'{split}': 0.2}}, or a Dataset that has one",
                )

    def require_batch(self, batch_size: int) -> None:
        """Raise where the training split holds fewer examples than a batch."""
        examples = len(self.dataset.train)
        if batch_size > examples:
            raise InputError(
                f"a batch of {batch_size} is more than the {examples} training examples "
                f"of {self.name!r}",
                hint=f"use --batch-size {examples} at most, or {FULL_BATCH}",
            )

    @property
    def splits_in_words(self) -> str:
        """The sizes of the splits, for people."""
        splits = {name: getattr(self.dataset, name) for name in ("train", "validation", "test")}
        return ", ".join(f"{len(split):,} {name}" for name, split in splits.items() if split)
