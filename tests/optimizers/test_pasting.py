"""Code to paste: it says every value, runs where it can, and owns what a framework does not do."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fallline import optimizers, snippets
from fallline.errors import InputError
from fallline.optimizers import Dialect, Fixed, Optimizer, pasting
from fallline.snippets import fill

SIGNATURES = Path(__file__).parents[1] / "golden" / "signatures.json"
DIALECTS = [
    (entry, each)
    for entry in optimizers.resolve("all")
    for each in entry.dialects
    if each.framework != "paper"
]
every_dialect = pytest.mark.parametrize(
    ("entry", "dialect"),
    DIALECTS,
    ids=lambda part: part.call if isinstance(part, Dialect) else part.name,
)


def test_torch_code_writes_every_value_out() -> None:
    code = pasting.code(optimizers.get("adam"), "torch", {"learning_rate": 0.003})
    assert "import torch\n" in code
    assert "torch.optim.Adam(" in code
    assert "model.parameters()" in code
    assert "lr=0.003" in code
    assert "betas=(0.9, 0.999)" in code
    assert "eps=1e-08" in code


def test_keras_code_owns_up_to_its_form() -> None:
    code = pasting.code(optimizers.get("adam"), "keras")
    assert code.startswith("# keras.optimizers.Adam has epsilon_place='uncorrected'")


def test_a_lacking_framework_is_told_with_those_that_have_it() -> None:
    with pytest.raises(InputError, match="keras has no rprop") as caught:
        pasting.code(optimizers.get("rprop"), "keras")
    assert "torch" in str(caught.value.hint)
    with pytest.raises(InputError, match="'pytorch'") as caught:
        pasting.code(optimizers.get("rprop"), "pytorch")
    assert "torch" in f"{caught.value} {caught.value.hint}"


FORMS = sorted({(entry.name, each.framework) for entry, each in DIALECTS})


@pytest.mark.parametrize(("name", "framework"), FORMS)
def test_a_frameworks_own_form_is_pasted_for_it_as_it_is(name: str, framework: str) -> None:
    code = pasting.code(optimizers.get(name, dialect=framework), framework)
    assert "asked was" not in code


def test_a_form_is_told_from_another_frameworks() -> None:
    # torch adds epsilon beside the root, Keras under it.
    entry = optimizers.get("rmsprop:torch")
    code = pasting.code(entry, "keras")
    assert "epsilon_place='inside'; asked was 'outside':" in code
    (meaning,) = [each.meaning for each in entry.options if each.name == "epsilon_place"]
    assert meaning in code.replace("\n#   ", " ")
    assert all(len(line) <= snippets.WIDTH for line in code.splitlines())


@pytest.mark.parametrize("name", ["adam", "rmsprop:torch", "sgd+cosine"])
def test_code_of_ours_makes_the_same_steps(name: str) -> None:
    entry = optimizers.get(name)
    held: dict[str, Any] = {}
    exec(pasting.code(entry, "fallline", {"learning_rate": 0.25}), held)
    assert updated(held["tx"], entry) == updated(
        entry.transformation({"learning_rate": 0.25}), entry
    )


def updated(rule: Any, entry: Optimizer) -> list[float]:
    params = np.array([1.0, -2.0], np.float32)
    extra = {"total_steps": 10} if "total_steps" in entry.needs else {}
    updates, _ = rule.update(np.array([0.5, 3.0], np.float32), rule.init(params), params, **extra)
    return np.asarray(updates).tolist()


@every_dialect
def test_code_is_python_and_calls_what_it_says(entry: Optimizer, dialect: Dialect) -> None:
    code = pasting.code(entry, dialect.framework)
    calls = [
        ast.unparse(node.func) for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call)
    ]
    assert entry.dialect(dialect.framework).call in calls


def taken(dialect: Dialect) -> dict[str, Any]:
    """What the framework's call takes, with its defaults; ``"required"`` where it has none."""
    if dialect.framework != "optax":
        return json.loads(SIGNATURES.read_text("utf-8"))["calls"][dialect.call]
    module, _, name = dialect.call.rpartition(".")
    found = inspect.signature(getattr(importlib.import_module(module), name)).parameters
    return {
        each.name: "required" if each.default is each.empty else each.default
        for each in found.values()
    }


