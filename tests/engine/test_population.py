"""A population's contract: its numbers are those of a plain loop, whoever trains beside it."""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn

from fallline import losses, models, optimizers
from fallline.data.dataset import make_dataset
from fallline.engine import ordering
from fallline.engine.branches import Branch
from fallline.engine.calling import Calls
from fallline.engine.devices import Devices
from fallline.engine.events import Advanced, Finished
from fallline.engine.feeding import Seeds
from fallline.engine.population import Population
from fallline.engine.program import Program
from fallline.errors import ResourceError
from fallline.planning.stopping import EarlyStopping
from fallline.records import Run, RunResult, Status
from fallline.task import Task

SEEDS = Seeds("blobs", (0, 1, 2))
EPOCHS = 3


def _task(**settings) -> Task:
    draw = np.random.default_rng(0)
    x = draw.normal(size=(120, 6)).astype(np.float32)
    y = (x @ draw.normal(size=(6, 3))).argmax(axis=1)
    data = make_dataset(x, y, name="blobs", validation=20, test=20, scaling="zscore")
    return Task(models.MLP(3, (8,)), data, name="blobs", epochs=EPOCHS, batch_size=32, **settings)


def _runs(*names: str, seeds=(0, 1), rate: float | None = None) -> list[Run]:
    made = []
    for name in names:
        optimizer = optimizers.get(name)
        setting = optimizer.complete({} if rate is None else {"learning_rate": rate})
        made += [Run(name, setting, seed, "search", EPOCHS, optimizer.full_batch) for seed in seeds]
    return made


def _train(
    runs: list[Run],
    *,
    task: Task | None = None,
    devices: Devices | None = None,
    per_device=2,
    per_call=2,
    batch_size=None,
    stopping=None,
    lanes=1,
    **cut,
) -> dict[str, Finished]:
    task = task or _task()
    branches = tuple(
        Branch(optimizers.get(name)) for name in dict.fromkeys(r.optimizer for r in runs)
    )
    program = Program(
        task, branches, batch_size or task.batch_size, per_call, stopping, True, **cut
    )
    devices = devices or Devices.first(1)
    population = Population(program, SEEDS, devices, per_device=per_device, lanes=lanes)
    done = [
        event for event in population.train(runs, keep_weights=True) if isinstance(event, Finished)
    ]
    assert len(done) == len(runs)
    return {event.result.run.run_id: event for event in done}


def check_same(one: Finished, other: Finished, rtol: float) -> None:
    np.testing.assert_allclose(one.step_losses, other.step_losses, rtol=rtol)
    for ours, theirs in zip(
        jax.tree.leaves(one.params), jax.tree.leaves(other.params), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=rtol)


def _by_optax(run: Run, task: Task, transformation: optax.GradientTransformation) -> np.ndarray:
    """The losses of a plain training loop: no scan, no population, Optax's own rule."""
    data = task.dataset
    key = Seeds("blobs", (run.seed,)).initial(task.pure)
    params = jax.tree.map(lambda leaf: leaf[0], key)[0]
    x = (data.train.x - data.input_offset) * data.input_scale
    state = transformation.init(params)

    def objective(params, x, y):
        out = models.MLP(3, (8,)).apply({"params": params}, x)
        return jnp.mean(losses.softmax_cross_entropy(out, y))

    @jax.jit
    def step(params, state, x, y):
        loss, grads = jax.value_and_grad(objective)(params, x, y)
        updates, state = transformation.update(grads, state, params)
        return optax.apply_updates(params, updates), state, loss

    found = []
    for epoch in range(run.epochs):
        order = ordering.epoch_order(0, "blobs", run.seed, epoch, len(x))
        for start in range(0, len(x), task.batch_size):
            batch = order[start : start + task.batch_size]
            params, state, loss = step(params, state, x[batch], data.train.y[batch])
            found.append(float(loss))
    return np.asarray(found)


def test_losses_are_those_of_a_plain_optax_loop() -> None:
    # 80 examples in batches of 32: the last batch of an epoch holds 16.
    task = _task()
    done = _train(_runs("sgd", "adam"), task=task)
    rules = {"sgd": optax.sgd(0.01), "adam": optax.adam(1e-3)}
    for event in done.values():
        expected = _by_optax(event.result.run, task, rules[event.result.run.optimizer])
        assert event.result.steps == EPOCHS * 3
        np.testing.assert_allclose(event.step_losses, expected, rtol=2e-5)


def test_an_epochs_training_loss_is_the_mean_over_its_examples() -> None:
    # Batches of 32, 32 and 16 of 80 examples: the last weighs half as much.
    run = _runs("sgd", seeds=(0,), rate=0.5)[0]
    event = _train([run])[run.run_id]
    by_epoch = event.step_losses.reshape(EPOCHS, 3)
    expected = by_epoch @ np.array([32, 32, 16]) / 80
    np.testing.assert_allclose(event.result.curves.train_loss, expected, rtol=1e-6)
    assert np.abs(by_epoch.mean(axis=1) / expected - 1).max() > 1e-3


