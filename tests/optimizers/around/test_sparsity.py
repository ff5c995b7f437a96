"""Pruning, sparse training and rounded weights: their equations by hand, and torch's masks."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fallline import optimizers
from fallline.errors import InputError
from fallline.optimizers.around import rule_sparsity, selection
from fallline.optimizers.around.rule_reallocation import reallocated
from proving import Arrays, Hand, Problem, Rule, Step, key_of

RECORD = json.loads((Path(__file__).parents[2] / "golden" / "sparsity.json").read_text())
Settings = dict[str, Any]


# --- selection


def ranked(values: np.ndarray, count: int) -> np.ndarray:
    """Which are the ``count`` largest, the first of equal ones before the others."""
    chosen = np.zeros(values.size, bool)
    chosen[np.argsort(-values.ravel().astype(float), kind="stable")[:count]] = True
    return chosen.reshape(values.shape)


def test_the_largest_are_those_that_sorting_finds_and_the_first_of_equal_ones() -> None:
    draw = np.random.default_rng(3)
    arrays = [draw.integers(0, 6, (5, 4)).astype(np.uint32), np.arange(6, dtype=np.uint32)]
    flat = np.concatenate([each.ravel() for each in arrays])
    find = jax.jit(selection.largest)
    for count in (0, 1, 7, 19, 26):
        found = find([jnp.asarray(a) for a in arrays], jnp.asarray(count))
        joined = np.concatenate([np.ravel(each) for each in found])
        np.testing.assert_array_equal(joined, ranked(flat, count))
    each = find([jnp.asarray(a) for a in arrays], jnp.asarray([9, 2]))
    for found, array, count in zip(each, arrays, (9, 2), strict=True):
        np.testing.assert_array_equal(found, ranked(array, count))


def test_magnitudes_are_in_the_order_of_absolute_values_and_nan_is_above() -> None:
    values = jnp.asarray([0.0, -1e-40, 1e-30, -0.5, 0.75, -3.0, jnp.inf, jnp.nan])
    assert np.all(np.diff(selection.magnitudes(values).astype(float)) > 0)
    assert selection.magnitudes(jnp.asarray(-0.0)) == 0


# --- by hand


def sgd(at: Step, g: Arrays) -> Arrays:
    return {n: at.x[n] - at.h["learning_rate"] * g[n] for n in at.x}


def pruning(at: Step) -> Arrays:
    """Zhu & Gupta 2017, equation 1, of one matrix; masks beside the weights."""
    h, mask = at.h, at.s.setdefault("mask", np.ones_like(at.x["W"]))
    after = sgd(at, {**at.g, "W": at.g["W"] * mask})

    def number(t: int) -> int:
        part = (t / at.total_steps - h["prune_begin"]) / (h["prune_end"] - h["prune_begin"])
        return math.floor(h["prune_times"] * min(max(part, 0.0), 1.0))

    j = number(at.t)
    if j > number(at.t - 1):
        s = (1 - h["prune_density"]) * (1 - (1 - j / h["prune_times"]) ** 3)
        out = round(s * mask.size)
        at.s["mask"] = ranked(np.abs(after["W"] * mask), mask.size - out).astype(float)
    at.s["gone"] = [*at.s.get("gone", []), int(np.sum(at.s["mask"] == 0))]
    return {**after, "W": after["W"] * at.s["mask"]}


def drawn(at: Step, scale: int) -> np.ndarray:
    key = jax.random.fold_in(at.key, rule_sparsity.STREAM)
    bits = np.asarray(jax.random.bits(key, (12,), jnp.uint32)).reshape(4, 3)
    return bits.astype(np.uint64) // scale


def reallocating(at: Step) -> Arrays:
    """Evci et al. 2020, algorithm 1, and SET's random growth, of one matrix."""
    h, x = at.h, at.x["W"]
    t, last = at.t - 1, h["sparse_end"] * at.total_steps
    if t == 0:
        mask = at.s["mask"] = ranked(drawn(at, 2), round(h["sparse_density"] * x.size))
        return {**at.x, "W": x * mask}
    mask = at.s["mask"]
    each = last / h["sparse_times"]
    if h["sparse_growth"] == "none" or t >= last or t // each == (t - 1) // each:
        after = sgd(at, {**at.g, "W": at.g["W"] * mask})
        return {**after, "W": after["W"] * mask}
    share = h["sparse_share"]
    if h["sparse_share_over_time"] == "cosine":
        share *= (1 + math.cos(math.pi * t / last)) / 2
    moved = math.floor(share * mask.sum())
    kept = ranked(np.where(mask, np.abs(x), -1), int(mask.sum()) - moved)
    score = np.abs(at.g["W"]) if h["sparse_growth"] == "gradient" else drawn(at, 2).astype(float)
    grown = ranked(np.where(kept, -1, score), moved)
    at.s["moves"] = at.s.get("moves", 0) + int(np.sum(grown & ~mask))
    at.s["mask"] = kept | grown
    return {**at.x, "W": x * (at.s["mask"] & mask)}


