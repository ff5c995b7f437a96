"""An optimizer of one's own as an entry of the catalogue, from the function that builds it."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from fallline.errors import InputError
from fallline.optimizers.catalogue import register
from fallline.optimizers.spec import EXTRAS, Build, Citation, HyperParameter, Optimizer, Option
from fallline.spaces import Range

FAMILY = "one's own"
UNPUBLISHED = Citation(
    "unpublished", "Anonymous", "Unpublished", "not published", 2026, "https://example.org"
)
_PROBE = {"matrix": (2, 3), "vector": (5,)}
_DECADES = 1e3


def define(
    name: str | None = None,
    *,
    equation: str = "",
    citation: Citation = UNPUBLISHED,
    ranges: Mapping[str, Range] | None = None,
    needs: Iterable[str] = (),
    full_batch: bool = False,
    evaluated: Callable[..., Any] | None = None,
) -> Callable[[Build], Optimizer]:
    """A decorator that makes an entry of the function that builds the optimizer.

    The function takes keyword arguments, each with its default: floats become hyper-parameters
    (traced: no ``if`` on their values), booleans, strings and whole numbers become options. It
    gives an Optax transformation. Its name, or ``name``, is the entry's; the first line of its
    docstring is the title. ``ranges``: where a search moves, by hyper-parameter; by default three
    decades to either side, or the logarithm of one minus the value for decay rates. ``needs``:
    extra arguments of its update (:data:`fallline.optimizers.spec.EXTRAS`). ``evaluated``: see
    :class:`Optimizer`.

    The builder is called once at once, with its defaults, so that what cannot work is told here: an
    :class:`InputError`.
    """

    def entry(build: Build) -> Optimizer:
        owner = name or build.__name__
        hyperparameters, options = _sheet(owner, build, dict(ranges or {}))
        asked = frozenset(needs)
        for each in asked - set(EXTRAS):
            raise InputError(
                f"{owner} needs {each!r}, which nobody gives",
                hint=f"an update can be given: {', '.join(EXTRAS)}",
            )
        lines = (inspect.getdoc(build) or owner).splitlines()
        slots, more = _memory(owner, build, hyperparameters, options)
        return register(
            Optimizer(
                name=owner,
                title=lines[0].rstrip("."),
                family=FAMILY,
                equation=equation or f"see {build.__module__}.{build.__qualname__}",
                citation=citation,
                hyperparameters=hyperparameters,
                options=options,
                build=_tolerant(build),
                slots=slots,
                more_state=more,
                needs=asked,
                full_batch=full_batch,
                evaluated=evaluated,
                notes=" ".join(" ".join(lines[1:]).split()),
            )
        )

    return entry


def _sheet(
    owner: str, build: Build, ranges: dict[str, Range]
) -> tuple[tuple[HyperParameter, ...], tuple[Option, ...]]:
    hyperparameters, options = [], []
    hints = typing.get_type_hints(build)
    for name, parameter in inspect.signature(build).parameters.items():
        default = parameter.default
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise InputError(f"{owner} takes *{name}", hint="name every hyper-parameter")
        if default is parameter.empty:
            raise InputError(f"{name} of {owner} has no default", hint=f"write {name}=VALUE")
        choices = typing.get_args(hints.get(name))
        if isinstance(default, float):
            span = ranges.pop(name, None) or _range(name, default)
            hyperparameters.append(HyperParameter(name, default, name, f"{name} of {owner}", span))
        elif isinstance(default, bool):
            options.append(Option(name, default, (False, True), f"{name} of {owner}"))
        elif isinstance(default, str):
            options.append(Option(name, default, choices or (default,), f"{name} of {owner}"))
        elif isinstance(default, int):
            options.append(Option(name, default, (), f"{name} of {owner}"))
        else:
            raise InputError(
                f"{name} of {owner} has the default {default!r}",
                hint="a float is a hyper-parameter; a bool, text or whole number is an option",
            )
    for name in ranges:
        known = ", ".join(each.name for each in hyperparameters) or "none"
        raise InputError(
            f"{owner} has no hyper-parameter {name!r} to search", hint=f"it has: {known}"
        )
    return tuple(hyperparameters), tuple(options)


def _range(name: str, default: float) -> Range:
    """Where a search would look around ``default``."""
    if default <= 0:
        return Range(min(-1.0, 2 * default), 1.0, "linear")
    if 0.5 <= default < 1 and "rate" not in name:
        return Range(0.5, max(0.9999, default), "log_one_minus")
    return Range(default / _DECADES, default * _DECADES)


def _memory(
    owner: str,
    build: Build,
    hyperparameters: tuple[HyperParameter, ...],
    options: tuple[Option, ...],
) -> tuple[int, str]:
    """Parameter-sized arrays in the state, and words where it holds others."""
    params = {key: jax.ShapeDtypeStruct(shape, np.float32) for key, shape in _PROBE.items()}

    def init(params: Any) -> Any:
        values = {each.name: jnp.asarray(each.default, np.float32) for each in hyperparameters}
        made = build(**values, **{each.name: each.default for each in options})
        if not isinstance(made, optax.GradientTransformation):
            raise InputError(
                f"{owner} gives {type(made).__name__}, not an optimizer",
                hint="return an optax.GradientTransformation, such as optax.chain(...)",
            )
        return made.init(params)

    try:
        state = jax.eval_shape(init, params)
    except jax.errors.JAXTypeError as error:
        raise InputError(
            f"{owner} cannot be built from traced numbers: {str(error).splitlines()[0]}",
            hint="choose with jnp.where instead of 'if', or make the argument a bool or a text",
        ) from error
    shapes = [leaf.shape for leaf in jax.tree.leaves(state) if leaf.shape]
    slots = min(shapes.count(shape) for shape in _PROBE.values())
    others = len(shapes) - slots * len(_PROBE)
    return slots, "arrays of other shapes than the parameters'" if others else ""


def _tolerant(build: Build) -> Build:
    """``build``, whose update lets extra arguments pass that it does not take."""

    def tolerant(**settings: Any) -> optax.GradientTransformationExtraArgs:
        return optax.with_extra_args_support(build(**settings))

    return tolerant