def test_a_run_does_not_depend_on_its_neighbours() -> None:
    names = ("sgd", "momentum", "rmsprop", "adam", "adagrad")
    run = _runs("adam", seeds=(1,))[0]
    alone = _train([run], per_device=1)[run.run_id]
    among = _train(_runs(*names, seeds=(0, 1, 2)), per_device=4)[run.run_id]
    np.testing.assert_array_equal(alone.result.curves.train_loss, among.result.curves.train_loss)
    check_same(alone, among, rtol=0)


def test_one_device_and_two_give_the_same_numbers() -> None:
    if len(jax.devices()) < 2:
        pytest.skip("needs two devices, so two CPU cores")
    runs = _runs("sgd", "adam", "nadam", seeds=(0, 1, 2))
    one, two = _train(runs, devices=Devices.first(1)), _train(runs, devices=Devices.first(2))
    for run in runs:
        check_same(one[run.run_id], two[run.run_id], rtol=0)


def test_segments_do_not_change_the_numbers() -> None:
    runs = _runs("adam", "momentum")
    whole, parts = _train(runs, per_call=EPOCHS), _train(runs, per_call=1)
    for run in runs:
        check_same(whole[run.run_id], parts[run.run_id], rtol=0)


def test_mapped_and_vmapped_runs_agree() -> None:
    runs = _runs("adam", "rmsprop")
    mapped, vmapped = _train(runs), _train(runs, lanes=2)
    for run in runs:
        check_same(mapped[run.run_id], vmapped[run.run_id], rtol=1e-5)


def test_branches_give_what_a_program_per_optimizer_gives() -> None:
    runs = _runs("sgd", "adadelta", "adam", "nadam")
    together = _train(runs)
    for run in runs:
        check_same(together[run.run_id], _train([run])[run.run_id], rtol=1e-6)


def test_optimizers_are_paired() -> None:
    first = {}
    for event in _train(_runs("sgd", "adam", "rmsprop")).values():
        first.setdefault(event.result.run.seed, set()).add(float(event.step_losses[0]))
    assert all(len(values) == 1 for values in first.values())
    assert first[0] != first[1]


class _Dropping(nn.Module):
    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        return nn.Dense(3)(nn.Dropout(0.5, deterministic=not train)(x))


def test_dropout_is_paired_too() -> None:
    task = replace(_task(), data=_task().dataset, model=_Dropping())
    first: dict[int, set[float]] = {}
    for event in _train(_runs("sgd", "adam"), task=task).values():
        first.setdefault(event.result.run.seed, set()).add(float(event.step_losses[0]))
    assert all(len(losses) == 1 for losses in first.values())


def test_a_diverged_run_leaves_its_neighbours_alone() -> None:
    task = _task()
    task = replace(task, data=_regression(), model=models.MLP(1, (8,)), loss="mse")
    wild, calm = _runs("sgd", seeds=(0,), rate=1e4)[0], _runs("sgd", seeds=(0,))[0]
    done = _train([wild, calm], task=task)
    broken, fine = done[wild.run_id].result, done[calm.run_id].result
    assert broken.status is Status.DIVERGED
    assert broken.steps == broken.diverged_step + 1 < 3  # frozen where it broke
    assert np.isfinite(broken.last_finite_loss)
    assert broken.epochs_trained == 1
    assert fine.status is Status.DONE
    check_same(done[calm.run_id], _train([calm], task=task)[calm.run_id], rtol=0)


def _regression():
    draw = np.random.default_rng(1)
    x = draw.normal(size=(120, 6)).astype(np.float32)
    y = x @ draw.normal(size=6) + 0.1 * draw.normal(size=120)
    return make_dataset(x, y, name="line", kind="regression", validation=20, test=20)


def test_full_batch_in_parts_is_the_full_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = _runs("gd", "gd_backtracking", "rprop", seeds=(0,))
    whole = _train(runs, batch_size=80)
    monkeypatch.setattr("fallline.engine.program.MICRO_BATCH", 33)
    parts = _train(runs, batch_size=80)
    for run in runs:
        assert whole[run.run_id].result.steps == EPOCHS
        check_same(whole[run.run_id], parts[run.run_id], rtol=1e-5)


def test_one_program_serves_every_setting() -> None:
    task = _task()
    program = Program(task, (Branch(optimizers.get("adam")),), 32, EPOCHS)
    population = Population(program, SEEDS, Devices.first(1), per_device=2)
    runs = [run for rate in (1e-4, 1e-3, 1e-2) for run in _runs("adam", rate=rate)]
    traces = []
    original = Program.segment

    def counted(self, *args):
        traces.append(1)
        return original(self, *args)

    Program.segment = counted  # type: ignore[method-assign]
    try:
        results = [event for event in population.train(runs) if isinstance(event, Finished)]
    finally:
        Program.segment = original  # type: ignore[method-assign]
    assert len(results) == 6
    assert len(traces) == 1


