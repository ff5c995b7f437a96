"""Every dialect names what there is, and Optax itself takes the steps that are said to be its.

Generic over the catalogue: an entry's dialects are proven by being there.
"""

from __future__ import annotations

import importlib
import itertools
import math
from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from fallline import optimizers
from fallline.optimizers.dialects import FRAMEWORKS, Argument, Dialect, Fixed, names
from fallline.optimizers.spec import HyperParameter, Optimizer
from proving import Problem, Run, flat, key_of, quick

STEPS = 60
TOLERANCE = 1e-12
LESS_EXACT = {"optax.contrib.madgrad": 1e-8}
"""Calls of Optax that are not float64 throughout: JAX takes the root of an int32 in float32."""
ENTRIES = optimizers.resolve("all")
every_entry = pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
OPTAX = [
    pytest.param(entry, dialect, id=f"{entry.name}-{number}-{dialect.call}")
    for entry in ENTRIES
    for number, dialect in enumerate(entry.dialects)
    if dialect.framework == "optax" and not dialect.differs
]


def given(argument: Argument, settings: Mapping[str, Any]) -> Any:
    """What the framework's call is handed for it."""
    if isinstance(argument, Fixed):
        return argument.value
    if isinstance(argument, str):
        return settings[argument]
    return tuple(settings[name] for name in argument)


@every_entry
def test_a_dialect_names_what_the_entry_and_its_framework_have(entry: Optimizer) -> None:
    assert any(each.framework == "paper" for each in entry.dialects), "what does its paper say?"
    options = {each.name: each for each in entry.options}
    for dialect in entry.dialects:
        assert dialect.framework in FRAMEWORKS
        assert dialect.form.strip() == dialect.form != "", f"{dialect.call} has no form"
        assert bool(dialect.call) == (dialect.framework != "paper")
        assert set(dialect.defaults) <= set(entry.defaults)
        for name, value in dialect.options.items():
            options[name].check(entry.name, value)
        for argument in dialect.arguments.values():
            for name in names(argument):
                assert name in entry.defaults or name in options, f"{entry.name} has no {name}"
        entry.complete(dialect.defaults)


@every_entry
def test_the_first_form_of_a_framework_is_the_one_that_is_meant(entry: Optimizer) -> None:
    for framework in dict.fromkeys(each.framework for each in entry.dialects):
        first = next(each for each in entry.dialects if each.framework == framework)
        assert entry.dialect(framework) is first
        spoken = optimizers.get(entry.name, dialect=framework)
        assert spoken.defaults == {**entry.defaults, **first.defaults}
        assert spoken.option_defaults == {**entry.option_defaults, **first.options}


@every_entry
def test_the_form_nearest_to_the_options_is_found(entry: Optimizer) -> None:
    for dialect in entry.dialects:
        if dialect.framework == "paper":
            continue
        found = entry.dialect(dialect.framework, dialect.options)
        asked = {**entry.option_defaults, **dialect.options}
        assert not found.contradictions(entry.option_defaults, asked)


def telling(parameter: HyperParameter, default: float) -> float:
    """A value at which it matters: its default, or, where that is 0, the middle of its range."""
    span = parameter.range
    if default != 0 or span is None:
        return default
    if span.scale == "log":
        return math.sqrt(span.low * span.high)
    if span.scale == "log_one_minus":
        return 1 - math.sqrt((1 - span.low) * (1 - span.high))
    return (span.low + span.high) / 2


def passed(entry: Optimizer, dialect: Dialect, name: str, options: Mapping[str, Any]) -> bool:
    """Whether the framework's call takes hyper-parameter ``name``, and it has an effect."""
    taken = any(name in names(argument) for argument in dialect.arguments.values())
    asks = next(each.only_with for each in entry.hyperparameters if each.name == name)
    return taken and (asks is None or options[asks[0]] in asks[1])


