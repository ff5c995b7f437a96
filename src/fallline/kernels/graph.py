"""A traced function as one flat list of equations, every value with a number of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jax.extend import core
from jax.extend.core import primitives

Atom = int | core.Literal
"""A value's number, or a constant that is written in place."""


@dataclass(frozen=True)
class Equation:
    """One operation: its name, parameters, and the numbers of what it reads and makes."""

    name: str
    source: Any
    inputs: tuple[Atom, ...]
    outputs: tuple[int, ...]

    @property
    def params(self) -> Mapping[str, Any]:
        return self.source.params

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """The shapes of the results."""
        return tuple(getattr(var.aval, "shape", ()) for var in self.source.outvars)

    def shape_of(self, at: int) -> tuple[int, ...]:
        """The shape of the operand number ``at``."""
        return tuple(getattr(self.source.invars[at].aval, "shape", ()))


@dataclass
class Graph:
    """A function without nested ``jit``: what it reads, does and gives."""

    inputs: tuple[int, ...] = ()
    outputs: tuple[Atom, ...] = ()
    constants: dict[int, Any] = field(default_factory=dict)
    equations: list[Equation] = field(default_factory=list)
    _numbers: int = 0

    def fresh(self) -> int:
        self._numbers += 1
        return self._numbers

    def uses(self) -> dict[int, list[int]]:
        """Which equations read a value, by their places; -1 for the function's own results."""
        found: dict[int, list[int]] = {}
        for place, equation in enumerate(self.equations):
            for atom in equation.inputs:
                if isinstance(atom, int):
                    found.setdefault(atom, []).append(place)
        for atom in self.outputs:
            if isinstance(atom, int):
                found.setdefault(atom, []).append(-1)
        return found

    def makers(self) -> dict[int, int]:
        """Which equation makes a value, by its place."""
        return {
            number: place
            for place, equation in enumerate(self.equations)
            for number in equation.outputs
        }


def flatten(closed: core.ClosedJaxpr) -> Graph:
    """``closed`` with the bodies of its ``jit`` calls in their places."""
    graph = Graph()
    inputs = [graph.fresh() for _ in closed.jaxpr.invars]
    graph.inputs = tuple(inputs)
    graph.outputs = _inline(graph, closed.jaxpr, closed.consts, inputs)
    return graph


def _inline(
    graph: Graph, jaxpr: core.Jaxpr, constants: Sequence[Any], inputs: Sequence[Atom]
) -> tuple[Atom, ...]:
    known: dict[Any, Atom] = dict(zip(jaxpr.invars, inputs, strict=True))
    for var, value in zip(jaxpr.constvars, constants, strict=True):
        number = graph.fresh()
        graph.constants[number] = value
        known[var] = number

    def read(atom: Any) -> Atom:
        return atom if isinstance(atom, core.Literal) else known[atom]

    for equation in jaxpr.eqns:
        operands = tuple(read(atom) for atom in equation.invars)
        if equation.primitive is primitives.jit_p:
            inner = equation.params["jaxpr"]
            results = _inline(graph, inner.jaxpr, inner.consts, operands)
            known.update(zip(equation.outvars, results, strict=True))
            continue
        numbers = tuple(graph.fresh() for _ in equation.outvars)
        known.update(zip(equation.outvars, numbers, strict=True))
        graph.equations.append(Equation(equation.primitive.name, equation, operands, numbers))
    return tuple(read(atom) for atom in jaxpr.outvars)


def bind(equation: Equation, operands: Sequence[Any]) -> Sequence[Any]:
    """The operation as it was traced."""
    primitive = equation.source.primitive
    bound = primitive.get_bind_params(equation.params)
    # Older releases of JAX give the bodies apart, newer ones among the parameters.
    functions, params = bound if isinstance(bound, tuple) else ((), bound)
    with equation.source.ctx.manager:
        found = primitive.bind(*functions, *operands, **params)
    return found if primitive.multiple_results else [found]
