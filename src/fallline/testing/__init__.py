"""The contract that every optimizer of the catalogue keeps, for the tests of anyone's own.

    from fallline import testing

    def test_mine():
        testing.check_optimizer(mine)

A check knows an entry by its sheet alone: none is singled out by its name.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from fallline import optimizers
from fallline.optimizers import Optimizer
from fallline.optimizers.spec import EXTRAS
from fallline.testing.training import (
    BOWL_STEPS,
    Loss,
    as_arrays,
    bowl,
    different,
    jit,
    program,
    start,
    stepper,
    trained,
)

BOWL_SHARE = 2e-3
"""Of the loss at the start, below which a convex bowl's bottom counts as found."""

Check = Callable[[Optimizer], None]


def check_optimizer(optimizer: str | Optimizer) -> None:
    """Every check of the contract; an ``AssertionError`` that names the first one that fails."""
    entry = optimizers.get(optimizer) if isinstance(optimizer, str) else optimizer
    for check in CHECKS:
        try:
            check(entry)
        except AssertionError as error:
            broken = check.__name__.replace("_", " ")
            raise AssertionError(f"{entry.name} breaks the contract: {broken}\n{error}") from error


def assert_same(left: Any, right: Any, *, rtol: float, atol: float) -> None:
    """That two trees agree, leaf by leaf."""
    for one, other in zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True):
        np.testing.assert_allclose(one, other, rtol=rtol, atol=atol)


def _finite(tree: Any) -> bool:
    return all(bool(np.all(np.isfinite(leaf))) for leaf in jax.tree.leaves(tree))


# --- the sheet


def the_sheet_is_whole(entry: Optimizer) -> None:
    """Every field says something, and bounds, ranges and defaults agree."""
    for field in ("name", "title", "family", "equation"):
        text = getattr(entry, field)
        assert text.strip() == text != "", f"its {field} is {text!r}"
    assert entry.name.islower(), f"a name is written small, got {entry.name!r}"
    assert entry.needs <= set(EXTRAS), f"nobody gives {sorted(entry.needs - set(EXTRAS))}"
    assert entry.gradients_per_step >= 1, "a step takes at least one gradient"
    cited = entry.citation
    assert cited.url.startswith("https://"), f"{cited.key} has the address {cited.url!r}"
    assert 1800 < cited.year < 2100, f"{cited.key} is of the year {cited.year}"
    assert cited.bibtex.count("{") == cited.bibtex.count("}"), f"braces of {cited.key}"
    for parameter in entry.hyperparameters:
        assert parameter.symbol, f"{parameter.name} has no symbol"
        assert parameter.meaning, f"{parameter.name} has no meaning"
        span = parameter.range
        assert span is not None, f"{parameter.name} has no range"
        within = span.low <= parameter.default <= span.high
        dormant = parameter.only_with is not None or parameter.default == 0
        assert dormant or within, f"the default of {parameter.name} is outside of its range"
        if parameter.only_with is not None:
            asked, values = parameter.only_with
            choices = {each.name: each.choices for each in entry.options}[asked]
            assert set(values) < set(choices), f"{parameter.name} works with any {asked}"
    for option in entry.options:
        assert option.meaning, f"option {option.name} has no meaning"
        assert option.default in (option.choices or (option.default,)), f"{option.name}'s default"


def the_sheet_agrees_with_the_builder(entry: Optimizer) -> None:
    """``build`` takes what the sheet lists, and asks for no more."""
    taken = inspect.signature(entry.build).parameters
    if any(each.kind is inspect.Parameter.VAR_KEYWORD for each in taken.values()):
        return
    required = {name for name, each in taken.items() if each.default is inspect.Parameter.empty}
    given = {*entry.defaults, *entry.option_defaults}
    assert required <= given, f"build asks for {sorted(required - given)}"
    assert given <= set(taken), f"build does not take {sorted(given - set(taken))}"


