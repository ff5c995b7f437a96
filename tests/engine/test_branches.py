"""What the engine gives an optimizer beside the gradient, and by which parameters it is judged."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from fallline import models, optimizers
from fallline.data.dataset import make_dataset
from fallline.engine.branches import Branch
from fallline.engine.devices import Devices
from fallline.engine.events import Finished
from fallline.engine.feeding import Seeds
from fallline.engine.interface import Arrays
from fallline.engine.population import Population
from fallline.engine.program import Program
from fallline.optimizers import Optimizer, catalogue
from fallline.records import Run
from fallline.task import Task

EPOCHS = 2


@pytest.fixture(autouse=True)
def _forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test defines is gone after it."""
    monkeypatch.setattr(catalogue, "_ENTRIES", dict(catalogue._ENTRIES))


def stepping(update: Any) -> optax.GradientTransformationExtraArgs:
    """An optimizer whose only work is ``update(grads, state, params, **extra)``."""
    return optax.GradientTransformationExtraArgs(lambda params: jnp.zeros((), jnp.int32), update)


def everywhere(params: Any, value: Any) -> Any:
    return jax.tree.map(lambda leaf: jnp.broadcast_to(value, leaf.shape).astype(leaf.dtype), params)


@pytest.fixture(scope="module")
def task() -> Task:
    draw = np.random.default_rng(0)
    x = draw.normal(size=(120, 6)).astype(np.float32)
    y = (x @ draw.normal(size=(6, 3))).argmax(axis=1)
    data = make_dataset(x, y, name="blobs", validation=20, test=20, scaling="zscore")
    return Task(models.MLP(3, (8,)), data, name="blobs", epochs=EPOCHS, batch_size=16)


def trained(task: Task, *entries: Optimizer, seeds: tuple[int, ...] = (0,)) -> list[Finished]:
    """The finished runs, entry by entry and seed by seed, of one program with all as branches."""
    program = Program(task, tuple(map(Branch, entries)), task.batch_size, 1)
    population = Population(program, Seeds("blobs", (0, 1)), Devices.first(1), per_device=2)
    runs = [
        Run(each.name, each.defaults, seed, "search", EPOCHS) for each in entries for seed in seeds
    ]
    done = {
        event.result.run.run_id: event
        for event in population.train(runs, keep_weights=True)
        if isinstance(event, Finished)
    }
    return [done[run.run_id] for run in runs]


def moved(task: Task, finished: Finished) -> list[np.ndarray]:
    """How far each array of the weights is from where it began."""
    begun = Seeds("blobs", (0, 1)).initial(task.pure)[0]
    seed = finished.result.run.seed
    return [
        np.asarray(now) - np.asarray(was)[seed]
        for now, was in zip(jax.tree.leaves(finished.params), jax.tree.leaves(begun), strict=True)
    ]


def test_total_steps_are_those_of_the_whole_training(task: Task) -> None:
    @optimizers.define(needs=["total_steps"])
    def counting(rate: float = 0.001) -> optax.GradientTransformationExtraArgs:
        """Adds the steps of the training at every step."""

        def update(grads: Any, state: Any, params: Any, *, total_steps: Any) -> Any:
            return everywhere(params, rate * total_steps), state

        return stepping(update)

    steps = EPOCHS * 5  # 80 examples in batches of 16
    (finished,) = trained(task, counting)
    assert finished.result.steps == steps
    for change in moved(task, finished):
        np.testing.assert_allclose(change, 0.001 * steps * steps, rtol=1e-4)


def test_every_step_has_its_own_key_and_every_seed_its_own_noise(task: Task) -> None:
    @optimizers.define(needs=["key"])
    def drawing(rate: float = 1.0) -> optax.GradientTransformationExtraArgs:
        """Adds a number drawn between 0 and 1."""

        def update(grads: Any, state: Any, params: Any, *, key: Any) -> Any:
            return everywhere(params, rate * jax.random.uniform(key)), state

        return stepping(update)

    one, other = (moved(task, each)[0].flat[0] for each in trained(task, drawing, seeds=(0, 1)))
    again = moved(task, trained(task, drawing)[0])[0].flat[0]
    assert one == again
    assert abs(one - other) > 1e-3
    first = jax.random.uniform(jax.random.key(0))
    assert abs(one - 10 * first) > 1e-3  # not ten times the same number


def halves(params: Any, state: Any, **settings: Any) -> Any:
    return jax.tree.map(lambda leaf: leaf / settings["divisor"], params)


@pytest.mark.parametrize("beside", [(), ("adam",)], ids=["alone", "as a branch"])
def test_judged_and_kept_are_the_evaluated_parameters(task: Task, beside: tuple[str, ...]) -> None:
    @optimizers.define(evaluated=halves)
    def halved(learning_rate: float = 0.1, divisor: float = 2.0) -> optax.GradientTransformation:
        """Gradient descent that is judged by a part of its parameters."""
        return optax.sgd(learning_rate)

    @optimizers.define()
    def plainly(learning_rate: float = 0.1) -> optax.GradientTransformation:
        """The same, judged by what it trains."""
        return optax.sgd(learning_rate)

    others = tuple(map(optimizers.get, beside))
    finished, *_ = trained(task, halved, *others)
    plain, *_ = trained(task, plainly)
    # The same gradients were seen: what is judged is no part of the training.
    program = Program(task, (Branch(halved),), task.batch_size, 1)
    for kept, whole in zip(
        jax.tree.leaves(finished.params), jax.tree.leaves(plain.params), strict=True
    ):
        np.testing.assert_allclose(kept, whole / 2, rtol=1e-6)
    curve = finished.result.curves
    np.testing.assert_allclose(curve.train_loss, plain.result.curves.train_loss, rtol=1e-6)
    validation = Arrays(task.dataset.validation.x, task.dataset.validation.y)
    loss, _ = program.evaluate(finished.params, finished.state, validation)
    np.testing.assert_allclose(curve.validation_loss[-1], loss, rtol=1e-5)
    assert abs(curve.validation_loss[-1] - plain.result.curves.validation_loss[-1]) > 1e-3
