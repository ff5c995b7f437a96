"""From a study's plan to its populations: groups with their layouts, and programs for them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from fallline.engine.branches import Branch
from fallline.engine.cost import machine_of, size_of
from fallline.engine.devices import Devices
from fallline.engine.feeding import Resident, Seeds
from fallline.engine.population import Population
from fallline.engine.program import Program
from fallline.optimizers import Optimizer
from fallline.planning import grouping, rounds
from fallline.planning.config import StudyConfig
from fallline.planning.grouping import Group
from fallline.planning.stopping import EarlyStopping
from fallline.task import Task

log = logging.getLogger("fallline")


def groups(
    task: Task, optimizers: Sequence[Optimizer], config: StudyConfig, devices: Devices
) -> list[Group]:
    """How a study is cut, for the runs that it is expected to have.

    Where the time of each optimizer's search is limited, none shares its program.
    """
    alone = config.protocol.kind == "time"
    return [
        group
        for members in ([[each] for each in optimizers] if alone else [optimizers])
        for group in grouping.groups(
            members,
            rounds.expected(members, config),
            size=size_of(task, members),
            epochs=config.epochs,
            batch_size=config.batch_size,
            machine=machine_of(devices),
        )
    ]


def group_of_one(task: Task, optimizer: Optimizer, batch_size: int, devices: Devices) -> Group:
    """The group of a single run."""
    (group,) = grouping.groups(
        [optimizer],
        1,
        size=size_of(task, [optimizer]),
        epochs=task.epochs,
        batch_size=batch_size,
        machine=machine_of(devices),
    )
    return group


def population(
    task: Task,
    group: Group,
    branches: Sequence[Branch],
    seeds: Seeds,
    devices: Devices,
    *,
    initial: Callable[[], Any] | None = None,
    resident: Callable[[Devices, bool], Resident] | None = None,
    stopping: EarlyStopping | None = None,
    record_steps: bool = False,
    keep_best: bool = False,
) -> Population:
    """The population that trains a group's runs, laid out as planned; nothing is compiled yet.

    ``resident`` gives the task's data on the devices, for those who share it; asked with the
    devices and whether training examples are streamed. A single run without it stays on one device.
    """
    layout = group.layout
    if layout.shards > 1:
        devices = devices.shared_by(layout.shards)
    elif group.runs == 1 and resident is None:
        devices = Devices.of([devices.mesh.devices.flat[0]])
    program = Program(
        task,
        tuple(branches),
        group.batch_size,
        layout.epochs_per_call,
        stopping,
        record_steps,
        keep_best,
        calls_per_epoch=layout.calls_per_epoch,
        shards=layout.shards,
        micro_batch=layout.micro_batch,
    )
    make = resident or (lambda devices, streamed: Resident.of(task, devices, streamed=streamed))
    return Population(
        program,
        seeds,
        devices,
        per_device=layout.per_device,
        lanes=layout.lanes,
        initial=initial,
        resident=make(devices, not layout.resident),
    )


def warn_of_precision(task: Task, devices: Devices) -> None:
    """Say so where the asked precision brings nothing on these devices."""
    if task.matrix_dtype and devices.platform == "cpu":
        log.warning("bf16 is for GPUs: on this CPU it changes the rounding and saves no time")


def every_epoch(group: Group) -> Group:
    """The group with a call for every epoch: for who wants to be told after each."""
    return replace(group, layout=replace(group.layout, epochs_per_call=1))
