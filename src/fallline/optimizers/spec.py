"""What an entry of the catalogue is: an Optax optimizer with the sheet that describes it."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import optax

from fallline.errors import InputError, near_matches
from fallline.optimizers.dialects import Dialect, Static, known_framework
from fallline.spaces import Range

EXTRAS: Mapping[str, str] = {
    "value": "the loss before the step, a scalar",
    "grad": "the gradient itself",
    "value_fn": "the loss as a function of the parameters (differentiable)",
    "key": "a random key of this step",
    "total_steps": "the steps of the whole training, an int32 scalar",
}
"""What an update may ask for besides gradient, state and parameters, by keyword."""

SELF_TUNING_FAMILIES = frozenset({"tuning free", "line search"})

Build = Callable[..., optax.GradientTransformationExtraArgs]


class Evaluated(Protocol):
    """Where an optimizer trains other parameters than it is judged by: the latter."""

    def __call__(self, params: Any, state: Any, **settings: Any) -> Any:
        """The parameters to evaluate and keep; ``settings`` are those that ``build`` takes."""


@dataclass(frozen=True)
class HyperParameter:
    """A number that a program takes as a traced value: changing it compiles nothing."""

    name: str
    default: float
    symbol: str
    meaning: str
    range: Range | None = None
    source: Citation | None = None
    """Where the range was searched before; None: fallline's own choice."""
    above: float = -math.inf
    """Values must be greater than this."""
    at_least: float = -math.inf
    below: float = math.inf
    """Values must be smaller than this."""
    at_most: float = math.inf
    only_with: tuple[str, tuple[Static, ...]] | None = None
    """``(option, values)``: without one of these values of the option it has no effect. The first
    value is the one that a given hyper-parameter asks for."""
    per_learning_rate: bool = False
    """A search moves along the ratio to the learning rate, since only that decides where this
    value is large (epsilon of Adam: Choi et al. 2019, appendix D)."""

    def check(self, owner: str, value: Any) -> float:
        """``value`` as a float; an :class:`InputError` if it is no number, or out of bounds."""
        if isinstance(value, bool) or not isinstance(value, numbers.Real):
            raise InputError(
                f"{self.name} of {owner} must be a number, got {value!r}", hint=self._bounds()
            )
        number = float(value)
        if not math.isfinite(number):
            raise InputError(f"{self.name} of {owner} must be finite, got {number}")
        least, most = number >= self.at_least, number <= self.at_most
        if not (least and most and self.above < number < self.below):
            raise InputError(f"{self.name} of {owner} cannot be {number:g}", hint=self._bounds())
        return number

    def _bounds(self) -> str:
        bounds = [
            f"{word} {bound:g}"
            for word, bound in (
                ("greater than", self.above),
                ("at least", self.at_least),
                ("less than", self.below),
                ("at most", self.at_most),
            )
            if math.isfinite(bound)
        ]
        must = f"give a number {' and '.join(bounds)}" if bounds else "give a number"
        return f"{must}; the default is {self.default:g}"


@dataclass(frozen=True)
class Option:
    """A choice that shapes the program: part of its signature, never traced.

    Empty ``choices`` allow any positive integer.
    """

    name: str
    default: Static
    choices: tuple[Static, ...]
    meaning: str

    def check(self, owner: str, value: Any) -> Static:
        """``value`` if it is one of the choices, else an :class:`InputError`."""
        if self.choices:
            allowed = any(type(value) is type(each) and value == each for each in self.choices)
        else:
            allowed = isinstance(value, int) and not isinstance(value, bool) and value > 0
        if allowed:
            return value
        listed = ", ".join(repr(each) for each in self.choices) or "a positive integer"
        raise InputError(
            f"option {self.name} of {owner} cannot be {value!r}", hint=f"it takes {listed}"
        )


@dataclass(frozen=True)
class Citation:
    """Where an optimizer was published."""

    key: str
    authors: str
    """Family name first, separated by ``" and "`` as BibTeX has it."""
    title: str
    venue: str
    year: int
    url: str

    @property
    def text(self) -> str:
        """The reference in one line."""
        names = [name.split(",")[0] for name in self.authors.split(" and ")]
        if len(names) > 3:
            names = [f"{names[0]} et al."]
        return f"{', '.join(names)} ({self.year}). {self.title}. {self.venue}. {self.url}"

    @property
    def bibtex(self) -> str:
        """The reference as a BibTeX entry."""
        fields = {
            "author": self.authors,
            "title": f"{{{self.title}}}",
            "howpublished": self.venue,
            "year": self.year,
            "url": self.url,
        }
        body = ",\n".join(f"  {name} = {{{value}}}" for name, value in fields.items())
        return f"@misc{{{self.key},\n{body}\n}}"


