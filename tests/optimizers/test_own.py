"""Optimizers of one's own: what a function becomes, and what is told where it cannot work."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import metadata
from typing import Any, Literal

import jax
import numpy as np
import optax
import pytest

from fallline import optimizers, testing
from fallline.errors import InputError
from fallline.optimizers import Optimizer, catalogue


@pytest.fixture(autouse=True)
def _forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test defines is gone after it."""
    monkeypatch.setattr(catalogue, "_ENTRIES", dict(catalogue._ENTRIES))


def sign_descent() -> Optimizer:
    @optimizers.define(equation="m ← β m + (1-β) g\nθ ← θ - α sign(m)")
    def mine(
        learning_rate: float = 0.01, beta: float = 0.9, form: Literal["sign", "plain"] = "sign"
    ) -> optax.GradientTransformation:
        """Descent by the sign of an average.

        A step of equal length everywhere.
        """
        scaled = optax.scale_by_sign() if form == "sign" else optax.identity()
        return optax.chain(optax.ema(beta), scaled, optax.scale_by_learning_rate(learning_rate))

    return mine


def test_a_function_becomes_an_entry() -> None:
    mine = sign_descent()
    assert optimizers.get("mine") is mine
    assert "mine" in optimizers.names()
    assert mine.title == "Descent by the sign of an average"
    assert mine.notes == "A step of equal length everywhere."
    assert mine.defaults == {"learning_rate": 0.01, "beta": 0.9}
    assert mine.option_defaults == {"form": "sign"}
    assert mine.options[0].choices == ("sign", "plain")
    assert mine.slots == 1
    rate, beta = mine.hyperparameters
    assert (rate.range.low, rate.range.high, rate.range.scale) == (1e-5, 10.0, "log")
    assert beta.range.scale == "log_one_minus"


def test_it_takes_the_steps_that_it_says() -> None:
    rule = sign_descent().transformation({"learning_rate": 0.5})
    params = {"w": np.array([1.0, -2.0], np.float32)}
    updates, _ = rule.update({"w": np.array([3.0, -1e-3], np.float32)}, rule.init(params), params)
    np.testing.assert_allclose(updates["w"], [-0.5, 0.5])


def test_it_passes_and_wraps_like_any_other() -> None:
    @optimizers.define()
    def slow(learning_rate: float = 0.1) -> optax.GradientTransformation:
        """Plain descent."""
        return optax.sgd(learning_rate)

    testing.check_optimizer(slow)
    testing.check_optimizer("slow+cosine")


def test_the_contract_names_what_is_broken() -> None:
    @optimizers.define()
    def forgetful(learning_rate: float = 0.1) -> optax.GradientTransformation:
        """Divides by the gradient."""
        return optax.stateless(
            lambda g, _: jax.tree.map(lambda leaf: -learning_rate * leaf / abs(leaf), g)
        )

    with pytest.raises(AssertionError, match="forgetful breaks the contract: finds the bottom"):
        testing.check_optimizer(forgetful)
    with pytest.raises(AssertionError, match="moved"):
        testing.no_gradient_no_step(forgetful)


def given(build: Any, **how: Any) -> str:
    with pytest.raises(InputError) as caught:
        optimizers.define(**how)(build)
    return f"{caught.value} {caught.value.hint}"


def test_what_cannot_work_is_told_at_once() -> None:
    def lacking(learning_rate: float) -> Any: ...

    def odd(betas: Any = (0.9, 0.999)) -> Any: ...

    def many(**settings: float) -> Any: ...

    def nothing(learning_rate: float = 0.1) -> Any:
        return learning_rate

    def branching(learning_rate: float = 0.1) -> Any:
        return optax.sgd(learning_rate) if learning_rate > 1 else optax.identity()

    def fine(learning_rate: float = 0.1) -> Any:
        return optax.sgd(learning_rate)

    assert "learning_rate of lacking has no default" in given(lacking)
    assert "betas of odd has the default (0.9, 0.999)" in given(odd)
    assert "name every hyper-parameter" in given(many)
    assert "not an optimizer" in given(nothing)
    assert "jnp.where instead of 'if'" in given(branching)
    assert "fine needs 'hessian', which nobody gives" in given(fine, needs=["hessian"])
    assert "no hyper-parameter 'rate' to search" in given(
        fine, ranges={"rate": optimizers.get("sgd").learning_rate.range}
    )
    assert "already an optimizer" in given(fine, name="adam")
    assert "no '+'" in given(fine, name="a+b")


class Point:
    """An entry point, as an installed package has it."""

    value = "some_package:mine"

    def __init__(self, offered: Any) -> None:
        self.offered = offered

    def load(self) -> Any:
        return self.offered() if callable(self.offered) else self.offered


@pytest.fixture
def _asked_anew() -> Iterator[None]:
    catalogue._load_installed.cache_clear()
    yield
    catalogue._load_installed.cache_clear()


@pytest.mark.usefixtures("_asked_anew")
def test_installed_packages_offer_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    groups = {"fallline.optimizers": [Point(sign_descent)]}
    monkeypatch.setattr(metadata, "entry_points", lambda group: groups[group])
    assert optimizers.get("mine").title == "Descent by the sign of an average"


@pytest.mark.usefixtures("_asked_anew")
def test_a_package_that_offers_something_else_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "entry_points", lambda group: [Point("a text")])
    with pytest.raises(InputError, match="'some_package:mine'"):
        optimizers.get("unheard_of")
