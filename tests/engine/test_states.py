"""Runs that go on from a state are those that were never interrupted, to the bit."""

from __future__ import annotations

from dataclasses import replace

import jax
import numpy as np
import pytest
from flax import linen as nn

from fallline import models, optimizers
from fallline.data.dataset import make_dataset
from fallline.engine.branches import Branch
from fallline.engine.devices import Devices
from fallline.engine.events import Advanced, Finished, Paused, UnderWay
from fallline.engine.feeding import Seeds
from fallline.engine.population import Population
from fallline.engine.program import Program
from fallline.planning.stopping import EarlyStopping
from fallline.records import Run, RunState, Status
from fallline.task import Task

SEEDS = Seeds("blobs", (0, 1, 2))
EPOCHS = 4
CURVES = ("train_loss", "train_metric", "validation_loss", "validation_metric")


class _Noisy(nn.Module):
    """Dropout and batch statistics: a key per step, and a state beside the parameters."""

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        x = nn.BatchNorm(use_running_average=not train)(nn.Dense(6)(x))
        return nn.Dense(3)(nn.Dropout(0.3, deterministic=not train)(x))


def _task(**settings) -> Task:
    draw = np.random.default_rng(0)
    x = draw.normal(size=(120, 6)).astype(np.float32)
    y = (x @ draw.normal(size=(6, 3))).argmax(axis=1)
    data = make_dataset(x, y, name="blobs", validation=20, test=20)
    made = {"model": models.MLP(3, (8,)), "name": "blobs", "epochs": EPOCHS, "batch_size": 16}
    return Task(data=data, **{**made, **settings})


def _runs(*names: str, seeds=(0, 1), rates=(None,), epochs: int = EPOCHS) -> list[Run]:
    return [
        Run(name, optimizers.get(name).complete(_rate(rate)), seed, "search", epochs)
        for name in names
        for rate in rates
        for seed in seeds
    ]


def _rate(rate: float | None) -> dict[str, float]:
    return {} if rate is None else {"learning_rate": rate}


def _population(
    runs: list[Run], task: Task | None = None, *, devices=1, per_device=2, lanes=1, **cut
) -> Population:
    task = task or _task()
    names = dict.fromkeys(run.optimizer for run in runs)
    shards = cut.get("shards", 1)
    if len(jax.devices()) < devices * shards:
        pytest.skip("needs two devices, so two CPU cores")
    made = {"epochs_per_call": 1, "record_steps": True, **cut}
    branches = tuple(Branch(optimizers.get(name)) for name in names)
    program = Program(task, branches, task.batch_size, **made)
    lying = Devices.of(jax.devices()[: devices * shards], shards=shards)
    return Population(program, SEEDS, lying, per_device=per_device, lanes=lanes)


def _whole(population: Population, runs: list[Run]) -> dict[str, Finished]:
    events = population.train(runs, keep_weights=True)
    return {each.result.run.run_id: each for each in events if isinstance(each, Finished)}


def _killed(
    population: Population,
    runs: list[Run],
    calls: int,
    states: dict[str, RunState] | None = None,
    *,
    at_once: bool = False,
) -> tuple[dict[str, Finished], dict[str, RunState]]:
    """What is finished, and the states under way, of a training that ends after ``calls``.

    The states are those that were handed out last, or, ``at_once``, those at the very end.
    """
    done: dict[str, Finished] = {}
    kept = dict(states or {})
    left = calls
    for event in population.train(runs, keep_weights=True, resume=states):
        if isinstance(event, Advanced):
            population.hand_out()
            left -= 1
            if left < 0:
                break
        elif isinstance(event, Finished):
            done[event.result.run.run_id] = event
        else:
            kept |= {state.run_id: state for state in event.states}
    if at_once:
        kept |= {state.run_id: state for state in population.states(10.0)}
    return done, kept


def check_same(ours: dict[str, Finished], theirs: dict[str, Finished]) -> None:
    assert ours.keys() == theirs.keys()
    for run_id, one in ours.items():
        other = theirs[run_id]
        assert one.result.status is other.result.status
        assert one.result.steps == other.result.steps
        assert one.result.diverged_step == other.result.diverged_step
        np.testing.assert_array_equal(one.result.last_finite_loss, other.result.last_finite_loss)
        for name in CURVES:
            mine, yours = (getattr(each.result.curves, name) for each in (one, other))
            np.testing.assert_array_equal(mine, yours)
        np.testing.assert_array_equal(one.step_losses, other.step_losses)
        for tree in ("params", "state"):
            jax.tree.map(np.testing.assert_array_equal, getattr(one, tree), getattr(other, tree))