@every_dialect
def test_arguments_and_defaults_are_those_of_the_framework(
    entry: Optimizer, dialect: Dialect
) -> None:
    has = taken(dialect)
    assert set(dialect.arguments) <= set(has)
    ours = {**entry.defaults, **entry.option_defaults, **dialect.defaults, **dialect.options}
    asked = {each.name for each in entry.hyperparameters if each.only_with}
    passed = list(dialect.arguments.values())
    for name, argument in dialect.arguments.items():
        theirs = list(has[name]) if isinstance(has[name], tuple) else has[name]
        # What is off there by default is on where the entry is asked for; what only works with
        # an option has no default of its own; of arguments that take the same, the first has it.
        if isinstance(argument, Fixed) or theirs in ("required", None, 0) or argument in asked:
            continue
        if list(dialect.arguments)[passed.index(argument)] != name:
            continue
        given = ours[argument] if isinstance(argument, str) else [ours[each] for each in argument]
        assert given == theirs, f"{dialect.call}: {name} is {theirs} there, {given} in the sheet"


@pytest.mark.parametrize(("name", "framework"), FORMS)
def test_snippets_hold_what_is_pasted_and_take_other_numbers(name: str, framework: str) -> None:
    entry = optimizers.get(name)
    kept = pasting.every_snippet(entry)[framework]
    other = {each.name: each.default for each in entry.hyperparameters}
    if entry.learning_rate is not None:
        other["learning_rate"] = 0.0625
    assert fill(kept, other) == pasting.code(entry, framework, other, entry.option_defaults)
    call = next(node for node in ast.walk(ast.parse(fill(kept, other))) if is_call_of(node, kept))
    given = {each.arg: ast.unparse(each.value) for each in call.keywords}
    dialect = entry.dialect(framework, entry.option_defaults)
    assert list(given) == list(dialect.arguments)
    for argument, ours in dialect.arguments.items():
        if ours == "learning_rate":
            assert given[argument] == "0.0625"


def is_call_of(node: ast.AST, kept: Any) -> bool:
    return isinstance(node, ast.Call) and kept.call.endswith(f"= {ast.unparse(node.func)}")


@pytest.mark.parametrize("name", sorted({e.name for e, d in DIALECTS if d.framework == "optax"}))
def test_optax_code_makes_a_transformation(name: str) -> None:
    import jax

    held: dict[str, Any] = {}
    exec(pasting.code(optimizers.get(name), "optax"), held)
    params = {"w": np.ones((3, 2), np.float32), "b": np.ones(2, np.float32)}
    # Shapes alone: every argument was taken, and nothing is compiled.
    assert jax.tree.leaves(jax.eval_shape(held["tx"].init, params)) is not None


def test_settings_in_a_name_are_pasted_for_every_framework() -> None:
    entry = optimizers.get("sgd(weight_decay=0.01)")
    kept = pasting.every_snippet(entry)
    assert set(kept) == {"torch", "keras", "optax", "fallline"} - set(pasting.missing(entry))
    assert "weight_decay=0.01" in fill(kept["torch"], entry.defaults)
    assert 'optimizers.get("sgd(weight_decay=0.01)")' in fill(kept["fallline"], entry.defaults)
    assert "lr=0.5" in pasting.code(entry, "torch", {"learning_rate": 0.5})


def test_what_wrappers_do_is_pasted_by_ours_alone() -> None:
    entry = optimizers.get("adam+clip_norm+cosine")
    kept = pasting.every_snippet(entry)
    assert list(kept) == ["fallline"]
    text = fill(kept["fallline"], entry.defaults)
    assert 'optimizers.get("adam+clip_norm+cosine")' in text
    assert all(f'"{name}"' in text for name in entry.defaults)
    assert "total_steps=..." in text
    held: dict[str, Any] = {}
    exec(text, held)
    assert callable(held["tx"].init)


def test_it_is_said_which_parameters_are_judged() -> None:
    name = next(each for each in optimizers.names() if optimizers.get(each).evaluated is not None)
    assert f'optimizers.get("{name}").evaluation_params(' in pasting.code(
        optimizers.get(name), "fallline"
    )