def with_average(rule: Rule) -> Rule:
    """The mean of all parameters after a step beside it."""

    def stepped(at: Step) -> Arrays:
        after = rule(at)
        if rule is not reallocating or at.t > 1:  # the first step only draws
            at.s.setdefault("path", []).append(after)
        return after

    return stepped


def average_without_gaps(x: Arrays, s: Settings, h: Settings) -> Arrays:
    path = s.get("path", [x])
    mean = {n: sum(p[n] for p in path) / len(path) for n in x}
    return {**mean, "W": mean["W"] * s["mask"]}


def in_bits(x: Arrays, s: Settings, h: Settings) -> Arrays:
    """Krishnamoorthi 2018, section 2.2, in the restricted range."""
    levels = 2 ** round(h["rounded_bits"]) / 2 - 1

    def each(v: np.ndarray) -> np.ndarray:
        step = np.max(np.abs(v)) / levels
        return np.rint(v / step) * step

    w = x["W"]
    if h["rounded_scales"] == "output":
        w = np.stack([each(column) for column in w.T], axis=1)
    else:
        w = each(w)
    return {"W": w, "b": each(x["b"]) if h["rounded_biases"] else x["b"]}


def plain(at: Step) -> Arrays:
    return sgd(at, at.g)


def averaged_and_rounded(x: Arrays, s: Settings, h: Settings) -> Arrays:
    path = s["path"]
    return in_bits({n: sum(p[n] for p in path) / len(path) for n in x}, s, h)


RATE = {"learning_rate": 0.1}
PRUNED = {**RATE, "prune_density": 0.3, "prune_begin": 0.15, "prune_end": 0.85}
GROWN = {**RATE, "sparse_density": 0.5, "sparse_share": 0.6, "sparse_end": 0.5}
HAND = [
    *(
        ("sgd+prune", Hand(pruning, PRUNED, {"prune_scope": s, "prune_times": 4}, steps=10))
        for s in ("global", "array")
    ),
    (
        "sgd+polyak_average+prune",
        Hand(
            with_average(pruning),
            {**PRUNED, "polyak_average_start": 0.0},
            {"prune_times": 3},
            steps=10,
            evaluated=average_without_gaps,
        ),
    ),
    *(
        (
            "sgd+sparse",
            Hand(
                reallocating,
                GROWN,
                {"sparse_growth": growth, "sparse_share_over_time": over, "sparse_times": 4},
                steps=10,
            ),
        )
        for growth, over in (
            ("gradient", "cosine"),
            ("random", "constant"),
            ("none", "cosine"),
        )
    ),
    (
        "sgd+polyak_average+sparse",
        Hand(
            with_average(reallocating),
            {**GROWN, "polyak_average_start": 0.0},
            {"sparse_growth": "none", "sparse_densities": "uniform"},
            steps=3,
            evaluated=average_without_gaps,
        ),
    ),
    *(
        (
            "sgd+rounded",
            Hand(
                plain,
                {**RATE, "rounded_bits": bits},
                {"rounded_scales": scales, "rounded_biases": biases},
                evaluated=in_bits,
            ),
        )
        for bits, scales, biases in ((2.0, "array", True), (5.0, "output", False))
    ),
    (
        "sgd+polyak_average+rounded",
        Hand(
            with_average(plain),
            {**RATE, "polyak_average_start": 0.0, "rounded_bits": 3.2},
            steps=4,
            evaluated=averaged_and_rounded,
        ),
    ),
]


