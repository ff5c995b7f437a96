"""From runs to groups: which runs share a compiled program.

Measured (docs/decisions/0001): in a study of small networks compiling a program per optimizer
takes longer than the training; one program with the optimizers as branches costs nothing extra
there. With more parameters the branches' conditional copies every array that a branch leaves
alone, and steps dominate: then every optimizer gets a program of its own.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from fallline.optimizers import Optimizer
from fallline.planning.layout import Layout, Machine, Size, layout

COMPILE_SECONDS = 1.2
"""A further program: tracing, lowering and compiling an MLP's training, on one core."""
BRANCH_SECONDS = 1.6e-9
"""What a branch's conditional costs a step per parameter, beyond the free ones."""
FREE_PARAMETERS = 20_000
"""Networks up to this size stay in the fast cache whatever the conditional copies."""
FLOPS_PER_SECOND = 1.6e11
"""Of one core on products of many rows."""
HALF_SPEED_BATCH = 55
"""Rows at which a product runs at half of that."""
TRAFFIC_PER_SECOND = 1e10
"""Bytes of activations that one core reads or writes."""
STEP_SECONDS = 25e-6
"""The floor of a step, whatever the network."""
MOST_BRANCHES = 20
"""Optimizers of one program: with more of them nothing trains for long while it compiles."""
MOST_SLOTS = 4
"""Parameter-sized arrays of a state that branches share: all of them carry the hungriest's."""
LINE_SEARCH_PASSES = 8.0
"""Forward and backward passes' worth of evaluations in a step with a line search."""


@dataclass(frozen=True)
class Group:
    """Optimizers that share one compiled program, and how its runs lie on the devices."""

    optimizers: tuple[str, ...]
    batch_size: int
    layout: Layout
    runs: int
    """Runs that are expected of it."""
    run_seconds: float
    """What a run takes on one device, by estimate."""
    reason: str
    """Why these optimizers share a program, or do not."""


def groups(
    optimizers: Sequence[Optimizer],
    runs_per_optimizer: int,
    *,
    size: Size,
    epochs: int,
    batch_size: int,
    machine: Machine,
) -> list[Group]:
    """Cut a study into groups; ``runs_per_optimizer`` is the number of runs expected of each."""
    made = []
    for full_batch in (False, True):
        members = [each for each in optimizers if each.full_batch == full_batch]
        if not members:
            continue
        batch = size.train_examples if full_batch else min(batch_size, size.train_examples)
        steps = -(-size.train_examples // batch)
        run_steps = runs_per_optimizer * epochs * steps / machine.devices
        for part, reason in _parts(members, size.parameters, run_steps, machine):
            seconds = epoch_seconds(size, batch, steps, part)
            runs = runs_per_optimizer * len(part)
            placed = layout(
                size, batch=batch, epochs=epochs, runs=runs, epoch_seconds=seconds, machine=machine
            )
            names = tuple(each.name for each in part)
            made.append(Group(names, batch, placed, runs, epochs * seconds, reason))
    return made


def _parts(
    members: Sequence[Optimizer], parameters: int, run_steps: float, machine: Machine
) -> list[tuple[list[Optimizer], str]]:
    """Which of ``members`` share a program, and why; each takes ``run_steps`` on a device."""
    if not machine.maps_runs:
        return [([each], "runs side by side would compute every branch") for each in members]
    apart = [each for each in members if _demanding(each)]
    alike = [each for each in members if each not in apart]
    found = []
    if alike:
        shared, reason = _shares(parameters, run_steps * len(alike), len(alike))
        most = MOST_BRANCHES if shared else 1
        found = [(part, reason) for part in _dealt(alike, -(-len(alike) // most))]
    return [
        *found,
        *(([each], "its state or its steps are not like the others'") for each in apart),
    ]


def _dealt(members: Sequence[Optimizer], parts: int) -> list[list[Optimizer]]:
    """``members`` in their order in so many parts, whose sizes differ by one at most."""
    bounds = [len(members) * part // parts for part in range(parts + 1)]
    return [list(members[low:high]) for low, high in itertools.pairwise(bounds)]


def _demanding(optimizer: Optimizer) -> bool:
    """Whether a program would carry states, or expect steps, that are not like the others'."""
    searches = "value_fn" in optimizer.needs and not optimizer.full_batch
    return searches or bool(optimizer.more_state) or optimizer.slots > MOST_SLOTS


def _shares(parameters: int, run_steps: float, members: int) -> tuple[bool, str]:
    """Whether one program for all is worth it, with the reason."""
    if members == 1:
        return False, "one optimizer"
    extra = 0.0
    if parameters > FREE_PARAMETERS:
        extra = run_steps * parameters * BRANCH_SECONDS
    saved = (members - 1) * COMPILE_SECONDS
    verdict = f"branches cost about {extra:.1f} s and save {saved:.1f} s of compiling"
    return extra < saved, verdict


def epoch_seconds(size: Size, batch: int, steps: int, members: Sequence[Optimizer]) -> float:
    """A rough estimate of one run's epoch on one core, in seconds."""
    passes = 3.0 + 2.0 * LINE_SEARCH_PASSES * any("value_fn" in each.needs for each in members)
    speed = FLOPS_PER_SECOND * batch / (batch + HALF_SPEED_BATCH)
    of_example = size.flops_per_example / speed + size.activation_bytes / 3 / TRAFFIC_PER_SECOND
    step = STEP_SECONDS + passes * batch * of_example + size.parameters * 1e-9
    evaluation = size.validation_examples * of_example
    return steps * step + evaluation
