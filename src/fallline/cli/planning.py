"""``fallline doctor --plan TASK``: how a study would lie on this machine, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fallline.report.formats import count
from fallline.units import in_bytes

if TYPE_CHECKING:
    from fallline.planning.grouping import Group
    from fallline.planning.layout import Machine, Size


def explain(
    task: str,
    optimizers: str,
    *,
    epochs: int | None,
    batch_size: int | None,
    data_dir: str | None,
) -> str:
    """The plan of ``fallline compare TASK`` in words; nothing is compiled or trained."""
    from fallline import optimizers as catalogue
    from fallline import tasks
    from fallline.engine import arrangement
    from fallline.engine.cost import machine_of, size_of
    from fallline.engine.devices import Devices
    from fallline.planning.config import StudyConfig

    made = tasks.resolve(task, data_dir=data_dir).with_budget(epochs=epochs, batch_size=batch_size)
    made.require_batch(made.batch_size)
    made.require("validation", "test")
    chosen = catalogue.resolve(optimizers)
    names = tuple(each.name for each in chosen)
    config = StudyConfig(names, epochs=made.epochs, batch_size=made.batch_size)
    devices = Devices.all()
    machine, size = machine_of(devices), size_of(made, chosen)
    groups = arrangement.groups(made, chosen, config, devices)
    lines = [_of_task(made.name, size, machine), ""]
    for number, group in enumerate(groups, start=1):
        lines += [
            f"program {number}: {', '.join(group.optimizers)}",
            *_of_group(group, machine),
            "",
        ]
    total = sum(group.runs * group.run_seconds for group in groups) / machine.devices
    lines.append(f"about {_seconds(total)} of training by estimate, in {len(groups)} program(s)")
    return "\n".join(lines)


def _of_task(name: str, size: Size, machine: Machine) -> str:
    return (
        f"{name}: {count(size.parameters)} parameters, {count(size.train_examples)} training "
        f"examples ({in_bytes(size.data_bytes)}), {_flops(size.flops_per_example)} forward per "
        f"example; {machine.devices} x {machine.platform} with {in_bytes(machine.memory)} free each"
    )


def _of_group(group: Group, machine: Machine) -> list[str]:
    layout = group.layout
    teams = machine.devices // layout.shards
    cut = f"{layout.epochs_per_call} epoch(s) a call"
    if layout.calls_per_epoch > 1:
        cut = f"{layout.calls_per_epoch} calls an epoch"
    places = f"{layout.per_device} at a time on each of {teams} device(s)"
    if layout.shards > 1:
        places = f"each shared by {layout.shards} devices"
    return [
        f"  runs     {group.runs} expected, batch {count(group.batch_size)}, {places}, {cut}",
        f"  layout   {layout.kind}",
        *(f"           {reason}" for reason in layout.reasons),
        f"  memory   {in_bytes(layout.run_bytes)} a run; data "
        + ("on every device" if layout.resident else "streamed from its files"),
        f"  program  {group.reason}",
    ]


def _flops(number: float) -> str:
    return f"{number / 1e6:.2f} MFLOP"


def _seconds(number: float) -> str:
    if number < 120:
        return f"{number:.0f} s"
    return f"{number / 60:.0f} min" if number < 7200 else f"{number / 3600:.1f} h"
