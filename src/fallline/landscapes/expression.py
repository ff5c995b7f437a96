"""Functions as text: ``(1 - x)^2 + 100*(y - x^2)^2`` read into a tree, and computed from it.

The text is parsed, never run. A tree holds numbers, variables and the operations of
:data:`OPERATIONS` alone, so it can do nothing but compute; it does so with NumPy or with JAX,
whichever module it is given.
"""

from __future__ import annotations

import ast
import math
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fallline.errors import InputError, unknown

LONGEST = 500
"""Characters of a text."""
DEEPEST = 100
"""Operations inside of each other."""
LARGEST_EXPONENT = 100.0

CONSTANTS: Mapping[str, float] = {"pi": math.pi, "e": math.e}
VARIABLES: Mapping[str, int] = {"x": 0, "y": 1, "x1": 0, "x2": 1}
"""Their places in a point. A text uses either x and y, or x1 and x2."""

FUNCTIONS: Mapping[str, str] = {
    "sin": "sin",
    "cos": "cos",
    "tan": "tan",
    "arctan": "arctan",
    "exp": "exp",
    "log": "log",
    "sqrt": "sqrt",
    "abs": "abs",
    "sinh": "sinh",
    "cosh": "cosh",
    "tanh": "tanh",
    "min": "minimum",
    "max": "maximum",
}
"""What a text may call, with the name that NumPy and JAX have for it."""
OF_MANY = frozenset({"min", "max"})
"""Functions of two or more values; the others take one."""
OPERATIONS = frozenset({*FUNCTIONS.values(), "add", "subtract", "multiply", "divide", "power"}) | {
    "negative"
}

_OPERATORS: Mapping[type[ast.operator], str] = {
    ast.Add: "add",
    ast.Sub: "subtract",
    ast.Mult: "multiply",
    ast.Div: "divide",
    ast.Pow: "power",
}
_ALLOWED = "numbers, x, y (or x1, x2), pi, e, + - * / ^, brackets and " + ", ".join(FUNCTIONS)


@dataclass(frozen=True)
class Number:
    """A constant."""

    value: float


@dataclass(frozen=True)
class Variable:
    """A coordinate of the point."""

    place: int


@dataclass(frozen=True)
class Operation:
    """One of :data:`OPERATIONS`, by its name in NumPy, with what it is applied to."""

    name: str
    operands: tuple[Node, ...]


Node = Number | Variable | Operation


@dataclass(frozen=True)
class Expression:
    """A text that was read. ``variables`` are the names of its coordinates: one or two."""

    text: str
    root: Node
    variables: tuple[str, ...]

    def __call__(self, point: Any, module: Any) -> Any:
        """The value at ``point``, one scalar or array per coordinate, by ``numpy`` or
        ``jax.numpy``. What is not defined is NaN or infinite; nothing is raised."""
        return _computed(self.root, point, module)


def parse(text: str) -> Expression:
    """Read ``text``; an :class:`InputError` that points at the place where it cannot be."""
    source = text.strip()
    if not source:
        raise InputError("the expression is empty", hint='for example "x^4 - 3*x^2 + x"')
    if len(source) > LONGEST:
        raise InputError(
            f"the expression has {len(source)} characters", hint=f"at most {LONGEST} are read"
        )
    reader = _Reader(source)
    root = reader.read()
    names = reader.names
    if not names:
        raise InputError(
            f"the expression {source!r} has no variable", hint="use x, or x and y (x1 and x2)"
        )
    numbered = any(name.endswith(("1", "2")) for name in names)
    if numbered and names & {"x", "y"}:
        raise InputError(
            f"the expression mixes {', '.join(sorted(names))}", hint="use x and y, or x1 and x2"
        )
    both = any(VARIABLES[name] == 1 for name in names)
    first, second = ("x1", "x2") if numbered else ("x", "y")
    return Expression(source, root, (first, second) if both else (first,))


