"""Memory that really runs out: in a process of its own, with a limit set by the system."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

CRAMPED = """
    import resource
    from pathlib import Path

    import jax.numpy as jnp
    import numpy as np

    from fallline import models, optimizers
    from fallline.data.dataset import make_dataset
    from fallline.engine.branches import Branch
    from fallline.engine.devices import Devices
    from fallline.engine.feeding import Seeds
    from fallline.engine.events import Finished
    from fallline.engine.population import Population
    from fallline.engine.program import Program
    from fallline.records import Run
    from fallline.task import Task

    draw = np.random.default_rng(0)
    x = draw.normal(size=(4000, 8)).astype(np.float32)
    data = make_dataset(x, (x[:, 0] > 0).astype(int), validation=0, test=0)
    task = Task(models.MLP(2, (4000,)), data, epochs=1, batch_size=4000)  # 64 MB of activations
    seeds = Seeds("task", tuple(range(8)))
    program = Program(task, (Branch(optimizers.get("sgd")),), 4000, 1)
    devices = Devices.first(1)
    runs = [Run("sgd", {"learning_rate": 0.1}, seed, "search", 1) for seed in seeds.seeds]


    def trained(per_device):
        population = Population(program, seeds, devices, per_device=per_device, lanes=per_device)
        done = {
            event.result.run.seed: float(event.result.curves.train_loss[-1])
            for event in population.train(runs)
            if isinstance(event, Finished)
        }
        return population.places, done


    _, expected = trained(1)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + 900_000_000
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    places, done = trained(8)
    assert places < 8, places
    assert sorted(done) == list(range(8))
    for seed, loss in done.items():
        assert abs(loss / expected[seed] - 1) < 1e-5
    print("halved to", places)
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits memory as Linux does")
def test_a_population_that_does_not_fit_is_halved_until_it_does() -> None:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(CRAMPED)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.startswith("halved to")
    assert "out of memory with 8 runs on a device: going on with 4" in done.stderr
