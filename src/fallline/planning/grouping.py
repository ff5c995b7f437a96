"""From runs to groups: which runs share a compiled program, and how it is cut into calls.

Measured (docs/decisions/0001): in a study of small networks compiling a program per optimizer
takes longer than the training; one program with the optimizers as branches costs nothing extra
there. With more parameters the branches' conditional copies every array that a branch leaves
alone, and steps dominate: then every optimizer gets a program of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fallline.optimizers import Optimizer

COMPILE_SECONDS = 1.2
"""A further program: tracing, lowering and compiling an MLP's training, on one core."""
BRANCH_SECONDS = 1.6e-9
"""What a branch's conditional costs a step per parameter, beyond the free ones."""
FREE_PARAMETERS = 20_000
"""Networks up to this size stay in the fast cache whatever the conditional copies."""
CALL_SECONDS = 0.7
"""A call lasts about this long: results come often, and the host is never waited for."""
FLOPS_PER_SECOND = 6e10
"""Of one core on small products."""
STEP_SECONDS = 25e-6
"""The floor of a step, whatever the network."""
LINE_SEARCH_PASSES = 8.0
"""Forward and backward passes' worth of evaluations in a step with a line search."""


@dataclass(frozen=True)
class Size:
    """What of a task decides its cost."""

    parameters: int
    flops_per_example: float
    """Of one forward pass."""
    train_examples: int
    validation_examples: int


@dataclass(frozen=True)
class Group:
    """Optimizers that share one compiled program, and how that program is called."""

    optimizers: tuple[str, ...]
    batch_size: int
    per_device: int
    """Runs that each device takes in a call."""
    epochs_per_call: int
    reason: str


def groups(
    optimizers: Sequence[Optimizer],
    runs_per_optimizer: int,
    *,
    size: Size,
    epochs: int,
    batch_size: int,
    devices: int,
    maps_runs: bool,
) -> list[Group]:
    """Cut a study into groups; ``runs_per_optimizer`` is the number of runs expected of each."""
    made = []
    for full_batch in (False, True):
        members = [each for each in optimizers if each.full_batch == full_batch]
        if not members:
            continue
        batch = size.train_examples if full_batch else min(batch_size, size.train_examples)
        steps = -(-size.train_examples // batch)
        if not maps_runs:
            shared, reason = False, "vmapped runs would compute every branch"
        else:
            run_steps = runs_per_optimizer * len(members) * epochs * steps
            shared, reason = _shares(size.parameters, run_steps / devices, len(members))
        for part in [members] if shared else [[each] for each in members]:
            seconds = epoch_seconds(size, batch, steps, part)
            per_device, per_call = _calls(seconds, epochs, runs_per_optimizer * len(part), devices)
            names = tuple(each.name for each in part)
            made.append(Group(names, batch, per_device, per_call, reason))
    return made


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
    step = STEP_SECONDS + passes * batch * size.flops_per_example / FLOPS_PER_SECOND
    step += size.parameters * 1e-9
    evaluation = size.validation_examples * size.flops_per_example / FLOPS_PER_SECOND
    return steps * step + evaluation


def _calls(seconds: float, epochs: int, runs: int, devices: int) -> tuple[int, int]:
    """Runs per device and epochs of a call that lasts about ``CALL_SECONDS``."""
    per_call = max(1, min(epochs, round(CALL_SECONDS / seconds)))
    calls = -(-epochs // per_call)
    per_call = -(-epochs // calls)  # even parts: no call of a single last epoch
    per_device = max(1, int(CALL_SECONDS / (per_call * seconds)))
    return min(per_device, max(1, -(-runs // devices))), per_call