def its_memory_is_as_the_sheet_says(entry: Optimizer) -> None:
    """``slots`` parameter-sized arrays, and nothing else but scalars unless ``more_state``."""
    params = start()
    state = jax.eval_shape(entry.transformation(entry.defaults).init, params)
    shapes = [leaf.shape for leaf in jax.tree.leaves(params)]
    held = [leaf.shape for leaf in jax.tree.leaves(state) if leaf.shape]
    due = shapes * entry.slots
    if entry.more_state:
        assert all(held.count(shape) >= due.count(shape) for shape in shapes), f"{held}"
    else:
        assert sorted(held) == sorted(due), f"arrays {held} for {entry.slots} slots of {shapes}"


# --- steps


def a_step_keeps_structure_shapes_and_dtypes(entry: Optimizer) -> None:
    """In float32 and float64, whatever the dtype of the settings."""
    with jax.enable_x64(True):
        for dtype in ("float32", "float64"):
            for of_settings in ("float32", "float64"):
                _keeps(entry, lambda dtype=dtype: start(dtype), dtype, of_settings)


def parameters_may_have_any_shape(entry: Optimizer) -> None:
    """Scalars, empty arrays, vectors and the kernels of convolutions keep their shape too."""

    def odd() -> Any:
        shapes = [(), (0,), (4,), (2, 2, 1, 3), (1, 5)]
        return [jnp.full(shape, 0.1, jnp.float32) for shape in shapes]

    def round_bowl(params: Any) -> Any:
        return sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(params))

    _keeps(entry, odd, "float32", "float32", round_bowl)
    rule = entry.transformation(entry.defaults)
    step = stepper(entry, rule, round_bowl)

    def three_steps(params: Any) -> Any:
        return jax.lax.fori_loop(0, 3, lambda n, c: step(*c, n), (params, rule.init(params)))

    assert _finite(jit(three_steps)(odd())), "not finite after three steps"


def _keeps(entry: Optimizer, params_of: Any, dtype: str, of_settings: str, f: Loss = bowl) -> None:
    settings = {name: jax.ShapeDtypeStruct((), of_settings) for name in entry.defaults}
    params = jax.eval_shape(params_of)

    def begin(settings: Any, params: Any) -> Any:
        return params, entry.transformation(settings).init(params)

    def step(settings: Any, params: Any, state: Any) -> Any:
        return stepper(entry, entry.transformation(settings), f)(params, state)

    def judged(settings: Any, params: Any, state: Any) -> Any:
        return entry.evaluation_params(settings, params, state)

    before = jax.eval_shape(begin, settings, params)
    after = jax.eval_shape(step, settings, *before)
    forms: list[Any] = [jax.tree.structure(each) for each in (before, after)]
    assert forms[0] == forms[1], "the state changes its form"
    changed = [
        f"{was} becomes {now}"
        for was, now in zip(jax.tree.leaves(before), jax.tree.leaves(after), strict=True)
        if (was.shape, was.dtype) != (now.shape, now.dtype)
    ]
    assert not changed, "; ".join(map(str, changed))
    assert jax.tree.leaves(jax.eval_shape(judged, settings, *before)) == jax.tree.leaves(params)
    found = {leaf.dtype.name for leaf in jax.tree.leaves(before)}
    assert found <= {dtype, "int32", "uint32", "bool"}, f"{dtype} parameters, a state of {found}"


def traced_settings_train_as_constant_ones(entry: Optimizer) -> None:
    """Settings inside the program are those outside of it."""
    settings = different(entry, 1.5)
    constant, _ = jit(lambda p: trained(entry, settings, p, 5))(start())
    traced = program(entry)(settings, start(), 5, total_steps=5)
    assert_same(traced.judged, constant, rtol=2e-5, atol=1e-7)


def compiled_steps_are_eager_ones(entry: Optimizer) -> None:
    """``jax.jit`` changes nothing but rounding."""
    rule = entry.transformation(entry.defaults)
    step = stepper(entry, rule)
    eager = start(), rule.init(start())
    for number in range(2):
        eager = step(*eager, number)
    compiled = program(entry)(entry.defaults, start(), 2)
    assert_same((compiled.params, compiled.state), eager, rtol=2e-5, atol=1e-7)


