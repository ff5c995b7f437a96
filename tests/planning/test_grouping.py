"""How a study is cut: every optimizer in one group, calls of a sensible length."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fallline import optimizers
from fallline.planning import grouping
from fallline.planning.grouping import Group, epoch_seconds, groups
from fallline.planning.layout import Machine, Size

SMALL = Size(9_610, 2 * 9_610.0, 1_000, 400)
LARGE = Size(5_000_000, 2 * 5_000_000.0, 50_000, 10_000)
MINI = ("sgd", "momentum", "adam", "nadam", "rmsprop")
FULL = ("gd", "gd_exact", "rprop")


def _groups(size: Size, names=MINI, **settings) -> list[Group]:
    asked = {"epochs": 20, "batch_size": 32, "machine": Machine(2), **settings}
    return groups(optimizers.resolve(names), asked.pop("runs", 26), size=size, **asked)


def _names(made: list[Group]) -> list[tuple[str, ...]]:
    return [group.optimizers for group in made]


def test_small_networks_share_one_program() -> None:
    (group,) = _groups(SMALL)
    assert group.optimizers == MINI
    assert group.batch_size == 32
    assert "save 4.8 s of compiling" in group.reason  # four programs less, of 1.2 s each


def test_large_networks_get_a_program_each() -> None:
    assert _names(_groups(LARGE)) == [(name,) for name in MINI]


def test_a_short_study_of_a_large_network_shares_all_the_same() -> None:
    # 5 optimizers x 1 run x 2 steps: what the branches cost is far below a compilation.
    short = Size(LARGE.parameters, LARGE.flops_per_example, 64, 64)
    assert _names(_groups(short, runs=1, epochs=1)) == [MINI]


def test_more_devices_share_sooner() -> None:
    # The branches' cost is borne by the devices together, the compilations by nobody else.
    size = Size(100_000, 2e5, 3_200, 100)
    alone, many = _groups(size, machine=Machine(1)), _groups(size, machine=Machine(64))
    assert len(alone) == len(MINI)
    assert len(many) == 1


def test_where_runs_are_vmapped_nothing_is_shared() -> None:
    made = _groups(SMALL, machine=Machine(2, "gpu"))
    assert _names(made) == [(name,) for name in MINI]
    assert all("side by side" in group.reason for group in made)


def test_full_batch_optimizers_are_apart_with_all_examples_as_their_batch() -> None:
    made = _groups(SMALL, names=("gd", "sgd", "rprop", "adam", "gd_exact"))
    assert _names(made) == [("sgd", "adam"), ("gd", "rprop", "gd_exact")]
    assert [group.batch_size for group in made] == [32, SMALL.train_examples]


def test_demanding_optimizers_have_programs_of_their_own() -> None:
    made = _groups(SMALL, names=("sgd", "sgd+sam", "cocob", "adam", "shampoo"))
    assert _names(made) == [("sgd", "adam"), ("sgd+sam",), ("cocob",), ("shampoo",)]
    assert "not like the others'" in made[1].reason


def test_many_optimizers_are_dealt_to_several_programs() -> None:
    made = _groups(SMALL, names="all", runs=1, epochs=1)
    shared = [group.optimizers for group in made if len(group.optimizers) > 1]
    mini = [names for names in shared if not optimizers.get(names[0]).full_batch]
    sizes = [len(names) for names in mini]
    assert len(mini) > 2
    assert max(sizes) <= grouping.MOST_BRANCHES
    assert max(sizes) - min(sizes) <= 1
    everyone = [name for group in made for name in group.optimizers]
    assert sorted(everyone) == sorted(optimizers.names())


def test_a_batch_is_never_more_than_the_examples() -> None:
    (group,) = _groups(SMALL, names=("adam",), batch_size=5_000)
    assert group.batch_size == SMALL.train_examples
    assert group.reason == "one optimizer"


def test_an_epochs_estimate_by_hand() -> None:
    # 32 steps of: 25 us, 3 passes x 32 examples x 19,220 flops at 1.6e11 x 32 / (32 + 55) a
    # second, 6,000 bytes of activations an example at 1e10 a second, 1 ns a parameter; and a
    # pass over 400 validation examples.
    size = replace(SMALL, activation_bytes=6_000)
    of_pass = 19_220 / (1.6e11 * 32 / 87) + 2_000 / 1e10
    step = 25e-6 + 3 * 32 * of_pass + 9_610e-9
    expected = 32 * step + 400 * of_pass
    adam = optimizers.resolve("adam")
    assert epoch_seconds(size, 32, 32, adam) == pytest.approx(expected)


def test_line_searches_are_expected_to_take_longer() -> None:
    plain, search = (
        epoch_seconds(SMALL, 1_000, 1, optimizers.resolve(name)) for name in ("gd", "gd_exact")
    )
    assert search > 4 * plain


SIZES = st.builds(
    Size,
    parameters=st.integers(10, 10_000_000),
    flops_per_example=st.floats(10, 1e9),
    train_examples=st.integers(1, 60_000),
    validation_examples=st.integers(0, 10_000),
)


@given(
    size=SIZES,
    names=st.lists(st.sampled_from(MINI + FULL), min_size=1, unique=True),
    runs=st.integers(1, 200),
    epochs=st.integers(1, 300),
    batch_size=st.integers(1, 512),
    devices=st.integers(1, 16),
    platform=st.sampled_from(("cpu", "gpu")),
)
def test_whatever_is_asked_the_groups_are_sane(
    size: Size, names, runs, epochs, batch_size, devices, platform
) -> None:
    made = groups(
        optimizers.resolve(names),
        runs,
        size=size,
        epochs=epochs,
        batch_size=batch_size,
        machine=Machine(devices, platform),
    )
    members = [name for group in made for name in group.optimizers]
    assert sorted(members) == sorted(names)
    for group in made:
        own = optimizers.resolve(group.optimizers)
        assert len({each.full_batch for each in own}) == 1
        full = own[0].full_batch
        assert group.batch_size == (
            size.train_examples if full else min(batch_size, size.train_examples)
        )
        assert group.runs == runs * len(own)
        assert group.layout.per_device >= 1


def test_the_names_used_here_are_of_the_kinds_they_are_used_for() -> None:
    assert all(optimizers.get(name).full_batch for name in FULL)
    assert not any(optimizers.get(name).full_batch for name in MINI)
    assert SMALL.parameters < grouping.FREE_PARAMETERS < LARGE.parameters