def test_validation_figures_are_those_of_the_weights() -> None:
    task = _task()
    run = _runs("adam", seeds=(0,), rate=0.05)[0]
    event = _train([run], task=task)[run.run_id]
    split, data = task.dataset.validation, task.dataset
    out = models.MLP(3, (8,)).apply(
        {"params": event.params}, (split.x - data.input_offset) * data.input_scale
    )
    expected = float(jnp.mean(losses.softmax_cross_entropy(out, split.y)))
    right = float(np.mean(np.asarray(out).argmax(axis=1) == split.y))
    curves = event.result.curves
    assert curves.validation_loss[-1] == pytest.approx(expected, rel=1e-5)
    assert curves.validation_metric[-1] == pytest.approx(right)
    assert _finite(event.result)


def _finite(result: RunResult) -> bool:
    return all(
        np.isfinite(getattr(result.curves, name)).all()
        for name in ("train_loss", "train_metric", "validation_loss", "validation_metric")
    )


def test_a_call_is_timed_after_its_compilation() -> None:
    program = Program(_task(), (Branch(optimizers.get("adam")),), 32, 20)
    population = Population(program, SEEDS, Devices.first(1))
    run = _runs("adam", seeds=(0,))[0]
    population.seconds([run], 1)
    assert 0 < population.seconds([run], 20) < 1


def test_an_epoch_cut_into_calls_is_the_same_epoch() -> None:
    # 3 steps an epoch: calls of 2 and 1.
    runs = _runs("adam", "momentum")
    whole, cut = _train(runs, per_call=1), _train(runs, per_call=1, calls_per_epoch=2)
    for run in runs:
        check_same(whole[run.run_id], cut[run.run_id], rtol=0)
        for name in ("train_loss", "train_metric", "validation_loss", "validation_metric"):
            np.testing.assert_array_equal(
                getattr(whole[run.run_id].result.curves, name),
                getattr(cut[run.run_id].result.curves, name),
            )


def test_one_run_shared_by_two_devices_has_the_same_numbers() -> None:
    if len(jax.devices()) < 2:
        pytest.skip("needs two devices, so two CPU cores")
    # L-BFGS and AdaHessian differentiate the loss themselves, once and twice; Adam's turn is below.
    runs = _runs("lbfgs", "adahessian", seeds=(0,))
    for run in runs:
        size = 80 if run.full_batch else None
        alone = _train([run], batch_size=size)[run.run_id]
        team = Devices.of(jax.devices()[:2], shards=2)
        shared = _train([run], devices=team, per_device=1, batch_size=size, shards=2)[run.run_id]
        check_same(alone, shared, rtol=1e-5)
        for name in ("train_metric", "validation_loss", "validation_metric"):
            np.testing.assert_allclose(
                getattr(alone.result.curves, name),
                getattr(shared.result.curves, name),
                rtol=1e-5,
            )


def test_a_batch_that_does_not_divide_is_shared_all_the_same() -> None:
    if len(jax.devices()) < 2:
        pytest.skip("needs two devices, so two CPU cores")
    run = _runs("sgd", seeds=(0,))[0]
    team = Devices.of(jax.devices()[:2], shards=2)
    # 80 examples in batches of 27: 27, 27, 26; the devices take 14 and 13 or 12.
    alone = _train([run], batch_size=27)[run.run_id]
    shared = _train([run], devices=team, per_device=1, batch_size=27, shards=2)[run.run_id]
    check_same(alone, shared, rtol=1e-5)


def test_a_batch_smaller_than_its_team_leaves_a_device_idle() -> None:
    if len(jax.devices()) < 2:
        pytest.skip("needs two devices, so two CPU cores")
    run = _runs("adam", seeds=(0,))[0]
    team = Devices.of(jax.devices()[:2], shards=2)
    # 80 examples in batches of 79: the last one is of 1.
    alone = _train([run], batch_size=79)[run.run_id]
    shared = _train([run], devices=team, per_device=1, batch_size=79, shards=2)[run.run_id]
    check_same(alone, shared, rtol=1e-5)


def test_steps_are_timed_without_evaluations() -> None:
    program = Program(_task(), (Branch(optimizers.get("adam")),), 32, 1)
    population = Population(program, SEEDS, Devices.first(1))
    evaluated = []
    original = Calls.queue

    def watched(self, flight, **how):
        original(self, flight, **how)
        evaluated.append(bool(np.isfinite(flight.figures.epochs[0, 0, 2:]).all()))

    run = _runs("adam", seeds=(0,))[0]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Calls, "queue", watched)
        population.seconds([run], 1)
        list(population.train([run]))
    assert evaluated == [False, True, True, True]