def called(pair: tuple[str, Hand]) -> str:
    return "-".join([pair[0], *map(str, pair[1].options.values())])


@pytest.mark.parametrize("pair", HAND, ids=called)
def test_follows_its_equation_by_hand(pair: tuple[str, Hand], prove: Any) -> None:
    prove.by_hand(*pair)


def test_what_is_worked_out_by_hand_prunes_and_replaces() -> None:
    """The proofs above would say little of trainings in which no weight goes or comes."""
    for name, hand in HAND[:1] + HAND[3:5]:
        problem, memory = Problem.drawn(), {}
        entry = optimizers.get(name)
        known = {**entry.complete(hand.settings), **entry.complete_options(hand.options)}
        x = problem.start
        for t in range(1, hand.steps + 1):
            key = key_of(t)
            x = hand.rule(Step(x, problem.gradient(x), memory, t, known, problem, key, 10))
        if "gone" in memory:
            assert memory["gone"][-1] == 8
            assert len(set(memory["gone"])) >= 4
        else:
            assert memory["moves"] >= 2


# --- torch


def at_once(scope: str) -> Any:
    """What is left of arrays when all pruning is done in the first step, jitted."""

    def pruned(density: jax.Array, arrays: list[jax.Array]) -> list[jax.Array]:
        settings = {"prune_density": density, "prune_begin": 0.0, "prune_end": 0.5}
        rule = optimizers.get("sgd+prune").transformation(settings, prune_scope=scope)
        nothing, total = jax.tree.map(jnp.zeros_like, arrays), jnp.asarray(1, jnp.int32)
        updates, _ = rule.update(nothing, rule.init(arrays), arrays, total_steps=total)
        return jax.tree.map(jnp.add, arrays, updates)

    return jax.jit(pruned)


@pytest.mark.parametrize(
    ("scope", "peer"), [("global", "global_unstructured"), ("array", "l1_unstructured")]
)
def test_prunes_what_torch_prunes(scope: str, peer: str, prove: Any) -> None:
    arrays, prune = [jnp.asarray(each) for each in RECORD["arrays"]], at_once(scope)
    for case in RECORD["pruned"]:
        left = prune(1 - case["share"], arrays)
        wanted = [np.array(m) * a for m, a in zip(case[scope], arrays, strict=True)]
        error = max(np.max(np.abs(a - b)) for a, b in zip(left, wanted, strict=True))
        gone = sum(int(np.sum(each == 0)) for each in left)
        assert gone >= 0.09 * 32
        prove.agrees("sgd+prune", f"torch.nn.utils.prune.{peer}, once", float(error), 0.0)


def test_rounds_as_torch_does(prove: Any) -> None:
    array = jnp.asarray(RECORD["arrays"][0], jnp.float32)
    entry = optimizers.get("sgd+rounded")
    state = entry.transformation({}).init([array])
    judged = jax.jit(lambda bits: entry.evaluation_params({"rounded_bits": bits}, [array], state))
    worst = 0.0
    for case in RECORD["rounded"]:
        (found,) = judged(float(case["bits"]))
        worst = max(worst, float(np.max(np.abs(found - np.array(case["values"])))))
        assert len(np.unique(found)) <= 2 ** case["bits"] - 1
    prove.agrees("sgd+rounded", "torch.fake_quantize_per_tensor_affine, float32", worst, 1e-6)