def difference_to_optax(entry: Optimizer, dialect: Dialect, choices: Mapping[str, Any]) -> float:
    """The largest one after any of the steps, both from the same start by their own gradients."""
    options = {**entry.option_defaults, **dialect.options, **choices}
    settings = {
        each.name: telling(each, dialect.defaults.get(each.name, each.default))
        for each in entry.hyperparameters
        if passed(entry, dialect, each.name, options)
    }
    problem = Problem.drawn()
    run = Run(f"{entry.name}:optax", {**dialect.defaults, **settings}, options, problem, STEPS)

    module, _, name = dialect.call.rpartition(".")
    known = {**run.entry.complete(run.settings), **options}
    arguments = {theirs: given(ours, known) for theirs, ours in dialect.arguments.items()}
    rule = getattr(importlib.import_module(module), name)(**arguments)
    theirs = optax.with_extra_args_support(rule)

    @partial(jax.jit, compiler_options=quick())
    def update(grads: Any, state: Any, params: Any, key: Any, value: Any) -> Any:
        extra = {"value": value, "grad": grads, "value_fn": problem.traced, "key": key}
        needed = {each: extra[each] for each in sorted(entry.needs & set(extra))}
        updates, state = theirs.update(grads, state, params, **needed)
        return optax.apply_updates(params, updates), state

    params = jax.tree.map(jnp.asarray, problem.start)
    state, worst = theirs.init(params), 0.0
    for number in range(1, STEPS + 1):
        run.step(number)
        at = {part: np.asarray(leaf) for part, leaf in params.items()}
        grads = jax.tree.map(jnp.asarray, problem.gradient(at))
        value = jnp.asarray(problem.value(at))
        params, state = update(grads, state, params, key_of(number), value)
        worst = max(worst, float(np.max(np.abs(flat(run.params) - flat(params)))))
    return worst


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize(("entry", "dialect"), OPTAX)
def test_optax_itself_takes_the_same_steps(
    entry: Optimizer, dialect: Dialect, record_property: Any
) -> None:
    free = [
        option
        for option in entry.options
        if option.choices
        and any(option.name in names(argument) for argument in dialect.arguments.values())
    ]
    for chosen in itertools.product(*(option.choices for option in free)):
        choices = {option.name: value for option, value in zip(free, chosen, strict=True)}
        error = difference_to_optax(entry, dialect, choices)
        tolerance = LESS_EXACT.get(dialect.call, TOLERANCE)
        record_property(
            "proof", f"{entry.name}|{dialect.call}, {STEPS} steps|{error:.1e}|{tolerance:g}"
        )
        assert error <= tolerance, f"{error:.3g} from {dialect.call} with {choices}"


@pytest.mark.parametrize(
    ("name", "hyperparameter", "of"),
    [
        (
            "adagrad",
            "initial_accumulator",
            {"paper": 0.0, "torch": 0.0, "keras": 0.1, "optax": 0.1},
        ),
        ("adagrad", "epsilon", {"torch": 1e-10, "keras": 1e-7, "optax": 1e-7}),
        ("rmsprop", "rho", {"paper": 0.9, "torch": 0.99, "keras": 0.9, "optax": 0.9}),
        ("adadelta", "learning_rate", {"paper": 1.0, "torch": 1.0, "keras": 0.001}),
        ("adam", "epsilon", {"paper": 1e-8, "torch": 1e-8, "keras": 1e-7, "optax": 1e-8}),
        ("adamw", "weight_decay", {"torch": 0.01, "keras": 0.004, "optax": 1e-4}),
        ("nadam", "momentum_decay", {"paper": 0.004, "torch": 0.004, "keras": 1.0}),
    ],
)
def test_the_defaults_in_which_frameworks_differ(
    name: str, hyperparameter: str, of: Mapping[str, float]
) -> None:
    found = {each: optimizers.get(name, dialect=each).defaults[hyperparameter] for each in of}
    assert found == of


@pytest.mark.parametrize(
    ("name", "option", "of"),
    [
        ("adam", "epsilon_place", {"torch": "outside", "keras": "uncorrected", "optax": "outside"}),
        ("adagrad", "epsilon_place", {"torch": "outside", "keras": "inside", "optax": "inside"}),
        ("rmsprop", "epsilon_place", {"torch": "outside", "keras": "inside", "optax": "inside"}),
        ("rmsprop", "velocity", {"torch": "of_gradients", "keras": "of_steps"}),
        ("momentum", "velocity", {"torch": "of_gradients", "keras": "of_steps"}),
        ("amsgrad", "correction", {"paper": "none", "torch": "after", "optax": "before"}),
        ("nadam", "warm_up", {"torch": True, "keras": True, "optax": False}),
        ("rprop", "overshot", {"paper": "back", "torch": "rest"}),
    ],
)
def test_the_forms_in_which_frameworks_differ(
    name: str, option: str, of: Mapping[str, Any]
) -> None:
    found = {each: optimizers.get(name, dialect=each).option_defaults[option] for each in of}
    assert found == of
