"""Which equations of a traced function a block takes: a convolution and what follows it.

A chain begins at a convolution of stride 1 over two axes and takes, as far as it finds them and
nothing else reads what lies between: a bias per feature, ReLU, batch normalisation (its sums, and
scale and shift per feature), a 2 x 2 max-pool. Scale and shift move behind the pool, which then
takes the value of the largest product with the sign of the scale.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
from jax.extend import core

from fallline.kernels.graph import Atom, Equation, Graph, bind


@dataclass
class Chain:
    """The equations of one block, by their places in the graph."""

    convolution: int
    axis: int
    """Of the features."""
    last: int
    """The place whose result the block's values are."""
    bias: Atom | None = None
    relu: bool = False
    pool: int | None = None
    sums: list[int] = field(default_factory=list)
    squares: list[int] = field(default_factory=list)
    """Sums of squares; the squares themselves are in ``silent``."""
    signs: list[Atom] = field(default_factory=list)
    """Factors of the scale, by whose signs the pool chooses."""
    scaled: bool = False
    """Scale and shift lie between ``last`` and the pool."""
    scalings: list[int] = field(default_factory=list)
    """The equations of scale and shift."""
    narrow: dict[int, Atom] = field(default_factory=dict)
    """Operands of scale and shift before they were broadcast to the image's size."""
    silent: set[int] = field(default_factory=set)
    """Equations that need not be evaluated."""


def chains(graph: Graph) -> list[Chain]:
    """Every block that the function holds."""
    found = _Finder(graph)
    return [
        chain
        for place, equation in enumerate(graph.equations)
        if (chain := found.chain(place, equation)) is not None
    ]


class _Finder:
    """The graph with what is asked of it again and again."""

    def __init__(self, graph: Graph) -> None:
        self.equations = graph.equations
        self.uses = graph.uses()
        self.makers = graph.makers()

    def chain(self, place: int, equation: Equation) -> Chain | None:
        """The block that begins with the equation, if it is a convolution that a block covers."""
        if not _is_plain(equation):
            return None
        axis = equation.params["dimension_numbers"].out_spec[1]
        chain = Chain(place, axis, place)
        at = self._only_use(place)
        if at is not None and self.equations[at].name == "add":
            other = self._other(at, self.equations[place].outputs[0])
            narrow = None if other is None else self._narrow(at, other, axis)
            if narrow is not None:
                chain.bias = narrow
                chain.silent.add(place)
                chain.last, at = at, self._only_use(at)
        if at is not None and is_relu(self.equations[at]):
            chain.relu = True
            chain.silent.add(chain.last)
            chain.last, at = at, self._only_use(at)
        if at is not None and _is_pool(self.equations[at], equation):
            chain.silent.add(chain.last)
            chain.last = chain.pool = at
        else:
            self._normalised(chain, equation, axis)
        return chain

    def _normalised(self, chain: Chain, convolution: Equation, axis: int) -> None:
        """Add batch normalisation and pool to the chain, if that is what follows."""
        found = Chain(chain.convolution, axis, chain.last)
        value = self.equations[chain.last].outputs[0]
        rest = tuple(at for at in range(4) if at != axis)
        onward: list[int] = []
        for at in dict.fromkeys(self.uses.get(value, [])):
            if at >= 0 and self._is_sum(at, rest):
                found.sums.append(at)
            elif at >= 0 and self._is_square(at, value):
                sums = self.uses.get(self.equations[at].outputs[0], [])
                if not sums or not all(each >= 0 and self._is_sum(each, rest) for each in sums):
                    return
                found.squares += sums
                found.silent.add(at)
            else:
                onward.append(at)
        if len(onward) != 1 or onward[0] < 0:
            return
        place: int | None = onward[0]
        while place is not None and not _is_pool(self.equations[place], convolution):
            if not self._is_scaling(found, place, value, axis):
                return
            found.scaled = True
            found.scalings.append(place)
            value = self.equations[place].outputs[0]
            place = self._only_use(place)
        if place is None or not found.scaled:
            return
        chain.pool, chain.scaled = place, True
        chain.sums, chain.squares = found.sums, found.squares
        chain.signs, chain.narrow, chain.scalings = found.signs, found.narrow, found.scalings
        chain.silent |= found.silent | {*found.sums, *found.squares}

    def _is_scaling(self, found: Chain, at: int, value: int, axis: int) -> bool:
        """Whether the equation adds to ``value``, or multiplies it by, one number per feature."""
        equation = self.equations[at]
        if equation.name not in ("add", "sub", "mul", "div"):
            return False
        if equation.name in ("sub", "div") and equation.inputs[0] != value:
            return False
        other = self._other(at, value)
        narrow = None if other is None else self._narrow(at, other, axis)
        if other is None or narrow is None:
            return False
        if equation.name in ("mul", "div"):
            signs = self._signs(narrow, before=found.last)
            if signs is None:
                return False
            found.signs += signs
        if isinstance(other, int):
            found.narrow[other] = narrow
        return True

    def _signs(self, atom: Atom, *, before: int) -> list[Atom] | None:
        """Values known before a place whose signs multiply to that of ``atom``; None if unknown."""
        if not isinstance(atom, int):
            return [atom]
        place = self.makers.get(atom, -1)
        if place < before:
            return [atom]
        equation = self.equations[place]
        if equation.name in ("rsqrt", "exp"):
            return []
        if equation.name in ("reshape", "broadcast_in_dim"):
            return self._signs(equation.inputs[0], before=before)
        if equation.name in ("mul", "div"):
            parts = [self._signs(each, before=before) for each in equation.inputs]
            if all(part is not None for part in parts):
                return [each for part in parts if part is not None for each in part]
        return None

    def _only_use(self, place: int) -> int | None:
        uses = self.uses.get(self.equations[place].outputs[0], [])
        return uses[0] if len(uses) == 1 and uses[0] >= 0 else None

    def _other(self, place: int, value: int) -> Atom | None:
        """The other operand of an equation of two."""
        inputs = self.equations[place].inputs
        others = [atom for atom in inputs if isinstance(atom, core.Literal) or atom != value]
        return others[0] if len(others) == 1 and len(inputs) == 2 else None

    def _narrow(self, place: int, atom: Atom, axis: int) -> Atom | None:
        """``atom`` with at most one number per feature, before it was broadcast; None if more."""
        equation = self.equations[place]
        shape = equation.shape_of(equation.inputs.index(atom))
        features = equation.shapes[0][axis]
        slim = tuple(features if at == axis else 1 for at in range(len(equation.shapes[0])))
        if shape in (slim, ()) or all(size == 1 for size in shape):
            return atom
        maker = self.makers.get(atom) if isinstance(atom, int) else None
        if maker is None or self.equations[maker].name != "broadcast_in_dim":
            return None
        made = self.equations[maker]
        dimensions = tuple(made.params["broadcast_dimensions"])
        per_feature = made.shape_of(0) == (features,) and dimensions == (axis,)
        return made.inputs[0] if per_feature or made.shape_of(0) in (slim, ()) else None

    def _is_sum(self, place: int, axes: Sequence[int]) -> bool:
        equation = self.equations[place]
        return equation.name == "reduce_sum" and tuple(equation.params["axes"]) == tuple(axes)

    def _is_square(self, place: int, value: int) -> bool:
        equation = self.equations[place]
        if equation.name == "integer_pow":
            return equation.params["y"] == 2
        return equation.name == "square" or (
            equation.name == "mul" and equation.inputs == (value, value)
        )