# --- how many weights a layer has


LENET = [(5, 5, 1, 6), (5, 5, 6, 16), (256, 120), (120, 84), (84, 10)]


def by_raising_epsilon(density: float) -> list[float]:
    """The shares by the loop of the RigL authors: the largest that is above 1 becomes full."""
    sizes = [math.prod(shape) for shape in LENET]
    relative = [sum(shape) / size for shape, size in zip(LENET, sizes, strict=True)]
    full: set[int] = set()
    while True:
        rest = [i for i in range(len(LENET)) if i not in full]
        left = density * sum(sizes) - sum(sizes[i] for i in full)
        epsilon = left / sum(sizes[i] * relative[i] for i in rest)
        most = max(rest, key=lambda i: relative[i])
        if epsilon * relative[most] <= 1:
            return [1.0 if i in full else epsilon * relative[i] for i in range(len(LENET))]
        full.add(most)


@pytest.mark.parametrize("density", [0.02, 0.1, 0.5, 0.9])
def test_layers_have_the_shares_of_erdos_renyi_kernels(density: float, x64: None) -> None:
    shares = jax.jit(rule_sparsity.layer_counts, static_argnums=(0, 2))
    found = shares(tuple(LENET), jnp.asarray(density), "erdos_renyi_kernel")
    sizes = [math.prod(shape) for shape in LENET]
    wanted = [round(s * n) for s, n in zip(by_raising_epsilon(density), sizes, strict=True)]
    np.testing.assert_array_equal(found, wanted)
    assert abs(int(np.sum(found)) - density * sum(sizes)) <= 3


@pytest.mark.parametrize("densities", ["uniform", "erdos_renyi_kernel"])
def test_all_weights_are_there_at_a_density_of_one(densities: str) -> None:
    found = rule_sparsity.layer_counts(LENET, jnp.asarray(1.0), densities)
    np.testing.assert_array_equal(found, [math.prod(shape) for shape in LENET])


def test_uniform_is_the_same_share_of_every_layer() -> None:
    found = rule_sparsity.layer_counts(LENET, jnp.asarray(0.1), "uniform")
    np.testing.assert_array_equal(found, [15, 240, 3072, 1008, 84])


def test_new_weights_are_dealt_in_proportion_and_what_does_not_fit_goes_elsewhere() -> None:
    def dealt(number: int, left: list[int], room: list[int]) -> list[int]:
        arrays = (jnp.asarray(each, jnp.int32) for each in (number, left, room))
        return rule_sparsity.grown_per_layer(*arrays).tolist()

    assert dealt(10, [60, 30, 10], [90, 90, 90]) == [6, 3, 1]
    assert dealt(10, [60, 30, 10], [2, 90, 90]) == [2, 7, 1]
    assert dealt(10, [0, 0, 5], [90, 90, 3]) == [7, 0, 3]
    assert dealt(7, [1, 1, 1], [9, 9, 9]) == [2, 3, 2]


def test_weights_go_where_magnitudes_are_large_if_layers_exchange_them() -> None:
    draw = np.random.default_rng(5)
    values = [draw.normal(0, scale, (10, 10)) for scale in (1.0, 0.1)]
    active = [draw.random((10, 10)) < 0.4 for _ in values]
    values = [v * a for v, a in zip(values, active, strict=True)]
    scores = [draw.integers(0, 2**31, v.shape).astype(np.uint32) for v in values]
    arrays = [[jnp.asarray(each) for each in group] for group in (active, values, scores)]
    found = jax.jit(reallocated, static_argnums=4)(*arrays, jnp.asarray(0.3), "reallocated")
    before = [int(each.sum()) for each in active]
    everything = np.sort(
        np.abs(np.concatenate([v[a] for v, a in zip(values, active, strict=True)]))
    )
    bar = everything[math.floor(np.float32(0.3) * sum(before))]
    left = [int(np.sum(np.abs(v) >= bar)) for v in values]
    number = sum(before) - sum(left)
    gained = [round(number * left[0] / sum(left))]
    after = [int(each.sum()) for each in found]
    assert after == [left[0] + gained[0], left[1] + number - gained[0]]
    assert after[0] > before[0]
    for mask, value in zip(found, values, strict=True):
        assert np.all(np.asarray(mask)[np.abs(value) >= bar])


