"""Layouts: what is decided from shapes and machine, and the reasons given."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fallline.errors import ResourceError
from fallline.planning import layout as layouts
from fallline.planning.layout import CALL_SECONDS, Layout, Machine, Size, layout

MLP = Size(
    parameters=101_770,
    flops_per_example=2 * 101_770,
    train_examples=50_000,
    validation_examples=10_000,
    example_bytes=784,
    data_bytes=60_000 * 788,
    activation_bytes=7_000,
    state_bytes=5 * 4 * 101_770,
)
CPU, GPU = Machine(2), Machine(1, "gpu", 80 * 10**9)


def _layout(size: Size = MLP, machine: Machine = CPU, **asked) -> Layout:
    given = {"batch": 32, "epochs": 20, "runs": 42, "epoch_seconds": 0.3, **asked}
    return layout(size, machine=machine, **given)


def test_on_a_cpu_runs_go_one_after_another() -> None:
    made = _layout()
    assert (made.kind, made.lanes, made.shards) == ("one after another", 1, 1)
    assert made.epochs_per_call == 2  # 0.3 s each, and a call lasts about 0.7 s
    assert made.resident
    assert "core's cache" in made.reasons[0]


def test_a_gpu_is_filled_by_runs_side_by_side() -> None:
    made = _layout(machine=GPU, runs=300)
    assert (made.kind, made.per_device, made.lanes) == ("side by side", 300, 300)


def test_no_more_runs_than_fit_into_the_memory() -> None:
    # Each run: twice 2.04 MB of state and 32 examples of 7 kB; 60 % of 1 GB less 47 MB of data.
    small = replace(GPU, memory=10**9)
    made = _layout(machine=small, runs=300)
    per_run = 2 * 5 * 4 * 101_770 + 32 * 7_000
    assert made.run_bytes == per_run
    assert made.per_device == (int(0.6e9) - MLP.data_bytes) // per_run == 128
    assert "128 at once fit into 1.0 GB at 4 MB each" in made.reasons


def test_a_run_that_may_not_fit_is_told_of() -> None:
    made = _layout(replace(MLP, stateful=True, activation_bytes=10**6), batch=50_000)
    assert made.per_device == 1
    assert "a run takes about 50.0 GB by estimate and 17.2 GB are free" in made.reasons[1]
    assert not any("may not fit" in reason for reason in _layout().reasons)


def test_fewer_runs_than_devices_share_long_steps() -> None:
    machine = Machine(8)
    heavy = _layout(machine=machine, runs=2, epoch_seconds=100.0, batch=250)
    assert (heavy.kind, heavy.shards, heavy.per_device) == ("shared", 4, 1)
    assert "4 devices share each step" in heavy.reasons[0]


def test_short_steps_are_not_shared() -> None:
    made = _layout(machine=Machine(8), runs=2)  # steps of 0.19 ms
    assert made.shards == 1
    assert "too short to be shared" in made.reasons[0]


@pytest.mark.parametrize("why", ["stateful", "draws"])
def test_what_must_see_its_batch_whole_is_not_shared(why: str) -> None:
    made = _layout(replace(MLP, **{why: True}), Machine(8), runs=1, epoch_seconds=100.0, batch=250)
    assert made.shards == 1
    assert "see a batch whole" in made.reasons[0]


def test_a_team_divides_the_devices() -> None:
    made = _layout(machine=Machine(6), runs=4, epoch_seconds=100.0, batch=250)
    assert made.shards == 1  # 2 devices for each of 4 runs would take 8
    made = _layout(machine=Machine(6), runs=2, epoch_seconds=100.0, batch=250)
    assert made.shards == 3


def test_a_long_epoch_is_cut_into_calls() -> None:
    made = _layout(epoch_seconds=14.0)
    assert (made.per_device, made.epochs_per_call, made.calls_per_epoch) == (1, 1, 20)


def test_a_full_batch_is_one_step_and_cannot_be_cut() -> None:
    made = _layout(epoch_seconds=14.0, batch=50_000)
    assert made.calls_per_epoch == 1
    assert made.micro_batch == layouts.LEAST_MICRO_BATCH
    assert "50,000 are passed 1,024 at a time" in made.reasons[-1]


def test_batch_statistics_need_the_batch_whole() -> None:
    assert _layout(replace(MLP, stateful=True), batch=50_000).micro_batch == 50_000
    assert _layout(replace(MLP, draws=True), batch=50_000).micro_batch == 4096


def test_data_that_does_not_fit_is_streamed() -> None:
    large = replace(MLP, data_bytes=20 * 10**9, example_bytes=150_000, train_examples=130_000)
    made = _layout(large, replace(CPU, memory=8 * 10**9), batch=250, epoch_seconds=60.0)
    assert not made.resident
    of_call = made.per_device * 2 * 250 * 150_000 * -(-520 // made.calls_per_epoch)
    assert of_call <= layouts.STREAMED_BYTES
    assert "20.0 GB of data do not fit beside the runs" in made.reasons[-1]


def test_streamed_examples_that_stay_count_as_memory() -> None:
    # 60 % of 2 GB, less three calls of at most 256 MB; each run takes twice 100 MB of state.
    large = replace(
        MLP, data_bytes=20 * 10**9, train_examples=130_000, state_bytes=10**8, activation_bytes=0
    )
    made = _layout(large, Machine(1, "gpu", 2 * 10**9), runs=300)
    assert made.per_device == (1_200_000_000 - 3 * 256_000_000) // 200_000_000 == 2


def test_a_full_batch_of_streamed_data_is_refused() -> None:
    large = replace(MLP, data_bytes=20 * 10**9, example_bytes=150_000, train_examples=130_000)
    with pytest.raises(ResourceError, match=r"a batch of 130,000 streamed .* 19\.5 GB") as caught:
        _layout(large, replace(CPU, memory=8 * 10**9), batch=130_000)
    assert "smaller --batch-size" in str(caught.value.hint)


@given(
    seconds=st.floats(1e-6, 100),
    epochs=st.integers(1, 300),
    batch=st.integers(1, 50_000),
    runs=st.integers(1, 500),
    devices=st.integers(1, 16),
)
def test_a_call_lasts_about_as_long_as_it_should(
    seconds: float, epochs: int, batch: int, runs: int, devices: int
) -> None:
    made = _layout(
        machine=Machine(devices), epoch_seconds=seconds, epochs=epochs, batch=batch, runs=runs
    )
    steps = -(-MLP.train_examples // batch)
    teams = devices // made.shards
    assert 1 <= made.epochs_per_call <= epochs
    assert 1 <= made.per_device <= -(-runs // teams)
    assert 1 <= made.calls_per_epoch <= steps
    assert made.calls_per_epoch == 1 or made.epochs_per_call == 1
    calls = -(-epochs // made.epochs_per_call)
    assert epochs - (calls - 1) * made.epochs_per_call >= made.epochs_per_call - calls
    of_run = seconds / made.shards * made.epochs_per_call / made.calls_per_epoch
    if made.per_device > 1 or made.epochs_per_call > 1:
        assert made.per_device * of_run < 1.6 * CALL_SECONDS
    if steps > made.calls_per_epoch:
        assert of_run < 3 * CALL_SECONDS
