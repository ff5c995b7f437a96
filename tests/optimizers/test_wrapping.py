"""What can be put around any entry: names, settings, sheets, and what cannot be put together."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from fallline import optimizers, testing
from fallline.errors import InputError
from fallline.optimizers import Optimizer, Wrapper, wrapping
from fallline.optimizers.dialects import Fixed
from fallline.optimizers.spec import EXTRAS

WRAPPERS = optimizers.wrappers()
every_wrapper = pytest.mark.parametrize("wrapper", WRAPPERS, ids=lambda each: each.name)

NAMES = {
    "step",
    "exponential",
    "polynomial",
    "inverse_time",
    "cosine",
    "cosine_restarts",
    "warmup",
    "one_cycle",
    "wsd",
    "plateau",
    "clip_value",
    "clip_norm",
    "agc",
    "centralize",
    "noise",
    "grokfast",
    "l1",
    "l2",
    "sam",
    "accumulate",
    "lookahead",
    "weight_decay",
    "ema",
    "polyak_average",
    "cautious",
    "mechanic",
    "prune",
    "sparse",
    "rounded",
}


def test_these_can_be_put_around_any_entry() -> None:
    assert {each.name for each in WRAPPERS} >= NAMES
    assert len({each.name for each in WRAPPERS}) == len(WRAPPERS)


@every_wrapper
def test_the_sheet_is_whole(wrapper: Wrapper) -> None:
    for text in (wrapper.name, wrapper.title, wrapper.family, wrapper.equation, wrapper.notes):
        assert text.strip() == text != ""
    assert wrapper.name.islower()
    assert wrapper.needs <= set(EXTRAS)
    assert wrapper.citation.url.startswith("https://")
    assert not set(wrapper.name) & {wrapping.JOINED_BY, ":", ","}
    papers = [each for each in wrapper.dialects if each.framework == "paper"]
    assert len(papers) == 1
    assert papers[0].form


@every_wrapper
def test_its_dialects_speak_of_what_it_has(wrapper: Wrapper) -> None:
    settings = {each.name: each for each in wrapper.hyperparameters}
    options = {each.name: each for each in wrapper.options}
    for dialect in wrapper.dialects:
        assert dialect.form
        assert (dialect.framework == "paper") == (dialect.call == "")
        for argument in dialect.arguments.values():
            assert isinstance(argument, Fixed) or argument in {*settings, *options}
        for name, value in dialect.defaults.items():
            settings[name].check(wrapper.name, value)
        for name, choice in dialect.options.items():
            options[name].check(wrapper.name, choice)


@every_wrapper
def test_an_entry_inside_keeps_what_it_is(wrapper: Wrapper) -> None:
    adam = optimizers.get("adam")
    entry = optimizers.get(f"adam+{wrapper.name}")
    assert entry is optimizers.get(f"adam+{wrapper.name}")
    assert list(entry.defaults)[: len(adam.defaults)] == list(adam.defaults)
    own = set(entry.defaults) - set(adam.defaults)
    own |= set(entry.option_defaults) - set(adam.option_defaults)
    assert {each.removeprefix(f"{wrapper.name}_") for each in own} == {
        each.name for each in (*wrapper.hyperparameters, *wrapper.options)
    }
    assert all(each.startswith(f"{wrapper.name}_") for each in own)
    assert entry.citation is adam.citation
    assert entry.title == f"{adam.title}, {wrapper.title}"
    assert entry.equation == f"{adam.equation}\n{wrapper.name}:\n{wrapper.equation}"
    assert entry.slots == adam.slots + wrapper.slots
    assert entry.gradients_per_step == wrapper.gradients_per_step
    assert not entry.groups


def test_wrappers_stack_in_the_order_of_the_name() -> None:
    entry = optimizers.get("adam+sam+lookahead+cosine")
    assert entry.name == "adam+sam+lookahead+cosine"
    assert entry.needs == {"value_fn", "total_steps"}
    assert entry.gradients_per_step == 2
    assert entry.slots == 3
    assert entry.evaluated is not None
    assert entry.complete({"sam_radius": 0.2})["sam_radius"] == 0.2
    assert entry.complete_options({"lookahead_steps": 7})["lookahead_steps"] == 7


@pytest.mark.parametrize("entry", optimizers.resolve("all"), ids=lambda each: each.name)
def test_every_entry_can_be_inside_and_bears_what_it_is_told(entry: Optimizer) -> None:
    names = [f"{entry.name}+clip_norm+sam+noise+ema"]
    if entry.learning_rate is not None:
        names.append(f"{entry.name}+weight_decay+cosine+accumulate+lookahead")
    for name in names:
        wrapped = optimizers.get(name)
        rule = wrapped.transformation(wrapped.defaults)
        params = jax.eval_shape(testing.start)
        state = jax.eval_shape(rule.init, params)
        after = jax.eval_shape(testing.stepper(wrapped, rule), params, state)
        assert jax.tree.leaves(after) == jax.tree.leaves((params, state))


def test_an_entry_in_a_dialect_can_be_inside() -> None:
    keras = optimizers.get("adam:keras+cosine")
    assert keras.name == "adam:keras+cosine"
    assert keras.defaults["epsilon"] == 1e-7
    assert optimizers.get("adam+cosine", dialect="keras") is keras


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        ("adam+cosin", "unknown wrapper 'cosin'", "'cosine'"),
        ("adam+lokahead+cosine", "unknown wrapper 'lokahead'", "'lookahead'"),
        ("adem+cosine", "unknown optimizer 'adem'", "'adam'"),
        ("adam+", "unknown wrapper ''", "lists them all"),
        ("adam+cosine+cosine", "cosine is around adam.cosine already", "once"),
        ("adam+sam+l2+sam", "sam is around adam.sam.l2 already", "once"),
        ("gd_exact+warmup", "warmup cannot be put around gd_exact", "learning_rate"),
        ("gd_exact+weight_decay", "weight_decay cannot be put around gd_exact", "learning_rate"),
    ],
)
def test_what_cannot_be_put_together_is_an_error(name: str, message: str, hint: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        optimizers.get(name)
    said = f"{caught.value} {caught.value.hint}"
    assert hint in said


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("adam+cosine", {"final": 0.1}, "has no hyper-parameter 'final'"),
        ("adam+clip_norm", {"clip_norm_limit": 0.0}, "clip_norm_limit of adam.clip_norm cannot"),
        ("adam+ema", {"ema_decay": 1.0}, "ema_decay of adam.ema cannot be 1"),
    ],
)
def test_a_wrong_setting_is_an_error(name: str, settings: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        optimizers.get(name).transformation(settings)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("adam+lookahead", {"lookahead_steps": 0}),
        ("adam+accumulate", {"accumulate_batches": 2.5}),
        ("adam+wsd", {"wsd_shape": "round"}),
        ("adam+sam", {"sam_adaptive": 1}),
    ],
)
def test_a_wrong_choice_is_an_error(name: str, options: Any) -> None:
    with pytest.raises(InputError, match="cannot be"):
        optimizers.get(name).transformation({}, **options)


def test_the_outermost_average_is_what_is_judged() -> None:
    entry = optimizers.get("sgd+lookahead+ema")
    settings = {"learning_rate": 0.5, "ema_decay": 0.5}
    rule = entry.transformation(settings)
    x = jnp.asarray(8.0)
    state = rule.init(x)
    for _ in range(2):
        updates, state = rule.update(x, state, x)
        x = x + updates
    judged = entry.evaluation_params(settings, x, state)
    np.testing.assert_allclose(judged, (0.5 * 4 + 2) / 1.5)
    np.testing.assert_allclose(state.inner.slow, 8)


def test_a_schedule_around_tells_its_share_and_keeps_the_settings_of_the_inside() -> None:
    heard = {}

    def build(*, learning_rate: Any, power: Any) -> Any:
        def update(grads: Any, state: Any, params: Any = None, **extra: Any) -> Any:
            heard.update(extra, learning_rate=learning_rate, power=power)
            return grads, state

        return optax.GradientTransformationExtraArgs(lambda params: (), update)

    inner = wrapping.Inner(
        SimpleNamespace(build=build), {"learning_rate": jnp.asarray(0.8), "power": 3}
    )
    polynomial = next(each for each in WRAPPERS if each.name == "polynomial")
    rule = polynomial.wrap(inner, power=jnp.asarray(1.0), final=jnp.asarray(0.0))
    x, state = jnp.ones(()), rule.init(jnp.ones(()))
    for _ in range(2):
        _, state = rule.update(x, state, x, total_steps=jnp.asarray(4), schedule_share=0.5)
    assert float(heard["learning_rate"]) == pytest.approx(0.6)
    assert float(heard[wrapping.SHARE]) == pytest.approx(0.375)
    assert heard["power"] == 3