def settings_share_one_compilation_and_vmap_as_single_runs(entry: Optimizer) -> None:
    """Other floats compile nothing, and runs side by side are those runs alone."""
    each = [different(entry, factor) for factor in (0.5, 1.0, 1.5)]
    begins = [jax.tree.map(lambda leaf, k=k: leaf + k, start()) for k in (0.0, 0.1, -0.2)]
    compiled, counts, single = program(entry), [], []
    for settings, params in zip(each, begins, strict=True):
        single.append(compiled(settings, params, 8, total_steps=8).judged)
        counts.append(compiled.compilations)
    assert set(counts) == {1}, f"compiled {counts[-1]} times for three settings"

    def whole(settings: Any, params: Any) -> Any:
        return trained(entry, settings, params, 8)[0]

    def stacked(trees: list[Any]) -> Any:
        return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)

    runs = stacked([as_arrays(settings) for settings in each])
    together = jit(jax.vmap(whole))(runs, stacked(begins))
    assert_same(together, stacked(single), rtol=1e-4, atol=1e-5)


def its_state_goes_through_files(entry: Optimizer) -> None:
    """Stored as plain arrays and read again, it goes on as if nothing had been."""
    compiled, settings = program(entry), entry.defaults
    params, state, *_ = compiled(settings, start(), 1)
    stored = [np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(state)]
    form = jax.tree.structure(state)
    read = [
        jnp.asarray(np.frombuffer(data, leaf.dtype).reshape(leaf.shape))
        for data, leaf in zip(stored, jax.tree.leaves(state), strict=True)
    ]
    again = compiled(settings, params, 2, first=1, state=jax.tree.unflatten(form, read))
    gone_on = compiled(settings, params, 2, first=1, state=state)
    assert_same(again, gone_on, rtol=0, atol=0)


def finds_the_bottom_of_a_bowl_with_its_defaults(entry: Optimizer) -> None:
    """4,000 steps on a convex quadratic."""
    found = program(entry)(entry.defaults, start(), BOWL_STEPS)
    assert found.bowl_was_finite, "a loss is not finite"
    share = float(bowl(found.judged)) / float(bowl(start()))
    assert share < BOWL_SHARE, f"{share:.2g} of the loss is left"


def no_gradient_no_step(entry: Optimizer) -> None:
    """Parameters of zero without gradient stay, and nothing becomes NaN."""
    params = jax.tree.map(jnp.zeros_like, start())
    params, state, *_ = program(entry)(entry.defaults, params, 3, height=0.0)
    if "key" not in entry.needs:  # noise moves parameters without any gradient
        assert all(np.all(np.asarray(leaf) == 0) for leaf in jax.tree.leaves(params)), "moved"
    assert _finite((params, state)), "not finite"


def huge_gradients_leave_everything_finite(entry: Optimizer) -> None:
    """A slope of 1e18 in float32: its square is the largest power that is finite."""
    params, state, *_ = program(entry)(entry.defaults, start(), 12, slope=1e18)
    assert _finite((params, state)), "not finite after 12 steps"


def every_choice_of_every_option_trains(entry: Optimizer) -> None:
    """Each by itself, the others at their defaults."""
    params = jax.eval_shape(start)
    for option in entry.options:
        for choice in option.choices:
            rule = entry.transformation(entry.defaults, **{option.name: choice})
            state = jax.eval_shape(rule.init, params)
            after = jax.eval_shape(stepper(entry, rule), params, state)
            same = jax.tree.leaves(after) == jax.tree.leaves((params, state))
            assert same, f"{option.name}={choice!r} changes shapes or dtypes"


CHECKS: tuple[Check, ...] = (
    the_sheet_is_whole,
    the_sheet_agrees_with_the_builder,
    its_memory_is_as_the_sheet_says,
    a_step_keeps_structure_shapes_and_dtypes,
    parameters_may_have_any_shape,
    traced_settings_train_as_constant_ones,
    compiled_steps_are_eager_ones,
    settings_share_one_compilation_and_vmap_as_single_runs,
    its_state_goes_through_files,
    finds_the_bottom_of_a_bowl_with_its_defaults,
    no_gradient_no_step,
    huge_gradients_leave_everything_finite,
    every_choice_of_every_option_trains,
)
