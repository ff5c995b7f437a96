"""A network with its weights: what can be asked of it once it is trained, or read from a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np

from fallline.adapters.pure import precision
from fallline.data.dataset import Split
from fallline.data.streamed import Shards
from fallline.engine.devices import Devices, prepare
from fallline.engine.evaluation import Evaluation, predict
from fallline.engine.feeding import Seeds
from fallline.engine.program import Program
from fallline.errors import DataError, InputError, unknown
from fallline.planning.config import whole_number
from fallline.store import weights
from fallline.task import Task


@dataclass(frozen=True, eq=False)
class Network:
    """A task's network with weights."""

    task: Task
    params: Any
    state: Any

    @property
    def weights(self) -> dict[str, np.ndarray]:
        """Every array under its path in the network: ``{"Dense_0/kernel": array}``."""
        return weights.flatten(self.params)

    @property
    def nonzero(self) -> int:
        """How many of its parameters are not zero."""
        return sum(int(np.count_nonzero(array)) for array in self.weights.values())

    def reset(self, seed: int = 0) -> Network:
        """The same network with the weights that a training with ``seed`` begins with."""
        whole_number("seed", seed, least=0)
        with precision(self.task.dtype):
            initial = Seeds(self.task.name, (seed,)).initial(self.task.pure)
            params, state = jax.tree.map(lambda leaf: np.asarray(leaf[0]), initial)
        return Network(self.task, params, state)

    def predict_proba(self, x: Any) -> np.ndarray:
        """Class probabilities for raw examples ``(n, ...)``: ``(n, classes)``."""
        if self.task.dataset.kind != "classification":
            raise InputError("a regression has no probabilities", hint="use predict")
        outputs = self._outputs(x)
        if self.task.loss_terms.single_logit:
            of_one = 1.0 / (1.0 + np.exp(-outputs[:, 0]))
            return np.stack([1.0 - of_one, of_one], axis=1)
        shifted = np.exp(outputs - outputs.max(axis=1, keepdims=True))
        return shifted / shifted.sum(axis=1, keepdims=True)

    def predict(self, x: Any) -> np.ndarray:
        """For raw examples ``(n, ...)``: classes by name (or index), or values in their units."""
        data = self.task.dataset
        if data.kind == "classification":
            chosen = self.predict_proba(x).argmax(axis=1)
            numbered = tuple(map(str, range(len(data.classes)))) == data.classes
            return chosen if numbered or not data.classes else np.asarray(data.classes)[chosen]
        outputs = self._outputs(x) * data.target_scale + data.target_offset
        return outputs[:, 0] if data.train.y.ndim == 1 else outputs

    def _outputs(self, x: Any) -> np.ndarray:
        examples = x if isinstance(x, Shards) else np.asarray(x)
        shape = self.task.dataset.input_shape
        if examples.shape[1:] != shape:
            raise DataError(
                f"examples of shape {examples.shape[1:]} were given, "
                f"and {self.task.name!r} takes {shape}",
                hint="the first axis counts the examples",
            )
        with precision(self.task.dtype):
            return predict(self._program(), self.params, self.state, examples)

    def evaluate(self, split: str | tuple[Any, Any] = "test") -> dict[str, float]:
        """Loss and metric on a split of the task, or on raw examples and targets ``(X, y)``."""
        if isinstance(split, str):
            if split not in ("train", "validation", "test"):
                names = ("train", "validation", "test")
                raise unknown("split", split, names)
            if split != "train":
                self.task.require(split)
            measured = getattr(self.task.dataset, split)
        else:
            x, y = split
            examples = x if isinstance(x, Shards) else np.asarray(x)
            measured = Split(examples, self._encoded(np.asarray(y)))
        with precision(self.task.dtype):
            figures = Evaluation(self._program(), measured, Devices.first(1)).measure(
                [(self.params, self.state)]
            )[0]
        return {"loss": figures[0], self.task.metric: figures[1]}

    def _encoded(self, y: np.ndarray) -> np.ndarray:
        """Targets as the task stores them: class indices for names."""
        data = self.task.dataset
        if data.kind == "regression" or not data.classes:
            return y
        index = {name: at for at, name in enumerate(data.classes)}
        strange = sorted({str(label) for label in y} - set(index))
        if strange:
            raise DataError(
                f"the label {strange[0]!r} is none of the task's classes",
                hint=f"they are {', '.join(data.classes)}",
            )
        return np.asarray([index[str(label)] for label in y], np.int32)

    def _program(self) -> Program:
        return Program(self.task, (), self.task.batch_size, 1)


def restored(task: Task, given: Any) -> Network:
    """The task's network with the weights ``given``: as :func:`matched` takes them."""
    prepare()
    return Network(task, *matched(given, task))


def matched(given: Any, task: Task) -> tuple[Any, Any]:
    """``given`` weights as the task's ``(params, state)``, every name and shape checked.

    Takes a :class:`Network`, the path of a safetensors file, or arrays: nested mappings, or flat
    ones with paths such as ``"Dense_0/kernel"``.
    """
    if isinstance(given, Network):
        given = {"params": given.params, "state": given.state}
    elif isinstance(given, str | Path):
        given, _ = weights.load(given)
    if not isinstance(given, Mapping):
        raise InputError(
            f"weights of type {type(given).__name__} were given",
            hint="give a training, the path of a .safetensors file, or named arrays",
        )
    arrays = {name.removeprefix("params/"): array for name, array in weights.flatten(given).items()}
    params, state = jax.eval_shape(task.pure.init, jax.random.key(0))
    fresh = jax.tree.map(np.asarray, task.pure.init(jax.random.key(0))[1])
    wanted = named_leaves(params)
    stateful = {f"state/{name}": leaf for name, leaf in named_leaves(state).items()}
    _check_names(arrays, wanted, stateful, task)
    filled = _filled(params, arrays, "", task.dtype)
    if stateful and set(stateful) <= set(arrays):
        return filled, _filled(state, arrays, "state/", task.dtype)
    return filled, fresh


def named_leaves(tree: Any, prefix: str = "") -> dict[str, Any]:
    named: dict[str, Any] = {}
    for name, value in tree.items():
        path = f"{prefix}{name}"
        named |= named_leaves(value, path + "/") if isinstance(value, Mapping) else {path: value}
    return named


def _check_names(
    arrays: Mapping[str, np.ndarray],
    wanted: Mapping[str, Any],
    stateful: Mapping[str, Any],
    task: Task,
) -> None:
    missing = [name for name in wanted if name not in arrays]
    strange = [name for name in arrays if name not in wanted and name not in stateful]
    if missing or strange:
        parts = [f"{name!r} is missing" for name in missing[:3]]
        parts += [f"{name!r} is not part of the network" for name in strange[:3]]
        raise DataError(
            f"the weights are not those of {task.name!r}: {', '.join(parts)}",
            hint=f"its arrays are {', '.join(wanted)}",
        )
    for name, leaf in {**wanted, **stateful}.items():
        if name in arrays and tuple(arrays[name].shape) != tuple(leaf.shape):
            raise DataError(
                f"the weights {name!r} have shape {tuple(arrays[name].shape)}, "
                f"and {task.name!r} needs {tuple(leaf.shape)}"
            )


def _filled(tree: Any, arrays: Mapping[str, np.ndarray], prefix: str, dtype: str) -> Any:
    return {
        name: _filled(value, arrays, f"{prefix}{name}/", dtype)
        if isinstance(value, Mapping)
        else np.asarray(arrays[f"{prefix}{name}"], dtype)
        for name, value in tree.items()
    }
