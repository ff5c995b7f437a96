"""Expressions: what is read has Python's own values, what is not is an error that points at it."""

from __future__ import annotations

import ast
import math
import sys
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fallline.errors import InputError
from fallline.landscapes import expression
from fallline.landscapes.expression import parse

PYTHON = {
    "sin": math.sin,
    "cos": math.cos,
    "tan": math.tan,
    "arctan": math.atan,
    "exp": math.exp,
    "log": math.log,
    "sqrt": math.sqrt,
    "abs": abs,
    "sinh": math.sinh,
    "cosh": math.cosh,
    "tanh": math.tanh,
    "min": min,
    "max": max,
    "pi": math.pi,
    "e": math.e,
}


def value(text: str, *point: float) -> float:
    with np.errstate(all="ignore"):
        return float(parse(text)([np.float64(each) for each in point], np))


def in_python(text: str, **variables: float) -> float:
    """The same by Python itself. The texts are this file's own."""
    return float(eval(text.replace("^", "**"), {"__builtins__": {}}, {**PYTHON, **variables}))


NUMBERS = st.one_of(
    st.integers(0, 30).map(str), st.floats(0.01, 30).map(lambda number: f"{number:.4g}")
)
ATOMS = st.one_of(st.sampled_from(["x", "y", "pi", "e"]), NUMBERS)


def larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    one_value = sorted(set(expression.FUNCTIONS) - expression.OF_MANY)
    spaces = st.sampled_from(["", " "])
    return st.one_of(
        st.tuples(inner, spaces, st.sampled_from(["+", "-", "*", "/"]), spaces, inner).map("".join),
        inner.map("({})".format),
        inner.map("-{}".format),
        st.tuples(inner, st.integers(0, 4)).map(lambda pair: f"({pair[0]})^{pair[1]}"),
        st.tuples(st.sampled_from(one_value), inner).map(lambda pair: f"{pair[0]}({pair[1]})"),
        st.tuples(st.sampled_from(["min", "max"]), st.lists(inner, min_size=2, max_size=3)).map(
            lambda pair: f"{pair[0]}({', '.join(pair[1])})"
        ),
    )


EXPRESSIONS = st.recursive(ATOMS, larger, max_leaves=12)


@settings(max_examples=150, deadline=None)
@given(EXPRESSIONS, st.floats(-3, 3), st.floats(-3, 3))
def test_values_are_those_of_pythons_own_arithmetic(text: str, x: float, y: float) -> None:
    text = f"{text} + 0*x + 0*y"  # it has both variables
    if len(text) > expression.LONGEST:
        return
    try:
        wanted = in_python(text, x=x, y=y)
    except (ArithmeticError, ValueError):
        assert isinstance(value(text, x, y), float)  # undefined: any number, and no exception
        return
    except TypeError:
        return  # a root of a negative number became complex
    np.testing.assert_allclose(value(text, x, y), wanted, rtol=1e-9, atol=1e-12)


WORDS = (
    *("x1", "x2", "sin", "log", "max", "**", "lambda", " if ", " else ", "__class__", "import"),
    *("1e9", "0x", "j", "not ", "f''"),
)
SCRAPS = st.lists(
    st.sampled_from([*"xy0123456789.+-*/^()[]{},:;=<>!@#%&|~'\"\\ \n\t_é²", *WORDS]), max_size=40
).map("".join)


@settings(max_examples=400, deadline=None)
@given(st.one_of(SCRAPS, st.text(max_size=60)))
@example("\x00")
@example("(" * 400)
@example("-" * 499 + "x")
@example("x" + "+x" * 240)
@example("9" * 500)
@example("1e999*x")
@example("2if x else 3")
@example("x^-9^9^9^9")
@example("x\\\n")
@example("\ud800x")
def test_any_text_is_read_or_refused_by_an_input_error(text: str) -> None:
    try:
        read = parse(text)
    except InputError as refused:
        told = refused
    else:
        with np.errstate(all="ignore"):
            found = read([np.float64(0.7)] * len(read.variables), np)
        assert np.ndim(found) == 0
        return
    assert str(told)
    assert told.hint


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("2^3^2 * x", 512.0),
        ("-x^2", -1.0),
        ("2 - 3 - 4*x", -5.0),
        ("x^-2 + 1", 2.0),
        ("-(-x)", 1.0),
        ("max(x, 3, 2) - min(x, 4)", 2.0),
        ("+x", 1.0),
        ("1e-3 * x", 1e-3),
        (" 2 ** 2*x ", 4.0),
    ],
)
def test_operators_bind_as_in_mathematics(text: str, wanted: float) -> None:
    assert value(text, 1.0) == wanted


