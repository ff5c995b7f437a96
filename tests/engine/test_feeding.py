"""Streamed data: the same examples in the same order as data that lies in memory."""

from __future__ import annotations

from pathlib import Path

import jax
import numpy as np
import pytest

from fallline import models, optimizers
from fallline.data.dataset import make_dataset
from fallline.data.shards import read_shards, write_shards
from fallline.engine.branches import Branch
from fallline.engine.devices import Devices
from fallline.engine.events import Finished
from fallline.engine.feeding import Feeding, Resident, Seeds
from fallline.engine.population import Population
from fallline.engine.program import Program
from fallline.errors import ResourceError
from fallline.records import Run
from fallline.task import Task

SEEDS = Seeds("images", (0, 1))


@pytest.fixture
def tasks(tmp_path: Path) -> tuple[Task, Task]:
    """The same data in memory and in files."""
    draw = np.random.default_rng(0)
    x = draw.integers(0, 256, (150, 4, 4), dtype=np.uint8)
    y = (x.reshape(150, -1).mean(axis=1) > 127).astype(int)
    folder = write_shards(tmp_path / "shards", x, y, rows_per_shard=40)
    made = []
    for source in ((x, y), read_shards(folder)):
        data = make_dataset(*source, name="images", validation=20, test=20)
        made.append(Task(models.MLP(2, (8,)), data, name="images", epochs=3, batch_size=16))
    return made[0], made[1]


def _program(task: Task, **cut) -> Program:
    return Program(task, (Branch(optimizers.get("adam")),), 16, 1, None, True, **cut)


def _train(task: Task, streamed: bool, **cut) -> list[Finished]:
    adam = optimizers.get("adam")
    devices = Devices.first(1)
    population = Population(
        _program(task, **cut),
        SEEDS,
        devices,
        per_device=2,
        resident=Resident.of(task, devices, streamed=streamed),
    )
    runs = [Run("adam", adam.complete({}), seed, "search", 3) for seed in (0, 1)]
    done = [each for each in population.train(runs, keep_weights=True) if _is_finished(each)]
    assert len(done) == 2
    return sorted(done, key=lambda event: event.result.run.seed)


def _is_finished(event) -> bool:
    return isinstance(event, Finished)


@pytest.mark.parametrize("calls_per_epoch", [1, 3])
def test_streamed_from_files_the_numbers_are_those_of_memory(
    tasks: tuple[Task, Task], calls_per_epoch: int
) -> None:
    memory, files = tasks
    assert files.dataset.train.streamed
    for kept, streamed in zip(
        _train(memory, False),
        _train(files, True, calls_per_epoch=calls_per_epoch),
        strict=True,
    ):
        np.testing.assert_array_equal(kept.step_losses, streamed.step_losses)
        jax.tree.map(np.testing.assert_array_equal, kept.params, streamed.params)
        np.testing.assert_array_equal(
            kept.result.curves.validation_loss, streamed.result.curves.validation_loss
        )


def test_a_call_gets_its_own_examples_alone_as_they_were_stored(tasks: tuple[Task, Task]) -> None:
    _, files = tasks
    program = _program(files, calls_per_epoch=7)
    feed = Feeding(program, SEEDS, Devices.first(1), None).feed([(0, 0), (1, 5)], 2)
    assert feed.train.x.shape == (2 * 1 * 16, 4, 4)  # two positions, a step each of 16 examples
    assert feed.train.x.dtype == np.uint8
    for row, (seed, step) in enumerate([(0, 0), (1, 5)]):
        wanted = SEEDS.batches(program, seed, 0)[step]
        own = np.asarray(feed.train.x)[np.asarray(feed.orders)[row, 0, 0]]
        np.testing.assert_array_equal(own, files.dataset.train.x[wanted])


def test_the_last_batch_stays_marked_as_not_full(tasks: tuple[Task, Task]) -> None:
    _, files = tasks  # 110 examples in batches of 16: 6 and one of 14
    feed = Feeding(_program(files), SEEDS, Devices.first(1), None).feed([(0, 0)], 1)
    assert (np.asarray(feed.orders)[0, 0, -1] >= 0).sum() == 110 - 6 * 16


def test_a_held_out_split_that_does_not_fit_is_refused_with_the_way_out(
    tasks: tuple[Task, Task], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, files = tasks
    monkeypatch.setattr(Devices, "memory", lambda self: 500)
    with pytest.raises(ResourceError, match="the validation split") as caught:
        Resident.of(files, Devices.first(1), streamed=True)
    assert "validation=10000" in str(caught.value.hint)
