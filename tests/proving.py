"""How an optimizer is proven: by its paper's equations in NumPy, and against other frameworks.

Float64, gradients from NumPy, the update jitted; what a proof found goes into its test report.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from fallline import optimizers

HERE = Path(__file__).parent
Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Problem:
    """``f(x) = Σ a x²/2 + c sin(w x + p)`` over a matrix W (4 x 3) and a vector b (5).

    ``a``, ``c``, ``w``, ``p`` and ``x0`` have shape ``(17,)``: W by rows, then b.
    """

    a: np.ndarray
    c: np.ndarray
    w: np.ndarray
    p: np.ndarray
    x0: np.ndarray

    @classmethod
    def of(cls, recorded: Mapping[str, Any]) -> Problem:
        return cls(*(np.array(recorded[name], float) for name in ("a", "c", "w", "p", "x0")))

    @classmethod
    def drawn(cls) -> Problem:
        """One that has nothing to do with the recorded ones."""
        draw = np.random.default_rng(20)
        a, w = draw.uniform(0.5, 3.0, 17), draw.uniform(0.5, 2.0, 17)
        return cls(a, draw.uniform(-1, 1, 17), w, draw.uniform(0, 3, 17), draw.normal(0, 1, 17))

    def written(self) -> str:
        """It as text; :meth:`of` reads it to the last digit."""
        return json.dumps({name: array.tolist() for name, array in vars(self).items()})

    @property
    def start(self) -> Arrays:
        return tree(self.x0)

    def gradient(self, params: Mapping[str, np.ndarray]) -> Arrays:
        # Not by JAX: XLA's cosine differs in the last digit, which chaotic rules magnify.
        x = flat(params)
        return tree(self.a * x + self.c * self.w * np.cos(self.w * x + self.p))

    def value(self, params: Mapping[str, np.ndarray]) -> float:
        x = flat(params)
        return float(np.sum(self.a * x * x / 2 + self.c * np.sin(self.w * x + self.p)))

    def hessian_diagonal(self, params: Mapping[str, np.ndarray]) -> Arrays:
        """All of the Hessian: it has no other entries."""
        x = flat(params)
        return tree(self.a - self.c * self.w**2 * np.sin(self.w * x + self.p))

    def traced(self, params: Any) -> jax.Array:
        """The value in JAX, for rules that call the loss."""
        x = jnp.concatenate([params["W"].ravel(), params["b"]])
        return jnp.sum(self.a * x * x / 2 + self.c * jnp.sin(self.w * x + self.p))


def tree(x: np.ndarray) -> Arrays:
    return {"W": x[:12].reshape(4, 3).copy(), "b": x[12:].copy()}


def flat(params: Mapping[str, Any]) -> np.ndarray:
    return np.concatenate([np.ravel(params["W"]), np.ravel(params["b"])])


@dataclass
class Step:
    """What a rule written by hand is given, for step number ``t`` (from 1).

    ``x``: the parameters; ``g``: their gradient; ``s``: a dictionary of its own, empty before the
    first step; ``h``: all hyper-parameters and options of the entry.
    """

    x: Arrays
    g: Arrays
    s: dict[str, Any]
    t: int
    h: dict[str, Any]
    problem: Problem
    key: jax.Array
    total_steps: int

    @property
    def value(self) -> float:
        return self.problem.value(self.x)


Rule = Callable[[Step], Arrays]
"""From a step to the parameters after it."""


def leafwise(rule: Callable[..., np.ndarray]) -> Rule:
    """A rule for each array by itself: ``rule(x, g, s, t, h)`` gives the array after the step."""

    def stepped(step: Step) -> Arrays:
        return {
            name: rule(step.x[name], step.g[name], step.s.setdefault(name, {}), step.t, step.h)
            for name in step.x
        }

    return stepped


@dataclass(frozen=True)
class Hand:
    """A rule written by hand, and the settings at which it is compared.

    ``evaluated``: from ``(params, s, h)`` to the parameters that the optimizer is judged by.
    """

    rule: Rule
    settings: Mapping[str, float] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    steps: int = 2
    tolerance: float = 1e-12
    evaluated: Callable[[Arrays, dict[str, Any], dict[str, Any]], Arrays] | None = None


@dataclass(frozen=True)
class Golden:
    """A recorded trajectory, and the entry with the settings that follow it.

    ``record``: ``torch`` or ``keras`` of the golden folder, or ``more``: tests/golden/. A
    ``tolerance`` above 1e-10 needs a ``why``.
    """

    record: str
    case: str
    entry: str
    settings: Mapping[str, float] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    tolerance: float = 1e-10
    why: str = ""
    judged: bool = False
    """The record holds the parameters that the optimizer is judged by, not those it trains."""

    def __str__(self) -> str:
        return f"{self.record}-{self.case}-{self.entry}"


@cache
def quick() -> dict[str, bool]:
    """Options of XLA under which small programs compile in two thirds of the time.

    Operations stay apart, instead of being fused into kernels. Empty where XLA has no such option.
    """
    options = {"xla_cpu_use_fusion_emitters": False}
    try:
        jax.jit(lambda x: x + 1, compiler_options=options)(1.0)
    except (RuntimeError, ValueError):
        return {}
    return options


@cache
def compiled_update(
    entry: optimizers.Optimizer, options: tuple[tuple[str, Any], ...], problem: str | None
) -> Callable[..., Any]:
    """``(settings, grads, state, params, key, value, total_steps)`` to updates and state.

    One program for all proofs of an entry in a form: settings are traced. ``problem``, written by
    :meth:`Problem.written`, is for rules that call the loss.
    """
    called = Problem.of(json.loads(problem)).traced if problem else None

    def update(
        settings: Any, grads: Any, state: Any, params: Any, key: Any, value: Any, total_steps: Any
    ) -> Any:
        extra = {
            "value": value,
            "grad": grads,
            "value_fn": called,
            "key": key,
            "total_steps": total_steps,
        }
        needed = {name: extra[name] for name in sorted(entry.needs)}
        rule = entry.transformation(settings, **dict(options))
        return rule.update(grads, state, params, **needed)

    return jax.jit(update, compiler_options=quick())


class Run:
    """An entry that takes steps in float64."""

    def __init__(
        self,
        name: str,
        settings: Mapping[str, float],
        options: Mapping[str, Any],
        problem: Problem,
        total_steps: int,
    ) -> None:
        self.entry = optimizers.get(name)
        self.settings, self.options = dict(settings), dict(options)
        self.problem, self.total_steps = problem, total_steps
        rule = self.entry.transformation(self.settings, **self.options)
        self.params = problem.start
        self.state = rule.init(jax.tree.map(jnp.asarray, self.params))

        calls = "value_fn" in self.entry.needs
        self._update = compiled_update(
            self.entry, tuple(sorted(self.options.items())), problem.written() if calls else None
        )
        complete = self.entry.complete(self.settings)
        self._given = {name: jnp.asarray(number) for name, number in complete.items()}

    def step(self, number: int) -> None:
        """Step ``number``, from 1."""
        params = jax.tree.map(jnp.asarray, self.params)
        grads = jax.tree.map(jnp.asarray, self.problem.gradient(self.params))
        value = jnp.asarray(self.problem.value(self.params))
        updates, self.state = self._update(
            self._given,
            grads,
            self.state,
            params,
            key_of(number),
            value,
            jnp.asarray(self.total_steps, jnp.int32),
        )
        assert updates["W"].dtype == np.float64
        self.params = {name: np.asarray(params[name] + updates[name]) for name in params}

    @property
    def judged(self) -> Arrays:
        """The parameters that the entry is judged by."""
        found = self.entry.evaluation_params(self.settings, self.params, self.state, **self.options)
        return {name: np.asarray(value) for name, value in found.items()}


def key_of(step: int) -> jax.Array:
    """The random key of a step, the same for both sides."""
    return jax.random.fold_in(jax.random.key(7), step)


def by_hand(name: str, hand: Hand) -> float:
    """The largest difference between the entry and the rule by hand, after any step."""
    problem = Problem.drawn()
    total = max(10, hand.steps)
    run = Run(name, hand.settings, hand.options, problem, total)
    entry = run.entry
    known = {**entry.complete(hand.settings), **entry.complete_options(hand.options)}
    x, memory, worst = problem.start, {}, 0.0
    for t in range(1, hand.steps + 1):
        given = Step(x, problem.gradient(x), memory, t, known, problem, key_of(t), total)
        x = hand.rule(given)
        run.step(t)
        worst = max(worst, float(np.max(np.abs(flat(run.params) - flat(x)))))
        if hand.evaluated is not None:
            judged = hand.evaluated(x, memory, known)
            worst = max(worst, float(np.max(np.abs(flat(run.judged) - flat(judged)))))
    return worst


def record(name: str, golden_dir: Path) -> dict[str, Any]:
    """What a file of trajectories holds."""
    path = HERE / "golden" / "optimizers.json" if name == "more" else golden_dir / f"{name}.json"
    return json.loads(path.read_text())


def follow(golden: Golden, golden_dir: Path) -> float:
    """The largest difference to the recorded trajectory, at any step that it holds."""
    recorded = record(golden.record, golden_dir)
    expected = dict(recorded["cases"][golden.case]["trajectory"])
    last = max(expected)
    run = Run(golden.entry, golden.settings, golden.options, Problem.of(recorded["problem"]), last)
    worst = 0.0
    for number in range(1, last + 1):
        run.step(number)
        if number in expected:
            found = run.judged if golden.judged else run.params
            worst = max(worst, float(np.max(np.abs(flat(found) - expected[number]))))
    return worst