STOPPING = EarlyStopping("train_loss", min_delta=0.01, patience=1)


def _stopping_runs() -> list[Run]:
    """Pairs of runs: the first goes on for a while, the second stops at once."""
    pairs = ((1e-2, 1e-6), (3e-3, 2e-6), (2e-2, 3e-6), (5e-3, 4e-6))
    rates = [rate for pair in pairs for rate in pair]
    return [
        replace(_runs("adam", seeds=(at % 3,), rate=rate)[0], epochs=30)
        for at, rate in enumerate(rates)
    ]


@pytest.mark.parametrize(
    ("lanes", "rtol"), [(1, 0.0), pytest.param(4, 1e-5, marks=pytest.mark.slow)]
)
def test_packed_again_after_others_stopped_the_numbers_stay(
    lanes: int, rtol: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = _stopping_runs()
    monkeypatch.setattr("fallline.engine.packing.worth", lambda *, saved, cost: saved > 0)
    program = Program(_task(), (Branch(optimizers.get("adam")),), 32, 2, STOPPING, True)
    population = Population(
        program, SEEDS, Devices.all(), per_device=8 // Devices.all().count, lanes=lanes
    )
    done = {
        event.result.run.run_id: event
        for event in population.train(runs, keep_weights=True)
        if isinstance(event, Finished)
    }
    assert population.packed > 0
    assert len({event.result.epochs_trained for event in done.values()}) > 2
    for run in runs:
        alone = _train([run], per_device=1, stopping=STOPPING)[run.run_id]
        assert alone.result.epochs_trained == done[run.run_id].result.epochs_trained
        check_same(alone, done[run.run_id], rtol=rtol)


def test_a_freed_place_is_taken_by_the_next_run() -> None:
    runs = _stopping_runs()
    program = Program(_task(), (Branch(optimizers.get("adam")),), 32, 1, STOPPING, True)
    population = Population(program, SEEDS, Devices.first(1), per_device=2)
    seen: set[str] = set()
    ages = []
    for event in population.train(runs):
        if isinstance(event, Advanced):
            ages.append(len(set(event.epochs)))
            seen |= {run.run_id for run in event.runs}
            if len(seen) < len(runs) - 2:  # two may be under way and not told of
                assert len(event.runs) == 2, "a place stood empty while a run waited"
    assert len(seen) == len(runs)
    assert max(ages) == 2, "runs of different ages never shared a call"


class _Exhausted:
    """A compiled call on a device that has memory for only so many places."""

    def __init__(self, call, places: int, fits: int) -> None:
        self.call, self.places, self.fits = call, places, fits

    def __call__(self, *inputs):
        if self.places > self.fits:
            raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating")
        return self.call(*inputs)


def _cramped(fits: int, monkeypatch: pytest.MonkeyPatch, per_device: int = 4) -> Population:
    original = Calls.compile

    def compile_(self, places):
        original(self, places)
        for count, call in self._compiled.items():
            if not isinstance(call, _Exhausted):
                self._compiled[count] = _Exhausted(call, count, fits)

    monkeypatch.setattr(Calls, "compile", compile_)
    program = Program(_task(), (Branch(optimizers.get("adam")),), 32, 2, None, True)
    return Population(program, SEEDS, Devices.first(1), per_device=per_device)


def test_out_of_memory_halves_the_population_and_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    runs = [run for rate in (1e-3, 1e-2) for run in _runs("adam", seeds=(0, 1, 2), rate=rate)]
    expected = _train(runs)
    population = _cramped(1, monkeypatch)
    done = [
        event for event in population.train(runs, keep_weights=True) if isinstance(event, Finished)
    ]
    assert population.places == 1
    assert "out of memory with 4 runs on a device: going on with 2" in caplog.text
    assert sorted(event.result.run.run_id for event in done) == sorted(r.run_id for r in runs)
    for event in done:
        check_same(expected[event.result.run.run_id], event, rtol=0)


def test_a_run_that_does_not_fit_alone_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    population = _cramped(0, monkeypatch)
    with pytest.raises(ResourceError, match=r"one run of 'blobs' does not fit .*batch size 32"):
        list(population.train(_runs("adam")))


def test_other_errors_of_the_device_are_not_taken_for_lack_of_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    population = _cramped(4, monkeypatch)

    def broken(self, *inputs):
        raise jax.errors.JaxRuntimeError("INTERNAL: device lost")

    monkeypatch.setattr(_Exhausted, "__call__", broken)
    with pytest.raises(jax.errors.JaxRuntimeError, match="device lost"):
        list(population.train(_runs("adam")))
    assert population.places == 4
