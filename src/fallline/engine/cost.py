"""What a task's network costs: parameters and operations, read off the traced program."""

from __future__ import annotations

import jax

from fallline.planning.grouping import Size
from fallline.task import Task


def size_of(task: Task) -> Size:
    """The figures by which the planner decides; nothing is compiled for them."""
    data = task.dataset
    params, state = jax.eval_shape(task.pure.init, jax.random.key(0))
    batch = 8
    x = jax.ShapeDtypeStruct((batch, *data.input_shape), task.dtype)
    forward = jax.jit(lambda p, s, x: task.pure.apply(p, s, None, x, False)[0])
    analysis = forward.lower(params, state, x).cost_analysis() or {}
    least = 2.0 * task.pure.parameters
    return Size(
        parameters=task.pure.parameters,
        flops_per_example=max(least, float(analysis.get("flops", 0.0)) / batch),
        train_examples=len(data.train),
        validation_examples=len(data.validation or ()),
    )
