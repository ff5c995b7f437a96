"""What every entry of the catalogue keeps, whatever its rule: one suite, no entry singled out."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fallline import optimizers
from fallline.optimizers import Optimizer

ENTRIES = optimizers.resolve("all")
every_entry = pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)

PULL = {"W": np.array([[0.5, -0.2, 0.1], [0.3, 0.0, -0.4]]), "b": np.array([0.2, -0.3])}
CURVATURE = {"W": np.array([[1.0, 2.0, 0.5], [1.5, 1.0, 3.0]]), "b": np.array([0.7, 1.2])}


def start(dtype: Any = np.float32) -> dict[str, jax.Array]:
    return {"W": jnp.zeros((2, 3), dtype), "b": jnp.full((2,), 0.1, dtype)}


def bowl(params: Any) -> jax.Array:
    """A convex quadratic with its minimum, 0, at ``PULL``."""
    parts = jax.tree.map(
        lambda p, a, c: jnp.sum(a.astype(p.dtype) * (p - c.astype(p.dtype)) ** 2),
        params,
        CURVATURE,
        PULL,
    )
    return sum(jax.tree.leaves(parts)) / 2


def stepper(entry: Optimizer, rule: Any, f: Any = bowl) -> Any:
    """One step, ``(params, state) -> (params, state)``, as a training loop takes it."""

    def step(params: Any, state: Any) -> tuple[Any, Any]:
        value, grads = jax.value_and_grad(f)(params)
        extra = {"value": value, "grad": grads, "value_fn": f}
        updates, state = rule.update(
            grads, state, params, **{name: extra[name] for name in sorted(entry.needs)}
        )
        return jax.tree.map(jnp.add, params, updates), state

    return step


def trained(entry: Optimizer, settings: Mapping[str, Any], params: Any, steps: int) -> Any:
    """Parameters, and the loss before each step."""
    rule = entry.transformation(settings)
    step = stepper(entry, rule)

    def body(carry: Any, _: None) -> tuple[Any, jax.Array]:
        return step(*carry), bowl(carry[0])

    (params, _), losses = jax.lax.scan(body, (params, rule.init(params)), None, length=steps)
    return params, losses


def different(entry: Optimizer, factor: float) -> dict[str, Any]:
    """The defaults with the first hyper-parameter, where there is one, changed."""
    settings = entry.defaults
    for name in list(settings)[:1]:
        settings[name] *= factor
    return settings


def as_arrays(settings: Mapping[str, float], dtype: Any = np.float32) -> dict[str, jax.Array]:
    return {name: jnp.asarray(value, dtype) for name, value in settings.items()}


def assert_same(left: Any, right: Any, **tolerance: float) -> None:
    for one, other in zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True):
        np.testing.assert_allclose(one, other, **tolerance)


@every_entry
@pytest.mark.parametrize(
    ("params_dtype", "settings_dtype"),
    [
        ("float32", "float32"),
        ("float64", "float64"),
        ("float64", "float32"),
        ("float32", "float64"),
    ],
)
def test_a_step_keeps_structure_shapes_and_dtypes(
    entry: Optimizer, params_dtype: str, settings_dtype: str, x64: None
) -> None:
    settings = {name: jax.ShapeDtypeStruct((), settings_dtype) for name in entry.defaults}
    params = jax.eval_shape(lambda: start(params_dtype))

    def begin(settings: Any, params: Any) -> Any:
        return params, entry.transformation(settings).init(params)

    def step(settings: Any, params: Any, state: Any) -> Any:
        return stepper(entry, entry.transformation(settings))(params, state)

    before = jax.eval_shape(begin, settings, params)
    after = jax.eval_shape(step, settings, *before)
    assert jax.tree.structure(after) == jax.tree.structure(before)
    assert jax.tree.leaves(after) == jax.tree.leaves(before)
    assert {leaf.dtype.name for leaf in jax.tree.leaves(before)} <= {params_dtype, "int32"}


@every_entry
def test_traced_settings_train_as_constant_ones(entry: Optimizer) -> None:
    settings = different(entry, 1.5)
    constant, _ = jax.jit(lambda p: trained(entry, settings, p, 5))(start())
    traced, _ = jax.jit(lambda s, p: trained(entry, s, p, 5))(as_arrays(settings), start())
    assert_same(traced, constant, rtol=2e-6, atol=1e-8)


@every_entry
def test_settings_share_one_compilation_and_vmap_as_single_runs(entry: Optimizer) -> None:
    compilations = []

    def whole(settings: Any, params: Any) -> Any:
        compilations.append(1)
        return trained(entry, settings, params, 8)[0]

    each = [as_arrays(different(entry, factor)) for factor in (0.5, 1.0, 1.5)]
    begins = [jax.tree.map(lambda leaf, k=k: leaf + k, start()) for k in (0.0, 0.1, -0.2)]
    program = jax.jit(whole)
    single = [program(settings, params) for settings, params in zip(each, begins, strict=True)]
    assert len(compilations) == 1

    def stacked(trees: list[Any]) -> Any:
        return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)

    together = jax.jit(jax.vmap(whole))(stacked(each) if each[0] else {}, stacked(begins))
    assert_same(together, stacked(single), rtol=1e-5, atol=1e-6)


@every_entry
def test_finds_the_bottom_of_a_bowl_with_its_defaults(entry: Optimizer) -> None:
    params, losses = jax.jit(lambda s, p: trained(entry, s, p, 4000))(
        as_arrays(entry.defaults), start()
    )
    assert np.all(np.isfinite(losses))
    assert bowl(params) < 2e-3 * losses[0]


@every_entry
def test_no_gradient_no_step(entry: Optimizer) -> None:
    params = jax.tree.map(jnp.zeros_like, start())
    rule = entry.transformation(entry.defaults)
    step = jax.jit(stepper(entry, rule, f=lambda p: 0.0 * bowl(p)))
    state = rule.init(params)
    for _ in range(3):
        params, state = step(params, state)
    assert all(np.all(np.asarray(leaf) == 0) for leaf in jax.tree.leaves(params))
    assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(state))


@every_entry
def test_huge_gradients_leave_everything_finite(entry: Optimizer) -> None:
    def steep(params: Any) -> jax.Array:
        """A slope of 1e18 towards 0 from far away on both sides."""
        return sum(jnp.sum(1e18 * jnp.sqrt(1 + p * p)) for p in jax.tree.leaves(params))

    params = start()
    rule = entry.transformation(entry.defaults)
    step = jax.jit(stepper(entry, rule, f=steep))
    state = rule.init(params)
    for _ in range(12):
        params, state = step(params, state)
    assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves((params, state)))


@every_entry
def test_the_sheet_is_whole(entry: Optimizer) -> None:
    for text in (entry.name, entry.title, entry.family, entry.equation, entry.notes):
        assert text.strip() == text != ""
    assert entry.name.islower()
    assert entry.needs <= {"value", "grad", "value_fn"}
    assert entry.gradients_per_step >= 1
    assert entry.citation.url.startswith("https://")
    assert 1800 < entry.citation.year < 2030
    assert str(entry.citation.year) in entry.citation.text
    assert entry.citation.bibtex.count("{") == entry.citation.bibtex.count("}")
    for parameter in entry.hyperparameters:
        assert parameter.symbol
        assert parameter.meaning
        assert parameter.range is not None
        assert (
            parameter.only_with
            or parameter.default == 0
            or (parameter.range.low <= parameter.default <= parameter.range.high)
        )
        if parameter.only_with:
            option, values = parameter.only_with
            choices = next(each.choices for each in entry.options if each.name == option)
            assert set(values) < set(choices)
    for option in entry.options:
        assert option.meaning
        assert option.default in (option.choices or (option.default,))


@every_entry
def test_the_sheet_agrees_with_the_builder(entry: Optimizer) -> None:
    taken = inspect.signature(entry.build).parameters
    required = {name for name, each in taken.items() if each.default is inspect.Parameter.empty}
    given = {*entry.defaults, *entry.option_defaults}
    assert required <= given <= set(taken)


@every_entry
def test_the_slots_are_those_of_the_state(entry: Optimizer) -> None:
    params = start()
    state = entry.transformation(entry.defaults).init(params)
    shapes = [leaf.shape for leaf in jax.tree.leaves(params)]
    held = [leaf.shape for leaf in jax.tree.leaves(state) if leaf.shape]
    assert sorted(held) == sorted(shapes * entry.slots)


@every_entry
def test_every_choice_of_every_option_trains(entry: Optimizer) -> None:
    params = jax.eval_shape(start)
    for option in entry.options:
        for choice in option.choices:
            rule = entry.transformation(entry.defaults, **{option.name: choice})
            state = jax.eval_shape(rule.init, params)
            after = jax.eval_shape(stepper(entry, rule), params, state)
            assert jax.tree.leaves(after) == jax.tree.leaves((params, state))