@dataclass(frozen=True, kw_only=True, eq=False)
class Optimizer:
    """An entry of the catalogue. Entries are compared by identity: each exists once.

    ``build`` takes every hyper-parameter (scalars of the parameters' dtype, possibly traced) and
    every option by keyword; :meth:`transformation` fills in defaults, casts and calls it.
    """

    name: str
    title: str
    family: str
    equation: str
    citation: Citation
    hyperparameters: tuple[HyperParameter, ...]
    build: Build
    slots: int
    """Parameter-sized arrays in its state, with default options."""
    more_state: str = ""
    """What else its state holds besides scalars: ``"a row and a column per matrix"``."""
    options: tuple[Option, ...] = ()
    needs: frozenset[str] = frozenset()
    """Which of :data:`EXTRAS` its update must be given."""
    evaluated: Evaluated | None = None
    """None: it is judged by the parameters that it trains."""
    full_batch: bool = False
    finds_rate: bool = False
    """A wrapper around it finds the learning rate while it trains."""
    gradients_per_step: int = 1
    groups: frozenset[str] = frozenset()
    notes: str = ""
    """Where frameworks and papers differ, and which form this is."""
    dialects: tuple[Dialect, ...] = ()
    """The forms of the paper and of the frameworks that have it; the first of each is meant."""

    @property
    def learning_rate(self) -> HyperParameter | None:
        """The hyper-parameter ``learning_rate``, if it has one."""
        return next((each for each in self.hyperparameters if each.name == "learning_rate"), None)

    @property
    def self_tuning(self) -> bool:
        """Whether it is meant to be used without a search: its step length is found, or given."""
        found = self.finds_rate or self.family in SELF_TUNING_FAMILIES
        return found or self.learning_rate is None

    @property
    def defaults(self) -> dict[str, float]:
        """Every hyper-parameter at its default."""
        return {each.name: each.default for each in self.hyperparameters}

    @property
    def option_defaults(self) -> dict[str, Static]:
        """Every option at its default."""
        return {each.name: each.default for each in self.options}

    def complete(self, hyperparameters: Mapping[str, float]) -> dict[str, float]:
        """``hyperparameters`` checked, with defaults for the rest, in the entry's order."""
        self._known("hyper-parameter", hyperparameters, self.defaults)
        return {
            each.name: each.check(self.name, hyperparameters.get(each.name, each.default))
            for each in self.hyperparameters
        }

    def complete_options(self, options: Mapping[str, Any]) -> dict[str, Static]:
        """``options`` checked, with defaults for the rest."""
        self._known("option", options, self.option_defaults)
        return {
            each.name: each.check(self.name, options.get(each.name, each.default))
            for each in self.options
        }

    def options_for(
        self, hyperparameters: Mapping[str, float], options: Mapping[str, Any] | None = None
    ) -> dict[str, Static]:
        """The options under which ``hyperparameters`` have their effect.

        A hyper-parameter that only works with an option (say ``weight_decay`` of sgd) and is not
        at its default asks for that option; ``options`` go before it, and must not contradict it.
        """
        given = dict(options or {})
        chosen = self.complete_options(given)
        for each in self.hyperparameters:
            value = hyperparameters.get(each.name, each.default)
            if each.only_with is None or value == each.default:
                continue
            option, values = each.only_with
            if chosen[option] in values:
                continue
            if option in given:
                raise self._without_effect(each, chosen)
            chosen[option] = values[0]
        return chosen

    def transformation(
        self, hyperparameters: Mapping[str, Any], **options: Any
    ) -> optax.GradientTransformationExtraArgs:
        """The optimizer at these settings: ``init(params)``, ``update(grads, state, params)``.

        Values may be traced; those that are plain numbers are checked. All are cast to the
        parameters' dtype, so that state and updates keep it.
        """
        self._known("hyper-parameter", hyperparameters, self.defaults)
        chosen = self.complete_options(options)
        plain: dict[str, Any] = {
            name: value
            for name, value in hyperparameters.items()
            if isinstance(value, (numbers.Real, str, type(None)))
        }
        values: dict[str, Any] = self.complete(plain) | {
            name: value for name, value in hyperparameters.items() if name not in plain
        }
        for each in self.hyperparameters:
            dormant = each.only_with and chosen[each.only_with[0]] not in each.only_with[1]
            if dormant and each.name in plain and values[each.name] != each.default:
                raise self._without_effect(each, chosen)

        def built_for(tree: optax.Params) -> optax.GradientTransformationExtraArgs:
            dtype = jnp.result_type(*jax.tree.leaves(tree))
            cast = {name: jnp.asarray(value, dtype) for name, value in values.items()}
            return self.build(**cast, **chosen)

        def init(params: optax.Params) -> optax.OptState:
            return built_for(params).init(params)

        def update(
            grads: optax.Updates,
            state: optax.OptState,
            params: optax.Params | None = None,
            **extra: Any,
        ) -> tuple[optax.Updates, optax.OptState]:
            return built_for(grads).update(grads, state, params, **extra)

        return optax.GradientTransformationExtraArgs(init, update)

    def evaluation_params(
        self, hyperparameters: Mapping[str, Any], params: Any, state: Any, **options: Any
    ) -> Any:
        """The parameters to evaluate and to keep, where ``params`` are those that are trained."""
        if self.evaluated is None:
            return params
        dtype = jnp.result_type(*jax.tree.leaves(params))
        filled = {**self.defaults, **hyperparameters}
        cast = {name: jnp.asarray(value, dtype) for name, value in filled.items()}
        return self.evaluated(params, state, **cast, **self.complete_options(options))

    def dialect(self, framework: str, options: Mapping[str, Static] | None = None) -> Dialect:
        """How ``framework`` has this entry: its first form, or the one nearest to ``options``.

        An :class:`InputError` where it lacks the entry.
        """
        known_framework(framework)
        found = [each for each in self.dialects if each.framework == framework]
        if not found:
            having = ", ".join(dict.fromkeys(each.framework for each in self.dialects)) or "none"
            raise InputError(
                f"{framework} has no {self.name}",
                hint=f"frameworks that have it: {having}; 'fallline optimizers {self.name} --code "
                "fallline' gives it as an Optax transformation",
            )
        if options is None:
            return found[0]
        asked = self.option_defaults | dict(options)
        return min(found, key=lambda each: len(each.contradictions(self.option_defaults, asked)))

    def in_dialect(self, framework: str) -> Optimizer:
        """This entry with the defaults and the form that ``framework`` has, named
        ``name:framework``."""
        chosen = self.dialect(framework)
        return replace(
            self,
            name=f"{self.name}:{framework}",
            title=f"{self.title}, as {chosen.call or 'its paper has it'}",
            hyperparameters=tuple(
                replace(each, default=chosen.defaults.get(each.name, each.default))
                for each in self.hyperparameters
            ),
            options=tuple(
                replace(each, default=chosen.options.get(each.name, each.default))
                for each in self.options
            ),
            groups=frozenset(),
            dialects=tuple(self._beside(each, chosen) for each in self.dialects),
        )

    def _beside(self, other: Dialect, chosen: Dialect) -> Dialect:
        """``other``, with what differs from ``chosen`` instead of from this entry."""
        numbers = {**self.defaults, **other.defaults}
        forms = {**self.option_defaults, **other.options}
        own = {**self.defaults, **chosen.defaults, **self.option_defaults, **chosen.options}
        return replace(
            other,
            defaults={name: value for name, value in numbers.items() if value != own[name]},
            options={name: value for name, value in forms.items() if value != own[name]},
        )

    def _without_effect(self, each: HyperParameter, chosen: Mapping[str, Static]) -> InputError:
        assert each.only_with is not None
        option, values = each.only_with
        return InputError(
            f"{each.name} of {self.name} has no effect with {option}={chosen[option]!r}",
            hint=f"give the option {option} as {' or '.join(repr(v) for v in values)} too",
        )

    def _known(self, kind: str, given: Mapping[str, Any], known: Mapping[str, Any]) -> None:
        for name in given:
            if name not in known:
                near = near_matches(name, known)
                asked = f"did you mean {' or '.join(repr(each) for each in near)}? " if near else ""
                listed = ", ".join(known) or "none"
                raise InputError(
                    f"{self.name} has no {kind} {name!r}", hint=f"{asked}it has: {listed}"
                )
