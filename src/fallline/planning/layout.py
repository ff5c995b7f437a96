"""How the runs of a group lie on the devices, with the reason: decided from shapes and machine.

Measured (docs/decisions/0002, 0010): on a CPU a run is fastest alone on one core, one run after
the other, so that its weights stay in that core's cache; a GPU is filled by many runs side by
side; and where there are fewer runs than devices a run with long steps is shared by several.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from fallline.errors import ResourceError
from fallline.units import in_bytes

CALL_SECONDS = 0.7
"""A call lasts about this long: results come often, and the host is never waited for."""
STREAMED_BYTES = 256_000_000
"""Of examples that a call on streamed data brings to the devices."""
MEMORY_SHARE = 0.6
"""Of a device's free memory that plans count on; the rest is for what they do not know."""
RESIDENT_SHARE = 0.5
"""Of a device's free memory that a task's data may take to lie there whole."""
QUEUED = 2
"""Calls that are queued at once, each with its runs in memory: no device waits for the host."""
KEPT_FEEDS = 3
"""Calls whose streamed examples stay on the devices, since others often ask for the same."""
MOST_LANES = 1024
"""Runs side by side: more than this fill no GPU any better."""
CACHE_BYTES = 1 << 20
"""A micro-batch's inputs and activations should stay below this: half a core's L2 cache."""
LEAST_MICRO_BATCH = 1024
"""Examples; products of fewer rows are slower than what the cache saves."""
MICRO_BATCH_OF_DRAWING = 4096
"""Fixed where dropout draws a mask for each part, so that it decides the numbers."""
SHARE_SECONDS = 1.6e-3
"""What sharing a step costs at least: devices wait for each other, gradients are summed."""
SHARE_SECONDS_PER_BYTE = 1e-9
"""What summing gradients costs per byte of parameters."""

Kind = Literal["one after another", "side by side", "shared"]


@dataclass(frozen=True)
class Size:
    """What of a task decides its cost."""

    parameters: int
    flops_per_example: float
    """Of one forward pass."""
    train_examples: int
    validation_examples: int
    example_bytes: int = 0
    """Of one example as it is stored."""
    data_bytes: int = 0
    """Of the training and validation examples together."""
    activation_bytes: int = 0
    """Of one example's input and activations, forward and backward."""
    state_bytes: int = 0
    """Of a run's parameters, optimizer state and gradient, for the hungriest optimizer."""
    stateful: bool = False
    """Batch statistics: a step must see its batch whole."""
    draws: bool = False
    """Dropout: other parts of a batch would draw other masks."""
    streamed: bool = False
    """The training examples lie in files."""


@dataclass(frozen=True)
class Machine:
    """What the planner knows of the devices."""

    devices: int
    platform: str = "cpu"
    memory: int = 1 << 34
    """Bytes that are free on each device."""

    @property
    def maps_runs(self) -> bool:
        """Whether runs go one after the other on a device."""
        return self.platform == "cpu"


@dataclass(frozen=True)
class Layout:
    """How runs lie on the devices, and how their training is cut into calls."""

    kind: Kind
    per_device: int
    """Runs that have their places on each device (or on each team that shares a run)."""
    lanes: int
    """Of these, how many are trained side by side."""
    shards: int
    """Devices that share every step of a run."""
    epochs_per_call: int
    calls_per_epoch: int
    """More than 1 where an epoch takes several calls."""
    micro_batch: int
    """Examples of a batch that are passed at once."""
    resident: bool
    """Whether the training examples lie on the devices whole; else they are streamed."""
    run_bytes: int
    """What a run takes of a device's memory, by estimate."""
    reasons: tuple[str, ...]
    """Why it is so, in sentences."""