# --- traps


def trained(name: str, settings: Settings, steps: int = 12, **options: Any) -> Any:
    """Parameters after steps on a function whose gradient is nowhere zero."""
    rule = optimizers.get(name).transformation(settings, **options)
    draw = np.random.default_rng(8)
    params = {"W": jnp.asarray(draw.normal(size=(6, 5)), jnp.float32), "b": jnp.ones(5)}
    state = rule.init(params)

    @jax.jit
    def step(params: Any, state: Any, number: Any) -> Any:
        grads = jax.tree.map(lambda p: jnp.cos(3 * p) + 0.1, params)
        extra = {
            "key": jax.random.fold_in(jax.random.key(1), number),
            "total_steps": jnp.asarray(steps, jnp.int32),
            "value_fn": lambda p: sum(jnp.sum(jnp.sin(3 * x) / 3) for x in jax.tree.leaves(p)),
        }
        needed = {key: extra[key] for key in sorted(optimizers.get(name).needs)}
        updates, state = rule.update(grads, state, params, **needed)
        return jax.tree.map(jnp.add, params, updates), state

    for number in range(steps):
        params, state = step(params, state, number)
    return params


@pytest.mark.parametrize(
    ("inside", "wrapper", "options"),
    [("sgd+sam", "prune", {}), ("adamw", "sparse", {"sparse_times": 4})],
)
def test_what_is_gone_is_exactly_zero_and_as_much_is_left_as_was_asked_for(
    inside: str, wrapper: str, options: Settings
) -> None:
    params = trained(f"{inside}+{wrapper}", {f"{wrapper}_density": 0.2}, **options)
    assert np.count_nonzero(params["W"]) == 6
    assert np.count_nonzero(params["b"]) == 5


def test_what_is_inside_is_told_of_the_network_without_what_is_gone() -> None:
    params = {"W": jnp.asarray([[1.0, 2.0], [3.0, 4.0]]), "b": jnp.asarray([5.0])}
    masks = [jnp.asarray([[True, False], [False, True]])]
    given = {"grad": params, "value_fn": lambda p: jnp.sum(p["W"]) + p["b"][0], "key": 7}
    told = rule_sparsity.of_sparse(given, masks)
    np.testing.assert_array_equal(told["grad"]["W"], [[1, 0], [0, 4]])
    np.testing.assert_array_equal(told["grad"]["b"], [5])
    assert told["value_fn"](params) == 10
    assert told["key"] == 7


def test_a_density_of_one_prunes_nothing() -> None:
    dense = trained("adam", {})
    kept = trained("adam+prune", {"prune_density": 1.0})
    for key in dense:
        np.testing.assert_allclose(kept[key], dense[key], rtol=1e-6)


def test_weights_that_begin_at_zero_are_trained_until_pruning_begins() -> None:
    rule = optimizers.get("sgd+prune").transformation({"prune_begin": 0.5})
    params = {"W": jnp.zeros((2, 3)), "b": jnp.zeros(3)}
    ones = jax.tree.map(jnp.ones_like, params)
    total = jnp.asarray(10, jnp.int32)
    updates, _ = rule.update(ones, rule.init(params), params, total_steps=total)
    assert np.count_nonzero(updates["W"]) == 6


@pytest.mark.parametrize("name", ["density", "begin", "end"])
def test_shares_above_one_are_an_error(name: str) -> None:
    with pytest.raises(InputError, match=f"prune_{name} of sgd.prune cannot be"):
        optimizers.get("sgd+prune").complete({f"prune_{name}": 1.5})