def _is_plain(equation: Equation) -> bool:
    """A convolution of stride 1 over two axes, without dilation and groups, of equal floats."""
    if equation.name != "conv_general_dilated":
        return False
    params = equation.params
    ones = (
        *params["window_strides"],
        *params["lhs_dilation"],
        *params["rhs_dilation"],
        params["feature_group_count"],
        params["batch_group_count"],
    )
    types = {var.aval.dtype for var in (*equation.source.invars, *equation.source.outvars)}
    return (
        len(equation.shapes[0]) == 4
        and all(one == 1 for one in ones)
        and len(types) == 1
        and all(jnp.issubdtype(each, jnp.floating) for each in types)
        and params.get("out_sharding") is None
        and 0 not in (*equation.shape_of(0), *equation.shape_of(1), *equation.shapes[0])
    )


def _is_pool(equation: Equation, convolution: Equation) -> bool:
    """The maximum of windows of 2 x 2 side by side over the convolution's two axes."""
    if equation.name != "reduce_window_max":
        return False
    params = equation.params
    spatial = convolution.params["dimension_numbers"].out_spec[2:]
    window = tuple(2 if axis in spatial else 1 for axis in range(4))
    sizes = [equation.shape_of(0)[axis] for axis in spatial]
    return (
        tuple(params["window_dimensions"]) == window
        and tuple(params["window_strides"]) == window
        and not any(map(any, params["padding"]))
        and all(by == 1 for by in (*params["base_dilation"], *params["window_dilation"]))
        and min(sizes) >= 2
    )


def is_relu(equation: Equation) -> bool:
    """``jax.nn.relu``, by what it computes and by the rule of its gradient (0 at 0)."""
    if equation.name != "custom_jvp_call" or len(equation.source.invars) != 1:
        return False
    shape, dtype = equation.shapes[0], equation.source.outvars[0].aval.dtype
    example = jax.ShapeDtypeStruct(shape, dtype)

    def traced(function: Callable[[jax.Array], jax.Array]) -> str:
        def with_tangent(x: jax.Array, tangent: jax.Array) -> tuple[jax.Array, jax.Array]:
            return jax.jvp(function, (x,), (tangent,))

        return str(jax.make_jaxpr(with_tangent)(example, example))

    return traced(lambda x: bind(equation, [x])[0]) == traced(jax.nn.relu)