def micro_batch(size: Size, batch: int) -> int:
    """Examples of a batch that are passed at once, so that what they need stays in the cache."""
    if size.stateful or not size.activation_bytes:
        return batch
    if size.draws:
        return min(batch, MICRO_BATCH_OF_DRAWING)
    fitting = max(LEAST_MICRO_BATCH, CACHE_BYTES // size.activation_bytes)
    return batch if batch <= 2 * fitting else fitting


def shares(size: Size, runs: int, step_seconds: float, batch: int, machine: Machine) -> int:
    """Devices for every run: more than 1 where runs are fewer and a step is long enough."""
    if size.stateful or size.draws or runs >= machine.devices:
        return 1
    teams = [n for n in range(1, machine.devices + 1) if machine.devices % n == 0]
    shards = max(n for n in teams if n * runs <= machine.devices and n <= batch)
    costs = SHARE_SECONDS + 4 * size.parameters * SHARE_SECONDS_PER_BYTE
    return shards if shards > 1 and step_seconds * (1 - 1 / shards) > costs else 1


def resident(size: Size, machine: Machine) -> bool:
    """Whether the data may lie on every device whole."""
    return size.data_bytes <= RESIDENT_SHARE * machine.memory


def layout(
    size: Size,
    *,
    batch: int,
    epochs: int,
    runs: int,
    epoch_seconds: float,
    machine: Machine,
) -> Layout:
    """The layout for ``runs`` runs whose epoch takes ``epoch_seconds`` on one device.

    Raises :class:`ResourceError` where a single run, or a single batch of streamed data, does not
    fit.
    """
    steps = -(-size.train_examples // batch)
    shards = shares(size, runs, epoch_seconds / steps, batch, machine)
    teams = machine.devices // shards
    stays = resident(size, machine)
    micro = micro_batch(size, batch)
    held = QUEUED * size.state_bytes
    run_bytes = held + size.activation_bytes * min(batch, micro) // shards
    data = size.data_bytes if stays else KEPT_FEEDS * min(STREAMED_BYTES, size.data_bytes)
    free = int(MEMORY_SHARE * machine.memory) - data
    fits = max(1, free // max(1, run_bytes))
    reasons = [_kind_in_words(size, runs, shards, machine), *_misfit(run_bytes, machine)]
    if machine.maps_runs:
        seconds = epoch_seconds / shards
        # Only one of a device's runs has its activations in memory at any time.
        fits = max(1, free // max(1, held))
        wanted, per_call, per_epoch = _calls(seconds, epochs, steps)
        lanes = 1
    else:
        wanted, per_call, per_epoch = MOST_LANES, 1, 1
        lanes = 0
    per_device = max(1, min(wanted, fits, -(-runs // teams)))
    if fits < min(wanted, -(-runs // teams)):
        reasons.append(
            f"{fits} at once fit into {in_bytes(machine.memory)} at {in_bytes(run_bytes)} each"
        )
    if not stays:
        per_device, per_epoch = _streamed(size, batch, steps, per_device, per_epoch, teams)
        per_call = 1
        reasons.append(
            f"{in_bytes(size.data_bytes)} of data do not fit beside the runs: streamed in "
            f"{per_epoch} calls an epoch"
        )
    if micro < batch:
        why = "to bound memory" if size.draws else "to stay in the cache"
        reasons.append(f"batches of {batch:,} are passed {micro:,} at a time, {why}")
    return Layout(
        kind="shared" if shards > 1 else "one after another" if lanes == 1 else "side by side",
        per_device=per_device,
        lanes=lanes or per_device,
        shards=shards,
        epochs_per_call=per_call,
        calls_per_epoch=per_epoch,
        micro_batch=micro,
        resident=stays,
        run_bytes=run_bytes,
        reasons=tuple(reasons),
    )


def _misfit(run_bytes: int, machine: Machine) -> list[str]:
    """That a run may not fit, where that is so."""
    if run_bytes <= machine.memory:
        return []
    return [
        f"a run takes about {in_bytes(run_bytes)} by estimate and {in_bytes(machine.memory)} "
        "are free: it may not fit; a smaller batch takes less"
    ]


def _kind_in_words(size: Size, runs: int, shards: int, machine: Machine) -> str:
    if shards > 1:
        return f"{runs} run(s) for {machine.devices} devices: {shards} devices share each step"
    if not machine.maps_runs:
        return f"a {machine.platform} is filled by runs side by side"
    why = "a run's weights stay in its core's cache"
    if runs < machine.devices:
        short = "its steps are too short to be shared"
        whole = "batch statistics or dropout see a batch whole, so none is shared"
        why = whole if size.stateful or size.draws else short
    return f"on each core one run after the other: {why}"


def _calls(seconds: float, epochs: int, steps: int) -> tuple[int, int, int]:
    """Runs per device, epochs per call and calls per epoch, for calls of ``CALL_SECONDS``."""
    if seconds > 2 * CALL_SECONDS and steps > 1:
        per_epoch = min(steps, round(seconds / CALL_SECONDS))
        return 1, 1, -(-steps // -(-steps // per_epoch))
    per_call = max(1, min(epochs, round(CALL_SECONDS / seconds)))
    calls = -(-epochs // per_call)
    per_call = -(-epochs // calls)  # even parts: no call of a single last epoch
    return max(1, int(CALL_SECONDS / (per_call * seconds))), per_call, 1


def _streamed(
    size: Size, batch: int, steps: int, per_device: int, per_epoch: int, teams: int
) -> tuple[int, int]:
    """Runs per device and calls per epoch, so that a call's examples are few enough."""
    of_batch = batch * max(1, size.example_bytes)
    if of_batch > STREAMED_BYTES:
        raise ResourceError(
            f"a batch of {batch:,} streamed examples takes {in_bytes(of_batch)}, "
            f"and a call takes at most {in_bytes(STREAMED_BYTES)}",
            hint="use a smaller --batch-size, and optimizers that do not need the full batch",
        )
    batches = STREAMED_BYTES // of_batch
    per_device = max(1, min(per_device, batches // teams))
    at_once = max(1, batches // (per_device * teams))
    return per_device, max(per_epoch, -(-steps // at_once))
