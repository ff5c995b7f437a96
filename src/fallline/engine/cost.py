"""What a task's network costs: parameters, operations and memory, read off the traced program."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import jax
import numpy as np

from fallline.engine.branches import Branch
from fallline.engine.devices import Devices
from fallline.optimizers import Optimizer
from fallline.planning.layout import Machine, Size
from fallline.task import Task

BACKWARD = 2
"""Gradients of activations take about as much memory as the activations."""


def size_of(task: Task, optimizers: Iterable[Optimizer] = ()) -> Size:
    """The figures by which the planner decides; nothing is compiled for them."""
    data = task.dataset
    params, state = jax.eval_shape(task.pure.init, jax.random.key(0))
    batch = 8
    x = jax.ShapeDtypeStruct((batch, *data.input_shape), task.dtype)
    forward = jax.jit(lambda p, s, x: task.pure.apply(p, s, None, x, False)[0])
    traced = forward.trace(params, state, x)
    analysis = traced.lower().cost_analysis() or {}
    least = 2.0 * task.pure.parameters
    inputs = int(np.prod(data.input_shape)) * np.dtype(task.dtype).itemsize
    slots = _slots(task.pure.trained(params), optimizers, task.dtype)
    splits = [split for split in (data.train, data.validation) if split is not None]
    return Size(
        parameters=task.pure.parameters,
        flops_per_example=max(least, float(analysis.get("flops", 0.0)) / batch),
        train_examples=len(data.train),
        validation_examples=len(data.validation or ()),
        example_bytes=data.train.x.nbytes // max(1, len(data.train)),
        data_bytes=sum(split.x.nbytes + split.y.nbytes for split in splits),
        activation_bytes=inputs + BACKWARD * _outputs(traced.jaxpr.jaxpr) // batch,
        state_bytes=2 * _bytes(params) + _bytes(state) + slots,
        stateful=task.pure.stateful,
        draws=task.pure.needs_key,
        streamed=data.train.streamed,
    )


def machine_of(devices: Devices) -> Machine:
    """What the planner knows of ``devices``."""
    return Machine(devices.mesh.devices.size, devices.platform, devices.memory())


def _slots(params: Any, optimizers: Iterable[Optimizer], dtype: str) -> int:
    """Bytes of the state of the hungriest optimizer."""
    most = 0
    for optimizer in optimizers:
        branch = Branch(optimizer)
        row = jax.ShapeDtypeStruct((len(branch.names),), dtype)
        state = jax.eval_shape(lambda r, p, b=branch: b.transformation(r).init(p), row, params)
        most = max(most, _bytes(state))
    return most


def _bytes(tree: Any) -> int:
    return sum(int(np.prod(leaf.shape)) * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))


def _outputs(jaxpr: Any) -> int:
    """Bytes of all that the operations of a trace give, those inside calls included."""
    total = 0
    for equation in jaxpr.eqns:
        inner = [
            getattr(value, "jaxpr", value)
            for value in equation.params.values()
            if hasattr(getattr(value, "jaxpr", value), "eqns")
        ]
        if inner:
            total += sum(_outputs(each) for each in inner)
        else:
            total += sum(_bytes(each.aval) for each in equation.outvars)
    return total