LAYOUTS = {
    "one device": {},
    "two devices": {"devices": 2},
    "side by side": {"per_device": 4, "lanes": 4},
    "shared": {"shards": 2, "per_device": 1},
    "epochs in calls": {"calls_per_epoch": 3},
    "calls of epochs": {"epochs_per_call": 2},
}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_a_killed_training_goes_on_to_the_same_end(layout: dict) -> None:
    runs = _runs("adam", "momentum", epochs=EPOCHS * layout.get("epochs_per_call", 1))
    population = _population(runs, **layout)
    expected = _whole(population, runs)
    draw = np.random.default_rng(5)
    resumed = 0
    for at, calls in enumerate(1 + draw.permutation(6)[:3]):
        done, states = _killed(population, runs, int(calls), at_once=at % 2 == 1)
        left = [run for run in runs if run.run_id not in done]
        resumed += sum(run.run_id in states for run in left)
        events = population.train(left, keep_weights=True, resume=states)
        again = {each.result.run.run_id: each for each in events if isinstance(each, Finished)}
        assert not done.keys() & again.keys()
        check_same(done | again, expected)
    assert resumed >= 2


CASES = {
    "dropout and batch statistics": (["adam"], {"model": _Noisy()}),
    "matrices": (["shampoo"], {}),
    "schedule": (["adam+cosine"], {}),
    "judged elsewhere": (["schedule_free_adamw"], {}),
    "own noise": (["noisy_sgd"], {}),
}


@pytest.mark.parametrize(("names", "settings"), CASES.values(), ids=CASES)
def test_every_kind_of_state_is_kept(names: list[str], settings: dict) -> None:
    runs = _runs(*names)
    population = _population(runs, _task(**settings), calls_per_epoch=3, epochs_per_call=1)
    expected = _whole(population, runs)
    for calls in (1, 4, 8):
        done, states = _killed(population, runs, calls)
        assert states
        left = [run for run in runs if run.run_id not in done]
        again, _ = _killed(population, left, 100, states)
        check_same(done | again, expected)


def test_killed_again_and_again_a_training_comes_to_its_end() -> None:
    runs = _runs("adam", "sgd", seeds=(0, 1, 2))
    population = _population(runs, calls_per_epoch=3)
    expected = _whole(population, runs)
    done: dict[str, Finished] = {}
    states: dict[str, RunState] = {}
    lives = 0
    while len(done) < len(runs):
        left = [run for run in runs if run.run_id not in done]
        more, states = _killed(population, left, 4, states, at_once=True)
        done |= more
        lives += 1
        assert lives < 40, "no life gets any further"
    assert lives > 5
    check_same(done, expected)


def test_a_state_belongs_to_no_layout() -> None:
    # 80 examples in batches of 16, 5 steps: cut after 2 and 4 there, after 3 or not at all here.
    made = _task(model=_Noisy())
    runs = _runs("adam", "momentum")
    cut = _population(runs, made, calls_per_epoch=3)
    expected = _whole(cut, runs)
    done, states = _killed(cut, runs, 3, at_once=True)
    assert not done
    steps = {int(state.arrays["carry.health.step"]) for state in states.values()}
    assert any(step % 5 for step in steps), "no state is inside an epoch"
    others = (
        _population(runs, made, calls_per_epoch=2),
        _population(runs, made, epochs_per_call=3, per_device=4),
        _population(_runs("momentum"), made),  # without the other optimizer's slots
    )
    for population in others:
        names = {branch.optimizer.name for branch in population.program.branches}
        own = [run for run in runs if run.optimizer in names]
        again, _ = _killed(population, own, 100, states)
        assert len(again) == len(own)
        for run in own:
            np.testing.assert_allclose(
                again[run.run_id].step_losses, expected[run.run_id].step_losses, rtol=1e-6
            )
            assert again[run.run_id].result.steps == expected[run.run_id].result.steps


def test_early_stopping_waits_on_where_it_was() -> None:
    stopping = EarlyStopping("train_loss", min_delta=0.05, patience=3)
    runs = _runs("adam", rates=(1e-2, 1e-6), epochs=12)
    population = _population(runs, stopping=stopping, calls_per_epoch=2)
    expected = _whole(population, runs)
    assert {each.result.status for each in expected.values()} >= {Status.STOPPED_EARLY}
    for calls in (3, 6, 11):
        done, states = _killed(population, runs, calls, at_once=calls == 6)
        left = [run for run in runs if run.run_id not in done]
        again, _ = _killed(population, left, 100, states)
        check_same(done | again, expected)


def test_a_diverged_run_stays_diverged() -> None:
    draw = np.random.default_rng(1)
    x = draw.normal(size=(120, 6)).astype(np.float32)
    data = make_dataset(x, x @ draw.normal(size=6), kind="regression", validation=20, test=20)
    task = Task(models.MLP(1, (8,)), data, name="blobs", epochs=EPOCHS, batch_size=16)
    runs = _runs("sgd", rates=(1e-2, 1e4))
    population = _population(runs, task, calls_per_epoch=3)
    expected = _whole(population, runs)
    assert sum(each.result.status is Status.DIVERGED for each in expected.values()) == 2
    # Stopped at once after the first call: runs that ended in it are not handed out yet.
    done, states = _killed(population, runs, 0, at_once=True)
    assert not done
    stopped = [bool(state.arrays["carry.health.stopped"]) for state in states.values()]
    assert any(stopped)
    again, _ = _killed(population, runs, 100, states)
    check_same(again, expected)