def test_variables_say_how_many_there_are() -> None:
    assert parse("x^2").variables == ("x",)
    assert parse("y^2").variables == ("x", "y")
    assert parse("x1 + x2").variables == ("x1", "x2")
    assert value("x1 - 2*x2", 5.0, 1.0) == 3.0


@pytest.mark.parametrize(
    ("text", "says", "place", "hint"),
    [
        ("sine(x)", "unknown function 'sine'", 0, "'sin'"),
        ("1 + sgrt(x)", "unknown function 'sgrt'", 4, "'sqrt'"),
        ("x + z", "unknown name 'z'", 4, "x, y"),
        ("2x", "cannot be read", None, "2*x"),
        ("x^500", "exponent 500 is too large", 2, "100"),
        ("x^(-101)", "exponent -101 is too large", 3, "100"),
        ("x.real", "'x.real' has no place", 0, "numbers"),
        ("x + [1]", "'[1]' has no place", 4, "numbers"),
        ("x^2 + (y < 1)", "'y < 1' has no place", 7, "numbers"),
        ("x + 'a'", "'a' is no number", 4, "numbers"),
        ("x + True", "no number", 4, "numbers"),
        ("x + 2j", "2j is no number", 4, "numbers"),
        ("x + sin", "sin needs a value", 4, "sin(x)"),
        ("x(2)", "x is no function", 0, "x*(...)"),
        ("max(x)", "max takes two or more values, got 1", 0, "numbers"),
        ("sin(x, y)", "sin takes one value, got 2", 0, "numbers"),
        ("x^2 + 3·y", "'·' cannot be read", 7, "numbers"),
        ("x^2 + 9" + "9" * 400, "number is too large", 6, "numbers"),
        ("__import__('os')*x", "unknown function '__import__'", 0, "sin"),
    ],
)
def test_errors_point_at_the_place(text: str, says: str, place: int | None, hint: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(text)
    message, _, pointed = str(caught.value).partition("\n")
    assert says in message
    assert caught.value.hint is not None
    assert hint in caught.value.hint
    if place is not None:
        assert f"at character {place + 1} " in message
        shown, mark = pointed.split("\n")
        assert mark.index("^") - 4 == place
        assert shown[4:] in text


@pytest.mark.parametrize(
    "text",
    ["", "  ", "3 + 4", "x1 + y", "x" * 501, "sin(" * 110 + "x" + ")" * 110, "x" + "+x" * 200],
)
def test_what_has_no_single_place_is_refused_too(text: str) -> None:
    with pytest.raises(InputError):
        parse(text)


def test_reading_is_no_running(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("builtins.eval", None)
    monkeypatch.setattr("builtins.exec", None)
    assert value("sin(x)^2 + cos(x)^2", 0.3) == pytest.approx(1.0)
    tree = ast.parse(Path(expression.__file__).read_text("utf-8"))
    called = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert not called & {"eval", "exec", "compile", "__import__"}
    assert sys.getrecursionlimit() > 2 * expression.DEEPEST


def test_jax_and_numpy_have_the_same_values() -> None:
    text = "sin(x)*cos(y) + tan(x) + arctan(y) + exp(x) + log(3 + y) + sqrt(4 + x) + abs(y)"
    text += " + sinh(x) + cosh(y) + tanh(x) + min(x, y) + max(x, y, 0) + x^3/(2 + y)"
    read = parse(text)
    by_jax = read([jnp.float32(0.4), jnp.float32(-0.6)], jnp)
    assert float(by_jax) == pytest.approx(value(text, 0.4, -0.6), rel=1e-5)
