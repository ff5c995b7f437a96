"""Optimizers that cannot be trained, told apart from a task that cannot: who is at fault, and why.

A program trains several optimizers, and one that raises as it is traced, or that gives arrays of
other shapes than it must, takes the whole program with it. Each is looked at alone then, without
compiling anything. What a device reports while it trains has no such look: it is tried again.
"""

from __future__ import annotations

import contextlib
import logging
import shlex
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from fallline.engine import faults
from fallline.engine.branches import Branch
from fallline.engine.devices import Devices
from fallline.engine.faults import DeviceError, reason_of
from fallline.errors import FalllineError, InputError, StudyError
from fallline.optimizers import Optimizer
from fallline.records import Curves, Run, RunResult, Status
from fallline.task import Task

log = logging.getLogger("fallline")

_BATCH = 8


class AllFailed(StudyError):
    """A study none of whose optimizers could be trained; others may be."""


def result_of(run: Run, reason: str) -> RunResult:
    """A run that could not be trained."""
    nothing = np.empty(0, np.float32)
    return RunResult(run, Status.FAILED, Curves(*[nothing] * 4), steps=0, reason=reason)


@contextlib.contextmanager
def told(task: Task, folder: Path) -> Iterator[None]:
    """Raise what the task or a device is at fault for as an error that says so; the rest as it is.

    ``folder`` is the study's.
    """
    try:
        yield
    except FalllineError:
        raise
    except DeviceError as error:
        raise StudyError(
            f"the device reported an error: {reason_of(error)}", hint=goes_on(folder)
        ) from error
    except Exception as error:
        blame_task(task, error)
        raise


def blame_task(task: Task, error: Exception) -> None:
    """Raise an InputError where the task itself, without any optimizer, ends in an exception."""
    try:
        _gradients(task)
    except Exception as own:
        raise InputError(
            f"the task {task.name!r} cannot be trained by any optimizer: {reason_of(own)}",
            hint="the model raises this when it is called with a batch of the data, shape "
            f"({_BATCH}, {', '.join(map(str, task.dataset.input_shape))}); mend it there",
        ) from error


def at_fault(task: Task, optimizers: Iterable[Optimizer], error: Exception) -> dict[str, str]:
    """By name, why optimizers cannot be trained; ``error`` is what happened to their program.

    Raises an InputError where it is the task's fault, and ``error`` where it is nobody's.
    """
    blame_task(task, error)
    reasons = {each.name: reason for each in optimizers if (reason := fault_of(each, task))}
    if not reasons:
        raise error
    for name, reason in reasons.items():
        log.warning("%s failed and is left out: %s", name, reason)
    return reasons


def require_any(optimizers: Iterable[Optimizer], failed: Mapping[str, str], hint: str = "") -> None:
    """Raise where every optimizer failed."""
    if all(each.name in failed for each in optimizers):
        each = "; ".join(f"{name}: {reason}" for name, reason in failed.items())
        own = "fallline.testing.check_optimizer(NAME) says more of an optimizer of your own"
        raise AllFailed(f"every optimizer failed: {each}", hint=hint or own)


def require_devices(devices: Devices, folder: Path) -> None:
    """Raise where the devices are gone: then no optimizer is at fault."""
    try:
        faults.require(devices)
        faults.forget_callbacks(devices)
    except DeviceError as error:
        raise StudyError(
            f"the device does not answer any more: {reason_of(error)}", hint=goes_on(folder)
        ) from error


def require_none(failed: Mapping[str, AllFailed], folder: Path) -> None:
    """Raise where studies of the suite or series in ``folder`` failed, by their titles."""
    if failed:
        each = "; ".join(f"{title}: {error}" for title, error in failed.items())
        raise StudyError(each, hint=goes_on(folder))


def goes_on(folder: Path) -> str:
    """How to go on with the study in ``folder``, when what ended it is mended."""
    command = shlex.join(["fallline", "resume", str(folder)])
    return f"every finished run is stored; go on with: {command}"


def fault_of(optimizer: Optimizer, task: Task) -> str:
    """Why a step of the optimizer cannot be taken; empty where it can."""
    branch = Branch(optimizer)

    def step(row: jax.Array, params: Any, grads: Any, key: jax.Array) -> Any:
        rule = branch.transformation(row)
        extra = {
            "value": jnp.zeros((), task.dtype),
            "grad": grads,
            "value_fn": lambda p: sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(p)),
            "key": key,
            "total_steps": jnp.asarray(1, jnp.int32),
        }
        needed = {name: extra[name] for name in sorted(optimizer.needs)}
        before = rule.init(params)
        updates, after = rule.update(grads, before, params, **needed)
        own = {name: row[column] for column, name in enumerate(branch.names)}
        judged = optimizer.evaluation_params(own, params, after, **dict(branch.options))
        return updates, before, after, judged

    row = jax.ShapeDtypeStruct((len(branch.names),), task.dtype)
    params, grads = _gradients(task)
    try:
        updates, before, after, judged = jax.eval_shape(step, row, params, grads, jax.random.key(0))
    except Exception as error:
        return reason_of(error)
    return (
        _differs("its update", updates, params, broadcast=True)
        or _differs("its state after a step", after, before)
        or _differs("what it is judged by", judged, params)
    )


def _gradients(task: Task) -> tuple[Any, Any]:
    """Shapes of what is trained, and of its gradient; raises what the model raises."""
    pure, key = task.pure, jax.random.key(0)
    params, state = jax.eval_shape(pure.init, key)
    x = jax.ShapeDtypeStruct((_BATCH, *task.dataset.input_shape), task.dtype)

    def gradient(params: Any, state: Any, x: jax.Array, key: jax.Array) -> Any:
        def total(trained: Any) -> jax.Array:
            outputs, _ = pure.apply(pure.whole(trained, params), state, key, x, True)
            return jnp.sum(outputs)

        return jax.grad(total)(pure.trained(params))

    return pure.trained(params), jax.eval_shape(gradient, params, state, x, key)


def _differs(what: str, found: Any, wanted: Any, *, broadcast: bool = False) -> str:
    """How a tree of arrays differs from the one that it must be like; empty where it does not.

    With ``broadcast`` only what added to the wanted one gives another shape is a difference.
    """
    # Any: the stubs do not know that structures compare.
    structures: list[Any] = [jax.tree.structure(tree) for tree in (found, wanted)]
    if structures[0] != structures[1]:
        return f"{what} has another structure: {_short(found)} instead of {_short(wanted)}"
    pairs = zip(jax.tree.leaves_with_path(wanted), jax.tree.leaves(found), strict=True)
    for (path, due), leaf in pairs:
        where = jax.tree_util.keystr(path) or "itself"
        if not (_adds(leaf.shape, due.shape) if broadcast else leaf.shape == due.shape):
            return f"{what} has shape {leaf.shape} at {where}, and it must be {due.shape}"
        if not broadcast and leaf.dtype != due.dtype:
            return f"{what} is {leaf.dtype} at {where}, and it must be {due.dtype}"
    return ""


def _adds(shape: tuple[int, ...], to: tuple[int, ...]) -> bool:
    try:
        return np.broadcast_shapes(shape, to) == to
    except ValueError:
        return False


def _short(tree: Any) -> str:
    text = str(jax.tree.structure(tree))
    return text if len(text) <= 80 else text[:79] + "…"