def test_a_state_of_another_training_is_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    runs = _runs("adam", seeds=(0,))
    population = _population(runs)
    _, states = _killed(population, runs, 2)
    (state,) = states.values()
    ours = population._states
    (held,) = [ours.read(runs[0], state)]
    assert held is not None
    assert not caplog.records
    short = {name: array for name, array in state.arrays.items() if "kernel" not in name}
    wrong = state.arrays | {"carry.health.epoch": np.int32(3)}
    wide = {name: np.asarray(array, np.float64) for name, array in state.arrays.items()}
    for damaged in (short, wrong, wide):
        assert ours.read(runs[0], replace(state, arrays=damaged)) is None
    others = (
        _population(runs, _task(batch_size=8)),
        _population(runs, _task(l2=0.1)),
        _population(runs, record_steps=False),
        _population(runs, stopping=EarlyStopping()),
    )
    for other in others:
        assert other._states.read(runs[0], state) is None
    assert ours.read(replace(runs[0], seed=1), state) is None
    assert len(caplog.records) == 8
    assert "of another training: it begins anew" in caplog.text


def test_a_state_is_that_of_the_run_alone() -> None:
    runs = _runs("sgd", "adam", seeds=(0,))
    _, states = _killed(_population(runs), runs, 2)
    sgd, adam = (states[run.run_id] for run in runs)
    assert sgd.nbytes < adam.nbytes / 2, "sgd's state holds adam's moments"


def test_nothing_is_handed_out_unless_asked_for() -> None:
    runs = _runs("sgd", seeds=(0,))
    assert not any(isinstance(event, UnderWay) for event in _population(runs).train(runs))


def _in_pieces(
    population: Population, runs: list[Run], rungs: tuple[int, ...]
) -> tuple[dict[str, Finished], dict[str, Paused]]:
    """The runs trained from rung to rung, and how they were at the last one."""
    done: dict[str, Finished] = {}
    paused: dict[str, Paused] = {}
    for until in (*rungs, 0):
        left = [run for run in runs if run.run_id not in done]
        states = {run_id: each.state for run_id, each in paused.items()}
        for event in population.train(left, keep_weights=True, resume=states, until=until):
            if isinstance(event, Finished):
                done[event.result.run.run_id] = event
            elif isinstance(event, Paused):
                assert event.result.status is Status.WAITING
                assert event.result.epochs_trained == until
                paused[event.result.run.run_id] = event
    return done, paused


PIECES = {
    "one device": {},
    "two devices": {"devices": 2},
    "side by side": {"per_device": 4, "lanes": 4},
    "epochs in calls": {"calls_per_epoch": 3},
    "calls of epochs": {"epochs_per_call": 3},
}


@pytest.mark.parametrize("layout", PIECES.values(), ids=PIECES)
def test_a_training_from_rung_to_rung_is_that_of_one_piece(layout: dict) -> None:
    runs = _runs("adam", "momentum", seeds=(0, 1, 2))
    population = _population(runs, **layout)
    expected = _whole(population, runs)
    done, paused = _in_pieces(population, runs, (1, 3))
    assert paused.keys() == done.keys()
    check_same(done, expected)
    for run_id, each in paused.items():
        curves = [getattr(of.result.curves, CURVES[2]) for of in (each, expected[run_id])]
        np.testing.assert_array_equal(curves[0], curves[1][:3])
        assert each.result.steps == 3 * population.program.steps_per_epoch


def test_whoever_ended_before_a_rung_does_not_wait_there() -> None:
    stopping = EarlyStopping("train_loss", min_delta=0.05, patience=2)
    runs = _runs("adam", rates=(1e-2, 1e-6), epochs=12)
    population = _population(runs, stopping=stopping, epochs_per_call=2)
    expected = _whole(population, runs)
    done, paused = _in_pieces(population, runs, (2, 5))
    check_same(done, expected)
    early = {run_id for run_id, each in expected.items() if each.result.epochs_trained <= 5}
    assert early
    assert not early & {run for run, each in paused.items() if each.result.epochs_trained == 5}


def test_a_state_at_the_rung_or_beyond_it_waits_without_training() -> None:
    runs = _runs("adam", seeds=(0,))
    population = _population(runs)
    _, states = _killed(population, runs, 2, at_once=True)
    (state,) = states.values()
    assert state.epochs == 3
    (event,) = population.train(runs, resume=states, until=2)
    assert isinstance(event, Paused)
    assert event.state is state
    assert (event.result.epochs_trained, event.result.steps) == (2, 10)


def test_the_bytes_of_an_optimizers_state_are_counted() -> None:
    population = _population(_runs("sgd", "momentum", "adam"))
    weights = population.program.task.pure.parameters * 4
    found = {name: population.state_bytes(name) for name in ("sgd", "momentum", "adam")}
    assert found["sgd"] < 16
    assert weights <= found["momentum"] < weights + 16
    assert 2 * weights <= found["adam"] < 2 * weights + 16