class _Reader:
    """Python's syntax tree of a text, turned into nodes; keeps where everything stood."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.names: set[str] = set()
        self._origin: list[int] = []
        """For every character that Python reads, its place in ``source``."""
        rewritten = []
        for place, character in enumerate(source):
            if not character.isascii() or not character.isprintable():
                raise self._error(f"{character!r} cannot be read", place)
            # Python's own ^ binds less than +: as ** it is the power that it looks like.
            written = "**" if character == "^" else character
            rewritten.append(written)
            self._origin += [place] * len(written)
        self._python = "".join(rewritten)

    def read(self) -> Node:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # "2if": said by us, as an error
                tree = ast.parse(self._python, mode="eval")
        except SyntaxError as error:
            raise self._unreadable((error.offset or 1) - 1) from None
        except (ValueError, MemoryError, RecursionError, OverflowError):
            raise InputError(
                "the expression is nested too deeply", hint=f"at most {DEEPEST} deep is read"
            ) from None
        return self._node(tree.body, 0)

    def _node(self, node: ast.AST, depth: int) -> Node:
        if depth > DEEPEST:
            raise InputError(
                f"the expression is nested more than {DEEPEST} deep", hint="shorten or factor it"
            )
        match node:
            case ast.Constant():
                return self._number(node)
            case ast.Name():
                return self._name(node)
            case ast.UnaryOp(op=ast.UAdd()):
                return self._node(node.operand, depth + 1)
            case ast.UnaryOp(op=ast.USub()):
                inside = self._node(node.operand, depth + 1)
                if isinstance(inside, Number):
                    return Number(-inside.value)
                return Operation("negative", (inside,))
            case ast.BinOp() if type(node.op) in _OPERATORS:
                left, right = self._node(node.left, depth + 1), self._node(node.right, depth + 1)
                name = _OPERATORS[type(node.op)]
                if name == "power" and isinstance(right, Number):
                    self._check_exponent(right.value, node.right)
                return Operation(name, (left, right))
            case ast.Call(func=ast.Name()):
                return self._call(node, depth)
        raise self._not_allowed(node)

    def _number(self, node: ast.Constant) -> Number:
        value = node.value
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._error(f"{self._text(node)} is no number", self._place(node))
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            raise self._error("the number is too large", self._place(node))
        return Number(number)

    def _name(self, node: ast.Name) -> Node:
        if node.id in CONSTANTS:
            return Number(CONSTANTS[node.id])
        if node.id in VARIABLES:
            self.names.add(node.id)
            return Variable(VARIABLES[node.id])
        if node.id in FUNCTIONS:
            raise self._error(
                f"{node.id} needs a value in brackets", self._place(node), f"{node.id}(x)"
            )
        raise self._unknown("name", node, [*VARIABLES, *CONSTANTS, *FUNCTIONS])

    def _call(self, node: ast.Call, depth: int) -> Node:
        assert isinstance(node.func, ast.Name)
        name = node.func.id
        if name in VARIABLES or name in CONSTANTS:
            raise self._error(
                f"{name} is no function", self._place(node), f"to multiply, write {name}*(...)"
            )
        if name not in FUNCTIONS:
            raise self._unknown("function", node.func, FUNCTIONS)
        count = len(node.args)
        if node.keywords or (count < 2 if name in OF_MANY else count != 1):
            takes = "two or more values" if name in OF_MANY else "one value"
            raise self._error(f"{name} takes {takes}, got {count}", self._place(node))
        operands = [self._node(each, depth + 1) for each in node.args]
        if name not in OF_MANY:
            return Operation(FUNCTIONS[name], tuple(operands))
        joined = operands[0]
        for each in operands[1:]:
            joined = Operation(FUNCTIONS[name], (joined, each))
        return joined

    def _check_exponent(self, value: float, node: ast.AST) -> None:
        if abs(value) > LARGEST_EXPONENT:
            raise self._error(
                f"the exponent {value:g} is too large",
                self._place(node),
                f"exponents go from -{LARGEST_EXPONENT:g} to {LARGEST_EXPONENT:g}",
            )

    # --- errors that point at the place

    def _place(self, node: ast.AST) -> int:
        column = int(getattr(node, "col_offset", 0))
        return self._origin[min(column, len(self._origin) - 1)]

    def _text(self, node: ast.AST) -> str:
        first, last = self._place(node), int(getattr(node, "end_col_offset", 1)) - 1
        return self.source[first : self._origin[min(last, len(self._origin) - 1)] + 1]

    def _error(self, message: str, place: int, hint: str | None = None) -> InputError:
        return InputError(
            f"{message}, at character {place + 1} of the expression\n{self._pointed(place)}",
            hint=hint or f"an expression has {_ALLOWED}",
        )

    def _pointed(self, place: int) -> str:
        """The text with a mark under ``place``, cut to a line's width around it."""
        first = max(0, place - 50)
        shown = self.source[first : first + 90].replace("\t", " ")
        shown = "".join(each if each.isprintable() else "?" for each in shown)
        return f"    {shown}\n    {' ' * (place - first)}^"

    def _unknown(self, kind: str, node: ast.Name, choices: Any) -> InputError:
        error = unknown(kind, node.id, choices)
        return self._error(str(error), self._place(node), error.hint)

    def _unreadable(self, place: int) -> InputError:
        if not self._python.strip():
            return self._error("there is nothing to read", 0)
        place = self._origin[max(0, min(place, len(self._origin) - 1))]
        product = re.search(r"(?<![\w.])[\d.]+\s*(?=[a-zA-Z(])|\)\s*(?=[\w(])", self.source)
        hint = 'products are written with "*": 2*x' if product else None
        return self._error("the expression cannot be read", place, hint)

    def _not_allowed(self, node: ast.AST) -> InputError:
        if isinstance(node, ast.Call):
            what = "a bracket follows something that is no function"
            return self._error(what, self._place(node), 'products are written with "*": 2*(x + 1)')
        text = self._text(node)
        shown = text if len(text) <= 30 else text[:30] + "…"
        return self._error(f"{shown!r} has no place in an expression", self._place(node))


def _computed(node: Node, point: Any, module: Any) -> Any:
    match node:
        case Number(value):
            return module.asarray(value)
        case Variable(place):
            return point[place]
        case Operation("power", (base, Number(value))) if value.is_integer():
            # A whole exponent has a derivative at and below 0; a power by logarithm has none.
            return module.power(_computed(base, point, module), int(value))
        case Operation(name, operands):
            return getattr(module, name)(*(_computed(each, point, module) for each in operands))
