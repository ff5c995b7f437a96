"""What can be put around any optimizer: schedules, clipping, averaging, a second gradient.

``adam+cosine`` is Adam inside of ``cosine``; ``adam+lookahead+cosine`` is that with Lookahead
between. A wrapper's hyper-parameters carry its name: ``cosine_final``.

The order matters: a wrapper sees the gradients that the wrappers behind it in the name give it,
and the steps of what stands before it. So gradients are changed from the last name to the first
(``adam+centralize+clip_norm`` clips, then centralizes), and steps from the first to the last.
A learning rate is scheduled for what stands before the schedule: in ``adam+weight_decay+cosine``
the decay follows the cosine, in ``adam+cosine+weight_decay`` it keeps the whole learning rate.
What is said of the loss (:data:`fallline.optimizers.spec.EXTRAS`) is handed on as it is, except
by wrappers that train on another loss: penalties, and the mean of accumulated batches.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import optax

from fallline.errors import InputError
from fallline.optimizers.dialects import Dialect
from fallline.optimizers.spec import Citation, Evaluated, HyperParameter, Optimizer, Option

JOINED_BY = "+"
SHARE = "schedule_share"
"""What schedules tell the optimizer inside, by keyword: their share of the learning rate."""


@dataclass(frozen=True)
class Inner:
    """The optimizer inside of a wrapper, at its settings."""

    entry: Optimizer
    settings: Mapping[str, Any]
    """Every hyper-parameter (perhaps traced) and every option of it."""

    def __call__(self, **changed: Any) -> optax.GradientTransformationExtraArgs:
        """Its transformation, some of its settings changed; it takes any extra arguments."""
        return self.entry.build(**{**self.settings, **changed})


class OfJudged(Protocol):
    """What a wrapper makes of the parameters that the optimizer inside is judged by."""

    def __call__(self, judged: Any, params: Any, state: Any, **settings: Any) -> Any:
        """The parameters to evaluate and keep; ``params`` are those that are trained."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Wrapper:
    """An entry of the list of wrappers.

    ``wrap`` takes the :class:`Inner` and, by keyword, every hyper-parameter and option of the
    wrapper, and gives the transformation. Its update hands all extra arguments on to the inner
    one, and its state is a named tuple that holds the inner one's as ``inner``.
    """

    name: str
    title: str
    family: str
    equation: str
    citation: Citation
    wrap: Callable[..., optax.GradientTransformationExtraArgs]
    hyperparameters: tuple[HyperParameter, ...] = ()
    options: tuple[Option, ...] = ()
    slots: int = 0
    """Parameter-sized arrays that it adds to the state."""
    more_state: str = ""
    needs: frozenset[str] = frozenset()
    gradients_per_step: int = 1
    """For each one of the optimizer inside."""
    evaluated: Evaluated | None = None
    """Where it is judged by other parameters than are trained: given the latter, the wrapper's
    state and its settings, those. Around an optimizer that has such parameters too, the wrapper's
    are meant."""
    of_judged: OfJudged | None = None
    """Around an optimizer that is judged by other parameters: what is made of them, instead."""
    takes: str | None = None
    """The hyper-parameter that the optimizer inside must have."""
    finds_rate: bool = False
    """It finds the learning rate of the optimizer inside."""
    notes: str = ""
    dialects: tuple[Dialect, ...] = ()

    def around(self, entry: Optimizer) -> Optimizer:
        """``entry`` inside of this wrapper, as an entry of its own."""
        name = f"{entry.name}{JOINED_BY}{self.name}"
        if self.name in entry.name.split(JOINED_BY)[1:]:
            raise InputError(f"{self.name} is around {entry.name} already", hint="name it once")
        if self.takes is not None and self.takes not in entry.defaults:
            has = ", ".join(entry.defaults) or "none"
            raise InputError(
                f"{self.name} cannot be put around {entry.name}: it has no {self.takes}",
                hint=f"hyper-parameters of {entry.name}: {has}",
            )
        return replace(
            entry,
            name=name,
            title=f"{entry.title}, {self.title}",
            equation=f"{entry.equation}\n{self.name}:\n{self.equation}",
            hyperparameters=(*entry.hyperparameters, *map(self._named, self.hyperparameters)),
            options=(*entry.options, *(replace(o, name=self._own(o.name)) for o in self.options)),
            build=lambda **settings: self._built(entry, settings),
            slots=entry.slots + self.slots,
            more_state="; ".join(filter(None, (entry.more_state, self.more_state))),
            needs=entry.needs | self.needs,
            gradients_per_step=entry.gradients_per_step * self.gradients_per_step,
            evaluated=self._judged(entry) if entry.evaluated or self.evaluated else None,
            finds_rate=entry.finds_rate or self.finds_rate,
            notes=" ".join(filter(None, (entry.notes, self.notes))),
            groups=frozenset(),
            dialects=(),
        )

    def _own(self, name: str) -> str:
        return f"{self.name}_{name}"

    def _named(self, parameter: HyperParameter) -> HyperParameter:
        asks = parameter.only_with
        named = None if asks is None else (self._own(asks[0]), asks[1])
        return replace(parameter, name=self._own(parameter.name), only_with=named)

    def _parted(
        self, entry: Optimizer, settings: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """The settings of the optimizer inside, and the wrapper's by their own names."""
        names = [each.name for each in self.hyperparameters]
        names += [each.name for each in self.options]
        inside = [*entry.defaults, *entry.option_defaults]
        own = {name: settings[self._own(name)] for name in names}
        return {name: settings[name] for name in inside}, own

    def _built(
        self, entry: Optimizer, settings: Mapping[str, Any]
    ) -> optax.GradientTransformationExtraArgs:
        inside, own = self._parted(entry, settings)
        return self.wrap(Inner(entry, inside), **own)

    def _judged(self, entry: Optimizer) -> Evaluated:
        def evaluated(params: Any, state: Any, **settings: Any) -> Any:
            inside, own = self._parted(entry, settings)
            if entry.evaluated is not None and self.of_judged is not None:
                judged = entry.evaluated(params, state.inner, **inside)
                return self.of_judged(judged, params, state, **own)
            if self.evaluated is not None:
                return self.evaluated(params, state, **own)
            assert entry.evaluated is not None
            return entry.evaluated(params, state.inner, **inside)

        return evaluated
